/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * check -- is a store what its format says? Step by step, with a verdict each.
 *
 * A repair is made only where it is provably safe: what is removed can be
 * reached by nobody, what is restored has a copy with a good checksum. A crash
 * needs no repair at all: what it leaves is used again by itself, or is found
 * here as space that nobody uses. Traces that are being written are left alone.
 *
 * Who has no better copy may have the rest salvaged: damaged chunks are taken
 * out of traces, entries that cannot be read get a new name or, if nothing in
 * them can, are removed.
 */
#ifndef XF_CHECK_H
#define XF_CHECK_H

#include "media.h"

enum check_verdict {
	CHECK_OK,
	CHECK_REPAIRED,
	CHECK_REPAIRABLE,	/* would be, if asked */
	CHECK_DAMAGED,		/* needs a person */
	CHECK_SKIPPED,		/* an earlier step's damage forbids it */
};

struct check_result {
	const char *step;	/* what was looked at */
	enum check_verdict verdict;
	uint64_t found;		/* how many things were wrong */
	struct xf_err first;	/* the first of them, or code 0 */
};

enum check_how {
	CHECK_LOOK,
	CHECK_REPAIR,
	CHECK_SALVAGE,	/* and give up what is damaged, to have the rest */
};

typedef void (*check_fn)(void *arg, const struct check_result *result);

/*
 * All steps in order, each reported. Returns 0: clean or repaired, 1: something
 * is left, or a negative errno when it could not be looked at (-EPROTO: another
 * version; -EBADMSG: no store at all). Repairing needs a writable mapping.
 */
int check_media(struct media *m, enum check_how how, check_fn report, void *arg,
		struct xf_err *err);
int check_file(const char *path, enum check_how how, check_fn report, void *arg,
	       struct xf_err *err);
const char *check_verdict_name(enum check_verdict verdict);

#endif
