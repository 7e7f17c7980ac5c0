// SPDX-License-Identifier: GPL-2.0-only
#include "scan.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

struct pass {
	const struct memfile *mf;
	const struct scan *scan;
	uint64_t told;		/* position when progress was last called */
};

/* Bytes of RAM below @gpa. */
static uint64_t ram_below(const struct memfile *mf, uint64_t gpa)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < mf->nr && mf->slot[i].gpa < gpa; i++) {
		uint64_t part = gpa - mf->slot[i].gpa;

		sum += part < mf->slot[i].len ? part : mf->slot[i].len;
	}
	return sum;
}

static void tell(struct pass *p, uint64_t gpa)
{
	uint64_t done = ram_below(p->mf, gpa);

	if (!p->scan->progress || done - p->told < SCAN_PROGRESS)
		return;
	p->told = done;
	p->scan->progress(p->scan->arg, done, p->mf->ram_len);
}

static int scan_extent(void *arg, uint64_t gpa, const void *ptr, size_t len)
{
	struct pass *p = arg;
	const struct scan *s = p->scan;
	const char *page = ptr;

	tell(p, gpa);
	for (; len >= XF_PAGE_SIZE; len -= XF_PAGE_SIZE) {
		for (size_t i = 0; i < s->nr; i++) {
			const struct scan_pattern *want = &s->pattern[i];
			int rc;

			if (memcmp(page + want->offset, want->bytes, want->len))
				continue;
			rc = s->hit(s->arg, gpa, i);
			if (rc)
				return rc;
		}
		page += XF_PAGE_SIZE;
		gpa += XF_PAGE_SIZE;
	}
	return 0;
}

int scan_pages(const struct memfile *mf, const struct scan *s,
	       struct xf_err *err)
{
	struct pass p = { .mf = mf, .scan = s };

	for (size_t i = 0; i < s->nr; i++) {
		const struct scan_pattern *want = &s->pattern[i];

		if (!want->len || want->offset + want->len > XF_PAGE_SIZE)
			return xf_fail(err, -EINVAL,
				       "a pattern to scan for must lie in one "
				       "page");
	}
	return memfile_for_each_extent(mf, scan_extent, &p, err);
}
