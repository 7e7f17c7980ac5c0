/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * xft_mac -- the tag of a sealed record, in guest and host.
 *
 *	h = 1;
 *	h = xft_mac_add(h, r, word);		each covered word
 *	tag = xft_mac_end(h, r, z);
 *
 * A polynomial in r modulo the prime 2^64 - 59, plus z: xft_abi.h says over
 * what. With a key that is used once it is as good as SipHash, at a sixth of
 * its price.
 */
#ifndef XFT_MAC_H
#define XFT_MAC_H

#include "xft_abi.h"

#define XFT_MAC_FOLD 59	/* 2^64 is that, modulo the prime */

/* h * r + word, modulo the prime; below 2^64, though perhaps not below that. */
static inline u64 xft_mac_add(u64 h, u64 r, u64 word)
{
	unsigned __int128 x = (unsigned __int128)h * r + word;
	u64 low, more;

	x = (unsigned __int128)(u64)(x >> 64) * XFT_MAC_FOLD + (u64)x;
	more = (u64)(x >> 64) * XFT_MAC_FOLD;
	low = (u64)x + more;
	return low < more ? low + XFT_MAC_FOLD : low;
}

static inline u64 xft_mac_end(u64 h, u64 r, u64 z)
{
	u64 left = xft_mac_add(h, r, 0);

	/* What a division would have left: below the prime. */
	if (left >= -(u64)XFT_MAC_FOLD)
		left += XFT_MAC_FOLD;
	return left + z;
}

#endif
