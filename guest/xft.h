/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * xft -- what the files of the guest module share.
 *
 *	xft_main.c	load, unload
 *	xft_mailbox.c	answers the host (the paper's Trace_Switch, guest side)
 *	xft_push.c	rings: memory, and the slow path of the writer
 *	xft_seal.c	keys of sealed rings
 *	xft_pool.h	... made beforehand
 *	xft_kfunc.c	kernel functions that modules may not link to
 *	xft_func.c	function-graph hooks
 *	xft_args.c	what a system call was given
 *	xft_event.c	ftrace's events
 *
 * Only the poll thread starts, stops and frees; the hooks only write.
 */
#ifndef XFT_H
#define XFT_H

#include <linux/hardirq.h>
#include <linux/irqflags.h>
#include <linux/kernel.h>
#include <linux/percpu.h>
#include <linux/sched.h>

#include "xft_abi.h"

#define xft_publish(p, v)	smp_store_release(p, v)
#define xft_acquire(p)		smp_load_acquire(p)
/* To @to if it is @from: acquires and releases. */
#define xft_swap(p, from, to)	(cmpxchg(p, from, to) == (from))
#define xft_order_stores()	smp_wmb()
#define xft_order_loads()	smp_rmb()
#include "xft_ring.h"

/* Written by us, read by the host; valid from load to unload. */
extern struct xft_ctl *xft_ctl;
/* Written by the host, read by us. */
extern struct xft_mbox *xft_mbox;

/* xft_mailbox.c */
int xft_mailbox_init(void);
void xft_mailbox_exit(void);

/* xft_push.c */
/* How records are masked, from START to the next one. */
extern enum xft_mask xft_mask;
/* Each CPU's rings; one without memory of its own never becomes ready. */
DECLARE_PER_CPU(struct xft_ring *, xft_ring_main);
DECLARE_PER_CPU(struct xft_ring *, xft_ring_nmi);

/* Once, before all else. */
void xft_push_init(void);
/*
 * Rings for all online CPUs, sealed under keys that follow from @seed if it is
 * not NULL. -ENOMEM, -EINVAL, -E2BIG.
 */
int xft_push_alloc(u32 sub_shift, u32 nr_subs, const u64 seed[4]);
/*
 * Have writers look at key and time, and close sealed sub-buffers that are not
 * written to; from the poll thread.
 */
void xft_push_kick(void);
/*
 * Make streams that writers are going to need; from the poll thread, too. True:
 * there was something to do, so there may soon be more.
 */
bool xft_push_fill(void);
/* No hook may run any more. */
void xft_push_close(void);
void xft_push_free(void);

/*
 * The ring for a record of @current of up to @words, made ready whatever the
 * context and the ring's state, and *@first with the context; NULL: there is
 * none. Interrupts are off.
 */
struct xft_ring *xft_push_prepare(u64 *first, u32 words, u64 tsc);

/* Task context, in which nearly all is recorded, has the fast path. */
static __always_inline bool xft_in_task(void)
{
	return likely(!(preempt_count() &
			(NMI_MASK | HARDIRQ_MASK | SOFTIRQ_OFFSET)));
}

/*
 * Records are written with interrupts off. The processor is asked directly: the
 * kernel's own helpers leave room for Xen PV, four instructions a record, and
 * under Xen PV physical addresses are made up, so no host could have found us.
 */
static __always_inline unsigned long xft_irq_save(void)
{
	unsigned long flags = native_save_fl();

	native_irq_disable();
	return flags;
}

static __always_inline void xft_irq_restore(unsigned long flags)
{
	if (likely(flags & X86_EFLAGS_IF))
		native_irq_enable();
}

/* A task may have a new name, or be a new one at an old address. */
static __always_inline bool xft_is_named(const struct xft_ring *r,
					 const struct task_struct *task)
{
	return likely(xft_ring_names(r, task->pid,
				     READ_ONCE(*(u64 *)&task->comm[0]),
				     READ_ONCE(*(u64 *)&task->comm[8])));
}

/* xft_args.c */
/*
 * What system call @root, which @current has just entered, was given, as it
 * stands behind the first two words of its ENTRY. Returns how many words there
 * are at *@ret_words; the CPU's own, until interrupts are on again.
 */
u32 xft_args_take(u64 root, u64 **ret_words);
/*
 * When it returns: what it points to, without the numbers, if something of it
 * was missing then. 0: nothing was. There is room for a word before them.
 */
u32 xft_args_again(u64 root, u64 **ret_words);
/* The host's word for how long a string may be. */
void xft_args_start(void);

/* xft_kfunc.c */
/*
 * The address that the host gives for @index, once the kernel has confirmed
 * that it is @name's. -EFAULT with ctl->detail: it is another's.
 */
int xft_take_kfunc(int index, const char *name, void *ret_addr);

/* xft_func.c */
/* -EFAULT with ctl->detail: an address is not what it should be. */
int xft_func_start(void);
/* After it returned no CPU runs a hook. Does nothing if not started. */
void xft_func_stop(void);

/* xft_event.c */
/* -ENOENT, -ESTALE and others, with ctl->detail. Nothing stays on failure. */
int xft_event_start(void);
/* Events are as they were before. Does nothing if not started. */
void xft_event_stop(void);
int xft_event_init(void);
void xft_event_exit(void);

#endif
