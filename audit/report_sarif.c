// SPDX-License-Identifier: GPL-2.0-only
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "report.h"

static const char *sarif_level(enum finding_level level)
{
	static const char *const names[] = { "note", "warning", "error" };

	return names[level];
}

static json_t *describe_rules(void)
{
	json_t *list = json_array();

	for (size_t i = 0; i < NR_RULES; i++)
		json_array_append_new(list, json_pack(
			"{s:s, s:{s:s}, s:{s:s}, s:{s:s}}", "id",
			rules[i].name, "shortDescription", "text",
			rules[i].title, "fullDescription", "text",
			rules[i].help, "defaultConfiguration", "level",
			sarif_level(rules[i].level)));
	return list;
}

/* A name as a relative URI: it may have blanks, or a colon. */
static json_t *as_uri(const char *name)
{
	_cleanup_(buf_deinit) struct buf uri = BUF_INIT;

	for (; *name; name++)
		if (isalnum((unsigned char)*name) || strchr("._~-", *name))
			buf_putc(&uri, *name);
		else
			buf_printf(&uri, "%%%02X", (unsigned char)*name);
	return json_string(uri.data ?: "");
}

/*
 * There is no source file: what was checked stands in its place, as sites that
 * show SARIF leave out results without a location.
 */
static json_t *describe_place(const struct report *r, const struct finding *f)
{
	const char *symbol = json_string_value(
		json_object_get(f->evidence, "symbol"));
	json_t *place = json_pack("{s:{s:{s:o}, s:{s:i}}}", "physicalLocation",
				  "artifactLocation", "uri",
				  as_uri(r->subject), "region", "startLine", 1);

	if (symbol)
		json_object_set_new(place, "logicalLocations",
				    json_pack("[{s:s, s:s}]", "name", symbol,
					      "kind", "function"));
	return place;
}

static json_t *describe_finding(const struct report *r, const struct finding *f)
{
	_cleanup_(buf_deinit) struct buf text = BUF_INIT;

	buf_add_escaped(&text, f->text, strlen(f->text));
	return json_pack("{s:s, s:i, s:s, s:{s:s}, s:[o], s:O}", "ruleId",
			 rules[f->rule].name, "ruleIndex", (int)f->rule,
			 "level", sarif_level(rules[f->rule].level), "message",
			 "text", text.len ? text.data : "", "locations",
			 describe_place(r, f), "properties", f->evidence);
}

void report_sarif(const struct report *r, struct buf *out)
{
	json_t *results = json_array(), *all;

	for (size_t i = 0; i < r->findings->nr; i++)
		json_array_append_new(
			results, describe_finding(r, &r->findings->v[i]));
	all = json_pack(
		"{s:s, s:s, s:[{s:{s:{s:s, s:s, s:o}}, s:[{s:b}], s:o}]}",
		"$schema", "https://json.schemastore.org/sarif-2.1.0.json",
		"version", "2.1.0", "runs", "tool", "driver", "name", "xftrace",
		"version", XF_VERSION, "rules", describe_rules(), "invocations",
		"executionSuccessful",
		findings_verdict(r->findings) != VERDICT_UNKNOWN, "results",
		results);
	report_put(all, out);
}
