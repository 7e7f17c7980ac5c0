// SPDX-License-Identifier: GPL-2.0-only
/*
 * A sealed ring: the module's own writer, an intruder, and the host's reader.
 *
 * The input is a list of steps. At first the guest is honest: it writes calls,
 * longer records and ends of sub-buffers, which are read now and then. The
 * first step that is the intruder's gives him all that the guest's memory
 * holds. He changes, moves and cuts what is there, and seals what he likes with
 * the keys that are left, so that tags fit what no honest guest would write.
 * What was there before him is accepted as it was, or not at all; and if there
 * is no finding, none of it is missing but what was overwritten.
 */
#include "fuzz.h"

/* What the writer does is no news to the fuzzer, and half of the time. */
#pragma clang attribute push(__attribute__((no_sanitize("coverage"))),         \
			     apply_to = function)
#include "fake_ring.h"
#pragma clang attribute pop

#define SHIFT	  XFT_MIN_SUB_SHIFT
#define SIZE	  (1u << SHIFT)
#define NR	  XFT_MIN_SUBS
#define MAX_STEPS 64
#define MAX_CALLS 1024

enum step {
	CALLS,
	LONG,
	CLOSE,
	READ,
	FINISH,
	/* The intruder's. */
	CHANGE,
	STORE,
	MOVE,
	CUT,
	SEAL,
	OPEN,
	SKIP,
	NR_STEPS,
};

static struct fake_ring ring;

static struct {
	struct fake_ring ring;
	struct xft_ring_hdr hdr;
	struct unseal unsealer;
} unused;

static struct {
	uint64_t n;    /* calls and long records */
	bool is_owned; /* by an intruder, since ... */
	uint64_t head; /* ... this position, when there were ... */
	uint64_t records;
	uint64_t next; /* sub-buffer of which there may be more to read */
	uint64_t left; /* the oldest that was left for good, and 1; or 0 */
	/* ... and this in memory */
	_Alignas(8) uint8_t subs[NR][SIZE];
	bool is_sane; /* the writer's words fit each other */
	bool is_finished;
} guest;

__attribute__((constructor)) static void make_ring(void)
{
	fake_ring_open(&ring, SHIFT, NR);
	fake_ring_seal(&ring);
	unused.ring = ring;
	unused.hdr = *ring.hdr;
	unused.unsealer = *ring.r.seal;
	/* Looking further ahead takes longer, and is no different. */
	unused.ring.r.seek = 1024;
}

static void begin(void)
{
	ring = unused.ring;
	*ring.hdr = unused.hdr;
	*ring.r.seal = unused.unsealer;
	for (int i = 0; i < NR; i++)
		memset(ring.subs[i], 0, SIZE);
	memset(&guest, 0, offsetof(typeof(guest), subs));
	guest.is_sane = true;
	guest.is_finished = false;
}

static void own(void)
{
	if (guest.is_owned)
		return;
	guest.is_owned = true;
	guest.head = ring.w->head;
	guest.records = guest.n + ring.tasks;
	for (int i = 0; i < NR; i++)
		memcpy(guest.subs[i], ring.subs[i], SIZE);
}

/* ---- The reader ---- */

/* It is of the guest's honest days only if it is just as it was then. */
static void must_be_unchanged(const struct ring_span *span, const void *copy)
{
	const struct xft_sub *sub = (void *)guest.subs[span->nr % NR];
	uint64_t pos = (span->nr << SHIFT) + span->offset, len = span->len;

	if (!guest.is_owned || !len || pos >= guest.head)
		return;
	if (len > guest.head - pos)
		len = guest.head - pos;
	fuzz_must(sub->seq == span->nr + 1);
	fuzz_must(sub->base_tsc == span->base_tsc &&
		  sub->records_before == span->records_before &&
		  sub->epoch == span->epoch);
	fuzz_must(!memcmp((uint8_t *)sub + span->offset, copy, len));
}

static void read_ring(void)
{
	static uint64_t copy[SIZE / 8];
	struct ring_span span;
	struct xf_err err;

	for (int tries = 4 * NR; tries; tries--) {
		int rc = ring_next(&ring.r, &span, &err);

		if (!rc)
			return;
		if (rc < 0)
			continue;
		fuzz_must(span.len && span.len % 8 == 0 &&
			  span.offset + span.len <= SIZE);
		memcpy(copy, span.data, span.len);
		if (span.nr > guest.next && !guest.left)
			guest.left = guest.next + 1;
		guest.next = span.nr + span.whole;
		rc = ring_accept(&ring.r, &span, copy, &ring.keys, 0, &err);
		if (rc < 0)
			continue;
		fuzz_must(rc <= (int)span.len / 8);
		must_be_unchanged(&span, copy);
	}
}

/* There was another one in the place of one that was left. */
static bool is_lapped(void)
{
	uint64_t head = ring.r.seen_head;

	return guest.left && head &&
	       ((head - 1) >> SHIFT) >= guest.left - 1 + NR;
}

static void end(void)
{
	const struct ring *r = &ring.r;
	struct xf_err err;

	read_ring();
	if (!guest.is_owned) {
		fuzz_must(!r->bad && !r->gaps);
		fuzz_must(r->accepted + r->lost == guest.n + ring.tasks);
	} else if (!ring_check_end(&ring.r, &err) && !r->bad && !r->gaps) {
		/* What he lapped is lost, and how much that was is his word. */
		fuzz_must(is_lapped() || r->accepted >= guest.records);
	}
}

/* ---- The writer ---- */

static void push(size_t nr, bool is_long)
{
	if (guest.is_finished && !guest.is_owned)
		return;
	while (guest.is_sane && nr-- && guest.n < MAX_CALLS) {
		if (is_long)
			fake_ring_push_long(&ring, ++guest.n);
		else
			fake_ring_push(&ring, ++guest.n);
	}
}

/* ---- The intruder ---- */

static uint8_t *place(struct cursor *in, size_t len)
{
	uint16_t at = cursor_u16(in);
	size_t off = at % SIZE;

	return (uint8_t *)ring.subs[at / SIZE % NR] +
	       (off > SIZE - len ? SIZE - len : off);
}

static void move_words(struct cursor *in)
{
	size_t len = cursor_u8(in) * 8;
	uint8_t *to = place(in, len);

	memmove(to, place(in, len), len);
}

/* Forget the newest, or claim what is not there. */
static void cut(struct cursor *in)
{
	struct xft_ring *w = ring.w;
	int64_t by = (int16_t)cursor_u16(in) * 8ll;
	uint64_t begin = (w->head - 1) >> SHIFT << SHIFT;

	w->head -= by;
	if (!w->sub || by < 0 || w->head < begin + sizeof(struct xft_sub) ||
	    w->head > begin + SIZE)
		guest.is_sane = false;
}

/* A record, whatever it says, with the tag that fits. */
static void seal(struct cursor *in)
{
	struct xft_ring *w = ring.w;
	uint32_t len = 1 + cursor_u8(in) % 64;
	uint64_t first = cursor_u64(in);
	struct xft_pen pen;

	if (!guest.is_sane || !w->sub ||
	    w->head % SIZE + (len + 1 + XFT_CLOSE_WORDS + 1) * 8 > SIZE ||
	    w->head % SIZE == 0)
		return;
	pen = xft_pen_begin(w, XFT_MASK_SEALED);
	for (uint32_t i = 1; i < len; i++)
		xft_pen_word(&pen, cursor_u64(in), XFT_MASK_SEALED);
	/* Most have the length that they claim. */
	if (first >> 63)
		first = (first &
			 ~((uint64_t)XFT_WORDS_MAX << XFT_WORDS_SHIFT)) |
			(uint64_t)len << XFT_WORDS_SHIFT;
	first ^= pen.key;
	pen.mac = xft_mac_add(pen.mac, pen.otp[0], first);
	*xft_ring_next(w) = first;
	*pen.dst = xft_mac_end(pen.mac, pen.otp[0], pen.otp[1]);
	w->odd++;
	w->odd_words += len + 1;
	w->head += (len + 1) * 8;
}

/* Leave out sub-buffers, with the keys that belong to them. */
static void skip(struct cursor *in)
{
	uint64_t nr = (ring.w->head + SIZE - 1) >> SHIFT, left = cursor_u8(in);

	if (!guest.is_sane)
		return;
	xft_ring_close(ring.w, guest.n, 0, XFT_MASK_SEALED);
	for (; left--; nr++)
		xft_hchacha(ring.seal.chain, ring.seal.chain, XFT_SEAL_NEXT,
			    nr);
	ring.w->head = nr << SHIFT;
}

static void intrude(struct cursor *in, enum step what)
{
	own();
	switch (what) {
	case CHANGE:
		*place(in, 1) ^= cursor_u8(in);
		break;
	case STORE:
		*(uint64_t *)((uintptr_t)place(in, 8) & ~7ull) = cursor_u64(in);
		break;
	case MOVE:
		move_words(in);
		break;
	case CUT:
		cut(in);
		break;
	case SEAL:
		seal(in);
		break;
	case OPEN:
		if (guest.is_sane)
			xft_ring_turn(ring.w, cursor_u64(in), XFT_MASK_SEALED);
		break;
	default:
		skip(in);
	}
}

static void step(struct cursor *in)
{
	enum step what = cursor_u8(in) % NR_STEPS;

	switch (what) {
	case CALLS:
	case LONG:
		push(cursor_u8(in), what == LONG);
		break;
	case CLOSE:
		if (guest.is_sane)
			xft_ring_close(ring.w, guest.n, 0, XFT_MASK_SEALED);
		break;
	case READ:
		read_ring();
		break;
	case FINISH:
		if (guest.is_sane)
			xft_ring_finish(ring.w, guest.n, XFT_MASK_SEALED);
		guest.is_finished = true;
		break;
	default:
		intrude(in, what);
	}
}

void fuzz_one(struct cursor *in)
{
	begin();
	for (int i = 0; i < MAX_STEPS && !in->failed && cursor_left(in); i++)
		step(in);
	end();
}
