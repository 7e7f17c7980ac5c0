// SPDX-License-Identifier: GPL-2.0-only
/* Pages of the host's ring buffer, and what they say of vCPUs. */
#include "chunks.h"
#include "hostpages.h"

void fuzz_one(struct cursor *in)
{
	struct hostclock clock;
	struct host_event event;
	struct hostpages h;
	struct chunks c;
	uint64_t sum = 0;

	if (!chunks_open(&c, in))
		for (size_t i = 0; i < c.t.nr_host_cpus; i++) {
			hostclock_init(&clock, c.t.sessions[0].host);
			hostpages_init(&h, &c.t.host_cpus[i], &clock);
			while (hostpages_next(&h, &event))
				for (uint32_t at = 0; at < event.len; at++)
					sum += ((uint8_t *)event.data)[at];
			hostclock_deinit(&clock);
		}
	chunks_close(&c);
	/* All bytes count: nothing is optimized away. */
	fuzz_must(sum != UINT64_MAX);
}
