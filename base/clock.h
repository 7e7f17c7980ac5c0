/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * clock -- what time it is, in nanoseconds.
 */
#ifndef XF_CLOCK_H
#define XF_CLOCK_H

#include <stdint.h>
#include <time.h>

static inline uint64_t clock_ns(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return now.tv_sec * 1000000000ULL + now.tv_nsec;
}

static inline uint64_t monotonic_ns(void)
{
	return clock_ns(CLOCK_MONOTONIC);
}

/*
 * What this thread has had of a processor: on a busy host that is what may be
 * limited, as that a guest has to wait is not its fault.
 */
static inline uint64_t thread_cpu_ns(void)
{
	return clock_ns(CLOCK_THREAD_CPUTIME_ID);
}

#endif
