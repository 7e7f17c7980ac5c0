// SPDX-License-Identifier: GPL-2.0-only
/* Descriptions of events: what libtraceevent gets to see of them. */
#include "fuzz.h"
#include "tepclean.h"

void fuzz_one(struct cursor *in)
{
	_cleanup_(buf_deinit) struct buf out = BUF_INIT;
	_cleanup_(buf_deinit) struct buf again = BUF_INIT;
	size_t len;
	_cleanup_free_ uint8_t *text = fuzz_take_all(in, &len);
	struct xf_err err;
	bool args;

	if (tepclean((char *)text, len, &out, &args, &err))
		return;
	/* What is clean is a description, too. */
	fuzz_must(!tepclean(out.data, out.len, &again, &args, &err));
}
