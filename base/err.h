/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * err -- a negative errno and the sentence that goes with it.
 *
 * A function that can fail returns 0 or a count on success and -errno on
 * failure, and takes a struct xf_err * as its last argument. The sentence is
 * written where the facts are known and names the thing (file, CPU, expected,
 * found). It lies in a fixed buffer, so that reporting cannot itself fail. The
 * pointer may be NULL when the caller does not want the sentence.
 *
 *	if (tail > size)
 *		return xf_fail(err, -EBADMSG, "cpu %u: tail %u", cpu, tail);
 *
 * Guest strings that go into a sentence must have been escaped before
 * (buf_add_escaped()); the sentence may end on a terminal.
 */
#ifndef XF_ERR_H
#define XF_ERR_H

struct xf_err {
	int code;	/* negative errno, 0 when nothing was reported */
	char msg[500];	/* one line without a newline, always terminated */
};

/* Fill @err and return @code, which must be negative. */
int xf_fail(struct xf_err *err, int code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* Like xf_fail() with -errno and ": strerror" appended to the sentence. */
int xf_fail_errno(struct xf_err *err, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* Put "context: " before a sentence that a callee wrote. Returns err->code. */
int xf_prefix(struct xf_err *err, int code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

#endif
