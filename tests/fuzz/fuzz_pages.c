// SPDX-License-Identifier: GPL-2.0-only
/* What pages are used for: struct page, slab caches, inodes, tasks. */
#include <time.h>

/* Stacks are looked for anew after a while: on a busy host in any input. */
static int stop_clock(clockid_t clock, struct timespec *ret)
{
	*ret = (struct timespec){ .tv_sec = 1 };
	return clock == CLOCK_MONOTONIC ? 0 : clock_gettime(clock, ret);
}

#define clock_gettime stop_clock
#include "../../kvm-memfile/pages.c"

#include "guest.h"
#include "unit/fake_layouts.h"

void fuzz_one(struct cursor *in)
{
	/* As in a 6.1 guest. */
	static const struct pages_layout layout = {
		FAKE_PAGES,
		.vmemmap = 0xffffea0000000000,
		.init_task = 0xffffffff8801a940,
		.task_tasks = 2248,
		.task_signal = 2960,
		.signal_threads = 16,
		.task_node = 2832,
		.task_stack = 32,
		.task_pid = 2480,
		.task_comm = 2944,
	};
	_cleanup_(pages_deinit) struct pages p = PAGES_INIT;
	const struct gva space = { 0 };
	struct page_what what;

	guest_begin(in, GUEST_GVA);
	pages_init(&p, &space, &layout);
	pages_add(&p, 0x1000000, 0x200000, 0xffffffff81000000, XFT_PAGE_TEXT,
		  NULL);
	pages_seal(&p);
	for (uint64_t gpa = 0xff0000; gpa < 0x1010000; gpa += 0x4000) {
		guest_forget();
		guest_pointer(layout.vmemmap + gpa / 4096 * 64);
		guest_pointer(layout.init_task);
		pages_ask(&p, gpa, &what);
		fuzz_must(memchr(what.name, 0, sizeof(what.name)) != NULL);
	}
	guest_end();
}
