/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * server -- the recorder's own process, from its fork to its end.
 *
 * It reads the rings, looks after the guest, and answers on its socket;
 * recorder.h tells of its folder and lock. What it meets in between (a reboot,
 * a full store, the end of QEMU) is dealt with here; recording.h records.
 */
#ifndef XF_SERVER_H
#define XF_SERVER_H

#include "recorder.h"

/* In its folder: what it said on stderr. */
#define SERVER_WORDS "words"

/* What it tells its parent on @report_fd: whether the guest is tracing. */
struct server_report {
	int32_t rc;
	struct xf_err err;
};

/*
 * All of the process after the fork. The caller holds the lock, which stays
 * taken as long as this lives. SIGINT, SIGTERM and SIGHUP are blocked and come
 * out of @signal_fd.
 */
_Noreturn void server_main(const struct recorder *r, struct target *t,
			   const struct recording_spec *spec, int report_fd,
			   int signal_fd);

#endif
