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
static void expect(enum check_how how, int rc, const char *steps)
{
	struct xf_err err = { 0 };

	wrong_steps[0] = '\0';
	nr_steps = 0;
	assert_int_equal(check_file("a", how, note, NULL, &err), rc);
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
	expect(CHECK_LOOK, 0, "");
	expect(CHECK_REPAIR, 0, "");
	assert_int_equal(stat("a", &after), 0);
	assert_int_equal(before.st_size, after.st_size);
	traces_are_good();
	assert_int_equal(check_file("none", CHECK_LOOK, NULL, NULL, &err), -ENOENT);
	assert_int_equal(check_file(".", CHECK_LOOK, NULL, NULL, &err), -EBADMSG);
}

static void test_heads(void **state)
{
	struct store_head h;
	struct xf_err err;

	make();
	store_close(&st);
	poke("a", 40, "?????", 5);
	expect(CHECK_LOOK, 1,
	       "head=repairable;copy of the head=skipped;"
	       "entries=skipped;references to shared objects=skipped;"
	       "unused objects and drafts=skipped;owners of blocks=skipped;"
	       "contents of traces=skipped;blocks behind the end=skipped;");
	expect(CHECK_REPAIR, 0, "head=repaired;");
	expect(CHECK_LOOK, 0, "");
	traces_are_good();
	poke("a", LAYOUT_COPY + 40, "?????", 5);
	expect(CHECK_LOOK, 1, "copy of the head=repairable;");
	expect(CHECK_REPAIR, 0, "copy of the head=repaired;");
	expect(CHECK_LOOK, 0, "");
	poke("a", 40, "?????", 5);
	poke("a", LAYOUT_COPY + 40, "?????", 5);
	assert_int_equal(check_file("a", CHECK_REPAIR, note, NULL, &err), -EBADMSG);

	/* A version that we do not know is not ours to repair. */
	unlink("a");
	make();
	memcpy(&h, st.m.base, sizeof(h));
	store_close(&st);
	h.major++;
	h.crc = store_head_crc(&h);
	poke("a", 0, &h, sizeof(h));
	assert_int_equal(check_file("a", CHECK_REPAIR, note, NULL, &err), -EPROTO);
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
	expect(CHECK_REPAIR, 1, "entries=damaged;");
	expect(CHECK_REPAIR, 1, "entries=damaged;");
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
	expect(CHECK_REPAIR, 0, "");
	journal_close(&j);
	expect(CHECK_LOOK, 1, "unused objects and drafts=repairable;");
	expect(CHECK_REPAIR, 0, "unused objects and drafts=repaired;");
	expect(CHECK_LOOK, 0, "");
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
	expect(CHECK_LOOK, 1, "blocks behind the end=repairable;");
	expect(CHECK_REPAIR, 0, "blocks behind the end=repaired;");
	expect(CHECK_LOOK, 0, "");
	/* Twice. */
	word = MAP_WORD(e.slot, 1);
	poke("a", map_off(&st, free_block), &word, 8);
	expect(CHECK_REPAIR, 1, "contents of traces=damaged;");
	/* Of an entry that is free: so is the block. */
	word = MAP_WORD(st.nr_slots - 1, 1);
	poke("a", map_off(&st, free_block), &word, 8);
	expect(CHECK_LOOK, 0, "");
	/* Of one that cannot be. */
	word = MAP_WORD(st.nr_slots + 7, 1);
	poke("a", map_off(&st, free_block), &word, 8);
	expect(CHECK_REPAIR, 1, "owners of blocks=damaged;");
	word = 0;
	poke("a", map_off(&st, free_block), &word, 8);
	expect(CHECK_REPAIR, 0, "");
	/* Not there. */
	for (b = 0;
	     MAP_OWNER(media_load(&st.m, map_off(&st, b))) != e.slot + 1;)
		b++;
	poke("a", map_off(&st, b), &word, 8);
	expect(CHECK_REPAIR, 1, "contents of traces=damaged;");
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
	expect(CHECK_REPAIR, 1, "references to shared objects=damaged;");
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
	expect(CHECK_REPAIR, 0, "");
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
	expect(CHECK_LOOK, 1, "contents of traces=repairable;");
	expect(CHECK_REPAIR, 0, "contents of traces=repaired;");
	expect(CHECK_LOOK, 0, "");
	assert_true(count_in(&st, "p", 4) > 3);
	store_close(&st);
	traces_are_good();
}

/* ---- salvage ---- */

/* Chunks of "b" that are left, each whole; what is between them is not. */
static int count_left(const char *name)
{
	struct journal_chunk c = { 0 };
	struct journal j;
	int rc, nr = 0;

	assert_int_equal(journal_open(&j, &st, name, NULL), 0);
	while ((rc = journal_next(&j, &c, NULL)) > 0) {
		assert_int_equal(c.len, len_of(2, c.type));
		for (size_t at = 0; at < c.len; at++)
			assert_int_equal(((const uint8_t *)c.data)[at],
					 byte_of(2, c.type, at));
		nr++;
	}
	assert_int_equal(rc, 0);
	journal_close(&j);
	return nr;
}

/* Where in the file byte @pos of "b" is. */
static off_t place_in_b(uint64_t pos)
{
	struct catalog_entry e;
	struct run *runs;
	size_t nr;
	off_t off = 0;

	assert_int_equal(catalog_find(&st, "b", &e, NULL), 0);
	assert_int_equal(blocks_find(&st, e.slot, blocks_for(&st, e.bytes),
				     &runs, &nr, NULL), 0);
	for (size_t i = 0; i < nr; i++)
		if (pos - runs[i].pos < runs[i].len)
			off = runs[i].off + (pos - runs[i].pos);
	free(runs);
	return off;
}

static uint64_t begin_of(uint32_t chunk)
{
	uint64_t pos = 0;

	for (uint32_t i = 0; i < chunk; i++)
		pos += journal_chunk_bytes(len_of(2, i));
	return pos;
}

static void damage_b(uint64_t pos, size_t len)
{
	for (size_t i = 0; i < len; i++)
		poke("a", place_in_b(pos + i), "?", 1);
}

static void test_salvage_chunks(void **state)
{
	make();
	/* A payload, a header, and all from within one to within another. */
	damage_b(begin_of(3) + 100, 1);
	damage_b(begin_of(10), 16);
	damage_b(begin_of(20) + 30, begin_of(23) - begin_of(20));
	expect(CHECK_LOOK, 1, "contents of traces=damaged;");
	expect(CHECK_REPAIR, 1, "contents of traces=damaged;");
	expect(CHECK_SALVAGE, 0, "contents of traces=repaired;");
	expect(CHECK_LOOK, 0, "");
	assert_int_equal(count_left("b"), 30 - 1 - 1 - 4);
	assert_int_equal(count_in(&st, "a", 1), 30);
	assert_int_equal(count_in(&st, "c", 3), 30);
	/* The last one; the trace is as long as before. */
	damage_b(begin_of(29), 16);
	expect(CHECK_SALVAGE, 0, "contents of traces=repaired;");
	expect(CHECK_LOOK, 0, "");
	assert_int_equal(count_left("b"), 23);
	store_close(&st);
}

static void test_salvage_entries(void **state)
{
	uint64_t free_blocks, off;
	struct catalog_entry e;
	char lost[32];

	make();
	free_blocks = blocks_free(&st);
	/* Its name is lost, its contents are not. */
	assert_int_equal(catalog_find(&st, "b", &e, NULL), 0);
	off = entry_off(&st, e.slot);
	poke("a", off + offsetof(struct store_entry, name), "?", 1);
	expect(CHECK_SALVAGE, 0, "entries=repaired;");
	expect(CHECK_LOOK, 0, "");
	snprintf(lost, sizeof(lost), "lost-%u", e.slot);
	assert_int_equal(count_in(&st, lost, 2), 30);
	/* What ties its contents to it is. */
	poke("a", off + offsetof(struct store_entry, id), "????????", 8);
	expect(CHECK_SALVAGE, 0,
	       "entries=repaired;contents of traces=repaired;");
	expect(CHECK_LOOK, 0, "");
	assert_int_equal(count_in(&st, lost, 2), -ENOENT);
	assert_true(blocks_free(&st) > free_blocks);
	/* Another one's entry in its place: the same name twice. */
	assert_int_equal(catalog_find(&st, "c", &e, NULL), 0);
	poke("a", off, store_entry(&st, e.slot), sizeof(struct store_entry));
	expect(CHECK_SALVAGE, 0,
	       "entries=repaired;contents of traces=repaired;");
	expect(CHECK_LOOK, 0, "");
	store_close(&st);
}

static void test_salvage_shared(void **state)
{
	struct catalog_entry e;
	struct journal j;
	struct run *runs;
	uint32_t slot = 0;
	uint64_t off;
	size_t nr;

	make();
	assert_int_equal(journal_reopen(&j, &st, "b", NULL), 0);
	assert_int_equal(journal_share(&j, 7, "key", "data", 4, NULL), 0);
	assert_int_equal(put_one(&j, 2, 30, NULL), 0);
	assert_int_equal(journal_commit(&j, NULL), 0);
	assert_int_equal(journal_finish(&j, NULL), 0);
	journal_close(&j);
	while (!catalog_read(&st, slot, &e) || e.kind != STORE_SHARED)
		slot++;
	assert_int_equal(blocks_find(&st, slot, 1, &runs, &nr, NULL), 0);
	poke("a", runs[0].off + sizeof(struct store_chunk), "?", 1);
	free(runs);
	expect(CHECK_REPAIR, 1, "contents of traces=damaged;");
	expect(CHECK_SALVAGE, 0, "contents of traces=repaired;");
	expect(CHECK_LOOK, 0, "");
	assert_int_equal(count_left("b"), 31);
	/* An object that is none. */
	assert_int_equal(catalog_find(&st, "b", &e, NULL), 0);
	off = entry_off(&st, e.slot) + offsetof(struct store_entry, ref);
	poke("a", off, "\x0f\0\0", 4);
	expect(CHECK_SALVAGE, 0,
	       "references to shared objects=repaired;"
	       "unused objects and drafts=repaired;");
	expect(CHECK_LOOK, 0, "");
	assert_int_equal(count_left("b"), 31);
	store_close(&st);
}

static void test_salvage_map(void **state)
{
	struct catalog_entry e;
	uint64_t word, b;

	make();
	assert_int_equal(catalog_find(&st, "b", &e, NULL), 0);
	assert_true(blocks_for(&st, e.bytes) > 5);
	for (b = 0;
	     media_load(&st.m, map_off(&st, b)) != MAP_WORD(e.slot, 5);)
		b++;
	/* A block is nobody's: what is before it stays. */
	word = MAP_WORD(st.nr_slots + 7, 1);
	poke("a", map_off(&st, b), &word, 8);
	expect(CHECK_REPAIR, 1,
	       "owners of blocks=damaged;contents of traces=damaged;");
	expect(CHECK_SALVAGE, 0,
	       "owners of blocks=repaired;contents of traces=repaired;");
	expect(CHECK_LOOK, 0, "");
	assert_true(count_left("b") > 0);
	assert_true(count_left("b") < 30);
	/* A block is there twice: nobody knows which is the true one. */
	word = MAP_WORD(e.slot, 1);
	poke("a", map_off(&st, b), &word, 8);
	expect(CHECK_SALVAGE, 0, "contents of traces=repaired;");
	expect(CHECK_LOOK, 0, "");
	assert_int_equal(count_in(&st, "b", 2), -ENOENT);
	store_close(&st);
}

static void test_salvage_anything(void **state)
{
	struct xf_err err;
	uint64_t bytes;

	srandom(7);
	for (int round = 0; round < 100; round++) {
		unlink("a");
		make();
		bytes = st.data_off - LAYOUT_HEADS;
		/* Half of it where tables are. */
		for (int i = 0; i < 20; i++)
			poke("a",
			     i % 2 ? LAYOUT_HEADS + random() % bytes :
				     st.data_off + random() % (MIB / 8),
			     "?", 1);
		store_close(&st);
		(void)check_file("a", CHECK_SALVAGE, NULL, NULL, &err);
		expect(CHECK_LOOK, 0, "");
	}
}

/* What is synced ends within a chunk: a repair must not cut that. */
static void test_synced_within(void **state)
{
	uint64_t word;

	make_store(&st, "a", MIB);
	make_trace(&st, "t", 1, 4);
	word = store_entry(&st, 0)->committed & ~COMMIT_ORDERED;
	poke("a", entry_off(&st, 0) + offsetof(struct store_entry, committed),
	     &word, sizeof(word));
	word = 16;
	poke("a", entry_off(&st, 0) + offsetof(struct store_entry, synced),
	     &word, sizeof(word));
	expect(CHECK_REPAIR, 1, "contents of traces=damaged;");
	assert_int_equal(store_entry(&st, 0)->synced, 16);
	store_close(&st);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_clean),	 TEST(test_heads),  TEST(test_entries),
		TEST(test_unused),	 TEST(test_blocks), TEST(test_refs),
		TEST(test_cut_by_power), TEST(test_salvage_chunks),
		TEST(test_salvage_entries), TEST(test_salvage_shared),
		TEST(test_salvage_map), TEST(test_salvage_anything),
		TEST(test_synced_within),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
