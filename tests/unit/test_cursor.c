// SPDX-License-Identifier: GPL-2.0-only
/* cursor at and beyond the ends of what it may read. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>

#include "cursor.h"

static void test_numbers(void **state)
{
	static const uint8_t bytes[] = { 0x01, 0x02, 0x03, 0x04, 0x05,
					 0x06, 0x07, 0x08, 0x09, 0x0a,
					 0x0b, 0x0c, 0x0d, 0x0e, 0x0f };
	struct cursor c = cursor_of(bytes, sizeof(bytes));

	assert_int_equal(cursor_u8(&c), 0x01);
	assert_int_equal(cursor_u16(&c), 0x0302);
	assert_int_equal(cursor_u32(&c), 0x07060504);
	assert_int_equal(cursor_left(&c), 8);
	assert_int_equal(cursor_u64(&c), 0x0f0e0d0c0b0a0908);
	assert_int_equal(cursor_left(&c), 0);
	assert_false(c.failed);
	assert_int_equal(cursor_u8(&c), 0);
	assert_true(c.failed);
}

/* One byte short, for each of them; and once failed, failed for good. */
static void test_short(void **state)
{
	for (size_t len = 0; len < 8; len++) {
		/* From the heap, so that a byte too many is noticed. */
		uint8_t *p = malloc(len + !len);
		struct cursor c = cursor_of(p, len);

		memset(p, 0xff, len);
		assert_int_equal(cursor_u64(&c), 0);
		assert_true(c.failed);
		assert_int_equal(cursor_u8(&c), 0);
		assert_null(cursor_bytes(&c, 0));
		assert_null(cursor_str(&c));
		if (len < 4) {
			c = cursor_of(p, len);
			assert_int_equal(cursor_u32(&c), 0);
			assert_true(c.failed);
		}
		if (len < 2) {
			c = cursor_of(p, len);
			assert_int_equal(cursor_u16(&c), 0);
			assert_true(c.failed);
		}
		free(p);
	}
}

static void test_bytes(void **state)
{
	static const char text[] = "abcdef";
	struct cursor c = cursor_of(text, 6);

	assert_ptr_equal(cursor_bytes(&c, 0), text);
	assert_ptr_equal(cursor_bytes(&c, 4), text);
	assert_ptr_equal(cursor_bytes(&c, 2), text + 4);
	assert_ptr_equal(cursor_bytes(&c, 0), text + 6);
	assert_null(cursor_bytes(&c, 1));

	/* Lengths that would wrap the address. */
	c = cursor_of(text, 6);
	assert_null(cursor_bytes(&c, SIZE_MAX));
	c = cursor_of(text, 6);
	assert_null(cursor_bytes(&c, SIZE_MAX - (uintptr_t)text + 1));
	c = cursor_of(text, 6);
	assert_null(cursor_bytes(&c, 7));
	assert_int_equal(cursor_left(&c), 6);
}

static void test_strings(void **state)
{
	static const char text[] = "one\0\0three"; /* and no end to it */
	char *p = malloc(10);
	struct cursor c;

	memcpy(p, text, 10);
	c = cursor_of(p, 10);
	assert_string_equal(cursor_str(&c), "one");
	assert_string_equal(cursor_str(&c), "");
	assert_int_equal(cursor_left(&c), 5);
	assert_null(cursor_str(&c));
	assert_true(c.failed);
	c = cursor_of(p, 0);
	assert_null(cursor_str(&c));
	assert_true(c.failed);
	free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_short),
		cmocka_unit_test(test_bytes),
		cmocka_unit_test(test_strings),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
