/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * merge -- the records of one session in one order, the host's among them.
 *
 * The records of one ring keep the order in which they were written, and so do
 * those of one CPU of the host; between them the time stamp decides. Memory
 * does not grow with the trace.
 *
 *	merge_init(&m, trace, session);
 *	while (merge_next(&m, &rec))
 *		...
 *	merge_deinit(&m);
 */
#ifndef XF_MERGE_H
#define XF_MERGE_H

#include <stdbool.h>
#include <stdint.h>

#include "hostpages.h"
#include "trace.h"
#include "xft_abi.h"

struct record {
	const struct host_event *host;	/* it is that, and has no more than a
					 * tsc; NULL: the guest's */
	uint64_t tsc;
	uint64_t func;		/* ENTRY, RETURN */
	uint64_t caller;	/* ENTRY: return address in the caller */
	uint64_t lost;		/* records missing in this ring before it */
	uint64_t pos;		/* where in the CPU's main ring it begins, if
				 * pages of that CPU were recorded; else 0 */
	const uint64_t *data;	/* what follows the first two words of a call,
				 * or the first of an EVENT; whole words, each
				 * still masked with ... */
	uint64_t key;		/* 0 if they were sealed */
	uint32_t len;		/* bytes of that */
	uint32_t cpu;
	uint32_t pid;
	uint32_t tgid;
	uint8_t type;		/* enum xft_type; other types are left out */
	uint8_t context;	/* enum xft_context */
	uint8_t depth;
	char comm[17];		/* as the guest gave it:
				 * escape before printing */
};

struct merge_stream;

struct merge {
	const struct trace *trace;	/* borrowed */
	struct merge_stream *streams;	/* one a ring, then one a host CPU */
	struct hostclock clock;
	struct merge_stream **heap;	/* by the time of their next record */
	size_t nr;			/* streams that are not at their end */
	uint64_t limit;			/* earliest record of
					 * all but the first */
	uint64_t records;		/* read so far, TASK records included */
	uint64_t lost;			/* missing so far */
	uint64_t bad_spans;		/* left out: damaged, or no key */
	uint64_t verified;		/* sealed records, among these */
	bool is_ringless;		/* a ring has nothing but faults */
	uint64_t seek;			/* what unseal_open() may
					 * still leave out */
	struct merge_stream *last;	/* the one that rec came from */
	size_t nr_streams;
};

void merge_init(struct merge *m, const struct trace *t,
		const struct trace_session *s);
void merge_deinit(struct merge *m);

/* *@ret_rec is valid until the next call. False at the end. */
bool merge_next(struct merge *m, const struct record **ret_rec);

/*
 * Up to this TSC all sealed records are good, when all were read; 0: a ring has
 * a fault and no good one before it.
 */
uint64_t merge_sound_tsc(const struct merge *m);

/* The record that follows the last one on its CPU, or NULL. */
const struct record *merge_peek(const struct merge *m);

#endif
