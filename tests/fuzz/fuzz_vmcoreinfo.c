// SPDX-License-Identifier: GPL-2.0-only
/* The kernel's note about itself: the text, then what the guest says to it. */
#include "guest.h"
#include "vmcoreinfo.h"

void fuzz_one(struct cursor *in)
{
	static uint8_t page[2 * XF_PAGE_SIZE];
	struct vmcoreinfo vi;
	struct xf_err err;
	const uint64_t cr3 = cursor_u64(in);
	size_t len = cursor_u16(in) % sizeof(page);
	_cleanup_free_ uint8_t *text = fuzz_take(in, len, &len);

	if (!vmcoreinfo_parse(&vi, text, len, &err)) {
		fuzz_must(strlen(vi.text) <= VMCOREINFO_MAX);
		guest_begin(in, GUEST_GVA);
		vmcoreinfo_verify(&vi, &guest_ram, &err);
	}
	guest_begin(in, GUEST_MEMFILE);
	vmcoreinfo_find(&vi, &guest_ram, &cr3, 1, &err);
	guest_end();
}
