// SPDX-License-Identifier: GPL-2.0-only
#include "cleanup.h"
#include "report.h"

static const char *colour_of(enum finding_level level)
{
	static const char *const codes[] = { "\033[36m", "\033[1;33m",
					     "\033[1;31m" };

	return codes[level];
}

/* Evidence that the sentence does not have; nested values are for machines. */
static void add_evidence(struct buf *out, const json_t *evidence)
{
	static const char *const shown[] = { "time", "cpu", "task", "calls",
					     "bytes", "expected", "page" };
	const char *sep = "         ";

	for (size_t i = 0; i < ARRAY_SIZE(shown); i++) {
		const json_t *v = json_object_get(evidence, shown[i]);
		const char *s = json_string_value(v);

		if (!s && !json_is_integer(v))
			continue;
		buf_printf(out, "%s%s ", sep, shown[i]);
		if (s)
			buf_add_escaped(out, s, strlen(s));
		else
			buf_printf(out, "%" JSON_INTEGER_FORMAT,
				   json_integer_value(v));
		sep = ", ";
	}
	if (*sep == ',')
		buf_putc(out, '\n');
}

static void add_finding(struct buf *out, const struct finding *f, bool colour)
{
	const struct rule *rule = &rules[f->rule];

	buf_printf(out, "%s%-8s%s %s: ", colour ? colour_of(rule->level) : "",
		   report_level(rule->level), colour ? "\033[0m" : "",
		   rule->name);
	buf_add_escaped(out, f->text, strlen(f->text));
	buf_putc(out, '\n');
	add_evidence(out, f->evidence);
}

/* What the rules that found something mean, each once. */
static void add_meanings(struct buf *out, const struct findings *f)
{
	bool said[NR_RULES] = { false };

	for (size_t i = 0; i < f->nr; i++) {
		const struct rule *rule = &rules[f->v[i].rule];

		if (said[f->v[i].rule] || rule->level != FINDING_ALARM)
			continue;
		said[f->v[i].rule] = true;
		buf_printf(out, "\n%s: %s\n", rule->name, rule->help);
	}
}

void report_table(const struct report *r, bool colour, struct buf *out)
{
	enum verdict v = findings_verdict(r->findings);

	for (size_t i = 0; i < r->findings->nr; i++)
		add_finding(out, &r->findings->v[i], colour);
	add_meanings(out, r->findings);
	if (r->findings->nr)
		buf_putc(out, '\n');
	buf_puts(out, r->subject);
	if (r->kernel && *r->kernel) {
		buf_puts(out, " (");
		buf_add_escaped(out, r->kernel, strlen(r->kernel));
		buf_putc(out, ')');
	}
	if (r->mask)
		buf_printf(out, ", %s", r->mask);
	buf_printf(out, ": %s\n", verdict_name(v));
}
