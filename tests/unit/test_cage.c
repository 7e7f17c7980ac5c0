// SPDX-License-Identifier: GPL-2.0-only
/* What a process in a cage can do, and what ends it. Each in a child. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "cage.h"
#include "cleanup.h"
#include "io.h"

static char said[512];	/* by the last child, on stderr */

/* Its wait status. @fn's answer is the exit status. */
static int in_child(int (*fn)(void *arg), void *arg)
{
	int out[2], status;
	size_t len = 0;
	ssize_t n;
	pid_t pid;

	assert_int_equal(pipe(out), 0);
	pid = fork();
	if (!pid) {
		dup2(out[1], STDERR_FILENO);
		_exit(fn(arg));
	}
	close(out[1]);
	while ((n = read(out[0], said + len, sizeof(said) - 1 - len)) > 0)
		len += n;
	said[len] = '\0';
	close(out[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

/* ---- calls ---- */

struct try {
	const char *name;	/* of the call that ends it */
	unsigned int may;
	void (*call)(void);
};

static int try_call(void *arg)
{
	const struct try *t = arg;

	if (cage_limit_calls(t->may, NULL))
		return 1;
	t->call();
	return 0;
}

static void run_program(void)
{
	char *argv[] = { (char *)"true", NULL };

	execv("/bin/true", argv);
}

static void talk_ip(void)
{
	(void)socket(AF_INET, SOCK_STREAM, 0);
}

static void talk_netlink(void)
{
	(void)socket(AF_NETLINK, SOCK_RAW, 0);
}

static void talk_unix(void)
{
	(void)socket(AF_UNIX, SOCK_STREAM, 0);
}

static void run_new_code(void)
{
	(void)mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
		   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

static void make_code(void)
{
	void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	(void)mprotect(p, 4096, PROT_READ | PROT_EXEC);
}

static void kill_parent(void)
{
	kill(getppid(), SIGTERM);
}

static void open_to_write(void)
{
	(void)open("/dev/null", O_WRONLY);
}

static void open_new(void)
{
	(void)open("/dev/null/nothing", O_RDONLY | O_CREAT, 0600);
}

static void remove_file(void)
{
	unlink("/nonexistent");
}

static void load_bpf(void)
{
	syscall(SYS_bpf, 0, NULL, 0);
}

static void use_ring(void)
{
	syscall(SYS_io_uring_setup, 1, NULL);
}

/* Calls that are open to ASan's search for leaks. */
#ifndef __SANITIZE_ADDRESS__
static void have_child(void)
{
	/*
	 * fork() of glibc 2.41 blocks all signals, and so nobody would say it.
	 */
	if (!syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0))
		_exit(0);
}

static void trace_parent(void)
{
	ptrace(PTRACE_ATTACH, getppid(), NULL, NULL);
}
#endif

static void test_calls_that_end_it(void **state)
{
	static const struct try tries[] = {
		{ "execve", CAGE_WRITE | CAGE_ASK | CAGE_FORK, run_program },
		{ "socket", CAGE_WRITE | CAGE_ASK | CAGE_FORK, talk_ip },
		{ "socket", CAGE_WRITE | CAGE_ASK | CAGE_FORK, talk_netlink },
		{ "socket", CAGE_WRITE | CAGE_FORK, talk_unix },
		{ "mmap", CAGE_WRITE | CAGE_ASK | CAGE_FORK, run_new_code },
		{ "mprotect", CAGE_WRITE | CAGE_ASK | CAGE_FORK, make_code },
		{ "bpf", CAGE_WRITE | CAGE_ASK | CAGE_FORK, load_bpf },
		{ "io_uring_setup", CAGE_WRITE | CAGE_ASK | CAGE_FORK,
		  use_ring },
		{ "kill", CAGE_WRITE | CAGE_ASK, kill_parent },
		{ "open", CAGE_ASK | CAGE_FORK, open_to_write },
		{ "open", CAGE_ASK | CAGE_FORK, open_new },
		{ "unlink", CAGE_ASK | CAGE_FORK, remove_file },
#ifndef __SANITIZE_ADDRESS__
		{ "clone", CAGE_WRITE | CAGE_ASK, have_child },
		{ "ptrace", CAGE_WRITE | CAGE_ASK | CAGE_FORK, trace_parent },
#endif
	};

	for (size_t i = 0; i < ARRAY_SIZE(tries); i++) {
		int status = in_child(try_call, (void *)&tries[i]);

		if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGSYS ||
		    !strstr(said, tries[i].name))
			fail_msg("%s: status 0x%x, said: %s", tries[i].name,
				 status, said);
	}
	/* Each for want of a permission, and of nothing else. */
	for (size_t i = 0; i < ARRAY_SIZE(tries); i++) {
		const unsigned int all = CAGE_WRITE | CAGE_ASK | CAGE_FORK;
		struct try t = tries[i];

		if (t.may == all || t.call == kill_parent)
			continue;
		t.may = all;
		assert_int_equal(in_child(try_call, &t), 0);
	}
}

static void *a_thread(void *arg)
{
	struct timespec nap = { .tv_nsec = 1000 };

	nanosleep(&nap, NULL);
	*(int *)arg += 1;
	return NULL;
}

static volatile sig_atomic_t signals;

static void count_signal(int sig)
{
	signals = signals + 1;
}

#define NEED(what)                                                             \
	do {                                                                   \
		if (!(what)) {                                                 \
			fprintf(stderr, "%s: %s\n", #what, strerror(errno));   \
			return 1;                                              \
		}                                                              \
	} while (0)

/* What programs do without asking for anything in particular. */
static int live_as_usual(void *arg)
{
	struct pollfd p = { .fd = -1 };
	int counted = 0, status;
	struct timespec now;
	pthread_t thread;
	struct stat st;
	char link[64];
	void *big;
	FILE *f;

	NEED(!cage_limit_calls(*(unsigned int *)arg, NULL));
	/* A second time is fine, and narrower. */
	NEED(!cage_limit_calls(*(unsigned int *)arg, NULL));
	for (int i = 0; i < 8; i++) {
		NEED(!pthread_create(&thread, NULL, a_thread, &counted));
		NEED(!pthread_join(thread, NULL));
	}
	NEED(counted == 8);
	signal(SIGUSR1, count_signal);
	raise(SIGUSR1);
	kill(getpid(), SIGUSR1);
	NEED(signals == 2);
	big = malloc(64 << 20);
	NEED(big);
	big = realloc(big, 128 << 20);
	NEED(big);
	free(big);
	f = fopen("/proc/self/status", "r");
	NEED(f);
	while (fgetc(f) != EOF)
		;
	fclose(f);
	NEED(!stat("/proc/self", &st));
	NEED(readlink("/proc/self/exe", link, sizeof(link)) > 0);
	NEED(!clock_gettime(CLOCK_REALTIME, &now));
	NEED(localtime(&now.tv_sec));
	NEED(!poll(&p, 1, 1));
	NEED(isatty(0) >= 0);
	NEED(sysconf(_SC_NPROCESSORS_ONLN) > 0);
	/* Refused with an answer: the C library tries an older call. */
	NEED(syscall(435, NULL, 0) < 0 && errno == ENOSYS);
	if (*(unsigned int *)arg & CAGE_FORK) {
		pid_t pid = fork();

		if (!pid)
			_exit(7);
		NEED(waitpid(pid, &status, 0) == pid);
		NEED(WEXITSTATUS(status) == 7);
	}
	return 0;
}

static void test_life_goes_on(void **state)
{
	for (unsigned int may = 0; may < 8; may++) {
		int status = in_child(live_as_usual, &may);

		if (status)
			fail_msg("may %u: status 0x%x, said: %s", may, status,
				 said);
	}
}

/* A thread that is there already is caged as well. */
static int gate[2];

static void *wait_and_run(void *arg)
{
	char c;

	if (read(gate[0], &c, 1) == 1)
		talk_ip();
	return NULL;
}

static int cage_threads(void *arg)
{
	pthread_t thread;

	NEED(!pipe(gate) && !pthread_create(&thread, NULL, wait_and_run, NULL));
	NEED(!cage_limit_calls(CAGE_WRITE, NULL));
	NEED(write(gate[1], "x", 1) == 1);
	pthread_join(thread, NULL);
	return 0;
}

static void test_threads_too(void **state)
{
	int status = in_child(cage_threads, NULL);

	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGSYS);
	assert_non_null(strstr(said, "socket"));
}

/* ---- secrets ---- */

static int keep_secrets(void *arg)
{
	struct rlimit core;

	cage_keep_secrets();
	NEED(!getrlimit(RLIMIT_CORE, &core));
	NEED(!core.rlim_cur && !core.rlim_max);
	NEED(prctl(PR_GET_DUMPABLE) == 0);
	return 0;
}

static void test_secrets(void **state)
{
	assert_int_equal(in_child(keep_secrets, NULL), 0);
}

/* ---- writes ---- */

static char dir[] = "/tmp/test_cage.XXXXXX";

static char *path(const char *name)
{
	static char p[4][128];
	static int n;

	n = (n + 1) % 4;
	snprintf(p[n], sizeof(p[n]), "%s/%s", dir, name);
	return p[n];
}

static int can_open(const char *name, int flags)
{
	int fd = open(path(name), flags | O_CLOEXEC, 0600);

	if (fd < 0)
		return -errno;
	close(fd);
	return 0;
}

static bool has_landlock(void)
{
	_cleanup_(cage_deinit) struct cage c = CAGE_INIT;

	cage_open(&c);
	return c.fd >= 0;
}

static int write_where_allowed(void *arg)
{
	_cleanup_(cage_deinit) struct cage c = CAGE_INIT;
	int held = open(path("held"), O_RDWR | O_CREAT, 0600);
	int one = open(path("one"), O_RDONLY);
	int mem = memfd_create("ram", 0);
	char self[64];

	snprintf(self, sizeof(self), "/proc/self/fd/%d", mem);
	NEED(held >= 0 && one >= 0 && mem >= 0);
	cage_open(&c);
	cage_allow_fd(&c, one);
	cage_allow_fd(&c, mem);
	cage_allow_beside(&c, path("in/new"));
	cage_allow_path(&c, path("nowhere"));
	NEED(!cage_limit_writes(&c, NULL));

	NEED(can_open("one", O_RDWR) == 0);
	NEED(can_open("one", O_WRONLY | O_TRUNC) == 0);
	NEED(can_open("two", O_RDONLY) == 0);
	NEED(can_open("two", O_RDWR) == -EACCES);
	NEED(can_open("two", O_WRONLY | O_APPEND) == -EACCES);
	NEED(can_open("three", O_WRONLY | O_CREAT) == -EACCES);
	NEED(can_open(".", O_TMPFILE | O_RDWR) == -EACCES);
	NEED(unlink(path("two")) && errno == EACCES);
	NEED(rename(path("two"), path("in/two")) &&
	     (errno == EACCES || errno == EXDEV));
	NEED(mkdir(path("folder"), 0700) && errno == EACCES);
	/* What is open stays so. */
	NEED(write(held, "x", 1) == 1);
	/* A memfd has no place, and so no rule. */
	NEED(open(self, O_RDWR) >= 0);
	/* A file that takes the place of another one when it is whole. */
	NEED(!io_replace_file(path("in/new"), "new", 3, 0600, NULL));
	NEED(!io_replace_file(path("in/new"), "newer", 5, 0600, NULL));
	NEED(io_replace_file(path("two"), "new", 3, 0600, NULL) < 0);
	NEED(kill(getppid(), 0) == 0 || errno == EPERM);
	run_program();
	NEED(errno == EACCES);
	return 0;
}

static void test_writes(void **state)
{
	int status;

	if (!has_landlock())
		skip();
	status = in_child(write_where_allowed, NULL);
	if (status)
		fail_msg("status 0x%x, said: %s", status, said);
	/* And the same is possible without. */
	assert_int_equal(can_open("two", O_RDWR), 0);
}

/* As the recorder has it: both, one after the other, twice. */
static int both(void *arg)
{
	cage_keep_secrets();
	for (int i = 0; i < 2; i++) {
		_cleanup_(cage_deinit) struct cage c = CAGE_INIT;

		cage_open(&c);
		cage_allow_path(&c, path("in"));
		NEED(!cage_limit_calls(CAGE_WRITE, NULL));
		NEED(!cage_limit_writes(&c, NULL));
	}
	NEED(can_open("in/both", O_RDWR | O_CREAT) == 0);
	NEED(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1);
	NEED(prctl(PR_GET_SECCOMP, 0, 0, 0, 0) == 2);
	return 0;
}

static void test_both(void **state)
{
	int status = in_child(both, NULL);

	if (status)
		fail_msg("status 0x%x, said: %s", status, said);
}

/* A kernel that answers one call with ENOSYS. */
static int without(int nr)
{
	scmp_filter_ctx f = seccomp_init(SCMP_ACT_ALLOW);
	int rc = seccomp_rule_add(f, SCMP_ACT_ERRNO(ENOSYS), nr, 0);

	rc = rc ? rc : seccomp_load(f);
	seccomp_release(f);
	return rc;
}

static int without_landlock(void *arg)
{
	_cleanup_(cage_deinit) struct cage c = CAGE_INIT;

	NEED(!without(SYS_landlock_create_ruleset));
	cage_open(&c);
	NEED(c.fd < 0);
	cage_allow_path(&c, path("in"));
	NEED(!cage_limit_writes(&c, NULL));
	NEED(can_open("one", O_RDWR) == 0);
	/* The list of calls does not depend on it. */
	NEED(!cage_limit_calls(0, NULL));
	open_to_write();
	return 0;
}

static int without_seccomp(void *arg)
{
	_cleanup_(cage_deinit) struct cage c = CAGE_INIT;
	struct xf_err err = { 0 };

	NEED(!without(SYS_seccomp));
	NEED(!cage_limit_calls(0, &err));
	cage_open(&c);
	NEED(!cage_limit_writes(&c, &err));
	NEED(can_open("one", O_RDWR) == (c.fd < 0 ? 0 : -EACCES));
	return 0;
}

static void test_old_kernels(void **state)
{
	int status = in_child(without_landlock, NULL);

	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGSYS);
	assert_non_null(strstr(said, "may not call open"));
	status = in_child(without_seccomp, NULL);
	if (status)
		fail_msg("status 0x%x, said: %s", status, said);
	assert_non_null(strstr(said, "cannot limit what xftrace may call"));
}

static int setup(void **state)
{
	return !mkdtemp(dir) || mkdir(path("in"), 0700) ||
	       can_open("one", O_RDWR | O_CREAT) ||
	       can_open("two", O_RDWR | O_CREAT);
}

static int teardown(void **state)
{
	static const char *const names[] = { "one", "two", "held", "in/new",
					     "in/both" };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		unlink(path(names[i]));
	return rmdir(path("in")) || rmdir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_calls_that_end_it),
		cmocka_unit_test(test_life_goes_on),
		cmocka_unit_test(test_threads_too),
		cmocka_unit_test(test_secrets),
		cmocka_unit_test(test_writes),
		cmocka_unit_test(test_both),
		cmocka_unit_test(test_old_kernels),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
