// SPDX-License-Identifier: GPL-2.0-only
/*
 * rk_call -- the call of callee= in the function target=, x64_sys_call or
 * ia32_sys_call, is given another displacement.
 */
#include "rk.h"

static unsigned long callee;
module_param(callee, ulong, 0400);

static u8 *site;

static noinline long rk_handler(const void *regs)
{
	long (*real)(const void *regs) = (void *)callee;

	rk_hit();
	return real(regs);
}

static void aim(unsigned long to)
{
	s32 away = to - (unsigned long)(site + 5);

	rk_poke(site + 1, &away, sizeof(away));
}

static int rk_install(void)
{
	u8 *p = (u8 *)target;

	/* A call, or a jump where it comes last. */
	for (int i = 0; i < 16384; i++) {
		if ((p[i] == 0xe8 || p[i] == 0xe9) &&
		    (unsigned long)(p + i + 5) + *(s32 *)(p + i + 1) == callee)
			site = p + i;
		if (site)
			break;
	}
	if (!site)
		return -ENOENT;
	aim((unsigned long)rk_handler);
	return 0;
}

static void rk_remove(void)
{
	aim(callee);
}
