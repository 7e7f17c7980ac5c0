// SPDX-License-Identifier: GPL-2.0-only
/*
 * Every allocation and every system call of nvm/ fails, one after the other,
 * once and from then on: nothing dies, nothing leaks (under ASan), and what was
 * acknowledged is there. The calls are replaced when this program is linked.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <libpmem.h>
#include <sys/mman.h>
#include <sys/random.h>

#include "fake_store.h"

static bool armed, for_ever;
static int countdown, failed;
static const char *failed_call;

/* Is it this one's turn? */
static bool fails(const char *call, int code)
{
	if (!armed)
		return false;
	if (countdown > 0 && --countdown)
		return false;
	if (failed && !for_ever)
		return false;
	if (!failed++)
		failed_call = call;
	errno = code;
	return true;
}

#define WRAP(type, name, params, args, code, bad)                              \
	type __real_##name params;                                             \
	type __wrap_##name params;                                             \
	type __wrap_##name params                                              \
	{                                                                      \
		return fails(#name, code) ? bad : __real_##name args;          \
	}

WRAP(void *, calloc, (size_t n, size_t s), (n, s), ENOMEM, NULL)
WRAP(void *, realloc, (void *p, size_t s), (p, s), ENOMEM, NULL)
WRAP(char *, strdup, (const char *s), (s), ENOMEM, NULL)
WRAP(int, open, (const char *path, int flags, mode_t mode), (path, flags, mode),
     EMFILE, -1)
WRAP(int, fstat, (int fd, struct stat *st), (fd, st), EIO, -1)
WRAP(int, ftruncate, (int fd, off_t len), (fd, len), EFBIG, -1)
WRAP(int, fallocate, (int fd, int mode, off_t off, off_t len),
     (fd, mode, off, len), ENOSPC, -1)
WRAP(void *, mmap,
     (void *a, size_t len, int prot, int flags, int fd, off_t off),
     (a, len, prot, flags, fd, off), ENOMEM, MAP_FAILED)
WRAP(int, fcntl, (int fd, int cmd, void *arg), (fd, cmd, arg), ENOLCK, -1)
WRAP(ssize_t, getrandom, (void *p, size_t len, unsigned int flags),
     (p, len, flags), ENOSYS, -1)
WRAP(int, madvise, (void *p, size_t len, int advice), (p, len, advice), EAGAIN,
     -1)
WRAP(int, unlink, (const char *path), (path), EPERM, -1)
WRAP(void *, pmem_map_file,
     (const char *path, size_t len, int flags, mode_t mode, size_t *mapped,
      int *pmem),
     (path, len, flags, mode, mapped, pmem), ENOMEM, NULL)
WRAP(int, pmem_msync, (const void *p, size_t len), (p, len), EIO, -1)

int __wrap_asprintf(char **ret, const char *fmt, ...);

int __wrap_asprintf(char **ret, const char *fmt, ...)
{
	va_list ap;
	int n;

	if (fails("asprintf", ENOMEM)) {
		/* What the real one may do, too. */
		*ret = (char *)0x10;
		return -1;
	}
	va_start(ap, fmt);
	n = vasprintf(ret, fmt, ap);
	va_end(ap);
	return n;
}

/* What has been acknowledged. */
static struct {
	bool created, removed, renamed, imported, tried_remove;
	int chunks;
	bool shared;
} acked;

static const char symbols[5000] = "symbols";

static void record(struct store *st)
{
	struct journal j;

	if (journal_create(&j, st, "t", NULL))
		return;
	acked.created = true;
	for (int i = 0; i < 60; i++) {
		if (put_one(&j, 1, i, NULL))
			break;
		if (journal_commit(&j, NULL))
			break;
		acked.chunks = i + 1;
		if (i == 30)
			(void)journal_sync(&j, NULL);
	}
	(void)journal_finish(&j, NULL);
	journal_close(&j);
}

static void share(struct store *st)
{
	struct journal j;

	if (journal_create(&j, st, "s", NULL))
		return;
	if (!journal_share(&j, 7, "key", symbols, sizeof(symbols), NULL) &&
	    !journal_commit(&j, NULL))
		acked.shared = true;
	journal_close(&j);
}

/* Writes on, if it can. */
static void go_on(struct store *st)
{
	struct journal j;
	int nr = acked.chunks;

	if (journal_reopen(&j, st, "t", NULL))
		return;
	if (!put_one(&j, 1, nr, NULL) && !journal_commit(&j, NULL))
		acked.chunks = nr + 1;
	journal_close(&j);
}

static void scenario(void)
{
	struct store_shape shape = { .size = MIB, .thin = true };
	struct store st;

	if (store_create(&st, "a", &shape, NULL))
		return;
	record(&st);
	share(&st);
	(void)store_set_quota(&st, MIB, NULL);
	(void)transfer_export(&st, "t", "f", NULL);
	acked.imported = !transfer_import(&st, "f", "u", NULL);
	store_close(&st);
	if (store_open(&st, "a", true, NULL))
		return;
	/* Not committed: may be there or not; committed: must be. */
	go_on(&st);
	acked.renamed = !catalog_rename(&st, "t", "r", NULL);
	acked.tried_remove = true;
	acked.removed = acked.imported && !catalog_remove(&st, "u", NULL);
	store_close(&st);
	(void)check_file("a", CHECK_SALVAGE, NULL, NULL, NULL);
	if (!store_open(&st, "a", false, NULL)) {
		(void)count_in(&st, "r", 1);
		store_close(&st);
	}
}

static void complain(void *arg, const struct check_result *r)
{
	if (r->verdict > CHECK_REPAIRED)
		fail_msg("%s failed (%s): %s: %s", failed_call,
			 for_ever ? "for ever" : "once", r->step, r->first.msg);
}

static void verify(void)
{
	struct xf_err err = { 0 };
	struct catalog_entry e;
	struct store st;
	int nr;

	if (!acked.created)
		return;
	assert_int_equal(check_file("a", CHECK_REPAIR, complain, NULL, &err), 0);
	assert_int_equal(store_open(&st, "a", true, &err), 0);
	/* What failed may have happened: only its word was not synced. */
	nr = count_in(&st, "r", 1);
	if (nr == -ENOENT && !acked.renamed)
		nr = count_in(&st, "t", 1);
	if (nr < acked.chunks || nr > acked.chunks + 1)
		fail_msg("%s failed (%s): %d chunks, not %d", failed_call,
			 for_ever ? "for ever" : "once", nr, acked.chunks);
	if (acked.shared) {
		struct journal_chunk c = { 0 };
		struct journal j;

		assert_int_equal(journal_open(&j, &st, "s", &err), 0);
		assert_int_equal(journal_next(&j, &c, &err), 1);
		assert_int_equal(c.len, sizeof(symbols));
		assert_memory_equal(c.data, symbols, c.len);
		journal_close(&j);
	}
	nr = catalog_find(&st, "u", &e, &err);
	if (acked.imported && !acked.tried_remove && nr)
		fail_msg("%s failed: the import is gone", failed_call);
	if (acked.removed)
		assert_int_equal(nr, -ENOENT);
	store_close(&st);
}

static int count_fds(void)
{
	int nr = 0;

	for (int fd = 0; fd < 200; fd++)
		nr += fcntl(fd, F_GETFD, NULL) >= 0;
	return nr;
}

static void each(bool ever)
{
	int fds = count_fds();

	for_ever = ever;
	for (int n = 1;; n++) {
		unlink("a");
		unlink("f");
		memset(&acked, 0, sizeof(acked));
		failed = 0;
		failed_call = "nothing";
		countdown = n;
		armed = true;
		scenario();
		armed = false;
		verify();
		if (count_fds() != fds)
			fail_msg("%s failed: a descriptor leaks", failed_call);
		if (!failed) {
			/* It got through, and all of it was looked at. */
			assert_int_equal(acked.chunks, 61);
			assert_true(acked.removed && acked.renamed &&
				    acked.shared && n > 200);
			print_message("%d calls failed\n", n - 1);
			return;
		}
	}
}

static void test_once(void **state)
{
	each(false);
}

static void test_for_ever(void **state)
{
	each(true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_once),
		TEST(test_for_ever),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
