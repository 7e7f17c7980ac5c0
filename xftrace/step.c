// SPDX-License-Identifier: GPL-2.0-only
#include "step.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "buf.h"
#include "cleanup.h"
#include "clock.h"
#include "io.h"

#define GRACE_NS 20000000000ULL
#define LOG_MAX	 (64u << 20)

int steps_init(struct steps *s, const char *log_path, struct xf_err *err)
{
	sigset_t set;
	int fd = open(log_path, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND |
			      O_CLOEXEC, 0666);

	if (fd < 0)
		return xf_fail_errno(err, "%s", log_path);
	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, &s->old);
	s->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	s->log_path = strdup(log_path);
	s->log_fd = fd;
	s->done = json_array();
	return 0;
}

void steps_deinit(struct steps *s)
{
	if (s->log_fd < 0)
		return;
	sigprocmask(SIG_SETMASK, &s->old, NULL);
	close(s->signal_fd);
	close(s->log_fd);
	free(s->log_path);
	json_decref(s->done);
	*s = (struct steps)STEPS_INIT;
}

int steps_self(void *arg)
{
	execv("/proc/self/exe", arg);
	perror("/proc/self/exe");
	return 127;
}

static pid_t start(const struct steps *s, int (*fn)(void *arg), void *arg)
{
	pid_t pid;

	fflush(NULL);
	pid = fork();
	if (pid)
		return pid;
	/* A terminal's Ctrl-C is for us, who pass it on. */
	setpgid(0, 0);
	/* It is what ends a step; a shell's background jobs ignore it. */
	signal(SIGINT, SIG_DFL);
	sigprocmask(SIG_SETMASK, &s->old, NULL);
	dup2(open("/dev/null", O_RDONLY | O_CLOEXEC), STDIN_FILENO);
	dup2(s->log_fd, STDOUT_FILENO);
	dup2(s->log_fd, STDERR_FILENO);
	_exit(fn(arg));
}

/* 0: it ended; -ETIMEDOUT; -EINTR: a signal came. */
static int wait_for(struct steps *s, int pidfd, uint64_t limit_ns)
{
	uint64_t end = monotonic_ns() + limit_ns, now;
	struct pollfd p[2] = { { .fd = pidfd, .events = POLLIN },
			       { .fd = s->signal_fd, .events = POLLIN } };
	struct signalfd_siginfo si;

	while ((now = monotonic_ns()) < end) {
		(void)poll(p, 2, (end - now) / 1000000 + 1);
		if (p[0].revents)
			return 0;
		if (read(s->signal_fd, &si, sizeof(si)) == sizeof(si)) {
			s->interrupted = true;
			return -EINTR;
		}
	}
	return -ETIMEDOUT;
}

static int end(struct steps *s, pid_t pid, int pidfd)
{
	int status;

	kill(-pid, SIGINT);
	while (wait_for(s, pidfd, GRACE_NS) == -EINTR)
		;
	/* Whatever it left; those that live on have a session of their own. */
	kill(-pid, SIGKILL);
	waitpid(pid, &status, 0);
	return status;
}

/* The last line that the log has behind @from, for a message. */
static char *last_words(const struct steps *s, off_t from)
{
	_cleanup_(buf_deinit) struct buf b = BUF_INIT, safe = BUF_INIT;
	char *line;

	if (io_read_file(s->log_path, LOG_MAX, &b, NULL) ||
	    b.len <= (size_t)from)
		return strdup("it said nothing");
	while (b.len > (size_t)from && b.data[b.len - 1] == '\n')
		b.data[--b.len] = '\0';
	line = memrchr(b.data + from, '\n', b.len - from);
	line = line ? line + 1 : b.data + from;
	if (!strncmp(line, "xftrace: ", 9))
		line += 9;
	if (!strncmp(line, "error: ", 7))
		line += 7;
	buf_add_escaped(&safe, line, strlen(line));
	return buf_take(&safe) ?: strdup("");
}

int steps_run(struct steps *s, const char *name, uint64_t limit_ns,
	      int (*fn)(void *arg), void *arg, struct xf_err *err)
{
	uint64_t started = monotonic_ns();
	off_t from = lseek(s->log_fd, 0, SEEK_END);
	_cleanup_free_ char *words = NULL;
	_cleanup_close_ int pidfd = -1;
	struct xf_err why = { 0 };
	int status = 0, rc;
	pid_t pid;

	pid = start(s, fn, arg);
	if (pid < 0)
		return xf_fail_errno(err, "fork");
	pidfd = syscall(SYS_pidfd_open, pid, 0);
	rc = wait_for(s, pidfd, limit_ns);
	if (rc)
		status = end(s, pid, pidfd);
	else
		waitpid(pid, &status, 0);
	if (rc == -EINTR)
		xf_fail(&why, rc, "%s: interrupted", name);
	else if (rc)
		xf_fail(&why, rc, "%s: not done within %.1f s", name,
			limit_ns / 1e9);
	else if (WIFSIGNALED(status))
		rc = xf_fail(&why, -EIO, "%s: killed by signal %d, %s", name,
			     WTERMSIG(status), strsignal(WTERMSIG(status)));
	else if (status) {
		words = last_words(s, from);
		rc = xf_fail(&why, -EIO, "%s: %s", name, words);
	}
	json_array_append_new(s->done, json_pack(
		"{s:s, s:b, s:f, s:s*}", "step", name, "done", !rc, "seconds",
		(monotonic_ns() - started) / 1e9, "error",
		rc ? why.msg : NULL));
	return rc ? xf_fail(err, rc, "%s", why.msg) : 0;
}
