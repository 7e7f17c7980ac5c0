// SPDX-License-Identifier: GPL-2.0-only
#include <limits.h>

#include "cmd.h"
#include "confine.h"
#include "opt.h"
#include "traces.h"

int cmd_rm(int argc, char **argv, struct xf_err *err)
{
	const char *store = NULL;
	const struct opt opts[] = { TRACES_STORE(store), { 0 } };
	const struct usage u = {
		"rm", "TRACE...", "Remove traces from the store.",
		"One that is being recorded or drawn is not removed.\n", opts
	};
	int n = opt_parse_nr(&u, argc, argv, 1, INT_MAX,
			     "name the traces to remove", err);
	struct store st;
	int rc;

	if (n < 0)
		return n;
	rc = traces_open(&st, store, TRACES_CHANGE, err);
	if (rc)
		return rc;
	rc = confine(&(struct confine){ .store = st.m.path }, err);
	for (int i = 0; !rc && i < n; i++)
		rc = catalog_remove(&st, argv[i], err);
	store_close(&st);
	return rc;
}
