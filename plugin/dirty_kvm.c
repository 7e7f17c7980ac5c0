// SPDX-License-Identifier: GPL-2.0-only
/*
 * dirty_kvm -- the pages that a guest dirties under KVM, from inside QEMU.
 *
 *	XFTRACE_DIRTY=FILE LD_PRELOAD=dirty_kvm.so qemu-system-x86_64 ...
 *
 * KVM tells only the process that owns the VM which pages were written. So this
 * library stands between an unmodified QEMU and its ioctl()s, has KVM log, and
 * tells the recorder through FILE (abi/xft_dirty.h). A QEMU plugin would be
 * loaded under KVM as well, but could not stand there: QEMU's calls are bound
 * by then.
 *
 * The log is ours. Where KVM has a dirty ring for each vCPU we take that, else
 * the bitmap. QEMU is told that KVM has neither ring nor manual clearing, and
 * uses the plain bitmap: what we find is kept for it (slot.owed) until it asks,
 * for the slots it logs. So migration, calc-dirty-rate and displays go on.
 *
 * A page is reported with an interval of its vCPU's trace ring: from before the
 * harvest before, to after this one made KVM look out for writes again. It was
 * written in between, and if it was written at other times there, that is not
 * told apart.
 *
 * Everything is done under one lock, most of it by the thread of keeper(). A
 * vCPU takes the lock only when its ring is full. No memory is allocated then.
 *
 * $XFTRACE_DIRTY_RING is the number of entries of KVM's rings, 0 for the
 * bitmap.
 */
#include <errno.h>
#include <linux/kvm.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

#include "dirty_out.h"

/* Newer than the oldest headers that this compiles with. */
#ifndef KVM_SET_USER_MEMORY_REGION2
#define KVM_SET_USER_MEMORY_REGION2 _IOC(_IOC_WRITE, KVMIO, 0x49, 160)
#endif
#ifndef KVM_CAP_DIRTY_LOG_RING_WITH_BITMAP
#define KVM_CAP_DIRTY_LOG_RING_WITH_BITMAP 225
#endif

#define KVM_MINOR	232	/* of /dev/kvm */
#define RING_OFFSET	(64 * XFTD_PAGE) /* of the ring in a vCPU's mapping */
#define RING_ENTRIES	4096	/* unless told otherwise */
#define RESET_IP	0xfff0	/* with a base at the end of 32 bits */
#define NR_SPACES	2	/* address spaces: normal, SMM */
#define NR_SLOTS	512	/* in each; QEMU has a few dozen */
#define KICK		(SIGRTMAX - 1)
#define MS		1000000ull	/* in ns */
#define KICK_WAIT_NS	(50 * MS)
#define IDLE_MS		500	/* between two heartbeats */
#define WORD_BITS	64

struct slot {
	union {
		struct kvm_userspace_memory_region region;
		char raw[160];	/* as QEMU gave it, its flags and all */
	};
	unsigned long request;	/* with which it was set */
	bool logged;		/* KVM logs it, for QEMU or for us */
	uint64_t *found;	/* bitmaps: from KVM, not reported yet; */
	uint64_t *clear;	/* to be cleared in KVM; */
	uint64_t *owed;		/* not given to QEMU yet,
				 * if it asked for that */
};

struct vcpu {
	int fd;
	struct kvm_run *run;
	struct kvm_dirty_gfn *ring; /* NULL: bitmap */
	uint32_t fetched;	/* entries of the ring that we have seen */
	pid_t tid;		/* of its thread */
	uint32_t entries;	/* odd: it is in KVM_RUN */
	bool flushed;		/* nothing of before the harvest is missing */
	struct out out;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static const char *path;	/* of the file; NULL: do nothing at all */
static struct out_file file;
static int vm = -1;
static uint32_t ring_size;	/* entries; 0: bitmap */
static bool manual_clear;
static uint32_t pml_size;
static bool armed;		/* a recorder wants pages */
static bool has_run;		/* the guest has begun */
static struct slot slots[NR_SPACES][NR_SLOTS];
static struct vcpu vcpus[XFTD_MAX_VCPUS];
static uint32_t nr_vcpus;	/* stored (release) when the vCPU is set up */
static __thread struct vcpu *self;

#define for_each_vcpu(v) \
	for (struct vcpu *v = vcpus; v < vcpus + load(&nr_vcpus); v++)
#define for_each_slot(s) \
	for (struct slot *s = slots[0]; s < slots[0] + NR_SPACES * NR_SLOTS; s++)

static int kvm(int fd, unsigned long request, void *arg)
{
	return syscall(SYS_ioctl, fd, request, arg);
}

/* ---- slots ---- */

static uint64_t pages(const struct slot *s)
{
	return s->region.memory_size / XFTD_PAGE;
}

/* KVM wants room for whole words. */
static size_t bitmap_len(const struct slot *s)
{
	return (pages(s) + WORD_BITS - 1) / WORD_BITS * sizeof(uint64_t);
}

static struct slot *slot_of(uint32_t as_id)
{
	uint32_t space = as_id >> 16, id = as_id & 0xffff;

	return space < NR_SPACES && id < NR_SLOTS ? &slots[space][id] : NULL;
}

static bool qemu_logs(const struct slot *s)
{
	return s->region.flags & KVM_MEM_LOG_DIRTY_PAGES;
}

static bool should_log(const struct slot *s)
{
	return s->region.memory_size &&
	       (qemu_logs(s) ||
		(armed && !(s->region.flags & KVM_MEM_READONLY)));
}

static void *bitmap_map(const struct slot *s)
{
	void *p = mmap(NULL, bitmap_len(s), PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

static void bitmap_unmap(const struct slot *s, uint64_t **bits)
{
	if (*bits)
		munmap(*bits, bitmap_len(s));
	*bits = NULL;
}

static void slot_clear(struct slot *s)
{
	for (size_t w = 0; s->found && w < bitmap_len(s) / sizeof(uint64_t); w++)
		out_lose(&vcpus[0].out, __builtin_popcountll(s->found[w]));
	bitmap_unmap(s, &s->found);
	bitmap_unmap(s, &s->clear);
	bitmap_unmap(s, &s->owed);
	memset(s, 0, sizeof(*s));
}

static bool slot_map(struct slot *s)
{
	if (!s->region.memory_size)
		return true;
	s->owed = bitmap_map(s);
	if (!ring_size) {
		s->found = bitmap_map(s);
		s->clear = bitmap_map(s);
	}
	return s->owed && (ring_size || (s->found && s->clear));
}

/* Have KVM log it, or not. */
static int slot_apply(struct slot *s)
{
	struct slot want = *s;

	if (should_log(s))
		want.region.flags |= KVM_MEM_LOG_DIRTY_PAGES;
	if (kvm(vm, s->request, want.raw))
		return -errno;
	s->logged = should_log(s);
	return 0;
}

/* ---- harvest ---- */

/* Is there room for it where it has to go? Then it is noted there. */
static bool take_page(struct vcpu *v, struct slot *s, uint64_t page, bool force)
{
	if (armed && !out_add(&v->out, s->region.guest_phys_addr +
			      page * XFTD_PAGE)) {
		if (!force)
			return false;
		out_lose(&v->out, 1);
	}
	if (qemu_logs(s))
		s->owed[page / WORD_BITS] |= 1ull << page % WORD_BITS;
	return true;
}

/*
 * What is logged in the ring, oldest first, as far as there is room for it, or,
 * @force, all of it. Returns how much that was.
 */
static uint32_t ring_take(struct vcpu *v, bool force)
{
	uint32_t nr = 0;

	for (; v->ring; nr++, v->fetched++) {
		struct kvm_dirty_gfn *e = &v->ring[v->fetched % ring_size];
		struct slot *s;

		/* KVM has filled it in before. */
		if (!(load(&e->flags) & KVM_DIRTY_GFN_F_DIRTY))
			return nr;
		s = slot_of(e->slot);
		if (s && e->offset < pages(s) &&
		    !take_page(v, s, e->offset, force))
			break;
		/* KVM may have it back: we are done with it. */
		store(&e->flags, KVM_DIRTY_GFN_F_RESET);
	}
	v->flushed = false;
	return nr;
}

/* Report what was found in @s. True: all of it. */
static bool bitmap_report(struct out *o, struct slot *s)
{
	for (size_t w = 0; w < bitmap_len(s) / sizeof(uint64_t); w++) {
		while (s->found[w]) {
			uint64_t page = w * WORD_BITS +
					__builtin_ctzll(s->found[w]);

			if (!out_add(o, s->region.guest_phys_addr +
				     page * XFTD_PAGE))
				return false;
			s->found[w] &= s->found[w] - 1;
		}
	}
	return true;
}

/* True: it was read, and reported if somebody listens. */
static bool bitmap_take(struct out *o, struct slot *s)
{
	uint32_t n = s - slots[0], as_id = (n / NR_SLOTS) << 16 | n % NR_SLOTS;
	struct kvm_dirty_log get = { .slot = as_id, .dirty_bitmap = s->clear };
	struct kvm_clear_dirty_log clear = { .slot = as_id,
					     .num_pages = pages(s),
					     .dirty_bitmap = s->clear };

	if (kvm(vm, KVM_GET_DIRTY_LOG, &get) ||
	    (manual_clear && kvm(vm, KVM_CLEAR_DIRTY_LOG, &clear)))
		return false;
	for (size_t w = 0; w < bitmap_len(s) / sizeof(uint64_t); w++) {
		if (armed)
			s->found[w] |= s->clear[w];
		if (qemu_logs(s))
			s->owed[w] |= s->clear[w];
	}
	return !armed || bitmap_report(o, s);
}

/*
 * With PML the processor notes pages by itself, and KVM puts them into the ring
 * when the vCPU leaves the guest. Have it do so.
 */
static void kick(struct vcpu *v)
{
	const struct timespec pause = { .tv_nsec = MS / 10 };
	uint32_t entries = load(&v->entries);
	uint64_t end = out_now() + KICK_WAIT_NS;

	/* The signal may come just before it enters, hence again and again. */
	while ((entries & 1) && load(&v->entries) == entries) {
		if (out_now() > end) {
			v->flushed = false;
			return;
		}
		syscall(SYS_tgkill, getpid(), v->tid, KICK);
		nanosleep(&pause, NULL);
	}
}

static void harvest_rings(bool force)
{
	uint32_t nr = 0;

	for_each_vcpu(v) {
		v->flushed = true;
		out_begin(&v->out);
		if (pml_size)
			kick(v);
	}
	for_each_vcpu(v)
		nr += ring_take(v, force);
	if (nr)
		kvm(vm, KVM_RESET_DIRTY_RINGS, NULL);
	for_each_vcpu(v)
		out_end(&v->out, v->flushed);
}

/* That of @only, or of all. */
static void harvest_bitmaps(struct slot *only)
{
	struct out *o = &vcpus[0].out;
	bool all = !only;

	out_begin(o);
	for_each_slot(s) {
		if (s->logged && (!only || s == only))
			all &= bitmap_take(o, s);
	}
	out_end(o, all);
}

/* @force: nothing may stay in KVM, even if it is then lost to the recorder. */
static void harvest(struct slot *only, bool force)
{
	if (ring_size)
		harvest_rings(force);
	else
		harvest_bitmaps(only);
}

/*
 * The ring of @v is full, and it does not run meanwhile. The recorder gets some
 * time to make room, but a guest does not stand still for one that died.
 */
static void relieve(struct vcpu *v)
{
	uint32_t nr;

	pthread_mutex_lock(&lock);
	v->flushed = true;
	out_begin(&v->out);
	nr = ring_take(v, false);
	if (!nr) {
		pthread_mutex_unlock(&lock);
		out_wait(&v->out);
		pthread_mutex_lock(&lock);
		v->flushed = true;
		out_begin(&v->out);
		ring_take(v, true);
	}
	kvm(vm, KVM_RESET_DIRTY_RINGS, NULL);
	out_end(&v->out, v->flushed);
	pthread_mutex_unlock(&lock);
}

/* ---- requests ---- */

static int set_armed(bool on)
{
	int rc = 0;

	armed = on;
	for_each_slot(s) {
		if (s->found)
			memset(s->found, 0, bitmap_len(s));
		if (s->logged != should_log(s) && !rc)
			rc = slot_apply(s);
	}
	return rc;
}

static int arm(void)
{
	int rc;

	for_each_vcpu(v)
		out_start(&v->out);
	rc = set_armed(true);
	if (rc)
		set_armed(false);
	return rc;
}

static int carry_out(const char **why)
{
	uint32_t mode = file.wanted->mode;
	int rc = 0;

	if (mode != XFTD_OFF && mode != XFTD_FIRST) {
		*why = "KVM tells of first writes to a page, and no more";
		return -ENOTSUP;
	}
	*why = "a trace ring is not in memory that QEMU shares";
	for_each_vcpu(v)
		rc = rc ? rc : out_watch(&v->out);
	if (rc)
		return rc;
	harvest(NULL, false);
	if (mode == XFTD_OFF && armed)
		rc = set_armed(false);
	else if (mode == XFTD_FIRST && !armed)
		rc = arm();
	*why = rc ? "KVM does not switch logging" : "";
	return rc;
}

static int file_open(void)
{
	struct xftd_source s = {
		.kind = ring_size ? XFTD_KVM_RING : XFTD_KVM_BITMAP,
		.modes = 1 << XFTD_OFF | 1 << XFTD_FIRST,
		.nr_vcpus = nr_vcpus,
		.pml_size = pml_size,
	};
	int rc = out_file_create(&file, path, &s);

	for_each_vcpu(v) {
		if (!rc)
			out_init(&v->out, &file, v - vcpus);
	}
	return rc;
}

/* What there is to do now. Returns how many ms from now there may be more. */
static uint32_t keep(uint32_t seq)
{
	static uint64_t harvested, looked;
	uint64_t now = out_now();
	const char *why;

	if (seq != file.source->done) {
		int rc = carry_out(&why);

		out_answer(&file, seq, rc, why);
		harvested = now;
	}
	/* A recorder that died cannot say so, but its lock is gone. */
	if (armed && now - looked >= IDLE_MS * MS) {
		looked = now;
		if (!out_recorded(&file))
			set_armed(false);
	}
	if (!armed || !file.wanted->interval_ms)
		return IDLE_MS;
	if (now - harvested >= file.wanted->interval_ms * MS) {
		harvest(NULL, false);
		harvested = now;
	}
	return file.wanted->interval_ms;
}

/* The thread that is not QEMU's. */
static void *keeper(void *arg)
{
	int rc;

	while (!load(&has_run))
		nanosleep(&(struct timespec){ .tv_nsec = 10 * MS }, NULL);
	pthread_mutex_lock(&lock);
	rc = file_open();
	pthread_mutex_unlock(&lock);
	/* Without a file there is no recorder; QEMU's log is still ours. */
	while (!rc) {
		uint32_t seq = load(&file.wanted->seq), ms;

		pthread_mutex_lock(&lock);
		ms = keep(seq);
		pthread_mutex_unlock(&lock);
		out_sleep(&file, seq, ms);
	}
	return NULL;
}

/* ---- QEMU's calls ---- */

static bool read_first(const char *name, char *ret)
{
	FILE *f = fopen(name, "re");
	bool ok = f && fread(ret, 1, 1, f) == 1;

	if (f)
		fclose(f);
	return ok;
}

static void nothing(int sig)
{
}

static void keeper_start(void)
{
	struct sigaction sa = { .sa_handler = nothing };
	pthread_t thread;
	sigset_t all, old;

	sigaction(KICK, &sa, NULL);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	if (!pthread_create(&thread, NULL, keeper, NULL))
		pthread_detach(thread);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
}

static bool is_vm(int fd)
{
	char link[64], target[32];
	ssize_t len;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	len = readlink(link, target, sizeof(target) - 1);
	if (len < 0)
		return false;
	target[len] = '\0';
	return !strcmp(target, "anon_inode:kvm-vm");
}

static bool ring_enable(uint32_t cap, uint32_t entries)
{
	struct kvm_enable_cap enable = {
		.cap = cap,
		.args = { entries * sizeof(struct kvm_dirty_gfn) },
	};

	return !kvm(vm, KVM_ENABLE_CAP, &enable);
}

/* Before there is a vCPU or a slot: which way of logging it will be. */
static void log_choose(void)
{
	const char *wish = getenv("XFTRACE_DIRTY_RING");
	uint32_t entries = wish ? strtoul(wish, NULL, 0) : RING_ENTRIES;
	struct kvm_enable_cap manual = {
		.cap = KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2,
		.args = { KVM_DIRTY_LOG_MANUAL_PROTECT_ENABLE },
	};

	ring_size = 0;
	if (entries && (ring_enable(KVM_CAP_DIRTY_LOG_RING_ACQ_REL, entries) ||
			ring_enable(KVM_CAP_DIRTY_LOG_RING, entries)))
		ring_size = entries;
	else
		manual_clear = !kvm(vm, KVM_ENABLE_CAP, &manual);
}

/* If a process makes several, it is the last one before there are vCPUs. */
static void vm_created(int fd)
{
	char pml;

	if (nr_vcpus || !is_vm(fd))
		return;
	if (vm < 0) {
		/* What QEMU starts is not QEMU. */
		unsetenv("XFTRACE_DIRTY");
		keeper_start();
	}
	vm = fd;
	log_choose();
	for_each_slot(s)
		slot_clear(s);
	if (read_first("/sys/module/kvm_intel/parameters/pml", &pml) &&
	    pml == 'Y')
		pml_size = 512;
}

static void *vcpu_map(int fd, off_t off, size_t len)
{
	void *p = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, fd, off);

	return p == MAP_FAILED ? NULL : p;
}

static void vcpu_created(int fd)
{
	struct vcpu *v = &vcpus[nr_vcpus];

	if (nr_vcpus == XFTD_MAX_VCPUS)
		return;
	v->run = vcpu_map(fd, 0, XFTD_PAGE);
	if (ring_size)
		v->ring = vcpu_map(fd, RING_OFFSET, ring_size * sizeof(*v->ring));
	if (!v->run || (ring_size && !v->ring))
		return;
	v->fd = fd;
	store(&nr_vcpus, nr_vcpus + 1);
}

static struct vcpu *vcpu_of(int fd)
{
	sigset_t set;

	if (self && self->fd == fd)
		return self;
	for_each_vcpu(v) {
		if (v->fd == fd) {
			self = v;
			v->tid = gettid();
			sigemptyset(&set);
			sigaddset(&set, KICK);
			pthread_sigmask(SIG_UNBLOCK, &set, NULL);
			store(&has_run, true);
			return v;
		}
	}
	return NULL;
}

static int vcpu_run(int fd)
{
	struct vcpu *v = vcpu_of(fd);
	int rc;

	if (!v)
		return kvm(fd, KVM_RUN, NULL);
	for (;;) {
		store(&v->entries, v->entries + 1);
		rc = kvm(fd, KVM_RUN, NULL);
		store(&v->entries, v->entries + 1);
		if (rc || !v->ring ||
		    v->run->exit_reason != KVM_EXIT_DIRTY_RING_FULL)
			return rc;
		relieve(v);
	}
}

/* The same memory, logged by QEMU or not. */
static int slot_flags(struct slot *s, const struct slot *want)
{
	struct slot old = *s;
	int rc;

	if (!qemu_logs(s))
		memset(s->owed, 0, bitmap_len(s));
	memcpy(s->raw, want->raw, sizeof(s->raw));
	s->request = want->request;
	rc = slot_apply(s);
	if (rc)
		*s = old;
	return rc;
}

static int slot_replace(struct slot *s, struct slot *want)
{
	int rc = slot_map(want) ? slot_apply(want) : -ENOMEM;

	if (rc) {
		slot_clear(want);
		return rc;
	}
	slot_clear(s);
	*s = *want;
	return 0;
}

static int region_set(unsigned long request, const void *arg)
{
	struct slot want = { .request = request }, *s;
	int rc;

	memcpy(want.raw, arg, request == KVM_SET_USER_MEMORY_REGION ?
				      sizeof(want.region) : sizeof(want.raw));
	s = slot_of(want.region.slot);
	if (!s)
		return kvm(vm, request, (void *)arg);
	pthread_mutex_lock(&lock);
	/* What it has is named by its number, which may soon be another's. */
	if (s->logged)
		harvest(s, true);
	if (s->region.memory_size == want.region.memory_size &&
	    s->region.guest_phys_addr == want.region.guest_phys_addr &&
	    s->region.memory_size)
		rc = slot_flags(s, &want);
	else
		rc = slot_replace(s, &want);
	pthread_mutex_unlock(&lock);
	if (rc)
		errno = -rc;
	return rc ? -1 : 0;
}

static int log_get(const struct kvm_dirty_log *log)
{
	struct slot *s = slot_of(log->slot);
	bool ok;

	if (!s)
		return kvm(vm, KVM_GET_DIRTY_LOG, (void *)log);
	pthread_mutex_lock(&lock);
	ok = qemu_logs(s);
	if (ok) {
		harvest(s, true);
		memcpy(log->dirty_bitmap, s->owed, bitmap_len(s));
		memset(s->owed, 0, bitmap_len(s));
	}
	pthread_mutex_unlock(&lock);
	if (!ok)
		errno = ENOENT;
	return ok ? 0 : -1;
}

/* No vCPU runs. The recorder knows nothing of the guest that begins. */
static void reset(void)
{
	pthread_mutex_lock(&lock);
	if (armed)
		harvest(NULL, false);
	for_each_vcpu(v)
		out_reset(&v->out);
	pthread_mutex_unlock(&lock);
}

/* What is ours is not there for QEMU. */
static bool is_ours(unsigned long cap)
{
	return cap == KVM_CAP_DIRTY_LOG_RING ||
	       cap == KVM_CAP_DIRTY_LOG_RING_ACQ_REL ||
	       cap == KVM_CAP_DIRTY_LOG_RING_WITH_BITMAP ||
	       cap == KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2;
}

static bool is_dev_kvm(int fd)
{
	struct stat st;

	return !fstat(fd, &st) && S_ISCHR(st.st_mode) &&
	       st.st_rdev == makedev(10, KVM_MINOR);
}

static int refuse(void)
{
	errno = EINVAL;
	return -1;
}

static int vm_ioctl(unsigned long request, void *arg)
{
	int rc;

	switch (request) {
	case KVM_SET_USER_MEMORY_REGION:
	case KVM_SET_USER_MEMORY_REGION2:
		return region_set(request, arg);
	case KVM_GET_DIRTY_LOG:
		return log_get(arg);
	case KVM_ENABLE_CAP:
		if (is_ours(((struct kvm_enable_cap *)arg)->cap))
			return refuse();
		break;
	case KVM_CLEAR_DIRTY_LOG:
	case KVM_RESET_DIRTY_RINGS:
		return refuse();
	case KVM_CREATE_VCPU:
		rc = kvm(vm, request, arg);
		if (rc >= 0)
			vcpu_created(rc);
		return rc;
	}
	return kvm(vm, request, arg);
}

__attribute__((visibility("default")))
int ioctl(int fd, unsigned long request, ...)
{
	va_list ap;
	void *arg;
	int rc;

	va_start(ap, request);
	arg = va_arg(ap, void *);
	va_end(ap);

	if (!path)
		return kvm(fd, request, arg);
	if (request == KVM_RUN)
		return vcpu_run(fd);
	if (request == KVM_CHECK_EXTENSION && is_ours((unsigned long)arg) &&
	    (fd == vm || is_dev_kvm(fd)))
		return 0;
	if (fd == vm && fd >= 0)
		return vm_ioctl(request, arg);
	if (request == KVM_SET_REGS &&
	    ((const struct kvm_regs *)arg)->rip == RESET_IP)
		reset();
	rc = kvm(fd, request, arg);
	if (request == KVM_CREATE_VM && rc >= 0)
		vm_created(rc);
	return rc;
}

/* Until a guest runs there is a file that says that none does. */
__attribute__((constructor)) static void begin(void)
{
	static const struct xftd_source none = {
		.kind = XFTD_KVM_RING,
		.status = -ENODEV,
		.message = "no guest runs under KVM in this QEMU, or in a way "
			   "that dirty_kvm.so does not know",
	};

	path = getenv("XFTRACE_DIRTY");
	if (path)
		path = strdup(path);
	if (path && out_file_create(&file, path, &none))
		path = NULL;
}
