// SPDX-License-Identifier: GPL-2.0-only
#include "blocks.h"

#include <errno.h>
#include <stdlib.h>

#include "cleanup.h"

static uint64_t word_of(const struct store *st, uint64_t block)
{
	return media_load(&st->m, map_off(st, block));
}

bool block_is_free(const struct store *st, uint64_t block)
{
	uint64_t word = word_of(st, block);
	uint32_t owner = MAP_OWNER(word);

	if (!word)
		return true;
	/* An owner that cannot be is damage: better nobody touches it. */
	return owner && owner <= st->nr_slots && !store_state(st, owner - 1);
}

uint64_t blocks_free(const struct store *st)
{
	uint64_t nr = 0;

	for (uint64_t b = 0; b < st->nr_blocks; b++)
		nr += block_is_free(st, b);
	return nr;
}

/* at[n]: 1 + the block that is number n of the owner, or 0. */
static int find_each(const struct store *st, uint32_t slot, uint64_t nr,
		     uint32_t *at, struct xf_err *err)
{
	for (uint64_t b = 0; b < st->nr_blocks; b++) {
		uint64_t word = word_of(st, b);

		if (MAP_OWNER(word) != slot + 1 || MAP_NTH(word) >= nr)
			continue;
		if (at[MAP_NTH(word)])
			return xf_fail(err, -EBADMSG,
				       "%s: block %u of entry %u "
				       "is there twice",
				       st->m.path, MAP_NTH(word), slot);
		at[MAP_NTH(word)] = b + 1;
	}
	return 0;
}

int blocks_find(const struct store *st, uint32_t slot, uint64_t nr,
		struct run **ret_runs, size_t *ret_nr, struct xf_err *err)
{
	_cleanup_free_ struct run *runs = NULL;
	_cleanup_free_ uint32_t *at = NULL;
	size_t nr_runs = 0, i = 0;
	int rc;

	/* More than there are cannot be there. */
	if (nr > st->nr_blocks)
		nr = st->nr_blocks;
	at = calloc(nr + 1, sizeof(*at));
	if (!at)
		return xf_fail(err, -ENOMEM, "out of memory");
	rc = find_each(st, slot, nr, at, err);
	if (rc)
		return rc;
	for (uint64_t n = 0; n < nr && at[n]; n++)
		nr_runs += !n || at[n] != at[n - 1] + 1;
	runs = calloc(nr_runs + 1, sizeof(*runs));
	if (!runs)
		return xf_fail(err, -ENOMEM, "out of memory");
	for (uint64_t n = 0; n < nr && at[n]; n++) {
		if (!n || at[n] != at[n - 1] + 1)
			runs[i++] = (struct run){
				.pos = n << st->block_shift,
				.off = block_off(st, at[n] - 1),
			};
		runs[i - 1].len += 1ULL << st->block_shift;
	}
	*ret_runs = xf_take(runs);
	*ret_nr = nr_runs;
	return 0;
}

/* Free neighbours from @first on, counted up to @max. */
static uint64_t free_from(const struct store *st, uint64_t first, uint64_t max)
{
	uint64_t nr = 0;

	while (nr < max && first + nr < st->nr_blocks &&
	       block_is_free(st, first + nr))
		nr++;
	return nr;
}

int blocks_choose(const struct store *st, uint64_t after, uint64_t next,
		  uint64_t need, uint64_t want, uint64_t *ret_first,
		  uint64_t *ret_nr)
{
	uint64_t best = 0, best_nr = 0;

	if (after != UINT64_MAX) {
		uint64_t nr = free_from(st, after + 1, want);

		if (nr >= next) {
			*ret_first = after + 1;
			*ret_nr = nr;
			return 0;
		}
	}
	for (uint64_t b = 0; b < st->nr_blocks && best_nr < want;) {
		uint64_t nr = free_from(st, b, want);

		if (nr > best_nr) {
			best = b;
			best_nr = nr;
		}
		b += nr + 1;
	}
	if (best_nr < need)
		return -ENOSPC;
	*ret_first = best;
	*ret_nr = best_nr;
	return 0;
}

void blocks_give(struct store *st, uint32_t slot, uint32_t nth, uint64_t first,
		 uint64_t nr)
{
	for (uint64_t i = 0; i < nr; i++)
		media_store(&st->m, map_off(st, first + i),
			    MAP_WORD(slot, nth + i));
	/* They are the trace's, which says nothing of their contents yet. */
	media_persist(&st->m, map_off(st, first), nr * sizeof(uint64_t));
}

uint64_t blocks_drop(struct store *st, uint32_t slot, uint64_t nth)
{
	uint64_t nr = 0;

	for (uint64_t b = 0; b < st->nr_blocks; b++) {
		uint64_t word = word_of(st, b);

		if (MAP_OWNER(word) != slot + 1 || MAP_NTH(word) < nth)
			continue;
		media_store(&st->m, map_off(st, b), 0);
		media_flush(&st->m, map_off(st, b), sizeof(uint64_t));
		nr++;
	}
	/* Nothing is left that could be taken for a later owner's. */
	if (nr)
		media_fence(&st->m);
	return nr;
}

int blocks_sync(struct store *st, struct xf_err *err)
{
	return media_sync(&st->m, st->map_off, st->nr_blocks * sizeof(uint64_t),
			  err);
}
