/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * qmp -- one connection to QEMU's control socket.
 *
 *	_cleanup_(qmp_close) struct qmp q = QMP_INIT;
 *
 *	rc = qmp_open(&q, "/run/guest/qmp", 5000, err);
 *	rc = qmp_command(&q, "query-status", NULL, &status, err);
 *
 * Every command ends within the timeout given to qmp_open(), which itself may
 * take it twice. A reply is read whole before it is looked at and may not
 * exceed QMP_MAX_REPLY bytes. Events that arrive meanwhile are dropped: nobody
 * here waits for one.
 *
 * QEMU serves one client per socket. A second one can connect, but is never
 * greeted; qmp_open() says so.
 *
 * After -ETIMEDOUT, -ECONNRESET, -EMSGSIZE or -EPROTO it is unknown where the
 * next reply begins: the connection answers -ENOTCONN from then on, close it.
 * One thread at a time.
 */
#ifndef XF_QMP_H
#define XF_QMP_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "buf.h"
#include "err.h"

/* "info mtree -f" of a guest with hundreds of devices stays below 1 MiB. */
#define QMP_MAX_REPLY (4u << 20)

struct qmp {
	int fd;			/* -1 when closed */
	int timeout_ms;		/* of each call; may be changed between calls */
	pid_t pid;		/* QEMU's, 0: it is in another namespace */
	uid_t uid;		/* QEMU's */
	/* private */
	char *path;		/* owned; only for messages */
	bool broken;		/* no longer in step with the other side */
	uint64_t last_id;	/* of the last command */
	int64_t deadline_ms;	/* of the call under way, CLOCK_MONOTONIC */
	int fail;		/* why the parser's input ended early, or 0 */
	size_t reply_len;	/* bytes of the reply under way */
	size_t in_pos, in_len;	/* what is unread of in[] */
	char in[4096];
};

#define QMP_INIT { .fd = -1 }

/*
 * Connect, wait for the greeting, leave negotiation mode. -EBUSY: no greeting
 * in time, the socket most likely serves another client. -ENOENT,
 * -ECONNREFUSED, -EACCES: as from connect(). -EPROTO: not a QMP socket.
 */
int qmp_open(struct qmp *q, const char *path, int timeout_ms,
	     struct xf_err *err);
/* Also fine on QMP_INIT and when called twice. */
void qmp_close(struct qmp *q);

/*
 * Run @command. @args is an object or NULL, and is consumed, even on failure.
 * *@ret_value (may be NULL) becomes what stood behind "return": a new
 * reference. -EREMOTEIO: QEMU refused, its own words are in the sentence.
 */
int qmp_command(struct qmp *q, const char *command, json_t *args,
		json_t **ret_value, struct xf_err *err);

/*
 * Run a line of the human monitor and append what it printed to @ret_text,
 * with plain newlines. The human monitor reports its errors as text too: look
 * for what you expect, not for errors.
 */
int qmp_hmp(struct qmp *q, const char *line, struct buf *ret_text,
	    struct xf_err *err);

/*
 * The top page tables of up to @cap vCPUs (x86's CR3), as they are now. This
 * stops each vCPU for some microseconds: not for a loop. -EPROTO: none found.
 */
int qmp_cr3(struct qmp *q, uint64_t *cr3, size_t cap, size_t *ret_nr,
	    struct xf_err *err);

/* QEMU's process. -ESRCH: not known here (another pid namespace). */
int qmp_peer_pid(const struct qmp *q, pid_t *ret_pid, struct xf_err *err);

#endif
