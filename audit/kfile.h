/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * kfile -- what a kernel's image says that its memory should hold.
 *
 *	_cleanup_(kfile_close) struct kfile k = KFILE_INIT;
 *
 *	rc = kfile_open(&k, &vmlinux, slide, err);
 *	p = kfile_at(&k, addr, len);
 *
 * A vmlinux as it comes out of a vmlinuz has the relocations behind it that
 * the boot code applies when KASLR moves the kernel. We apply the same, once;
 * from then on bytes are found by their run-time address and are what the
 * kernel began with, before it patched itself.
 */
#ifndef XF_KFILE_H
#define XF_KFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buf.h"
#include "err.h"

struct kfile_range {
	uint64_t addr;		/* run-time */
	uint64_t len;		/* bytes */
};

struct kfile {
	uint64_t slide;
	/* private */
	struct buf elf;
	size_t elf_len;		/* without what stands behind */
	struct kfile_load *load; /* owned */
	size_t nr_loads;
};

#define KFILE_INIT { .elf = BUF_INIT }

/*
 * Takes the bytes out of @vmlinux. -EBADMSG: damaged. -ENODATA: the kernel has
 * been moved, and the file does not say what has to change then (a vmlinux that
 * was never in a vmlinuz).
 */
int kfile_open(struct kfile *k, struct buf *vmlinux, uint64_t slide,
	       struct xf_err *err);
void kfile_close(struct kfile *k);

/* @len bytes as they should be at @addr, or NULL: not of the file. */
const uint8_t *kfile_at(const struct kfile *k, uint64_t addr, size_t len);

/* Where a section lies; false: there is none, or nothing of it in the file. */
bool kfile_section(const struct kfile *k, const char *name,
		   struct kfile_range *ret);

#endif
