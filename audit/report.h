/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * report -- findings, said to people and to machines.
 *
 * Each form is appended to @out, whole, and has all findings in their order:
 *
 *	table	for a terminal: hints included, long lists of evidence not
 *	json	one object: subject, kernel, verdict, findings
 *	sarif	SARIF 2.1.0, for code hosting sites: errors, warnings, notes
 *	junit	JUnit XML, for CI: a test case a rule; alarms are failures, what
 *		could not be decided is an error
 *
 * Strings of the guest arrive escaped. The same findings make the same bytes.
 */
#ifndef XF_REPORT_H
#define XF_REPORT_H

#include <stdbool.h>

#include "finding.h"

/* Strings are borrowed and may be NULL, but for the subject. */
struct report {
	const char *subject;	/* trace or guest that was checked */
	const char *kernel;	/* release */
	const char *build_id;
	const char *baseline;	/* name in the store, or file */
	const char *mask;	/* how the trace's records are protected */
	const struct findings *findings;
};

void report_table(const struct report *r, bool colour, struct buf *out);
void report_json(const struct report *r, struct buf *out);
void report_sarif(const struct report *r, struct buf *out);
void report_junit(const struct report *r, struct buf *out);

/* A finding as the object that json and the stream of 'watch' have. */
json_t *report_finding(const struct finding *f);
/* All of them, in an array. */
json_t *report_findings(const struct findings *f);

/* Append @all, which it takes, as text: the same in every run. */
void report_put(json_t *all, struct buf *out);

/*
 * Add findings from such objects, which a process of ours in a cage has made.
 * False: they are no such.
 */
bool report_take(const json_t *list, struct findings *f);

/* "hint", "unknown", "alarm" */
const char *report_level(enum finding_level level);

#endif
