// SPDX-License-Identifier: GPL-2.0-only
/* A baseline, as people keep it in git: what is read is written the same. */
#include "baseline.h"
#include "fuzz.h"

void fuzz_one(struct cursor *in)
{
	_cleanup_(flow_deinit) struct flow f = { 0 }, again = { 0 };
	_cleanup_(buf_deinit) struct buf once = BUF_INIT, twice = BUF_INIT;
	size_t len;
	_cleanup_free_ uint8_t *text = fuzz_take_all(in, &len);
	struct xf_err err;

	if (baseline_parse((char *)text, len, &f, &err))
		return;
	baseline_write(&f, &once);
	fuzz_must(!baseline_parse(once.data, once.len, &again, &err));
	fuzz_must(flow_merge(&again, &f));
	flow_deinit(&again);
	fuzz_must(!baseline_parse(once.data, once.len, &again, &err));
	baseline_write(&again, &twice);
	fuzz_must(once.len == twice.len &&
		  !memcmp(once.data, twice.data, once.len));
}
