// SPDX-License-Identifier: GPL-2.0-only
#include "guestlist.h"

#include "look.h"

/* A link at @at, which holds the address of the next one's link. */
static bool walk(struct look *l, uint64_t at, uint64_t end, uint32_t link,
		 guestlist_fn fn, void *arg)
{
	uint64_t next;

	for (unsigned int i = 0; i < LOOK_MAX_NODES; i++) {
		if (look_read(l, at, &next, sizeof(next)))
			return false;
		if (next == end)
			return true;
		if (!fn(l, next - link, arg))
			return true;
		at = next;
	}
	return false;
}

bool guestlist_ring(struct look *l, uint64_t head, uint32_t link,
		    guestlist_fn fn, void *arg)
{
	return walk(l, head, head, link, fn, arg);
}

bool guestlist_hash(struct look *l, uint64_t head, uint32_t link,
		    guestlist_fn fn, void *arg)
{
	return walk(l, head, 0, link, fn, arg);
}

bool guestlist_chain(struct look *l, uint64_t head, uint64_t end, uint32_t next,
		     guestlist_fn fn, void *arg)
{
	uint64_t at;

	if (look_read(l, head, &at, sizeof(at)))
		return false;
	for (unsigned int i = 0; i < LOOK_MAX_NODES; i++) {
		if (!at || at == end)
			return true;
		if (!fn(l, at, arg))
			return true;
		if (look_read(l, at + next, &at, sizeof(at)))
			return false;
	}
	return false;
}
