/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * flowtrace -- the flow of a trace.
 */
#ifndef XF_FLOWTRACE_H
#define XF_FLOWTRACE_H

#include "emit.h"
#include "err.h"
#include "flow.h"

/*
 * Fill @f, which is empty, with what all sessions of @t called: one run, each
 * item with where it was seen first. -E2BIG: more kinds of calls than a kernel
 * makes.
 */
int flowtrace_collect(struct flow *f, const struct trace *t,
		      struct call_stats *ret_stats, struct xf_err *err);

#endif
