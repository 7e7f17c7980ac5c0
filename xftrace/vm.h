/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * vm -- demo guests, started and stopped by us.
 *
 * A guest is an unpatched QEMU in the background, with a folder
 * <runtime>/guests/NAME: guest.json, qmp.sock, agent.sock, console.log,
 * qemu.log and the RAM file in /dev/shm, which dies with it.
 */
#ifndef XF_VM_H
#define XF_VM_H

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

#include "err.h"

enum vm_accel { VM_AUTO, VM_KVM, VM_TCG };

struct vm_options {
	const char *name;
	const char *kernel;	/* vmlinuz, NULL: the demo's */
	const char *initrd;	/* NULL: the demo's for that kernel */
	const char *append;	/* more for the kernel command line, or NULL */
	const char *console;	/* what it says there goes to this file, or NULL */
	enum vm_accel accel;
	uint64_t mem;		/* bytes */
	uint64_t cpus;
	bool dirty;		/* so that 'on --dirty' works */
};

/*
 * Start it and wait until it is up. -EEXIST: a guest of this name runs.
 * -ENOENT: QEMU, kernel or initramfs is missing; the sentence says how to get
 * it. -ETIMEDOUT: it did not come up, the last line of its console is told.
 * Of a guest that did not, only the file for its console is left.
 */
int vm_start(const struct vm_options *opt, struct xf_err *err);

/* -ENOENT: no such guest. */
int vm_stop(const char *name, struct xf_err *err);

/* An array of objects: guest.json of each, and "running". */
int vm_list(json_t **ret, struct xf_err *err);

/* Its QMP socket and kernel image, malloc()ed. -ENOENT; -ESRCH: it ended. */
int vm_paths(const char *name, char **ret_qmp, char **ret_kernel,
	     struct xf_err *err);

/*
 * Where the demo keeps the kernel image of @release, if it has one; malloc()ed.
 */
char *vm_demo_kernel(const char *release);

/*
 * What lies beside the program, or is installed with it: "demo",
 * "dirty_tcg.so". malloc()ed; it need not be there.
 */
char *vm_find_part(const char *name);

#endif
