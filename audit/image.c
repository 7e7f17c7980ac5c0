// SPDX-License-Identifier: GPL-2.0-only
#include "image.h"

#include <errno.h>
#include <unistd.h>

#include "cleanup.h"
#include "look.h"
#include "sites.h"

/* The guest goes on meanwhile: the same must be wrong again and again. */
#define MAX_TRIES 3
#define PAUSE_US  50000
#define PAUSES	  10	/* so often the list of modules is read in between */

bool image_has_booted(const struct image_guest *g)
{
	struct look l = { .g = g };
	uint64_t state = look_symbol(&l, "system_state");
	int32_t running, now;

	return !state ||
	       btf_enumerator(g->types, "SYSTEM_RUNNING", &running, NULL) ||
	       look_read(&l, state, &now, sizeof(now)) || now >= running;
}

static int look_once(const struct image_guest *g, struct findings *f)
{
	_cleanup_(sites_deinit) struct sites sites = SITES_INIT;
	struct look l = { .g = g, .f = f, .code = CODEMAP_INIT };

	if (!image_has_booted(g)) {
		look_cannot(&l, "the kernel has not booted yet");
		return 0;
	}
	codemap_read(&l);
	/* It also finds out where kprobes have changed the code. */
	check_hooks(&l);
	if (g->file) {
		sites_find(&sites, &l);
		l.sites = &sites;
	}
	check_text(&l);
	check_tables(&l);
	check_modules(&l);
	check_entries(&l);
	codemap_deinit(&l.code);
	buf_deinit(&l.probed);
	if (l.spent && l.spent != -EIO)
		look_cannot(&l, "reading the guest's memory took more than it "
				"may: %u ms or %u MiB", LOOK_MAX_CPU_MS,
			    LOOK_MAX_BYTES >> 20);
	return l.spent == -EIO ? -EIO : 0;
}

/*
 * A module that is loaded and unloaded again and again is seen in parts, each time:
 * its code stays for a while when it has left the list. So look whether it comes back.
 */
static void wait_a_while(const struct image_guest *g, struct findings *f)
{
	bool asks = true;

	for (int i = 0; i < PAUSES; i++) {
		asks = asks && modules_forget(g, f);
		usleep(PAUSE_US / PAUSES);
	}
	if (asks)
		modules_forget(g, f);
}

int image_check(const struct image_guest *g, struct findings *f,
		struct xf_err *err)
{
	_cleanup_(findings_deinit) struct findings found = FINDINGS_INIT;

	for (int i = 0; i < MAX_TRIES; i++) {
		_cleanup_(findings_deinit) struct findings before = found;

		found = (struct findings)FINDINGS_INIT;
		if (look_once(g, &found))
			return xf_fail(err, -EIO, "the guest's RAM is gone");
		if (findings_verdict(&found) != VERDICT_CLEAN)
			wait_a_while(g, &found);
		if (findings_verdict(&found) == VERDICT_CLEAN)
			break;
		if (i)
			findings_doubt(&found, &before);
	}
	findings_limit(&found, LOOK_MAX_FOUND);
	findings_add(&found, RULE_NOT_CHECKED, NULL,
		     "where system calls enter the kernel (MSR LSTAR) is not in "
		     "the guest's memory");
	findings_move(f, &found);
	return 0;
}
