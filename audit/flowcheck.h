/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * flowcheck -- what is wrong with a trace.
 *
 *	struct flowcheck c = { .trace = &t, .base = &baseline, .code = &file };
 *
 *	rc = flowcheck_run(&c, &findings, err);
 *
 * Without a baseline: calls of and from memory of nobody, records that are
 * missing, a guest that fell silent. With one:
 *
 *  - A call that no clean run had, of or by a module that none had. Calls
 *    within the kernel are an alarm only if by its image they cannot be: the
 *    caller's code does not name the function, and no table or other code has
 *    its address. Besides, the caller ran FLOWCHECK_SURE times in clean runs
 *    and now makes this call FLOWCHECK_MANY times and more often than not, in
 *    no interrupt: which of its paths a kernel takes is chance.
 *  - A call that was made in every call of the root, FLOWCHECK_SURE at least,
 *    in all clean runs, is missing if none of FLOWCHECK_MANY has it.
 *  - Two functions that the root always called in one order are in the other.
 *  - Half of all calls of the root take over twice as long as 99 % of the
 *    clean ones: a hint.
 */
#ifndef XF_FLOWCHECK_H
#define XF_FLOWCHECK_H

#include <stdbool.h>

#include "err.h"
#include "finding.h"
#include "flow.h"
#include "kfile.h"
#include "trace.h"

#define FLOWCHECK_SURE 50
#define FLOWCHECK_MANY 20

/* All borrowed. */
struct flowcheck {
	const struct trace *trace;
	const struct flow *base;	/* NULL: none */
	const struct kfile *code;	/* of the trace's kernel,
					 * as linked, or NULL */
	bool recording;			/* it need not have ended yet */
	struct buf *mask;		/* gets how its records are protected */
};

/* Adds to @f. -E2BIG, -EBADMSG, as in flowtrace_collect(). */
int flowcheck_run(const struct flowcheck *c, struct findings *f,
		  struct xf_err *err);

/* The same for a flow that was collected already: calls only. */
void flowcheck_calls(const struct flowcheck *c, const struct flow *now,
		     struct findings *f);

#endif
