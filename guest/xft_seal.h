/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * xft_seal -- the keys of one sealed ring; see "The seal" in xft_abi.h.
 *
 *	xft_seal_init(s, seed, cpu, kind);
 *	xft_seal_open(s, n);			n = 0, 1, 2, ...
 *	word = xft_seal_take(s);		each is given out once
 *	xft_seal_close(s);			what is left of it goes
 *
 * The stream of a sub-buffer comes a batch at a time, or, if the poll thread
 * found the time for it, all at once:
 *
 *	xft_seal_fill(s);			in that thread, now and then
 *
 * That needs xft_seal_size(pooled) bytes and s->pooled set before the first
 * open. It is the same stream.
 *
 * What is given out is not here any more, and what is here says nothing of it.
 * That is all that a hook can afford: no kernel function is called, as that
 * might be traced and bring us here again in the middle.
 */
#ifndef XFT_SEAL_H
#define XFT_SEAL_H

#include "xft_pool.h"

struct xft_seal {
	u64 stream[XFT_SEAL_BATCH]; /* used words are 0 */
	u64 used;		/* the next word, from the
				 * stream's first, ... */
	u64 end;		/* ... here or in the pool behind the struct */
	u64 key[2];		/* of the batch to come */
	u32 chain[8];		/* of the next sub-buffer */
	u64 pooled;		/* words of a stream made beforehand, in whole
				 * batches; 0: none are */
	struct xft_slot slot[2]; /* of even and odd sub-buffers; 0 at first */
};

/* Words for a sub-buffer of 1 << @shift bytes that is full of calls. */
static inline u64 xft_seal_pooled(u32 shift)
{
	u64 words = (1ULL << shift) / 8 * (XFT_SEAL_OTP + XFT_CALL_WORDS) /
		    (XFT_CALL_WORDS + XFT_SEAL_TAG);

	return (words / XFT_SEAL_BATCH + 1) * XFT_SEAL_BATCH;
}

static inline u64 xft_seal_size(u64 pooled)
{
	return sizeof(struct xft_seal) + 2 * pooled * 8;
}

void xft_seal_init(struct xft_seal *s, const u64 seed[4], u32 cpu, u32 kind);
void xft_seal_open(struct xft_seal *s, u64 nr);
void xft_seal_close(struct xft_seal *s);
/* Make what is ordered. True: something was. */
bool xft_seal_fill(struct xft_seal *s);
/* The next batch, when all of this one is used. */
void xft_seal_refill(struct xft_seal *s);

/* The words that come next. */
static __always_inline u64 *xft_seal_next(struct xft_seal *s)
{
	return (u64 *)s + s->used;
}

static __always_inline u64 xft_seal_take(struct xft_seal *s)
{
	u64 word;

	if (unlikely(s->used == s->end))
		xft_seal_refill(s);
	word = *xft_seal_next(s);
	WRITE_ONCE(*xft_seal_next(s), 0);
	s->used++;
	return word;
}

/* @words are left in one piece. */
static __always_inline bool xft_seal_has(const struct xft_seal *s, u32 words)
{
	return likely(s->used + words <= s->end);
}

#endif
