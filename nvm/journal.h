/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * journal -- append, then commit: a file of chunks on libpmem.
 *
 *	journal_create(&j, path, err);
 *	p = journal_reserve(&j, max, err);	write up to max bytes at p
 *	journal_add(&j, type, len);		they become a chunk of len bytes
 *	journal_commit(&j);			now they survive
 *	journal_close(&j);
 *
 * What was committed survives the death of the process, and on DAX that of the
 * machine; elsewhere that takes a journal_sync(); what was added after the last commit is lost as a whole. There is
 * one writer; a reader may open the file at any time and sees what was
 * committed then.
 *
 * The file: a page with struct journal_head, then chunks, each a struct
 * journal_chunk and its payload, padded to 8 bytes. The file is longer than
 * its contents while it is written and is cut to size at the end. Mode 0600.
 * What the bytes mean is none of this layer's business.
 */
#ifndef XF_JOURNAL_H
#define XF_JOURNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "err.h"

#define JOURNAL_MAGIC	  0x314c4e524a544658ULL	/* "XFTJRNL1" */
#define JOURNAL_MAJOR	  1
#define JOURNAL_HEAD	  4096		/* bytes before the first chunk */
#define JOURNAL_CHUNK_MAX (64u << 20)	/* bytes of payload */

struct journal_head {
	uint64_t magic;
	uint32_t major;
	uint32_t minor;
	uint64_t reserved[6];
	uint64_t committed;	/* bytes of chunks that are good; own line */
};

struct journal_chunk {
	uint32_t type;
	uint32_t len;		/* of the payload, without padding */
};

struct journal {
	char *path;		/* for messages; NULL when closed */
	int fd;			/* the file, whatever its name is by now */
	uint8_t *map;		/* whole file */
	size_t map_len;
	uint64_t end;		/* bytes of chunks added */
	uint64_t committed;
	uint64_t dropped;	/* bytes that no longer count as our memory */
	bool pmem;		/* stores are flushed by the CPU, no msync */
	bool writable;
};

/* -EEXIST: there is a file already. -ENOSPC and other errno of the system. */
int journal_create(struct journal *j, const char *path, struct xf_err *err);
/* To go on with one whose writer died. */
int journal_reopen(struct journal *j, const char *path, struct xf_err *err);
/* For reading. -EBADMSG: no journal. -EPROTO: of an unknown version. */
int journal_open(struct journal *j, const char *path, struct xf_err *err);
/* Commits nothing. Harmless on a zeroed struct. */
void journal_close(struct journal *j);

/*
 * Room for a chunk of up to @max bytes; NULL when the disk is full. It is
 * valid until the next call and may be given up by simply not adding it. Maps
 * may move: pointers into the journal are good until the next reserve.
 */
void *journal_reserve(struct journal *j, size_t max, struct xf_err *err);
void journal_add(struct journal *j, uint32_t type, size_t len);

/* reserve + copy + add */
int journal_put(struct journal *j, uint32_t type, const void *data, size_t len,
		struct xf_err *err);

/* All that was added so far now counts. */
void journal_commit(struct journal *j);
/* What was committed is on media, whatever they are. May take long. */
int journal_sync(struct journal *j, struct xf_err *err);

/*
 * Walk: *@pos begins as 0. Returns 1 and a chunk, 0 at the end, -EBADMSG when
 * a chunk does not fit (a damaged file). The payload is 8-byte aligned.
 */
int journal_next(const struct journal *j, uint64_t *pos, uint32_t *ret_type,
		 const void **ret_data, size_t *ret_len, struct xf_err *err);

#endif
