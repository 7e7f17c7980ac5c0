/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * memfile -- the guest's RAM, mapped.
 *
 *	_cleanup_(memfile_close) struct memfile mf = MEMFILE_INIT;
 *	rc = memfile_open(&mf, &slots, 0, err);
 *	rc = memfile_read(&mf, gpa, &header, sizeof(header), err);
 *
 * All of RAM is mapped read-only; memfile_map_writable() adds the few pages
 * which the host writes. Mappings live until memfile_close(), also when QEMU
 * is gone by then.
 *
 * The guest writes all the time and is not trusted. memfile_read() copies
 * once: check the copy, use the copy. Who works on memfile_ptr() instead must
 * do the same with each word.
 *
 * If a file is truncated (or a page cannot be had from the host), the
 * memory that is missing reads as zeros and the memfile is marked: from then
 * on memfile_read() and memfile_check() fail with -EIO (base/sigbus.h).
 *
 * Any number of threads may read. One may open, map or close, and a memfile
 * that is being changed may not be read meanwhile.
 */
#ifndef XF_MEMFILE_H
#define XF_MEMFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include "err.h"
#include "memslot.h"

#define XF_PAGE_SIZE 4096u
/* A mailbox is small; more than this is a mistake. */
#define MEMFILE_MAX_WRITABLE (64 * XF_PAGE_SIZE)

enum memfile_flags {
	MEMFILE_ALLOW_OPEN = 1,	/* take RAM files that others can read, too */
};

struct memfile_map;

struct memfile_slot {
	uint64_t gpa, len;	/* guest-physical range */
	const uint8_t *ptr;	/* where it is mapped */
	struct memfile_map *map; /* borrowed */
};

struct memfile {
	struct memfile_slot *slot; /* owned; by rising gpa */
	size_t nr;
	struct memfile_map **map; /* owned; a mapping per file, then writable */
	size_t nr_maps;
	uint64_t ram_len;	/* bytes of RAM in all slots */
	bool guessed;		/* from memslots.guessed */
	bool open_ram;		/* a file is open to others: warn */
};

#define MEMFILE_INIT { 0 }

/*
 * Map what @ms describes; @ms may be released afterwards. Each file must be a
 * regular one (or a memfd) that belongs to us, to root or to QEMU's user.
 *
 * -EPERM: another user's file, or one that group or others may read or write
 * (without MEMFILE_ALLOW_OPEN). -ESTALE: smaller than the slots say. -EINVAL:
 * slots that make no sense. -EMFILE: too many memfiles in this process.
 */
int memfile_open(struct memfile *mf, const struct memslots *ms,
		 enum memfile_flags flags, struct xf_err *err);
/* May this file of guest memory be taken at all? -EINVAL, -EPERM as above. */
int memfile_check_access(const char *name, const struct stat *st,
			 enum memfile_flags flags, struct xf_err *err);
/* Also fine on MEMFILE_INIT and when called twice. */
void memfile_close(struct memfile *mf);

/*
 * Copy @len bytes of guest memory; the range may cross slots that touch.
 * -ERANGE: not all of it is guest RAM. -EIO: RAM is gone, see above. @dst is
 * undefined after a failure.
 */
int memfile_read(const struct memfile *mf, uint64_t gpa, void *dst, size_t len,
		 struct xf_err *err);

/* One aligned word, which is never torn. -EINVAL: not aligned. */
int memfile_read_u64(const struct memfile *mf, uint64_t gpa, uint64_t *ret,
		     struct xf_err *err);

/* Bytes of RAM from @gpa to the end of its slot, 0 if it is no RAM. */
uint64_t memfile_run(const struct memfile *mf, uint64_t gpa);

/*
 * The memory itself, or NULL unless the range lies in one slot. Volatile: it
 * changes under the reader. Call memfile_check() after reading.
 */
const void *memfile_ptr(const struct memfile *mf, uint64_t gpa, size_t len);

/* -EIO once RAM was found missing. */
int memfile_check(const struct memfile *mf, struct xf_err *err);

/*
 * A second mapping, readable and writable, of the pages of a range in one
 * slot. *@ret_ptr is where @gpa is; it lives until memfile_close(). -ERANGE:
 * not guest RAM. -E2BIG: more than MEMFILE_MAX_WRITABLE. -EACCES: the file
 * may not be written by us.
 */
int memfile_map_writable(struct memfile *mf, uint64_t gpa, size_t len,
			 void **ret_ptr, struct xf_err *err);

/* The file behind map[@i]: who gives up other files keeps that one. */
int memfile_fd(const struct memfile *mf, size_t i);

/* Called with each stretch of @len bytes that the host has memory for. */
typedef int (*memfile_extent_fn)(void *arg, uint64_t gpa, const void *ptr,
				 size_t len);

/*
 * Walk over RAM by rising gpa and leave out what was never touched: reading a
 * hole of a memfd would make the host allocate it. An extent is page-aligned,
 * of at most 2 MiB, and good only during the call. What @fn answers, other
 * than 0, ends the walk and is returned.
 */
int memfile_for_each_extent(const struct memfile *mf, memfile_extent_fn fn,
			    void *arg, struct xf_err *err);

#endif
