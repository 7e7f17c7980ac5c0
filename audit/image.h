/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * image -- is the kernel in a guest's memory the one that its image holds?
 *
 *	struct image_guest g = { .space = space, .symbols = st, ... };
 *
 *	rc = image_check(&g, &findings, err);
 *
 * Looks from outside at code, tables and hooks, and says what was bent. The
 * guest executes nothing for it and is not paused. What is read is hostile:
 * every walk is bounded, and one that leads nowhere is a finding that could
 * not be decided, not a failure.
 */
#ifndef XF_IMAGE_H
#define XF_IMAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "btf.h"
#include "err.h"
#include "finding.h"
#include "gva.h"
#include "kfile.h"
#include "symtab.h"

/* Who leads to our own module, as long as it traces functions. */
enum image_own {
	IMAGE_OWN_ENTRIES = 1,		/* function graph, at entries */
	IMAGE_OWN_RETURNS = 2,
};

/* All borrowed. */
struct image_guest {
	struct gva space;		/* the kernel's address space */
	const struct symtab *symbols;	/* sealed, at run-time addresses */
	const struct btf *types;
	const struct kfile *file;	/* NULL: the host has none */
	unsigned int own;		/* IMAGE_OWN_...: must be there */
};

/*
 * Until then code is patched, and data can be executed: nothing is checked.
 * Also true if that cannot be known.
 */
bool image_has_booted(const struct image_guest *g);

/*
 * Adds to @f: alarms only if they were there in each of several looks. -EIO:
 * the guest's RAM is gone. All else that keeps a rule from being decided is a
 * finding: cannot-tell.
 */
int image_check(const struct image_guest *g, struct findings *f,
		struct xf_err *err);

#endif
