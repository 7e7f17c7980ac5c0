/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * cleanup -- scope guards.
 *
 *	_cleanup_free_ char *name = NULL;
 *	_cleanup_close_ int fd = -1;
 *
 * release what they hold when the scope is left. Hand a guarded value to
 * somebody else with xf_take() (pointers) or xf_take_fd() (descriptors).
 */
#ifndef XF_CLEANUP_H
#define XF_CLEANUP_H

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static inline void xf_freep(void *p)
{
	free(*(void **)p);
}

static inline void xf_closep(int *fd)
{
	int saved = errno;

	if (*fd >= 0)
		close(*fd);
	errno = saved;
}

static inline void xf_fclosep(FILE **f)
{
	if (*f)
		fclose(*f);
}

#define _cleanup_(fn)	__attribute__((cleanup(fn)))
#define _cleanup_free_	_cleanup_(xf_freep)
#define _cleanup_close_ _cleanup_(xf_closep)
#define _cleanup_fclose_ _cleanup_(xf_fclosep)

/* Define <name>p, a guard that calls fn on a pointer variable. */
#define XF_DEFINE_CLEANUP(type, fn)                                            \
	static inline void fn##p(type *p)                                      \
	{                                                                      \
		if (*p)                                                        \
			fn(*p);                                                \
	}

/* The value of a guarded pointer, which no longer owns it. */
#define xf_take(p)                                                             \
	({                                                                     \
		__auto_type _taken = (p);                                      \
		(p) = NULL;                                                    \
		_taken;                                                        \
	})

#define xf_take_fd(fd)                                                         \
	({                                                                     \
		int _taken = (fd);                                             \
		(fd) = -1;                                                     \
		_taken;                                                        \
	})

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

#endif
