/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * rk -- what the harmless rootkits have in common.
 *
 * Each bends the kernel's flow in one known way, counts how often it is passed
 * and goes on with what was asked for; nothing is hidden, nothing changed. It
 * takes itself back when it is unloaded, or after "seconds", so that none stays
 * by accident.
 *
 *	insmod rk_NAME.ko target=0x... [seconds=N]
 *	cat /sys/module/rk_NAME/parameters/hits
 *
 * Addresses come from /proc/kallsyms, as the kernel does not give them away.
 */
#ifndef RK_H
#define RK_H

#include <linux/module.h>
#include <linux/stop_machine.h>
#include <linux/string.h>
#include <linux/workqueue.h>

static unsigned long target;
module_param(target, ulong, 0400);

static unsigned int seconds = 600;
module_param(seconds, uint, 0400);

/* Written from assembler, too, in any context. */
unsigned long rk_hits;
module_param_named(hits, rk_hits, ulong, 0400);

static inline void rk_hit(void)
{
	asm volatile("lock incq rk_hits(%%rip)" : : : "memory");
}

struct rk_poke {
	void *to;
	const void *from;
	size_t len;
};

static inline int rk_poke_stopped(void *arg)
{
	struct rk_poke *p = arg;
	unsigned long cr0;

	/* Past the kernel's own write_cr0(), which pins this bit. */
	asm volatile("mov %%cr0, %0" : "=r"(cr0));
	asm volatile("mov %0, %%cr0" : : "r"(cr0 & ~(1ul << 16)) : "memory");
	memcpy(p->to, p->from, p->len);
	asm volatile("mov %0, %%cr0" : : "r"(cr0) : "memory");
	return 0;
}

/* Write to constant memory while nobody else runs. */
static inline void rk_poke(void *to, const void *from, size_t len)
{
	struct rk_poke p = { to, from, len };

	stop_machine(rk_poke_stopped, &p, NULL);
}

static int rk_install(void);
static void rk_remove(void);

static bool rk_installed;
static DEFINE_MUTEX(rk_mutex);

static void rk_end(void)
{
	mutex_lock(&rk_mutex);
	if (rk_installed) {
		rk_remove();
		rk_installed = false;
		/* Who is in our code has left it by then. */
		synchronize_rcu();
		schedule_timeout_uninterruptible(HZ / 10);
	}
	mutex_unlock(&rk_mutex);
}

static void rk_timeout(struct work_struct *work)
{
	rk_end();
}

static DECLARE_DELAYED_WORK(rk_work, rk_timeout);

static int __init rk_init(void)
{
	int rc = rk_install();

	if (rc)
		return rc;
	rk_installed = true;
	schedule_delayed_work(&rk_work, seconds * HZ);
	return 0;
}

static void __exit rk_exit(void)
{
	cancel_delayed_work_sync(&rk_work);
	rk_end();
}

module_init(rk_init);
module_exit(rk_exit);
MODULE_DESCRIPTION("A test of xftrace");
MODULE_LICENSE("GPL");

#endif
