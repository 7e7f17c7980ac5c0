// SPDX-License-Identifier: GPL-2.0-only
/*
 * target_pages: what a kernel says that its pages are, in the words of two
 * ages.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <time.h>

#include "fake_btf.h"
#include "fake_guest.h"
#include "target_btf.h"
#include "target_pages.h"

#define BASE	SYMTAB_KERNEL_BASE	/* gpa 0, and so on for all of RAM */
#define RAM	(32ull << 20)
#define VMEMMAP 0xffffea0000000000ull
#define VGPA	0x800000		/* where struct pages are */
#define MODULE	0xffffffffc0000000ull
#define MODGPA	0xa00000
#define CTL	0x4000
#define RINGS	0x80000
#define EVIL	(64u << 20)

/* The kernel's parts, in its memory, from 16 MiB on. */
enum {
	TEXT = 0x1000000, RODATA = 0x1100000, CALLS = 0x1108000,
	DATA = 0x1200000, OFFSETS = 0x1201000, MODULES = 0x1202000,
	TASK = 0x1203000, SITES = 0x1204000, STATICS = 0x1205000,
	FIRST = 0x1206000, BSS = 0x1300000, BRK = 0x1310000, CPUS = 0x1400000,
};

static const struct {
	uint32_t gpa;
	const char *name;
} symbols[] = {
	{ TEXT, "_text" },
	{ RODATA, "_etext" },
	{ RODATA, "__start_rodata" },
	{ CALLS, "sys_call_table" },
	{ CALLS + 0x1000, "next" },
	{ DATA - 0x10, "__end_rodata" },
	{ DATA, "_sdata" },
	{ OFFSETS, "__per_cpu_offset" },
	{ MODULES, "modules" },
	{ TASK, "init_task" },
	{ SITES, "__start___jump_table" },
	{ SITES + 32, "__stop___jump_table" },
	{ STATICS, "__start_static_call_sites" },
	{ STATICS + 8, "__stop_static_call_sites" },
	{ BSS - 0x10, "_edata" },
	{ BSS, "__bss_start" },
	{ BRK - 0x10, "__bss_stop" },
	{ BRK, "__brk_base" },
	{ CPUS, "__brk_limit" },
	{ CPUS + 0x10, "__per_cpu_start" },
	{ CPUS + 0x1810, "__per_cpu_end" },
};

static struct kernel {
	struct fake_guest g;
	struct target t;
	struct buf types;	/* empty: it has none */
	struct pages p;
} k;

/* In place of those that look for the kernel's types. */
int target_btf_open(struct target_btf *tb, const struct target *t,
		    struct xf_err *err)
{
	if (!k.types.len)
		return xf_fail(err, -ENOENT, "no types");
	return btf_open(&tb->btf, k.types.data, k.types.len, err);
}

void target_btf_close(struct target_btf *tb)
{
	btf_close(&tb->btf);
}

static void put(uint64_t gpa, uint64_t value)
{
	fake_put_u64(&k.g, gpa, value);
}

/* ---- types ---- */

static void add_struct(struct fake_btf *b, const char *name, uint32_t size,
		       uint32_t of, ...)
{
	const char *member[8];
	uint32_t off[8], nr = 0;
	va_list ap;

	va_start(ap, of);
	while ((member[nr] = va_arg(ap, const char *)))
		off[nr++] = va_arg(ap, uint32_t);
	va_end(ap);
	fake_btf_type(b, name, STRUCT, nr, size);
	for (uint32_t i = 0; i < nr; i++)
		fake_btf_add(b, member[i], of, off[i] * 8);
}

/* Of 6.1, or of a kernel whose modules are in so many stretches. */
static void make_types(uint32_t stretches)
{
	struct fake_btf b = { 0 };
	uint32_t word = fake_btf_type(&b, "u64", INT, 0, 8), memory;

	add_struct(&b, "page", 64, word, "flags", 0, "compound_head", 8,
		   "mapping", 24, "page_type", 48, NULL);
	add_struct(&b, "slab", 64, word, "slab_cache", 24, NULL);
	add_struct(&b, "kmem_cache", 128, word, "name", 96, NULL);
	add_struct(&b, "address_space", 64, word, "host", 0, NULL);
	add_struct(&b, "inode", 128, word, "i_ino", 64, NULL);
	add_struct(&b, "task_struct", 256, word, "tasks", 16, "signal", 32,
		   "thread_node", 48, "stack", 64, "pid", 72, "comm", 80, NULL);
	add_struct(&b, "signal_struct", 64, word, "thread_head", 8, NULL);
	fake_btf_type(&b, "", ENUM, 1, 4);
	fake_btf_put(&b.types, fake_btf_str(&b, "PG_slab"));
	fake_btf_put(&b.types, 9);
	if (stretches) {
		add_struct(&b, "module_memory", 16, word, "base", 0, "size", 8,
			   NULL);
		memory = fake_btf_array(&b, b.nr, stretches);
	} else {
		add_struct(&b, "module_layout", 16, word, "base", 0, "size", 8,
			   "text_size", 12, NULL);
		memory = b.nr;
	}
	fake_btf_type(&b, "module", STRUCT, 3, 0x400);
	fake_btf_add(&b, "list", word, 8 * 8);
	fake_btf_add(&b, "name", word, 24 * 8);
	fake_btf_add(&b, stretches ? "mem" : "core_layout", memory, 0x140 * 8);
	fake_btf_finish(&b, &k.types);
}

/* ---- a guest ---- */

static int begin(void **state)
{
	memset(&k, 0, sizeof(k));
	fake_guest_open(&k.g, RAM);
	for (uint64_t at = 0; at < RAM; at += 2 << 20)
		fake_map(&k.g, BASE + at, at, 2);
	fake_map_range(&k.g, VMEMMAP, VGPA, 0x80000);
	fake_map_range(&k.g, MODULE, MODGPA, 0x4000);
	k.t = (struct target)TARGET_INIT;
	k.t.mf = k.g.mf;
	k.t.kernel.pgd_gpa = k.g.space.pgd_gpa;
	k.t.symbols = symtab_create();
	for (size_t i = 0; i < ARRAY_SIZE(symbols); i++)
		symtab_add(k.t.symbols, BASE + symbols[i].gpa, 0, 'T',
			   symbols[i].name, strlen(symbols[i].name), NULL);
	symtab_seal(k.t.symbols);
	k.t.ctl = (struct xft_ctl){ .self_gpa = CTL, .mbox_gpa = CTL + 0x1000,
				    .rings_gpa = RINGS, .nr_cpus = 2 };
	/* One process, and no module. */
	put(TASK + 16, BASE + TASK + 16);
	put(MODULES, BASE + MODULES);
	put(OFFSETS, 0x10000);
	put(OFFSETS + 8, 0x20000);
	return 0;
}

static int end(void **state)
{
	pages_deinit(&k.p);
	symtab_destroy(k.t.symbols);
	buf_deinit(&k.types);
	fake_guest_close(&k.g);
	return 0;
}

static void init(void)
{
	struct timespec a, b;

	pages_deinit(&k.p);
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &a);
	assert_int_equal(target_pages_init(&k.p, &k.t, NULL), 0);
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &b);
#ifndef __SANITIZE_ADDRESS__
	assert_true((b.tv_sec - a.tv_sec) * 1000 +
			    (b.tv_nsec - a.tv_nsec) / 1000000 < 50);
#endif
}

static struct page_what ask(uint64_t gpa, enum xft_page_type type)
{
	struct page_what what;

	pages_ask(&k.p, gpa, &what);
	if (what.type != type)
		fail_msg("0x%lx: %u, not %u", gpa, what.type, type);
	return what;
}

static void test_parts(void **state)
{
	/* What is patched: an instruction far before its entry, and another. */
	put(SITES, (uint32_t)(TEXT + 0x5000 - SITES));
	put(STATICS, (uint32_t)(TEXT + 0x6000 - STATICS));
	init();
	ask(TEXT, XFT_PAGE_TEXT);
	assert_true(ask(TEXT + 0x5004, XFT_PAGE_TEXT).is_site);
	assert_true(ask(TEXT + 0x6000, XFT_PAGE_TEXT).is_site);
	assert_false(ask(TEXT + 0x5005, XFT_PAGE_TEXT).is_site);
	assert_true(ask(RODATA + 8, XFT_PAGE_RODATA).value == BASE + RODATA + 8);
	ask(CALLS + 0xff8, XFT_PAGE_SYSCALLS);
	ask(CALLS + 0x1000, XFT_PAGE_RODATA);
	ask(DATA, XFT_PAGE_DATA);
	ask(BSS, XFT_PAGE_BSS);
	ask(BRK, XFT_PAGE_BSS);
	for (int cpu = 0; cpu < 2; cpu++) {
		uint64_t at = CPUS + (cpu + 1) * 0x10000;

		assert_int_equal(ask(at, XFT_PAGE_PERCPU).value, cpu);
		ask(at + 0x1fff, XFT_PAGE_PERCPU);
		ask(at + 0x2000, XFT_PAGE_UNKNOWN);
	}
	ask(CTL, XFT_PAGE_RING);
	/* Without types: nothing of other pages. */
	ask(0x5000000, XFT_PAGE_UNKNOWN);
}

static void test_types(void **state)
{
	make_types(0);
	put(VGPA + 0x600 * 64, 1 << 9);
	put(VGPA + 0x600 * 64 + 24, BASE + FIRST);
	put(FIRST + 96, BASE + FIRST + 0x100);
	fake_put(&k.g, FIRST + 0x100, "dentry", 7);
	init();
	assert_string_equal(ask(0x600000, XFT_PAGE_SLAB).name, "dentry");
	/* Without types nobody knows. */
	k.types.len = 0;
	init();
	ask(0x600000, XFT_PAGE_UNKNOWN);
}

/* A module of two pages, of which the first is code; then in stretches. */
static void test_modules(void **state)
{
	put(MODULES, BASE + FIRST + 8);
	put(FIRST + 8, BASE + MODULES);
	fake_put(&k.g, FIRST + 24, "mine", 5);
	make_types(0);
	put(FIRST + 0x140, MODULE);
	put(FIRST + 0x148, 0x2000 | 0x1000ull << 32);
	init();
	assert_string_equal(ask(MODGPA + 8, XFT_PAGE_MODULE_TEXT).name, "mine");
	ask(MODGPA + 0x1000, XFT_PAGE_MODULE);
	make_types(3);
	put(FIRST + 0x148, 0x1000);
	put(FIRST + 0x150, MODULE + 0x2000);
	put(FIRST + 0x158, 0x1000);
	init();
	ask(MODGPA, XFT_PAGE_MODULE_TEXT);
	ask(MODGPA + 0x2000, XFT_PAGE_MODULE);
}

static void test_rings(void **state)
{
	struct xft_ring_hdr h = { .sub_shift = 13, .nr_subs = 2,
				  .sub_gpa = { 0x90000, 0xa0000 } };

	k.t.ctl.nr_rings = 3;
	put(RINGS, 0x88000);
	put(RINGS + 8, UINT64_MAX - 7);
	put(RINGS + 16, 0x89000);
	fake_put(&k.g, 0x88000, &h, sizeof(h));
	h.sub_shift = 63;
	h.sub_gpa[0] = 0xb0000;
	fake_put(&k.g, 0x89000, &h, sizeof(h));
	init();
	ask(0x88000, XFT_PAGE_RING);
	ask(0x91fff, XFT_PAGE_RING);
	ask(0xa0000, XFT_PAGE_RING);
	ask(0xb0000, XFT_PAGE_UNKNOWN);
	ask(0x89000, XFT_PAGE_UNKNOWN);
}

/*
 * Modules in a circle, as large as they may be; rings and CPUs without number.
 */
static void test_hostile(void **state)
{
	struct xft_ring_hdr h = { .sub_shift = 12, .nr_subs = UINT32_MAX };

	make_types(4);
	put(MODULES, BASE + FIRST + 8);
	put(FIRST + 8, BASE + FIRST + 8);
	for (int i = 0; i < 4; i++) {
		put(FIRST + 0x140 + 16 * i, i % 2 ? BASE : UINT64_MAX - 4096);
		put(FIRST + 0x148 + 16 * i, i < 3 ? EVIL : EVIL + 1);
	}
	put(OFFSETS, UINT64_MAX / 2);
	put(OFFSETS + 8, UINT64_MAX);
	k.t.ctl.nr_cpus = XFT_MAX_CPUS;
	k.t.ctl.nr_rings = UINT32_MAX;
	for (uint32_t i = 0; i < XFT_MAX_SUBS; i++)
		h.sub_gpa[i] = i << 13;
	fake_put(&k.g, 0x88000, &h, sizeof(h));
	for (uint64_t i = 0; i < 2 * XFT_MAX_CPUS; i++)
		put(RINGS + 8 * i, 0x88000);
	init();
	assert_true(k.p.nr_parts <= PAGES_MAX_PARTS);
}

/* Nothing but a control block: that is no kernel. */
static void test_nothing(void **state)
{
	symtab_destroy(k.t.symbols);
	k.t.symbols = symtab_create();
	symtab_seal(k.t.symbols);
	init();
	ask(CTL, XFT_PAGE_RING);
	k.t.ctl = (struct xft_ctl){ .mbox_gpa = UINT64_MAX, .self_gpa =
				    UINT64_MAX };
	pages_deinit(&k.p);
	assert_int_equal(target_pages_init(&k.p, &k.t, NULL), -ENOENT);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_parts), TEST(test_types), TEST(test_modules),
		TEST(test_rings), TEST(test_hostile), TEST(test_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
