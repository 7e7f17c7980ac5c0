// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a check of memory finds in a made-up guest, without an image: image, look,
 * codemap, hooks, modules, entries. It is bent in one way after the other; then
 * its lists lead in circles or nowhere.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <elf.h>
#include <stdlib.h>
#include <time.h>

#include "fake_guest.h"
#include "fake_kernel.h"
#include "image.h"
#include "look.h"

struct kernel {
	struct fake_guest g;
	struct symtab *symbols;
	struct buf blob;
	struct btf types;
	struct image_guest ig;
	struct findings found;
};

/* ---- Making it. ---- */

static void put(struct kernel *k, uint64_t off, uint64_t value)
{
	fake_put_u64(&k->g, GPA_DATA + off, value);
}

/* An empty list. */
static void put_ring(struct kernel *k, uint64_t off)
{
	put(k, off, DATA + off);
	put(k, off + 8, DATA + off);
}

static void put_module(struct kernel *k, uint64_t off, const char *name,
		       uint64_t text, uint64_t next, uint64_t prev)
{
	put(k, off + 8, DATA + next);
	put(k, off + 16, DATA + prev);
	fake_put(&k->g, GPA_DATA + off + 24, name, strlen(name) + 1);
	put(k, off + 0x140, text);
	put(k, off + 0x148, 0x1000);
}

static void put_branch(struct kernel *k, uint64_t from, uint64_t to)
{
	uint8_t jmp[5] = { 0xe9 };
	int32_t away = to - (from + 5);

	memcpy(jmp + 1, &away, sizeof(away));
	fake_put(&k->g, GPA_MOD + (from - OWN), jmp, sizeof(jmp));
}

/* One function, at the beginning of the text of evil. */
static void put_symbol(struct kernel *k, uint64_t off)
{
	const Elf64_Sym sym = { .st_name = 1, .st_value = EVIL, .st_size = 16,
				.st_shndx = 1 };

	put(k, MOD_EVIL + 0x180, DATA + off);
	put(k, off, DATA + off + 32);
	put(k, off + 8, 1);
	put(k, off + 16, DATA + off + 64);
	put(k, off + 24, DATA + off + 96);
	fake_put(&k->g, GPA_DATA + off + 32, &sym, sizeof(sym));
	fake_put(&k->g, GPA_DATA + off + 64, "\0evil_fn", 9);
	fake_put(&k->g, GPA_DATA + off + 96, "t", 1);
}

static void map_data(struct kernel *k)
{
	for (uint64_t at = 0; at < DATA_LEN; at += XF_PAGE_SIZE) {
		fake_map(&k->g, DATA + at, GPA_DATA + at, 1);
		*fake_entry(&k->g, DATA + at, 1) |= PTE_NX;
	}
}

static void put_all(struct kernel *k)
{
	static const uint64_t rings[] = { TRAMPOLINES, SLOTS, OPT_SLOTS, KSET };

	for (size_t i = 0; i < ARRAY_SIZE(rings); i++)
		put_ring(k, rings[i]);
	put(k, OPS_LIST, DATA + OPS_END);
	put(k, GRAPH_ENTRY, TEXT + 0x100);
	put(k, GRAPH_RETURN, TEXT + 0x100);
	put(k, NETS, DATA + INIT_NET);
	put(k, INIT_NET, DATA + NETS);
	put(k, KSET_PTR, DATA + KSET);
	put(k, STATE, 3);
	put(k, TP_PTRS, TP - TP_PTRS);
	put(k, MODULES, DATA + MOD_OWN + 8);
	put(k, MODULES + 8, DATA + MOD_EVIL + 8);
	put_module(k, MOD_OWN, "xftrace", OWN, MOD_EVIL + 8, MODULES);
	put_module(k, MOD_EVIL, "evil\033[2J", EVIL, MODULES, MOD_OWN + 8);
	put_symbol(k, FREE + 0x1000);
}

static int setup(void **state)
{
	struct kernel *k = calloc(1, sizeof(*k));

	fake_guest_open(&k->g, 16 << 20);
	map_data(k);
	fake_map_range(&k->g, TEXT, GPA_TEXT, TEXT_LEN);
	fake_map_range(&k->g, OWN, GPA_MOD, 0x2000);
	put_all(k);
	k->symbols = make_symbols();
	make_types(&k->blob);
	assert_int_equal(btf_open(&k->types, k->blob.data, k->blob.len, NULL),
			 0);
	k->ig = (struct image_guest){ .space = k->g.space,
				      .symbols = k->symbols,
				      .types = &k->types };
	*state = k;
	return 0;
}

static int teardown(void **state)
{
	struct kernel *k = *state;

	findings_deinit(&k->found);
	btf_close(&k->types);
	buf_deinit(&k->blob);
	symtab_destroy(k->symbols);
	fake_guest_close(&k->g);
	free(k);
	return 0;
}

/* ---- Looking at it. ---- */

static void look(struct kernel *k)
{
	findings_deinit(&k->found);
	assert_int_equal(image_check(&k->ig, &k->found, NULL), 0);
}

static size_t count(const struct kernel *k, enum rule_id rule)
{
	size_t nr = 0;

	for (size_t i = 0; i < k->found.nr; i++)
		nr += k->found.v[i].rule == rule;
	return nr;
}

/* Only @rule, so often. */
static void finds(struct kernel *k, enum rule_id rule, size_t nr)
{
	look(k);
	for (size_t i = 0; i < k->found.nr; i++) {
		const struct finding *f = &k->found.v[i];

		if (rules[f->rule].level == FINDING_ALARM && f->rule != rule)
			fail_msg("%s: %s", rules[f->rule].name, f->text);
		assert_null(strchr(f->text, '\033'));
	}
	assert_int_equal(count(k, rule), nr);
}

static bool says(const struct kernel *k, const char *text)
{
	for (size_t i = 0; i < k->found.nr; i++)
		if (strstr(k->found.v[i].text, text))
			return true;
	return false;
}

static void clean(void **state)
{
	struct kernel *k = *state;

	finds(k, RULE_FTRACE_HOOK, 0);
	/* No image: code and constants. */
	assert_int_equal(count(k, RULE_CANNOT_TELL), 2);
	assert_int_equal(count(k, RULE_NOT_CHECKED), 1);
	put(k, STATE, 2);
	put(k, GRAPH_ENTRY, EVIL);
	finds(k, RULE_GRAPH_HOOK, 0);
	assert_true(says(k, "has not booted"));
}

static void tracers(void **state)
{
	struct kernel *k = *state;

	put(k, OPS_LIST, DATA + FREE);
	put(k, FREE, DATA + OPS_END);
	put(k, FREE + 8, OWN + 0x10);
	put(k, FREE + 16, OWN + 0x10);
	finds(k, RULE_FTRACE_HOOK, 0);
	put(k, FREE + 16, EVIL + 0x10);
	finds(k, RULE_FTRACE_HOOK, 1);
	assert_true(says(k, "evil\\x1b"));
	put(k, FREE + 8, HIDDEN);
	finds(k, RULE_FTRACE_HOOK, 2);
	assert_true(says(k, "in no known code"));
	put(k, OPS_LIST, DATA + OPS_END);
	put(k, GRAPH_RETURN, EVIL);
	finds(k, RULE_GRAPH_HOOK, 1);
	put(k, GRAPH_RETURN, TEXT + 0x100);
	put(k, EXPORTS, DATA + FREE);
	put(k, FREE, 0);
	put(k, FREE + 8, EVIL);
	finds(k, RULE_EXPORT_HOOK, 1);
}

static void probes(void **state)
{
	struct kernel *k = *state;

	put(k, KPROBES + 8, DATA + FREE);
	put(k, FREE + 32, TEXT + 0x500);
	put(k, FREE + 40, EVIL);
	finds(k, RULE_KPROBE, 1);
	assert_true(says(k, " at victim"));
	put(k, FREE + 40, TEXT + 0x300);
	put(k, FREE + 64, EVIL);
	finds(k, RULE_KRETPROBE, 1);
	/* Several at one place. */
	put(k, FREE + 40, TEXT + 0x400);
	put(k, FREE + 16, DATA + FREE + 0x110);
	put(k, FREE + 0x110, DATA + FREE + 16);
	put(k, FREE + 0x120, TEXT + 0x500);
	put(k, FREE + 0x128, EVIL);
	finds(k, RULE_KPROBE, 1);
	/* A BPF program behind one of tracefs. */
	put(k, FREE + 40, TEXT + 0x200);
	put(k, FREE + 80, DATA + FREE + 0x200);
	put(k, FREE + 0x208, 1);
	finds(k, RULE_BPF_PROBE, 1);
	put(k, KPROBES + 8, 0);
	put(k, TP + 8, DATA + FREE);
	put(k, FREE, EVIL);
	put(k, FREE + 24, TEXT + 0x100);
	put(k, FREE + 48, 0);
	finds(k, RULE_TRACEPOINT_PROBE, 1);
}

static void others(void **state)
{
	struct kernel *k = *state;
	static const uint16_t nr = 2;

	put(k, INIT_NET + 0x48, DATA + FREE);
	fake_put(&k->g, GPA_DATA + FREE, &nr, sizeof(nr));
	put(k, FREE + 8, EVIL);
	put(k, FREE + 24, TEXT + 0x100);
	finds(k, RULE_NETFILTER_HOOK, 1);
	put(k, INIT_NET + 0x48, 0);
	put(k, PROC + 8, EVIL);
	finds(k, RULE_OPERATIONS, 1);
	put(k, PROC + 8, 0);
	/* A file, by its node in the tree. */
	put(k, FREE, 0);
	put(k, FREE + 8, 0);
	put(k, PROC + 24, DATA + FREE + 32);
	put(k, FREE + 16, EVIL);
	put(k, FREE + 48, 0);
	put(k, FREE + 56, DATA + FREE + 64);
	fake_put(&k->g, GPA_DATA + FREE + 64, "tcp", 4);
	finds(k, RULE_OPERATIONS, 1);
	assert_true(says(k, "what tcp in /proc does"));
	fake_put(&k->g, GPA_DATA + FREE + 64, "mine", 5);
	finds(k, RULE_OPERATIONS, 0);
}

static void hidden(void **state)
{
	struct kernel *k = *state;

	put_module(k, MOD_HIDDEN, "hidden", HIDDEN, 0, 0);
	/* Its node in the tree of modules. */
	put(k, TREE, DATA + FREE + 8);
	put(k, FREE, DATA + MOD_HIDDEN);
	finds(k, RULE_HIDDEN_MODULE, 1);
	/* In /sys/module as well is still once. */
	put(k, KSET, DATA + FREE + 0x100);
	put(k, FREE + 0x100, DATA + KSET);
	put(k, FREE + 0x110, DATA + MOD_HIDDEN);
	finds(k, RULE_HIDDEN_MODULE, 1);
	put(k, TREE, 0);
	put_ring(k, KSET);
	fake_map_range(&k->g, HIDDEN, GPA_MOD + 0x9000, 0x2000);
	fake_put(&k->g, GPA_MOD + 0x9000, "\x90", 1);
	fake_put(&k->g, GPA_MOD + 0xa000, "\x90", 1);
	finds(k, RULE_HIDDEN_CODE, 1);
	assert_true(says(k, "8 KiB at 0xffffffffa0009000"));
}

static void beginnings(void **state)
{
	struct kernel *k = *state;

	put_branch(k, EVIL, TEXT + 0x100);
	finds(k, RULE_TEXT_CHANGED, 0);
	put_branch(k, EVIL, EVIL + 0x80);
	finds(k, RULE_TEXT_CHANGED, 0);
	put_branch(k, EVIL, OWN + 0x80);
	finds(k, RULE_TEXT_CHANGED, 1);
	put_branch(k, EVIL, HIDDEN);
	finds(k, RULE_TEXT_CHANGED, 1);
}

/* ---- Hostile. ---- */

static double cpu_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

/* Each list a circle that does not lead back, full of hooks. */
static void circles(void **state)
{
	static const uint64_t heads[] = { MODULES, OPS_LIST, TRAMPOLINES,
					  EXPORTS, SLOTS, OPT_SLOTS, NETS,
					  KPROBES, KPROBES + 504, KSET, TREE };
	struct kernel *k = *state;
	double start = cpu_s();

	for (uint64_t at = FREE; at < DATA_LEN; at += 16) {
		put(k, at, DATA + FREE);
		put(k, at + 8, EVIL);
	}
	for (size_t i = 0; i < ARRAY_SIZE(heads); i++)
		put(k, heads[i], DATA + FREE);
	put(k, PROC + 24, DATA + FREE);
	look(k);
	assert_true(says(k, "the list has no end"));
	assert_true(count(k, RULE_FTRACE_HOOK) <= LOOK_MAX_FOUND);
	assert_true(count(k, RULE_EXPORT_HOOK) <= LOOK_MAX_FOUND);
	assert_true(k->found.nr < 1000);
	assert_true(cpu_s() - start < 3 * LOOK_MAX_CPU_MS / 1000. + 2);
}

static uint32_t next_random(uint32_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 17;
	return *seed ^= *seed << 5;
}

/* Words of the kernel's data are others: anything, or addresses. */
static void damage(void **state)
{
	struct kernel *k = *state;
	uint32_t seed = 1;

	for (int round = 0; round < 10; round++) {
		put_all(k);
		for (int i = 0; i < 60; i++) {
			uint64_t at = next_random(&seed) % FREE & ~7ull;
			uint32_t to = next_random(&seed);

			put(k, at, to % 3 ? DATA + to % DATA_LEN :
					    (uint64_t)to << 32 | to);
		}
		put(k, STATE, 3);
		look(k);
		assert_true(k->found.nr < NR_RULES * LOOK_MAX_FOUND);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(clean, setup, teardown),
		cmocka_unit_test_setup_teardown(tracers, setup, teardown),
		cmocka_unit_test_setup_teardown(probes, setup, teardown),
		cmocka_unit_test_setup_teardown(others, setup, teardown),
		cmocka_unit_test_setup_teardown(hidden, setup, teardown),
		cmocka_unit_test_setup_teardown(beginnings, setup, teardown),
		cmocka_unit_test_setup_teardown(circles, setup, teardown),
		cmocka_unit_test_setup_teardown(damage, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
