/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * fake_pages -- members of a struct pages_layout that tests agree on.
 *
 *	static const struct pages_layout layout = {
 *		FAKE_PAGES,
 *		.vmemmap = VMEMMAP,
 *	};
 */
#ifndef FAKE_PAGES_H
#define FAKE_PAGES_H

#include "pages.h"

/* struct page, slab caches and inodes, as in a 6.1 guest. */
#define FAKE_PAGES                                                             \
	.sizeof_page = 64, .page_flags = 0, .page_head = 8,                    \
	.page_mapping = 24, .page_type = 48, .slab_bit = 9,                    \
	.type_slab = PAGES_NONE, .type_table = 0x200, .type_buddy = 0x80,      \
	.slab_cache = 24, .cache_name = 96, .mapping_host = 0,                 \
	.inode_ino = 64

/* Tasks that are small; where their list goes on is the test's. */
#define FAKE_TASKS                                                             \
	.task_signal = 32, .signal_threads = 8, .task_node = 48,               \
	.task_stack = 64, .task_pid = 72, .task_comm = 80

#endif
