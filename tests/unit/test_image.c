// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a check of memory finds in a made-up guest, without an image: image,
 * look, codemap, hooks, modules, entries; and what else is known by its lists:
 * madecode, livepatch. It is bent in one way after the other; then its lists
 * lead in circles or nowhere.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <elf.h>
#include <stdlib.h>
#include <unistd.h>

#include "cost.h"
#include "fake_guest.h"
#include "fake_kernel.h"
#include "image.h"
#include "livepatch.h"
#include "look.h"
#include "madecode.h"

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
	put_ring(k, off + 0x198);
}

static void put_branch(struct kernel *k, uint64_t from, uint64_t to)
{
	uint8_t jmp[5] = { 0xe9 };
	int32_t away = to - (from + 5);

	memcpy(jmp + 1, &away, sizeof(away));
	fake_put(&k->g, GPA_MOD + (from - OWN), jmp, sizeof(jmp));
}

/*
 * The same, as far as it likes: what stands @before, mov $to, %rax, and @after.
 */
static void put_long_jump(struct kernel *k, const char *before, uint64_t to,
			  const char *after)
{
	uint64_t at = GPA_MOD + (EVIL - OWN);

	fake_put(&k->g, at, before, strlen(before));
	at += strlen(before);
	fake_put(&k->g, at, "\x48\xb8", 2);
	fake_put_u64(&k->g, at + 2, to);
	fake_put(&k->g, at + 10, after, strlen(after));
}

/* One function, at the beginning of the text of evil. */
static void put_symbol(struct kernel *k, uint64_t off, const char *name)
{
	const Elf64_Sym sym = { .st_name = 1, .st_value = EVIL, .st_size = 16,
				.st_shndx = 1 };

	put(k, MOD_EVIL + 0x180, DATA + off);
	put(k, off, DATA + off + 32);
	put(k, off + 8, 1);
	put(k, off + 16, DATA + off + 64);
	put(k, off + 24, DATA + off + 96);
	fake_put(&k->g, GPA_DATA + off + 32, &sym, sizeof(sym));
	fake_put(&k->g, GPA_DATA + off + 65, name, strlen(name) + 1);
	fake_put(&k->g, GPA_DATA + off + 96, "t", 1);
}

/* Instead of it @nr of them, all at one place. */
static void put_same_symbols(struct kernel *k, uint64_t off, uint64_t nr)
{
	for (uint64_t i = 0; i < nr; i++) {
		memcpy(k->g.ram + GPA_DATA + off + 0x1000 + 24 * i,
		       k->g.ram + GPA_DATA + off + 32, 24);
		fake_put(&k->g, GPA_DATA + off + 0x800 + i, "t", 1);
	}
	put(k, off, DATA + off + 0x1000);
	put(k, off + 8, nr);
	put(k, off + 24, DATA + off + 0x800);
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
	static const uint64_t rings[] = { TRAMPOLINES, SLOTS, OPT_SLOTS, KSET,
					  BPF_SYMBOLS, PACKS, PATCHES,
					  INIT_NET + 0x90 };

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
	put_symbol(k, FREE + 0x1000, "evil_fn");
}

static void put_types(struct kernel *k, uint32_t mem)
{
	btf_close(&k->types);
	make_types(&k->blob, mem);
	assert_int_equal(btf_open(&k->types, k->blob.data, k->blob.len, NULL),
			 0);
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
	put_types(k, 0);
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

static double slowest;
static int64_t largest;

/* What one look may cost: look.h; sanitizers make it five times of that. */
static void end_look(void)
{
#ifdef __SANITIZE_ADDRESS__
	const int times = 5;
#else
	const int times = 1;
#endif

	if (cost_ms() > 1000 * times || cost_most > 128ll << 20)
		fail_msg("a look: %.1f ms, %lld KiB", cost_ms(),
			 (long long)cost_most >> 10);
	slowest = cost_ms() > slowest ? cost_ms() : slowest;
	largest = cost_most > largest ? cost_most : largest;
}

static void look(struct kernel *k)
{
	findings_deinit(&k->found);
	cost_begin();
	assert_int_equal(image_check(&k->ig, &k->found, NULL), 0);
	end_look();
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

/*
 * Done before each look; @looks have been. The other at each tick in between.
 */
static void (*meanwhile)(struct kernel *k), (*in_between)(struct kernel *k, int tick);
static struct kernel *changing;
static int looks, ticks;

/* In place of libc's: image sleeps only between two looks, ten times. */
int usleep(useconds_t us)
{
	(void)us;
	if (in_between)
		in_between(changing, ticks % 10);
	if (++ticks % 10)
		return 0;
	end_look();
	cost_begin();
	if (++looks < 3 && meanwhile)
		meanwhile(changing);
	return 0;
}

static void look_while(struct kernel *k, void (*change)(struct kernel *k))
{
	changing = k;
	looks = ticks = 0;
	meanwhile = change;
	change(k);
	look(k);
	meanwhile = NULL;
}

/* Somebody bends something else. */
static uint64_t bent[3];

static void bend(struct kernel *k)
{
	put(k, FREE + 16, bent[looks]);
}

static void changes(void **state)
{
	struct kernel *k = *state;

	put(k, OPS_LIST, DATA + FREE);
	put(k, FREE, DATA + OPS_END);
	put(k, FREE + 8, OWN + 0x10);
	for (int i = 0; i < 3; i++)
		bent[i] = EVIL + 0x10;
	look_while(k, bend);
	assert_int_equal(count(k, RULE_FTRACE_HOOK), 1);
	assert_int_equal(count(k, RULE_CANNOT_TELL), 2);
	for (int i = 0; i < 3; i++)
		bent[i] = HIDDEN + 0x10 * i;
	look_while(k, bend);
	assert_int_equal(count(k, RULE_FTRACE_HOOK), 0);
	assert_int_equal(count(k, RULE_CANNOT_TELL), 3);
	assert_true(says(k, "once, but not again: "));
	/* Two in a row are not enough. */
	bent[1] = bent[2];
	bent[0] = EVIL + 0x10;
	look_while(k, bend);
	assert_int_equal(count(k, RULE_FTRACE_HOOK), 0);
	assert_true(says(k, "once, but not again: "));
}

/*
 * The list of modules can't be read the second time: they have no names then.
 */
static void lose_names(struct kernel *k)
{
	put(k, MODULES + 8, looks == 1 ? 0x1234 : DATA + MOD_EVIL + 8);
	put(k, MODULES, looks == 1 ? 0x1234 : DATA + MOD_OWN + 8);
}

static void grow(struct kernel *k)
{
	fake_map(&k->g, HIDDEN + 0x1000 * looks, GPA_MOD + 0x9000, 1);
}

/* It is the same hook or memory, whatever else is said of it. */
static void same_place(void **state)
{
	struct kernel *k = *state;

	fake_put(&k->g, GPA_MOD + 0x9000, "\x90", 1);
	look_while(k, grow);
	assert_int_equal(count(k, RULE_HIDDEN_CODE), 1);
	assert_true(says(k, "12 KiB at 0xffffffffa0009000"));
	put(k, GRAPH_RETURN, EVIL);
	look_while(k, lose_names);
	assert_int_equal(count(k, RULE_GRAPH_HOOK), 1);
	assert_int_equal(count(k, RULE_HIDDEN_CODE), 1);
	assert_true(says(k, "calls 0xffffffffa0001000 in module evil"));
}

/* In each look, but for the last, other pages below that are gone again. */
static size_t flood_nr;

static void flood(struct kernel *k)
{
	const uint64_t base = 0xffffffff90000000;

	for (size_t i = 0; i < flood_nr; i++) {
		uint64_t at = base + looks * 0x1000000 + i * 0x2000;

		if (looks)
			*fake_entry(&k->g, at - 0x1000000, 1) = 0;
		if (looks < 2)
			fake_map(&k->g, at, GPA_MOD + 0x9000, 1);
	}
}

/* What is there each time is not lost among what comes and goes. */
static void flooded(void **state)
{
	static const size_t floods[] = { LOOK_MAX_FOUND, LOOK_MAX_KEPT + 1 };
	struct kernel *k = *state;

	fake_put(&k->g, GPA_MOD + 0x9000, "\x90", 1);
	fake_map(&k->g, HIDDEN, GPA_MOD + 0x9000, 1);
	for (size_t i = 0; i < ARRAY_SIZE(floods); i++) {
		flood_nr = floods[i];
		look_while(k, flood);
		assert_int_equal(count(k, RULE_HIDDEN_CODE), 1);
		assert_true(says(k, "4 KiB at 0xffffffffa0009000"));
	}
}

/* What traces functions is to be called for them. */
static void own(void **state)
{
	struct kernel *k = *state;

	k->ig.own = IMAGE_OWN_ENTRIES | IMAGE_OWN_RETURNS;
	put(k, GRAPH_ENTRY, OWN + 0x10);
	put(k, GRAPH_RETURN, OWN + 0x20);
	finds(k, RULE_SILENCE, 0);
	put(k, GRAPH_ENTRY, TEXT + 0x100);
	finds(k, RULE_SILENCE, 1);
	assert_true(says(k, "at entries"));
	put(k, GRAPH_ENTRY, OWN + 0x10);
	put(k, GRAPH_RETURN, TEXT + 0x100);
	finds(k, RULE_SILENCE, 1);
	assert_true(says(k, "at returns"));
	k->ig.own = 0;
	finds(k, RULE_SILENCE, 0);
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

/* It is the kernel that ftrace calls for them. */
static void fprobes(void **state)
{
	static const uint64_t by[] = { TEXT + 0x600, TEXT + 0x700 };
	struct kernel *k = *state;

	put(k, OPS_LIST, DATA + FREE + 8);
	put(k, FREE + 8, DATA + OPS_END);
	for (size_t i = 0; i < ARRAY_SIZE(by); i++) {
		put(k, FREE + 16, by[i]);
		put(k, FREE + 24, by[i]);
		put(k, FREE + 72, EVIL + 0x10);
		put(k, FREE + 80, TEXT + 0x100);
		finds(k, RULE_FTRACE_HOOK, 1);
		assert_true(says(k, "a probe of ftrace calls"));
		put(k, FREE + 80, HIDDEN);
		finds(k, RULE_FTRACE_HOOK, 2);
		put(k, FREE + 72, OWN);
		put(k, FREE + 80, 0);
		finds(k, RULE_FTRACE_HOOK, 0);
	}
	/* Others have no such handlers. */
	put(k, FREE + 16, TEXT + 0x100);
	put(k, FREE + 24, TEXT + 0x100);
	put(k, FREE + 72, EVIL);
	finds(k, RULE_FTRACE_HOOK, 0);
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

/*
 * An entry of /proc that is alone in its directory; its name stands behind it.
 */
static void put_file(struct kernel *k, uint64_t off, const char *name,
		     uint8_t len)
{
	put(k, off + 40, 0);
	put(k, off + 48, 0);
	put(k, off + 56, DATA + off + 72);
	fake_put(&k->g, GPA_DATA + off + 64, &len, 1);
	memset(k->g.ram + GPA_DATA + off + 72, 0, 256);
	fake_put(&k->g, GPA_DATA + off + 72, name, strlen(name));
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
	put(k, FREE, 0);
	put(k, FREE + 8, 0);
	put_file(k, FREE, "tcp", 3);
	put(k, PROC + 24, DATA + FREE + 32);
	put(k, FREE + 16, EVIL);
	finds(k, RULE_OPERATIONS, 1);
	assert_true(says(k, "what tcp in /proc does"));
	put_file(k, FREE, "mine", 4);
	finds(k, RULE_OPERATIONS, 0);
}

static void rename_module(struct kernel *k, uint64_t off, const char *name)
{
	fake_put(&k->g, GPA_DATA + off + 24, name, strlen(name) + 1);
}

/* Whom a tracepoint may call, by name. */
static void listeners(void **state)
{
	struct kernel *k = *state;

	put(k, TP + 8, DATA + FREE);
	put(k, FREE, EVIL);
	finds(k, RULE_TRACEPOINT_PROBE, 1);
	rename_module(k, MOD_EVIL, "drop_monitor");
	finds(k, RULE_TRACEPOINT_PROBE, 0);
	put(k, GRAPH_ENTRY, EVIL);
	finds(k, RULE_GRAPH_HOOK, 1);
	put(k, GRAPH_ENTRY, TEXT + 0x100);
	/* A module's own may call this module, whatever it is called. */
	rename_module(k, MOD_EVIL, "evil");
	put(k, TP_PTRS, TP + 0x40 - TP_PTRS);
	put(k, FREE + 0x100, TP - (FREE + 0x100));
	put(k, MOD_EVIL + 0x188, DATA + FREE + 0x100);
	put(k, MOD_EVIL + 0x190, 1);
	finds(k, RULE_TRACEPOINT_PROBE, 0);
	put(k, MOD_EVIL + 0x190, 0);
	rename_module(k, MOD_OWN, "*");
	put(k, MOD_OWN + 0x188, DATA + FREE + 0x100);
	put(k, MOD_OWN + 0x190, 1);
	finds(k, RULE_TRACEPOINT_PROBE, 1);
}

/* Hooks that network devices have for themselves. */
static void devices(void **state)
{
	struct kernel *k = *state;

	put(k, INIT_NET + 0x90, DATA + FREE);
	put(k, FREE, DATA + FREE + 0x100);
	put(k, FREE + 0x100, DATA + INIT_NET + 0x90);
	for (uint64_t hooks = 0x10; hooks <= 0x18; hooks += 8) {
		put(k, FREE + 0x100 + hooks, DATA + FREE + 0x200);
		put(k, FREE + 0x200, 1);
		put(k, FREE + 0x208, EVIL);
		finds(k, RULE_NETFILTER_HOOK, 1);
		assert_true(says(k, hooks == 0x10 ? "that come in by a device" :
						    "that go out by a device"));
		put(k, FREE + 0x100 + hooks, 0);
	}
	finds(k, RULE_NETFILTER_HOOK, 0);
	assert_false(says(k, "netfilter: "));
	put(k, FREE + 0x100, DATA + FREE + 0x100);
	look(k);
	assert_true(says(k, "netfilter: the list of devices has no end"));
}

/* What the kernel itself calls is constant, whatever the file. */
static void proc_tables(void **state)
{
	static const struct {
		uint64_t to;
		size_t nr;	/* of findings: of operations,
				 * of seq_operations */
		size_t nr_seq;
	} at[] = {
		{ 0, 0, 0 },
		{ DATA + CONSTANTS, 0, 0 },
		{ DATA + CONSTANTS_END - 1, 0, 0 },
		{ DATA + CONSTANTS_END, 1, 1 },
		{ DATA + CONSTANTS - 1, 1, 1 },
		{ DATA + FREE + 0x800, 1, 1 },
		/* There, single_show(): a function. */
		{ TEXT + 0x100, 1, 0 },
		{ TEXT - 0x1000, 1, 1 },
		{ EVIL, 0, 0 },
	};
	struct kernel *k = *state;

	put_file(k, FREE, "mine", 4);
	put(k, PROC + 24, DATA + FREE + 32);
	for (size_t i = 0; i < ARRAY_SIZE(at); i++) {
		put(k, FREE + 8, at[i].to);
		finds(k, RULE_OPERATIONS, at[i].nr);
		put(k, FREE + 8, 0);
		put(k, FREE + 16, at[i].to);
		finds(k, RULE_OPERATIONS, at[i].nr_seq);
		put(k, FREE + 16, 0);
	}
}

/* The kernel compares as many bytes as it says there are. */
static void proc_names(void **state)
{
	static const struct {
		const char *name;
		uint8_t len;
		size_t nr;
	} names[] = {
		{ "tcp", 3, 1 }, { "tcp6", 4, 1 }, { "tcpX", 3, 1 },
		{ "tcp", 4, 0 }, { "tcp", 2, 0 }, { "", 0, 0 },
	};
	struct kernel *k = *state;

	put(k, PROC + 24, DATA + FREE + 32);
	put(k, FREE + 16, EVIL);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		put_file(k, FREE, names[i].name, names[i].len);
		finds(k, RULE_OPERATIONS, names[i].nr);
	}
	/* One that is as long as can be is looked at, too. */
	put(k, FREE + 16, DATA + FREE);
	put_file(k, FREE, "longest", 255);
	finds(k, RULE_OPERATIONS, 1);
	assert_true(says(k, "what longest in /proc"));
	assert_false(says(k, "/proc: "));
	/* However many it is that cannot be read, it is one thing. */
	put_file(k, FREE + 0x200, "mine", 4);
	put(k, FREE + 48, DATA + FREE + 0x200 + 32);
	put(k, FREE + 56, 0x1234);
	put(k, FREE + 0x200 + 56, 0x1234);
	finds(k, RULE_OPERATIONS, 1);
	assert_true(says(k, "/proc: names cannot be read"));
	assert_int_equal(count(k, RULE_CANNOT_TELL), 3);
}

/* Another name space has another /proc/net; one is without. */
static void proc_nets(void **state)
{
	struct kernel *k = *state;

	put(k, INIT_NET, DATA + FREE);
	put(k, FREE, DATA + FREE + 0x100);
	put(k, FREE + 0x100, DATA + NETS);
	put(k, FREE + 0x180, DATA + FREE + 0x200);
	for (uint64_t net = FREE; net <= FREE + 0x100; net += 0x100)
		put_ring(k, net + 0x90);
	put(k, FREE + 0x200 + 24, DATA + FREE + 0x300 + 32);
	put_file(k, FREE + 0x300, "tcp", 3);
	finds(k, RULE_OPERATIONS, 0);
	assert_int_equal(count(k, RULE_CANNOT_TELL), 2);
	put(k, FREE + 0x300 + 16, EVIL);
	finds(k, RULE_OPERATIONS, 1);
}

/*
 * Each file with another below it, and one beside that: no tree of the
 * kernel's.
 */
static void proc_trees(void **state)
{
	struct kernel *k = *state;
	uint64_t file = FREE;

	put(k, PROC + 24, DATA + FREE + 32);
	for (int i = 0; i < 80; i++, file += 0x200) {
		put_file(k, file, "mine", 4);
		put(k, file + 40, DATA + FREE + 0x10000 + 32);
		put(k, file + 48, i < 79 ? DATA + file + 0x200 + 32 : 0);
		if (i == 60) {
			put(k, file + 48, 0);
			look(k);
			assert_false(says(k, "/proc: "));
			put(k, file + 48, DATA + file + 0x200 + 32);
		}
	}
	look(k);
	assert_true(says(k, "/proc: the tree of files has no end"));
	put(k, FREE + 40, 0);
	put(k, FREE + 48, DATA + FREE + 32);
	look(k);
	assert_true(says(k, "/proc: the tree of files has no end"));
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
	assert_false(says(k, "tree of modules has no end"));
	/* A node that is its own child, at both sides. */
	put(k, FREE + 16, DATA + FREE + 8);
	put(k, FREE + 24, DATA + FREE + 8);
	look(k);
	assert_true(says(k, "tree of modules has no end"));
	put(k, TREE, 0);
	put_ring(k, KSET);
	fake_map_range(&k->g, HIDDEN, GPA_MOD + 0x9000, 0x2000);
	fake_put(&k->g, GPA_MOD + 0x9000, "\x90", 1);
	fake_put(&k->g, GPA_MOD + 0xa000, "\x90", 1);
	finds(k, RULE_HIDDEN_CODE, 1);
	assert_true(says(k, "8 KiB at 0xffffffffa0009000"));
}

/* A listed module's word for how much is its own. */
static void claims(void **state)
{
	struct kernel *k = *state;

	fake_put(&k->g, GPA_MOD + 0x9000, "\x90", 1);
	fake_map(&k->g, HIDDEN, GPA_MOD + 0x9000, 1);
	put(k, MOD_EVIL + 0x148, 0x100000);
	finds(k, RULE_HIDDEN_CODE, 1);
	/* Mapped up to there, but not as code. */
	fake_map_range(&k->g, EVIL + 0x1000, GPA_MOD + 0x2000, 0x7000);
	*fake_entry(&k->g, EVIL + 0x7000, 1) |= PTE_NX;
	finds(k, RULE_HIDDEN_CODE, 1);
	assert_int_equal(count(k, RULE_CANNOT_TELL), 2);
	*fake_entry(&k->g, EVIL + 0x7000, 1) &= ~PTE_NX;
	finds(k, RULE_HIDDEN_CODE, 0);
	/* What is another's. */
	put(k, MOD_EVIL + 0x148, 0x1000);
	put(k, MOD_OWN + 0x148, 0x2000);
	look(k);
	assert_true(says(k, "it belongs to another as well"));
}

static void list_dummy(struct kernel *k, int tick)
{
	bool listed = tick == 5;
	uint64_t last = DATA + (listed ? MOD_HIDDEN : MOD_EVIL) + 8;

	put(k, MODULES + 8, last);
	put(k, MOD_EVIL + 8, DATA + (listed ? MOD_HIDDEN + 8 : MODULES));
}

/*
 * One is loaded and unloaded all the time, but never in the list when we look.
 */
static void comes_and_goes(void **state)
{
	struct kernel *k = *state;

	put_module(k, MOD_HIDDEN, "dummy", HIDDEN, MODULES, MOD_EVIL + 8);
	put(k, TREE, DATA + FREE + 8);
	put(k, FREE, DATA + MOD_HIDDEN);
	fake_put(&k->g, GPA_MOD + 0x9000, "\x90", 1);
	fake_map(&k->g, HIDDEN, GPA_MOD + 0x9000, 1);
	look(k);
	assert_int_equal(count(k, RULE_HIDDEN_MODULE), 1);
	assert_int_equal(count(k, RULE_HIDDEN_CODE), 1);
	changing = k;
	in_between = list_dummy;
	finds(k, RULE_HIDDEN_MODULE, 0);
	assert_int_equal(count(k, RULE_HIDDEN_CODE), 0);
	assert_int_equal(count(k, RULE_CANNOT_TELL), 2);
	/* What is behind its code is not its. */
	fake_map(&k->g, HIDDEN + 0x1000, GPA_MOD + 0x9000, 1);
	finds(k, RULE_HIDDEN_CODE, 1);
	in_between = NULL;
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
	/* Farther than a jump can go, and behind what begins each function. */
	put_long_jump(k, "\xf3\x0f\x1e\xfa", OWN, "\xff\xe0");
	finds(k, RULE_TEXT_CHANGED, 1);
	put_long_jump(k, "", HIDDEN, "\x50\xc3");
	finds(k, RULE_TEXT_CHANGED, 1);
	put_long_jump(k, "", HIDDEN, "\xff\xd0");
	finds(k, RULE_TEXT_CHANGED, 0);
	put_long_jump(k, "\x90", HIDDEN, "\xff\xe0");
	finds(k, RULE_TEXT_CHANGED, 0);
	/* Symbols that nobody can read, and many that say the same. */
	put_branch(k, EVIL, HIDDEN);
	put(k, FREE + 0x1000, 0x1234);
	finds(k, RULE_TEXT_CHANGED, 0);
	assert_true(says(k, "how functions of modules begin"));
	put_same_symbols(k, FREE + 0x1000, LOOK_MAX_FOUND + 3);
	finds(k, RULE_TEXT_CHANGED, LOOK_MAX_FOUND);
	assert_true(says(k, "3 more findings of text-changed"));
}

/* A note at @off says that the module at @user uses @used; 0: nobody. */
static void put_use(struct kernel *k, uint64_t user, uint64_t used, uint64_t off)
{
	put_ring(k, user + 0x198);
	if (!used)
		return;
	put(k, user + 0x198, DATA + off + 16);
	put(k, off + 16, DATA + user + 0x198);
	put(k, off + 40, DATA + used);
}

/* Into a module that it uses; static calls also into one that uses it. */
static void beginnings_by_right(void **state)
{
	struct kernel *k = *state;
	static const char sct[] = "__SCT__kvm_x86_run";

	put_branch(k, EVIL, OWN + 0x80);
	finds(k, RULE_TEXT_CHANGED, 1);
	put_use(k, MOD_EVIL, MOD_OWN, FREE);
	finds(k, RULE_TEXT_CHANGED, 0);
	put_use(k, MOD_EVIL, 0, 0);
	put_use(k, MOD_OWN, MOD_EVIL, FREE);
	finds(k, RULE_TEXT_CHANGED, 1);
	fake_put(&k->g, GPA_DATA + MOD_OWN + 24, "kvm_amd", 8);
	put_symbol(k, FREE + 0x1000, sct);
	finds(k, RULE_TEXT_CHANGED, 0);
	put_use(k, MOD_OWN, 0, 0);
	finds(k, RULE_TEXT_CHANGED, 1);
	/* Who may listen to a tracepoint. */
	fake_put(&k->g, GPA_DATA + MOD_OWN + 24, "xftrace", 8);
	finds(k, RULE_TEXT_CHANGED, 0);
	put_branch(k, EVIL, HIDDEN);
	finds(k, RULE_TEXT_CHANGED, 1);
	/* A list without an end. */
	put_branch(k, EVIL, OWN + 0x80);
	put_symbol(k, FREE + 0x1000, "evil_fn");
	put_use(k, MOD_EVIL, MOD_EVIL, FREE);
	put(k, FREE + 16, DATA + FREE + 16);
	finds(k, RULE_TEXT_CHANGED, 1);
}

/* Since 6.4 a module's text is the first stretch of an array. */
static void newer_modules(void **state)
{
	struct kernel *k = *state;

	put(k, MOD_OWN + MEM, OWN);
	put(k, MOD_OWN + MEM + 8, 0x1000);
	put(k, MOD_EVIL + MEM, EVIL);
	put(k, MOD_EVIL + MEM + 8, 0x800);
	put(k, MOD_EVIL + MEM + 4 * 16, EVIL + 0x8000);
	put(k, MOD_EVIL + MEM + 4 * 16 + 8, 0x800);
	put(k, MOD_EVIL + 0x140, 0);
	fake_map(&k->g, EVIL + 0x8000, GPA_MOD + 0x9000, 1);
	put(k, GRAPH_ENTRY, EVIL + 0x8010);
	put(k, GRAPH_RETURN, EVIL + 0x10);
	put_types(k, 7);
	finds(k, RULE_GRAPH_HOOK, 2);
	assert_true(says(k, "0xffffffffa0009010 in module evil"));
	assert_true(says(k, "0xffffffffa0001010 in module evil"));
	/* Behind its end. */
	put(k, GRAPH_RETURN, EVIL + 0x800);
	finds(k, RULE_GRAPH_HOOK, 2);
	assert_true(says(k, "0xffffffffa0001800, which is in no known code"));
	put_types(k, 4);
	look(k);
	assert_true(says(k, "the list of modules: struct module: mem"));
}

/* ---- Code that the kernel made. ---- */

#define MADE 0xffffffffa0100000ull
#define PACK 0x20000		/* in DATA */

/*
 * A trampoline in use and one that is kept, kprobes, BPF, and how one begins.
 */
static void put_made(struct kernel *k)
{
	put(k, OPS_LIST, DATA + FREE);
	put(k, FREE, DATA + OPS_END);
	put(k, FREE + 8, TEXT + 0x100);
	put(k, FREE + 24, MADE + 0x800);
	put(k, FREE + 32, 0x1000);
	put(k, TRAMPOLINES, DATA + FREE + 0x100 + 40);
	put(k, FREE + 0x100 + 24, MADE + 0x3000);
	put(k, FREE + 0x100 + 32, 0x10);
	put(k, FREE + 0x100 + 40, DATA + TRAMPOLINES);
	put(k, SLOTS, DATA + FREE + 0x200);
	put(k, FREE + 0x200, DATA + SLOTS);
	put(k, FREE + 0x210, MADE + 0x4000);
	put(k, BPF_SYMBOLS, DATA + FREE + 0x300 + 16);
	put(k, FREE + 0x300, MADE + 0x6000);
	put(k, FREE + 0x308, MADE + 0x6080);
	put(k, FREE + 0x310, DATA + BPF_SYMBOLS);
	put(k, PACKS, DATA + PACK);
	put(k, PACK, DATA + PACKS);
	put(k, PACK + 16, MADE + 0x100000);
	/* Chunks of 64 bytes: 1, 2 and 3; 62 to 65; the last one. */
	put(k, PACK + 24, 0xc00000000000000e);
	put(k, PACK + 32, 3);
	put(k, PACK + 24 + 4096 - 8, 1ull << 63);
	put(k, REAL_MODE, MADE + 0x8000);
}

/*
 * What is known of code at MADE + @off: its name and whose it is; NULL:
 * nothing.
 */
static void is_made(const struct symtab *st, uint64_t off, const char *name,
		    const char *module)
{
	struct sym s;

	if (!name) {
		assert_false(symtab_near(st, MADE + off, &s) &&
			     MADE + off - s.addr < s.size);
		return;
	}
	assert_true(symtab_at(st, MADE + off, &s));
	assert_true(MADE + off - s.addr < s.size);
	assert_string_equal(s.name, name);
	assert_string_equal(s.module, module);
}

static struct symtab *made_symbols(struct kernel *k)
{
	struct symtab *st = symtab_create();

	madecode_add(&k->ig, st);
	symtab_seal(st);
	return st;
}

static void made_code(void **state)
{
	struct kernel *k = *state;
	_cleanup_(symtab_destroyp) struct symtab *st = NULL;

	assert_false(madecode_exists(&k->ig));
	put_made(k);
	assert_true(madecode_exists(&k->ig));
	st = made_symbols(k);
	/* Of two pages. */
	is_made(st, 0x7ff, NULL, NULL);
	is_made(st, 0x800, "trampoline", "__builtin__ftrace");
	is_made(st, 0x17ff, "trampoline", "__builtin__ftrace");
	is_made(st, 0x1800, NULL, NULL);
	is_made(st, 0x300f, "trampoline", "__builtin__ftrace");
	is_made(st, 0x3010, NULL, NULL);
	is_made(st, 0x4000, "insn_slot", "__builtin__kprobes");
	is_made(st, 0x4fff, "insn_slot", "__builtin__kprobes");
	is_made(st, 0x5000, NULL, NULL);
	is_made(st, 0x607f, "program", "bpf");
	is_made(st, 0x6080, NULL, NULL);
	is_made(st, 0x100000 + 63, NULL, NULL);
	is_made(st, 0x100000 + 64, "program", "bpf");
	is_made(st, 0x100000 + 4 * 64 - 1, "program", "bpf");
	is_made(st, 0x100000 + 4 * 64, NULL, NULL);
	is_made(st, 0x100000 + 62 * 64, "program", "bpf");
	is_made(st, 0x100000 + 66 * 64 - 1, "program", "bpf");
	is_made(st, 0x100000 + 66 * 64, NULL, NULL);
	is_made(st, 0x300000 - 1, "program", "bpf");
	is_made(st, 0x300000, NULL, NULL);
	/* Nobody loads it, so it is nobody's. */
	is_made(st, 0x8000, NULL, NULL);
	assert_true(madecode_is_module("bpf"));
	assert_true(madecode_is_module("__builtin__kprobes"));
	assert_false(madecode_is_module("evil"));
}

/* Any one of the lists is reason enough to look. */
static void made_any(void **state)
{
	static const uint64_t lists[] = { OPS_LIST, TRAMPOLINES, BPF_SYMBOLS,
					  KPROBES + 0x100 };
	struct kernel *k = *state;

	for (size_t i = 0; i < ARRAY_SIZE(lists); i++) {
		put_all(k);
		put(k, KPROBES + 0x100, 0);
		assert_false(madecode_exists(&k->ig));
		put(k, lists[i], DATA + FREE);
		assert_true(madecode_exists(&k->ig));
	}
}

/* Code that is run there is not hidden, and hooks into it have a name. */
static void made_is_known(void **state)
{
	static const struct {
		uint64_t off;
		const char *by;
	} in[] = { { 0x800, "ftrace" }, { 0x4000, "kprobes" },
		   { 0x8000, "the boot of processors" } };
	struct kernel *k = *state;
	char text[80];

	put_made(k);
	for (size_t i = 0; i < ARRAY_SIZE(in); i++) {
		fake_map(&k->g, (MADE + in[i].off) & -4096, 0x9000, 1);
		put(k, EXPORTS, DATA + FREE + 0x400);
		put(k, FREE + 0x400 + 8, MADE + in[i].off);
		finds(k, RULE_EXPORT_HOOK, 1);
		snprintf(text, sizeof(text), "in code made by %s", in[i].by);
		assert_true(says(k, text));
	}
	/* That one may be called. */
	put(k, FREE + 0x400 + 8, MADE + 0x6000);
	finds(k, RULE_EXPORT_HOOK, 0);
	put_ring(k, SLOTS);
	finds(k, RULE_HIDDEN_CODE, 1);
	assert_true(says(k, "4 KiB at 0xffffffffa0104000"));
	/* Processors begin in the first megabyte, and nowhere else. */
	fake_map(&k->g, MADE + 0x8000, (1 << 20) - 0x1000, 1);
	put(k, REAL_MODE, MADE + 0x8f00);
	finds(k, RULE_HIDDEN_CODE, 1);
	put(k, REAL_MODE, MADE + 0x8f01);
	finds(k, RULE_HIDDEN_CODE, 2);
	fake_map(&k->g, MADE + 0x8000, GPA_MOD + 0x9000, 1);
	put(k, REAL_MODE, MADE + 0x8000);
	finds(k, RULE_HIDDEN_CODE, 2);
}

/* Of what the guest says of its size, place and end nothing is believed. */
static void hostile_made(void **state)
{
	static const uint64_t ends[] = { MADE + 0x6000 + (2 << 20),
					 MADE + 0x5fff };
	struct kernel *k = *state;
	_cleanup_(symtab_destroyp) struct symtab *st = NULL;
	struct sym s;
	uint32_t pos = 0, nr = 0;

	put_made(k);
	put(k, FREE + 24, TEXT + 0x500);
	put(k, FREE + 0x210, 0x4000);
	put(k, PACK + 16, -4096);
	put(k, FREE + 0x100 + 32, 1u << 30);
	st = made_symbols(k);
	assert_false(symtab_at(st, TEXT + 0x500, &s));
	assert_false(symtab_near(st, 0x4000, &s));
	while (symtab_each(st, &pos, &s)) {
		assert_string_not_equal(s.name, "insn_slot");
		nr++;
	}
	assert_int_equal(nr, 16384);
	put(k, FREE + 0x100 + 32, 0);
	for (size_t i = 0; i < ARRAY_SIZE(ends); i++) {
		put(k, FREE + 0x308, ends[i]);
		symtab_destroy(st);
		st = made_symbols(k);
		is_made(st, 0x6000, NULL, NULL);
		is_made(st, 0x3000, NULL, NULL);
	}
}

/* Bitmaps of every other chunk: 0.5 MiB of ours for 4 KiB of the guest's. */
static void many_pieces(void **state)
{
	struct kernel *k = *state;
	uint64_t pack = PACK;

	put_made(k);
	for (int nr = 1; nr <= 5; nr++, pack += 0x1100) {
		put(k, pack - 0x1100, DATA + pack);
		put(k, pack, DATA + PACKS);
		put(k, pack + 16, MADE + nr * 0x1000000);
		for (uint64_t i = 0; i < 4096; i += 8)
			put(k, pack + 24 + i, 0x5555555555555555);
		if (nr == 3) {
			look(k);
			assert_false(says(k, "pieces"));
		}
	}
	look(k);
	assert_true(says(k, "in more than 65536 pieces"));
}

/*
 * Pages of 1 GiB, of which all but the first 4 KiB are said to be trampolines.
 */
static void large_pages(void **state)
{
	const uint64_t base = 0xffff900000000000, page = 1ull << 30;
	struct kernel *k = *state;

	for (uint64_t i = 0; i < 512; i++) {
		uint64_t ops = PACK + 64 * i;

		fake_map(&k->g, base + page * i, GPA_MOD, 3);
		put(k, ops, i < 511 ? DATA + ops + 64 : DATA + OPS_END);
		put(k, ops + 8, TEXT + 0x100);
		put(k, ops + 24, base + page * i + 0x1000);
		put(k, ops + 32, page - 0x1000);
	}
	put(k, OPS_LIST, DATA + PACK);
	finds(k, RULE_HIDDEN_CODE, LOOK_MAX_FOUND);
	assert_true(says(k, "4 KiB at 0xffff900000000000"));
	assert_true(says(k, "448 more findings of hidden-code"));
}

/* ---- Live patches. ---- */

static void take_patch(const char *module, void *arg)
{
	buf_printf(arg, "%s;", module);
}

/* Whose they are. */
static void patched_by(struct kernel *k, const char *modules)
{
	_cleanup_(buf_deinit) struct buf said = BUF_INIT;

	buf_putc(&said, ' ');
	livepatch_each(&k->ig, take_patch, &said);
	buf_putc(&said, 0);
	assert_string_equal(said.data + 1, modules);
}

static void live_patches(void **state)
{
	struct kernel *k = *state;

	assert_false(livepatch_exists(&k->ig));
	patched_by(k, "");
	put(k, PATCHES, DATA + FREE + 8);
	put(k, FREE, DATA + MOD_OWN);
	put(k, FREE + 8, DATA + PATCHES);
	assert_true(livepatch_exists(&k->ig));
	patched_by(k, "xftrace;");
	finds(k, RULE_LIVE_PATCH, 1);
	put(k, FREE + 8, DATA + FREE + 0x100 + 8);
	put(k, FREE + 0x100, DATA + MOD_EVIL);
	put(k, FREE + 0x100 + 8, DATA + PATCHES);
	patched_by(k, "xftrace;evil\\x1b[2J;");
	finds(k, RULE_LIVE_PATCH, 2);
	/* One without a name; one that is nowhere. */
	put(k, FREE, DATA + MOD_HIDDEN);
	patched_by(k, "evil\\x1b[2J;");
	put(k, FREE, 0x1234);
	patched_by(k, "");
	/* A kernel that has none. */
	put(k, PATCHES, 0);
	assert_false(livepatch_exists(&k->ig));
	finds(k, RULE_LIVE_PATCH, 0);
	btf_close(&k->types);
	put(k, PATCHES, DATA + FREE + 8);
	patched_by(k, "");
}

/* ---- Hostile. ---- */

/* Each list a circle that does not lead back, full of hooks. */
static void circles(void **state)
{
	static const uint64_t heads[] = { MODULES, OPS_LIST, TRAMPOLINES,
					  EXPORTS, SLOTS, OPT_SLOTS, NETS,
					  KSET, TREE, BPF_SYMBOLS, PATCHES };
	struct kernel *k = *state;

	for (uint64_t at = FREE; at < DATA_LEN; at += 16) {
		put(k, at, DATA + FREE);
		put(k, at + 8, EVIL);
	}
	for (size_t i = 0; i < ARRAY_SIZE(heads); i++)
		put(k, heads[i], DATA + FREE);
	for (uint64_t at = 0; at < 64 * 8; at += 8)
		put(k, KPROBES + at, DATA + FREE);
	put(k, PROC + 24, DATA + FREE);
	look(k);
	assert_true(says(k, "the list has no end"));
	assert_true(count(k, RULE_FTRACE_HOOK) <= LOOK_MAX_FOUND);
	assert_true(count(k, RULE_EXPORT_HOOK) <= LOOK_MAX_FOUND);
	assert_true(k->found.nr < 1000);
}

static uint32_t next_random(uint32_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 17;
	return *seed ^= *seed << 5;
}

/* Several at one place stand for each other, and for more than there can be. */
static void nested_probes(void **state)
{
	struct kernel *k = *state;

	put(k, KPROBES + 8, DATA + FREE);
	for (uint64_t kp = FREE; kp < FREE + 0x200; kp += 0x100) {
		put(k, kp + 32, TEXT + 0x500);
		put(k, kp + 40, TEXT + 0x400);
	}
	put(k, FREE + 16, DATA + FREE + 0x110);
	put(k, FREE + 0x110, DATA + FREE + 16);
	finds(k, RULE_KPROBE, 0);
	assert_true(says(k, "kprobes: several at one place are in one"));
	put(k, FREE + 0x128, TEXT + 0x100);
	look(k);
	assert_false(says(k, "kprobes: "));
	/* The last does not lead back; then it leads nowhere. */
	put(k, FREE + 0x110, DATA + FREE + 0x110);
	look(k);
	assert_true(says(k, "kprobes: the list of those at one place has no end"));
	put(k, FREE + 0x110, 0x1234);
	look(k);
	assert_true(says(k, "kprobes: the list of those at one place has no end"));
	/* What stands for several has handlers of its own. */
	put(k, FREE + 0x110, DATA + FREE + 16);
	put(k, FREE + 48, EVIL);
	finds(k, RULE_KPROBE, 1);
}

/* What is called through a pointer that leads nowhere is not nobody. */
static void dead_ends(void **state)
{
	static const uint64_t last = DATA_LEN - 8; /* nothing is behind it */
	static const struct {
		uint64_t at, to;
		const char *said;
	} ends[] = {
		{ OPS_LIST, DATA + last, "ftrace-hook: a pointer" },
		{ EXPORTS, DATA + last, "export-hook: a pointer" },
		{ KPROBES, DATA + last, "kprobe: a pointer" },
		{ TP + 8, 0x1234, "tracepoint-probe: a pointer" },
		{ TP + 8, DATA + last, "tracepoint-probe: a pointer" },
		{ TP_PTRS, 0x7000000, "tracepoint-probe: a pointer" },
		{ MOD_EVIL + 0x188, DATA + DATA_LEN, "tracepoints: a table" },
		{ INIT_NET + 0x48, 0x1234, "netfilter: a chain" },
		{ INIT_NET + 0x48, DATA + last, "netfilter-hook: a pointer" },
		{ INIT_NET + 0x80, 0x1234, "operations: a pointer" },
		{ PROC + 24, DATA + DATA_LEN, "operations: a pointer" },
	};
	struct kernel *k = *state;

	put(k, MOD_EVIL + 0x190, 1);
	put(k, MOD_EVIL + 0x188, DATA + TP_PTRS);
	put(k, last, DATA + OPS_END);
	for (size_t i = 0; i < ARRAY_SIZE(ends); i++) {
		uint64_t was;

		memcpy(&was, k->g.ram + GPA_DATA + ends[i].at, sizeof(was));
		look(k);
		assert_int_equal(count(k, RULE_CANNOT_TELL), 2);
		put(k, ends[i].at, ends[i].to);
		if (ends[i].to == DATA + last && ends[i].at != OPS_LIST)
			put(k, last, ends[i].at == TP + 8 ? TEXT + 0x100 :
				     ends[i].at == INIT_NET + 0x48);
		look(k);
		if (!says(k, ends[i].said))
			fail_msg("%zu: not said: %s", i, ends[i].said);
		put(k, ends[i].at, was);
		put(k, last, DATA + OPS_END);
	}
}

/* More than are looked at are not more than there are. */
static void many_called(void **state)
{
	struct kernel *k = *state;
	uint16_t nr = 1024;

	for (uint64_t i = 0; i < 1024; i++) {
		put(k, FREE + 24 * i, TEXT + 0x100);
		put(k, FREE + 0x8008 + 16 * i, TEXT + 0x100);
	}
	fake_put(&k->g, GPA_DATA + FREE + 0x8000, &nr, sizeof(nr));
	put(k, FREE + 24 * 1023, EVIL);
	put(k, FREE + 0x8008 + 16 * 1023, EVIL);
	put(k, TP + 8, DATA + FREE);
	finds(k, RULE_TRACEPOINT_PROBE, 1);
	assert_false(says(k, "tracepoints: "));
	put(k, FREE + 24 * 1024, TEXT + 0x100);
	finds(k, RULE_TRACEPOINT_PROBE, 1);
	assert_true(says(k, "tracepoints: one calls more than 1024 functions"));
	put(k, TP + 8, 0);
	put(k, INIT_NET + 0x48, DATA + FREE + 0x8000);
	finds(k, RULE_NETFILTER_HOOK, 1);
	assert_false(says(k, "netfilter: "));
	nr++;
	fake_put(&k->g, GPA_DATA + FREE + 0x8000, &nr, sizeof(nr));
	finds(k, RULE_NETFILTER_HOOK, 1);
	assert_true(says(k, "netfilter: one calls more than 1024 functions"));
	put(k, INIT_NET + 0x48, 0);
	/* Of a module's tracepoints as many as nodes of a list. */
	put(k, MOD_EVIL + 0x188, DATA + FREE);
	put(k, MOD_EVIL + 0x190, LOOK_MAX_NODES + 1);
	look(k);
	assert_true(says(k, "tracepoints: more than 65536 in a table"));
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

static int tell(void **state)
{
	print_message("a look: at most %.1f ms, %lld KiB\n", slowest,
		      (long long)largest >> 10);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(clean, setup, teardown),
		cmocka_unit_test_setup_teardown(changes, setup, teardown),
		cmocka_unit_test_setup_teardown(own, setup, teardown),
		cmocka_unit_test_setup_teardown(same_place, setup, teardown),
		cmocka_unit_test_setup_teardown(flooded, setup, teardown),
		cmocka_unit_test_setup_teardown(tracers, setup, teardown),
		cmocka_unit_test_setup_teardown(fprobes, setup, teardown),
		cmocka_unit_test_setup_teardown(probes, setup, teardown),
		cmocka_unit_test_setup_teardown(others, setup, teardown),
		cmocka_unit_test_setup_teardown(listeners, setup, teardown),
		cmocka_unit_test_setup_teardown(devices, setup, teardown),
		cmocka_unit_test_setup_teardown(proc_tables, setup, teardown),
		cmocka_unit_test_setup_teardown(proc_names, setup, teardown),
		cmocka_unit_test_setup_teardown(proc_nets, setup, teardown),
		cmocka_unit_test_setup_teardown(proc_trees, setup, teardown),
		cmocka_unit_test_setup_teardown(hidden, setup, teardown),
		cmocka_unit_test_setup_teardown(claims, setup, teardown),
		cmocka_unit_test_setup_teardown(comes_and_goes, setup, teardown),
		cmocka_unit_test_setup_teardown(beginnings, setup, teardown),
		cmocka_unit_test_setup_teardown(beginnings_by_right, setup,
						teardown),
		cmocka_unit_test_setup_teardown(newer_modules, setup, teardown),
		cmocka_unit_test_setup_teardown(made_code, setup, teardown),
		cmocka_unit_test_setup_teardown(made_any, setup, teardown),
		cmocka_unit_test_setup_teardown(made_is_known, setup, teardown),
		cmocka_unit_test_setup_teardown(hostile_made, setup, teardown),
		cmocka_unit_test_setup_teardown(many_pieces, setup, teardown),
		cmocka_unit_test_setup_teardown(large_pages, setup, teardown),
		cmocka_unit_test_setup_teardown(live_patches, setup, teardown),
		cmocka_unit_test_setup_teardown(circles, setup, teardown),
		cmocka_unit_test_setup_teardown(nested_probes, setup, teardown),
		cmocka_unit_test_setup_teardown(dead_ends, setup, teardown),
		cmocka_unit_test_setup_teardown(many_called, setup, teardown),
		cmocka_unit_test_setup_teardown(damage, setup, teardown),
	};

	return cmocka_run_group_tests(tests, cost_init, tell);
}
