// SPDX-License-Identifier: GPL-2.0-only
#include "qmp.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "cleanup.h"
#include "clock.h"

/* Pause before a full listen queue is tried again. */
#define RETRY_MS 20

static int64_t now_ms(void)
{
	return monotonic_ns() / 1000000;
}

static void start_clock(struct qmp *q)
{
	q->deadline_ms = now_ms() + q->timeout_ms;
}

/* Wait until the socket is ready or the call's time is up. */
static int wait_for(struct qmp *q, short events)
{
	struct pollfd p = { .fd = q->fd, .events = events };

	for (;;) {
		int64_t left = q->deadline_ms - now_ms();
		int n;

		if (left <= 0)
			return -ETIMEDOUT;
		n = poll(&p, 1, left);
		if (n > 0)
			return 0;
		if (n < 0 && errno != EINTR)
			return -errno;
	}
}

static int fill(struct qmp *q)
{
	for (;;) {
		ssize_t n = recv(q->fd, q->in, sizeof(q->in), MSG_DONTWAIT);
		int rc;

		if (n > 0) {
			q->in_pos = 0;
			q->in_len = n;
			return 0;
		}
		if (!n)
			return -ECONNRESET;
		if (errno == EINTR)
			continue;
		if (errno != EAGAIN)
			return -errno;
		rc = wait_for(q, POLLIN);
		if (rc)
			return rc;
	}
}

/*
 * Feeds the parser byte by byte, so that it takes exactly one message from the
 * stream, however the message is spaced (-qmp-pretty) or cut into packets.
 */
static size_t next_byte(void *dst, size_t cap, void *arg)
{
	struct qmp *q = arg;

	if (++q->reply_len > QMP_MAX_REPLY) {
		q->fail = -EMSGSIZE;
		return (size_t)-1;
	}
	if (q->in_pos == q->in_len) {
		q->fail = fill(q);
		if (q->fail)
			return (size_t)-1;
	}
	*(char *)dst = q->in[q->in_pos++];
	return 1;
}

/* The next message, whatever it is. */
static int read_message(struct qmp *q, json_t **ret_msg, struct xf_err *err)
{
	json_error_t why;
	json_t *msg;

	q->reply_len = 0;
	q->fail = 0;
	msg = json_load_callback(next_byte, q, JSON_DISABLE_EOF_CHECK, &why);
	if (json_is_object(msg)) {
		*ret_msg = msg;
		return 0;
	}
	json_decref(msg);
	q->broken = true;
	switch (q->fail) {
	case 0:
		return xf_fail(err, -EPROTO, "%s: this is not QMP", q->path);
	case -ETIMEDOUT:
		return xf_fail(err, -ETIMEDOUT,
			       "%s: no answer from QEMU within %d ms", q->path,
			       q->timeout_ms);
	case -ECONNRESET:
		return xf_fail(err, -ECONNRESET,
			       "%s: QEMU closed the connection", q->path);
	case -EMSGSIZE:
		return xf_fail(err, -EMSGSIZE,
			       "%s: a reply of more than %u bytes", q->path,
			       QMP_MAX_REPLY);
	default:
		return xf_fail(err, q->fail, "%s: %s", q->path,
			       strerror(-q->fail));
	}
}

static int send_all(struct qmp *q, const char *data, size_t len,
		    struct xf_err *err)
{
	while (len) {
		ssize_t n = send(q->fd, data, len, MSG_NOSIGNAL | MSG_DONTWAIT);
		int rc = 0;

		if (n > 0) {
			data += n;
			len -= n;
		} else if (errno == EAGAIN) {
			rc = wait_for(q, POLLOUT);
		} else if (errno != EINTR) {
			rc = errno == EPIPE ? -ECONNRESET : -errno;
		}
		if (rc) {
			q->broken = true;
			return xf_fail(err, rc, "%s: cannot send to QEMU: %s",
				       q->path, strerror(-rc));
		}
	}
	return 0;
}

/* QEMU is trusted, but its words may quote a file name: keep them printable. */
static int refused(struct qmp *q, const char *command, json_t *error,
		   struct xf_err *err)
{
	const char *desc = json_string_value(json_object_get(error, "desc"));
	_cleanup_(buf_deinit) struct buf b = BUF_INIT;

	if (!desc)
		desc = "no reason given";
	buf_reserve(&b, 0)[0] = '\0';
	buf_add_escaped(&b, desc, strlen(desc));
	return xf_fail(err, -EREMOTEIO, "%s: QEMU refused %s: %s", q->path,
		       command, b.data);
}

int qmp_command(struct qmp *q, const char *command, json_t *args,
		json_t **ret_value, struct xf_err *err)
{
	_cleanup_(json_decrefp) json_t *request = NULL;
	_cleanup_free_ char *text = NULL;
	json_int_t id = q->last_id + 1;
	int rc;

	/* "o*" leaves the key out when @args is NULL, and consumes it. */
	request = json_pack("{s:s, s:o*, s:I}", "execute", command, "arguments",
			    args, "id", id);
	if (request)
		text = json_dumps(request, JSON_COMPACT);
	if (!text)
		return xf_fail(err, -EINVAL, "%s: cannot be put into JSON",
			       command);
	if (q->fd < 0 || q->broken)
		return xf_fail(err, -ENOTCONN, "%s: not connected to QEMU",
			       q->path ? q->path : "QMP");
	q->last_id = id;
	start_clock(q);
	rc = send_all(q, text, strlen(text), err);
	if (rc)
		return rc;

	for (;;) {
		_cleanup_(json_decrefp) json_t *msg = NULL;
		json_t *value, *msg_id;

		rc = read_message(q, &msg, err);
		if (rc)
			return rc;
		msg_id = json_object_get(msg, "id");
		if (msg_id && json_integer_value(msg_id) != id)
			continue;
		value = json_object_get(msg, "error");
		if (value)
			return refused(q, command, value, err);
		value = json_object_get(msg, "return");
		if (!value)
			continue;	/* an event */
		if (ret_value)
			*ret_value = json_incref(value);
		return 0;
	}
}

int qmp_hmp(struct qmp *q, const char *line, struct buf *ret_text,
	    struct xf_err *err)
{
	_cleanup_(json_decrefp) json_t *value = NULL;
	int rc = qmp_command(q, "human-monitor-command",
			     json_pack("{s:s}", "command-line", line), &value,
			     err);

	if (rc)
		return rc;
	if (!json_is_string(value))
		return xf_fail(err, -EPROTO, "%s: \"%s\" did not answer text",
			       q->path, line);
	for (const char *s = json_string_value(value); *s; s++)
		if (*s != '\r')
			buf_putc(ret_text, *s);
	return 0;
}

int qmp_cr3(struct qmp *q, uint64_t *cr3, size_t cap, size_t *ret_nr,
	    struct xf_err *err)
{
	_cleanup_(buf_deinit) struct buf text = BUF_INIT;
	const char *s;
	size_t nr = 0;
	int rc = qmp_hmp(q, "info registers -a", &text, err);

	if (rc)
		return rc;
	for (s = text.data; nr < cap && s && (s = strstr(s, "CR3=")); nr++) {
		s += strlen("CR3=");
		cr3[nr] = strtoull(s, NULL, 16);
	}
	if (!nr)
		return xf_fail(err, -EPROTO,
			       "%s: QEMU does not show the vCPUs' registers",
			       q->path);
	*ret_nr = nr;
	return 0;
}

int qmp_peer_pid(const struct qmp *q, pid_t *ret_pid, struct xf_err *err)
{
	if (q->fd < 0 || q->pid <= 0)
		return xf_fail(err, -ESRCH,
			       "%s: QEMU's process is not visible from here "
			       "(does it run in another pid namespace?)",
			       q->path ? q->path : "QMP");
	*ret_pid = q->pid;
	return 0;
}

/* errno tells why. */
static int cannot_connect(const struct qmp *q, struct xf_err *err)
{
	int code = errno;

	return xf_fail(err, -code, "%s: cannot connect to QEMU: %s%s", q->path,
		       strerror(code),
		       code == EACCES ? ": be its user, or root" :
		       code == ENOENT || code == ECONNREFUSED ?
			       " ('xftrace guest args' shows how to start it)" :
			       "");
}

static int connect_to(struct qmp *q, struct xf_err *err)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };

	if (strlen(q->path) >= sizeof(sa.sun_path))
		return xf_fail(err, -ENAMETOOLONG,
			       "%s: the path of a socket may have %zu bytes",
			       q->path, sizeof(sa.sun_path) - 1);
	strcpy(sa.sun_path, q->path);
	q->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (q->fd < 0)
		return xf_fail_errno(err, "socket");
	/* EAGAIN: the listen queue is full of clients that nobody serves. */
	while (connect(q->fd, (struct sockaddr *)&sa, sizeof(sa))) {
		if (errno == EINTR)
			continue;
		if (errno != EAGAIN)
			return cannot_connect(q, err);
		if (now_ms() + RETRY_MS >= q->deadline_ms)
			return -ETIMEDOUT;
		poll(NULL, 0, RETRY_MS);
	}
	return 0;
}

static int greet(struct qmp *q, struct xf_err *err)
{
	_cleanup_(json_decrefp) json_t *greeting = NULL;
	int rc = connect_to(q, err);

	if (!rc)
		rc = read_message(q, &greeting, err);
	if (rc == -ETIMEDOUT)
		return xf_fail(err, -EBUSY,
			       "%s: QEMU did not greet within %d ms: QMP "
			       "serves one client at a time, and another one "
			       "(libvirt, a monitor, another xftrace) holds "
			       "this socket; close it or give QEMU a second "
			       "-qmp",
			       q->path, q->timeout_ms);
	if (rc)
		return rc;
	if (!json_object_get(greeting, "QMP"))
		return xf_fail(err, -EPROTO, "%s: this is not QMP", q->path);
	return 0;
}

int qmp_open(struct qmp *q, const char *path, int timeout_ms,
	     struct xf_err *err)
{
	struct ucred peer;
	socklen_t len = sizeof(peer);
	int rc;

	*q = (struct qmp){ .fd = -1, .timeout_ms = timeout_ms };
	q->path = strdup(path);
	if (!q->path)
		return xf_fail(err, -ENOMEM, "%s: out of memory", path);
	start_clock(q);
	rc = greet(q, err);
	if (!rc)
		rc = qmp_command(q, "qmp_capabilities", NULL, NULL, err);
	if (rc) {
		qmp_close(q);
		return rc;
	}
	if (!getsockopt(q->fd, SOL_SOCKET, SO_PEERCRED, &peer, &len)) {
		q->pid = peer.pid;
		q->uid = peer.uid;
	}
	return 0;
}

void qmp_close(struct qmp *q)
{
	xf_closep(&q->fd);
	q->fd = -1;
	free(xf_take(q->path));
}
