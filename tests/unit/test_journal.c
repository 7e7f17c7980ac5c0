// SPDX-License-Identifier: GPL-2.0-only
/*
 * journal: what was committed is there, what was not is not, whatever ends the
 * writer; and files that are no journals, or no longer.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "buf.h"
#include "cleanup.h"
#include "io.h"
#include "journal.h"

#define MIB (1u << 20)

static char folder[64];

static int set_up(void **state)
{
	strcpy(folder, "/tmp/test_journal.XXXXXX");
	return mkdtemp(folder) && !chdir(folder) ? 0 : -1;
}

static int tear_down(void **state)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -r %s", folder);
	return chdir("/") || system(command);
}

static off_t size_of(const char *path)
{
	struct stat st;

	assert_int_equal(stat(path, &st), 0);
	return st.st_size;
}

/* Chunk @i proves itself: its type, length and bytes follow from i. */
static size_t len_of(uint32_t i)
{
	return (i * 2654435761u >> 16) % 3000;
}

static uint8_t byte_of(uint32_t i, size_t at)
{
	return (i + 1) * 31 + at * 7;
}

static int put(struct journal *j, uint32_t i, struct xf_err *err)
{
	size_t len = len_of(i);
	uint8_t *p = journal_reserve(j, len, err);

	if (!p)
		return -1;
	assert_int_equal((uintptr_t)p % 8, 0);
	for (size_t at = 0; at < len; at++)
		p[at] = byte_of(i, at);
	journal_add(j, i, len);
	return 0;
}

/* All chunks, in order, and nothing else; returns how many. */
static uint32_t check(const struct journal *j)
{
	struct xf_err err = { 0 };
	const uint8_t *data;
	uint32_t nr = 0, type;
	uint64_t pos = 0;
	size_t len;
	int rc;

	while ((rc = journal_next(j, &pos, &type, (const void **)&data, &len,
				  &err)) > 0) {
		assert_int_equal(type, nr);
		assert_int_equal(len, len_of(nr));
		assert_int_equal((uintptr_t)data % 8, 0);
		for (size_t at = 0; at < len; at++)
			if (data[at] != byte_of(nr, at))
				fail_msg("chunk %u, byte %zu", nr, at);
		nr++;
	}
	assert_int_equal(rc, 0);
	assert_int_equal(pos, j->committed);
	return nr;
}

static uint32_t check_file(const char *path)
{
	struct journal j;
	uint32_t nr;

	assert_int_equal(journal_open(&j, path, NULL), 0);
	nr = check(&j);
	journal_close(&j);
	return nr;
}

static void test_life(void **state)
{
	struct xf_err err = { 0 };
	struct journal j, again;
	struct stat st;

	assert_int_equal(journal_create(&j, "a", &err), 0);
	assert_int_equal(stat("a", &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(journal_create(&again, "a", &err), -EEXIST);
	assert_int_equal(journal_create(&again, "none/a", &err), -ENOENT);
	assert_int_equal(check_file("a"), 0);

	/* A reader sees what is committed and nothing more. */
	for (uint32_t i = 0; i < 10; i++)
		assert_int_equal(put(&j, i, &err), 0);
	assert_int_equal(check_file("a"), 0);
	journal_commit(&j);
	assert_int_equal(check_file("a"), 10);
	assert_int_equal(put(&j, 10, &err), 0);
	assert_int_equal(check_file("a"), 10);
	assert_int_equal(journal_sync(&j, &err), 0);
	assert_int_equal(check_file("a"), 10);

	/* Reserved and given up. */
	assert_non_null(journal_reserve(&j, 100000, &err));
	journal_commit(&j);
	journal_commit(&j);
	assert_int_equal(check_file("a"), 11);

	/* The end is cut off: what was not committed is gone. */
	assert_int_equal(put(&j, 11, &err), 0);
	journal_close(&j);
	assert_null(j.path);
	journal_close(&j);
	assert_int_equal(check_file("a"), 11);
	assert_true(size_of("a") < JOURNAL_HEAD + 11 * 3016);
	assert_int_equal(size_of("a") % 8, 0);

	/* And on again, from there. */
	assert_int_equal(journal_reopen(&j, "a", &err), 0);
	assert_int_equal(check(&j), 11);
	for (uint32_t i = 11; i < 20; i++)
		assert_int_equal(put(&j, i, &err), 0);
	journal_commit(&j);
	journal_close(&j);
	assert_int_equal(check_file("a"), 20);
	/* Opening for reading changes nothing. */
	assert_int_equal(stat("a", &st), 0);
	assert_int_equal(check_file("a"), 20);
	assert_int_equal(size_of("a"), st.st_size);
}

static void test_put(void **state)
{
	struct xf_err err = { 0 };
	const void *data;
	struct journal j;
	uint64_t pos = 0;
	uint32_t type;
	size_t len;

	assert_int_equal(journal_create(&j, "a", &err), 0);
	assert_int_equal(journal_put(&j, 5, "hello", 5, &err), 0);
	assert_int_equal(journal_put(&j, UINT32_MAX, "", 0, &err), 0);
	assert_int_equal(journal_put(&j, 0, "12345678", 8, &err), 0);
	journal_commit(&j);
	assert_int_equal(journal_next(&j, &pos, &type, &data, &len, &err), 1);
	assert_int_equal(type, 5);
	assert_int_equal(len, 5);
	assert_memory_equal(data, "hello", 5);
	assert_int_equal(journal_next(&j, &pos, &type, &data, &len, &err), 1);
	assert_int_equal(type, UINT32_MAX);
	assert_int_equal(len, 0);
	assert_int_equal(journal_next(&j, &pos, &type, &data, &len, &err), 1);
	assert_int_equal(len, 8);
	assert_int_equal(journal_next(&j, &pos, &type, &data, &len, &err), 0);
	assert_int_equal(journal_next(&j, &pos, &type, &data, &len, &err), 0);

	/* Too much for one chunk, also where the sum would wrap. */
	assert_null(journal_reserve(&j, JOURNAL_CHUNK_MAX + 1, &err));
	assert_int_equal(err.code, -EFBIG);
	assert_null(journal_reserve(&j, SIZE_MAX, &err));
	assert_null(journal_reserve(&j, SIZE_MAX - 4096, &err));
	assert_int_equal(journal_put(&j, 1, "", JOURNAL_CHUNK_MAX + 1, &err),
			 -EFBIG);
	assert_true(journal_put(&j, 1, "", JOURNAL_CHUNK_MAX + 1, NULL) < 0);
	assert_int_equal(j.end, j.committed);
	journal_close(&j);
}

/* Far beyond the first 8 MiB, and one chunk as large as they come. */
static void test_growth(void **state)
{
	struct xf_err err = { 0 };
	struct journal j, reader;
	uint64_t pos = 0;
	const void *data;
	uint32_t type, nr;
	size_t len;
	char *p;

	assert_int_equal(journal_create(&j, "a", &err), 0);
	assert_int_equal(journal_open(&reader, "a", &err), 0);
	for (nr = 0; j.end < 20 * MIB; nr++) {
		assert_int_equal(put(&j, nr, &err), 0);
		if (nr % 1000 == 0)
			journal_commit(&j);
	}
	journal_commit(&j);
	assert_int_equal(check(&j), nr);
	assert_int_equal(check_file("a"), nr);
	/* A reader that came early still sees what it saw. */
	assert_int_equal(check(&reader), 0);
	journal_close(&reader);

	/* Not twice as large as needed. */
	assert_true(size_of("a") < 33 * MIB);
	p = journal_reserve(&j, JOURNAL_CHUNK_MAX, &err);
	assert_non_null(p);
	p[JOURNAL_CHUNK_MAX - 1] = 'x';
	journal_add(&j, 77, JOURNAL_CHUNK_MAX);
	journal_commit(&j);
	for (uint32_t i = 0; i <= nr; i++)
		assert_int_equal(
			journal_next(&j, &pos, &type, &data, &len, &err), 1);
	assert_int_equal(type, 77);
	assert_int_equal(len, JOURNAL_CHUNK_MAX);
	assert_int_equal(((const char *)data)[len - 1], 'x');
	journal_close(&j);
}

/* ---- files that are no journals ---- */

static struct journal_head *map_head(const char *path, size_t len)
{
	int fd = open(path, O_RDWR);
	void *p = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	close(fd);
	assert_ptr_not_equal(p, MAP_FAILED);
	return p;
}

static int open_rc(const char *path, bool reopen)
{
	struct journal j = { .end = 4711 };
	struct xf_err err = { 0 };
	int rc = reopen ? journal_reopen(&j, path, &err)
			: journal_open(&j, path, &err);

	assert_int_equal(err.code, rc);
	if (rc) {
		assert_non_null(strstr(err.msg, path));
		/* As it was before. */
		assert_int_equal(j.end, 4711);
	} else {
		journal_close(&j);
	}
	return rc;
}

static void make(const char *path, uint32_t nr)
{
	struct journal j;

	assert_int_equal(journal_create(&j, path, NULL), 0);
	for (uint32_t i = 0; i < nr; i++)
		assert_int_equal(put(&j, i, NULL), 0);
	journal_commit(&j);
	journal_close(&j);
}

static void test_no_journal(void **state)
{
	_cleanup_(buf_deinit) struct buf noise = BUF_INIT;

	assert_int_equal(open_rc("none", false), -ENOENT);
	assert_int_equal(open_rc("none", true), -ENOENT);
	/* Asking does not make one. */
	assert_int_equal(access("none", F_OK), -1);
	assert_int_equal(open_rc(".", false), -EBADMSG);
	assert_int_equal(open_rc("/dev/null", false), -EBADMSG);
	assert_int_equal(mkfifo("fifo", 0600), 0);
	assert_int_equal(open_rc("fifo", false), -EBADMSG);
	assert_int_equal(io_replace_file("empty", "", 0, 0600, NULL), 0);
	assert_int_equal(open_rc("empty", false), -EBADMSG);
	assert_int_equal(open_rc("empty", true), -EBADMSG);
	assert_int_equal(size_of("empty"), 0);

	srand(7);
	for (int i = 0; i < 20000; i++)
		buf_putc(&noise, rand());
	for (size_t len = 1; len <= noise.len; len += 1333) {
		assert_int_equal(
			io_replace_file("noise", noise.data, len, 0600, NULL),
			0);
		assert_int_equal(open_rc("noise", false), -EBADMSG);
		assert_int_equal(open_rc("noise", true), -EBADMSG);
		/* It was not ours: it is as it was. */
		assert_int_equal(size_of("noise"), len);
	}
}

static void test_versions(void **state)
{
	struct journal_head *h;

	make("a", 3);
	h = map_head("a", JOURNAL_HEAD);
	h->major = JOURNAL_MAJOR + 1;
	assert_int_equal(open_rc("a", false), -EPROTO);
	assert_int_equal(open_rc("a", true), -EPROTO);
	h->major = 0;
	assert_int_equal(open_rc("a", false), -EPROTO);
	h->major = JOURNAL_MAJOR;
	h->minor = 99;
	assert_int_equal(open_rc("a", false), 0);
	h->magic ^= 1;
	assert_int_equal(open_rc("a", false), -EBADMSG);
	h->magic ^= 1;
	assert_int_equal(check_file("a"), 3);
	munmap(h, JOURNAL_HEAD);
}

static void test_cut_short(void **state)
{
	off_t len;

	make("a", 40);
	len = size_of("a");
	for (off_t cut = len - 1; cut > 0; cut -= 1 + cut / 7) {
		assert_int_equal(truncate("a", cut), 0);
		assert_int_equal(open_rc("a", false), -EBADMSG);
		assert_int_equal(open_rc("a", true), -EBADMSG);
		assert_int_equal(size_of("a"), cut);
	}
}

/* committed and chunk headers that lie: an error, or less, and never more. */
static void test_damaged(void **state)
{
	static const uint64_t lies[] = {
		1,
		4,
		7,
		8,
		12,
		16,
		1 << 20,
		UINT32_MAX,
		1ull << 63,
		UINT64_MAX,
		UINT64_MAX - 7,
		UINT64_MAX - JOURNAL_HEAD + 1,
	};
	struct journal_head *h;
	struct journal_chunk *c;
	off_t len;

	make("a", 40);
	len = size_of("a");
	h = map_head("a", len);
	c = (void *)((char *)h + JOURNAL_HEAD);
	for (size_t i = 0; i < ARRAY_SIZE(lies); i++) {
		uint64_t good = h->committed;
		uint32_t good_len = c->len;
		struct journal j;
		struct xf_err err;
		const void *data;
		uint64_t pos = 0;
		uint32_t type;
		size_t n;
		int rc;

		h->committed = lies[i];
		if (!journal_open(&j, "a", NULL)) {
			while (journal_next(&j, &pos, &type, &data, &n, &err) >
			       0)
				assert_true((char *)data + n <=
					    (char *)j.map + j.map_len);
			journal_close(&j);
		}
		h->committed = good;

		c->len = lies[i];
		assert_int_equal(journal_open(&j, "a", NULL), 0);
		pos = 0;
		while ((rc = journal_next(&j, &pos, &type, &data, &n, &err)) >
		       0)
			assert_true((uint8_t *)data + n <=
				    j.map + JOURNAL_HEAD + good);
		assert_true(!rc || rc == -EBADMSG);
		journal_close(&j);
		c->len = good_len;
	}
	munmap(h, len);
	assert_int_equal(check_file("a"), 40);
}

/* Any byte of head or chunks wrong: no crash, no endless walk. */
static void test_noise(void **state)
{
	static uint8_t good[JOURNAL_HEAD + 64 * 1024];
	uint8_t *p;
	off_t len;

	make("a", 20);
	len = size_of("a");
	assert_true(len < (off_t)sizeof(good));
	p = (void *)map_head("a", len);
	memcpy(good, p, len);
	srand(11);
	for (int i = 0; i < 8000; i++) {
		off_t at = i % 4 ? JOURNAL_HEAD + rand() % (len - JOURNAL_HEAD)
				 : rand() % 72;
		uint64_t pos = 0, walked = 0;
		const void *data;
		struct journal j;
		uint32_t type;
		size_t n;

		p[at] = rand();
		if (!journal_open(&j, "a", NULL)) {
			while (journal_next(&j, &pos, &type, &data, &n, NULL) >
			       0) {
				assert_true((uint8_t *)data + n <=
					    j.map + j.map_len);
				assert_true(++walked <= j.committed / 8);
			}
			journal_close(&j);
		}
		if (i % 5 == 0)
			memcpy(p, good, len);
	}
	munmap(p, len);
}

/* ---- ends that were not planned ---- */

/* The writer is killed at any moment: a whole number of commits is left. */
static void test_killed(void **state)
{
	for (int round = 0; round < 15; round++) {
		struct journal j;
		uint32_t nr, said;
		char path[16];
		int fds[2];
		pid_t pid;

		snprintf(path, sizeof(path), "k%d", round);
		assert_int_equal(pipe(fds), 0);
		pid = fork();
		if (!pid) {
			uint32_t i = 0;

			if (journal_create(&j, path, NULL))
				_exit(1);
			for (;;) {
				for (int n = 0; n < 5; n++)
					if (put(&j, i++, NULL))
						_exit(1);
				journal_commit(&j);
				(void)!write(fds[1], &i, sizeof(i));
			}
		}
		close(fds[1]);
		/* It has promised that many at least. */
		for (int i = 0; i <= round * 30; i++)
			assert_int_equal(read(fds[0], &said, sizeof(said)),
					 sizeof(said));
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		while (read(fds[0], &said, sizeof(said)) == sizeof(said))
			;
		close(fds[0]);

		nr = check_file(path);
		assert_true(nr >= said && nr % 5 == 0);
		/* Somebody else goes on where it stopped. */
		assert_int_equal(journal_reopen(&j, path, NULL), 0);
		assert_int_equal(check(&j), nr);
		for (uint32_t i = 0; i < 3; i++)
			assert_int_equal(put(&j, nr + i, NULL), 0);
		journal_commit(&j);
		journal_close(&j);
		assert_int_equal(check_file(path), nr + 3);
		assert_int_equal(unlink(path), 0);
	}
}

/* Fill what there is, and look at what is left. */
static void fill(const char *path, int want)
{
	struct xf_err err = { 0 };
	struct journal j;
	uint32_t nr = 0;

	assert_int_equal(journal_create(&j, path, &err), 0);
	while (!put(&j, nr, &err)) {
		journal_commit(&j);
		nr++;
	}
	assert_int_equal(err.code, want);
	assert_non_null(strstr(err.msg, path));
	/* It can still be read, committed and closed, and tried once more. */
	assert_int_equal(check(&j), nr);
	assert_int_equal(put(&j, nr, &err), -1);
	assert_int_equal(journal_put(&j, 1, "x", JOURNAL_CHUNK_MAX, &err),
			 want);
	journal_commit(&j);
	assert_int_equal(check_file(path), nr);
	journal_close(&j);
	assert_int_equal(check_file(path), nr);
	assert_true(nr > 1000);
}

static void test_size_limit(void **state)
{
	struct rlimit was, small;
	struct journal j;

	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &was), 0);
	small = was;
	small.rlim_cur = 20 * MIB;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	fill("a", -EFBIG);
	/* Not even room for a beginning: no file stays behind. */
	small.rlim_cur = MIB;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	assert_int_equal(journal_create(&j, "b", NULL), -EFBIG);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &was), 0);
	assert_int_equal(access("b", F_OK), -1);
}

/* A file system of our own, in a mount namespace of our own. */
static void test_disk_full(void **state)
{
	pid_t pid;
	int status;

	if (geteuid())
		skip();
	assert_int_equal(mkdir("disk", 0700), 0);
	pid = fork();
	if (!pid) {
		struct journal j;

		/* cmocka's asserts cannot leave this process: abort instead. */
		if (unshare(CLONE_NEWNS) ||
		    mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
		    mount("none", "disk", "tmpfs", 0, "size=20m"))
			_exit(77);
		fill("disk/a", -ENOSPC);
		if (journal_create(&j, "disk/b", NULL) != -ENOSPC ||
		    !access("disk/b", F_OK))
			_exit(2);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
		skip();
	assert_int_equal(status, 0);
}

/* For reading, a file that may not be written is good enough. */
static void test_read_only(void **state)
{
	pid_t pid;
	int status;

	if (geteuid())
		skip();
	make("a", 5);
	assert_int_equal(chmod(".", 0755), 0);
	assert_int_equal(chmod("a", 0444), 0);
	pid = fork();
	if (!pid) {
		struct journal j;

		if (setgid(65534) || setuid(65534))
			_exit(77);
		_exit(journal_open(&j, "a", NULL) ? 1 : 0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
		skip();
	assert_int_equal(status, 0);
}

/* The file that is cut to size is ours, not one that took its name. */
static void test_renamed(void **state)
{
	struct journal j, other;

	assert_int_equal(journal_create(&j, "a", NULL), 0);
	assert_int_equal(put(&j, 0, NULL), 0);
	journal_commit(&j);
	assert_int_equal(rename("a", "b"), 0);
	assert_int_equal(journal_create(&other, "a", NULL), 0);
	for (uint32_t i = 0; i < 50; i++)
		assert_int_equal(put(&other, i, NULL), 0);
	journal_commit(&other);
	/* Nor is it the one that grows, also when it has no name any more. */
	for (uint32_t i = 1; i < 8000; i++)
		assert_int_equal(put(&j, i, NULL), 0);
	journal_commit(&j);
	assert_int_equal(check_file("b"), 8000);
	assert_int_equal(unlink("b"), 0);
	for (uint32_t i = 8000; i < 16000; i++)
		assert_int_equal(put(&j, i, NULL), 0);
	journal_commit(&j);
	assert_int_equal(check(&j), 16000);
	journal_close(&j);
	assert_int_equal(access("b", F_OK), -1);
	assert_int_equal(check_file("a"), 50);
	journal_close(&other);
	assert_int_equal(check_file("a"), 50);
}

/* A reader may come at any time, also while the file is being made longer. */
static void test_reader_races(void **state)
{
	uint32_t last = 0;
	struct journal j;
	int status;
	pid_t pid;

	assert_int_equal(journal_create(&j, "a", NULL), 0);
	pid = fork();
	if (!pid) {
		for (uint32_t i = 0; j.end < 24 * MIB; i++) {
			if (put(&j, i, NULL))
				_exit(1);
			journal_commit(&j);
		}
		_exit(0);
	}
	do {
		uint32_t nr = check_file("a");

		assert_true(nr >= last);
		last = nr;
	} while (!waitpid(pid, &status, WNOHANG));
	assert_int_equal(status, 0);
	journal_close(&j);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_life),      TEST(test_put),
		TEST(test_growth),    TEST(test_no_journal),
		TEST(test_versions),  TEST(test_cut_short),
		TEST(test_damaged),   TEST(test_noise),
		TEST(test_killed),    TEST(test_size_limit),
		TEST(test_disk_full), TEST(test_read_only),
		TEST(test_renamed),   TEST(test_reader_races),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
