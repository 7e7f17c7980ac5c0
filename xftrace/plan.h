/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * plan -- from what the user wants recorded to what the guest is asked for.
 *
 *	_cleanup_(plan_deinit) struct plan p = { 0 };
 *
 *	rc = plan_make(&p, &target, &spec, err);
 *	...
 *	rc = mailbox_start(&t->mb, &p.start, ...);
 *
 * Names become addresses of functions and ids of events in this guest, as it
 * is now; a plan is good for one START.
 */
#ifndef XF_PLAN_H
#define XF_PLAN_H

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

#include "dirtytrace.h"
#include "target.h"
#include "target_events.h"

/* What to record, and how. Strings and arrays are borrowed. */
struct recording_spec {
	char *const *names;	/* functions as typed */
	size_t nr_names;
	char *const *events;	/* patterns as typed */
	size_t nr_events;
	char *const *host_events; /* of the host, for the vCPUs */
	size_t nr_host_events;
	struct dirtytrace_wish dirty; /* pages that the guest writes */
	bool keep_stock;	/* leave readable copies of
				 * events in the guest */
	uint32_t max_depth;
	bool no_args;		/* calls only, not what they were given */
	uint32_t string_max;	/* bytes kept of a string argument */
	uint64_t ring_size;	/* bytes a CPU */
	bool sealed;		/* --mask=sealed, not xor */
	uint64_t key_interval_ns; /* xor's */
	uint64_t commit_ns;	/* between two commits */
	const char *guest;	/* what the header calls the guest */
	const char *store;	/* file */
	const char *trace;	/* its name there */
};

struct plan {
	struct mailbox_start start;	/* points into what follows */
	struct target_sites sites;
	struct target_events events;	/* to be recorded */
	struct target_events calls;	/* what describes traced system calls */
	struct target_events graph;	/* the stock tracer's own */
	struct mailbox_event *wants;	/* events, as the guest is told */
	char *missing;			/* patterns that were
					 * left out, or NULL */
};

/*
 * @again: not the first START; events that are not there any more are left out.
 * Errors as in target_find_sites() and target_find_events().
 */
int plan_make(struct plan *p, struct target *t,
	      const struct recording_spec *spec, bool again,
	      struct xf_err *err);
void plan_deinit(struct plan *p);

/* The formats of its events, for the trace: TRACE_EVENTS; NULL: none. */
json_t *plan_formats(const struct plan *p);

#endif
