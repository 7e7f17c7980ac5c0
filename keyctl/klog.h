/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * klog -- the log of keys by epoch (the paper's Klog).
 *
 * Kept in memory that is locked, left out of core dumps and wiped at the end.
 * On media its entries stand in the trace that they belong to, a file of mode
 * 0600.
 *
 * A session is one life of the guest's rings: it ends when the guest reboots or
 * reloads its module, and epochs start again in the next.
 */
#ifndef XF_KLOG_H
#define XF_KLOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "err.h"
#include "key.h"

struct klog {
	struct klog_entry *entries;	/* sorted by session, then epoch */
	size_t nr;
	size_t cap;
};

void klog_init(struct klog *k);
void klog_deinit(struct klog *k);

/* -EBADMSG: does not come after the last entry (same or older epoch). */
int klog_add(struct klog *k, const struct klog_entry *e, struct xf_err *err);

/* The key of an epoch, or NULL. Valid until the next klog_add(). */
const struct klog_entry *klog_find(const struct klog *k, uint32_t session,
				   uint32_t epoch);

#endif
