/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * json -- writes a stream of small values into a buf.
 *
 * It owns commas, quotes and brackets, and nothing else: values and parsing
 * are jansson's. Use it where output is long (one object a call) and a tree in
 * memory would be waste. Strings are escaped byte by byte; bytes that are no
 * ASCII become \u00NN, so the output is valid whatever a guest wrote.
 *
 *	struct json j = { .out = &b };
 *	json_begin(&j, NULL, '{');
 *	json_str(&j, "name", "vfs_read");
 *	json_u64(&j, "calls", 3);
 *	json_end(&j, '}');
 *
 * @key is NULL inside an array and at the top.
 */
#ifndef XF_JSON_H
#define XF_JSON_H

#include <stdbool.h>
#include <stdint.h>

#include "buf.h"

struct json {
	struct buf *out;	/* borrowed */
	bool comma;		/* a value stands before at this level */
};

void json_begin(struct json *j, const char *key, char bracket);
void json_end(struct json *j, char bracket);
void json_str(struct json *j, const char *key, const char *value);
void json_u64(struct json *j, const char *key, uint64_t value);
void json_i64(struct json *j, const char *key, int64_t value);
void json_bool(struct json *j, const char *key, bool value);
/* "0x..." : JSON numbers lose bits above 2^53, addresses are strings. */
void json_hex(struct json *j, const char *key, uint64_t value);
void json_fixed(struct json *j, const char *key, double value, int decimals);
void json_none(struct json *j, const char *key);

#endif
