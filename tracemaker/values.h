/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * values -- names for the values of system calls' arguments.
 *
 * A table by the argument's name and, where that is not enough, the call's:
 * "flags" of openat are others than those of mmap. What the table does not
 * know is said to be unknown, so that the caller prints a number; so are bits
 * for which there is no name, in hex behind those that have one.
 */
#ifndef XF_VALUES_H
#define XF_VALUES_H

#include <stdbool.h>
#include <stdint.h>

#include "buf.h"

struct values;

/*
 * The names for argument @arg of @call ("sys_openat"), or NULL. Valid for ever.
 */
const struct values *values_find(const char *call, const char *arg);

/* Append the name of @v. False, with nothing appended: it has none. */
bool values_print(const struct values *t, uint64_t v, struct buf *out);

#endif
