/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * pages -- what a page of the guest's RAM is used for, at this moment.
 *
 *	_cleanup_(pages_deinit) struct pages p = PAGES_INIT;
 *
 *	pages_init(&p, &space, &layout);
 *	pages_add(&p, gpa, len, addr, XFT_PAGE_TEXT, NULL);	its parts
 *	pages_seal(&p);
 *	pages_ask(&p, gpa, &what);
 *
 * Parts of known place come first, then kernel stacks, then what the kernel's
 * own struct page says. All of that lies in guest RAM and changes while it is
 * read, and an intruder may have put anything there: each question reads a
 * fixed number of words, copies each once, and answers XFT_PAGE_UNKNOWN rather
 * than fail. Names are the guest's bytes, cut: escape them.
 */
#ifndef XF_PAGES_H
#define XF_PAGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gva.h"
#include "xft_page.h"

#define PAGES_NAME	   32
#define PAGES_MAX_PARTS	   (1u << 16)
#define PAGES_MAX_VIRTUAL  (1u << 17)	/* pages of all pages_add_virtual() */
#define PAGES_MAX_SITES	   (1u << 17)
#define PAGES_MAX_TASKS	   (1u << 15)	/* whose stacks are looked for */
#define PAGES_MAX_CPU_MS   10		/* of this thread, for that */
#define PAGES_STACK_PAGES  4		/* of x86-64 without KASAN */

/*
 * What the guest's kernel is like: offsets in bytes; run-time addresses.
 * PAGES_NONE: it has no such thing.
 */
#define PAGES_NONE UINT32_MAX

struct pages_layout {
	uint64_t vmemmap;	/* struct page of gpa 0; 0: not known */
	uint32_t sizeof_page;	/* at most PAGES_STRUCT */
	uint32_t page_flags;	/* u64 */
	uint32_t page_head;	/* u64, bit 0: it is the head's address */
	uint32_t page_mapping;	/* pointer, low bits: kind */
	uint32_t page_type;	/* u32 */
	uint32_t slab_bit;	/* in the flags, until 6.9 */
	uint32_t type_slab;	/* page_type >> 24, from 6.12 */
	uint32_t type_table;
	uint32_t type_buddy;
	uint32_t slab_cache;	/* struct slab: pointer to struct kmem_cache */
	uint32_t cache_name;	/* pointer to a string */
	uint32_t mapping_host;	/* struct address_space: pointer to inode */
	uint32_t inode_ino;	/* u64 */
	uint64_t init_task;	/* address; 0: not known */
	uint32_t task_tasks;	/* list of processes */
	uint32_t task_signal;	/* pointer to struct signal_struct */
	uint32_t signal_threads; /* list of threads, through ... */
	uint32_t task_node;	/* ... this in struct task_struct */
	uint32_t task_stack;	/* pointer */
	uint32_t task_pid;	/* u32 */
	uint32_t task_comm;	/* char[16] */
};

#define PAGES_STRUCT 128

struct page_what {
	uint8_t type;		/* enum xft_page_type */
	bool is_site;		/* code that the kernel itself patches */
	uint64_t value;		/* depends on it */
	char name[PAGES_NAME];	/* may be empty */
};

struct pages_part {
	uint64_t gpa, len;
	uint64_t value;		/* of its first byte, if it is an address */
	uint8_t type;
	char name[PAGES_NAME];
};

struct pages_stack {
	uint64_t gpa;		/* of one page */
	uint32_t pid;
	char comm[16];
};

struct pages {
	struct gva space;
	struct pages_layout layout;
	struct pages_part *part; /* owned; by gpa once sealed */
	size_t nr_parts, cap_parts;
	uint32_t virtual;	/* pages whose place was looked up for them */
	struct pages_stack *stack; /* owned; by gpa */
	size_t nr_stacks, cap_stacks;
	uint64_t *site;		/* owned; run-time addresses,
				 * sorted once sealed */
	size_t nr_sites, cap_sites;
	uint64_t stacks_ns;	/* when they were looked for */
	struct pages_cache {
		uint64_t addr;	/* struct kmem_cache */
		char name[PAGES_NAME];
	} cache[256];
};

#define PAGES_INIT { 0 }

void pages_init(struct pages *p, const struct gva *space,
		const struct pages_layout *layout);
void pages_deinit(struct pages *p);

/*
 * A part of RAM that is known to be @type. Where two overlap, the one that
 * begins later counts, then the lower type.
 */
void pages_add(struct pages *p, uint64_t gpa, uint64_t len, uint64_t value,
	       enum xft_page_type type, const char *name);
/*
 * The same for guest-virtual memory, which lies in pages here and there. What
 * is beyond PAGES_MAX_VIRTUAL is left out: more than the modules of any kernel.
 */
void pages_add_virtual(struct pages *p, uint64_t addr, uint64_t len,
		       uint64_t value, enum xft_page_type type,
		       const char *name);
/* Where the kernel patches an instruction of its own, of at most 5 bytes. */
void pages_add_site(struct pages *p, uint64_t addr);
void pages_seal(struct pages *p);

void pages_ask(struct pages *p, uint64_t gpa, struct page_what *ret);

#endif
