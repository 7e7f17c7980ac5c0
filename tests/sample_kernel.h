/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * sample_kernel -- a kernel of a few hundred made-up symbols, for tests: its
 * kallsyms tables in both orders that real ones have, an ELF file around them,
 * and a stream of random numbers that is the same in every run.
 */
#ifndef SAMPLE_KERNEL_H
#define SAMPLE_KERNEL_H

#include <elf.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "buf.h"
#include "cleanup.h"

#define SAMPLE_BASE  UINT64_C(0xffffffff81000000)
#define SAMPLE_PLAIN 600 /* functions func_0, func_1, ... */
#define SAMPLE_NR    (SAMPLE_PLAIN + 6)

struct sample_symbol {
	uint64_t addr;
	char type;
	char name[512];
};

/* In order of address: 2 per-CPU, _stext, the functions, _etext and data. */
static struct sample_symbol sample_symbols[SAMPLE_NR];

static void sample_add(size_t i, uint64_t addr, char type, const char *name)
{
	sample_symbols[i].addr = addr;
	sample_symbols[i].type = type;
	snprintf(sample_symbols[i].name, sizeof(sample_symbols[i].name), "%s",
		 name);
}

static void sample_init(void)
{
	char name[512];
	size_t n = 0;

	sample_add(n++, 0, 'A', "fixed_percpu_data");
	sample_add(n++, 0x1000, 'A', "cpu_tss_rw");
	sample_add(n++, SAMPLE_BASE, 'T', "_stext");
	for (unsigned int i = 0; i < SAMPLE_PLAIN; i++) {
		snprintf(name, sizeof(name), "func_%u", i);
		if (i == 3)
			snprintf(name, sizeof(name), "__x64_sys_open");
		/* Needs two bytes for its length: no token shortens it. */
		if (i == 7) {
			memset(name, 'Q', 300);
			name[300] = '\0';
		}
		sample_add(n++, SAMPLE_BASE + 0x1000 + i * 0x40,
			   i % 3 ? 't' : 'T', name);
	}
	sample_add(n++, SAMPLE_BASE + 0x100000, 'T', "_etext");
	sample_add(n++, SAMPLE_BASE + 0x200000, 'D', "linux_banner");
	sample_add(n++, SAMPLE_BASE + 0x201000, 'b', "jiffies");
}

/* xorshift: good enough to damage things with. */
static inline uint32_t sample_random(uint32_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 17;
	return *state ^= *state << 5;
}

/* Up to 4 bytes of @len changed, most of them by one bit. */
static inline void sample_damage(uint8_t *p, size_t len, uint32_t *state)
{
	for (uint32_t n = sample_random(state) % 4 + 1; n; n--) {
		uint32_t at = sample_random(state) % len;

		if (sample_random(state) % 3)
			p[at] ^= 1u << sample_random(state) % 8;
		else
			p[at] = sample_random(state);
	}
}

/* A copy in memory of just this size, so that the sanitizer sees overruns. */
static inline uint8_t *sample_copy(const void *p, size_t len)
{
	uint8_t *copy = malloc(len ? len : 1);

	memcpy(copy, p, len);
	return copy;
}

static inline void sample_align8(struct buf *b)
{
	while (b->len % 8)
		buf_putc(b, 0);
}

static inline void sample_u16(struct buf *b, uint16_t v)
{
	buf_add(b, &v, sizeof(v));
}

static inline void sample_u32(struct buf *b, uint32_t v)
{
	buf_add(b, &v, sizeof(v));
}

static inline void sample_u64(struct buf *b, uint64_t v)
{
	buf_add(b, &v, sizeof(v));
}

/* The tables one by one, as the kernel's build would put them out. */
struct sample_tables {
	uint32_t nr;
	uint64_t base;
	struct buf names, markers, seqs, token_table, token_index, offsets;
};

#define SAMPLE_TABLES_INIT                                                     \
	{                                                                      \
		.base = SAMPLE_BASE                                            \
	}

static inline void sample_tables_deinit(struct sample_tables *t)
{
	buf_deinit(&t->names);
	buf_deinit(&t->markers);
	buf_deinit(&t->seqs);
	buf_deinit(&t->token_table);
	buf_deinit(&t->token_index);
	buf_deinit(&t->offsets);
}

static inline void sample_tokens(const char *tokens[256])
{
	static char single[256][2];

	memset(tokens, 0, 256 * sizeof(*tokens));
	for (int c = 0; c < 256; c++)
		tokens[c] = "";
	for (const char *p = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_."
			     "abcdefghijklmnopqrstuvwxyz";
	     *p; p++) {
		single[(uint8_t)*p][0] = *p;
		tokens[(uint8_t)*p] = single[(uint8_t)*p];
	}
	tokens[0] = "tfunc_";
	tokens[1] = "Tfunc_";
	tokens[200] = "__x64_sys_";
	tokens[255] = "banner";
}

/* Greedy: the longest token that fits comes first. */
static inline void sample_compress(const char *tokens[256], const char *s,
				   struct buf *out)
{
	while (*s) {
		int best = (uint8_t)*s;

		for (int i = 0; i < 256; i++) {
			size_t len = strlen(tokens[i]);

			if (len > strlen(tokens[best]) &&
			    !strncmp(s, tokens[i], len))
				best = i;
		}
		buf_putc(out, best);
		s += strlen(tokens[best]);
	}
}

/* @absolute_percpu: offsets as up to Linux 6.14; else symbols 0, 1 are off. */
static inline void sample_tables_make(struct sample_tables *t,
				      bool absolute_percpu)
{
	const char *tokens[256];
	size_t first = absolute_percpu ? 0 : 2;

	sample_init();
	sample_tokens(tokens);
	for (int i = 0; i < 256; i++) {
		sample_u16(&t->token_index, t->token_table.len);
		buf_add(&t->token_table, tokens[i], strlen(tokens[i]) + 1);
	}
	for (size_t i = first; i < SAMPLE_NR; i++) {
		const struct sample_symbol *s = &sample_symbols[i];
		_cleanup_(buf_deinit) struct buf packed = BUF_INIT;
		char whole[514];

		if (t->nr % 256 == 0)
			sample_u32(&t->markers, t->names.len);
		snprintf(whole, sizeof(whole), "%c%s", s->type, s->name);
		sample_compress(tokens, whole, &packed);
		if (packed.len > 127) {
			buf_putc(&t->names, (packed.len & 127) | 128);
			buf_putc(&t->names, packed.len >> 7);
		} else {
			buf_putc(&t->names, packed.len);
		}
		buf_add(&t->names, packed.data, packed.len);
		if (!absolute_percpu)
			sample_u32(&t->offsets, s->addr - SAMPLE_BASE);
		else if (s->addr < SAMPLE_BASE)
			sample_u32(&t->offsets, s->addr);
		else
			sample_u32(&t->offsets, SAMPLE_BASE - 1 - s->addr);
		buf_add(&t->seqs, "\1\2\3", 3);
		t->nr++;
	}
}

static inline void sample_put(struct buf *image, const struct buf *table)
{
	sample_align8(image);
	buf_add(image, table->data, table->len);
	sample_align8(image);
}

static inline void sample_put_number(struct buf *image, uint32_t nr)
{
	sample_align8(image);
	sample_u32(image, nr);
	sample_align8(image);
}

enum sample_order {
	SAMPLE_6_1,	 /* as released */
	SAMPLE_6_1_LATE, /* with seqs_of_names, which 6.2 has, too */
	SAMPLE_6_12,
	SAMPLE_ORDERS,
};

static inline void sample_image(struct buf *image, enum sample_order order,
				const struct sample_tables *t)
{
	for (uint32_t i = 0, seed = 99; i < 1000; i++)
		sample_u32(image, sample_random(&seed));
	if (order < SAMPLE_6_12) {
		sample_put(image, &t->offsets);
		sample_u64(image, t->base);
	}
	sample_put_number(image, t->nr);
	sample_put(image, &t->names);
	sample_put(image, &t->markers);
	if (order == SAMPLE_6_1_LATE)
		sample_put(image, &t->seqs);
	sample_put(image, &t->token_table);
	sample_put(image, &t->token_index);
	if (order == SAMPLE_6_12) {
		sample_put(image, &t->offsets);
		sample_u64(image, t->base);
		sample_put(image, &t->seqs);
	}
	for (uint32_t i = 0, seed = 77; i < 1000; i++)
		sample_u32(image, sample_random(&seed));
}

/*
 * A vmlinux: notes, the banner, and symbols either in .symtab (@stripped
 * false) or in kallsyms tables.
 */
static inline void sample_elf(struct buf *out, bool stripped)
{
	static const char banner[] = "Linux version 6.1.0-sample (a@b) #1\n";
	static const char names[] = "\0.text\0.data\0.bss\0.symtab\0.strtab";
	enum { TEXT = 1, DATA = 7, BSS = 13, SYMTAB = 18, STRTAB = 26 };
	_cleanup_(buf_deinit) struct buf strings = BUF_INIT, syms = BUF_INIT;
	Elf64_Ehdr eh = {
		.e_ident = {0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, 1},
		.e_type = ET_EXEC,
		.e_machine = EM_X86_64,
		.e_version = 1,
		.e_phoff = sizeof(eh),
		.e_ehsize = sizeof(eh),
		.e_phentsize = sizeof(Elf64_Phdr),
		.e_phnum = 2,
		.e_shentsize = sizeof(Elf64_Shdr),
		.e_shnum = 6,
		.e_shstrndx = 5,
	};
	Elf64_Phdr ph[2] = {{.p_type = PT_NOTE}, {.p_type = PT_LOAD}};
	Elf64_Nhdr note = {4, 20, NT_GNU_BUILD_ID};
	Elf64_Shdr sh[6] = {
		[1] = {.sh_name = TEXT,
		       .sh_type = SHT_PROGBITS,
		       .sh_flags = SHF_ALLOC | SHF_EXECINSTR},
		[2] = {.sh_name = DATA,
		       .sh_type = SHT_PROGBITS,
		       .sh_flags = SHF_ALLOC | SHF_WRITE},
		[3] = {.sh_name = BSS,
		       .sh_type = SHT_NOBITS,
		       .sh_flags = SHF_ALLOC | SHF_WRITE},
		[4] = {.sh_name = SYMTAB,
		       .sh_type = stripped ? SHT_PROGBITS : SHT_SYMTAB,
		       .sh_link = 5,
		       .sh_entsize = sizeof(Elf64_Sym)},
		[5] = {.sh_name = STRTAB, .sh_type = SHT_STRTAB},
	};

	sample_init();
	buf_add(&strings, names, sizeof(names));
	buf_add(&syms, &(Elf64_Sym){0}, sizeof(Elf64_Sym));
	for (size_t i = 2; i < SAMPLE_NR; i++) {
		const struct sample_symbol *s = &sample_symbols[i];
		bool local = s->type >= 'a';
		char c = s->type | 0x20;
		Elf64_Sym sym = {
			.st_name = strings.len,
			.st_info = ELF64_ST_INFO(local ? STB_LOCAL : STB_GLOBAL,
						 STT_NOTYPE),
			.st_shndx = c == 't'   ? 1
				    : c == 'd' ? 2
					       : 3,
			.st_value = s->addr,
		};

		buf_add(&strings, s->name, strlen(s->name) + 1);
		buf_add(&syms, &sym, sizeof(sym));
	}
	buf_add(out, &eh, sizeof(eh));
	buf_add(out, ph, sizeof(ph));
	sample_align8(out);
	ph[0].p_offset = out->len;
	ph[0].p_filesz = sizeof(note) + 4 + 20;
	buf_add(out, &note, sizeof(note));
	buf_add(out, "GNU", 4);
	buf_add(out, "abcdefghijklmnopqrst", 20);
	ph[1].p_offset = out->len;
	ph[1].p_vaddr = SAMPLE_BASE + 0x200000;
	ph[1].p_filesz = sizeof(banner);
	buf_add(out, banner, sizeof(banner));
	sample_align8(out);
	if (stripped) {
		_cleanup_(sample_tables_deinit) struct sample_tables t =
			SAMPLE_TABLES_INIT;

		sample_tables_make(&t, true);
		sample_image(out, SAMPLE_6_12, &t);
	} else {
		sh[4].sh_offset = out->len;
		sh[4].sh_size = syms.len;
		buf_add(out, syms.data, syms.len);
	}
	sh[5].sh_offset = out->len;
	sh[5].sh_size = strings.len;
	buf_add(out, strings.data, strings.len);
	sample_align8(out);
	eh.e_shoff = out->len;
	buf_add(out, sh, sizeof(sh));
	memcpy(out->data, &eh, sizeof(eh));
	memcpy(out->data + sizeof(eh), ph, sizeof(ph));
}

#endif
