/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * fake_btf -- types of a kernel, made up.
 *
 *	struct fake_btf b = { 0 };
 *	uint32_t u64 = fake_btf_type(&b, "u64", INT, 0, 8);
 *
 *	fake_btf_type(&b, "list_head", STRUCT, 2, 16);
 *	fake_btf_add(&b, "next", u64, 0);
 *	fake_btf_add(&b, "prev", u64, 64);
 *	fake_btf_finish(&b, &blob);
 *
 * Numbers of types begin with 1; offsets are bits.
 */
#ifndef FAKE_BTF_H
#define FAKE_BTF_H

#include <stdint.h>
#include <string.h>

#include "buf.h"

enum { INT = 1, PTR, ARRAY, STRUCT, UNION, ENUM, FWD, TYPEDEF, CONST = 10 };

/* BTF being written. */
struct fake_btf {
	struct buf types, strings;
	uint32_t nr;
};

static inline void fake_btf_put(struct buf *b, uint32_t word)
{
	buf_add(b, &word, sizeof(word));
}

static inline uint32_t fake_btf_str(struct fake_btf *b, const char *s)
{
	uint32_t off = b->strings.len;

	if (!off) {
		buf_putc(&b->strings, 0);
		off++;
	}
	if (!*s)
		return 0;
	buf_add(&b->strings, s, strlen(s) + 1);
	return off;
}

/* What follows a type is put behind it by the caller. */
static inline uint32_t fake_btf_type(struct fake_btf *b, const char *name,
				     uint32_t kind, uint32_t vlen,
				     uint32_t size)
{
	fake_btf_put(&b->types, fake_btf_str(b, name));
	fake_btf_put(&b->types, kind << 24 | vlen);
	fake_btf_put(&b->types, size);
	if (kind == INT)
		fake_btf_put(&b->types, size * 8);
	return ++b->nr;
}

#define FLAG 0x80 /* in the kind: offsets tell of bit fields */

static inline void fake_btf_add(struct fake_btf *b, const char *name,
				uint32_t id, uint32_t bits)
{
	fake_btf_put(&b->types, fake_btf_str(b, name));
	fake_btf_put(&b->types, id);
	fake_btf_put(&b->types, bits);
}

static inline uint32_t fake_btf_array(struct fake_btf *b, uint32_t of,
				      uint32_t nr)
{
	uint32_t id = fake_btf_type(b, "", ARRAY, 0, 0);

	fake_btf_put(&b->types, of);
	fake_btf_put(&b->types, 1);
	fake_btf_put(&b->types, nr);
	return id;
}

static inline void fake_btf_finish(struct fake_btf *b, struct buf *out)
{
	const uint32_t header[] = {
		0x0001eb9f, 24, 0, b->types.len, b->types.len, b->strings.len
	};

	out->len = 0;
	buf_add(out, header, sizeof(header));
	buf_add(out, b->types.data, b->types.len);
	buf_add(out, b->strings.data, b->strings.len);
	buf_deinit(&b->types);
	buf_deinit(&b->strings);
}

#endif
