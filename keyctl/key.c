// SPDX-License-Identifier: GPL-2.0-only
#include "key.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

int key_next(struct key_ctl *k, struct klog_entry *ret_entry,
	     struct xf_err *err)
{
	struct klog_entry e = { .epoch = k->epoch + 1, .session = k->session };
	struct timespec now;

	/* 0 would mask nothing; it comes up once in 2^64 draws. */
	while (!e.key) {
		if (getrandom(&e.key, sizeof(e.key), 0) != sizeof(e.key))
			return xf_fail_errno(err, "no random bytes for a key");
	}
	clock_gettime(CLOCK_REALTIME, &now);
	e.time_ns = now.tv_sec * 1000000000ULL + now.tv_nsec;
	k->epoch = e.epoch;
	*ret_entry = e;
	explicit_bzero(&e, sizeof(e));
	return 0;
}
