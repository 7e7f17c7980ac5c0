// SPDX-License-Identifier: GPL-2.0-only
/*
 * The control block, and the thread that looks into the mailbox.
 *
 * Requests are carried out in this thread, one after the other, so starting,
 * stopping and freeing need no locks.
 */
#define pr_fmt(fmt) "xftrace: " fmt

#include <linux/freezer.h>
#include <linux/gfp.h>
#include <linux/hrtimer.h>
#include <linux/kthread.h>
#include <linux/random.h>
#include <linux/string.h>
#include <linux/timekeeping.h>
#include <linux/utsname.h>
#include <asm/io.h>
#include <asm/tsc.h>

#include "xft_compat.h"
#include "xft.h"

/* A request waits this long at most; an idle guest wakes up this rarely. */
#define XFT_POLL_MS	   20
/* While sealed rings are filled fast enough to want streams all the time. */
#define XFT_POLL_FAST_MS   1

#define XFT_BLOCK_ORDER	   get_order(XFT_PAGE + sizeof(struct xft_mbox))

struct xft_ctl *xft_ctl;
struct xft_mbox *xft_mbox;
static struct task_struct *xft_thread;

/* Lets the host put a wall clock time beside time stamps. */
static int xft_ping(void)
{
	xft_ctl->clock_tsc = rdtsc();
	xft_ctl->clock_real_ns = ktime_get_real_ns();
	return 0;
}

/* Rings; the seed of their keys is left nowhere, whatever becomes of them. */
static int xft_alloc(void)
{
	u32 mask = READ_ONCE(xft_mbox->mask);
	u64 seed[4];
	int rc;

	memcpy(seed, xft_mbox->seed, sizeof(seed));
	memzero_explicit(xft_mbox->seed, sizeof(seed));
	if (mask > XFT_MASK_SEALED ||
	    (mask == XFT_MASK_SEALED && !memchr_inv(seed, 0, sizeof(seed))))
		rc = -EINVAL;
	else
		rc = xft_push_alloc(READ_ONCE(xft_mbox->sub_shift),
				    READ_ONCE(xft_mbox->nr_subs),
				    mask == XFT_MASK_SEALED ? seed : NULL);
	memzero_explicit(seed, sizeof(seed));
	return rc;
}

static int xft_start(void)
{
	int rc;

	if (xft_ctl->state == XFT_TRACING)
		return -EBUSY;
	if (xft_ctl->state == XFT_STOPPED)
		xft_push_free();
	WRITE_ONCE(xft_ctl->state, XFT_IDLE);

	rc = xft_alloc();
	if (rc) {
		xft_ctl->detail = XFT_DETAIL_RINGS;
		return rc;
	}
	rc = xft_event_start();
	if (rc)
		goto free;
	rc = xft_func_start();
	if (rc)
		goto stop;
	WRITE_ONCE(xft_ctl->state, XFT_TRACING);
	return 0;
stop:
	xft_event_stop();
free:
	xft_push_free();
	return rc;
}

static int xft_stop(void)
{
	if (xft_ctl->state != XFT_TRACING)
		return 0;
	xft_func_stop();
	xft_event_stop();
	xft_push_close();
	WRITE_ONCE(xft_ctl->state, XFT_STOPPED);
	return 0;
}

static int xft_release(void)
{
	if (xft_ctl->state == XFT_TRACING)
		return -EBUSY;
	if (xft_ctl->state == XFT_STOPPED)
		xft_push_free();
	WRITE_ONCE(xft_ctl->state, XFT_IDLE);
	return 0;
}

static int xft_answer(u32 cmd)
{
	switch (cmd) {
	case XFT_CMD_PING:
		return xft_ping();
	case XFT_CMD_START:
		return xft_start();
	case XFT_CMD_STOP:
		return xft_stop();
	case XFT_CMD_RELEASE:
		return xft_release();
	default:
		return -ENOSYS;
	}
}

/* Not in ticks: these may be longer than a sub-buffer takes to fill. */
static void xft_sleep(u32 ms)
{
	ktime_t time = ms_to_ktime(ms);

	set_current_state(TASK_IDLE);
	schedule_hrtimeout_range(&time, NSEC_PER_MSEC / 4, HRTIMER_MODE_REL);
}

static int xft_poll(void *unused)
{
	u32 ms = XFT_POLL_MS;

	while (!kthread_should_stop()) {
		/* Pairs with the host's release: parameters are complete. */
		u32 seq = smp_load_acquire(&xft_mbox->seq);

		if (seq != xft_ctl->seq_done) {
			xft_ctl->detail = XFT_DETAIL_NONE;
			xft_ctl->status = xft_answer(READ_ONCE(xft_mbox->cmd));
			smp_store_release(&xft_ctl->seq_done, seq);
		}
		WRITE_ONCE(xft_ctl->heartbeat, xft_ctl->heartbeat + 1);
		xft_push_kick();
		ms = xft_push_fill() ? XFT_POLL_FAST_MS :
				       min_t(u32, 2 * ms, XFT_POLL_MS);
		xft_sleep(ms);
	}
	return 0;
}

static void xft_fill_layout(struct xft_layout *l)
{
	l->module_list = offsetof(struct module, list);
	l->module_name = offsetof(struct module, name);
	l->module_name_len = sizeof_field(struct module, name);
	l->module_text_base = XFT_MODULE_TEXT_BASE;
	l->module_text_size = XFT_MODULE_TEXT_SIZE;
#ifdef CONFIG_KALLSYMS
	l->module_kallsyms = offsetof(struct module, kallsyms);
	l->kallsyms_symtab = offsetof(struct mod_kallsyms, symtab);
	l->kallsyms_num = offsetof(struct mod_kallsyms, num_symtab);
	l->kallsyms_strtab = offsetof(struct mod_kallsyms, strtab);
	l->kallsyms_typetab = offsetof(struct mod_kallsyms, typetab);
#else
	l->module_kallsyms = 0xffff;
#endif
}

int xft_mailbox_init(void)
{
	struct xft_ctl *ctl;
	int rc;

	ctl = (void *)__get_free_pages(GFP_KERNEL | __GFP_ZERO,
				       XFT_BLOCK_ORDER);
	if (!ctl)
		return -ENOMEM;
	xft_ctl = ctl;
	xft_mbox = (void *)ctl + XFT_PAGE;

	ctl->abi_major = XFT_ABI_MAJOR;
	ctl->abi_minor = XFT_ABI_MINOR;
	ctl->self_gpa = virt_to_phys(ctl);
	get_random_bytes(&ctl->instance, sizeof(ctl->instance));
	ctl->mbox_gpa = virt_to_phys(xft_mbox);
	ctl->nr_cpus = num_possible_cpus();
	ctl->tsc_khz = tsc_khz;
	ctl->poll_ms = XFT_POLL_MS;
	strscpy(ctl->release, utsname()->release, sizeof(ctl->release));
	xft_fill_layout(&ctl->layout);
	xft_push_init();
	rc = xft_event_init();
	if (rc)
		goto free;

	xft_thread = kthread_run(xft_poll, NULL, "xftrace");
	if (IS_ERR(xft_thread)) {
		rc = PTR_ERR(xft_thread);
		goto exit;
	}
	/* The block is complete: let the host find it. */
	ctl->magic[1] = XFT_MAGIC1;
	smp_store_release(&ctl->magic[0], XFT_MAGIC0);
	return 0;
exit:
	xft_event_exit();
free:
	free_pages((unsigned long)ctl, XFT_BLOCK_ORDER);
	return rc;
}

void xft_mailbox_exit(void)
{
	kthread_stop(xft_thread);
	xft_event_exit();
	xft_stop();
	xft_release();
	/* Keys and addresses do not stay behind, and the magic is gone. */
	memzero_explicit(xft_ctl, XFT_PAGE + sizeof(struct xft_mbox));
	free_pages((unsigned long)xft_ctl, XFT_BLOCK_ORDER);
}
