// SPDX-License-Identifier: GPL-2.0-only
/* A trace in a file that somebody sent, taken into a store. */
#include "check.h"
#include "stores.h"
#include "transfer.h"

void fuzz_one(struct cursor *in)
{
	struct store st, file;
	struct xf_err err;

	stores_begin(in);
	fuzz_must(!store_open(&st, STORES_EMPTY, true, &err));
	if (!transfer_import(&st, STORES_INPUT, "fuzz", &err)) {
		fuzz_must(!store_open(&file, STORES_INPUT, false, &err));
		fuzz_must(stores_read(&st) == stores_read(&file));
		store_close(&file);
	}
	/* Taken or not, the store is whole. */
	fuzz_must(!check_media(&st.m, CHECK_LOOK, NULL, NULL, &err));
	store_close(&st);
}
