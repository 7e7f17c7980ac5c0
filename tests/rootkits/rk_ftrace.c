// SPDX-License-Identifier: GPL-2.0-only
/* rk_ftrace -- ftrace diverts the function target= to ours. */
#include <linux/ftrace.h>
#include <linux/version.h>

#include "rk.h"

/* 94d095ffa0e1 ("ftrace: abstract DYNAMIC_FTRACE_WITH_ARGS accesses"), 6.2. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 2, 0)
#define ftrace_regs_set_instruction_pointer ftrace_instruction_pointer_set
#endif

static noinline long rk_handler(const void *regs)
{
	long (*real)(const void *regs) = (void *)target;
	long ret;

	rk_hit();
	ret = real(regs);
	/* No jump to it, or the call would not come from here. */
	barrier();
	return ret;
}

static void notrace rk_divert(unsigned long ip, unsigned long parent_ip,
			      struct ftrace_ops *ops, struct ftrace_regs *fregs)
{
	if (!within_module(parent_ip, THIS_MODULE))
		ftrace_regs_set_instruction_pointer(fregs,
						    (unsigned long)rk_handler);
}

static struct ftrace_ops rk_ops = {
	.func = rk_divert,
	.flags = FTRACE_OPS_FL_SAVE_REGS | FTRACE_OPS_FL_IPMODIFY |
		 FTRACE_OPS_FL_RECURSION,
};

static int rk_install(void)
{
	int rc = ftrace_set_filter_ip(&rk_ops, target, 0, 0);

	return rc ? rc : register_ftrace_function(&rk_ops);
}

static void rk_remove(void)
{
	unregister_ftrace_function(&rk_ops);
	synchronize_rcu_tasks();
}
