// SPDX-License-Identifier: GPL-2.0-only
/* kallsyms tables, each with as many bytes as somebody says. */
#include "fuzz.h"
#include "symtab_kallsyms.h"

void fuzz_one(struct cursor *in)
{
	_cleanup_(symtab_destroyp) struct symtab *st = symtab_create();
	struct kallsyms k = { .nr = cursor_u32(in),
			      .relative_base = cursor_u64(in) };
	size_t names = cursor_u16(in), tokens = cursor_u16(in),
	       index = cursor_u16(in);
	_cleanup_free_ uint8_t *a = fuzz_take(in, names, &k.names_len),
			       *b = fuzz_take(in, tokens, &k.token_table_len),
			       *c = fuzz_take(in, index, &k.token_index_len),
			       *d = fuzz_take_all(in, &k.offsets_len);
	struct xf_err err;

	k.names = a;
	k.token_table = (char *)b;
	k.token_index = c;
	k.offsets = d;
	symtab_load_kallsyms(st, &k, &err);
}
