/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * vmcoreinfo -- which kernel runs in the guest, and where.
 *
 * Linux keeps a text about itself for crash dumps in a page of its RAM: its
 * release, build id, KASLR offset, page table and a few dozen symbols. We find
 * it by a scan, and then doubt it: a page that begins like one may be a stale
 * copy from before a reboot, or planted. A text counts only if it is whole,
 * agrees with itself, and if the page table it names maps the symbols it names
 * to where phys_base says and finds the same release in init_uts_ns.
 *
 * Even so, after a reboot the old kernel often lies in RAM untouched, and
 * until the new one has written its text, the old one is all that is found.
 * The vCPUs' CR3 (qmp_cr3()) tell what really runs: give them where QMP is to
 * be had, not only after -ENOTUNIQ.
 *
 *	rc = vmcoreinfo_find(&vi, &mf, cr3, nr_cr3, err);
 *	if (!rc && vmcoreinfo_symbol(&vi, "kallsyms_names", &addr))
 *
 * All of it is the guest's word: good until an intruder owns the kernel.
 */
#ifndef XF_VMCOREINFO_H
#define XF_VMCOREINFO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "err.h"
#include "gva.h"
#include "memfile.h"

#define VMCOREINFO_MAX 4096	/* bytes of text */

struct vmcoreinfo {
	uint64_t gpa;		/* page where it was found */
	char osrelease[65];	/* "6.1.0-56-cloud-amd64"; no blanks */
	uint8_t build_id[20];
	size_t build_id_len;	/* 0: the kernel does not tell */
	uint64_t kerneloffset;	/* KASLR: run-time minus link-time address */
	/*
	 * gpa of a kernel symbol is its address - 0xffffffff80000000 +
	 * phys_base, modulo 2^64: phys_base may be "negative".
	 */
	uint64_t phys_base;
	uint64_t swapper_pg_dir; /* the kernel's page table: its address */
	uint64_t pgd_gpa;	/* and where that is */
	bool l5;		/* five-level page tables */
	char text[VMCOREINFO_MAX + 1]; /* printable lines */
};

/*
 * Search all of RAM. @cr3[0..nr_cr3) are the vCPUs' registers; with any, only
 * a kernel that one of them runs is accepted, and the search ends there.
 *
 * -ENOENT: no Linux runs in the guest (yet), or it has no such text.
 * -ENOTUNIQ: several kernels, and no @cr3 to choose by: ask again with them.
 * -E2BIG: too many false ones, somebody hides the right one. -EIO: see
 * memfile.h.
 */
int vmcoreinfo_find(struct vmcoreinfo *vi, const struct memfile *mf,
		    const uint64_t *cr3, size_t nr_cr3, struct xf_err *err);

/*
 * The two halves of it, for one page. @page is a private copy that begins
 * with the text or with its ELF note. -EBADMSG: damaged or inconsistent.
 */
int vmcoreinfo_parse(struct vmcoreinfo *vi, const void *page, size_t len,
		     struct xf_err *err);
/* Does the guest's RAM bear out what @vi says? -EBADMSG and gva.h's: no. */
int vmcoreinfo_verify(const struct vmcoreinfo *vi, const struct memfile *mf,
		      struct xf_err *err);

/* Whether one of the vCPUs with these CR3 runs it: its page table has it. */
bool vmcoreinfo_runs(const struct vmcoreinfo *vi, const struct memfile *mf,
		     const uint64_t *cr3, size_t nr_cr3);

/* The kernel's address space. */
static inline struct gva vmcoreinfo_space(const struct vmcoreinfo *vi,
					  const struct memfile *mf)
{
	return (struct gva){ .mf = mf, .pgd_gpa = vi->pgd_gpa, .l5 = vi->l5 };
}

/* "SYMBOL(name)=...": run-time address of one of the symbols it lists. */
bool vmcoreinfo_symbol(const struct vmcoreinfo *vi, const char *name,
		       uint64_t *ret);

/* A decimal value by its whole key: "OFFSET(list_head.next)". */
bool vmcoreinfo_number(const struct vmcoreinfo *vi, const char *key,
		       int64_t *ret);

#endif
