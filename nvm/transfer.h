/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * transfer -- a trace as one file that carries everything, and back.
 *
 * Such a file is a store that has one trace, just large enough for it and the
 * objects it uses.
 */
#ifndef XF_TRANSFER_H
#define XF_TRANSFER_H

#include "store.h"

/* @name NULL: the only trace there is. -EEXIST: there is such a file. */
int transfer_export(struct store *st, const char *name, const char *path,
		    struct xf_err *err);
/*
 * Under @name, or its own if NULL. -EEXIST: taken. Nobody sees the trace before
 * all of it is there.
 */
int transfer_import(struct store *st, const char *path, const char *name,
		    struct xf_err *err);

#endif
