/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * store -- a file of fixed size that keeps named traces: head, places, locks.
 *
 *	store_create(&st, path, &shape, err);	or store_open()
 *	... catalog.h, journal.h ...
 *	store_close(&st);
 *
 * Several processes may have it open. What they change together (entries, who
 * owns which block) changes under store_lock(); a trace has one writer, which
 * needs no lock to append; readers need none at all. Locks are open file
 * description locks on bytes far behind the end, so they end with their owner,
 * however it ends. One thread at a time uses a struct store; threads open the
 * file once each.
 */
#ifndef XF_STORE_H
#define XF_STORE_H

#include <stdbool.h>
#include <stdint.h>

#include "err.h"
#include "layout.h"
#include "media.h"

struct store {
	struct media m;
	/* Copied from the head when it had been checked: */
	uint64_t slots_off, map_off, data_off;
	uint64_t nr_blocks;
	uint32_t nr_slots;
	uint32_t block_shift;
	uint32_t nr_evicted;	/* traces that gave way to the quota */
	bool thin;
	unsigned int locked;	/* how many times we hold the lock */
};

/* What a new store is like; 0 in a field: what suits the size. */
struct store_shape {
	uint64_t size;		/* bytes of the file, about */
	uint32_t block;		/* bytes, a power of two */
	uint32_t nr_slots;	/* traces and shared objects, at most */
	bool thin;		/* takes disk space only as it is filled */
};

/* -EEXIST, -ENOSPC. -EINVAL: a shape that does not work. */
int store_create(struct store *st, const char *path,
		 const struct store_shape *shape, struct xf_err *err);
/* What store_create() does with its mapping, which is all zeros. */
int store_format(struct media *m, const struct store_shape *shape,
		 struct xf_err *err);
/* -EBADMSG: no store, or damaged. -EPROTO: of a kind we do not know. */
int store_open(struct store *st, const char *path, bool writable,
	       struct xf_err *err);
/* As store_open(), of what is mapped already; @m is taken over on success. */
int store_attach(struct store *st, const struct media *m, struct xf_err *err);
void store_close(struct store *st);

/* The bytes a store with @nr_blocks blocks of 1 << @shift takes. */
uint64_t store_bytes(uint32_t nr_slots, uint64_t nr_blocks, uint32_t shift);

/* Is the head at @off good? The same errors as store_open(). */
int store_check_head(const struct media *m, uint64_t off, struct xf_err *err);
/* CRC-32C of what a head's crc covers. */
uint32_t store_head_crc(const struct store_head *h);

/* Bytes that traces may take all together; 0: all there are. */
uint64_t store_quota(const struct store *st);
int store_set_quota(struct store *st, uint64_t quota, struct xf_err *err);

/* May be taken again by its holder. -EROFS: opened for reading. */
int store_lock(struct store *st, struct xf_err *err);
void store_unlock(struct store *st);

/*
 * One user of a trace: its own descriptor, which is returned and holds the lock
 * until it is closed. Many may read, one may write beside them, and who removes
 * is alone. -EBUSY.
 */
enum store_use { STORE_USE_READ, STORE_USE_WRITE, STORE_USE_REMOVE };
int store_use(const struct store *st, uint32_t slot, enum store_use use,
	      struct xf_err *err);
/* Does anybody, we included, write it? Read it? */
bool store_is_written(const struct store *st, uint32_t slot);
bool store_is_read(const struct store *st, uint32_t slot);

/* ---- places ---- */

static inline uint64_t entry_off(const struct store *st, uint32_t slot)
{
	return st->slots_off + slot * sizeof(struct store_entry);
}

static inline const struct store_entry *store_entry(const struct store *st,
						    uint32_t slot)
{
	return (const void *)(st->m.base + entry_off(st, slot));
}

static inline uint64_t store_state(const struct store *st, uint32_t slot)
{
	return media_load(&st->m, entry_off(st, slot));
}

static inline uint64_t map_off(const struct store *st, uint64_t block)
{
	return st->map_off + block * sizeof(uint64_t);
}

static inline uint64_t block_off(const struct store *st, uint64_t block)
{
	return st->data_off + (block << st->block_shift);
}

static inline uint64_t blocks_for(const struct store *st, uint64_t bytes)
{
	return (bytes + (1ULL << st->block_shift) - 1) >> st->block_shift;
}

#endif
