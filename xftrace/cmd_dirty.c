// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "callgraph.h"
#include "cleanup.h"
#include "cmd.h"
#include "confine.h"
#include "dirtytable.h"
#include "opt.h"
#include "traces.h"

static int choose_by(const char *text, enum dirtytable_by *ret,
		     struct xf_err *err)
{
	static const char *const names[] = {
		[DIRTYTABLE_PAGE] = "page", [DIRTYTABLE_CALL] = "call",
		[DIRTYTABLE_TYPE] = "type", [DIRTYTABLE_TIME] = "time",
		[DIRTYTABLE_WRITE] = "write",
	};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (!strcmp(text, names[i])) {
			*ret = i;
			return 0;
		}
	return xf_fail(err, OPT_MISUSE,
		       "--by: '%s' is not call, page, type, time or write", text);
}

static int print(const struct journal *j, const struct dirtytable_query *q,
		 struct xf_err *err)
{
	struct sink sink = { .fd = STDOUT_FILENO, .arg = q };
	struct call_stats s;
	struct trace t;
	int rc;

	trace_init(&t);
	rc = traces_load(j, &t, err);
	if (!rc && !t.nr_writers)
		rc = xf_fail(err, -ENODATA,
			     "this trace has no dirty pages: record it with "
			     "'xftrace on --dirty'");
	rc = rc ? rc : callgraph_draw(&t, &emit_dirtytable, &sink, &s, err);
	rc = rc ? rc : journal_failed(j, err);
	buf_deinit(&sink.buf);
	trace_deinit(&t);
	return rc;
}

int cmd_dirty(int argc, char **argv, struct xf_err *err)
{
	struct dirtytable_query q = { .max = 40, .interval_ns = 100000000 };
	const char *store = NULL, *by = "page";
	bool all = false;
	const struct opt opts[] = {
		{ "by", 0, OPT_STRING, &by, "call|page|type|time|write",
		  "what a row stands for (default page)", 0, 0 },
		{ "once", 0, OPT_FLAG, &q.once, NULL,
		  "only what was written once", 0, 0 },
		{ "tracer", 0, OPT_FLAG, &q.tracer, NULL,
		  "also what the tracer itself wrote", 0, 0 },
		{ "interval", 0, OPT_DURATION, &q.interval_ns, "TIME",
		  "of a row by time (default 100ms)", 1000, 0 },
		{ "all", 'a', OPT_FLAG, &all, NULL,
		  "all rows, not only the first 40", 0, 0 },
		OPT_JSON(q.json),
		TRACES_STORE(store),
		{ 0 }
	};
	const struct usage u = {
		"dirty", "[TRACE|FILE]",
		"Which pages the guest wrote; of the newest trace, if none is "
		"named.",
		"The trace was recorded with 'xftrace on --dirty'. Writes to "
		"kernel code, to\nread-only data and to the system call table "
		"come first, with a '!'.\n", opts
	};
	struct journal j = { 0 };
	struct store st = { 0 };
	int n = opt_parse(&u, argc, argv, err);
	int rc;

	if (n < 0)
		return n;
	if (n > 1)
		return xf_fail(err, OPT_MISUSE, "name one trace");
	rc = choose_by(by, &q.by, err);
	if (rc)
		return rc;
	if (all || q.json || q.by == DIRTYTABLE_TIME)
		q.max = 0;
	rc = traces_open_one(&st, &j, store, n ? argv[0] : NULL, err);
	rc = rc ? rc : confine(&(struct confine){ 0 }, err);
	rc = rc ? rc : print(&j, &q, err);
	journal_close(&j);
	store_close(&st);
	return rc;
}
