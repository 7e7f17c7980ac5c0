/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * xft_pool -- who has the stream of a sub-buffer that is yet to come.
 *
 * The writer posts the key of the next sub-buffer's stream and goes on. The
 * poll thread, if it comes by in time, makes the stream of it; the writer finds
 * that when it opens the sub-buffer, or takes the order back and does the work.
 * Neither waits for the other. A slot is an order, and room for what it orders:
 *
 *	EMPTY	 the writer's
 *	POSTED	 nobody's: whoever has it next says so with compare-and-exchange
 *	FILLING	 the thread's, key and room
 *	READY	 the writer's, with the stream in it
 *	LOST	 the thread's, which has yet to wipe it
 *
 *	writer	 xft_slot_post()	EMPTY -> POSTED
 *		 xft_slot_take()	READY -> EMPTY, with the stream: true
 *					POSTED -> EMPTY, FILLING -> LOST: false
 *	thread	 xft_slot_begin()	POSTED -> FILLING
 *		 xft_slot_end()		FILLING -> READY: true
 *		 xft_slot_leave()	LOST -> EMPTY, when it is wiped
 *
 * Each change of hands is a release, and each look at one an acquire. The model
 * is tests/model/pool.pml.
 */
#ifndef XFT_POOL_H
#define XFT_POOL_H

enum xft_slot_state {
	XFT_SLOT_EMPTY,
	XFT_SLOT_POSTED,
	XFT_SLOT_FILLING,
	XFT_SLOT_READY,
	XFT_SLOT_LOST,
};

struct xft_slot {
	u64 key[2];		/* of the batch to be made next */
	u32 state;		/* enum xft_slot_state */
};

static __always_inline void xft_slot_wipe(struct xft_slot *slot)
{
	WRITE_ONCE(slot->key[0], 0);
	WRITE_ONCE(slot->key[1], 0);
}

/* Nothing happens if the thread still has it. */
static __always_inline void xft_slot_post(struct xft_slot *slot, u64 key0,
					  u64 key1)
{
	if (xft_acquire(&slot->state) != XFT_SLOT_EMPTY)
		return;
	slot->key[0] = key0;
	slot->key[1] = key1;
	xft_publish(&slot->state, XFT_SLOT_POSTED);
}

/* True: stream and key are the writer's, who wipes them. */
static __always_inline bool xft_slot_take(struct xft_slot *slot)
{
	if (xft_swap(&slot->state, XFT_SLOT_POSTED, XFT_SLOT_EMPTY)) {
		xft_slot_wipe(slot);
		return false;
	}
	/* It may be done at this very moment, and then it is not lost. */
	if (xft_swap(&slot->state, XFT_SLOT_FILLING, XFT_SLOT_LOST) ||
	    xft_acquire(&slot->state) != XFT_SLOT_READY)
		return false;
	xft_publish(&slot->state, XFT_SLOT_EMPTY);
	return true;
}

static __always_inline bool xft_slot_begin(struct xft_slot *slot)
{
	return xft_acquire(&slot->state) == XFT_SLOT_POSTED &&
	       xft_swap(&slot->state, XFT_SLOT_POSTED, XFT_SLOT_FILLING);
}

/* While filling: somebody still wants it. */
static __always_inline bool xft_slot_wanted(const struct xft_slot *slot)
{
	return xft_acquire(&slot->state) == XFT_SLOT_FILLING;
}

/* False: it is lost, and the thread wipes what it has. */
static __always_inline bool xft_slot_end(struct xft_slot *slot)
{
	return xft_swap(&slot->state, XFT_SLOT_FILLING, XFT_SLOT_READY);
}

static __always_inline void xft_slot_leave(struct xft_slot *slot)
{
	xft_slot_wipe(slot);
	xft_publish(&slot->state, XFT_SLOT_EMPTY);
}

#endif
