/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * writecheck -- did somebody write where nobody should, while it was traced?
 *
 * Of a trace that has the pages that were written: kernel code, the table of
 * system calls, constant data. An alarm if the instruction that wrote it is none
 * of the kernel's own. What the kernel itself wrote there, but not to trace, and
 * what was harvested, so that nobody knows by which instruction, are hints: kprobes
 * and BPF have the kernel write its code, too.
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
