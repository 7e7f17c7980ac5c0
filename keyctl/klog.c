// SPDX-License-Identifier: GPL-2.0-only
#include "klog.h"

#include <errno.h>
#include <inttypes.h>

#include "secret.h"

void klog_init(struct klog *k)
{
	*k = (struct klog){ 0 };
}

void klog_deinit(struct klog *k)
{
	secret_free(k->entries, k->cap * sizeof(*k->entries));
	*k = (struct klog){ 0 };
}

static int grow(struct klog *k, struct xf_err *err)
{
	size_t cap = k->cap ? k->cap * 2 : 4096 / sizeof(*k->entries);
	struct klog_entry *e = secret_grow(k->entries, k->cap * sizeof(*e),
					   cap * sizeof(*e));

	if (!e)
		return xf_fail_errno(err, "no memory for the Klog");
	k->entries = e;
	k->cap = cap;
	return 0;
}

static int compare(const struct klog_entry *e, uint32_t session, uint32_t epoch)
{
	if (e->session != session)
		return e->session < session ? -1 : 1;
	if (e->epoch != epoch)
		return e->epoch < epoch ? -1 : 1;
	return 0;
}

int klog_add(struct klog *k, const struct klog_entry *e, struct xf_err *err)
{
	if (k->nr && compare(&k->entries[k->nr - 1], e->session, e->epoch) >= 0)
		return xf_fail(err, -EBADMSG,
			       "Klog: epoch %" PRIu32 " of session %" PRIu32
			       " is out of order",
			       e->epoch, e->session);
	if (k->nr == k->cap) {
		int rc = grow(k, err);

		if (rc)
			return rc;
	}
	k->entries[k->nr++] = *e;
	return 0;
}

const struct klog_entry *klog_find(const struct klog *k, uint32_t session,
				   uint32_t epoch)
{
	size_t low = 0, high = k->nr;

	while (low < high) {
		size_t mid = low + (high - low) / 2;
		int c = compare(&k->entries[mid], session, epoch);

		if (!c)
			return &k->entries[mid];
		if (c < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return NULL;
}
