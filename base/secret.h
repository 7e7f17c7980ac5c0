/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * secret -- memory for keys: not swapped out, not in a core file, wiped.
 *
 * Locked as far as RLIMIT_MEMLOCK goes; the rest holds whatever the limit is.
 */
#ifndef XF_SECRET_H
#define XF_SECRET_H

#include <stddef.h>

/*
 * Memory of @new_len bytes that begins with the @len bytes of @p, which is
 * wiped and gone; NULL and 0 at first. NULL: there is no memory, and @p is as
 * it was.
 */
void *secret_grow(void *p, size_t len, size_t new_len);
/* @len is what it was made with. NULL is fine. */
void secret_free(void *p, size_t len);

#endif
