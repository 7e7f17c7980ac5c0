// SPDX-License-Identifier: GPL-2.0-only
/*
 * A stored trace, checked: alone, against a baseline that is made of it, in
 * which nothing is new, and that baseline written and read.
 */
#include "baseline.h"
#include "chunks.h"
#include "flowcheck.h"
#include "flowtrace.h"

static void check(const struct trace *t, const struct flow *base,
		  const struct flow *now)
{
	_cleanup_(findings_deinit) struct findings found = { 0 };
	const struct flowcheck c = { .trace = t, .base = base };
	struct xf_err err;

	if (now)
		flowcheck_calls(&c, now, &found);
	else
		flowcheck_run(&c, &found, &err);
}

static void check_against_itself(const struct trace *t)
{
	_cleanup_(flow_deinit) struct flow now = { 0 }, read = { 0 };
	_cleanup_(buf_deinit) struct buf text = BUF_INIT;
	struct call_stats stats;
	struct xf_err err;

	if (flowtrace_collect(&now, t, &stats, &err))
		return;
	baseline_write(&now, &text);
	fuzz_must(!baseline_parse(text.data, text.len, &read, &err));
	fuzz_must(!strcmp(now.release, read.release) &&
		  !strcmp(now.build_id, read.build_id) && now.nr == read.nr);
	check(t, &read, &now);
}

void fuzz_one(struct cursor *in)
{
	struct chunks c;

	if (!chunks_open(&c, in)) {
		check(&c.t, NULL, NULL);
		check_against_itself(&c.t);
	}
	chunks_close(&c);
}
