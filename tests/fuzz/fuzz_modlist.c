// SPDX-License-Identifier: GPL-2.0-only
/* The list of loaded modules, and their symbols. */
#include "small_modlist.h"

#include "guest.h"
#include "unit/fake_layouts.h"

static int take(void *arg, const struct modlist_symbol *sym)
{
	fuzz_must(*sym->name && strlen(sym->name) < MODLIST_SYMBOL);
	return 0;
}

void fuzz_one(struct cursor *in)
{
	/* As in the 6.1 guest that the seed is from. */
	static const struct modlist_layout layout = { FAKE_MODULES };
	const uint64_t head = 0xffffffff88127160;
	_cleanup_(modlist_deinit) struct modlist ml = MODLIST_INIT;
	const struct gva space = { 0 };
	struct xf_err err;

	guest_begin(in, GUEST_GVA);
	guest_pointer(head);
	if (!modlist_read(&ml, &space, head, &layout, &err))
		for (size_t i = 0; i < ml.nr; i++) {
			guest_forget();
			guest_pointer(ml.mod[i].kallsyms);
			modlist_symbols(&ml, i, take, NULL, &err);
		}
	guest_end();
}
