// SPDX-License-Identifier: GPL-2.0-only
/* Page tables: one look at each level, and never more levels than there are. */
#include "guest.h"

void fuzz_one(struct cursor *in)
{
	struct gva space = { .mf = &guest_ram, .l5 = cursor_u8(in) & 1 };
	unsigned int most = space.l5 ? 5 : 4;
	uint64_t addr, gpa = 0, run = 0, word;
	uint8_t bytes[64];
	struct xf_err err;

	space.pgd_gpa = cursor_u64(in);
	addr = cursor_u64(in);
	guest_begin(in, GUEST_MEMFILE);
	if (!gva_translate(&space, addr, &gpa, &run, &err)) {
		fuzz_must(run >= 1 && run <= 1u << 30);
		fuzz_must(gpa < GUEST_RAM && run <= GUEST_RAM - gpa);
	}
	fuzz_must(guest_words <= most);
	gva_read(&space, addr, bytes, sizeof(bytes), &err);
	gva_read_u64(&space, addr, &word, &err);
	gva_read_str(&space, addr, (char *)bytes, sizeof(bytes), &err);
	guest_end();
}
