/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * chunks -- an input as a trace: each chunk is its type (u8), its length (u16)
 * and its bytes. Records of a session that has a seed are sealed with it, so
 * that their tags fit: see seal_span.h.
 */
#ifndef FUZZ_CHUNKS_H
#define FUZZ_CHUNKS_H

#include "callgraph.h"
#include "fuzz.h"
#include "seal_span.h"
#include "trace.h"

struct chunks {
	uint8_t *chunk[64]; /* owned: a trace borrows them */
	size_t nr;
	struct trace t;
	struct seal_rings rings;
};

static inline int chunks_open(struct chunks *c, struct cursor *in)
{
	struct xf_err err;
	int rc = 0;

	c->nr = c->rings.nr = 0;
	trace_init(&c->t);
	while (!rc && cursor_left(in) && c->nr < ARRAY_SIZE(c->chunk)) {
		uint8_t type = cursor_u8(in);
		size_t len = cursor_u16(in);

		c->chunk[c->nr] = fuzz_take(in, len, &len);
		if (type == TRACE_SPAN)
			c->chunk[c->nr] = seal_span(&c->rings, &c->t,
						    c->chunk[c->nr], &len);
		rc = trace_add_chunk(&c->t, type, c->chunk[c->nr++], len, &err);
	}
	return rc ? rc : trace_seal(&c->t, &err);
}

static inline void chunks_close(struct chunks *c)
{
	trace_deinit(&c->t);
	while (c->nr)
		free(c->chunk[--c->nr]);
}

/* Draw it. Lines of text are kept, up to a limit; all else goes to nowhere. */
static inline void chunks_draw(struct chunks *c, const struct emit_ops *ops)
{
	struct sink sink = { .fd = -1 };
	struct call_stats stats;
	struct xf_err err;

	callgraph_draw(&c->t, ops, &sink, &stats, &err);
	buf_deinit(&sink.buf);
}

#endif
