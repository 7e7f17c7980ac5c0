// SPDX-License-Identifier: GPL-2.0-only
/* Files that are cut short while they are mapped; those of others, too. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sigbus.h"

#define PAGE 4096
#define LEN  (64 * PAGE)

/* A mapped file of ones. */
static struct sigbus_map map_ones(void)
{
	struct sigbus_map m = { .len = LEN, .page_size = PAGE,
				.prot = PROT_READ | PROT_WRITE };

	m.fd = memfd_create("test", MFD_CLOEXEC);
	assert_true(m.fd >= 0);
	assert_int_equal(ftruncate(m.fd, LEN), 0);
	m.addr = mmap(NULL, LEN, m.prot, MAP_SHARED, m.fd, 0);
	assert_true(m.addr != MAP_FAILED);
	memset(m.addr, 1, LEN);
	return m;
}

static void unmap(struct sigbus_map *m)
{
	munmap(m->addr, LEN);
	close(m->fd);
}

static uint8_t look(const struct sigbus_map *m, size_t pos)
{
	return *(volatile uint8_t *)(m->addr + pos);
}

static void test_truncated(void **state)
{
	struct sigbus_map a = map_ones(), b = map_ones();

	assert_true(sigbus_watch(&a));
	assert_true(sigbus_watch(&b));
	assert_int_equal(look(&a, LEN - 1), 1);
	assert_false(sigbus_faults(&a));
	assert_int_equal(ftruncate(a.fd, 8 * PAGE), 0);
	assert_int_equal(look(&a, 8 * PAGE), 0);
	assert_true(sigbus_faults(&a));
	assert_int_equal(a.faults, 1);
	/* The rest at once. */
	assert_int_equal(look(&a, LEN - 1), 0);
	assert_int_equal(a.faults, 1);
	/* It is not taken for what it was, if the file grows again. */
	assert_int_equal(ftruncate(a.fd, LEN), 0);
	assert_int_equal(look(&a, 9 * PAGE), 0);
	/* What comes before is there, and what is of others as well. */
	assert_int_equal(look(&a, 8 * PAGE - 1), 1);
	assert_false(sigbus_faults(&b));
	assert_int_equal(look(&b, LEN - 1), 1);
	/* Each has its own mark. */
	assert_int_equal(ftruncate(b.fd, 0), 0);
	b.addr[5] = 7;
	assert_true(sigbus_faults(&b));
	assert_int_equal(look(&b, 5), 7);
	sigbus_forget(&a);
	sigbus_forget(&b);
	sigbus_forget(&b);
	unmap(&a);
	unmap(&b);
}

/* How a child that touches memory of nobody ends. */
static int touch_unwatched(void (*handler)(int))
{
	struct sigbus_map ours = map_ones(), other = map_ones();
	int status;
	pid_t pid = fork();

	if (!pid) {
		alarm(10);
		signal(SIGBUS, handler);
		if (!sigbus_watch(&ours))
			_exit(1);
		(void)ftruncate(other.fd, 0);
		(void)ftruncate(ours.fd, 0);
		_exit(look(&ours, 0) ? 2 : look(&other, 0));
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	unmap(&ours);
	unmap(&other);
	return status;
}

static void leave(int sig)
{
	_exit(42);
}

static void test_of_others(void **state)
{
	int status = touch_unwatched(SIG_DFL);

	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGBUS);
	status = touch_unwatched(leave);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 42);
}

static void test_too_many(void **state)
{
	struct sigbus_map *m = calloc(300, sizeof(*m));
	size_t nr = 0;

	assert_non_null(m);
	while (nr < 300 && sigbus_watch(&m[nr]))
		nr++;
	assert_in_range(nr, 200, 299);
	/* Room again. */
	sigbus_forget(&m[7]);
	assert_true(sigbus_watch(&m[nr]));
	for (size_t i = 0; i <= nr; i++)
		sigbus_forget(&m[i]);
	free(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_truncated),
		cmocka_unit_test(test_of_others),
		cmocka_unit_test(test_too_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
