// SPDX-License-Identifier: GPL-2.0-only
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>

#include "sample_kernel.h"
#include "symtab.h"

static void expect_sample(const struct symtab *st, size_t skip)
{
	uint32_t pos = 0;
	struct sym s;

	assert_int_equal(st->source, SYMTAB_ELF);
	assert_int_equal(st->build_id_len, 20);
	assert_memory_equal(st->build_id, "abcdefghijklmnopqrst", 20);
	assert_string_equal(st->banner, "Linux version 6.1.0-sample (a@b) #1");
	assert_int_equal(st->nr, SAMPLE_NR - skip);
	for (size_t i = skip; symtab_each(st, &pos, &s); i++) {
		assert_string_equal(s.name, sample_symbols[i].name);
		assert_int_equal(s.addr, sample_symbols[i].addr);
		assert_int_equal(s.type, sample_symbols[i].type);
	}
}

static void test_symtab(void **state)
{
	_cleanup_(symtab_destroyp) struct symtab *st = symtab_create();
	_cleanup_(buf_deinit) struct buf elf = BUF_INIT;
	struct xf_err err = {0};

	sample_elf(&elf, false);
	if (symtab_load_elf(st, elf.data, elf.len, &err))
		fail_msg("%s", err.msg);
	expect_sample(st, 2);
}

static void test_stripped(void **state)
{
	_cleanup_(symtab_destroyp) struct symtab *st = symtab_create();
	_cleanup_(buf_deinit) struct buf elf = BUF_INIT;
	struct xf_err err = {0};

	sample_elf(&elf, true);
	if (symtab_load_elf(st, elf.data, elf.len, &err))
		fail_msg("%s", err.msg);
	expect_sample(st, 0);
}

static void expect_error(const struct buf *elf, size_t at, uint8_t byte, int rc,
			 const char *sentence)
{
	_cleanup_(symtab_destroyp) struct symtab *st = symtab_create();
	_cleanup_free_ uint8_t *copy = sample_copy(elf->data, elf->len);
	struct xf_err err = {0};

	copy[at] = byte;
	assert_int_equal(symtab_load_elf(st, copy, elf->len, &err), rc);
	if (!strstr(err.msg, sentence))
		fail_msg("'%s' does not say '%s'", err.msg, sentence);
	assert_int_equal(st->nr, 0);
	assert_int_equal(st->source, SYMTAB_NONE);
}

static void test_others(void **state)
{
	_cleanup_(buf_deinit) struct buf elf = BUF_INIT;

	sample_elf(&elf, false);
	expect_error(&elf, 0, 'x', -EBADMSG, "header");
	expect_error(&elf, EI_CLASS, 99, -EBADMSG, "header");
	expect_error(&elf, offsetof(Elf64_Ehdr, e_machine), EM_AARCH64,
		     -ENOEXEC, "x86-64");
	expect_error(&elf, offsetof(Elf64_Ehdr, e_type), ET_REL, -ENOEXEC,
		     "module");
	/* No sections, so no symbols. */
	memset(elf.data + offsetof(Elf64_Ehdr, e_shoff), 0, 8);
	elf.data[offsetof(Elf64_Ehdr, e_shnum)] = 0;
	expect_error(&elf, offsetof(Elf64_Ehdr, e_shstrndx), 0, -ENODATA,
		     "neither a .symtab nor kallsyms");
}

static void damage(bool stripped, uint32_t seed)
{
	_cleanup_(buf_deinit) struct buf elf = BUF_INIT;

	sample_elf(&elf, stripped);
	for (unsigned int i = 0; i < 3000; i++) {
		_cleanup_(symtab_destroyp) struct symtab *st = symtab_create();
		_cleanup_free_ uint8_t *copy = sample_copy(elf.data, elf.len);
		size_t len = elf.len;

		if (i % 4 == 0)
			len = sample_random(&seed) % len + 1;
		else if (i % 4 == 1)
			/* Headers are where it hurts most. */
			sample_damage(copy + len - 6 * sizeof(Elf64_Shdr),
				      6 * sizeof(Elf64_Shdr), &seed);
		else if (i % 4 == 2)
			sample_damage(copy, 256, &seed);
		else
			sample_damage(copy, len, &seed);
		if (symtab_load_elf(st, copy, len, NULL))
			assert_int_equal(st->nr, 0);
	}
}

static void test_damaged(void **state)
{
	damage(false, 5);
	damage(true, 6);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_symtab),
		cmocka_unit_test(test_stripped),
		cmocka_unit_test(test_others),
		cmocka_unit_test(test_damaged),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
