/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * unseal -- verify and unmask the records of one sealed ring, in their order.
 *
 *	u = unseal_create(seed, cpu, kind, err);
 *	seek = UNSEAL_SEEK_MAX;
 *	unseal_open(u, nr, &header, &seek, err);	one; later ones only
 *	while (left && (n = unseal_record(u, words, left, clear)) > 0)
 *		words += n, left -= n;		n counts the tag as well
 *	unseal_destroy(u);
 *
 * A record is good only at its place, right behind the one before it: one call
 * of unseal_record() that fails leaves nothing to go on with in that
 * sub-buffer. How seed and stream make what a record is sealed with:
 * abi/xft_abi.h.
 *
 * Keys lie in memory that is locked, left out of core dumps and wiped.
 */
#ifndef XF_UNSEAL_H
#define XF_UNSEAL_H

#include <stdbool.h>
#include <stdint.h>

#include "err.h"
#include "xft_abi.h"

#define UNSEAL_SEED	32	/* bytes */
/*
 * Sub-buffers that are left out cost time all the same: so many a tenth of a
 * second. Each one that is opened is worth some more, far more than an honest
 * guest can overwrite before its reader comes by.
 */
#define UNSEAL_SEEK_MAX	 (1u << 20)
#define UNSEAL_SEEK_MORE 256

/* What was done to records that cannot be unsealed; what fits best. */
enum unseal_fault {
	UNSEAL_GOOD,
	UNSEAL_EDITED,		/* none of the guest's, as they stand */
	UNSEAL_DROPPED,		/* those before it are missing */
	UNSEAL_REPLAYED,	/* it stood elsewhere before */
	UNSEAL_TRUNCATED,	/* the end is missing */
	UNSEAL_KEYLESS,		/* the trace has no seed for them */
};
#define UNSEAL_FAULTS 6

struct unseal {
	uint8_t chain[UNSEAL_SEED];	/* S of sub-buffer next */
	uint8_t first_key[16];	/* of the open one's first batch ... */
	uint8_t past_key[16];	/* ... and of the one before, if is_past */
	uint8_t key[16];	/* of the batch to come */
	uint64_t stream[XFT_SEAL_BATCH];
	uint32_t used;		/* words of stream */
	uint64_t before;	/* words of the sub-buffer's before stream[0] */
	uint64_t place;		/* the same, of the record last looked at */
	uint64_t next;		/* 1 + number of the open one, or 0 */
	uint64_t records;	/* good ones in it, CLOSE left out */
	struct xft_sub header;	/* of the open one */
	bool started;		/* its first record was good */
	bool is_past;
	bool closed;		/* by a CLOSE, which is the last record */
	bool last;		/* and of the whole ring */
};

/* NULL if there is no memory. */
struct unseal *unseal_create(const uint8_t seed[UNSEAL_SEED], uint32_t cpu,
			     uint32_t kind, struct xf_err *err);
void unseal_destroy(struct unseal *u);

/*
 * Go to the beginning of sub-buffer @nr, whose header is @sub. Up to *@seek may
 * be left out, which is counted down by those that were and begins as
 * UNSEAL_SEEK_MAX; streams may share it. -ERANGE: it is too far ahead, or lies
 * behind.
 */
int unseal_open(struct unseal *u, uint64_t nr, const struct xft_sub *sub,
		uint64_t *seek, struct xf_err *err);

/*
 * Is that the one that is open, and does its header still say the same? Only
 * the first record vouches for it.
 */
bool unseal_is_open(const struct unseal *u, uint64_t nr,
		    const struct xft_sub *sub);

/*
 * Check the record at @words, of which there are @nr, and unmask it to
 * @ret_clear, which has room for XFT_WORDS_MAX words, or only its first word if
 * @only_first. Returns the words that it takes with its tag, or 0: it is none,
 * or not here.
 */
uint32_t unseal_record(struct unseal *u, const uint64_t *words, uint32_t nr,
		       uint64_t *ret_clear, bool only_first);

/*
 * What happened to the record at @words that unseal_record() refused;
 * sub-buffers have @size bytes. Takes milliseconds.
 */
enum unseal_fault unseal_diagnose(const struct unseal *u, const uint64_t *words,
				  uint32_t nr, uint32_t size);

/* "edited", "dropped" ... */
const char *unseal_fault_name(enum unseal_fault fault);

#endif
