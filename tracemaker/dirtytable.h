/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * dirtytable -- dirty pages counted: by call, page, type or time; or listed.
 *
 *	struct dirtytable_query q = { .by = DIRTYTABLE_PAGE, .max = 20 };
 *	struct sink sink = { .arg = &q, ... };
 *	callgraph_draw(&trace, &emit_dirtytable, &sink, ...);
 *
 * Memory grows with what is told apart (pages, functions), not with the trace.
 * What nobody should write comes first, unless the tracer did it.
 */
#ifndef XF_DIRTYTABLE_H
#define XF_DIRTYTABLE_H

#include <stdbool.h>
#include <stdint.h>

#include "emit.h"

enum dirtytable_by {
	DIRTYTABLE_PAGE,	/* the hottest pages */
	DIRTYTABLE_CALL,	/* pages of each function */
	DIRTYTABLE_TYPE,	/* what they were */
	DIRTYTABLE_TIME,	/* working set, an interval a row */
	DIRTYTABLE_WRITE,	/* each record, in the order of the trace */
};

struct dirtytable_query {
	enum dirtytable_by by;
	bool json;
	bool once;		/* only pages that were written once */
	bool tracer;		/* also what the tracer itself wrote */
	uint64_t max;		/* rows; 0: all */
	uint64_t interval_ns;	/* of a row by time */
};

extern const struct emit_ops emit_dirtytable;

#endif
