// SPDX-License-Identifier: GPL-2.0-only
#include "unseal.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include <sodium.h>

#include "xft_mac.h"
#include "xft_record.h"

/* Words of stream that are searched at most. */
#define SEARCH_MAX (1u << 15)

/* H() of xft_abi.h. */
static void derive(uint8_t out[UNSEAL_SEED], const uint8_t key[UNSEAL_SEED],
		   uint64_t label, uint64_t n)
{
	const uint64_t in[2] = { label, n };

	crypto_core_hchacha20(out, (const uint8_t *)in, key, NULL);
}

/* F() of xft_abi.h. */
static void expand(void *out, const uint8_t key[16], uint8_t i)
{
	crypto_shorthash_siphashx24(out, &i, 1, key);
}

/* The stream from the batch that @key is of on; @key becomes the next one's. */
static void next_batch(uint64_t stream[XFT_SEAL_BATCH], uint8_t key[16])
{
	for (uint8_t i = 1; i <= XFT_SEAL_BATCH / 2; i++)
		expand(stream + 2 * (i - 1), key, i);
	expand(key, key, 0);
}

static inline uint64_t take(struct unseal *u)
{
	if (u->used == XFT_SEAL_BATCH) {
		next_batch(u->stream, u->key);
		u->used = 0;
		u->before += XFT_SEAL_BATCH;
	}
	return u->stream[u->used++];
}

struct unseal *unseal_create(const uint8_t seed[UNSEAL_SEED], uint32_t cpu,
			     uint32_t kind, struct xf_err *err)
{
	struct unseal *u = NULL;

	if (sodium_init() >= 0)
		u = sodium_malloc(sizeof(*u));
	if (!u) {
		xf_fail(err, -ENOMEM, "no memory for keys");
		return NULL;
	}
	memset(u, 0, sizeof(*u));
	derive(u->chain, seed, XFT_SEAL_RING, cpu | (uint64_t)kind << 32);
	return u;
}

void unseal_destroy(struct unseal *u)
{
	sodium_free(u);
}

int unseal_open(struct unseal *u, uint64_t nr, const struct xft_sub *sub,
		uint64_t *seek, struct xf_err *err)
{
	uint8_t key[UNSEAL_SEED];

	if (nr < u->next || nr - u->next > *seek)
		return xf_fail(err, -ERANGE,
			       "sub-buffer %" PRIu64 " cannot follow %" PRIu64,
			       nr, u->next);
	*seek -= nr - u->next;
	*seek += UNSEAL_SEEK_MORE;
	if (*seek > UNSEAL_SEEK_MAX)
		*seek = UNSEAL_SEEK_MAX;
	u->is_past = u->next && nr == u->next;
	memcpy(u->past_key, u->first_key, sizeof(u->past_key));
	for (; u->next < nr; u->next++)
		derive(u->chain, u->chain, XFT_SEAL_NEXT, u->next);
	derive(key, u->chain, XFT_SEAL_STREAM, nr);
	memcpy(u->key, key, sizeof(u->key));
	memcpy(u->first_key, key, sizeof(u->first_key));
	derive(u->chain, u->chain, XFT_SEAL_NEXT, nr);
	sodium_memzero(key, sizeof(key));
	u->next = nr + 1;
	u->used = XFT_SEAL_BATCH;
	u->before = -(uint64_t)XFT_SEAL_BATCH;
	u->header = *sub;
	u->records = 0;
	u->started = u->closed = u->last = false;
	return 0;
}

bool unseal_is_open(const struct unseal *u, uint64_t nr,
		    const struct xft_sub *sub)
{
	return u->next == nr + 1 && u->header.base_tsc == sub->base_tsc &&
	       u->header.records_before == sub->records_before &&
	       u->header.epoch == sub->epoch;
}

/* Beyond the prime one number stands for another. */
static bool header_is_plain(const struct xft_sub *sub)
{
	return sub->base_tsc < -(uint64_t)XFT_MAC_FOLD &&
	       sub->records_before < -(uint64_t)XFT_MAC_FOLD;
}

static uint64_t cover_header(const struct xft_sub *sub, uint64_t r)
{
	uint64_t mac = xft_mac_add(1, r, sub->base_tsc);

	mac = xft_mac_add(mac, r, sub->records_before);
	return xft_mac_add(mac, r, sub->epoch);
}

/* What has a good tag counts; CLOSE must count the same. */
static bool count(struct unseal *u, uint64_t first, uint64_t second)
{
	u->started = true;
	if (xft_type(first) != XFT_CLOSE) {
		u->records++;
		return true;
	}
	u->closed = true;
	u->last = xft_depth(first) & XFT_CLOSE_LAST;
	return second == u->records;
}

uint32_t unseal_record(struct unseal *u, const uint64_t *words, uint32_t nr,
		       uint64_t *ret_clear, bool only_first)
{
	uint64_t r, z, mac = 1, first, second = 0;
	uint32_t len;

	if (u->closed || nr < 2)
		return 0;
	u->place = u->before + u->used;
	r = take(u);
	z = take(u);
	first = words[0] ^ take(u);
	len = xft_words(first);
	if (!len || len >= nr)
		return 0;
	if (!u->started) {
		if (!header_is_plain(&u->header))
			return 0;
		mac = cover_header(&u->header, r);
	}
	for (uint32_t i = 1; i < len; i++) {
		uint64_t clear = words[i] ^ take(u);

		mac = xft_mac_add(mac, r, words[i]);
		if (i == 1)
			second = clear;
		if (!only_first)
			ret_clear[i] = clear;
	}
	mac = xft_mac_add(mac, r, words[0]);
	if (xft_mac_end(mac, r, z) != words[len])
		return 0;
	ret_clear[0] = first;
	return count(u, first, second) ? len + XFT_SEAL_TAG : 0;
}

/*
 * The place in the stream that begins with @key's where the record is good, or
 * -1. The first of a sub-buffer is good nowhere, as its tag covers the header.
 */
static int64_t find_place(const uint8_t key[16], const uint64_t *words,
			  uint32_t nr, uint32_t max)
{
	uint64_t *stream = sodium_malloc((max + XFT_SEAL_BATCH) * 8);
	uint8_t k[16];
	int64_t found = -1;

	if (!stream)
		return -1;
	memcpy(k, key, sizeof(k));
	for (uint32_t i = 0; i < max; i += XFT_SEAL_BATCH)
		next_batch(stream + i, k);
	for (uint32_t at = 0; found < 0 && at + 3 < max; at++) {
		const uint64_t *s = stream + at;
		uint32_t len = xft_words(words[0] ^ s[2]);
		uint64_t mac = 1;

		if (!len || len >= nr || at + len + 2 > max)
			continue;
		for (uint32_t i = 1; i < len; i++)
			mac = xft_mac_add(mac, s[0], words[i]);
		mac = xft_mac_add(mac, s[0], words[0]);
		if (xft_mac_end(mac, s[0], s[1]) == words[len])
			found = at;
	}
	sodium_memzero(k, sizeof(k));
	sodium_free(stream);
	return found;
}

enum unseal_fault unseal_diagnose(const struct unseal *u, const uint64_t *words,
				  uint32_t nr, uint32_t size)
{
	/* A record of n words with its tag takes n + 1 of the stream. */
	uint32_t max = size / 8 * 3 / 2 < SEARCH_MAX ? size / 8 * 3 / 2 :
						       SEARCH_MAX;
	int64_t at = find_place(u->first_key, words, nr, max);

	if (at >= 0)
		return (uint64_t)at > u->place ? UNSEAL_DROPPED :
						 UNSEAL_REPLAYED;
	if (u->is_past && find_place(u->past_key, words, nr, max) >= 0)
		return UNSEAL_REPLAYED;
	return UNSEAL_EDITED;
}

const char *unseal_fault_name(enum unseal_fault fault)
{
	static const char *const names[UNSEAL_FAULTS] = {
		"good", "edited", "dropped", "replayed", "truncated",
		"key unknown",
	};

	return fault < UNSEAL_FAULTS ? names[fault] : "damaged";
}
