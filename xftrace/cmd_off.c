// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cleanup.h"
#include "cmd.h"
#include "draw.h"
#include "log.h"
#include "opt.h"
#include "recorder.h"
#include "store.h"

static bool show_progress(void *arg, unsigned int waited_ms)
{
	xf_progress("the guest's kernel takes its hooks back, %u s",
		    waited_ms / 1000);
	return true;
}

/* Stop a recording that lives; take what a dead one left. */
static int stop(const struct recorder *r, const struct confine *later,
		struct xf_err *err)
{
	json_t *reply = NULL;
	int rc = 0;

	if (r->ended)
		return 0;
	if (r->alive)
		rc = recorder_ask(r, "off\n", show_progress, NULL, &reply, err);
	xf_progress(NULL);
	/* It may have died between the question and the answer. */
	if (!r->alive || rc == -ECONNREFUSED) {
		_cleanup_free_ char *words = recorder_words(r);

		xf_warn("the recorder of guest %s was killed%s; its trace is "
			"completed from the guest's rings", r->id, words);
		return recorder_salvage(r, NULL, later, err);
	}
	if (!rc) {
		const char *trouble = json_string_value(
			json_object_get(reply, "trouble"));

		if (trouble)
			xf_warn("%s", trouble);
		json_decref(reply);
	}
	return rc;
}

/* Nothing is recorded here, but a guest may still be tracing. */
static int stop_stray(const char *guest, struct xf_err *err)
{
	struct xf_err why;
	int rc = recorder_stop_stray(guest, &why);

	/* No guest, several, none that traces: what was said first holds. */
	if (rc == -ENOENT)
		return rc;
	if (rc)
		return xf_fail(err, rc, "%s", why.msg);
	xf_info("nothing was being recorded, but the guest was tracing: it no "
		"longer is");
	return -ECANCELED;
}

static int draw(const struct recorder *r, const struct emit_ops *format,
		const char *output, struct call_stats *s, struct xf_err *err)
{
	struct journal j = { 0 };
	struct store st = { 0 };
	int rc;

	if (!r->trace)
		return xf_fail(err, -ENOENT, "the trace of guest %s was removed",
			       r->id);
	rc = store_open(&st, r->store, false, err);
	rc = rc ? rc : journal_open(&j, &st, r->trace, err);
	rc = rc ? rc : draw_trace(&j, format, output, s, err);
	journal_close(&j);
	store_close(&st);
	return rc;
}

int cmd_off(int argc, char **argv, struct xf_err *err)
{
	_cleanup_(recorder_deinit) struct recorder r = { 0 };
	const char *guest = NULL, *output = NULL, *name = "text";
	const struct emit_ops *format;
	const struct opt opts[] = {
		{ "guest", 'g', OPT_STRING, &guest, "NAME",
		  "which, if several guests are recorded", 0, 0 },
		{ "output", 'o', OPT_STRING, &output, "FILE",
		  "write FILE (default trace_graph.txt; -: stdout)", 0, 0 },
		{ "format", 0, OPT_STRING, &name, DRAW_FORMATS,
		  "text, or what trace-cmd and KernelShark read", 0, 0 },
		{ 0 }
	};
	const struct usage u = {
		"off", "", "Stop tracing and draw the call graph.",
		"The trace stays in the store: 'xftrace report' draws it once "
		"more.\n",
		opts
	};
	struct call_stats s;
	int n = opt_parse_only(&u, argc, argv, err);
	int rc;

	if (n < 0)
		return n;
	rc = draw_format(name, &format, err);
	if (rc)
		return rc;
	output = output ?: format->file;
	rc = recorder_find(&r, guest, err);
	if (rc == -ENOENT)
		return stop_stray(guest, err);
	rc = rc ? rc : stop(&r, &(struct confine){
					.output = { output },
					.temporary = format->binary,
				}, err);
	if (rc)
		return rc;
	recorder_remove(&r);
	rc = draw(&r, format, output, &s, err);
	if (rc && r.trace)
		xf_info("trace %s is kept: 'xftrace report %s' draws it",
			r.trace, r.trace);
	if (rc)
		return rc;
	xf_info("%s: %" PRIu64 " calls, %" PRIu64 " records, %" PRIu64
		" lost%s; trace %s", strcmp(output, "-") ? output : "drawn",
		s.calls, s.records, s.lost,
		s.bad_spans ? ", some damaged" : "", r.trace);
	return 0;
}
