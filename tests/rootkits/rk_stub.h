/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * rk_stub -- code for where no C function can be: it counts, and goes on at
 * rk_back with all registers as they were.
 */
#ifndef RK_STUB_H
#define RK_STUB_H

unsigned long rk_back;

void rk_stub(void);
asm(".pushsection .text\n"
    "rk_stub:\n"
    "	lock incq rk_hits(%rip)\n"
    "	jmp *rk_back(%rip)\n"
    ".popsection\n");

#endif
