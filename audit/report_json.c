// SPDX-License-Identifier: GPL-2.0-only
#include "report.h"

#include <stdlib.h>

#include "cleanup.h"

const char *report_level(enum finding_level level)
{
	static const char *const names[] = { "hint", "unknown", "alarm" };

	return names[level];
}

/* Texts name symbols of the guest; a byte that is no ASCII is shown as \xNN. */
static json_t *escaped(const char *text)
{
	_cleanup_(buf_deinit) struct buf b = BUF_INIT;

	buf_add_escaped(&b, text, strlen(text));
	return json_string(b.len ? b.data : "");
}

json_t *report_finding(const struct finding *f)
{
	const struct rule *rule = &rules[f->rule];

	return json_pack("{s:s, s:s, s:o, s:s, s:O}", "rule", rule->name,
			 "level", report_level(rule->level), "text",
			 escaped(f->text), "meaning", rule->help, "evidence",
			 f->evidence);
}

json_t *report_findings(const struct findings *f)
{
	json_t *list = json_array();

	for (size_t i = 0; i < f->nr; i++)
		json_array_append_new(list, report_finding(&f->v[i]));
	return list;
}

static bool take_one(const json_t *v, struct findings *f)
{
	const char *rule = json_string_value(json_object_get(v, "rule"));
	const char *text = json_string_value(json_object_get(v, "text"));
	json_t *evidence = json_object_get(v, "evidence");

	for (int i = 0; rule && text && json_is_object(evidence) &&
			i < NR_RULES; i++)
		if (!strcmp(rule, rules[i].name)) {
			findings_add(f, i, json_incref(evidence), "%s", text);
			return true;
		}
	return false;
}

bool report_take(const json_t *list, struct findings *f)
{
	const json_t *v;
	size_t i;

	json_array_foreach(list, i, v)
		if (!take_one(v, f))
			return false;
	return json_is_array(list);
}

void report_put(json_t *all, struct buf *out)
{
	_cleanup_free_ char *text = json_dumps(all, JSON_INDENT(1) |
							    JSON_ENSURE_ASCII);

	if (!text)
		abort();
	buf_puts(out, text);
	buf_putc(out, '\n');
	json_decref(all);
}

void report_json(const struct report *r, struct buf *out)
{
	report_put(json_pack("{s:i, s:s, s:s*, s:s*, s:s*, s:s*, s:s, s:o}",
			     "version", 1, "subject", r->subject, "kernel",
			     r->kernel, "build_id", r->build_id, "baseline",
			     r->baseline, "mask", r->mask, "verdict",
			     verdict_name(findings_verdict(r->findings)),
			     "findings", report_findings(r->findings)),
		   out);
}
