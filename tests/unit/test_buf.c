// SPDX-License-Identifier: GPL-2.0-only
/* buf, what it escapes, and the sentences of err. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "buf.h"
#include "cleanup.h"
#include "err.h"

static void test_grow(void **state)
{
	_cleanup_(buf_deinit) struct buf b = BUF_INIT;
	char *s;

	for (int i = 0; i < 100000; i++) {
		buf_putc(&b, 'a' + i % 26);
		assert_int_equal(b.len, i + 1);
		assert_int_equal(b.data[b.len], 0);
	}
	for (int i = 0; i < 100000; i++)
		assert_int_equal(b.data[i], 'a' + i % 26);
	assert_true(b.cap < 400000);

	/* What is reserved may be written, all of it, and the 0 behind it. */
	s = buf_reserve(&b, 300000);
	memset(s, 'x', 300000);
	b.len += 300000;
	b.data[b.len] = '\0';
	assert_int_equal(strlen(b.data), 400000);
	buf_deinit(&b);
	assert_null(b.data);
	buf_deinit(&b);
}

static void test_add(void **state)
{
	_cleanup_(buf_deinit) struct buf b = BUF_INIT;
	_cleanup_free_ char *s = NULL;

	buf_add(&b, "a\0b", 3);
	buf_puts(&b, "");
	buf_puts(&b, "cd");
	assert_int_equal(b.len, 5);
	assert_memory_equal(b.data, "a\0bcd", 6);
	b.len = 0;
	buf_printf(&b, "%s-%d", "x", 7);
	buf_printf(&b, "%s", "");
	assert_string_equal(b.data, "x-7");
	/* Longer than what there was room for. */
	buf_printf(&b, "%*d", 5000, 1);
	assert_int_equal(b.len, 5003);
	assert_int_equal(b.data[5002], '1');
	s = buf_take(&b);
	assert_int_equal(strlen(s), 5003);
	assert_null(b.data);
	assert_int_equal(b.len + b.cap, 0);
	free(s);
	s = buf_take(&b);
	assert_string_equal(s, "");
}

/* Every byte: 0x20 to 0x7e but the backslash stay, nothing else does. */
static void test_escape(void **state)
{
	_cleanup_(buf_deinit) struct buf b = BUF_INIT;
	char all[256];

	buf_add_escaped(&b, "", 0);
	assert_int_equal(b.len, 0);
	for (int i = 1; i < 256; i++) {
		char c = i, want[5];

		b.len = 0;
		buf_add_escaped(&b, &c, 1);
		if (i >= 0x20 && i < 0x7f && i != '\\')
			snprintf(want, sizeof(want), "%c", i);
		else
			snprintf(want, sizeof(want), "\\x%02x", i);
		assert_string_equal(b.data, want);
		all[i] = i;
	}
	all[0] = 'x';
	b.len = 0;
	buf_add_escaped(&b, all, sizeof(all));
	for (size_t i = 0; i < b.len; i++)
		assert_true(b.data[i] >= 0x20 && b.data[i] < 0x7f);

	/* Up to the first 0, and not a byte more than @len. */
	b.len = 0;
	buf_add_escaped(&b, "ab\0cd", 5);
	assert_string_equal(b.data, "ab");
	b.len = 0;
	buf_add_escaped(&b, "abcdef", 3);
	assert_string_equal(b.data, "abc");
	b.len = 0;
	buf_add_escaped(&b, "\033[2J\xe2\x82\xac\n", 8);
	assert_string_equal(b.data, "\\x1b[2J\\xe2\\x82\\xac\\x0a");
	/* What looks escaped already is escaped once more, so it is told apart.
	 */
	b.len = 0;
	buf_add_escaped(&b, "\\x41", 4);
	assert_string_equal(b.data, "\\x5cx41");
}

/* A buffer that cannot be had ends the program, with a word about it. */
static void test_too_large(void **state)
{
	int status;
	pid_t pid = fork();

	if (!pid) {
		struct rlimit none = { 0 };
		struct buf b = BUF_INIT;

		setrlimit(RLIMIT_CORE, &none);
		close(STDERR_FILENO);
		signal(SIGABRT, SIG_DFL);
		buf_putc(&b, 'x');
		buf_reserve(&b, SIZE_MAX - 1);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
}

static void test_err(void **state)
{
	struct xf_err err = { 0 };
	char longer[1000];

	assert_int_equal(xf_fail(&err, -EBADMSG, "cpu %u", 3), -EBADMSG);
	assert_int_equal(err.code, -EBADMSG);
	assert_string_equal(err.msg, "cpu 3");
	assert_int_equal(xf_prefix(&err, -EBADMSG, "file %s", "x"), -EBADMSG);
	assert_string_equal(err.msg, "file x: cpu 3");
	errno = ENOENT;
	assert_int_equal(xf_fail_errno(&err, "%s", "/x"), -ENOENT);
	assert_string_equal(err.msg, "/x: No such file or directory");
	/* An errno that nobody set is still an error. */
	errno = 0;
	assert_int_equal(xf_fail_errno(&err, "x"), -EIO);

	/* Too long: cut, and terminated. */
	memset(longer, 'y', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = '\0';
	xf_fail(&err, -EIO, "%s", longer);
	assert_int_equal(strlen(err.msg), sizeof(err.msg) - 1);
	errno = EACCES;
	xf_fail_errno(&err, "%s", longer);
	assert_int_equal(strlen(err.msg), sizeof(err.msg) - 1);
	xf_prefix(&err, -EIO, "%s", longer);
	assert_int_equal(strlen(err.msg), sizeof(err.msg) - 1);
	xf_prefix(&err, -EIO, "abc");
	assert_int_equal(strlen(err.msg), sizeof(err.msg) - 1);
	assert_memory_equal(err.msg, "abc: yyy", 8);

	/* Nobody wants the sentence. */
	errno = EACCES;
	assert_int_equal(xf_fail(NULL, -EIO, "%s", "x"), -EIO);
	assert_int_equal(xf_fail_errno(NULL, "%s", "x"), -EACCES);
	assert_int_equal(xf_prefix(NULL, -EIO, "%s", "x"), -EIO);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_grow),   cmocka_unit_test(test_add),
		cmocka_unit_test(test_escape), cmocka_unit_test(test_too_large),
		cmocka_unit_test(test_err),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
