// SPDX-License-Identifier: GPL-2.0-only
/*
 * fixed -- process 1 of a guest that does the same in each run
 *
 * Makes processes that touch memory, prints the processor's clock before and
 * after, and halts: memory stays as it is then. Under QEMU's -icount that clock
 * counts the instructions of all that ran: the kernel's boot and its interrupts,
 * too.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/reboot.h>
#include <sys/wait.h>
#include <unistd.h>
#include <x86intrin.h>

#define ROUNDS 60
#define BYTES  (1 << 20)
#define SPIN   3000000

static void touch_memory(void)
{
	volatile char *p = malloc(BYTES);

	for (int i = 0; p && i < BYTES; i += 4096)
		p[i] = i;
}

int main(void)
{
	dprintf(1, "begin %llu\n", __rdtsc());
	for (int i = 0; i < ROUNDS; i++) {
		if (!fork()) {
			touch_memory();
			_exit(0);
		}
		wait(NULL);
		for (volatile int n = 0; n < SPIN; n++)
			;
	}
	dprintf(1, "end %llu\n", __rdtsc());
	return reboot(RB_HALT_SYSTEM);
}
