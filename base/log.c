// SPDX-License-Identifier: GPL-2.0-only
#include "log.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum xf_log_level xf_log_level = XF_LOG_INFO;
static bool progress_shown;

static bool is_terminal(void)
{
	static int tty = -1;

	if (tty < 0)
		tty = isatty(STDERR_FILENO);
	return tty;
}

static bool has_colour(void)
{
	return is_terminal() && !getenv("NO_COLOR");
}

static void wipe_progress(void)
{
	if (progress_shown)
		fputs("\r\033[K", stderr);
	progress_shown = false;
}

static void say(enum xf_log_level level, const char *label, const char *colour,
		const char *fmt, va_list ap)
{
	char line[1024];

	if (level > xf_log_level)
		return;
	wipe_progress();
	vsnprintf(line, sizeof(line), fmt, ap);
	if (*label && has_colour())
		fprintf(stderr, "xftrace: %s%s\033[0m%s\n", colour, label, line);
	else
		fprintf(stderr, "xftrace: %s%s\n", label, line);
}

#define DEFINE_LOG(name, level, label, colour)                                 \
	void name(const char *fmt, ...)                                        \
	{                                                                      \
		va_list ap;                                                    \
                                                                               \
		va_start(ap, fmt);                                             \
		say(level, label, colour, fmt, ap);                            \
		va_end(ap);                                                    \
	}

DEFINE_LOG(xf_error, XF_LOG_ERROR, "error: ", "\033[1;31m")
DEFINE_LOG(xf_warn, XF_LOG_WARN, "warning: ", "\033[1;33m")
DEFINE_LOG(xf_info, XF_LOG_INFO, "", "")
DEFINE_LOG(xf_debug, XF_LOG_DEBUG, "debug: ", "\033[2m")

void xf_progress(const char *fmt, ...)
{
	va_list ap;

	if (!is_terminal() || xf_log_level < XF_LOG_INFO)
		return;
	wipe_progress();
	if (!fmt)
		return;
	fputs("xftrace: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fflush(stderr);
	progress_shown = true;
}
