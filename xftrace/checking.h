/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * checking -- a trace against its baseline, from names to a verdict.
 *
 *	struct checking c = { .baseline = "open.base" };
 *
 *	checking_begin(&c);
 *	checking_trace(&c, "boot-42");
 *	rc = checking_report(&c, err);		the verdict, or an error
 *	checking_deinit(&c);
 *
 * What keeps a check from being made is a finding, too: there is a report, and
 * the verdict is that it could not be told.
 */
#ifndef XF_CHECKING_H
#define XF_CHECKING_H

#include "err.h"
#include "finding.h"
#include "flow.h"
#include "opt.h"

struct checking {
	/* What the user said; borrowed, NULL: nothing. */
	const char *store;
	const char *baseline;	/* file, or a name that 'baseline make' kept */
	const char *kernel;	/* image */
	const char *sarif, *junit, *json_file; /* to be written */
	bool json;		/* on stdout, instead of the table */
	/* The rest is found out. */
	char *subject, *release, *build_id, *mask; /* owned */
	struct flow base;
	struct findings findings;
};

#define CHECKING_INIT { .findings = FINDINGS_INIT }

/* For a verb's table. */
#define CHECKING_OPTIONS(c)                                                    \
	{ "baseline", 'b', OPT_STRING, &(c).baseline, "FILE|NAME",             \
	  "compare with this; see xftrace-baseline(1)", 0, 0 },                \
	{ "kernel", 0, OPT_STRING, &(c).kernel, "FILE",                        \
	  "image of the traced kernel", 0, 0 },                                \
	{ "json", 0, OPT_FLAG, &(c).json, NULL, "for machines", 0, 0 },        \
	{ "sarif", 0, OPT_STRING, &(c).sarif, "FILE",                          \
	  "write SARIF 2.1.0, too", 0, 0 },                                    \
	{ "junit", 0, OPT_STRING, &(c).junit, "FILE",                          \
	  "write JUnit XML, too", 0, 0 },                                      \
	TRACES_STORE((c).store)

/* Read the baseline; one that is missing or damaged is a finding. */
void checking_begin(struct checking *c);

/* Add what is wrong with a trace (NULL: the newest). */
void checking_trace(struct checking *c, const char *name);

/* What is added could not be decided, and why. */
void checking_cannot(struct checking *c, const struct xf_err *why);

/*
 * Write all that was asked for. Returns the verdict, which is the exit code; or
 * an error: a file could not be written.
 */
int checking_report(const struct checking *c, struct xf_err *err);

/* Forget the findings: the next trace is checked with the same baseline. */
void checking_again(struct checking *c);

void checking_deinit(struct checking *c);

#endif
