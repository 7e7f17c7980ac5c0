// SPDX-License-Identifier: GPL-2.0-only
/* The kernel's types. */
#include "btf.h"
#include "fuzz.h"

void fuzz_one(struct cursor *in)
{
	static const char *const paths[][2] = {
		{ "trace_event_call", "event.type" },
		{ "trace_event_call", "name" },
		{ "ftrace_event_field", "is_signed" },
		{ "list_head", "next" },
	};
	_cleanup_(btf_close) struct btf b = BTF_INIT;
	size_t len;
	_cleanup_free_ uint8_t *blob = fuzz_take_all(in, &len);
	struct btf_member m;
	struct xf_err err;
	uint32_t size;
	int32_t value;

	if (btf_open(&b, blob, len, &err))
		return;
	for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
		btf_sizeof(&b, paths[i][0], &size, &err);
		if (btf_member(&b, paths[i][0], paths[i][1], &m, &err))
			continue;
		/*
		 * It may be in another structure of that name: users compare.
		 */
		fuzz_must(m.size);
		fuzz_must(m.bit + m.bits <= m.size * 8ull);
	}
	btf_enumerator(&b, "TRACE_EVENT_FL_TRACEPOINT", &value, &err);
}
