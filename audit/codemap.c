// SPDX-License-Identifier: GPL-2.0-only
#include "codemap.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "bisect.h"
#include "guestlist.h"
#include "look.h"

#define MAX_TRIES 3		/* modules come and go while we read */
#define PACK_SIZE (2u << 20)	/* bytes of one of BPF's packs, for each node */
#define PACK_CHUNK 64u
#define PAGE_COST  512u		/* of asking what a page is, in bytes read */
#define MIB	   (1u << 20)

static void add(struct look *l, uint64_t addr, uint64_t len,
		enum code_owner owner, const char *module)
{
	struct code_range r = { addr, len, 0, owner, module };

	if (len && addr >> 63 && addr + len > addr &&
	    l->code.room.len < CODEMAP_MAX * sizeof(r))
		buf_add(&l->code.room, &r, sizeof(r));
}

static void add_kernel(struct look *l)
{
	uint64_t start = look_symbol(l, "_stext");
	uint64_t end = look_symbol(l, "_etext");

	if (start && end > start)
		add(l, start, end - start, CODE_KERNEL, NULL);
}

/*
 * struct module, before and since ac3b43283923 ("module: replace module_layout
 * with module_memory"), 6.4: an array of stretches, text first.
 */
static int module_layout(const struct look *l, struct modlist_layout *ret,
			 uint32_t *ret_init_base, uint32_t *ret_init_size,
			 struct xf_err *err)
{
	const struct btf *b = l->g->types;
	struct btf_member m, base, size;
	uint32_t one = 0;
	int32_t init = 4;
	int rc = btf_member(b, "module", "mem", &m, NULL);

#define OFFSET(type, path, to)                                                 \
	do {                                                                   \
		struct btf_member _m;                                          \
		if (btf_member(b, type, path, &_m, err))                       \
			return -ENOENT;                                        \
		(to) = _m.off;                                                 \
	} while (0)
	if (!rc) {
		rc = btf_member(b, "module_memory", "base", &base, err);
		rc = rc ? rc : btf_member(b, "module_memory", "size", &size,
					  err);
		rc = rc ? rc : btf_sizeof(b, "module_memory", &one, err);
		if (rc)
			return rc;
		btf_enumerator(b, "MOD_INIT_TEXT", &init, NULL);
		if (init < 0 || (init + 1u) * one > m.size)
			return xf_fail(err, -ENOTSUP, "struct module: mem");
		ret->text_base = m.off + base.off;
		ret->text_size = m.off + size.off;
		*ret_init_base = ret->text_base + init * one;
		*ret_init_size = ret->text_size + init * one;
	} else {
		OFFSET("module", "core_layout.base", ret->text_base);
		OFFSET("module", "core_layout.text_size", ret->text_size);
		OFFSET("module", "init_layout.base", *ret_init_base);
		OFFSET("module", "init_layout.text_size", *ret_init_size);
	}
	rc = btf_member(b, "module", "name", &m, err);
	if (rc)
		return rc;
	ret->name = m.off;
	ret->name_len = m.size;
	OFFSET("module", "list", ret->list);
	OFFSET("module", "kallsyms", ret->kallsyms);
	OFFSET("mod_kallsyms", "symtab", ret->symtab);
	OFFSET("mod_kallsyms", "num_symtab", ret->num_symtab);
	OFFSET("mod_kallsyms", "strtab", ret->strtab);
	OFFSET("mod_kallsyms", "typetab", ret->typetab);
#undef OFFSET
	return 0;
}

/*
 * How long a module's code is, is its own word: what it says belongs to it up
 * to where there is no code, and behind each there is a page of nothing.
 */
static void add_module(struct look *l, uint64_t addr, uint64_t len,
		       const char *name)
{
	uint64_t run, has = 0;

	while (has < len && !look_pay(l, PAGE_COST)) {
		run = gva_code_run(&l->g->space, addr + has);
		if (!run)
			break;
		has += run;
	}
	add(l, addr, has < len ? has : len, CODE_MODULE, name);
}

static void add_modules(struct look *l)
{
	struct modlist *ml = &l->code.modules;
	uint64_t head = look_symbol(l, "modules"), base;
	struct modlist_layout layout = { 0 };
	uint32_t init_base = 0, init_size = 0, size;
	struct xf_err err = { 0 };
	int rc = module_layout(l, &layout, &init_base, &init_size, &err);

	if (!rc && !head)
		rc = xf_fail(&err, -ENOENT, "there is no symbol 'modules'");
	for (int i = 0; !rc && i < MAX_TRIES; i++) {
		rc = modlist_read(ml, &l->g->space, head, &layout, &err);
		if (rc != -EBADMSG && rc != -EFAULT)
			break;
	}
	if (rc) {
		look_cannot(l, "the list of modules: %s", err.msg);
		return;
	}
	l->code.module_list = layout.list;
	for (size_t i = 0; i < ml->nr; i++) {
		struct modlist_module *m = &ml->mod[i];

		add_module(l, m->text_base, m->text_size, m->name);
		base = look_ptr(l, m->addr + init_base);
		if (!look_read(l, m->addr + init_size, &size, sizeof(size)))
			add_module(l, base, size, m->name);
	}
}

static bool add_trampoline(struct look *l, uint64_t ops, void *arg)
{
	const uint32_t *off = arg;

	add(l, look_ptr(l, ops + off[0]), look_ptr(l, ops + off[1]),
	    CODE_FTRACE, NULL);
	return true;
}

/* Of those who are called now, and those that stay for who once was. */
static void add_ftrace(struct look *l)
{
	uint64_t kept = look_symbol(l, "ftrace_ops_trampoline_list");
	uint32_t next, list, off[2];
	const struct look_member members[] = {
		{ "ftrace_ops", "next", &next },
		{ "ftrace_ops", "list", &list },
		{ "ftrace_ops", "trampoline", &off[0] },
		{ "ftrace_ops", "trampoline_size", &off[1] },
	};

	if (!look_members(l, "ftrace's trampolines", members,
			  ARRAY_SIZE(members)))
		return;
	guestlist_chain(l, look_symbol(l, "ftrace_ops_list"),
			look_symbol(l, "ftrace_list_end"), next,
			add_trampoline, off);
	if (kept)
		guestlist_ring(l, kept, list, add_trampoline, off);
}

static bool add_slot_page(struct look *l, uint64_t page, void *arg)
{
	const uint32_t *insns = arg;

	add(l, look_ptr(l, page + *insns), XF_PAGE_SIZE, CODE_KPROBES, NULL);
	return true;
}

static void add_kprobes(struct look *l)
{
	static const char *const caches[] = { "kprobe_insn_slots",
					      "kprobe_optinsn_slots" };
	uint32_t pages, list, insns;
	const struct look_member members[] = {
		{ "kprobe_insn_cache", "pages", &pages },
		{ "kprobe_insn_page", "list", &list },
		{ "kprobe_insn_page", "insns", &insns },
	};

	if (!look_members(l, "kprobes' instructions", members,
			  ARRAY_SIZE(members)))
		return;
	for (size_t i = 0; i < ARRAY_SIZE(caches); i++) {
		uint64_t cache = look_symbol(l, caches[i]);

		if (cache)
			guestlist_ring(l, cache + pages, list, add_slot_page,
				       &insns);
	}
}

static bool add_bpf_symbol(struct look *l, uint64_t sym, void *arg)
{
	const uint32_t *off = arg;
	uint64_t start = look_ptr(l, sym + off[0]);
	uint64_t end = look_ptr(l, sym + off[1]);

	if (end > start && end - start < PACK_SIZE)
		add(l, start, end - start, CODE_BPF, NULL);
	return true;
}

/* Memory of which a bitmap says what is used; the rest holds breakpoints. */
static bool add_bpf_pack(struct look *l, uint64_t pack, void *arg)
{
	const uint32_t *off = arg;
	uint64_t base = look_ptr(l, pack + off[0]), bits = 0;
	uint32_t run = 0, nr = PACK_SIZE / PACK_CHUNK;

	for (uint32_t i = 0; i <= nr; i++) {
		if (i % 64 == 0)
			bits = i < nr ? look_ptr(l, pack + off[1] + i / 8) : 0;
		if (bits >> i % 64 & 1) {
			run++;
			continue;
		}
		add(l, base + (i - run) * PACK_CHUNK, run * PACK_CHUNK,
		    CODE_BPF, NULL);
		run = 0;
	}
	return true;
}

/* A kernel may be without BPF, or too old for packs. */
static void add_bpf(struct look *l)
{
	uint64_t symbols = look_symbol(l, "bpf_kallsyms");
	uint64_t packs = look_symbol(l, "pack_list");
	uint32_t node, list, symbol[2], pack[2];
	const struct look_member members[] = {
		{ "bpf_ksym", "lnode", &node },
		{ "bpf_ksym", "start", &symbol[0] },
		{ "bpf_ksym", "end", &symbol[1] },
		{ "bpf_prog_pack", "list", &list },
		{ "bpf_prog_pack", "ptr", &pack[0] },
	};

	if (!symbols || !packs ||
	    !look_members(l, "BPF's code", members, ARRAY_SIZE(members)))
		return;
	/* The bitmap is what the structure ends with. */
	if (btf_sizeof(l->g->types, "bpf_prog_pack", &pack[1], NULL))
		return;
	guestlist_ring(l, symbols, node, add_bpf_symbol, symbol);
	guestlist_ring(l, packs, list, add_bpf_pack, pack);
}

/* Where each processor begins, in its first megabyte. */
static void add_boot(struct look *l)
{
	uint64_t blob = look_symbol(l, "real_mode_blob");
	uint64_t end = look_symbol(l, "real_mode_blob_end");
	uint64_t at = look_ptr(l, look_symbol(l, "real_mode_header")), gpa;

	if (blob && end > blob && end - blob < MIB &&
	    !gva_translate(&l->g->space, at, &gpa, NULL, NULL) &&
	    gpa <= MIB - (end - blob))
		add(l, at, end - blob, CODE_BOOT, NULL);
}

static int by_addr(const void *pa, const void *pb)
{
	const struct code_range *a = pa, *b = pb;

	return a->addr < b->addr ? -1 : a->addr > b->addr;
}

static void sort(struct codemap *c)
{
	uint64_t reach = 0;

	c->v = (struct code_range *)c->room.data;
	c->nr = c->room.len / sizeof(*c->v);
	if (c->nr)
		qsort(c->v, c->nr, sizeof(*c->v), by_addr);
	for (size_t i = 0; i < c->nr; i++) {
		if (reach < c->v[i].addr + c->v[i].len)
			reach = c->v[i].addr + c->v[i].len;
		c->v[i].reach = reach;
	}
}

/* What kprobes, say, and a module both call theirs is a lie of one of them. */
static void check_overlaps(struct look *l)
{
	const struct code_range *far = l->code.v, *r;
	char name[LOOK_NAME];

	for (size_t i = 1; i < l->code.nr; i++) {
		r = &l->code.v[i];
		if (r->addr < far->addr + far->len &&
		    (r->owner == CODE_MODULE || far->owner == CODE_MODULE) &&
		    r->module != far->module) {
			look_cannot(l, "whose code there is at %s: it belongs "
				       "to another as well",
				    look_name(l, r->addr, name));
			return;
		}
		if (r->reach > far->reach)
			far = r;
	}
}

void codemap_read_modules(struct look *l)
{
	add_modules(l);
	sort(&l->code);
}

void codemap_read(struct look *l)
{
	struct codemap *c = &l->code;

	add_kernel(l);
	add_modules(l);
	add_ftrace(l);
	add_kprobes(l);
	add_bpf(l);
	add_boot(l);
	sort(c);
	check_overlaps(l);
	if (c->nr == CODEMAP_MAX)
		look_cannot(l, "whose the kernel's code is: it is said to be in "
			       "more than %u pieces", CODEMAP_MAX);
}

void codemap_deinit(struct codemap *c)
{
	modlist_deinit(&c->modules);
	buf_deinit(&c->room);
	*c = (struct codemap)CODEMAP_INIT;
}

const struct code_range *codemap_find(const struct codemap *c, uint64_t addr)
{
	size_t n = bisect_upto(c->v, c->nr, sizeof(*c->v), addr);

	if (!n || addr - c->v[n - 1].addr >= c->v[n - 1].len)
		return NULL;
	return &c->v[n - 1];
}

uint64_t codemap_reach(const struct codemap *c, uint64_t addr, uint64_t len)
{
	size_t n = bisect_upto(c->v, c->nr, sizeof(*c->v), addr + len - 1);

	return n && c->v[n - 1].reach > addr ? c->v[n - 1].reach : 0;
}

enum code_owner codemap_owner(const struct codemap *c, uint64_t addr)
{
	const struct code_range *r = codemap_find(c, addr);

	return r ? r->owner : CODE_NOBODY;
}
