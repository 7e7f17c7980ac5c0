// SPDX-License-Identifier: GPL-2.0-only
/*
 * dirty_vmm SHIM ENTRIES [TEST...] -- dirty_kvm.so in a small VMM whose guest
 * writes pages that are known. ENTRIES is the size of KVM's rings, 0 for the
 * bitmap. Prints "ok NAME" or "not ok NAME" for each case.
 *
 * dirty_vmm works -- whether KVM here can run such a guest at all
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "dirty.h"
#include "vmm.h"

#define NR_PAGES   (VMM_RAM / VMM_PAGE)
#define LIMIT_S	   120	/* whatever hangs */

static const char *shim;
static bool ring;	/* not the bitmap */
static char path[64];

static struct vmm {
	pid_t pid;
	int in, out;
	uint64_t heads;		/* in its memory */
	struct dirty d;
} vmm;

/* What was reported since begin(). */
static unsigned int seen[VMM_MAX_CPUS][NR_PAGES];
static uint64_t strays;		/* reports that make no sense */
static uint8_t reset;		/* XFTD_AFTER_RESET, if they should have it */
/* intervals(): page VMM_FIRST + i is written at i + 1, i + 1 + period, ... */
static uint64_t period;
static uint64_t wrong, widest;

static void die(const char *what, const char *why)
{
	printf("not ok %s: %s\n", what, why);
	exit(1);
}

static void result(bool ok, const char *name)
{
	printf("%sok vmm, %s: %s\n", ok ? "" : "not ", ring ? "ring" : "bitmap",
	       name);
	fflush(stdout);
}

/* ---- the VMM ---- */

static struct vmm_answer tell(struct vmm_order o, void *bits)
{
	struct vmm_answer a;
	size_t len = 0;
	ssize_t n;

	if (write(vmm.in, &o, sizeof(o)) != sizeof(o) ||
	    read(vmm.out, &a, sizeof(a)) != sizeof(a))
		die("the VMM answers", "it does not");
	while (bits && len < NR_PAGES / 8) {
		n = read(vmm.out, (char *)bits + len, NR_PAGES / 8 - len);
		if (n <= 0)
			die("the VMM answers", "it does not");
		len += n;
	}
	return a;
}

static struct vmm_answer order(enum vmm_what what)
{
	return tell((struct vmm_order){ .what = what }, NULL);
}

static struct vmm_answer guest_write(unsigned int cpu, uint64_t first,
				     uint64_t step, uint64_t count,
				     uint64_t rounds, enum vmm_what what)
{
	struct vmm_answer a = tell((struct vmm_order){ what, cpu, first, step,
						       count, rounds }, NULL);

	if (a.status)
		die("the guest runs", strerror(-a.status));
	return a;
}

static void vmm_start(unsigned int nr_cpus)
{
	int in[2], out[2];

	if (pipe2(in, O_CLOEXEC) || pipe2(out, O_CLOEXEC))
		die("pipe", strerror(errno));
	vmm.pid = fork();
	if (!vmm.pid) {
		char *argv[] = { "vmm", nr_cpus == 1 ? "1" : "2", NULL };

		dup2(in[0], STDIN_FILENO);
		dup2(out[1], STDOUT_FILENO);
		if (shim)
			setenv("LD_PRELOAD", shim, true);
		execv("/proc/self/exe", argv);
		_exit(127);
	}
	close(in[0]);
	close(out[1]);
	vmm.in = in[1];
	vmm.out = out[0];
	vmm.d = (struct dirty)DIRTY_INIT;
	/* It has run: now the shim has a file to show. */
	vmm.heads = guest_write(0, VMM_FIRST, 1, 1, 1, VMM_START).heads;
	order(VMM_WAIT);
}

static void vmm_stop(void)
{
	dirty_close(&vmm.d);
	close(vmm.in);
	close(vmm.out);
	waitpid(vmm.pid, NULL, 0);
}

/* ---- the recorder ---- */

static void request(enum xftd_mode mode, uint32_t interval_ms)
{
	struct xf_err err = { 0 };

	if (dirty_request(&vmm.d, mode, interval_ms, &err))
		die("a request is answered", err.msg);
}

static void begin(uint32_t interval_ms)
{
	struct timespec nap = { .tv_nsec = 5000000 };
	struct memslot all = { .len = VMM_RAM, .hva = vmm.heads - VMM_HEADS *
							     VMM_PAGE };
	struct memslots ms = { .slot = &all, .nr = 1 };
	struct xf_err err = { 0 };
	int rc = -ENOENT;

	for (int i = 0; rc && i < 400; i++) {
		rc = dirty_open(&vmm.d, vmm.pid, &err);
		if (rc)
			nanosleep(&nap, NULL);
	}
	if (rc || dirty_set_slots(&vmm.d, &ms, &err))
		die("the shim is found", err.msg);
	for (uint32_t i = 0; i < vmm.d.nr_vcpus; i++)
		vmm.d.head_gpa[i] = (VMM_HEADS + i) * VMM_PAGE;
	memset(seen, 0, sizeof(seen));
	strays = 0;
	request(XFTD_FIRST, interval_ms);
}

static bool in_interval(const struct xftd_record *r)
{
	uint64_t at = r->addr / VMM_PAGE - VMM_FIRST + 1;
	uint64_t from = r->pos - r->width;

	if (r->addr / VMM_PAGE < VMM_FIRST)
		return true;
	if (from > at)
		at += (from - at + period - 1) / period * period;
	return at <= r->pos;
}

static uint64_t drain(void)
{
	struct xftd_record r[256];
	uint64_t nr = 0;
	size_t n;

	for (uint32_t cpu = 0; cpu < vmm.d.nr_vcpus; cpu++) {
		while ((n = dirty_read(&vmm.d, cpu, r, 256)) > 0) {
			for (size_t i = 0; i < n; i++) {
				uint64_t page = r[i].addr / VMM_PAGE;

				if (page >= NR_PAGES || r[i].addr % VMM_PAGE ||
				    !(r[i].flags & XFTD_HARVESTED) ||
				    (r[i].flags ^ reset) & XFTD_AFTER_RESET) {
					strays++;
					continue;
				}
				seen[cpu][page]++;
				if (!period)
					continue;
				if (!in_interval(&r[i]))
					wrong++;
				if (r[i].width > widest)
					widest = r[i].width;
			}
			nr += n;
		}
	}
	return nr;
}

static uint64_t harvest(void)
{
	request(XFTD_FIRST, 0);
	return drain();
}

/*
 * Exactly the pages of the last write, and the head, @least times or more.
 * While a log is harvested the store of the moment may be noted twice: before,
 * and again when it is done at last. What is below the heads may be reported:
 * KVM maps code as if it was written, and so does AMD's processor with page
 * tables.
 */
static bool exact(unsigned int cpu, uint64_t first, uint64_t step,
		  uint64_t count, unsigned int least, unsigned int most)
{
	unsigned int *times = seen[ring ? cpu : 0];
	bool ok = !strays;

	for (uint64_t page = VMM_HEADS; page < NR_PAGES; page++) {
		bool is_head = page == VMM_HEADS + cpu;
		bool want = is_head ||
			    (page >= first && page < first + count * step &&
			     (page - first) % step == 0);

		if (want ? times[page] < least ||
				   (times[page] > most && !is_head) :
			   times[page]) {
			printf("# page %llu: %u times\n",
			       (unsigned long long)page, times[page]);
			ok = false;
		}
	}
	memset(times, 0, sizeof(seen[0]));
	return ok;
}

static bool all_seen(uint64_t first, uint64_t count)
{
	for (uint64_t page = first; page < first + count; page++) {
		if (!seen[0][page])
			return false;
	}
	return true;
}

/* ---- what must be true ---- */

static void pages(void)
{
	begin(0);
	result(!harvest(), "nothing written, nothing reported");
	guest_write(0, 300, 3, 400, 1, VMM_WRITE);
	harvest();
	result(exact(0, 300, 3, 400, 1, 1), "each page written, once");
	guest_write(0, 300, 3, 400, 7, VMM_WRITE);
	harvest();
	result(exact(0, 300, 3, 400, 1, 1), "written again, reported again");
	result(!harvest(), "and then no more");
	guest_write(0, 256, 1, 15000, 1, VMM_WRITE);
	harvest();
	result(exact(0, 256, 1, 15000, 1, 2), "more pages than a ring holds");
	result(!dirty_lost(&vmm.d), "none is lost");
	request(XFTD_OFF, 0);
	guest_write(0, 256, 1, 1000, 1, VMM_WRITE);
	result(!drain(), "nothing after the end");
	request(XFTD_FIRST, 0);
	result(!harvest(), "nor of what was before the beginning");
}

static void two_cpus(void)
{
	begin(1);
	guest_write(0, 1000, 2, 3000, 1, VMM_START);
	guest_write(1, 1001, 2, 3000, 1, VMM_START);
	tell((struct vmm_order){ .what = VMM_WAIT, .cpu = 0 }, NULL);
	tell((struct vmm_order){ .what = VMM_WAIT, .cpu = 1 }, NULL);
	harvest();
	if (ring)
		result(exact(0, 1000, 2, 3000, 1, 2) &
			       exact(1, 1001, 2, 3000, 1, 2),
		       "each page belongs to the vCPU that wrote it");
	else
		result(all_seen(1000, 6000), "no page of any vCPU is missing");
}

/* A page is written only while its vCPU's head is in the interval reported. */
static void intervals(void)
{
	struct vmm_answer a;

	begin(1);
	/* vmm_start() has written one page: the others come into step. */
	guest_write(0, VMM_FIRST + 1, 1, 8191, 1, VMM_WRITE);
	harvest();
	period = 8192;
	guest_write(0, VMM_FIRST, 1, 8192, 40, VMM_START);
	for (int i = 0; i < 50; i++) {
		nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
		drain();
	}
	a = order(VMM_WAIT);
	harvest();
	period = 0;
	printf("# head %llu, widest interval %llu\n",
	       (unsigned long long)a.heads, (unsigned long long)widest);
	result(a.heads == 41 * 8192 && widest && widest < a.heads,
	       "intervals have a width");
	result(!wrong, "a page is written in the interval reported");
}

/* QEMU's own logging, while we harvest, and without us. */
static bool owed(uint64_t first, uint64_t count)
{
	static uint8_t bits[NR_PAGES / 8];

	if (tell((struct vmm_order){ .what = VMM_LOG_GET }, bits).status)
		return false;
	for (uint64_t page = VMM_HEADS; page < NR_PAGES; page++) {
		bool is_set = bits[page / 8] >> page % 8 & 1;
		bool want = (page >= first && page < first + count) ||
			    (count && page == VMM_HEADS);

		if (is_set != want) {
			printf("# page %llu: %d\n", (unsigned long long)page,
			       is_set);
			return false;
		}
	}
	return true;
}

static void qemu_logs(void)
{
	static uint8_t bits[NR_PAGES / 8];

	result(tell((struct vmm_order){ .what = VMM_LOG_GET }, bits).status ==
		       -ENOENT, "QEMU gets no log that it did not ask for");
	guest_write(0, 400, 1, 100, 1, VMM_WRITE);
	result(!order(VMM_LOG_ON).status, "QEMU may log");
	result(owed(0, 0), "its log begins empty");
	guest_write(0, 5000, 1, 9000, 1, VMM_WRITE);
	result(owed(5000, 9000), "its log is whole, without a recorder");
	result(owed(0, 0), "and then empty");
	begin(1);
	guest_write(0, 600, 1, 7000, 1, VMM_WRITE);
	harvest();
	result(exact(0, 600, 1, 7000, 1, 2), "a recorder gets all");
	result(owed(600, 7000), "what it got is in QEMU's log all the same");
	guest_write(0, 600, 1, 50, 1, VMM_WRITE);
	result(owed(600, 50), "QEMU looks first");
	harvest();
	result(exact(0, 600, 1, 50, 1, 2), "and the recorder gets it, too");
	order(VMM_LOG_OFF);
	guest_write(0, 700, 1, 50, 1, VMM_WRITE);
	harvest();
	result(exact(0, 700, 1, 50, 1, 2), "QEMU's end is not ours");
	order(VMM_LOG_ON);
	guest_write(0, 800, 1, 50, 1, VMM_WRITE);
	request(XFTD_OFF, 0);
	drain();
	guest_write(0, 850, 1, 50, 1, VMM_WRITE);
	result(owed(800, 100), "nor ours QEMU's");
}

static void qemu_moves(void)
{
	begin(0);
	guest_write(0, 500, 1, 300, 1, VMM_WRITE);
	result(!order(VMM_MOVE).status, "memory goes and comes");
	guest_write(0, 800, 1, 300, 1, VMM_WRITE);
	harvest();
	result(exact(0, 500, 1, 600, 1, 1), "pages of before it and after it");
}

/* The same pages are another guest's then. */
static void resets(void)
{
	begin(0);
	guest_write(0, 500, 1, 300, 1, VMM_WRITE);
	result(!order(VMM_RESET).status, "a guest is reset");
	drain();
	result(exact(0, 500, 1, 300, 1, 1), "pages of before it are told so");
	guest_write(0, 900, 1, 300, 1, VMM_WRITE);
	reset = XFTD_AFTER_RESET;
	harvest();
	result(exact(0, 900, 1, 300, 1, 1), "and those of after it");
	reset = 0;
	request(XFTD_OFF, 0);
	request(XFTD_FIRST, 0);
	guest_write(0, 1300, 1, 300, 1, VMM_WRITE);
	harvest();
	result(exact(0, 1300, 1, 300, 1, 1), "a recorder that begins anew");
}

/* Nobody reads what is reported. */
static void no_room(void)
{
	uint64_t nr;

	begin(0);
	for (int i = 0; i < 6; i++) {
		guest_write(0, 256, 1, 15000, 1, VMM_WRITE);
		request(XFTD_FIRST, 0);
	}
	nr = drain() + harvest() + dirty_lost(&vmm.d);
	printf("# %llu reports, %llu lost\n", (unsigned long long)nr,
	       (unsigned long long)dirty_lost(&vmm.d));
	if (ring)
		result(nr >= 6 * 15000, "what finds no room is counted");
	else
		result(!dirty_lost(&vmm.d), "what finds no room is not lost");
	guest_write(0, 300, 1, 10, 1, VMM_WRITE);
	memset(seen, 0, sizeof(seen));
	harvest();
	result(exact(0, 300, 1, 10, 1, 1), "and when there is room it goes on");
}

/* A recorder that dies leaves a lock that is free. */
static void orphaned(void)
{
	begin(0);
	guest_write(0, 300, 1, 10, 1, VMM_WRITE);
	dirty_close(&vmm.d);
	sleep(2);
	guest_write(0, 400, 1, 10, 1, VMM_WRITE);
	begin(0);
	drain();
	result(!seen[0][400], "without a recorder nothing is logged");
}

static void extensions(void)
{
	static const uint32_t caps[] = { KVM_CAP_DIRTY_LOG_RING,
					 KVM_CAP_DIRTY_LOG_RING_ACQ_REL,
					 KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2 };
	bool hidden = true;

	for (size_t i = 0; i < 3; i++)
		hidden &= !tell((struct vmm_order){ .what = VMM_EXTENSION,
						    .first = caps[i] },
				NULL).status;
	result(hidden, "QEMU does not see what is ours");
	result(tell((struct vmm_order){ .what = VMM_EXTENSION,
					.first = KVM_CAP_NR_MEMSLOTS },
		    NULL).status > 0, "and sees what is KVM's");
}

/* The harvester's part: the guest writes, then all is fetched at once. */
static void bench(void)
{
	uint64_t nr = 0, begun, ns = 0;
	struct timespec t;

	begin(0);
	for (int i = 0; i < 100; i++) {
		guest_write(0, 256, 1, 3000, 1, VMM_WRITE);
		clock_gettime(CLOCK_MONOTONIC, &t);
		begun = t.tv_sec * 1000000000ull + t.tv_nsec;
		nr += harvest();
		clock_gettime(CLOCK_MONOTONIC, &t);
		ns += t.tv_sec * 1000000000ull + t.tv_nsec - begun;
	}
	printf("pages_per_s %.0f\n", nr * 1e9 / ns);
}

/* So many pages that a log of the processor's is full in one run. */
static void twice(void)
{
	begin(0);
	for (int i = 0; i < 2; i++) {
		guest_write(0, 256, 1, 1100, 1, VMM_WRITE);
		harvest();
	}
	result(exact(0, 256, 1, 1100, 2, 2), "1100 pages, two times each");
}

static const struct test {
	const char *name;
	void (*run)(void);
	unsigned int nr_cpus;
	bool if_asked;		/* only when it is named */
} tests[] = {
	{ "extensions", extensions, 1, false },
	{ "pages", pages, 1, false },
	{ "two_cpus", two_cpus, 2, false },
	{ "intervals", intervals, 1, false },
	{ "qemu_logs", qemu_logs, 1, false },
	{ "qemu_moves", qemu_moves, 1, false },
	{ "resets", resets, 1, false },
	{ "no_room", no_room, 1, false },
	{ "orphaned", orphaned, 1, false },
	{ "twice", twice, 1, true },
	{ "bench", bench, 1, true },
};

static bool is_wanted(const struct test *t, char **names)
{
	if (!*names)
		return !t->if_asked;
	for (; *names; names++) {
		if (!strcmp(*names, t->name))
			return true;
	}
	return false;
}

int main(int argc, char **argv)
{
	if (argc == 2 && strcmp(argv[1], "works"))
		return vmm_main(atoi(argv[1]));
	signal(SIGPIPE, SIG_IGN);
	alarm(LIMIT_S);
	if (argc == 2) {
		vmm_start(1);
		vmm_stop();
		return 0;
	}
	if (argc < 3) {
		fprintf(stderr, "usage: dirty_vmm SHIM ENTRIES [TEST...]\n");
		return 2;
	}
	shim = argv[1];
	ring = atoi(argv[2]);
	snprintf(path, sizeof(path), "/tmp/dirty-vmm-%d", getpid());
	setenv("XFTRACE_DIRTY", path, true);
	setenv("XFTRACE_DIRTY_RING", argv[2], true);
	for (size_t i = 0; i < sizeof(tests) / sizeof(tests[0]); i++) {
		if (!is_wanted(&tests[i], argv + 3))
			continue;
		vmm_start(tests[i].nr_cpus);
		tests[i].run();
		vmm_stop();
	}
	unlink(path);
	return 0;
}
