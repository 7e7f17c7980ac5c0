/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * fuzz -- what all fuzz targets share.
 *
 * Each tests/fuzz/fuzz_NAME.c is a libFuzzer program with one function,
 * fuzz_one(), which hands the input to a parser and does what its users do with
 * the answer. fuzz.c calls it and aborts if it leaves descriptors open, has
 * more than FUZZ_MEMORY allocated at a time, or takes more than FUZZ_CPU_MS.
 * What never ends is libFuzzer's to notice. At the end it says how much the
 * hungriest and the slowest input took. Files that io_open_unnamed() makes are
 * in memory (--wrap), and what sodium_malloc() makes is as malloc()'s.
 */
#ifndef FUZZ_H
#define FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "cleanup.h"
#include "cursor.h"
#include "err.h"

#define FUZZ_MEMORY (64u << 20) /* bytes on the heap */
/* Five times what a parser may take: so slow the sanitizers are. */
#define FUZZ_CPU_MS 250

/* The target's. */
void fuzz_one(struct cursor *in);

#define fuzz_must(cond)                                                        \
	do {                                                                   \
		if (!(cond)) {                                                 \
			fprintf(stderr, "fuzz: %s:%d: not so: %s\n", __FILE__, \
				__LINE__, #cond);                              \
			abort();                                               \
		}                                                              \
	} while (0)

/*
 * The next @len bytes, or what there is, in memory of just that size, so that
 * ASan sees the first byte that is read behind it. The caller frees.
 */
static inline uint8_t *fuzz_take(struct cursor *in, size_t len, size_t *ret_len)
{
	uint8_t *copy;

	if (in->failed)
		len = 0;
	else if (len > cursor_left(in))
		len = cursor_left(in);
	copy = malloc(len ? len : 1);
	fuzz_must(copy);
	if (len)
		memcpy(copy, cursor_bytes(in, len), len);
	*ret_len = len;
	return copy;
}

static inline uint8_t *fuzz_take_all(struct cursor *in, size_t *ret_len)
{
	return fuzz_take(in, cursor_left(in), ret_len);
}

/* A file without a name that holds what is left; the caller closes it. */
int fuzz_file(struct cursor *in, char path[32]);

#endif
