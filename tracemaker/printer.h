/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * printer -- an event's "print fmt", compiled: a flat list of steps.
 *
 * tep.c fills one for each event; running it turns a raw record into text. A
 * step prints one piece: text that stands in the format, a number, a string, a
 * set of flags. Numbers come from expressions, which are short programs for a
 * machine with a stack; what is a field and nothing more, as most are, is read
 * without it.
 *
 * The compiler vouches for the program (jumps go forward, the stack is deep
 * enough, tables exist), nobody for the record: whatever does not lie within
 * it, or is a string that does not end in it, is shown as "(cut)". What comes
 * from the record is escaped.
 */
#ifndef XF_PRINTER_H
#define XF_PRINTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buf.h"
#include "names.h"

#define PRINTER_STACK	  64
#define PRINTER_WIDTH_MAX 255

/* ---- Expressions: they leave one value on the stack ---- */

enum printer_code_op {
	CODE_END,
	CODE_CONSTANT,	  /* value */
	CODE_FIELD,	  /* size bytes at off, no sign */
	CODE_ELEMENT,	  /* the same, at off + top * size, below value */
	CODE_DYN_LEN,	  /* bytes of the dynamic field at off */
	CODE_DYN_ELEMENT, /* element of size bytes, number top */
	CODE_MASK,	  /* top &= value */
	CODE_NOT,
	CODE_INVERT,
	CODE_SELECT, /* top three: condition, if so, if not */
	CODE_ADD,
	CODE_SUB,
	CODE_MUL,
	CODE_DIV, /* by 0: 0 */
	CODE_MOD,
	CODE_AND,
	CODE_OR,
	CODE_XOR,
	CODE_SHL,
	CODE_SHR,
	CODE_EQ,
	CODE_NE,
	CODE_LT, /* without sign, as all of it */
	CODE_LE,
	CODE_GT,
	CODE_GE,
	CODE_BOTH,
	CODE_EITHER,
};

struct printer_code {
	uint8_t op;
	uint8_t size;
	uint16_t off;
	bool relative; /* a dynamic field's offset counts from its own end */
	uint64_t value;
};

/* ---- Steps ---- */

enum printer_step_op {
	STEP_TEXT,	   /* text, len */
	STEP_LITERAL,	   /* the same, padded and cut */
	STEP_INT,	   /* expr as conv says, cut to size bytes */
	STEP_CHAR,	   /* expr */
	STEP_POINTER,	   /* expr, "(nil)" for 0 */
	STEP_FUNCTION,	   /* expr: name, or 0x... */
	STEP_FUNCTION_OFF, /* the same with +0x... */
	STEP_STRING,	   /* bytes up to the first 0 */
	STEP_FLAGS,	   /* expr, table; text separates */
	STEP_SYMBOL,	   /* expr, table */
	STEP_HEX,	   /* bytes, text separates; their number is count */
	STEP_INTS,	   /* array of numbers: count, each of elem bytes */
	STEP_BITMASK,	   /* of a dynamic field */
	STEP_CPUS,
	STEP_MAC, /* 6 bytes at off, text separates */
	STEP_MAC_REVERSED,
	STEP_IP4,      /* 4 bytes at off */
	STEP_IP6,      /* 16 bytes at off */
	STEP_SOCKADDR, /* off or dynamic */
	STEP_UUID,     /* 16 bytes at off */
	STEP_UNLESS,   /* go on at target if expr is 0 */
	STEP_GOTO,     /* target */
};

enum {
	PRINT_MINUS = 1 << 0,
	PRINT_ZERO = 1 << 1,
	PRINT_ALT = 1 << 2,
	PRINT_PLUS = 1 << 3,
	PRINT_SPACE = 1 << 4,
	PRINT_DYNAMIC = 1 << 5,	 /* off is a dynamic field's, not data's */
	PRINT_RELATIVE = 1 << 6, /* ... and relative */
	PRINT_STAR_PREC = 1 << 7,
	PRINT_STAR_WIDTH = 1 << 8,
	PRINT_PORT = 1 << 9,	 /* of socket addresses */
	PRINT_COMPACT = 1 << 10, /* of IPv6 addresses */
	PRINT_SWAPPED = 1 << 11, /* IPv4 low byte first, UUID as a GUID */
	PRINT_UPPER = 1 << 12,
	PRINT_BARE = 1 << 13, /* IPv6 without colons, IPv4 with zeros */
};

struct printer_step {
	uint8_t op;
	char conv;    /* d, u, x, X, o */
	uint8_t size; /* bytes of the number that count; 1, 2, 4, 8 */
	int16_t width, precision; /* -1: none */
	uint16_t flags;
	uint16_t off, len; /* bytes; len 0: up to the record's end */
	/*
	 * A plain field needs no program: @field_size bytes at off, @mask laid
	 * over it. Otherwise 0, and the program begins at code[expr].
	 */
	uint8_t field_size;
	uint64_t mask;
	uint32_t expr;
	uint32_t star;		  /* program for a '*' */
	uint32_t count, elem;	  /* programs */
	uint32_t text, text_len;  /* in texts */
	uint32_t table, nr_table; /* in values */
	uint32_t target;
};

struct printer_value {
	uint64_t value;
	uint32_t text, text_len;
};

struct printer {
	struct printer_step *steps;
	struct printer_code *code;
	struct printer_value *values;
	uint32_t nr_steps, nr_code, nr_values;
	struct buf texts;
};

void printer_deinit(struct printer *p);

/* New ones, all 0, at the end of the list. */
struct printer_step *printer_add_step(struct printer *p);
struct printer_code *printer_add_code(struct printer *p);
struct printer_value *printer_add_value(struct printer *p);

/* Append the record's text. @names may be NULL: then functions are numbers. */
void printer_run(const struct printer *p, const void *data, size_t len,
		 struct names *names, struct buf *out);

/*
 * Where the data of a dynamic field lies whose word is the 4 bytes at @off.
 * False: not within the record.
 */
bool printer_dynamic(const void *data, size_t len, uint32_t off, bool relative,
		     uint32_t *ret_off, uint32_t *ret_len);

/* 1, 2, 4 or 8 bytes as a number without sign. */
static inline uint64_t printer_number(const uint8_t *p, uint32_t size)
{
	uint64_t v = 0;

	memcpy(&v, p, size <= 8 ? size : 0);
	return v;
}

/* buf_add_escaped(), fast where there is nothing to escape. */
void printer_escaped(struct buf *out, const char *s, size_t len);

#endif
