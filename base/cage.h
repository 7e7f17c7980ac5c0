/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * cage -- a process gives up what it does not need, for good.
 *
 *	cage_keep_secrets();			no core file, no debugger
 *	cage_limit_calls(CAGE_WRITE, err);	few system calls
 *
 *	_cleanup_(cage_deinit) struct cage c = CAGE_INIT;
 *	cage_open(&c);
 *	cage_allow_fd(&c, store_fd);		and nothing else ...
 *	cage_limit_writes(&c, err);		... is written any more
 *
 * Each can be done more than once; what is left is what all of them allow.
 * Threads and children that are made later are in the cage as well.
 *
 * A call that is not allowed ends the process by SIGSYS, after a line on stderr
 * that names it: nothing goes on with an answer that it did not expect. A file
 * that may not be written is EACCES, and an error like any other.
 *
 * Calls are limited by seccomp: by what they are and by numbers among their
 * arguments, never by file names. That is Landlock's, which looks at files. A
 * kernel without Landlock (before 5.13, or switched off) lets those be written
 * that the user may; then CAGE_WRITE is what counts.
 */
#ifndef XF_CAGE_H
#define XF_CAGE_H

#include <stdint.h>

#include "err.h"

/*
 * What may be called beside the ordinary: read files, memory without code,
 * threads, time, signals to oneself, messages on what is open.
 */
enum cage_calls {
	CAGE_WRITE = 1,	/* open files for writing; make, rename, remove them */
	CAGE_ASK = 2,	/* connect to Unix sockets; is that process alive */
	CAGE_FORK = 4,	/* have children: not to run programs */
};

/*
 * No core file, and no other process of this user may look into this one. Comes
 * first: in the cage it cannot be asked for.
 */
void cage_keep_secrets(void);

/* Also for threads that there are. Fails only without memory. */
int cage_limit_calls(unsigned int may, struct xf_err *err);

/* Files and folders that will be written. */
struct cage {
	int fd;			/* Landlock's ruleset, -1: there is none */
	uint64_t handled;	/* what this kernel can forbid */
};

#define CAGE_INIT { .fd = -1 }

void cage_open(struct cage *c);
void cage_deinit(struct cage *c);

/*
 * What is open here, a file or a folder. In a folder and below it, files and
 * folders may also be made and removed.
 */
void cage_allow_fd(struct cage *c, int fd);
/* The same by name. What is not there is not allowed. */
void cage_allow_path(struct cage *c, const char *path);
/* The folder of a file that may not be there yet. */
void cage_allow_beside(struct cage *c, const char *path);

/*
 * From now on nothing but what was allowed may be opened for writing, made or
 * removed, nothing executed, and no process outside be sent a signal. What is
 * open stays open. Only for the thread that calls, and for its children.
 */
int cage_limit_writes(struct cage *c, struct xf_err *err);

#endif
