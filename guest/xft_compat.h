/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * xft_compat -- differences between kernels 6.1 and 6.12 (and after).
 *
 * Each case names the commit that made the difference.
 */
#ifndef XFT_COMPAT_H
#define XFT_COMPAT_H

#include <linux/ftrace.h>
#include <linux/module.h>
#include <linux/trace.h>
#include <linux/version.h>

/*
 * 37238abe3cb4 ("ftrace/function_graph: Pass fgraph_ops to function graph
 * callbacks"), 6.11: callbacks get the ops, several users may register, and
 * each has a word per task on the shadow stack for its own state.
 * 41705c426275 ("fgraph: Pass ftrace_regs to entryfunc"), 6.14: and the
 * registers.
 */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 14, 0)
#define XFT_ENTRY_ARGS                                                         \
	struct ftrace_graph_ent *trace, struct fgraph_ops *gops,               \
		struct ftrace_regs *fregs
#define XFT_RETURN_ARGS                                                        \
	struct ftrace_graph_ret *trace, struct fgraph_ops *gops,               \
		struct ftrace_regs *fregs
#define XFT_HAS_TASK_VAR 1
#elif LINUX_VERSION_CODE >= KERNEL_VERSION(6, 11, 0)
#define XFT_ENTRY_ARGS	 struct ftrace_graph_ent *trace, struct fgraph_ops *gops
#define XFT_RETURN_ARGS	 struct ftrace_graph_ret *trace, struct fgraph_ops *gops
#define XFT_HAS_TASK_VAR 1
#else
#define XFT_ENTRY_ARGS	 struct ftrace_graph_ent *trace
#define XFT_RETURN_ARGS	 struct ftrace_graph_ret *trace
#define XFT_HAS_TASK_VAR 0
#endif

/* 04aabc32fb67 ("ring_buffer: Remove unused "event" parameter"), 6.2. */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 2, 0)
#define xft_ring_buffer_commit(buffer, event) ring_buffer_unlock_commit(buffer)
#else
#define xft_ring_buffer_commit(buffer, event)                                  \
	ring_buffer_unlock_commit(buffer, event)
#endif

/*
 * d23569979ca1 ("tracing: Allow creating instances with specified system
 * events"), 6.8, and in some later 6.6.y: a second argument, which the others
 * do not look at.
 */
static inline struct trace_array *xft_get_instance(const char *name)
{
	struct trace_array *(*get)(const char *, const char *) =
		(void *)trace_array_get_by_name;

	OPTIMIZER_HIDE_VAR(get);
	return get(name, NULL);
}

/* ac3b43283923 ("module: replace module_layout with module_memory"), 6.4. */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 4, 0)
#define XFT_MODULE_TEXT_BASE offsetof(struct module, mem[MOD_TEXT].base)
#define XFT_MODULE_TEXT_SIZE offsetof(struct module, mem[MOD_TEXT].size)
#else
#define XFT_MODULE_TEXT_BASE offsetof(struct module, core_layout.base)
#define XFT_MODULE_TEXT_SIZE offsetof(struct module, core_layout.text_size)
#endif

#endif
