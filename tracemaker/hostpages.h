/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * hostpages -- events of the host, out of the pages of its ring buffer.
 *
 * They are those of the threads in which QEMU ran the guest's vCPUs. Their
 * stamps are the host's TSC, and are delivered as the guest's, which KVM makes
 * of it: (host's TSC * ratio >> shift) + offset, for each vCPU. The session's
 * HOST chunk says which:
 *
 *	{"release": of the host's kernel, "qemu": pid,
 *	 "vcpus": [{"vcpu", "tid", "offset", "ratio", "shift"}],
 *	 "events": [{"system", "name", "format"}]}
 *
 *	hostclock_init(&clock, session->host);
 *	hostpages_init(&h, cpu, &clock);
 *	while (hostpages_next(&h, &event))
 *		...
 *
 * The layout is that of Linux on 64-bit little-endian machines; see
 * ring_buffer_event in include/linux/ring_buffer.h. The pages may have been
 * tampered with, which libtraceevent's kbuffer would not survive: hence our
 * own walk. The tests hold it against kbuffer's.
 */
#ifndef XF_HOSTPAGES_H
#define XF_HOSTPAGES_H

#include <stdbool.h>
#include <stdint.h>

#include "cursor.h"
#include "trace.h"

#define HOST_LOST_SOME UINT64_MAX /* nobody counted them */

/* The sum of two counts of lost events. */
static inline uint64_t hostpages_add_lost(uint64_t a, uint64_t b)
{
	return a > HOST_LOST_SOME - b ? HOST_LOST_SOME : a + b;
}

struct host_event {
	uint64_t tsc;		/* as the guest's */
	uint64_t lost;		/* missing on this CPU before it */
	const void *data;	/* from common_type on; in the trace */
	uint32_t len;
	uint32_t cpu;		/* of the host */
	uint32_t tid;
	int32_t vcpu;		/* that the thread runs; -1: it runs none */
};

/* How each vCPU's TSC follows from the host's. */
struct hostclock {
	struct host_vcpu {
		uint32_t tid;
		int32_t vcpu;
		uint64_t ratio;
		uint64_t offset;
		uint32_t shift;	/* below 64 */
	} *vcpus;		/* owned */
	size_t nr;
};

void hostclock_init(struct hostclock *c, const json_t *host);
void hostclock_deinit(struct hostclock *c);

struct hostpages {
	const struct trace_host_cpu *cpu; /* borrowed, and so is clock */
	const struct hostclock *clock;
	size_t next;		/* index of the page to come */
	struct cursor events;	/* what is unread of this one */
	uint64_t page_time;
	uint64_t time;		/* the host's TSC, at the last event */
	uint64_t lost;		/* since the last event */
	uint64_t bad;		/* pages that made no sense, or their rest */
};

void hostpages_init(struct hostpages *h, const struct trace_host_cpu *cpu,
		    const struct hostclock *clock);

/* False at the end. */
bool hostpages_next(struct hostpages *h, struct host_event *ret);

#endif
