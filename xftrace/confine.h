/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * confine -- what a verb may still write, once what it reads is open.
 *
 *	rc = confine(&(struct confine){ .output = { path } }, err);
 *
 * comes before the first byte that a guest or somebody's file has a say in is
 * looked at. Which system calls a verb may make is in main's table of verbs and
 * holds from its start; docs/security.md has both as a table.
 */
#ifndef XF_CONFINE_H
#define XF_CONFINE_H

#include <stdbool.h>

#include "err.h"
#include "target.h"

/* All may be left out. */
struct confine {
	const struct target *target; /* its RAM: that is where the mailbox is */
	size_t nr_targets;	/* if they are not one */
	const char *store;	/* file */
	const char *output[3];	/* files, in whose folders they are made; "-" is
				 * none */
	bool temporary;		/* files without a name */
	bool state;		/* recordings come and go */
	bool host;		/* the host's own tracing */
};

int confine(const struct confine *c, struct xf_err *err);

#endif
