// SPDX-License-Identifier: GPL-2.0-only
#include <inttypes.h>
#include <string.h>

#include "cmd.h"
#include "draw.h"
#include "log.h"
#include "opt.h"
#include "traces.h"

int cmd_report(int argc, char **argv, struct xf_err *err)
{
	const char *output = "-", *name = "text", *store = NULL;
	const struct emit_ops *format;
	const struct opt opts[] = {
		{ "output", 'o', OPT_STRING, &output, "FILE",
		  "write FILE instead of stdout", 0, 0 },
		{ "format", 0, OPT_STRING, &name, DRAW_FORMATS,
		  "text, or dat for trace-cmd and KernelShark", 0, 0 },
		TRACES_STORE(store),
		{ 0 }
	};
	const struct usage u = {
		"report", "[TRACE|FILE]",
		"Draw a trace, the newest if none is named.",
		"It may still be recorded; then what has come so far is drawn. "
		"FILE is one\nthat 'xftrace export' made.\n", opts
	};
	struct journal j = { 0 };
	struct store st = { 0 };
	struct call_stats s;
	int n = opt_parse_nr(&u, argc, argv, 0, 1, "name one trace", err);
	int rc;

	if (n < 0)
		return n;
	rc = draw_format(name, &format, err);
	rc = rc ? rc : traces_open_one(&st, &j, store, n ? argv[0] : NULL, err);
	rc = rc ? rc : draw_trace(&j, format, output, &s, err);
	journal_close(&j);
	store_close(&st);
	if (!rc && strcmp(output, "-"))
		xf_info("%s: %" PRIu64 " calls, %" PRIu64 " records, %" PRIu64
			" lost", output, s.calls, s.records, s.lost);
	return rc;
}
