// SPDX-License-Identifier: GPL-2.0-only
/* dirty_scan on a child that writes known pages, in QEMU's place. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "dirty_scan.h"

#define PAGE	 4096
#define NR_PAGES 20000	/* more than are looked at in one go */
#define HEAD	 7	/* page with the trace ring's head */
#define GPA	 (1ull << 32)
#define SIGNALS	 500

struct order {
	uint32_t first, step, count;
};

static struct child {
	pid_t pid;
	int in, out;
	char *ram;
	unsigned int *signals;
	struct dirty d;
	uint8_t seen[NR_PAGES];
} c;

static void count_signal(int sig)
{
	__atomic_add_fetch(c.signals, 1, __ATOMIC_RELAXED);
}

/* A thread that runs all the time, and dirties the page of the head. */
static void *spin(void *arg)
{
	for (;;)
		__atomic_add_fetch((uint64_t *)(c.ram + HEAD * PAGE), 1,
				   __ATOMIC_RELEASE);
	return NULL;
}

static void child_main(int in, int out)
{
	struct order o;
	pthread_t t;

	signal(SIGRTMIN, count_signal);
	pthread_create(&t, NULL, spin, NULL);
	while (read(in, &o, sizeof(o)) == sizeof(o)) {
		for (uint32_t i = 0; i < o.count; i++)
			c.ram[(o.first + i * o.step) * PAGE]++;
		if (write(out, &o, sizeof(o)) != sizeof(o))
			break;
	}
	_exit(0);
}

static int start(void **state)
{
	int in[2], out[2];

	memset(&c, 0, sizeof(c));
	c.ram = mmap(NULL, (NR_PAGES + 1) * PAGE, PROT_READ | PROT_WRITE,
		     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_true(c.ram != MAP_FAILED);
	c.signals = (void *)(c.ram + NR_PAGES * PAGE);
	assert_false(pipe(in) || pipe(out));
	c.pid = fork();
	if (!c.pid) {
		close(in[1]);
		child_main(in[0], out[1]);
	}
	close(in[0]);
	close(out[1]);
	c.in = in[1];
	c.out = out[0];
	return 0;
}

static int stop(void **state)
{
	dirty_close(&c.d);
	kill(c.pid, SIGKILL);
	waitpid(c.pid, NULL, 0);
	close(c.in);
	close(c.out);
	munmap(c.ram, (NR_PAGES + 1) * PAGE);
	return 0;
}

static void child_write(uint32_t first, uint32_t step, uint32_t count)
{
	struct order o = { first, step, count };

	assert_int_equal(write(c.in, &o, sizeof(o)), sizeof(o));
	assert_int_equal(read(c.out, &o, sizeof(o)), sizeof(o));
}

/* The test is skipped where the kernel does not have it, and it must say so. */
static void begin(uint32_t interval_ms)
{
	struct memslot slot = { .gpa = GPA, .len = NR_PAGES * PAGE,
				.hva = (uintptr_t)c.ram };
	struct memslots ms = { .slot = &slot, .nr = 1 };
	struct xf_err err = { 0 };
	int rc = dirty_open_scan(&c.d, c.pid, &err);

	if (rc) {
		assert_int_equal(rc, -EOPNOTSUPP);
		assert_non_null(strstr(err.msg, "CONFIG_MEM_SOFT_DIRTY"));
		skip();
	}
	assert_false(dirty_set_slots(&c.d, &ms, NULL));
	c.d.head_gpa[0] = GPA + HEAD * PAGE;
	assert_false(dirty_request(&c.d, XFTD_FIRST, interval_ms, NULL));
}

static size_t drain(void)
{
	struct xftd_record r[100];
	size_t n, sum = 0;

	while ((n = dirty_read(&c.d, 0, r, 100)) > 0) {
		for (size_t i = 0; i < n; i++) {
			uint64_t page = (r[i].addr - GPA) / PAGE;

			/* More is shared than RAM. */
			if (r[i].flags & XFTD_HVA)
				continue;
			assert_true(page < NR_PAGES);
			assert_int_equal(r[i].flags, XFTD_HARVESTED);
			assert_true(r[i].pos >= r[i].width && r[i].width);
			c.seen[page] = 1;
		}
		sum += n;
	}
	return sum;
}

static void exact(uint32_t first, uint32_t step, uint32_t count)
{
	for (uint32_t page = 0; page < NR_PAGES; page++) {
		bool want = page == HEAD ||
			    (page >= first && page < first + step * count &&
			     (page - first) % step == 0);

		if (c.seen[page] != want)
			fail_msg("page %u: %u", page, c.seen[page]);
	}
	memset(c.seen, 0, sizeof(c.seen));
}

static void test_exact(void **state)
{
	child_write(0, 1, NR_PAGES);
	begin(0);
	for (uint32_t i = 0; i < 20; i++) {
		child_write(100 + i, 7, 2500);
		assert_false(dirty_request(&c.d, XFTD_FIRST, 0, NULL));
		drain();
		exact(100 + i, 7, 2500);
	}
	assert_false(dirty_request(&c.d, XFTD_OFF, 0, NULL));
	drain();
	child_write(0, 1, 100);
	assert_int_equal(drain(), 0);
	assert_int_equal(dirty_lost(&c.d), 0);
}

/* Harvested again and again while it writes, it loses neither page nor signal. */
static void test_meanwhile(void **state)
{
	/* Its answer says that it is ready for signals. */
	child_write(100, 1, 1);
	begin(1);
	for (uint32_t i = 0; i < SIGNALS; i++) {
		sigqueue(c.pid, SIGRTMIN, (union sigval){ 0 });
		child_write(100 + i * 30, 1, 30);
		drain();
	}
	assert_false(dirty_request(&c.d, XFTD_FIRST, 0, NULL));
	drain();
	exact(100, 1, SIGNALS * 30);
	assert_int_equal(*c.signals, SIGNALS);
}

static void test_gone(void **state)
{
	begin(0);
	kill(c.pid, SIGKILL);
	waitpid(c.pid, NULL, 0);
	assert_int_equal(dirty_request(&c.d, XFTD_FIRST, 0, NULL), -ESRCH);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_exact, start, stop),
		cmocka_unit_test_setup_teardown(test_meanwhile, start, stop),
		cmocka_unit_test_setup_teardown(test_gone, start, stop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
