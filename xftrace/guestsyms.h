/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * guestsyms -- the guest kernel's kallsyms tables, read from its RAM.
 *
 * The last resort where the host has no file of the guest's kernel. The bytes
 * are the guest's word, which the source in the table says.
 */
#ifndef XF_GUESTSYMS_H
#define XF_GUESTSYMS_H

#include "err.h"
#include "memfile.h"
#include "symtab.h"
#include "vmcoreinfo.h"

/* Sealed, at run-time addresses. -ENOENT: this kernel does not tell where. */
int guestsyms_load(const struct vmcoreinfo *vi, const struct memfile *mf,
		   struct symtab **ret, struct xf_err *err);

#endif
