/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * vmm -- as much of a virtual machine monitor as the tests of dirty_kvm.so
 * need: a stand-in for QEMU, with a guest that does nothing but write to pages.
 *
 * It runs as a process of its own, with dirty_kvm.so or without, and does what
 * it is told on its standard input, one struct vmm_order after the other. Each
 * is answered on its standard output with a struct vmm_answer, and, LOG_GET,
 * with a bitmap of the whole RAM behind it.
 *
 * Each vCPU counts the pages it has written in a word of guest RAM, its "head",
 * as if that were a trace ring: 1 is there when it writes the first page, and
 * so on.
 */
#ifndef VMM_H
#define VMM_H

#include <stdint.h>

#define VMM_PAGE     4096
#define VMM_RAM	     (64u << 20)
#define VMM_MAX_CPUS 2
#define VMM_HEADS    64	/* page of the head of vCPU 0; then the others' */
#define VMM_FIRST    256 /* pages from here on are the tests' */

enum vmm_what {
	VMM_WRITE,	/* cpu, first, step, count, rounds: write these pages */
	VMM_START,	/* the same, without waiting for the end */
	VMM_WAIT,	/* for the end */
	VMM_LOG_ON,	/* what QEMU does when it migrates */
	VMM_LOG_OFF,
	VMM_LOG_GET,
	VMM_MOVE,	/* take the RAM out of the guest, and put it back */
	VMM_RESET,	/* what QEMU does to a vCPU then, and back */
	VMM_EXTENSION,	/* first: what does KVM say of it */
};

struct vmm_order {
	uint32_t what, cpu;
	uint64_t first, step, count, rounds;
};

struct vmm_answer {
	int64_t status;		/* -errno, or the answer */
	uint64_t heads;		/* VMM_WRITE: the head now; else where page
				 * VMM_HEADS lies in the process's memory */
	uint64_t ns;		/* VMM_WRITE: how long the guest ran */
};

/* Runs until its standard input ends. The status for exit(). */
int vmm_main(unsigned int nr_cpus);

#endif
