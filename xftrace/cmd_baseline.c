// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "baseline.h"
#include "baselines.h"
#include "cleanup.h"
#include "cmd.h"
#include "confine.h"
#include "flowcheck.h"
#include "flowtrace.h"
#include "io.h"
#include "log.h"
#include "traces.h"

/* A clean run is one in which the rules that need no baseline find nothing. */
static int collect(const struct trace *t, struct flow *f, struct xf_err *err)
{
	_cleanup_(findings_deinit) struct findings found = FINDINGS_INIT;
	const struct flowcheck check = { .trace = t };
	struct call_stats s;
	int rc = flowcheck_run(&check, &found, err);

	if (!rc && findings_verdict(&found) != VERDICT_CLEAN)
		rc = xf_fail(err, -EINVAL, "it is not clean: %s",
			     found.v[0].text);
	return rc ? rc : flowtrace_collect(f, t, &s, err);
}

static int add_flow(struct flow *sum, struct flow *f, struct xf_err *err)
{
	if (sum->runs && strcmp(sum->build_id, f->build_id))
		return xf_fail(err, -EINVAL, "it is of another kernel than the "
			       "traces before: %s, build id %s", f->release,
			       f->build_id);
	if (sum->runs && sum->depth != f->depth)
		return xf_fail(err, -EINVAL, "it was recorded with another "
			       "--depth than the traces before");
	if (!sum->runs) {
		sum->release = xf_take(f->release);
		sum->build_id = xf_take(f->build_id);
		sum->depth = f->depth;
	}
	return flow_merge(sum, f) ? 0 : xf_fail(err, -E2BIG, "too many kinds "
						"of calls");
}

static int add_trace(struct flow *sum, const char *store, const char *name,
		     struct xf_err *err)
{
	struct flow f = { 0 };
	struct journal j = { 0 };
	struct store st = { 0 };
	struct trace t;
	int rc;

	trace_init(&t);
	rc = traces_open_one(&st, &j, store, name, err);
	rc = rc ? rc : traces_load(&j, &t, err);
	rc = rc ? rc : collect(&t, &f, err);
	rc = rc ? rc : journal_failed(&j, err);
	rc = rc ? rc : add_flow(sum, &f, err);
	flow_deinit(&f);
	trace_deinit(&t);
	journal_close(&j);
	store_close(&st);
	return rc ? xf_prefix(err, rc, "trace %s", name) : 0;
}

static int save(const struct flow *f, const char *path, struct store *kept,
		const char *name, struct xf_err *err)
{
	_cleanup_(buf_deinit) struct buf b = BUF_INIT;

	baseline_write(f, &b);
	if (name)
		return baselines_keep(kept, name, &b, err);
	if (strcmp(path, "-"))
		return io_replace_file(path, b.data, b.len, 0666, err);
	fwrite(b.data, 1, b.len, stdout);
	return 0;
}

/* A name that is taken is not found out when all traces have been read. */
static int open_kept(struct store *st, const char *store, const char *name,
		     struct xf_err *err)
{
	struct catalog_entry e;
	int rc = catalog_check_name(name, err);

	rc = rc ? rc : traces_open(st, store, TRACES_ADD, err);
	if (!rc && !catalog_find(st, name, &e, NULL))
		rc = xf_fail(err, -EEXIST, "'%s' is there already: choose "
			     "another --name, or 'xftrace rm %s'", name, name);
	return rc;
}

static int baseline_make(int argc, char **argv, struct xf_err *err)
{
	const char *output = NULL, *name = NULL, *store = NULL;
	const struct opt opts[] = {
		{ "output", 'o', OPT_STRING, &output, "FILE",
		  "write FILE (-: stdout)", 0, 0 },
		{ "name", 'n', OPT_STRING, &name, "NAME",
		  "keep it in the store under this name", 0, 0 },
		TRACES_STORE(store),
		{ 0 }
	};
	const struct usage u = {
		"baseline make", "TRACE...",
		"Make a baseline of traces of clean runs.",
		"They are of one kernel, and nothing is missing in them. Ten "
		"runs with what the\nguest usually does are a good number.\n",
		opts
	};
	_cleanup_(flow_deinit) struct flow sum = { 0 };
	struct store kept = { 0 };
	int n = opt_parse(&u, argc, argv, err);
	int rc;

	if (n < 0)
		return n;
	if (!n)
		return xf_fail(err, OPT_MISUSE, "name at least one trace");
	if (!output == !name)
		return xf_fail(err, OPT_MISUSE,
			       "say either --output or --name");
	rc = name ? open_kept(&kept, store, name, err) : 0;
	rc = rc ? rc : confine(&(struct confine){
				       .output = { output },
				       .store = kept.m.path,
			       }, err);
	for (int i = 0; !rc && i < n; i++) {
		xf_progress("%d of %d traces", i, n);
		rc = add_trace(&sum, store, argv[i], err);
	}
	xf_progress(NULL);
	rc = rc ? rc : save(&sum, output, &kept, name, err);
	store_close(&kept);
	if (!rc)
		xf_info("baseline of %" PRIu64 " run%s: %zu lines", sum.runs,
			sum.runs == 1 ? "" : "s", sum.nr);
	return rc;
}

struct summary {
	uint64_t calls, roots;
};

static void show_root(const struct flow_item *item, void *arg)
{
	struct summary *s = arg;

	s->calls += !strncmp(item->key, "call ", 5);
	if (strncmp(item->key, "root ", 5))
		return;
	s->roots++;
	printf("%-12s %s, %" PRIu64 " calls in %" PRIu64 " runs\n", "root",
	       item->key + 5, item->calls, item->runs);
}

static int baseline_show(int argc, char **argv, struct xf_err *err)
{
	const char *store = NULL;
	const struct opt opts[] = { TRACES_STORE(store), { 0 } };
	const struct usage u = {
		"baseline show", "FILE|NAME", "What a baseline holds.", NULL,
		opts
	};
	_cleanup_(flow_deinit) struct flow base = { 0 };
	struct summary s = { 0 };
	int n = opt_parse_nr(&u, argc, argv, 1, 1, "name one baseline", err);
	int rc;

	if (n < 0)
		return n;
	rc = confine(&(struct confine){ 0 }, err);
	rc = rc ? rc : baselines_read(argv[0], store, &base, err);
	if (rc)
		return rc;
	printf("%-12s %s\n%-12s %s\n%-12s %" PRIu64 "\n", "kernel",
	       base.release, "build id", base.build_id, "runs", base.runs);
	flow_each(&base, show_root, &s);
	printf("%-12s %" PRIu64 " kinds\n", "calls", s.calls);
	return 0;
}

int cmd_baseline(int argc, char **argv, struct xf_err *err)
{
	static const struct sub subs[] = {
		{ "make", baseline_make, "of traces of clean runs" },
		{ "show", baseline_show, "what one holds" },
		{ 0 }
	};

	return opt_sub("baseline", "What a guest's kernel does when all is well.",
		       subs, argc, argv, err);
}
