/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * dirty_scan -- dirty pages from the host's page tables, for a QEMU in which
 * there is no code of ours.
 *
 * The host's kernel notes in QEMU's page tables which pages were written since
 * it was told to forget ("soft-dirty": /proc/PID/clear_refs, bit 55 of
 * /proc/PID/pagemap), whoever wrote them: a vCPU, or a device of QEMU's.
 * Looking and forgetting are two steps, so QEMU's threads are held in between,
 * with ptrace(), for as long as it takes to read 2 MiB of pagemap for each GiB
 * of RAM: they go on if the recorder dies. The kernel must have
 * CONFIG_MEM_SOFT_DIRTY.
 *
 * What newer kernels have in its place, PAGEMAP_SCAN with write protection,
 * only works on memory that the process itself has handed to a userfaultfd: not
 * for a QEMU that knows nothing of us.
 *
 * The recorder gives up such rights, so that a process of its own, the scanner,
 * does it, which ends when the last process has closed the source. It reads
 * nothing of the guest but one word, and talks as code of ours in QEMU would:
 * abi/xft_dirty.h, in anonymous memory.
 *
 * A page that the host swaps out or drops from QEMU's page tables in between is
 * missed. Nobody else may use QEMU's soft-dirty bits at the same time (CRIU
 * does).
 */
#ifndef XF_DIRTY_SCAN_H
#define XF_DIRTY_SCAN_H

#include "dirty.h"

/*
 * As dirty_open(). -EOPNOTSUPP: this host's kernel does not have it. -EACCES,
 * -EPERM: no rights of a debugger over QEMU.
 */
int dirty_open_scan(struct dirty *d, pid_t pid, struct xf_err *err);

#endif
