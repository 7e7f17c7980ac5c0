// SPDX-License-Identifier: GPL-2.0-only
/*
 * Function-graph hooks: which calls are recorded, and the records.
 *
 * The rule is the one of the stock tracer's set_graph_function: a root's entry
 * marks the task, all that is called while the task is marked is recorded
 * (interrupts that come in between too, with their context), the root's return
 * takes the mark off. See kernel/trace/trace.h, ftrace_graph_addr().
 */
#define pr_fmt(fmt) "xftrace: " fmt

#include <linux/kprobes.h>
#include <linux/rcupdate.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/stop_machine.h>
#include <linux/vmalloc.h>
#include <asm/cpufeature.h>
#include <asm/msr.h>

#include "xft_compat.h"
#include "xft.h"

static int (*xft_register)(struct fgraph_ops *ops);
static void (*xft_unregister)(struct fgraph_ops *ops);

/*
 * Roots: a hash table of the low halves of their addresses, at most a quarter
 * full, so the first look nearly always decides. 0 is a free place. The upper
 * half says what is to be recorded of a system call.
 */
struct xft_roots {
	u32 mask;
	u64 root[];
};

/*
 * The empty table is in use while the kernel patches its functions, one by one:
 * a tree that is recorded is recorded whole.
 */
static struct xft_roots xft_no_roots = { .mask = 0, .root = { 0 } };
static struct xft_roots *xft_roots __read_mostly = &xft_no_roots;
static u32 xft_max_depth __read_mostly;
static s32 xft_result_off __read_mostly;

static __always_inline u32 xft_root_slot(u32 func)
{
	/* Functions are 16-byte aligned; neighbours must not collide. */
	return (func >> 4) ^ (func >> 15);
}

/* The root that @func is, or 0. */
static __always_inline u64 xft_find_root(u32 func)
{
	const struct xft_roots *roots = READ_ONCE(xft_roots);
	u32 slot = xft_root_slot(func);
	u64 root;

	while ((root = roots->root[slot & roots->mask])) {
		if ((u32)root == func)
			return root;
		slot++;
	}
	return 0;
}

#if XFT_HAS_TASK_VAR
/*
 * From 6.11 the mark is our word on the task's shadow stack: depth of the root
 * plus one, 0 when the task is not marked.
 */
static unsigned long *(*xft_task_var)(struct fgraph_ops *ops);
static struct ftrace_ret_stack *(*xft_ret_stack)(struct task_struct *t, int n);

#define XFT_GOPS gops

static __always_inline bool xft_marked(struct fgraph_ops *gops)
{
	return *xft_task_var(gops);
}

static __always_inline void xft_mark(struct fgraph_ops *gops, int depth)
{
	*xft_task_var(gops) = depth + 1;
}

/* True when the call at @depth was the root. */
static __always_inline bool xft_unmark_at(struct fgraph_ops *gops, int depth)
{
	unsigned long *mark = xft_task_var(gops);

	if (*mark != depth + 1)
		return false;
	*mark = 0;
	return true;
}

static __always_inline unsigned long xft_caller(void)
{
	struct ftrace_ret_stack *top = xft_ret_stack(current, 0);

	return top ? top->ret : 0;
}

/* Where on the stack the return address was that ftrace replaced; or NULL. */
static __always_inline unsigned long *xft_return_slot(void)
{
	struct ftrace_ret_stack *top = xft_ret_stack(current, 0);

	return top ? top->retp : NULL;
}

/* The kernel clears the words when we register. */
static void xft_unmark_all(void)
{
}
#else
/*
 * Before 6.11 there is one user of the graph hooks at a time, so while we are
 * registered the stock tracer's own mark is free for us.
 */
#define XFT_GOPS NULL

static __always_inline bool xft_marked(void *unused)
{
	return trace_recursion_test(TRACE_GRAPH_BIT);
}

static __always_inline void xft_mark(void *unused, int depth)
{
	trace_recursion_set(TRACE_GRAPH_BIT);
	trace_recursion_set_depth(depth);
}

static __always_inline bool xft_unmark_at(void *unused, int depth)
{
	/*
	 * Only few bits of the root's depth are kept; a marked task's root
	 * lies at most three deep (trace_recursion.h says why).
	 */
	if (likely(depth > 3) || depth != trace_recursion_depth())
		return false;
	trace_recursion_clear(TRACE_GRAPH_BIT);
	return true;
}

static __always_inline unsigned long xft_caller(void)
{
	return current->ret_stack[current->curr_ret_stack].ret;
}

static __always_inline unsigned long *xft_return_slot(void)
{
	return current->ret_stack[current->curr_ret_stack].retp;
}

static int xft_unmark_stopped(void *unused)
{
	struct task_struct *p, *t;

	for_each_process_thread(p, t)
		t->trace_recursion &= ~(1UL << TRACE_GRAPH_BIT);
	return 0;
}

/*
 * A task that slept inside a root when tracing was last switched off is still
 * marked. Only the task itself may touch the word, so all of them must stand
 * still for the moment.
 */
static void xft_unmark_all(void)
{
	stop_machine(xft_unmark_stopped, NULL, NULL);
}
#endif

/*
 * The way round the fast path is a tail call, so that the fast path needs no
 * registers saved.
 */
static noinline notrace int xft_record_slow(u64 first, u64 second,
					    unsigned long flags)
{
	u64 tsc = rdtsc();
	struct xft_ring *r = xft_push_prepare(&first, XFT_CALL_WORDS, tsc);

	if (r)
		xft_ring_call_slow(r, tsc, first, second, xft_mask);
	xft_irq_restore(flags);
	return 1;
}
NOKPROBE_SYMBOL(xft_record_slow);

static __always_inline int xft_record(u64 first, u64 second, bool is_root,
				      enum xft_mask mask)
{
	unsigned long flags = xft_irq_save();
	struct xft_ring *r = this_cpu_read(xft_ring_main);
	u64 tsc = rdtsc();

	if (unlikely(!xft_in_task() || !xft_ring_ready(r, current, mask) ||
		     (is_root && !xft_is_named(r, current))))
		return xft_record_slow(first, second, flags);
	xft_ring_call(r, tsc, first, second, mask);
	xft_irq_restore(flags);
	return 1;
}

#define XFT_FIRST(type, depth)                                                 \
	((u64)(depth) << XFT_DEPTH_SHIFT | XFT_CALL_WORDS << XFT_WORDS_SHIFT | \
	 (type))

static __always_inline u64 xft_entry_word(u32 func)
{
	return func | (u64)xft_caller() << 32;
}

/*
 * A record of a system call, with @nr more words than the two of any call.
 * Interrupts are off. Afterwards the words are with the caller, in clear, and
 * nowhere else.
 */
static __always_inline void xft_record_syscall_as(u64 first, u64 second,
						  u64 *more, u32 nr,
						  enum xft_mask mask)
{
	struct xft_ring *r = this_cpu_read(xft_ring_main);
	u32 i, words = XFT_CALL_WORDS + nr;
	struct xft_pen pen;
	u64 tsc = rdtsc();

	if (unlikely(!xft_in_task() || !xft_ring_room(r, current, words, mask) ||
		     !xft_is_named(r, current)))
		r = xft_push_prepare(&first, words, tsc);
	if (unlikely(!r))
		return;
	pen = xft_pen_begin(r, mask);
	xft_pen_word(&pen, second, mask);
	for (i = 0; i < nr; i++) {
		xft_pen_word(&pen, more[i], mask);
		WRITE_ONCE(more[i], 0); /* and no call of memset() */
	}
	xft_pen_end(&pen, tsc, first, mask);
}

static __always_inline void xft_record_syscall(u64 first, u64 second, u64 *more,
					       u32 nr)
{
	if (xft_mask == XFT_MASK_SEALED)
		xft_record_syscall_as(first, second, more, nr,
				      XFT_MASK_SEALED);
	else
		xft_record_syscall_as(first, second, more, nr, XFT_MASK_XOR);
}

static notrace void xft_enter_syscall(u64 root, u32 depth)
{
	unsigned long flags = xft_irq_save();
	u64 *args;
	u32 nr = xft_args_take(root, &args);

	xft_record_syscall((u64)depth << XFT_DEPTH_SHIFT | XFT_ENTRY,
			   xft_entry_word(root), args, nr);
	xft_irq_restore(flags);
}
NOKPROBE_SYMBOL(xft_enter_syscall);

static noinline notrace void xft_leave_syscall(u64 root, u32 depth)
{
	unsigned long *slot = xft_return_slot();
	unsigned long flags = xft_irq_save();
	u64 *more;
	u32 nr = xft_args_again(root, &more);

	*--more = slot ? *(u64 *)((void *)slot + xft_result_off) : 0;
	xft_record_syscall((u64)depth << XFT_DEPTH_SHIFT | XFT_RETURN,
			   (u32)root, more, 1 + nr);
	xft_irq_restore(flags);
}
NOKPROBE_SYMBOL(xft_leave_syscall);

/* A root is called: rarely enough to look at the task's name as well. */
static noinline notrace int xft_enter_root(u64 root, u32 depth, void *gops)
{
	/* What looks at the arguments is not what is to be seen. */
	if (unlikely(root & XFT_ROOT_SYSCALL)) {
		xft_enter_syscall(root, depth);
		xft_mark(gops, depth);
		return 1;
	}
	xft_mark(gops, depth);
	if (xft_mask == XFT_MASK_SEALED)
		return xft_record(XFT_FIRST(XFT_ENTRY, depth),
				  xft_entry_word(root), true, XFT_MASK_SEALED);
	return xft_record(XFT_FIRST(XFT_ENTRY, depth), xft_entry_word(root),
			  true, XFT_MASK_XOR);
}
NOKPROBE_SYMBOL(xft_enter_root);

static noinline notrace void xft_leave_root(u32 func, u32 depth)
{
	u64 root = xft_find_root(func);

	if ((root & XFT_ROOT_SYSCALL) && xft_result_off)
		xft_leave_syscall(root, depth);
	else if (xft_mask == XFT_MASK_SEALED)
		xft_record(XFT_FIRST(XFT_RETURN, depth), func, false,
			   XFT_MASK_SEALED);
	else
		xft_record(XFT_FIRST(XFT_RETURN, depth), func, false,
			   XFT_MASK_XOR);
}
NOKPROBE_SYMBOL(xft_leave_root);

static __always_inline int xft_entry_as(const struct ftrace_graph_ent *trace,
					void *gops, enum xft_mask mask)
{
	/* Of the address its low half, so that nothing has to be cut off. */
	u32 func = READ_ONCE(*(const u32 *)&trace->func);
	u32 depth = trace->depth;
	u64 root;

	if (unlikely(depth >= xft_max_depth))
		return 0;
	if (xft_marked(gops))
		return xft_record(XFT_FIRST(XFT_ENTRY, depth),
				  xft_entry_word(func), false, mask);
	root = xft_find_root(func);
	if (unlikely(root))
		return xft_enter_root(root, depth, gops);
	return 0;
}

static __always_inline void xft_return_as(const struct ftrace_graph_ret *trace,
					  void *gops, enum xft_mask mask)
{
	u32 depth = trace->depth;

	/*
	 * The mark goes first, as the record may be a tail call: what comes in
	 * between is not recorded either way.
	 */
	if (unlikely(xft_unmark_at(gops, depth)))
		xft_leave_root(trace->func, depth);
	else
		xft_record(XFT_FIRST(XFT_RETURN, depth), (u32)trace->func,
			   false, mask);
}

/* Each mask has hooks of its own, which do not ask which one it is. */
static notrace int xft_entry(XFT_ENTRY_ARGS)
{
	return xft_entry_as(trace, XFT_GOPS, XFT_MASK_XOR);
}
NOKPROBE_SYMBOL(xft_entry);

static notrace void xft_return(XFT_RETURN_ARGS)
{
	xft_return_as(trace, XFT_GOPS, XFT_MASK_XOR);
}
NOKPROBE_SYMBOL(xft_return);

static notrace int xft_entry_sealed(XFT_ENTRY_ARGS)
{
	return xft_entry_as(trace, XFT_GOPS, XFT_MASK_SEALED);
}
NOKPROBE_SYMBOL(xft_entry_sealed);

static notrace void xft_return_sealed(XFT_RETURN_ARGS)
{
	xft_return_as(trace, XFT_GOPS, XFT_MASK_SEALED);
}
NOKPROBE_SYMBOL(xft_return_sealed);

/* By enum xft_mask. */
static struct fgraph_ops xft_fgraph_ops[] = {
	{ .entryfunc = xft_entry, .retfunc = xft_return },
	{ .entryfunc = xft_entry_sealed, .retfunc = xft_return_sealed },
};

static bool xft_registered;

static int xft_take_kfuncs(void)
{
	int rc;

	rc = xft_take_kfunc(XFT_KFUNC_REGISTER, "register_ftrace_graph",
			    &xft_register);
	if (!rc)
		rc = xft_take_kfunc(XFT_KFUNC_UNREGISTER,
				    "unregister_ftrace_graph", &xft_unregister);
#if XFT_HAS_TASK_VAR
	if (!rc)
		rc = xft_take_kfunc(XFT_KFUNC_TASK_VAR, "fgraph_get_task_var",
				    &xft_task_var);
	if (!rc)
		rc = xft_take_kfunc(XFT_KFUNC_RET_STACK,
				    "ftrace_graph_get_ret_stack",
				    &xft_ret_stack);
#endif
	return rc;
}

static int xft_take_roots(struct xft_roots **ret_roots)
{
	u32 nr = READ_ONCE(xft_mbox->nr_roots);
	struct xft_roots *roots;
	u32 size, i;

	if (nr > XFT_MAX_ROOTS)
		return -EINVAL;
	size = roundup_pow_of_two(max(nr * 4, 64U));
	roots = kvzalloc(struct_size(roots, root, size), GFP_KERNEL);
	if (!roots)
		return -ENOMEM;
	roots->mask = size - 1;
	for (i = 0; i < nr; i++) {
		u64 root = READ_ONCE(xft_mbox->roots[i]);
		u32 slot = xft_root_slot(root);

		while (roots->root[slot & roots->mask])
			slot++;
		roots->root[slot & roots->mask] = root;
	}
	*ret_roots = roots;
	return 0;
}

/* What lies near the return address on the stack, and nothing else. */
static s32 xft_take_result_off(void)
{
	s32 off = READ_ONCE(xft_mbox->result_off);

	return off >= -512 && off < 0 && off % 8 == 0 ? off : 0;
}

int xft_func_start(void)
{
	struct xft_roots *roots;
	int rc;

	if (!READ_ONCE(xft_mbox->nr_roots))
		return 0;
	/*
	 * Kernel functions whose address nobody takes have no ENDBR, so with
	 * IBT on, a call by address would be a fault.
	 */
	if (IS_ENABLED(CONFIG_X86_KERNEL_IBT) && boot_cpu_has(X86_FEATURE_IBT)) {
		xft_ctl->detail = XFT_DETAIL_IBT;
		return -EOPNOTSUPP;
	}
	rc = xft_take_kfuncs();
	if (rc)
		return rc;
	xft_max_depth = READ_ONCE(xft_mbox->max_depth);
	if (!xft_max_depth || xft_max_depth > XFT_DEPTH_MAX)
		xft_max_depth = XFT_DEPTH_MAX + 1;
	xft_result_off = xft_take_result_off();
	xft_args_start();
	rc = xft_take_roots(&roots);
	if (rc) {
		xft_ctl->detail = XFT_DETAIL_PARAM;
		return rc;
	}
	xft_unmark_all();
	rc = xft_register(&xft_fgraph_ops[xft_mask]);
	if (rc) {
		xft_ctl->detail = XFT_DETAIL_REGISTER;
		kvfree(roots);
		return rc;
	}
	xft_registered = true;
	smp_store_release(&xft_roots, roots);
	return 0;
}

static void xft_nothing(void *unused)
{
}

void xft_func_stop(void)
{
	struct xft_roots *roots = xft_roots;

	if (!xft_registered)
		return;
	WRITE_ONCE(xft_roots, &xft_no_roots);
	xft_unregister(&xft_fgraph_ops[xft_mask]);
	xft_registered = false;
	/*
	 * ftrace does not wait for hooks that are running, as its own tracer is
	 * never unloaded. A task may have been preempted at the hook's first
	 * instruction: wait until each has scheduled (rcu_tasks); idle tasks,
	 * which that leaves out, run hooks with preemption off (rude); and no
	 * CPU may still sit in an interrupt that came before (IPI).
	 */
	synchronize_rcu_tasks();
	synchronize_rcu_tasks_rude();
	on_each_cpu(xft_nothing, NULL, true);
	kvfree(roots);
}
