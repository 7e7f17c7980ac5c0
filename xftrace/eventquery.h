/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * eventquery -- what people type to name trace events, of a guest or the host.
 *
 *	sched:sched_switch	this one; sched/sched_switch is the same
 *	sched:sched_w*, *:*mm*	glob patterns in both halves, see fnmatch(3)
 *	sched			all of a system, and events of that name
 *	sched_switch		in whichever system
 *	all			all
 *
 *	_cleanup_(eventquery_deinit) struct eventquery q = { 0 };
 *
 *	rc = eventquery_init(&q, typed, err);
 *	... eventquery_matches(&q, system, name) ...
 *	return eventquery_failed(&q, list, nr, "the guest", err);
 */
#ifndef XF_EVENTQUERY_H
#define XF_EVENTQUERY_H

#include <stdbool.h>
#include <stddef.h>

#include "err.h"

struct eventquery {
	const char *typed;	/* borrowed */
	char *system, *event;	/* owned; system is NULL if not said */
};

/* An event that there is; both are printable and borrowed. */
struct eventname {
	const char *system, *name;
};

/* -EINVAL: nothing was typed. */
int eventquery_init(struct eventquery *q, const char *typed,
		    struct xf_err *err);
void eventquery_deinit(struct eventquery *q);

bool eventquery_matches(const struct eventquery *q, const char *system,
			const char *name);

/*
 * The sentence, with what is spelled nearly so, for a query that none of the
 * events of @where matches. Returns -ENOENT.
 */
int eventquery_failed(const struct eventquery *q, const struct eventname *list,
		      size_t nr, const char *where, struct xf_err *err);

#endif
