/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * unaligned -- little-endian numbers that lie anywhere, in code for one.
 */
#ifndef XF_UNALIGNED_H
#define XF_UNALIGNED_H

#include <stdint.h>
#include <string.h>

static inline uint32_t get_u32(const void *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static inline int32_t get_s32(const void *p)
{
	return get_u32(p);
}

static inline uint64_t get_u64(const void *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

#endif
