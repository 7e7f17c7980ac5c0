// SPDX-License-Identifier: GPL-2.0-only
/* What comes from QEMU's control socket. */
#include <sys/socket.h>

#include "io.h"

/* QEMU's memory when the seed was made; none of it can be opened. */
static int read_maps(const char *path, size_t max, struct buf *out,
		     struct xf_err *err)
{
	buf_puts(out, "7f8207fff000-7f8227fff000 rw-s 00000000 00:01 4097 "
		      "/memfd:memory-backend-memfd (deleted)\n"
		      "7f8230000000-7f8230100000 rw-p 00000000 00:00 0\n");
	buf_reserve(out, 0)[0] = '\0';
	return 0;
}

#define io_read_file read_maps
#include "../../kvm-memfile/memslot.c"

#include "fuzz.h"
#include "qmp.h"

static int peer = -1;

/* In place of libc's: whoever connects has the input to read, and its end. */
int connect(int fd, const struct sockaddr *addr, socklen_t len)
{
	return dup2(peer, fd) < 0 ? -1 : 0;
}

void fuzz_one(struct cursor *in)
{
	_cleanup_(memslots_deinit) struct memslots ms = MEMSLOTS_INIT;
	_cleanup_(qmp_close) struct qmp q = QMP_INIT;
	size_t len = cursor_left(in), nr;
	uint64_t cr3[4];
	struct xf_err err;
	int pair[2], rc;

	fuzz_must(!socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair));
	fuzz_must(send(pair[0], in->p, len, MSG_DONTWAIT) == (ssize_t)len);
	fuzz_must(!shutdown(pair[0], SHUT_WR));
	peer = pair[1];
	rc = qmp_open(&q, "fuzz", 1000, &err);
	close(pair[1]);
	if (!rc) {
		memslots_from_qmp(&ms, &q, &err);
		qmp_cr3(&q, cr3, ARRAY_SIZE(cr3), &nr, &err);
	}
	close(pair[0]);
}
