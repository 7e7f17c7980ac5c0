/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * xft -- what the files of the guest module share.
 *
 *	xft_main.c	load, unload
 *	xft_mailbox.c	answers the host (the paper's Trace_Switch, guest side)
 *	xft_push.c	rings: memory, and the slow path of the writer
 *	xft_func.c	function-graph hooks
 *
 * Only the poll thread starts, stops and frees; the hooks only write.
 */
#ifndef XFT_H
#define XFT_H

#include <linux/kernel.h>
#include <linux/percpu.h>
#include <linux/sched.h>

#include "xft_abi.h"

#define xft_publish(p, v)	smp_store_release(p, v)
#define xft_acquire(p)		smp_load_acquire(p)
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
/* Each CPU's rings; one without memory of its own never becomes ready. */
DECLARE_PER_CPU(struct xft_ring *, xft_ring_main);
DECLARE_PER_CPU(struct xft_ring *, xft_ring_nmi);

/* Once, before all else. */
void xft_push_init(void);
/* Rings for all online CPUs. -ENOMEM, -EINVAL, -E2BIG. */
int xft_push_alloc(u32 sub_shift, u32 nr_subs);
/* Have writers look at key and time; from the poll thread. */
void xft_push_kick(void);
/* No hook may run any more. */
void xft_push_close(void);
void xft_push_free(void);

/*
 * Write a call record of @current, whatever the context and the state of the
 * ring; interrupts are off.
 */
void xft_push_slow(u64 first, u64 second);

/* xft_func.c */
/* -EFAULT with ctl->detail: an address is not what it should be. */
int xft_func_start(void);
/* After it returned no CPU runs a hook. Does nothing if not started. */
void xft_func_stop(void);

#endif
