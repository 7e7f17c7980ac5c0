// SPDX-License-Identifier: GPL-2.0-only
/* A vmlinux: its .symtab or its kallsyms, and what one asks of the table. */
#include "fuzz.h"
#include "symtab.h"

void fuzz_one(struct cursor *in)
{
	_cleanup_(symtab_destroyp) struct symtab *st = symtab_create();
	_cleanup_(buf_deinit) struct buf text = BUF_INIT;
	size_t len;
	_cleanup_free_ uint8_t *image = fuzz_take_all(in, &len);
	struct xf_err err;
	struct sym s;

	if (symtab_load_elf(st, image, len, &err))
		return;
	symtab_at(st, 0xffffffff81000000, &s);
	symtab_near(st, UINT64_MAX, &s);
	symtab_write_map(st, &text);
}
