// SPDX-License-Identifier: GPL-2.0-only
#include "guestsyms.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "cleanup.h"
#include "gva.h"
#include "symtab_kallsyms.h"

/* Real tables of names take 4 MiB; the token index counts in u16. */
#define MAX_NAMES  (16u << 20)
#define MAX_TOKENS (64u << 10)

struct table {
	const char *symbol;
	uint64_t max; /* bytes */
	uint64_t addr;
	struct buf bytes;
};

enum { NAMES, TOKEN_TABLE, TOKEN_INDEX, OFFSETS, NUM_SYMS, RELATIVE, NR };

static int read_table(const struct gva *space, struct table *t, uint64_t len,
		      struct xf_err *err)
{
	int rc;

	if (!len || len > t->max)
		return xf_fail(err, -EBADMSG,
			       "guest RAM: %s has an impossible size",
			       t->symbol);
	rc = gva_read(space, t->addr, buf_reserve(&t->bytes, len), len, err);
	if (rc)
		return xf_prefix(err, rc, "guest RAM: %s", t->symbol);
	t->bytes.len = len;
	return 0;
}

static int load(const struct vmcoreinfo *vi, const struct memfile *mf,
		struct table *t, struct symtab **ret, struct xf_err *err)
{
	_cleanup_(symtab_destroyp) struct symtab *st = symtab_create();
	struct gva space = vmcoreinfo_space(vi, mf);
	struct kallsyms k = { 0 };
	uint32_t nr;
	int rc;

	for (int i = 0; i < NR; i++)
		if (!vmcoreinfo_symbol(vi, t[i].symbol, &t[i].addr))
			return xf_fail(err, -ENOENT,
				       "the guest's kernel does not tell where "
				       "its symbols are (before 6.0, or without "
				       "kallsyms): give them with --symbols");
	rc = gva_read(&space, t[NUM_SYMS].addr, &nr, sizeof(nr), err);
	rc = rc ? rc : gva_read(&space, t[RELATIVE].addr, &k.relative_base,
				sizeof(k.relative_base), err);
	/* Tables follow each other: one ends before the next begins. */
	rc = rc ? rc : read_table(&space, &t[NAMES],
				  t[TOKEN_TABLE].addr - t[NAMES].addr, err);
	rc = rc ? rc : read_table(&space, &t[TOKEN_TABLE],
				  t[TOKEN_INDEX].addr - t[TOKEN_TABLE].addr,
				  err);
	rc = rc ? rc : read_table(&space, &t[TOKEN_INDEX],
				  KALLSYMS_TOKENS * 2, err);
	rc = rc ? rc : read_table(&space, &t[OFFSETS], nr * 4ULL, err);
	if (rc)
		return rc;
	k.nr = nr;
	k.names = t[NAMES].bytes.data;
	k.names_len = t[NAMES].bytes.len;
	k.token_table = t[TOKEN_TABLE].bytes.data;
	k.token_table_len = t[TOKEN_TABLE].bytes.len;
	k.token_index = t[TOKEN_INDEX].bytes.data;
	k.token_index_len = t[TOKEN_INDEX].bytes.len;
	k.offsets = t[OFFSETS].bytes.data;
	k.offsets_len = t[OFFSETS].bytes.len;
	rc = symtab_load_kallsyms(st, &k, err);
	if (rc)
		return rc;
	st->source = SYMTAB_GUEST;
	memcpy(st->build_id, vi->build_id, vi->build_id_len);
	st->build_id_len = vi->build_id_len;
	symtab_seal(st);
	*ret = xf_take(st);
	return 0;
}

int guestsyms_load(const struct vmcoreinfo *vi, const struct memfile *mf,
		   struct symtab **ret, struct xf_err *err)
{
	struct table t[NR] = {
		[NAMES] = { .symbol = "kallsyms_names", .max = MAX_NAMES },
		[TOKEN_TABLE] = { .symbol = "kallsyms_token_table",
				  .max = MAX_TOKENS },
		[TOKEN_INDEX] = { .symbol = "kallsyms_token_index",
				  .max = KALLSYMS_TOKENS * 2 },
		[OFFSETS] = { .symbol = "kallsyms_offsets",
			      .max = SYMTAB_MAX * 4 },
		[NUM_SYMS] = { .symbol = "kallsyms_num_syms" },
		[RELATIVE] = { .symbol = "kallsyms_relative_base" },
	};
	int rc = load(vi, mf, t, ret, err);

	for (int i = 0; i < NR; i++)
		buf_deinit(&t[i].bytes);
	return rc;
}
