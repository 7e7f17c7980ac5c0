// SPDX-License-Identifier: GPL-2.0-only
/* The code of return_to_handler. */
#include "fuzz.h"
#include "result.h"

void fuzz_one(struct cursor *in)
{
	size_t len;
	_cleanup_free_ uint8_t *code = fuzz_take(in, RESULT_CODE, &len);
	struct xf_err err;
	int32_t off;

	if (!result_find(code, len, &off, &err))
		fuzz_must(off < 0 && off >= -512);
}
