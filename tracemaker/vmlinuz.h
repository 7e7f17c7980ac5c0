/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * vmlinuz -- the kernel inside a compressed kernel image.
 *
 * An x86 image (bzImage) is a boot sector and setup code, described in the
 * kernel's Documentation/arch/x86/boot.rst, and then a program that unpacks a
 * compressed vmlinux and starts it. We unpack the same bytes: gzip, xz, lzma,
 * zstd or lz4.
 */
#ifndef XF_VMLINUZ_H
#define XF_VMLINUZ_H

#include <stdbool.h>
#include <stddef.h>

#include "buf.h"
#include "err.h"

#define VMLINUZ_MAX (512u << 20) /* bytes, unpacked */

/* Whether these first bytes of a file (1 KiB is enough) say so. */
bool vmlinuz_is(const void *data, size_t len);

/*
 * Append the vmlinux, an ELF file without .symtab, to @ret_elf. -EBADMSG: cut
 * off or damaged. -ENOTSUP: compressed in another way. -EFBIG: over the limit.
 */
int vmlinuz_unpack(const void *data, size_t len, struct buf *ret_elf,
		   struct xf_err *err);

/*
 * The same of a file, which may also be a vmlinux itself. -ENODATA: it is
 * neither.
 */
int vmlinuz_read(const char *path, struct buf *ret_elf, struct xf_err *err);

#endif
