// SPDX-License-Identifier: GPL-2.0-only
/*
 * journal: what was committed is there, what was not is not, whatever ends the
 * writer; a trace as one file, and back.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <signal.h>
#include <sys/wait.h>

#include "fake_store.h"

static void test_life(void **state)
{
	struct xf_err err = { 0 };
	struct journal j, again;
	struct store st;
	uint64_t full;

	make_store(&st, "a", 4 * MIB);
	assert_int_equal(journal_open(&j, &st, NULL, &err), -ENOENT);
	assert_int_equal(journal_create(&j, &st, "t", &err), 0);
	assert_int_equal(journal_create(&again, &st, "t", &err), -EEXIST);
	assert_int_equal(count_in(&st, "t", 0), 0);

	/* A reader sees what is committed and nothing more. */
	for (uint32_t i = 0; i < 10; i++)
		assert_int_equal(put_one(&j, 0, i, &err), 0);
	assert_int_equal(count_in(&st, "t", 0), 0);
	assert_int_equal(journal_commit(&j, &err), 0);
	assert_int_equal(count_in(&st, "t", 0), 10);
	assert_int_equal(put_one(&j, 0, 10, &err), 0);
	assert_int_equal(count_in(&st, NULL, 0), 10);
	assert_int_equal(journal_sync(&j, &err), 0);
	assert_int_equal(count_in(&st, "t", 0), 10);

	/* Reserved and given up. */
	assert_non_null(journal_reserve(&j, 100000, &err));
	assert_int_equal(journal_commit(&j, &err), 0);
	assert_int_equal(journal_commit(&j, &err), 0);
	assert_int_equal(count_in(&st, "t", 0), 11);

	/* What was not committed is gone, its room as well. */
	for (uint32_t i = 11; i < 400; i++)
		assert_int_equal(put_one(&j, 0, i, &err), 0);
	full = blocks_free(&st);
	journal_close(&j);
	assert_null(j.path);
	journal_close(&j);
	assert_int_equal(count_in(&st, "t", 0), 11);
	assert_true(blocks_free(&st) > full + 100);

	/* And on again, from there. */
	assert_int_equal(journal_reopen(&j, &st, "t", &err), 0);
	assert_int_equal(count_chunks(&j, 0), 11);
	for (uint32_t i = 11; i < 20; i++)
		assert_int_equal(put_one(&j, 0, i, &err), 0);
	assert_int_equal(journal_commit(&j, &err), 0);
	journal_close(&j);
	assert_int_equal(count_in(&st, "t", 0), 20);
	store_close(&st);
}

static void test_put(void **state)
{
	struct xf_err err = { 0 };
	struct journal_chunk c = { 0 };
	const void *room;
	struct store st;
	struct journal j;

	make_store(&st, "a", 200 * MIB);
	assert_int_equal(journal_create(&j, &st, "t", &err), 0);
	assert_int_equal(journal_put(&j, 5, "hello", 5, &err), 0);
	assert_int_equal(journal_put(&j, UINT32_MAX, "", 0, &err), 0);
	assert_int_equal(journal_put(&j, 0, "12345678", 8, &err), 0);
	/* In pieces, in any order. */
	room = journal_reserve(&j, 100, &err);
	journal_write(&j, 3, "lo", 2);
	journal_write(&j, 0, "hel", 3);
	assert_memory_equal(room, "hello", 5);
	journal_add(&j, 6, 5);
	assert_int_equal(journal_commit(&j, &err), 0);
	for (int i = 0; i < 4; i++) {
		assert_int_equal(journal_next(&j, &c, &err), 1);
		assert_int_equal(c.len, "\5\0\10\5"[i]);
	}
	assert_memory_equal(c.data, "hello", 5);
	assert_int_equal(journal_next(&j, &c, &err), 0);
	assert_int_equal(journal_next(&j, &c, &err), 0);

	/* The largest there is; and more, also where the sum would wrap. */
	uint8_t *big = calloc(1, JOURNAL_CHUNK_MAX);
	big[JOURNAL_CHUNK_MAX - 1] = 'x';
	assert_int_equal(journal_put(&j, 7, big, JOURNAL_CHUNK_MAX, &err), 0);
	assert_int_equal(journal_commit(&j, &err), 0);
	assert_int_equal(journal_next(&j, &c, &err), 1);
	assert_int_equal(((const char *)c.data)[c.len - 1], 'x');
	free(big);
	assert_null(journal_reserve(&j, JOURNAL_CHUNK_MAX + 1, &err));
	assert_int_equal(err.code, -EFBIG);
	assert_null(journal_reserve(&j, SIZE_MAX, &err));
	assert_null(journal_reserve(&j, SIZE_MAX - 4096, &err));
	assert_int_equal(journal_put(&j, 1, "", JOURNAL_CHUNK_MAX + 1, &err),
			 -EFBIG);
	assert_int_equal(j.end, j.committed);
	journal_close(&j);
	store_close(&st);
}

/* Traces that grow side by side lie in many pieces. */
static void test_pieces(void **state)
{
	struct xf_err err = { 0 };
	struct journal j[5];
	struct store st;
	char name[8];

	make_store(&st, "a", 8 * MIB);
	for (int n = 0; n < 5; n++) {
		snprintf(name, sizeof(name), "t%d", n);
		assert_int_equal(journal_create(&j[n], &st, name, &err), 0);
	}
	for (uint32_t i = 0; i < 600; i++)
		for (int n = 0; n < 5; n++) {
			assert_int_equal(put_one(&j[n], n, i, &err), 0);
			if (i % 7 == 0)
				assert_int_equal(journal_commit(&j[n], &err),
						 0);
		}
	for (int n = 0; n < 5; n++) {
		assert_int_equal(journal_commit(&j[n], &err), 0);
		assert_true(j[n].nr_runs > 1);
		assert_int_equal(count_chunks(&j[n], n), 600);
		journal_close(&j[n]);
		snprintf(name, sizeof(name), "t%d", n);
		assert_int_equal(count_in(&st, name, n), 600);
	}
	store_close(&st);
	assert_int_equal(check_file("a", CHECK_LOOK, NULL, NULL, &err), 0);
}

/* The writer is killed at any moment: a whole number of commits is left. */
static void test_killed(void **state)
{
	struct xf_err err = { 0 };
	struct store st;

	make_store(&st, "a", 64 * MIB);
	for (int round = 0; round < 15; round++) {
		struct journal j;
		uint32_t said;
		int fds[2], nr;
		pid_t pid;

		assert_int_equal(pipe(fds), 0);
		pid = fork();
		if (!pid) {
			struct store own;
			uint32_t i = 0;

			if (store_open(&own, "a", true, NULL) ||
			    journal_create(&j, &own, "k", NULL))
				_exit(1);
			for (;;) {
				for (int n = 0; n < 5; n++)
					if (put_one(&j, 0, i++, NULL))
						_exit(1);
				if (journal_commit(&j, NULL))
					_exit(1);
				(void)!write(fds[1], &i, sizeof(i));
			}
		}
		close(fds[1]);
		for (int i = 0; i <= round * 30; i++)
			assert_int_equal(read(fds[0], &said, sizeof(said)),
					 sizeof(said));
		/* It is being written, and can be read. */
		assert_int_equal(journal_reopen(&j, &st, "k", &err), -EBUSY);
		assert_true(count_in(&st, "k", 0) >= (int)said);
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		while (read(fds[0], &said, sizeof(said)) == sizeof(said))
			;
		close(fds[0]);
		nr = count_in(&st, "k", 0);
		assert_true(nr >= (int)said && nr % 5 == 0);
		/* Somebody else goes on where it stopped. */
		assert_int_equal(journal_reopen(&j, &st, "k", &err), 0);
		assert_int_equal(count_chunks(&j, 0), nr);
		for (int i = 0; i < 3; i++)
			assert_int_equal(put_one(&j, 0, nr + i, &err), 0);
		assert_int_equal(journal_commit(&j, &err), 0);
		journal_close(&j);
		assert_int_equal(count_in(&st, "k", 0), nr + 3);
		assert_int_equal(catalog_remove(&st, "k", &err), 0);
	}
	assert_int_equal(blocks_free(&st), st.nr_blocks);
	store_close(&st);
}

/* Written on DAX, gone on with elsewhere: the copy of a store is one, too. */
static void test_moved(void **state)
{
	struct journal j;
	struct store st;

	make_store(&st, "a", 4 * MIB);
	st.m.durable = true;
	assert_int_equal(journal_create(&j, &st, "t", NULL), 0);
	for (uint32_t i = 0; i < 20; i++)
		assert_int_equal(put_one(&j, 1, i, NULL), 0);
	assert_int_equal(journal_commit(&j, NULL), 0);
	journal_close(&j);
	st.m.durable = false;
	assert_int_equal(count_in(&st, "t", 1), 20);
	assert_int_equal(journal_reopen(&j, &st, "t", NULL), 0);
	assert_int_equal(count_chunks(&j, 1), 20);
	assert_int_equal(put_one(&j, 1, 20, NULL), 0);
	assert_int_equal(journal_commit(&j, NULL), 0);
	journal_close(&j);
	assert_int_equal(count_in(&st, "t", 1), 21);
	st.m.durable = true;
	assert_int_equal(journal_reopen(&j, &st, "t", NULL), 0);
	assert_int_equal(count_chunks(&j, 1), 21);
	journal_close(&j);
	store_close(&st);
}

/* Power loss without DAX: a word is there, what it covers is not. */
static void test_unsynced(void **state)
{
	struct xf_err err = { 0 };
	struct journal j;
	struct store st;
	uint64_t synced, pos[41] = { 0 };

	for (int lost = 20; lost < 40; lost += 5) {
		make_store(&st, "a", 4 * MIB);
		assert_false(st.m.durable);
		assert_int_equal(journal_create(&j, &st, "t", &err), 0);
		for (uint32_t i = 0; i < 40; i++) {
			assert_int_equal(put_one(&j, 1, i, &err), 0);
			assert_int_equal(journal_commit(&j, &err), 0);
			if (i == 19)
				assert_int_equal(journal_sync(&j, &err), 0);
		}
		synced = j.synced;
		struct journal_chunk c = { 0 };
		for (int i = 0; i < 40; i++) {
			assert_int_equal(journal_next(&j, &c, &err), 1);
			pos[i + 1] = c.pos;
		}
		assert_int_equal(synced, pos[20]);
		uint64_t off = (const uint8_t *)c.data - st.m.base - 16 -
			       (pos[39] - pos[lost]);
		journal_close(&j);
		store_close(&st);
		poke("a", off + 3, "?", 1);

		assert_int_equal(store_open(&st, "a", true, &err), 0);
		assert_int_equal(count_in(&st, "t", 1), lost);
		assert_int_equal(journal_reopen(&j, &st, "t", &err), 0);
		assert_int_equal(j.end, pos[lost]);
		assert_int_equal(put_one(&j, 1, lost, &err), 0);
		assert_int_equal(journal_commit(&j, &err), 0);
		journal_close(&j);
		assert_int_equal(count_in(&st, "t", 1), lost + 1);
		store_close(&st);
		assert_int_equal(unlink("a"), 0);
	}
}

/* What was synced and is not there is damage. */
static void test_damaged(void **state)
{
	struct xf_err err = { 0 };
	struct store st;
	struct journal j;
	struct journal_chunk c = { 0 };
	uint64_t off;

	make_store(&st, "a", 4 * MIB);
	make_trace(&st, "t", 1, 40);
	assert_int_equal(journal_open(&j, &st, "t", &err), 0);
	for (int i = 0; i < 10; i++)
		assert_int_equal(journal_next(&j, &c, &err), 1);
	off = (const uint8_t *)c.data - st.m.base + c.len / 2;
	journal_close(&j);
	store_close(&st);
	poke("a", off, "?", 1);
	assert_int_equal(store_open(&st, "a", true, &err), 0);
	assert_int_equal(count_in(&st, "t", 1), -EBADMSG);
	/* Not where it is overwritten by somebody who means well. */
	assert_int_equal(check_file("a", CHECK_REPAIR, NULL, NULL, &err), 1);
	assert_int_equal(count_in(&st, "t", 1), -EBADMSG);
	store_close(&st);
}

/* As many chunks as before, or an error, and then they can be salvaged. */
static void reopens_whole(const char *path, int nr)
{
	struct journal j;
	struct store st;
	int rc;

	assert_int_equal(store_open(&st, path, true, NULL), 0);
	rc = journal_reopen(&j, &st, "t", NULL);
	if (!rc)
		journal_close(&j);
	store_close(&st);
	if (rc) {
		assert_int_equal(rc, -EBADMSG);
		check_file(path, CHECK_SALVAGE, NULL, NULL, NULL);
	}
	assert_int_equal(store_open(&st, path, true, NULL), 0);
	assert_int_equal(journal_reopen(&j, &st, "t", NULL), 0);
	assert_int_equal(count_chunks(&j, 1), nr);
	journal_close(&j);
	store_close(&st);
}

static void copy_file(const char *from, const char *to)
{
	char command[64];

	snprintf(command, sizeof(command), "cp --sparse=always %s %s", from, to);
	assert_int_equal(system(command), 0);
}

/* With any bit of the word for what is synced flipped nothing is cut off. */
static void test_synced_word(void **state)
{
	struct xf_err err = { 0 };
	struct journal_chunk c = { 0 };
	uint64_t off, synced;
	struct journal j;
	struct store st;

	/* Three writers, so three eras, and an end that is not synced. */
	make_store(&st, "a", MIB);
	make_trace(&st, "t", 1, 10);
	for (uint32_t n = 10; n < 30; n += 10) {
		assert_int_equal(journal_reopen(&j, &st, "t", &err), 0);
		for (uint32_t i = n; i < n + 10; i++)
			assert_int_equal(put_one(&j, 1, i, &err), 0);
		assert_int_equal(journal_commit(&j, &err), 0);
		journal_close(&j);
	}
	assert_int_equal(journal_open(&j, &st, "t", &err), 0);
	off = entry_off(&st, j.slot) + offsetof(struct store_entry, synced);
	synced = j.synced;
	assert_int_not_equal(synced, j.committed);
	for (int bit = 0; bit < 64; bit++) {
		uint64_t word = synced ^ 1ULL << bit;

		copy_file("a", "b");
		poke("b", off, &word, sizeof(word));
		reopens_whole("b", 30);
	}
	/* Where a chunk ends, of those that the last writer has added. */
	while (c.pos < synced)
		assert_int_equal(journal_next(&j, &c, &err), 1);
	for (;;) {
		copy_file("a", "b");
		poke("b", off, &c.pos, sizeof(c.pos));
		reopens_whole("b", 30);
		if (journal_next(&j, &c, &err) <= 0)
			break;
	}
	journal_close(&j);
	store_close(&st);
}

static void test_transfer(void **state)
{
	static char symbols[70000];
	struct xf_err err = { 0 };
	struct catalog_entry e;
	struct store st, other;
	struct journal j;
	struct stat s;

	make_store(&st, "a", 8 * MIB);
	assert_int_equal(journal_create(&j, &st, "t", &err), 0);
	assert_int_equal(
		journal_share(&j, 0, "key", "", len_of(1, 0) * 0, &err), 0);
	journal_close(&j);
	assert_int_equal(catalog_remove(&st, "t", &err), 0);

	make_trace(&st, "plain", 1, 700);
	memset(symbols, 's', sizeof(symbols));
	assert_int_equal(journal_create(&j, &st, "shares", &err), 0);
	assert_int_equal(
		journal_share(&j, 9, "kernel", symbols, sizeof(symbols), &err),
		0);
	assert_int_equal(journal_put(&j, 1, "x", 1, &err), 0);
	assert_int_equal(
		journal_share(&j, 9, "kernel", symbols, sizeof(symbols), &err),
		0);
	assert_int_equal(journal_commit(&j, &err), 0);

	assert_int_equal(transfer_export(&st, NULL, "f", &err), -ENOTUNIQ);
	assert_int_equal(transfer_export(&st, "none", "f", &err), -ENOENT);
	assert_int_equal(transfer_export(&st, "plain", "f", &err), 0);
	assert_int_equal(transfer_export(&st, "plain", "f", &err), -EEXIST);
	assert_int_equal(transfer_export(&st, "plain", "no/f", &err), -ENOENT);
	/* One that is still written, too. */
	assert_int_equal(transfer_export(&st, "shares", "g", &err), 0);
	journal_close(&j);
	assert_int_equal(check_file("f", CHECK_LOOK, NULL, NULL, &err), 0);
	assert_int_equal(check_file("g", CHECK_LOOK, NULL, NULL, &err), 0);
	assert_int_equal(stat("g", &s), 0);
	assert_true(s.st_size < 110000);

	assert_int_equal(transfer_import(&st, "f", NULL, &err), -EEXIST);
	assert_int_equal(transfer_import(&st, "f", "back", &err), 0);
	assert_int_equal(count_in(&st, "back", 1), 700);
	assert_int_equal(catalog_find(&st, "back", &e, &err), 0);
	assert_true(e.finished);

	/* Into another store; not into one that is too small. */
	make_store(&other, "b", 300000);
	assert_int_equal(transfer_import(&other, "f", NULL, &err), -ENOSPC);
	assert_int_equal(catalog_only(&other, &e, &err), -ENOENT);
	assert_int_equal(blocks_free(&other), other.nr_blocks);
	assert_int_equal(transfer_import(&other, "g", "bad name", &err),
			 -EINVAL);
	assert_int_equal(transfer_import(&other, "g", NULL, &err), 0);
	assert_int_equal(journal_open(&j, &other, "shares", &err), 0);
	struct journal_chunk c = { 0 };
	for (int i = 0; i < 3; i++) {
		assert_int_equal(journal_next(&j, &c, &err), 1);
		assert_int_equal(c.len, i == 1 ? 1 : sizeof(symbols));
		assert_memory_equal(c.data, i == 1 ? "x" : symbols, c.len);
	}
	journal_close(&j);
	store_close(&other);
	store_close(&st);
}

/* A reader may come at any time. */
static void test_reader_races(void **state)
{
	struct xf_err err = { 0 };
	struct store st;
	struct journal j;
	int status, last = 0;
	pid_t pid;

	make_store(&st, "a", 64 * MIB);
	assert_int_equal(journal_create(&j, &st, "t", &err), 0);
	journal_close(&j);
	pid = fork();
	if (!pid) {
		struct store own;

		if (store_open(&own, "a", true, NULL) ||
		    journal_reopen(&j, &own, "t", NULL))
			_exit(1);
		for (uint32_t i = 0; j.end < 12 * MIB; i++)
			if (put_one(&j, 3, i, NULL) || journal_commit(&j, NULL))
				_exit(2);
		_exit(0);
	}
	do {
		int nr = count_in(&st, "t", 3);

		assert_true(nr >= last);
		last = nr;
	} while (!waitpid(pid, &status, WNOHANG));
	assert_int_equal(status, 0);
	store_close(&st);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_life),     TEST(test_put),
		TEST(test_pieces),   TEST(test_killed),
		TEST(test_moved),    TEST(test_unsynced),
		TEST(test_damaged),  TEST(test_synced_word),
		TEST(test_transfer), TEST(test_reader_races),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
