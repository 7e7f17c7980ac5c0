// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "blackbox.h"
#include "cleanup.h"
#include "cmd.h"
#include "confine.h"
#include "log.h"
#include "opt.h"
#include "recorder.h"
#include "traces.h"

/* From a guest's memory. */
static int from_memory(struct store *st, const char *file, bool allow_open,
		       const char *name, struct xf_err *err)
{
	_cleanup_(recorder_deinit) struct recorder r = { 0 };
	_cleanup_free_ char *trace = NULL;
	uint64_t records;
	int rc = confine(&(struct confine){
				 .store = st->m.path,
				 .temporary = true,
				 .state = true,
				 .host = true,
			 }, err);

	rc = rc ? rc : blackbox_recover(st, file, allow_open, name, &trace,
					&records, err);
	if (rc)
		return rc;
	/* Nothing of its guest is left to be salvaged. */
	if (!recorder_find_by_trace(&r, st->m.path, trace))
		recorder_remove(&r);
	xf_info("trace %s: %" PRIu64 " records more", trace, records);
	return 0;
}

/* Its recorder is gone, and whatever it recorded is, too. */
static int complete(struct store *st, const char *name, struct target *guest,
		    const struct confine *later, struct xf_err *err)
{
	_cleanup_(recorder_deinit) struct recorder r = { 0 };
	struct recording rec = { 0 };
	int rc;

	if (!recorder_find_by_trace(&r, st->m.path, name)) {
		rc = recorder_salvage(&r, guest, later, err);
		if (!rc)
			recorder_remove(&r);
		return rc;
	}
	rc = later ? confine(&(struct confine){ .store = st->m.path }, err) : 0;
	rc = rc ? rc : recording_resume(&rec, NULL, st->m.path, name, err);
	if (rc)
		return rc;
	recording_note(&rec, TRACE_NOTE_PART, "the recorder was killed");
	rc = recording_end(&rec, "recovered", NULL, NULL, err);
	recording_close(&rec);
	return rc;
}

static bool next_interrupted(const struct store *st, uint32_t *slot,
			     struct catalog_entry *e)
{
	while (catalog_next(st, slot, e))
		if (!strcmp(traces_state(st, e), "interrupted"))
			return true;
	return false;
}

/* Interrupted traces, and the guests that they were of. */
struct lost {
	struct catalog_entry *e;
	struct target *guest;	/* attached, as far as they live; else zero */
	size_t nr;
};

static void lost_deinit(struct lost *l)
{
	while (l->nr--)
		target_detach(&l->guest[l->nr]);
	free(l->guest);
	free(l->e);
}

static int find_lost(const struct store *st, struct lost *l, struct xf_err *err)
{
	struct catalog_entry e;
	uint32_t slot = 0;
	size_t max = 0;

	while (next_interrupted(st, &slot, &e))
		max++;
	l->e = calloc(max + 1, sizeof(*l->e));
	l->guest = calloc(max + 1, sizeof(*l->guest));
	if (!l->e || !l->guest)
		return xf_fail(err, -ENOMEM, "out of memory");
	for (slot = 0; l->nr < max && next_interrupted(st, &slot, &e); l->nr++) {
		_cleanup_(recorder_deinit) struct recorder r = { 0 };
		struct target *t = &l->guest[l->nr];

		l->e[l->nr] = e;
		*t = (struct target)TARGET_INIT;
		if (!recorder_find_by_trace(&r, st->m.path, e.name))
			(void)recorder_attach(&r, t, NULL);
	}
	return 0;
}

/* One that is damaged does not keep the others. */
static int complete_all(struct store *st, struct xf_err *err)
{
	_cleanup_(lost_deinit) struct lost l = { 0 };
	int rc = find_lost(st, &l, err);

	rc = rc ? rc : confine(&(struct confine){
				       .target = l.nr ? l.guest : NULL,
				       .nr_targets = l.nr,
				       .store = st->m.path,
				       .state = true,
				       .host = true,
			       }, err);
	if (rc)
		return rc;
	for (size_t i = 0; i < l.nr; i++) {
		struct target *t = &l.guest[i];
		struct xf_err why;
		int one = complete(st, l.e[i].name, t->id ? t : NULL, NULL,
				   &why);

		if (one)
			rc = xf_fail(err, one, "trace %s: %s", l.e[i].name,
				     why.msg);
		else
			xf_info("trace %s is complete", l.e[i].name);
	}
	if (!l.nr)
		xf_info("no trace was interrupted");
	return rc;
}

int cmd_recover(int argc, char **argv, struct xf_err *err)
{
	const char *store = NULL, *file = NULL;
	bool allow_open = false;
	const struct opt opts[] = {
		{ "memfile", 'm', OPT_STRING, &file, "FILE",
		  "RAM of a guest that is gone, or an ELF core", 0, 0 },
		{ "allow-open-ram", 0, OPT_FLAG, &allow_open, NULL,
		  "take a RAM file that others can read", 0, 0 },
		TRACES_STORE(store),
		{ 0 }
	};
	const struct usage u = {
		"recover", "[TRACE]",
		"Complete traces whose recorder or guest died.",
		"With --memfile, what was still in the guest's rings is added to "
		"its\ntrace. Without, interrupted traces (or this one) are "
		"completed from what\ncan be reached.\n", opts
	};
	int n = opt_parse_nr(&u, argc, argv, 0, 1, "name one trace", err);
	const char *name;
	struct store st;
	int rc;

	if (n < 0)
		return n;
	name = n ? argv[0] : NULL;
	rc = name ? catalog_check_name(name, err) : 0;
	rc = rc ? rc : traces_open(&st, store, TRACES_CHANGE, err);
	if (rc)
		return rc;
	rc = file ? from_memory(&st, file, allow_open, name, err) :
	     name ? complete(&st, name, NULL, &(struct confine){ 0 }, err) :
		    complete_all(&st, err);
	store_close(&st);
	return rc;
}
