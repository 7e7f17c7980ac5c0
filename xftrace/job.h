/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * job -- what 'batch' does: a guest, its recording, commands, checks, the end.
 *
 *	struct job j = { .output = "results", ... };
 *
 *	rc = job_run(&j, err);		the verdict, or an error
 *	job_deinit(&j);
 *
 * Whatever happens on the way, nothing that was begun is left running, and the
 * results are complete; what went wrong stands in them.
 */
#ifndef XF_JOB_H
#define XF_JOB_H

#include <stdbool.h>
#include <stdint.h>

#include "checking.h"
#include "opt.h"
#include "step.h"

struct job {
	/* What the user said. */
	const char *output, *qmp, *attach;
	const char *initrd, *append, *accel;
	const char *trace, *mask;
	struct opt_list functions, events, commands;
	uint64_t mem, cpus, ring, store_size, wait_ns, limit_ns;
	bool no_memory;
	struct checking check;
	/* How far it has come. */
	struct steps steps;
	char *guest;		/* that we start; NULL: attached */
	char *recorded;		/* id of the recording, or NULL */
	char *store;		/* file */
	bool started;		/* there may be a guest to stop */
	bool tracing;		/* there may be a recording to end */
};

/* An error: there could be no results. */
int job_run(struct job *j, struct xf_err *err);
void job_deinit(struct job *j);

/*
 * Of job_check.c: each runs in a process that can do no harm; what it finds,
 * and what keeps it from being made, is added to j->check.
 */
void job_check_memory(struct job *j);
void job_check_trace(struct job *j);

/*
 * Of job_results.c: the folder and, in it, the log that steps write to. What an
 * earlier batch has left there is removed, what is somebody's else is -EEXIST.
 */
int job_make_folder(struct job *j, struct xf_err *err);
/* All forms of what was found. Returns the verdict. */
int job_write_results(struct job *j, struct xf_err *err);

#endif
