// SPDX-License-Identifier: GPL-2.0-only
/*
 * eventquery: what a pattern means, and what is said of one without a meaning.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "buf.h"
#include "cleanup.h"
#include "eventquery.h"

static const struct eventname events[] = {
	{ "kvm", "kvm_entry" },	    { "kvm", "kvm_exit" },
	{ "sched", "sched_switch" }, { "sched", "sched_wakeup" },
	{ "syscalls", "kvm" },
};

/* The names of what matches, in a row. */
static void assert_means(const char *typed, const char *want)
{
	_cleanup_(eventquery_deinit) struct eventquery q = { 0 };
	_cleanup_(buf_deinit) struct buf got = BUF_INIT;

	buf_puts(&got, "");
	assert_int_equal(eventquery_init(&q, typed, NULL), 0);
	for (size_t i = 0; i < ARRAY_SIZE(events); i++)
		if (eventquery_matches(&q, events[i].system, events[i].name))
			buf_printf(&got, "%s ", events[i].name);
	assert_string_equal(got.data, want);
}

static void test_matches(void **state)
{
	assert_means("kvm:kvm_exit", "kvm_exit ");
	assert_means("kvm/kvm_exit", "kvm_exit ");
	assert_means("kvm:*", "kvm_entry kvm_exit ");
	assert_means("kvm:", "kvm_entry kvm_exit ");
	assert_means("*:*e*", "kvm_entry kvm_exit sched_switch sched_wakeup ");
	assert_means(":sched_switch", "sched_switch ");
	assert_means("sched_switch", "sched_switch ");
	assert_means("kvm", "kvm_entry kvm_exit kvm ");
	assert_means("all",
		     "kvm_entry kvm_exit sched_switch sched_wakeup kvm ");
	assert_means("sched:kvm_exit", "");
	assert_means("KVM:*", "");
}

static void assert_failed(const char *typed, const char *want)
{
	_cleanup_(eventquery_deinit) struct eventquery q = { 0 };
	struct xf_err err = { 0 };

	assert_int_equal(eventquery_init(&q, typed, NULL), 0);
	assert_int_equal(eventquery_failed(&q, events, ARRAY_SIZE(events),
					   "the host", &err),
			 -ENOENT);
	assert_string_equal(err.msg, want);
}

static void test_failed(void **state)
{
	struct eventquery q;

	assert_int_equal(eventquery_init(&q, "", NULL), -EINVAL);
	assert_failed("kvm:kvm_exot",
		      "no event 'kvm:kvm_exot' in the host; near: kvm_exit");
	assert_failed("shed:sched_switch",
		      "no event 'shed:sched_switch' in the host, nor such a "
		      "system; near: sched");
	assert_failed("kvm:x*", "no event of the host matches 'kvm:x*'");
	assert_failed("qqqqqqq\033",
		      "no event 'qqqqqqq\\x1b' in the host: the module that "
		      "has it may not be loaded");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_matches),
		cmocka_unit_test(test_failed),
	};

	return cmocka_run_group_tests_name("eventquery", tests, NULL, NULL);
}
