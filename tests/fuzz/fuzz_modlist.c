// SPDX-License-Identifier: GPL-2.0-only
/* The list of loaded modules, and their symbols. */
#include "small_modlist.h"

#include "guest.h"

static int take(void *arg, const struct modlist_symbol *sym)
{
	fuzz_must(*sym->name && strlen(sym->name) < MODLIST_SYMBOL);
	return 0;
}

void fuzz_one(struct cursor *in)
{
	/* As in the 6.1 guest that the seed is from. */
	static const struct modlist_layout layout = {
		.list = 8,
		.name = 24,
		.name_len = 56,
		.text_base = 320,
		.text_size = 332,
		.kallsyms = 544,
		.symtab = 0,
		.num_symtab = 8,
		.strtab = 16,
		.typetab = 24,
	};
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
