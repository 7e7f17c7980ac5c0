// SPDX-License-Identifier: GPL-2.0-only
/* io: whole writes, whole files, and files replaced as a whole or not at all.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cleanup.h"
#include "io.h"

static char folder[64];

static int set_up(void **state)
{
	strcpy(folder, "/tmp/test_io.XXXXXX");
	return mkdtemp(folder) && !chdir(folder) ? 0 : -1;
}

static int tear_down(void **state)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -r %s", folder);
	return chdir("/") || system(command);
}

static size_t nr_files(void)
{
	DIR *d = opendir(".");
	size_t nr = 0;

	while (readdir(d))
		nr++;
	closedir(d);
	return nr - 2;
}

static void assert_holds(const char *path, const char *want)
{
	_cleanup_(buf_deinit) struct buf b = BUF_INIT;

	assert_int_equal(io_read_file(path, 1 << 20, &b, NULL), 0);
	assert_int_equal(b.len, strlen(want));
	assert_memory_equal(b.data ? b.data : "", want, b.len);
}

static mode_t mode_of(const char *path)
{
	struct stat st;

	assert_int_equal(stat(path, &st), 0);
	return st.st_mode & 07777;
}

static void test_read(void **state)
{
	_cleanup_(buf_deinit) struct buf b = BUF_INIT;
	struct xf_err err = { 0 };
	FILE *f = fopen("big", "w");

	for (int i = 0; i < 200000; i++)
		fputc('a' + i % 26, f);
	fclose(f);
	fclose(fopen("empty", "w"));

	buf_puts(&b, "before ");
	assert_int_equal(io_read_file("big", 200000, &b, &err), 0);
	assert_int_equal(b.len, 200007);
	assert_memory_equal(b.data, "before abcdef", 13);
	assert_int_equal(b.data[b.len], 0);
	b.len = 0;
	assert_int_equal(io_read_file("empty", 0, &b, &err), 0);
	assert_int_equal(b.len, 0);
	assert_string_equal(b.data, "");

	/* Its size is not known before. */
	assert_int_equal(io_read_file("/proc/self/status", 1 << 20, &b, &err),
			 0);
	assert_memory_equal(b.data, "Name:", 5);

	/* A failure leaves the buffer as it was. */
	b.len = 0;
	buf_puts(&b, "before ");
	assert_int_equal(io_read_file("big", 199999, &b, &err), -EFBIG);
	assert_int_equal(b.len, 7);
	assert_string_equal(b.data, "before ");
	assert_int_equal(io_read_file("/dev/zero", 1 << 20, &b, &err), -EFBIG);
	assert_int_equal(b.len, 7);
	assert_int_equal(io_read_file("none", 1, &b, &err), -ENOENT);
	assert_int_equal(io_read_file(".", 1, &b, &err), -EISDIR);
	assert_int_equal(b.len, 7);
}

/* A reader that takes a byte now and then, and signals in between. */
static void *sip(void *arg)
{
	int fd = *(int *)arg;
	size_t got = 0;
	char b[997];
	ssize_t n;

	while ((n = read(fd, b, sizeof(b))) > 0) {
		for (ssize_t i = 0; i < n; i++)
			if (b[i] != (char)(got + i))
				return NULL;
		got += n;
	}
	return (void *)got;
}

static void on_alarm(int sig)
{
	(void)sig;
}

static void test_write(void **state)
{
	struct sigaction sa = { .sa_handler = on_alarm }, old;
	struct xf_err err = { 0 };
	size_t len = 3 << 20;
	char *data = malloc(len);
	sigset_t alarm;
	pthread_t thread;
	int fds[2];
	void *got;

	for (size_t i = 0; i < len; i++)
		data[i] = i;
	assert_int_equal(pipe(fds), 0);
	/* The signals are for us, not for the reader. */
	sigemptyset(&alarm);
	sigaddset(&alarm, SIGALRM);
	pthread_sigmask(SIG_BLOCK, &alarm, NULL);
	assert_int_equal(pthread_create(&thread, NULL, sip, &fds[0]), 0);
	sigaction(SIGALRM, &sa, &old);
	pthread_sigmask(SIG_UNBLOCK, &alarm, NULL);
	ualarm(1000, 1000);
	assert_int_equal(io_write_all(fds[1], data, len, &err), 0);
	ualarm(0, 0);
	sigaction(SIGALRM, &old, NULL);
	close(fds[1]);
	pthread_join(thread, &got);
	assert_int_equal((size_t)got, len);

	assert_int_equal(io_write_all(fds[1], data, 0, &err), 0);
	assert_int_equal(io_write_all(fds[1], data, 1, &err), -EBADF);
	assert_int_equal(err.code, -EBADF);
	fds[1] = open("/dev/full", O_WRONLY);
	assert_int_equal(io_write_all(fds[1], data, 1, &err), -ENOSPC);
	close(fds[1]);
	close(fds[0]);
	free(data);
}

static void test_commit(void **state)
{
	struct io_replace r = IO_REPLACE_INIT;
	mode_t old = umask(027);

	assert_int_equal(io_replace_file("a", "old", 3, 0666, NULL), 0);
	assert_holds("a", "old");
	assert_int_equal(mode_of("a"), 0640);
	assert_int_equal(nr_files(), 1);

	/* The old one is there, whole, until the new one is. */
	assert_int_equal(io_replace_begin(&r, "a", NULL), 0);
	assert_int_equal(io_write_all(r.fd, "new", 3, NULL), 0);
	assert_holds("a", "old");
	umask(077);
	assert_int_equal(io_replace_commit(&r, 0644, NULL), 0);
	assert_holds("a", "new");
	assert_int_equal(mode_of("a"), 0600);
	assert_int_equal(r.fd, -1);
	assert_int_equal(nr_files(), 1);
	io_replace_cancel(&r);
	assert_holds("a", "new");

	/* Asking for the umask does not change it. */
	assert_int_equal(umask(old), 077);
	assert_int_equal(io_replace_file("b", "", 0, 0600, NULL), 0);
	assert_int_equal(mode_of("b"), 0600);
}

static void test_cancel(void **state)
{
	struct io_replace r = IO_REPLACE_INIT;

	/* Nothing begun. */
	io_replace_cancel(&r);
	assert_int_equal(io_replace_file("a", "old", 3, 0666, NULL), 0);
	assert_int_equal(io_replace_begin(&r, "a", NULL), 0);
	assert_int_equal(io_write_all(r.fd, "new", 3, NULL), 0);
	/*
	 * What is not yet complete has no name: who is killed leaves nothing.
	 */
	assert_int_equal(nr_files(), 1);
	io_replace_cancel(&r);
	assert_int_equal(r.fd, -1);
	assert_holds("a", "old");
	assert_int_equal(nr_files(), 1);
	io_replace_cancel(&r);
	assert_int_equal(nr_files(), 1);

	/* And where there was nothing before. */
	assert_int_equal(io_replace_begin(&r, "b", NULL), 0);
	io_replace_cancel(&r);
	assert_int_equal(nr_files(), 1);
}

static void test_fails(void **state)
{
	static const char zeros[8192];
	struct io_replace r = IO_REPLACE_INIT;
	struct xf_err err = { 0 };
	struct rlimit was, small;
	int rc;

	assert_int_equal(io_replace_begin(&r, "none/a", &err), -ENOENT);
	assert_non_null(strstr(err.msg, "none/a"));
	assert_int_equal(r.fd, -1);
	assert_null(r.path);
	assert_int_equal(io_replace_begin(&r, ".", &err), -EISDIR);
	assert_int_equal(io_replace_file("", "x", 1, 0600, &err), -ENOENT);
	assert_int_equal(nr_files(), 0);

	/* The folder goes before the file is complete. */
	assert_int_equal(mkdir("sub", 0700), 0);
	assert_int_equal(io_replace_begin(&r, "sub/a", &err), 0);
	assert_int_equal(rmdir("sub"), 0);
	assert_int_equal(io_replace_commit(&r, 0600, &err), -ENOENT);
	io_replace_cancel(&r);
	assert_int_equal(nr_files(), 0);

	/* No room: the old file stays. */
	assert_int_equal(io_replace_file("a", "old", 3, 0600, NULL), 0);
	signal(SIGXFSZ, SIG_IGN);
	getrlimit(RLIMIT_FSIZE, &was);
	small = was;
	small.rlim_cur = 4096;
	setrlimit(RLIMIT_FSIZE, &small);
	rc = io_replace_file("a", zeros, sizeof(zeros), 0600, &err);
	setrlimit(RLIMIT_FSIZE, &was);
	assert_int_equal(rc, -EFBIG);
	assert_memory_equal(err.msg, "a: ", 3);
	assert_holds("a", "old");
	assert_int_equal(nr_files(), 1);
}

static void *read_fifo(void *arg)
{
	static char b[64];
	int fd = open(arg, O_RDONLY);
	ssize_t n = read(fd, b, sizeof(b) - 1);

	close(fd);
	b[n > 0 ? n : 0] = '\0';
	return b;
}

/* What is no file is written to, and stays what it is. */
static void test_special(void **state)
{
	struct stat st;
	pthread_t thread;
	mode_t mode;
	void *got;

	assert_int_equal(mkfifo("fifo", 0600), 0);
	assert_int_equal(pthread_create(&thread, NULL, read_fifo, "fifo"), 0);
	assert_int_equal(io_replace_file("fifo", "hello", 5, 0644, NULL), 0);
	pthread_join(thread, &got);
	assert_string_equal(got, "hello");
	assert_int_equal(stat("fifo", &st), 0);
	assert_true(S_ISFIFO(st.st_mode));
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(nr_files(), 1);

	assert_int_equal(stat("/dev/null", &st), 0);
	mode = st.st_mode;
	assert_int_equal(io_replace_file("/dev/null", "x", 1, 0600, NULL), 0);
	assert_int_equal(stat("/dev/null", &st), 0);
	assert_int_equal(st.st_mode, mode);
	assert_int_equal(io_replace_file("/dev/full", "x", 1, 0600, NULL),
			 -ENOSPC);
}

static void test_folders(void **state)
{
	struct xf_err err = { 0 };
	mode_t old = umask(0);

	assert_int_equal(io_make_folders("a/b/c", 0700, &err), 0);
	assert_int_equal(mode_of("a"), 0700);
	assert_int_equal(mode_of("a/b/c"), 0700);
	assert_int_equal(io_make_folders("a/b/c", 0700, &err), 0);
	assert_int_equal(io_make_folders("a//d/", 0700, &err), 0);
	assert_int_equal(mode_of("a/d"), 0700);
	assert_int_equal(io_make_folders("/", 0700, &err), 0);
	assert_int_equal(io_replace_file("file", "", 0, 0600, NULL), 0);
	assert_int_equal(io_make_folders("file/x", 0700, &err), -ENOTDIR);
	/* A file is no folder, and "" is none, either. */
	assert_true(io_make_folders("file", 0700, &err) < 0);
	assert_true(io_make_folders("", 0700, &err) < 0);
	umask(old);
}

/* A file that takes data and gives it back, and that nobody else can find. */
static void assert_unnamed(const char *beside)
{
	int fd = io_open_unnamed(beside, NULL);
	struct stat st;
	char c;

	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_nlink, 0);
	assert_int_equal(io_write_all(fd, "x", 1, NULL), 0);
	assert_int_equal(pread(fd, &c, 1, 0), 1);
	assert_int_equal(c, 'x');
	close(fd);
}

static void test_unnamed(void **state)
{
	struct xf_err err = { 0 };

	assert_unnamed(NULL);
	assert_unnamed("file");
	assert_unnamed("./file");
	assert_unnamed("/tmp/file");
	assert_int_equal(nr_files(), 0);
	assert_int_equal(io_open_unnamed("nonesuch/file", &err), -ENOENT);
	assert_non_null(strstr(err.msg, "nonesuch"));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_read),    TEST(test_write), TEST(test_commit),
		TEST(test_cancel),  TEST(test_fails), TEST(test_special),
		TEST(test_folders), TEST(test_unnamed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
