/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * rk_stub -- code for where no C function can be: it counts, and goes on at
 * rk_back with all registers as they were.
 */
#ifndef RK_STUB_H
#define RK_STUB_H

#include <asm/nospec-branch.h>

unsigned long rk_back;

void rk_stub(void);
asm(".pushsection .text\n"
    ".type rk_stub, @function\n"
    "rk_stub:\n"
    "	endbr64\n"
    "	lock incq rk_hits(%rip)\n"
    ANNOTATE_RETPOLINE_SAFE
    "	jmp *rk_back(%rip)\n"
    "	int3\n"
    ".size rk_stub, . - rk_stub\n"
    ".popsection\n");

#endif
