// SPDX-License-Identifier: GPL-2.0-only
/*
 * The four forms of a list of findings, with a guest that wants to break out.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "report.h"

static void fill(struct findings *f)
{
	findings_add(f, RULE_UNKNOWN_CALL,
		     json_pack("{s:s, s:i}", "symbol", "\"></x>\033[2J", "calls",
			       3),
		     "a <b> & \"c\" \033[2J\xff");
	findings_add(f, RULE_NEW_PATH, NULL, "a hint");
	findings_add(f, RULE_CANNOT_TELL, NULL, "]]> lost");
}

static bool is_plain(const struct buf *b)
{
	for (size_t i = 0; i < b->len; i++)
		if ((b->data[i] < 0x20 && b->data[i] != '\n') ||
		    (unsigned char)b->data[i] > 0x7e)
			return false;
	return b->len > 0;
}

static struct buf make(void (*form)(const struct report *, struct buf *),
		       const struct findings *f)
{
	const struct report r = { .subject = "tr<a>ce", .kernel = "6.1\033",
				  .build_id = "ab", .findings = f };
	struct buf b = BUF_INIT;

	form(&r, &b);
	assert_true(is_plain(&b));
	return b;
}

static void test_json(void **state)
{
	struct findings f = FINDINGS_INIT, again = FINDINGS_INIT;
	struct buf b;
	json_t *j;

	fill(&f);
	b = make(report_json, &f);
	j = json_loadb(b.data, b.len, 0, NULL);
	assert_non_null(j);
	assert_string_equal(json_string_value(json_object_get(j, "verdict")),
			    "findings");
	assert_int_equal(json_array_size(json_object_get(j, "findings")), 3);
	assert_true(report_take(json_object_get(j, "findings"), &again));
	assert_int_equal(again.nr, 3);
	assert_int_equal(again.v[1].rule, RULE_NEW_PATH);
	assert_string_equal(again.v[1].text, "a hint");
	assert_false(report_take(j, &again));
	findings_deinit(&again);
	json_decref(j);
	buf_deinit(&b);
	findings_deinit(&f);
	b = make(report_json, &f);
	assert_non_null(strstr(b.data, "\"verdict\": \"clean\""));
	buf_deinit(&b);
}

static void test_sarif(void **state)
{
	struct findings f = FINDINGS_INIT;
	struct buf b;
	json_t *j, *run, *result;

	fill(&f);
	b = make(report_sarif, &f);
	j = json_loadb(b.data, b.len, 0, NULL);
	assert_non_null(j);
	assert_string_equal(json_string_value(json_object_get(j, "version")),
			    "2.1.0");
	run = json_array_get(json_object_get(j, "runs"), 0);
	assert_int_equal(json_array_size(json_object_get(
		json_object_get(json_object_get(run, "tool"), "driver"),
		"rules")), NR_RULES);
	result = json_array_get(json_object_get(run, "results"), 0);
	assert_string_equal(json_string_value(json_object_get(result, "ruleId")),
			    "unknown-call");
	assert_string_equal(json_string_value(json_object_get(result, "level")),
			    "error");
	assert_int_equal(json_integer_value(json_object_get(result, "ruleIndex")),
			 RULE_UNKNOWN_CALL);
	json_decref(j);
	buf_deinit(&b);
	findings_deinit(&f);
}

static void test_junit(void **state)
{
	struct findings f = FINDINGS_INIT;
	struct buf b;

	fill(&f);
	b = make(report_junit, &f);
	assert_non_null(strstr(b.data, "failures=\"1\" errors=\"1\""));
	assert_non_null(strstr(b.data, "<failure type=\"unknown-call\" message="
				       "\"a &lt;b&gt; &amp; &quot;c&quot; "
				       "\\x1b[2J\\xff\">"));
	assert_non_null(strstr(b.data, "]]&gt; lost"));
	assert_non_null(strstr(b.data, "<system-out>a hint</system-out>"));
	assert_non_null(strstr(b.data, "classname=\"tr&lt;a&gt;ce\""));
	buf_deinit(&b);
	findings_deinit(&f);
}

static void test_table(void **state)
{
	struct findings f = FINDINGS_INIT;
	const struct report r = { .subject = "x", .findings = &f };
	struct buf b = BUF_INIT, coloured = BUF_INIT;

	fill(&f);
	report_table(&r, false, &b);
	assert_true(is_plain(&b));
	assert_non_null(strstr(b.data, "alarm    unknown-call: a <b>"));
	assert_non_null(strstr(b.data, "         calls 3\n"));
	assert_non_null(strstr(b.data, "findings\n"));
	report_table(&r, true, &coloured);
	assert_non_null(strstr(coloured.data, "\033[1;31malarm"));
	assert_null(strstr(coloured.data, "\033[2J"));
	buf_deinit(&b);
	buf_deinit(&coloured);
	findings_deinit(&f);
}

static void test_verdict(void **state)
{
	struct findings f = FINDINGS_INIT;

	assert_int_equal(findings_verdict(&f), VERDICT_CLEAN);
	findings_add(&f, RULE_NEW_PATH, NULL, "hint");
	assert_int_equal(findings_verdict(&f), VERDICT_CLEAN);
	findings_add(&f, RULE_CANNOT_TELL, NULL, "unknown");
	assert_int_equal(findings_verdict(&f), VERDICT_UNKNOWN);
	findings_add(&f, RULE_SILENCE, NULL, "alarm");
	findings_add(&f, RULE_CANNOT_TELL, NULL, "unknown");
	assert_int_equal(findings_verdict(&f), VERDICT_FINDINGS);
	findings_deinit(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_json),
		cmocka_unit_test(test_sarif),
		cmocka_unit_test(test_junit),
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_verdict),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
