// SPDX-License-Identifier: GPL-2.0-only
/*
 * Rings: memory for them, and the slow path of their writer.
 */
#define pr_fmt(fmt) "xftrace: " fmt

#include <linux/cpu.h>
#include <linux/gfp.h>
#include <linux/hardirq.h>
#include <linux/kprobes.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>
#include <asm/io.h>
#include <asm/msr.h>

#include "xft.h"

/* NMIs are rare, and what they call is short. */
#define XFT_NMI_SUB_SHIFT 12
#define XFT_NMI_SUBS	  16

/* Large, and no reason to end somebody's program. */
#define XFT_GFP \
	(GFP_KERNEL | __GFP_ZERO | __GFP_NOWARN | __GFP_RETRY_MAYFAIL)

/* For CPUs that came up after tracing was switched on: it has no memory. */
static struct xft_ring xft_no_ring;

DEFINE_PER_CPU(struct xft_ring *, xft_ring_main);
DEFINE_PER_CPU(struct xft_ring *, xft_ring_nmi);

enum xft_mask xft_mask __read_mostly;

static DEFINE_PER_CPU(u64, xft_seen_head);
static unsigned long xft_next_close;	/* jiffies */

static u64 *xft_dir;	/* page with the ring headers' addresses */

noinline notrace struct xft_ring *xft_push_prepare(u64 *first, u32 words,
						   u64 tsc)
{
	struct task_struct *task = current;
	u32 pc = preempt_count();
	struct xft_ring *r;
	u64 comm[2];

	if (pc & NMI_MASK) {
		r = this_cpu_read(xft_ring_nmi);
		*first |= XFT_CTX_NMI << XFT_CTX_SHIFT;
	} else {
		r = this_cpu_read(xft_ring_main);
		if (pc & HARDIRQ_MASK)
			*first |= XFT_CTX_IRQ << XFT_CTX_SHIFT;
		else if (pc & SOFTIRQ_OFFSET)
			*first |= XFT_CTX_SOFTIRQ << XFT_CTX_SHIFT;
	}
	BUILD_BUG_ON(sizeof(task->comm) != sizeof(comm));
	/* May be torn by a rename on another CPU; the host escapes it. */
	comm[0] = READ_ONCE(*(u64 *)&task->comm[0]);
	comm[1] = READ_ONCE(*(u64 *)&task->comm[8]);
	if (!xft_ring_prepare(r, task, words, tsc, task->pid, task->tgid, comm,
			      xft_mask))
		return NULL;
	return r;
}
NOKPROBE_SYMBOL(xft_push_prepare);

static void xft_ring_free(struct xft_ring *r)
{
	struct xft_ring_hdr *hdr = xft_ring_hdr(r);
	struct xft_sub **subs = r->subs;
	u32 i;

	for (i = 0; subs && i < hdr->nr_subs; i++)
		free_pages((unsigned long)subs[i], hdr->sub_shift - PAGE_SHIFT);
	kfree(subs);
	if (xft_mask == XFT_MASK_SEALED && r->seal)
		kvfree_sensitive(r->seal, xft_seal_size(r->seal->pooled));
	memzero_explicit(hdr, sizeof(*hdr));
	free_page((unsigned long)hdr);
}

/* NMIs write little, and do without a pool. */
static struct xft_seal *xft_seal_alloc(int cpu, u32 kind, u32 shift,
				       const u64 seed[4])
{
	u64 pooled = kind == XFT_RING_MAIN ? xft_seal_pooled(shift) : 0;
	struct xft_seal *s = __vmalloc(xft_seal_size(pooled), XFT_GFP);

	if (s) {
		s->pooled = pooled;
		xft_seal_init(s, seed, cpu, kind);
	}
	return s;
}

static struct xft_ring *xft_ring_alloc(int cpu, u32 kind, u32 shift, u32 nr,
				       const u64 seed[4])
{
	struct xft_ring_hdr *hdr = (void *)get_zeroed_page(GFP_KERNEL);
	struct xft_ring *r = (void *)hdr;
	u32 i;

	BUILD_BUG_ON(sizeof(*hdr) != PAGE_SIZE);
	if (!hdr)
		return NULL;
	hdr->cpu = cpu;
	hdr->kind = kind;
	hdr->sub_shift = shift;
	hdr->self_gpa = virt_to_phys(hdr);
	r->mbox = xft_mbox;
	r->subs = kcalloc(nr, sizeof(*r->subs), GFP_KERNEL);
	if (!r->subs)
		goto free;
	for (i = 0; i < nr; i++) {
		r->subs[i] = (void *)__get_free_pages(XFT_GFP,
						      shift - PAGE_SHIFT);
		if (!r->subs[i])
			goto free;
		hdr->sub_gpa[i] = virt_to_phys(r->subs[i]);
		hdr->nr_subs = i + 1;
	}
	if (seed) {
		r->seal = xft_seal_alloc(cpu, kind, shift, seed);
		if (!r->seal)
			goto free;
	}
	hdr->magic = XFT_RING_MAGIC;
	return r;
free:
	xft_ring_free(r);
	return NULL;
}

static int xft_ring_add(struct xft_ring **slot, int cpu, u32 kind, u32 shift,
			u32 nr, const u64 seed[4], u32 *nr_rings)
{
	struct xft_ring *r;

	if (*nr_rings >= 2 * XFT_MAX_CPUS)
		return -E2BIG;
	r = xft_ring_alloc(cpu, kind, shift, nr, seed);
	if (!r)
		return -ENOMEM;
	xft_dir[(*nr_rings)++] = xft_ring_hdr(r)->self_gpa;
	*slot = r;
	return 0;
}

int xft_push_alloc(u32 sub_shift, u32 nr_subs, const u64 seed[4])
{
	u32 nr = 0;
	int cpu, rc = 0;

	if (sub_shift < XFT_MIN_SUB_SHIFT || sub_shift > XFT_MAX_SUB_SHIFT ||
	    nr_subs < XFT_MIN_SUBS || nr_subs > XFT_MAX_SUBS)
		return -EINVAL;
	xft_dir = (void *)get_zeroed_page(GFP_KERNEL);
	if (!xft_dir)
		return -ENOMEM;
	xft_mask = seed ? XFT_MASK_SEALED : XFT_MASK_XOR;

	cpus_read_lock();
	for_each_online_cpu(cpu) {
		rc = xft_ring_add(per_cpu_ptr(&xft_ring_main, cpu), cpu,
				  XFT_RING_MAIN, sub_shift, nr_subs, seed,
				  &nr);
		if (!rc)
			rc = xft_ring_add(per_cpu_ptr(&xft_ring_nmi, cpu), cpu,
					  XFT_RING_NMI, XFT_NMI_SUB_SHIFT,
					  XFT_NMI_SUBS, seed, &nr);
		if (rc)
			break;
	}
	cpus_read_unlock();
	if (rc) {
		xft_push_free();
		return rc;
	}
	xft_ctl->rings_gpa = virt_to_phys(xft_dir);
	smp_store_release(&xft_ctl->nr_rings, nr);
	return 0;
}

/* Call @fn on all rings that have memory. */
static __always_inline void xft_for_each_ring(void (*fn)(struct xft_ring **))
{
	int cpu;

	for_each_possible_cpu(cpu) {
		if (per_cpu(xft_ring_main, cpu) != &xft_no_ring)
			fn(per_cpu_ptr(&xft_ring_main, cpu));
		if (per_cpu(xft_ring_nmi, cpu) != &xft_no_ring)
			fn(per_cpu_ptr(&xft_ring_nmi, cpu));
	}
}

static void xft_kick_one(struct xft_ring **slot)
{
	xft_ring_kick(*slot, rdtsc());
}

/*
 * Each last record of a sub-buffer is sealed, too. Its time comes before the
 * look, as in each record: see xft_ring_halted().
 */
static void xft_close_one(struct xft_ring **slot)
{
	u64 tsc = rdtsc();

	if (!xft_ring_halted(*slot, xft_mask))
		xft_ring_finish(*slot, tsc, xft_mask);
}

static void xft_free_one(struct xft_ring **slot)
{
	xft_ring_free(*slot);
	*slot = &xft_no_ring;
}

/* The module loader does not relocate per-CPU data: no static initializer. */
void xft_push_init(void)
{
	int cpu;

	for_each_possible_cpu(cpu) {
		per_cpu(xft_ring_main, cpu) = &xft_no_ring;
		per_cpu(xft_ring_nmi, cpu) = &xft_no_ring;
	}
}

/* On the ring's own CPU, with interrupts off: its writer is not at it. */
static notrace void xft_close_here(void *unused)
{
	struct xft_ring *r = this_cpu_read(xft_ring_main);
	u64 tsc = rdtsc();

	if (!xft_ring_halted(r, XFT_MASK_SEALED))
		xft_ring_close(r, tsc, 0, XFT_MASK_SEALED);
}

/*
 * A sub-buffer that is open could be cut short without anybody noticing, until
 * it is closed. So none stays open that was not written to since the last look.
 * Nothing but an NMI keeps NMIs out: their rings are closed by STOP.
 */
static void xft_close_idle(void)
{
	int cpu;

	cpus_read_lock();
	for_each_online_cpu(cpu) {
		struct xft_ring *r = per_cpu(xft_ring_main, cpu);
		u64 *seen = per_cpu_ptr(&xft_seen_head, cpu);
		u64 head = READ_ONCE(r->head);

		if (READ_ONCE(r->sub) && head == *seen)
			smp_call_function_single(cpu, xft_close_here, NULL, 1);
		*seen = head;
	}
	cpus_read_unlock();
}

bool xft_push_fill(void)
{
	bool filled = false;
	int cpu;

	if (xft_mask != XFT_MASK_SEALED || xft_ctl->state != XFT_TRACING)
		return false;
	for_each_possible_cpu(cpu) {
		struct xft_ring *r = per_cpu(xft_ring_main, cpu);

		if (r != &xft_no_ring)
			filled |= xft_seal_fill(r->seal);
	}
	return filled;
}

void xft_push_kick(void)
{
	xft_for_each_ring(xft_kick_one);
	if (xft_mask == XFT_MASK_SEALED && xft_ctl->state == XFT_TRACING &&
	    time_after(jiffies, xft_next_close)) {
		xft_close_idle();
		xft_next_close = jiffies + HZ;
	}
}

void xft_push_close(void)
{
	xft_for_each_ring(xft_close_one);
}

void xft_push_free(void)
{
	smp_store_release(&xft_ctl->nr_rings, 0);
	xft_ctl->rings_gpa = 0;
	xft_for_each_ring(xft_free_one);
	free_page((unsigned long)xft_dir);
	xft_dir = NULL;
}
