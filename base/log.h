/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * log -- what the program says to a person, on stderr, one line a call.
 *
 * Results go to stdout and never through here. Every line starts with
 * "xftrace: ", warnings and errors say so; colour is used only when stderr is
 * a terminal and NO_COLOR is not set.
 */
#ifndef XF_LOG_H
#define XF_LOG_H

#include <stdbool.h>

enum xf_log_level {
	XF_LOG_ERROR,	/* 0: errors only (--quiet) */
	XF_LOG_WARN,
	XF_LOG_INFO,	/* the default */
	XF_LOG_DEBUG,	/* --verbose */
};

extern enum xf_log_level xf_log_level;

void xf_error(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void xf_warn(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void xf_info(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void xf_debug(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/*
 * A line that replaces itself on a terminal ("waiting for the guest, 3 s");
 * elsewhere it is not shown. xf_progress(NULL) wipes it; any other message
 * wipes it first.
 */
void xf_progress(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif
