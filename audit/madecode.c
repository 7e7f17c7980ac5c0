// SPDX-License-Identifier: GPL-2.0-only
#include "madecode.h"

#include <string.h>

#include "cleanup.h"
#include "look.h"

/* A guest has no more than that; nor does one that wants our memory. */
#define MAX_PAGES 16384

struct made {
	const char *module, *function;
};

static const struct made made[] = {
	[CODE_FTRACE] = { "__builtin__ftrace", "trampoline" },
	[CODE_KPROBES] = { "__builtin__kprobes", "insn_slot" },
	[CODE_BPF] = { "bpf", "program" },
};

bool madecode_is_module(const char *module)
{
	for (size_t i = 0; i < ARRAY_SIZE(made); i++)
		if (made[i].module && !strcmp(made[i].module, module))
			return true;
	return false;
}

/* The symbol is a struct list_head that has members. */
static bool list_has_any(struct look *l, const char *name)
{
	uint64_t head = look_symbol(l, name), first = look_ptr(l, head);

	return first && first != head;
}

static bool kprobes_exist(struct look *l)
{
	static const uint64_t none[64];
	uint64_t heads[ARRAY_SIZE(none)];

	return !look_read(l, look_symbol(l, "kprobe_table"), heads,
			  sizeof(heads)) &&
	       memcmp(heads, none, sizeof(heads)) != 0;
}

bool madecode_exists(const struct image_guest *g)
{
	_cleanup_(findings_deinit) struct findings ignored = FINDINGS_INIT;
	struct look l = { .g = g, .f = &ignored, .code = CODEMAP_INIT };
	uint64_t ops = look_ptr(&l, look_symbol(&l, "ftrace_ops_list"));

	return (ops && ops != look_symbol(&l, "ftrace_list_end")) ||
	       list_has_any(&l, "ftrace_ops_trampoline_list") ||
	       list_has_any(&l, "bpf_kallsyms") || kprobes_exist(&l);
}

/*
 * A symbol for each page: the last one of a module is not believed to reach
 * further.
 */
static void add_range(struct symtab *st, const struct code_range *r,
		      unsigned int *pages)
{
	const struct made *m = &made[r->owner];
	uint64_t end = r->addr + r->len, next;

	for (uint64_t addr = r->addr; addr < end && *pages; addr = next) {
		next = (addr | (XF_PAGE_SIZE - 1)) + 1;
		if (!next || next > end)
			next = end;
		symtab_add(st, addr, next - addr, 't', m->function,
			   strlen(m->function), m->module);
		--*pages;
	}
}

void madecode_add(const struct image_guest *g, struct symtab *st)
{
	_cleanup_(findings_deinit) struct findings ignored = FINDINGS_INIT;
	struct look l = { .g = g, .f = &ignored, .code = CODEMAP_INIT };
	uint64_t image = look_symbol(&l, "_stext");
	uint64_t image_end = look_symbol(&l, "_end");
	unsigned int pages = MAX_PAGES;

	codemap_read(&l);
	for (size_t i = 0; i < l.code.nr; i++) {
		const struct code_range *r = &l.code.v[i];

		if (r->owner < ARRAY_SIZE(made) && made[r->owner].module &&
		    (r->addr >= image_end || r->addr + r->len <= image))
			add_range(st, r, &pages);
	}
	codemap_deinit(&l.code);
}
