// SPDX-License-Identifier: GPL-2.0-only
#include "livepatch.h"

#include <string.h>

#include "cleanup.h"
#include "guestlist.h"
#include "look.h"

struct walk {
	void (*fn)(const char *module, void *arg);
	void *arg;
	uint32_t list, mod, name;
};

bool livepatch_exists(const struct image_guest *g)
{
	struct look l = { .g = g, .code = CODEMAP_INIT };
	uint64_t head = look_symbol(&l, "klp_patches");
	uint64_t first = look_ptr(&l, head);

	return first && first != head;
}

static bool tell(struct look *l, uint64_t patch, void *arg)
{
	_cleanup_(buf_deinit) struct buf module = BUF_INIT;
	const struct walk *w = arg;
	char name[MODLIST_NAME];

	if (look_read(l, look_ptr(l, patch + w->mod) + w->name, name,
		      sizeof(name)))
		return false;
	buf_add_escaped(&module, name, strnlen(name, sizeof(name)));
	if (module.len)
		w->fn(module.data, w->arg);
	return true;
}

static void walk_patches(struct look *l,
			 void (*fn)(const char *module, void *arg), void *arg)
{
	struct walk w = { .fn = fn, .arg = arg };
	const struct look_member members[] = {
		{ "klp_patch", "list", &w.list },
		{ "klp_patch", "mod", &w.mod },
		{ "module", "name", &w.name },
	};

	if (look_members(l, "live patches", members, ARRAY_SIZE(members)))
		guestlist_ring(l, look_symbol(l, "klp_patches"), w.list, tell,
			       &w);
}

void livepatch_each(const struct image_guest *g,
		    void (*fn)(const char *module, void *arg), void *arg)
{
	_cleanup_(findings_deinit) struct findings ignored = FINDINGS_INIT;
	struct look l = { .g = g, .f = &ignored, .code = CODEMAP_INIT };

	walk_patches(&l, fn, arg);
}

static void add_hint(const char *module, void *arg)
{
	struct look *l = arg;

	if (!look_is_full(l, RULE_LIVE_PATCH))
		findings_add(l->f, RULE_LIVE_PATCH,
			     json_pack("{s:s}", "module", module),
			     "the kernel is live patched by %s", module);
}

void check_livepatches(struct look *l)
{
	if (livepatch_exists(l->g))
		walk_patches(l, add_hint, l);
}
