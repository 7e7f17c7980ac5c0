// SPDX-License-Identifier: GPL-2.0-only
/* result: the places in the code of real kernels, and code of other kinds. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "result.h"

/* Debian's 6.1.0-56-cloud: sub $16; RAX lies at the bottom. */
static const uint8_t code_6_1[] = {
	0x48, 0x83, 0xec, 0x10, 0x48, 0x89, 0x04, 0x24, 0x48, 0x89, 0x54,
	0x24, 0x08, 0x48, 0x89, 0xef, 0xe8, 0x01, 0x02, 0x03, 0x04,
};

/* Debian's 6.12.95-cloud: a whole struct ftrace_regs. */
static const uint8_t code_6_12[] = {
	0x48, 0x89, 0xe7, 0x48, 0x83, 0xec, 0x08, 0x48, 0x81, 0xec, 0xa8, 0x00,
	0x00, 0x00, 0x48, 0x89, 0x44, 0x24, 0x50, 0x48, 0x89, 0x54, 0x24, 0x60,
	0x48, 0x89, 0x6c, 0x24, 0x20, 0x48, 0x89, 0xbc, 0x24, 0x98, 0x00, 0x00,
	0x00, 0x48, 0x89, 0xe7, 0xe8, 0x53, 0xfc, 0x1a, 0x00,
};

static void test_known(void **state)
{
	int32_t off;

	assert_int_equal(result_find(code_6_1, sizeof(code_6_1), &off, NULL), 0);
	assert_int_equal(off, 8 - 16);
	assert_int_equal(result_find(code_6_12, sizeof(code_6_12), &off, NULL),
			 0);
	assert_int_equal(off, 8 - 8 - 0xa8 + 0x50);
}

/* Every code that is cut off or has one bit changed: an error or an offset. */
static void test_others(void **state)
{
	uint8_t *code;
	int32_t off;

	for (size_t len = 0; len <= sizeof(code_6_12) - 5; len++) {
		code = malloc(len + 1);
		memcpy(code, code_6_12, len);
		assert_int_equal(result_find(code, len, &off, NULL), -ENOTSUP);
		free(code);
	}
	for (size_t bit = 0; bit < 8 * sizeof(code_6_12); bit++) {
		code = malloc(sizeof(code_6_12));
		memcpy(code, code_6_12, sizeof(code_6_12));
		code[bit / 8] ^= 1 << bit % 8;
		if (!result_find(code, sizeof(code_6_12), &off, NULL))
			assert_in_range(-off, 1, 512);
		free(code);
	}
}

/*
 * The last instruction's number is missing, and what is there looks like one.
 */
static void test_torn(void **state)
{
	static const uint8_t code[] = { 0x48, 0x81, 0xec, 0x48, 0x89, 0xe7 };
	int32_t off;

	alarm(10);
	assert_int_equal(result_find(code, sizeof(code), &off, NULL), -ENOTSUP);
	alarm(0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_known),
		cmocka_unit_test(test_others),
		cmocka_unit_test(test_torn),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
