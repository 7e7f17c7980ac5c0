// SPDX-License-Identifier: GPL-2.0-only
/* Steps that end well, badly, too late, and because somebody says so. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "step.h"

#define SECOND 1000000000ULL

static char path[] = "/tmp/test_step.XXXXXX";

static int end_with(void *arg)
{
	int status = *(int *)arg;

	if (status)
		fprintf(stderr, "first\nxftrace: error: the \033reason\n");
	return status;
}

static int die(void *arg)
{
	return raise(SIGKILL);
}

static int never(void *arg)
{
	pid_t parent = getppid();

	if (arg)
		kill(parent, SIGTERM);
	while (pause())
		;
	return 0;
}

static void test_steps(void **state)
{
	struct steps s = STEPS_INIT;
	time_t start = time(NULL);
	struct xf_err err;
	int good = 0, bad = 3;

	/* As a shell does that has us in the background. */
	signal(SIGINT, SIG_IGN);
	assert_int_equal(steps_init(&s, path, NULL), 0);
	assert_int_equal(steps_run(&s, "good", SECOND, end_with, &good, &err), 0);
	assert_int_equal(steps_run(&s, "bad", 9 * SECOND, end_with, &bad, &err),
			 -EIO);
	assert_string_equal(err.msg, "bad: the \\x1breason");
	assert_int_equal(steps_run(&s, "dead", 9 * SECOND, die, NULL, &err),
			 -EIO);
	assert_string_equal(err.msg, "dead: killed by signal 9, Killed");
	assert_int_equal(steps_run(&s, "slow", SECOND / 10, never, NULL, &err),
			 -ETIMEDOUT);
	assert_string_equal(err.msg, "slow: not done within 0.1 s");
	assert_false(s.interrupted);
	assert_int_equal(steps_run(&s, "long", 60 * SECOND, never, &good, &err),
			 -EINTR);
	assert_true(s.interrupted);
	/* What is to be ended still runs. */
	assert_int_equal(steps_run(&s, "end", SECOND, end_with, &good, &err), 0);
	assert_int_equal(json_array_size(s.done), 6);
	assert_true(json_is_true(json_object_get(json_array_get(s.done, 5),
						 "done")));
	/* Nobody had to be killed after a time of grace. */
	assert_in_range(time(NULL) - start, 0, 15);
	steps_deinit(&s);
}

static int teardown(void **state)
{
	return unlink(path);
}

static int setup(void **state)
{
	int fd = mkstemp(path);

	return fd < 0 ? -1 : close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_steps),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
