// SPDX-License-Identifier: GPL-2.0-only
#include "gva.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#define PTE_PRESENT (1ull << 0)
#define PTE_LARGE   (1ull << 7)
#define PTE_NX	    (1ull << 63)
/* Bits 51:12. Above are ignored bits, protection keys and NX. */
#define PTE_ADDR    0x000ffffffffff000ull

static bool is_canonical(uint64_t addr, bool l5)
{
	int unused = l5 ? 7 : 16;

	return (uint64_t)((int64_t)(addr << unused) >> unused) == addr;
}

/* *@ret_nx: what is there cannot be executed. */
static int translate(const struct gva *g, uint64_t addr, uint64_t *ret_gpa,
		     uint64_t *ret_run, bool *ret_nx, struct xf_err *err)
{
	uint64_t entry = g->pgd_gpa, nx = 0, size, gpa, run, ram;
	int level = g->l5 ? 5 : 4;

	if (!is_canonical(addr, g->l5))
		return xf_fail(err, -EFAULT,
			       "0x%" PRIx64 " is no canonical address", addr);
	/* A table of level n has entries for 1 << (3 + 9 * n) bytes each. */
	for (;; level--) {
		int shift = 3 + 9 * level;
		uint64_t at = (entry & PTE_ADDR) + (addr >> shift) % 512 * 8;
		int rc = memfile_read_u64(g->mf, at, &entry, err);

		if (rc)
			return xf_prefix(err, rc,
					 "0x%" PRIx64 ": page table, level %d",
					 addr, level);
		if (!(entry & PTE_PRESENT))
			return xf_fail(err, -EFAULT,
				       "0x%" PRIx64 " is not mapped", addr);
		nx |= entry & PTE_NX;
		size = 1ull << shift;
		if (level == 1)
			break;
		if (!(entry & PTE_LARGE))
			continue;
		if (level > 3)
			return xf_fail(err, -EBADMSG,
				       "0x%" PRIx64
				       ": page table, level %d: impossible "
				       "entry 0x%" PRIx64,
				       addr, level, entry);
		break;
	}
	/* In a large page, the lower bits of the entry are no address (PAT). */
	gpa = (entry & PTE_ADDR & ~(size - 1)) | (addr & (size - 1));
	run = size - (addr & (size - 1));
	ram = memfile_run(g->mf, gpa);
	if (!ram)
		return xf_fail(err, -ERANGE,
			       "0x%" PRIx64 " leads to 0x%" PRIx64
			       ", which is no guest RAM",
			       addr, gpa);
	*ret_gpa = gpa;
	*ret_run = run < ram ? run : ram;
	*ret_nx = nx;
	return 0;
}

int gva_translate(const struct gva *g, uint64_t addr, uint64_t *ret_gpa,
		  uint64_t *ret_run, struct xf_err *err)
{
	uint64_t run;
	bool nx;

	return translate(g, addr, ret_gpa, ret_run ? ret_run : &run, &nx, err);
}

uint64_t gva_code_run(const struct gva *g, uint64_t addr)
{
	uint64_t gpa, run;
	bool nx;

	return translate(g, addr, &gpa, &run, &nx, NULL) || nx ? 0 : run;
}

int gva_read(const struct gva *g, uint64_t addr, void *dst, size_t len,
	     struct xf_err *err)
{
	uint8_t *p = dst;

	if (len && addr + (len - 1) < addr)
		return xf_fail(err, -EFAULT,
			       "0x%" PRIx64 ": %zu bytes wrap around", addr,
			       len);
	while (len) {
		uint64_t gpa, run;
		int rc = gva_translate(g, addr, &gpa, &run, err);

		if (rc)
			return rc;
		if (run > len)
			run = len;
		rc = memfile_read(g->mf, gpa, p, run, err);
		if (rc)
			return rc;
		addr += run;
		p += run;
		len -= run;
	}
	return 0;
}

int gva_read_u64(const struct gva *g, uint64_t addr, uint64_t *ret,
		 struct xf_err *err)
{
	uint64_t gpa;
	int rc;

	/* Aligned, it lies in one page and can be read in one go. */
	if (addr % sizeof(*ret))
		return gva_read(g, addr, ret, sizeof(*ret), err);
	rc = gva_translate(g, addr, &gpa, NULL, err);
	return rc ? rc : memfile_read_u64(g->mf, gpa, ret, err);
}

ssize_t gva_read_str(const struct gva *g, uint64_t addr, char *dst, size_t cap,
		     struct xf_err *err)
{
	uint64_t start = addr;
	size_t len = 0;

	while (len < cap) {
		uint64_t gpa, run;
		const char *nul;
		int rc = gva_translate(g, addr, &gpa, &run, err);

		if (rc)
			return rc;
		if (run > cap - len)
			run = cap - len;
		/* Most strings are short: no need for all of a large page. */
		if (run > 256)
			run = 256;
		rc = memfile_read(g->mf, gpa, dst + len, run, err);
		if (rc)
			return rc;
		nul = memchr(dst + len, 0, run);
		if (nul)
			return nul - dst;
		addr += run;
		len += run;
	}
	return xf_fail(err, -ENAMETOOLONG,
		       "0x%" PRIx64 ": no end of the string within %zu bytes",
		       start, cap);
}
