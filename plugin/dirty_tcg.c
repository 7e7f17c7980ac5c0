// SPDX-License-Identifier: GPL-2.0-only
/*
 * dirty_tcg -- a plugin for QEMU's emulator that tells which pages are written.
 *
 *	qemu-system-x86_64 -plugin PREFIX/lib/xftrace/dirty_tcg.so,dirty=PATH
 *
 * QEMU calls on_store() for every store of a guest instruction, after it was
 * done and on the vCPU's thread, so what is told is exact: page, instruction,
 * and how far the vCPU's trace ring was. The contract is abi/xft_dirty.h.
 *
 * To ask QEMU for the physical address takes long. So each vCPU has a cache of
 * virtual pages, which is only right as long as the guest's TLB would be: it
 * is emptied by whatever makes the guest's TLB empty. What changes a mapping
 * without that (a page that comes into being, rights that are added) changes
 * none that a store has gone through.
 *
 * Not seen are writes that no instruction's store does: devices' DMA, the
 * accessed and dirty bits that a CPU sets in page tables, and the frame that it
 * pushes when it takes an interrupt.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "qemu_api.h"
#include "xft_dirty.h"

#define load_acquire(p)	    __atomic_load_n(p, __ATOMIC_ACQUIRE)
#define load_relaxed(p)	    __atomic_load_n(p, __ATOMIC_RELAXED)
#define store_release(p, v) __atomic_store_n(p, v, __ATOMIC_RELEASE)
#define store_relaxed(p, v) __atomic_store_n(p, v, __ATOMIC_RELAXED)

/* Virtual pages in a vCPU's cache; a power of two. */
#define CACHE_PAGES	1024
#define PAGE_MASK	(~(uint64_t)(XFTD_PAGE - 1))
/* In the low bits of a tag: which filling of the cache it belongs to. */
#define MAX_FILLING	(XFTD_PAGE - 1)
/* A page beyond that much RAM is told as often as it leaves the cache. */
#define MAX_RAM_PAGES	(1ull << 28)
#define NO_PAGE		UINT64_MAX
/* Where a processor begins; nobody else has code there. */
#define RESET_VECTOR	0xfffffff0ull
/* Instructions behind a VMRUN that are remembered; hypervisors have one. */
#define MAX_VMRUNS	16
/* As many as the processor's own log has. */
#define PML_ENTRIES	512

struct cached {
	uint64_t tag;		/* virtual page | filling; 0: empty */
	uint64_t seen;		/* the round in which it was told last */
	uint64_t page;		/* ram_addr, or NO_PAGE: device memory */
};

struct vcpu {
	struct cached cache[CACHE_PAGES];
	uint64_t filling;	/* 1 ... MAX_FILLING */
	uint32_t start;		/* of the plugin, when the cache was begun */
	uint64_t round;		/* first writes are counted anew in each */
	uint64_t harvest;	/* of the plugin, when round began */
	uint64_t pos;		/* of the trace ring, when round began */
	uint64_t stuck;		/* tail when the ring was full for too long */
	uint8_t *told;		/* a bit for each page of RAM, this round */
	uint64_t log[PML_ENTRIES]; /* the pages whose bits
				    * are set, unless ... */
	uint32_t nr_log;	/* ... this exceeds it: then there are more */
	const uint64_t *head;	/* trace ring's, our mapping; NULL: none */
	struct xftd_out *out;
	struct xftd_in *in;
	struct xftd_record *ring;
	uint32_t busy;		/* a record may be under way */
	const void *cpu;	/* QEMU's own of it; NULL: not known */
	const void **current;	/* the one that its thread runs */
};

/* One plugin, one guest a process. */
static struct {
	struct vcpu *vcpu;
	uint32_t nr_vcpus;
	struct xftd_source *source;
	struct xftd_wanted *wanted;
	uint32_t mode;		/* enum xftd_mode; release */
	uint32_t seq;		/* carried out */
	uint64_t harvest;	/* counts requests with a mode */
	uint32_t start;		/* counts beginnings of a recording */
	uint32_t reset;		/* XFTD_AFTER_RESET if it was, else 0 */
	bool blind;		/* whose a store is cannot be told */
	uint64_t behind_vmrun[MAX_VMRUNS];
	pthread_once_t thread_once;
} d = { .thread_once = PTHREAD_ONCE_INIT };

/* QEMU reads it before it installs us: see choose_version(). */
QEMU_EXPORT int qemu_plugin_version = 1;

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000ull + now.tv_nsec;
}

/* ---- on a vCPU's thread ---- */

static void empty_cache(struct vcpu *v)
{
	if (v->filling++ < MAX_FILLING)
		return;
	memset(v->cache, 0, sizeof(v->cache));
	v->filling = 1;
}

/* Is there room for a record? Waits, but for nobody who does not read. */
static bool ring_has_room(struct vcpu *v, uint32_t mode)
{
	static const struct timespec nap = { .tv_nsec = 100000 };
	const uint64_t size = d.source->ring_size;
	/* Acquire: the slot's old record has been copied. */
	uint64_t tail = load_acquire(&v->in->tail), since;

	if (v->out->head - tail < size)
		return true;
	if (mode == XFTD_FIRST || tail == v->stuck)
		return false;
	for (since = now_ns(); now_ns() - since < XFTD_WAIT_MS * 1000000ull;) {
		nanosleep(&nap, NULL);
		tail = load_acquire(&v->in->tail);
		if (v->out->head - tail < size)
			return true;
	}
	v->stuck = tail;
	return false;
}

/* Above the hole below 4 GiB it matters. */
static uint8_t addr_kind(void)
{
	return qemu_plugin_version < 4 ? XFTD_RAM_ADDR : 0;
}

static bool tell(struct vcpu *v, uint32_t mode, uint64_t addr, uint64_t pc,
		 unsigned int size_shift)
{
	struct xftd_record *r;

	if (!ring_has_room(v, mode)) {
		store_relaxed(&v->out->lost, v->out->lost + 1);
		return false;
	}
	r = &v->ring[v->out->head % d.source->ring_size];
	*r = (struct xftd_record){
		.addr = addr,
		.pc = pc,
		.pos = v->head ? load_relaxed(v->head) : 0,
		.time_ns = now_ns(),
		.seq = load_relaxed(&d.seq),
		.flags = addr_kind() | load_relaxed(&d.reset),
		.size_shift = size_shift,
	};
	/* Release: the record is there. */
	store_release(&v->out->head, v->out->head + 1);
	return true;
}

/* What the guest has at @vaddr, which @info's access has just written. */
static uint64_t ask_page(struct vcpu *v, uint32_t info, uint64_t vaddr)
{
	const struct qemu_plugin_hwaddr *hw = qemu_plugin_get_hwaddr(info,
								     vaddr);

	if (!hw) {
		store_relaxed(&v->out->lost, v->out->lost + 1);
		return NO_PAGE;
	}
	return qemu_plugin_hwaddr_is_io(hw) ?
		       NO_PAGE : qemu_plugin_hwaddr_phys_addr(hw) & PAGE_MASK;
}

/* Has nothing happened that makes each page's next write a first one? */
static bool is_round(const struct vcpu *v, uint32_t mode)
{
	return v->harvest == load_relaxed(&d.harvest) &&
	       (mode != XFTD_CALLS || !v->head ||
		v->pos == load_relaxed(v->head));
}

static void begin_round(struct vcpu *v, uint32_t mode)
{
	/* The guest may be another state of the machine, which was loaded. */
	if (v->start != load_relaxed(&d.start))
		empty_cache(v);
	v->start = load_relaxed(&d.start);
	v->round++;
	v->harvest = load_relaxed(&d.harvest);
	v->pos = v->head ? load_relaxed(v->head) : 0;
	if (v->nr_log > PML_ENTRIES)
		madvise(v->told, MAX_RAM_PAGES / 8, MADV_DONTNEED);
	else
		while (v->nr_log)
			v->told[v->log[--v->nr_log] / 8] = 0;
	v->nr_log = 0;
}

/*
 * True if it was not told in this round; then it counts as told. The cache
 * knows less, as it forgets what the TLB would.
 */
static bool is_first(struct vcpu *v, uint64_t page)
{
	uint64_t nr = page / XFTD_PAGE;
	uint8_t bit = 1 << nr % 8;

	if (nr >= MAX_RAM_PAGES)
		return true;
	if (v->told[nr / 8] & bit)
		return false;
	v->told[nr / 8] |= bit;
	if (v->nr_log < PML_ENTRIES)
		v->log[v->nr_log++] = nr;
	else
		v->nr_log = PML_ENTRIES + 1;
	return true;
}

static void forget_first(struct vcpu *v, uint64_t page)
{
	uint64_t nr = page / XFTD_PAGE;

	if (nr < MAX_RAM_PAGES)
		v->told[nr / 8] &= ~(1 << nr % 8);
}

/* One page of a store; @vaddr is its first byte there. */
static void wrote(struct vcpu *v, uint32_t mode, uint32_t info, uint64_t vaddr,
		  uint64_t pc)
{
	struct cached *c = &v->cache[vaddr / XFTD_PAGE % CACHE_PAGES];
	uint64_t tag = (vaddr & PAGE_MASK) | v->filling;

	if (c->tag != tag) {
		c->page = ask_page(v, info, vaddr);
		c->tag = tag;
		c->seen = 0;
	}
	if (c->page == NO_PAGE) {
		/* Never first, and device memory is asked for each time. */
		c->tag = 0;
		return;
	}
	if (mode == XFTD_ALL) {
		tell(v, mode, c->page | vaddr % XFTD_PAGE, pc,
		     qemu_plugin_mem_size_shift(info));
		return;
	}
	if (c->seen == v->round)
		return;
	c->seen = v->round;
	if (!is_first(v, c->page))
		return;
	if (!tell(v, mode, c->page | vaddr % XFTD_PAGE, pc,
		  qemu_plugin_mem_size_shift(info))) {
		/* Another store to it shall try again. */
		c->seen = 0;
		forget_first(v, c->page);
	}
}

/* On its own, so that on_store() saves no registers. */
__attribute__((noinline)) static void
slow_store(struct vcpu *v, uint32_t info, uint64_t vaddr, void *pc)
{
	uint64_t last = vaddr + (1ull << qemu_plugin_mem_size_shift(info)) - 1;
	uint32_t mode;

	/* Loads come here, too: see watch_stores(). */
	if (!qemu_plugin_mem_is_store(info))
		return;
	/* set_mode() waits for those that it finds busy. */
	__atomic_store_n(&v->busy, 1, __ATOMIC_SEQ_CST);
	mode = __atomic_load_n(&d.mode, __ATOMIC_SEQ_CST);
	if (mode != XFTD_OFF) {
		if (!is_round(v, mode))
			begin_round(v, mode);
		wrote(v, mode, info, vaddr, (uintptr_t)pc);
		if ((last ^ vaddr) & PAGE_MASK)
			wrote(v, mode, info, last & PAGE_MASK, (uintptr_t)pc);
	}
	store_release(&v->busy, 0);
}

/* For every store there is; what happens often must cost little. */
static inline __attribute__((always_inline)) void
store_by(struct vcpu *v, uint32_t mode, uint32_t info, uint64_t vaddr,
	 void *pc)
{
	const struct cached *c = &v->cache[vaddr / XFTD_PAGE % CACHE_PAGES];

	/* The longest store has 64 bytes: does it reach the next page? */
	if (mode != XFTD_ALL && c->tag == ((vaddr & PAGE_MASK) | v->filling) &&
	    c->seen == v->round && vaddr % XFTD_PAGE <= XFTD_PAGE - 64 &&
	    is_round(v, mode))
		return;
	slow_store(v, info, vaddr, pc);
}

static void on_store(unsigned int nr, uint32_t info, uint64_t vaddr, void *pc)
{
	uint32_t mode = load_relaxed(&d.mode);

	if (mode != XFTD_OFF && nr < d.nr_vcpus)
		store_by(&d.vcpu[nr], mode, info, vaddr, pc);
}

/*
 * Who runs, when QEMU 10 says @nr: it says for whom it has translated the code,
 * which is somebody else's, too, where one thread runs all (thread=single).
 */
static struct vcpu *who(unsigned int nr)
{
	struct vcpu *v = &d.vcpu[nr];
	const void *cpu = *v->current;

	if (cpu == v->cpu)
		return v;
	for (uint32_t i = 0; i < d.nr_vcpus; i++)
		if (d.vcpu[i].cpu == cpu)
			return &d.vcpu[i];
	return v;
}

static void on_store_of(unsigned int nr, uint32_t info, uint64_t vaddr,
			void *pc)
{
	uint32_t mode = load_relaxed(&d.mode);

	if (mode != XFTD_OFF && nr < d.nr_vcpus)
		store_by(who(nr), mode, info, vaddr, pc);
}

static void on_flush(unsigned int nr, void *unused)
{
	if (nr < d.nr_vcpus)
		empty_cache(who(nr));
}

/* Of the one vCPU that begins then; the others wait for it. */
static void on_reset(unsigned int nr, void *unused)
{
	for (uint32_t i = 0; i < d.nr_vcpus; i++)
		empty_cache(&d.vcpu[i]);
	store_relaxed(&d.reset, XFTD_AFTER_RESET);
}

/* ---- translation ---- */

/* Bytes of an instruction; reading beyond them gives 0. */
struct code {
	uint8_t byte[15];
};

static void *insn_data;		/* qemu_plugin_insn_data */

static struct code read_code(const struct qemu_plugin_insn *insn)
{
	size_t len = qemu_plugin_insn_size(insn);
	struct code code = { 0 };

	if (len > sizeof(code.byte))
		len = sizeof(code.byte);
	if (qemu_plugin_version < 3)
		memcpy(code.byte, ((qemu_insn_data1_fn)insn_data)(insn), len);
	else
		((qemu_insn_data3_fn)insn_data)(insn, code.byte, len);
	return code;
}

static bool is_prefix(uint8_t b)
{
	return b == 0x66 || b == 0x67 || b == 0xf0 || b == 0xf2 || b == 0xf3 ||
	       b == 0x2e || b == 0x36 || b == 0x3e || b == 0x26 || b == 0x64 ||
	       b == 0x65 || (b & 0xf0) == 0x40;
}

/* The opcode, behind the prefixes; *@ret_lock: one of them is LOCK. */
static const uint8_t *skip_prefixes(const uint8_t *p, bool *ret_lock)
{
	*ret_lock = false;
	for (int i = 0; i < 10 && is_prefix(*p); i++)
		*ret_lock |= *p++ == 0xf0;
	return p;
}

/*
 * QEMU 7.2 mixes up what a plugin asked for: for loads and stores that are
 * translated into such, "loads" means stores and "stores" means both; for those
 * that a helper function does, it means what it says. So ask for the wrong
 * thing where no helper stores. Callbacks on every load would cost as much as
 * those on stores.
 */
enum store { NEVER, INLINE, MAYBE_HELPER };

static enum store store_of_0f(const uint8_t *p)
{
	switch (p[1]) {
	case 0x10: case 0x12: case 0x14 ... 0x16: case 0x28: case 0x2a:
	case 0x2c ... 0x2f: case 0x40 ... 0x6f: case 0x80 ... 0x8f:
	case 0xaf: case 0xb6: case 0xb7: case 0xb8: case 0xbc ... 0xbf:
	case 0x1f: case 0x18: case 0x05: case 0x0d: case 0xa2: case 0x31:
		return NEVER;
	case 0x11: case 0x13: case 0x17: case 0x29: case 0x2b: case 0x7e:
	case 0x7f: case 0x90 ... 0x9f: case 0xa0: case 0xa3 ... 0xa5:
	case 0xa8: case 0xab ... 0xad: case 0xb0: case 0xb1: case 0xb3:
	case 0xba: case 0xbb: case 0xc0: case 0xc1: case 0xc3: case 0xd6:
	case 0xe7:
		return INLINE;
	default:
		return MAYBE_HELPER;
	}
}

static enum store store_of(const uint8_t *code)
{
	bool lock;
	const uint8_t *p = skip_prefixes(code, &lock);

	if (lock)
		return MAYBE_HELPER;
	switch (p[0]) {
	case 0x0f:
		return store_of_0f(p);
	/* Into a register, compared, tested, jumped. */
	case 0x02 ... 0x05: case 0x0a ... 0x0d: case 0x12 ... 0x15:
	case 0x1a ... 0x1d: case 0x22 ... 0x25: case 0x2a ... 0x2d:
	case 0x32 ... 0x35: case 0x38 ... 0x3d: case 0x58 ... 0x5f:
	case 0x63: case 0x69: case 0x6b: case 0x70 ... 0x7f:
	case 0x84: case 0x85: case 0x8a: case 0x8b: case 0x8d:
	case 0x90 ... 0x99: case 0xa0: case 0xa1: case 0xa6 ... 0xa9:
	case 0xac ... 0xaf: case 0xb0 ... 0xbf: case 0xc2: case 0xc3:
	case 0xe9: case 0xeb:
		return NEVER;
	case 0x00: case 0x01: case 0x08: case 0x09: case 0x10: case 0x11:
	case 0x18: case 0x19: case 0x20: case 0x21: case 0x28: case 0x29:
	case 0x30: case 0x31: case 0x50 ... 0x57: case 0x68: case 0x6a:
	case 0x80 ... 0x83: case 0x88: case 0x89: case 0x9c:
	case 0xa2 ... 0xa5: case 0xaa: case 0xab: case 0xc0: case 0xc1:
	case 0xc6: case 0xc7: case 0xd0 ... 0xd3: case 0xe8: case 0xf6:
	case 0xf7: case 0xfe:
		return INLINE;
	case 0xff:	/* but a far call */
		return (p[1] >> 3 & 7) == 3 ? MAYBE_HELPER : INLINE;
	default:
		return MAYBE_HELPER;
	}
}

static void watch_stores(struct qemu_plugin_insn *insn, const uint8_t *code,
			 uint64_t vaddr)
{
	enum store store = store_of(code);
	int rw = QEMU_MEM_W;

	if (store == NEVER)
		return;
	if (store == INLINE && qemu_plugin_version < 2)
		rw = QEMU_MEM_R;
	qemu_plugin_register_vcpu_mem_cb(
		insn, qemu_plugin_version < 4 ? on_store : on_store_of,
		QEMU_CB_NO_REGS, rw, (void *)(uintptr_t)vaddr);
}

enum effect { NONE, FLUSHES, IS_VMRUN };

/*
 * What empties the TLB, or changes the address space: mov to a control
 * register, invlpg, invlpga, vmrun, invpcid, leaving system management mode.
 */
static enum effect effect_of(const uint8_t *code)
{
	bool lock;
	const uint8_t *p = skip_prefixes(code, &lock);

	if (p[0] != 0x0f)
		return NONE;
	if (p[1] == 0x22 || p[1] == 0xaa)
		return FLUSHES;
	if (p[1] == 0x38 && p[2] == 0x82)
		return FLUSHES;
	if (p[1] != 0x01)
		return NONE;
	if (p[2] == 0xd8)
		return IS_VMRUN;
	return (p[2] >> 3 & 7) == 7 && (p[2] < 0xc0 || p[2] == 0xfe) ?
		       FLUSHES :
	       p[2] == 0xdf ? FLUSHES :
			      NONE;
}

/*
 * A nested guest's exit comes from anywhere, but it comes out behind VMRUN.
 * Translation is serialised by QEMU.
 */
static void remember_vmrun(uint64_t behind)
{
	for (int i = 0; i < MAX_VMRUNS; i++) {
		if (d.behind_vmrun[i] == behind)
			return;
		if (!d.behind_vmrun[i]) {
			d.behind_vmrun[i] = behind;
			return;
		}
	}
}

static bool is_behind_vmrun(uint64_t vaddr)
{
	for (int i = 0; i < MAX_VMRUNS && d.behind_vmrun[i]; i++)
		if (d.behind_vmrun[i] == vaddr)
			return true;
	return false;
}

static void on_translate(qemu_plugin_id_t id, struct qemu_plugin_tb *tb)
{
	size_t nr = qemu_plugin_tb_n_insns(tb);

	for (size_t i = 0; i < nr; i++) {
		struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);
		uint64_t vaddr = qemu_plugin_insn_vaddr(insn);
		struct code code = read_code(insn);
		enum effect effect = effect_of(code.byte);

		if (effect == IS_VMRUN)
			remember_vmrun(vaddr + qemu_plugin_insn_size(insn));
		if (effect != NONE || (!i && is_behind_vmrun(vaddr)))
			qemu_plugin_register_vcpu_insn_exec_cb(
				insn, on_flush, QEMU_CB_NO_REGS, NULL);
		if (vaddr == RESET_VECTOR)
			qemu_plugin_register_vcpu_insn_exec_cb(
				insn, on_reset, QEMU_CB_NO_REGS, NULL);
		watch_stores(insn, code.byte, vaddr);
	}
}

/* ---- on our own thread ---- */

static void wait_idle(const struct vcpu *v)
{
	static const struct timespec nap = { .tv_nsec = 50000 };

	while (load_acquire(&v->busy))
		nanosleep(&nap, NULL);
}

static void wait_all_idle(void)
{
	for (uint32_t i = 0; i < d.nr_vcpus; i++)
		wait_idle(&d.vcpu[i]);
}

/* Let v->head be ours; 0 or -errno. No vCPU looks at it meanwhile. */
static int map_head(struct vcpu *v)
{
	uint64_t hva = load_relaxed(&v->in->head_hva);
	uint64_t off = hva % XFTD_PAGE;
	void *page = NULL;

	if (hva % sizeof(uint64_t))
		return -EFAULT;
	if (hva) {
		page = mremap((void *)(uintptr_t)(hva - off), 0, XFTD_PAGE,
			      MREMAP_MAYMOVE);
		if (page == MAP_FAILED)
			return -EFAULT;
	}
	if (v->head)
		munmap((void *)((uintptr_t)v->head & PAGE_MASK), XFTD_PAGE);
	v->head = page ? (void *)((char *)page + off) : NULL;
	return 0;
}

static void set_mode(uint32_t mode)
{
	__atomic_store_n(&d.mode, mode, __ATOMIC_SEQ_CST);
}

static int refuse(int code, const char *why)
{
	snprintf(d.source->message, sizeof(d.source->message), "%s", why);
	return code;
}

static int carry_out(uint32_t seq)
{
	uint32_t mode = load_relaxed(&d.wanted->mode);
	uint32_t old = d.mode;
	int rc = 0;

	if (mode >= 32 || !(d.source->modes >> mode & 1))
		return refuse(-EINVAL, "no such mode");
	if (d.blind && mode != XFTD_OFF)
		return refuse(-EOPNOTSUPP, "this QEMU does not tell which of "
			      "its vCPUs writes: -smp 1 does it");
	set_mode(XFTD_OFF);
	wait_all_idle();
	for (uint32_t i = 0; !rc && i < d.nr_vcpus; i++)
		rc = map_head(&d.vcpu[i]);
	if (rc) {
		set_mode(old);
		return refuse(rc, "a trace ring is not where QEMU has RAM");
	}
	store_relaxed(&d.seq, seq);
	store_relaxed(&d.harvest, d.harvest + 1);
	if (old == XFTD_OFF) {
		store_relaxed(&d.start, d.start + 1);
		store_relaxed(&d.reset, 0);
	}
	set_mode(mode);
	d.source->message[0] = '\0';
	return 0;
}

static void *serve(void *unused)
{
	static const struct timespec nap = { .tv_nsec = 10000000 };
	uint32_t done = 0;

	for (;;) {
		uint32_t seq = load_acquire(&d.wanted->seq);

		store_relaxed(&d.source->heartbeat, d.source->heartbeat + 1);
		if (seq == done) {
			syscall(SYS_futex, &d.wanted->seq, FUTEX_WAIT, seq,
				&nap, NULL, 0);
			continue;
		}
		d.source->status = carry_out(seq);
		done = seq;
		store_release(&d.source->done, seq);
	}
	return NULL;
}

/* Signals are QEMU's. */
static void start_thread(void)
{
	pthread_t thread;
	sigset_t all, old;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	if (!pthread_create(&thread, NULL, serve, NULL))
		pthread_detach(thread);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
}

/* What who() needs. Its names are there for QEMU's own modules. */
static void learn(struct vcpu *v, unsigned int nr)
{
	const void *(*get_cpu)(int) = dlsym(RTLD_DEFAULT, "qemu_get_cpu");
	const void **current = dlsym(RTLD_DEFAULT, "current_cpu");
	static __thread bool has_another;

	if (get_cpu && current) {
		v->cpu = get_cpu(nr);
		v->current = current;
	} else {
		d.blind |= has_another;
	}
	has_another = true;
}

/*
 * Not earlier: with -daemonize QEMU forks after it has installed us. Since
 * version 4 this is the vCPU's thread.
 */
static void on_vcpu(qemu_plugin_id_t id, unsigned int nr)
{
	d.source->pid = getpid();
	pthread_once(&d.thread_once, start_thread);
	if (qemu_plugin_version >= 4 && nr < d.nr_vcpus)
		learn(&d.vcpu[nr], nr);
}

/* ---- installation ---- */

static int give_up(const char *what, const char *why)
{
	fprintf(stderr, "dirty_tcg: %s: %s\n", what, why);
	return -1;
}

/* A new file in the place of whatever was there, mapped. */
static char *map_file(const char *path, size_t size)
{
	void *p = MAP_FAILED;
	int fd;

	if (unlink(path) && errno != ENOENT)
		return NULL;
	fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
		  0600);
	if (fd >= 0 && !ftruncate(fd, size))
		p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (fd >= 0)
		close(fd);
	return p == MAP_FAILED ? NULL : p;
}

static bool init_vcpu(struct vcpu *v, char *pages)
{
	v->out = (void *)pages;
	v->in = (void *)(pages + XFTD_PAGE);
	v->ring = (void *)(pages + 2 * XFTD_PAGE);
	v->filling = v->round = 1;
	v->stuck = UINT64_MAX;
	v->current = &v->cpu;
	v->told = mmap(NULL, MAX_RAM_PAGES / 8, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	return v->told != MAP_FAILED;
}

static bool init(const char *path, uint32_t nr_vcpus)
{
	char *file = map_file(path, xftd_vcpu_off(XFTD_RING, nr_vcpus));

	d.vcpu = calloc(nr_vcpus, sizeof(*d.vcpu));
	if (!file || !d.vcpu)
		return false;
	for (uint32_t i = 0; i < nr_vcpus; i++)
		if (!init_vcpu(&d.vcpu[i], file + xftd_vcpu_off(XFTD_RING, i)))
			return false;
	d.nr_vcpus = nr_vcpus;
	d.wanted = (void *)(file + XFTD_PAGE);
	d.source = (void *)file;
	*d.source = (struct xftd_source){
		.magic = XFTD_MAGIC,
		.kind = XFTD_TCG,
		.modes = 1 << XFTD_OFF | 1 << XFTD_FIRST | 1 << XFTD_CALLS |
			 1 << XFTD_ALL,
		.nr_vcpus = nr_vcpus,
		.ring_size = XFTD_RING,
		.pid = getpid(),
		.pml_size = PML_ENTRIES,
	};
	/* Release: all of the above. */
	store_release(&d.source->version, XFTD_VERSION);
	return true;
}

/*
 * QEMU 10 takes no plugin that was made for 7.2, though all that we use is
 * still there: be what it wants. This runs before QEMU looks.
 */
__attribute__((constructor)) static void choose_version(void)
{
	insn_data = dlsym(RTLD_DEFAULT, "qemu_plugin_insn_data");
	if (dlsym(RTLD_DEFAULT, "qemu_plugin_read_memory_vaddr"))
		qemu_plugin_version = 4;
}

QEMU_EXPORT int qemu_plugin_install(qemu_plugin_id_t id,
				    const struct qemu_plugin_info *info,
				    int argc, char **argv);

int qemu_plugin_install(qemu_plugin_id_t id,
			const struct qemu_plugin_info *info, int argc,
			char **argv)
{
	const char *path = NULL;

	for (int i = 0; i < argc; i++) {
		if (strncmp(argv[i], "dirty=", 6))
			return give_up(argv[i], "no such option");
		path = argv[i] + 6;
	}
	if (!path || !*path)
		return give_up("dirty=PATH", "is missing");
	if (!info->system_emulation || strcmp(info->target_name, "x86_64"))
		return give_up(info->target_name,
			       "only whole x86_64 machines are supported");
	if (info->system.max_vcpus < 1 ||
	    info->system.max_vcpus > XFTD_MAX_VCPUS)
		return give_up("vCPUs", "too many");
	if (!init(path, info->system.max_vcpus))
		return give_up(path, strerror(errno));
	qemu_plugin_register_vcpu_init_cb(id, on_vcpu);
	qemu_plugin_register_vcpu_tb_trans_cb(id, on_translate);
	return 0;
}
