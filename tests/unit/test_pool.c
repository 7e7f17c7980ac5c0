// SPDX-License-Identifier: GPL-2.0-only
/*
 * The pool of a sealed ring: a writer and a thread that makes streams for it
 * beforehand, both the module's own code, against a writer that has no pool.
 */
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* Between two batches the writer may come, on a busy machine as well. */
#define cond_resched() sched_yield()
#include "fake_ring.h"

#define SHIFT 12
#define NR    8

struct filler {
	pthread_t thread;
	struct xft_seal *s;
	uint64_t filled;
	uint32_t hold;		/* begin nothing */
	uint32_t stop;
};

static uint64_t seed_of_tests = 1;

static uint64_t rnd(uint64_t below)
{
	seed_of_tests = fake_mix(seed_of_tests + 0x51ed2701);
	return seed_of_tests % below;
}

static void *fill(void *arg)
{
	struct filler *f = arg;

	while (!shared_load(&f->stop)) {
		if (!shared_load(&f->hold))
			f->filled += xft_seal_fill(f->s);
		sched_yield();
	}
	return NULL;
}

static void filler_start(struct filler *f, struct xft_seal *s)
{
	*f = (struct filler){ .s = s };
	if (pthread_create(&f->thread, NULL, fill, f))
		abort();
}

static void filler_stop(struct filler *f)
{
	shared_store(&f->stop, 1);
	pthread_join(f->thread, NULL);
}

static struct xft_seal *seal_create(uint64_t pooled)
{
	const uint64_t seed[4] = { 1, 2, 3, 4 };
	struct xft_seal *s = calloc(1, xft_seal_size(pooled));

	if (!s)
		abort();
	s->pooled = pooled;
	xft_seal_init(s, seed, 5, XFT_RING_MAIN);
	return s;
}

static bool is_zero(const uint64_t *words, uint64_t nr)
{
	for (uint64_t i = 0; i < nr; i++)
		if (words[i])
			return false;
	return true;
}

/* Nothing of it is left: neither key nor stream. */
static void assert_wiped(struct xft_seal *s, uint64_t nr)
{
	assert_true(is_zero(s->slot[nr & 1].key, 2));
	assert_true(is_zero(xft_seal_pool(s, nr), s->pooled));
}

/* ---- each change of hands ---- */

static void test_slot(void **state)
{
	struct xft_slot slot = { .state = XFT_SLOT_EMPTY };

	assert_false(xft_slot_begin(&slot));
	assert_false(xft_slot_take(&slot));

	xft_slot_post(&slot, 1, 2);
	assert_false(xft_slot_take(&slot));
	assert_int_equal(slot.state, XFT_SLOT_EMPTY);
	assert_true(is_zero(slot.key, 2));

	xft_slot_post(&slot, 1, 2);
	assert_true(xft_slot_begin(&slot));
	assert_false(xft_slot_begin(&slot));
	assert_true(xft_slot_wanted(&slot));
	assert_true(xft_slot_end(&slot));
	assert_true(xft_slot_take(&slot));
	assert_int_equal(slot.state, XFT_SLOT_EMPTY);

	xft_slot_post(&slot, 1, 2);
	assert_true(xft_slot_begin(&slot));
	assert_false(xft_slot_take(&slot));
	assert_false(xft_slot_wanted(&slot));
	/* Neither a second look nor another order takes it from the thread. */
	assert_false(xft_slot_take(&slot));
	xft_slot_post(&slot, 3, 4);
	assert_int_equal(slot.state, XFT_SLOT_LOST);
	assert_int_equal(slot.key[0], 1);
	assert_false(xft_slot_end(&slot));
	xft_slot_leave(&slot);
	assert_int_equal(slot.state, XFT_SLOT_EMPTY);
	assert_true(is_zero(slot.key, 2));
}

/* ---- the same stream ---- */

/* Sub-buffer @nr of both, and some words or more than there are in a pool. */
static void assert_same(struct xft_seal *plain, struct xft_seal *s, uint64_t nr)
{
	uint64_t words = rnd(3) ? rnd(s->pooled) : s->pooled - 5 + rnd(400);

	xft_seal_open(plain, nr);
	xft_seal_open(s, nr);
	while (words--) {
		uint64_t *word = xft_seal_next(s);
		bool last = s->used == s->end;

		assert_int_equal(xft_seal_take(plain), xft_seal_take(s));
		assert_true(last || !*word);
	}
	xft_seal_close(plain);
	xft_seal_close(s);
	assert_true(is_zero(s->stream, XFT_SEAL_BATCH));
	assert_true(is_zero(s->key, 2));
}

/* Filled at once, too late, and never: all three by turns. */
static void test_by_turns(void **state)
{
	struct xft_seal *plain = seal_create(0), *s = seal_create(630);
	uint64_t from_pool = 0;

	assert_false(xft_seal_fill(plain));
	for (uint64_t nr = 0; nr < 1000; nr++) {
		struct xft_slot *slot = &s->slot[nr & 1];
		uint64_t way = rnd(3);

		if (way == 0)
			assert_true(xft_seal_fill(s));
		else if (way == 1)
			assert_true(xft_slot_begin(slot));
		from_pool += slot->state == XFT_SLOT_READY;
		assert_same(plain, s, nr);
		if (way == 1) {
			assert_false(xft_slot_end(slot));
			xft_slot_leave(slot);
		}
		assert_wiped(s, nr);
	}
	assert_in_range(from_pool, 200, 500);
	free(plain);
	free(s);
}

/*
 * What becomes of it until the writer comes, which may be at any moment: at once
 * if the thread is @held.
 */
static enum xft_slot_state wait_for(const struct xft_slot *slot, bool held)
{
	uint64_t to_end = rnd(2), spins = rnd(3000);
	enum xft_slot_state state;

	while ((state = shared_load(&slot->state)) == XFT_SLOT_POSTED && !held)
		sched_yield();
	while (state == XFT_SLOT_FILLING && (to_end || spins--))
		state = shared_load(&slot->state);
	return state;
}

/*
 * With a thread at it: whatever it was about, the stream is the same, and what
 * came too late is wiped.
 */
static void test_thread(void **state)
{
	struct xft_seal *plain = seal_create(0), *s = seal_create(1260);
	uint64_t seen[XFT_SLOT_LOST + 1] = { 0 };
	struct filler f;

	filler_start(&f, s);
	for (uint64_t nr = 0; nr < 2000; nr++) {
		struct xft_slot *slot = &s->slot[nr & 1];

		seen[wait_for(slot, f.hold)]++;
		/* For the next one, which is ordered now. */
		shared_store(&f.hold, !rnd(3));
		assert_same(plain, s, nr);
		if (shared_load(&slot->state) == XFT_SLOT_EMPTY)
			assert_wiped(s, nr);
	}
	filler_stop(&f);
	assert_true(seen[XFT_SLOT_READY] && seen[XFT_SLOT_POSTED]);
	assert_true(seen[XFT_SLOT_FILLING]);
	/* What is left is the order for a sub-buffer that will not be. */
	assert_wiped(s, 2001);
	free(plain);
	free(s);
}

/* ---- records ---- */

/* All there is; the number of refusals. */
static uint64_t drain(struct fake_ring *f)
{
	static uint64_t copy[(1 << SHIFT) / 8];
	uint64_t refused = 0;
	struct ring_span span;
	int rc;

	while ((rc = ring_next(&f->r, &span, NULL))) {
		if (rc > 0) {
			memcpy(copy, span.data, span.len);
			rc = ring_accept(&f->r, &span, copy, &f->keys, 0, NULL);
		}
		refused += rc < 0 || span.fault;
	}
	return refused;
}

/* What the host reads is verified, wherever its keys were made. */
static void test_records(void **state)
{
	struct filler filler;
	struct fake_ring f;
	uint64_t n = 0, refused = 0;

	fake_ring_open(&f, SHIFT, NR);
	fake_ring_seal(&f);
	fake_ring_pool(&f);
	filler_start(&filler, f.pool);
	for (int i = 0; i < 4000; i++) {
		for (uint64_t nr = rnd(40); nr; nr--) {
			if (++n % 64 == 5)
				fake_ring_push_long(&f, n);
			else
				fake_ring_push(&f, n);
		}
		/* As the module does with one that nobody writes to. */
		if (rnd(200) == 0)
			xft_ring_close(f.w, n, 0, f.mask);
		if (rnd(4) == 0)
			sched_yield();
		refused += drain(&f);
	}
	xft_ring_finish(f.w, n, f.mask);
	refused += drain(&f);
	filler_stop(&filler);
	assert_int_equal(refused, 0);
	assert_int_equal(f.r.bad, 0);
	assert_int_equal(f.r.lost, 0);
	assert_int_equal(f.r.accepted, xft_ring_records(f.w, f.mask));
	assert_true(filler.filled);
	fake_ring_close(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_slot),
		cmocka_unit_test(test_by_turns),
		cmocka_unit_test(test_thread),
		cmocka_unit_test(test_records),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
