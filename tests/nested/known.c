// SPDX-License-Identifier: GPL-2.0-only
/*
 * known -- process 1 of a guest, which writes pages that are known
 *
 * Prints "known GPA" for each of them, then that the guest is ready, and from
 * then on writes one after the other, each time something else.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <time.h>
#include <unistd.h>

#define PAGE	 4096
#define NR_PAGES 200

static char page[NR_PAGES][PAGE] __attribute__((aligned(PAGE)));

int main(void)
{
	int fd;

	mount("proc", "/proc", "proc", 0, NULL);
	fd = open("/proc/self/pagemap", O_RDONLY);
	memset(page, 1, sizeof(page));
	mlockall(MCL_CURRENT);
	for (int i = 0; i < NR_PAGES; i++) {
		uint64_t e = 0;

		pread(fd, &e, sizeof(e), (uintptr_t)page[i] / PAGE * sizeof(e));
		printf("known %llx\n",
		       (unsigned long long)(e & ((1ull << 55) - 1)) * PAGE);
	}
	printf("xftrace-demo: ready\n");
	fflush(stdout);
	for (uint64_t n = 2;; n++) {
		memcpy(page[n % NR_PAGES] + 8, &n, sizeof(n));
		nanosleep(&(struct timespec){ .tv_nsec = 4000000 }, NULL);
	}
}
