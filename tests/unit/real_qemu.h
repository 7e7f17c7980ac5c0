/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * real_qemu -- a QEMU under TCG, with a folder of its own in /tmp.
 *
 *	if (!have_qemu())
 *		skip();
 *	vm_start(&vm, args, true);
 *	vm_connect(&vm, &q);
 *	vm_stop(&vm);
 *
 * It is killed when the test ends, however the test ends.
 */
#ifndef REAL_QEMU_H
#define REAL_QEMU_H

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "buf.h"
#include "qmp.h"

#define VM_TIMEOUT_MS 20000
#define VM_MAX_ARGS   64

struct vm {
	char dir[32];
	char qmp[64];
	pid_t pid;
};

/* A child that ends with the test, whatever happens to the test. */
static inline pid_t spawn(char *const argv[])
{
	pid_t pid = fork();

	if (!pid) {
		int null = open("/dev/null", O_RDWR);

		prctl(PR_SET_PDEATHSIG, SIGKILL);
		umask(077);
		dup2(null, 0);
		dup2(null, 1);
		dup2(null, 2);
		execvp(argv[0], argv);
		_exit(127);
	}
	return pid;
}

static inline void stop(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static inline bool have_qemu(void)
{
	static char *const argv[] = { "qemu-system-x86_64", "--version", NULL };
	static int have = -1;

	if (have < 0) {
		int status = 0;

		waitpid(spawn(argv), &status, 0);
		have = !status;
	}
	return have;
}

/* "%d" in an argument stands for the machine's folder. */
static inline void vm_start(struct vm *vm, const char *const *args,
			    bool with_qmp)
{
	char *argv[VM_MAX_ARGS] = { "qemu-system-x86_64", "-accel", "tcg",
				    "-S", "-display", "none", "-monitor",
				    "none" };
	size_t n = 8, owned;

	strcpy(vm->dir, "/tmp/xftrace-test-XXXXXX");
	assert_non_null(mkdtemp(vm->dir));
	snprintf(vm->qmp, sizeof(vm->qmp), "%s/qmp", vm->dir);
	owned = n;
	for (; *args; args++) {
		struct buf b = BUF_INIT;
		const char *s = *args;

		for (; *s; s++) {
			if (s[0] == '%' && s[1] == 'd') {
				buf_puts(&b, vm->dir);
				s++;
			} else {
				buf_putc(&b, *s);
			}
		}
		argv[n++] = buf_take(&b);
	}
	if (with_qmp) {
		struct buf b = BUF_INIT;

		argv[n++] = strdup("-qmp");
		buf_printf(&b, "unix:%s,server=on,wait=off", vm->qmp);
		argv[n++] = buf_take(&b);
	}
	assert_true(n < VM_MAX_ARGS);
	vm->pid = spawn(argv);
	while (n > owned)
		free(argv[--n]);
}

static inline void vm_stop(struct vm *vm)
{
	char cmd[64];

	stop(vm->pid);
	snprintf(cmd, sizeof(cmd), "rm -rf %s", vm->dir);
	assert_int_equal(system(cmd), 0);
}

/* Its socket is there before it serves it; its RAM before its devices. */
static inline void vm_connect(struct vm *vm, struct qmp *q)
{
	struct xf_err err = { 0 };

	for (int i = 0; i < VM_TIMEOUT_MS / 20; i++) {
		if (!qmp_open(q, vm->qmp, VM_TIMEOUT_MS, &err))
			return;
		if (err.code != -ENOENT && err.code != -ECONNREFUSED)
			break;
		poll(NULL, 0, 20);
	}
	fail_msg("%s", err.msg);
}

#endif
