// SPDX-License-Identifier: GPL-2.0-only
/*
 * hook_open -- a rootkit's hook that does no harm
 *
 *	insmod hook_open.ko target=ADDRESS [quiet=1]
 *	echo 1 >/sys/module/hook_open/parameters/hidden
 *	echo 0 >/sys/module/hook_open/parameters/hidden
 *	rmmod hook_open
 *
 * Sends calls of the system call at ADDRESS (of __x64_sys_openat) through a
 * function of its own, with ftrace's means, as published rootkits do. That
 * function calls printk and then what was asked for. A hidden module is in no
 * list of modules, so neither lsmod nor rmmod find it, and nobody who asks the
 * list has a name for its functions. "quiet" takes a function that is compiled
 * without a call of ftrace, so that it is never seen being called.
 */
#define pr_fmt(fmt) "hook_open: " fmt

#include <linux/atomic.h>
#include <linux/delay.h>
#include <linux/ftrace.h>
#include <linux/module.h>
#include <linux/rculist.h>
#include <linux/version.h>

/* 94d095ffa0e1 ("ftrace: abstract DYNAMIC_FTRACE_WITH_ARGS accesses"), 6.2. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 2, 0)
#define ftrace_regs_set_instruction_pointer ftrace_instruction_pointer_set
#endif

static unsigned long target;
module_param(target, ulong, 0400);

static bool quiet;
module_param(quiet, bool, 0400);

/* Tasks in the hook. */
static atomic_t inside = ATOMIC_INIT(0);

static __always_inline long hook_body(const struct pt_regs *regs)
{
	long (*real)(const struct pt_regs *regs) = (void *)target;
	long ret;

	atomic_inc(&inside);
	pr_info("a file is opened\n");
	ret = real(regs);
	atomic_dec(&inside);
	return ret;
}

static noinline long hook_seen(const struct pt_regs *regs)
{
	return hook_body(regs);
}

static noinline notrace long hook_unseen(const struct pt_regs *regs)
{
	return hook_body(regs);
}

static void notrace hook_divert(unsigned long ip, unsigned long parent_ip,
				struct ftrace_ops *ops,
				struct ftrace_regs *fregs)
{
	/* The hook's own call goes through. */
	if (!within_module(parent_ip, THIS_MODULE))
		ftrace_regs_set_instruction_pointer(
			fregs, (unsigned long)(quiet ? hook_unseen : hook_seen));
}

static struct ftrace_ops hook_ops = {
	.func = hook_divert,
	.flags = FTRACE_OPS_FL_SAVE_REGS | FTRACE_OPS_FL_IPMODIFY |
		 FTRACE_OPS_FL_RECURSION,
};

/* The neighbour in the list of modules, while we are not in it. */
static struct list_head *neighbour;

/* Nobody else loads modules meanwhile: their mutex is out of our reach. */
static int hide(const char *val, const struct kernel_param *kp)
{
	bool want;
	int rc = kstrtobool(val, &want);

	if (rc)
		return rc;
	if (want && !neighbour) {
		neighbour = THIS_MODULE->list.prev;
		list_del_rcu(&THIS_MODULE->list);
	} else if (!want && neighbour) {
		list_add_rcu(&THIS_MODULE->list, neighbour);
		neighbour = NULL;
	}
	return 0;
}

static const struct kernel_param_ops hide_ops = { .set = hide };
module_param_cb(hidden, &hide_ops, NULL, 0200);

static int __init hook_init(void)
{
	int rc = ftrace_set_filter_ip(&hook_ops, target, 0, 0);

	return rc ? rc : register_ftrace_function(&hook_ops);
}

static void __exit hook_exit(void)
{
	unregister_ftrace_function(&hook_ops);
	while (atomic_read(&inside))
		msleep(10);
	/* The last one may not have left the function's last instructions. */
	synchronize_rcu_tasks();
}

module_init(hook_init);
module_exit(hook_exit);
MODULE_DESCRIPTION("A test of xftrace");
MODULE_LICENSE("GPL");
