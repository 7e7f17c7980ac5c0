/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * fake_guest -- RAM in a memfd, opened as a memfile, with page tables.
 *
 *	struct fake_guest g;
 *	fake_guest_open(&g, 16 << 20);
 *	fake_map(&g, va, pa, 1);
 *	fake_put(&g, pa, bytes, len);
 *
 * gpa == offset, one slot. The top table is at 0; further ones are taken from
 * the upper end of RAM downwards. Writes go through a mapping of our own.
 */
#ifndef FAKE_GUEST_H
#define FAKE_GUEST_H

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "gva.h"
#include "memfile.h"
#include "memslot.h"

#define PTE_P	  1ull
#define PTE_W	  2ull
#define PTE_PS	  0x80ull
#define PTE_NX	  (1ull << 63)

struct fake_guest {
	uint64_t len, top;
	uint8_t *ram;
	struct memslot slot;
	struct memslot_file file;
	struct memslots ms;
	struct memfile mf;
	struct gva space;
};

static inline void fake_guest_open(struct fake_guest *g, uint64_t len)
{
	memset(g, 0, sizeof(*g));
	g->len = g->top = len;
	g->file.fd = memfd_create("fake-guest", MFD_CLOEXEC);
	g->file.name = (char *)"fake-guest";
	if (g->file.fd < 0 || ftruncate(g->file.fd, len))
		abort();
	g->ram = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, g->file.fd,
		      0);
	g->slot = (struct memslot){ .len = len };
	g->ms = (struct memslots){ .slot = &g->slot,
				   .nr = 1,
				   .file = &g->file,
				   .nr_files = 1,
				   .uid = (uid_t)-1 };
	if (g->ram == MAP_FAILED || memfile_open(&g->mf, &g->ms, 0, NULL))
		abort();
	g->space = (struct gva){ .mf = &g->mf };
}

static inline void fake_guest_close(struct fake_guest *g)
{
	memfile_close(&g->mf);
	munmap(g->ram, g->len);
	close(g->file.fd);
}

static inline void fake_put(struct fake_guest *g, uint64_t pa, const void *data,
			    size_t len)
{
	if (pa + len > g->len)
		abort();
	memcpy(g->ram + pa, data, len);
}

static inline void fake_put_u64(struct fake_guest *g, uint64_t pa, uint64_t v)
{
	fake_put(g, pa, &v, sizeof(v));
}

/* The entry for @va in the table of @level, making tables on the way. */
static inline uint64_t *fake_entry(struct fake_guest *g, uint64_t va, int level)
{
	uint64_t table = g->space.pgd_gpa;

	for (int at = g->space.l5 ? 5 : 4;; at--) {
		uint64_t *e = (uint64_t *)(g->ram + table) +
			      (va >> (3 + 9 * at)) % 512;

		if (at == level)
			return e;
		if (!*e) {
			g->top -= XF_PAGE_SIZE;
			*e = g->top | PTE_P | PTE_W;
		}
		table = *e & 0x000ffffffffff000ull;
	}
}

/* Map the page of @level (1: 4 KiB, 2: 2 MiB, 3: 1 GiB) at @va to @pa. */
static inline void fake_map(struct fake_guest *g, uint64_t va, uint64_t pa,
			    int level)
{
	*fake_entry(g, va, level) = pa | PTE_P | PTE_W |
				    (level > 1 ? PTE_PS : 0);
}

/* The same for @len bytes in pages of 4 KiB. */
static inline void fake_map_range(struct fake_guest *g, uint64_t va,
				  uint64_t pa, uint64_t len)
{
	for (uint64_t i = 0; i < len; i += XF_PAGE_SIZE)
		fake_map(g, va + i, pa + i, 1);
}

#endif
