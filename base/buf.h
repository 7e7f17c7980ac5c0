/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * buf -- growable bytes.
 *
 * Memory is never short by surprise: an allocation that fails aborts the
 * program with a message, as there is nothing that a host tool could do about
 * a few kilobytes. Sizes that come from a guest or a file are bounded by the
 * caller before they get here.
 *
 *	_cleanup_(buf_deinit) struct buf b = BUF_INIT;
 */
#ifndef XF_BUF_H
#define XF_BUF_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct buf {
	char *data;	/* owned; a 0 follows the last byte once len > 0 */
	size_t len;	/* bytes in use */
	size_t cap;	/* bytes allocated */
};

#define BUF_INIT { NULL, 0, 0 }

void buf_deinit(struct buf *b);
/* Not for others than buf_reserve(). */
char *buf_grow(struct buf *b, size_t more);

/* Room for @more bytes behind len; returns where they begin. */
static inline char *buf_reserve(struct buf *b, size_t more)
{
	return more < b->cap - b->len ? b->data + b->len : buf_grow(b, more);
}

/* The bytes as a malloc()ed string; the buffer is empty afterwards. */
char *buf_take(struct buf *b);

static inline void buf_add(struct buf *b, const void *data, size_t len)
{
	memcpy(buf_reserve(b, len), data, len);
	b->len += len;
	b->data[b->len] = '\0';
}

static inline void buf_puts(struct buf *b, const char *s)
{
	buf_add(b, s, strlen(s));
}

static inline void buf_putc(struct buf *b, char c)
{
	buf_add(b, &c, 1);
}

void buf_printf(struct buf *b, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
void buf_vprintf(struct buf *b, const char *fmt, va_list ap);

/*
 * Text of unknown origin, up to its first 0 byte or @len, made safe for a
 * terminal, a log or a report: printable ASCII stays, all else (and the
 * backslash) becomes \xNN. Bytes above 0x7f are escaped too: what a guest
 * calls UTF-8 need not be any.
 */
void buf_add_escaped(struct buf *b, const char *s, size_t len);

#endif
