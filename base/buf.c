// SPDX-License-Identifier: GPL-2.0-only
#include "buf.h"

#include <stdio.h>
#include <stdlib.h>

void buf_deinit(struct buf *b)
{
	free(b->data);
	*b = (struct buf)BUF_INIT;
}

char *buf_grow(struct buf *b, size_t more)
{
	size_t need = b->len + more + 1;
	size_t cap = b->cap ? b->cap * 2 : 256;

	if (need < more) {
		fputs("xftrace: error: a buffer would exceed memory\n", stderr);
		abort();
	}
	if (cap < need)
		cap = need;
	b->data = realloc(b->data, cap);
	if (!b->data) {
		fprintf(stderr, "xftrace: error: out of memory (%zu bytes)\n",
			cap);
		abort();
	}
	b->cap = cap;
	return b->data + b->len;
}

char *buf_take(struct buf *b)
{
	char *s;

	buf_reserve(b, 0)[0] = '\0';
	s = b->data;
	*b = (struct buf)BUF_INIT;
	return s;
}

void buf_vprintf(struct buf *b, const char *fmt, va_list ap)
{
	va_list again;
	int n;

	va_copy(again, ap);
	n = vsnprintf(NULL, 0, fmt, ap);
	if (n > 0) {
		vsnprintf(buf_reserve(b, n), n + 1, fmt, again);
		b->len += n;
	}
	va_end(again);
}

void buf_printf(struct buf *b, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	buf_vprintf(b, fmt, ap);
	va_end(ap);
}

void buf_add_escaped(struct buf *b, const char *s, size_t len)
{
	for (size_t i = 0; i < len && s[i]; i++) {
		unsigned char c = s[i];

		if (c >= 0x20 && c < 0x7f && c != '\\')
			buf_putc(b, c);
		else
			buf_printf(b, "\\x%02x", c);
	}
}
