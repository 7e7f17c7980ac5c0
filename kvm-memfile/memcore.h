/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * memcore -- guest memory in an ELF core, as QEMU's dump-guest-memory writes.
 *
 * Its segments say which bytes of the file are which guest-physical memory.
 * They lie at any offset, and what reads guest memory maps pages: so they are
 * copied into a file without a name, less pages of zeros.
 */
#ifndef XF_MEMCORE_H
#define XF_MEMCORE_H

#include <stdbool.h>

#include "err.h"
#include "memfile.h"
#include "memslot.h"

/* Does the file begin as one? */
bool memcore_is(const char *path);

/*
 * -EPERM: as memfile_open(). -EBADMSG: damaged. -ENOEXEC: not of an x86-64
 * guest.
 */
int memcore_slots(struct memslots *ms, const char *path,
		  enum memfile_flags flags, struct xf_err *err);
/* The same of an open file, whoever may read it; @path is for messages. */
int memcore_read(struct memslots *ms, int fd, const char *path,
		 struct xf_err *err);

#endif
