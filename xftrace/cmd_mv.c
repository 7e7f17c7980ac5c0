// SPDX-License-Identifier: GPL-2.0-only
#include "cmd.h"
#include "opt.h"
#include "traces.h"

int cmd_mv(int argc, char **argv, struct xf_err *err)
{
	const char *store = NULL;
	const struct opt opts[] = { TRACES_STORE(store), { 0 } };
	const struct usage u = {
		"mv", "TRACE NEW", "Give a trace another name.",
		"It may be one that is being recorded.\n", opts
	};
	int n = opt_parse(&u, argc, argv, err);
	struct store st;
	int rc;

	if (n < 0)
		return n;
	if (n != 2)
		return xf_fail(err, OPT_MISUSE,
			       "name the trace and its new name");
	rc = traces_open(&st, store, TRACES_CHANGE, err);
	if (rc)
		return rc;
	rc = catalog_rename(&st, argv[0], argv[1], err);
	store_close(&st);
	return rc;
}
