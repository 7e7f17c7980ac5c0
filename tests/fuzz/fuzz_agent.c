// SPDX-License-Identifier: GPL-2.0-only
/* What a demo guest's agent answers: lines, and output of any length. */
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "io.h"

static uint64_t sum;

/* The same request each time, so that seeds are the answer to it: "xft 1.1". */
static pid_t first_process(void)
{
	return 1;
}

static int first_time(clockid_t clock, struct timespec *ret)
{
	*ret = (struct timespec){ .tv_nsec = 1 };
	return 0;
}

/* What goes to our standard output is looked at and dropped. */
static int write_none(int fd, const void *data, size_t len, struct xf_err *err)
{
	if (fd != STDOUT_FILENO && fd != STDERR_FILENO)
		return io_write_all(fd, data, len, err);
	for (size_t i = 0; i < len; i++)
		sum += ((const uint8_t *)data)[i];
	return 0;
}

#define getpid first_process
#define clock_gettime(clock, ret) first_time(clock, ret)
#define io_write_all write_none
#include "../../xftrace/agent.c"
#undef io_write_all

#include "fuzz.h"

static int peer = -1;

/* In place of libc's: whoever connects has the input to read, and its end. */
int connect(int fd, const struct sockaddr *addr, socklen_t len)
{
	return dup2(peer, fd) < 0 ? -1 : 0;
}

void fuzz_one(struct cursor *in)
{
	size_t len = cursor_left(in);
	struct xf_err err = { 0 };
	int pair[2], rc;

	fuzz_must(!socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair));
	fuzz_must(send(pair[0], in->p, len, MSG_DONTWAIT) == (ssize_t)len);
	fuzz_must(!shutdown(pair[0], SHUT_WR));
	peer = pair[1];
	rc = agent_run("fuzz", "true", &err);
	close(pair[1]);
	close(pair[0]);
	/* A status, or an error that says what it is. */
	fuzz_must(rc < 0 ? err.msg[0] : rc < 256);
	/* All bytes count: nothing is optimized away. */
	fuzz_must(sum != UINT64_MAX);
}
