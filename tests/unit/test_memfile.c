// SPDX-License-Identifier: GPL-2.0-only
/* memfile and scan on memfds and files that shrink, lie or are not ours. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "cleanup.h"
#include "memfile.h"
#include "scan.h"

#define PAGE ((uint64_t)XF_PAGE_SIZE)
#define MIB  (1ull << 20)
#define GIB  (1ull << 30)

/*
 * A guest of 8 MiB in one memfd: low memory to 640 KiB, then from 1 MiB to
 * 4 MiB, the rest above 4 GiB. Each page that is touched begins with its gpa.
 */
#define RAM (8 * MIB)

#define SLOT(at, bytes, in_file, nr) \
	{ .gpa = at, .len = bytes, .off = in_file, .file = nr }

static const struct memslot layout[] = {
	SLOT(0, 640 * 1024, 0, 0),
	SLOT(MIB, 3 * MIB, MIB, 0),
	SLOT(4 * GIB, 4 * MIB, 4 * MIB, 0),
};

struct guest {
	struct memslot_file file;
	struct memslots ms;
	struct memfile mf;
};

static void guest_slots(struct guest *g, const struct memslot *slot, size_t nr)
{
	g->ms = (struct memslots){ .slot = (struct memslot *)slot,
				   .nr = nr,
				   .file = &g->file,
				   .nr_files = 1,
				   .uid = (uid_t)-1 };
}

static int guest_file(struct guest *g, int fd)
{
	*g = (struct guest){ .file = { .fd = fd, .name = "test-ram" } };
	guest_slots(g, layout, ARRAY_SIZE(layout));
	return fd;
}

static void guest_memfd(struct guest *g, uint64_t size)
{
	guest_file(g, memfd_create("test-ram", MFD_CLOEXEC));
	assert_true(g->file.fd >= 0);
	assert_int_equal(ftruncate(g->file.fd, size), 0);
}

static void guest_open(struct guest *g)
{
	guest_memfd(g, RAM);
	assert_int_equal(memfile_open(&g->mf, &g->ms, 0, NULL), 0);
}

static void guest_close(struct guest *g)
{
	memfile_close(&g->mf);
	close(g->file.fd);
}

static void put(struct guest *g, uint64_t off, const void *data, size_t len)
{
	assert_int_equal(pwrite(g->file.fd, data, len, off), len);
}

/* Others may have the machine: what counts is what we use of it. */
static double cpu_seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

static double seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

static void test_read(void **state)
{
	static const struct memslot touching[] = {
		SLOT(0, PAGE, 4 * PAGE, 0),
		SLOT(PAGE, PAGE, 0, 0),
		SLOT(4 * PAGE, PAGE, PAGE, 0),
	};
	struct xf_err err = { 0 };
	static char b[2 * XF_PAGE_SIZE];
	struct guest g;
	uint64_t v;

	guest_open(&g);
	assert_int_equal(g.mf.ram_len, 7 * MIB + 640 * 1024);
	put(&g, 4 * MIB, "above four", 10);
	put(&g, RAM - 4, "last", 4);
	assert_int_equal(memfile_read(&g.mf, 4 * GIB, b, 10, &err), 0);
	assert_string_equal(b, "above four");
	assert_int_equal(memfile_read(&g.mf, 4 * GIB + 4 * MIB - 4, b, 4, &err),
			 0);
	assert_memory_equal(b, "last", 4);

	/* The hole, both of its edges, the end, and what wraps. */
	assert_int_equal(memfile_read(&g.mf, 640 * 1024, b, 1, &err), -ERANGE);
	assert_int_equal(memfile_read(&g.mf, MIB - 1, b, 1, &err), -ERANGE);
	assert_int_equal(memfile_read(&g.mf, 640 * 1024 - 1, b, 1, &err), 0);
	assert_int_equal(memfile_read(&g.mf, 640 * 1024 - 1, b, 2, &err),
			 -ERANGE);
	assert_int_equal(memfile_read(&g.mf, 4 * MIB, b, 1, &err), -ERANGE);
	assert_int_equal(memfile_read(&g.mf, 4 * GIB + 4 * MIB - 1, b, 2, &err),
			 -ERANGE);
	assert_int_equal(memfile_read(&g.mf, UINT64_MAX, b, 16, &err), -ERANGE);
	assert_int_equal(memfile_read(&g.mf, UINT64_MAX, b, 0, &err), 0);

	assert_int_equal(memfile_run(&g.mf, 0), 640 * 1024);
	assert_int_equal(memfile_run(&g.mf, 640 * 1024), 0);
	assert_int_equal(memfile_run(&g.mf, 4 * GIB + 1), 4 * MIB - 1);
	assert_non_null(memfile_ptr(&g.mf, MIB, 3 * MIB));
	assert_null(memfile_ptr(&g.mf, MIB, 3 * MIB + 1));
	assert_null(memfile_ptr(&g.mf, MIB + 1, SIZE_MAX));
	assert_null(memfile_ptr(&g.mf, 640 * 1024, 1));

	assert_int_equal(memfile_read_u64(&g.mf, 4 * GIB, &v, &err), 0);
	assert_memory_equal(&v, "above fo", 8);
	assert_int_equal(memfile_read_u64(&g.mf, 4, &v, &err), -EINVAL);
	assert_int_equal(memfile_read_u64(&g.mf, 640 * 1024, &v, &err),
			 -ERANGE);
	guest_close(&g);
	memfile_close(&g.mf);

	/* Slots that touch are one range, wherever the file has them. */
	guest_memfd(&g, RAM);
	guest_slots(&g, touching, ARRAY_SIZE(touching));
	put(&g, 5 * PAGE - 3, "abc", 3);
	put(&g, 0, "def", 3);
	assert_int_equal(memfile_open(&g.mf, &g.ms, 0, &err), 0);
	assert_int_equal(memfile_read(&g.mf, PAGE - 3, b, 6, &err), 0);
	assert_memory_equal(b, "abcdef", 6);
	assert_null(memfile_ptr(&g.mf, PAGE - 3, 6));
	assert_int_equal(memfile_read(&g.mf, PAGE, b, PAGE + 1, &err), -ERANGE);
	guest_close(&g);
}

static void test_bad_slots(void **state)
{
	static const struct memslot bad[][2] = {
		{ SLOT(0, 2 * PAGE, 0, 0), SLOT(PAGE, PAGE, 0, 0) },
		{ SLOT(PAGE, PAGE, 0, 0), SLOT(0, PAGE, 0, 0) },
		{ SLOT(0, PAGE, 0, 0), SLOT(PAGE, 0, 0, 0) },
		{ SLOT(0, PAGE, 0, 0), SLOT(PAGE, PAGE, 1, 0) },
		{ SLOT(0, PAGE, 0, 0), SLOT(PAGE, 100, 0, 0) },
		{ SLOT(0, PAGE, 0, 0), SLOT(-PAGE, PAGE, 0, 0) },
		{ SLOT(0, PAGE, 0, 0), SLOT(PAGE, PAGE, -PAGE, 0) },
		{ SLOT(0, PAGE, 0, 0), SLOT(PAGE, -2 * PAGE, 0, 0) },
		{ SLOT(0, PAGE, 0, 0), SLOT(PAGE, PAGE, 0, 1) },
	};
	struct xf_err err = { 0 };
	struct guest g;

	guest_memfd(&g, RAM);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		guest_slots(&g, bad[i], 2);
		assert_int_equal(memfile_open(&g.mf, &g.ms, 0, &err), -EINVAL);
	}
	guest_slots(&g, NULL, 0);
	assert_int_equal(memfile_open(&g.mf, &g.ms, 0, &err), -EINVAL);
	guest_slots(&g, layout, ARRAY_SIZE(layout));
	assert_int_equal(ftruncate(g.file.fd, RAM - 1), 0);
	assert_int_equal(memfile_open(&g.mf, &g.ms, 0, &err), -ESTALE);
	guest_close(&g);
}

static void test_writable(void **state)
{
	struct xf_err err = { 0 };
	struct guest g;
	void *box, *other;
	char b[8] = "";

	guest_open(&g);
	assert_int_equal(memfile_map_writable(&g.mf, MIB + 100, 3 * PAGE, &box,
					      &err),
			 0);
	memcpy((char *)box + 2 * PAGE, "mailbox", 7);
	assert_int_equal(memfile_read(&g.mf, MIB + 100 + 2 * PAGE, b, 7, &err),
			 0);
	assert_string_equal(b, "mailbox");

	assert_int_equal(memfile_map_writable(&g.mf, MIB, 64 * PAGE, &other,
					      &err),
			 0);
	assert_int_equal(memfile_map_writable(&g.mf, MIB, 64 * PAGE + 1, &other,
					      &err),
			 -E2BIG);
	assert_int_equal(memfile_map_writable(&g.mf, MIB, 0, &other, &err),
			 -ERANGE);
	assert_int_equal(memfile_map_writable(&g.mf, 640 * 1024 - PAGE,
					      2 * PAGE, &other, &err),
			 -ERANGE);
	assert_int_equal(memfile_map_writable(&g.mf, 5 * GIB, PAGE, &other,
					      &err),
			 -ERANGE);

	/* A box on pages that are gone: written to no avail, but no harm. */
	assert_int_equal(ftruncate(g.file.fd, MIB), 0);
	memcpy(box, "again", 5);
	assert_int_equal(memfile_check(&g.mf, &err), -EIO);
	guest_close(&g);
}

static void test_truncated(void **state)
{
	struct xf_err err = { 0 };
	const char *p;
	struct guest g;
	char b[64];

	guest_open(&g);
	put(&g, 4 * MIB, "here", 4);
	p = memfile_ptr(&g.mf, 4 * GIB, 4 * MIB);
	assert_int_equal(p[0], 'h');
	assert_int_equal(memfile_check(&g.mf, &err), 0);

	assert_int_equal(ftruncate(g.file.fd, 2 * MIB + 100), 0);
	assert_int_equal(memfile_read(&g.mf, 2 * MIB, b, 64, &err), 0);
	/* Through a pointer it reads as zeros, and the memfile says so. */
	assert_int_equal(p[0], 0);
	assert_int_equal(p[4 * MIB - 1], 0);
	assert_int_equal(memfile_check(&g.mf, &err), -EIO);
	assert_non_null(strstr(err.msg, "truncated"));
	assert_int_equal(memfile_read(&g.mf, 0, b, 64, &err), -EIO);

	/* Grown again, it is still not what it was. */
	assert_int_equal(ftruncate(g.file.fd, RAM), 0);
	put(&g, 4 * MIB, "here", 4);
	assert_int_equal(p[0], 0);
	assert_int_equal(memfile_read(&g.mf, 4 * GIB, b, 64, &err), -EIO);
	guest_close(&g);
}

struct reader {
	struct guest *g;
	atomic_bool stop;
	unsigned long rounds;
};

static void *read_on(void *arg)
{
	struct reader *r = arg;
	uint64_t buf[512];

	while (!r->stop) {
		for (uint64_t at = MIB; at < 4 * MIB; at += PAGE)
			memfile_read(&r->g->mf, at, buf, sizeof(buf), NULL);
		r->rounds++;
	}
	return NULL;
}

static void test_truncated_under_readers(void **state)
{
	struct guest g;
	struct reader r[2] = { { .g = &g }, { .g = &g } };
	pthread_t thread[2];

	guest_open(&g);
	for (int i = 0; i < 2; i++)
		pthread_create(&thread[i], NULL, read_on, &r[i]);
	for (int i = 0; i < 50; i++) {
		struct timespec nap = { .tv_nsec = 500000 };

		assert_int_equal(ftruncate(g.file.fd, i % 8 * MIB), 0);
		nanosleep(&nap, NULL);
		assert_int_equal(ftruncate(g.file.fd, RAM), 0);
	}
	for (int i = 0; i < 2; i++) {
		r[i].stop = true;
		pthread_join(thread[i], NULL);
		assert_true(r[i].rounds > 0);
	}
	assert_int_equal(memfile_check(&g.mf, NULL), -EIO);
	guest_close(&g);
}

/* Half a gigabyte that is gone must not cost a fault for each page. */
static void test_truncated_cost(void **state)
{
	static const struct memslot slot = SLOT(0, 512 * MIB, 0, 0);
	unsigned int sum = 0;
	const uint8_t *p;
	struct guest g;
	double start;

	guest_memfd(&g, 512 * MIB);
	guest_slots(&g, &slot, 1);
	assert_int_equal(memfile_open(&g.mf, &g.ms, 0, NULL), 0);
	assert_int_equal(ftruncate(g.file.fd, 0), 0);
	p = memfile_ptr(&g.mf, 0, 512 * MIB);
	start = cpu_seconds();
	for (uint64_t i = 0; i < 512 * MIB; i += PAGE)
		sum += p[i];
	assert_int_equal(sum, 0);
	assert_true(cpu_seconds() - start < 2);
	guest_close(&g);
}

static void exit_42(int sig)
{
	_exit(42);
}

/* In a child: a memfile, then a SIGBUS somewhere else. Returns its status. */
static int foreign_sigbus(void (*before)(int), bool by_kill)
{
	int status;
	pid_t pid = fork();

	if (!pid) {
		struct rlimit none = { 0, 0 };
		struct guest g;
		int fd = memfd_create("other", 0);
		volatile char *p = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd,
					0);

		setrlimit(RLIMIT_CORE, &none);
		signal(SIGBUS, before);
		guest_open(&g);
		if (by_kill)
			raise(SIGBUS);
		else
			(void)*p;
		_exit(1);
	}
	waitpid(pid, &status, 0);
	return status;
}

static void test_foreign_sigbus(void **state)
{
	for (int by_kill = 0; by_kill < 2; by_kill++) {
		int status = foreign_sigbus(SIG_DFL, by_kill);

		assert_true(WIFSIGNALED(status));
		assert_int_equal(WTERMSIG(status), SIGBUS);
		status = foreign_sigbus(exit_42, by_kill);
		assert_true(WIFEXITED(status));
		assert_int_equal(WEXITSTATUS(status), 42);
	}
}

static void test_access(void **state)
{
	char path[] = "/tmp/xftrace-test-XXXXXX";
	struct xf_err err = { 0 };
	struct guest g;
	int fd = mkstemp(path);

	guest_file(&g, fd);
	assert_int_equal(ftruncate(fd, RAM), 0);
	for (int mode = 0600; mode <= 0622; mode++) {
		bool open = mode & 066;
		int rc;

		fchmod(fd, mode);
		rc = memfile_open(&g.mf, &g.ms, 0, &err);
		assert_int_equal(rc, open ? -EPERM : 0);
		memfile_close(&g.mf);
		rc = memfile_open(&g.mf, &g.ms, MEMFILE_ALLOW_OPEN, &err);
		assert_int_equal(rc, 0);
		assert_int_equal(g.mf.open_ram, open);
		memfile_close(&g.mf);
	}
	fchmod(fd, 0600);
	if (!fchown(fd, 12345, -1)) {
		assert_int_equal(memfile_open(&g.mf, &g.ms, 0, &err), -EPERM);
		g.ms.uid = 12345;	/* QEMU runs as this user */
		assert_int_equal(memfile_open(&g.mf, &g.ms, 0, &err), 0);
		memfile_close(&g.mf);
		assert_int_equal(fchown(fd, geteuid(), -1), 0);
	}
	/* Without a name nobody else gets at it. */
	fchmod(fd, 0644);
	unlink(path);
	assert_int_equal(memfile_open(&g.mf, &g.ms, 0, &err), 0);
	assert_false(g.mf.open_ram);
	guest_close(&g);

	guest_file(&g, open("/dev/zero", O_RDONLY));
	assert_int_equal(memfile_open(&g.mf, &g.ms, 0, &err), -EINVAL);
	close(g.file.fd);
}

static void test_too_many(void **state)
{
	static struct memfile mf[300];
	static const struct memslot slot = SLOT(0, PAGE, 0, 0);
	struct xf_err err = { 0 };
	struct guest g;
	int rc = 0;
	size_t n;

	guest_memfd(&g, RAM);
	guest_slots(&g, &slot, 1);
	for (n = 0; n < ARRAY_SIZE(mf) && !rc; n++)
		rc = memfile_open(&mf[n], &g.ms, 0, &err);
	assert_int_equal(rc, -EMFILE);
	while (n--)
		memfile_close(&mf[n]);
	assert_int_equal(memfile_open(&g.mf, &g.ms, 0, &err), 0);
	guest_close(&g);
}

#define MAX_HITS 64

struct hits {
	uint64_t gpa[MAX_HITS];
	size_t which[MAX_HITS];
	size_t nr;
	int answer;		/* after the first hit */
	uint64_t done;
	unsigned int told;
};

static int note_hit(void *arg, uint64_t gpa, size_t which)
{
	struct hits *h = arg;

	assert_true(h->nr < MAX_HITS);
	h->gpa[h->nr] = gpa;
	h->which[h->nr++] = which;
	return h->answer;
}

static void note_progress(void *arg, uint64_t done, uint64_t total)
{
	struct hits *h = arg;

	assert_true(done > h->done && done <= total);
	h->done = done;
	h->told++;
}

static uint64_t blocks(const struct guest *g)
{
	struct stat st;

	assert_int_equal(fstat(g->file.fd, &st), 0);
	return st.st_blocks;
}

static void test_scan(void **state)
{
	static const struct scan_pattern patterns[] = {
		{ "MAGICMAGICMAGIC!", 16, 0 },
		{ "note", 4, 12 },
		{ "end!", 4, XF_PAGE_SIZE - 4 },
	};
	static const uint64_t want[][2] = {
		{ 0, 1 },
		{ 640 * 1024 - PAGE, 2 },
		{ MIB, 0 },
		{ 4 * MIB - PAGE, 0 },
		{ 4 * GIB, 0 },
		{ 4 * GIB, 2 },
		{ 4 * GIB + 4 * MIB - PAGE, 0 },
	};
	struct scan_pattern bad = { "x", 1, XF_PAGE_SIZE };
	struct xf_err err = { 0 };
	struct hits h = { 0 };
	struct scan s = { .pattern = patterns,
			  .nr = ARRAY_SIZE(patterns),
			  .hit = note_hit,
			  .arg = &h };
	struct guest g;
	uint64_t before;

	guest_open(&g);
	put(&g, 12, "note", 4);
	put(&g, 640 * 1024 - 4, "end!", 4);
	put(&g, 700 * 1024, "MAGICMAGICMAGIC!", 16); /* lies in the hole */
	put(&g, MIB, "MAGICMAGICMAGIC!", 16);
	put(&g, 2 * MIB + 8, "MAGICMAGICMAGIC!", 16); /* not at a page */
	put(&g, 2 * MIB + PAGE, "MAGICMAGICMAGIC?", 16);
	put(&g, 4 * MIB - PAGE, "MAGICMAGICMAGIC!", 16);
	put(&g, 4 * MIB, "MAGICMAGICMAGIC!", 16);
	put(&g, 4 * MIB + PAGE - 4, "end!", 4);
	put(&g, RAM - PAGE, "MAGICMAGICMAGIC!", 16);
	before = blocks(&g);
	assert_int_equal(scan_pages(&g.mf, &s, &err), 0);
	assert_int_equal(h.nr, ARRAY_SIZE(want));
	for (size_t i = 0; i < h.nr; i++) {
		assert_int_equal(h.gpa[i], want[i][0]);
		assert_int_equal(h.which[i], want[i][1]);
	}
	/* Looking for something does not make the host allocate it. */
	assert_int_equal(blocks(&g), before);

	h = (struct hits){ .answer = 7 };
	assert_int_equal(scan_pages(&g.mf, &s, &err), 7);
	assert_int_equal(h.nr, 1);
	h = (struct hits){ .answer = -EBADMSG };
	assert_int_equal(scan_pages(&g.mf, &s, &err), -EBADMSG);

	s.pattern = &bad;
	s.nr = 1;
	assert_int_equal(scan_pages(&g.mf, &s, &err), -EINVAL);
	bad = (struct scan_pattern){ "x", 0, 0 };
	assert_int_equal(scan_pages(&g.mf, &s, &err), -EINVAL);

	s.pattern = patterns;
	h = (struct hits){ 0 };
	assert_int_equal(ftruncate(g.file.fd, 3 * MIB), 0);
	assert_int_equal(scan_pages(&g.mf, &s, &err), 0); /* holes, all of it */
	guest_close(&g);
}

static int truncate_it(void *arg, uint64_t gpa, const void *ptr, size_t len)
{
	struct guest *g = arg;

	if (ftruncate(g->file.fd, 0))
		return -errno;
	return *(const volatile char *)ptr;
}

static void test_scan_truncated(void **state)
{
	struct xf_err err = { 0 };
	struct guest g;

	guest_open(&g);
	put(&g, 0, "x", 1);
	assert_int_equal(memfile_for_each_extent(&g.mf, truncate_it, &g, &err),
			 -EIO);
	guest_close(&g);
}

/* 512 MiB, all of it in use: how long does it take? */
static void test_scan_cost(void **state)
{
	static const struct memslot slot = SLOT(0, 512 * MIB, 0, 0);
	static const struct scan_pattern p = { "MAGICMAGICMAGIC!", 16, 0 };
	struct hits h = { 0 };
	struct scan s = { .pattern = &p,
			  .nr = 1,
			  .hit = note_hit,
			  .progress = note_progress,
			  .arg = &h };
	struct guest g;
	double start;
	uint8_t *ram;

	guest_memfd(&g, 512 * MIB);
	guest_slots(&g, &slot, 1);
	ram = mmap(NULL, 512 * MIB, PROT_WRITE, MAP_SHARED, g.file.fd, 0);
	assert_true(ram != MAP_FAILED);
	for (uint64_t i = 0; i < 512 * MIB; i += PAGE)
		ram[i] = 'M';
	memcpy(ram + 512 * MIB - PAGE, p.bytes, p.len);
	assert_int_equal(memfile_open(&g.mf, &g.ms, 0, NULL), 0);
	for (int i = 0; i < 2; i++) {
		h = (struct hits){ 0 };
		start = seconds();
		assert_int_equal(scan_pages(&g.mf, &s, NULL), 0);
		print_message("512 MiB scanned in %.1f ms (%s)\n",
			      (seconds() - start) * 1e3,
			      i ? "again" : "first time");
		assert_int_equal(h.nr, 1);
		assert_int_equal(h.told, 7);
	}
	munmap(ram, 512 * MIB);
	guest_close(&g);
}

/* Sparse as a guest of 64 GiB that hardly started. */
static void test_scan_sparse(void **state)
{
	static const struct memslot slot = SLOT(0, 64 * GIB, 0, 0);
	static const struct scan_pattern p = { "MAGIC", 5, 0 };
	struct hits h = { 0 };
	struct scan s = { .pattern = &p, .nr = 1, .hit = note_hit, .arg = &h };
	struct guest g;
	double start;

	guest_memfd(&g, 64 * GIB);
	guest_slots(&g, &slot, 1);
	for (uint64_t i = 0; i < 64; i++)
		put(&g, i * GIB + i * PAGE, "MAGIC", 5);
	assert_int_equal(memfile_open(&g.mf, &g.ms, 0, NULL), 0);
	start = seconds();
	assert_int_equal(scan_pages(&g.mf, &s, NULL), 0);
	assert_int_equal(h.nr, 64);
	assert_true(seconds() - start < 1);
	assert_int_equal(blocks(&g), 64 * 8);
	guest_close(&g);
}

/* Where there are no huge pages to have, a file may say that it has some. */
static bool pretend_huge;

int __real_fstatfs(int fd, struct statfs *ret);
int __wrap_fstatfs(int fd, struct statfs *ret);
int __wrap_fstatfs(int fd, struct statfs *ret)
{
	int rc = __real_fstatfs(fd, ret);

	if (pretend_huge) {
		ret->f_type = HUGETLBFS_MAGIC;
		ret->f_bsize = 2 * MIB;
	}
	return rc;
}

static void huge_pages(int fd)
{
	static const struct memslot slots[] = {
		SLOT(0, 640 * 1024, 0, 0),
		SLOT(MIB, 3 * MIB, MIB, 0),
	};
	static const struct scan_pattern p = { "MAGIC", 5, 0 };
	struct hits h = { 0 };
	struct scan s = { .pattern = &p, .nr = 1, .hit = note_hit, .arg = &h };
	struct xf_err err = { 0 };
	struct guest g;
	uint8_t *ram;
	void *box;
	char b[8];

	guest_file(&g, fd);
	guest_slots(&g, slots, ARRAY_SIZE(slots));
	if (g.file.fd < 0 || ftruncate(g.file.fd, 4 * MIB))
		skip();
	ram = mmap(NULL, 4 * MIB, PROT_WRITE, MAP_SHARED, g.file.fd, 0);
	if (ram == MAP_FAILED) {
		close(g.file.fd);
		skip();
	}
	memcpy(ram + MIB + PAGE, "MAGIC", 5);
	assert_int_equal(memfile_open(&g.mf, &g.ms, 0, &err), 0);
	assert_int_equal(memfile_read(&g.mf, MIB + PAGE, b, 5, &err), 0);
	assert_memory_equal(b, "MAGIC", 5);
	assert_int_equal(scan_pages(&g.mf, &s, &err), 0);
	assert_int_equal(h.nr, 1);
	assert_int_equal(h.gpa[0], MIB + PAGE);
	assert_int_equal(memfile_map_writable(&g.mf, MIB + PAGE, PAGE, &box,
					      &err),
			 0);
	memcpy(box, "magic", 5);
	assert_memory_equal(ram + MIB + PAGE, "magic", 5);
	assert_int_equal(ftruncate(g.file.fd, 0), 0);
	assert_int_equal(memfile_read(&g.mf, MIB, b, 5, &err), -EIO);
	munmap(ram, 4 * MIB);
	guest_close(&g);
}

static void test_huge_pages(void **state)
{
	huge_pages(memfd_create("huge", MFD_CLOEXEC | MFD_HUGETLB));
}

static void test_pretended_huge_pages(void **state)
{
	pretend_huge = true;
	huge_pages(memfd_create("small", MFD_CLOEXEC));
	pretend_huge = false;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_read),
		cmocka_unit_test(test_bad_slots),
		cmocka_unit_test(test_writable),
		cmocka_unit_test(test_truncated),
		cmocka_unit_test(test_truncated_under_readers),
		cmocka_unit_test(test_truncated_cost),
		cmocka_unit_test(test_foreign_sigbus),
		cmocka_unit_test(test_access),
		cmocka_unit_test(test_too_many),
		cmocka_unit_test(test_scan),
		cmocka_unit_test(test_scan_truncated),
		cmocka_unit_test(test_scan_cost),
		cmocka_unit_test(test_scan_sparse),
		cmocka_unit_test(test_huge_pages),
		cmocka_unit_test(test_pretended_huge_pages),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
