// SPDX-License-Identifier: GPL-2.0-only
/*
 * stores -- a loop that does nothing but write memory: 320 M stores to 4 MiB
 */
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>

#define WORDS (4 << 20) / 8

int main(void)
{
	volatile uint64_t *p = mmap(NULL, WORDS * 8, PROT_READ | PROT_WRITE,
				    MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE,
				    -1, 0);

	for (int i = 0; i < 640; i++)
		for (long w = 0; w < WORDS; w++)
			p[w] = i;
	return 0;
}
