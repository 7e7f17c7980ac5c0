// SPDX-License-Identifier: GPL-2.0-only
#include "sites.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bisect.h"
#include "look.h"
#include "unaligned.h"

#define SITE_MAX 255	/* bytes: the lengths in the tables have 8 bits */
#define MAX_DEPTH 3	/* of sites in what an alternative puts in */
#define MAX_PROBES 256	/* of one tracepoint */

/* Code that stands at @addr. */
struct code {
	struct look *l;
	const struct sites *sites;
	uint64_t addr;
	const uint8_t *now;
	size_t len;
	int depth;
};

/* ---- Instructions, as far as the kernel writes them. ---- */

/* The no-operations that it fills up with, longest first. */
static const struct {
	uint8_t len;
	uint8_t code[11];
} nops[] = {
	{ 11, { 0x66, 0x66, 0x2e, 0x0f, 0x1f, 0x84 } },
	{ 10, { 0x66, 0x2e, 0x0f, 0x1f, 0x84 } },
	{ 9, { 0x66, 0x0f, 0x1f, 0x84 } },
	{ 9, { 0x2e, 0x0f, 0x1f, 0x84 } },
	{ 8, { 0x0f, 0x1f, 0x84 } },
	{ 7, { 0x0f, 0x1f, 0x80 } },
	{ 6, { 0x66, 0x0f, 0x1f, 0x44 } },
	{ 5, { 0x0f, 0x1f, 0x44 } },
	{ 4, { 0x0f, 0x1f, 0x40 } },
	{ 3, { 0x0f, 0x1f, 0x00 } },
	{ 2, { 0x66, 0x90 } },
	{ 1, { 0x90 } },
};

/* Bytes of no-operations from @p on. */
static size_t nop_run(const uint8_t *p, size_t len)
{
	size_t at = 0, i = 0;

	while (at < len && i < ARRAY_SIZE(nops)) {
		if (nops[i].len <= len - at &&
		    !memcmp(p + at, nops[i].code, nops[i].len)) {
			at += nops[i].len;
			i = 0;
		} else {
			i++;
		}
	}
	return at;
}

static bool all(const uint8_t *p, size_t len, uint8_t byte)
{
	for (size_t i = 0; i < len; i++)
		if (p[i] != byte)
			return false;
	return true;
}

/*
 * What fills up behind an instruction: no-operations, breakpoints that are
 * never reached, or a jump over them to the end.
 */
static bool is_filler(const uint8_t *p, size_t len)
{
	size_t nop = nop_run(p, len);

	p += nop;
	len -= nop;
	if (len > 2 && p[0] == 0xeb && p[1] == len - 2)
		return all(p + 2, len - 2, 0x90) || all(p + 2, len - 2, 0xcc);
	return all(p, len, 0xcc);
}

/* Where a call or jump of 5 bytes leads, 0: it is none with @opcode. */
static uint64_t target(const struct code *c, uint8_t opcode)
{
	if (c->len < 5 || c->now[0] != opcode)
		return 0;
	return c->addr + 5 + (int64_t)get_s32(c->now + 1);
}

static uint64_t branch(const struct code *c)
{
	uint64_t to = target(c, 0xe8);

	return to ? to : target(c, 0xe9);
}

/* ---- Whom a patched call may call. ---- */

static bool begins_with(const struct look *l, uint64_t addr,
			const char *const *prefix, size_t nr)
{
	struct sym s;

	if (!symtab_at(l->g->symbols, addr, &s) || s.addr != addr)
		return false;
	for (size_t i = 0; i < nr; i++)
		if (!strncmp(s.name, prefix[i], strlen(prefix[i])))
			return true;
	return false;
}

static bool is_module(const struct look *l, uint64_t addr)
{
	return codemap_owner(&l->code, addr) == CODE_MODULE;
}

static bool is_function(const struct look *l, uint64_t addr)
{
	struct sym s;

	return symtab_at(l->g->symbols, addr, &s) && s.addr == addr;
}

/*
 * Is that function entered with the tracepoint? Who may be is for hooks.c to
 * say.
 */
static bool is_probe(struct look *l, const char *tracepoint, uint64_t addr)
{
	char name[SYMTAB_NAME_MAX + 1];
	struct btf_member m;
	uint64_t funcs;

	snprintf(name, sizeof(name), "__tracepoint_%s", tracepoint);
	if (btf_member(l->g->types, "tracepoint", "funcs", &m, NULL))
		return false;
	funcs = look_ptr(l, look_symbol(l, name) + m.off);
	for (int i = 0; funcs && i < MAX_PROBES; i++) {
		/* struct tracepoint_func: func, data, prio */
		uint64_t func = look_ptr(l, funcs + 24 * i);

		if (!func || func == addr)
			return func;
	}
	return false;
}

static bool is_tracer(const struct look *l, uint64_t addr)
{
	enum code_owner owner = codemap_owner(&l->code, addr);

	return look_is(l, addr, "ftrace_caller") ||
	       look_is(l, addr, "ftrace_regs_caller") ||
	       owner == CODE_FTRACE || owner == CODE_BPF;
}

static bool is_return_thunk(const struct look *l, uint64_t addr)
{
	static const char *const names[] = {
		"__x86_return_thunk", "retbleed_return_thunk",
		"srso_return_thunk", "srso_alias_return_thunk",
		"its_return_thunk", "call_depth_return_thunk",
		"zen_untrain_ret",
	};

	return begins_with(l, addr, names, ARRAY_SIZE(names));
}

static bool is_paravirt(const struct look *l, uint64_t addr)
{
	static const char *const names[] = {
		"native_", "__native_", "pv_native_", "paravirt_", "_paravirt",
		"__paravirt_", "__raw_callee_save_", "kvm_", "__kvm_", "xen_",
		"hv_", "vmware_", "__ptep_modify_prot_", "tlb_remove_page",
	};

	return begins_with(l, addr, names, ARRAY_SIZE(names));
}

/* ---- The forms of each kind. ---- */

/* A call of a tracer, or nothing. */
static bool legit_mcount(const struct code *c, const struct site *s)
{
	uint64_t to = target(c, 0xe8);

	return to ? is_tracer(c->l, to) : nop_run(c->now, c->len) == c->len;
}

/* A jump to the one place that its key leads to, or nothing. */
static bool legit_jump(const struct code *c, const struct site *s)
{
	if (nop_run(c->now, c->len) == c->len)
		return true;
	if (c->len == 2)
		return c->now[0] == 0xeb &&
		       c->addr + 2 + (int64_t)(int8_t)c->now[1] == s->arg;
	return target(c, 0xe9) == s->arg;
}

/*
 * The tracepoint that the static call at @s is for, or NULL: it is for
 * something else. The kernel begins with a call of its trampoline, if it is
 * none itself.
 */
static const char *tracepoint_of(const struct code *c, const struct site *s,
				 struct sym *sym)
{
	static const char prefix[] = "__SCT__tp_func_";
	const struct code was = {
		.addr = s->addr,
		.now = kfile_at(c->l->g->file, s->addr, 5),
		.len = 5,
	};
	const uint64_t at[] = { s->addr, was.now ? branch(&was) : 0 };

	for (size_t i = 0; i < ARRAY_SIZE(at); i++)
		if (symtab_at(c->l->g->symbols, at[i], sym) &&
		    sym->addr == at[i] &&
		    !strncmp(sym->name, prefix, sizeof(prefix) - 1))
			return sym->name + sizeof(prefix) - 1;
	return NULL;
}

/*
 * A module that is listed is no reason to call it at a tracepoint. Who else has
 * static calls knows better than we whom he may call.
 */
static bool is_callee(const struct code *c, const struct site *s, uint64_t to)
{
	const char *tracepoint;
	struct sym sym;

	if (!is_module(c->l, to))
		return is_function(c->l, to);
	tracepoint = tracepoint_of(c, s, &sym);
	return !tracepoint || look_may_trace(c->l, to) ||
	       is_probe(c->l, tracepoint, to);
}

/* A call or jump to a function; or its result, if that is 0 or nothing. */
static bool legit_static_call(const struct code *c, const struct site *s)
{
	static const uint8_t zero[] = { 0x2e, 0x2e, 0x2e, 0x31, 0xc0 };
	static const uint8_t zero2[] = { 0x66, 0x66, 0x48, 0x31, 0xc0 };
	uint64_t to = branch(c);

	if (to)
		return is_callee(c, s, to) || is_return_thunk(c->l, to);
	if (c->len == 6 && c->now[0] == 0x0f && (c->now[1] & 0xf0) == 0x80)
		return is_callee(c, s,
				 c->addr + 6 + (int64_t)get_s32(c->now + 2));
	return nop_run(c->now, c->len) == c->len ||
	       !memcmp(c->now, zero, sizeof(zero)) ||
	       !memcmp(c->now, zero2, sizeof(zero2)) ||
	       (c->now[0] == 0xc3 && all(c->now + 1, c->len - 1, 0xcc));
}

static bool legit_return(const struct code *c, const struct site *s)
{
	uint64_t to = target(c, 0xe9);

	if (to)
		return is_return_thunk(c->l, to);
	return c->now[0] == 0xc3 && all(c->now + 1, c->len - 1, 0xcc);
}

/* call *%reg or jmp *%reg, of the register that the thunk is for. */
static bool legit_retpoline(const struct code *c, const struct site *s)
{
	static const uint8_t lfence[] = { 0x0f, 0xae, 0xe8 };
	uint8_t jump = s->arg >> 8, reg = s->arg & 15, modrm;
	const uint8_t *p = c->now, *end = p + c->len;

	if (end - p > 5 && !memcmp(p, lfence, sizeof(lfence)))
		p += sizeof(lfence);
	if (reg >= 8 && *p++ != 0x41)
		return false;
	modrm = (jump ? 0xe0 : 0xd0) | (reg & 7);
	return end - p >= 2 && p[0] == 0xff && p[1] == modrm &&
	       is_filler(p + 2, end - p - 2);
}

/* The processor is alone: no lock prefix, but one of the same length. */
static bool legit_lock(const struct code *c, const struct site *s)
{
	return c->now[0] == 0xf0 || c->now[0] == 0x3e;
}

static bool legit_endbr(const struct code *c, const struct site *s)
{
	static const uint8_t forms[][4] = {
		{ 0x66, 0x0f, 0x1f, 0x00 }, { 0x0f, 0x1f, 0x40, 0xd6 },
	};

	return !memcmp(c->now, forms[0], 4) || !memcmp(c->now, forms[1], 4);
}

/* A direct call of what pv_ops holds, its result, or nothing. */
static bool legit_paravirt(const struct code *c, const struct site *s)
{
	static const uint8_t ident[] = { 0x48, 0x89, 0xf8 };
	uint64_t to = branch(c);
	size_t used = 0;

	if (to && is_paravirt(c->l, to))
		used = 5;
	else if (c->len >= sizeof(ident) &&
		 !memcmp(c->now, ident, sizeof(ident)))
		used = sizeof(ident);
	return is_filler(c->now + used, c->len - used);
}

/* What all of ftrace's trampolines call. */
static bool legit_tracer_call(const struct code *c, const struct site *s)
{
	uint64_t to = target(c, 0xe8);

	return is_function(c->l, to) ||
	       (is_module(c->l, to) && look_may_trace(c->l, to));
}

/* A breakpoint, or a jump to where kprobes keeps the instructions. */
static bool legit_kprobe(const struct code *c, const struct site *s)
{
	const uint8_t *was = kfile_at(c->l->g->file, c->addr, c->len);
	uint64_t to = target(c, 0xe9);

	if (c->now[0] == 0xcc)
		return was && !memcmp(c->now + 1, was + 1, c->len - 1);
	return to && codemap_owner(&c->l->code, to) == CODE_KPROBES;
}

/* A number that the kernel computes when it boots. */
static bool legit_const(const struct code *c, const struct site *s)
{
	return true;
}

static size_t explain(const struct code *c, uint64_t addr, size_t at);

/*
 * A displacement that was corrected because the code at @from now stands
 * somewhere else. Which of the bytes around @at it has is not known: try.
 */
static size_t moved(const struct code *c, const uint8_t *form, uint64_t from,
		    size_t form_len, size_t at)
{
	for (size_t p = at < 3 ? 0 : at - 3; p <= at && p + 4 <= form_len; p++)
		if ((uint32_t)get_s32(c->now + p) -
			    (uint32_t)get_s32(form + p) ==
		    (uint32_t)(from - c->addr))
			return p + 4;
	return 0;
}

/* No-operations were exchanged for others; @at is in one of them. */
static size_t other_nops(const struct code *c, const uint8_t *form,
			 size_t form_len, size_t at)
{
	for (size_t p = at < 10 ? 0 : at - 10; p <= at; p++) {
		size_t a = nop_run(c->now + p, c->len - p);
		size_t b = nop_run(form + p, form_len - p);

		if (a > at - p && b > at - p)
			return p + (a < b ? a : b);
		if (p + b == form_len && b > at - p &&
		    is_filler(c->now + p, c->len - p))
			return c->len;
	}
	return 0;
}

/*
 * The bytes at @from, put here: displacements corrected, no-operations made
 * longer, sites in it patched, filled up.
 */
static bool is_form(const struct code *c, uint64_t from, size_t form_len)
{
	const uint8_t *form = kfile_at(c->l->g->file, from, form_len);
	size_t at = 0, next;

	if (!form || form_len > c->len)
		return false;
	/* A jump that has become shorter. */
	if (form_len == 5 && form[0] == 0xe9 && c->now[0] == 0xeb)
		return c->addr + 2 + (int64_t)(int8_t)c->now[1] ==
			       from + 5 + (int64_t)get_s32(form + 1) &&
		       is_filler(c->now + 2, c->len - 2);
	while (at < form_len) {
		if (c->now[at] == form[at]) {
			at++;
			continue;
		}
		next = moved(c, form, from, form_len, at);
		if (!next)
			next = other_nops(c, form, form_len, at);
		if (!next) {
			next = explain(c, from, at);
			next = next ? at + next : 0;
		}
		if (!next)
			return false;
		at = next;
	}
	return at >= c->len || is_filler(c->now + at, c->len - at);
}

/* One entry of .altinstructions. */
struct alt {
	uint64_t addr, from;
	uint8_t len, from_len;
};

/* Since 5d1dd961e743 ("x86/alternatives: Add alt_instr.flags"), 6.3, longer. */
static struct alt get_alt(const uint8_t *p, uint64_t addr, size_t size)
{
	return (struct alt){
		.addr = addr + (int64_t)get_s32(p),
		.from = addr + 4 + (int64_t)get_s32(p + 4),
		.len = p[size - 2],
		.from_len = p[size - 1],
	};
}

static bool legit_alt(const struct code *c, const struct site *s)
{
	/* Behind ff 15, call *x(%rip), paravirt's call by an alternative. */
	const uint8_t *was = kfile_at(c->l->g->file, s->addr, s->len);
	uint64_t from = s->arg & UINT64_C(0x00ffffffffffffff);

	if (is_form(c, from | UINT64_C(0xff00000000000000), s->arg >> 56) ||
	    is_form(c, s->addr, s->len))
		return true;
	return was && s->len >= 6 && was[0] == 0xff && was[1] == 0x15 &&
	       legit_paravirt(c, s);
}

/* ---- Where the sites are. ---- */

static void add(struct sites *s, uint8_t kind, uint64_t addr, size_t len,
		uint64_t arg)
{
	struct site one = { addr, arg, len, kind };

	if (len && len <= SITE_MAX)
		buf_add(&s->room, &one, sizeof(one));
}

/*
 * A table in a section of its own, or between two symbols; or symbols that
 * begin like @start.
 */
struct table {
	const char *section;
	const char *start, *stop;
	size_t size;		/* bytes of an entry */
};

struct entry {
	const struct look *l;
	const uint8_t *p;
	uint64_t addr;
	size_t size;
	const uint8_t *code;	/* at the address that it begins with */
	uint64_t at;
};

static void add_alt(struct sites *s, uint8_t kind, const struct entry *e)
{
	struct alt a = get_alt(e->p, e->addr, e->size);

	/* The top byte of a kernel address says nothing. */
	add(s, kind, a.addr, a.len,
	    (a.from & UINT64_C(0x00ffffffffffffff)) |
		    (uint64_t)a.from_len << 56);
}

static void add_paravirt(struct sites *s, uint8_t kind, const struct entry *e)
{
	add(s, kind, get_u64(e->p), e->p[9], 0);
}

static void add_mcount(struct sites *s, uint8_t kind, const struct entry *e)
{
	add(s, kind, get_u64(e->p), 5, 0);
}

static void add_jump(struct sites *s, uint8_t kind, const struct entry *e)
{
	bool is_short = e->code &&
			(e->code[0] == 0xeb || e->code[0] == 0x66);

	add(s, kind, e->at, is_short ? 2 : 5,
	    e->addr + 4 + (int64_t)get_s32(e->p + 4));
}

static void add_static_call(struct sites *s, uint8_t kind,
			    const struct entry *e)
{
	add(s, kind, e->at, e->code && e->code[0] == 0x0f ? 6 : 5, 0);
}

static void add_return(struct sites *s, uint8_t kind, const struct entry *e)
{
	add(s, kind, e->at, 5, 0);
}

static void add_retpoline(struct sites *s, uint8_t kind, const struct entry *e)
{
	uint64_t array = look_symbol(e->l, "__x86_indirect_thunk_array"), to;
	bool prefix = e->code && e->code[0] == 0x2e;

	if (!e->code)
		return;
	to = e->at + prefix + 5 + (int64_t)get_s32(e->code + prefix + 1);
	/* A thunk of 32 bytes for each register. */
	add(s, kind, e->at, 5 + prefix,
	    ((to - array) / 32 & 15) | (e->code[prefix] == 0xe9) << 8);
}

static void add_lock(struct sites *s, uint8_t kind, const struct entry *e)
{
	add(s, kind, e->at, 1, 0);
}

static void add_endbr(struct sites *s, uint8_t kind, const struct entry *e)
{
	add(s, kind, e->at, 4, 0);
}

static void add_shift(struct sites *s, uint8_t kind, const struct entry *e)
{
	add(s, kind, e->at, 1, 0);
}

static void add_pointer(struct sites *s, uint8_t kind, const struct entry *e)
{
	add(s, kind, e->at, 8, 0);
}

/* All that may change, and into what: the whole of the policy. */
static const struct kind {
	struct table table;
	void (*add)(struct sites *s, uint8_t kind, const struct entry *e);
	bool (*legit)(const struct code *c, const struct site *s);
	bool poked;		/* while the kernel runs, behind an int3 */
} kinds[] = {
	/* The first is for what is probed now. */
	{ { .start = NULL }, NULL, legit_kprobe, false },
	{ { ".altinstructions", .size = 12 }, add_alt, legit_alt, false },
	{ { ".parainstructions", .size = 16 }, add_paravirt, legit_paravirt,
	  false },
	{ { ".retpoline_sites", .size = 4 }, add_retpoline, legit_retpoline,
	  false },
	{ { ".return_sites", .size = 4 }, add_return, legit_return, false },
	{ { ".smp_locks", .size = 4 }, add_lock, legit_lock, false },
	{ { ".ibt_endbr_seal", .size = 4 }, add_endbr, legit_endbr, false },
	{ { NULL, "__start_mcount_loc", "__stop_mcount_loc", 8 }, add_mcount,
	  legit_mcount, true },
	{ { NULL, "__start___jump_table", "__stop___jump_table", 16 }, add_jump,
	  legit_jump, true },
	{ { NULL, "__start_static_call_sites", "__stop_static_call_sites", 8 },
	  add_static_call, legit_static_call, true },
	{ { .start = "__SCT__" }, NULL, legit_static_call, true },
	{ { .start = "ftrace_call" }, NULL, legit_tracer_call, true },
	{ { .start = "ftrace_regs_call" }, NULL, legit_tracer_call, true },
	{ { "runtime_shift_d_hash_shift", .size = 4 }, add_shift, legit_const,
	  false },
	{ { "runtime_ptr_dentry_hashtable", .size = 4 }, add_pointer,
	  legit_const, false },
	{ { "runtime_ptr_USER_PTR_MAX", .size = 4 }, add_pointer, legit_const,
	  false },
};

static bool find_table(const struct look *l, const struct table *t,
		       struct kfile_range *ret)
{
	uint64_t start, stop;

	if (t->section)
		return kfile_section(l->g->file, t->section, ret);
	if (!t->stop)
		return false;
	start = look_symbol(l, t->start);
	stop = look_symbol(l, t->stop);
	if (!start || stop < start)
		return false;
	*ret = (struct kfile_range){ start, stop - start };
	return true;
}

static void find_kind(struct sites *s, struct look *l, uint8_t kind)
{
	const struct kind *k = &kinds[kind];
	struct entry e = { .l = l, .size = k->table.size };
	struct kfile_range r;
	struct btf_member m;
	const uint8_t *p;

	if (!find_table(l, &k->table, &r))
		return;
	p = kfile_at(l->g->file, r.addr, r.len);
	if (k->add == add_alt &&
	    !btf_member(l->g->types, "alt_instr", "flags", &m, NULL))
		e.size += 2;
	for (size_t at = 0; p && at + e.size <= r.len; at += e.size) {
		e.p = p + at;
		e.addr = r.addr + at;
		/* Most begin with how far away it is. */
		e.at = e.addr + (int64_t)get_s32(e.p);
		e.code = kfile_at(l->g->file, e.at, 6);
		k->add(s, kind, &e);
	}
}

static void find_symbols(struct sites *s, struct look *l, uint8_t kind)
{
	const char *name = kinds[kind].table.start;
	uint32_t pos = 0;
	struct sym sym;

	while (symtab_each(l->g->symbols, &pos, &sym))
		if (!strncmp(sym.name, name, strlen(name)))
			add(s, kind, sym.addr, 5, 0);
}

static void add_probes(struct sites *s, const struct look *l)
{
	const uint64_t *addr = (const uint64_t *)l->probed.data;

	for (size_t i = 0; i < l->probed.len / sizeof(*addr); i++)
		add(s, 0, addr[i], 5, 0);
}

static int by_addr(const void *pa, const void *pb)
{
	const struct site *a = pa, *b = pb;

	return a->addr < b->addr ? -1 : a->addr > b->addr;
}

void sites_find(struct sites *s, struct look *l)
{
	add_probes(s, l);
	for (size_t i = 1; i < ARRAY_SIZE(kinds); i++) {
		if (kinds[i].add)
			find_kind(s, l, i);
		else
			find_symbols(s, l, i);
	}
	s->v = (struct site *)s->room.data;
	s->nr = s->room.len / sizeof(*s->v);
	if (s->nr)
		qsort(s->v, s->nr, sizeof(*s->v), by_addr);
}

void sites_deinit(struct sites *s)
{
	buf_deinit(&s->room);
	*s = (struct sites)SITES_INIT;
}

/*
 * The kernel writes a breakpoint over the first byte before it changes the
 * others. Only while it says that it does; otherwise somebody else did.
 */
static bool is_in_flight(const struct code *c, const struct site *s)
{
	static const uint8_t first[] = { 0xe8, 0xe9, 0xeb, 0x0f, 0x66, 0x2e,
					 0xc3 };
	const struct kind *k = &kinds[s->kind];
	uint8_t bytes[8];
	struct code later = *c;

	if (!k->poked || c->now[0] != 0xcc || !c->l->poking ||
	    c->len > sizeof(bytes))
		return false;
	memcpy(bytes, c->now, c->len);
	later.now = bytes;
	for (size_t i = 0; i < sizeof(first); i++) {
		bytes[0] = first[i];
		if (k->legit(&later, s))
			return true;
	}
	return false;
}

static void note_in_flight(const struct code *c, uint64_t addr)
{
	struct buf *b = &c->l->patched;

	if (b->len < LOOK_MAX_KEPT * sizeof(addr))
		buf_add(b, &addr, sizeof(addr));
}

/*
 * Of the code @c, which was made of the bytes at @from, byte @at is another
 * than there. Returns how many bytes from there on a site explains.
 */
static size_t explain(const struct code *c, uint64_t from, size_t at)
{
	const struct sites *all = c->sites;
	uint64_t addr = from + at;
	size_t i = bisect_upto(all->v, all->nr, sizeof(*all->v), addr);
	size_t best = 0;

	if (c->depth == MAX_DEPTH)
		return 0;
	while (i-- && addr - all->v[i].addr < SITE_MAX) {
		const struct site *s = &all->v[i];
		size_t in = addr - s->addr;
		struct code part = *c;

		if (in >= s->len || in > at || at - in + s->len > c->len)
			continue;
		/* An alternative that is made of itself explains nothing. */
		if (c->depth && s->addr == c->addr && s->len == c->len)
			continue;
		part.addr = c->addr + at - in;
		part.now = c->now + at - in;
		part.len = s->len;
		part.depth++;
		if (s->len - in <= best)
			continue;
		if (!kinds[s->kind].legit(&part, s)) {
			if (!is_in_flight(&part, s))
				continue;
			note_in_flight(&part, part.addr);
		}
		best = s->len - in;
	}
	return best;
}

size_t sites_explain(const struct sites *s, struct look *l, uint64_t addr,
		     const uint8_t *now, size_t before, size_t len)
{
	struct code c = {
		.l = l,
		.sites = s,
		.addr = addr - before,
		.now = now - before,
		.len = before + len,
	};

	return explain(&c, addr - before, before);
}
