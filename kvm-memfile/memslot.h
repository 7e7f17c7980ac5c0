/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * memslot -- which bytes of which file are the guest's physical memory.
 *
 * A guest-physical address is not a file offset: PC machines leave a hole
 * below 4 GiB, RAM may come in several files (NUMA), firmware may be laid over
 * parts of it. QEMU is asked how it is, through three things that work alike
 * for files, memfds and files that were deleted after QEMU opened them:
 *
 *	gpa -> QEMU's virtual address	"info mtree -f", "gpa2hva" (QMP)
 *	virtual address -> inode, off	/proc/PID/maps
 *	inode -> descriptor		path, /proc/PID/fd, /proc/PID/map_files
 *
 *	_cleanup_(memslots_deinit) struct memslots ms = MEMSLOTS_INIT;
 *	rc = memslots_from_qmp(&ms, &q, err);
 *	rc = rc ? rc : memfile_open(&mf, &ms, 0, err);
 *
 * The result is a snapshot: memory that is plugged in later is not in it. RAM
 * of devices (a graphics card's), NVDIMMs and ROMs are left out, RAM that
 * firmware made read-only for the guest (0xc0000 to 0xfffff) is in. The
 * descriptors stay good when QEMU dies or a file is deleted.
 */
#ifndef XF_MEMSLOT_H
#define XF_MEMSLOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "err.h"

struct qmp;

/* Where RAM stops below 4 GiB when nothing says so: pc, and q35 from 2.75G. */
#define MEMSLOT_LOWMEM_PC  (3ull << 30)
#define MEMSLOT_LOWMEM_Q35 (2ull << 30)

struct memslot {
	uint64_t gpa;		/* guest-physical, page-aligned */
	uint64_t len;		/* bytes */
	uint64_t off;		/* in the file */
	size_t file;		/* index into memslots.file */
	uint64_t hva;		/* in QEMU's address space; 0: not known */
	uint64_t ram_addr;	/* among all of QEMU's RAM blocks, which is how
				 * plugins of QEMU 7.2 see it; or
				 * MEMSLOT_NO_RAM_ADDR */
};

#define MEMSLOT_NO_RAM_ADDR UINT64_MAX

struct memslot_file {
	int fd;			/* owned, read-only */
	char *name;		/* owned; printable, for messages only */
	dev_t dev;		/* as /proc/PID/maps has it */
	ino_t ino;
};

struct memslots {
	struct memslot *slot;	/* owned; by rising gpa, none overlap */
	size_t nr;
	struct memslot_file *file; /* owned */
	size_t nr_files;
	pid_t pid;		/* QEMU, 0 if there is none */
	uid_t uid;		/* QEMU's user; (uid_t)-1 if there is none */
	bool guessed;		/* the layout was not confirmed by QEMU: warn */
};

#define MEMSLOTS_INIT { .uid = (uid_t)-1 }

void memslots_deinit(struct memslots *ms);

/*
 * Ask QEMU. Needs the rights of a debugger over QEMU (the same user, or root).
 *
 * -ENOTSUP: guest RAM is private to QEMU, the sentence names the way out.
 * -EACCES: QEMU's memory map may not be read, or its RAM file not be opened.
 * -EPROTO: QEMU's answers make no sense. Others as in qmp_command().
 */
int memslots_from_qmp(struct memslots *ms, struct qmp *q, struct xf_err *err);

/*
 * The same for a process: through the QMP sockets on its command line. If it
 * has none, the layout is guessed from the command line's machine type and RAM
 * size and the process's only shared mapping of that size, and ms->guessed is
 * set. -EBUSY: there are sockets, but other clients hold them all. -ENOTSUP:
 * also when there is nothing to base a guess on.
 */
int memslots_from_pid(struct memslots *ms, pid_t pid, int timeout_ms,
		      struct xf_err *err);

/*
 * Only where all memory lies in QEMU, that of devices and NVDIMMs, too: no
 * files, and so no more rights than to talk to QEMU.
 */
int memslots_places_from_qmp(struct memslots *ms, struct qmp *q,
			     struct xf_err *err);

/*
 * A lone memory file of a guest that is gone. Always a guess: RAM below
 * @lowmem lies at gpa == offset, the rest from 4 GiB on. @lowmem 0 stands for
 * MEMSLOT_LOWMEM_Q35 if the file exceeds 2.75 GiB, else for all of it.
 */
int memslots_from_file(struct memslots *ms, const char *path, uint64_t lowmem,
		       struct xf_err *err);

/*
 * The @nth (from 0) Unix socket with QMP on the command line of process @pid,
 * a malloc()ed path. -ENOENT: there are no more. A relative path is resolved
 * against the process's current folder.
 */
int qemu_find_qmp(pid_t pid, size_t nth, char **ret_path, struct xf_err *err);

#endif
