/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * cursor -- bounds-checked reading of untrusted little-endian bytes.
 *
 * A cursor never reads outside the range it was made for. A read that does not
 * fit returns false, gives 0, and makes the cursor fail for good, so a parser
 * may check once after several reads:
 *
 *	struct cursor c = cursor_of(data, len);
 *	n = cursor_u32(&c);
 *	name = cursor_bytes(&c, n);
 *	if (c.failed)
 *		return xf_fail(err, -EBADMSG, ...);
 *
 * The bytes must not change under the cursor: copy guest memory first.
 */
#ifndef XF_CURSOR_H
#define XF_CURSOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct cursor {
	const uint8_t *p;	/* next byte; borrowed memory */
	const uint8_t *end;
	bool failed;		/* some read did not fit */
};

static inline struct cursor cursor_of(const void *data, size_t len)
{
	return (struct cursor){ data, (const uint8_t *)data + len, false };
}

static inline size_t cursor_left(const struct cursor *c)
{
	return c->end - c->p;
}

/* The next @len bytes, or NULL. */
static inline const void *cursor_bytes(struct cursor *c, size_t len)
{
	const void *p = c->p;

	if (c->failed || len > cursor_left(c)) {
		c->failed = true;
		return NULL;
	}
	c->p += len;
	return p;
}

#define CURSOR_DEFINE(type, name)                                              \
	static inline type name(struct cursor *c)                              \
	{                                                                      \
		type v = 0;                                                    \
		const void *p = cursor_bytes(c, sizeof(v));                    \
                                                                               \
		if (p)                                                         \
			memcpy(&v, p, sizeof(v));                              \
		return v;                                                      \
	}
CURSOR_DEFINE(uint8_t, cursor_u8)
CURSOR_DEFINE(uint16_t, cursor_u16)
CURSOR_DEFINE(uint32_t, cursor_u32)
CURSOR_DEFINE(uint64_t, cursor_u64)
#undef CURSOR_DEFINE

/* A string that ends with a 0 byte inside the range, or NULL. */
static inline const char *cursor_str(struct cursor *c)
{
	const uint8_t *nul =
		c->failed ? NULL : memchr(c->p, 0, cursor_left(c));

	if (!nul) {
		c->failed = true;
		return NULL;
	}
	return cursor_bytes(c, nul - c->p + 1);
}

#endif
