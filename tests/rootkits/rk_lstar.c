// SPDX-License-Identifier: GPL-2.0-only
/* rk_lstar -- the processors enter system calls through us. */
#include <asm/cpufeature.h>
#include <asm/msr.h>
#include <linux/smp.h>

#include "rk.h"
#include "rk_stub.h"

static void set(void *entry)
{
	wrmsrl(MSR_LSTAR, (unsigned long)entry);
}

static int rk_install(void)
{
	/* Then our code is not mapped where system calls begin. */
	if (boot_cpu_has(X86_FEATURE_PTI))
		return -ENODEV;
	rdmsrl(MSR_LSTAR, rk_back);
	on_each_cpu(set, rk_stub, 1);
	return 0;
}

static void rk_remove(void)
{
	on_each_cpu(set, (void *)rk_back, 1);
}
