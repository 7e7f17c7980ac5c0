/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * madecode -- code that the kernel makes while it runs, as symbols.
 *
 *	if (madecode_exists(&g))	cheap, wants no types
 *		madecode_add(&g, st);	and then symtab_seal()
 *
 * Trampolines of ftrace, copied instructions of kprobes and compiled BPF are in
 * no list of modules. They get the modules that /proc/kallsyms gives them:
 * __builtin__ftrace, __builtin__kprobes and bpf. What is where is the guest's
 * word, as with modules; nothing of the kernel's own image gets such a name.
 */
#ifndef XF_MADECODE_H
#define XF_MADECODE_H

#include <stdbool.h>

#include "image.h"
#include "symtab.h"

bool madecode_exists(const struct image_guest *g);

/*
 * @st may be the sealed g->symbols themselves. What cannot be read is left out.
 */
void madecode_add(const struct image_guest *g, struct symtab *st);

/* Whether that is none of a module that somebody loads. */
bool madecode_is_module(const char *module);

#endif
