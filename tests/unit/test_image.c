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

#include "fake_btf.h"
#include "fake_guest.h"
#include "image.h"
#include "look.h"

#define TEXT	 0xffffffff81000000ull
#define TEXT_LEN 0x10000ull
#define DATA	 0xffffffff82000000ull	/* no code */
#define DATA_LEN 0x40000ull
#define OWN	 0xffffffffa0000000ull	/* text of the module xftrace, a page */
#define EVIL	 0xffffffffa0001000ull	/* of the module evil */
#define HIDDEN	 0xffffffffa0009000ull	/* a page of nobody */
#define GPA_DATA 0x100000ull
#define GPA_TEXT 0x300000ull
#define GPA_MOD	 0x400000ull

/* Where things are in DATA. */
enum {
	MODULES = 0, OPS_LIST = 0x10, TRAMPOLINES = 0x20, GRAPH_ENTRY = 0x30,
	GRAPH_RETURN = 0x38, EXPORTS = 0x40, SLOTS = 0x48, OPT_SLOTS = 0x58,
	NETS = 0x68, KSET_PTR = 0x78, TREE = 0x80, STATE = 0x90,
	OPS_END = 0x100, KPROBES = 0x200, PROC = 0x400, INIT_NET = 0x500,
	TP_PTRS = 0x900, TP = 0x980, IDT = 0x1000, KSET = 0x2000,
	MOD_OWN = 0x3000, MOD_EVIL = 0x3400, MOD_HIDDEN = 0x3800,
	FREE = 0x4000,
};

static const struct {
	uint64_t addr;
	char type;
	const char *name;
} symbols[] = {
	{ TEXT, 'T', "_stext" },
	{ TEXT + 0x100, 't', "tracer" },
	{ TEXT + 0x200, 't', "kprobe_dispatcher" },
	{ TEXT + 0x300, 't', "pre_handler_kretprobe" },
	{ TEXT + 0x400, 't', "aggr_pre_handler" },
	{ TEXT + 0x500, 't', "victim" },
	{ TEXT + TEXT_LEN, 'T', "_etext" },
	{ DATA + MODULES, 'd', "modules" },
	{ DATA + OPS_LIST, 'd', "ftrace_ops_list" },
	{ DATA + TRAMPOLINES, 'd', "ftrace_ops_trampoline_list" },
	{ DATA + GRAPH_ENTRY, 'd', "ftrace_graph_entry" },
	{ DATA + GRAPH_RETURN, 'd', "ftrace_graph_return" },
	{ DATA + EXPORTS, 'd', "ftrace_exports_list" },
	{ DATA + SLOTS, 'd', "kprobe_insn_slots" },
	{ DATA + OPT_SLOTS, 'd', "kprobe_optinsn_slots" },
	{ DATA + NETS, 'd', "net_namespace_list" },
	{ DATA + KSET_PTR, 'd', "module_kset" },
	{ DATA + TREE, 'd', "mod_tree" },
	{ DATA + STATE, 'd', "system_state" },
	{ DATA + OPS_END, 'd', "ftrace_list_end" },
	{ DATA + KPROBES, 'd', "kprobe_table" },
	{ DATA + PROC, 'd', "proc_root" },
	{ DATA + INIT_NET, 'd', "init_net" },
	{ DATA + TP_PTRS, 'd', "__start___tracepoints_ptrs" },
	{ DATA + TP_PTRS + 4, 'd', "__stop___tracepoints_ptrs" },
	{ DATA + IDT, 'd', "idt_table" },
	{ DATA + DATA_LEN, 'd', "_end" },
};

/* Members are pointers, P, unless they have a type: one of above, or an array. */
#define P(n, at) { .name = (n), .off = (at) }

static const struct {
	const char *name;
	uint32_t size;
	struct {
		const char *name;
		uint32_t off;
		const char *type;
	} m[9];
} types[] = {
	{ "module_layout", 16, { P("base", 0), P("text_size", 8) } },
	{ "mod_kallsyms", 32, { P("symtab", 0), P("num_symtab", 8),
				P("strtab", 16), P("typetab", 24) } },
	{ "module", 0x400, { P("list", 8), { "name", 24, "char[56]" },
			     { "core_layout", 0x140, "module_layout" },
			     { "init_layout", 0x160, "module_layout" },
			     P("kallsyms", 0x180),
			     P("tracepoints_ptrs", 0x188),
			     P("num_tracepoints", 0x190) } },
	{ "ftrace_ops", 64, { P("next", 0), P("func", 8),
			      P("saved_func", 16), P("trampoline", 24),
			      P("trampoline_size", 32), P("list", 40) } },
	{ "fgraph_ops", 16, { P("entryfunc", 0), P("retfunc", 8) } },
	{ "trace_export", 16, { P("next", 0), P("write", 8) } },
	{ "kprobe", 64, { P("hlist", 0), P("list", 16), P("addr", 32),
			  P("pre_handler", 40), P("post_handler", 48) } },
	{ "kretprobe", 80, { { "kp", 0, "kprobe" }, P("handler", 64),
			     P("entry_handler", 72) } },
	{ "trace_probe", 8, { P("event", 0) } },
	{ "trace_kprobe", 88, { { "rp", 0, "kretprobe" },
				{ "tp", 80, "trace_probe" } } },
	{ "trace_event_call", 16, { P("prog_array", 8) } },
	{ "trace_probe_event", 16, { { "call", 0, "trace_event_call" } } },
	{ "kprobe_insn_cache", 16, { P("pages", 0) } },
	{ "kprobe_insn_page", 24, { P("list", 0), P("insns", 16) } },
	{ "tracepoint", 16, { P("name", 0), P("funcs", 8) } },
	{ "netns_nf", 40, { { "hooks_ipv4", 0, "ptr[5]" } } },
	{ "net", 0x100, { P("list", 0), { "nf", 0x40, "netns_nf" },
			  P("proc_net", 0x80) } },
	{ "proc_dir_entry", 64, { P("proc_iops", 0), P("proc_ops", 8),
				  P("seq_ops", 16), P("subdir", 24),
				  P("subdir_node", 32), P("name", 56) } },
	{ "kset", 16, { P("list", 0) } },
	{ "kobject", 16, { P("entry", 0) } },
	{ "module_kobject", 24, { { "kobj", 0, "kobject" }, P("mod", 16) } },
	{ "latch_tree_root", 16, { P("tree", 0) } },
	{ "mod_tree_root", 16, { { "root", 0, "latch_tree_root" } } },
	{ "mod_tree_node", 32, { P("mod", 0), P("node", 8) } },
};

struct kernel {
	struct fake_guest g;
	struct symtab *symbols;
	struct buf blob;
	struct btf types;
	struct image_guest ig;
	struct findings found;
};

/* ---- Making it. ---- */

static void make_types(struct buf *out)
{
	struct fake_btf b = { 0 };
	uint32_t id[ARRAY_SIZE(types)], u64, chars, ptrs;

	u64 = fake_btf_type(&b, "u64", INT, 0, 8);
	chars = fake_btf_array(&b, fake_btf_type(&b, "char", INT, 0, 1), 56);
	ptrs = fake_btf_array(&b, u64, 5);
	fake_btf_type(&b, "", ENUM, 1, 4);
	fake_btf_put(&b.types, fake_btf_str(&b, "SYSTEM_RUNNING"));
	fake_btf_put(&b.types, 3);
	for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
		uint32_t nr = 0;

		while (types[i].m[nr].name)
			nr++;
		id[i] = fake_btf_type(&b, types[i].name, STRUCT, nr,
				      types[i].size);
		for (uint32_t m = 0; m < nr; m++) {
			const char *type = types[i].m[m].type;
			uint32_t of = u64;

			if (type && !strcmp(type, "char[56]"))
				of = chars;
			else if (type && !strcmp(type, "ptr[5]"))
				of = ptrs;
			for (size_t n = 0; type && n < i; n++)
				if (!strcmp(types[n].name, type))
					of = id[n];
			fake_btf_add(&b, types[i].m[m].name, of,
				     types[i].m[m].off * 8);
		}
	}
	fake_btf_finish(&b, out);
}

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
	k->symbols = symtab_create();
	for (size_t i = 0; i < ARRAY_SIZE(symbols); i++)
		symtab_add(k->symbols, symbols[i].addr, 0, symbols[i].type,
			   symbols[i].name, strlen(symbols[i].name), NULL);
	symtab_seal(k->symbols);
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
