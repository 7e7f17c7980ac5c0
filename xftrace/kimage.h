/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * kimage -- the image of a kernel that somebody traced, on this host.
 */
#ifndef XF_KIMAGE_H
#define XF_KIMAGE_H

#include "buf.h"
#include "err.h"

/*
 * The unpacked vmlinux with that build id (in hex): the file @path, or,
 * NULL, the demo's or /boot's of @release. -ENOENT: the host has none.
 * -ENOEXEC: @path is of another kernel.
 */
int kimage_load(const char *path, const char *release, const char *build_id,
		struct buf *ret_elf, struct xf_err *err);

#endif
