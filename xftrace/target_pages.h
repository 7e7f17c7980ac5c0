/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * target_pages -- what the pages of an attached guest are used for.
 *
 *	rc = target_pages_init(&pages, &t, err);
 *	pages_ask(&pages, gpa, &what);
 *
 * From symbols: the kernel's parts, per-CPU memory and modules; from the
 * kernel's types, how it describes all other pages. A kernel without types
 * still tells its parts.
 */
#ifndef XF_TARGET_PAGES_H
#define XF_TARGET_PAGES_H

#include "pages.h"
#include "target.h"

/* After target_find_kernel(). -ENOENT: not even the kernel's parts. */
int target_pages_init(struct pages *p, struct target *t, struct xf_err *err);

#endif
