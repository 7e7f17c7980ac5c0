/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * traces -- the store that a command works with, and the traces in it.
 *
 * It is what --store says, else $XFTRACE_STORE, else <data>/traces.store. Only
 * the last is made when it is missing, by the first who writes to it: thin, so
 * that it takes the room of what is in it.
 */
#ifndef XF_TRACES_H
#define XF_TRACES_H

#include "catalog.h"
#include "journal.h"
#include "opt.h"
#include "store.h"
#include "trace.h"

/* For a verb's table. */
#define TRACES_STORE(var)                                                      \
	{                                                                      \
		"store", 0, OPT_STRING, &(var), "FILE",                        \
			"another store than $XFTRACE_STORE", 0, 0              \
	}

/* Its file. @path: what --store says, or NULL. */
int traces_path(const char *path, char **ret_path, struct xf_err *err);

/* What it is wanted for; to add a trace, the default store is made. */
enum traces_use { TRACES_READ, TRACES_CHANGE, TRACES_ADD };

/* The same. -ENODATA: nothing was ever recorded. */
int traces_open(struct store *st, const char *path, enum traces_use use,
		struct xf_err *err);

/*
 * The trace that a user means, opened for reading with its store: of that name
 * or, if there is none, in that file of 'xftrace export'; NULL: the newest.
 * Close both. -ENOENT.
 */
int traces_open_one(struct store *st, struct journal *j, const char *path,
		    const char *what, struct xf_err *err);

/* "GUEST-3", when it has had two. */
void traces_new_name(const struct store *st, const char *guest,
		     char ret[LAYOUT_NAME + 1]);

/* Kept in the store, and no trace: see baselines.h. */
bool traces_is_baseline(const struct store *st, const struct catalog_entry *e);

/* "recording", "finished", "interrupted", "damaged", "baseline" */
const char *traces_state(const struct store *st, const struct catalog_entry *e);

/* An entry as JSON: name, state, created, bytes. */
json_t *traces_json(const struct store *st, const struct catalog_entry *e);

/* Feed all of it to an initialized @t, sealed. -EBADMSG: it is damaged. */
int traces_load(const struct journal *j, struct trace *t, struct xf_err *err);

#endif
