// SPDX-License-Identifier: GPL-2.0-only
/*
 * How functions of modules begin. The host need not have the modules' files, so
 * this is no comparison: what counts is where the first instructions lead.
 */
#include <inttypes.h>
#include <stdlib.h>

#include "guestlist.h"
#include "look.h"
#include "unaligned.h"

#define ENTRY 16	/* bytes looked at */

struct entries {
	struct look *l;
	const struct modlist_module *m;
	uint32_t targets, link, target;	/* offsets: whom a module uses */
};

/* ---- Which module uses which. ---- */

struct use {
	const struct entries *e;
	uint64_t of;
	bool found;
};

static bool is_use_of(struct look *l, uint64_t use, void *arg)
{
	struct use *u = arg;

	u->found = look_ptr(l, use + u->e->target) == u->of;
	return !u->found;
}

/* By the kernel's list of those whose functions @module calls. */
static bool uses(const struct entries *e, uint64_t module, uint64_t of)
{
	struct use u = { .e = e, .of = of };

	guestlist_ring(e->l, module + e->targets, e->link, is_use_of, &u);
	return u.found;
}

/* Of the owner of @r its struct module, which is in the list. */
static uint64_t module_of(const struct look *l, const struct code_range *r)
{
	const struct modlist *ml = &l->code.modules;
	size_t i = 0;

	while (ml->mod[i].name != r->module)
		i++;
	return ml->mod[i].addr;
}

/*
 * May what is called @name begin with a jump to @to, in another module?
 * Functions without a call of ftrace may end at once in one that their module
 * uses. What a static call leads to is often in a module that uses the one that
 * makes it, as kvm_intel uses kvm, or it is who listens to a tracepoint.
 */
static bool may_lead(const struct entries *e, const char *name, uint64_t to,
		     const struct code_range *r)
{
	uint64_t other = module_of(e->l, r);

	if (uses(e, e->m->addr, other))
		return true;
	return !strncmp(name, "__SCT__", 7) &&
	       (uses(e, other, e->m->addr) || look_may_trace(e->l, to));
}

/* ---- How functions begin. ---- */

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
	if (!to || (r && (r->owner != CODE_MODULE || r->module == e->m->name ||
			  may_lead(e, sym->name, to, r))))
		return 0;
	if (look_is_full(l, RULE_TEXT_CHANGED))
		return 0;
	evidence = look_evidence(l, sym->addr);
	evidence_hex(evidence, "calls", to);
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
	const struct look_member members[] = {
		{ "module", "target_list", &e.targets },
		{ "module_use", "target_list", &e.link },
		{ "module_use", "target", &e.target },
	};

	if (!ml->nr || !look_members(l, "how functions of modules begin",
				     members, ARRAY_SIZE(members)))
		return;
	for (size_t i = 0; i < ml->nr; i++) {
		e.m = &ml->mod[i];
		if (modlist_symbols(ml, i, judge, &e, &err))
			look_cannot(l, "how functions of modules begin: %s",
				    err.msg);
	}
}
