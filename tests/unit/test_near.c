// SPDX-License-Identifier: GPL-2.0-only
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>

#include "cleanup.h"
#include "near.h"

static const char *const names[] = {
	"sched_switch", "sched_wakeup", "sched_wakeup_new", "sched_switch",
	"open", "openat", "x", "",
};

static void check(const char *typed, size_t len, size_t max, const char *answer)
{
	_cleanup_(buf_deinit) struct buf out = BUF_INIT;
	struct near n = { .typed = typed, .len = len, .max = max };
	size_t nr = *answer ? 1 : 0;

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		near_offer(&n, names[i]);
	for (const char *p = answer; *p; p++)
		nr += *p == ',';
	assert_int_equal(near_print(&n, &out), nr);
	assert_string_equal(nr ? out.data : "", answer);
}

static void test_near(void **state)
{
	char longer[600];

	check("sched_swich", 11, 5, "sched_switch");
	check("sched_wkaeup", 12, 5, "sched_wakeup");
	/* Nearest first; a whole word in a name comes after a typo or two. */
	check("opne", 4, 5, "open");
	check("openta", 6, 5, "openat, open");
	check("wakeup", 6, 5, "sched_wakeup, sched_wakeup_new");
	check("sched", 5, 2, "sched_switch, sched_wakeup");
	check("sched", 5, 0, "");
	check("nothing", 7, 5, "");
	/* Only as many bytes as are said. */
	check("open:anything", 4, 1, "open");
	memset(longer, 'o', sizeof(longer));
	check(longer, sizeof(longer), 100, "");
}

static void test_many(void **state)
{
	_cleanup_(buf_deinit) struct buf out = BUF_INIT;
	struct near n = { .typed = "name", .len = 4, .max = 100 };
	static char many[100][8];

	for (int i = 99; i >= 0; i--) {
		snprintf(many[i], sizeof(many[i]), "name%02d", i);
		near_offer(&n, many[i]);
	}
	assert_int_equal(near_print(&n, &out), NEAR_MAX);
	assert_memory_equal(out.data, "name00, name01, ", 16);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_near),
		cmocka_unit_test(test_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
