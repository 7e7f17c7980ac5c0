// SPDX-License-Identifier: GPL-2.0-only
/*
 * ramdiff -- what has changed in a guest's RAM, page by page
 *
 *	ramdiff clock		CLOCK_MONOTONIC in nanoseconds
 *	ramdiff OLD NEW		"OFFSET KIND" for each page that differs: KIND
 *				is "bits" if nothing but bits 5 and 6 of words
 *				was set, which is what a CPU does by itself to
 *				a page table, else "bytes"
 */
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define WORDS	 512
#define ACCESSED 0x60ull

static const char *kind_of(const uint64_t *old, const uint64_t *new)
{
	for (int i = 0; i < WORDS; i++)
		if (new[i] != old[i] &&
		    (new[i] & ~old[i] & ~ACCESSED || old[i] & ~new[i]))
			return "bytes";
	return "bits";
}

int main(int argc, char **argv)
{
	uint64_t old[WORDS], new[WORDS], off = 0;
	struct timespec now;
	FILE *a, *b;

	if (argc == 2) {
		clock_gettime(CLOCK_MONOTONIC, &now);
		printf("%" PRIu64 "\n",
		       now.tv_sec * UINT64_C(1000000000) + now.tv_nsec);
		return 0;
	}
	a = argc == 3 ? fopen(argv[1], "r") : NULL;
	b = argc == 3 ? fopen(argv[2], "r") : NULL;
	if (!a || !b)
		return 1;
	for (; fread(old, sizeof(old), 1, a) && fread(new, sizeof(new), 1, b);
	     off += sizeof(old))
		if (memcmp(old, new, sizeof(old)))
			printf("0x%" PRIx64 " %s\n", off, kind_of(old, new));
	return ferror(a) || ferror(b) || !feof(a);
}
