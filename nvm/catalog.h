/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * catalog -- names of traces, and objects that traces share.
 *
 * Creating, renaming, finishing and removing take effect with one word each:
 * after a crash they have happened or they have not. On return they are on the
 * media, also where that takes an msync().
 *
 * A shared object has a type and a key (symbols: the kernel's build id). It is
 * kept while a trace refers to it and is freed with the last of them; nothing
 * counts references, they are looked at.
 */
#ifndef XF_CATALOG_H
#define XF_CATALOG_H

#include "store.h"

/* A copy of what an entry says. */
struct catalog_entry {
	uint32_t slot;
	uint8_t kind;		/* enum store_kind */
	bool finished;
	bool damaged;		/* does not fit its checksum;
				 * the rest is doubtful */
	uint64_t bytes;		/* committed */
	uint64_t created_ns;	/* CLOCK_REALTIME */
	uint64_t id;
	char name[LAYOUT_NAME + 1];
};

/* 1..64 of A-Z a-z 0-9 . _ -, and the first no - or . ; else -EINVAL. */
int catalog_check_name(const char *name, struct xf_err *err);

/* One entry as it is now, whatever others do to it; false: it is free. */
bool catalog_read(const struct store *st, uint32_t slot,
		  struct catalog_entry *ret);
/* -ENOENT: no trace has that name. */
int catalog_find(const struct store *st, const char *name,
		 struct catalog_entry *ret, struct xf_err *err);
/* The trace of a store that has one. -ENOENT, -ENOTUNIQ. */
int catalog_only(const struct store *st, struct catalog_entry *ret,
		 struct xf_err *err);
/* Walk over traces: *@slot begins as 0. False at the end. */
bool catalog_next(const struct store *st, uint32_t *slot,
		  struct catalog_entry *ret);

/*
 * A new entry without contents. STORE_TRACE and STORE_DRAFT: -EEXIST when a
 * trace has that name. -ENOSPC: no entry is left.
 */
int catalog_create(struct store *st, enum store_kind kind, const char *name,
		   uint32_t *ret_slot, struct xf_err *err);
/* A draft becomes a trace, unless its name was taken meanwhile: -EEXIST. */
int catalog_publish(struct store *st, uint32_t slot, struct xf_err *err);
/* Finished traces may be removed by the quota, unfinished ones never. */
int catalog_set_finished(struct store *st, uint32_t slot, bool finished,
			 struct xf_err *err);
/* -ENOENT, -EEXIST. The trace may be in use. */
int catalog_rename(struct store *st, const char *name, const char *to,
		   struct xf_err *err);
/* -ENOENT, -EBUSY: it is written or read. */
int catalog_remove(struct store *st, const char *name, struct xf_err *err);

/* An entry that its maker could not use after all. */
int catalog_discard(struct store *st, uint32_t slot, struct xf_err *err);

/*
 * An entry that fails its checksum, or has a name that another one has, gets a
 * new name, "lost-N", and a checksum. Whether its contents are, chunks tell.
 * -EBUSY.
 */
int catalog_rescue(struct store *st, uint32_t slot, struct xf_err *err);

/*
 * Count, and free if asked, what nobody can reach: objects that no trace refers
 * to, drafts without a writer.
 */
int catalog_unused(struct store *st, bool free_it, uint64_t *ret_nr,
		   struct xf_err *err);
/* Free them. */
int catalog_collect(struct store *st, struct xf_err *err);

/*
 * The object with that type and key, made (empty) if there is none, referred to
 * by @slot from now on. Hold the lock until it has contents. -EMLINK: the
 * trace refers to as many as it can.
 */
int catalog_share(struct store *st, uint32_t slot, uint32_t type,
		  const char *key, uint32_t *ret_object, uint32_t *ret_index,
		  struct xf_err *err);

/*
 * Blocks for number @nth and following of @slot: see blocks_choose(). If there
 * is a quota, the oldest finished traces give way. -ENOSPC.
 */
int catalog_room(struct store *st, uint32_t slot, uint64_t nth, uint64_t after,
		 uint64_t next, uint64_t need, uint64_t want,
		 uint64_t *ret_first, uint64_t *ret_nr, struct xf_err *err);

#endif
