// SPDX-License-Identifier: GPL-2.0-only
/* rk_table -- another function in a slot of sys_call_table (target). */
#include "rk.h"

#define SLOT 99 /* sysinfo */

typedef long (*handler)(const void *regs);
static handler real;

static noinline long rk_handler(const void *regs)
{
	rk_hit();
	return real(regs);
}

static int rk_install(void)
{
	handler mine = rk_handler, *slot = (handler *)target + SLOT;

	real = *slot;
	rk_poke(slot, &mine, sizeof(mine));
	return 0;
}

static void rk_remove(void)
{
	rk_poke((handler *)target + SLOT, &real, sizeof(real));
}
