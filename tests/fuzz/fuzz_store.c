// SPDX-License-Identifier: GPL-2.0-only
/*
 * A store that somebody made: read, checked, repaired or salvaged, written.
 * What calls itself repaired is clean, and keeps what is put into it.
 */
#include "catalog.h"
#include "check.h"
#include "journal.h"
#include "stores.h"

static const char words[] = "what is written is read again, byte for byte";

static void must_read(struct store *st)
{
	struct journal j;
	struct journal_chunk c = { 0 };

	fuzz_must(!journal_open(&j, st, "fuzz", NULL));
	for (uint32_t i = 1; i <= 2; i++) {
		fuzz_must(journal_next(&j, &c, NULL) > 0);
		fuzz_must(c.type == i && c.len == sizeof(words) &&
			  !memcmp(c.data, words, c.len));
	}
	fuzz_must(!journal_next(&j, &c, NULL));
	journal_close(&j);
}

static void write_one(struct store *st, bool clean)
{
	struct xf_err err;
	struct journal j;
	int rc = journal_create(&j, st, "fuzz", &err);

	if (rc)
		return;
	rc = journal_share(&j, 1, "key", words, sizeof(words), &err);
	rc = rc ? rc : journal_put(&j, 2, words, sizeof(words), &err);
	rc = rc ? rc : journal_commit(&j, &err);
	rc = rc ? rc : journal_finish(&j, &err);
	journal_close(&j);
	if (!rc && clean)
		must_read(st);
}

/* Whatever the one trace there is holds, it goes on. */
static void append(struct store *st)
{
	struct xf_err err;
	struct journal j;

	if (journal_reopen(&j, st, NULL, &err))
		return;
	if (!journal_put(&j, 3, words, sizeof(words), &err))
		journal_commit(&j, &err);
	journal_close(&j);
}

static void change(struct store *st, bool clean)
{
	struct catalog_entry e;
	struct xf_err err;
	uint32_t slot = 0;

	append(st);
	write_one(st, clean);
	if (catalog_next(st, &slot, &e))
		catalog_rename(st, e.name, "renamed", &err);
	for (slot = 0; catalog_next(st, &slot, &e);)
		catalog_remove(st, e.name, &err);
}

static void mend(enum check_how how)
{
	struct xf_err err;
	struct store st;
	bool clean;

	if (store_open(&st, STORES_INPUT, true, &err))
		return;
	clean = !check_media(&st.m, how, NULL, NULL, &err);
	if (clean)
		fuzz_must(!check_media(&st.m, CHECK_LOOK, NULL, NULL, &err));
	change(&st, clean);
	store_close(&st);
}

void fuzz_one(struct cursor *in)
{
	struct xf_err err;
	struct store st;

	stores_begin(in);
	if (!store_open(&st, STORES_INPUT, false, &err)) {
		fuzz_must(stores_read(&st) != UINT64_MAX);
		store_close(&st);
	}
	check_file(STORES_INPUT, CHECK_LOOK, NULL, NULL, &err);
	mend(CHECK_REPAIR);
	mend(CHECK_SALVAGE);
}
