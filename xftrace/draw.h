/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * draw -- a stored trace into a picture.
 */
#ifndef XF_DRAW_H
#define XF_DRAW_H

#include "emit.h"
#include "err.h"
#include "journal.h"

/* For --help and completion. */
#define DRAW_FORMATS "text|dat"

/* The format of this name. OPT_MISUSE: there is none; the sentence has all. */
int draw_format(const char *name, const struct emit_ops **ret,
		struct xf_err *err);

/*
 * Draw what is in @j into @path ("-": standard output). A file appears whole or
 * not at all. Of a binary format there is one for each session: the second of
 * trace.dat is trace.2.dat.
 *
 * -EBADMSG: no trace, or damaged. -EINVAL: standard output cannot take it.
 */
int draw_trace(const struct journal *j, const struct emit_ops *format,
	       const char *path, struct call_stats *ret_stats,
	       struct xf_err *err);

#endif
