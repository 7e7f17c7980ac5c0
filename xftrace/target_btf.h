/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * target_btf -- the types of the guest's kernel.
 *
 *	_cleanup_(target_btf_close) struct target_btf types = TARGET_BTF_INIT;
 *
 *	rc = target_btf_open(&types, &t, err);
 *	rc = rc ? rc : btf_member(&types.btf, "page", "flags", &m, err);
 */
#ifndef XF_TARGET_BTF_H
#define XF_TARGET_BTF_H

#include "btf.h"
#include "target.h"

struct target_btf {
	struct btf btf;
	struct buf blob;
};

#define TARGET_BTF_INIT { .btf = BTF_INIT, .blob = BUF_INIT }

/*
 * After target_find_kernel(). From the kernel's file, if the symbols are from
 * one, as an intruder in the guest has no hand in it; else from guest RAM.
 * -ENOENT: this kernel has no BTF. -EBADMSG: damaged.
 */
int target_btf_open(struct target_btf *tb, const struct target *t,
		    struct xf_err *err);
void target_btf_close(struct target_btf *tb);

#endif
