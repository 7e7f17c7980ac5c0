// SPDX-License-Identifier: GPL-2.0-only
/*
 * The keys of sealed rings: HChaCha20 from sub-buffer to sub-buffer, SipHash
 * within one. Written out here, as hooks cannot call the kernel's; the host has
 * them from libsodium, and its tests compile this file and compare.
 */
#ifdef __KERNEL__
#include "xft.h"
#endif

#define XFT_ROL32(x, n) ((x) << (n) | (x) >> (32 - (n)))
#define XFT_ROL64(x, n) ((x) << (n) | (x) >> (64 - (n)))

static __always_inline void xft_quarter(u32 *x, int a, int b, int c, int d)
{
	x[a] += x[b];
	x[d] = XFT_ROL32(x[d] ^ x[a], 16);
	x[c] += x[d];
	x[b] = XFT_ROL32(x[b] ^ x[c], 12);
	x[a] += x[b];
	x[d] = XFT_ROL32(x[d] ^ x[a], 8);
	x[c] += x[d];
	x[b] = XFT_ROL32(x[b] ^ x[c], 7);
}

/* HChaCha20 of (label, n) under @key, which @ret_out may be. */
static noinline notrace void xft_hchacha(u32 ret_out[8], const u32 key[8],
					 u64 label, u64 n)
{
	u32 x[16] = { 0x61707865, 0x3320646e, 0x79622d32, 0x6b206574 };
	int i;

	for (i = 0; i < 8; i++)
		x[4 + i] = key[i];
	x[12] = label;
	x[13] = label >> 32;
	x[14] = n;
	x[15] = n >> 32;
	for (i = 0; i < 10; i++) {
		xft_quarter(x, 0, 4, 8, 12);
		xft_quarter(x, 1, 5, 9, 13);
		xft_quarter(x, 2, 6, 10, 14);
		xft_quarter(x, 3, 7, 11, 15);
		xft_quarter(x, 0, 5, 10, 15);
		xft_quarter(x, 1, 6, 11, 12);
		xft_quarter(x, 2, 7, 8, 13);
		xft_quarter(x, 3, 4, 9, 14);
	}
	for (i = 0; i < 4; i++) {
		ret_out[i] = x[i];
		ret_out[4 + i] = x[12 + i];
	}
}

/* Half of a SipHash round. */
static __always_inline void xft_sip(u64 *v, int a, int c, int m, int n)
{
	v[a] += v[1];
	v[c] += v[3];
	v[1] = XFT_ROL64(v[1], m);
	v[3] = XFT_ROL64(v[3], n);
	v[1] ^= v[a];
	v[3] ^= v[c];
	v[a] = XFT_ROL64(v[a], 32);
}

/* Of two at a time: a processor waits for neither. */
static __always_inline void xft_sip_rounds(u64 *v, u64 *w, int rounds)
{
#pragma GCC unroll 4
	for (int i = 0; i < rounds; i++) {
		xft_sip(v, 0, 2, 13, 16);
		xft_sip(w, 0, 2, 13, 16);
		xft_sip(v, 2, 0, 17, 21);
		xft_sip(w, 2, 0, 17, 21);
	}
}

static __always_inline void xft_sip_init(u64 *v, u64 key0, u64 key1, u64 m)
{
	v[0] = key0 ^ 0x736f6d6570736575ULL;
	v[1] = key1 ^ 0x646f72616e646f6dULL ^ 0xee;
	v[2] = key0 ^ 0x6c7967656e657261ULL;
	v[3] = key1 ^ 0x7465646279746573ULL ^ m;
}

/* F(i) and F(i + 1), for an even i, to @ret_f and @ret_g. */
static __always_inline void xft_sip_two(u64 key0, u64 key1, u32 i,
					u64 *ret_f, u64 *ret_g)
{
	/* A message of the one byte: its length is in the topmost. */
	u64 m = 1ULL << 56 | i, v[4], w[4];

	xft_sip_init(v, key0, key1, m);
	xft_sip_init(w, key0, key1, m + 1);
	xft_sip_rounds(v, w, 2);
	v[0] ^= m;
	w[0] ^= m + 1;
	v[2] ^= 0xee;
	w[2] ^= 0xee;
	xft_sip_rounds(v, w, 4);
	ret_f[0] = v[0] ^ v[1] ^ v[2] ^ v[3];
	ret_g[0] = w[0] ^ w[1] ^ w[2] ^ w[3];
	v[1] ^= 0xdd;
	w[1] ^= 0xdd;
	xft_sip_rounds(v, w, 4);
	ret_f[1] = v[0] ^ v[1] ^ v[2] ^ v[3];
	ret_g[1] = w[0] ^ w[1] ^ w[2] ^ w[3];
}

/* A batch to @ret_stream; @key becomes that of the next. */
static noinline notrace void xft_seal_expand(u64 key[2], u64 *ret_stream)
{
	u64 key0 = key[0], key1 = key[1];
	u32 i;

	xft_sip_two(key0, key1, 0, key, ret_stream);
	for (i = 2; i <= XFT_SEAL_BATCH / 2; i += 2)
		xft_sip_two(key0, key1, i, ret_stream + 2 * (i - 1),
			    ret_stream + 2 * i);
}

/*
 * What the functions above have left on the stack, called from where they are.
 */
static noinline notrace void xft_seal_burn(void)
{
	u64 stack[48];
	u32 i;

	for (i = 0; i < ARRAY_SIZE(stack); i++)
		WRITE_ONCE(stack[i], 0);
}

notrace void xft_seal_refill(struct xft_seal *s)
{
	xft_seal_expand(s->key, s->stream);
	xft_seal_burn();
	s->used = 0;
	s->end = XFT_SEAL_BATCH;
}

static __always_inline void xft_seal_wipe(u64 *words, u64 nr)
{
	u64 i;

	for (i = 0; i < nr; i++)
		WRITE_ONCE(words[i], 0);
}

/* Where the stream of sub-buffer @nr is made beforehand. */
static __always_inline u64 *xft_seal_pool(struct xft_seal *s, u64 nr)
{
	return (u64 *)(s + 1) + (nr & 1) * s->pooled;
}

/* The key of the stream of sub-buffer @nr, whose turn in the chain it is. */
static __always_inline void xft_seal_stream(const struct xft_seal *s, u64 nr,
					    u64 ret_key[2])
{
	u32 key[8];
	u32 i;

	xft_hchacha(key, s->chain, XFT_SEAL_STREAM, nr);
	ret_key[0] = key[0] | (u64)key[1] << 32;
	ret_key[1] = key[2] | (u64)key[3] << 32;
	for (i = 0; i < ARRAY_SIZE(key); i++)
		WRITE_ONCE(key[i], 0);
}

/* Order the stream of sub-buffer @nr, which is opened next. */
static __always_inline void xft_seal_post(struct xft_seal *s, u64 nr)
{
	u64 key[2];

	if (!s->pooled)
		return;
	xft_seal_stream(s, nr, key);
	xft_slot_post(&s->slot[nr & 1], key[0], key[1]);
	xft_seal_wipe(key, ARRAY_SIZE(key));
}

notrace void xft_seal_open(struct xft_seal *s, u64 nr)
{
	struct xft_slot *slot = &s->slot[nr & 1];

	if (s->pooled && xft_slot_take(slot)) {
		s->used = xft_seal_pool(s, nr) - (u64 *)s;
		s->end = s->used + s->pooled;
		s->key[0] = slot->key[0];
		s->key[1] = slot->key[1];
		xft_slot_wipe(slot);
	} else {
		xft_seal_stream(s, nr, s->key);
		xft_seal_refill(s);
	}
	xft_hchacha(s->chain, s->chain, XFT_SEAL_NEXT, nr);
	xft_seal_post(s, nr + 1);
	xft_seal_burn();
}

notrace void xft_seal_close(struct xft_seal *s)
{
	xft_seal_wipe(xft_seal_next(s), s->end - s->used);
	xft_seal_wipe(s->key, ARRAY_SIZE(s->key));
	s->used = s->end = 0;
}

/*
 * A batch at a time with interrupts off, as hooks do: an interrupt would leave
 * the registers, with parts of the key in them, where nobody wipes them.
 */
static noinline void xft_seal_fill_slot(struct xft_slot *slot, u64 *stream,
					u64 nr)
{
	u64 i;

	for (i = 0; i < nr && xft_slot_wanted(slot); i += XFT_SEAL_BATCH) {
		unsigned long flags = xft_irq_save();

		xft_seal_expand(slot->key, stream + i);
		xft_seal_burn();
		xft_irq_restore(flags);
		cond_resched();
	}
	if (!xft_slot_end(slot)) {
		xft_seal_wipe(stream, i);
		xft_slot_leave(slot);
	}
}

bool xft_seal_fill(struct xft_seal *s)
{
	bool filled = false;
	u64 nr;

	for (nr = 0; s->pooled && nr < ARRAY_SIZE(s->slot); nr++) {
		if (!xft_slot_begin(&s->slot[nr]))
			continue;
		xft_seal_fill_slot(&s->slot[nr], xft_seal_pool(s, nr),
				   s->pooled);
		filled = true;
	}
	return filled;
}

notrace void xft_seal_init(struct xft_seal *s, const u64 seed[4], u32 cpu,
			   u32 kind)
{
	xft_hchacha(s->chain, (const u32 *)seed, XFT_SEAL_RING,
		    cpu | (u64)kind << 32);
	xft_seal_post(s, 0);
	xft_seal_burn();
}
