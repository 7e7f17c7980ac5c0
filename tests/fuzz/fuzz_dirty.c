// SPDX-License-Identifier: GPL-2.0-only
/* Pages that were written, as a trace has them: counted in each way, and
 * listed. */
#include "chunks.h"
#include "dirtytable.h"

void fuzz_one(struct cursor *in)
{
	uint8_t how = cursor_u8(in);
	const struct dirtytable_query query = {
		.by = how % (DIRTYTABLE_WRITE + 1),
		.json = how & 8,
		.once = how & 16,
		.tracer = how & 32,
		.max = how & 64 ? 3 : 0,
		.interval_ns = how & 128 ? 1 : 1000000000,
	};
	struct sink sink = { .fd = -1, .arg = &query };
	struct call_stats stats;
	struct xf_err err;
	struct chunks c;

	if (!chunks_open(&c, in))
		callgraph_draw(&c.t, &emit_dirtytable, &sink, &stats, &err);
	/* Whatever it names, a terminal may have it. */
	for (size_t i = 0; i < sink.buf.len; i++)
		fuzz_must(
			(sink.buf.data[i] >= ' ' && sink.buf.data[i] <= '~') ||
			sink.buf.data[i] == '\n' || query.json);
	buf_deinit(&sink.buf);
	chunks_close(&c);
}
