// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a check of memory reads of a guest: lists of modules, hooks and files,
 * tables, page tables, code; and what symbols take of it: code that the kernel
 * made, live patches. The input's first byte says which parts look. They look
 * at the same things from several sides, so nobody minds a second look; it sees
 * something else, as always.
 */
#include "small_modlist.h"

#include "guest.h"
#include "livepatch.h"
#include "look.h"
#include "madecode.h"
#include "unit/fake_kernel.h"

static uint8_t wanted;

#define LOOK(bit, call)                                                        \
	do {                                                                   \
		if (wanted & 1u << (bit))                                      \
			call;                                                  \
	} while (0)
#define codemap_read(l)	 LOOK(0, codemap_read(l))
#define check_hooks(l)	 LOOK(1, check_hooks(l))
#define check_proc(l)	 LOOK(1, check_proc(l))
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
	make_types(&blob, 0);
	if (btf_open(&btf, blob.data, blob.len, NULL))
		abort();
}

static void must_be_plain(const char *text, void *arg)
{
	for (const char *p = text; *p; p++)
		fuzz_must(*p >= ' ' && *p <= '~');
}

static void add_made(const struct image_guest *g)
{
	_cleanup_(symtab_destroyp) struct symtab *st = symtab_create();

	madecode_add(g, st);
	symtab_seal(st);
}

void fuzz_one(struct cursor *in)
{
	_cleanup_(findings_deinit) struct findings found = FINDINGS_INIT;
	_cleanup_(buf_deinit) struct buf patched = BUF_INIT;
	const struct image_guest g = {
		.space = { .mf = &guest_ram },
		.symbols = table,
		.types = &btf,
	};

	wanted = cursor_u8(in);
	guest_begin(in, GUEST_GVA);
	guest_unwatch();
	if (wanted & 0x1f)
		look_once(&g, &found, &patched);
	if (wanted & 0x20)
		add_made(&g);
	if (wanted & 0x40)
		livepatch_each(&g, must_be_plain, NULL);
	guest_end();
	for (size_t i = 0; i < found.nr; i++)
		must_be_plain(found.v[i].text, NULL);
}
