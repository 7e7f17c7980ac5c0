// SPDX-License-Identifier: GPL-2.0-only
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>

#include "sample_kernel.h"
#include "symtab_kallsyms.h"

static void make(struct sample_tables *t, struct kallsyms *k,
		 bool absolute_percpu)
{
	*t = (struct sample_tables)SAMPLE_TABLES_INIT;
	sample_tables_make(t, absolute_percpu);
	*k = (struct kallsyms){
		.nr = t->nr,
		.names = t->names.data,
		.names_len = t->names.len,
		.token_table = t->token_table.data,
		.token_table_len = t->token_table.len,
		.token_index = t->token_index.data,
		.token_index_len = t->token_index.len,
		.offsets = t->offsets.data,
		.offsets_len = t->offsets.len,
		.relative_base = t->base,
	};
}

/* Everything but the first @skip symbols is there, and nothing else. */
static void expect_sample(const struct symtab *st, size_t skip, uint64_t slide)
{
	uint32_t pos = 0;
	struct sym s;

	assert_int_equal(st->nr, SAMPLE_NR - skip);
	for (size_t i = skip; symtab_each(st, &pos, &s); i++) {
		const struct sample_symbol *want = &sample_symbols[i];

		assert_string_equal(s.name, want->name);
		assert_int_equal(s.type, want->type);
		assert_int_equal(s.addr, want->addr < SAMPLE_BASE
						 ? want->addr
						 : want->addr + slide);
	}
}

static void test_parts(void **state)
{
	for (int absolute = 0; absolute < 2; absolute++) {
		_cleanup_(symtab_destroyp) struct symtab *st = symtab_create();
		_cleanup_(sample_tables_deinit) struct sample_tables t;
		struct xf_err err = {0};
		struct kallsyms k;

		make(&t, &k, absolute);
		/* As in a guest: the base has moved. */
		k.relative_base += 0x1c000000;
		assert_int_equal(symtab_load_kallsyms(st, &k, &err), 0);
		expect_sample(st, absolute ? 0 : 2, 0x1c000000);
	}
}

static void test_image(void **state)
{
	for (int i = 0; i < 2 * SAMPLE_ORDERS; i++) {
		_cleanup_(symtab_destroyp) struct symtab *st = symtab_create();
		_cleanup_(sample_tables_deinit) struct sample_tables t =
			SAMPLE_TABLES_INIT;
		_cleanup_(buf_deinit) struct buf image = BUF_INIT;
		struct xf_err err = {0};

		sample_tables_make(&t, i % 2);
		sample_image(&image, i / 2, &t);
		if (symtab_load_kallsyms_image(st, image.data, image.len, &err))
			fail_msg("order %d: %s", i / 2, err.msg);
		expect_sample(st, i % 2 ? 0 : 2, 0);
	}
}

static void expect_error(const struct kallsyms *k, int rc, const char *sentence)
{
	_cleanup_(symtab_destroyp) struct symtab *st = symtab_create();
	struct xf_err err = {0};

	symtab_add(st, SAMPLE_BASE, 0, 't', "before", 6, NULL);
	assert_int_equal(symtab_load_kallsyms(st, k, &err), rc);
	if (!strstr(err.msg, sentence))
		fail_msg("'%s' does not say '%s'", err.msg, sentence);
	assert_int_equal(st->nr, 1);
}

static void test_contradictions(void **state)
{
	_cleanup_(sample_tables_deinit) struct sample_tables t;
	struct kallsyms good, k;
	char *names;

	make(&t, &good, true);
	names = t.names.data;
	k = good;
	k.nr = 0;
	expect_error(&k, -EFBIG, "0 symbols");
	k = good;
	k.nr = UINT32_MAX;
	expect_error(&k, -EFBIG, "4294967295 symbols");
	k = good;
	k.nr++;
	expect_error(&k, -EBADMSG, "offsets for");
	k = good;
	k.offsets_len = 3;
	expect_error(&k, -EBADMSG, "offsets for 0");
	k = good;
	k.names_len--;
	expect_error(&k, -EBADMSG, "cut off");
	k = good;
	k.names_len = 0;
	expect_error(&k, -EBADMSG, "symbol 0 of 606 is cut off");
	k = good;
	k.token_index_len--;
	expect_error(&k, -EBADMSG, "index cut off");
	k = good;
	k.token_table_len--;
	expect_error(&k, -EBADMSG, "token 255 lies outside");
	k = good;
	k.token_table_len = 0;
	expect_error(&k, -EBADMSG, "token 0 lies outside");
	names[0] = 0;
	expect_error(&good, -EBADMSG, "symbol 0 of 606 is impossible");
	names[0] = 1;
	expect_error(&good, -EBADMSG, "symbol 0 of 606 is impossible");
}

/* Every byte a token of 511 letters: a small table, 256 MiB of names. */
static void test_bomb(void **state)
{
	enum { NR = SYMTAB_MAX };
	_cleanup_free_ uint8_t *names = calloc(NR, 2);
	_cleanup_free_ uint8_t *offsets = calloc(NR, 4);
	uint16_t index[256] = {0};
	char table[512];
	struct kallsyms k = {
		.nr = NR,
		.names = names,
		.names_len = 2 * NR,
		.token_table = table,
		.token_table_len = sizeof(table),
		.token_index = index,
		.token_index_len = sizeof(index),
		.offsets = offsets,
		.offsets_len = 4 * NR,
	};

	for (size_t i = 0; i < NR; i++)
		names[2 * i] = 1;
	memset(table, 'x', sizeof(table));
	table[511] = '\0';
	expect_error(&k, -EFBIG, "too large");
	/* Two of them are longer than a name can be. */
	names[0] = 2;
	expect_error(&k, -EBADMSG, "symbol 0 of 524288 is impossible");
}

static void test_damaged_parts(void **state)
{
	_cleanup_(sample_tables_deinit) struct sample_tables t;
	struct kallsyms good;
	uint32_t seed = 3;

	make(&t, &good, true);
	for (unsigned int i = 0; i < 3000; i++) {
		_cleanup_(symtab_destroyp) struct symtab *st = symtab_create();
		_cleanup_free_ uint8_t
			*names = sample_copy(good.names, good.names_len),
			*table = sample_copy(good.token_table,
					     good.token_table_len),
			*index = sample_copy(good.token_index,
					     good.token_index_len),
			*offsets = sample_copy(good.offsets, good.offsets_len);
		struct kallsyms k = good;

		k.names = names;
		k.token_table = (char *)table;
		k.token_index = index;
		k.offsets = offsets;
		if (i % 4 == 0)
			sample_damage(names, k.names_len, &seed);
		else if (i % 4 == 1)
			sample_damage(table, k.token_table_len, &seed);
		else if (i % 4 == 2)
			sample_damage(index, k.token_index_len, &seed);
		else
			sample_damage(offsets, k.offsets_len, &seed);
		if (symtab_load_kallsyms(st, &k, NULL))
			assert_int_equal(st->nr, 0);
	}
}

static void test_damaged_image(void **state)
{
	for (int order = 0; order < SAMPLE_ORDERS; order++) {
		_cleanup_(sample_tables_deinit) struct sample_tables t =
			SAMPLE_TABLES_INIT;
		_cleanup_(buf_deinit) struct buf image = BUF_INIT;
		uint32_t seed = 4 + order;

		sample_tables_make(&t, true);
		sample_image(&image, order, &t);
		for (unsigned int i = 0; i < 1000; i++) {
			_cleanup_(symtab_destroyp) struct symtab *st =
				symtab_create();
			_cleanup_free_ uint8_t *copy =
				sample_copy(image.data, image.len);
			size_t len = image.len;

			if (i % 2)
				len = sample_random(&seed) % len;
			else
				sample_damage(copy, len, &seed);
			symtab_load_kallsyms_image(st, copy, len, NULL);
		}
	}
}

static void test_no_tables(void **state)
{
	static const char digits[] = "0\0001\0002\0003\0004\0005\0006\0007\0008"
				     "\0009\0";
	_cleanup_(symtab_destroyp) struct symtab *st = symtab_create();
	_cleanup_(buf_deinit) struct buf image = BUF_INIT;
	struct xf_err err;

	assert_int_equal(symtab_load_kallsyms_image(st, "", 0, &err), -ENODATA);
	for (unsigned int i = 0; i < 100000; i++)
		buf_add(&image, digits, sizeof(digits) - 1);
	assert_int_equal(
		symtab_load_kallsyms_image(st, image.data, image.len, &err),
		-ENODATA);
	assert_non_null(strstr(err.msg, "no symbols"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parts),
		cmocka_unit_test(test_image),
		cmocka_unit_test(test_contradictions),
		cmocka_unit_test(test_bomb),
		cmocka_unit_test(test_damaged_parts),
		cmocka_unit_test(test_damaged_image),
		cmocka_unit_test(test_no_tables),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
