/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * ring -- host reader of one guest CPU's trace ring.
 *
 * The reader only loads. What it finds is hostile until checked: the header is
 * copied and checked once, a sub-buffer's header at each use, and records are
 * walked in the private copy only. One reader per ring.
 *
 *	while ((rc = ring_next(r, &span, err)) > 0) {
 *		memcpy(dst, span.data, span.len);
 *		rc = ring_accept(r, &span, dst, keys, session, err);
 *		if (rc == -ESTALE)
 *			continue;	// overwritten under us: throw it away
 *		...			// dst holds rc records, still masked
 *	}
 *
 * The records of a sealed ring are verified as well: ring_seal() says that it
 * is one. What is no record of the guest's ends the span early, and is the
 * caller's to keep as evidence.
 *
 * The copy is the caller's, so that records go from guest RAM to where they
 * stay in one step. Layout and protocol: abi/xft_abi.h.
 *
 * Loss is legal only when the producer lapped the reader; then it is counted in
 * records, exactly: each sub-buffer says how many came before it. A gap without
 * a lap is counted apart, as nothing but tampering makes one.
 */
#ifndef XF_RING_H
#define XF_RING_H

#include <stdbool.h>
#include <stdint.h>

#include "err.h"
#include "klog.h"
#include "unseal.h"
#include "xft_abi.h"

struct memfile;

/* What was found in a sealed ring; the good records end at that place. */
struct ring_fault {
	enum unseal_fault what;	/* UNSEAL_GOOD: nothing was */
	uint32_t offset;	/* in the sub-buffer, bytes */
	uint64_t nr;		/* number of the sub-buffer */
	uint64_t tsc;		/* of the last good one before it, or 0 */
};

struct ring {
	const uint64_t *head;	/* in guest RAM, and ... */
	uint64_t head_gpa;	/* ... where that is */
	const struct xft_sub *subs[XFT_MAX_SUBS]; /* in guest RAM */
	uint32_t cpu;		/* guest CPU number, from 0 */
	uint32_t kind;		/* enum xft_ring_kind */
	uint32_t sub_shift;
	uint32_t nr_subs;
	uint64_t pos;		/* next byte to read; never wraps */
	uint64_t seen_head;	/* newest head: it must not run backwards */
	uint64_t reopened;	/* newest sub-buffer that a
				 * header, not head, told of */
	uint64_t records;	/* accepted or lost: those before pos */
	uint64_t accepted;
	uint64_t lost;		/* overwritten before we came */
	uint64_t gaps;		/* missing without a lap */
	uint64_t bad;		/* sub-buffers given up as malformed */
	uint64_t first_tsc;	/* of the first sub-buffer accepted */
	uint64_t newest_tsc;	/* of the last record accepted */
	bool lapped;		/* since the last accepted record */
	struct unseal *seal;	/* owned; NULL: the mask is xor */
	uint64_t seek;		/* what unseal_open() may still leave out */
	uint64_t faults[UNSEAL_FAULTS]; /* the bad ones of a sealed ring */
	struct ring_fault first_fault, last_fault;
	bool rewound;		/* head ran backwards */
};

/* A stretch of one sub-buffer. */
struct ring_span {
	const void *data;	/* guest memory; masked records */
	uint32_t len;		/* bytes, a multiple of 8, not 0 */
	uint32_t offset;	/* of data in the sub-buffer */
	uint64_t nr;		/* number of the sub-buffer, from 0 */
	uint64_t base_tsc;
	uint64_t records_before; /* in this ring, before this sub-buffer */
	uint32_t epoch;
	bool whole;		/* nothing is added to the
				 * sub-buffer any more */
	/* By ring_accept(), in a sealed ring: */
	uint32_t bad_len;	/* bytes behind len that are not the guest's */
	enum unseal_fault fault;
};

/* @gpa: ring header. -ERANGE: not guest RAM. -EBADMSG: fails its checks. */
int ring_init(struct ring *r, const struct memfile *mf, uint64_t gpa,
	      struct xf_err *err);

/*
 * Records of @r are sealed, under keys that follow from @seed; nothing has been
 * read yet. -ENOMEM.
 */
int ring_seal(struct ring *r, const uint8_t seed[UNSEAL_SEED],
	      struct xf_err *err);
void ring_deinit(struct ring *r);

/*
 * Look where the writer is, and no more. False: it has been further, which
 * ring_next() will say as well.
 */
bool ring_look(struct ring *r);

/*
 * The next stretch, oldest first. Returns 1, or 0 when caught up, or -EBADMSG:
 * what the guest published is impossible; that sub-buffer has been left out and
 * the call may be repeated.
 */
int ring_next(struct ring *r, struct ring_span *ret_span, struct xf_err *err);

/*
 * Check the caller's copy of a span and move on. Returns the number of records
 * in it. -ESTALE: the guest overwrote it while it was copied. -ENOKEY: the
 * Klog lacks its epoch. -EBADMSG: it holds what is no record. After either of
 * these the rest of that sub-buffer is left out.
 *
 * A sealed span may end early, with span->fault: its first span->len bytes are
 * good, the next span->bad_len are not, and @err says so. The rest of that
 * sub-buffer is left out, too.
 */
int ring_accept(struct ring *r, struct ring_span *span, const void *copy,
		const struct klog *keys, uint32_t session, struct xf_err *err);

/*
 * The guest has stopped and all was read: has a sealed ring an end of its own?
 * -EBADMSG if not.
 */
int ring_check_end(struct ring *r, struct xf_err *err);

/* Bytes between reader and writer, at most the size of the ring; that size. */
uint64_t ring_unread(const struct ring *r);
uint64_t ring_size(const struct ring *r);

#endif
