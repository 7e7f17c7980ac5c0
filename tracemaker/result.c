// SPDX-License-Identifier: GPL-2.0-only
#include "result.h"

#include <errno.h>
#include <string.h>

#include "cursor.h"

/* The instructions that come before the call; only these, in any order. */
static const struct insn {
	uint8_t len;		/* of the opcode, before displacement */
	uint8_t code[4];
	uint8_t disp;		/* bytes of displacement or immediate */
	enum { SKIP, SUB, SAVE } what;
} insns[] = {
	{ 4, { 0xf3, 0x0f, 0x1e, 0xfa }, 0, SKIP },	/* endbr64 */
	{ 3, { 0x48, 0x89, 0xe7 }, 0, SKIP },		/* mov %rsp,%rdi */
	{ 3, { 0x48, 0x89, 0xef }, 0, SKIP },		/* mov %rbp,%rdi */
	{ 3, { 0x48, 0x83, 0xec }, 1, SUB },		/* sub $8,%rsp */
	{ 3, { 0x48, 0x81, 0xec }, 4, SUB },
	{ 4, { 0x48, 0x89, 0x04, 0x24 }, 0, SAVE },	/* mov %rax,(%rsp) */
	{ 4, { 0x48, 0x89, 0x44, 0x24 }, 1, SAVE },	/* mov %rax,8(%rsp) */
	{ 4, { 0x48, 0x89, 0x84, 0x24 }, 4, SAVE },
	{ 4, { 0x48, 0x89, 0x54, 0x24 }, 1, SKIP },	/* mov %rdx,8(%rsp) */
	{ 4, { 0x48, 0x89, 0x6c, 0x24 }, 1, SKIP },	/* mov %rbp,8(%rsp) */
	{ 4, { 0x48, 0x89, 0x7c, 0x24 }, 1, SKIP },	/* mov %rdi,8(%rsp) */
	{ 4, { 0x48, 0x89, 0xbc, 0x24 }, 4, SKIP },
};

static const struct insn *next_insn(struct cursor *c)
{
	for (size_t i = 0; i < sizeof(insns) / sizeof(*insns); i++)
		if (cursor_left(c) >= insns[i].len &&
		    !memcmp(c->p, insns[i].code, insns[i].len)) {
			cursor_bytes(c, insns[i].len);
			return &insns[i];
		}
	return NULL;
}

int result_find(const void *code, size_t len, int32_t *ret_off,
		struct xf_err *err)
{
	struct cursor c = cursor_of(code, len);
	/* The function's own return has taken its address off the stack. */
	int64_t sp = 8, saved = 0;
	const struct insn *insn;

	/* A cursor that failed stands still. */
	while (!c.failed && (insn = next_insn(&c))) {
		int32_t n = insn->disp == 4 ? (int32_t)cursor_u32(&c) :
			    insn->disp == 1 ? (int8_t)cursor_u8(&c) : 0;

		if (insn->what == SUB)
			sp -= n;
		else if (insn->what == SAVE)
			saved = sp + n;
	}
	/* call ftrace_return_to_handler */
	if (cursor_u8(&c) != 0xe8 || c.failed || saved >= 0 || saved < sp ||
	    sp < -512)
		return xf_fail(err, -ENOTSUP,
			       "results of system calls are not recorded: this "
			       "kernel's return_to_handler is of an unknown "
			       "kind");
	*ret_off = saved;
	return 0;
}
