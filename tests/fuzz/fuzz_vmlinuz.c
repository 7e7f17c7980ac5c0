// SPDX-License-Identifier: GPL-2.0-only
/*
 * A compressed kernel image. It is a file of the host and may be large; here,
 * what unpacks to more than this is as good as over the real limit.
 */
#include "vmlinuz.h"

#undef VMLINUZ_MAX
#define VMLINUZ_MAX (16u << 20)

#include "../../tracemaker/vmlinuz.c"

#include "fuzz.h"

void fuzz_one(struct cursor *in)
{
	_cleanup_(buf_deinit) struct buf elf = BUF_INIT;
	size_t len;
	_cleanup_free_ uint8_t *image = fuzz_take_all(in, &len);
	struct xf_err err;

	if (vmlinuz_is(image, len))
		vmlinuz_unpack(image, len, &elf, &err);
}
