// SPDX-License-Identifier: GPL-2.0-only
#include "key.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>

#include "clock.h"

int key_next(struct key_ctl *k, struct klog_entry *ret_entry,
	     struct xf_err *err)
{
	struct klog_entry e = { .epoch = k->epoch + 1, .session = k->session };

	/* 0 would mask nothing; it comes up once in 2^64 draws. */
	while (!e.key) {
		if (getrandom(&e.key, sizeof(e.key), 0) != sizeof(e.key))
			return xf_fail_errno(err, "no random bytes for a key");
	}
	e.time_ns = clock_ns(CLOCK_REALTIME);
	k->epoch = e.epoch;
	*ret_entry = e;
	explicit_bzero(&e, sizeof(e));
	return 0;
}
