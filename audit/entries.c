// SPDX-License-Identifier: GPL-2.0-only
/*
 * How functions of modules begin. The host need not have the modules' files, so
 * this is no comparison: what counts is where the first instructions lead.
 */
#include <inttypes.h>
#include <stdlib.h>

#include "look.h"
#include "unaligned.h"

#define ENTRY 16	/* bytes looked at */

struct entries {
	struct look *l;
	const struct modlist_module *m;
};

/* Where code that begins like this goes at once, 0: it does not. */
static uint64_t leads_to(uint64_t addr, const uint8_t *p)
{
	static const uint8_t endbr[] = { 0xf3, 0x0f, 0x1e, 0xfa };

	if (!memcmp(p, endbr, sizeof(endbr))) {
		addr += sizeof(endbr);
		p += sizeof(endbr);
	}
	if (p[0] == 0xe8 || p[0] == 0xe9)
		return addr + 5 + (int64_t)get_s32(p + 1);
	/* mov $to, %rax; jmp *%rax, or push %rax; ret */
	if (p[0] == 0x48 && p[1] == 0xb8 &&
	    ((p[10] == 0xff && p[11] == 0xe0) ||
	     (p[10] == 0x50 && p[11] == 0xc3)))
		return get_u64(p + 2);
	return 0;
}

static int judge(void *arg, const struct modlist_symbol *sym)
{
	struct entries *e = arg;
	struct look *l = e->l;
	const struct code_range *r;
	uint8_t code[ENTRY];
	char name[LOOK_NAME];
	json_t *evidence;
	uint64_t to;

	/* Parts of functions, name.cold for one, begin with anything. */
	if (!symtab_is_text(sym->type) || strchr(sym->name, '.') ||
	    sym->addr - e->m->text_base >= e->m->text_size ||
	    look_read(l, sym->addr, code, sizeof(code)))
		return 0;
	to = leads_to(sym->addr, code);
	r = codemap_find(&l->code, to);
	/* Tracers are called here; the kernel and the module itself may be. */
	if (!to || (r && (r->owner != CODE_MODULE || r->module == e->m->name)))
		return 0;
	if (look_is_full(l, RULE_TEXT_CHANGED))
		return 0;
	evidence = look_evidence(l, sym->addr);
	look_evidence_hex(evidence, "calls", to);
	look_evidence_bytes(evidence, "bytes", code, sizeof(code));
	findings_add(l->f, RULE_TEXT_CHANGED, evidence,
		     "a function of a module begins with a jump to %s",
		     look_name(l, to, name));
	return 0;
}

void check_entries(struct look *l)
{
	struct modlist *ml = &l->code.modules;
	struct entries e = { .l = l };
	struct xf_err err;

	for (size_t i = 0; i < ml->nr; i++) {
		e.m = &ml->mod[i];
		if (modlist_symbols(ml, i, judge, &e, &err))
			look_cannot(l, "how functions of modules begin: %s",
				    err.msg);
	}
}
