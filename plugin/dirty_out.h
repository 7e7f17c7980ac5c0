/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * dirty_out -- a harvested source's side of the file of abi/xft_dirty.h.
 *
 * For each vCPU: out_begin() before its log is looked at, out_add() for each
 * page, out_end() after the next write will be logged again. Only then does the
 * recorder see them. The caller has one lock for all of it.
 */
#ifndef DIRTY_OUT_H
#define DIRTY_OUT_H

#include <stdbool.h>

#include "xft_dirty.h"

/* Later loads are not done before it; earlier stores are seen before it. */
#define load(p)	    __atomic_load_n(p, __ATOMIC_ACQUIRE)
#define store(p, v) __atomic_store_n(p, v, __ATOMIC_RELEASE)

struct out_file {
	struct xftd_source *source; /* mapped, to the end of the process */
	const struct xftd_wanted *wanted;
	int fd;
};

/* When, and where the vCPU's trace ring was. */
struct out_point {
	uint64_t ns;
	uint64_t pos;		/* 0: there is no ring */
};

/* All zero: there is no room for anything. */
struct out {
	const struct xftd_source *source; /* borrowed */
	struct xftd_out *shared;
	const struct xftd_in *in;
	struct xftd_record *record;
	uint64_t head;		/* published */
	uint32_t nr;		/* records behind it, not published yet */
	uint8_t reset;		/* XFTD_AFTER_RESET if the guest was, else 0 */
	uint64_t stuck;		/* tail + 1 when waiting was of no use */
	uint64_t hva;		/* xftd_in.head_hva that is watched */
	const uint64_t *word;	/* our own mapping of it */
	struct out_point since;	/* all before this was reported */
	struct out_point begun;
};

/*
 * 0 or -errno. @like: what page 0 shall say. @f: all zero, or the file before,
 * which ends.
 */
int out_file_create(struct out_file *f, const char *path,
		    const struct xftd_source *like);
void out_answer(struct out_file *f, uint32_t seq, int status, const char *why);
/* Until there is a request other than @seq, or @ms passed; a heartbeat. */
void out_sleep(struct out_file *f, uint32_t seq, uint32_t ms);
/* Does a recorder live? */
bool out_recorded(const struct out_file *f);

void out_init(struct out *o, const struct out_file *f, uint32_t vcpu);
/* Look where the recorder says that the trace ring's head lies. 0 or -errno. */
int out_watch(struct out *o);
/* Recording begins. */
void out_start(struct out *o);
/* The guest was reset; what it wrote before was added. */
void out_reset(struct out *o);

void out_begin(struct out *o);
/* False: there is no room. */
bool out_add(struct out *o, uint64_t gpa);
void out_lose(struct out *o, uint64_t nr);
/* @all: nothing that was logged before out_begin() is left. */
void out_end(struct out *o, bool all);

/*
 * Wait for room, but not long, and not again for a recorder that stands still.
 */
void out_wait(struct out *o);

uint64_t out_now(void);

#endif
