/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * intake -- records from a ring in guest RAM into a trace, in one copy.
 *
 * They go straight to where they stay, are checked there, and are added as a
 * chunk or given up; the caller commits.
 */
#ifndef XF_INTAKE_H
#define XF_INTAKE_H

#include "journal.h"
#include "ring.h"
#include "trace.h"

/*
 * Read what there is, at most about one lap: a guest that writes faster must
 * not keep us here. Stretches that are damaged or overwritten meanwhile are
 * left out, and counted in @ring; if it is sealed they are kept, as evidence.
 * -ENOSPC: the store takes no more.
 */
int intake_ring(struct journal *j, struct ring *ring, const struct klog *keys,
		uint32_t session, struct xf_err *err);

/* What an EVIDENCE chunk says of @fault, and with which no bytes come. */
struct trace_span intake_place(const struct ring *ring,
			       const struct ring_fault *fault,
			       uint32_t session);

/* What @ring has last found to be tampered with, where no bytes show it. */
int intake_finding(struct journal *j, const struct ring *ring, uint32_t session,
		   struct xf_err *err);

#endif
