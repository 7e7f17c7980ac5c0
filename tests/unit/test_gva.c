// SPDX-License-Identifier: GPL-2.0-only
/* gva on page tables that are right, wrong, loops and noise. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <time.h>

#include "cleanup.h"
#include "fake_guest.h"

#define PAGE  ((uint64_t)XF_PAGE_SIZE)
#define MIB   (1ull << 20)
#define GIB   (1ull << 30)
#define KBASE 0xffffffff80000000ull

static int translate(struct fake_guest *g, uint64_t va, uint64_t *ret_gpa,
		     uint64_t *ret_run)
{
	struct xf_err err = { 0 };
	int rc = gva_translate(&g->space, va, ret_gpa, ret_run, &err);

	assert_int_equal(err.code, rc);
	return rc;
}

static void assert_maps(struct fake_guest *g, uint64_t va, uint64_t want_gpa,
			uint64_t want_run)
{
	uint64_t gpa, run;

	assert_int_equal(translate(g, va, &gpa, &run), 0);
	assert_int_equal(gpa, want_gpa);
	assert_int_equal(run, want_run);
}

static void assert_refused(struct fake_guest *g, uint64_t va, int rc)
{
	uint64_t gpa = 1, run = 2;

	assert_int_equal(translate(g, va, &gpa, &run), rc);
	assert_int_equal(gpa, 1);
	assert_int_equal(run, 2);
}

static void test_sizes(void **state)
{
	for (int l5 = 0; l5 < 2; l5++) {
		struct fake_guest g;
		uint64_t high = l5 ? 0xff00000000000000 : 0xffff800000000000;

		fake_guest_open(&g, 16 * MIB);
		g.space.l5 = l5;
		fake_map(&g, KBASE, 5 * PAGE, 1);
		fake_map(&g, 0x400000, 4 * MIB, 2);
		fake_map(&g, high, 0, 3);
		assert_maps(&g, KBASE, 5 * PAGE, PAGE);
		assert_maps(&g, KBASE + PAGE - 1, 6 * PAGE - 1, 1);
		assert_maps(&g, 0x400000 + 12345, 4 * MIB + 12345,
			    2 * MIB - 12345);
		/* The page is longer than RAM is: the run is not. */
		assert_maps(&g, high + 16 * MIB - 1, 16 * MIB - 1, 1);
		assert_refused(&g, high + 16 * MIB, -ERANGE);
		assert_refused(&g, KBASE + PAGE, -EFAULT);
		assert_refused(&g, 0, -EFAULT);
		fake_guest_close(&g);
	}
}

static void test_canonical(void **state)
{
	struct fake_guest g;

	fake_guest_open(&g, MIB);
	fake_map(&g, 0x7ffffffff000, PAGE, 1);
	fake_map(&g, 0xffff800000000000, 2 * PAGE, 1);
	assert_maps(&g, 0x7fffffffffff, 2 * PAGE - 1, 1);
	assert_maps(&g, 0xffff800000000000, 2 * PAGE, PAGE);
	assert_refused(&g, 0x0000800000000000, -EFAULT);
	assert_refused(&g, 0xffff7fffffffffff, -EFAULT);
	assert_refused(&g, 0x8000000000000000, -EFAULT);
	/* With five levels there is more room, but not all of it. */
	g.space.l5 = true;
	assert_refused(&g, 0x0100000000000000, -EFAULT);
	assert_refused(&g, 0xfeffffffffffffff, -EFAULT);
	fake_guest_close(&g);
}

/* What an entry holds beside the address is none of our business. */
static void test_other_bits(void **state)
{
	struct fake_guest g;

	fake_guest_open(&g, 16 * MIB);
	fake_map(&g, KBASE, 5 * PAGE, 1);
	*fake_entry(&g, KBASE, 1) |= PTE_NX | 0x7ff0000000000000 | 0xfff;
	*fake_entry(&g, KBASE, 3) |= PTE_NX | 0x7ff0000000000000;
	assert_maps(&g, KBASE, 5 * PAGE, PAGE);
	/* In a large page bit 12 is PAT and those above must not leak in. */
	fake_map(&g, KBASE + 2 * MIB, 4 * MIB, 2);
	*fake_entry(&g, KBASE + 2 * MIB, 2) |= 0x1ff000;
	assert_maps(&g, KBASE + 2 * MIB, 4 * MIB, 2 * MIB);
	/* Code is what no table forbids. */
	assert_int_equal(gva_code_run(&g.space, KBASE + 2 * MIB), 0);
	*fake_entry(&g, KBASE, 3) &= ~PTE_NX;
	assert_int_equal(gva_code_run(&g.space, KBASE + 2 * MIB + 1),
			 2 * MIB - 1);
	assert_int_equal(gva_code_run(&g.space, KBASE), 0);
	*fake_entry(&g, KBASE, 1) &= ~PTE_NX;
	assert_int_equal(gva_code_run(&g.space, KBASE), PAGE);
	assert_int_equal(gva_code_run(&g.space, KBASE + PAGE), 0);
	/* CR3 carries a PCID. */
	g.space.pgd_gpa |= 0xabc;
	assert_maps(&g, KBASE, 5 * PAGE, PAGE);
	g.space.pgd_gpa = 0;
	/* Present is what counts, not the rest (a swapped page). */
	*fake_entry(&g, KBASE, 1) &= ~PTE_P;
	assert_refused(&g, KBASE, -EFAULT);
	fake_guest_close(&g);
}

static void test_hostile_tables(void **state)
{
	struct fake_guest g;
	struct xf_err err = { 0 };
	char b[64];

	fake_guest_open(&g, 16 * MIB);
	/* Large pages where there are none. */
	*fake_entry(&g, 0, 4) = PTE_P | PTE_PS;
	assert_refused(&g, 0, -EBADMSG);
	g.space.l5 = true;
	assert_refused(&g, 0, -EBADMSG);
	*fake_entry(&g, 0, 5) = PTE_P;
	fake_put_u64(&g, 8, PTE_P | PTE_PS);
	assert_refused(&g, 1ull << 39, -EBADMSG);
	g.space.l5 = false;

	/* Tables and pages outside of RAM, just behind it and far away. */
	*fake_entry(&g, KBASE, 4) = 16 * MIB | PTE_P;
	assert_refused(&g, KBASE, -ERANGE);
	*fake_entry(&g, KBASE, 4) = 0x000ffffffffff000 | PTE_P;
	assert_refused(&g, KBASE, -ERANGE);
	*fake_entry(&g, KBASE, 4) = 0;
	fake_map(&g, KBASE, 16 * MIB, 1);
	assert_refused(&g, KBASE, -ERANGE);
	fake_map(&g, KBASE, 0xfee00000, 1);
	assert_refused(&g, KBASE, -ERANGE);
	fake_map(&g, KBASE + 2 * MIB, 0x000fffffffe00000, 2);
	assert_refused(&g, KBASE + 2 * MIB, -ERANGE);
	g.space.pgd_gpa = 16 * MIB;
	assert_refused(&g, KBASE, -ERANGE);
	g.space.pgd_gpa = UINT64_MAX;
	assert_refused(&g, KBASE, -ERANGE);
	assert_int_equal(gva_read(&g.space, KBASE, b, sizeof(b), &err),
			 -ERANGE);
	g.space.pgd_gpa = 0;

	/* A loop: every table is the top table. It ends after four steps. */
	for (int i = 0; i < 512; i++)
		fake_put_u64(&g, i * 8, PTE_P);
	assert_maps(&g, 0x123456789abc, 0xabc, PAGE - 0xabc);
	assert_maps(&g, UINT64_MAX, 0xfff, 1);
	/* Each page of all memory is the same one: cost goes with length. */
	assert_int_equal(gva_read(&g.space, 0x1000, b, sizeof(b), &err), 0);
	fake_guest_close(&g);
}

static void test_read(void **state)
{
	struct xf_err err = { 0 };
	struct fake_guest g;
	char b[3 * XF_PAGE_SIZE];
	uint64_t v;

	fake_guest_open(&g, 16 * MIB);
	/* Neighbours in virtual memory that are none in RAM. */
	fake_map(&g, KBASE, 9 * PAGE, 1);
	fake_map(&g, KBASE + PAGE, 4 * PAGE, 1);
	fake_map(&g, KBASE + 2 * PAGE, 7 * PAGE, 1);
	fake_put(&g, 10 * PAGE - 4, "over", 4);
	fake_put(&g, 4 * PAGE, " the edge", 9);
	fake_put(&g, 5 * PAGE - 3, "and", 3);
	fake_put(&g, 7 * PAGE, " over", 6);
	assert_int_equal(gva_read(&g.space, KBASE + PAGE - 4, b, 13, &err), 0);
	assert_memory_equal(b, "over the edge", 13);
	assert_int_equal(gva_read(&g.space, KBASE, b, 3 * PAGE, &err), 0);
	assert_memory_equal(b + 2 * PAGE - 3, "and over", 9);
	assert_int_equal(gva_read(&g.space, KBASE, b, 3 * PAGE + 1, &err),
			 -EFAULT);
	assert_int_equal(gva_read(&g.space, UINT64_MAX - 7, b, 9, &err),
			 -EFAULT);
	assert_int_equal(gva_read(&g.space, UINT64_MAX, b, 0, &err), 0);

	assert_int_equal(gva_read_u64(&g.space, KBASE + PAGE, &v, &err), 0);
	assert_memory_equal(&v, " the edg", 8);
	assert_int_equal(gva_read_u64(&g.space, KBASE + PAGE - 4, &v, &err), 0);
	assert_memory_equal(&v, "over the", 8);

	assert_int_equal(gva_read_str(&g.space, KBASE + 2 * PAGE - 3, b, 9,
				      &err),
			 8);
	assert_string_equal(b, "and over");
	assert_int_equal(gva_read_str(&g.space, KBASE + 2 * PAGE - 3, b, 8,
				      &err),
			 -ENAMETOOLONG);
	assert_int_equal(gva_read_str(&g.space, KBASE, b, 0, &err),
			 -ENAMETOOLONG);
	/* No end before the memory ends. */
	memset(g.ram + 7 * PAGE, 'x', PAGE);
	assert_int_equal(gva_read_str(&g.space, KBASE + 2 * PAGE, b, sizeof(b),
				      &err),
			 -EFAULT);
	/* The very top of the address space. */
	fake_map(&g, -PAGE, 2 * PAGE, 1);
	memset(g.ram + 2 * PAGE, 'y', PAGE);
	assert_int_equal(gva_read_str(&g.space, UINT64_MAX - 9, b, sizeof(b),
				      &err),
			 -EFAULT);
	assert_int_equal(gva_read(&g.space, UINT64_MAX - 9, b, 10, &err), 0);
	fake_guest_close(&g);
}

/* Noise for tables: any answer is fine, as long as there is one. */
static void test_noise(void **state)
{
	struct timespec t0, t1;
	struct fake_guest g;
	char b[256];

	fake_guest_open(&g, 2 * MIB);
	srandom(1);
	for (uint64_t i = 0; i < g.len; i += 8) {
		uint64_t r = (uint64_t)random() << 33 ^ random();

		/* Half of them lead to other tables. */
		if (r & 16)
			r = (r & (g.len - 1)) | PTE_P;
		fake_put_u64(&g, i, r);
	}
	clock_gettime(CLOCK_MONOTONIC, &t0);
	for (int i = 0; i < 20000; i++) {
		uint64_t va = (uint64_t)random() << 33 ^
			      (uint64_t)random() << 8 ^ random();
		uint64_t gpa = 0, run = 0;

		g.space.l5 = i & 1;
		g.space.pgd_gpa = va >> 20 & (g.len - 1);
		if (i & 2)
			va = (uint64_t)((int64_t)(va << 16) >> 16);
		if (!gva_translate(&g.space, va, &gpa, &run, NULL))
			assert_non_null(memfile_ptr(&g.mf, gpa, run));
		gva_read(&g.space, va, b, sizeof(b), NULL);
		gva_read_str(&g.space, va, b, sizeof(b), NULL);
	}
	clock_gettime(CLOCK_MONOTONIC, &t1);
	assert_true(t1.tv_sec - t0.tv_sec < 5);
	fake_guest_close(&g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_canonical),
		cmocka_unit_test(test_other_bits),
		cmocka_unit_test(test_hostile_tables),
		cmocka_unit_test(test_read),
		cmocka_unit_test(test_noise),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
