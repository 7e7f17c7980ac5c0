// SPDX-License-Identifier: GPL-2.0-only
#include "cmd.h"
#include "confine.h"
#include "log.h"
#include "opt.h"
#include "traces.h"
#include "transfer.h"

int cmd_import(int argc, char **argv, struct xf_err *err)
{
	const char *store = NULL, *name = NULL;
	const struct opt opts[] = {
		{ "name", 'n', OPT_STRING, &name, "TRACE",
		  "call it TRACE instead of what it is called there", 0, 0 },
		TRACES_STORE(store),
		{ 0 }
	};
	const struct usage u = {
		"import", "FILE",
		"Copy the trace of a file into the store.",
		"FILE is one that 'xftrace export' made.\n", opts
	};
	int n = opt_parse_nr(&u, argc, argv, 1, 1, "name one file", err);
	struct store st;
	int rc;

	if (n < 0)
		return n;
	rc = name ? catalog_check_name(name, err) : 0;
	rc = rc ? rc : traces_open(&st, store, TRACES_ADD, err);
	if (rc)
		return rc;
	rc = confine(&(struct confine){ .store = st.m.path }, err);
	rc = rc ? rc : transfer_import(&st, argv[0], name, err);
	store_close(&st);
	return rc;
}
