// SPDX-License-Identifier: GPL-2.0-only
/*
 * catalog: names, shared objects, the quota; ten thousand traces.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <time.h>

#include "fake_store.h"

static uint32_t count_entries(const struct store *st, int kind)
{
	struct catalog_entry e;
	uint32_t nr = 0;

	for (uint32_t slot = 0; slot < st->nr_slots; slot++)
		nr += catalog_read(st, slot, &e) && e.kind == kind;
	return nr;
}

static void test_names(void **state)
{
	static const char *const bad[] = { "",	  "-a", ".a",	 "a b", "a/b",
					   "a\n", "ä",	"a\x7f", ".." };
	static const char *const good[] = { "a",       "0",	 "_",
					    "boot-42", "A.b_c-", "x.xft" };
	char longest[LAYOUT_NAME + 2];
	struct catalog_entry e;
	struct xf_err err;
	struct store st;
	uint32_t slot;

	make_store(&st, "a", MIB);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(
			catalog_create(&st, STORE_TRACE, bad[i], &slot, &err),
			-EINVAL);
	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		assert_int_equal(
			catalog_create(&st, STORE_TRACE, good[i], &slot, &err),
			0);
		assert_int_equal(
			catalog_create(&st, STORE_TRACE, good[i], &slot, &err),
			-EEXIST);
		assert_int_equal(catalog_find(&st, good[i], &e, &err), 0);
		assert_int_equal(e.slot, slot);
		assert_string_equal(e.name, good[i]);
	}
	memset(longest, 'x', sizeof(longest));
	longest[LAYOUT_NAME] = '\0';
	assert_int_equal(catalog_create(&st, STORE_TRACE, longest, &slot, &err),
			 0);
	assert_int_equal(catalog_find(&st, longest, &e, &err), 0);
	assert_string_equal(e.name, longest);
	longest[LAYOUT_NAME] = 'x';
	longest[LAYOUT_NAME + 1] = '\0';
	assert_int_equal(catalog_check_name(longest, &err), -EINVAL);
	assert_int_equal(catalog_find(&st, "none", &e, &err), -ENOENT);
	assert_int_equal(catalog_only(&st, &e, &err), -ENOTUNIQ);
	store_close(&st);
}

static void test_rename_remove(void **state)
{
	struct xf_err err = { 0 };
	struct catalog_entry e;
	struct journal j, more;
	struct store st;
	uint64_t free_blocks;

	make_store(&st, "a", 4 * MIB);
	assert_int_equal(catalog_only(&st, &e, &err), -ENOENT);
	free_blocks = blocks_free(&st);
	make_trace(&st, "x", 1, 50);
	make_trace(&st, "y", 2, 60);
	assert_int_equal(catalog_rename(&st, "x", "y", &err), -EEXIST);
	assert_int_equal(catalog_rename(&st, "n", "z", &err), -ENOENT);
	assert_int_equal(catalog_rename(&st, "x", "-", &err), -EINVAL);
	assert_int_equal(catalog_rename(&st, "x", "x", &err), 0);
	for (int i = 0; i < 5; i++) {
		assert_int_equal(catalog_rename(&st, "x", "longer-name", &err),
				 0);
		assert_int_equal(count_in(&st, "longer-name", 1), 50);
		assert_int_equal(count_in(&st, "x", 1), -ENOENT);
		assert_int_equal(catalog_rename(&st, "longer-name", "x", &err),
				 0);
	}
	assert_int_equal(catalog_find(&st, "x", &e, &err), 0);
	assert_true(e.finished);

	/* In use: by a reader, by a writer. A name may change all the same. */
	assert_int_equal(journal_open(&j, &st, "x", &err), 0);
	assert_int_equal(journal_open(&more, &st, "x", &err), 0);
	journal_close(&more);
	assert_int_equal(catalog_remove(&st, "x", &err), -EBUSY);
	assert_non_null(strstr(err.msg, "in use"));
	assert_int_equal(catalog_rename(&st, "x", "z", &err), 0);
	assert_int_equal(count_chunks(&j, 1), 50);
	journal_close(&j);
	assert_int_equal(journal_reopen(&j, &st, "z", &err), 0);
	assert_int_equal(journal_reopen(&more, &st, "z", &err), -EBUSY);
	assert_int_equal(catalog_remove(&st, "z", &err), -EBUSY);
	assert_int_equal(count_in(&st, "z", 1), 50);
	journal_close(&j);
	assert_int_equal(catalog_remove(&st, "z", &err), 0);
	assert_int_equal(catalog_remove(&st, "z", &err), -ENOENT);
	assert_int_equal(catalog_remove(&st, "y", &err), 0);
	assert_int_equal(blocks_free(&st), free_blocks);
	store_close(&st);
}

static void test_shared(void **state)
{
	static char symbols[200000], other[100];
	struct xf_err err = { 0 };
	struct store st;
	struct journal j;
	uint64_t free_blocks, with_one = 0;

	memset(symbols, 's', sizeof(symbols));
	memset(other, 'o', sizeof(other));
	make_store(&st, "a", 4 * MIB);
	free_blocks = blocks_free(&st);
	for (int i = 0; i < 3; i++) {
		char name[16];
		struct journal_chunk c = { 0 };

		snprintf(name, sizeof(name), "t%d", i);
		assert_int_equal(journal_create(&j, &st, name, &err), 0);
		assert_int_equal(journal_put(&j, 1, "first", 5, &err), 0);
		assert_int_equal(journal_share(&j, 2, "kernel", symbols,
					       sizeof(symbols), &err),
				 0);
		/* Another type is another object. */
		assert_int_equal(journal_share(&j, 3, "kernel", other,
					       sizeof(other), &err),
				 0);
		assert_int_equal(journal_share(&j, 2, "kernel", symbols,
					       sizeof(symbols), &err),
				 0);
		assert_int_equal(journal_commit(&j, &err), 0);
		for (int n = 0; n < 4; n++) {
			assert_int_equal(journal_next(&j, &c, &err), 1);
			assert_int_equal(c.type, "\1\2\3\2"[n]);
			assert_int_equal(c.len, n == 0   ? 5
					      : n == 2 ? 100
						       : 200000);
			assert_memory_equal(c.data,
					    n == 0   ? "first"
					    : n == 2 ? other
						     : symbols,
					    c.len);
			assert_int_equal(journal_object(&j, c.data) >= 0, n > 0);
		}
		assert_int_equal(journal_next(&j, &c, &err), 0);
		journal_close(&j);
		assert_int_equal(count_entries(&st, STORE_SHARED), 2);
		if (!i)
			with_one = blocks_free(&st);
	}
	assert_true(with_one - blocks_free(&st) <= 2);
	/* Other bytes under the same key: whoever comes second has its own. */
	assert_int_equal(journal_create(&j, &st, "liar", &err), 0);
	assert_int_equal(journal_share(&j, 2, "kernel", other, sizeof(other),
				       &err),
			 0);
	assert_int_equal(journal_commit(&j, &err), 0);
	struct journal_chunk c = { 0 };
	assert_int_equal(journal_next(&j, &c, &err), 1);
	assert_int_equal(c.len, sizeof(other));
	assert_memory_equal(c.data, other, c.len);
	assert_int_equal(journal_object(&j, c.data), -1);
	journal_close(&j);
	assert_int_equal(catalog_remove(&st, "liar", &err), 0);
	assert_int_equal(count_entries(&st, STORE_SHARED), 2);
	assert_int_equal(catalog_remove(&st, "t0", &err), 0);
	assert_int_equal(catalog_remove(&st, "t2", &err), 0);
	assert_int_equal(count_entries(&st, STORE_SHARED), 2);
	assert_int_equal(catalog_remove(&st, "t1", &err), 0);
	assert_int_equal(count_entries(&st, STORE_SHARED), 0);
	assert_int_equal(blocks_free(&st), free_blocks);

	/* More than a trace can refer to: it gets its own copy. */
	assert_int_equal(journal_create(&j, &st, "many", &err), 0);
	for (int i = 0; i < 12; i++) {
		char key[8];

		snprintf(key, sizeof(key), "k%d", i);
		assert_int_equal(journal_share(&j, 2, key, other, 100, &err),
				 0);
	}
	assert_int_equal(
		journal_share(&j, 2, "a key with blanks", other, 100, &err),
		-EINVAL);
	assert_int_equal(journal_commit(&j, &err), 0);
	c = (struct journal_chunk){ 0 };
	int nr = 0;
	while (journal_next(&j, &c, &err) > 0) {
		assert_memory_equal(c.data, other, 100);
		nr++;
	}
	assert_int_equal(nr, 12);
	assert_int_equal(count_entries(&st, STORE_SHARED), LAYOUT_REFS);
	journal_close(&j);
	store_close(&st);
}

/* An empty chunk that ends its block: what follows is another's. */
static void test_empty_at_the_end(void **state)
{
	const struct store_shape shape = { .size = 64 << 10, .block = 512 };
	static const char bytes[480];
	struct journal_chunk c = { 0 };
	uint32_t nr = 0;
	struct store st;
	struct journal j;

	assert_int_equal(store_create(&st, "s", &shape, NULL), 0);
	assert_int_equal(journal_create(&j, &st, "a", NULL), 0);
	assert_int_equal(journal_put(&j, 1, bytes, sizeof(bytes), NULL), 0);
	assert_int_equal(journal_put(&j, 1, "", 0, NULL), 0);
	assert_int_equal(journal_commit(&j, NULL), 0);
	assert_int_equal(journal_finish(&j, NULL), 0);
	journal_close(&j);
	make_trace(&st, "b", 1, 1);
	assert_int_equal(journal_open(&j, &st, "a", NULL), 0);
	for (; journal_next(&j, &c, NULL) > 0; nr++)
		assert_int_equal(journal_object(&j, c.data), -1);
	assert_int_equal(nr, 2);
	journal_close(&j);
	store_close(&st);
}

static void test_quota(void **state)
{
	struct xf_err err = { 0 };
	struct catalog_entry e;
	struct journal j;
	struct store st;
	uint32_t i = 0;

	make_store(&st, "a", 8 * MIB);
	assert_int_equal(store_quota(&st), 0);
	assert_int_equal(store_set_quota(&st, 2 * MIB, &err), 0);
	make_trace(&st, "old", 1, 300);
	make_trace(&st, "read", 2, 300);
	make_trace(&st, "new", 3, 300);
	assert_int_equal(journal_create(&j, &st, "unfinished", &err), 0);
	assert_int_equal(put_one(&j, 4, 0, &err), 0);
	assert_int_equal(journal_commit(&j, &err), 0);
	journal_close(&j);
	assert_int_equal(journal_open(&j, &st, "read", &err), 0);
	assert_int_equal(st.nr_evicted, 0);

	struct journal w;
	assert_int_equal(journal_create(&w, &st, "w", &err), 0);
	while (!put_one(&w, 5, i, &err))
		i++;
	assert_int_equal(err.code, -ENOSPC);
	assert_non_null(strstr(err.msg, "no finished trace"));
	assert_int_equal(journal_commit(&w, &err), 0);
	/* Oldest first; not what is read, not what is not finished. */
	assert_int_equal(st.nr_evicted, 2);
	assert_int_equal(catalog_find(&st, "old", &e, &err), -ENOENT);
	assert_int_equal(catalog_find(&st, "new", &e, &err), -ENOENT);
	assert_int_equal(count_chunks(&j, 2), 300);
	assert_int_equal(count_in(&st, "unfinished", 4), 1);
	assert_int_equal(count_chunks(&w, 5), i);
	assert_true(st.nr_blocks - blocks_free(&st) <= 2 * MIB >>
		    st.block_shift);
	journal_close(&j);
	/* Read no longer: now it goes as well. */
	assert_int_equal(put_one(&w, 5, i, &err), 0);
	assert_int_equal(catalog_find(&st, "read", &e, &err), -ENOENT);
	journal_close(&w);
	store_close(&st);
}

static double seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

static void test_ten_thousand(void **state)
{
	struct store_shape shape = { .size = 256 * MIB,
				     .nr_slots = 10000,
				     .thin = true };
	struct xf_err err = { 0 };
	struct catalog_entry e;
	uint32_t slot = 0, nr = 0;
	struct store st;
	double start;
	char name[32];

	assert_int_equal(store_create(&st, "a", &shape, &err), 0);
	for (int i = 0; i < 10000; i++) {
		snprintf(name, sizeof(name), "trace-%d", i);
		if (catalog_create(&st, STORE_TRACE, name, &slot, &err))
			fail_msg("%s", err.msg);
	}
	assert_int_equal(
		catalog_create(&st, STORE_TRACE, "one-more", &slot, &err),
		-ENOSPC);
	store_close(&st);
	start = seconds();
	assert_int_equal(store_open(&st, "a", false, &err), 0);
	slot = 0;
	while (catalog_next(&st, &slot, &e))
		nr++;
	assert_int_equal(nr, 10000);
	assert_int_equal(catalog_find(&st, "trace-9999", &e, &err), 0);
	start = seconds() - start;
	print_message("opened and listed in %.1f ms\n", start * 1000);
	/* 50 ms is the target; sanitizers take their share. */
	assert_true(start < 0.5);
	store_close(&st);
	assert_int_equal(store_open(&st, "a", true, &err), 0);
	for (int i = 0; i < 10000; i += 100) {
		snprintf(name, sizeof(name), "trace-%d", i);
		assert_int_equal(catalog_remove(&st, name, &err), 0);
	}
	make_trace(&st, "again", 1, 10);
	assert_int_equal(count_in(&st, "again", 1), 10);
	store_close(&st);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_names), TEST(test_rename_remove), TEST(test_shared),
		TEST(test_empty_at_the_end),
		TEST(test_quota), TEST(test_ten_thousand),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
