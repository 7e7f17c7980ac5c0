/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * blackbox -- what a guest that is gone has left of its rings.
 *
 * Rings lie in guest RAM, and the keys of their records are in the trace that
 * was being recorded, committed before the guest had them. So whoever has the
 * file of the RAM and the store reads on where the recorder stopped.
 */
#ifndef XF_BLACKBOX_H
#define XF_BLACKBOX_H

#include "err.h"
#include "store.h"

/*
 * Complete the trace of the guest whose RAM is in @file: a copy of it, byte for
 * byte, or an ELF core that QEMU's dump-guest-memory wrote. The control block
 * in it tells which trace that is; @name: only this one will do. -ENOENT: no
 * trace has its keys. -EBUSY: it is still being recorded. -EPERM: others may
 * read the file, and @allow_open is not set.
 *
 * Frees nothing and is not for a guest that runs. *@ret_name is malloc()ed.
 */
int blackbox_recover(struct store *st, const char *file, bool allow_open,
		     const char *name, char **ret_name, uint64_t *ret_records,
		     struct xf_err *err);

#endif
