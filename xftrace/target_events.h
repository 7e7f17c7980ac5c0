/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * target_events -- what people type, to trace events of a guest.
 *
 * Patterns are those of eventquery.h.
 *
 * Events are those that the guest's kernel has at this moment, of modules and
 * dynamic ones (kprobes, uprobes, synthetic) among them.
 */
#ifndef XF_TARGET_EVENTS_H
#define XF_TARGET_EVENTS_H

#include <stddef.h>
#include <stdint.h>

#include "target.h"

struct target_event {
	char *system, *name;	/* printable; no blanks, ':' or '/' */
	char *format;		/* printable lines; NULL if not asked for */
	uint16_t id;		/* common_type of its records */
};

struct target_events {
	struct target_event *event; /* owned; by system, then name */
	size_t nr;
};

#define TARGET_EVENTS_INIT { 0 }

enum target_events_flags {
	/*
	 * Also what tracers write by themselves, such as
	 * ftrace:funcgraph_entry. It cannot be switched on as an event.
	 */
	TARGET_EVENTS_INTERNAL = 1,
	TARGET_EVENTS_NO_FORMAT = 2,
};

void target_events_deinit(struct target_events *e);

/*
 * After target_find_kernel(); needs no module in the guest. Each event comes
 * once, however many of the patterns mean it.
 *
 * -ENOENT: a pattern means no event (the sentence suggests others). -ENOTSUP:
 * only such as cannot be switched on; or a kernel that we do not know. -EINVAL:
 * an empty pattern. Others as in eventlist.h and target_btf.h.
 */
int target_find_events(struct target *t, char *const *patterns, size_t nr,
		       unsigned int flags, struct target_events *ret,
		       struct xf_err *err);

#endif
