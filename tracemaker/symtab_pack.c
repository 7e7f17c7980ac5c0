// SPDX-License-Identifier: GPL-2.0-only
/*
 * The form in which a trace carries its symbols:
 *
 *	u32 magic, u8 version, u8 source, i64 slide
 *	u8 length of the build id, build id, banner with a 0 byte
 *	ULEB128 number of functions, and for each of them
 *		ULEB128 address less the one before, ULEB128 size, u8 type
 *		u8 owner (enum owner), for NEW_MODULE its name with a 0 byte
 *		name with a 0 byte
 *
 * Little-endian. Functions are in order of address, so that reading them needs
 * no sorting.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "cursor.h"
#include "symtab.h"

#define MAGIC	0x59535458u /* "XTSY" */
#define VERSION 1

enum owner {
	KERNEL,
	SAME_MODULE, /* as the last function that belonged to a module */
	NEW_MODULE,
};

static void put_fixed(struct buf *b, uint64_t v, unsigned int bytes)
{
	for (; bytes; bytes--, v >>= 8)
		buf_putc(b, (char)v);
}

static void put(struct buf *b, uint64_t v)
{
	for (; v >= 0x80; v >>= 7)
		buf_putc(b, (char)(v | 0x80));
	buf_putc(b, (char)v);
}

static uint64_t get(struct cursor *c)
{
	uint64_t v = 0;

	for (unsigned int shift = 0; shift < 64; shift += 7) {
		uint8_t byte = cursor_u8(c);

		v |= (uint64_t)(byte & 0x7f) << shift;
		if (!(byte & 0x80))
			return v;
	}
	c->failed = true;
	return 0;
}

static void put_str(struct buf *b, const char *s)
{
	buf_add(b, s, strlen(s) + 1);
}

/* The unlikely part of a function calls others. */
static bool is_cold(const struct sym *s)
{
	size_t len = strlen(s->name);

	return symtab_is_text(s->type) && s->size && len > 5 &&
	       !strcmp(s->name + len - 5, ".cold");
}

static bool is_wanted(const struct sym *s, unsigned int parts)
{
	return (symtab_is_function(s) || is_cold(s)) &&
	       parts & (s->module ? SYMTAB_MODULES : SYMTAB_KERNEL);
}

void symtab_pack(const struct symtab *st, unsigned int parts, struct buf *out)
{
	const char *module = NULL;
	uint64_t last = 0, nr = 0;
	uint32_t pos = 0;
	struct sym s;

	put_fixed(out, MAGIC, 4);
	put_fixed(out, VERSION, 1);
	put_fixed(out, st->source, 1);
	put_fixed(out, st->slide, 8);
	put_fixed(out, st->build_id_len, 1);
	buf_add(out, st->build_id, st->build_id_len);
	put_str(out, st->banner);

	while (symtab_each(st, &pos, &s))
		nr += is_wanted(&s, parts);
	put(out, nr);
	for (pos = 0; symtab_each(st, &pos, &s);) {
		if (!is_wanted(&s, parts))
			continue;
		put(out, s.addr - last);
		put(out, s.size);
		buf_putc(out, s.type);
		if (!s.module) {
			buf_putc(out, KERNEL);
		} else if (s.module == module) {
			buf_putc(out, SAME_MODULE);
		} else {
			buf_putc(out, NEW_MODULE);
			put_str(out, s.module);
			module = s.module;
		}
		put_str(out, s.name);
		last = s.addr;
	}
}

/* One function. False when it makes no sense; c->failed when it is cut off. */
static bool unpack_function(struct symtab *st, struct cursor *c, uint64_t *addr,
			    const char **module)
{
	uint64_t size;
	uint8_t type, owner;
	const char *name;

	*addr += get(c);
	size = get(c);
	type = cursor_u8(c);
	owner = cursor_u8(c);
	if (owner == NEW_MODULE)
		*module = cursor_str(c);
	name = cursor_str(c);
	if (c->failed || !symtab_is_text(type) || owner > NEW_MODULE ||
	    (owner == SAME_MODULE && !*module))
		return false;
	return symtab_add(st, *addr, size, type, name, strlen(name),
			  owner == KERNEL ? NULL : *module);
}

/* The facts at the beginning. */
struct head {
	uint8_t source, id_len;
	int64_t slide;
	const void *id;
	const char *banner;
	uint64_t nr;		/* functions that follow */
};

static int unpack_head(struct cursor *c, struct head *h, struct xf_err *err)
{
	uint8_t version;

	if (cursor_u32(c) != MAGIC)
		return xf_fail(err, -EBADMSG, "symbols: no symbols here");
	version = cursor_u8(c);
	if (version != VERSION)
		return xf_fail(err, -EPROTONOSUPPORT,
			       "symbols: format %u, this program knows %u",
			       version, VERSION);
	h->source = cursor_u8(c);
	h->slide = (int64_t)cursor_u64(c);
	h->id_len = cursor_u8(c);
	h->id = cursor_bytes(c, h->id_len);
	h->banner = cursor_str(c);
	h->nr = get(c);
	if (c->failed || h->source > SYMTAB_GUEST || h->id_len > 20 ||
	    h->nr > SYMTAB_MAX)
		return xf_fail(err, -EBADMSG, "symbols: damaged at the start");
	return 0;
}

static int unpack_functions(struct symtab *st, struct cursor *c, uint64_t nr,
			    struct xf_err *err)
{
	const char *module = NULL;
	uint64_t addr = 0;

	for (uint64_t i = 0; i < nr; i++)
		if (!unpack_function(st, c, &addr, &module))
			return xf_fail(err, -EBADMSG,
				       "symbols: damaged at function %" PRIu64
				       " of %" PRIu64 "%s",
				       i + 1, nr, c->failed ? " (cut off)" : "");
	if (cursor_left(c))
		return xf_fail(err, -EBADMSG,
			       "symbols: %zu bytes too many behind the last",
			       cursor_left(c));
	return 0;
}

int symtab_unpack(const void *data, size_t len, struct symtab **ret,
		  struct xf_err *err)
{
	_cleanup_(symtab_destroyp) struct symtab *st = symtab_create();
	struct cursor c = cursor_of(data, len);
	struct head h;
	int rc = unpack_head(&c, &h, err);

	if (rc)
		return rc;
	st->source = h.source;
	st->slide = h.slide;
	symtab_set_build_id(st, h.id, h.id_len);
	symtab_set_banner(st, h.banner, strlen(h.banner));
	rc = unpack_functions(st, &c, h.nr, err);
	if (rc)
		return rc;
	symtab_seal(st);
	*ret = xf_take(st);
	return 0;
}

int symtab_unpack_more(struct symtab *st, const void *data, size_t len,
		       struct xf_err *err)
{
	struct cursor c = cursor_of(data, len);
	int64_t slide = st->slide;
	size_t nr = st->nr;
	struct head h;
	int rc = unpack_head(&c, &h, err);

	if (rc)
		return rc;
	symtab_slide(st, h.slide);
	rc = unpack_functions(st, &c, h.nr, err);
	if (rc) {
		symtab_truncate(st, nr);
		symtab_slide(st, slide);
	}
	symtab_seal(st);
	return rc;
}
