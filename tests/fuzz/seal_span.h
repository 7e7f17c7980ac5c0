/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * seal_span -- seal the records of a trace's span, as the guest's module does.
 *
 * The input has them in clear, of what length it likes, so what fits no tag by
 * chance gets to those who unmask and draw. A span that begins a sub-buffer is
 * sealed with its keys, one that begins where the last one of that sub-buffer
 * ended goes on with them. The word reserved of its head is the number of a
 * record whose tag is spoilt, from 1. Of what is none the rest stays as it is.
 *
 * Few rings are remembered, and sub-buffers are not far apart: others take
 * time, and are like those that nobody can seal.
 */
#ifndef FUZZ_SEAL_SPAN_H
#define FUZZ_SEAL_SPAN_H

#include "fuzz.h"
#include "trace.h"

/* What it does is no news to the fuzzer. */
#pragma clang attribute push(__attribute__((no_sanitize("coverage"))),         \
			     apply_to = function)
#include "fake_ring.h"

#define SEAL_RINGS 4
#define SEAL_AHEAD 256 /* sub-buffers */

struct seal_rings {
	struct seal_ring {
		struct xft_seal seal;
		uint32_t session, cpu, kind;
		uint64_t next; /* 1 + number of the open sub-buffer, or 0 */
		uint32_t clear_end, sealed_end; /* of the last span in it */
		bool is_fresh; /* nothing in it is sealed yet */
	} ring[SEAL_RINGS];
	size_t nr;
};

static inline struct seal_ring *seal_ring_of(struct seal_rings *all,
					     const struct trace_span *s,
					     const struct trace_seed *seed)
{
	struct seal_ring *r;
	uint64_t words[4];

	for (size_t i = 0; i < all->nr; i++) {
		r = &all->ring[i];
		if (r->session == s->session && r->cpu == s->cpu &&
		    r->kind == s->kind)
			return r;
	}
	if (all->nr == SEAL_RINGS)
		return NULL;
	r = &all->ring[all->nr++];
	memset(r, 0, sizeof(*r));
	r->session = s->session;
	r->cpu = s->cpu;
	r->kind = s->kind;
	memcpy(words, seed->seed, sizeof(words));
	xft_seal_init(&r->seal, words, s->cpu, s->kind);
	return r;
}

/* Have the keys that @s is sealed with, and put it where it follows. */
static inline bool seal_ring_open(struct seal_ring *r, struct trace_span *s)
{
	if (s->offset != sizeof(struct xft_sub)) {
		bool follows =
			r->next == s->nr + 1 && s->offset == r->clear_end;

		if (follows)
			s->offset = r->sealed_end;
		return follows;
	}
	if (s->nr < r->next || s->nr - r->next > SEAL_AHEAD)
		return false;
	for (; r->next < s->nr; r->next++)
		xft_hchacha(r->seal.chain, r->seal.chain, XFT_SEAL_NEXT,
			    r->next);
	xft_seal_open(&r->seal, s->nr);
	r->next = s->nr + 1;
	r->is_fresh = true;
	return true;
}

/* One record; its words with the tag. */
static inline uint32_t seal_record(struct seal_ring *r,
				   const struct trace_span *s,
				   const uint64_t *clear, uint32_t words,
				   uint64_t *dst)
{
	uint64_t otp = xft_seal_take(&r->seal), z = xft_seal_take(&r->seal);
	uint64_t key = xft_seal_take(&r->seal), mac = 1;

	if (r->is_fresh) {
		mac = xft_mac_add(mac, otp, s->base_tsc);
		mac = xft_mac_add(mac, otp, s->records_before);
		mac = xft_mac_add(mac, otp, s->epoch);
	}
	r->is_fresh = false;
	for (uint32_t i = 1; i < words; i++) {
		dst[i] = clear[i] ^ xft_seal_take(&r->seal);
		mac = xft_mac_add(mac, otp, dst[i]);
	}
	dst[0] = clear[0] ^ key;
	dst[words] = xft_mac_end(xft_mac_add(mac, otp, dst[0]), otp, z);
	return words + XFT_SEAL_TAG;
}

/* Records at @clear to @dst, which has room for twice as much. In words. */
static inline uint32_t seal_records(struct seal_ring *r,
				    const struct trace_span *s,
				    const uint64_t *clear, uint64_t *dst)
{
	uint32_t nr = s->len / 8, at = 0, words, n = 0, spoilt = s->reserved;

	while (nr && (words = xft_words(*clear)) && words <= nr) {
		n += seal_record(r, s, clear, words, dst + n);
		dst[n - 1] ^= ++at == spoilt;
		clear += words;
		nr -= words;
	}
	memcpy(dst + n, clear, nr * 8);
	return n + nr;
}

/* Takes @chunk, a TRACE_SPAN that @t is to get next, and returns what it
 * becomes. */
static inline uint8_t *seal_span(struct seal_rings *all, const struct trace *t,
				 uint8_t *chunk, size_t *len)
{
	const struct trace_session *last =
		t->nr_sessions ? &t->sessions[t->nr_sessions - 1] : NULL;
	struct trace_span s;
	struct seal_ring *r;
	uint32_t clear_end, words;
	uint8_t *sealed;

	if (!last || !last->seed || *len < sizeof(s))
		return chunk;
	memcpy(&s, chunk, sizeof(s));
	if (s.session != last->number || s.len != *len - sizeof(s) || s.len % 8)
		return chunk;
	/* Looking for what is far ahead is slow on purpose. */
	if (s.nr >> 32 == 0)
		s.nr %= 4 * SEAL_AHEAD;
	clear_end = s.offset + s.len;
	r = seal_ring_of(all, &s, last->seed);
	if (!r || !seal_ring_open(r, &s)) {
		memcpy(chunk, &s, sizeof(s));
		return chunk;
	}
	sealed = malloc(sizeof(s) + 2 * s.len + 1);
	fuzz_must(sealed);
	words = seal_records(r, &s, (uint64_t *)(chunk + sizeof(s)),
			     (uint64_t *)(sealed + sizeof(s)));
	r->clear_end = clear_end;
	s.len = words * 8;
	s.reserved = 0;
	r->sealed_end = s.offset + s.len;
	memcpy(sealed, &s, sizeof(s));
	free(chunk);
	*len = sizeof(s) + s.len;
	/* Of just that size, so that ASan sees the first byte behind it. */
	sealed = realloc(sealed, *len);
	fuzz_must(sealed);
	return sealed;
}

#pragma clang attribute pop

#endif
