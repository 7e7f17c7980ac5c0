// SPDX-License-Identifier: GPL-2.0-only
#include "agent.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "buf.h"
#include "cleanup.h"
#include "io.h"

#define CHUNK_MAX (1u << 20)

static int open_socket(const char *path, struct xf_err *err)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	_cleanup_close_ int fd = -1;

	if (strlen(path) >= sizeof(a.sun_path))
		return xf_fail(err, -ENAMETOOLONG, "%s: too long for a socket",
			       path);
	strcpy(a.sun_path, path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || connect(fd, (struct sockaddr *)&a, sizeof(a)))
		return xf_fail_errno(err, "%s", path);
	return xf_take_fd(fd);
}

static int gone(struct xf_err *err)
{
	return xf_fail(err, -ECONNRESET, "the guest went away");
}

static int read_all(int fd, char *data, size_t len, struct xf_err *err)
{
	while (len) {
		ssize_t n = read(fd, data, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return gone(err);
		data += n;
		len -= n;
	}
	return 0;
}

/* Without its newline. What is too long is cut: it is none of the protocol. */
static int read_line(int fd, char *line, size_t cap, struct xf_err *err)
{
	size_t n = 0;
	char c;
	int rc;

	while (!(rc = read_all(fd, &c, 1, err)) && c != '\n')
		if (n < cap - 1)
			line[n++] = c;
	line[n] = '\0';
	return rc;
}

static int forward(int from, int to, size_t len, struct xf_err *err)
{
	_cleanup_(buf_deinit) struct buf b = BUF_INIT;
	int rc;

	if (len > CHUNK_MAX)
		return xf_fail(err, -EBADMSG, "the guest's agent answers "
					      "nonsense");
	rc = read_all(from, buf_reserve(&b, len), len, err);
	return rc ? rc : io_write_all(to, b.data, len, err);
}

static int ask(int fd, const char *id, const char *command, struct xf_err *err)
{
	_cleanup_(buf_deinit) struct buf b = BUF_INIT;
	char line[64], expected[64];
	int rc;

	buf_printf(&b, "run %s %zu\n%s", id, strlen(command), command);
	snprintf(expected, sizeof(expected), "xft %s", id);
	rc = io_write_all(fd, b.data, b.len, err);
	/* The rest of an older answer may come first. */
	while (!rc && !(rc = read_line(fd, line, sizeof(line), err)))
		if (!strcmp(line, expected))
			return 0;
	return rc;
}

int agent_run(const char *socket, const char *command, struct xf_err *err)
{
	_cleanup_close_ int fd = open_socket(socket, err);
	char id[32], line[64];
	struct timespec now;
	int rc = fd < 0 ? fd : 0;

	clock_gettime(CLOCK_REALTIME, &now);
	snprintf(id, sizeof(id), "%d.%ld", getpid(), now.tv_nsec);
	rc = rc ? rc : ask(fd, id, command, err);
	while (!rc && !(rc = read_line(fd, line, sizeof(line), err))) {
		unsigned int status;
		size_t len;

		if (sscanf(line, "o %zu", &len) == 1)
			rc = forward(fd, STDOUT_FILENO, len, err);
		else if (sscanf(line, "e %zu", &len) == 1)
			rc = forward(fd, STDERR_FILENO, len, err);
		else if (sscanf(line, "x %u", &status) == 1)
			return status & 0xff;
		else
			rc = gone(err);
	}
	return rc;
}
