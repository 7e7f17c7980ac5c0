// SPDX-License-Identifier: GPL-2.0-only
#include "symtab_kallsyms.h"

#include <ctype.h>
#include <errno.h>

#include "cursor.h"
#include "unaligned.h"

#define NAMES_MAX   (16u << 20) /* bytes of a table; real ones take 4 MiB */
#define IMAGE_STEPS (1u << 26)	/* names walked while looking */
#define MARKER_STEP 256u	/* names between two markers */

static uint16_t u16_at(const uint8_t *p)
{
	uint16_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static size_t align8(size_t n)
{
	return (n + 7) & ~(size_t)7;
}

struct tokens {
	const char *str[KALLSYMS_TOKENS];
	size_t len[KALLSYMS_TOKENS];
};

static int tokens_init(struct tokens *t, const struct kallsyms *k,
		       struct xf_err *err)
{
	const uint8_t *index = k->token_index;

	if (k->token_index_len < KALLSYMS_TOKENS * 2)
		return xf_fail(err, -EBADMSG, "kallsyms: token index cut off");
	for (unsigned int i = 0; i < KALLSYMS_TOKENS; i++) {
		size_t off = u16_at(index + i * 2);
		struct cursor c = cursor_of(k->token_table, k->token_table_len);
		const char *s;

		cursor_bytes(&c, off);
		s = cursor_str(&c);
		if (!s)
			return xf_fail(err, -EBADMSG,
				       "kallsyms: token %u lies outside its "
				       "table",
				       i);
		t->str[i] = s;
		t->len[i] = (const char *)c.p - 1 - s;
		if (t->len[i] > SYMTAB_NAME_MAX)
			return xf_fail(err, -EBADMSG,
				       "kallsyms: token %u is longer than any "
				       "name",
				       i);
	}
	return 0;
}

/*
 * The compressed bytes of the next name. Their number takes one byte, or two
 * since 6.1, where the top bit of the first says so. No name is longer than
 * 127 tokens in older kernels, so the top bit was free.
 */
static const uint8_t *next_name(struct cursor *c, size_t *ret_len)
{
	size_t len = cursor_u8(c);

	if (len & 0x80)
		len = (len & 0x7f) | (size_t)cursor_u8(c) << 7;
	*ret_len = len;
	return cursor_bytes(c, len);
}

/* Expand to type letter and name; returns the length, 0 when impossible. */
static size_t expand(const struct tokens *t, const uint8_t *bytes, size_t nr,
		     char dst[SYMTAB_NAME_MAX + 1])
{
	size_t len = 0;

	for (size_t i = 0; i < nr; i++) {
		size_t n = t->len[bytes[i]];

		if (n > SYMTAB_NAME_MAX + 1 - len)
			return 0;
		memcpy(dst + len, t->str[bytes[i]], n);
		len += n;
	}
	return len < 2 ? 0 : len;
}

/*
 * With CONFIG_KALLSYMS_ABSOLUTE_PERCPU (x86-64 SMP up to 6.14) an offset of 0
 * or more is an absolute value, and -1 - n stands for base + n; without it all
 * are unsigned and relative to the base. No kernel spans 2 GiB, so the last,
 * which is the highest, tells which.
 */
static bool is_absolute_percpu(const struct kallsyms *k)
{
	return get_u32((const uint8_t *)k->offsets + (k->nr - 1) * (size_t)4) >>
	       31;
}

static uint64_t address(const struct kallsyms *k, bool absolute_percpu,
			size_t i)
{
	uint32_t off = get_u32((const uint8_t *)k->offsets + i * 4);

	if (!absolute_percpu)
		return k->relative_base + off;
	if (!(off & 0x80000000))
		return off;
	return k->relative_base + (uint32_t)~off;
}

int symtab_load_kallsyms(struct symtab *st, const struct kallsyms *k,
			 struct xf_err *err)
{
	struct cursor c = cursor_of(k->names, k->names_len);
	size_t nr = st->nr, names_start = st->names.len;
	bool absolute_percpu;
	struct tokens tokens;
	int rc;

	if (!k->nr || k->nr > SYMTAB_MAX)
		return xf_fail(err, -EFBIG, "kallsyms: %u symbols", k->nr);
	if (k->offsets_len / 4 < k->nr)
		return xf_fail(err, -EBADMSG,
			       "kallsyms: %u symbols, but offsets for %zu",
			       k->nr, k->offsets_len / 4);
	rc = tokens_init(&tokens, k, err);
	if (rc)
		return rc;
	absolute_percpu = is_absolute_percpu(k);
	for (uint32_t i = 0; i < k->nr; i++) {
		char name[SYMTAB_NAME_MAX + 1];
		size_t packed, len = 0;
		const uint8_t *bytes = next_name(&c, &packed);

		if (bytes)
			len = expand(&tokens, bytes, packed, name);
		if (!len) {
			rc = xf_fail(err, -EBADMSG,
				     "kallsyms: name of symbol %u of %u is %s",
				     i, k->nr,
				     bytes ? "impossible" : "cut off");
			goto undo;
		}
		if (st->names.len - names_start > NAMES_MAX ||
		    !symtab_add(st, address(k, absolute_percpu, i), 0, name[0],
				name + 1, len - 1, NULL)) {
			rc = xf_fail(err, -EFBIG,
				     "kallsyms: too large at symbol %u of %u",
				     i, k->nr);
			goto undo;
		}
	}
	symtab_seal(st);
	return 0;
undo:
	symtab_truncate(st, nr);
	return rc;
}

/*
 * The rest finds the tables in an image. What is certain: every digit is a
 * token of itself, so "0" to "9" lie in a row in the token table; the token
 * index says where each token lies; the markers say where every 256th name
 * lies; addresses ascend. Each table begins at a multiple of 8.
 */

/* See whether "0" at @zero is in a token table, and where that begins. */
static bool find_tokens(const uint8_t *image, size_t len, size_t zero,
			struct kallsyms *k)
{
	struct cursor c = cursor_of(image + zero, len - zero);
	const uint8_t *index;
	size_t start;

	for (unsigned int i = '0'; i < KALLSYMS_TOKENS; i++)
		cursor_str(&c);
	cursor_bytes(&c, -(size_t)(c.p - image) % 8);
	index = cursor_bytes(&c, KALLSYMS_TOKENS * 2);
	if (!index || u16_at(index + '0' * 2) > zero)
		return false;
	start = zero - u16_at(index + '0' * 2);
	if (start % 8)
		return false;
	c = cursor_of(image + start, len - start);
	for (unsigned int i = 0; i < KALLSYMS_TOKENS; i++) {
		if (c.p != image + start + u16_at(index + i * 2))
			return false;
		cursor_str(&c);
	}
	k->token_table = (const char *)image + start;
	k->token_table_len = index - (image + start);
	k->token_index = index;
	k->token_index_len = KALLSYMS_TOKENS * 2;
	return true;
}

/* Walk the names from @c on; true when the markers behind them say the same. */
static bool check_names(struct cursor c, struct kallsyms *k, size_t *steps)
{
	const uint8_t *start = c.p, *markers;
	uint32_t want[SYMTAB_MAX / MARKER_STEP];
	size_t nr = 0;

	for (uint32_t i = 0; i < k->nr; i++) {
		size_t packed;

		if (i % MARKER_STEP == 0)
			want[nr++] = c.p - start;
		if (!next_name(&c, &packed) || !packed || !--*steps)
			return false;
	}
	k->names = start;
	k->names_len = c.p - start;
	/* The start is a multiple of 8, in the image. */
	cursor_bytes(&c, -k->names_len % 8);
	markers = cursor_bytes(&c, nr * sizeof(*want));
	return markers && !memcmp(markers, want, nr * sizeof(*want));
}

/* A type letter, then what a name can begin with. */
static bool plausible_name(struct cursor c, const struct tokens *t)
{
	char name[SYMTAB_NAME_MAX + 1];
	size_t packed;
	const uint8_t *bytes = next_name(&c, &packed);

	return bytes && expand(t, bytes, packed, name) &&
	       isalpha((unsigned char)name[0]) &&
	       (isalpha((unsigned char)name[1]) || name[1] == '_');
}

/*
 * Names lie somewhere before the token table, and their number right before
 * them. Returns where the number is, or NULL.
 */
static const uint8_t *find_names(const uint8_t *image, const struct tokens *t,
				 struct kallsyms *k)
{
	const uint8_t *end = (const uint8_t *)k->token_table;
	size_t steps = IMAGE_STEPS;

	for (const uint8_t *p = end; p - image >= 8 && steps; p -= 8) {
		struct cursor c = cursor_of(p, end - p);

		/* Fewer could be anything, and no kernel has so few. */
		k->nr = get_u32(p - 8);
		if (k->nr <= MARKER_STEP || k->nr > SYMTAB_MAX || get_u32(p - 4))
			continue;
		if (plausible_name(c, t) && check_names(c, k, &steps))
			return p - 8;
	}
	return NULL;
}

/* Try offsets at @off (relative to the image), with their base at @base. */
static bool check_offsets(const uint8_t *image, size_t len, size_t off,
			  size_t base, struct kallsyms *k)
{
	bool absolute_percpu;
	uint64_t last = 0;

	if (off > len || len - off < (size_t)k->nr * 4 || base > len ||
	    len - base < 8)
		return false;
	k->offsets = image + off;
	k->offsets_len = (size_t)k->nr * 4;
	k->relative_base = get_u64(image + base);
	if (k->relative_base < SYMTAB_KERNEL_BASE || k->relative_base % 4096)
		return false;
	absolute_percpu = is_absolute_percpu(k);
	for (uint32_t i = 0; i < k->nr; i++) {
		uint64_t addr = address(k, absolute_percpu, i);

		if (addr < last)
			return false;
		last = addr;
	}
	return true;
}

/* The tables around the digits at @zero, in either order. */
static bool find_tables(const uint8_t *image, size_t len, size_t zero,
			struct kallsyms *k)
{
	const uint8_t *number;
	struct tokens tokens;
	size_t at, size;

	if (!find_tokens(image, len, zero, k) || tokens_init(&tokens, k, NULL))
		return false;
	number = find_names(image, &tokens, k);
	if (!number)
		return false;
	at = (const uint8_t *)k->token_index - image + k->token_index_len;
	size = align8((size_t)k->nr * 4);
	if (check_offsets(image, len, at, at + size, k))
		return true;
	at = number - image;
	return at >= 8 + size &&
	       check_offsets(image, len, at - 8 - size, at - 8, k);
}

int symtab_load_kallsyms_image(struct symtab *st, const void *image, size_t len,
			       struct xf_err *err)
{
	static const char digits[] =
		"0\0001\0002\0003\0004\0005\0006\0007\0008\0009";
	const uint8_t *data = image, *p = data;
	bool tokens_seen = false;

	while ((p = memmem(p, data + len - p, digits, sizeof(digits)))) {
		struct kallsyms k = {0};

		if (find_tables(data, len, p - data, &k))
			return symtab_load_kallsyms(st, &k, err);
		tokens_seen |= k.token_table != NULL;
		p++;
	}
	if (tokens_seen)
		return xf_fail(err, -ENODATA,
			       "its kallsyms tables are damaged, or laid out "
			       "as in no kernel that is known here");
	return xf_fail(err, -ENODATA,
		       "no symbols: neither a .symtab nor kallsyms tables");
}
