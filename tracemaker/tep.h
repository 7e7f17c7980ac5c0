/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * tep -- ftrace's events as text.
 *
 * An event is what its description says (events/SYSTEM/NAME/format of the
 * kernel that recorded it): tep_add() has libtraceevent read it and compiles
 * the result, tep_print() runs that on raw records. Only tep.c meets
 * libtraceevent, and libtraceevent meets neither the guest's text (tepclean
 * stands between) nor its records: it would believe them.
 *
 *	t = tep_create(&names);
 *	tep_add(t, "sched", text, len, err);	one for each event
 *	tep_print(t, data, len, &out);		one for each record
 *
 * The text is that of 'trace-cmd report', which is not always the kernel's:
 * numbers that are narrower than what prints them count as unsigned. It differs
 * where libtraceevent errs in more than that: C's precedence holds, arrays of
 * numbers look as the kernel prints them, an element of a dynamic array is the
 * right one, characters and __builtin_bswapNN() are understood, a cast in front
 * of a string does not hide it. Strings are escaped, and a line stays one:
 * newlines of the format become blanks. Where print fmt calls what only the
 * kernel has, the fields are listed, "name=value".
 *
 * One thread at a time.
 */
#ifndef XF_TEP_H
#define XF_TEP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buf.h"
#include "cleanup.h"
#include "err.h"
#include "names.h"

#define TEP_TYPES_MAX 16384u /* descriptions in one set */

enum {
	TEP_SIGNED = 1 << 0,
	TEP_POINTER = 1 << 1,
	TEP_LONG = 1 << 2, /* a long: often an address */
	TEP_ARRAY = 1 << 3,
	TEP_STRING = 1 << 4,  /* an array of characters or bytes */
	TEP_DYNAMIC = 1 << 5, /* the record holds where it lies */
	TEP_RELATIVE = 1 << 6,
};

/* A field of an event, in the order of the description. */
struct tep_member {
	char *type, *name;
	uint16_t off, size;
	uint16_t elem; /* bytes of an array's element, 0 if not known */
	uint16_t flags;
};

/* An event. */
struct tep_type {
	char *system, *name;
	uint32_t id;
	struct tep_member *members; /* the common ones first */
	uint32_t nr_members, nr_common;
	bool compiled; /* else its fields are listed */
};

/* What a record has in a field. */
struct tep_value {
	enum { TEP_CUT, TEP_U64, TEP_S64, TEP_TEXT, TEP_BYTES } kind;
	union {
		uint64_t u64;
		int64_t s64;
		struct {
			const char *p; /* in the record; not escaped */
			size_t len;    /* of a text without its 0 byte */
		} bytes;
	};
};

struct tep;

/* Functions get their names from @names, which is borrowed and may be NULL. */
struct tep *tep_create(struct names *names);
void tep_destroy(struct tep *t);
XF_DEFINE_CLEANUP(struct tep *, tep_destroy)

/*
 * Add the event that @text describes. One of the same id takes the place of the
 * former: a module was loaded anew. -EBADMSG: no description, or hostile.
 * -ENOSPC: TEP_TYPES_MAX.
 */
int tep_add(struct tep *t, const char *system, const char *text, size_t len,
	    struct xf_err *err);

/* The event of this id, or NULL. Valid until the next tep_add(). */
const struct tep_type *tep_find(const struct tep *t, uint32_t id);

/* Every event; *pos begins as 0 and belongs to the walk. NULL at the end. */
const struct tep_type *tep_each(const struct tep *t, uint32_t *pos);

/* A record's event: its first 16 bits. NULL: too short, or not known. */
const struct tep_type *tep_type_of(const struct tep *t, const void *data,
				   size_t len);

/* The event's name, or NULL. */
const char *tep_name(const struct tep *t, uint32_t id);

/*
 * Append what a record says. Of one that is too short or whose event is not
 * known that is a note in parentheses.
 */
void tep_print(const struct tep *t, const void *data, size_t len,
	       struct buf *out);

/* The field of that name, or NULL. */
const struct tep_member *tep_member(const struct tep_type *type,
				    const char *name);

void tep_value(const struct tep_member *m, const void *data, size_t len,
	       struct tep_value *ret);

#endif
