/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * baseline -- a flow as text, for people, git and the next check.
 *
 *	xftrace baseline 1
 *	kernel 6.1.0-56-cloud-amd64
 *	build-id 3b43fad5034874490492495d552c0af6a5fab235
 *	depth 0
 *	runs 10
 *	call task __x64_sys_openat do_sys_openat2 getname 312 312 10
 *	...
 *
 * Behind the head an item a line, sorted by key, with its calls, trees and
 * runs: see flow.h. The first line's number changes when an older reader would
 * misunderstand.
 */
#ifndef XF_BASELINE_H
#define XF_BASELINE_H

#include "buf.h"
#include "err.h"
#include "flow.h"

#define BASELINE_FILE_MAX (256u << 20)

void baseline_write(const struct flow *f, struct buf *out);

/*
 * Fill @f, which is empty. -EBADMSG: the sentence names the line.
 * -EPROTONOSUPPORT: a version that we do not know.
 */
int baseline_parse(const char *text, size_t len, struct flow *f,
		   struct xf_err *err);

#endif
