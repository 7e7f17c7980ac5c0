// SPDX-License-Identifier: GPL-2.0-only
#include "btf.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "cursor.h"

#define MAGIC	0xeb9f
#define HEADER	24u	/* bytes of it that we know */

/* Structures without a name inside of such ones, arrays of arrays. */
#define MAX_DEPTH 16
/* Bytes of a name that its hash is of: names may overlap, and be long. */
#define HASHED 64
/* Members and types looked at for one answer; kernels want some hundreds. */
#define MAX_STEPS (1u << 16)

enum kind {
	INT = 1,
	PTR,
	ARRAY,
	STRUCT,
	UNION,
	ENUM,
	FWD,
	TYPEDEF,
	VOLATILE,
	CONST,
	RESTRICT,
	FUNC,
	FUNC_PROTO,
	VAR,
	DATASEC,
	FLOAT,
	DECL_TAG,
	TYPE_TAG,
	ENUM64,
	NR_KINDS,
};

/* What follows the three words of a type: bytes once, and for each of vlen. */
static const struct {
	uint8_t once, each;
} extra[NR_KINDS] = {
	[INT] = { 4, 0 },     [ARRAY] = { 12, 0 },   [STRUCT] = { 0, 12 },
	[UNION] = { 0, 12 },  [ENUM] = { 0, 8 },     [FUNC_PROTO] = { 0, 8 },
	[VAR] = { 4, 0 },     [DATASEC] = { 0, 12 }, [DECL_TAG] = { 4, 0 },
	[ENUM64] = { 0, 12 },
};

struct type {
	uint32_t name;		/* offset of a string */
	enum kind kind;
	bool flag;		/* struct: offsets tell of bit fields */
	uint16_t vlen;
	uint32_t size;		/* bytes; for many kinds a type instead */
	const uint8_t *more;	/* what follows */
};

static uint32_t word(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static struct type decode(const uint8_t *p)
{
	uint32_t info = word(p + 4);

	return (struct type){
		.name = word(p),
		.kind = info >> 24 & 31,
		.flag = info >> 31,
		.vlen = info & 0xffff,
		.size = word(p + 8),
		.more = p + 12,
	};
}

static bool is_struct(const struct type *t)
{
	return t->kind == STRUCT || t->kind == UNION;
}

static uint32_t hash_of(const char *name)
{
	uint32_t h = 0;

	for (size_t i = 0; i < HASHED && name[i]; i++)
		h = h * 31 + (uint8_t)name[i];
	return h % BTF_HASHES;
}

/* Those of one hash in the order of their numbers. */
static void index_names(struct btf *b)
{
	for (uint32_t id = b->nr; id; id--) {
		struct type t = decode(b->types + b->at[id - 1]);
		uint32_t *first;

		if (!is_struct(&t) || t.name >= b->strings_len)
			continue;
		first = &b->first[hash_of(b->strings + t.name)];
		b->next[id - 1] = *first;
		*first = id;
	}
}

static int index_types(struct btf *b, size_t len, struct xf_err *err)
{
	struct cursor c = cursor_of(b->types, len);

	b->at = malloc((len / 12 + 1) * sizeof(*b->at));
	b->next = malloc((len / 12 + 1) * sizeof(*b->next));
	if (!b->at || !b->next)
		return xf_fail(err, -ENOMEM, "out of memory");
	for (; cursor_left(&c); b->nr++) {
		const uint8_t *p = cursor_bytes(&c, 12);
		struct type t;

		if (p) {
			t = decode(p);
			if (t.kind < INT || t.kind >= NR_KINDS)
				return xf_fail(err, -EBADMSG,
					       "BTF: type %u is of unknown "
					       "kind %u",
					       b->nr + 1, t.kind);
			cursor_bytes(&c, extra[t.kind].once +
						 extra[t.kind].each * t.vlen);
		}
		if (c.failed)
			return xf_fail(err, -EBADMSG,
				       "BTF: type %u is cut off", b->nr + 1);
		b->at[b->nr] = p - b->types;
	}
	return 0;
}

int btf_open(struct btf *b, const void *blob, size_t len, struct xf_err *err)
{
	struct cursor c = cursor_of(blob, len);
	uint16_t magic = cursor_u16(&c);
	uint8_t version = cursor_u8(&c);
	uint32_t header, types, types_len, strings, strings_len;
	struct btf new = BTF_INIT;
	int rc;

	cursor_u8(&c); /* flags: there are none */
	header = cursor_u32(&c);
	types = cursor_u32(&c);
	types_len = cursor_u32(&c);
	strings = cursor_u32(&c);
	strings_len = cursor_u32(&c);
	if (c.failed || magic != MAGIC)
		return xf_fail(err, -EBADMSG, "BTF: no such header");
	if (version != 1)
		return xf_fail(err, -EBADMSG, "BTF: version %u", version);
	if (len > BTF_MAX || header < HEADER || header > len)
		return xf_fail(err, -EBADMSG, "BTF: impossible size");
	len -= header;
	if (types > len || types_len > len - types || strings > len ||
	    strings_len > len - strings || !strings_len)
		return xf_fail(err, -EBADMSG,
			       "BTF: types or strings lie outside");
	new.types = (const uint8_t *)blob + header + types;
	new.strings = (const char *)blob + header + strings;
	new.strings_len = strings_len;
	if (new.strings[strings_len - 1])
		return xf_fail(err, -EBADMSG, "BTF: strings do not end");
	rc = index_types(&new, types_len, err);
	if (rc) {
		btf_close(&new);
		return rc;
	}
	index_names(&new);
	*b = new;
	return 0;
}

void btf_close(struct btf *b)
{
	free(b->at);
	free(b->next);
	*b = (struct btf)BTF_INIT;
}

/* One question, and what has been spent on it. */
struct search {
	const struct btf *b;
	unsigned int steps;
	struct xf_err *err;
};

static int step(struct search *s)
{
	if (s->steps++ < MAX_STEPS)
		return 0;
	return xf_fail(s->err, -EBADMSG, "BTF: types go round in circles");
}

static int get(struct search *s, uint32_t id, struct type *t)
{
	if (!id || id > s->b->nr)
		return xf_fail(s->err, -EBADMSG, "BTF: there is no type %u",
			       id);
	*t = decode(s->b->types + s->b->at[id - 1]);
	return step(s);
}

/* The same without typedefs and qualifiers before it. */
static int get_bare(struct search *s, uint32_t id, struct type *t)
{
	int rc = get(s, id, t);

	while (!rc && (t->kind == TYPEDEF || t->kind == VOLATILE ||
		       t->kind == CONST || t->kind == RESTRICT ||
		       t->kind == TYPE_TAG))
		rc = get(s, t->size, t);
	return rc;
}

static bool is_named(const struct btf *b, uint32_t off, const char *name,
		     size_t len)
{
	/* A string that is shorter ends before what is compared does. */
	return off < b->strings_len && !strncmp(b->strings + off, name, len) &&
	       !b->strings[off + len];
}

static int get_size(struct search *s, uint32_t id, uint64_t *ret)
{
	uint64_t count = 1;
	struct type t;
	int rc;

	for (int depth = 0; depth < MAX_DEPTH; depth++) {
		rc = get_bare(s, id, &t);
		if (rc)
			return rc;
		switch (t.kind) {
		case INT:
		case STRUCT:
		case UNION:
		case ENUM:
		case FLOAT:
		case ENUM64:
			*ret = count * t.size;
			return 0;
		case PTR:
			*ret = count * 8;
			return 0;
		case ARRAY:
			id = word(t.more);
			count *= word(t.more + 8);
			if (count <= UINT32_MAX)
				continue;
			/* fallthrough */
		default:
			return xf_fail(s->err, -EBADMSG,
				       "BTF: type %u has no size", id);
		}
	}
	return xf_fail(s->err, -EBADMSG, "BTF: arrays without end");
}

/* Where a member is in a structure: bits, as BTF counts them. */
struct spot {
	uint64_t off;
	uint32_t bits;	/* of a bit field, 0: none */
	uint32_t type;
};

/* -ENOENT, without a sentence: not there. */
static int find_member(struct search *s, const struct type *t, const char *name,
		       size_t len, int depth, struct spot *ret)
{
	for (uint32_t i = 0; i < t->vlen; i++) {
		const uint8_t *p = t->more + 12 * i;
		uint32_t off = word(p + 8);
		struct type inner;
		int rc = step(s);

		if (rc)
			return rc;
		*ret = (struct spot){
			.off = t->flag ? off & 0xffffff : off,
			.bits = t->flag ? off >> 24 : 0,
			.type = word(p + 4),
		};
		if (is_named(s->b, word(p), name, len))
			return 0;
		if (!is_named(s->b, word(p), "", 0) || ret->bits)
			continue;
		rc = get_bare(s, ret->type, &inner);
		if (!rc && is_struct(&inner) && depth < MAX_DEPTH) {
			uint64_t outer = ret->off;

			rc = find_member(s, &inner, name, len, depth + 1, ret);
			ret->off += outer;
			if (rc != -ENOENT)
				return rc;
		} else if (rc) {
			return rc;
		}
	}
	return -ENOENT;
}

/* From bits to bytes; it must lie in the @size bytes of the structure. */
static int measure(struct search *s, const struct spot *at, uint32_t size,
		   struct btf_member *ret)
{
	uint64_t off = at->off / 8, len = 0;
	unsigned int bit = at->off % 8;
	int rc = 0;

	if (at->bits)
		len = (bit + at->bits + 7) / 8;
	else
		rc = get_size(s, at->type, &len);
	if (rc)
		return rc;
	if ((bit && !at->bits) || !len || off > size || len > size - off)
		return xf_fail(s->err, -EBADMSG,
			       "BTF: a member that is not in its structure");
	*ret = (struct btf_member){ .off = off, .size = len };
	if (at->bits) {
		ret->bit = bit;
		ret->bits = at->bits;
	}
	return 0;
}

/* All of a dotted path in one of the structures. */
static int find_path(struct search *s, const struct type *outer,
		     const char *path, struct btf_member *ret)
{
	struct type t = *outer;
	uint64_t base = 0;

	for (;;) {
		size_t len = strcspn(path, ".");
		struct spot at;
		int rc = -ENOENT;

		if (len)
			rc = find_member(s, &t, path, len, 0, &at);
		if (rc)
			return rc;
		at.off += base;
		path += len;
		if (!*path)
			return measure(s, &at, outer->size, ret);
		path++;
		base = at.off;
		rc = get_bare(s, at.type, &t);
		if (rc)
			return rc;
		if (!is_struct(&t) || at.bits)
			return -ENOENT;
	}
}

/* The next structure of this name behind type *@id; false: no more. */
static bool next_struct(const struct btf *b, const char *name, uint32_t *id,
			struct type *t)
{
	size_t len = strlen(name);
	uint32_t next = *id ? b->next[*id - 1] : b->first[hash_of(name)];

	for (; next; next = b->next[next - 1]) {
		*id = next;
		*t = decode(b->types + b->at[next - 1]);
		if (is_named(b, t->name, name, len))
			return true;
	}
	return false;
}

int btf_member(const struct btf *b, const char *type, const char *path,
	       struct btf_member *ret, struct xf_err *err)
{
	struct search s = { .b = b, .err = err };
	struct btf_member first;
	bool seen = false, found = false;
	uint32_t id = 0;
	struct type t;

	while (next_struct(b, type, &id, &t)) {
		struct btf_member m = { 0 };
		int rc = find_path(&s, &t, path, &m);

		seen = true;
		if (rc == -ENOENT)
			continue;
		if (rc)
			return rc;
		if (found && (m.off != first.off || m.size != first.size ||
			      m.bit != first.bit || m.bits != first.bits))
			return xf_fail(err, -ENOTUNIQ,
				       "BTF: struct %s: several, with %s at "
				       "different places", type, path);
		first = m;
		found = true;
	}
	if (!seen)
		return xf_fail(err, -ENOENT, "this kernel has no struct %s",
			       type);
	if (!found)
		return xf_fail(err, -ENOENT,
			       "this kernel has no %s in struct %s", path,
			       type);
	*ret = first;
	return 0;
}

int btf_sizeof(const struct btf *b, const char *type, uint32_t *ret,
	       struct xf_err *err)
{
	uint32_t id = 0;
	struct type t;

	if (!next_struct(b, type, &id, &t))
		return xf_fail(err, -ENOENT, "this kernel has no struct %s",
			       type);
	*ret = t.size;
	return 0;
}

int btf_enumerator(const struct btf *b, const char *name, int32_t *ret,
		   struct xf_err *err)
{
	size_t len = strlen(name);

	for (uint32_t id = 0; id < b->nr; id++) {
		struct type t = decode(b->types + b->at[id]);

		if (t.kind != ENUM)
			continue;
		for (uint32_t i = 0; i < t.vlen; i++) {
			if (!is_named(b, word(t.more + 8 * i), name, len))
				continue;
			*ret = word(t.more + 8 * i + 4);
			return 0;
		}
	}
	return xf_fail(err, -ENOENT, "this kernel has no enumerator %s", name);
}
