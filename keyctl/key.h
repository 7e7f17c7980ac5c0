/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * key -- make, rotate and wipe the global key (the paper's Key_Controller).
 *
 * A key is one random 64-bit word, valid for one epoch; epochs count from 1.
 * The order at a rotation is what keeps every record readable:
 *
 *	key_next(&k, &entry, err);	a new key, known to nobody yet
 *	...				put the entry into the Klog, durably
 *	mailbox_set_key(mb, &entry);	only now may the guest use it
 */
#ifndef XF_KEY_H
#define XF_KEY_H

#include <stdint.h>

#include "err.h"

/* One line of the Klog; fixed layout, as it is stored (little-endian). */
struct klog_entry {
	uint64_t key;
	uint64_t time_ns;	/* CLOCK_REALTIME when it was made */
	uint32_t epoch;
	uint32_t session;	/* counts the guest's ring sets; see klog.h */
};

struct key_ctl {
	uint32_t epoch;		/* of the newest key, 0 before the first */
	uint32_t session;
};

/* The key of the next epoch. -EIO: the kernel gives no random bytes. */
int key_next(struct key_ctl *k, struct klog_entry *ret_entry,
	     struct xf_err *err);

#endif
