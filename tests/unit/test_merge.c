// SPDX-License-Identifier: GPL-2.0-only
/* merge: rings into one order, and what is missing or damaged in them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "cleanup.h"
#include "fake_trace.h"
#include "merge.h"

/* All records in a row: "a0( b1( ..." with @ before each time on demand. */
static char *merged(struct fake_trace *f, bool times, struct merge *ret_m)
{
	struct buf b = BUF_INIT;
	const struct record *r;
	struct merge m;
	uint32_t cpu = UINT32_MAX;

	merge_init(&m, &f->t, &f->t.sessions[0]);
	while (merge_next(&m, &r)) {
		if (r->cpu != cpu)
			buf_printf(&b, "C%u ", r->cpu);
		cpu = r->cpu;
		if (r->lost)
			buf_printf(&b, "L%lu ", r->lost);
		if (times)
			buf_printf(&b, "@%lu ", r->tsc);
		buf_printf(&b, "%c%u%c ", fake_letter(r->func), r->depth,
			   r->type == XFT_ENTRY ? '(' : ')');
	}
	/* And stays at its end. */
	assert_false(merge_next(&m, &r));
	assert_null(merge_peek(&m));
	if (ret_m)
		*ret_m = m;
	merge_deinit(&m);
	if (b.len)
		b.data[--b.len] = '\0';
	return buf_take(&b);
}

static void assert_merges(const char *words, const char *want, uint64_t records,
			  uint64_t lost, uint64_t bad)
{
	_cleanup_free_ char *got = NULL;
	struct fake_trace f;
	struct merge m;

	fake_trace_open(&f);
	fake_session(&f, 1);
	fake_records(&f, words);
	fake_trace_seal(&f);
	got = merged(&f, false, &m);
	assert_string_equal(got, want);
	assert_int_equal(m.records, records);
	assert_int_equal(m.lost, lost);
	assert_int_equal(m.bad_spans, bad);
	fake_trace_close(&f);
}

static void test_one_ring(void **state)
{
	assert_merges("", "", 0, 0, 0);
	assert_merges("T5", "", 1, 0, 0);
	assert_merges("T5 a0( b1( b1) a0)", "C0 a0( b1( b1) a0)", 5, 0, 0);
	/* Sub-buffers and keys change, the order does not. */
	assert_merges("T5 a0( S T5 b1( K2 T5 b1) K1 S a0)",
		      "C0 a0( b1( b1) a0)", 7, 0, 0);
	/* Also not when the clock goes back. */
	assert_merges("T5 @900 a0( @500 b1( @700 b1) @1 a0)",
		      "C0 a0( b1( b1) a0)", 5, 0, 0);
	/* A newer module's records are counted and left out. */
	assert_merges("T5 a0( U b1( U b1) a0) U", "C0 a0( b1( b1) a0)", 8, 0,
		      0);
}

static void test_rings(void **state)
{
	assert_merges("@100 a0( C1 @150 b0( C0 @200 a0) C1 @250 b0)",
		      "C0 a0( C1 b0( C0 a0) C1 b0)", 4, 0, 0);
	/* The NMI ring of a CPU is a ring of its own. */
	assert_merges("@100 a0( @200 a0) C0n @120 n1(n @130 n1)",
		      "C0 a0( n1( n1) a0)", 4, 0, 0);
	/* One ends early, one begins late, one is empty but for a task. */
	assert_merges("@100 a0( C1 @300 b0( C2 T7 C3 @50 c0(",
		      "C3 c0( C0 a0( C1 b0(", 4, 0, 0);
	/* A clock that went back in one ring does not hold up the others. */
	assert_merges("@500 a0( @100 b1( C1 @200 c0( @600 c0)",
		      "C1 c0( C0 a0( b1( C1 c0)", 4, 0, 0);
}

static void test_lost(void **state)
{
	assert_merges("T5 a0( L3 T5 b1( b1)", "C0 a0( L3 b1( b1)", 5, 3, 0);
	/* Before the first record, and twice before one that counts. */
	assert_merges("L7 a0( L2 T5 L4 b1(", "C0 L7 a0( L6 b1(", 3, 13, 0);
	/* At the end there is nobody to tell, but it is counted. */
	assert_merges("a0( L5 T5", "C0 a0(", 2, 5, 0);
	assert_merges("a0( L18446744073709551000 b1(",
		      "C0 a0( L18446744073709551000 b1(", 2,
		      18446744073709551000ull, 0);
}

static void test_damaged(void **state)
{
	/* The rest of that stretch is left out, and the count tells how much.
	 */
	assert_merges("a0( b1( ! b1) a0) S c0( c0)", "C0 a0( b1( L2 c0( c0)", 4,
		      2, 1);
	/* No key: the same for all of it. */
	assert_merges("a0( K9 b1( b1) S a0)", "C0 a0( L2 a0)", 2, 2, 1);
	assert_merges("K9 b1( K8 b1)", "", 0, 0, 2);
	assert_merges("! a0( C1 ! C2 !", "", 0, 0, 3);
}

/* A record that is longer than what is left of its stretch. */
static void test_cut_record(void **state)
{
	static const uint32_t types[] = { XFT_ENTRY, XFT_RETURN, XFT_TASK, 7 };

	for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
		_cleanup_free_ char *got = NULL;
		struct fake_trace f;
		struct merge m;
		uint64_t word;

		fake_trace_open(&f);
		fake_session(&f, 1);
		fake_records(&f, "a0(");
		word = types[i] | (types[i] == XFT_TASK ? 4 : 2)
					  << XFT_WORDS_SHIFT;
		fake_put(&f, &word, 1);
		fake_trace_seal(&f);
		got = merged(&f, false, &m);
		assert_string_equal(got, "C0 a0(");
		assert_int_equal(m.bad_spans, 1);
		fake_trace_close(&f);
	}
}

static void test_record(void **state)
{
	const struct record *r;
	struct fake_trace f;
	struct merge m;

	fake_trace_open(&f);
	fake_session(&f, 1);
	fake_records(&f, "C3 T77:sixteen_letters_ @5000 a12(<bi T5 C4n "
			 "@5001 n200(n @4000000 C3 m0)s");
	fake_trace_seal(&f);
	merge_init(&m, &f.t, &f.t.sessions[0]);
	assert_null(merge_peek(&m));
	assert_true(merge_next(&m, &r));
	assert_int_equal(r->tsc, 5000);
	assert_int_equal(r->func, fake_addr('a'));
	assert_int_equal(r->caller, fake_addr('b') + 0x15);
	assert_int_equal(r->cpu, 3);
	assert_int_equal(r->pid, 77);
	assert_int_equal(r->tgid, 77);
	assert_int_equal(r->type, XFT_ENTRY);
	assert_int_equal(r->context, XFT_CTX_IRQ);
	assert_int_equal(r->depth, 12);
	/* Not terminated in the guest, terminated here. */
	assert_string_equal(r->comm, "sixteen_letters_");
	/* What follows in the same ring, whatever lies between. */
	assert_int_equal(merge_peek(&m)->func, fake_addr('m'));
	assert_int_equal(merge_peek(&m)->pid, 5);
	assert_true(merge_next(&m, &r));
	/* Nobody said whose records the NMI ring's are. */
	assert_int_equal(r->pid, 0);
	assert_string_equal(r->comm, "");
	assert_int_equal(r->context, XFT_CTX_NMI);
	assert_int_equal(r->depth, 200);
	assert_null(merge_peek(&m));
	assert_true(merge_next(&m, &r));
	assert_int_equal(r->type, XFT_RETURN);
	assert_int_equal(r->context, XFT_CTX_SOFTIRQ);
	assert_int_equal(r->func, FAKE_MODULE);
	assert_int_equal(r->pid, 5);
	assert_string_equal(r->comm, "task");
	assert_int_equal(r->tsc, 4000000);
	assert_false(merge_next(&m, &r));
	merge_deinit(&m);
	fake_trace_close(&f);
}

/* Rings with clocks that only go forward come out sorted, and complete. */
static void test_sorted(void **state)
{
	srand(5);
	for (int round = 0; round < 30; round++) {
		uint64_t next[FAKE_RINGS] = { 0 }, last = 0;
		const struct record *r;
		uint32_t nr = 0, total = 0;
		struct fake_trace f;
		struct merge m;

		fake_trace_open(&f);
		fake_session(&f, 1);
		for (int i = 0; i < 2000; i++) {
			f.cpu = rand() % (1 + round % FAKE_RINGS);
			/* Bursts, and equal times on different CPUs. */
			for (int n = rand() % 8; n >= 0; n--) {
				f.now = fake_stream(&f)->records / 4 * 100;
				/* Its number in its ring. */
				fake_put_call(&f, XFT_ENTRY, 0, 0,
					      fake_stream(&f)->records, 0);
				total++;
			}
		}
		fake_trace_seal(&f);
		merge_init(&m, &f.t, &f.t.sessions[0]);
		while (merge_next(&m, &r)) {
			assert_true(r->tsc >= last);
			last = r->tsc;
			assert_int_equal((uint32_t)r->func, next[r->cpu]);
			next[r->cpu]++;
			nr++;
		}
		assert_int_equal(nr, total);
		assert_int_equal(m.records, total);
		merge_deinit(&m);
		fake_trace_close(&f);
	}
}

/* What an NMI does in between comes between, though it has its own ring. */
static void test_peek(void **state)
{
	const struct record *r;
	struct fake_trace f;
	struct merge m;

	fake_trace_open(&f);
	fake_session(&f, 1);
	fake_records(&f, "C1n @50 n0( @110 n0) C1 @100 a0( @120 a0) @130 b0( "
			 "@140 b0) C2 @135 c0( C2n @500 n0(");
	fake_trace_seal(&f);
	merge_init(&m, &f.t, &f.t.sessions[0]);
	assert_true(merge_next(&m, &r));
	assert_int_equal(r->tsc, 50);
	assert_int_equal(merge_peek(&m)->tsc, 100);
	assert_true(merge_next(&m, &r));
	assert_int_equal(r->tsc, 100);
	assert_int_equal(merge_peek(&m)->tsc, 110);
	assert_true(merge_next(&m, &r));
	assert_int_equal(r->tsc, 110);
	for (uint64_t tsc = 120; tsc <= 130; tsc += 10) {
		assert_true(merge_next(&m, &r));
		assert_int_equal(r->tsc, tsc);
		assert_int_equal(merge_peek(&m)->tsc, tsc + 10);
	}
	merge_deinit(&m);
	fake_trace_close(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_ring),
		cmocka_unit_test(test_rings),
		cmocka_unit_test(test_lost),
		cmocka_unit_test(test_damaged),
		cmocka_unit_test(test_cut_record),
		cmocka_unit_test(test_record),
		cmocka_unit_test(test_peek),
		cmocka_unit_test(test_sorted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
