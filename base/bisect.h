/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * bisect -- in an array that is sorted by the 64-bit number that each of its
 * elements begins with, an address for one.
 */
#ifndef XF_BISECT_H
#define XF_BISECT_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/*
 * How many of the @nr elements of @size bytes are at or below @key: the last of
 * them is the one before, the next the first above.
 */
static inline size_t bisect_upto(const void *v, size_t nr, size_t size,
				 uint64_t key)
{
	size_t low = 0, high = nr;

	while (low < high) {
		size_t mid = low + (high - low) / 2;
		uint64_t at;

		memcpy(&at, (const char *)v + mid * size, sizeof(at));
		if (at <= key)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

#endif
