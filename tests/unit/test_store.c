// SPDX-License-Identifier: GPL-2.0-only
/*
 * store: its head is believed only when all of it makes sense; several
 * processes; a medium that fills up, cannot be written or is cut short.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/wait.h>

#include "fake_store.h"

static int open_rc(const char *path, bool writable)
{
	struct store st = { .nr_slots = 4711 };
	struct xf_err err = { 0 };
	int rc = store_open(&st, path, writable, &err);

	assert_int_equal(err.code, rc);
	if (!rc) {
		store_close(&st);
		return 0;
	}
	assert_non_null(strstr(err.msg, path));
	assert_int_equal(st.nr_slots, 4711);
	return rc;
}

static void test_shapes(void **state)
{
	static const uint64_t sizes[] = { 200000,    MIB,	 10000001,
					  100 * MIB, 1ULL << 30, 40ULL << 30 };
	struct store_shape shape = { .thin = true };
	struct xf_err err = { 0 };
	struct store st, again;
	struct stat s;

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		shape.size = sizes[i];
		assert_int_equal(store_create(&st, "a", &shape, &err), 0);
		assert_int_equal(stat("a", &s), 0);
		assert_true((uint64_t)s.st_size <= sizes[i]);
		assert_true((uint64_t)s.st_size > sizes[i] / 10 * 9 ||
			    sizes[i] < MIB);
		assert_true(st.nr_blocks <= 65536);
		assert_int_equal(st.data_off % 4096, 0);
		assert_int_equal(store_create(&again, "a", &shape, &err),
				 -EEXIST);
		store_close(&st);
		assert_int_equal(open_rc("a", true), 0);
		assert_int_equal(open_rc("a", false), 0);
		unlink("a");
	}
	shape.size = 5000;
	assert_int_equal(store_create(&st, "a", &shape, &err), -EINVAL);
	shape.size = MIB;
	shape.block = 1000;
	assert_int_equal(store_create(&st, "a", &shape, &err), -EINVAL);
	shape.block = 256;
	assert_int_equal(store_create(&st, "a", &shape, &err), -EINVAL);
	shape.block = 512;
	shape.nr_slots = STORE_MAX_SLOTS + 1;
	assert_int_equal(store_create(&st, "a", &shape, &err), -EINVAL);
	shape.nr_slots = 3;
	assert_int_equal(store_create(&st, "no/a", &shape, &err), -ENOENT);
	assert_int_equal(access("a", F_OK), -1);
	assert_int_equal(store_create(&st, "a", &shape, &err), 0);
	assert_int_equal(st.nr_slots, 3);
	make_trace(&st, "x", 1, 5);
	assert_int_equal(count_in(&st, "x", 1), 5);
	store_close(&st);
}

static void rewrite(const char *path, void (*change)(struct store_head *h),
		    bool sum)
{
	struct store_head h;
	FILE *f = fopen(path, "r");

	assert_non_null(f);
	assert_int_equal(fread(&h, sizeof(h), 1, f), 1);
	fclose(f);
	change(&h);
	if (sum)
		h.crc = store_head_crc(&h);
	poke(path, 0, &h, sizeof(h));
}

#define CHANGE(name, what)                                                     \
	static void name(struct store_head *h)                                 \
	{                                                                      \
		what;                                                          \
	}
CHANGE(newer, h->major++)
CHANGE(older, h->major--)
CHANGE(minor, h->minor += 7)
CHANGE(feature, h->incompat ^= 1ULL << 40)
CHANGE(harmless, h->compat ^= 1ULL << 40)
CHANGE(other_magic, h->magic ^= 1)
CHANGE(many_slots, h->nr_slots = UINT32_MAX)
CHANGE(many_blocks, h->nr_blocks = 1ULL << 60)
CHANGE(wide_shift, h->block_shift = 70)
CHANGE(other_place, h->data_off += 1ULL << 63)
CHANGE(other_map, h->map_off += 8)
CHANGE(larger, h->size = UINT64_MAX)
CHANGE(nothing, )

static void test_heads(void **state)
{
	struct store st;

	make_store(&st, "a", MIB);
	store_close(&st);
	rewrite("a", newer, true);
	assert_int_equal(open_rc("a", false), -EPROTO);
	assert_int_equal(open_rc("a", true), -EPROTO);
	rewrite("a", older, true);
	assert_int_equal(open_rc("a", false), 0);
	rewrite("a", minor, true);
	assert_int_equal(open_rc("a", false), 0);
	rewrite("a", harmless, true);
	assert_int_equal(open_rc("a", true), 0);
	rewrite("a", feature, true);
	assert_int_equal(open_rc("a", false), -EPROTO);
	rewrite("a", feature, false);
	assert_int_equal(open_rc("a", false), -EBADMSG);
	rewrite("a", nothing, true);
	assert_int_equal(open_rc("a", false), 0);
	rewrite("a", other_magic, true);
	assert_int_equal(open_rc("a", false), -EBADMSG);
	rewrite("a", other_magic, true);
	static void (*const lies[])(struct store_head * h) = {
		many_slots,  many_blocks, wide_shift,
		other_place, other_map,	  larger,
	};
	for (size_t i = 0; i < ARRAY_SIZE(lies); i++) {
		struct store_head good;
		FILE *f = fopen("a", "r");

		assert_int_equal(fread(&good, sizeof(good), 1, f), 1);
		fclose(f);
		rewrite("a", lies[i], true);
		assert_int_equal(open_rc("a", false), -EBADMSG);
		poke("a", 0, &good, sizeof(good));
		assert_int_equal(open_rc("a", false), 0);
	}
	assert_int_equal(truncate("a", MIB / 2), 0);
	assert_int_equal(open_rc("a", false), -EBADMSG);
	assert_int_equal(truncate("a", 4096), 0);
	assert_int_equal(open_rc("a", true), -EBADMSG);
}

/* Any byte of it wrong: opened or not, nothing dies and nothing hangs. */
static void test_noise(void **state)
{
	uint8_t *good, *bad;
	struct store st;
	size_t len, map;
	FILE *f;

	make_store(&st, "a", 300000);
	make_trace(&st, "one", 1, 20);
	make_trace(&st, "two", 2, 20);
	len = st.m.len;
	map = st.map_off;
	good = malloc(len);
	bad = malloc(len);
	memcpy(good, st.m.base, len);
	store_close(&st);
	srand(5);
	for (int i = 0; i < 400; i++) {
		uint32_t slot = 0;
		struct catalog_entry e;
		struct xf_err err;

		memcpy(bad, good, len);
		for (int n = 0; n < 1 + i % 60; n++) {
			/* Where something is: head, entries, map, contents. */
			size_t r = rand();
			size_t at = n % 4 == 0	 ? r % 192
				    : n % 4 == 1 ? 8192 + r % 400
				    : n % 4 == 2 ? map + r % 300
						 : r % len;

			bad[i % 2 || at >= 192 ? at : 8192 + at] = rand();
		}
		f = fopen("b", "w");
		assert_int_equal(fwrite(bad, 1, len, f), len);
		fclose(f);
		if (!store_open(&st, "b", true, &err)) {
			while (catalog_next(&st, &slot, &e)) {
				struct journal j;
				struct journal_chunk c = { 0 };

				if (journal_open(&j, &st, e.name, &err))
					continue;
				while (journal_next(&j, &c, &err) > 0)
					assert_true((uint8_t *)c.data + c.len <=
						    st.m.base + st.m.len);
				journal_close(&j);
				if (!journal_reopen(&j, &st, e.name, &err)) {
					(void)put_one(&j, 1, 1, &err);
					(void)journal_commit(&j, &err);
					journal_close(&j);
				}
			}
			store_close(&st);
		}
		(void)check_file("b", CHECK_REPAIR, NULL, NULL, &err);
		(void)check_file("b", CHECK_LOOK, NULL, NULL, &err);
	}
	free(good);
	free(bad);
}

/* Recorders, a reader, and one who creates, renames and removes, at once. */
static void worker(const char *path, uint32_t who)
{
	struct xf_err err = { 0 };
	struct store st;
	char name[32], to[32];

	if (store_open(&st, path, true, &err))
		_exit(10);
	for (uint32_t round = 0; round < 40; round++) {
		struct journal j;
		uint32_t nr = 0;

		snprintf(name, sizeof(name), "w%u-%u", who, round);
		snprintf(to, sizeof(to), "r%u-%u", who, round);
		if (journal_create(&j, &st, name, &err))
			_exit(11);
		while (nr < 30) {
			if (put_one(&j, who, nr++, &err))
				_exit(12);
			if (nr % 5 == 0 && journal_commit(&j, &err))
				_exit(13);
			if (nr == 15 && catalog_rename(&st, name, to, &err))
				_exit(14);
		}
		if (who % 2 && journal_share(&j, nr, "key", name, 0, &err))
			_exit(15);
		journal_close(&j);
		if (count_in(&st, to, who) != 30)
			_exit(16);
		if (round % 4 && catalog_remove(&st, to, &err) &&
		    err.code != -EBUSY)
			_exit(17);
	}
	_exit(0);
}

static void test_processes(void **state)
{
	struct catalog_entry e;
	struct xf_err err;
	struct store st;
	int status, left = 4;

	make_store(&st, "a", 16 * MIB);
	for (uint32_t who = 0; who < 4; who++)
		if (!fork())
			worker("a", who);
	/* A reader sees traces that are whole, however short. */
	while (left) {
		uint32_t slot = 0;

		while (catalog_next(&st, &slot, &e)) {
			struct journal j;

			assert_false(e.damaged);
			if (journal_open(&j, &st, e.name, NULL))
				continue;
			assert_int_equal(count_chunks(&j, e.name[1] - '0') % 5,
					 0);
			journal_close(&j);
		}
		if (waitpid(-1, &status, WNOHANG) > 0) {
			assert_int_equal(status, 0);
			left--;
		}
	}
	store_close(&st);
	assert_int_equal(check_file("a", CHECK_REPAIR, NULL, NULL, &err), 0);
}

/* Until nothing fits; all that was committed stays. */
static void fill(struct store *st)
{
	struct xf_err err = { 0 };
	struct journal j;
	int nr = 0;

	assert_int_equal(journal_create(&j, st, "full", &err), 0);
	while (!put_one(&j, 3, nr, &err)) {
		assert_int_equal(journal_commit(&j, &err), 0);
		nr++;
	}
	assert_int_equal(err.code, -ENOSPC);
	assert_int_equal(journal_commit(&j, &err), 0);
	assert_int_equal(put_one(&j, 3, nr, &err), -ENOSPC);
	assert_int_equal(count_chunks(&j, 3), nr);
	assert_true(nr > 100);
	journal_close(&j);
	assert_int_equal(count_in(st, "full", 3), nr);
	/* Others still get what they have. */
	assert_int_equal(catalog_remove(st, "full", &err), 0);
	make_trace(st, "next", 4, 100);
	assert_int_equal(count_in(st, "next", 4), 100);
}

static void test_full(void **state)
{
	struct store st;

	make_store(&st, "a", 2 * MIB);
	fill(&st);
	store_close(&st);
}

/* A thin store on a disk that is smaller. */
static void test_disk_full(void **state)
{
	struct store_shape shape = { .size = 64 * MIB,
				     .nr_slots = 16,
				     .thin = true };
	struct xf_err err;
	struct store st;
	int status;
	pid_t pid;

	if (geteuid())
		skip();
	assert_int_equal(mkdir("disk", 0700), 0);
	pid = fork();
	if (!pid) {
		if (unshare(CLONE_NEWNS) ||
		    mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
		    mount("none", "disk", "tmpfs", 0, "size=4m"))
			_exit(77);
		if (store_create(&st, "disk/a", &shape, &err))
			_exit(1);
		struct journal j;
		int nr = 0;

		if (journal_create(&j, &st, "t", &err))
			_exit(2);
		while (!put_one(&j, 3, nr, &err) && !journal_commit(&j, &err))
			nr++;
		if (err.code != -ENOSPC || nr < 1000)
			_exit(3);
		journal_close(&j);
		if (count_in(&st, "t", 3) != nr)
			_exit(4);
		store_close(&st);
		/* With all its space at once it does not even begin. */
		shape.thin = false;
		if (store_create(&st, "disk/b", &shape, &err) != -ENOSPC ||
		    !access("disk/b", F_OK))
			_exit(5);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
		skip();
	assert_int_equal(status, 0);
}

static void test_read_only(void **state)
{
	struct store st;
	int status;
	pid_t pid;

	make_store(&st, "a", MIB);
	make_trace(&st, "x", 1, 5);
	store_close(&st);
	assert_int_equal(store_open(&st, "a", false, NULL), 0);
	assert_int_equal(count_in(&st, "x", 1), 5);
	assert_int_equal(catalog_remove(&st, "x", NULL), -EROFS);
	assert_int_equal(catalog_rename(&st, "x", "y", NULL), -EROFS);
	assert_int_equal(store_set_quota(&st, 1, NULL), -EROFS);
	struct journal j;
	assert_int_equal(journal_create(&j, &st, "z", NULL), -EROFS);
	assert_int_equal(journal_reopen(&j, &st, "x", NULL), -EBADF);
	store_close(&st);
	if (geteuid())
		skip();
	assert_int_equal(chmod(".", 0755), 0);
	assert_int_equal(chmod("a", 0444), 0);
	pid = fork();
	if (!pid) {
		if (setgid(65534) || setuid(65534))
			_exit(77);
		if (store_open(&st, "a", true, NULL) != -EACCES ||
		    store_open(&st, "a", false, NULL))
			_exit(1);
		_exit(count_in(&st, "x", 1) != 5);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
		skip();
	assert_int_equal(status, 0);
}

/* Cut short while a recorder writes and a reader reads. */
static void test_cut_short(void **state)
{
	struct xf_err err = { 0 };
	struct journal j, reader;
	struct store st, other;
	int rc = 0;

	make_store(&st, "a", 4 * MIB);
	assert_int_equal(store_open(&other, "a", false, NULL), 0);
	assert_int_equal(journal_create(&j, &st, "x", NULL), 0);
	for (uint32_t i = 0; i < 300; i++)
		assert_int_equal(put_one(&j, 1, i, NULL), 0);
	assert_int_equal(journal_commit(&j, NULL), 0);
	assert_int_equal(journal_open(&reader, &other, "x", NULL), 0);
	assert_int_equal(truncate("a", st.data_off + 8192), 0);
	for (uint32_t i = 300; i < 600 && !rc; i++) {
		rc = put_one(&j, 1, i, &err);
		rc = rc ? rc : journal_commit(&j, &err);
	}
	assert_int_equal(rc, -EIO);
	assert_int_equal(j.committed, reader.committed);
	assert_int_equal(count_chunks(&reader, 1), -EIO);
	assert_int_equal(journal_failed(&reader, &err), -EIO);
	journal_close(&j);
	journal_close(&reader);
	store_close(&st);
	store_close(&other);
	assert_int_equal(open_rc("a", true), -EBADMSG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_shapes),    TEST(test_heads),
		TEST(test_noise),     TEST(test_processes),
		TEST(test_full),      TEST(test_disk_full),
		TEST(test_read_only), TEST(test_cut_short),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
