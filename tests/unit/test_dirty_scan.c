// SPDX-License-Identifier: GPL-2.0-only
/*
 * dirty_scan on a child that writes known pages, in QEMU's place: on a host
 * whose kernel notes them, and on one where the child does it in a file of our
 * own.
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
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

static int open_made_up(const char *path, int flags, ...);
static ssize_t pread_made_up(int fd, void *data, size_t len, off_t off);
static ssize_t pwrite_made_up(int fd, const void *data, size_t len, off_t off);

/* What the scanner runs counts, too, where 'make coverage' counts. */
int __llvm_profile_write_file(void) __attribute__((weak));

static void leave(int status)
{
	if (__llvm_profile_write_file)
		__llvm_profile_write_file();
	_exit(status);
}

#define _exit leave
#define open open_made_up
#define pread pread_made_up
#define pwrite pwrite_made_up
#include "../../kvm-memfile/dirty_scan.c"
#undef _exit
#undef open
#undef pread
#undef pwrite

#define NR_PAGES 20000	/* more than are looked at in one go */
#define HEAD	 7	/* page with the trace ring's head */
#define GPA	 (1ull << 32)
#define SIGNALS	 500
#define ENTRIES_END (1ull << 39) /* of a pagemap of all addresses */

struct order {
	uint32_t first, step, count;
};

/* In place of pagemap, if it is to be made up; else -1. */
static int made_up = -1, ours = -1;

static struct child {
	pid_t pid;
	int in, out;
	char *ram;
	unsigned int *signals;
	struct dirty d;
	uint8_t seen[NR_PAGES];
} c;

static void note(const void *page)
{
	const uint64_t entry = SOFT_DIRTY;

	if (made_up >= 0 && pwrite(made_up, &entry, sizeof(entry),
				   (uintptr_t)page / PAGE * 8) != sizeof(entry))
		abort();
}

/* All is forgotten, but what is written all the time. */
static void forget_notes(void)
{
	if (ftruncate(made_up, 0) || ftruncate(made_up, ENTRIES_END))
		abort();
	note(c.ram + HEAD * PAGE);
}

static int open_made_up(const char *path, int flags, ...)
{
	int fd;

	if (made_up < 0 || strncmp(path, "/proc/", 6))
		return open(path, flags);
	fd = fcntl(made_up, F_DUPFD_CLOEXEC, 0);
	if (strstr(path, "self"))
		ours = fd;
	return fd;
}

/*
 * Of ourselves it only asks whether what it has written just now was written.
 */
static ssize_t pread_made_up(int fd, void *data, size_t len, off_t off)
{
	const uint64_t entry = SOFT_DIRTY;

	if (made_up < 0 || fd != ours)
		return pread(fd, data, len, off);
	ours = -1;
	memcpy(data, &entry, sizeof(entry));
	return len;
}

static ssize_t pwrite_made_up(int fd, const void *data, size_t len, off_t off)
{
	if (made_up < 0)
		return pwrite(fd, data, len, off);
	forget_notes();
	return len;
}

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
		for (uint32_t i = 0; i < o.count; i++) {
			c.ram[(o.first + i * o.step) * PAGE]++;
			note(c.ram + (o.first + i * o.step) * PAGE);
		}
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
	if (made_up >= 0)
		forget_notes();
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

/* The same on any host. */
static int start_made_up(void **state)
{
	made_up = memfd_create("pagemap", MFD_CLOEXEC);
	assert_true(made_up >= 0);
	return start(state);
}

static int stop(void **state)
{
	dirty_close(&c.d);
	kill(c.pid, SIGKILL);
	waitpid(c.pid, NULL, 0);
	close(c.in);
	close(c.out);
	munmap(c.ram, (NR_PAGES + 1) * PAGE);
	if (made_up >= 0)
		close(made_up);
	made_up = -1;
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
			/* 0: the thread did not get to run meanwhile. */
			assert_true(r[i].pos >= r[i].width);
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

/*
 * Harvested again and again while it writes, it loses neither page nor signal.
 */
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

/* The one word of the guest's that it reads may say anything, or be gone. */
static void test_head(void **state)
{
	static const uint64_t heads[] = { 1ull << 63, UINT64_MAX, 1, 0 };
	static const uint32_t widths[] = { UINT32_MAX, UINT32_MAX, 2,
					   UINT32_MAX };
	struct scan s = { .pid = c.pid };
	struct xftd_in in = { 0 };
	struct xftd_record *r;

	s.in = &in;
	s.since_pos = 5;
	for (size_t i = 0; i < ARRAY_SIZE(heads); i++) {
		in.head_hva = (uintptr_t)(c.ram + PAGE);
		memcpy(c.ram + PAGE, &heads[i], sizeof(heads[i]));
		buf_add(&s.found, &(struct xftd_record){ 0 }, sizeof(*r));
		date(&s);
		r = (void *)s.found.data;
		assert_true(r[i].pos == heads[i]);
		assert_int_equal(r[i].width, widths[i]);
		assert_true(s.since_pos == heads[i]);
	}
	in.head_hva = PAGE;
	assert_int_equal(position(&s), 0);
	in.head_hva = UINT64_MAX - 3;
	assert_int_equal(position(&s), 0);
	buf_deinit(&s.found);
}

/*
 * More than the recorder takes waits here, and nothing is looked for meanwhile.
 */
static void test_full(void **state)
{
	const uint32_t most = XFTD_RING;
	struct scan s = { .pid = -1 };
	struct xftd_out out = { 0 };
	struct xftd_in in = { 0 };
	struct xf_err err;

	s.out = &out;
	s.in = &in;
	s.record = calloc(most, sizeof(*s.record));
	for (uint32_t i = 0; i < most + 10; i++)
		buf_add(&s.found, &(struct xftd_record){ .addr = i },
			sizeof(*s.record));
	tell(&s);
	assert_int_equal(out.head, most);
	assert_int_equal(harvest(&s, &err), 0);
	in.tail = 20;
	tell(&s);
	assert_int_equal(out.head, most + 10);
	for (uint32_t i = 10; i < most + 10; i++)
		assert_int_equal(s.record[i % most].addr, i);
	/* Then it is: QEMU has ended. */
	assert_int_equal(harvest(&s, &err), -ESRCH);
	buf_deinit(&s.found);
	free(s.record);
}

#define ON(test, begins) cmocka_unit_test_setup_teardown(test, begins, stop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_full),
		ON(test_head, start),
		ON(test_exact, start_made_up),
		ON(test_meanwhile, start_made_up),
		ON(test_gone, start_made_up),
		ON(test_exact, start),
		ON(test_meanwhile, start),
		ON(test_gone, start),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
