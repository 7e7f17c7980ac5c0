// SPDX-License-Identifier: GPL-2.0-only
/* The types in a kernel image. */
#include "btf.h"
#include "fuzz.h"

void fuzz_one(struct cursor *in)
{
	_cleanup_(buf_deinit) struct buf blob = BUF_INIT;
	_cleanup_close_ int fd = -1;
	struct xf_err err;
	char path[32];

	fd = fuzz_file(in, path);
	btf_load_image(path, "0123456789abcdefghij", 20, &blob, &err);
}
