/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * tepclean -- an event's description, made harmless for libtraceevent.
 *
 * The text (events/SYSTEM/NAME/format) comes from the guest, and a hostile one
 * makes libtraceevent's parser recurse without end, divide by zero, follow
 * NULL or free twice. So it never sees the guest's text, only this one: written
 * anew from what a strict parser of our own has understood, with constants
 * worked out, one pair of parentheses around every operation (C's precedence,
 * which libtraceevent does not quite know), and every field that is named
 * known to exist.
 *
 * Beyond the limits below, or where it is no description at all, the answer is
 * -EBADMSG. Fields whose declaration is of an unknown shape become bytes. If
 * only the arguments of "print fmt" are not understood (calls of the kernel's
 * own functions, statements), the text gets an empty one and *ret_args is
 * false: the event's fields can be shown all the same.
 */
#ifndef XF_TEPCLEAN_H
#define XF_TEPCLEAN_H

#include <stdbool.h>
#include <stddef.h>

#include "buf.h"
#include "err.h"

#define TEPCLEAN_TEXT_MAX   (64 << 10) /* bytes of text, before and after */
#define TEPCLEAN_NAME_MAX   128
#define TEPCLEAN_STRING_MAX 4096
#define TEPCLEAN_FIELDS_MAX 128
#define TEPCLEAN_RECORD_MAX 4096 /* where the last field ends */
#define TEPCLEAN_DEPTH_MAX  48	 /* parentheses in parentheses */
#define TEPCLEAN_NODES_MAX  4096 /* operands and operations */

/* Appends the new text to @out, which may hold half of it after a failure. */
int tepclean(const char *text, size_t len, struct buf *out, bool *ret_args,
	     struct xf_err *err);

#endif
