/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * recordcheck -- what a recording tells of itself.
 *
 * Records that were tampered with or are missing, and what was noted while it
 * was made.
 */
#ifndef XF_RECORDCHECK_H
#define XF_RECORDCHECK_H

#include <stdbool.h>

#include "emit.h"
#include "finding.h"
#include "trace.h"

/* Adds to @f. @s is of all of @t; @recording: it need not have ended yet. */
void recordcheck_run(const struct trace *t, const struct call_stats *s,
		     bool recording, struct findings *f);

#endif
