// SPDX-License-Identifier: GPL-2.0-only
/* baselines: kept in a store or a file, and what is none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>

#include "baseline.h"
#include "baselines.h"
#include "fake_store.h"
#include "io.h"
#include "trace.h"

#define HEAD "xftrace baseline 1\nkernel k\nbuild-id ab\ndepth 0\nruns 1\n"

/* More than fits in one chunk. */
static void make_text(struct buf *text)
{
	struct flow f = { 0 };

	assert_int_equal(baseline_parse(HEAD, strlen(HEAD), &f, NULL), 0);
	for (int i = 0; i < 60000; i++) {
		char key[64];

		snprintf(key, sizeof(key), "root function_%d", i);
		assert_non_null(flow_at(&f, key));
	}
	baseline_write(&f, text);
	flow_deinit(&f);
	assert_true(text->len > MIB);
}

static int read_back(const char *what, struct buf *text, char *ret_why)
{
	_cleanup_(flow_deinit) struct flow f = { 0 };
	struct xf_err err = { 0 };
	int rc = baselines_read(what, "a", &f, &err);

	text->len = 0;
	strcpy(ret_why, err.msg);
	if (!rc)
		baseline_write(&f, text);
	return rc;
}

static void test_keep(void **state)
{
	struct buf text = BUF_INIT, again = BUF_INIT;
	char why[sizeof(((struct xf_err *)0)->msg)];
	struct store st;

	make_text(&text);
	make_store(&st, "a", 16 * MIB);
	assert_int_equal(baselines_keep(&st, "b", &text, NULL), 0);
	assert_int_equal(baselines_keep(&st, "b", &text, NULL), -EEXIST);
	store_close(&st);
	assert_int_equal(read_back("b", &again, why), 0);
	assert_int_equal(again.len, text.len);
	assert_memory_equal(again.data, text.data, text.len);
	/* A file of that name comes first. */
	assert_int_equal(io_replace_file("b", HEAD, strlen(HEAD), 0600, NULL), 0);
	assert_int_equal(read_back("b", &again, why), 0);
	assert_int_equal(again.len, strlen(HEAD));
	assert_int_equal(io_replace_file("b", HEAD, 9, 0600, NULL), 0);
	assert_int_equal(read_back("b", &again, why), -EBADMSG);
	assert_ptr_equal(strstr(why, "b: "), why);
	buf_deinit(&text);
	buf_deinit(&again);
}

static void test_none(void **state)
{
	char why[sizeof(((struct xf_err *)0)->msg)];
	struct buf again = BUF_INIT;
	struct journal j;
	struct store st;

	make_store(&st, "a", 16 * MIB);
	/* What is none, with one before it. */
	assert_int_equal(journal_create(&j, &st, "t", NULL), 0);
	assert_int_equal(journal_put(&j, TRACE_BASELINE, HEAD, strlen(HEAD),
				     NULL), 0);
	assert_int_equal(journal_put(&j, TRACE_META, "{}", 2, NULL), 0);
	assert_int_equal(journal_commit(&j, NULL), 0);
	journal_close(&j);
	assert_int_equal(read_back("t", &again, why), -EBADMSG);
	assert_non_null(strstr(why, "is a trace, not a baseline"));
	/* Text that is none. */
	assert_int_equal(journal_create(&j, &st, "u", NULL), 0);
	assert_int_equal(journal_put(&j, TRACE_BASELINE, "\033[2J", 4, NULL), 0);
	assert_int_equal(journal_commit(&j, NULL), 0);
	journal_close(&j);
	store_close(&st);
	assert_int_equal(read_back("u", &again, why), -EBADMSG);
	assert_null(strchr(why, '\033'));
	assert_int_equal(read_back("nobody", &again, why), -ENOENT);
	assert_non_null(strstr(why, "'xftrace baseline make'"));
	buf_deinit(&again);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_keep),
		TEST(test_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
