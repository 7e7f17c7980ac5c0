/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * emit -- what an output format implements.
 *
 * callgraph calls begin, then enter, leave, event, host_event and lost in order
 * of time, then end, once for each session. An emitter neither sorts nor
 * filters; it writes through buf or json into the sink, which hands full
 * buffers on.
 *
 * Every enter has its leave, after those of all calls inside it; a leave
 * without an enter is marked CALL_HEADLESS.
 */
#ifndef XF_EMIT_H
#define XF_EMIT_H

#include <stdbool.h>
#include <stdint.h>

#include "buf.h"
#include "dirtyjoin.h"
#include "err.h"
#include "formats.h"
#include "hostpages.h"
#include "names.h"
#include "trace.h"

enum call_end {
	CALL_RETURNED,
	CALL_OPEN,	/* had not returned when the trace ended */
	CALL_CUT,	/* its return is among lost records */
	CALL_LEFT,	/* never returned: the task ended in it */
	CALL_HEADLESS,	/* its entry is lost, or before the trace began */
};

struct task {
	uint32_t pid;
	uint32_t tgid;
	char comm[68];		/* escaped, safe to print */
	uint32_t comm_len;
};

struct call {
	const struct task *task;
	const struct call *parent; /* the call around it, or NULL */
	uint64_t func;
	uint64_t caller;	/* return address; 0 when headless */
	const struct dirty_set *dirty; /* pages that it wrote itself, in leave,
				 * and in enter when leaf; or NULL */
	const struct dirty_set *maybe; /* or calls around or within it did, or
				 * what ran in between */
	const uint64_t *args;	/* of a system call, as in xft_abi.h */
	uint32_t nr_args;	/* words there; 0: not recorded */
	bool has_result;	/* in leave, and in enter when leaf */
	uint64_t result;
	uint64_t tsc_in;	/* 0 when headless */
	uint64_t tsc_out;	/* in leave, and in enter when leaf */
	uint32_t cpu;		/* where it was at this moment */
	uint16_t level;		/* indentation */
	uint8_t depth;		/* as the guest counted */
	uint8_t context;	/* enum xft_context */
	uint8_t end;		/* enum call_end, in leave */
	bool leaf;		/* leave follows at once, nothing in between */
};

/* A trace event; @call is what its task was doing, or NULL. */
struct event {
	const struct task *task;
	const struct call *call;
	const void *data;	/* as ftrace has it, from common_type on */
	uint32_t len;
	uint64_t tsc;
	uint32_t cpu;
	uint16_t level;		/* indentation */
	uint8_t context;	/* enum xft_context */
	bool cut;		/* its end is missing */
};

/* Totals of a session. */
struct call_stats {
	uint64_t calls;
	uint64_t events;
	uint64_t host_events;
	uint64_t host_lost;	/* HOST_LOST_SOME: nobody counted all of them */
	uint64_t records;
	uint64_t lost;
	uint64_t open;		/* at the end, or left */
	uint64_t cut;
	uint64_t headless;
	uint64_t dirty;		/* pages written, as often as was recorded */
	uint64_t dirty_lost;
	uint64_t unknown;	/* calls of addresses without a symbol */
	uint64_t bad_spans;
	uint64_t first_tsc, last_tsc;
};

/* Where output goes: full buffers are written to a descriptor. */
struct sink {
	struct buf buf;
	int fd;
	int failed;		/* -errno of the first write that failed */
	const char *beside;	/* temporary files go here: io_open_unnamed() */
	const void *arg;	/* what the format is told
				 * by its user, or NULL */
	/* All was written: go on with the file of the next session. */
	int (*next)(struct sink *s, struct xf_err *err);
};

/* Hand the buffer on if it is large; call after each line or object. */
void sink_flush(struct sink *s, bool all);

struct emitter {
	const struct emit_ops *ops;
	struct sink *sink;		/* borrowed */
	const struct trace *trace;	/* borrowed */
	const struct trace_session *session; /* set before begin */
	struct names names;		/* of the session */
	struct formats formats;		/* of its events */
};

struct emit_ops {
	const char *name;	/* --format */
	const char *file;	/* where it goes unless the user says */
	bool binary;		/* not for a terminal; one session a file */
	/* Stats are those of the session to come, or NULL if not known yet. */
	void (*begin)(struct emitter *e, const struct call_stats *totals);
	void (*enter)(struct emitter *e, const struct call *c);
	void (*leave)(struct emitter *e, const struct call *c);
	void (*event)(struct emitter *e, const struct event *ev);
	/* Of the host, with what was lost before it; NULL: left out. */
	void (*host_event)(struct emitter *e, const struct host_event *ev);
	/*
	 * A page was written, by @c, or, NULL, by nobody who is traced; if the
	 * page was harvested, @c is one of those who may have. NULL: left out.
	 */
	void (*dirty)(struct emitter *e, const struct dirty_page *d,
		      const struct call *c);
	void (*lost)(struct emitter *e, uint32_t cpu, uint64_t records);
	void (*end)(struct emitter *e, const struct call_stats *totals);
	size_t state_size;	/* of the emitter's struct, which starts with
				 * struct emitter and is zeroed */
};

extern const struct emit_ops emit_text, emit_dat;

/* Ticks of the session's TSC as nanoseconds. */
static inline uint64_t emit_ns(const struct emitter *e, uint64_t ticks)
{
	return trace_ticks_ns(ticks, e->session->tsc_khz);
}

#endif
