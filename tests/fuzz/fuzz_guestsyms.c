// SPDX-License-Identifier: GPL-2.0-only
/* kallsyms as they lie in guest RAM. */
#include "guest.h"
#include "guestsyms.h"

void fuzz_one(struct cursor *in)
{
	static const char *const names[] = {
		"num_syms",    "relative_base", "names",
		"token_table", "token_index",	"offsets",
	};
	_cleanup_(symtab_destroyp) struct symtab *st = NULL;
	struct vmcoreinfo vi = { 0 };
	uint64_t addr = 0xffffffff82000000;
	struct xf_err err;
	size_t len = 0;

	guest_begin(in, GUEST_GVA);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		addr += (int32_t)cursor_u32(in);
		guest_pointer(addr);
		len += sprintf(vi.text + len, "SYMBOL(kallsyms_%s)=%llx\n",
			       names[i], (unsigned long long)addr);
	}
	guestsyms_load(&vi, &guest_ram, &st, &err);
	guest_end();
}
