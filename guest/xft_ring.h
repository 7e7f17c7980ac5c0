/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * xft_ring -- the writer of one ring (the paper's Push_Raw).
 *
 * One writer at a time: the hook runs with interrupts off, NMIs have a ring of
 * their own. So a position is a plain number and no atomic operation is needed;
 * what readers see is ordered by the store of head alone.
 *
 * The same code is compiled into the host's stress test, which brings its own
 * xft_publish(), barriers and annotations: nothing in here may call the kernel.
 *
 *	if (xft_ring_ready(r, task, mask) || xft_ring_prepare(r, task, ...))
 *		xft_ring_call(r, tsc, first, second, mask);
 *
 * and for a record of any length, whose words may be stored before it is clear
 * how many there are
 *
 *	if (xft_ring_room(r, task, max, mask) || xft_ring_prepare(...)) {
 *		pen = xft_pen_begin(r, mask);
 *		xft_pen_word(&pen, word, mask);	the second, the third ...
 *		xft_pen_end(&pen, tsc, first, mask);
 *	}
 *
 * Both say no if the host has told sealed rings to halt; xft_ring_close() and
 * xft_ring_finish() do not ask.
 *
 * The mask is a constant wherever it matters: there is a copy of the writer for
 * each, and none asks for every word which one it is.
 *
 * The struct lies in the page that the host sees as struct xft_ring_hdr, so
 * that the store that moves the writer on is the one that publishes.
 *
 * The fast path looks neither at the key's epoch nor for an overflow of the
 * time: xft_ring_kick(), called now and then by somebody else, makes it take
 * the slow path, which does. A kick that races with the slow path may be lost;
 * the next one is not, and until then an old key stays in use, which is legal.
 *
 * Ordering, seen from the reader: seq of a reopened sub-buffer is stored
 * before anything else in it (xft_order_stores()), so a reader that copied old
 * bytes finds that seq has moved; head is stored (release) after the record it
 * covers, so what lies below head is complete.
 */
#ifndef XFT_RING_H
#define XFT_RING_H

#include "xft_mac.h"
#include "xft_seal.h"

struct xft_ring {
	u64 shared[8];		/* see struct xft_ring_hdr */
	u64 head;		/* position of the next record */
	u64 end;		/* last position where a call fits; 0: kicked */
	u64 data;		/* address of position p is data + p */
	const void *task;	/* whose records these are;
				 * NULL: say so first */
	u64 base_tsc;		/* of the open sub-buffer */
	union {
		u64 key;	/* of the open sub-buffer's epoch */
		struct xft_seal *seal; /* XFT_MASK_SEALED */
	};
	/* The slow path's: */
	u64 limit;		/* what end is when not kicked */
	u64 records;		/* in sub-buffers before the open one */
	u64 odd;		/* records in the open one that have not the
				 * length of a call, and ... */
	u64 odd_words;		/* ... their words */
	u32 epoch;
	u32 pid;		/* what the last TASK record said, and ... */
	u64 comm[2];
	const struct xft_mbox *mbox;	/* where the host puts keys */
	struct xft_sub *sub;	/* the open one, or NULL */
	struct xft_sub **subs;	/* nr_subs of them */
};

static_assert(offsetof(struct xft_ring, head) ==
	      offsetof(struct xft_ring_hdr, head));
static_assert(sizeof(struct xft_ring) <=
	      offsetof(struct xft_ring_hdr, sub_gpa));

static __always_inline struct xft_ring_hdr *xft_ring_hdr(struct xft_ring *r)
{
	return (struct xft_ring_hdr *)r;
}

/*
 * This guest was set back: what it would seal with was used before. All that
 * goes into a record is taken before the look, its time as well: a guest that
 * is set back to right after it seals the same again.
 */
static __always_inline bool xft_ring_halted(const struct xft_ring *r,
					    enum xft_mask mask)
{
	return mask == XFT_MASK_SEALED && unlikely(READ_ONCE(r->mbox->halt));
}

/* A call record of @task fits, and there is enough to seal it with. */
static __always_inline bool xft_ring_ready(const struct xft_ring *r,
					   const void *task, enum xft_mask mask)
{
	return likely(r->head <= READ_ONCE(r->end)) &&
	       likely(r->task == task) &&
	       (mask != XFT_MASK_SEALED ||
		xft_seal_has(r->seal, XFT_SEAL_OTP + XFT_CALL_WORDS)) &&
	       !xft_ring_halted(r, mask);
}

/* A record of @task of up to @words fits. */
static __always_inline bool xft_ring_room(const struct xft_ring *r,
					  const void *task, u32 words,
					  enum xft_mask mask)
{
	return likely(r->head + words * 8 <=
		      READ_ONCE(r->end) + XFT_CALL_WORDS * 8) &&
	       likely(r->task == task) && !xft_ring_halted(r, mask);
}

/* The last TASK record says just that. */
static __always_inline bool xft_ring_names(const struct xft_ring *r, u32 pid,
					   u64 comm0, u64 comm1)
{
	return r->pid == pid && r->comm[0] == comm0 && r->comm[1] == comm1;
}

static __always_inline u64 *xft_ring_next(const struct xft_ring *r)
{
	return (u64 *)(r->data + r->head);
}

static __always_inline u64 xft_ring_first(const struct xft_ring *r, u64 tsc,
					  u64 first)
{
	return (tsc - r->base_tsc) << XFT_TIME_SHIFT | first;
}

/* A call, with words of this batch that xft_ring_ready() has seen. */
static __always_inline void xft_ring_seal_call(struct xft_ring *r, u64 *dst,
					       u64 first, u64 second)
{
	u64 *key = xft_seal_next(r->seal);
	u64 otp = key[0], tag;

	dst[0] = first ^= key[2];
	dst[1] = second ^= key[3];
	tag = xft_mac_add(xft_mac_add(1, otp, second), otp, first);
	dst[2] = xft_mac_end(tag, otp, key[1]);
	WRITE_ONCE(key[0], 0);
	WRITE_ONCE(key[1], 0);
	WRITE_ONCE(key[2], 0);
	WRITE_ONCE(key[3], 0);
	r->seal->used += XFT_SEAL_OTP + XFT_CALL_WORDS;
}

/* ENTRY or RETURN: @first without its time, and the second word. */
static __always_inline void xft_ring_call(struct xft_ring *r, u64 tsc,
					  u64 first, u64 second,
					  enum xft_mask mask)
{
	u64 head = r->head, *dst = xft_ring_next(r);

	first = xft_ring_first(r, tsc, first);
	if (mask == XFT_MASK_SEALED) {
		xft_ring_seal_call(r, dst, first, second);
		head += XFT_SEAL_TAG * 8;
	} else {
		dst[0] = first ^ r->key;
		dst[1] = second ^ r->key;
	}
	xft_publish(&r->head, head + XFT_CALL_WORDS * 8);
}

/* A record that is being written; readers do not look there yet. */
struct xft_pen {
	struct xft_ring *r;
	u64 *dst;		/* the next word's */
	u64 key;		/* xor: the key; sealed: the first word's */
	u64 otp[XFT_SEAL_OTP];
	u64 mac;
};

/* The first record of a sub-buffer vouches for its header. */
static __always_inline void xft_pen_header(struct xft_pen *pen)
{
	struct xft_ring *r = pen->r;

	pen->mac = xft_mac_add(pen->mac, pen->otp[0], r->base_tsc);
	pen->mac = xft_mac_add(pen->mac, pen->otp[0], r->records);
	pen->mac = xft_mac_add(pen->mac, pen->otp[0], r->epoch);
}

static __always_inline struct xft_pen xft_pen_begin(struct xft_ring *r,
						    enum xft_mask mask)
{
	struct xft_pen pen = { .r = r, .dst = xft_ring_next(r) + 1 };

	if (mask == XFT_MASK_SEALED) {
		pen.otp[0] = xft_seal_take(r->seal);
		pen.otp[1] = xft_seal_take(r->seal);
		pen.key = xft_seal_take(r->seal);
		pen.mac = 1;
		if (pen.dst - 1 == (u64 *)(r->sub + 1))
			xft_pen_header(&pen);
	} else {
		pen.key = r->key;
	}
	return pen;
}

static __always_inline void xft_pen_word(struct xft_pen *pen, u64 word,
					 enum xft_mask mask)
{
	if (mask == XFT_MASK_SEALED) {
		word ^= xft_seal_take(pen->r->seal);
		pen->mac = xft_mac_add(pen->mac, pen->otp[0], word);
	} else {
		word ^= pen->key;
	}
	*pen->dst++ = word;
}

/* Add the record, whose first word is still missing. */
static __always_inline void xft_pen_end(struct xft_pen *pen, u64 tsc, u64 first,
					enum xft_mask mask)
{
	struct xft_ring *r = pen->r;
	u64 *dst = xft_ring_next(r);
	u64 words = pen->dst - dst;

	first = xft_ring_first(r, tsc, words << XFT_WORDS_SHIFT | first) ^
		pen->key;
	*dst = first;
	if (mask == XFT_MASK_SEALED) {
		pen->mac = xft_mac_add(pen->mac, pen->otp[0], first);
		dst[words++] =
			xft_mac_end(pen->mac, pen->otp[0], pen->otp[1]);
	}
	r->odd++;
	r->odd_words += words;
	xft_publish(&r->head, r->head + words * 8);
}

static __always_inline u32 xft_tag_words(enum xft_mask mask)
{
	return mask == XFT_MASK_SEALED ? XFT_SEAL_TAG : 0;
}

/* A call, when the fast path cannot: its words are not all in this batch. */
static __always_inline void xft_ring_call_slow(struct xft_ring *r, u64 tsc,
					       u64 first, u64 second,
					       enum xft_mask mask)
{
	struct xft_pen pen = xft_pen_begin(r, mask);

	xft_pen_word(&pen, second, mask);
	xft_pen_end(&pen, tsc, first, mask);
}

/* Records in the open sub-buffer. */
static __always_inline u64 xft_ring_in_sub(const struct xft_ring *r,
					   enum xft_mask mask)
{
	u64 words = (r->data + r->head - (u64)(r->sub + 1)) / 8;

	return r->odd + (words - r->odd_words) /
				(XFT_CALL_WORDS + xft_tag_words(mask));
}

/* Records in this ring so far. */
static __always_inline u64 xft_ring_records(const struct xft_ring *r,
					    enum xft_mask mask)
{
	return r->records + (r->sub ? xft_ring_in_sub(r, mask) : 0);
}

/*
 * The pair (epoch, key) that the host published last. A host that changes keys
 * faster than we can read two words is not a host of ours: after some tries the
 * old pair stays, which is always readable.
 */
static __always_inline void xft_ring_take_key(struct xft_ring *r)
{
	int tries;

	for (tries = 0; tries < 8; tries++) {
		u32 epoch = xft_acquire(&r->mbox->epoch);
		u64 key = READ_ONCE(r->mbox->key[epoch & 1]);

		xft_order_loads();
		if (READ_ONCE(r->mbox->epoch) == epoch) {
			r->epoch = epoch;
			r->key = key;
			return;
		}
	}
}

/* The last record of a sealed sub-buffer, which had @records. */
static __always_inline void xft_ring_seal_close(struct xft_ring *r, u64 tsc,
						u64 records, u64 flags)
{
	struct xft_pen pen = xft_pen_begin(r, XFT_MASK_SEALED);

	xft_pen_word(&pen, records, XFT_MASK_SEALED);
	xft_pen_end(&pen, tsc, XFT_CLOSE | flags << XFT_DEPTH_SHIFT,
		    XFT_MASK_SEALED);
	xft_seal_close(r->seal);
}

/* Close the open sub-buffer, if any: nothing is added to it any more. */
static __always_inline void xft_ring_close(struct xft_ring *r, u64 tsc,
					   u64 flags, enum xft_mask mask)
{
	u64 records;

	if (!r->sub)
		return;
	records = xft_ring_in_sub(r, mask);
	if (mask == XFT_MASK_SEALED)
		xft_ring_seal_close(r, tsc, records, flags);
	WRITE_ONCE(r->sub->used, r->data + r->head - (u64)r->sub);
	r->records += records;
	r->sub = NULL;
	WRITE_ONCE(r->end, 0);
}

/* Close the open sub-buffer, if any, and open the next one. */
static __always_inline void xft_ring_turn(struct xft_ring *r, u64 tsc,
					  enum xft_mask mask)
{
	u32 shift = xft_ring_hdr(r)->sub_shift;
	struct xft_sub *sub;
	u64 nr;

	xft_ring_close(r, tsc, 0, mask);
	nr = (r->head + (1ULL << shift) - 1) >> shift;
	sub = r->subs[nr % xft_ring_hdr(r)->nr_subs];
	r->odd = r->odd_words = 0;
	WRITE_ONCE(sub->seq, nr + 1);
	xft_order_stores();
	if (mask == XFT_MASK_SEALED) {
		xft_seal_open(r->seal, nr);
		r->epoch = READ_ONCE(r->mbox->epoch);
	} else {
		xft_ring_take_key(r);
	}
	sub->base_tsc = tsc;
	sub->records_before = r->records;
	sub->epoch = r->epoch;
	sub->used = 0;
	/*
	 * Who scribbles on it once has spoiled it for one round, not for all.
	 */
	sub->reserved[0] = sub->reserved[1] = 0;
	sub->reserved[2] = sub->reserved[3] = 0;
	r->sub = sub;
	r->base_tsc = tsc;
	r->data = (u64)sub - (nr << shift);
	r->limit = ((nr + 1) << shift) - XFT_CALL_WORDS * 8;
	if (mask == XFT_MASK_SEALED)
		r->limit -= (XFT_SEAL_TAG + XFT_CLOSE_WORDS + XFT_SEAL_TAG) * 8;
	r->task = NULL;
	xft_publish(&r->head, (nr << shift) + sizeof(*sub));
}

/*
 * Tracing is off. A sealed ring says so in its last record, for which another
 * sub-buffer is opened if the newest is closed already.
 */
static __always_inline void xft_ring_finish(struct xft_ring *r, u64 tsc,
					    enum xft_mask mask)
{
	if (!r->sub && mask == XFT_MASK_SEALED)
		xft_ring_turn(r, tsc, mask);
	xft_ring_close(r, tsc, XFT_CLOSE_LAST, mask);
}

static __always_inline bool xft_ring_stale(const struct xft_ring *r, u64 tsc)
{
	return r->epoch != READ_ONCE(r->mbox->epoch) ||
	       (tsc - r->base_tsc) >> (XFT_TIME_BITS - 1);
}

/* Send the writer through its slow path if key or time ask for it. */
static __always_inline void xft_ring_kick(struct xft_ring *r, u64 tsc)
{
	if (xft_ring_stale(r, tsc))
		WRITE_ONCE(r->end, 0);
}

/* The first record of each sub-buffer, and the first of another task. */
static __always_inline void xft_ring_task(struct xft_ring *r, u64 tsc, u32 tgid,
					  enum xft_mask mask)
{
	struct xft_pen pen = xft_pen_begin(r, mask);

	xft_pen_word(&pen, r->pid | (u64)tgid << 32, mask);
	xft_pen_word(&pen, r->comm[0], mask);
	xft_pen_word(&pen, r->comm[1], mask);
	xft_pen_end(&pen, tsc, XFT_TASK, mask);
}

/*
 * The slow way to a ring that is ready for a record of up to @words. Returns
 * false if there is no ring for this CPU (it came up after tracing was switched
 * on), or it is to halt: the record may then not be written.
 */
static __always_inline bool xft_ring_prepare(struct xft_ring *r,
					     const void *task, u32 words,
					     u64 tsc, u32 pid, u32 tgid,
					     const u64 comm[2],
					     enum xft_mask mask)
{
	if (!r->subs || xft_ring_halted(r, mask))
		return false;
	if (!r->sub || xft_ring_stale(r, tsc) ||
	    r->head + (XFT_TASK_WORDS + xft_tag_words(mask) + words -
		       XFT_CALL_WORDS) * 8 > r->limit)
		xft_ring_turn(r, tsc, mask);
	WRITE_ONCE(r->end, r->limit);
	/* A task may have a new name, or be a new one at an old address. */
	if (r->task == task && xft_ring_names(r, pid, comm[0], comm[1]))
		return true;
	r->task = task;
	r->pid = pid;
	r->comm[0] = comm[0];
	r->comm[1] = comm[1];
	xft_ring_task(r, tsc, tgid, mask);
	return true;
}

#endif
