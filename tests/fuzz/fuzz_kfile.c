// SPDX-License-Identifier: GPL-2.0-only
/*
 * A kernel's image as somebody's file has it, and what is compared with it: the
 * guest's code and constants. The input is the length of the file (u32), the
 * file, and then what the guest's memory holds, as it is read. Symbols are
 * right.
 */
#include "guest.h"
#include "look.h"
#include "sites.h"
#include "unit/fake_image.h"

static struct symtab *table;
static struct btf btf[2];

__attribute__((constructor)) static void make_kernel(void)
{
	static struct fake_image k[2];

	fake_image_open(&k[0], NULL, 12);
	fake_image_open(&k[1], NULL, 14);
	table = k[0].symbols;
	btf[0] = k[0].types;
	btf[1] = k[1].types;
}

/* Any place of it may be asked for; the last byte is read. */
static void look_around(const struct kfile *k, struct cursor *in)
{
	uint64_t addr = cursor_u64(in), len = cursor_u32(in);
	const volatile uint8_t *p = kfile_at(k, addr, len);

	if (p && len)
		(void)(p[0] + p[len - 1]);
}

static void compare(const struct kfile *k, struct cursor *in)
{
	_cleanup_(findings_deinit) struct findings found = FINDINGS_INIT;
	_cleanup_(sites_deinit) struct sites sites = SITES_INIT;
	const struct image_guest g = {
		.space = { .mf = &guest_ram },
		.symbols = table,
		.types = &btf[cursor_u8(in) & 1],
		.file = k,
	};
	const uint64_t probed = TEXT + PROBED + SLIDE;
	struct look l = { .g = &g, .f = &found, .sites = &sites,
			  .code = CODEMAP_INIT };

	buf_add(&l.probed, &probed, sizeof(probed));
	sites_find(&sites, &l);
	guest_begin(in, GUEST_GVA);
	guest_unwatch();
	check_text(&l);
	check_tables(&l);
	guest_end();
	buf_deinit(&l.probed);
	buf_deinit(&l.patched);
}

void fuzz_one(struct cursor *in)
{
	_cleanup_(kfile_close) struct kfile k = KFILE_INIT;
	struct buf file = BUF_INIT;
	size_t len = cursor_u32(in);
	struct xf_err err;

	/* kfile_open() takes memory that the buffer's own functions made. */
	file.data = (char *)fuzz_take(in, len, &file.len);
	file.cap = file.len;
	if (kfile_open(&k, &file, SLIDE, &err))
		return;
	look_around(&k, in);
	compare(&k, in);
}
