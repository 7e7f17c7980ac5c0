// SPDX-License-Identifier: GPL-2.0-only
/* rk_kretprobe -- a kretprobe of the function target=. */
#include <linux/kprobes.h>

#include "rk.h"

static int rk_return(struct kretprobe_instance *ri, struct pt_regs *regs)
{
	rk_hit();
	return 0;
}

static struct kretprobe rk_rp = { .handler = rk_return };

static int rk_install(void)
{
	rk_rp.kp.addr = (kprobe_opcode_t *)target;
	return register_kretprobe(&rk_rp);
}

static void rk_remove(void)
{
	unregister_kretprobe(&rk_rp);
}
