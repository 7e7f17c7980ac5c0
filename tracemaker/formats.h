/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * formats -- what the events and system calls of a session look like.
 *
 * A trace has more descriptions than it uses, so each is read when the first
 * record asks for it.
 */
#ifndef XF_FORMATS_H
#define XF_FORMATS_H

#include "names.h"
#include "syscall.h"
#include "tep.h"
#include "trace.h"

struct format {
	const char *system, *text; /* the trace's */
	size_t len;
	uint32_t id;
	bool tried;		/* read, or found to make no sense */
	struct syscall *call;	/* owned; NULL: not asked for, or none */
};

struct formats {
	struct format *format;	/* owned; by id */
	size_t nr;
	size_t *calls;		/* owned; entries of system calls, by name */
	size_t nr_calls;
	struct tep *tep;	/* owned; what has been read */
	struct tep *host;	/* owned; events of the host */
};

void formats_init(struct formats *f, const struct trace_session *s,
		  struct names *names);
void formats_deinit(struct formats *f);

/*
 * The event that a record is of, to be printed with f->tep; NULL: not known, or
 * its description makes no sense.
 */
const struct tep_type *formats_type(struct formats *f, const void *data,
				    size_t len);

/* Read all that is left. */
void formats_read_all(struct formats *f);

/* The system call that @function is the entry of, or NULL. */
const struct syscall *formats_syscall(struct formats *f, const char *function);

#endif
