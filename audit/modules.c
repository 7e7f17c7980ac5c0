// SPDX-License-Identifier: GPL-2.0-only
/*
 * Modules that are not in the list of modules, and executable memory that
 * belongs to nobody who says so.
 */
#include <inttypes.h>
#include <stdlib.h>

#include "guestlist.h"
#include "look.h"

#define MAX_TABLES 16384	/* page tables read: 64 MiB */

/* ---- Lists that name modules. ---- */

static bool is_listed(const struct look *l, uint64_t module)
{
	const struct modlist *ml = &l->code.modules;

	for (size_t i = 0; i < ml->nr; i++)
		if (ml->mod[i].addr == module)
			return true;
	return false;
}

struct names {
	uint32_t name;		/* in struct module */
	uint32_t kobj, mod;	/* in struct module_kobject */
	uint64_t said[LOOK_MAX_KEPT];
	size_t nr;
};

/* A module that is not in the list, once. */
static void judge_module(struct look *l, struct names *n, uint64_t module,
			 const char *where)
{
	_cleanup_(buf_deinit) struct buf safe = BUF_INIT;
	char name[MODLIST_NAME] = "";
	json_t *e;

	if (!module || is_listed(l, module))
		return;
	for (size_t i = 0; i < n->nr; i++)
		if (n->said[i] == module)
			return;
	if (look_is_full(l, RULE_HIDDEN_MODULE))
		return;
	n->said[n->nr++] = module;
	look_read(l, module + n->name, name, sizeof(name) - 1);
	buf_add_escaped(&safe, name, strlen(name));
	e = look_evidence(l, module);
	json_object_set_new(e, "module", json_string(safe.data ?: ""));
	findings_add(l->f, RULE_HIDDEN_MODULE, e,
		     "module %s is in %s, but not in the list of modules",
		     safe.len ? safe.data : "(no name)", where);
}

static bool judge_kobject(struct look *l, uint64_t kobj, void *arg)
{
	struct names *n = arg;

	judge_module(l, n, look_ptr(l, kobj - n->kobj + n->mod),
		     "/sys/module");
	return true;
}

static void check_sysfs(struct look *l, struct names *n)
{
	uint64_t kset = look_ptr(l, look_symbol(l, "module_kset"));
	uint32_t list, entry;
	const struct look_member members[] = {
		{ "kset", "list", &list },
		{ "kobject", "entry", &entry },
		{ "module_kobject", "kobj", &n->kobj },
		{ "module_kobject", "mod", &n->mod },
	};

	if (kset &&
	    look_members(l, "/sys/module", members, ARRAY_SIZE(members)) &&
	    !guestlist_ring(l, kset + list, entry, judge_kobject, n))
		look_cannot(l, "/sys/module: the list has no end");
}

/* The tree by which the kernel finds the module of an address. */
static void check_tree(struct look *l, struct names *n)
{
	uint64_t tree = look_symbol(l, "mod_tree"), stack[128];
	uint32_t root, first, mod, node;
	const struct look_member members[] = {
		{ "mod_tree_root", "root", &root },
		{ "latch_tree_root", "tree", &first },
		{ "mod_tree_node", "mod", &mod },
		{ "mod_tree_node", "node", &node },
	};
	size_t depth = 0;

	if (!tree ||
	    !look_members(l, "the tree of modules", members,
			  ARRAY_SIZE(members)))
		return;
	stack[depth++] = look_ptr(l, tree + root + first);
	for (int i = 0; depth && i < LOOK_MAX_NODES; i++) {
		uint64_t at = stack[--depth];

		if (!at)
			continue;
		if (depth + 2 > ARRAY_SIZE(stack))
			break;
		judge_module(l, n, look_ptr(l, at - node + mod),
			     "the kernel's tree of modules");
		/* struct rb_node: parent, right, left */
		stack[depth++] = look_ptr(l, at + 8);
		stack[depth++] = look_ptr(l, at + 16);
	}
	if (depth)
		look_cannot(l, "the kernel's tree of modules has no end");
}

/* ---- Executable pages. ---- */

#define PTE_PRESENT (1ull << 0)
#define PTE_LARGE   (1ull << 7)
#define PTE_NX	    (1ull << 63)
#define PTE_ADDR    0x000ffffffffff000ull

struct walk {
	struct look *l;
	unsigned int tables;
	uint64_t start, end;	/* the stretch under way that is nobody's */
};

static void flush(struct walk *w)
{
	json_t *e;

	if (w->end != w->start && !look_is_full(w->l, RULE_HIDDEN_CODE)) {
		e = look_evidence(w->l, w->start);
		evidence_hex(e, "page", w->start);
		json_object_set_new(e, "size", json_integer(w->end - w->start));
		findings_add(w->l->f, RULE_HIDDEN_CODE, e,
			     "%" PRIu64 " KiB at 0x%" PRIx64
			     " can be executed and belong to nobody",
			     (w->end - w->start) >> 10, w->start);
	}
	w->start = w->end = 0;
}

/*
 * Nothing in it does anything: breakpoints, which BPF fills its memory with,
 * and jumps to where a register points (thunks against ITS).
 */
static bool is_inert(const uint8_t *p, size_t len)
{
	size_t i = 0;

	while (i < len) {
		if (p[i] == 0xcc)
			i++;
		else if (i + 2 <= len && p[i] == 0xff &&
			 (p[i + 1] & 0xf8) == 0xe0)
			i += 2;
		else if (i + 3 <= len && p[i] == 0x41 && p[i + 1] == 0xff &&
			 (p[i + 2] & 0xf8) == 0xe0)
			i += 3;
		else
			return false;
	}
	return true;
}

static void judge_page(struct walk *w, uint64_t page)
{
	uint8_t bytes[XF_PAGE_SIZE];

	if (look_read(w->l, page, bytes, sizeof(bytes)) ||
	    is_inert(bytes, sizeof(bytes)))
		return;
	if (w->end != page) {
		flush(w);
		w->start = page;
	}
	w->end = page + XF_PAGE_SIZE;
}

/* @size bytes from @addr on can be executed. */
static void judge_pages(struct walk *w, uint64_t addr, uint64_t size)
{
	uint64_t next;

	/* Owned pages cost nothing, not even time: there may be terabytes. */
	for (uint64_t at = addr; at - addr < size && !w->l->spent; at = next) {
		next = codemap_reach(&w->l->code, at, XF_PAGE_SIZE);
		if (!next)
			judge_page(w, at);
		next = ((next ? next - 1 : at) | (XF_PAGE_SIZE - 1)) + 1;
	}
}

static bool walk(struct walk *w, uint64_t table, uint64_t base, int level,
		 unsigned int first)
{
	int shift = 3 + 9 * level;
	uint64_t entry[512];

	if (w->tables++ == MAX_TABLES || look_pay(w->l, sizeof(entry)))
		return false;
	/* What is no RAM is nobody's code, either. */
	if (memfile_read(w->l->g->space.mf, table, entry, sizeof(entry), NULL))
		return true;
	for (unsigned int i = first; i < 512; i++) {
		uint64_t addr = base + ((uint64_t)i << shift);

		if (!(entry[i] & PTE_PRESENT) || entry[i] & PTE_NX)
			continue;
		if (level == 1 || entry[i] & PTE_LARGE)
			judge_pages(w, addr, 1ull << shift);
		else if (!walk(w, entry[i] & PTE_ADDR, addr, level - 1, 0))
			return false;
	}
	return true;
}

static void check_pages(struct look *l)
{
	struct walk w = { .l = l };
	int level = l->g->space.l5 ? 5 : 4;

	/* The upper half is the kernel's. */
	if (!walk(&w, l->g->space.pgd_gpa & PTE_ADDR,
		  l->g->space.l5 ? 0xfe00000000000000 : 0xffff000000000000,
		  level, 256) && !l->spent)
		look_cannot(l, "executable memory: the page tables are too "
			       "many");
	flush(&w);
}

/* ---- Modules that come and go. ---- */

static bool is_in_list(const struct finding *one, void *arg)
{
	const struct look *l = arg;
	const struct code_range *r = codemap_find(&l->code, one->place);

	if (one->rule == RULE_HIDDEN_MODULE)
		return is_listed(l, one->place);
	/* All of it, or something hides behind who has a right to be there. */
	return one->rule == RULE_HIDDEN_CODE && r &&
	       one->place + (one->size - 1) <=
		       ((r->addr + (r->len - 1)) | (XF_PAGE_SIZE - 1));
}

bool modules_forget(const struct image_guest *g, struct findings *f)
{
	_cleanup_(findings_deinit) struct findings ignored = FINDINGS_INIT;
	struct look l = { .g = g, .f = &ignored, .code = CODEMAP_INIT };
	bool readable, any = false;

	for (size_t i = 0; i < f->nr; i++)
		any |= f->v[i].rule == RULE_HIDDEN_MODULE ||
		       f->v[i].rule == RULE_HIDDEN_CODE;
	if (!any)
		return false;
	codemap_read_modules(&l);
	readable = l.code.module_list;
	if (readable)
		findings_drop(f, is_in_list, &l);
	codemap_deinit(&l.code);
	return readable;
}

void check_modules(struct look *l)
{
	struct names n = { 0 };
	const struct look_member members[] = { { "module", "name", &n.name } };

	if (l->code.module_list &&
	    look_members(l, "modules", members, ARRAY_SIZE(members))) {
		check_sysfs(l, &n);
		check_tree(l, &n);
	}
	check_pages(l);
}
