// SPDX-License-Identifier: GPL-2.0-only
/*
 * Kernel functions, and variables, that modules may not link to: the host knows
 * where they are.
 */
#define pr_fmt(fmt) "xftrace: " fmt

#include <linux/kallsyms.h>
#include <linux/string.h>

#include "xft.h"

/* Does @name begin at @addr? Asks the kernel. */
static bool xft_is_symbol(u64 addr, const char *name)
{
	char sym[KSYM_SYMBOL_LEN];
	size_t len = strlen(name);

	sprint_symbol(sym, addr);
	return !strncmp(sym, name, len) && !strncmp(sym + len, "+0x0/", 5);
}

int xft_take_kfunc(int index, const char *name, void *ret_addr)
{
	u64 addr = READ_ONCE(xft_mbox->kfunc[index]);

	if (!xft_is_symbol(addr, name)) {
		pr_warn("the host's address of %s is wrong\n", name);
		xft_ctl->detail = XFT_DETAIL_KFUNC + index;
		return -EFAULT;
	}
	*(u64 *)ret_addr = addr;
	return 0;
}
