/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * symtab_kallsyms -- symbols from the tables that a kernel carries for itself.
 *
 * The tables hold every name twice compressed: each byte of a name stands for
 * a token, a string out of a table of 256. The tables lie in rodata, in one of
 * two orders:
 *
 *	up to 6.3	offsets relative_base num_syms names markers
 *			[seqs_of_names, from 6.2 and in late 6.1]
 *			token_table token_index
 *	from 6.4	num_syms names markers token_table token_index offsets
 *			relative_base seqs_of_names
 *
 * All of it may be hostile. Work and memory are bounded: SYMTAB_MAX symbols,
 * 16 MiB of names, and no byte is expanded more than once.
 */
#ifndef XF_SYMTAB_KALLSYMS_H
#define XF_SYMTAB_KALLSYMS_H

#include "symtab.h"

#define KALLSYMS_TOKENS 256u

/*
 * The tables, each a private copy with as many bytes as are known to be there;
 * more than belong to it do no harm. A kernel's VMCOREINFO has the address of
 * each; names end before the token table begins, the token table before the
 * token index does.
 */
struct kallsyms {
	uint32_t nr; /* kallsyms_num_syms */
	const void *names;
	size_t names_len;
	const char *token_table;
	size_t token_table_len;
	const void *token_index; /* u16[256] */
	size_t token_index_len;
	const void *offsets; /* u32[nr] */
	size_t offsets_len;
	uint64_t relative_base;
};

/*
 * Decode. From a running guest the addresses are those of the moment, with
 * KASLR: set no slide. The source stays the caller's to set. -EBADMSG: the
 * tables contradict each other. -EFBIG: beyond a bound.
 */
int symtab_load_kallsyms(struct symtab *st, const struct kallsyms *k,
			 struct xf_err *err);

/*
 * Find the tables in a kernel image (a vmlinux without its .symtab, as bytes)
 * and decode them. -ENODATA: there are none (CONFIG_KALLSYMS=n, or no kernel).
 */
int symtab_load_kallsyms_image(struct symtab *st, const void *image, size_t len,
			       struct xf_err *err);

#endif
