/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * guest -- a guest whose memory is never the same twice.
 *
 * The linker puts guest.c between the parsers and memfile.c and gva.c
 * (--wrap): each read takes the next bytes of the fuzzer's input, wherever it
 * reads, and when there are none left it fails. So whoever looks twice at
 * what it has checked sees something else, and ASan sees what comes of it.
 *
 * And a parser that has no reason to look twice aborts when it does. A reason
 * is that it was led there twice, as by two events of one system, which share
 * its name: overlapping reads are fine as long as there were as many pointers
 * to that place in what was read before (or told by guest_pointer()). By
 * design not watched:
 *
 *  - page tables: each walk is a new one (fuzz_gva.c counts its steps);
 *  - words that are polled, such as heartbeat and seq_done: guest_forget();
 *  - checks of memory, in which each rule looks for itself: guest_unwatch();
 *  - a scan, which looks at pages in place and hands on where to read;
 *  - rings, which are read in place: fuzz_ring.c changes them between loads.
 */
#ifndef FUZZ_GUEST_H
#define FUZZ_GUEST_H

#include "fuzz.h"
#include "gva.h"
#include "memfile.h"

#define GUEST_RAM (1ull << 32) /* bytes, from gpa 0; no more than a number */

enum guest_seam {
	GUEST_MEMFILE, /* memfile_*() take input, gva_*() walk in it */
	GUEST_GVA,     /* gva_*() take input, too */
};

extern struct memfile guest_ram; /* for those who want to have one */

/* From now on reads take from @in. Forgets. */
void guest_begin(struct cursor *in, enum guest_seam seam);
/* Reads are real again. */
void guest_end(void);

/* The parser was told this address. */
void guest_pointer(uint64_t addr);
/* Another look is another matter. */
void guest_forget(void);
/* Any look is, until guest_forget(). */
void guest_unwatch(void);

/* memfile_read_u64() since guest_begin(). */
extern unsigned int guest_words;

/* What memfile_ptr() answers, if set: real memory, which the target fills. */
extern const void *(*guest_ptr)(uint64_t gpa, size_t len);

#endif
