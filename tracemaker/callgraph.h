/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * callgraph -- entries and returns into a tree, drawn by an emitter.
 *
 * Each task has a stack of open calls. It follows the records' own depth, with
 * three things to know:
 *
 *  - An interrupt may come in after a function's depth was given back and
 *    before its return is recorded. Its calls have the depth of the function
 *    that is about to return, and nest in it all the same.
 *  - Where records were lost, returns may be missing. Open calls as deep as a
 *    new one are then closed as cut, and a return closes the innermost open
 *    call of its function and depth; what lies inside that was cut too.
 *  - A task ends in a call that never returns, and its pid is given to another
 *    one. What begins further out, or where an open call was made from as well,
 *    is of that.
 */
#ifndef XF_CALLGRAPH_H
#define XF_CALLGRAPH_H

#include "emit.h"

/*
 * Draw all sessions of @t, which learn what could be verified of them. The
 * totals in the header are known from a first pass that emits nothing. Returns
 * 0, or the error of the sink or its next().
 */
int callgraph_draw(const struct trace *t, const struct emit_ops *ops,
		   struct sink *sink, struct call_stats *ret_stats,
		   struct xf_err *err);

/* Those totals alone, in half the time. */
void callgraph_count(const struct trace *t, struct call_stats *ret_stats);

#endif
