// SPDX-License-Identifier: GPL-2.0-only
/*
 * produced RAMFILE xor|sealed|words -- what has the guest written?
 *
 * Prints "CPU main|nmi RECORDS" for each ring, from what the guest's writers
 * keep for themselves beside their rings and xftrace does not look at; or
 * "CPU main|nmi POSITION WORD" for each masked word that is in the rings. Only
 * good for a guest that is traced and at rest, of less than 2 GiB, so that a
 * guest-physical address is a position in the file, and for the module that
 * was built from the same sources.
 */
#include <err.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "xft_abi.h"

/* What the kernel gives the module; nothing is written here. */
#ifndef __always_inline
#define __always_inline inline __attribute__((always_inline))
#endif
#define likely(x)	   (x)
#define unlikely(x)	   (x)
#define READ_ONCE(x)	   (*(const volatile __typeof__(x) *)&(x))
#define WRITE_ONCE(x, v)   (*(volatile __typeof__(x) *)&(x) = (v))
#define xft_publish(p, v)  __atomic_store_n(p, v, __ATOMIC_RELEASE)
#define xft_acquire(p)	   __atomic_load_n(p, __ATOMIC_ACQUIRE)
#define xft_order_stores() __atomic_thread_fence(__ATOMIC_RELEASE)
#define xft_order_loads()  __atomic_thread_fence(__ATOMIC_ACQUIRE)
#define xft_swap(p, from, to) __sync_bool_compare_and_swap(p, from, to)
#include "xft_ring.h"

static const char *ram;
static size_t size;

static const void *page(u64 gpa)
{
	if (gpa % XFT_PAGE || gpa >= size)
		errx(1, "no page of guest RAM: %#llx", (unsigned long long)gpa);
	return ram + gpa;
}

/* Pages that others have freed may look right, too: this one has rings. */
static const struct xft_ctl *find_ctl(void)
{
	for (u64 gpa = 0; gpa < size; gpa += XFT_PAGE) {
		const struct xft_ctl *ctl = page(gpa);

		if (ctl->magic[0] == XFT_MAGIC0 &&
		    ctl->magic[1] == XFT_MAGIC1 && ctl->self_gpa == gpa &&
		    ctl->nr_rings)
			return ctl;
	}
	errx(1, "no guest that is traced");
}

static const char *kind_of(const struct xft_ring_hdr *hdr)
{
	return hdr->kind == XFT_RING_NMI ? "nmi" : "main";
}

static void print_records(const struct xft_ring_hdr *hdr, enum xft_mask mask)
{
	struct xft_ring writer;

	memcpy(&writer, hdr, sizeof(writer));
	printf("%u %s %llu\n", hdr->cpu, kind_of(hdr),
	       (unsigned long long)xft_ring_records(&writer, mask));
}

static void print_words(const struct xft_ring_hdr *hdr)
{
	u64 open = hdr->head ? (hdr->head - 1) >> hdr->sub_shift : 0;
	u64 nr = open < hdr->nr_subs ? 0 : open - hdr->nr_subs + 1;

	for (; nr <= open && hdr->head; nr++) {
		const struct xft_sub *sub =
			page(hdr->sub_gpa[nr % hdr->nr_subs]);
		u64 start = nr << hdr->sub_shift;
		u64 end = nr < open || sub->used ? sub->used :
						   hdr->head - start;

		for (u64 at = sizeof(*sub); at < end; at += 8)
			printf("%u %s %llu %016llx\n", hdr->cpu, kind_of(hdr),
			       (unsigned long long)(start + at),
			       *(const unsigned long long *)((const char *)sub +
							     at));
	}
}

int main(int argc, char **argv)
{
	const struct xft_ctl *ctl;
	const u64 *rings;
	struct stat st;
	int fd;

	if (argc != 3)
		errx(2, "usage: produced RAMFILE xor|sealed|words");
	fd = open(argv[1], O_RDONLY);
	if (fd < 0 || fstat(fd, &st))
		err(1, "%s", argv[1]);
	size = st.st_size;
	ram = mmap(NULL, size, PROT_READ, MAP_SHARED, fd, 0);
	if (ram == MAP_FAILED)
		err(1, "%s", argv[1]);
	ctl = find_ctl();
	rings = page(ctl->rings_gpa);
	for (u32 i = 0; i < ctl->nr_rings; i++) {
		const struct xft_ring_hdr *hdr = page(rings[i]);
		if (!strcmp(argv[2], "words"))
			print_words(hdr);
		else
			print_records(hdr, strcmp(argv[2], "sealed") ?
						   XFT_MASK_XOR :
						   XFT_MASK_SEALED);
	}
	return 0;
}
