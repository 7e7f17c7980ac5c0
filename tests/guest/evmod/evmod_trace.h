/* SPDX-License-Identifier: GPL-2.0-only */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM evmod

#if !defined(EVMOD_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define EVMOD_TRACE_H

#include <linux/tracepoint.h>

TRACE_EVENT(evmod_tick,
	TP_PROTO(int n, const char *text),
	TP_ARGS(n, text),
	TP_STRUCT__entry(
		__field(int, n)
		__array(char, text, 16)
	),
	TP_fast_assign(
		__entry->n = n;
		strscpy(__entry->text, text, sizeof(__entry->text));
	),
	TP_printk("n=%d text=%s", __entry->n, __entry->text)
);

/* More than one record of a ring can hold. */
TRACE_EVENT(evmod_large,
	TP_PROTO(u8 fill),
	TP_ARGS(fill),
	TP_STRUCT__entry(
		__field(int, n)
		__array(u8, fill, 3980)
	),
	TP_fast_assign(
		__entry->n = fill;
		memset(__entry->fill, fill, sizeof(__entry->fill));
	),
	TP_printk("n=%d", __entry->n)
);

#endif

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE evmod_trace
#include <trace/define_trace.h>
