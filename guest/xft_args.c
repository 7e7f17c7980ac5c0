// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a system call was given: its registers, and what they point to.
 *
 * The caller's memory is only read, and only what is there at the moment: a
 * page that would have to be brought in first is noted as missing. When the
 * call returns the kernel has brought it in, so there is a second try. What
 * another thread writes to it meanwhile the kernel may see and we may not.
 */
#include <linux/hash.h>
#include <linux/sched/task_stack.h>
#include <linux/string.h>
#include <linux/uaccess.h>
#include <asm/ptrace.h>

#include "xft.h"

/*
 * Arguments are put together here and not in the ring: reading the caller's
 * memory may fault, and the fault may be an event that is recorded itself.
 */
static DEFINE_PER_CPU(u64[XFT_LONG_WORDS], xft_args);

/*
 * Tasks in a call of which something was missing. Of two in one place one has
 * no second try.
 */
#define XFT_MISSED_BITS 8
static struct task_struct *xft_missed[1 << XFT_MISSED_BITS];

static u32 xft_string_max __read_mostly;

void xft_args_start(void)
{
	xft_string_max = min_t(u32, READ_ONCE(xft_mbox->string_max) & ~7U,
			       XFT_STRING_MAX);
}

/* All six registers, whatever the call makes of them. */
static __always_inline void xft_take_registers(u64 *p, bool ia32)
{
	const struct pt_regs *regs = task_pt_regs(current);

	if (unlikely(ia32)) {
		p[0] = (u32)regs->bx;
		p[1] = (u32)regs->cx;
		p[2] = (u32)regs->dx;
		p[3] = (u32)regs->si;
		p[4] = (u32)regs->di;
		p[5] = (u32)regs->bp;
		return;
	}
	p[0] = regs->di;
	p[1] = regs->si;
	p[2] = regs->dx;
	p[3] = regs->r10;
	p[4] = regs->r8;
	p[5] = regs->r9;
}

/*
 * Up to @max bytes at the caller's @addr; of a string those before its 0. Page
 * by page, so that one that is missing costs only what lies in it. Returns the
 * word that stands before them in a record, without the argument's number.
 */
static notrace u64 xft_copy_user(u8 *dst, u64 addr, u32 max, bool is_string)
{
	u32 len = 0;

	while (len < max) {
		u32 in_page = PAGE_SIZE - (addr + len) % PAGE_SIZE;
		u32 n = min3(in_page, max - len, 64U), got = n;

		if (copy_from_user_nofault(dst + len,
					   (void __user *)(addr + len), n))
			return XFT_STR_FAULT | (u64)len << 8;
		if (is_string)
			got = strnlen(dst + len, n);
		len += got;
		if (got < n)
			return (u64)len << 8;
	}
	return (is_string ? XFT_STR_CUT : 0) | (u64)len << 8;
}

static __always_inline struct task_struct **xft_missed_slot(void)
{
	return &xft_missed[hash_ptr(current, XFT_MISSED_BITS)];
}

/* What the @nr @args point to, to @p and not beyond @end. Returns its end. */
static noinline notrace u64 *xft_take_memory(u64 root, const u64 *args, u32 nr,
					     u64 *p, const u64 *end)
{
	u32 strings = XFT_ROOT_STRINGS(root), bytes = XFT_ROOT_BYTES(root), i;

	for (i = 0; i < nr; i++) {
		bool is_string = strings >> i & 1;
		u32 len, max = xft_string_max;
		u64 word;

		if (!is_string && !(bytes >> i & 1 && i + 1 < nr))
			continue;
		if (p + 1 + max / 8 > end)
			break;
		if (!is_string && args[i + 1] < max)
			max = args[i + 1];
		word = xft_copy_user((u8 *)(p + 1), args[i], max, is_string);
		if (!is_string && args[i + 1] > max)
			word |= XFT_STR_CUT;
		if (word & XFT_STR_FAULT)
			WRITE_ONCE(*xft_missed_slot(), current);
		*p = word | i;
		len = XFT_STR_LEN(word);
		memset((u8 *)(p + 1) + len, 0, -len & 7);
		p += 1 + (len + 7) / 8;
	}
	return p;
}

notrace u32 xft_args_take(u64 root, u64 **ret_words)
{
	u64 *start = *this_cpu_ptr(&xft_args), *p = start + 1;
	u32 nr = XFT_ROOT_ARGS(root);

	/* A kernel thread has no caller. */
	if (unlikely(nr > XFT_MAX_ARGS || current->flags & PF_KTHREAD))
		nr = 0;
	*ret_words = start;
	*start = nr;
	xft_take_registers(p, root & XFT_ROOT_IA32);
	p += nr;
	if (XFT_ROOT_STRINGS(root) | XFT_ROOT_BYTES(root))
		p = xft_take_memory(root, start + 1, nr, p,
				    start + XFT_LONG_WORDS - XFT_CALL_WORDS);
	return p - start;
}

notrace u32 xft_args_again(u64 root, u64 **ret_words)
{
	struct task_struct **slot = xft_missed_slot();
	u32 nr;

	*ret_words = *this_cpu_ptr(&xft_args) + 1;
	if (likely(READ_ONCE(*slot) != current))
		return 0;
	WRITE_ONCE(*slot, NULL);
	nr = xft_args_take(root, ret_words) - 1 - **ret_words;
	*ret_words += 1 + **ret_words;
	return nr;
}
