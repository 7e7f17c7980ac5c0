// SPDX-License-Identifier: GPL-2.0-only
/* The control block: found, read and believed while a request waits. */
#include <time.h>

#include "guest.h"
#include "mailbox.h"

/* Nobody needs to wait here. */
int nanosleep(const struct timespec *time, struct timespec *ret_left)
{
	return 0;
}

static bool is_odd(void *arg, const struct xft_ctl *ctl)
{
	return ctl->instance & 1;
}

void fuzz_one(struct cursor *in)
{
	static const uint64_t root = 1;
	static const struct mailbox_event event = { "sched:sched_switch", 1 };
	const struct mailbox_start start = {
		.nr_roots = 1, .roots = &root, .nr_events = 1, .events = &event
	};
	struct mailbox mb = { 0 };
	struct xft_ctl ctl;
	struct xf_err err;

	/* Its words are polled: two looks at them are fine. */
	guest_begin(in, GUEST_MEMFILE);
	if (!mailbox_find(&mb, &guest_ram, 0, &err)) {
		guest_begin(in, GUEST_GVA);
		mailbox_ctl(&mb, &ctl, &err);
		guest_begin(in, GUEST_MEMFILE);
		mailbox_request(&mb, XFT_CMD_PING, 0, NULL, NULL, &err);
		mailbox_start(&mb, &start, 0, NULL, NULL, &err);
	}
	guest_begin(in, GUEST_MEMFILE);
	mailbox_find_dead(&mb, &guest_ram, is_odd, NULL, &err);
	guest_end();
}
