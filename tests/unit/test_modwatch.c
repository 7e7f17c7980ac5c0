// SPDX-License-Identifier: GPL-2.0-only
/* modwatch, on a list of modules that changes while it is looked at. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <elf.h>

#include "cleanup.h"
#include "fake_guest.h"
#include "modwatch.h"

#define MIB	(1ull << 20)
#define BASE	0xffffffffc0000000ull	/* RAM is mapped here, all of it */
#define RAM	(16 * MIB)
#define HEAD	0x100000		/* gpa of the list's head */
#define MOD(i)	(0x200000 + (uint64_t)(i) * 0x1000) /* its struct module, */
#define KSYM(i) (MOD(i) + 0x400)	/* its struct mod_kallsyms, */
#define SYM(i)	(MOD(i) + 0x500)	/* its only symbol, */
#define TEXT(i) (0xffffffffa0000000ull + (i) * 0x10000) /* its code */

static const struct xft_layout layout = {
	.module_list = 8,
	.module_name = 24,
	.module_name_len = 56,
	.module_text_base = 0x140,
	.module_text_size = 0x148,
	.module_kallsyms = 0x150,
	.kallsyms_symtab = 0,
	.kallsyms_num = 8,
	.kallsyms_strtab = 16,
	.kallsyms_typetab = 24,
};

static struct fake_guest g;
static struct target t;

static void put_module(int i, bool has_symbols)
{
	const Elf64_Sym sym = { .st_name = 1, .st_value = TEXT(i),
				.st_size = 0x40 };
	char name[16];

	snprintf(name, sizeof(name), "mod%d", i);
	fake_put(&g, MOD(i) + layout.module_name, name, strlen(name) + 1);
	fake_put_u64(&g, MOD(i) + layout.module_text_base, TEXT(i));
	fake_put_u64(&g, MOD(i) + layout.module_text_size, 0x1000);
	fake_put_u64(&g, MOD(i) + layout.module_kallsyms,
		     has_symbols ? BASE + KSYM(i) : 0);
	fake_put_u64(&g, KSYM(i) + layout.kallsyms_symtab, BASE + SYM(i));
	fake_put_u64(&g, KSYM(i) + layout.kallsyms_num, 1);
	fake_put_u64(&g, KSYM(i) + layout.kallsyms_strtab, BASE + SYM(i) + 64);
	fake_put_u64(&g, KSYM(i) + layout.kallsyms_typetab, BASE + SYM(i) + 32);
	fake_put(&g, SYM(i), &sym, sizeof(sym));
	fake_put(&g, SYM(i) + 32, "t", 1);
	fake_put(&g, SYM(i) + 64, "\0work", 6);
}

/* The first @nr modules, the newest first. */
static void put_list(int nr)
{
	uint64_t last = HEAD;

	for (int i = nr - 1; i >= -1; i--) {
		uint64_t at = i < 0 ? HEAD : MOD(i) + layout.module_list;

		fake_put_u64(&g, last, BASE + at);
		fake_put_u64(&g, at + 8, BASE + last);
		last = at;
	}
}

static void begin(struct modwatch *w)
{
	fake_guest_open(&g, RAM);
	for (uint64_t i = 0; i < RAM; i += 2 * MIB)
		fake_map(&g, BASE + i, i, 2);
	t = (struct target){ .mf = g.mf, .symbols = symtab_create() };
	t.ctl.layout = layout;
	symtab_add(t.symbols, BASE + HEAD, 0, 'd', "modules", 7, NULL);
	symtab_seal(t.symbols);
	put_module(0, true);
	put_module(1, false);
	put_list(1);
	modwatch_begin(w, &t);
}

static void end(struct modwatch *w)
{
	modwatch_deinit(w);
	symtab_destroy(t.symbols);
	fake_guest_close(&g);
}

static void assert_hidden(struct modwatch *w, const char *names)
{
	struct buf b = BUF_INIT;

	modwatch_end(w, &b);
	buf_puts(&b, "");
	assert_string_equal(b.data, names);
	buf_deinit(&b);
}

/* One that is loaded has no symbols at first. */
static void test_comes_and_goes(void **state)
{
	_cleanup_(symtab_destroyp) struct symtab *st = symtab_create();
	struct buf pack = BUF_INIT;
	struct modwatch w = { 0 };
	struct sym s;

	begin(&w);
	assert_false(modwatch_tick(&w, &pack));
	put_list(2);
	for (int i = 0; i < 5; i++)
		assert_false(modwatch_tick(&w, &pack));
	put_module(1, true);
	assert_true(modwatch_tick(&w, &pack));
	symtab_seal(st);
	assert_int_equal(symtab_unpack_more(st, pack.data, pack.len, NULL), 0);
	assert_true(symtab_at(st, TEXT(1) + 0x20, &s));
	assert_string_equal(s.name, "work");
	assert_string_equal(s.module, "mod1");
	assert_false(symtab_at(st, TEXT(0), &s));
	pack.len = 0;
	assert_false(modwatch_tick(&w, &pack));

	/* Unloaded: its memory is somebody else's. */
	put_list(1);
	fake_put(&g, MOD(1) + layout.module_name, "x", 2);
	assert_false(modwatch_tick(&w, &pack));
	assert_hidden(&w, "");
	buf_deinit(&pack);
	end(&w);
}

static void test_hides(void **state)
{
	struct modwatch w = { 0 };

	begin(&w);
	put_list(0);
	assert_hidden(&w, "mod0");
	put_list(1);
	assert_hidden(&w, "");
	end(&w);
}

/* Nobody says where the list is; and a guest whose list never ends. */
static void test_nothing(void **state)
{
	struct buf pack = BUF_INIT;
	struct modwatch w = { 0 };

	assert_false(modwatch_tick(&w, &pack));
	assert_hidden(&w, "");
	begin(&w);
	put_list(2);
	put_module(1, true);
	fake_put_u64(&g, MOD(0) + layout.module_list,
		     BASE + MOD(1) + layout.module_list);
	for (int i = 0; i < 500; i++)
		assert_false(modwatch_tick(&w, &pack));
	assert_int_equal(w.looks, 0);
	assert_hidden(&w, "");
	end(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_comes_and_goes),
		cmocka_unit_test(test_hides),
		cmocka_unit_test(test_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
