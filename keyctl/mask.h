/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * mask -- apply and take off the mask of a stretch of records. Pure.
 *
 * The xor mask is the paper's: each 8-byte word XOR the epoch's key. It is its
 * own inverse, hides nothing from somebody who reads the key in guest memory
 * and does not notice a change: docs/security.md says what that means.
 */
#ifndef XF_MASK_H
#define XF_MASK_H

#include <stddef.h>
#include <stdint.h>

/* @len is a multiple of 8, both are aligned to 8; dst may be src. */
static inline void mask_xor(void *dst, const void *src, size_t len,
			    uint64_t key)
{
	uint64_t *d = dst;
	const uint64_t *s = src;

	for (size_t i = 0; i < len / 8; i++)
		d[i] = s[i] ^ key;
}

#endif
