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
/*
 * 2 s: a few hundred places are patched at once, and all processors asked
 * thrice.
 */
#define PATCH_TRIES 40

bool image_has_booted(const struct image_guest *g)
{
	struct look l = { .g = g };
	uint64_t state = look_symbol(&l, "system_state");
	int32_t running, now;

	return !state ||
	       btf_enumerator(g->types, "SYSTEM_RUNNING", &running, NULL) ||
	       look_read(&l, state, &now, sizeof(now)) || now >= running;
}

/* @patched: where code was found in the midst of being patched. */
static int look_once(const struct image_guest *g, struct findings *f,
		     struct buf *patched)
{
	_cleanup_(sites_deinit) struct sites sites = SITES_INIT;
	struct look l = { .g = g, .f = f, .code = CODEMAP_INIT };

	buf_deinit(patched);
	if (!image_has_booted(g)) {
		look_cannot(&l, "the kernel has not booted yet");
		return 0;
	}
	codemap_read(&l);
	/* It also finds out where kprobes have changed the code. */
	check_hooks(&l);
	check_proc(&l);
	if (g->file) {
		sites_find(&sites, &l);
		l.sites = &sites;
	}
	check_text(&l);
	check_tables(&l);
	check_modules(&l);
	check_entries(&l);
	check_livepatches(&l);
	codemap_deinit(&l.code);
	buf_deinit(&l.probed);
	*patched = l.patched;
	if (l.spent && l.spent != -EIO)
		look_cannot(&l, "reading the guest's memory took more than it "
				"may: %u ms or %u MiB", LOOK_MAX_CPU_MS,
			    LOOK_MAX_BYTES >> 20);
	return l.spent == -EIO ? -EIO : 0;
}

/*
 * A module that is loaded and unloaded again and again is seen in parts, each
 * time: its code stays for a while when it has left the list. So look whether
 * it comes back.
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

/* ---- Code that is being patched: for how long? ---- */

/* Of @all, an array of addresses, those that are in @also. */
static void keep_common(struct buf *all, const struct buf *also)
{
	uint64_t *v = (uint64_t *)all->data;
	const uint64_t *w = (const uint64_t *)also->data;
	size_t kept = 0;

	for (size_t i = 0; i < all->len / sizeof(*v); i++)
		for (size_t j = 0; j < also->len / sizeof(*w); j++)
			if (v[i] == w[j]) {
				v[kept++] = v[i];
				break;
			}
	all->len = kept * sizeof(*v);
}

static void keep_breakpoints(struct look *l, struct buf *all)
{
	uint64_t *v = (uint64_t *)all->data;
	size_t kept = 0;
	uint8_t byte;

	for (size_t i = 0; i < all->len / sizeof(*v); i++)
		if (!look_read(l, v[i], &byte, 1) && byte == 0xcc)
			v[kept++] = v[i];
	all->len = kept * sizeof(*v);
}

/*
 * A breakpoint at each of the addresses @stuck is explained by the kernel's
 * word that it is patching there, which is true for a moment. A guest that does
 * not get its processors stays so for longer, and one that stands still for
 * ever.
 */
static void judge_patched(struct look *l, struct buf *stuck)
{
	uint64_t jiffies = look_symbol(l, "jiffies_64");
	uint64_t began = look_ptr(l, jiffies);
	const uint64_t *v = (const uint64_t *)stuck->data;
	char name[LOOK_NAME];

	for (int i = 0; i < PATCH_TRIES && stuck->len; i++) {
		usleep(PAUSE_US);
		keep_breakpoints(l, stuck);
	}
	if (stuck->len && look_ptr(l, jiffies) == began) {
		look_cannot(l, "the kernel's code: it is being patched, and the "
			       "guest stands still");
		return;
	}
	for (size_t i = 0; i < stuck->len / sizeof(*v); i++)
		if (!look_is_full(l, RULE_TEXT_CHANGED))
			findings_add(l->f, RULE_TEXT_CHANGED,
				     look_evidence(l, v[i]),
				     "%s begins with a breakpoint, as if it "
				     "were being patched, but it stays",
				     look_name(l, v[i], name));
}

int image_check(const struct image_guest *g, struct findings *f,
		struct xf_err *err)
{
	_cleanup_(findings_deinit) struct findings found = FINDINGS_INIT;
	_cleanup_(buf_deinit) struct buf stuck = BUF_INIT, patched = BUF_INIT;

	for (int i = 0; i < MAX_TRIES; i++) {
		_cleanup_(findings_deinit) struct findings before = found;

		found = (struct findings)FINDINGS_INIT;
		if (look_once(g, &found, &patched))
			return xf_fail(err, -EIO, "the guest's RAM is gone");
		if (!i && patched.len)
			buf_add(&stuck, patched.data, patched.len);
		keep_common(&stuck, &patched);
		if (stuck.len || findings_verdict(&found) != VERDICT_CLEAN)
			wait_a_while(g, &found);
		if (!stuck.len && findings_verdict(&found) == VERDICT_CLEAN)
			break;
		if (i)
			findings_doubt(&found, &before);
	}
	if (stuck.len)
		judge_patched(&(struct look){ .g = g, .f = &found }, &stuck);
	findings_limit(&found, LOOK_MAX_FOUND);
	findings_add(&found, RULE_NOT_CHECKED, NULL,
		     "where system calls enter the kernel (MSR LSTAR) is not in "
		     "the guest's memory");
	findings_move(f, &found);
	return 0;
}
