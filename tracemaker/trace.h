/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * trace -- a stored trace, opened for drawing: what its chunks mean.
 *
 * A trace is a sequence of chunks (nvm/journal keeps them; here they are only
 * bytes). They are fed in order, then the trace is read:
 *
 *	trace_init(&t);
 *	while (journal_next(j, &c, err) > 0)
 *		trace_add_chunk(&t, c.type, c.data, c.len, err);
 *	trace_seal(&t, err);
 *	merge_init(&m, &t);		records, oldest first
 *
 * Chunks are not copied: their memory must stay while the trace is used. What
 * stands in SPAN chunks came from the guest, so decoding checks it again: a
 * trace file may have been damaged since the recorder did.
 *
 * All integers are little-endian; numbers in JSON above 2^53 are hex strings.
 */
#ifndef XF_TRACE_H
#define XF_TRACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "buf.h"
#include "err.h"
#include "symtab.h"
#include "unseal.h"

enum trace_chunk {
	TRACE_META = 1,	/* JSON: guest, kernel, functions, clocks; "mask" is
			 * "sealed" or "xor", and in old traces missing: then
			 * the session is sealed if it has a SEED */
	TRACE_SYMBOLS,	/* symtab_pack(): replaces what was there before. Of a
			 * kernel alone and without KASLR, so that traces can
			 * share it */
	TRACE_KEY,	/* struct trace_key */
	TRACE_SPAN,	/* struct trace_span, then masked records */
	TRACE_END,	/* JSON: how recording ended, totals, "first_gap": the
			 * "session", "cpu" and "tsc" of a record soon behind
			 * those that were the first to be missing */
	TRACE_NOTE,	/* JSON: something that happened: "text", a sentence,
			 * and for what a check must know, "what", see below,
			 * and if that has a time, its "session" and "tsc". A
			 * session that ended with its guest may have
			 * "overwritten": faults by name, so many of the
			 * EVIDENCE are none */
	TRACE_EVENTS,	/* JSON: what events look like: {"events": [{"system",
			 * "format"}]}, formats as in tracefs, with the ids that
			 * the records have */
	TRACE_HOST,	/* JSON: the session's vCPUs on the host, and what
			 * events of the host look like: see hostpages.h */
	TRACE_HOST_PAGE, /* struct trace_host_page, then what it holds */
	TRACE_MODULES,	/* symtab_pack(): added to
			 * SYMBOLS, with KASLR's slide */
	TRACE_SEED,	/* struct trace_seed: the
			 * session's records are sealed */
	TRACE_EVIDENCE,	/* struct trace_span, then bytes that stood there and
			 * could not be unsealed; its fault says why */
	TRACE_DIRTY,	/* struct trace_dirty, then its records */
	TRACE_NAMES,	/* JSON: {"names": [...]}: more of the names that
			 * those records have; the session's first is 1 */
	TRACE_BASELINE,	/* a part of a baseline's text; then it is no trace */
};

/* "what" of a NOTE. */
#define TRACE_NOTE_SILENCE "silence"	/* it stopped without being asked */
#define TRACE_NOTE_HIDDEN  "hidden"	/* "module" left the list, no more */
#define TRACE_NOTE_LIVEPATCH "live-patch" /* "module" is one */
#define TRACE_NOTE_STILL   "still"	/* it did nothing at all for a while */
#define TRACE_NOTE_PART	   "part"	/* more than this may have been done */

/* A key of the Klog. */
struct trace_key {
	uint64_t key;
	uint64_t time_ns;	/* CLOCK_REALTIME */
	uint32_t epoch;
	uint32_t session;
};

/* What the keys of a session's rings follow from. */
struct trace_seed {
	uint64_t time_ns;	/* CLOCK_REALTIME */
	uint32_t session;
	uint32_t reserved;
	uint8_t seed[UNSEAL_SEED];
};

/*
 * A stretch of one sub-buffer of one CPU's ring. A session is one life of the
 * guest's rings; positions and epochs start again in the next.
 */
struct trace_span {
	uint32_t session;
	uint32_t cpu;
	uint32_t kind;		/* enum xft_ring_kind */
	uint32_t epoch;
	uint64_t nr;		/* number of the sub-buffer */
	uint64_t base_tsc;
	uint64_t records_before; /* in this ring, before this sub-buffer */
	uint32_t offset;	/* in the sub-buffer, bytes */
	uint32_t len;		/* bytes of records that follow */
	uint32_t fault;		/* EVIDENCE: enum unseal_fault; else 0 */
	uint32_t reserved;	/* 0 */
};

/*
 * A page of the ring buffer in which the host's ftrace kept events of one of
 * the host's CPUs, without the room that was not used.
 */
struct trace_host_page {
	uint32_t session;
	uint32_t cpu;		/* of the host */
	uint32_t len;		/* bytes that follow */
	uint32_t reserved;
};

/* It begins with a time stamp and a word that holds the length of the rest. */
#define TRACE_HOST_PAGE_HEAD	16
#define TRACE_HOST_PAGE_LEN	((1ULL << 27) - 1)
#define TRACE_HOST_PAGE_LOST	(1ULL << 31) /* events, before this page */
#define TRACE_HOST_PAGE_COUNTED (1ULL << 30) /* how many stands behind it */

/* Pages that a vCPU has written, in the order in which that was noticed. */
struct trace_dirty {
	uint32_t session;
	uint32_t vcpu;		/* of the host; the guest's
				 * CPU of this number */
	uint32_t source;	/* enum xftd_kind */
	uint32_t nr;		/* records that follow */
	uint64_t lost;		/* by all vCPUs, since the session began */
	uint32_t sub_shift;	/* of the trace ring that positions are in */
	uint32_t reserved;
};

struct trace_dirty_record {
	uint64_t addr;		/* guest-physical; unless XFTD_RAM_ADDR */
	uint64_t pc;		/* as in abi/xft_dirty.h, and so are the next */
	uint64_t pos;
	uint64_t time_ns;
	uint64_t value;		/* depends on type */
	uint32_t width;
	uint32_t width_us;	/* harvested: since the harvest before */
	uint32_t name;		/* number; 0: none */
	uint8_t flags;		/* enum xftd_flags */
	uint8_t size_shift;
	uint8_t type;		/* enum xft_page_type */
	uint8_t is_site;	/* not 0: where the kernel patches its code */
};

/* Where a ring's first fault was found. */
struct trace_fault {
	struct trace_span at;
	uint64_t before;	/* EVIDENCE chunks of the session before it */
};

/* What META says of a session. Strings belong to the trace. */
struct trace_session {
	uint32_t number;
	uint32_t tsc_khz;
	uint64_t clock_tsc;	/* this TSC ... */
	uint64_t clock_real_ns;	/* ... was this wall clock time in the guest */
	struct symtab *symbols;	/* owned; may be an empty table */
	json_t *events;		/* array of the EVENTS chunks, or NULL */
	json_t *host;		/* the HOST chunk, or NULL */
	bool sealed;		/* else the mask is xor */
	struct trace_seed *seed; /* owned; NULL: not sealed, or key unknown */
	uint64_t evidence[UNSEAL_FAULTS]; /* EVIDENCE chunks; KEYLESS: spans of
				 * a sealed session without a seed */
	struct trace_fault *faults; /* owned; the first of these of each ring,
				 * in the order in which they were found */
	size_t nr_faults;
	json_t *names;		/* array of strings, or NULL */
	size_t *ring;		/* indexes into trace.rings */
	size_t nr_rings;
	/* What callgraph found when it last went through all records: */
	uint64_t first_tsc;	/* where the time line begins */
	uint64_t verified;	/* sealed records that are good */
	uint64_t sound_tsc;	/* all are up to there; 0: not even the first */
};

/* All spans of one ring in one session, oldest first. */
struct trace_ring {
	uint32_t session;
	uint32_t cpu;
	uint32_t kind;
	const struct trace_span **spans; /* owned array */
	size_t nr, cap;
};

/* All pages of one CPU of the host in one session, oldest first. */
struct trace_host_cpu {
	uint32_t session;
	uint32_t cpu;
	const struct trace_host_page **pages; /* owned array */
	size_t nr, cap;
};

/* All that one vCPU wrote in one session, oldest first. */
struct trace_writer {
	uint32_t session;
	uint32_t vcpu;
	const struct trace_dirty **chunks; /* owned array */
	size_t nr, cap;
};

struct trace {
	json_t *meta;		/* of the first session;
				 * never NULL when sealed */
	json_t *end;		/* NULL: recording did not end properly */
	json_t *notes;		/* array of objects */
	struct trace_session *sessions;
	size_t nr_sessions;
	struct trace_ring *rings;
	size_t nr_rings;
	struct trace_host_cpu *host_cpus; /* by session */
	size_t nr_host_cpus;
	struct trace_writer *writers; /* by session */
	size_t nr_writers;
	struct trace_key *keys;	/* by session, epoch */
	size_t nr_keys, cap_keys;
	uint64_t bytes;		/* of records */
	bool recording;		/* more may come: set by who knows */
};

void trace_init(struct trace *t);
void trace_deinit(struct trace *t);

/* -EBADMSG: a chunk that makes no sense. Unknown types are left out. */
int trace_add_chunk(struct trace *t, uint32_t type, const void *data,
		    size_t len, struct xf_err *err);
/* -EBADMSG: a part that every trace has is missing. */
int trace_seal(struct trace *t, struct xf_err *err);

/* The key of an epoch, or NULL. */
const uint64_t *trace_key(const struct trace *t, uint32_t session,
			  uint32_t epoch);

/*
 * In a line, what the seal of @s tells: "sealed, 12 records verified, all up to
 * 0.000345 s", what was done to others, and where first; "sealed, key unknown";
 * or "xor". callgraph has gone through it.
 */
void trace_tell_seal(const struct trace_session *s, struct buf *b);
/*
 * For how long records lay in the guest at most, where they could be forged or
 * erased; nothing if that is not known.
 */
void trace_tell_window(const struct trace *t, struct buf *b);
/* All of that, of all sessions. */
void trace_tell_mask(const struct trace *t, struct buf *b);

/* Ticks of a TSC that has @khz, which is not 0, as nanoseconds. */
static inline uint64_t trace_ticks_ns(uint64_t ticks, uint32_t khz)
{
	return (unsigned __int128)ticks * 1000000 / khz;
}

/*
 * Where @tsc is on the pictures' time line, which begins with the first record.
 */
uint64_t trace_time_ns(const struct trace_session *s, uint64_t tsc);

/* The first of @s->faults in that ring, or NULL. */
const struct trace_span *trace_fault(const struct trace_session *s,
				     uint32_t cpu, uint32_t kind);

/* A name that a record of dirty pages has; NULL: none. As the guest gave it. */
const char *trace_page_name(const struct trace_session *s, uint32_t number);

/* A number, or a hex string, as JSON numbers are safe below 2^53 only. */
uint64_t trace_u64(const json_t *obj, const char *name);

/* A string in the first META, or "". */
const char *trace_meta_str(const struct trace *t, const char *name);

#endif
