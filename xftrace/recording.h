/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * recording -- from a guest's rings into a trace.
 *
 *	recording_create(&r, &target, store, name, err);
 *	recording_begin(&r, &spec, wait, arg, err);	the guest is tracing
 *	... recording_tick(&r, err) every few milliseconds ...
 *	recording_end(&r, reason, wait, arg, err);	stopped, drained
 *	recording_close(&r);
 *
 * Memory does not grow with the trace. Order that everything rests on: a key,
 * or the seed of all keys, is committed to the trace before the guest may use
 * it; records are copied once, from guest RAM into the trace, checked there,
 * and committed or thrown away.
 *
 * A recording whose process died is taken up with recording_resume(), which
 * goes on reading where the last commit ended.
 */
#ifndef XF_RECORDING_H
#define XF_RECORDING_H

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

#include "err.h"
#include "flusher.h"
#include "hosttrace.h"
#include "journal.h"
#include "key.h"
#include "klog.h"
#include "modwatch.h"
#include "plan.h"
#include "ring.h"
#include "target.h"
#include "trace.h"

/* Sums over all rings. */
struct recording_counts {
	uint64_t records;
	uint64_t lost;
	uint64_t gaps;		/* missing without a lap: a finding */
	uint64_t bad;
	uint64_t unread;	/* bytes in the rings */
	uint64_t size;		/* bytes of the rings */
	uint64_t faults[UNSEAL_FAULTS]; /* of the bad ones, if sealed */
};

struct recording {
	struct target *t;	/* borrowed */
	struct recording_spec spec;
	uint32_t events_changed; /* the guest's, when formats were last kept */
	struct store st;
	struct journal j;
	struct flusher flusher;
	struct klog klog;
	struct key_ctl key;
	uint8_t seed[UNSEAL_SEED]; /* of this session, if it is sealed */
	struct ring *rings;
	size_t nr_rings;
	struct hosttrace host;	/* if events of the host are wanted */
	struct modwatch modules;
	struct buf livepatches;	/* names that were noted,
				 * each with its 0 byte */
	struct dirtytrace dirty; /* if the guest's writes are */
	struct recording_counts before;	/* of sessions that are over */
	struct trace_span first_fault; /* that was seen; session 0: none was */
	struct trace_span first_gap; /* the same; base_tsc:
				      * of a record behind */
	uint64_t next_key_ns;	/* CLOCK_MONOTONIC */
	uint64_t next_commit_ns;
	uint64_t next_sync_ns;
	uint64_t caught_up_ns;	/* all rings were empty then */
	uint64_t erasable_ns;	/* the longest that records lay uncopied */
	uint64_t heartbeat;	/* the guest's, when last looked at */
	uint64_t beat_ns;	/* when it was last seen to move */
	struct recording_counts beat; /* what is bad there is of
				       * a guest that lived */
	bool rewound;		/* the guest was set back to an earlier state */
	unsigned int new_beats;	/* of its heart since then */
	bool resumed;		/* somebody else began it:
				 * erasable_ns is not all */
	bool starting;		/* the guest patches its functions */
	bool tracing;
	bool stopped;		/* tracing, but the hooks are gone */
	bool full;		/* the store is: nothing more is kept */
	struct xf_err left;	/* why hooks may still be in place, or code 0 */
};

/* @store is a file, in which @name is a new trace. */
int recording_create(struct recording *r, struct target *t, const char *store,
		     const char *name, struct xf_err *err);
/* -ESTALE: the guest's module is another one than that of the trace. */
int recording_resume(struct recording *r, struct target *t, const char *store,
		     const char *name, struct xf_err *err);
/* Close, and forget the trace that was created. */
void recording_discard(struct recording *r);
void recording_close(struct recording *r);

/*
 * A new session on the target: symbols, sites, first key, START. Records are
 * drained while the guest patches its call sites. On failure the guest is as
 * before.
 */
int recording_begin(struct recording *r, const struct recording_spec *spec,
		    mailbox_wait_fn wait, void *arg, struct xf_err *err);

/*
 * Drain; change the key, commit and sync when it is time to. -ENOSPC: no longer
 * kept.
 */
int recording_tick(struct recording *r, struct xf_err *err);

/*
 * The guest was set back to an earlier state, and runs: it is time for a new
 * session. Its last beat before that may be seen after the first of what is set
 * back, so it takes two to tell.
 */
bool recording_is_reborn(const struct recording *r);

/*
 * The store is full: nothing more is kept, so hooks go now, and recording_end()
 * has less to do. What the guest does not answer may be tried again.
 */
int recording_halt(struct recording *r, mailbox_wait_fn wait, void *arg,
		   struct xf_err *err);

/*
 * The guest is gone or has a new module: take what is left of its rings, and
 * note it as in recording_note().
 */
void recording_abandon(struct recording *r, const char *what, const char *text);

/*
 * Stop the guest's hooks if it lives, drain, write the end. What the guest
 * does not answer is noted in the trace and in r->left; fails only if the trace
 * cannot be written.
 */
int recording_end(struct recording *r, const char *reason, mailbox_wait_fn wait,
		  void *arg, struct xf_err *err);

/*
 * Put a sentence into the trace, for its header; @what: TRACE_NOTE_..., or
 * NULL.
 */
void recording_note(struct recording *r, const char *what, const char *text);

/* What a META chunk says of where its session's records came from. */
struct recording_origin {
	uint64_t instance;	/* of the guest's module; 0: unknown */
	uint32_t request;	/* the number of START */
};
struct recording_origin recording_origin(const void *data, size_t len);

struct recording_counts recording_counts(const struct recording *r);

/*
 * How far all sealed records of this session are good, since its first; of a
 * recording that was resumed, since then.
 */
uint64_t recording_verified_ns(const struct recording *r);

#endif
