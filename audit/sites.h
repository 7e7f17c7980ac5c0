/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * sites -- where the kernel changes its own code, and into what.
 *
 *	_cleanup_(sites_deinit) struct sites s = SITES_INIT;
 *
 *	sites_find(&s, &l);
 *	n = sites_explain(&s, &l, addr, now, len);
 *
 * The image lists all places that the kernel may patch, one table for each
 * mechanism. A change is legitimate if it is at such a place and what stands
 * there is one of the few forms that its mechanism makes.
 */
#ifndef XF_SITES_H
#define XF_SITES_H

#include <stddef.h>
#include <stdint.h>

#include "buf.h"

struct look;

struct site {
	uint64_t addr;		/* run-time */
	uint64_t arg;		/* its kind's */
	uint8_t len;		/* bytes that may change */
	uint8_t kind;		/* index in the table of kinds */
};

struct sites {
	struct site *v;		/* in room; sorted */
	size_t nr;
	struct buf room;
};

#define SITES_INIT { .room = BUF_INIT }

void sites_find(struct sites *s, struct look *l);
void sites_deinit(struct sites *s);

/*
 * What stands in the guest's memory from @addr on is now[0..len), and its first
 * byte is not what the image has. @before bytes before @now can be read, too.
 * Returns the number of bytes from @addr on that a site explains, or 0. Where
 * that is because it is being patched, it is noted in @l.
 */
size_t sites_explain(const struct sites *s, struct look *l, uint64_t addr,
		     const uint8_t *now, size_t before, size_t len);

#endif
