// SPDX-License-Identifier: GPL-2.0-only
#include <inttypes.h>
#include <string.h>

#include "cmd.h"
#include "draw.h"
#include "log.h"
#include "opt.h"

int cmd_report(int argc, char **argv, struct xf_err *err)
{
	const char *output = "-", *name = "text";
	const struct emit_ops *format;
	const struct opt opts[] = {
		{ "output", 'o', OPT_STRING, &output, "FILE",
		  "write FILE instead of stdout", 0, 0 },
		{ "format", 0, OPT_STRING, &name, DRAW_FORMATS,
		  "text, or what trace-cmd and KernelShark read", 0, 0 },
		{ 0 }
	};
	const struct usage u = {
		"report", "FILE",
		"Draw a raw trace that 'xftrace off --raw FILE' kept.", NULL,
		opts
	};
	struct call_stats s;
	int n = opt_parse(&u, argc, argv, err);
	int rc;

	if (n < 0)
		return n;
	if (n != 1)
		return xf_fail(err, OPT_MISUSE, "name one raw trace");
	rc = draw_format(name, &format, err);
	rc = rc ? rc : draw_file(argv[0], format, output, &s, err);
	if (!rc && strcmp(output, "-"))
		xf_info("%s: %" PRIu64 " calls, %" PRIu64 " records, %" PRIu64
			" lost", output, s.calls, s.records, s.lost);
	return rc;
}
