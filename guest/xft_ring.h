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
 *	if (xft_ring_ready(r, task) || xft_ring_prepare(r, task, ...))
 *		xft_ring_call(r, tsc, first, second);
 *
 * and for a record of any length, whose words from the third on may be stored
 * (masked) before it is clear how many there are
 *
 *	if (xft_ring_room(r, task, max) || xft_ring_prepare(r, task, max, ...))
 *		xft_ring_put(r, tsc, first, words);
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

struct xft_ring {
	u64 shared[8];		/* see struct xft_ring_hdr */
	u64 head;		/* position of the next record */
	u64 end;		/* last position where a call fits; 0: kicked */
	u64 data;		/* address of position p is data + p */
	const void *task;	/* whose records these are; NULL: say so first */
	u64 base_tsc;		/* of the open sub-buffer */
	u64 key;		/* of the open sub-buffer's epoch */
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

/* A call record of @task fits. */
static __always_inline bool xft_ring_ready(const struct xft_ring *r,
					   const void *task)
{
	return likely(r->head <= READ_ONCE(r->end)) && likely(r->task == task);
}

/* A record of @task of up to @words fits. */
static __always_inline bool xft_ring_room(const struct xft_ring *r,
					  const void *task, u32 words)
{
	return likely(r->head + words * 8 <=
		      READ_ONCE(r->end) + XFT_CALL_WORDS * 8) &&
	       likely(r->task == task);
}

/* The last TASK record says just that. */
static __always_inline bool xft_ring_names(const struct xft_ring *r, u32 pid,
					   u64 comm0, u64 comm1)
{
	return r->pid == pid && r->comm[0] == comm0 && r->comm[1] == comm1;
}

/* ENTRY or RETURN: @first without its time, and the second word. */
static __always_inline void xft_ring_call(struct xft_ring *r, u64 tsc,
					  u64 first, u64 second)
{
	u64 head = r->head;
	u64 *dst = (u64 *)(r->data + head);

	dst[0] = ((tsc - r->base_tsc) << XFT_TIME_SHIFT | first) ^ r->key;
	dst[1] = second ^ r->key;
	xft_publish(&r->head, head + XFT_CALL_WORDS * 8);
}

/* Where the record to come is put together; readers do not look there. */
static __always_inline u64 *xft_ring_next(const struct xft_ring *r)
{
	return (u64 *)(r->data + r->head);
}

/* Add what stands there: @words, of which the first is still missing. */
static __always_inline void xft_ring_put(struct xft_ring *r, u64 tsc,
					 u64 first, u32 words)
{
	*xft_ring_next(r) = ((tsc - r->base_tsc) << XFT_TIME_SHIFT |
			     words << XFT_WORDS_SHIFT | first) ^ r->key;
	r->odd++;
	r->odd_words += words;
	xft_publish(&r->head, r->head + words * 8);
}

/* Records in this ring so far. */
static __always_inline u64 xft_ring_records(const struct xft_ring *r)
{
	u64 words;

	if (!r->sub)
		return r->records;
	words = (r->data + r->head - (u64)(r->sub + 1)) / 8;
	return r->records + r->odd + (words - r->odd_words) / XFT_CALL_WORDS;
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

/* Say in the open sub-buffer how much of it is used. */
static __always_inline void xft_ring_close(struct xft_ring *r)
{
	if (r->sub)
		WRITE_ONCE(r->sub->used, r->data + r->head - (u64)r->sub);
}

/* Close the open sub-buffer, if any, and open the next one. */
static __always_inline void xft_ring_turn(struct xft_ring *r, u64 tsc)
{
	u32 shift = xft_ring_hdr(r)->sub_shift;
	u64 nr = (r->head + (1ULL << shift) - 1) >> shift;
	struct xft_sub *sub = r->subs[nr % xft_ring_hdr(r)->nr_subs];

	xft_ring_close(r);
	r->records = xft_ring_records(r);
	r->odd = r->odd_words = 0;
	WRITE_ONCE(sub->seq, nr + 1);
	xft_order_stores();
	xft_ring_take_key(r);
	sub->base_tsc = tsc;
	sub->records_before = r->records;
	sub->epoch = r->epoch;
	sub->used = 0;
	r->sub = sub;
	r->base_tsc = tsc;
	r->data = (u64)sub - (nr << shift);
	r->limit = ((nr + 1) << shift) - XFT_CALL_WORDS * 8;
	r->task = NULL;
	xft_publish(&r->head, (nr << shift) + sizeof(*sub));
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

/*
 * The slow way to a ring that is ready for a record of up to @words. Returns
 * false if there is no ring for this CPU (it came up after tracing was switched
 * on): the record may then not be written.
 */
static __always_inline bool xft_ring_prepare(struct xft_ring *r,
					     const void *task, u32 words,
					     u64 tsc, u32 pid, u32 tgid,
					     const u64 comm[2])
{
	u64 *dst;

	if (!r->subs)
		return false;
	if (!r->sub || xft_ring_stale(r, tsc) ||
	    r->head + (XFT_TASK_WORDS + words - XFT_CALL_WORDS) * 8 > r->limit)
		xft_ring_turn(r, tsc);
	WRITE_ONCE(r->end, r->limit);
	/* A task may have a new name, or be a new one at an old address. */
	if (r->task == task && xft_ring_names(r, pid, comm[0], comm[1]))
		return true;
	r->task = task;
	r->pid = pid;
	r->comm[0] = comm[0];
	r->comm[1] = comm[1];
	dst = xft_ring_next(r);
	dst[1] = (pid | (u64)tgid << 32) ^ r->key;
	dst[2] = comm[0] ^ r->key;
	dst[3] = comm[1] ^ r->key;
	xft_ring_put(r, tsc, XFT_TASK, XFT_TASK_WORDS);
	return true;
}

#endif
