// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "cleanup.h"
#include "cmd.h"
#include "log.h"
#include "opt.h"
#include "traces.h"

static int by_age(const void *a, const void *b)
{
	const struct catalog_entry *x = a, *y = b;

	return x->created_ns < y->created_ns ? -1 :
	       x->created_ns > y->created_ns;
}

/* Oldest first. */
static json_t *list(const struct store *st)
{
	_cleanup_free_ struct catalog_entry *e = calloc(st->nr_slots,
							sizeof(*e));
	json_t *all = json_array();
	uint32_t slot = 0;
	size_t nr = 0;

	if (!e)
		abort();
	while (catalog_next(st, &slot, &e[nr]))
		nr++;
	qsort(e, nr, sizeof(*e), by_age);
	for (size_t i = 0; i < nr; i++)
		json_array_append_new(all, traces_json(st, &e[i]));
	return all;
}

static const char *str(const json_t *j, const char *name)
{
	return json_string_value(json_object_get(j, name));
}

static void print_text(const json_t *all)
{
	const json_t *v;
	size_t i;

	printf("%-24s %-12s %-20s %12s\n", "TRACE", "STATE", "SINCE", "SIZE");
	json_array_foreach(all, i, v)
		printf("%-24s %-12s %-20s %9.1f MB\n", str(v, "name"),
		       str(v, "state"), str(v, "created"),
		       json_integer_value(json_object_get(v, "bytes")) / 1e6);
}

int cmd_ls(int argc, char **argv, struct xf_err *err)
{
	const char *store = NULL;
	bool json = false;
	const struct opt opts[] = {
		OPT_JSON(json),
		TRACES_STORE(store),
		{ 0 }
	};
	const struct usage u = { "ls", "", "Traces in the store.", NULL, opts };
	int n = opt_parse_only(&u, argc, argv, err);
	struct store st = { 0 };
	json_t *all;
	int rc;

	if (n < 0)
		return n;
	rc = traces_open(&st, store, TRACES_READ, err);
	/* Nothing was ever recorded, which is an answer. */
	if (rc && rc != -ENODATA)
		return rc;
	all = rc ? json_array() : list(&st);
	rc = rc ? 0 : media_failed(&st.m, err);
	if (json) {
		opt_print_json(all);
	} else if (!json_array_size(all)) {
		xf_info("there are no traces ('xftrace on' records one)");
	} else {
		print_text(all);
	}
	json_decref(all);
	store_close(&st);
	return rc;
}
