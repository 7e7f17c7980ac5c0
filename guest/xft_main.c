// SPDX-License-Identifier: GPL-2.0-only
/*
 * xftrace's guest module: function calls into a masked ring in guest RAM, read
 * by the host through the memory file of the virtual machine.
 *
 * Loading it does nothing but publish a control block and start a thread that
 * polls a mailbox. The host does the rest.
 */
#define pr_fmt(fmt) "xftrace: " fmt

#include <linux/module.h>

#include "xft.h"

static int __init xft_init(void)
{
	int rc = xft_mailbox_init();

	if (rc)
		pr_err("cannot load: %d\n", rc);
	else
		pr_info("control block at guest-physical %#llx\n",
			xft_ctl->self_gpa);
	return rc;
}

static void __exit xft_exit(void)
{
	xft_mailbox_exit();
}

module_init(xft_init);
module_exit(xft_exit);

MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("xftrace: kernel trace for a reader outside the guest");
MODULE_AUTHOR("the xftrace authors");
