// SPDX-License-Identifier: GPL-2.0-only
#include "dirty_scan.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "buf.h"
#include "cleanup.h"
#include "clock.h"
#include "shared.h"

#define PAGE	    4096
#define SOFT_DIRTY  (1ull << 55)
#define FORGET	    "4"		/* to clear_refs: soft-dirty bits */
#define ENTRIES	    8192	/* of pagemap at a time: 32 MiB of RAM */
#define TICK_MS	    10		/* how often requests are looked for */
#define MAX_THREADS 4096
#define MAX_ROUNDS  100		/* of looking for new threads */

/* The scanner's. */
struct scan {
	pid_t pid;
	int pagemap, forget;	/* of /proc/PID */
	int end;		/* a pipe: at its end there is no recorder */
	struct xftd_source *source; /* what is shared */
	const struct xftd_wanted *wanted;
	struct xftd_out *out;
	const struct xftd_in *in;
	struct xftd_record *record;
	struct buf found;	/* struct xftd_record, not told yet */
	size_t told;		/* bytes of it that are */
	bool on;
	uint64_t since_ns, since_pos;
};

static uint64_t position(const struct scan *s)
{
	uint64_t pos = 0;
	struct iovec here = { &pos, sizeof(pos) };
	struct iovec there = { (void *)(uintptr_t)s->in->head_hva,
			       sizeof(pos) };

	if (!s->in->head_hva ||
	    process_vm_readv(s->pid, &here, 1, &there, 1, 0) != sizeof(pos))
		return 0;
	return pos;
}

/* ---- holding QEMU ---- */

struct held {
	size_t nr;
	struct {
		pid_t tid;
		int signal;	/* that it was about to get; 0: none */
	} thread[MAX_THREADS];
};

static bool is_held(const struct held *h, pid_t tid)
{
	for (size_t i = 0; i < h->nr; i++) {
		if (h->thread[i].tid == tid)
			return true;
	}
	return false;
}

static void let_go(struct held *h)
{
	for (; h->nr; h->nr--)
		ptrace(PTRACE_DETACH, h->thread[h->nr - 1].tid, 0,
		       h->thread[h->nr - 1].signal);
}

/* 1: it stands still; 0: it has ended meanwhile. */
static int hold_thread(struct held *h, pid_t tid, struct xf_err *err)
{
	int status;

	if (h->nr == MAX_THREADS)
		return xf_fail(err, -E2BIG, "QEMU has too many threads");
	if (ptrace(PTRACE_SEIZE, tid, 0, 0)) {
		if (errno == ESRCH)
			return 0;
		return xf_fail_errno(err, "QEMU cannot be held (is a debugger "
					  "attached?)");
	}
	if (ptrace(PTRACE_INTERRUPT, tid, 0, 0) ||
	    waitpid(tid, &status, __WALL) != tid || !WIFSTOPPED(status))
		return 0;
	h->thread[h->nr].tid = tid;
	h->thread[h->nr++].signal =
		status >> 16 == PTRACE_EVENT_STOP ? 0 : WSTOPSIG(status);
	return 1;
}

/* All threads that there are now. Returns how many had not been held. */
static int hold_round(struct held *h, pid_t pid, struct xf_err *err)
{
	char path[64];
	struct dirent *e;
	int nr = 0, rc = 0;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
	dir = opendir(path);
	if (!dir)
		return xf_fail(err, -ESRCH, "QEMU has ended");
	while (rc >= 0 && (e = readdir(dir))) {
		pid_t tid = atoi(e->d_name);

		if (tid <= 0 || is_held(h, tid))
			continue;
		rc = hold_thread(h, tid, err);
		nr += rc > 0;
	}
	closedir(dir);
	return rc < 0 ? rc : nr;
}

/* A thread that runs may start another one: until there is nothing new. */
static int hold(struct held *h, pid_t pid, struct xf_err *err)
{
	int rc = 1;

	h->nr = 0;
	for (int i = 0; rc > 0 && i < MAX_ROUNDS; i++)
		rc = hold_round(h, pid, err);
	if (!rc && !h->nr)
		rc = xf_fail(err, -ESRCH, "QEMU has ended");
	else if (rc > 0)
		rc = xf_fail(err, -EBUSY, "QEMU starts threads all the time");
	if (rc)
		let_go(h);
	return rc;
}

/* ---- a harvest ---- */

static int range_look(struct scan *s, uint64_t hva, uint64_t end)
{
	static uint64_t entry[ENTRIES];

	for (; hva < end; hva += ENTRIES * PAGE) {
		uint64_t nr = (end - hva) / PAGE;

		nr = nr < ENTRIES ? nr : ENTRIES;
		if (pread(s->pagemap, entry, nr * 8, hva / PAGE * 8) !=
		    (ssize_t)(nr * 8))
			return -EIO;
		for (uint64_t i = 0; i < nr; i++) {
			struct xftd_record r = {
				.addr = hva + i * PAGE,
				.flags = XFTD_HARVESTED | XFTD_HVA,
				.seq = s->source->done,
			};

			if (entry[i] & SOFT_DIRTY)
				buf_add(&s->found, &r, sizeof(r));
		}
	}
	return 0;
}

/* All that QEMU shares: guest RAM is among it, and the recorder knows where. */
static int look(struct scan *s, struct xf_err *err)
{
	_cleanup_fclose_ FILE *f = NULL;
	char line[4400];
	int rc = 0;

	snprintf(line, sizeof(line), "/proc/%d/maps", (int)s->pid);
	f = fopen(line, "re");
	if (!f)
		return xf_fail_errno(err, "QEMU's memory map");
	while (!rc && fgets(line, sizeof(line), f)) {
		uint64_t begin, end;
		char rights[5];

		if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %4s", &begin, &end,
			   rights) == 3 && !strcmp(rights, "rw-s"))
			rc = range_look(s, begin, end);
	}
	return rc ? xf_fail(err, rc, "QEMU's page tables cannot be read") : 0;
}

static int forget(struct scan *s, struct xf_err *err)
{
	if (pwrite(s->forget, FORGET, 1, 0) != 1)
		return xf_fail_errno(err, "QEMU's page tables: clear_refs");
	return 0;
}

/* When and where: all that was found. */
static void date(struct scan *s)
{
	struct xftd_record *r = (void *)s->found.data;
	uint64_t ns = monotonic_ns(), pos = position(s);
	uint64_t width = pos - s->since_pos;

	for (size_t i = 0; i < s->found.len / sizeof(*r); i++) {
		r[i].time_ns = ns;
		r[i].pos = pos;
		r[i].width_ns = ns - s->since_ns;
		r[i].width = pos && s->since_pos && width < UINT32_MAX ?
				     width : UINT32_MAX;
	}
	s->since_ns = ns;
	s->since_pos = pos;
}

/* Nothing is forgotten that was not told: then it is for the next harvest. */
static int harvest(struct scan *s, struct xf_err *err)
{
	_cleanup_free_ struct held *h = NULL;
	int rc;

	if (s->told < s->found.len)
		return 0;
	s->found.len = s->told = 0;
	h = malloc(sizeof(*h));
	rc = h ? hold(h, s->pid, err) : xf_fail(err, -ENOMEM, "out of memory");
	if (rc)
		return rc;
	if (s->on)
		rc = look(s, err);
	rc = rc ? rc : forget(s, err);
	/* Nothing is written before they go on. */
	date(s);
	let_go(h);
	return rc;
}

/* As much as there is room for. */
static void tell(struct scan *s)
{
	uint64_t head = s->out->head;

	for (; s->told < s->found.len; head++) {
		/* Acquire: the recorder has copied what lay there. */
		if (head - shared_load(&s->in->tail) == XFTD_RING)
			break;
		memcpy(&s->record[head % XFTD_RING], s->found.data + s->told,
		       sizeof(s->record[0]));
		s->told += sizeof(s->record[0]);
	}
	/* Release: the records. */
	shared_store(&s->out->head, head);
}

/* ---- the scanner ---- */

static void carry_out(struct scan *s, uint32_t seq)
{
	struct xf_err err = { 0 };
	uint32_t mode = s->wanted->mode;
	int rc = mode == XFTD_OFF && !s->on ? 0 : harvest(s, &err);

	tell(s);
	s->on = mode != XFTD_OFF && !rc;
	s->source->status = rc;
	snprintf(s->source->message, sizeof(s->source->message), "%.*s",
		 (int)sizeof(s->source->message) - 1, err.msg);
	/* Release: status, message and what was found before. */
	shared_store(&s->source->done, seq);
}

static bool is_due(const struct scan *s)
{
	return s->on && s->wanted->interval_ms &&
	       monotonic_ns() - s->since_ns >=
		       s->wanted->interval_ms * 1000000ull;
}

static int scanner(struct scan *s)
{
	struct pollfd end = { .fd = s->end };

	do {
		/* Acquire: what is asked for. */
		uint32_t seq = shared_load(&s->wanted->seq);

		if (seq != s->source->done)
			carry_out(s, seq);
		/*
		 * Without a heartbeat the recorder knows that QEMU has ended.
		 */
		if (is_due(s) && harvest(s, NULL))
			return 1;
		tell(s);
		shared_store(&s->source->heartbeat, s->source->heartbeat + 1);
	} while (!poll(&end, 1, TICK_MS) || !(end.revents & POLLHUP));
	return 0;
}

/*
 * Of all that this process has open the scanner keeps three files: others are
 * locks, or pipes that somebody waits for.
 */
static void scanner_keep(struct scan *s)
{
	int *keep[] = { &s->pagemap, &s->forget, &s->end };
	int null = open("/dev/null", O_RDWR);

	for (int i = 0; i < 3; i++)
		*keep[i] = fcntl(*keep[i], F_DUPFD, 64);
	for (int i = 0; i < 3; i++) {
		dup2(null, i);
		*keep[i] = dup2(*keep[i], 3 + i);
	}
	close_range(6, ~0U, 0);
}

/*
 * Twice, so that it is nobody's child: who opens may end before the recorder.
 */
static int scanner_start(struct scan *s, struct xf_err *err)
{
	pid_t pid = fork();

	if (pid < 0)
		return xf_fail_errno(err, "fork");
	if (!pid) {
		setsid();
		if (fork())
			_exit(0);
		scanner_keep(s);
		_exit(scanner(s));
	}
	waitpid(pid, NULL, 0);
	return 0;
}

/* ---- the source ---- */

/*
 * Without CONFIG_MEM_SOFT_DIRTY bit 55 is 0 for a page that was just written.
 */
static bool kernel_has_it(void)
{
	_cleanup_close_ int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	char *page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint64_t entry = 0;

	if (page == MAP_FAILED)
		return false;
	*page = 1;
	if (fd < 0 || pread(fd, &entry, 8, (uintptr_t)page / PAGE * 8) != 8)
		entry = 0;
	munmap(page, PAGE);
	return entry & SOFT_DIRTY;
}

static int open_proc(pid_t pid, const char *name, int flags, struct xf_err *err)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
	fd = open(path, flags | O_CLOEXEC);
	return fd < 0 ? xf_fail_errno(err, "%s", path) : fd;
}

static int share(struct scan *s, size_t *ret_len, struct xf_err *err)
{
	size_t len = xftd_vcpu_off(XFTD_RING, 1);
	char *p = mmap(NULL, len, PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		return xf_fail_errno(err, "mmap");
	s->source = (void *)p;
	*s->source = (struct xftd_source){
		.magic = XFTD_MAGIC, .version = XFTD_VERSION,
		.kind = XFTD_SCAN, .nr_vcpus = 1, .ring_size = XFTD_RING,
		.modes = 1 << XFTD_OFF | 1 << XFTD_FIRST, .pid = s->pid,
	};
	s->wanted = (void *)(p + XFTD_PAGE);
	p += xftd_vcpu_off(XFTD_RING, 0);
	s->out = (void *)p;
	s->in = (void *)(p + XFTD_PAGE);
	s->record = (void *)(p + 2 * XFTD_PAGE);
	*ret_len = len;
	return 0;
}

int dirty_open_scan(struct dirty *d, pid_t pid, struct xf_err *err)
{
	_cleanup_close_ int pagemap = -1, clear_refs = -1, ours = -1, end = -1;
	struct scan s = { .pid = pid };
	int fds[2], rc;
	size_t len;

	if (!kernel_has_it())
		return xf_fail(err, -EOPNOTSUPP,
			       "QEMU was not started for it ('xftrace guest "
			       "start --dirty' does, 'xftrace guest args "
			       "--dirty' tells how), and this host's kernel "
			       "does not note what is written "
			       "(CONFIG_MEM_SOFT_DIRTY)");
	s.pagemap = pagemap = open_proc(pid, "pagemap", O_RDONLY, err);
	if (pagemap < 0)
		return pagemap;
	s.forget = clear_refs = open_proc(pid, "clear_refs", O_WRONLY, err);
	if (clear_refs < 0)
		return clear_refs;
	if (pipe2(fds, O_CLOEXEC))
		return xf_fail_errno(err, "pipe");
	s.end = end = fds[0];
	ours = fds[1];
	rc = share(&s, &len, err);
	if (rc)
		return rc;
	rc = scanner_start(&s, err);
	rc = rc ? rc : dirty_use_shared(d, s.source, len, ours, err);
	if (rc)
		munmap(s.source, len);
	else
		(void)xf_take_fd(ours);
	return rc;
}
