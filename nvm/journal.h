/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * journal -- the contents of a trace: append, then commit.
 *
 *	journal_create(&j, &store, name, err);
 *	p = journal_reserve(&j, max, err);	room for max bytes, read at p
 *	journal_write(&j, 0, data, len);	into it
 *	journal_add(&j, type, len);		now it is a chunk of len bytes
 *	journal_commit(&j, err);		now it survives
 *	journal_finish(&j, err);		nobody appends any more
 *	journal_close(&j);
 *
 * What was committed survives the death of the process, and on DAX that of the
 * machine; elsewhere that takes a journal_sync(). What was added after the last
 * commit is lost as a whole. Bytes go to where they stay in one copy.
 *
 * A trace has one writer. Readers may open it at any time, see what was
 * committed then, and delay nobody; while they have it open it is not removed.
 * Pointers into a trace are good until its store is closed. What the bytes mean
 * is none of this layer's business.
 *
 * If a page of the file is lost (media.h), the writer gets -EIO and nothing
 * more is committed; a reader that used pointers asks journal_failed() before
 * it believes what it read.
 */
#ifndef XF_JOURNAL_H
#define XF_JOURNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "err.h"
#include "store.h"

#define JOURNAL_CHUNK_MAX (64u << 20)	/* bytes of payload */

struct run;

struct journal {
	char *path;		/* "store: name", for messages; NULL: closed */
	struct store *st;	/* borrowed; outlives the journal */
	struct run *runs;	/* where it lies; owned */
	size_t nr_runs;
	uint64_t room;		/* bytes of these runs */
	uint64_t end;		/* bytes of chunks added */
	uint64_t committed;
	uint64_t synced;	/* of them, surely on the media */
	uint64_t dropped;	/* bytes that no longer count as our memory */
	uint64_t id;		/* in the checksum of each chunk */
	uint64_t era;		/* the entry's, see layout.h */
	uint32_t slot;
	int use_fd;		/* holds its lock */
	bool ordered;		/* committed covers only what was flushed */
	bool writable;
};

/* -EEXIST: there is such a trace. -ENOSPC: no entry is left. */
int journal_create(struct journal *j, struct store *st, const char *name,
		   struct xf_err *err);
/* As create, but nobody sees it before journal_publish(). */
int journal_create_draft(struct journal *j, struct store *st, const char *name,
			 struct xf_err *err);
int journal_publish(struct journal *j, struct xf_err *err);
/*
 * To go on with one whose writer ended. -EBUSY: it has not. -ENOENT. -EBADMSG:
 * damaged, and nothing was changed. @name NULL here and in open: the only trace
 * there is.
 */
int journal_reopen(struct journal *j, struct store *st, const char *name,
		   struct xf_err *err);
/* For reading. -ENOENT. -EBADMSG: damaged. */
int journal_open(struct journal *j, struct store *st, const char *name,
		 struct xf_err *err);
/* Commits nothing. Harmless on a zeroed struct. */
void journal_close(struct journal *j);

/*
 * Room for a chunk of up to @max bytes; NULL and -ENOSPC when the store is
 * full. It is valid until the next reserve and may be given up by simply not
 * adding it. The room is for loads: write it with journal_write(), @at bytes
 * from its beginning.
 */
const void *journal_reserve(struct journal *j, size_t max, struct xf_err *err);
void journal_write(struct journal *j, size_t at, const void *data, size_t len);
void journal_add(struct journal *j, uint32_t type, size_t len);

/* reserve + write + add */
int journal_put(struct journal *j, uint32_t type, const void *data, size_t len,
		struct xf_err *err);

/*
 * Like journal_put(), but the bytes are kept once for all traces that share
 * the same bytes of this type and key (at most 48 characters of a name). Where
 * others are kept under the key, the trace has its own. Readers see no
 * difference.
 */
int journal_share(struct journal *j, uint32_t type, const char *key,
		  const void *data, size_t len, struct xf_err *err);

/* Room for @bytes of chunks, headers and all, if possible in one piece. */
int journal_prepare(struct journal *j, uint64_t bytes, struct xf_err *err);

/* All that was added so far now counts. -EIO: nothing does any more. */
int journal_commit(struct journal *j, struct xf_err *err);
/*
 * A writer that says so now and then does not look as if it had grown with its
 * trace: pages that were committed need not count as its memory.
 */
void journal_forget(struct journal *j);
/* What was committed is on media, whatever they are. May take long. */
int journal_sync(struct journal *j, struct xf_err *err);

/*
 * The same in parts, so that a thread can do what takes long: begin() and end()
 * are the writer's, run() is anybody's. The store stays open until then.
 */
struct journal_sync {
	struct media *m;	/* borrowed */
	struct media_range *ranges; /* owned */
	size_t nr;
	uint64_t upto;		/* bytes that were committed */
};
int journal_sync_begin(const struct journal *j, struct journal_sync *s,
		       struct xf_err *err);
int journal_sync_run(const struct journal_sync *s, struct xf_err *err);
/* @rc: what run() answered. */
void journal_sync_end(struct journal *j, struct journal_sync *s, int rc);

/* Synced, and the quota may remove it once it is closed. */
int journal_finish(struct journal *j, struct xf_err *err);

struct journal_chunk {
	uint64_t pos;		/* of what comes next, in
				 * bytes of the journal */
	uint32_t type;
	const void *data;	/* in the store, 16-byte aligned */
	size_t len;		/* bytes */
};

/*
 * Walk: the one before, or a zeroed one, becomes the next chunk. Returns 1, or
 * 0 at the end, -EBADMSG when a chunk fails its checksum, -EIO.
 */
int journal_next(const struct journal *j, struct journal_chunk *c,
		 struct xf_err *err);

/* The shared object that @data of a chunk lies in, or -1: none. */
int64_t journal_object(const struct journal *j, const void *data);
/* Bytes that a chunk with @len bytes of payload takes. */
uint64_t journal_chunk_bytes(uint64_t len);

/*
 * Give up what is damaged, so that the rest can be read: in its place comes
 * nothing, and what lies behind a part that is missing is cut off by the next
 * journal_reopen(). -EBUSY: it is written. -EBADMSG: its parts cannot be put
 * together.
 */
struct journal_salvage {
	uint64_t good;	/* chunks */
	uint64_t bad;	/* places */
};
int journal_salvage(struct store *st, const char *name,
		    struct journal_salvage *ret, struct xf_err *err);

/* 0, or -EIO: bytes were lost, what was read may be wrong. */
int journal_failed(const struct journal *j, struct xf_err *err);

#endif
