/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * batchfile -- a job, written down: options, one a line.
 *
 *	# what to trace
 *	version = 1
 *	function = sys_openat sys_read
 *	run = cat /etc/passwd # this is still the command
 *
 * A line is NAME = VALUE, up to its end; blanks around both are left out. Lines
 * that are empty or begin with # are skipped. The first other line is the
 * version.
 */
#ifndef XF_BATCHFILE_H
#define XF_BATCHFILE_H

#include "opt.h"

#define BATCHFILE_MAX (1u << 20)

/*
 * Set the options of @u that @text names; it is written to, and must stay as
 * long as they are used. A 0 byte follows its @len bytes. OPT_MISUSE: the
 * sentence begins with line and column.
 */
int batchfile_parse(char *text, size_t len, const struct usage *u,
		    struct xf_err *err);

#endif
