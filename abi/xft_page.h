/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * xft_page -- what a page of guest RAM may be, as traces have it.
 *
 * What is dangerous to write comes first. The numbers are stored.
 */
#ifndef XFT_PAGE_H
#define XFT_PAGE_H

enum xft_page_type {
	XFT_PAGE_UNKNOWN,	/* none of what follows, or not readable */
	XFT_PAGE_TEXT,		/* kernel code; value: address */
	XFT_PAGE_SYSCALLS,	/* the system call table; value: address */
	XFT_PAGE_RODATA,	/* value: address */
	XFT_PAGE_MODULE_TEXT,	/* value: address; name: the module's */
	XFT_PAGE_MODULE,	/* its data; likewise */
	XFT_PAGE_DATA,		/* kernel data; value: address; name: symbol */
	XFT_PAGE_BSS,		/* likewise */
	XFT_PAGE_PERCPU,	/* value: CPU */
	XFT_PAGE_TABLE,		/* page table */
	XFT_PAGE_STACK,		/* kernel stack; value: pid; name: task's */
	XFT_PAGE_SLAB,		/* name: of the cache */
	XFT_PAGE_CACHE,		/* page cache; value: inode number */
	XFT_PAGE_ANON,		/* a program's memory */
	XFT_PAGE_FREE,		/* was free when looked at */
	XFT_PAGE_RING,		/* our own: rings and mailbox */
	XFT_NR_PAGE_TYPES,
};

#endif
