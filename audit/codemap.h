/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * codemap -- who owns which code of a guest's kernel.
 *
 * The kernel's own text, listed modules, and what the kernel generates while
 * it runs: trampolines of ftrace, copied instructions of kprobes, compiled
 * BPF. What is in none of these belongs to nobody who says so.
 */
#ifndef XF_CODEMAP_H
#define XF_CODEMAP_H

#include <stddef.h>
#include <stdint.h>

#include "buf.h"
#include "modlist.h"

struct look;

enum code_owner {
	CODE_NOBODY,
	CODE_KERNEL,
	CODE_MODULE,
	CODE_FTRACE,
	CODE_KPROBES,
	CODE_BPF,
	CODE_BOOT,		/* what processors begin with */
};

#define CODEMAP_MAX 65536	/* ranges; a guest with more wants our memory */

struct code_range {
	uint64_t addr, len;
	uint64_t reach;		/* the furthest end up to
				 * this one: they overlap */
	enum code_owner owner;
	const char *module;	/* of CODE_MODULE: its name, not escaped */
};

struct codemap {
	struct modlist modules;
	uint32_t module_list;	/* offset of the list in struct module */
	struct code_range *v;	/* in room; sorted */
	size_t nr;
	struct buf room;
};

#define CODEMAP_INIT { .modules = MODLIST_INIT, .room = BUF_INIT }

/* What cannot be read is missing, and said so. */
void codemap_read(struct look *l);
/* Of modules alone. */
void codemap_read_modules(struct look *l);
void codemap_deinit(struct codemap *c);

/* NULL: nobody's. */
const struct code_range *codemap_find(const struct codemap *c, uint64_t addr);
/*
 * The end of code that somebody owns and of which a byte is in
 * [addr, addr + len), 0: none. All from @addr + @len to there is owned.
 */
uint64_t codemap_reach(const struct codemap *c, uint64_t addr, uint64_t len);

enum code_owner codemap_owner(const struct codemap *c, uint64_t addr);

#endif
