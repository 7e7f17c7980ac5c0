// SPDX-License-Identifier: GPL-2.0-only
#include "finding.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

const struct rule rules[NR_RULES] = {
	[RULE_TEXT_CHANGED] = {
		"text-changed", FINDING_ALARM, "kernel code was changed",
		"Instructions in the guest's memory are neither those of its "
		"kernel image nor what the kernel itself puts in their place.",
	},
	[RULE_CANNOT_TELL] = {
		"cannot-tell", FINDING_UNKNOWN, "could not be decided",
		"Something that a rule needs was missing or could not be read.",
	},
};

void findings_deinit(struct findings *f)
{
	for (size_t i = 0; i < f->nr; i++) {
		free(f->v[i].text);
		json_decref(f->v[i].evidence);
	}
	buf_deinit(&f->room);
	*f = (struct findings)FINDINGS_INIT;
}

void findings_add(struct findings *f, enum rule_id rule, json_t *evidence,
		  const char *fmt, ...)
{
	struct finding one = {
		.rule = rule,
		.evidence = evidence ? evidence : json_object(),
	};
	va_list ap;

	va_start(ap, fmt);
	if (vasprintf(&one.text, fmt, ap) < 0)
		abort();
	va_end(ap);
	buf_add(&f->room, &one, sizeof(one));
	f->v = (struct finding *)f->room.data;
	f->nr++;
}

enum verdict findings_verdict(const struct findings *f)
{
	enum verdict v = VERDICT_CLEAN;

	for (size_t i = 0; i < f->nr; i++) {
		switch (rules[f->v[i].rule].level) {
		case FINDING_HINT:
			break;
		case FINDING_UNKNOWN:
			v = v == VERDICT_CLEAN ? VERDICT_UNKNOWN : v;
			break;
		case FINDING_ALARM:
			v = VERDICT_FINDINGS;
			break;
		}
	}
	return v;
}
