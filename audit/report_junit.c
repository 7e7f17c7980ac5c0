// SPDX-License-Identifier: GPL-2.0-only
#include "cleanup.h"
#include "report.h"

/* For text and attributes; control characters do not exist in XML 1.0. */
static void add_xml(struct buf *out, const char *s)
{
	_cleanup_(buf_deinit) struct buf safe = BUF_INIT;

	buf_add_escaped(&safe, s, strlen(s));
	for (size_t i = 0; i < safe.len; i++) {
		switch (safe.data[i]) {
		case '<':
			buf_puts(out, "&lt;");
			break;
		case '>':
			buf_puts(out, "&gt;");
			break;
		case '&':
			buf_puts(out, "&amp;");
			break;
		case '"':
			buf_puts(out, "&quot;");
			break;
		default:
			buf_putc(out, safe.data[i]);
		}
	}
}

static const char *element_of(enum finding_level level)
{
	static const char *const names[] = { "system-out", "error", "failure" };

	return names[level];
}

static size_t count_level(const struct findings *f, enum finding_level level)
{
	size_t nr = 0;

	for (size_t i = 0; i < f->nr; i++)
		nr += rules[f->v[i].rule].level == level;
	return nr;
}

static void add_finding(struct buf *out, const struct finding *f)
{
	const struct rule *rule = &rules[f->rule];
	const char *element = element_of(rule->level);

	buf_printf(out, "   <%s", element);
	if (rule->level != FINDING_HINT) {
		buf_printf(out, " type=\"%s\" message=\"", rule->name);
		add_xml(out, f->text);
		buf_putc(out, '"');
	}
	buf_putc(out, '>');
	add_xml(out, rule->level == FINDING_HINT ? f->text : rule->help);
	buf_printf(out, "</%s>\n", element);
}

static void add_case(struct buf *out, const struct report *r, size_t rule)
{
	buf_puts(out, "  <testcase classname=\"");
	add_xml(out, r->subject);
	buf_printf(out, "\" name=\"%s\">\n", rules[rule].name);
	for (size_t i = 0; i < r->findings->nr; i++)
		if (r->findings->v[i].rule == rule)
			add_finding(out, &r->findings->v[i]);
	buf_puts(out, "  </testcase>\n");
}

void report_junit(const struct report *r, struct buf *out)
{
	buf_puts(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
		      "<testsuites>\n <testsuite name=\"xftrace check\"");
	buf_printf(out, " tests=\"%d\" failures=\"%zu\" errors=\"%zu\">\n",
		   NR_RULES, count_level(r->findings, FINDING_ALARM),
		   count_level(r->findings, FINDING_UNKNOWN));
	for (size_t i = 0; i < NR_RULES; i++)
		add_case(out, r, i);
	buf_puts(out, " </testsuite>\n</testsuites>\n");
}
