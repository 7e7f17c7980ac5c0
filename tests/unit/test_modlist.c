// SPDX-License-Identifier: GPL-2.0-only
/* modlist on made-up module lists, sound and hostile. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <elf.h>
#include <errno.h>
#include <stdio.h>
#include <time.h>

#include "cleanup.h"
#include "fake_guest.h"
#include "fake_layouts.h"
#include "modlist.h"

#define MIB  (1ull << 20)
#define BASE 0xffffffffc0000000ull	/* RAM is mapped here, all of it */
#define RAM  (64 * MIB)
#define HEAD 0x100000			/* gpa of the list's head */
#define MOD(i) (0x200000 + (uint64_t)(i) * 0x400) /* gpa of a struct module */

static const struct modlist_layout layout = { FAKE_MODULES };

static void put_node(struct fake_guest *g, uint64_t gpa, uint64_t next,
		     uint64_t prev)
{
	fake_put_u64(g, gpa, BASE + next);
	fake_put_u64(g, gpa + 8, BASE + prev);
}

/* @nr modules in a ring, without symbols. */
static void put_modules(struct fake_guest *g, unsigned int nr)
{
	for (unsigned int i = 0; i < nr; i++) {
		uint64_t at = MOD(i);
		char name[16];

		put_node(g, at + 8, i + 1 < nr ? MOD(i + 1) + 8 : HEAD,
			 i ? MOD(i - 1) + 8 : HEAD);
		snprintf(name, sizeof(name), "mod%u", i);
		fake_put(g, at + layout.name, name, strlen(name) + 1);
		fake_put_u64(g, at + layout.text_base,
			     0xffffffffa0000000 + i * 0x10000);
		fake_put_u64(g, at + layout.text_size, 0x3000);
		fake_put_u64(g, at + layout.kallsyms, 0);
	}
	put_node(g, HEAD, nr ? MOD(0) + 8 : HEAD, nr ? MOD(nr - 1) + 8 : HEAD);
}

static void guest_open(struct fake_guest *g, unsigned int nr)
{
	fake_guest_open(g, RAM);
	for (uint64_t i = 0; i < RAM; i += 2 * MIB)
		fake_map(g, BASE + i, i, 2);
	put_modules(g, nr);
}

static int read_list(struct fake_guest *g, struct modlist *ml)
{
	struct xf_err err = { 0 };
	struct timespec t0, t1;
	int rc;

	clock_gettime(CLOCK_MONOTONIC, &t0);
	rc = modlist_read(ml, &g->space, BASE + HEAD, &layout, &err);
	clock_gettime(CLOCK_MONOTONIC, &t1);
	assert_true(t1.tv_sec - t0.tv_sec < 2);
	assert_int_equal(err.code, rc);
	if (rc)
		assert_int_equal(ml->nr, 0);
	return rc;
}

static int list_rc(struct fake_guest *g)
{
	_cleanup_(modlist_deinit) struct modlist ml = MODLIST_INIT;

	return read_list(g, &ml);
}

static void test_list(void **state)
{
	_cleanup_(modlist_deinit) struct modlist ml = MODLIST_INIT;
	struct fake_guest g;

	guest_open(&g, 3);
	assert_int_equal(read_list(&g, &ml), 0);
	assert_int_equal(ml.nr, 3);
	for (int i = 0; i < 3; i++) {
		char name[16];

		snprintf(name, sizeof(name), "mod%d", i);
		assert_string_equal(ml.mod[i].name, name);
		assert_int_equal(ml.mod[i].text_base,
				 0xffffffffa0000000 + i * 0x10000);
		assert_int_equal(ml.mod[i].text_size, 0x3000);
	}
	modlist_deinit(&ml);
	/* One without code has it nowhere, since 6.4. */
	fake_put_u64(&g, MOD(1) + layout.text_base, 0);
	fake_put_u64(&g, MOD(1) + layout.text_size, 0);
	assert_int_equal(read_list(&g, &ml), 0);
	assert_int_equal(ml.nr, 3);
	assert_int_equal(ml.mod[1].text_base, 0);
	modlist_deinit(&ml);
	fake_put_u64(&g, MOD(1) + layout.text_size, 1);
	assert_int_equal(list_rc(&g), -EBADMSG);
	put_modules(&g, 0);
	assert_int_equal(read_list(&g, &ml), 0);
	assert_int_equal(ml.nr, 0);
	modlist_deinit(&ml);
	put_modules(&g, MODLIST_MAX_MODULES);
	assert_int_equal(read_list(&g, &ml), 0);
	assert_int_equal(ml.nr, MODLIST_MAX_MODULES);
	put_modules(&g, MODLIST_MAX_MODULES + 1);
	assert_int_equal(list_rc(&g), -E2BIG);
	fake_guest_close(&g);
}

static void test_hostile_list(void **state)
{
	struct fake_guest g;

	guest_open(&g, 5);
	assert_int_equal(list_rc(&g), 0);

	/* Loops that never come back to the head, long and short. */
	put_node(&g, MOD(4) + 8, MOD(0) + 8, MOD(3) + 8);
	assert_int_equal(list_rc(&g), -EBADMSG);
	put_node(&g, MOD(4) + 8, MOD(4) + 8, MOD(3) + 8);
	assert_int_equal(list_rc(&g), -EBADMSG);
	put_node(&g, MOD(4) + 8, MOD(4) + 8, MOD(4) + 8);
	assert_int_equal(list_rc(&g), -EBADMSG);
	put_node(&g, HEAD, MOD(4) + 8, HEAD);
	assert_int_equal(list_rc(&g), -EBADMSG);

	/* A head or a node of zeros, of poison, in user space, nowhere. */
	put_modules(&g, 5);
	fake_put_u64(&g, HEAD, 0);
	assert_int_equal(list_rc(&g), -EBADMSG);
	fake_put_u64(&g, HEAD, 0x7fffffff0000);
	assert_int_equal(list_rc(&g), -EBADMSG);
	fake_put_u64(&g, HEAD, 0xdead000000000100);
	assert_int_equal(list_rc(&g), -EFAULT);
	fake_put_u64(&g, HEAD, UINT64_MAX);
	assert_int_equal(list_rc(&g), -EFAULT);
	put_modules(&g, 5);
	memset(g.ram + MOD(2), 0, 0x400);
	assert_int_equal(list_rc(&g), -EBADMSG);

	/* Names without an end or none at all; text that wraps. */
	put_modules(&g, 5);
	memset(g.ram + MOD(2) + layout.name, 'n', 56);
	assert_int_equal(list_rc(&g), -EBADMSG);
	memset(g.ram + MOD(2) + layout.name, 0, 56);
	assert_int_equal(list_rc(&g), -EBADMSG);
	put_modules(&g, 5);
	fake_put_u64(&g, MOD(3) + layout.text_base, 0x400000);
	assert_int_equal(list_rc(&g), -EBADMSG);
	fake_put_u64(&g, MOD(3) + layout.text_base, -0x1000);
	assert_int_equal(list_rc(&g), -EBADMSG);

	/* Page tables that map everything to one page. */
	put_modules(&g, 5);
	for (int i = 0; i < 512; i++)
		fake_put_u64(&g, i * 8, PTE_P);
	assert_true(list_rc(&g) < 0);
	fake_guest_close(&g);
}

static void test_bad_layout(void **state)
{
	struct modlist ml = MODLIST_INIT;
	struct xf_err err = { 0 };
	struct fake_guest g;
	uint32_t *field;

	guest_open(&g, 1);
	for (size_t i = 0; i < sizeof(layout) / sizeof(uint32_t); i++) {
		struct modlist_layout bad = layout;

		field = (uint32_t *)&bad + i;
		*field = 65536;
		assert_int_equal(modlist_read(&ml, &g.space, BASE + HEAD, &bad,
					      &err),
				 -EINVAL);
	}
	for (int len = 0; len <= 65; len += 65) {
		struct modlist_layout bad = layout;

		bad.name_len = len;
		assert_int_equal(modlist_read(&ml, &g.space, BASE + HEAD, &bad,
					      &err),
				 -EINVAL);
	}
	modlist_deinit(&ml);
	fake_guest_close(&g);
}

#define KSYM 0x800000			/* gpa of a struct mod_kallsyms */
#define SYMTAB 0x900000
#define STRTAB 0xa00000
#define TYPETAB 0xb00000

static void put_kallsyms(struct fake_guest *g, unsigned int mod, uint32_t nr)
{
	fake_put_u64(g, MOD(mod) + layout.kallsyms, BASE + KSYM);
	fake_put_u64(g, KSYM + layout.symtab, BASE + SYMTAB);
	fake_put_u64(g, KSYM + layout.num_symtab, nr);
	fake_put_u64(g, KSYM + layout.strtab, BASE + STRTAB);
	fake_put_u64(g, KSYM + layout.typetab, BASE + TYPETAB);
}

static void put_symbol(struct fake_guest *g, uint32_t i, uint32_t name,
		       const char *text, uint64_t addr, char type)
{
	Elf64_Sym sym = { .st_name = name, .st_value = addr, .st_size = 16 };

	fake_put(g, SYMTAB + i * sizeof(sym), &sym, sizeof(sym));
	if (text)
		fake_put(g, STRTAB + name, text, strlen(text) + 1);
	fake_put(g, TYPETAB + i, &type, 1);
}

struct seen {
	unsigned int nr;
	struct modlist_symbol last;
	char name[MODLIST_SYMBOL];
	int answer;
};

static int see(void *arg, const struct modlist_symbol *sym)
{
	struct seen *s = arg;

	s->nr++;
	s->last = *sym;
	assert_true(strlen(sym->name) < sizeof(s->name));
	strcpy(s->name, sym->name);
	return s->answer;
}

static int symbols(struct fake_guest *g, struct seen *s)
{
	_cleanup_(modlist_deinit) struct modlist ml = MODLIST_INIT;
	struct xf_err err = { 0 };

	assert_int_equal(read_list(g, &ml), 0);
	*s = (struct seen){ .answer = s->answer };
	return modlist_symbols(&ml, 0, see, s, &err);
}

static void test_symbols(void **state)
{
	struct fake_guest g;
	struct seen s = { 0 };
	char longest[600];

	guest_open(&g, 1);
	assert_int_equal(symbols(&g, &s), 0);
	assert_int_equal(s.nr, 0);
	put_kallsyms(&g, 0, 0);
	assert_int_equal(symbols(&g, &s), 0);

	put_kallsyms(&g, 0, 4);
	put_symbol(&g, 0, 0, "", 0, 0);
	put_symbol(&g, 1, 1, "init_module", 0xffffffffa0000010, 'T');
	put_symbol(&g, 2, 30, "cleanup_module", 0xffffffffa0000020, 't');
	put_symbol(&g, 3, 13, "a_variable", 0xffffffffa0002000, 'd');
	assert_int_equal(symbols(&g, &s), 0);
	assert_int_equal(s.nr, 3);
	assert_string_equal(s.name, "a_variable");
	assert_int_equal(s.last.addr, 0xffffffffa0002000);
	assert_int_equal(s.last.size, 16);
	assert_int_equal(s.last.type, 'd');
	s.answer = 5;
	assert_int_equal(symbols(&g, &s), 5);
	assert_int_equal(s.nr, 1);
	assert_string_equal(s.name, "init_module");
	s.answer = 0;

	/* The longest name there is, then one byte more. */
	memset(longest, 'l', sizeof(longest));
	longest[511] = '\0';
	put_symbol(&g, 3, 100, longest, 1, 't');
	assert_int_equal(symbols(&g, &s), 0);
	assert_string_equal(s.name, longest);
	longest[511] = 'l';
	longest[512] = '\0';
	put_symbol(&g, 3, 100, longest, 1, 't');
	assert_int_equal(symbols(&g, &s), -ENAMETOOLONG);
	put_symbol(&g, 2, 700, "behind", 1, 't');
	assert_int_equal(symbols(&g, &s), 0);
	assert_int_equal(s.nr, 2);	/* without it */
	fake_guest_close(&g);
}

static void test_hostile_symbols(void **state)
{
	static const uint32_t counts[] = { MODLIST_MAX_SYMBOLS + 1, 0x7fffffff,
					   0x80000000, UINT32_MAX };
	struct fake_guest g;
	struct seen s = { 0 };
	int rc;

	guest_open(&g, 1);
	put_symbol(&g, 0, 0, "", 0, 0);
	put_symbol(&g, 1, 1, "fine", 2, 't');
	for (size_t i = 0; i < ARRAY_SIZE(counts); i++) {
		put_kallsyms(&g, 0, counts[i]);
		assert_int_equal(symbols(&g, &s), -E2BIG);
	}
	/* Names far away: beyond the budget, then merely not mapped. */
	put_kallsyms(&g, 0, 2);
	put_symbol(&g, 1, UINT32_MAX, NULL, 2, 't');
	assert_int_equal(symbols(&g, &s), -E2BIG);
	put_symbol(&g, 1, 33 * MIB, NULL, 2, 't');
	assert_int_equal(symbols(&g, &s), -E2BIG);
	put_symbol(&g, 1, 30 * MIB, NULL, 2, 't');
	fake_put_u64(&g, KSYM + layout.strtab, BASE + RAM - 20 * MIB);
	rc = symbols(&g, &s);
	assert_true(rc == -EFAULT || rc == -ETIME);
	put_kallsyms(&g, 0, 2);
	put_symbol(&g, 1, 1, "fine", 2, 't');
	assert_int_equal(symbols(&g, &s), 0);

	/* Tables nowhere, in user space, at the end of everything. */
	fake_put_u64(&g, KSYM + layout.symtab, 0);
	assert_int_equal(symbols(&g, &s), -EBADMSG);
	fake_put_u64(&g, KSYM + layout.symtab, UINT64_MAX - 20);
	assert_int_equal(symbols(&g, &s), -EFAULT);
	put_kallsyms(&g, 0, 2);
	fake_put_u64(&g, KSYM + layout.strtab, 0x400000);
	assert_int_equal(symbols(&g, &s), -EBADMSG);
	fake_put_u64(&g, KSYM + layout.strtab, UINT64_MAX);
	assert_int_equal(symbols(&g, &s), -EFAULT);
	put_kallsyms(&g, 0, 2);
	fake_put_u64(&g, KSYM + layout.typetab, BASE + RAM - 1);
	assert_int_equal(symbols(&g, &s), -EFAULT);
	put_kallsyms(&g, 0, 2);
	fake_put_u64(&g, MOD(0) + layout.kallsyms, UINT64_MAX - 2);
	assert_true(symbols(&g, &s) < 0);
	fake_put_u64(&g, MOD(0) + layout.kallsyms, 8);
	assert_int_equal(symbols(&g, &s), -EBADMSG);
	fake_guest_close(&g);
}

/*
 * Every module has a large table, each of them fine: together they are not.
 * Whichever limit is met first, it is met soon.
 */
static void test_budget(void **state)
{
	_cleanup_(modlist_deinit) struct modlist ml = MODLIST_INIT;
	struct xf_err err = { 0 };
	struct timespec t0, t1;
	struct seen s = { 0 };
	struct fake_guest g;
	int rc = 0;
	size_t i;

	guest_open(&g, 64);
	for (unsigned int n = 0; n < 64; n++)
		put_kallsyms(&g, n, 40000);
	assert_int_equal(read_list(&g, &ml), 0);
	clock_gettime(CLOCK_MONOTONIC, &t0);
	for (i = 0; i < ml.nr && !rc; i++)
		rc = modlist_symbols(&ml, i, see, &s, &err);
	clock_gettime(CLOCK_MONOTONIC, &t1);
	assert_true(rc == -E2BIG || rc == -ETIME);
	assert_true(t1.tv_sec - t0.tv_sec < 2);
	print_message("%zu tables of 40000 symbols, then: %s\n", i - 1,
		      err.msg);
	fake_guest_close(&g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_list),
		cmocka_unit_test(test_hostile_list),
		cmocka_unit_test(test_bad_layout),
		cmocka_unit_test(test_symbols),
		cmocka_unit_test(test_hostile_symbols),
		cmocka_unit_test(test_budget),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
