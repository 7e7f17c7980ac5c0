// SPDX-License-Identifier: GPL-2.0-only
/* A stored trace, drawn as text. */
#include "chunks.h"

void fuzz_one(struct cursor *in)
{
	struct chunks c;

	if (!chunks_open(&c, in))
		chunks_draw(&c, &emit_text);
	chunks_close(&c);
}
