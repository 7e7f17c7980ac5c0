// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "callgraph.h"
#include "cmd.h"
#include "confine.h"
#include "opt.h"
#include "traces.h"

static json_t *list_of(const struct trace *t, const char *name)
{
	json_t *v = json_object_get(t->meta, name);

	return json_is_array(v) ? json_incref(v) : json_array();
}

static size_t nr_spans(const struct trace *t)
{
	size_t nr = 0;

	for (size_t i = 0; i < t->nr_rings; i++)
		nr += t->rings[i].nr;
	return nr;
}

static json_t *tell_mask(const struct trace *t)
{
	_cleanup_(buf_deinit) struct buf b = BUF_INIT;

	buf_puts(&b, "");
	trace_tell_mask(t, &b);
	return json_stringn(b.data, b.len);
}

static void add_trace(json_t *j, const struct trace *t,
		      const struct call_stats *s)
{
	json_t *more = json_pack(
		"{s:s, s:s, s:s, s:o, s:o, s:o, s:I, s:I, s:I, s:I, s:I, s:I, "
		"s:I, s:I, s:o, s:o}",
		"guest", trace_meta_str(t, "guest"), "kernel",
		trace_meta_str(t, "release"), "build_id",
		trace_meta_str(t, "build_id"), "functions",
		list_of(t, "functions"), "events", list_of(t, "events"),
		"host_events", list_of(t, "host_events"), "sessions",
		(json_int_t)t->nr_sessions, "keys", (json_int_t)t->nr_keys,
		"spans", (json_int_t)nr_spans(t), "records",
		(json_int_t)s->records, "lost", (json_int_t)s->lost, "calls",
		(json_int_t)s->calls, "nr_events", (json_int_t)s->events,
		"nr_host_events", (json_int_t)s->host_events, "notes",
		t->notes ? json_incref(t->notes) : json_array(), "mask",
		tell_mask(t));

	json_object_update(j, more);
	json_decref(more);
}

static json_t *describe(const struct store *st, const struct journal *j,
			struct xf_err *err)
{
	struct catalog_entry e;
	struct call_stats s;
	struct trace t;
	json_t *v = NULL;
	int rc;

	trace_init(&t);
	rc = traces_load(j, &t, err);
	if (!rc)
		callgraph_count(&t, &s);
	rc = rc ? rc : journal_failed(j, err);
	if (!rc && catalog_read(st, j->slot, &e)) {
		v = traces_json(st, &e);
		add_trace(v, &t, &s);
	}
	trace_deinit(&t);
	return v;
}

static void print_escaped(const char *text)
{
	struct buf b = BUF_INIT;

	buf_add_escaped(&b, text, strlen(text));
	fputs(b.data ? b.data : "", stdout);
	buf_deinit(&b);
}

static void print_value(const json_t *v)
{
	const json_t *item;
	size_t i;

	if (json_is_string(v))
		print_escaped(json_string_value(v));
	else if (json_is_integer(v))
		printf("%" JSON_INTEGER_FORMAT, json_integer_value(v));
	json_array_foreach(v, i, item) {
		printf("%s", i ? " " : "");
		print_escaped(json_string_value(item) ?: "?");
	}
}

static void print_text(const json_t *j)
{
	/* A key and what it is called; empty lists are left out. */
	static const char *const lines[][2] = {
		{ "name", "trace" },	   { "state", "state" },
		{ "created", "since" },	   { "guest", "guest" },
		{ "kernel", "kernel" },	   { "build_id", "build id" },
		{ "functions", "functions" }, { "events", "events" },
		{ "host_events", "of host" }, { "sessions", "sessions" },
		{ "bytes", "bytes" },	   { "keys", "keys" },
		{ "spans", "spans" },	   { "records", "records" },
		{ "lost", "lost" },	   { "mask", "mask" },
		{ "calls", "calls" },
		{ "nr_events", "events had" },
		{ "nr_host_events", "host's had" },
	};
	const json_t *v;
	size_t i;

	for (i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		v = json_object_get(j, lines[i][0]);
		if (json_is_array(v) && !json_array_size(v))
			continue;
		printf("%-12s ", lines[i][1]);
		print_value(v);
		putchar('\n');
	}
	json_array_foreach(json_object_get(j, "notes"), i, v) {
		printf("%-12s ", "note");
		print_escaped(json_string_value(json_object_get(v, "text")) ?:
				      "?");
		putchar('\n');
	}
}

int cmd_show(int argc, char **argv, struct xf_err *err)
{
	const char *store = NULL;
	bool json = false;
	const struct opt opts[] = {
		OPT_JSON(json),
		TRACES_STORE(store),
		{ 0 }
	};
	const struct usage u = {
		"show", "[TRACE|FILE]",
		"What a trace holds; the newest, if none is named.", NULL, opts
	};
	struct journal j = { 0 };
	struct store st = { 0 };
	json_t *v = NULL;
	int n = opt_parse_nr(&u, argc, argv, 0, 1, "name one trace", err);
	int rc;

	if (n < 0)
		return n;
	rc = traces_open_one(&st, &j, store, n ? argv[0] : NULL, err);
	rc = rc ? rc : confine(&(struct confine){ 0 }, err);
	if (rc)
		return rc;
	v = describe(&st, &j, err);
	if (!v) {
		rc = err->code;
	} else if (json) {
		opt_print_json(v);
	} else {
		print_text(v);
	}
	json_decref(v);
	journal_close(&j);
	store_close(&st);
	return rc;
}
