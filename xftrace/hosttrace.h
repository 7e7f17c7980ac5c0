/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * hosttrace -- what the host's own kernel does for a guest's vCPUs.
 *
 * Its trace events, of the threads in which QEMU runs the vCPUs, are recorded
 * in a tracing instance of our own and go into the guest's trace as the pages
 * of the ring buffer that they were written to.
 *
 *	struct hosttrace h = { 0 };
 *
 *	hosttrace_start(&h, qemu_pid, patterns, nr, err);
 *	... put h.description into the trace, as TRACE_HOST ...
 *	... hosttrace_read(&h, &journal, session, err) every few ms ...
 *	hosttrace_stop(&h);		nothing is left in tracefs
 *
 * The instance is named after QEMU's process, so that it is found again when
 * the recorder was killed: hosttrace_resume() goes on reading it,
 * hosttrace_remove() takes it away.
 *
 * Only hosttrace.c meets libtracefs.
 */
#ifndef XF_HOSTTRACE_H
#define XF_HOSTTRACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "err.h"
#include "journal.h"

struct hosttrace {
	struct tracefs_instance *instance; /* NULL: not started */
	json_t *description;	/* TRACE_HOST; see hostpages.h */
	int pid;		/* QEMU's */
	size_t page_size;	/* of the ring buffer */
	struct hosttrace_cpu {
		int fd;		/* raw pages */
		uint32_t cpu;
	} *cpus;		/* owned */
	size_t nr_cpus;
};

/*
 * Patterns are those of eventquery.h. -ENODEV: no tracefs, or one that cannot
 * stamp with the TSC. -EACCES: no right to it. -ENXIO: QEMU does not use KVM.
 * -ENOENT: a pattern means nothing. On failure nothing was changed.
 */
int hosttrace_start(struct hosttrace *h, int pid, char *const *patterns,
		    size_t nr, struct xf_err *err);

/* Go on with what a recorder that died has left; @description was its. */
int hosttrace_resume(struct hosttrace *h, json_t *description,
		     struct xf_err *err);

/*
 * Move what there is into the journal. Nothing to do unless started. -ENOSPC:
 * the disk is full.
 */
int hosttrace_read(struct hosttrace *h, struct journal *j, uint32_t session,
		   struct xf_err *err);

/* Have the guest's clocks been set anew since the description was made? */
bool hosttrace_clock_moved(const struct hosttrace *h);

/* Harmless on one that was not started. */
void hosttrace_stop(struct hosttrace *h);

/* The instance that somebody who died made for this QEMU, if there is one. */
void hosttrace_remove(int pid);

/* Where all of them are, or NULL; libtracefs's. */
const char *hosttrace_folder(void);

#endif
