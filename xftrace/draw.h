/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * draw -- a raw trace file into a picture.
 */
#ifndef XF_DRAW_H
#define XF_DRAW_H

#include "emit.h"
#include "err.h"

/*
 * Draw @raw into @path ("-": standard output). The file appears whole or not
 * at all. -EBADMSG: no trace, or damaged.
 */
int draw_file(const char *raw, const char *path, struct call_stats *ret_stats,
	      struct xf_err *err);

#endif
