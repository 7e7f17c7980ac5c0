/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * result -- where ftrace keeps what a traced function returned.
 *
 * A traced function returns into the kernel's return_to_handler
 * (arch/x86/kernel/ftrace_64.S), which saves RAX on the stack before it calls
 * the tracers, in a frame that every kernel version lays out anew. Most kernels
 * do not hand it on (FUNCTION_GRAPH_RETVAL is off in Debian's), so the place is
 * read from the code itself.
 */
#ifndef XF_RESULT_H
#define XF_RESULT_H

#include <stddef.h>
#include <stdint.h>

#include "err.h"

#define RESULT_CODE 64	/* bytes of return_to_handler that are enough */

/*
 * *@ret_off: bytes from the stack slot that held the return address to the
 * saved RAX; negative. -ENOTSUP: the code is not of the kind that we know.
 */
int result_find(const void *code, size_t len, int32_t *ret_off,
		struct xf_err *err);

#endif
