/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * near -- names that somebody may have meant who typed another one.
 *
 *	struct near near = { .typed = "vfs_raed", .len = 8, .max = 5 };
 *
 *	while (...)
 *		near_offer(&near, name);
 *	near_print(&near, &out);	"vfs_read, vfs_readv, ..."
 */
#ifndef XF_NEAR_H
#define XF_NEAR_H

#include <stdbool.h>
#include <stddef.h>

#include "buf.h"

#define NEAR_MAX 16

struct near {
	const char *typed;	/* borrowed; need not end with a 0 */
	size_t len;		/* bytes of it */
	size_t max;		/* names to keep, at most NEAR_MAX */
	bool begin;		/* it is how names begin: print "vfs_*" */
	/* near.c's own; best first */
	struct near_name {
		const char *name;
		unsigned int farness;
	} list[NEAR_MAX];
	size_t nr;
};

/* Most names are too far away and forgotten. @name is borrowed. */
void near_offer(struct near *n, const char *name);

/* Append the best names with ", " between them. Returns how many. */
size_t near_print(const struct near *n, struct buf *out);

#endif
