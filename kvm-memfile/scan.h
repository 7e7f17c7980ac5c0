/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * scan -- find pages of guest RAM by what they begin with.
 *
 * One pass over RAM looks for several patterns. What was never touched is
 * skipped and not touched by us either. A hit is only bytes that look right,
 * as they do in a stale copy or in what an intruder planted: the callback
 * reads the page with memfile_read() and checks it.
 *
 *	static const struct scan_pattern magic = { bytes, 16, 0 };
 *	struct scan s = { .pattern = &magic, .nr = 1, .hit = try_block };
 *
 *	rc = scan_pages(&mf, &s, err);
 */
#ifndef XF_SCAN_H
#define XF_SCAN_H

#include <stddef.h>
#include <stdint.h>

#include "err.h"
#include "memfile.h"

struct scan_pattern {
	const void *bytes;	/* borrowed */
	uint16_t len;		/* of bytes[], at least 1 */
	uint16_t offset;	/* in the page; offset + len within a page */
};

struct scan {
	const struct scan_pattern *pattern; /* borrowed */
	size_t nr;		/* patterns */
	/*
	 * The page at @gpa holds pattern[which]; called by rising gpa. What it
	 * answers, other than 0, ends the scan and is returned: negative for
	 * an error, positive for "that will do".
	 */
	int (*hit)(void *arg, uint64_t gpa, size_t which);
	/* May be NULL; called about every SCAN_PROGRESS bytes of RAM. */
	void (*progress)(void *arg, uint64_t done, uint64_t total);
	void *arg;		/* for both callbacks */
};

#define SCAN_PROGRESS (64u << 20)

/* 0: RAM was seen to the end. -EIO: RAM is gone, see memfile.h. */
int scan_pages(const struct memfile *mf, const struct scan *s,
	       struct xf_err *err);

#endif
