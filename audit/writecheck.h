/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * writecheck -- did somebody write where nobody should, while it was traced?
 *
 * Of a trace that has the pages that were written: kernel code, the table of
 * system calls, constant data. An alarm, but for code that the kernel's own
 * instructions wrote: kprobes and BPF have it do that. This is a hint, as is
 * what was harvested, so that nobody knows by which instruction.
 */
#ifndef XF_WRITECHECK_H
#define XF_WRITECHECK_H

#include "err.h"
#include "finding.h"
#include "trace.h"

/* Adds to @f; nothing if no pages were recorded. Errors as callgraph_draw(). */
int writecheck_run(const struct trace *t, struct findings *f,
		   struct xf_err *err);

#endif
