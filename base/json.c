// SPDX-License-Identifier: GPL-2.0-only
#include "json.h"

#include <inttypes.h>
#include <math.h>

static void add_string(struct buf *b, const char *s)
{
	buf_putc(b, '"');
	for (; *s; s++) {
		unsigned char c = *s;

		if (c == '"' || c == '\\')
			buf_printf(b, "\\%c", c);
		else if (c < 0x20 || c >= 0x7f)
			buf_printf(b, "\\u%04x", c);
		else
			buf_putc(b, c);
	}
	buf_putc(b, '"');
}

static void start_value(struct json *j, const char *key)
{
	if (j->comma)
		buf_putc(j->out, ',');
	j->comma = true;
	if (key) {
		add_string(j->out, key);
		buf_putc(j->out, ':');
	}
}

void json_begin(struct json *j, const char *key, char bracket)
{
	start_value(j, key);
	buf_putc(j->out, bracket);
	j->comma = false;
}

void json_end(struct json *j, char bracket)
{
	buf_putc(j->out, bracket);
	j->comma = true;
}

void json_str(struct json *j, const char *key, const char *value)
{
	start_value(j, key);
	add_string(j->out, value);
}

void json_u64(struct json *j, const char *key, uint64_t value)
{
	start_value(j, key);
	buf_printf(j->out, "%" PRIu64, value);
}

void json_i64(struct json *j, const char *key, int64_t value)
{
	start_value(j, key);
	buf_printf(j->out, "%" PRId64, value);
}

void json_bool(struct json *j, const char *key, bool value)
{
	start_value(j, key);
	buf_puts(j->out, value ? "true" : "false");
}

void json_hex(struct json *j, const char *key, uint64_t value)
{
	start_value(j, key);
	buf_printf(j->out, "\"0x%" PRIx64 "\"", value);
}

void json_fixed(struct json *j, const char *key, double value, int decimals)
{
	start_value(j, key);
	if (isfinite(value))
		buf_printf(j->out, "%.*f", decimals, value);
	else
		buf_puts(j->out, "null");
}

void json_none(struct json *j, const char *key)
{
	start_value(j, key);
	buf_puts(j->out, "null");
}
