/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * dirtytrace -- the pages that the guest writes, into its trace.
 *
 *	struct dirtytrace dt = { 0 };
 *
 *	dirtytrace_start(&dt, &target, &wish, err);
 *	... dirtytrace_read(&dt, &journal, session, err) every few ms ...
 *	dirtytrace_stop(&dt);
 *
 * Each record is stored with what its page was when the recorder got it, which
 * is some milliseconds after it was written.
 */
#ifndef XF_DIRTYTRACE_H
#define XF_DIRTYTRACE_H

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

#include "dirty.h"
#include "err.h"
#include "journal.h"
#include "pages.h"
#include "ring.h"
#include "target.h"

/* What the user wants. */
struct dirtytrace_wish {
	struct dirty *source;	/* opened; borrowed; NULL: nothing */
	enum xftd_mode mode;
	uint64_t interval_ns;	/* between two harvests */
};

struct dirtytrace {
	struct dirty *d;	/* borrowed; NULL: off */
	struct target *t;	/* borrowed */
	struct pages pages;
	struct dirtytrace_wish wish;
	struct trace_dirty_record *room; /* owned */
	uint32_t sub_shift[XFTD_MAX_VCPUS];
	uint64_t next_harvest_ns;
	uint64_t next_learn_ns;	/* QEMU is not asked before,
				 * if it was in vain */
	uint64_t records;
	uint64_t harvests;	/* asked for by us, and done */
	uint64_t lost_before;	/* by earlier users of the source */
	uint64_t unplaced;	/* records whose place QEMU did not tell */
	uint64_t after_reset;	/* left out: of a guest that is another one */
	struct dirtytrace_name {
		char text[PAGES_NAME + 32];
	} *names;		/* owned; the session's, from 1 on */
	uint32_t nr_names, nr_stored;
	uint32_t *buckets;	/* owned; hash of a name to its number */
};

static inline bool dirtytrace_is_on(const struct dirtytrace *dt)
{
	return dt->d;
}

/*
 * Begin, when the guest has its rings. Errors as in dirty.h; then nothing was
 * changed.
 */
int dirtytrace_start(struct dirtytrace *dt, struct target *t,
		     const struct ring *rings, size_t nr_rings,
		     const struct dirtytrace_wish *wish, struct xf_err *err);

/*
 * Move what there is into the journal. -ENOSPC: the store is full. -EPIPE: the
 * source has gone; stop it then.
 */
int dirtytrace_read(struct dirtytrace *dt, struct journal *j, uint32_t session,
		    struct xf_err *err);

/* No more records; what there is can still be read. */
void dirtytrace_end(struct dirtytrace *dt);

/* Harmless on one that was not started. */
void dirtytrace_stop(struct dirtytrace *dt);

/* For status: source, mode, what was recorded; NULL: it is off. */
json_t *dirtytrace_status(const struct dirtytrace *dt);

/* Ask QEMU where it has the guest's memory. */
int dirtytrace_learn_slots(struct dirty *d, const struct target *t,
			   int timeout_ms, struct xf_err *err);

const char *dirtytrace_mode_name(enum xftd_mode mode);

/* Since it was started. */
uint64_t dirtytrace_lost(const struct dirtytrace *dt);

#endif
