/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * guestlist -- the kernel's lists, walked from outside.
 *
 * Each calls @fn with every structure until it answers false. A list that does
 * not end within LOOK_MAX_NODES, or leads nowhere, ends there: the answer is
 * false, and the caller says what was not seen. An empty list is fine.
 */
#ifndef XF_GUESTLIST_H
#define XF_GUESTLIST_H

#include <stdbool.h>
#include <stdint.h>

struct look;

typedef bool (*guestlist_fn)(struct look *l, uint64_t addr, void *arg);

/* struct list_head at @head, which lies at @link in each structure. */
bool guestlist_ring(struct look *l, uint64_t head, uint32_t link,
		    guestlist_fn fn, void *arg);

/* struct hlist_head at @head. */
bool guestlist_hash(struct look *l, uint64_t head, uint32_t link,
		    guestlist_fn fn, void *arg);

/*
 * A pointer at @head, and at @next in each structure; the last points to @end,
 * which may be 0.
 */
bool guestlist_chain(struct look *l, uint64_t head, uint64_t end, uint32_t next,
		     guestlist_fn fn, void *arg);

#endif
