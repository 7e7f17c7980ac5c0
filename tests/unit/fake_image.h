/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * fake_image -- a vmlinux of a made-up kernel, as it comes out of a vmlinuz,
 * its symbols, as KASLR has moved them, and a look at it.
 *
 *	struct fake_image k;
 *	fake_image_open(&k, NULL, 12);
 *	check_text(&k.l);
 *
 * There is one place for each way in which the kernel patches its code; all
 * other code is breakpoints. What the guest's memory holds is the test's.
 */
#ifndef FAKE_IMAGE_H
#define FAKE_IMAGE_H

#include <elf.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "fake_btf.h"
#include "look.h"
#include "sites.h"

#define SLIDE	  0x10000000ull
#define TEXT	  0xffffffff81000000ull
#define TEXT_LEN  0x1000ull
#define TABLE(i)  (TEXT + 0x1000 + 0x50 * (i))
#define REPLACED  (TEXT + 0x1500)
#define RODATA	  (TEXT + 0x1800)
#define IMAGE_LEN 0x1c00ull
#define DATA	  (TEXT + 0x100000)	/* not of the file */
#define MADE	  0xffffffffa0000000ull /* a page for each owner of code */

/* Where things are in TEXT. */
enum {
	VICTIM = 0x100, CALL_THUNK = 0x200, JUMP_THUNK = 0x208,
	PREFIX_THUNK = 0x210, ALT_CALL = 0x300, ALT_COPY = 0x400,
	ALT_JUMP = 0x410, ALT_RETURN = 0x420, ALT_PARAVIRT = 0x430,
	ALT_JUMP_TO = 0x440, ELSEWHERE = 0x500, PARAVIRT = 0x520,
	MCOUNT = 0x600, JUMP = 0x620, SHORT_JUMP = 0x630, JUMP_TO = 0x640,
	STATIC_CALL = 0x650, STATIC_BRANCH = 0x658, TRAMPOLINE = 0x660,
	TRACER_CALL = 0x670, LOCK = 0x680, ENDBR = 0x690, SHIFT = 0x6a0,
	POINTER = 0x6b0, PROBED = 0x6c0, TP_TRAMPOLINE = 0x6d0,
	TP_CALL = 0x6e0, DISPATCHER = 0x700, READ = 0x780,
	WRITE = 0x7c0, THUNKS = 0x800, CALLEE = 0x900, RETURN_THUNK = 0xc00,
	NATIVE = 0xd00, TRACER = 0xd80, RETURN_THUNK2 = 0xe00, REL64 = 0xf00,
	REL32 = 0xf10, REL32_BACK = 0xf18, GATES = 0xf80, GATE_ROW = 0xf90,
	EARLY_GATES = 0xfa0,
};

/* In RODATA, and in DATA. */
enum { SYSCALLS = 0x10, OPERATIONS = 0x200, FILLED_IN = 0x300, NUMBER = 0x340 };
enum { IDT = 0, POKING = 0x1000, TRACEPOINT = 0x1800, JIFFIES = 0x1900 };

enum {
	TEXT_SEC = 1, ALTS, PARAVIRTS, RETPOLINES, RETURNS, LOCKS, ENDBRS,
	SHIFTS, POINTERS, REPLACEMENT, RODATA_SEC, NAMES, NR_SECTIONS,
	/* Tables between two symbols. */
	MCOUNTS = NR_SECTIONS, JUMPS, STATIC_CALLS,
};

static const struct {
	const char *name;
	uint64_t addr, len;
} sections[NR_SECTIONS] = {
	[TEXT_SEC] = { ".text", TEXT, TEXT_LEN },
	[ALTS] = { ".altinstructions", TABLE(ALTS), 0 },
	[PARAVIRTS] = { ".parainstructions", TABLE(PARAVIRTS), 16 },
	[RETPOLINES] = { ".retpoline_sites", TABLE(RETPOLINES), 12 },
	[RETURNS] = { ".return_sites", TABLE(RETURNS), 8 },
	[LOCKS] = { ".smp_locks", TABLE(LOCKS), 4 },
	[ENDBRS] = { ".ibt_endbr_seal", TABLE(ENDBRS), 4 },
	[SHIFTS] = { "runtime_shift_d_hash_shift", TABLE(SHIFTS), 4 },
	[POINTERS] = { "runtime_ptr_dentry_hashtable", TABLE(POINTERS), 4 },
	[REPLACEMENT] = { ".altinstr_replacement", REPLACED, 0x40 },
	[RODATA_SEC] = { ".rodata", RODATA, 0x400 },
	[NAMES] = { ".shstrtab", 0, 0 },
};

static const struct {
	uint64_t addr;
	char type;
	const char *name;
} symbols[] = {
	{ TEXT, 'T', "_stext" },
	{ TEXT + VICTIM, 't', "victim" },
	{ TEXT + TRAMPOLINE, 't', "__SCT__callee" },
	{ TEXT + TRACER_CALL, 't', "ftrace_call" },
	{ TEXT + TP_TRAMPOLINE, 't', "__SCT__tp_func_switch" },
	{ TEXT + DISPATCHER, 't', "x64_sys_call" },
	{ TEXT + READ, 't', "__x64_sys_read" },
	{ TEXT + WRITE, 't', "__x64_sys_write" },
	{ TEXT + THUNKS, 't', "__x86_indirect_thunk_array" },
	{ TEXT + CALLEE, 't', "callee" },
	{ TEXT + RETURN_THUNK, 't', "__x86_return_thunk" },
	{ TEXT + NATIVE, 't', "native_save_fl" },
	{ TEXT + TRACER, 't', "ftrace_caller" },
	{ TEXT + RETURN_THUNK2, 't', "srso_return_thunk" },
	{ TEXT + GATES, 't', "asm_exc_page_fault" },
	{ TEXT + GATE_ROW, 't', "irq_entries_start" },
	{ TEXT + EARLY_GATES, 't', "early_idt_handler_array" },
	{ TEXT + TEXT_LEN, 'T', "_etext" },
	{ TABLE(MCOUNTS), 'd', "__start_mcount_loc" },
	{ TABLE(MCOUNTS) + 8, 'd', "__stop_mcount_loc" },
	{ TABLE(JUMPS), 'd', "__start___jump_table" },
	{ TABLE(JUMPS) + 32, 'd', "__stop___jump_table" },
	{ TABLE(STATIC_CALLS), 'd', "__start_static_call_sites" },
	{ TABLE(STATIC_CALLS) + 24, 'd', "__stop_static_call_sites" },
	{ RODATA + SYSCALLS, 'd', "sys_call_table" },
	{ RODATA + OPERATIONS, 'd', "some_operations" },
	{ RODATA + FILLED_IN, 'd', "__start_ro_after_init" },
	{ RODATA + NUMBER, 'd', "__end_ro_after_init" },
	{ DATA + IDT, 'd', "idt_table" },
	{ DATA + POKING, 'd', "bp_desc" },
	{ DATA + TRACEPOINT, 'd', "__tracepoint_switch" },
	{ DATA + JIFFIES, 'd', "jiffies_64" },
};

static const struct {
	uint64_t addr;
	uint8_t opcode;
	uint64_t to;
} branches[] = {
	{ TEXT + VICTIM, 0xe9, TEXT + RETURN_THUNK },
	{ TEXT + CALL_THUNK, 0xe8, TEXT + THUNKS + 32 * 2 },
	{ TEXT + JUMP_THUNK, 0xe9, TEXT + THUNKS + 32 * 10 },
	{ TEXT + PREFIX_THUNK + 1, 0xe8, TEXT + THUNKS + 32 * 11 },
	{ TEXT + STATIC_CALL, 0xe8, TEXT + TRAMPOLINE },
	{ TEXT + TRAMPOLINE, 0xe9, TEXT + CALLEE },
	{ TEXT + TRACER_CALL, 0xe8, TEXT + CALLEE },
	{ TEXT + TP_TRAMPOLINE, 0xe9, TEXT + CALLEE },
	{ TEXT + TP_CALL, 0xe8, TEXT + TP_TRAMPOLINE },
	{ TEXT + DISPATCHER + 16, 0xe8, TEXT + READ },
	{ TEXT + DISPATCHER + 32, 0xe9, TEXT + CALLEE + 1 },
	{ REPLACED, 0xe8, TEXT + CALLEE },
	{ REPLACED + 0x18, 0xe9, TEXT + ALT_JUMP_TO },
	{ REPLACED + 0x20, 0xe9, TEXT + RETURN_THUNK },
};

static const struct {
	uint64_t addr;
	uint8_t len;
	const char *bytes;
} codes[] = {
	{ TEXT + PREFIX_THUNK, 1, "\x2e" },
	{ TEXT + ALT_CALL, 10, "\x90\x90\x90\x90\x90\x90\x90\x90\x90\x90" },
	{ TEXT + ALT_COPY, 5, "\x0f\x1f\x44\x00\x00" },
	{ TEXT + ALT_PARAVIRT, 6, "\xff\x15\x00\x10\x00\x00" },
	{ TEXT + MCOUNT, 5, "\x0f\x1f\x44\x00\x00" },
	{ TEXT + JUMP, 5, "\x0f\x1f\x44\x00\x00" },
	{ TEXT + SHORT_JUMP, 2, "\x66\x90" },
	{ TEXT + STATIC_BRANCH, 2, "\x0f\x84" },
	{ TEXT + LOCK, 1, "\xf0" },
	{ TEXT + ENDBR, 4, "\xf3\x0f\x1e\xfa" },
	{ TEXT + PROBED, 5, "\x55\x48\x89\xe5\x53" },
	{ REPLACED + 0x10, 3, "\xf3\xa4\xc3" },
};

/* Words of 8 bytes, which are also relocated. */
static const struct {
	uint64_t addr, value;
} words[] = {
	{ TEXT + REL64, TEXT + VICTIM },
	{ TABLE(PARAVIRTS), TEXT + PARAVIRT },
	{ TABLE(MCOUNTS), TEXT + MCOUNT },
	{ RODATA + SYSCALLS, TEXT + READ },
	{ RODATA + SYSCALLS + 8, TEXT + WRITE },
	{ RODATA + OPERATIONS, TEXT + CALLEE },
};

/* Of @words; what is the further up the higher the kernel is; and the lower. */
static const int32_t relocs[] = {
	0, (int32_t)(TEXT + REL64), (int32_t)TABLE(PARAVIRTS),
	(int32_t)TABLE(MCOUNTS), (int32_t)(RODATA + SYSCALLS),
	(int32_t)(RODATA + SYSCALLS + 8), (int32_t)(RODATA + OPERATIONS),
	0, (int32_t)(TEXT + REL32_BACK), 0, (int32_t)(TEXT + REL32),
};

/* Entries of tables that say how far away from themselves a place is. */
static const struct {
	uint64_t entry, to;
} distances[] = {
	{ TABLE(RETPOLINES), TEXT + CALL_THUNK },
	{ TABLE(RETPOLINES) + 4, TEXT + JUMP_THUNK },
	{ TABLE(RETPOLINES) + 8, TEXT + PREFIX_THUNK },
	{ TABLE(RETURNS), TEXT + VICTIM },
	{ TABLE(RETURNS) + 4, REPLACED + 0x20 },
	{ TABLE(LOCKS), TEXT + LOCK },
	{ TABLE(ENDBRS), TEXT + ENDBR },
	{ TABLE(SHIFTS), TEXT + SHIFT },
	{ TABLE(POINTERS), TEXT + POINTER },
	{ TABLE(JUMPS), TEXT + JUMP },
	{ TABLE(JUMPS) + 4, TEXT + JUMP_TO },
	{ TABLE(JUMPS) + 16, TEXT + SHORT_JUMP },
	{ TABLE(JUMPS) + 20, TEXT + JUMP_TO },
	{ TABLE(STATIC_CALLS), TEXT + STATIC_CALL },
	{ TABLE(STATIC_CALLS) + 8, TEXT + STATIC_BRANCH },
	{ TABLE(STATIC_CALLS) + 16, TEXT + TP_CALL },
};

static const struct {
	uint64_t at, from;
	uint8_t len, from_len;
} alternatives[] = {
	{ TEXT + ALT_CALL, REPLACED, 10, 5 },
	{ TEXT + ALT_COPY, REPLACED + 0x10, 5, 3 },
	{ TEXT + ALT_JUMP, REPLACED + 0x18, 5, 5 },
	{ TEXT + ALT_RETURN, REPLACED + 0x20, 5, 5 },
	{ TEXT + ALT_PARAVIRT, REPLACED, 6, 0 },
};

/* A file whose bytes at TEXT begin at this offset. */
#define FAKE_IMAGE_AT(addr) (0x80 + ((addr) - TEXT))

static inline void fake_image_put_s32(uint8_t *file, uint64_t addr, int32_t v)
{
	memcpy(file + FAKE_IMAGE_AT(addr), &v, sizeof(v));
}

static inline void fake_image_put_headers(uint8_t *file, size_t names,
					  size_t headers, size_t alt_size)
{
	Elf64_Ehdr eh = {
		.e_ident = { 0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, 1 },
		.e_type = ET_EXEC, .e_machine = EM_X86_64, .e_version = 1,
		.e_phoff = sizeof(eh), .e_phnum = 1, .e_ehsize = sizeof(eh),
		.e_phentsize = sizeof(Elf64_Phdr), .e_shoff = headers,
		.e_shnum = NR_SECTIONS, .e_shentsize = sizeof(Elf64_Shdr),
		.e_shstrndx = NAMES,
	};
	Elf64_Phdr ph = { .p_type = PT_LOAD,
			  .p_offset = FAKE_IMAGE_AT(TEXT), .p_vaddr = TEXT,
			  .p_paddr = 0x1000000, .p_filesz = IMAGE_LEN,
			  .p_memsz = IMAGE_LEN };
	Elf64_Shdr sh[NR_SECTIONS] = { 0 };
	size_t at = 1;

	for (int i = 1; i < NR_SECTIONS; i++) {
		strcpy((char *)file + names + at, sections[i].name);
		sh[i] = (Elf64_Shdr){
			.sh_name = at,
			.sh_type = i == NAMES ? SHT_STRTAB : SHT_PROGBITS,
			.sh_addr = sections[i].addr,
			.sh_offset = i == NAMES ?
					     names :
					     FAKE_IMAGE_AT(sections[i].addr),
			.sh_size = i == NAMES ? headers - names :
						sections[i].len,
		};
		at += strlen(sections[i].name) + 1;
	}
	sh[ALTS].sh_size = ARRAY_SIZE(alternatives) * alt_size;
	memcpy(file, &eh, sizeof(eh));
	memcpy(file + sizeof(eh), &ph, sizeof(ph));
	memcpy(file + headers, sh, sizeof(sh));
}

/* @alt_size: bytes of a struct alt_instr, 14 since 6.3. */
static inline void fake_image_put_tables(uint8_t *file, size_t alt_size)
{
	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		memcpy(file + FAKE_IMAGE_AT(words[i].addr), &words[i].value, 8);
	for (size_t i = 0; i < ARRAY_SIZE(distances); i++)
		fake_image_put_s32(file, distances[i].entry,
				   distances[i].to - distances[i].entry);
	for (size_t i = 0; i < ARRAY_SIZE(alternatives); i++) {
		uint64_t entry = TABLE(ALTS) + alt_size * i;
		uint8_t *end = file + FAKE_IMAGE_AT(entry) + alt_size;

		fake_image_put_s32(file, entry, alternatives[i].at - entry);
		fake_image_put_s32(file, entry + 4,
				   alternatives[i].from - (entry + 4));
		end[-2] = alternatives[i].len;
		end[-1] = alternatives[i].from_len;
	}
	file[FAKE_IMAGE_AT(TABLE(PARAVIRTS)) + 9] = 7;
}

/* What stands behind, @behind, are relocations. */
static inline void fake_image_make(struct buf *out, const int32_t *behind,
				   size_t nr, size_t alt_size)
{
	size_t names = FAKE_IMAGE_AT(TEXT) + IMAGE_LEN, headers = names + 0x100;
	size_t len = headers + NR_SECTIONS * sizeof(Elf64_Shdr);
	uint8_t *file = (uint8_t *)buf_reserve(out, len);

	memset(file, 0, len);
	memset(file + FAKE_IMAGE_AT(TEXT), 0xcc, TEXT_LEN);
	for (size_t i = 0; i < ARRAY_SIZE(branches); i++) {
		file[FAKE_IMAGE_AT(branches[i].addr)] = branches[i].opcode;
		fake_image_put_s32(file, branches[i].addr + 1,
				   branches[i].to - (branches[i].addr + 5));
	}
	for (size_t i = 0; i < ARRAY_SIZE(codes); i++)
		memcpy(file + FAKE_IMAGE_AT(codes[i].addr), codes[i].bytes,
		       codes[i].len);
	fake_image_put_s32(file, TEXT + REL32, 0x1000);
	fake_image_put_s32(file, TEXT + REL32_BACK, 0x1000);
	fake_image_put_tables(file, alt_size);
	fake_image_put_headers(file, names, headers, alt_size);
	out->len = len;
	buf_add(out, behind, nr * sizeof(*behind));
}

/* All but @without, which may be NULL. */
static inline struct symtab *fake_image_symbols(const char *without)
{
	struct symtab *st = symtab_create();

	for (size_t i = 0; i < ARRAY_SIZE(symbols); i++)
		if (!without || strcmp(symbols[i].name, without))
			symtab_add(st, symbols[i].addr + SLIDE, 0,
				   symbols[i].type, symbols[i].name,
				   strlen(symbols[i].name), NULL);
	symtab_seal(st);
	return st;
}

struct fake_image {
	struct kfile file;
	struct symtab *symbols;
	struct buf blob;
	struct btf types;
	struct image_guest g;
	struct look l;
	struct sites sites;
	struct findings found;
};

static inline void fake_image_add_types(struct fake_image *k, size_t alt_size)
{
	struct fake_btf b = { 0 };
	uint32_t u32 = fake_btf_type(&b, "u32", INT, 0, 4);
	uint32_t u64 = fake_btf_type(&b, "u64", INT, 0, 8);

	fake_btf_type(&b, "bp_patching_desc", STRUCT, 1, 16);
	fake_btf_add(&b, "refs", u32, 12 * 8);
	fake_btf_type(&b, "tracepoint", STRUCT, 1, 16);
	fake_btf_add(&b, "funcs", u64, 8 * 8);
	fake_btf_type(&b, "alt_instr", STRUCT, 1, alt_size);
	fake_btf_add(&b, alt_size == 14 ? "flags" : "cpuid", u32, 8 * 8);
	fake_btf_finish(&b, &k->blob);
	if (btf_open(&k->types, k->blob.data, k->blob.len, NULL))
		abort();
}

static inline void fake_image_open(struct fake_image *k, const char *without,
				   size_t alt_size)
{
	const uint64_t probed = TEXT + PROBED + SLIDE;
	struct buf file = BUF_INIT;

	*k = (struct fake_image){ .sites = SITES_INIT, .found = FINDINGS_INIT };
	fake_image_make(&file, relocs, ARRAY_SIZE(relocs), alt_size);
	if (kfile_open(&k->file, &file, SLIDE, NULL))
		abort();
	k->symbols = fake_image_symbols(without);
	fake_image_add_types(k, alt_size);
	k->g = (struct image_guest){ .symbols = k->symbols, .types = &k->types,
				     .file = &k->file };
	k->l = (struct look){ .g = &k->g, .f = &k->found, .sites = &k->sites,
			      .code = CODEMAP_INIT };
	for (int owner = CODE_MODULE; owner <= CODE_BPF; owner++) {
		struct code_range r = {
			.addr = MADE + owner * 0x1000,
			.len = 0x1000,
			.owner = owner,
			.module = owner == CODE_MODULE ? "mod" : NULL,
		};

		buf_add(&k->l.code.room, &r, sizeof(r));
	}
	k->l.code.v = (struct code_range *)k->l.code.room.data;
	k->l.code.nr = k->l.code.room.len / sizeof(struct code_range);
	buf_add(&k->l.probed, &probed, sizeof(probed));
	sites_find(&k->sites, &k->l);
}

static inline void fake_image_close(struct fake_image *k)
{
	sites_deinit(&k->sites);
	codemap_deinit(&k->l.code);
	buf_deinit(&k->l.probed);
	buf_deinit(&k->l.patched);
	findings_deinit(&k->found);
	btf_close(&k->types);
	buf_deinit(&k->blob);
	symtab_destroy(k->symbols);
	kfile_close(&k->file);
}

#endif
