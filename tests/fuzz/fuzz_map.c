// SPDX-License-Identifier: GPL-2.0-only
/* A System.map, or /proc/kallsyms. */
#include "fuzz.h"
#include "symtab.h"

void fuzz_one(struct cursor *in)
{
	_cleanup_(symtab_destroyp) struct symtab *st = symtab_create();
	_cleanup_(buf_deinit) struct buf text = BUF_INIT;
	size_t len;
	_cleanup_free_ uint8_t *map = fuzz_take_all(in, &len);
	struct xf_err err;
	struct sym s;

	if (symtab_load_map(st, (char *)map, len, &err))
		return;
	symtab_slide(st, 0x1000000);
	symtab_at(st, 0xffffffff82000000, &s);
	symtab_write_map(st, &text);
}
