// SPDX-License-Identifier: GPL-2.0-only
#include "tepclean.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "cleanup.h"

enum token { END, ITEM, STRING, CHAR, OP };

struct span {
	const char *p;
	size_t len;
};

struct field {
	struct span name;
	uint32_t off, size;
	bool common, dynamic;
};

struct clean {
	const char *p, *end;
	struct buf *out;
	struct xf_err *err;
	struct field fields[TEPCLEAN_FIELDS_MAX];
	uint32_t nr_fields;

	/* The token at hand, for the arguments of print fmt. */
	enum token token;
	struct span text; /* of an item; of a string without its quotes */
	char op[3];
	uint32_t depth, nodes;
};

/* What is known of an expression. */
struct value {
	enum { CONSTANT, WORD, VARIABLE, TEXT } kind;
	uint64_t v; /* of a constant */
};

#define BAD(c, ...) xf_fail((c)->err, -EBADMSG, __VA_ARGS__)

static bool is_word(char ch)
{
	return isalnum((unsigned char)ch) || ch == '_';
}

static bool span_is(struct span s, const char *word)
{
	return s.len == strlen(word) && !memcmp(s.p, word, s.len);
}

static struct span take_word(struct clean *c)
{
	struct span s = { c->p, 0 };

	while (c->p < c->end && is_word(*c->p))
		c->p++;
	s.len = c->p - s.p;
	return s;
}

static bool take(struct clean *c, const char *word)
{
	size_t len = strlen(word);

	if ((size_t)(c->end - c->p) < len || memcmp(c->p, word, len))
		return false;
	c->p += len;
	return true;
}

static bool take_number(struct clean *c, uint32_t max, uint32_t *ret)
{
	uint64_t v = 0;
	const char *start = c->p;

	while (c->p < c->end && isdigit((unsigned char)*c->p) && v <= max)
		v = v * 10 + (*c->p++ - '0');
	*ret = v;
	return c->p > start && v <= max;
}

static const struct field *find_field(const struct clean *c, struct span name)
{
	for (uint32_t i = 0; i < c->nr_fields; i++) {
		const struct field *f = &c->fields[i];

		if (f->name.len == name.len &&
		    !memcmp(f->name.p, name.p, name.len))
			return f;
	}
	return NULL;
}

/* By a type's last word: 0 if it is not known. */
static uint32_t type_bytes(struct span type)
{
	static const struct {
		const char *name;
		uint32_t bytes;
	} types[] = {
		{ "u8", 1 },	   { "s8", 1 },	      { "__u8", 1 },
		{ "__s8", 1 },	   { "char", 1 },     { "bool", 1 },
		{ "u16", 2 },	   { "s16", 2 },      { "__u16", 2 },
		{ "__s16", 2 },	   { "short", 2 },    { "u32", 4 },
		{ "s32", 4 },	   { "__u32", 4 },    { "__s32", 4 },
		{ "int", 4 },	   { "u64", 8 },      { "s64", 8 },
		{ "__u64", 8 },	   { "__s64", 8 },    { "long", 8 },
		{ "size_t", 8 },   { "uint32_t", 4 }, { "uint8_t", 1 },
		{ "uint16_t", 2 }, { "uint64_t", 8 }, { "unsigned", 4 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(types); i++)
		if (span_is(type, types[i].name))
			return types[i].bytes;
	return 0;
}

/* ---- Fields ---- */

/*
 * A declaration in one of the shapes that libtraceevent knows:
 *	unsigned long ip; char comm[16]; __data_loc char[] name;
 */
struct decl {
	struct span words[12];
	uint32_t nr_words;
	uint32_t stars; /* behind the type's words */
	struct span name;
	struct span count; /* between the brackets */
	bool array, dynamic;
};

static void skip_spaces(struct clean *c)
{
	while (c->p < c->end && (*c->p == ' ' || *c->p == '\t'))
		c->p++;
}

/* What a compiler adds for sparse: __attribute__((...)), to be left out. */
static bool skip_attribute(struct clean *c, const struct decl *d)
{
	int depth = 0;

	if (!d->nr_words ||
	    !span_is(d->words[d->nr_words - 1], "__attribute__"))
		return false;
	for (; c->p < c->end && *c->p != ';'; c->p++) {
		depth += (*c->p == '(') - (*c->p == ')');
		if (!depth) {
			c->p++;
			return true;
		}
	}
	return false;
}

static bool parse_brackets(struct clean *c, struct decl *d)
{
	c->p++;
	skip_spaces(c);
	d->count = take_word(c);
	skip_spaces(c);
	d->array = true;
	return take(c, "]");
}

/* Up to its semicolon. False: of another shape. */
static bool parse_decl(struct clean *c, struct decl *d)
{
	for (skip_spaces(c); c->p < c->end && *c->p != ';'; skip_spaces(c)) {
		if (*c->p == '*') {
			d->stars++;
			c->p++;
		} else if (*c->p == '[' && !d->array) {
			if (!parse_brackets(c, d))
				return false;
		} else if (*c->p == '(') {
			if (!skip_attribute(c, d))
				return false;
			d->nr_words--;
		} else if (is_word(*c->p) &&
			   d->nr_words < ARRAY_SIZE(d->words)) {
			d->words[d->nr_words++] = take_word(c);
		} else {
			return false;
		}
	}
	if (d->nr_words < 2 || c->p == c->end)
		return false;
	d->name = d->words[--d->nr_words];
	d->dynamic = span_is(d->words[0], "__data_loc") ||
		     span_is(d->words[0], "__rel_loc");
	return !d->dynamic || (d->nr_words >= 2 && !d->count.len && !d->stars);
}

/* One that is not understood: its last word is the name, all else bytes. */
static bool parse_bytes(struct clean *c, const char *start, struct decl *d)
{
	*d = (struct decl){ .words = { { "u8", 2 } },
			    .nr_words = 1,
			    .array = true };
	for (c->p = start; c->p < c->end && *c->p != ';' && *c->p != '\n';)
		if (is_word(*c->p) && !isdigit((unsigned char)*c->p))
			d->name = take_word(c);
		else
			c->p++;
	return d->name.len;
}

static void add_span(struct buf *out, struct span s)
{
	buf_add(out, s.p, s.len);
}

/* "u64 a[]" of kprobes says only by its size how many there are. */
static void write_count(struct buf *out, const struct decl *d, uint32_t size)
{
	uint32_t bytes = type_bytes(d->words[d->nr_words - 1]);

	if (d->count.len || !bytes)
		add_span(out, d->count);
	else if (size >= bytes)
		buf_printf(out, "%u", size / bytes);
}

static void write_decl(struct buf *out, const struct decl *d, uint32_t size)
{
	for (uint32_t i = 0; i < d->nr_words; i++) {
		if (i)
			buf_putc(out, ' ');
		add_span(out, d->words[i]);
	}
	if (d->dynamic && d->array)
		buf_puts(out, "[]");
	for (uint32_t i = 0; i < d->stars && i < 2; i++)
		buf_puts(out, " *");
	buf_putc(out, ' ');
	add_span(out, d->name);
	if (d->array && !d->dynamic) {
		buf_putc(out, '[');
		write_count(out, d, size);
		buf_putc(out, ']');
	}
}

static int clean_field(struct clean *c, bool common)
{
	const char *start = c->p;
	struct decl d = { .nr_words = 0 };
	uint32_t off, size, sign = 0;

	if (!parse_decl(c, &d) && !parse_bytes(c, start, &d))
		return BAD(c, "a field without a name");
	if (!take(c, ";\toffset:") ||
	    !take_number(c, TEPCLEAN_RECORD_MAX, &off) ||
	    !take(c, ";\tsize:") ||
	    !take_number(c, TEPCLEAN_RECORD_MAX - off, &size))
		return BAD(c, "a field without a place in the record");
	if (take(c, ";\tsigned:") && !take_number(c, 1, &sign))
		return BAD(c, "a field that is neither signed nor unsigned");
	if (!take(c, ";\n"))
		return BAD(c, "more behind a field");
	if (d.name.len > TEPCLEAN_NAME_MAX)
		return BAD(c, "a field's name of %zu bytes", d.name.len);
	/* Synthetic events keep the word in one of 64 bits. */
	if (d.dynamic && size != 4 &&
	    (size != 8 || !span_is(d.words[0], "__data_loc")))
		return BAD(c, "a dynamic field of %u bytes", size);
	if (c->nr_fields == TEPCLEAN_FIELDS_MAX)
		return BAD(c, "more than %u fields", TEPCLEAN_FIELDS_MAX);
	c->fields[c->nr_fields++] =
		(struct field){ d.name, off, size, common, d.dynamic };
	buf_puts(c->out, "\tfield:");
	write_decl(c->out, &d, size);
	buf_printf(c->out, ";\toffset:%u;\tsize:%u;\tsigned:%u;\n", off, size,
		   sign);
	return 0;
}

/* What all else hangs on: where a record says which event it is of. */
static bool has_type(const struct clean *c)
{
	return span_is(c->fields[0].name, "common_type") &&
	       c->fields[0].off == 0 && c->fields[0].size == 2;
}

/* Fields up to an empty line. */
static int clean_fields(struct clean *c, bool common)
{
	while (take(c, "\tfield:")) {
		int rc = clean_field(c, common);

		if (rc)
			return rc;
	}
	if (!take(c, "\n"))
		return BAD(c, "a line that is no field");
	if (!c->nr_fields || !has_type(c))
		return BAD(c, "does not begin with common_type");
	buf_putc(c->out, '\n');
	return 0;
}

static int clean_head(struct clean *c)
{
	struct span name;
	uint32_t id;

	if (!take(c, "name: ") || !(name = take_word(c)).len ||
	    name.len > TEPCLEAN_NAME_MAX || isdigit((unsigned char)*name.p) ||
	    !take(c, "\nID: ") || !take_number(c, UINT16_MAX, &id) ||
	    !take(c, "\nformat:\n"))
		return BAD(c, "does not begin with a name and an id");
	buf_puts(c->out, "name: ");
	add_span(c->out, name);
	buf_printf(c->out, "\nID: %u\nformat:\n", id);
	return 0;
}

/* ---- Tokens of print fmt ---- */

/*
 * A string's end. libtraceevent takes the quote behind an escaped backslash
 * for an escaped quote: no backslash may come last.
 */
static bool next_quoted(struct clean *c, char quote)
{
	const char *start = ++c->p;

	while (c->p < c->end && *c->p != quote) {
		if (*c->p == '\\')
			c->p++;
		c->p++;
	}
	if (c->p >= c->end)
		return false;
	c->text = (struct span){ start, c->p - start };
	c->p++;
	return c->p[-2] != '\\';
}

static bool next(struct clean *c)
{
	static const char twos[][3] = { "->", "<<", ">>", "<=", ">=", "==",
					"!=", "&&", "||", "++", "--" };

	while (c->p < c->end && isspace((unsigned char)*c->p))
		c->p++;
	c->token = END;
	c->op[0] = '\0';
	if (c->p == c->end)
		return true;
	if (is_word(*c->p)) {
		c->token = ITEM;
		c->text = take_word(c);
		return c->text.len <= TEPCLEAN_NAME_MAX;
	}
	if (*c->p == '"' || *c->p == '\'') {
		c->token = *c->p == '"' ? STRING : CHAR;
		return next_quoted(c, *c->p);
	}
	c->token = OP;
	for (size_t i = 0; i < ARRAY_SIZE(twos); i++)
		if (take(c, twos[i])) {
			memcpy(c->op, twos[i], 3);
			return true;
		}
	c->op[0] = *c->p++;
	c->op[1] = '\0';
	return true;
}

static bool is_op(const struct clean *c, const char *op)
{
	return c->token == OP && !strcmp(c->op, op);
}

static bool expect(struct clean *c, const char *op)
{
	return is_op(c, op) && next(c);
}

/*
 * Literals that stand side by side are one. Written with their quotes; tabs
 * and newlines, which the kernel may write as they are, as \t and \n.
 */
static bool clean_string(struct clean *c)
{
	size_t at = c->out->len;

	buf_putc(c->out, '"');
	do {
		for (size_t i = 0; i < c->text.len; i++)
			if (c->text.p[i] == '\t')
				buf_puts(c->out, "\\t");
			else if (c->text.p[i] == '\n')
				buf_puts(c->out, "\\n");
			else
				buf_putc(c->out, c->text.p[i]);
		if (!next(c))
			return false;
	} while (c->token == STRING);
	buf_putc(c->out, '"');
	return c->out->len - at <= TEPCLEAN_STRING_MAX;
}

/* ---- Expressions ---- */

static bool expression(struct clean *c, struct value *v);
static bool unary(struct clean *c, struct value *v);

static void open_at(struct buf *out, size_t at)
{
	buf_putc(out, '(');
	memmove(out->data + at + 1, out->data + at, out->len - at - 1);
	out->data[at] = '(';
}

/*
 * A word of the kernel's that it did not resolve, so nobody knows it: a name
 * that never fits. Nothing can be worked out or compared with it, only pages'
 * addresses (vmemmap_base + pfn) are shown without, as libtraceevent does.
 */
static void set_word(struct clean *c, size_t at, struct value *ret)
{
	c->out->len = at;
	buf_puts(c->out, "UNRESOLVED");
	*ret = (struct value){ WORD, 0 };
}

static void set_constant(struct clean *c, size_t at, uint64_t v,
			 struct value *ret)
{
	c->out->len = at;
	buf_printf(c->out, "%" PRIu64, v);
	*ret = (struct value){ CONSTANT, v };
}

static uint32_t cast_bytes(struct span last, bool pointer)
{
	return pointer ? 8 : type_bytes(last);
}

static uint64_t cut_to(uint64_t v, uint32_t bytes)
{
	return bytes && bytes < 8 ? v & ((UINT64_C(1) << bytes * 8) - 1) : v;
}

/* REC->name, its REC just read. */
static bool record_field(struct clean *c, struct value *v)
{
	if (!expect(c, "->") || c->token != ITEM || !find_field(c, c->text))
		return false;
	buf_puts(c->out, "REC->");
	add_span(c->out, c->text);
	*v = (struct value){ VARIABLE, 0 };
	return next(c);
}

static bool size_of(struct clean *c, struct value *v)
{
	uint32_t bytes = 0;

	if (c->token == ITEM && span_is(c->text, "REC")) {
		const struct field *f;

		if (!next(c) || !expect(c, "->") || c->token != ITEM)
			return false;
		f = find_field(c, c->text);
		bytes = f ? f->size : 0;
		if (!next(c))
			return false;
	} else {
		struct span last = { "", 0 };
		bool pointer = false;

		for (; c->token == ITEM || is_op(c, "*");) {
			if (c->token == ITEM)
				last = c->text;
			else
				pointer = true;
			if (!next(c))
				return false;
		}
		bytes = cast_bytes(last, pointer);
	}
	set_constant(c, c->out->len, bytes, v);
	return bytes && expect(c, ")");
}

/* 0x1, "READ" }; a list of no names has one that stands for none. */
static bool name_of_value(struct clean *c)
{
	struct value v;
	size_t at;

	if (is_op(c, "}")) {
		buf_puts(c->out, "UNRESOLVED,\"\"");
		return next(c);
	}
	if (!expression(c, &v) || v.kind > WORD || !expect(c, ","))
		return false;
	buf_putc(c->out, ',');
	if (c->token == STRING)
		return clean_string(c) && expect(c, "}");
	/* { -1, NULL } ends some lists. */
	at = c->out->len;
	if (!expression(c, &v) || v.kind != CONSTANT || v.v)
		return false;
	c->out->len = at;
	buf_puts(c->out, "\"\"");
	return expect(c, "}");
}

/* { 0x1, "READ" }, ... up to the closing parenthesis. */
static bool names_of_values(struct clean *c)
{
	do {
		buf_puts(c->out, ",{");
		if (!expect(c, "{") || !name_of_value(c))
			return false;
		buf_putc(c->out, '}');
	} while (is_op(c, ",") && next(c));
	buf_putc(c->out, ')');
	return expect(c, ")");
}

static bool flags(struct clean *c)
{
	struct value v;

	buf_puts(c->out, "__print_flags(");
	if (!expression(c, &v) || v.kind == TEXT || !expect(c, ",") ||
	    c->token != STRING)
		return false;
	buf_putc(c->out, ',');
	return clean_string(c) && expect(c, ",") && names_of_values(c);
}

static bool symbols(struct clean *c)
{
	struct value v;

	buf_puts(c->out, "__print_symbolic(");
	return expression(c, &v) && v.kind != TEXT && expect(c, ",") &&
	       names_of_values(c);
}

/* @nr expressions: __print_hex(array, len), __print_array(array, nr, size). */
static bool array(struct clean *c, const char *function, int nr)
{
	struct value v;

	buf_printf(c->out, "%s(", function);
	for (int i = 0; i < nr; i++) {
		if (i)
			buf_putc(c->out, ',');
		if (!expression(c, &v) || v.kind == TEXT ||
		    (i < nr - 1 && !expect(c, ",")))
			return false;
	}
	buf_putc(c->out, ')');
	return expect(c, ")");
}

/* What takes the name of a dynamic field. */
static bool dynamic(struct clean *c, const char *function)
{
	const struct field *f;

	if (c->token != ITEM || !(f = find_field(c, c->text)) || !f->dynamic ||
	    f->common)
		return false;
	buf_printf(c->out, "%s(", function);
	add_span(c->out, c->text);
	buf_putc(c->out, ')');
	return next(c) && expect(c, ")");
}

/* __builtin_bswap32(x), which libtraceevent does not know, as shifts. */
static bool swap_bytes(struct clean *c, int bytes, struct value *v)
{
	_cleanup_(buf_deinit) struct buf x = BUF_INIT;
	size_t at = c->out->len;

	if (!expression(c, v) || v->kind != VARIABLE || !expect(c, ")"))
		return false;
	buf_add(&x, c->out->data + at, c->out->len - at);
	c->out->len = at;
	if (x.len > 256)
		return false;
	for (int i = 0; i < bytes - 1; i++)
		buf_putc(c->out, '(');
	for (int i = 0; i < bytes; i++)
		buf_printf(c->out, "%s(((%s)>>%d)&255)<<%d)%s", i ? "|(" : "(",
			   x.data, i * 8, (bytes - 1 - i) * 8, i ? ")" : "");
	return true;
}

static bool function(struct clean *c, struct span name, struct value *v)
{
	static const char dynamics[][32] = {
		"__get_str",
		"__get_rel_str",
		"__get_bitmask",
		"__get_rel_bitmask",
		"__get_cpumask",
		"__get_rel_cpumask",
		"__get_dynamic_array",
		"__get_rel_dynamic_array",
		"__get_sockaddr",
		"__get_sockaddr_rel",
		"__get_dynamic_array_len",
		"__get_rel_dynamic_array_len",
	};

	*v = (struct value){ VARIABLE, 0 };
	for (size_t i = 0; i < ARRAY_SIZE(dynamics); i++)
		if (span_is(name, dynamics[i]))
			return dynamic(c, dynamics[i]);
	if (span_is(name, "__print_flags"))
		return flags(c);
	if (span_is(name, "__print_symbolic"))
		return symbols(c);
	if (span_is(name, "__print_hex"))
		return array(c, "__print_hex", 2);
	if (span_is(name, "__print_hex_str"))
		return array(c, "__print_hex_str", 2);
	if (span_is(name, "__print_array"))
		return array(c, "__print_array", 3);
	if (span_is(name, "__builtin_bswap16"))
		return swap_bytes(c, 2, v);
	if (span_is(name, "__builtin_bswap32"))
		return swap_bytes(c, 4, v);
	if (span_is(name, "__builtin_bswap64"))
		return swap_bytes(c, 8, v);
	if (span_is(name, "sizeof"))
		return size_of(c, v);
	if (span_is(name, "__builtin_expect")) {
		struct value likely;
		size_t at;

		if (!expression(c, v) || !expect(c, ","))
			return false;
		at = c->out->len;
		if (!expression(c, &likely) || !expect(c, ")"))
			return false;
		c->out->len = at;
		return true;
	}
	return false;
}

/* A number, an enumerator that the kernel did not resolve, or a call. */
static bool item(struct clean *c, struct value *v)
{
	struct span s = c->text;
	size_t at = c->out->len;

	if (!next(c))
		return false;
	if (span_is(s, "REC"))
		return record_field(c, v);
	if (isdigit((unsigned char)*s.p)) {
		char digits[32] = "";

		if (s.len >= sizeof(digits))
			return false;
		memcpy(digits, s.p, s.len);
		set_constant(c, at, strtoull(digits, NULL, 0), v);
		return true;
	}
	if (is_op(c, "("))
		return next(c) && function(c, s, v);
	set_word(c, at, v);
	return c->token != ITEM;
}

/*
 * What follows a '(': "type)" or "type *)" with an operand behind it. libtrace-
 * event has one kind of pointer, so one star is enough. False, with nothing
 * consumed: it is no cast.
 */
static bool cast_type(struct clean *c, struct buf *type, uint32_t *ret_bytes)
{
	struct clean was = *c;
	struct span last = { "", 0 };
	bool pointer = false;
	char ch;

	for (; (c->token == ITEM && !pointer) || (is_op(c, "*") && last.len);) {
		if (c->token == ITEM) {
			last = c->text;
			if (type->len)
				buf_putc(type, ' ');
			add_span(type, last);
		} else {
			pointer = true;
		}
		if (!next(c))
			break;
	}
	while (c->p < c->end && isspace((unsigned char)*c->p))
		c->p++;
	ch = c->p < c->end ? *c->p : 0;
	/* A minus behind a type is a sign; behind a word it need not be. */
	if (last.len && !span_is(last, "REC") &&
	    !isdigit((unsigned char)*last.p) && is_op(c, ")") &&
	    (is_word(ch) || (ch && strchr("(\"'", ch)) ||
	     (ch == '-' && cast_bytes(last, pointer))) &&
	    next(c)) {
		if (pointer)
			buf_puts(type, " *");
		*ret_bytes = cast_bytes(last, pointer);
		return true;
	}
	*c = was;
	return false;
}

static bool cast(struct clean *c, const struct buf *type, uint32_t bytes,
		 struct value *v)
{
	size_t at = c->out->len;

	buf_printf(c->out, "((%s)", type->data);
	if (!unary(c, v))
		return false;
	if (v->kind == CONSTANT)
		set_constant(c, at, cut_to(v->v, bytes), v);
	else if (v->kind == WORD)
		set_word(c, at, v);
	else
		buf_putc(c->out, ')');
	return true;
}

static bool parenthesis(struct clean *c, struct value *v)
{
	_cleanup_(buf_deinit) struct buf type = BUF_INIT;
	uint32_t bytes;

	if (c->token == ITEM && span_is(c->text, "REC")) {
		struct clean was = *c;

		if (next(c) && expect(c, ")") && is_op(c, "->"))
			return record_field(c, v);
		*c = was;
	}
	if (cast_type(c, &type, &bytes))
		return cast(c, &type, bytes, v);
	return expression(c, v) && expect(c, ")");
}

static bool primary(struct clean *c, struct value *v)
{
	switch (c->token) {
	case ITEM:
		return item(c, v);
	case STRING:
		*v = (struct value){ TEXT, 0 };
		return clean_string(c);
	case CHAR:
		if (c->text.len != 1)
			return false;
		set_constant(c, c->out->len, (unsigned char)*c->text.p, v);
		return next(c);
	default:
		return expect(c, "(") && parenthesis(c, v);
	}
}

static bool postfix(struct clean *c, struct value *v)
{
	size_t at = c->out->len;
	struct value index;

	if (!primary(c, v))
		return false;
	if (!is_op(c, "["))
		return true;
	if (v->kind != VARIABLE || !next(c))
		return false;
	open_at(c->out, at);
	open_at(c->out, at);
	buf_puts(c->out, ")[");
	if (!expression(c, &index) || index.kind > VARIABLE)
		return false;
	buf_puts(c->out, "])");
	return expect(c, "]");
}

static bool unary(struct clean *c, struct value *v)
{
	size_t at = c->out->len;
	char op = c->token == OP && !c->op[1] ? c->op[0] : 0;
	bool ok;

	if (++c->nodes > TEPCLEAN_NODES_MAX || c->depth >= TEPCLEAN_DEPTH_MAX)
		return false;
	c->depth++;
	if (op && strchr("!~-+", op)) {
		buf_printf(c->out, "(%c", op);
		ok = next(c) && unary(c, v) && v->kind != TEXT;
		buf_putc(c->out, ')');
		if (ok && v->kind == WORD)
			set_word(c, at, v);
		if (ok && v->kind == CONSTANT)
			set_constant(c, at,
				     op == '!'	 ? !v->v
				     : op == '~' ? ~v->v
				     : op == '-' ? -v->v
						 : v->v,
				     v);
	} else {
		ok = postfix(c, v);
	}
	c->depth--;
	return ok;
}

static int precedence(const struct clean *c)
{
	static const struct {
		char op[3];
		int precedence;
	} ops[] = {
		{ "||", 1 }, { "&&", 2 }, { "|", 3 },  { "^", 4 }, { "&", 5 },
		{ "==", 6 }, { "!=", 6 }, { "<", 7 },  { ">", 7 }, { "<=", 7 },
		{ ">=", 7 }, { "<<", 8 }, { ">>", 8 }, { "+", 9 }, { "-", 9 },
		{ "*", 10 }, { "/", 10 }, { "%", 10 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(ops); i++)
		if (is_op(c, ops[i].op))
			return ops[i].precedence;
	return 0;
}

static uint64_t work_out(const char *op, uint64_t a, uint64_t b)
{
	switch (op[0] << 8 | op[1]) {
	case '|' << 8 | '|':
		return a || b;
	case '&' << 8 | '&':
		return a && b;
	case '|' << 8:
		return a | b;
	case '^' << 8:
		return a ^ b;
	case '&' << 8:
		return a & b;
	case '=' << 8 | '=':
		return a == b;
	case '!' << 8 | '=':
		return a != b;
	case '<' << 8:
		return a < b;
	case '>' << 8:
		return a > b;
	case '<' << 8 | '=':
		return a <= b;
	case '>' << 8 | '=':
		return a >= b;
	case '<' << 8 | '<':
		return a << (b & 63);
	case '>' << 8 | '>':
		return a >> (b & 63);
	case '+' << 8:
		return a + b;
	case '-' << 8:
		return a - b;
	case '*' << 8:
		return a * b;
	case '/' << 8:
		return a / b;
	default:
		return a % b;
	}
}

static bool binary(struct clean *c, int least, struct value *v)
{
	size_t at = c->out->len;
	int p;

	if (!unary(c, v))
		return false;
	while ((p = precedence(c)) && p >= least) {
		struct value right;
		char op[3];

		memcpy(op, c->op, 3);
		open_at(c->out, at);
		buf_puts(c->out, op);
		if (v->kind == TEXT || !next(c) || !binary(c, p + 1, &right) ||
		    right.kind == TEXT)
			return false;
		buf_putc(c->out, ')');
		/* libtraceevent works out words as 0. */
		if ((*op == '/' || *op == '%') && right.kind != VARIABLE &&
		    !right.v)
			return false;
		if (v->kind == CONSTANT && right.kind == CONSTANT)
			set_constant(c, at, work_out(op, v->v, right.v), v);
		else if (v->kind != VARIABLE && right.kind != VARIABLE)
			set_word(c, at, v);
		else if ((v->kind == WORD || right.kind == WORD) && *op != '+')
			return false;
		else
			v->kind = VARIABLE;
	}
	return true;
}

static bool condition(struct clean *c, size_t at, struct value *v)
{
	struct value left, right;

	open_at(c->out, at);
	buf_putc(c->out, '?');
	if (v->kind == TEXT || !next(c) || !expression(c, &left) ||
	    !is_op(c, ":") || !next(c))
		return false;
	buf_putc(c->out, ':');
	if (!expression(c, &right))
		return false;
	buf_putc(c->out, ')');
	/* Of two texts it is one, but then it can still not be an operand. */
	v->kind = left.kind == TEXT || right.kind == TEXT ? TEXT : VARIABLE;
	return true;
}

static bool expression(struct clean *c, struct value *v)
{
	size_t at = c->out->len;

	if (c->out->len > TEPCLEAN_TEXT_MAX)
		return false;
	return binary(c, 1, v) && (!is_op(c, "?") || condition(c, at, v));
}

/* What stands behind "print fmt: ". */
static bool clean_print(struct clean *c)
{
	if (!next(c) || c->token != STRING || !clean_string(c))
		return false;
	while (c->token != END) {
		struct value v;

		buf_putc(c->out, ',');
		if (!expect(c, ",") || !expression(c, &v))
			return false;
	}
	return c->out->len <= 2 * TEPCLEAN_TEXT_MAX;
}

static int check_bytes(struct clean *c)
{
	for (const char *p = c->p; p < c->end; p++)
		if (*p != '\n' && *p != '\t' && (*p < 0x20 || *p > 0x7e))
			return BAD(c, "byte 0x%02x in the text", *p & 0xff);
	/* Words that libtraceevent puts a text of its own in the place of. */
	if (memmem(c->p, c->end - c->p, "_PR_FMT", 7))
		return BAD(c, "mac80211's old macros");
	return 0;
}

int tepclean(const char *text, size_t len, struct buf *out, bool *ret_args,
	     struct xf_err *err)
{
	struct clean c = {
		.p = text, .end = text + len, .out = out, .err = err
	};
	size_t print;
	int rc;

	if (len > TEPCLEAN_TEXT_MAX)
		return BAD(&c, "%zu bytes, more than %d", len,
			   TEPCLEAN_TEXT_MAX);
	rc = check_bytes(&c);
	rc = rc ? rc : clean_head(&c);
	rc = rc ? rc : clean_fields(&c, true);
	rc = rc ? rc : clean_fields(&c, false);
	if (rc)
		return rc;
	if (!take(&c, "print fmt: "))
		return BAD(&c, "has no print fmt");
	buf_puts(out, "print fmt: ");
	print = out->len;
	*ret_args = clean_print(&c);
	if (!*ret_args) {
		out->len = print;
		buf_puts(out, "\"\"");
	}
	buf_putc(out, '\n');
	return 0;
}
