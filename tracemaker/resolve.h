/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * resolve -- what people type, to functions.
 *
 *	vfs_read		every function of this name; failing that, what
 *				the compiler made of it (vfs_read.isra.0)
 *	sys_open, SyS_open	the entries of this system call: __x64_sys_open,
 *				__ia32_sys_open, __ia32_compat_sys_open
 *	vfs_*, sys_*open*	glob patterns, see fnmatch(3); those that begin
 *				with sys_ match system calls as well
 *	e1000:e1000_open, "e1000_open [e1000]", e1000:*
 *				in this module only; vmlinux is the kernel
 *	0xffffffff8134a8a0	the function that contains this address
 *
 *	_cleanup_(functions_deinit) struct functions f = { 0 };
 *
 *	rc = functions_resolve(&f, st, "sys_open", err);
 *	...
 *	for (size_t i = 0; i < f.nr; i++)
 *		use(f.syms[i].addr, f.syms[i].name);
 */
#ifndef XF_RESOLVE_H
#define XF_RESOLVE_H

#include "symtab.h"

/* A set of functions, in order of address, each address once. */
struct functions {
	struct sym *syms; /* owned; the strings are the symtab's */
	size_t nr, cap;
};

void functions_deinit(struct functions *f);

/*
 * Add what @typed means to the set. Returns how many functions it means, also
 * if some were there before. -ENOENT: none; the sentence names up to five that
 * are spelled nearly so. -EINVAL: no name at all.
 */
int functions_resolve(struct functions *f, const struct symtab *st,
		      const char *typed, struct xf_err *err);

/* The set's function that begins at @addr, or NULL. */
const struct sym *functions_at(const struct functions *f, uint64_t addr);

/*
 * "sys_openat" if @function is the entry of that system call and its arguments
 * are as the kernel describes them; *@ret_ia32: for 32-bit programs. NULL: it
 * is none. The result is part of @function.
 */
const char *resolve_syscall(const char *function, bool *ret_ia32);

/*
 * Append up to @max names of functions that @typed may have meant, best first,
 * with ", " between them, as one would type them (sys_open, not
 * __x64_sys_open). Returns how many.
 */
size_t resolve_suggest(const struct symtab *st, const char *typed, size_t max,
		       struct buf *out);

#endif
