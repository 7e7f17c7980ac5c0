// SPDX-License-Identifier: GPL-2.0-only
/* opt: what a command line says, and what it must not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cleanup.h"
#include "opt.h"

#define KIB 1024ull
#define SEC 1000000000ull

/* What the options of the test fill. */
static struct {
	bool flag, other;
	const char *name;
	uint64_t number, size, time, few;
} v;

static const struct opt opts[] = {
	{ "flag", 'f', OPT_FLAG, &v.flag, NULL, "a flag", 0, 0 },
	{ "other", 0, OPT_FLAG, &v.other, NULL, "without a letter", 0, 0 },
	{ "name", 'n', OPT_STRING, &v.name, "NAME", "a string", 0, 0 },
	{ "number", 'N', OPT_NUMBER, &v.number, "N", "a number", 0, 0 },
	{ "size", 's', OPT_SIZE, &v.size, "SIZE", "a size", 0, 0 },
	{ "time", 't', OPT_DURATION, &v.time, "TIME", "a time", 0, 0 },
	{ "few", 0, OPT_NUMBER, &v.few, "N", "from 2 to 9", 2, 9 },
	{ 0 }
};

static const struct usage usage = { "test", "[WORD]...", "does nothing", NULL,
				    opts };

static char *args[16];
static struct xf_err err;

/* parse("--flag", "x") */
static int parse_args(const char **words)
{
	int argc = 0;

	memset(&v, 0, sizeof(v));
	err = (struct xf_err){ 0 };
	for (; words[argc]; argc++)
		args[argc] = (char *)words[argc];
	args[argc] = NULL;
	return opt_parse(&usage, argc, args, &err);
}

#define parse(...) parse_args((const char *[]){ __VA_ARGS__, NULL })

static void assert_misuse(int rc, const char *says)
{
	assert_int_equal(rc, OPT_MISUSE);
	assert_int_equal(err.code, OPT_MISUSE);
	if (!strstr(err.msg, says))
		fail_msg("'%s' does not say '%s'", err.msg, says);
}

static void test_forms(void **state)
{
	assert_int_equal(parse(NULL), 0);
	assert_int_equal(parse("--flag"), 0);
	assert_true(v.flag && !v.other);
	assert_int_equal(parse("-f", "--other"), 0);
	assert_true(v.flag && v.other);

	assert_int_equal(parse("--name", "a"), 0);
	assert_string_equal(v.name, "a");
	assert_int_equal(parse("--name=b=c"), 0);
	assert_string_equal(v.name, "b=c");
	assert_int_equal(parse("--name="), 0);
	assert_string_equal(v.name, "");
	assert_int_equal(parse("-n", "d"), 0);
	assert_string_equal(v.name, "d");
	assert_int_equal(parse("-nef"), 0);
	assert_string_equal(v.name, "ef");
	assert_int_equal(parse("-n=g"), 0);
	assert_string_equal(v.name, "=g");
	/* A value may look like an option. */
	assert_int_equal(parse("--name", "--flag"), 0);
	assert_string_equal(v.name, "--flag");
	assert_false(v.flag);
	assert_int_equal(parse("-n", "--help"), 0);
	/* The last one counts. */
	assert_int_equal(parse("-na", "--name=b", "-n", "c"), 0);
	assert_string_equal(v.name, "c");
}

static void test_operands(void **state)
{
	assert_int_equal(parse("a", "--flag", "b", "-n", "x", "c"), 3);
	assert_string_equal(args[0], "a");
	assert_string_equal(args[1], "b");
	assert_string_equal(args[2], "c");
	assert_string_equal(v.name, "x");

	assert_int_equal(parse("a", "--", "--flag", "-n", "--", "--help"), 5);
	assert_string_equal(args[1], "--flag");
	assert_string_equal(args[3], "--");
	assert_false(v.flag);
	assert_int_equal(parse("--"), 0);
	assert_int_equal(parse("-", ""), 2);
	assert_string_equal(args[0], "-");
	assert_string_equal(args[1], "");

	assert_int_equal(opt_parse_only(&usage, 0, args, &err), 0);
	args[0] = "word";
	assert_misuse(opt_parse_only(&usage, 1, args, &err), "'word'");
	args[0] = "--nope";
	assert_misuse(opt_parse_only(&usage, 1, args, &err), "--nope");
}

static void test_misuse(void **state)
{
	assert_misuse(parse("--nope"), "unknown option --nope");
	assert_misuse(parse("-x"), "unknown option -x");
	assert_misuse(parse("--fla"), "unknown");
	assert_misuse(parse("--flags"), "unknown");
	assert_misuse(parse("--=x"), "unknown");
	assert_misuse(parse("---flag"), "unknown");
	assert_misuse(parse("-\xff"), "unknown");
	assert_misuse(parse("--flag=1"), "--flag takes no value");
	assert_misuse(parse("--flag="), "--flag takes no value");
	assert_misuse(parse("-fn"), "--flag takes no value");
	assert_misuse(parse("--name"), "--name needs a value");
	assert_misuse(parse("x", "-n"), "--name needs a value");
	assert_misuse(parse("--number"), "--number needs a value");
	/* A table without an entry, and without a table. */
	assert_int_equal(opt_parse(&(struct usage){ "x", "", "", NULL, NULL },
				   1, (char *[]){ "-f", NULL }, NULL),
			 OPT_MISUSE);
}

struct number {
	const char *text;
	uint64_t value;
	bool bad;
};

#define GOOD(t, v)                                                             \
	{                                                                      \
		.text = (t), .value = (v)                                      \
	}
#define BAD(t)                                                                 \
	{                                                                      \
		.text = (t), .bad = true                                       \
	}

static void try_all(const char *option, const uint64_t *value,
		    const struct number *n, size_t nr)
{
	for (size_t i = 0; i < nr; i++) {
		int rc = parse(option, n[i].text);

		if (rc != (n[i].bad ? OPT_MISUSE : 0) || *value != n[i].value)
			fail_msg("%s '%s': %d, %lu, %s", option, n[i].text, rc,
				 *value, err.msg);
		/* It says which option, and what it was given. */
		if (rc &&
		    (!strstr(err.msg, option) || !strstr(err.msg, n[i].text)))
			fail_msg("%s '%s': %s", option, n[i].text, err.msg);
	}
}

static void test_numbers(void **state)
{
	static const struct number numbers[] = {
		GOOD("0", 0),
		GOOD("1", 1),
		GOOD("0x10", 16),
		GOOD("18446744073709551615", UINT64_MAX),
		BAD("18446744073709551616"),
		BAD("99999999999999999999999"),
		BAD(""),
		BAD(" "),
		BAD("x"),
		BAD("1x"),
		BAD("1 "),
		BAD("1K"),
		BAD("1.5"),
		BAD("0x"),
		BAD("-1"),
		BAD("+1"),
		BAD("--1"),
		/* strtoull() would take these. */
		BAD(" -1"),
		BAD(" 1"),
		BAD("\t-18446744073709551615"),
	};

	try_all("--number", &v.number, numbers, ARRAY_SIZE(numbers));
}

static void test_sizes(void **state)
{
	static const struct number sizes[] = {
		GOOD("4096", 4096),
		GOOD("64K", 64 * KIB),
		GOOD("64k", 64 * KIB),
		GOOD("4M", 4 * KIB * KIB),
		GOOD("1G", KIB * KIB * KIB),
		GOOD("0", 0),
		GOOD("0G", 0),
		GOOD("17179869183G", 17179869183 * KIB * KIB * KIB),
		BAD("17179869184G"),
		GOOD("18446744073709551615", UINT64_MAX),
		BAD("18446744073709551615K"),
		BAD("K"),
		BAD("1KB"),
		BAD("1T"),
		BAD("1 K"),
		BAD("1s"),
		BAD("-1K"),
	};

	try_all("--size", &v.size, sizes, ARRAY_SIZE(sizes));
}

static void test_durations(void **state)
{
	static const struct number times[] = {
		GOOD("0", 0),
		GOOD("2", 2 * SEC),
		GOOD("2s", 2 * SEC),
		GOOD("10ms", SEC / 100),
		GOOD("500us", SEC / 2000),
		GOOD("5m", 300 * SEC),
		GOOD("18446744073s", 18446744073 * SEC),
		BAD("18446744074s"),
		BAD("18446744073709551615us"),
		BAD("1h"),
		BAD("1ns"),
		BAD("ms"),
		BAD("1.5s"),
	};

	try_all("--time", &v.time, times, ARRAY_SIZE(times));
}

static void test_ranges(void **state)
{
	static const struct number few[] = {
		GOOD("2", 2), GOOD("9", 9), BAD("1"),
		BAD("0"),     BAD("10"),    BAD("18446744073709551615"),
	};

	try_all("--few", &v.few, few, ARRAY_SIZE(few));
	assert_misuse(parse("--few=1"), "out of range");
	assert_misuse(parse("--few=a"), "not a number");
	assert_misuse(parse("--size=a"), "a size such as");
	assert_misuse(parse("--time=a"), "a time such as");
}

/* --help goes to stdout and names every option. */
static void test_help(void **state)
{
	static const char *const words[] = { "--help", "-h" };

	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		FILE *f = tmpfile();
		char text[4096];
		size_t len;
		int out, rc;

		fflush(stdout);
		out = dup(STDOUT_FILENO);
		dup2(fileno(f), STDOUT_FILENO);
		rc = parse("a", words[i], "--nope");
		fflush(stdout);
		dup2(out, STDOUT_FILENO);
		close(out);
		assert_int_equal(rc, -ECANCELED);
		rewind(f);
		len = fread(text, 1, sizeof(text) - 1, f);
		text[len] = '\0';
		fclose(f);
		assert_memory_equal(text,
				    "usage: xftrace test [OPTION]... "
				    "[WORD]...\n",
				    42);
		for (const struct opt *o = opts; o->name; o++) {
			assert_non_null(strstr(text, o->name));
			assert_non_null(strstr(text, o->help));
		}
		assert_non_null(strstr(text, "-s, --size SIZE"));
		assert_non_null(strstr(text, "    --other "));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_forms),  cmocka_unit_test(test_operands),
		cmocka_unit_test(test_misuse), cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_sizes),  cmocka_unit_test(test_durations),
		cmocka_unit_test(test_ranges), cmocka_unit_test(test_help),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
