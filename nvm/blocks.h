/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * blocks -- which blocks of a store are whose.
 *
 * A word for each block names its owner, so no block can have two. A block
 * whose owner's entry is free is free as well: that is all it takes to remove
 * a trace. Such words are stale; blocks_drop() clears them before the entry is
 * used again.
 *
 * Callers that write hold the store's lock, except a trace's writer that looks
 * at its own.
 */
#ifndef XF_BLOCKS_H
#define XF_BLOCKS_H

#include "store.h"

/* Blocks that are neighbours in the trace and in the file. */
struct run {
	uint64_t pos;	/* in the trace, bytes */
	uint64_t off;	/* in the file */
	uint64_t len;
};

/*
 * The first @nr blocks of @slot as runs, malloc()ed; fewer if one is missing.
 * -EBADMSG: one is there twice. -ENOMEM.
 */
int blocks_find(const struct store *st, uint32_t slot, uint64_t nr,
		struct run **ret_runs, size_t *ret_nr, struct xf_err *err);

/* How many are free, with the stale ones. */
uint64_t blocks_free(const struct store *st);
bool block_is_free(const struct store *st, uint64_t block);

/*
 * Choose free blocks: behind block @after if @next or more are free there (up
 * to @want); else, anywhere, @want neighbours, or fewer if they are still
 * @need. @after is UINT64_MAX for none. -ENOSPC, without a sentence.
 */
int blocks_choose(const struct store *st, uint64_t after, uint64_t next,
		  uint64_t need, uint64_t want, uint64_t *ret_first,
		  uint64_t *ret_nr);

/* They become number @nth, @nth + 1... of @slot; durable on return. */
void blocks_give(struct store *st, uint32_t slot, uint32_t nth, uint64_t first,
		 uint64_t nr);

/* The map survives power loss now, whatever the file system. */
int blocks_sync(struct store *st, struct xf_err *err);

/* Take from @slot what is number @nth or later; durable. Returns how many. */
uint64_t blocks_drop(struct store *st, uint32_t slot, uint64_t nth);

#endif
