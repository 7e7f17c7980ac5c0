/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * gva -- guest-virtual addresses, by walking the guest's page tables.
 *
 *	struct gva space = { .mf = &mf, .pgd_gpa = vi.pgd_gpa, .l5 = vi.l5 };
 *	rc = gva_read(&space, addr, &value, sizeof(value), err);
 *
 * x86-64, 4 and 5 levels, pages of 4 KiB, 2 MiB and 1 GiB. The tables are the
 * guest's and not trusted: an entry is copied once, its address masked, a walk
 * takes at most five steps, and a table or page outside of RAM is an error. So
 * a loop in the tables only leads to a wrong page. They also change under us;
 * a caller that gets nonsense from a living guest may try again.
 *
 * Errors of all calls: -EFAULT: nothing is mapped there (or the address is not
 * canonical). -EBADMSG: an entry that the CPU would refuse. -ERANGE: leads
 * outside of RAM, device memory for one. -EIO: see memfile.h.
 */
#ifndef XF_GVA_H
#define XF_GVA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "err.h"
#include "memfile.h"

struct gva {
	const struct memfile *mf; /* borrowed */
	uint64_t pgd_gpa;	/* top table; the low 12 bits are ignored */
	bool l5;		/* five levels */
};

/*
 * *@ret_gpa is where @addr is, and *@ret_run (may be NULL) how many bytes from
 * there on follow in the same page and the same slot; at least 1.
 */
int gva_translate(const struct gva *g, uint64_t addr, uint64_t *ret_gpa,
		  uint64_t *ret_run, struct xf_err *err);

/*
 * How many bytes from @addr on, up to the end of its page, the kernel can
 * execute; 0: not even one.
 */
uint64_t gva_code_run(const struct gva *g, uint64_t addr);

/*
 * Copy @len bytes, across pages. @dst is undefined after a failure. The cost
 * is bounded by @len: bound it.
 */
int gva_read(const struct gva *g, uint64_t addr, void *dst, size_t len,
	     struct xf_err *err);

int gva_read_u64(const struct gva *g, uint64_t addr, uint64_t *ret,
		 struct xf_err *err);

/*
 * Copy a string of at most @cap - 1 bytes and its 0 to @dst. Returns its
 * length; -ENAMETOOLONG when no 0 came up to there. The bytes are the guest's:
 * buf_add_escaped() before they are shown.
 */
ssize_t gva_read_str(const struct gva *g, uint64_t addr, char *dst, size_t cap,
		     struct xf_err *err);

#endif
