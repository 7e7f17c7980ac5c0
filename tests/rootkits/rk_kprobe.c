// SPDX-License-Identifier: GPL-2.0-only
/* rk_kprobe -- a kprobe in the function target=, "offset" bytes in. */
#include <linux/kprobes.h>

#include "rk.h"

static unsigned int offset;
module_param(offset, uint, 0400);

static int rk_pre(struct kprobe *p, struct pt_regs *regs)
{
	rk_hit();
	return 0;
}

static struct kprobe rk_kp = { .pre_handler = rk_pre };

static int rk_install(void)
{
	rk_kp.addr = (kprobe_opcode_t *)(target + offset);
	return register_kprobe(&rk_kp);
}

static void rk_remove(void)
{
	unregister_kprobe(&rk_kp);
}
