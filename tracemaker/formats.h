/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * formats -- what the events and system calls of a session look like.
 */
#ifndef XF_FORMATS_H
#define XF_FORMATS_H

#include "names.h"
#include "syscall.h"
#include "tep.h"
#include "trace.h"

struct formats {
	struct tep *tep;	/* owned */
	struct syscall *calls;	/* owned; by name */
	size_t nr_calls;
	struct tep *host;	/* owned; events of the host */
};

/* Descriptions that make no sense are left out: their records say so. */
void formats_init(struct formats *f, const struct trace_session *s,
		  struct names *names);
void formats_deinit(struct formats *f);

/* The system call that @function is the entry of, or NULL. */
const struct syscall *formats_syscall(const struct formats *f,
				      const char *function);

#endif
