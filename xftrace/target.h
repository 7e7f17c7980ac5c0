/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * target -- a running guest, attached: its RAM, its kernel, its module.
 *
 *	target_attach(&t, &opt, err);	QEMU found, RAM mapped
 *	target_find_module(&t, ms, err); the module answers
 *	target_find_kernel(&t, err);	which kernel, its symbols, its modules
 *	target_find_sites(&t, ...);	names to ftrace sites
 *	target_detach(&t);
 *
 * Attaching asks QEMU through QMP and never pauses the guest. After a reboot
 * of the guest the last three are called again on the same target.
 */
#ifndef XF_TARGET_H
#define XF_TARGET_H

#include <stdbool.h>
#include <stdint.h>

#include "err.h"
#include "eventlist.h"
#include "mailbox.h"
#include "memfile.h"
#include "modlist.h"
#include "resolve.h"
#include "symtab.h"
#include "vmcoreinfo.h"

/* What the user said; strings are borrowed. */
struct target_options {
	const char *guest;	/* name of a guest that we started */
	const char *qmp;	/* QMP socket */
	uint64_t pid;		/* QEMU process, 0: not given */
	const char *symbols;	/* file, NULL: find them */
	bool allow_open_ram;
	bool image;		/* the kernel's image is wanted as well */
};

struct target {
	char *id;		/* names state folder and trace */
	char *qmp_path;		/* NULL: none */
	char *kernel_path;	/* vmlinuz known from 'guest start', or NULL */
	char *symbols_path;	/* the user's, or NULL */
	int pidfd;		/* QEMU; readable when it has died */
	int pid;
	struct memfile mf;
	struct mailbox mb;
	struct xft_ctl ctl;	/* checked copy, from target_find_module() */
	struct vmcoreinfo kernel;
	struct symtab *symbols;	/* sealed, at run-time addresses */
	bool wants_image;
	struct buf image;	/* vmlinux with the symbols; may be taken */
	struct eventlist_layout layout; /* of event_kernel's
					 * events, once read */
	struct vmcoreinfo event_kernel; /* without build id: none yet */
};

#define TARGET_INIT { .pidfd = -1, .mf = MEMFILE_INIT, .image = BUF_INIT }

/*
 * Choose and attach. With no option set the one guest that runs is taken:
 * -ENOENT: none, -ENOTUNIQ: several (named in the sentence).
 */
int target_attach(struct target *t, const struct target_options *opt,
		  struct xf_err *err);
void target_detach(struct target *t);

/* -ENOENT, -ETIMEDOUT, -EPROTO as in mailbox_find(). */
int target_find_module(struct target *t, unsigned int patience_ms,
		       struct xf_err *err);

/*
 * Find the kernel and symbols that fit it. @same: an earlier kernel's build id
 * must be found again (after a reboot); else -ESTALE. -ENOEXEC: the symbol file
 * is of another kernel.
 */
int target_find_kernel(struct target *t, bool same, struct xf_err *err);

/*
 * Which kernel is it now? 0: the one of before, where it was, and all stays as
 * it is. 1: another, or another boot of it: found as by target_find_kernel().
 * -EAGAIN: no vCPU runs what was found.
 */
int target_find_again(struct target *t, struct xf_err *err);

/* The kernel's clock. Fails if its memory is not mapped (any more). */
int target_jiffies(const struct target *t, uint64_t *ret);

/*
 * Whether a vCPU runs that kernel. False while the guest is being reset: then
 * what is left of the kernel is overwritten. True if QEMU cannot be asked.
 */
bool target_runs_kernel(const struct target *t);

/*
 * Symbols of modules, and of code that the kernel has made (audit/madecode), as
 * they are now, added to t->symbols. Never fails.
 */
void target_add_modules(struct target *t);

/*
 * The names, escaped, of modules that are live patches now (audit/livepatch).
 */
void target_each_livepatch(const struct target *t,
			   void (*fn)(const char *module, void *arg), void *arg);

/* The kernel's list as it is now; errors as in modlist.h. */
int target_list_modules(const struct target *t, struct modlist *ret,
			struct xf_err *err);
/* Add the functions of its module @i to @st, which is to be sealed then. */
void target_name_module(struct modlist *ml, size_t i, struct symtab *st);

/* Where ftrace hooks the functions that the user named. */
struct target_sites {
	uint64_t *site;		/* owned; guest-virtual */
	size_t nr;
	struct functions functions; /* functions.syms[i] has site[i] */
	size_t nr_untraceable;	/* functions of globs without a site */
};

void target_sites_deinit(struct target_sites *s);

/*
 * -ENOENT: a name means nothing (the sentence suggests others). -ENOTSUP: it
 * means only functions that ftrace cannot trace. -E2BIG: too many.
 */
int target_find_sites(struct target *t, char *const *names, size_t nr,
		      struct target_sites *ret, struct xf_err *err);

/* Addresses that the guest module is given; 0 where the kernel has no such. */
void target_find_kfuncs(const struct target *t,
			uint64_t ret_kfunc[XFT_NR_KFUNCS]);

#endif
