/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * xft_record -- taking records apart, on the host.
 *
 * The only place where the bit fields of xft_abi.h are read. Bytes come from
 * the guest: a word that is no possible record has a length of 0.
 */
#ifndef XFT_RECORD_H
#define XFT_RECORD_H

#include <stdbool.h>

#include "xft_abi.h"

static inline u32 xft_type(u64 first)
{
	return first & 7;
}

static inline u32 xft_context(u64 first)
{
	return first >> XFT_CTX_SHIFT & 3;
}

static inline u32 xft_depth(u64 first)
{
	return first >> XFT_DEPTH_SHIFT & XFT_DEPTH_MAX;
}

static inline u64 xft_delta(u64 first)
{
	return first >> XFT_TIME_SHIFT;
}

/* ENTRY or RETURN of the usual length. */
static inline bool xft_is_call(u64 first)
{
	const u64 mask = 7 | XFT_WORDS_MAX << XFT_WORDS_SHIFT;
	const u64 entry = XFT_ENTRY | XFT_CALL_WORDS << XFT_WORDS_SHIFT;
	const u64 leave = XFT_RETURN | XFT_CALL_WORDS << XFT_WORDS_SHIFT;

	return (first & mask) == entry || (first & mask) == leave;
}

/*
 * Length in words of the record that begins with @first (unmasked), or 0 when
 * it is none: a type that this reader does not know may have any length but 0,
 * so that an older reader can skip what a newer guest writes.
 */
static inline u32 xft_words(u64 first)
{
	u32 words = first >> XFT_WORDS_SHIFT & XFT_WORDS_MAX;

	switch (xft_type(first)) {
	case XFT_PAD:
		return 0;
	case XFT_ENTRY:
	case XFT_RETURN:
	case XFT_EVENT:
		return words >= XFT_CALL_WORDS ? words : 0;
	case XFT_TASK:
		return words == XFT_TASK_WORDS ? words : 0;
	case XFT_CLOSE:
		return words == XFT_CLOSE_WORDS ? words : 0;
	default:
		return words;
	}
}

/* Bytes in an EVENT of @words. */
static inline u32 xft_event_len(u64 first, u32 words)
{
	return (words - 1) * 8 - (xft_depth(first) & XFT_EVENT_PAD);
}

/* A 32-bit function or caller as an address. */
static inline u64 xft_address(u32 low)
{
	return XFT_ADDR_HIGH | low;
}

#endif
