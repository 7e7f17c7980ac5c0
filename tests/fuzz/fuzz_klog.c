// SPDX-License-Identifier: GPL-2.0-only
/* Keys, as a Klog has them. */
#include "fuzz.h"
#include "klog.h"

void fuzz_one(struct cursor *in)
{
	_cleanup_(klog_deinit) struct klog keys;
	const struct klog_entry *e;
	struct xf_err err;

	klog_init(&keys);
	while ((e = cursor_bytes(in, sizeof(*e)))) {
		struct klog_entry copy;

		memcpy(&copy, e, sizeof(copy));
		if (!klog_add(&keys, &copy, &err))
			fuzz_must(klog_find(&keys, copy.session, copy.epoch)
					  ->key == copy.key);
	}
	klog_find(&keys, 1, 1);
}
