// SPDX-License-Identifier: GPL-2.0-only
/*
 * floor -- hooks that record nothing
 *
 * For 6.1 and the benchmark only: what ftrace itself takes for the same calls
 * that xftrace would record. Addresses come from the guest's /proc/kallsyms;
 * nothing is checked.
 */
#include <linux/ftrace.h>
#include <linux/module.h>

static ulong attach, detach, root;
module_param(attach, ulong, 0);
module_param(detach, ulong, 0);
module_param(root, ulong, 0);

static notrace int floor_entry(struct ftrace_graph_ent *trace)
{
	if (trace_recursion_test(TRACE_GRAPH_BIT))
		return 1;
	if (trace->func != root)
		return 0;
	trace_recursion_set(TRACE_GRAPH_BIT);
	trace_recursion_set_depth(trace->depth);
	return 1;
}

static notrace void floor_return(struct ftrace_graph_ret *trace)
{
	if (trace->depth <= 3 && trace->depth == trace_recursion_depth())
		trace_recursion_clear(TRACE_GRAPH_BIT);
}

static struct fgraph_ops floor_ops = {
	.entryfunc = floor_entry,
	.retfunc = floor_return,
};

static int __init floor_init(void)
{
	return ((int (*)(struct fgraph_ops *))attach)(&floor_ops);
}

static void __exit floor_exit(void)
{
	((void (*)(struct fgraph_ops *))detach)(&floor_ops);
	synchronize_rcu_tasks();
	synchronize_rcu_tasks_rude();
}

module_init(floor_init);
module_exit(floor_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("function graph hooks that record nothing");
