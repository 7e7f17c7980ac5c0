/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * datpages -- each CPU's records as pages of ftrace's ring buffer.
 *
 * A trace.dat has the pages of one CPU behind those of another, while records
 * come in order of time over all CPUs. So each CPU that has any gets a file
 * without a name for its pages, and at the end they are copied one after the
 * other. Memory does not grow with the trace.
 *
 *	struct datpages d = { .beside = "trace.dat" };
 *
 *	p = datpages_put(&d, cpu, ns, len);	for each record; fill it at once
 *	datpages_lost(&d, cpu, nr);
 *	datpages_flush(&d);
 *	...				d.cpu[] tells how much there is
 *	datpages_copy(&d, cpu, sink);
 *	datpages_deinit(&d);
 *
 * A file that cannot be made or written is noted in failed, and all goes on
 * without writing.
 */
#ifndef XF_DATPAGES_H
#define XF_DATPAGES_H

#include <stddef.h>
#include <stdint.h>

#include "emit.h"
#include "xft_abi.h"

#define DATPAGES_PAGE	4096u
#define DATPAGES_HEADER 16u /* time, and how much of the page is used */
#define DATPAGES_DATA	(DATPAGES_PAGE - DATPAGES_HEADER)
/* The longest record: with its own header, and the number of lost ones. */
#define DATPAGES_RECORD	(DATPAGES_DATA - 16)

struct datpages_cpu {
	uint64_t pages;	  /* in the file */
	uint64_t lost;	  /* in all */
	/* The rest is datpages.c's own. */
	uint64_t pending; /* lost before the next record */
	uint64_t missed;  /* lost before this page */
	uint64_t ns;	  /* of the last record */
	uint32_t len;	  /* bytes of data in the page */
	int fd;
	uint8_t page[DATPAGES_PAGE];
};

struct datpages {
	const char *beside; /* borrowed; see io_open_unnamed() */
	struct datpages_cpu *cpu[XFT_MAX_CPUS]; /* owned; NULL: nothing there */
	uint32_t nr;	    /* CPUs, less those behind the last with records */
	int failed;	    /* -errno of what failed first */
};

/*
 * Room for a record of @len bytes, at most DATPAGES_RECORD, all 0. A CPU's time
 * does not go back: what is older than the record before it is as old.
 */
void *datpages_put(struct datpages *d, uint32_t cpu, uint64_t ns, size_t len);

/* @nr records are missing before the CPU's next. */
void datpages_lost(struct datpages *d, uint32_t cpu, uint64_t nr);

/* Pages that are not full yet are written, too. */
void datpages_flush(struct datpages *d);

/* Append the pages of @cpu. */
void datpages_copy(struct datpages *d, uint32_t cpu, struct sink *sink);

void datpages_deinit(struct datpages *d);

#endif
