// SPDX-License-Identifier: GPL-2.0-only
/* rk_fprobe -- a probe of ftrace at the return of the function target=. */
#include <linux/fprobe.h>

#include "rk.h"

static void rk_return(struct fprobe *fp, unsigned long entry_ip,
		      unsigned long ret_ip, struct pt_regs *regs, void *data)
{
	rk_hit();
}

static struct fprobe rk_fp = { .exit_handler = rk_return };

static int rk_install(void)
{
	return register_fprobe_ips(&rk_fp, &target, 1);
}

static void rk_remove(void)
{
	unregister_fprobe(&rk_fp);
}
