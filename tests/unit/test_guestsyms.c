// SPDX-License-Identifier: GPL-2.0-only
/* guestsyms: sizes that a guest may claim for its tables. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "fake_guest.h"
#include "guestsyms.h"

#define MIB	 (1ull << 20)
#define KERNEL	 0xffffffff81000000ull
#define NUM_SYMS (KERNEL + 0x1000)
#define RELATIVE (KERNEL + 0x1008)
#define TABLES	 (KERNEL + MIB)

/* All of RAM lies at KERNEL, zeros but for the number of symbols. */
static void expect(uint64_t names_len, uint64_t tokens_len, uint32_t nr,
		   const char *sentence)
{
	struct vmcoreinfo vi = { 0 };
	struct symtab *st = NULL;
	struct fake_guest g;
	struct xf_err err;

	fake_guest_open(&g, 64 * MIB);
	for (uint64_t at = 0; at < g.len; at += 2 * MIB)
		fake_map(&g, KERNEL + at, at, 2);
	fake_put(&g, NUM_SYMS - KERNEL, &nr, sizeof(nr));
	vi.pgd_gpa = g.space.pgd_gpa;
	sprintf(vi.text,
		"SYMBOL(kallsyms_num_syms)=%llx\n"
		"SYMBOL(kallsyms_relative_base)=%llx\n"
		"SYMBOL(kallsyms_names)=%llx\n"
		"SYMBOL(kallsyms_token_table)=%llx\n"
		"SYMBOL(kallsyms_token_index)=%llx\n"
		"SYMBOL(kallsyms_offsets)=%llx\n",
		NUM_SYMS, RELATIVE, TABLES,
		(unsigned long long)(TABLES + names_len),
		(unsigned long long)(TABLES + names_len + tokens_len), TABLES);
	assert_true(guestsyms_load(&vi, &g.mf, &st, &err) < 0);
	assert_null(st);
	if (!strstr(err.msg, sentence))
		fail_msg("%s", err.msg);
	fake_guest_close(&g);
}

static void test_sizes(void **state)
{
	expect(4096, 1024, 16, "kallsyms: ");
	expect(0, 1024, 16, "names has an impossible size");
	expect(17 * MIB, 1024, 16, "names has an impossible size");
	expect(4096, 65 << 10, 16, "token_table has an impossible size");
	expect(4096, -1024, 16, "token_table has an impossible size");
	expect(4096, 1024, SYMTAB_MAX + 1, "offsets has an impossible size");
	expect(4096, 1024, UINT32_MAX, "offsets has an impossible size");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sizes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
