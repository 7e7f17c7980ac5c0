/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * baselines -- where baselines are kept: as files, or under a name in the
 * store.
 *
 * In a store a baseline has an entry as a trace has, with the same text in it
 * as the file would have (audit/baseline.h). 'ls' lists it, 'mv' and 'rm' work
 * on it. It is never finished, as finished traces may give way to the quota.
 */
#ifndef XF_BASELINES_H
#define XF_BASELINES_H

#include "buf.h"
#include "err.h"
#include "flow.h"
#include "store.h"

/* Is it there when all of it is on the media. -EEXIST: the name is taken. */
int baselines_keep(struct store *st, const char *name, const struct buf *text,
		   struct xf_err *err);

/*
 * Fill @f, which is empty, from the file @what or, if there is none, from what
 * has that name in the store at @store (NULL: the usual one). -ENOENT: neither
 * is there. -EBADMSG: damaged, or no baseline.
 */
int baselines_read(const char *what, const char *store, struct flow *f,
		   struct xf_err *err);

#endif
