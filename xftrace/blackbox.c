// SPDX-License-Identifier: GPL-2.0-only
#include "blackbox.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "catalog.h"
#include "cleanup.h"
#include "log.h"
#include "memcore.h"
#include "recording.h"
#include "trace.h"

/* A trace, and where its last session was recorded. */
struct origin {
	struct recording_origin at;
	char name[LAYOUT_NAME + 1];
};

struct origins {
	struct origin *o;	/* owned */
	size_t nr;
	const struct origin *found;
};

static struct recording_origin last_origin(struct store *st, const char *name)
{
	struct recording_origin at = { 0 };
	struct journal j = { 0 };
	struct journal_chunk c = { 0 };

	if (journal_open(&j, st, name, NULL))
		return at;
	while (journal_next(&j, &c, NULL) > 0)
		if (c.type == TRACE_META)
			at = recording_origin(c.data, c.len);
	journal_close(&j);
	return at;
}

static void collect(struct origins *all, struct store *st, const char *name)
{
	struct catalog_entry e;
	uint32_t slot = 0;

	while (catalog_next(st, &slot, &e)) {
		struct origin *o;

		if (e.damaged || (name && strcmp(name, e.name)))
			continue;
		o = realloc(all->o, (all->nr + 1) * sizeof(*o));
		if (!o)
			abort();
		all->o = o;
		o = &all->o[all->nr];
		o->at = last_origin(st, e.name);
		strcpy(o->name, e.name);
		all->nr += o->at.instance != 0;
	}
}

/* A module may have been traced many times; its rings are of the last. */
static bool is_known(void *arg, const struct xft_ctl *ctl)
{
	struct origins *all = arg;

	for (size_t i = 0; i < all->nr; i++) {
		const struct recording_origin *at = &all->o[i].at;

		/* START is the last that was answered, or under way. */
		if (at->instance == ctl->instance &&
		    at->request - (uint32_t)ctl->seq_done <= 1)
			all->found = &all->o[i];
	}
	return all->found;
}

/* Map it in the one way in which the block is where it says that it is. */
static int open_ram(struct target *t, const char *file, bool allow_open,
		    struct origins *all, struct xf_err *err)
{
	static const uint64_t lowmem[] = { 0, MEMSLOT_LOWMEM_PC,
					   MEMSLOT_LOWMEM_Q35 };
	enum memfile_flags flags = allow_open ? MEMFILE_ALLOW_OPEN : 0;
	int rc = -ENOENT;

	for (size_t i = 0; i < ARRAY_SIZE(lowmem) && rc == -ENOENT; i++) {
		_cleanup_(memslots_deinit) struct memslots ms = MEMSLOTS_INIT;
		bool core = memcore_is(file);

		memfile_close(&t->mf);
		rc = core ? memcore_slots(&ms, file, flags, err) :
			    memslots_from_file(&ms, file, lowmem[i], err);
		rc = rc ? rc : memfile_open(&t->mf, &ms, flags, err);
		rc = rc ? rc : mailbox_find_dead(&t->mb, &t->mf, is_known, all,
						 err);
		rc = rc ? rc : mailbox_ctl(&t->mb, &t->ctl, err);
		if (core)
			break;
	}
	return rc;
}

static int take_rings(struct target *t, const char *store, const char *name,
		      uint64_t *ret_records, struct xf_err *err)
{
	struct recording rec = { 0 };
	int rc = recording_resume(&rec, t, store, name, err);

	if (rc)
		return rc;
	/* Nobody is there to be asked for anything. */
	rec.tracing = false;
	recording_note(&rec, TRACE_NOTE_PART,
		       "the rest was read from the guest's memory after its "
		       "end");
	rc = recording_end(&rec, "recovered", NULL, NULL, err);
	*ret_records = recording_counts(&rec).records;
	recording_close(&rec);
	return rc;
}

int blackbox_recover(struct store *st, const char *file, bool allow_open,
		     const char *name, char **ret_name, uint64_t *ret_records,
		     struct xf_err *err)
{
	_cleanup_(target_detach) struct target t = TARGET_INIT;
	struct origins all = { 0 };
	int rc;

	collect(&all, st, name);
	rc = open_ram(&t, file, allow_open, &all, err);
	if (rc == -ESTALE)
		rc = xf_fail(err, -ENOENT, "%s: no trace here has the keys of "
			     "this guest's records", file);
	rc = rc ? rc : take_rings(&t, st->m.path, all.found->name, ret_records,
				  err);
	if (!rc)
		*ret_name = strdup(all.found->name);
	free(all.o);
	return rc;
}
