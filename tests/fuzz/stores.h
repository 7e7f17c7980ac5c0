/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * stores -- inputs as store files.
 *
 * The linker puts stores.c between nvm/ and the files that it maps (--wrap). An
 * input is the file's length (u16), then pieces of it that are not zero: where
 * (u16) and how long (u8) each is, all in units of 16 bytes, and its bytes. The
 * file lies in memory of just its size, so that ASan sees the first byte that
 * is read behind it.
 *
 * Every checksum fits: crc32c() is 0, in what is read as in what is written.
 * Who makes a hostile file computes them; a fuzzer cannot.
 */
#ifndef FUZZ_STORES_H
#define FUZZ_STORES_H

#include "fuzz.h"
#include "store.h"

#define STORES_UNIT   16u
#define STORES_MAX    (64u << 10) /* bytes of an input's file */
#define STORES_OUTPUT (96u << 10) /* of a store to write to */

/* Opened by these names, as often as one likes: the first has the input. */
#define STORES_INPUT "the input"
#define STORES_EMPTY "an empty store"

void stores_begin(struct cursor *in);

/*
 * Each trace in it, to its end: returns a sum over all bytes, so that nothing
 * is optimized away.
 */
uint64_t stores_read(struct store *st);

#endif
