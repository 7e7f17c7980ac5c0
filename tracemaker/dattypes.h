/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * dattypes -- what a trace.dat says events look like.
 *
 * The descriptions are the session's, as tepclean() writes them, since readers
 * of the file believe what they read; and some of our own.
 */
#ifndef XF_DATTYPES_H
#define XF_DATTYPES_H

#include <stdbool.h>
#include <stdint.h>

#include "buf.h"
#include "formats.h"

#define DATTYPES_IDS	 65536u
#define DATTYPES_COMMON	 8u /* bytes that every record begins with */
/* The tracers' own events, for which a trace.dat has a section of their own. */
#define DATTYPES_TRACERS "ftrace"

struct dattype {
	char *text;		/* owned; the description */
	const struct tep_type *type;
	uint32_t len;		/* bytes up to the end of its last field; at
				 * least DATTYPES_COMMON */
	bool dynamic;		/* has fields that say where the rest lies */
	bool ours;		/* the guest means something else by this id */
};

struct dattypes {
	struct dattype **all;	/* owned, as they came */
	uint32_t nr;
	uint16_t by_id[DATTYPES_IDS]; /* 1 + index; 0: no such event */
	struct tep *own;	/* owned; descriptions that
				 * are not the guest's */
};

/* @f is borrowed. Descriptions that formats_init() left out are left out. */
void dattypes_init(struct dattypes *t, const struct trace_session *s,
		   struct formats *f);
void dattypes_deinit(struct dattypes *t);

/* The guest's event with this id, or NULL. */
static inline const struct dattype *dattypes_at(const struct dattypes *t,
						uint16_t id)
{
	const struct dattype *type = t->by_id[id] ? t->all[t->by_id[id] - 1]
						  : NULL;

	return type && !type->ours ? type : NULL;
}

/* The tracers' event of that name, or NULL. */
const struct dattype *dattypes_tracers(const struct dattypes *t,
				       const char *name);

/*
 * Describe a tracers' event ourselves, in place of what there may be of that
 * name; @text is what follows the id. Valid until dattypes_deinit().
 */
const struct dattype *dattypes_describe(struct dattypes *t, const char *name,
					const char *text);

/* Append the file's two sections of descriptions. */
void dattypes_write(const struct dattypes *t, struct buf *out);

#endif
