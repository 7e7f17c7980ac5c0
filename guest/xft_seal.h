/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * xft_seal -- the keys of one sealed ring; see "The seal" in xft_abi.h.
 *
 *	xft_seal_init(s, seed, cpu, kind);
 *	xft_seal_open(s, n);			n = 0, 1, 2, ...
 *	word = xft_seal_take(s);		each is given out once
 *
 * What is given out is not here any more, and what is here says nothing of it.
 * That is all that a hook can afford: no kernel function is called, as that
 * might be traced and bring us here again in the middle.
 */
#ifndef XFT_SEAL_H
#define XFT_SEAL_H

struct xft_seal {
	u64 stream[XFT_SEAL_BATCH]; /* used words are 0 */
	u64 used;		/* words */
	u64 key[2];		/* of the batch to come */
	u32 chain[8];		/* of the next sub-buffer */
};

void xft_seal_init(struct xft_seal *s, const u64 seed[4], u32 cpu, u32 kind);
void xft_seal_open(struct xft_seal *s, u64 nr);
/* The next batch, when all of this one is used. */
void xft_seal_refill(struct xft_seal *s);

static __always_inline u64 xft_seal_take(struct xft_seal *s)
{
	u64 word;

	if (unlikely(s->used == XFT_SEAL_BATCH))
		xft_seal_refill(s);
	word = s->stream[s->used];
	WRITE_ONCE(s->stream[s->used], 0);
	s->used++;
	return word;
}

/* @words are left in this batch. */
static __always_inline bool xft_seal_has(const struct xft_seal *s, u32 words)
{
	return likely(s->used + words <= XFT_SEAL_BATCH);
}

#endif
