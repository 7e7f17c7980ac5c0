/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * modlist -- the guest kernel's loaded modules and their symbols.
 *
 *	_cleanup_(modlist_deinit) struct modlist ml = MODLIST_INIT;
 *
 *	rc = modlist_read(&ml, &space, addr_of_modules, &layout, err);
 *	for (size_t i = 0; !rc && i < ml.nr; i++)
 *		rc = modlist_symbols(&ml, i, take_symbol, &table, err);
 *
 * The list and the tables are the guest's and not trusted. One modlist may
 * cost what the MODLIST_MAX_* below say, all calls on it together; the time is
 * that of the reading, not of the callback. Strings are bounded, but their
 * bytes are the guest's: buf_add_escaped() before they are shown.
 *
 * The guest loads and unloads modules while we read and there is no lock to
 * take: after -EBADMSG or -EFAULT try again once or twice.
 *
 * Errors of all calls: -EBADMSG: the list or a table contradicts itself.
 * -E2BIG: more modules, symbols or bytes than the limit. -ETIME: too slow.
 * Others as in gva.h.
 */
#ifndef XF_MODLIST_H
#define XF_MODLIST_H

#include <stddef.h>
#include <stdint.h>

#include "err.h"
#include "gva.h"

#define MODLIST_MAX_MODULES 4096
#define MODLIST_MAX_SYMBOLS (1u << 20)
#define MODLIST_MAX_BYTES   (32u << 20)	/* copied from the guest */
#define MODLIST_MAX_CPU_MS  40		/* of this thread */

/* Offsets, in bytes, into the guest kernel's structures; all below 64 KiB. */
struct modlist_layout {
	/* struct module */
	uint32_t list;		/* struct list_head */
	uint32_t name;		/* char[name_len] */
	uint32_t name_len;	/* at most MODLIST_NAME */
	uint32_t text_base;	/* u64 */
	uint32_t text_size;	/* u32 */
	uint32_t kallsyms;	/* struct mod_kallsyms * */
	/* struct mod_kallsyms */
	uint32_t symtab;	/* Elf64_Sym * */
	uint32_t num_symtab;	/* u32 */
	uint32_t strtab;	/* char * */
	uint32_t typetab;	/* char *, one letter (as of nm) a symbol */
};

#define MODLIST_NAME   64	/* bytes with the 0; MODULE_NAME_LEN is 56 */
#define MODLIST_SYMBOL 512	/* bytes with the 0: KSYM_NAME_LEN */

struct modlist_module {
	uint64_t addr;		/* of its struct module, guest-virtual */
	char name[MODLIST_NAME];
	uint64_t text_base;	/* guest-virtual, 0: it has no code */
	uint32_t text_size;	/* bytes */
	uint64_t kallsyms;	/* struct mod_kallsyms, 0: no symbols */
};

struct modlist {
	struct modlist_module *mod; /* owned; newest first, as in the guest */
	size_t nr;
	/* private */
	struct gva space;
	struct modlist_layout layout;
	uint64_t symbols, bytes, cpu_ns; /* spent */
};

#define MODLIST_INIT { 0 }

struct modlist_symbol {
	uint64_t addr;		/* guest-virtual; any value */
	uint64_t size;		/* bytes; any value */
	char type;		/* nm's letter, 't' or 'T' for code; any byte */
	const char *name;	/* not empty; good only during the call */
};

/* What it answers, other than 0, ends the walk and is returned. */
typedef int (*modlist_symbol_fn)(void *arg, const struct modlist_symbol *sym);

/*
 * Walk the list whose head, the kernel's variable "modules", is at @head.
 * -EINVAL: a layout that cannot be. On failure @ml stays empty.
 */
int modlist_read(struct modlist *ml, const struct gva *space, uint64_t head,
		 const struct modlist_layout *layout, struct xf_err *err);
void modlist_deinit(struct modlist *ml);

/* The symbols of ml->mod[@nr], in the order of its symbol table. */
int modlist_symbols(struct modlist *ml, size_t nr, modlist_symbol_fn fn,
		    void *arg, struct xf_err *err);

#endif
