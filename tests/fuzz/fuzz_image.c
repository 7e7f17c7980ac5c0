// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a check of memory reads of a guest: lists of modules, hooks and files,
 * tables, page tables, code. The input's first byte says which parts look. They
 * look at the same things from several sides, so nobody minds a second look; it
 * sees something else, as always.
 */
#include "modlist.h"

/* As in fuzz_modlist.c. */
#undef MODLIST_MAX_MODULES
#define MODLIST_MAX_MODULES 64
#undef MODLIST_MAX_SYMBOLS
#define MODLIST_MAX_SYMBOLS 1024
#undef MODLIST_MAX_BYTES
#define MODLIST_MAX_BYTES (64u << 10)
#include "../../kvm-memfile/modlist.c"

#include "guest.h"
#include "look.h"
#include "unit/fake_kernel.h"

static uint8_t wanted;

#define LOOK(bit, call)                                                        \
	do {                                                                   \
		if (wanted & 1u << (bit))                                      \
			call;                                                  \
	} while (0)
#define codemap_read(l)	 LOOK(0, codemap_read(l))
#define check_hooks(l)	 LOOK(1, check_hooks(l))
#define check_tables(l)	 LOOK(2, check_tables(l))
#define check_modules(l) LOOK(3, check_modules(l))
#define check_entries(l) LOOK(4, check_entries(l))
#include "../../audit/image.c"

static struct symtab *table;
static struct btf btf;

__attribute__((constructor)) static void make_kernel(void)
{
	static struct buf blob = BUF_INIT;

	table = make_symbols();
	make_types(&blob);
	if (btf_open(&btf, blob.data, blob.len, NULL))
		abort();
}

void fuzz_one(struct cursor *in)
{
	_cleanup_(findings_deinit) struct findings found = FINDINGS_INIT;
	const struct image_guest g = {
		.space = { .mf = &guest_ram },
		.symbols = table,
		.types = &btf,
	};

	wanted = cursor_u8(in);
	guest_begin(in, GUEST_GVA);
	guest_unwatch();
	look_once(&g, &found);
	guest_end();
	for (size_t i = 0; i < found.nr; i++)
		for (const char *p = found.v[i].text; *p; p++)
			fuzz_must(*p >= ' ' && *p <= '~');
}
