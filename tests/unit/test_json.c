// SPDX-License-Identifier: GPL-2.0-only
/* json: what it writes, jansson must read, whatever bytes a guest chose. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

#include <jansson.h>

#include "cleanup.h"
#include "json.h"

static void test_shape(void **state)
{
	_cleanup_(buf_deinit) struct buf b = BUF_INIT;
	struct json j = { .out = &b };

	json_begin(&j, NULL, '{');
	json_begin(&j, "empty", '{');
	json_end(&j, '}');
	json_begin(&j, "list", '[');
	json_u64(&j, NULL, 1);
	json_u64(&j, NULL, UINT64_MAX);
	json_i64(&j, NULL, INT64_MIN);
	json_begin(&j, NULL, '[');
	json_end(&j, ']');
	json_begin(&j, NULL, '{');
	json_str(&j, "a", "b");
	json_end(&j, '}');
	json_end(&j, ']');
	json_bool(&j, "yes", true);
	json_bool(&j, "no", false);
	json_none(&j, "none");
	json_hex(&j, "hex", 0xffffffff81000000);
	json_hex(&j, "zero", 0);
	json_fixed(&j, "us", 1.2345, 3);
	json_fixed(&j, "whole", -2, 0);
	json_fixed(&j, "nan", NAN, 3);
	json_fixed(&j, "inf", -INFINITY, 3);
	json_end(&j, '}');
	assert_string_equal(
		b.data,
		"{\"empty\":{},\"list\":[1,18446744073709551615,"
		"-9223372036854775808,[],{\"a\":\"b\"}],\"yes\":true,"
		"\"no\":false,\"none\":null,\"hex\":\"0xffffffff81000000\","
		"\"zero\":\"0x0\",\"us\":1.234,\"whole\":-2,\"nan\":null,"
		"\"inf\":null}");
}

/* One string, read back by somebody else. */
static json_t *round_trip(const char *s, bool as_key)
{
	_cleanup_(buf_deinit) struct buf b = BUF_INIT;
	struct json j = { .out = &b };
	json_t *doc;

	json_begin(&j, NULL, '{');
	json_str(&j, as_key ? s : "k", as_key ? "v" : s);
	json_end(&j, '}');
	for (size_t i = 0; i < b.len; i++)
		assert_true(b.data[i] >= 0x20 && b.data[i] < 0x7f);
	doc = json_loadb(b.data, b.len, 0, NULL);
	if (!doc)
		fail_msg("not JSON: %s", b.data);
	return doc;
}

static void test_strings(void **state)
{
	for (int i = 1; i < 256; i++) {
		char s[4] = { 'a', (char)i, 'b', 0 };
		json_t *doc = round_trip(s, false);
		const char *v = json_string_value(json_object_get(doc, "k"));
		/* U+0080 and above come back as two bytes of UTF-8. */
		char high[5] = { 'a', (char)(0xc0 | i >> 6),
				 (char)(0x80 | (i & 0x3f)), 'b', 0 };

		assert_string_equal(v, i < 0x80 ? s : high);
		json_decref(doc);
		doc = round_trip(s, true);
		assert_int_equal(json_object_size(doc), 1);
		json_decref(doc);
	}
	json_decref(round_trip("", false));
	json_decref(round_trip("\"},{\"x\":\"\\", false));
}

/* A tool that reads the numbers gets the same numbers. */
static void test_numbers(void **state)
{
	static const int64_t values[] = { 0, 1, -1, INT64_MAX, INT64_MIN };

	for (size_t i = 0; i < ARRAY_SIZE(values); i++) {
		_cleanup_(buf_deinit) struct buf b = BUF_INIT;
		struct json j = { .out = &b };
		json_t *doc;

		json_begin(&j, NULL, '[');
		json_i64(&j, NULL, values[i]);
		json_end(&j, ']');
		doc = json_loadb(b.data, b.len, 0, NULL);
		assert_non_null(doc);
		assert_true(json_integer_value(json_array_get(doc, 0)) ==
			    values[i]);
		json_decref(doc);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_shape),
		cmocka_unit_test(test_strings),
		cmocka_unit_test(test_numbers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
