// SPDX-License-Identifier: GPL-2.0-only
/*
 * flusher: what was committed gets onto the media, and nobody waits for it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <semaphore.h>

#include "fake_store.h"
#include "flusher.h"

/* A medium that is slow, and may fail. */
static sem_t begun, may_end;
static bool slow, broken;
static int nr_syncs;

static int slow_sync(struct media *m, uint64_t off, size_t len)
{
	/* The first of the parts that a journal is synced in. */
	if (slow && !nr_syncs++) {
		sem_post(&begun);
		sem_wait(&may_end);
	}
	return broken ? -1 : 0;
}

static struct store st;
static struct journal j;
static struct flusher f;
static struct media_ops ops;

static void begin(bool is_slow)
{
	sem_init(&begun, 0, 0);
	sem_init(&may_end, 0, 0);
	slow = is_slow;
	broken = false;
	nr_syncs = 0;
	make_store(&st, "a", 4 * MIB);
	assert_int_equal(journal_create(&j, &st, "t", NULL), 0);
	ops = *st.m.ops;
	ops.sync = slow_sync;
	st.m.ops = &ops;
	f = (struct flusher){ 0 };
}

static void end(void)
{
	journal_close(&j);
	store_close(&st);
}

static void add(uint32_t i)
{
	assert_int_equal(put_one(&j, 1, i, NULL), 0);
	assert_int_equal(journal_commit(&j, NULL), 0);
}

static void test_flush(void **state)
{
	begin(false);
	flusher_tick(&f, &j);
	assert_false(f.busy);
	add(0);
	assert_true(j.synced < j.committed);
	flusher_tick(&f, &j);
	flusher_wait(&f, &j);
	assert_false(f.busy);
	assert_true(j.synced == j.committed);
	/* Nothing is new, nothing is done. */
	flusher_tick(&f, &j);
	assert_false(f.busy);
	flusher_wait(&f, &j);
	end();
}

static void test_slow(void **state)
{
	uint64_t first;

	begin(true);
	add(0);
	first = j.committed;
	flusher_tick(&f, &j);
	sem_wait(&begun);
	/* It is at work: the trace goes on, and there is one at a time. */
	for (uint32_t i = 1; i < 30; i++) {
		add(i);
		flusher_tick(&f, &j);
	}
	assert_true(f.busy);
	assert_int_equal(j.synced, 0);
	sem_post(&may_end);
	flusher_wait(&f, &j);
	/*
	 * What came meanwhile may or may not be there: it is not vouched for.
	 */
	assert_int_equal(j.synced, first);
	flusher_tick(&f, &j);
	flusher_wait(&f, &j);
	assert_true(j.synced == j.committed);
	assert_int_equal(count_chunks(&j, 1), 30);
	end();
}

static void test_failing(void **state)
{
	begin(false);
	add(0);
	broken = true;
	flusher_tick(&f, &j);
	flusher_wait(&f, &j);
	assert_int_equal(j.synced, 0);
	broken = false;
	flusher_tick(&f, &j);
	flusher_wait(&f, &j);
	assert_true(j.synced == j.committed);
	end();
}

static void test_dax(void **state)
{
	begin(false);
	st.m.durable = true;
	add(0);
	flusher_tick(&f, &j);
	assert_false(f.busy);
	end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_flush),
		TEST(test_slow),
		TEST(test_failing),
		TEST(test_dax),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
