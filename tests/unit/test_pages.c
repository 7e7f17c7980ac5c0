// SPDX-License-Identifier: GPL-2.0-only
/* What pages are, in a kernel that says so, and in one that lies. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <time.h>

#include "cleanup.h"
#include "fake_guest.h"
#include "fake_layouts.h"
#include "pages.h"

#define PAGE	4096ull
#define KBASE	0xffff888000000000ull	/* gpa 0 */
#define VMEMMAP	0xffffea0000000000ull
#define VGPA	0x100000		/* where struct pages are */
#define HEAP	0x200000
#define TASK	(HEAP + 0x5000)
#define SIGNAL	(HEAP + 0x6000)
#define STACK	0x10000
#define AT(gpa)	(VGPA + (gpa) / PAGE * 64)

static const struct pages_layout layout = {
	FAKE_PAGES,
	FAKE_TASKS,
	.vmemmap = VMEMMAP,
	.init_task = KBASE + HEAP,
	.task_tasks = 16,
};

static void guest_open(struct fake_guest *g, struct pages *p)
{
	fake_guest_open(g, 8 << 20);
	fake_map_range(g, KBASE, 0, 4 << 20);
	fake_map_range(g, VMEMMAP, VGPA, 0x20000);
	for (uint64_t gpa = 0; gpa < 8 << 20; gpa += PAGE)
		fake_put(g, AT(gpa) + 48, &(uint32_t){ UINT32_MAX }, 4);
	/* init_task, alone. */
	fake_put_u64(g, HEAP + layout.task_tasks,
		     KBASE + HEAP + layout.task_tasks);
	pages_init(p, &g->space, &layout);
}

/* One more, whose lists of tasks and of its threads go on there. */
static void put_task(struct fake_guest *g, uint64_t next, uint64_t thread)
{
	fake_put_u64(g, HEAP + layout.task_tasks,
		     KBASE + TASK + layout.task_tasks);
	fake_put_u64(g, TASK + layout.task_tasks, KBASE + next);
	fake_put_u64(g, TASK + layout.task_signal, KBASE + SIGNAL);
	fake_put_u64(g, SIGNAL + layout.signal_threads,
		     KBASE + TASK + layout.task_node);
	fake_put_u64(g, TASK + layout.task_node, KBASE + thread);
	fake_put_u64(g, TASK + layout.task_stack, KBASE + STACK);
}

static struct page_what ask(struct pages *p, uint64_t gpa)
{
	struct page_what what;
	struct timespec a, b;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &a);
	pages_ask(p, gpa, &what);
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &b);
	assert_true((b.tv_sec - a.tv_sec) * 1000 +
			    (b.tv_nsec - a.tv_nsec) / 1000000 < 50);
	return what;
}

static void test_types(void **state)
{
	struct page_what what;
	struct fake_guest g;
	struct pages p;

	guest_open(&g, &p);
	/* A slab of two pages. */
	fake_put_u64(&g, AT(0x5000), 1 << 9);
	fake_put_u64(&g, AT(0x5000) + 24, KBASE + HEAP + 0x1000);
	fake_put_u64(&g, AT(0x6000) + 8, VMEMMAP + 0x5000 / PAGE * 64 + 1);
	fake_put_u64(&g, HEAP + 0x1000 + 96, KBASE + HEAP + 0x2000);
	fake_put(&g, HEAP + 0x2000, "dentry", 7);
	for (int i = 0; i < 2; i++) {
		what = ask(&p, 0x5010 + i * PAGE);
		assert_int_equal(what.type, XFT_PAGE_SLAB);
		assert_string_equal(what.name, "dentry");
	}
	/* The page cache of inode 1234. */
	fake_put_u64(&g, AT(0x7000) + 24, KBASE + HEAP + 0x3000);
	fake_put_u64(&g, HEAP + 0x3000, KBASE + HEAP + 0x4000);
	fake_put_u64(&g, HEAP + 0x4000 + 64, 1234);
	what = ask(&p, 0x7fff);
	assert_int_equal(what.type, XFT_PAGE_CACHE);
	assert_int_equal(what.value, 1234);
	fake_put_u64(&g, AT(0x8000) + 24, KBASE + HEAP + 1);
	assert_int_equal(ask(&p, 0x8000).type, XFT_PAGE_ANON);
	fake_put(&g, AT(0x9000) + 48, &(uint32_t){ ~0x200u }, 4);
	assert_int_equal(ask(&p, 0x9000).type, XFT_PAGE_TABLE);
	fake_put(&g, AT(0xa000) + 48, &(uint32_t){ ~0x80u }, 4);
	assert_int_equal(ask(&p, 0xa000).type, XFT_PAGE_FREE);
	assert_int_equal(ask(&p, 0xb000).type, XFT_PAGE_UNKNOWN);
	pages_deinit(&p);
	fake_guest_close(&g);
}

static void test_stack(void **state)
{
	struct page_what what;
	struct fake_guest g;
	struct pages p;

	guest_open(&g, &p);
	/* init_task <-> task, whose only thread it is. */
	put_task(&g, HEAP + layout.task_tasks, SIGNAL + layout.signal_threads);
	fake_put(&g, TASK + layout.task_pid, &(uint32_t){ 142 }, 4);
	fake_put(&g, TASK + layout.task_comm, "sh\0rubbish", 11);
	what = ask(&p, STACK + 0x2345);
	assert_int_equal(what.type, XFT_PAGE_STACK);
	assert_int_equal(what.value, 142);
	assert_string_equal(what.name, "sh");
	assert_int_equal(ask(&p, STACK + 0x4000).type, XFT_PAGE_UNKNOWN);
	pages_deinit(&p);
	fake_guest_close(&g);
}

static void test_parts(void **state)
{
	struct page_what what;
	struct fake_guest g;
	struct pages p;

	guest_open(&g, &p);
	pages_add(&p, 0x20000, 0x8000, KBASE + 0x20000, XFT_PAGE_RODATA, NULL);
	pages_add(&p, 0x22000, 0x100, KBASE + 0x22000, XFT_PAGE_SYSCALLS, NULL);
	pages_add_virtual(&p, KBASE + 0x30800, 0x1000, KBASE + 0x30800,
			  XFT_PAGE_MODULE, "evil");
	pages_add_virtual(&p, KBASE + 0x30800, 0x100, KBASE + 0x30800,
			  XFT_PAGE_MODULE_TEXT, "evil");
	/* More than there is, and beyond the end of everything. */
	pages_add_virtual(&p, KBASE, UINT64_MAX, KBASE, XFT_PAGE_TEXT, NULL);
	pages_add(&p, UINT64_MAX - 5, 100, 0, XFT_PAGE_TEXT, NULL);
	pages_add_site(&p, KBASE + 0x20010);
	pages_seal(&p);
	what = ask(&p, 0x20014);
	assert_int_equal(what.type, XFT_PAGE_RODATA);
	assert_true(what.value == KBASE + 0x20014 && what.is_site);
	assert_false(ask(&p, 0x20015).is_site);
	assert_false(ask(&p, 0x2000f).is_site);
	assert_int_equal(ask(&p, 0x22080).type, XFT_PAGE_SYSCALLS);
	assert_int_equal(ask(&p, 0x22100).type, XFT_PAGE_RODATA);
	assert_int_equal(ask(&p, 0x30880).type, XFT_PAGE_MODULE_TEXT);
	what = ask(&p, 0x31000);
	assert_int_equal(what.type, XFT_PAGE_MODULE);
	assert_string_equal(what.name, "evil");
	assert_true(what.value == KBASE + 0x31000);
	pages_deinit(&p);
	fake_guest_close(&g);
}

/* Lists in circles, heads that are tails, names without an end, noise. */
static void test_hostile(void **state)
{
	struct page_what what;
	struct fake_guest g;
	struct pages p;

	guest_open(&g, &p);
	put_task(&g, TASK + layout.task_tasks, TASK + layout.task_node);
	fake_put_u64(&g, AT(0x5000) + 8, VMEMMAP + 0x5000 / PAGE * 64 + 1);
	fake_put_u64(&g, AT(0x6000) + 8, 0x4141414141414141);
	fake_put_u64(&g, AT(0x7000), 1 << 9);
	fake_put_u64(&g, AT(0x7000) + 24, KBASE + HEAP + 0x1000);
	fake_put_u64(&g, HEAP + 0x1000 + 96, KBASE + HEAP + 0x2000);
	memset(g.ram + HEAP + 0x2000, 'A', 0x1000);
	fake_put_u64(&g, AT(0x8000) + 24, UINT64_MAX - 3);
	for (uint64_t gpa = 0x5000; gpa < 0x9000; gpa += PAGE) {
		what = ask(&p, gpa);
		assert_true(memchr(what.name, 0, sizeof(what.name)));
	}
	ask(&p, 0xffffffffff000);
	srand(1);
	for (uint64_t at = VGPA; at < VGPA + 0x20000; at += 8)
		fake_put_u64(&g, at, KBASE + rand() % (4 << 20));
	for (uint64_t gpa = 0; gpa < 8 << 20; gpa += PAGE) {
		what = ask(&p, gpa);
		assert_true(what.type < XFT_NR_PAGE_TYPES);
		assert_true(memchr(what.name, 0, sizeof(what.name)));
	}
	pages_deinit(&p);
	fake_guest_close(&g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_types),
		cmocka_unit_test(test_stack),
		cmocka_unit_test(test_parts),
		cmocka_unit_test(test_hostile),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
