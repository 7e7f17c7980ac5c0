// SPDX-License-Identifier: GPL-2.0-only
/* recorder's clients: who asks whether one is alive, beside others who ask. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cleanup.h"
#include "io.h"
#include "recorder.h"
#include "state.h"

#define ASKERS 3
#define TIMES  1000

static char runtime[] = "/tmp/test_recorder.XXXXXX";

/* What a recorder that was killed leaves. */
static int leave(void **state)
{
	static const char info[] = "{\"store\": \"/nonexistent\"}";
	_cleanup_free_ char *folder = NULL, *path = NULL, *lock = NULL;

	assert_non_null(mkdtemp(runtime));
	setenv("XFTRACE_RUNTIME", runtime, 1);
	folder = state_join(runtime, "rec", "web", NULL);
	path = state_join(folder, "recorder.json", NULL);
	lock = state_join(folder, "lock", NULL);
	assert_int_equal(io_make_folders(folder, 0700, NULL), 0);
	assert_int_equal(io_replace_file(path, info, strlen(info), 0600, NULL),
			 0);
	assert_int_equal(io_replace_file(lock, "", 0, 0600, NULL), 0);
	return 0;
}

static int clear(void **state)
{
	_cleanup_free_ char *rec = state_join(runtime, "rec", NULL);
	_cleanup_free_ char *folder = state_join(rec, "web", NULL);

	state_remove_folder(folder);
	rmdir(rec);
	return rmdir(runtime);
}

static bool is_alive(void)
{
	_cleanup_(recorder_deinit) struct recorder r = { 0 };

	assert_int_equal(recorder_find(&r, "web", NULL), 0);
	return r.alive;
}

static void test_many_ask(void **state)
{
	int status;

	for (int i = 0; i < ASKERS; i++)
		if (!fork()) {
			for (int n = 0; n < TIMES; n++)
				if (is_alive())
					_exit(1);
			_exit(0);
		}
	for (int i = 0; i < ASKERS; i++) {
		assert_true(wait(&status) > 0);
		assert_int_equal(status, 0);
	}
}

static void test_alive(void **state)
{
	_cleanup_free_ char *path = state_join(runtime, "rec", "web", "lock",
					       NULL);
	struct flock l = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	int fd = open(path, O_RDWR);

	assert_int_equal(fcntl(fd, F_OFD_SETLK, &l), 0);
	assert_true(is_alive());
	close(fd);
	assert_false(is_alive());
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_many_ask),
		cmocka_unit_test(test_alive),
	};

	return cmocka_run_group_tests(tests, leave, clear);
}
