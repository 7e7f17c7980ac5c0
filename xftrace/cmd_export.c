// SPDX-License-Identifier: GPL-2.0-only
#include "cmd.h"
#include "confine.h"
#include "log.h"
#include "opt.h"
#include "traces.h"
#include "transfer.h"

int cmd_export(int argc, char **argv, struct xf_err *err)
{
	const char *store = NULL;
	const struct opt opts[] = { TRACES_STORE(store), { 0 } };
	const struct usage u = {
		"export", "TRACE FILE",
		"Copy a trace into a file that carries everything.",
		"Symbols and keys are in it: whoever has the file can read the "
		"trace, with\n'xftrace report FILE' or after 'xftrace import'.\n",
		opts
	};
	int n = opt_parse_nr(&u, argc, argv, 2, 2,
			     "name the trace and a file", err);
	struct store st;
	int rc;

	if (n < 0)
		return n;
	rc = traces_open(&st, store, TRACES_READ, err);
	if (rc)
		return rc;
	rc = confine(&(struct confine){ .output = { argv[1] } }, err);
	rc = rc ? rc : transfer_export(&st, argv[0], argv[1], err);
	store_close(&st);
	if (!rc)
		xf_info("%s: has trace %s, with its keys", argv[1], argv[0]);
	return rc;
}
