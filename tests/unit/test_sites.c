// SPDX-License-Identifier: GPL-2.0-only
/* What may stand where, on a made-up kernel: kfile, sites, guestlist. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <elf.h>
#include <errno.h>
#include <stdlib.h>

#include "fake_guest.h"
#include "guestlist.h"
#include "look.h"
#include "sites.h"

#define TEXT  0xffffffff81000000ull
#define TABLE 0xffffffff81002000ull
#define SLIDE 0x10000000ull
#define THUNK (TEXT + 0x800)		/* __x86_indirect_thunk_array */

enum { TEXT_SEC = 1, RETURNS, RETPOLINES, ALTS, REPLACEMENT, NAMES, NR };

static const struct {
	const char *name;
	uint64_t addr, len;
} sections[NR] = {
	[TEXT_SEC] = { ".text", TEXT, 0x1000 },
	[RETURNS] = { ".return_sites", TABLE, 4 },
	[RETPOLINES] = { ".retpoline_sites", TABLE + 0x100, 4 },
	[ALTS] = { ".altinstructions", TABLE + 0x200, 24 },
	[REPLACEMENT] = { ".altinstr_replacement", TABLE + 0x300, 64 },
	[NAMES] = { ".shstrtab", 0, 0 },
};

/* A file whose bytes at TEXT begin at this offset. */
#define AT(addr) (0x1000 + ((addr) - TEXT))

struct kernel {
	struct kfile file;
	struct symtab *symbols;
	struct btf types;
	struct image_guest g;
	struct look l;
	struct sites sites;
	struct findings found;
};

static void put_s32(uint8_t *file, uint64_t addr, uint64_t to)
{
	int32_t away = to - addr;

	memcpy(file + AT(addr), &away, sizeof(away));
}

static void put_branch(uint8_t *file, uint64_t addr, uint8_t opcode,
		       uint64_t to)
{
	int32_t away = to - (addr + 5);

	file[AT(addr)] = opcode;
	memcpy(file + AT(addr) + 1, &away, sizeof(away));
}

static void add_headers(uint8_t *file, size_t names, size_t headers)
{
	Elf64_Ehdr eh = {
		.e_ident = { 0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, 1 },
		.e_type = ET_EXEC, .e_machine = EM_X86_64, .e_version = 1,
		.e_phoff = sizeof(eh), .e_phnum = 1, .e_ehsize = sizeof(eh),
		.e_phentsize = sizeof(Elf64_Phdr), .e_shoff = headers,
		.e_shnum = NR, .e_shentsize = sizeof(Elf64_Shdr),
		.e_shstrndx = NAMES,
	};
	Elf64_Phdr ph = { .p_type = PT_LOAD, .p_offset = 0x1000,
			  .p_vaddr = TEXT, .p_paddr = 0x1000000,
			  .p_filesz = 0x3000, .p_memsz = 0x3000 };
	Elf64_Shdr sh[NR] = { 0 };
	size_t at = 1;

	for (int i = 1; i < NR; i++) {
		strcpy((char *)file + names + at, sections[i].name);
		sh[i] = (Elf64_Shdr){
			.sh_name = at,
			.sh_type = i == NAMES ? SHT_STRTAB : SHT_PROGBITS,
			.sh_addr = sections[i].addr,
			.sh_offset = i == NAMES ? names : AT(sections[i].addr),
			.sh_size = i == NAMES ? 256 : sections[i].len,
		};
		at += strlen(sections[i].name) + 1;
	}
	memcpy(file, &eh, sizeof(eh));
	memcpy(file + sizeof(eh), &ph, sizeof(ph));
	memcpy(file + headers, sh, sizeof(sh));
}

static void put_alt(uint8_t *file, unsigned int nr, uint64_t at, uint64_t from,
		    uint8_t len, uint8_t from_len)
{
	uint64_t entry = sections[ALTS].addr + 12 * nr;

	put_s32(file, entry, at);
	put_s32(file, entry + 4, from);
	file[AT(entry) + 10] = len;
	file[AT(entry) + 11] = from_len;
}

/* A vmlinux with relocations behind it: one of 64 bits at TEXT + 0xf00. */
static void make_file(struct buf *out, const int32_t *relocs, size_t nr)
{
	size_t names = 0x4000, headers = 0x4100;
	size_t len = headers + NR * sizeof(Elf64_Shdr);
	uint8_t *file = (uint8_t *)buf_reserve(out, len);
	uint64_t value = TEXT + 0x100;

	memset(file, 0, len);
	memset(file + AT(TEXT), 0xcc, 0x1000);
	put_branch(file, TEXT + 0x100, 0xe9, THUNK + 0x400);
	put_s32(file, sections[RETURNS].addr, TEXT + 0x100);
	/* call of the thunk for rdx */
	put_branch(file, TEXT + 0x200, 0xe8, THUNK + 2 * 32);
	put_s32(file, sections[RETPOLINES].addr, TEXT + 0x200);
	/* Ten bytes that may become a call, and some more that a prefetch. */
	memset(file + AT(TEXT + 0x300), 0x90, 10);
	put_branch(file, sections[REPLACEMENT].addr, 0xe8, TEXT + 0x900);
	put_alt(file, 0, TEXT + 0x300, sections[REPLACEMENT].addr, 10, 5);
	memcpy(file + AT(TEXT + 0x400), "\x0f\x1f\x44\x00\x00", 5);
	memcpy(file + AT(sections[REPLACEMENT].addr) + 16, "\xf3\xa4\xc3", 3);
	put_alt(file, 1, TEXT + 0x400, sections[REPLACEMENT].addr + 16, 5, 3);
	memcpy(file + AT(TEXT + 0xf00), &value, sizeof(value));
	add_headers(file, names, headers);
	out->len = len;
	buf_add(out, relocs, nr * sizeof(*relocs));
}

static const int32_t relocs[] = { 0, (int32_t)(TEXT + 0xf00), 0, 0 };

static void add_symbol(struct kernel *k, uint64_t addr, const char *name)
{
	symtab_add(k->symbols, addr + SLIDE, 0, 't', name, strlen(name), NULL);
}

static int setup(void **state)
{
	struct kernel *k = calloc(1, sizeof(*k));
	struct buf file = BUF_INIT;

	make_file(&file, relocs, 4);
	assert_int_equal(kfile_open(&k->file, &file, SLIDE, NULL), 0);
	k->symbols = symtab_create();
	add_symbol(k, TEXT, "_stext");
	add_symbol(k, TEXT + 0x100, "victim");
	add_symbol(k, THUNK, "__x86_indirect_thunk_array");
	add_symbol(k, TEXT + 0x900, "callee");
	add_symbol(k, THUNK + 0x400, "__x86_return_thunk");
	add_symbol(k, TEXT + 0xe00, "srso_return_thunk");
	add_symbol(k, TEXT + 0x1000, "_etext");
	symtab_seal(k->symbols);
	k->g = (struct image_guest){ .symbols = k->symbols, .types = &k->types,
				     .file = &k->file };
	k->l = (struct look){ .g = &k->g, .f = &k->found,
			      .code = CODEMAP_INIT };
	k->found = (struct findings)FINDINGS_INIT;
	sites_find(&k->sites, &k->l);
	*state = k;
	return 0;
}

static int teardown(void **state)
{
	struct kernel *k = *state;

	sites_deinit(&k->sites);
	symtab_destroy(k->symbols);
	kfile_close(&k->file);
	findings_deinit(&k->found);
	free(k);
	return 0;
}

/* How many bytes are explained when @now stands at @addr. */
static size_t explained(struct kernel *k, uint64_t addr, const char *now,
			size_t len)
{
	uint8_t text[0x1000];
	const uint8_t *was = kfile_at(&k->file, TEXT + SLIDE, sizeof(text));
	size_t at = addr - TEXT;

	memcpy(text, was, sizeof(text));
	memcpy(text + at, now, len);
	while (text[at] == was[at])
		at++;
	return sites_explain(&k->sites, &k->l, TEXT + SLIDE + at, text + at,
			     at, sizeof(text) - at);
}

static void relocation(void **state)
{
	struct kernel *k = *state;
	struct kfile_range r;
	uint64_t v;

	memcpy(&v, kfile_at(&k->file, TEXT + SLIDE + 0xf00, 8), 8);
	assert_int_equal(v, TEXT + 0x100 + SLIDE);
	assert_null(kfile_at(&k->file, TEXT, 1));
	assert_null(kfile_at(&k->file, TEXT + SLIDE + 0x2fff, 2));
	assert_null(kfile_at(&k->file, TEXT + SLIDE, SIZE_MAX));
	assert_true(kfile_section(&k->file, ".return_sites", &r));
	assert_int_equal(r.addr, TABLE + SLIDE);
	assert_int_equal(r.len, 4);
	assert_false(kfile_section(&k->file, ".nonsense", &r));
}

static void hostile_file(void **state)
{
	static const int32_t outside[] = { 0, 0x1000, 0, 0 };
	struct kfile k = KFILE_INIT;
	struct buf file = BUF_INIT;
	struct xf_err err;

	make_file(&file, outside, 4);
	assert_int_equal(kfile_open(&k, &file, SLIDE, &err), -EBADMSG);
	make_file(&file, relocs, 0);
	assert_int_equal(kfile_open(&k, &file, SLIDE, &err), -ENODATA);
	/* Where it was not moved nothing has to be known. */
	make_file(&file, relocs, 0);
	assert_int_equal(kfile_open(&k, &file, 0, &err), 0);
	kfile_close(&k);
	for (size_t len = 0; len < 0x4200; len += 0x3f) {
		make_file(&file, relocs, 4);
		file.len = len;
		assert_true(kfile_open(&k, &file, SLIDE, &err) < 0);
		buf_deinit(&file);
	}
}

static void returns(void **state)
{
	struct kernel *k = *state;
	char jmp[5] = "\xe9";
	int32_t away = 0xe00 - 0x105;

	assert_int_equal(explained(k, TEXT + 0x100, "\xc3\xcc\xcc\xcc\xcc", 5),
			 5);
	assert_int_equal(explained(k, TEXT + 0x100, "\xc3\x90\xcc\xcc\xcc", 5),
			 0);
	memcpy(jmp + 1, &away, 4);
	assert_true(explained(k, TEXT + 0x100, jmp, 5) > 0);
	away = 0x900 - 0x105;
	memcpy(jmp + 1, &away, 4);
	assert_int_equal(explained(k, TEXT + 0x100, jmp, 5), 0);
	/* Elsewhere, nothing may be. */
	assert_int_equal(explained(k, TEXT + 0x500, "\xc3\xcc\xcc\xcc\xcc", 5),
			 0);
}

static void retpolines(void **state)
{
	struct kernel *k = *state;

	assert_int_equal(explained(k, TEXT + 0x200, "\xff\xd2\x0f\x1f\x00", 5),
			 5);
	/* Another register. */
	assert_int_equal(explained(k, TEXT + 0x200, "\xff\xd3\x0f\x1f\x00", 5),
			 0);
	assert_int_equal(explained(k, TEXT + 0x200, "\xff\xe2\xcc\xcc\xcc", 5),
			 0);
}

static void alternatives(void **state)
{
	struct kernel *k = *state;
	char call[10] = "\xe8\0\0\0\0\x0f\x1f\x44\0";
	int32_t away = 0x900 - 0x305;

	memcpy(call + 1, &away, 4);
	assert_int_equal(explained(k, TEXT + 0x300, call, 10), 10);
	away++;
	memcpy(call + 1, &away, 4);
	assert_int_equal(explained(k, TEXT + 0x300, call, 10), 0);
	/* Other no-operations than the compiler's. */
	assert_int_equal(explained(k, TEXT + 0x300,
				   "\x66\x2e\x0f\x1f\x84\0\0\0\0", 10), 10);
	assert_int_equal(explained(k, TEXT + 0x400, "\xf3\xa4\xc3\x66\x90", 5),
			 5);
	assert_int_equal(explained(k, TEXT + 0x400, "\xf3\xa4\xc3\x66\x91", 5),
			 0);
	assert_int_equal(explained(k, TEXT + 0x400, "\xe9\1\2\3\4", 5), 0);
}

/* ---- Lists. ---- */

#define LIST 0xffffffffc0000000ull

static bool count(struct look *l, uint64_t addr, void *arg)
{
	++*(unsigned int *)arg;
	return true;
}

static void lists(void **state)
{
	struct fake_guest g;
	struct image_guest ig = { 0 };
	struct look l = { .g = &ig };
	unsigned int nr = 0;

	fake_guest_open(&g, 16 << 20);
	fake_map_range(&g, LIST, 0x100000, 0x10000);
	ig.space = g.space;
	/* head -> 0x100 -> 0x200 -> head */
	fake_put_u64(&g, 0x100000, LIST + 0x100);
	fake_put_u64(&g, 0x100100, LIST + 0x200);
	fake_put_u64(&g, 0x100200, LIST);
	assert_true(guestlist_ring(&l, LIST, 0, count, &nr));
	assert_int_equal(nr, 2);
	/* A loop that never comes back ends. */
	fake_put_u64(&g, 0x100200, LIST + 0x100);
	assert_false(guestlist_ring(&l, LIST, 0, count, &nr));
	assert_false(guestlist_chain(&l, LIST, 0, 0, count, &nr));
	/* So does one of zeros, or into nowhere. */
	fake_put_u64(&g, 0x100000, 0);
	assert_false(guestlist_ring(&l, LIST, 0, count, &nr));
	assert_true(guestlist_hash(&l, LIST, 0, count, &nr));
	fake_put_u64(&g, 0x100000, 0x1234);
	assert_false(guestlist_hash(&l, LIST, 0, count, &nr));
	fake_guest_close(&g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(relocation, setup, teardown),
		cmocka_unit_test(hostile_file),
		cmocka_unit_test_setup_teardown(returns, setup, teardown),
		cmocka_unit_test_setup_teardown(retpolines, setup, teardown),
		cmocka_unit_test_setup_teardown(alternatives, setup, teardown),
		cmocka_unit_test(lists),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
