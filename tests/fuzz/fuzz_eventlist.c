// SPDX-License-Identifier: GPL-2.0-only
/*
 * The list of trace events, and their descriptions. An input is no longer than
 * a few pages: room for more than could come of it takes time, and finds
 * nothing.
 */
#include "eventlist.h"

#undef EVENTLIST_MAX_EVENTS
#define EVENTLIST_MAX_EVENTS 64
#undef EVENTLIST_MAX_PRINT
#define EVENTLIST_MAX_PRINT (4u << 10)

#include "../../kvm-memfile/eventlist.c"

#include "guest.h"

/* As in the 6.1 guest that the seeds are from. */
static const struct eventlist_layout layout = {
	.events = 0xffffffff8813ca20,
	.common_fields = 0xffffffff8813ca00,
	.syscall_enter = 0xffffffff881fcec0,
	.flag_ignore_enable = 8,
	.flag_tracepoint = 16,
	.flag_custom = 512,
	.sizeof_call = 144,
	.sizeof_class = 72,
	.sizeof_field = 56,
	.call_list = 0,
	.call_class = 16,
	.call_name = 24,
	.call_type = 64,
	.call_print_fmt = 80,
	.call_data = 104,
	.call_flags = 112,
	.class_system = 0,
	.class_fields = 48,
	.class_get_fields = 40,
	.tracepoint_name = 0,
	.syscall_fields = 32,
	.field_link = 0,
	.field_name = 16,
	.field_type = 24,
	.field_offset = 36,
	.field_size = 40,
	.field_signed = 44,
	.field_signed_mask = ~0u,
	.field_len = 48,
};

void fuzz_one(struct cursor *in)
{
	_cleanup_(eventlist_deinit) struct eventlist el = EVENTLIST_INIT;
	_cleanup_(buf_deinit) struct buf text = BUF_INIT;
	const struct gva space = { 0 };
	struct xf_err err;

	guest_begin(in, GUEST_GVA);
	guest_pointer(layout.events);
	guest_pointer(layout.common_fields);
	if (!eventlist_read(&el, &space, &layout, &err))
		for (size_t i = 0; i < el.nr; i++) {
			guest_forget();
			guest_pointer(el.event[i].call);
			guest_pointer(el.event[i].class);
			guest_pointer(el.event[i].data);
			guest_pointer(el.event[i].print_fmt);
			eventlist_format(&el, i, &text, &err);
		}
	guest_end();
	for (size_t i = 0; i < text.len; i++)
		fuzz_must((text.data[i] >= ' ' && text.data[i] <= '~') ||
			  strchr("\n\t", text.data[i]));
}
