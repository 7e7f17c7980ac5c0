// SPDX-License-Identifier: GPL-2.0-only
/* A description of an event, and a record of it. */
#include "fuzz.h"
#include "tep.h"

void fuzz_one(struct cursor *in)
{
	_cleanup_(tep_destroyp) struct tep *t = tep_create(NULL);
	_cleanup_(buf_deinit) struct buf out = BUF_INIT;
	const char *text = cursor_str(in);
	const struct tep_type *type;
	struct tep_value v;
	struct xf_err err;
	uint32_t pos = 0;
	size_t len;
	_cleanup_free_ uint8_t *data = NULL;

	if (!text || tep_add(t, "fuzz", text, strlen(text), &err))
		return;
	type = tep_each(t, &pos);
	data = fuzz_take_all(in, &len);
	/* It is of that event. */
	if (len >= 2)
		memcpy(data, &(uint16_t){ type->id }, 2);
	tep_print(t, data, len, &out);
	for (uint32_t i = 0; i < type->nr_members; i++)
		tep_value(&type->members[i], data, len, &v);
	/* A description may have tabs. */
	for (size_t i = 0; i < out.len; i++)
		fuzz_must((out.data[i] >= ' ' && out.data[i] <= '~') ||
			  out.data[i] == '\t');
}
