// SPDX-License-Identifier: GPL-2.0-only
/* Symbols as traces store them. */
#include "fuzz.h"
#include "symtab.h"

void fuzz_one(struct cursor *in)
{
	_cleanup_(symtab_destroyp) struct symtab *st = NULL;
	_cleanup_(buf_deinit) struct buf again = BUF_INIT;
	size_t len;
	_cleanup_free_ uint8_t *packed = fuzz_take_all(in, &len);
	struct xf_err err;

	if (!symtab_unpack(packed, len, &st, &err))
		symtab_pack(st, SYMTAB_KERNEL | SYMTAB_MODULES, &again);
}
