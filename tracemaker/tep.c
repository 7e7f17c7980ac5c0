// SPDX-License-Identifier: GPL-2.0-only
#include "tep.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <traceevent/event-parse.h>

#include "printer.h"
#include "tepclean.h"

struct event {
	struct tep_type type; /* first: the one stands for the other */
	struct printer printer;
};

struct tep {
	struct names *names;
	struct event **events;
	uint32_t nr;
	uint16_t by_id[1 << 16]; /* events[] + 1 */
};

/* ---- Compiling ---- */

struct compile {
	struct printer *p;
	struct tep_event *event;
	uint32_t depth; /* of the stack, where the program is now */
};

static bool compile_number(struct compile *c, const struct tep_print_arg *arg);

static const struct tep_format_field *field_of(struct compile *c,
					       const struct tep_print_arg *arg)
{
	return tep_find_any_field(c->event, arg->field.name);
}

static struct printer_code *add_code(struct compile *c, uint8_t op, int grows)
{
	struct printer_code *code = printer_add_code(c->p);

	code->op = op;
	c->depth += grows;
	return code;
}

static bool compile_constant(struct compile *c, uint64_t v)
{
	add_code(c, CODE_CONSTANT, 1)->value = v;
	return c->depth <= PRINTER_STACK;
}

static bool is_number(uint32_t size)
{
	return size == 1 || size == 2 || size == 4 || size == 8;
}

static bool compile_field(struct compile *c, const struct tep_print_arg *arg)
{
	const struct tep_format_field *f = field_of(c, arg);
	struct printer_code *code;

	if (!f || !is_number(f->size))
		return f && compile_constant(c, 0);
	code = add_code(c, CODE_FIELD, 1);
	code->off = f->offset;
	code->size = f->size;
	return c->depth <= PRINTER_STACK;
}

/*
 * What a cast leaves of a number. All are taken as unsigned: that is what
 * libtraceevent's own eval_type() comes down to. 0: all of it.
 */
static uint64_t cast_mask(const char *type, size_t len)
{
	static const struct {
		const char *type;
		uint64_t mask;
	} masks[] = {
		{ "u8", 0xff },	       { "s8", 0xff },
		{ "char", 0xff },      { "u16", 0xffff },
		{ "s16", 0xffff },     { "short", 0xffff },
		{ "u32", UINT32_MAX }, { "s32", UINT32_MAX },
		{ "int", UINT32_MAX },
	};

	if (len > 9 && !strncmp(type, "unsigned ", 9)) {
		type += 9;
		len -= 9;
	}
	for (size_t i = 0; i < ARRAY_SIZE(masks); i++)
		if (strlen(masks[i].type) == len &&
		    !memcmp(masks[i].type, type, len))
			return masks[i].mask;
	return 0;
}

static bool compile_cast(struct compile *c, const struct tep_print_arg *arg)
{
	const char *type = arg->typecast.type;
	uint64_t mask = cast_mask(type, strlen(type));

	if (!compile_number(c, arg->typecast.item))
		return false;
	if (mask)
		add_code(c, CODE_MASK, 0)->value = mask;
	return true;
}

static const struct tep_print_arg *without_casts(const struct tep_print_arg *a)
{
	while (a->type == TEP_PRINT_TYPE)
		a = a->typecast.item;
	return a;
}

/* array[index], where a cast may say what the elements are. */
static bool compile_element(struct compile *c, const struct tep_print_arg *arg)
{
	const struct tep_print_arg *left = arg->op.left;
	const struct tep_print_arg *array = without_casts(left);
	const struct tep_format_field *f;
	struct printer_code *code;
	uint64_t mask = 0;

	if (left->type == TEP_PRINT_TYPE) {
		const char *type = left->typecast.type;
		size_t len = strlen(type);

		/* It ends in " *". */
		if (len > 2 && type[len - 1] == '*')
			mask = cast_mask(type, len - 2);
	}
	if (array->type == TEP_PRINT_FIELD)
		f = field_of(c, array);
	else if (array->type == TEP_PRINT_DYNAMIC_ARRAY)
		f = array->dynarray.field;
	else
		return false;
	if (!f || !(f->flags & TEP_FIELD_IS_ARRAY) ||
	    !is_number(f->elementsize) || !compile_number(c, arg->op.right))
		return false;
	code = add_code(c,
			array->type == TEP_PRINT_FIELD ? CODE_ELEMENT
						       : CODE_DYN_ELEMENT,
			0);
	code->off = f->offset;
	code->size = f->elementsize;
	code->value = f->size;
	code->relative = f->flags & TEP_FIELD_IS_RELATIVE;
	if (mask)
		add_code(c, CODE_MASK, 0)->value = mask;
	return true;
}

static int operation(const char *op)
{
	static const struct {
		char op[3];
		uint8_t code;
	} ops[] = {
		{ "+", CODE_ADD },  { "-", CODE_SUB },	  { "*", CODE_MUL },
		{ "/", CODE_DIV },  { "%", CODE_MOD },	  { "&", CODE_AND },
		{ "|", CODE_OR },   { "^", CODE_XOR },	  { "<<", CODE_SHL },
		{ ">>", CODE_SHR }, { "==", CODE_EQ },	  { "!=", CODE_NE },
		{ "<", CODE_LT },   { "<=", CODE_LE },	  { ">", CODE_GT },
		{ ">=", CODE_GE },  { "&&", CODE_BOTH },  { "||", CODE_EITHER },
		{ "!", CODE_NOT },  { "~", CODE_INVERT },
	};

	for (size_t i = 0; i < ARRAY_SIZE(ops); i++)
		if (!strcmp(ops[i].op, op))
			return ops[i].code;
	return -1;
}

static bool compile_operation(struct compile *c,
			      const struct tep_print_arg *arg)
{
	int code = operation(arg->op.op);

	if (!strcmp(arg->op.op, "["))
		return compile_element(c, arg);
	if (!strcmp(arg->op.op, "?")) {
		if (!compile_number(c, arg->op.left) ||
		    !compile_number(c, arg->op.right->op.left) ||
		    !compile_number(c, arg->op.right->op.right))
			return false;
		add_code(c, CODE_SELECT, -2);
		return true;
	}
	if (code < 0)
		return false;
	if (code == CODE_NOT || code == CODE_INVERT) {
		if (!compile_number(c, arg->op.right))
			return false;
		add_code(c, code, 0);
		return true;
	}
	/* A sign has nothing on its left. */
	if (!compile_number(c, arg->op.left) ||
	    !compile_number(c, arg->op.right))
		return false;
	add_code(c, code, -1);
	return true;
}

/* A word stands for what the kernel did not resolve: 0, here as there. */
static uint64_t atom_number(const char *atom)
{
	return isdigit((unsigned char)*atom) ? strtoull(atom, NULL, 0) : 0;
}

static bool compile_number(struct compile *c, const struct tep_print_arg *arg)
{
	struct printer_code *code;

	switch (arg->type) {
	case TEP_PRINT_NULL:
		return compile_constant(c, 0);
	case TEP_PRINT_ATOM:
		return compile_constant(c, atom_number(arg->atom.atom));
	case TEP_PRINT_FIELD:
		return compile_field(c, arg);
	case TEP_PRINT_TYPE:
		return compile_cast(c, arg);
	case TEP_PRINT_OP:
		return compile_operation(c, arg);
	case TEP_PRINT_DYNAMIC_ARRAY_LEN:
		code = add_code(c, CODE_DYN_LEN, 1);
		code->off = arg->dynarray.field->offset;
		code->relative =
			arg->dynarray.field->flags & TEP_FIELD_IS_RELATIVE;
		return c->depth <= PRINTER_STACK;
	default:
		return false;
	}
}

static bool compile_program(struct compile *c, const struct tep_print_arg *arg,
			    uint32_t *ret_start)
{
	*ret_start = c->p->nr_code;
	c->depth = 0;
	if (!compile_number(c, arg))
		return false;
	add_code(c, CODE_END, 0);
	return true;
}

/* A step's number: most are a field, or a field with a cast before it. */
static bool compile_value(struct compile *c, const struct tep_print_arg *arg,
			  struct printer_step *s)
{
	uint32_t start;
	const struct printer_code *code;
	uint64_t mask = UINT64_MAX;

	if (!compile_program(c, arg, &start))
		return false;
	s->expr = start;
	code = &c->p->code[start];
	if (code->op != CODE_FIELD)
		return true;
	s->off = code->off;
	while ((++code)->op == CODE_MASK)
		mask &= code->value;
	if (code->op != CODE_END)
		return true;
	s->field_size = c->p->code[start].size;
	s->mask = mask;
	return true;
}

static uint32_t add_text(struct compile *c, const char *text, size_t len)
{
	uint32_t at = c->p->texts.len;

	buf_add(&c->p->texts, text, len);
	return at;
}

static void set_text(struct compile *c, struct printer_step *s,
		     const char *text)
{
	s->text_len = strlen(text);
	s->text = add_text(c, text, s->text_len);
}

/* The step is copied where it belongs, as adding may move what was added. */
static uint32_t add_step(struct compile *c, const struct printer_step *s)
{
	*printer_add_step(c->p) = *s;
	return c->p->nr_steps - 1;
}

static bool set_bytes(struct compile *c, const struct tep_print_arg *arg,
		      struct printer_step *s)
{
	const struct tep_format_field *f;

	arg = without_casts(arg);
	switch (arg->type) {
	case TEP_PRINT_FIELD:
		f = field_of(c, arg);
		break;
	case TEP_PRINT_DYNAMIC_ARRAY:
		f = arg->dynarray.field;
		break;
	case TEP_PRINT_STRING:
		f = tep_find_any_field(c->event, arg->string.string);
		break;
	case TEP_PRINT_BITMASK:
	case TEP_PRINT_CPUMASK:
		f = tep_find_any_field(c->event, arg->bitmask.bitmask);
		break;
	default:
		return false;
	}
	if (!f)
		return false;
	s->off = f->offset;
	s->len = f->size;
	if (f->flags & TEP_FIELD_IS_DYNAMIC && arg->type != TEP_PRINT_FIELD)
		s->flags |= PRINT_DYNAMIC;
	if (f->flags & TEP_FIELD_IS_RELATIVE)
		s->flags |= PRINT_RELATIVE;
	return true;
}

static void add_names(struct compile *c, const struct tep_print_flag_sym *list,
		      struct printer_step *s)
{
	s->table = c->p->nr_values;
	for (; list; list = list->next) {
		struct printer_value *v = printer_add_value(c->p);

		/* What the kernel did not resolve is no flag. */
		v->value = isdigit((unsigned char)*list->value)
				   ? strtoull(list->value, NULL, 0)
				   : UINT64_MAX;
		v->text_len = strlen(list->str);
		v->text = add_text(c, list->str, v->text_len);
	}
	s->nr_table = c->p->nr_values - s->table;
}

static bool compile_string(struct compile *c, const struct tep_print_arg *arg,
			   struct printer_step s);

static bool compile_choice(struct compile *c, const struct tep_print_arg *arg,
			   const struct printer_step *s)
{
	struct printer_step unless = { .op = STEP_UNLESS };
	struct printer_step go = { .op = STEP_GOTO };
	uint32_t at, end;

	if (strcmp(arg->op.op, "?") || !compile_value(c, arg->op.left, &unless))
		return false;
	at = add_step(c, &unless);
	if (!compile_string(c, arg->op.right->op.left, *s))
		return false;
	end = add_step(c, &go);
	c->p->steps[at].target = c->p->nr_steps;
	if (!compile_string(c, arg->op.right->op.right, *s))
		return false;
	c->p->steps[end].target = c->p->nr_steps;
	return true;
}

/* A pointer as a string: libtraceevent shows its bare value. */
static bool compile_string_field(struct compile *c,
				 const struct tep_print_arg *arg,
				 struct printer_step s)
{
	const struct tep_format_field *f = field_of(c, arg);

	if (!f || !set_bytes(c, arg, &s))
		return false;
	s.op = STEP_STRING;
	if (!(f->flags & TEP_FIELD_IS_ARRAY) && f->size == 8) {
		s = (struct printer_step){
			.op = STEP_INT, .conv = 'x', .size = 8, .precision = -1
		};
		if (!compile_value(c, arg, &s))
			return false;
	}
	add_step(c, &s);
	return true;
}

static bool compile_hex(struct compile *c, const struct tep_print_arg *arg,
			struct printer_step *s)
{
	s->op = STEP_HEX;
	set_text(c, s, arg->type == TEP_PRINT_HEX ? " " : "");
	return set_bytes(c, arg->hex.field, s) &&
	       compile_program(c, arg->hex.size, &s->count);
}

static bool compile_ints(struct compile *c, const struct tep_print_arg *arg,
			 struct printer_step *s)
{
	s->op = STEP_INTS;
	return set_bytes(c, arg->int_array.field, s) &&
	       compile_program(c, arg->int_array.count, &s->count) &&
	       compile_program(c, arg->int_array.el_size, &s->elem);
}

/* What %s prints. */
static bool compile_string(struct compile *c, const struct tep_print_arg *arg,
			   struct printer_step s)
{
	bool ok;

	arg = without_casts(arg);
	switch (arg->type) {
	case TEP_PRINT_ATOM:
		s.op = STEP_LITERAL;
		set_text(c, &s, arg->atom.atom);
		ok = true;
		break;
	case TEP_PRINT_FIELD:
		return compile_string_field(c, arg, s);
	case TEP_PRINT_OP:
		return compile_choice(c, arg, &s);
	case TEP_PRINT_FLAGS:
		s.op = STEP_FLAGS;
		ok = compile_value(c, arg->flags.field, &s);
		set_text(c, &s, arg->flags.delim);
		add_names(c, arg->flags.flags, &s);
		break;
	case TEP_PRINT_SYMBOL:
		s.op = STEP_SYMBOL;
		ok = compile_value(c, arg->symbol.field, &s);
		add_names(c, arg->symbol.symbols, &s);
		break;
	case TEP_PRINT_STRING:
	case TEP_PRINT_DYNAMIC_ARRAY:
		s.op = STEP_STRING;
		ok = set_bytes(c, arg, &s);
		break;
	case TEP_PRINT_HEX:
	case TEP_PRINT_HEX_STR:
		ok = compile_hex(c, arg, &s);
		break;
	case TEP_PRINT_INT_ARRAY:
		ok = compile_ints(c, arg, &s);
		break;
	case TEP_PRINT_BITMASK:
	case TEP_PRINT_CPUMASK:
		s.op = arg->type == TEP_PRINT_BITMASK ? STEP_BITMASK
						      : STEP_CPUS;
		ok = set_bytes(c, arg, &s);
		break;
	default:
		return false;
	}
	if (ok)
		add_step(c, &s);
	return ok;
}

/* ---- %p and what may follow it ---- */

/* hnbl behind an IPv4 address: its byte order. */
static const char *byte_order(const char *f, struct printer_step *s)
{
	if (!*f || !strchr("hnbl", *f))
		return f;
	if (*f == 'h' || *f == 'l')
		s->flags |= PRINT_SWAPPED;
	return f + 1;
}

static const char *ip_format(const char *f, struct printer_step *s)
{
	if (*f == 'i')
		s->flags |= PRINT_BARE;
	switch (f[1]) {
	case '4':
		s->op = STEP_IP4;
		return byte_order(f + 2, s);
	case '6':
		s->op = STEP_IP6;
		f += 2;
		break;
	case 'S':
		s->op = STEP_SOCKADDR;
		/* Flow and scope are in no record: f and s say nothing. */
		for (f += 2; *f && strchr("pfs", *f); f++)
			if (*f == 'p')
				s->flags |= PRINT_PORT;
		break;
	default:
		return NULL;
	}
	if (*f == 'c') {
		s->flags |= PRINT_COMPACT;
		f++;
	}
	return s->op == STEP_SOCKADDR ? byte_order(f, s) : f;
}

static const char *mac_format(struct compile *c, const char *f,
			      struct printer_step *s)
{
	s->op = f[1] == 'R' ? STEP_MAC_REVERSED : STEP_MAC;
	set_text(c, s, *f == 'm' ? "" : f[1] == 'F' ? "-" : ":");
	return f + (f[1] == 'R' || f[1] == 'F' ? 2 : 1);
}

static const char *uuid_format(const char *f, struct printer_step *s)
{
	s->op = STEP_UUID;
	if (!f[1] || !strchr("LlBb", f[1]))
		return f + 1;
	if (f[1] == 'L' || f[1] == 'l')
		s->flags |= PRINT_SWAPPED;
	if (f[1] == 'L' || f[1] == 'B')
		s->flags |= PRINT_UPPER;
	return f + 2;
}

static const char *hex_format(struct compile *c, const char *f,
			      struct printer_step *s)
{
	static const char kinds[] = "CDN";
	static const char *const between[] = { ":", "-", "" };
	const char *kind = f[1] ? strchr(kinds, f[1]) : NULL;

	s->op = STEP_HEX;
	set_text(c, s, kind ? between[kind - kinds] : " ");
	return f + (kind ? 2 : 1);
}

/* How many bytes: the star before it, or one. */
static bool set_hex_count(struct compile *c, struct printer_step *s)
{
	const struct tep_print_arg one = { .type = TEP_PRINT_ATOM,
					   .atom.atom = (char[]){ "1" } };

	if (s->flags & PRINT_STAR_WIDTH) {
		s->count = s->star;
		return true;
	}
	return compile_program(c, &one, &s->count);
}

/* @f is behind the 'p'. Returns what follows, NULL for what is not known. */
static const char *compile_pointer(struct compile *c, const char *f,
				   const struct tep_print_arg *arg,
				   struct printer_step s)
{
	bool ok;

	switch (*f) {
	case 'S':
	case 'F':
	case 's':
	case 'f':
		s.op = *f == 'S' || *f == 'F' ? STEP_FUNCTION_OFF
					      : STEP_FUNCTION;
		f++;
		break;
	case 'M':
	case 'm':
		f = mac_format(c, f, &s);
		break;
	case 'I':
	case 'i':
		f = ip_format(f, &s);
		break;
	case 'U':
		f = uuid_format(f, &s);
		break;
	case 'h':
		f = hex_format(c, f, &s);
		break;
	default:
		s.op = STEP_POINTER;
	}
	if (!f)
		return NULL;
	if (s.op == STEP_FUNCTION || s.op == STEP_FUNCTION_OFF ||
	    s.op == STEP_POINTER)
		ok = compile_value(c, arg, &s);
	else
		ok = set_bytes(c, arg, &s) &&
		     (s.op != STEP_HEX || set_hex_count(c, &s));
	if (!ok)
		return NULL;
	add_step(c, &s);
	return f;
}

/* ---- The format string ---- */

static const char *take_int(const char *f, int16_t *ret)
{
	int v = 0;

	for (; isdigit((unsigned char)*f); f++)
		v = v * 10 + *f - '0' > PRINTER_WIDTH_MAX ? PRINTER_WIDTH_MAX
							  : v * 10 + *f - '0';
	*ret = v;
	return f;
}

static const char *take_flags(const char *f, struct printer_step *s)
{
	static const char flags[] = "-0#+ ";
	const char *at;

	for (; *f && (at = strchr(flags, *f)); f++)
		s->flags |= 1 << (at - flags);
	return f;
}

static const char *take_size(const char *f, struct printer_step *s)
{
	s->size = 4;
	for (;; f++) {
		switch (*f) {
		case 'h':
			s->size /= 2;
			break;
		case 'l':
		case 'L':
		case 'z':
		case 'Z':
			s->size = 8;
			break;
		default:
			return s->size ? f : NULL;
		}
	}
}

/*
 * One %, behind which @f is. *arg is the next argument and moves on. Returns
 * what follows, NULL if it is not understood.
 */
static const char *compile_conversion(struct compile *c, const char *f,
				      const struct tep_print_arg **arg)
{
	struct printer_step s = { .precision = -1 };
	const struct tep_print_arg *a;

	f = take_flags(f, &s);
	if (*f == '*') {
		s.flags |= PRINT_STAR_WIDTH;
		f++;
	} else {
		f = take_int(f, &s.width);
	}
	if (*f == '.') {
		f = take_int(f + 1, &s.precision);
		if (*f == '*' && !(s.flags & PRINT_STAR_WIDTH)) {
			s.flags |= PRINT_STAR_PREC;
			f++;
		}
	}
	if (s.flags & (PRINT_STAR_WIDTH | PRINT_STAR_PREC)) {
		if (!*arg || !compile_program(c, *arg, &s.star))
			return NULL;
		*arg = (*arg)->next;
	}
	f = take_size(f, &s);
	a = *arg;
	if (!f || !a)
		return NULL;
	*arg = a->next;
	switch (*f) {
	case 'd':
	case 'i':
	case 'u':
	case 'x':
	case 'X':
	case 'o':
		s.op = STEP_INT;
		s.conv = *f == 'i' ? 'd' : *f;
		if (!compile_value(c, a, &s))
			return NULL;
		add_step(c, &s);
		return f + 1;
	case 'c':
		s.op = STEP_CHAR;
		if (!compile_value(c, a, &s))
			return NULL;
		add_step(c, &s);
		return f + 1;
	case 's':
		return compile_string(c, a, s) ? f + 1 : NULL;
	case 'p':
		return compile_pointer(c, f + 1, a, s);
	default:
		return NULL;
	}
}

/* Text up to the next conversion. An event is a line. */
static const char *compile_text(struct compile *c, const char *f)
{
	struct printer_step s = { .op = STEP_TEXT, .text = c->p->texts.len };

	for (; *f && (*f != '%' || f[1] == '%'); f++) {
		char ch = *f;

		/* That the line ends here goes without saying. */
		if (!strcmp(f, "\\n")) {
			f += 2;
			break;
		}
		if (ch == '%')
			f++;
		if (ch == '\\' && f[1])
			ch = *++f == 'n' || *f == 'r' ? ' '
			     : *f == 't'	      ? '\t'
						      : *f;
		buf_putc(&c->p->texts, ch);
	}
	s.text_len = c->p->texts.len - s.text;
	if (s.text_len)
		add_step(c, &s);
	return f;
}

static bool compile(struct tep_event *event, struct printer *p)
{
	struct compile c = { .p = p, .event = event };
	const struct tep_print_arg *arg = event->print_fmt.args;
	const char *f = event->print_fmt.format;

	while (f && *f)
		f = *f == '%' && f[1] != '%'
			    ? compile_conversion(&c, f + 1, &arg)
			    : compile_text(&c, f);
	return f;
}

/* ---- The set ---- */

static void event_destroy(struct event *e)
{
	if (!e)
		return;
	for (uint32_t i = 0; i < e->type.nr_members; i++) {
		free(e->type.members[i].type);
		free(e->type.members[i].name);
	}
	free(e->type.members);
	free(e->type.system);
	free(e->type.name);
	printer_deinit(&e->printer);
	free(e);
}
XF_DEFINE_CLEANUP(struct event *, event_destroy)

struct tep *tep_create(struct names *names)
{
	struct tep *t = calloc(1, sizeof(*t));

	if (!t)
		abort();
	t->names = names;
	return t;
}

void tep_destroy(struct tep *t)
{
	if (!t)
		return;
	for (uint32_t i = 0; i < t->nr; i++)
		event_destroy(t->events[i]);
	free(t->events);
	free(t);
}

static char *must_strdup(const char *s)
{
	char *copy = strdup(s);

	if (!copy)
		abort();
	return copy;
}

static void copy_members(struct tep_type *type,
			 const struct tep_format_field *f)
{
	static const struct {
		unsigned long theirs;
		uint16_t ours;
	} flags[] = {
		{ TEP_FIELD_IS_SIGNED, TEP_SIGNED },
		{ TEP_FIELD_IS_POINTER, TEP_POINTER },
		{ TEP_FIELD_IS_LONG, TEP_LONG },
		{ TEP_FIELD_IS_ARRAY, TEP_ARRAY },
		{ TEP_FIELD_IS_STRING, TEP_STRING },
		{ TEP_FIELD_IS_DYNAMIC, TEP_DYNAMIC },
		{ TEP_FIELD_IS_RELATIVE, TEP_RELATIVE },
	};

	for (; f && type->nr_members < TEPCLEAN_FIELDS_MAX; f = f->next) {
		struct tep_member *m = &type->members[type->nr_members++];

		*m = (struct tep_member){ .type = must_strdup(f->type),
					  .name = must_strdup(f->name),
					  .off = f->offset,
					  .size = f->size,
					  .elem = f->elementsize };
		for (size_t i = 0; i < ARRAY_SIZE(flags); i++)
			if (f->flags & flags[i].theirs)
				m->flags |= flags[i].ours;
	}
}

static struct event *event_create(struct tep_event *from, bool args)
{
	struct event *e = calloc(1, sizeof(*e));
	struct tep_type *type = &e->type;

	if (!e)
		abort();
	type->system = must_strdup(from->system);
	type->name = must_strdup(from->name);
	type->id = from->id;
	type->members = calloc(TEPCLEAN_FIELDS_MAX, sizeof(*type->members));
	if (!type->members)
		abort();
	copy_members(type, from->format.common_fields);
	type->nr_common = type->nr_members;
	copy_members(type, from->format.fields);
	type->compiled = args && !(from->flags & (int)TEP_EVENT_FL_FAILED) &&
			 compile(from, &e->printer);
	return e;
}

static int put_event(struct tep *t, struct event **e, struct xf_err *err)
{
	uint16_t *at = &t->by_id[(*e)->type.id];

	if (*at) {
		event_destroy(t->events[*at - 1]);
		t->events[*at - 1] = xf_take(*e);
		return 0;
	}
	if (t->nr == TEP_TYPES_MAX)
		return xf_fail(err, -ENOSPC, "more than %u events",
			       TEP_TYPES_MAX);
	if (!(t->nr & (t->nr - 1))) {
		t->events = realloc(t->events, (t->nr ? t->nr * 2 : 1) *
						       sizeof(*t->events));
		if (!t->events)
			abort();
	}
	t->events[t->nr] = xf_take(*e);
	*at = ++t->nr;
	return 0;
}

XF_DEFINE_CLEANUP(struct tep_handle *, tep_free)

int tep_add(struct tep *t, const char *system, const char *text, size_t len,
	    struct xf_err *err)
{
	_cleanup_(tep_freep) struct tep_handle *handle = NULL;
	_cleanup_(event_destroyp) struct event *e = NULL;
	_cleanup_(buf_deinit) struct buf clean = BUF_INIT;
	struct tep_event *parsed = NULL;
	bool args;
	int rc = tepclean(text, len, &clean, &args, err);

	if (rc)
		return xf_prefix(err, rc, "description of an event");
	handle = tep_alloc();
	if (!handle)
		abort();
	tep_set_loglevel(TEP_LOG_NONE);
	tep_set_long_size(handle, 8);
	tep_parse_event(handle, clean.data, clean.len, system);
	parsed = tep_get_event(handle, 0);
	if (!parsed || parsed->id < 0 || parsed->id > UINT16_MAX ||
	    !parsed->print_fmt.format)
		return xf_fail(err, -EBADMSG,
			       "description of an event: libtraceevent does "
			       "not understand it");
	e = event_create(parsed, args);
	return put_event(t, &e, err);
}

const struct tep_type *tep_find(const struct tep *t, uint32_t id)
{
	if (id > UINT16_MAX || !t->by_id[id])
		return NULL;
	return &t->events[t->by_id[id] - 1]->type;
}

const struct tep_type *tep_each(const struct tep *t, uint32_t *pos)
{
	return *pos < t->nr ? &t->events[(*pos)++]->type : NULL;
}

const struct tep_type *tep_type_of(const struct tep *t, const void *data,
				   size_t len)
{
	uint16_t id;

	if (len < sizeof(id))
		return NULL;
	memcpy(&id, data, sizeof(id));
	return tep_find(t, id);
}

const char *tep_name(const struct tep *t, uint32_t id)
{
	const struct tep_type *type = tep_find(t, id);

	return type ? type->name : NULL;
}

/* ---- Fields ---- */

const struct tep_member *tep_member(const struct tep_type *type,
				    const char *name)
{
	for (uint32_t i = 0; i < type->nr_members; i++)
		if (!strcmp(type->members[i].name, name))
			return &type->members[i];
	return NULL;
}

static int64_t sign_extend(uint64_t v, uint32_t size)
{
	unsigned int shift = 64 - 8 * size;

	return (int64_t)(v << shift) >> shift;
}

void tep_value(const struct tep_member *m, const void *data, size_t len,
	       struct tep_value *ret)
{
	uint32_t off = m->off, size = m->size;

	ret->kind = TEP_CUT;
	if (off > len || size > len - off)
		return;
	if (m->flags & TEP_DYNAMIC &&
	    !printer_dynamic(data, len, m->off, m->flags & TEP_RELATIVE, &off,
			     &size))
		return;
	if (!(m->flags & (TEP_ARRAY | TEP_DYNAMIC)) && is_number(size)) {
		ret->u64 = printer_number((const uint8_t *)data + off, size);
		ret->kind = TEP_U64;
		if (m->flags & TEP_SIGNED) {
			ret->s64 = sign_extend(ret->u64, size);
			ret->kind = TEP_S64;
		}
		return;
	}
	if (!m->size)
		size = len - off;
	ret->bytes.p = (const char *)data + off;
	ret->bytes.len = size;
	ret->kind = TEP_BYTES;
	if (m->flags & TEP_STRING && strstr(m->type, "char")) {
		ret->bytes.len = strnlen(ret->bytes.p, size);
		ret->kind = TEP_TEXT;
	}
}

static void print_bytes(const struct tep_value *v, struct buf *out)
{
	buf_putc(out, '[');
	for (size_t i = 0; i < v->bytes.len; i++)
		buf_printf(out, i ? " %02x" : "%02x", v->bytes.p[i] & 0xff);
	buf_putc(out, ']');
}

static void print_member(const struct tep_member *m, const void *data,
			 size_t len, struct buf *out)
{
	struct tep_value v;

	tep_value(m, data, len, &v);
	buf_puts(out, m->name);
	buf_putc(out, '=');
	switch (v.kind) {
	case TEP_CUT:
		buf_puts(out, "(cut)");
		break;
	case TEP_U64:
		buf_printf(out,
			   m->flags & (TEP_POINTER | TEP_LONG) ? "0x%" PRIx64
							       : "%" PRIu64,
			   v.u64);
		break;
	case TEP_S64:
		buf_printf(out, "%" PRId64, v.s64);
		break;
	case TEP_TEXT:
		printer_escaped(out, v.bytes.p, v.bytes.len);
		break;
	case TEP_BYTES:
		print_bytes(&v, out);
	}
}

static void list_members(const struct tep_type *type, const void *data,
			 size_t len, struct buf *out)
{
	for (uint32_t i = type->nr_common; i < type->nr_members; i++) {
		if (i > type->nr_common)
			buf_putc(out, ' ');
		print_member(&type->members[i], data, len, out);
	}
}

void tep_print(const struct tep *t, const void *data, size_t len,
	       struct buf *out)
{
	const struct tep_type *type = tep_type_of(t, data, len);
	const struct event *e = (const struct event *)type;
	uint16_t id;

	if (len < sizeof(id)) {
		buf_puts(out, "(cut)");
	} else if (!type) {
		memcpy(&id, data, sizeof(id));
		buf_printf(out, "(unknown event %u)", id);
	} else if (type->compiled) {
		printer_run(&e->printer, data, len, t->names, out);
	} else {
		list_members(type, data, len, out);
	}
}
