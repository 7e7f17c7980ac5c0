/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * fake_layouts -- what structures of a kernel look like that tests agree on.
 *
 *	static const struct pages_layout layout = {
 *		FAKE_PAGES,
 *		.vmemmap = VMEMMAP,
 *	};
 */
#ifndef FAKE_LAYOUTS_H
#define FAKE_LAYOUTS_H

/* struct pages_layout: struct page, slab caches and inodes of a 6.1 guest. */
#define FAKE_PAGES                                                             \
	.sizeof_page = 64, .page_flags = 0, .page_head = 8,                    \
	.page_mapping = 24, .page_type = 48, .slab_bit = 9,                    \
	.type_slab = PAGES_NONE, .type_table = 0x200, .type_buddy = 0x80,      \
	.slab_cache = 24, .cache_name = 96, .mapping_host = 0,                 \
	.inode_ino = 64

/* And tasks that are small; where their list goes on is the test's. */
#define FAKE_TASKS                                                             \
	.task_signal = 32, .signal_threads = 8, .task_node = 48,               \
	.task_stack = 64, .task_pid = 72, .task_comm = 80

/* struct modlist_layout, of a 6.1 guest. */
#define FAKE_MODULES                                                           \
	.list = 8, .name = 24, .name_len = 56, .text_base = 320,               \
	.text_size = 332, .kallsyms = 544, .symtab = 0, .num_symtab = 8,       \
	.strtab = 16, .typetab = 24

/* struct eventlist_layout; of no kernel. */
#define FAKE_EVENTS                                                            \
	.sizeof_call = 128, .sizeof_class = 72, .sizeof_field = 56,            \
	.call_list = 8, .call_class = 24, .call_name = 32, .call_type = 56,    \
	.call_print_fmt = 72, .call_data = 96, .call_flags = 104,              \
	.class_system = 0, .class_fields = 48, .class_get_fields = 40,         \
	.field_link = 0, .field_name = 16, .field_type = 24,                   \
	.field_offset = 36, .field_size = 40, .field_signed = 44,              \
	.field_signed_mask = 1, .field_len = 48

#endif
