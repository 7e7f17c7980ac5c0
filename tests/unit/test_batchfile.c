// SPDX-License-Identifier: GPL-2.0-only
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "batchfile.h"

static uint64_t size;
static const char *text;
static struct opt_list list;
static bool flag;

static const struct opt opts[] = {
	{ "size", 0, OPT_SIZE, &size, "SIZE", "", 16, 1 << 20 },
	{ "text", 0, OPT_STRING, &text, "TEXT", "", 0, 0 },
	{ "list", 0, OPT_LIST, &list, "WORD", "", 0, 0 },
	{ "flag", 0, OPT_FLAG, &flag, NULL, "", 0, 0 },
	{ 0 }
};
static const struct usage u = { "test", "", "", "", opts };

/* In memory of its very size, so that a byte too far is seen. */
static int parse(const char *file, size_t len, char **ret, struct xf_err *err)
{
	*ret = malloc(len + 1);
	memcpy(*ret, file, len);
	(*ret)[len] = '\0';
	return batchfile_parse(*ret, len, &u, err);
}

static void test_good(void **state)
{
	static const char file[] =
		"# a job\n\n  version=1\n"
		"text =  a # b = c \t\r\n"
		"\tlist = one\nlist = two three\n"
		"size = 4K\nflag = yes";
	char *copy;

	assert_int_equal(parse(file, sizeof(file) - 1, &copy, NULL), 0);
	assert_string_equal(text, "a # b = c");
	assert_int_equal(list.nr, 2);
	assert_string_equal(list.item[1], "two three");
	assert_int_equal(size, 4096);
	assert_true(flag);
	opt_list_deinit(&list);
	free(copy);
}

static void test_bad(void **state)
{
	static const struct {
		const char *file, *says;
	} cases[] = {
		{ "", "1:1: no version" },
		{ "# nothing\n", "2:1: no version" },
		{ "text = a\n", "1:1: the version comes first" },
		{ "version = 2\n", "1:11: this program knows version 1" },
		{ "version = 1\nversion = 1\n", "2:1: the version comes" },
		{ "version = 1\n nothing = 1\n", "2:2: there is no 'nothing'" },
		{ "version = 1\nsize = 4X\n", "2:8: --size: '4X' is not" },
		{ "version = 1\nsize = 2\n", "2:8: --size: '2' is out" },
		{ "version = 1\nflag = true\n", "2:8: --flag: 'true'" },
		{ "version = 1\ntext\n", "2:5: '=' is expected" },
		{ "version = 1\ntext a\n", "2:6: '=' is expected" },
		{ "version = 1\ntext =  \n", "2:9: a value is expected" },
		{ "version = 1\n= 3\n", "2:1: a name is expected" },
		{ "version = 1\nText = 3\n", "2:1: a name is expected" },
		{ "version = 1\ntext = \x1b[2J\n", "2:8: a control character" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct xf_err err = { 0 };
		char *copy;
		int rc = parse(cases[i].file, strlen(cases[i].file), &copy,
			       &err);

		assert_int_equal(rc, OPT_MISUSE);
		if (strncmp(err.msg, cases[i].says, strlen(cases[i].says)))
			fail_msg("%zu says: %s", i, err.msg);
		free(copy);
	}
}

static void test_zero_byte(void **state)
{
	struct xf_err err = { 0 };
	char *copy;

	assert_int_equal(parse("version = 1\nte\0xt = 1\n", 22, &copy, &err),
			 OPT_MISUSE);
	assert_non_null(strstr(err.msg, "2:3: a control character"));
	free(copy);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_bad),
		cmocka_unit_test(test_zero_byte),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
