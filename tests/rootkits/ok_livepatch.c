// SPDX-License-Identifier: GPL-2.0-only
/*
 * ok_livepatch -- nothing wrong with it: a live patch as distributions ship
 * them. It replaces the function behind /proc/cmdline by one that shows more.
 *
 *	echo 0 >/sys/kernel/livepatch/ok_livepatch/enabled	before rmmod
 */
#include <linux/livepatch.h>
#include <linux/module.h>
#include <linux/seq_file.h>

static int patched(struct seq_file *m, void *v)
{
	seq_puts(m, "live patched\n");
	return 0;
}

static struct klp_func funcs[] = {
	{ .old_name = "cmdline_proc_show", .new_func = patched },
	{ }
};

static struct klp_object objs[] = { { .funcs = funcs }, { } };

static struct klp_patch patch = { .mod = THIS_MODULE, .objs = objs };

static int __init ok_init(void)
{
	return klp_enable_patch(&patch);
}

static void __exit ok_exit(void)
{
}

module_init(ok_init);
module_exit(ok_exit);
MODULE_DESCRIPTION("A test of xftrace");
MODULE_LICENSE("GPL");
MODULE_INFO(livepatch, "Y");
