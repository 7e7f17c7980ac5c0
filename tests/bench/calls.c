// SPDX-License-Identifier: GPL-2.0-only
/*
 * calls -- what a system call costs in the guest
 *
 *	calls read|getppid ROUNDS N
 *
 * Makes ROUNDS times N calls and prints nanoseconds a call: the least of the
 * rounds and the mean of all. Under QEMU's -icount shift=0 a nanosecond is an
 * instruction, and the least is a round without a timer interrupt.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static long long now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000LL + ts.tv_nsec;
}

int main(int argc, char **argv)
{
	long long best = 0, sum = 0;
	long rounds, n, nr = SYS_read;
	int fd = open("/dev/zero", O_RDONLY);
	char buf[8];

	if (argc != 4 || fd < 0)
		return 2;
	if (!strcmp(argv[1], "getppid"))
		nr = SYS_getppid;
	rounds = atol(argv[2]);
	n = atol(argv[3]);
	now();
	for (long r = 0; r < rounds; r++) {
		long long ns = now();

		for (long i = 0; i < n; i++)
			if (syscall(nr, fd, buf, sizeof(buf)) < 0)
				return 1;
		ns = now() - ns;
		sum += ns;
		if (!best || ns < best)
			best = ns;
	}
	printf("%.1f %.1f\n", (double)best / n, (double)sum / rounds / n);
	return 0;
}
