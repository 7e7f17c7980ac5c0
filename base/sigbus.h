/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * sigbus -- a page of a mapped file that is gone becomes zeros and a mark.
 *
 * A file that is cut short while it is mapped, a disk that is full, a medium
 * that fails: whoever touches the page gets a SIGBUS. For what is watched here
 * it gets zeros instead, and afterwards asks whether that has happened:
 *
 *	memcpy(dst, m.addr + pos, len);
 *	if (sigbus_faults(&m))
 *		... dst is worth nothing ...
 *
 * A SIGBUS that is none of ours goes to who was there before. The handler calls
 * fstat() and mmap(): a cage must let them pass. Any thread may touch and ask,
 * watch and forget.
 */
#ifndef XF_SIGBUS_H
#define XF_SIGBUS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Filled by who has mapped it, and left alone as long as it is watched. */
struct sigbus_map {
	uint8_t *addr;
	size_t len;		/* bytes, whole pages */
	uint64_t off;		/* in the file, of addr[0] */
	size_t page_size;	/* more than 4096 on hugetlbfs */
	int prot;
	int fd;
	unsigned int faults;	/* pages that were missing: sigbus_faults() */
};

/* False: too many are watched in this process. */
bool sigbus_watch(struct sigbus_map *m);
/* Before it is unmapped. Harmless if it is not watched. */
void sigbus_forget(struct sigbus_map *m);

/*
 * A regular file of @len bytes that is only read, mapped and watched. @fd stays
 * the caller's and must stay open as long. Negative errno; without a sentence,
 * as the caller has the name.
 */
int sigbus_map_file(struct sigbus_map *m, int fd, uint64_t len);
/* Harmless on zeros. */
void sigbus_unmap_file(struct sigbus_map *m);

static inline bool sigbus_faults(const struct sigbus_map *m)
{
	/* Acquire: who saw zeros in place of a page sees the mark. */
	return __atomic_load_n(&m->faults, __ATOMIC_ACQUIRE);
}

#endif
