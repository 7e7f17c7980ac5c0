// SPDX-License-Identifier: GPL-2.0-only
/*
 * media: files that end early or fail are errors and no deaths.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "media.h"

static char folder[] = "/tmp/test_media.XXXXXX";

static int set_up(void **state)
{
	strcpy(folder + strlen(folder) - 6, "XXXXXX");
	return mkdtemp(folder) && !chdir(folder) ? 0 : -1;
}

static int tear_down(void **state)
{
	char command[64];

	snprintf(command, sizeof(command), "rm -r %s", folder);
	return chdir("/") || system(command);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

static void test_life(void **state)
{
	struct xf_err err = { 0 };
	struct media m, reader;
	struct stat st;

	assert_int_equal(media_create(&m, "a", 100 * 4096, false, &err), 0);
	assert_int_equal(stat("a", &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(st.st_size, 100 * 4096);
	assert_true(st.st_blocks >= 100 * 8);
	assert_int_equal(media_create(&reader, "a", 4096, false, &err), -EEXIST);
	assert_int_equal(media_create(&reader, "no/a", 4096, false, &err),
			 -ENOENT);
	assert_int_equal(media_open(&reader, "a", false, &err), 0);
	media_copy(&m, 5000, "hello", 5);
	media_store(&m, 8192, 4711);
	media_persist(&m, 5000, 3200);
	assert_int_equal(media_sync(&m, 5000, 3200, &err), 0);
	assert_memory_equal(reader.base + 5000, "hello", 5);
	assert_int_equal(media_load(&reader, 8192), 4711);
	media_forget(&m, 0, m.len);
	assert_int_equal(media_load(&m, 8192), 4711);
	assert_int_equal(media_failed(&m, &err), 0);
	media_close(&m);
	media_close(&m);
	media_close(&reader);
	assert_int_equal(media_create(&m, "thin", 100 * 4096, true, &err), 0);
	assert_int_equal(stat("thin", &st), 0);
	assert_true(st.st_blocks < 100);
	assert_int_equal(media_back(&m, 0, 50 * 4096, &err), 0);
	assert_int_equal(stat("thin", &st), 0);
	assert_true(st.st_blocks >= 50 * 8);
	media_close(&m);
}

static void test_no_file(void **state)
{
	struct media m = { .len = 4711 };
	struct xf_err err;

	assert_int_equal(media_open(&m, "none", false, &err), -ENOENT);
	assert_int_equal(media_open(&m, ".", false, &err), -EBADMSG);
	assert_int_equal(media_open(&m, "/dev/null", false, &err), -EBADMSG);
	assert_int_equal(mkfifo("fifo", 0600), 0);
	assert_int_equal(media_open(&m, "fifo", false, &err), -EBADMSG);
	close(creat("empty", 0600));
	assert_int_equal(media_open(&m, "empty", true, &err), -EBADMSG);
	assert_int_equal(m.len, 4711);
}

/* The file is cut short under reader and writer. */
static void test_cut_short(void **state)
{
	struct media m, reader, other;
	struct xf_err err;

	assert_int_equal(media_create(&m, "a", 64 * 4096, false, &err), 0);
	assert_int_equal(media_open(&reader, "a", false, &err), 0);
	assert_int_equal(media_create(&other, "b", 64 * 4096, false, &err), 0);
	media_store(&m, 30 * 4096, 4711);
	assert_int_equal(media_load(&reader, 30 * 4096), 4711);
	assert_int_equal(truncate("a", 8 * 4096), 0);

	assert_int_equal(media_load(&reader, 30 * 4096), 0);
	assert_int_equal(media_failed(&reader, &err), -EIO);
	assert_non_null(strstr(err.msg, "a: "));
	media_copy(&m, 20 * 4096 - 10, "over two pages, lost", 20);
	assert_int_equal(media_failed(&m, &err), -EIO);
	/* Nothing more is written, not even where it could be. */
	media_store(&m, 4096, 1);
	assert_int_equal(media_load(&m, 4096), 0);
	assert_int_equal(media_sync(&m, 0, 4096, &err), -EIO);
	/* Others are not concerned. */
	media_store(&other, 30 * 4096, 1);
	assert_int_equal(media_failed(&other, NULL), 0);
	media_close(&m);
	media_close(&reader);
	media_close(&other);
}

static void *touch(void *arg)
{
	const struct media *m = arg;

	for (uint64_t off = 0; off < m->len; off += 4096)
		(void)media_load(m, off);
	return NULL;
}

static void test_threads(void **state)
{
	pthread_t t[4];
	struct media m;

	assert_int_equal(media_create(&m, "a", 256 * 4096, false, NULL), 0);
	assert_int_equal(truncate("a", 4096), 0);
	for (int i = 0; i < 4; i++)
		pthread_create(&t[i], NULL, touch, &m);
	for (int i = 0; i < 4; i++)
		pthread_join(t[i], NULL);
	assert_int_equal(media_failed(&m, NULL), -EIO);
	media_close(&m);
}

/* A SIGBUS that is not ours is as deadly as ever. */
static void test_not_ours(void **state)
{
	struct media m;
	int status;
	pid_t pid;

	/* Not cmocka's, which would go on with its tests in the child. */
	signal(SIGBUS, SIG_DFL);
	assert_int_equal(media_create(&m, "a", 4096, false, NULL), 0);
	pid = fork();
	if (!pid) {
		int fd = open("b", O_RDWR | O_CREAT, 0600);
		volatile char *p = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd,
					0);

		(void)*p;
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	/* ASan ends the process in its own way. */
	assert_false(WIFEXITED(status) && !WEXITSTATUS(status));
	media_close(&m);
}

static void test_many(void **state)
{
	struct media m[300] = { 0 };
	int opened = 0;

	assert_int_equal(media_create(&m[0], "a", 4096, false, NULL), 0);
	for (int i = 1; i < 300; i++) {
		int rc = media_open(&m[i], "a", false, NULL);

		assert_true(!rc || rc == -EMFILE);
		opened += !rc;
	}
	assert_int_equal(opened, 255);
	for (int i = 0; i < 300; i++)
		media_close(&m[i]);
	assert_int_equal(media_open(&m[0], "a", true, NULL), 0);
	media_close(&m[0]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_life),    TEST(test_no_file),
		TEST(test_cut_short), TEST(test_threads),
		TEST(test_not_ours), TEST(test_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
