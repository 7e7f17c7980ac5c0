// SPDX-License-Identifier: GPL-2.0-only
#include "image.h"

#include <errno.h>
#include <unistd.h>

#include "cleanup.h"
#include "look.h"
#include "sites.h"

int image_check(const struct image_guest *g, struct findings *f,
		struct xf_err *err)
{
	_cleanup_(sites_deinit) struct sites sites = SITES_INIT;
	struct look l = { .g = g, .f = f, .code = CODEMAP_INIT };

	codemap_read(&l);
	if (g->file) {
		sites_find(&sites, &l);
		l.sites = &sites;
	}
	check_text(&l);
	check_tables(&l);
	check_hooks(&l);
	check_modules(&l);
	codemap_deinit(&l.code);
	if (l.spent == -EIO)
		return xf_fail(err, -EIO, "the guest's RAM is gone");
	if (l.spent)
		look_cannot(&l, "reading the guest's memory took more than it "
				"may: %u ms or %u MiB", LOOK_MAX_CPU_MS,
			    LOOK_MAX_BYTES >> 20);
	return 0;
}
