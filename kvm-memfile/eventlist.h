/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * eventlist -- the trace events of the guest's kernel, and their formats.
 *
 *	_cleanup_(eventlist_deinit) struct eventlist el = EVENTLIST_INIT;
 *
 *	rc = eventlist_read(&el, &space, &layout, err);
 *	for (size_t i = 0; !rc && i < el.nr; i++)
 *		rc = eventlist_format(&el, i, &text, err);
 *
 * A format is what the guest's file events/SYSTEM/EVENT/format would say, to
 * the byte. It is put together here, from the kernel's own descriptions.
 *
 * The lists and strings are the guest's and not trusted. One eventlist may
 * cost what the EVENTLIST_MAX_* below say, all calls on it together. Names are
 * printable ASCII without blanks, ':' and '/'; formats are lines of printable
 * ASCII and tabs. What they mean is another matter: it is the guest's word.
 *
 * Events come and go while we read and there is no lock to take: after
 * -EBADMSG or -EFAULT try again once or twice, with a new list.
 *
 * Errors of all calls: -EBADMSG: a list contradicts itself, a string is no
 * text, an event is no longer what it was. -E2BIG: more events, fields or
 * bytes than the limit. -ETIME: too slow. Others as in gva.h.
 */
#ifndef XF_EVENTLIST_H
#define XF_EVENTLIST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buf.h"
#include "err.h"
#include "gva.h"

#define EVENTLIST_MAX_EVENTS 8192
#define EVENTLIST_MAX_FIELDS 512	/* of one event; kprobes have 128 */
#define EVENTLIST_MAX_NAME   256	/* bytes with the 0 */
#define EVENTLIST_MAX_TYPE   1024	/* "unsigned long", "struct a *" */
#define EVENTLIST_MAX_PRINT  (64u << 10)
#define EVENTLIST_MAX_BYTES  (32u << 20) /* copied from the guest */
#define EVENTLIST_MAX_CPU_MS 40		/* of this thread, list and formats */

/* What the guest's kernel is like. */
struct eventlist_layout {
	/* Run-time addresses of its variables. */
	uint64_t events;	/* ftrace_events */
	uint64_t common_fields;	/* ftrace_common_fields */
	uint64_t syscall_enter;	/* event_class_syscall_enter; 0: no such */

	/* Bits in a trace_event_call's flags; 0: this kernel has no such. */
	uint32_t flag_ignore_enable, flag_tracepoint, flag_custom;

	/* Bytes of its structures, at most EVENTLIST_STRUCT. */
	uint32_t sizeof_call, sizeof_class, sizeof_field;

	/*
	 * Offsets in them, in bytes. Pointers are u64, lists struct list_head,
	 * numbers u32.
	 */
	/* struct trace_event_call */
	uint32_t call_list;	/* list */
	uint32_t call_class;	/* pointer */
	uint32_t call_name;	/* pointer to a string or a struct tracepoint */
	uint32_t call_type;	/* number: the event's id */
	uint32_t call_print_fmt; /* pointer */
	uint32_t call_data;	/* pointer */
	uint32_t call_flags;	/* number */
	/* struct trace_event_class */
	uint32_t class_system;	/* pointer */
	uint32_t class_fields;	/* list */
	uint32_t class_get_fields; /* pointer */
	/* struct tracepoint; at most EVENTLIST_STRUCT, as is the next */
	uint32_t tracepoint_name; /* pointer */
	/* struct syscall_metadata */
	uint32_t syscall_fields; /* list */
	/* struct ftrace_event_field */
	uint32_t field_link;	/* list */
	uint32_t field_name;	/* pointer */
	uint32_t field_type;	/* pointer */
	uint32_t field_offset;	/* number */
	uint32_t field_size;	/* number */
	uint32_t field_signed;	/* number; true if it has a bit in common ... */
	uint32_t field_signed_mask; /* ... with this, which is no offset */
	uint32_t field_len;	/* number */
};

#define EVENTLIST_STRUCT 512

struct eventlist_event {
	char *system, *name;	/* owned by the list */
	uint16_t id;		/* common_type of its records, not 0 */
	bool internal;		/* of the tracers: cannot be switched on */
	/* private: pointers of its trace_event_call, and where that is */
	uint64_t call, call_name, class, print_fmt, data;
};

struct eventlist {
	struct eventlist_event *event; /* owned; oldest first, as there */
	size_t nr;
	/* private */
	struct gva space;
	struct eventlist_layout layout;
	struct buf common;	/* the part that all formats share */
	char *print;		/* EVENTLIST_MAX_PRINT bytes to read into */
	uint64_t bytes, reads, cpu_ns, since; /* spent */
};

#define EVENTLIST_INIT { 0 }

/* -EINVAL: a layout that cannot be. On failure @el stays empty. */
int eventlist_read(struct eventlist *el, const struct gva *space,
		   const struct eventlist_layout *layout, struct xf_err *err);
void eventlist_deinit(struct eventlist *el);

/*
 * Append the format of el->event[@nr] to @ret_text. -ENOTSUP: its fields are
 * known only to a function in the guest (a program's own events).
 */
int eventlist_format(struct eventlist *el, size_t nr, struct buf *ret_text,
		     struct xf_err *err);

#endif
