// SPDX-License-Identifier: GPL-2.0-only
/*
 * agent -- runs the host's commands in the demo guest
 *
 *	agent /dev/vport0p1
 *
 * For the demo and the tests only: trace data never comes this way. One
 * request at a time over a virtio serial port, whose host side is run.sh:
 *
 *	run ID LEN\n COMMAND			host, LEN bytes of shell
 *	\nxft ID\n				guest, then any number of
 *	o LEN\n BYTES  or  e LEN\n BYTES	standard output and error
 *	x STATUS\n				its end
 *
 * A host that hangs up, or that asks anew, kills the command it had running.
 * What is left of the old answer may then lie before the new one, so ID is
 * something the host has just made up, and it skips all up to there. "xft
 * boot" says that the agent is new, and that no answer will come.
 */
#define _GNU_SOURCE
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define CHUNK	(31 * 1024)	/* with its header within one virtio buffer */

static int port;
static sigset_t sigio;

/* The port reads as empty while no host is there; SIGIO tells of a change. */
static void port_read(char *buf, size_t len)
{
	while (len) {
		ssize_t n = read(port, buf, len);

		if (n > 0) {
			buf += n;
			len -= n;
		} else if (n == 0) {
			sigwaitinfo(&sigio, NULL);
		} else if (errno != EINTR) {
			err(1, "read");
		}
	}
}

/* Blocks until a host takes it: a later one skips what is not for it. */
static void port_write(const char *buf, size_t len)
{
	while (len) {
		ssize_t n = write(port, buf, len);

		if (n < 0 && errno != EINTR)
			err(1, "write");
		if (n > 0) {
			buf += n;
			len -= n;
		}
	}
}

static void port_line(char *line, size_t size)
{
	size_t n = 0;

	do {
		port_read(&line[n], 1);
	} while (line[n] != '\n' && ++n < size - 1);
	line[n] = '\0';
}

/* Returns what read() did, so 0 at the end and -1 when there is no more yet. */
static ssize_t forward(int fd, char tag)
{
	char buf[16 + CHUNK];
	ssize_t n = read(fd, buf + 16, CHUNK);
	char head[16];

	if (n > 0) {
		int len = snprintf(head, sizeof(head), "%c %zd\n", tag, n);

		memcpy(buf + 16 - len, head, len);
		port_write(buf + 16 - len, len + n);
	}
	return n;
}

static pid_t start(char *command, int out[2], int errs[2])
{
	pid_t pid;

	if (pipe2(out, O_CLOEXEC) || pipe2(errs, O_CLOEXEC))
		err(1, "pipe");
	pid = fork();
	if (pid < 0)
		err(1, "fork");
	if (pid == 0) {
		setsid();
		dup2(open("/dev/null", O_RDONLY), 0);
		sigprocmask(SIG_UNBLOCK, &sigio, NULL);
		dup2(out[1], 1);
		dup2(errs[1], 2);
		execl("/bin/sh", "sh", "-c", command, NULL);
		_exit(127);
	}
	close(out[1]);
	close(errs[1]);
	fcntl(out[0], F_SETFL, O_NONBLOCK);
	fcntl(errs[0], F_SETFL, O_NONBLOCK);
	return pid;
}

static void run(char *command)
{
	int out[2], errs[2], status;
	pid_t pid = start(command, out, errs);
	struct pollfd p[] = {
		{ .fd = syscall(SYS_pidfd_open, pid, 0), .events = POLLIN },
		{ .fd = out[0], .events = POLLIN },
		{ .fd = errs[0], .events = POLLIN },
		{ .fd = port, .events = POLLIN },
	};
	int hung_up = 0;

	/*
	 * The shell's end is the command's: what it left in the background
	 * may keep the pipes open for ever.
	 */
	while (!p[0].revents) {
		if (poll(p, 4, -1) < 0)
			continue;
		if (p[1].revents && forward(out[0], 'o') == 0)
			p[1].fd = -1;
		if (p[2].revents && forward(errs[0], 'e') == 0)
			p[2].fd = -1;
		if (p[3].revents) {
			kill(-pid, SIGKILL);
			hung_up = 1;
			break;
		}
	}
	waitpid(pid, &status, 0);
	if (!hung_up) {
		char line[32];

		while (forward(out[0], 'o') > 0)
			;
		while (forward(errs[0], 'e') > 0)
			;
		port_write(line, snprintf(line, sizeof(line), "x %d\n",
			WIFEXITED(status) ? WEXITSTATUS(status) :
					    128 + WTERMSIG(status)));
	}
	close(p[0].fd);
	close(out[0]);
	close(errs[0]);
}

int main(int argc, char **argv)
{
	static const char boot[] = "\nxft boot\n";

	if (argc != 2)
		errx(2, "usage: agent PORT");
	port = open(argv[1], O_RDWR | O_CLOEXEC | O_NONBLOCK);
	if (port < 0)
		err(1, "%s", argv[1]);
	sigemptyset(&sigio);
	sigaddset(&sigio, SIGIO);
	sigprocmask(SIG_BLOCK, &sigio, NULL);

	/* Nobody there to hear it is fine: hence not blocking, this once. */
	if (write(port, boot, sizeof(boot) - 1) < 0 && errno != EAGAIN)
		err(1, "%s", argv[1]);
	if (fcntl(port, F_SETOWN, getpid()) || fcntl(port, F_SETFL, O_ASYNC))
		err(1, "%s", argv[1]);

	for (;;) {
		char line[64], id[32], reply[64], *command;
		size_t len;

		port_line(line, sizeof(line));
		if (sscanf(line, "run %31s %zu", id, &len) != 2 || len > 1 << 20)
			continue;
		command = calloc(1, len + 1);
		if (!command)
			err(1, "command");
		port_read(command, len);
		port_write(reply, snprintf(reply, sizeof(reply), "\nxft %s\n", id));
		run(command);
		free(command);
	}
}
