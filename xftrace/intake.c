// SPDX-License-Identifier: GPL-2.0-only
#include "intake.h"

#include <errno.h>

#include "buf.h"
#include "cleanup.h"
#include "log.h"

#define END_ROOM 4096	/* so that a full store still takes the end */

/* What is no record of the guest's stays for who wants to look at it. */
static int put_evidence(struct journal *j, struct trace_span head,
			const struct ring_span *span, const struct buf *bad,
			struct xf_err *err)
{
	_cleanup_(buf_deinit) struct buf b = BUF_INIT;

	head.offset += span->len;
	head.len = span->bad_len;
	head.fault = span->fault;
	buf_add(&b, &head, sizeof(head));
	buf_add(&b, bad->data, bad->len);
	return journal_put(j, TRACE_EVIDENCE, b.data, b.len, err);
}

struct trace_span intake_place(const struct ring *ring,
			       const struct ring_fault *fault,
			       uint32_t session)
{
	return (struct trace_span){
		.session = session,
		.cpu = ring->cpu,
		.kind = ring->kind,
		.nr = fault->nr,
		.offset = fault->offset,
		.fault = fault->what,
	};
}

int intake_finding(struct journal *j, const struct ring *ring, uint32_t session,
		   struct xf_err *err)
{
	const struct trace_span head = intake_place(ring, &ring->last_fault,
						    session);

	return journal_put(j, TRACE_EVIDENCE, &head, sizeof(head), err);
}

/* One stretch, from guest RAM straight into the journal. */
static int take_span(struct journal *j, struct ring *ring,
		     struct ring_span *span, const struct klog *keys,
		     uint32_t session, struct xf_err *err)
{
	_cleanup_(buf_deinit) struct buf bad = BUF_INIT;
	const struct trace_span *dst;
	struct trace_span head;
	int rc;

	dst = journal_reserve(j, sizeof(*dst) + span->len + END_ROOM, err);
	if (!dst)
		return -ENOSPC;
	journal_write(j, sizeof(*dst), span->data, span->len);
	rc = ring_accept(ring, span, dst + 1, keys, session, err);
	if (rc < 0)
		return rc;
	head = (struct trace_span){
		.session = session,
		.cpu = ring->cpu,
		.kind = ring->kind,
		.epoch = span->epoch,
		.nr = span->nr,
		.base_tsc = span->base_tsc,
		.records_before = span->records_before,
		.offset = span->offset,
		.len = span->len,
	};
	/* What follows in the journal takes its place. */
	if (span->fault)
		buf_add(&bad, (const char *)(dst + 1) + span->len,
			span->bad_len);
	if (span->len) {
		journal_write(j, 0, &head, sizeof(head));
		journal_add(j, TRACE_SPAN, sizeof(*dst) + span->len);
	}
	return span->fault ? put_evidence(j, head, span, &bad, err) : 0;
}

int intake_ring(struct journal *j, struct ring *ring, const struct klog *keys,
		uint32_t session, struct xf_err *err)
{
	struct ring_span span;
	uint32_t tries = 2 * ring->nr_subs;
	int rc;

	while (tries--) {
		uint64_t bad = ring->bad;
		struct xf_err why;

		rc = ring_next(ring, &span, &why);
		if (!rc)
			return 0;
		if (rc > 0)
			rc = take_span(j, ring, &span, keys, session, &why);
		if (rc == -ENOSPC)
			return xf_fail(err, rc, "%s", why.msg);
		if (rc >= 0 || rc == -ESTALE)
			continue;
		xf_debug("%s", why.msg);
		if (ring->seal && ring->bad > bad)
			(void)intake_finding(j, ring, session, NULL);
	}
	return 0;
}
