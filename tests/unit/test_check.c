// SPDX-License-Identifier: GPL-2.0-only
/*
 * check: each kind of damage is found by its step, and repaired only if that
 * is safe.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>

#include "fake_store.h"

static char wrong_steps[400]; /* "step=verdict;..." of all that are not ok */
static int nr_steps;

static void note(void *arg, const struct check_result *r)
{
	size_t len = strlen(wrong_steps);

	nr_steps++;
	if (r->verdict == CHECK_OK) {
		assert_int_equal(r->found, 0);
		return;
	}
	snprintf(wrong_steps + len, sizeof(wrong_steps) - len, "%s=%s;",
		 r->step, check_verdict_name(r->verdict));
}

/* What the check of "a" says must be exactly that. */
static void expect(bool repair, int rc, const char *steps)
{
	struct xf_err err = { 0 };

	wrong_steps[0] = '\0';
	nr_steps = 0;
	assert_int_equal(check_file("a", repair, note, NULL, &err), rc);
	assert_string_equal(wrong_steps, steps);
	assert_int_equal(nr_steps, 9);
}

static struct store st;

/* Three traces; "b" in the middle. */
static void make(void)
{
	make_store(&st, "a", 2 * MIB);
	make_trace(&st, "a", 1, 30);
	make_trace(&st, "b", 2, 30);
	make_trace(&st, "c", 3, 30);
}

static void traces_are_good(void)
{
	assert_int_equal(store_open(&st, "a", true, NULL), 0);
	assert_int_equal(count_in(&st, "a", 1), 30);
	assert_int_equal(count_in(&st, "b", 2), 30);
	assert_int_equal(count_in(&st, "c", 3), 30);
	store_close(&st);
}

static void test_clean(void **state)
{
	struct xf_err err;
	struct stat before, after;

	make();
	store_close(&st);
	assert_int_equal(stat("a", &before), 0);
	expect(false, 0, "");
	expect(true, 0, "");
	assert_int_equal(stat("a", &after), 0);
	assert_int_equal(before.st_size, after.st_size);
	traces_are_good();
	assert_int_equal(check_file("none", false, NULL, NULL, &err), -ENOENT);
	assert_int_equal(check_file(".", false, NULL, NULL, &err), -EBADMSG);
}

static void test_heads(void **state)
{
	struct store_head h;
	struct xf_err err;

	make();
	store_close(&st);
	poke("a", 40, "?????", 5);
	expect(false, 1,
	       "head=repairable;copy of the head=skipped;"
	       "entries=skipped;references to shared objects=skipped;"
	       "unused objects and drafts=skipped;owners of blocks=skipped;"
	       "contents of traces=skipped;blocks behind the end=skipped;");
	expect(true, 0, "head=repaired;");
	expect(false, 0, "");
	traces_are_good();
	poke("a", LAYOUT_COPY + 40, "?????", 5);
	expect(false, 1, "copy of the head=repairable;");
	expect(true, 0, "copy of the head=repaired;");
	expect(false, 0, "");
	poke("a", 40, "?????", 5);
	poke("a", LAYOUT_COPY + 40, "?????", 5);
	assert_int_equal(check_file("a", true, note, NULL, &err), -EBADMSG);

	/* A version that we do not know is not ours to repair. */
	unlink("a");
	make();
	memcpy(&h, st.m.base, sizeof(h));
	store_close(&st);
	h.major++;
	h.crc = store_head_crc(&h);
	poke("a", 0, &h, sizeof(h));
	assert_int_equal(check_file("a", true, note, NULL, &err), -EPROTO);
}

static void test_entries(void **state)
{
	struct catalog_entry e;

	make();
	assert_int_equal(catalog_find(&st, "b", &e, NULL), 0);
	poke("a", entry_off(&st, e.slot) + offsetof(struct store_entry, name),
	     "x", 1);
	assert_int_equal(catalog_find(&st, "b", &e, NULL), -ENOENT);
	assert_int_equal(catalog_find(&st, "x", &e, NULL), -ENOENT);
	store_close(&st);
	/* Nobody knows what it was, so nobody touches it or its blocks. */
	expect(true, 1, "entries=damaged;");
	expect(true, 1, "entries=damaged;");
	assert_int_equal(store_open(&st, "a", true, NULL), 0);
	poke("a", entry_off(&st, e.slot) + offsetof(struct store_entry, name),
	     "b", 1);
	store_close(&st);
	traces_are_good();
}

static void test_unused(void **state)
{
	uint64_t free_blocks;
	struct journal j;

	make();
	free_blocks = blocks_free(&st);
	assert_int_equal(journal_create_draft(&j, &st, "d", NULL), 0);
	assert_int_equal(journal_share(&j, 1, "key", "data", 4, NULL), 0);
	assert_int_equal(put_one(&j, 1, 1, NULL), 0);
	assert_int_equal(journal_commit(&j, NULL), 0);
	/* As long as it is written it is somebody's. */
	expect(true, 0, "");
	journal_close(&j);
	expect(false, 1, "unused objects and drafts=repairable;");
	expect(true, 0, "unused objects and drafts=repaired;");
	expect(false, 0, "");
	assert_int_equal(blocks_free(&st), free_blocks);
	store_close(&st);
	traces_are_good();
}

static void test_blocks(void **state)
{
	uint64_t word, b, free_block;
	struct catalog_entry e;

	make();
	assert_int_equal(catalog_find(&st, "b", &e, NULL), 0);
	for (free_block = 0; !block_is_free(&st, free_block);)
		free_block++;
	/* Behind the end. */
	word = MAP_WORD(e.slot, 4000 % st.nr_blocks);
	poke("a", map_off(&st, free_block), &word, 8);
	expect(false, 1, "blocks behind the end=repairable;");
	expect(true, 0, "blocks behind the end=repaired;");
	expect(false, 0, "");
	/* Twice. */
	word = MAP_WORD(e.slot, 1);
	poke("a", map_off(&st, free_block), &word, 8);
	expect(true, 1, "contents of traces=damaged;");
	/* Of an entry that is free: so is the block. */
	word = MAP_WORD(st.nr_slots - 1, 1);
	poke("a", map_off(&st, free_block), &word, 8);
	expect(false, 0, "");
	/* Of one that cannot be. */
	word = MAP_WORD(st.nr_slots + 7, 1);
	poke("a", map_off(&st, free_block), &word, 8);
	expect(true, 1, "owners of blocks=damaged;");
	word = 0;
	poke("a", map_off(&st, free_block), &word, 8);
	expect(true, 0, "");
	/* Not there. */
	for (b = 0;
	     MAP_OWNER(media_load(&st.m, map_off(&st, b))) != e.slot + 1;)
		b++;
	poke("a", map_off(&st, b), &word, 8);
	expect(true, 1, "contents of traces=damaged;");
	store_close(&st);
}

static void test_refs(void **state)
{
	struct catalog_entry e;
	uint64_t ref = 15;

	make();
	assert_int_equal(catalog_find(&st, "b", &e, NULL), 0);
	poke("a", entry_off(&st, e.slot) + offsetof(struct store_entry, ref),
	     &ref, 8);
	expect(true, 1, "references to shared objects=damaged;");
	store_close(&st);
}

static void test_cut_by_power(void **state)
{
	struct catalog_entry e;
	uint64_t none = 0, off;
	struct journal j;
	struct xf_err err;

	make();
	assert_int_equal(journal_create(&j, &st, "p", &err), 0);
	for (uint32_t i = 0; i < 30; i++)
		assert_int_equal(put_one(&j, 4, i, &err), 0);
	assert_int_equal(journal_commit(&j, &err), 0);
	expect(true, 0, "");
	journal_close(&j);
	assert_int_equal(catalog_find(&st, "p", &e, &err), 0);
	assert_int_equal(blocks_for(&st, e.bytes) > 3, true);
	/* Its third block never reached the disk. */
	for (uint64_t b = 0; b < st.nr_blocks; b++)
		if (media_load(&st.m, map_off(&st, b)) == MAP_WORD(e.slot, 2)) {
			off = block_off(&st, b);
			while (off < block_off(&st, b + 1)) {
				poke("a", off, &none, 8);
				off += 8;
			}
		}
	expect(false, 1, "contents of traces=repairable;");
	expect(true, 0, "contents of traces=repaired;");
	expect(false, 0, "");
	assert_true(count_in(&st, "p", 4) > 3);
	store_close(&st);
	traces_are_good();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_clean),	 TEST(test_heads),  TEST(test_entries),
		TEST(test_unused),	 TEST(test_blocks), TEST(test_refs),
		TEST(test_cut_by_power),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
