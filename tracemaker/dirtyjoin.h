/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * dirtyjoin -- dirty pages in step with the records of their vCPU.
 *
 *	dirtyjoin_init(&j, trace, session);
 *	while ((d = dirtyjoin_next(&j, cpu, record->pos)))
 *		...			was written before that record
 *	dirtyjoin_deinit(&j);
 *
 * A dirty page has the position that the vCPU's trace ring had at that moment:
 * no clock is needed. Of one that was harvested it is the end of an interval,
 * and it comes when the interval begins. Memory does not grow with the trace.
 */
#ifndef XF_DIRTYJOIN_H
#define XF_DIRTYJOIN_H

#include <stdbool.h>
#include <stdint.h>

#include "buf.h"
#include "names.h"
#include "trace.h"
#include "xft_abi.h"

struct dirty_page {
	const struct trace_dirty_record *rec; /* as stored: check its fields */
	uint32_t vcpu;
	uint32_t source;	/* enum xftd_kind */
	uint64_t lost;		/* by all vCPUs, so far */
	bool exact;
};

/* Distinct pages that one call has written, a page's own record each. */
#define DIRTY_SET_MAX 1024

struct dirty_set {
	const struct trace_dirty_record **rec; /* owned */
	uint32_t nr, cap;
	uint32_t more;		/* records that found no room */
	uint32_t width_us;	/* the widest interval; exact: 0 */
};

void dirty_set_add(struct dirty_set *s, const struct trace_dirty_record *rec);
void dirty_set_deinit(struct dirty_set *s);

/* "3: slab dentry, stack of sh-142, page cache ino 1234" */
void dirty_set_print(const struct dirty_set *s,
		     const struct trace_session *session, struct buf *out);

struct dirtyjoin {
	struct dirtyjoin_queue {
		const struct trace_writer *w;
		size_t chunk;
		uint32_t next;	/* record in it */
	} *queue;		/* owned; one a vCPU that wrote */
	size_t nr;
	struct dirtyjoin_queue *of_cpu[XFT_MAX_CPUS];
};

void dirtyjoin_init(struct dirtyjoin *j, const struct trace *t,
		    const struct trace_session *s);
void dirtyjoin_deinit(struct dirtyjoin *j);

/* The next page of @cpu that belongs before @pos; false: there is none. */
bool dirtyjoin_next(struct dirtyjoin *j, uint32_t cpu, uint64_t pos,
		    struct dirty_page *ret);

/* Was every page of it told at the very store? Also if there are none. */
bool dirty_is_exact_session(const struct trace *t,
			    const struct trace_session *s);
/*
 * When the first one was told; vCPUs are only about in step. 0: there is none.
 */
uint64_t dirty_first_ns(const struct trace *t, const struct trace_session *s);
/* Were pages recorded at all? */
bool dirty_is_in_session(const struct trace *t, const struct trace_session *s);

/* "slab", "page cache"; any number is fine. */
const char *dirty_type_name(uint8_t type);
/* Is a write to such a page what nobody should do? */
bool dirty_type_is_bad(uint8_t type);
/* "slab dentry", "page cache ino 1234": what it was, safe to print. */
void dirty_describe(const struct trace_dirty_record *rec,
		    const struct trace_session *s, struct buf *out);
/*
 * Did the tracer itself write it? Its code runs within each call and writes its
 * rings, its stack of return addresses, and, when it is switched on or off,
 * the kernel's code.
 */
bool dirty_is_tracer(const struct trace_dirty_record *rec,
		     struct names *names);

#endif
