// SPDX-License-Identifier: GPL-2.0-only
#include "target_pages.h"

#include <errno.h>

#include "cleanup.h"
#include "log.h"
#include "target_btf.h"

/* Where struct pages are without KASLR's help: x86-64, four levels. */
#define VMEMMAP_DEFAULT	0xffffea0000000000ull
/* A page's types until 6.9, when they were macros. */
#define OLD_TYPE_BUDDY	0x80
#define OLD_TYPE_TABLE	0x200
#define MAX_MODULE	(64u << 20)	/* bytes of one part of a module */

static bool find(const struct target *t, const char *name, uint64_t *ret)
{
	return !symtab_address(t->symbols, name, ret, NULL);
}

/* The kernel's image is one piece of physical memory. */
static void add_part(struct pages *p, const struct target *t,
		     const char *from, const char *to, enum xft_page_type type)
{
	uint64_t start, end;

	if (find(t, from, &start) && find(t, to, &end) && end > start)
		pages_add(p, start - SYMTAB_KERNEL_BASE + t->kernel.phys_base,
			  end - start, start, type, NULL);
}

static void add_kernel(struct pages *p, const struct target *t)
{
	struct sym s;
	uint32_t pos = 0;

	add_part(p, t, "_text", "_etext", XFT_PAGE_TEXT);
	add_part(p, t, "__start_rodata", "__end_rodata", XFT_PAGE_RODATA);
	add_part(p, t, "_sdata", "_edata", XFT_PAGE_DATA);
	add_part(p, t, "__bss_start", "__bss_stop", XFT_PAGE_BSS);
	add_part(p, t, "__brk_base", "__brk_limit", XFT_PAGE_BSS);
	/* What follows it says how long it is. */
	if (symtab_find(t->symbols, "sys_call_table", &pos, &s) &&
	    s.size <= 64 * XF_PAGE_SIZE)
		pages_add(p, s.addr - SYMTAB_KERNEL_BASE + t->kernel.phys_base,
			  s.size, s.addr, XFT_PAGE_SYSCALLS, NULL);
}

static void add_percpu(struct pages *p, const struct target *t)
{
	uint64_t start, end, table, offset;

	if (!find(t, "__per_cpu_start", &start) ||
	    !find(t, "__per_cpu_end", &end) || end < start ||
	    !find(t, "__per_cpu_offset", &table))
		return;
	for (uint32_t cpu = 0; cpu < t->ctl.nr_cpus; cpu++)
		if (!gva_read_u64(&p->space, table + 8 * cpu, &offset, NULL))
			/* Whole pages: dynamic per-CPU memory follows. */
			pages_add_virtual(p, (start + offset) & -4096ull,
					  ((end - start) | 4095) + 1, cpu,
					  XFT_PAGE_PERCPU, NULL);
}

/* Members of structures; what this kernel lacks becomes PAGES_NONE. */
static void find_members(struct pages_layout *l, const struct btf *b)
{
	const struct {
		const char *type, *member;
		uint32_t *off;
	} members[] = {
		{ "page", "flags", &l->page_flags },
		{ "page", "compound_head", &l->page_head },
		{ "page", "mapping", &l->page_mapping },
		{ "page", "page_type", &l->page_type },
		{ "slab", "slab_cache", &l->slab_cache },
		{ "kmem_cache", "name", &l->cache_name },
		{ "address_space", "host", &l->mapping_host },
		{ "inode", "i_ino", &l->inode_ino },
		{ "task_struct", "tasks", &l->task_tasks },
		{ "task_struct", "signal", &l->task_signal },
		{ "signal_struct", "thread_head", &l->signal_threads },
		{ "task_struct", "thread_node", &l->task_node },
		{ "task_struct", "stack", &l->task_stack },
		{ "task_struct", "pid", &l->task_pid },
		{ "task_struct", "comm", &l->task_comm },
	};
	struct btf_member m;

	for (size_t i = 0; i < ARRAY_SIZE(members); i++)
		*members[i].off = btf_member(b, members[i].type,
					     members[i].member, &m, NULL) ?
					  PAGES_NONE : m.off;
}

static uint32_t enumerator(const struct btf *b, const char *name,
			   uint32_t otherwise)
{
	int32_t value;

	return btf_enumerator(b, name, &value, NULL) ? otherwise :
						       (uint32_t)value;
}

static bool has_all(const uint32_t *off, size_t nr)
{
	while (nr--)
		if (off[nr] == PAGES_NONE)
			return false;
	return true;
}

static void find_layout(struct pages_layout *l, const struct target *t,
			const struct btf *b)
{
	struct gva space = vmcoreinfo_space(&t->kernel, &t->mf);
	uint64_t addr;

	find_members(l, b);
	l->type_slab = enumerator(b, "PGTY_slab", PAGES_NONE);
	l->slab_bit = enumerator(b, "PG_slab", PAGES_NONE);
	l->type_table = enumerator(b, "PGTY_table", OLD_TYPE_TABLE);
	l->type_buddy = enumerator(b, "PGTY_buddy", OLD_TYPE_BUDDY);
	if (btf_sizeof(b, "page", &l->sizeof_page, NULL) ||
	    l->sizeof_page > PAGES_STRUCT ||
	    !has_all(&l->page_flags, 4) || !has_all(&l->slab_cache, 4))
		return;
	l->vmemmap = VMEMMAP_DEFAULT;
	if (find(t, "vmemmap_base", &addr) &&
	    gva_read_u64(&space, addr, &l->vmemmap, NULL))
		l->vmemmap = 0;
	if (!has_all(&l->task_tasks, 7) ||
	    !find(t, "init_task", &l->init_task))
		l->init_task = 0;
}

/* A module's name, and where its parts are, which depends on the kernel. */
struct module_layout {
	uint32_t list, name;
	uint32_t base[8], size[8]; /* of its parts */
	size_t nr;
};

static void add_memory(struct module_layout *l, const struct btf *b,
		       const char *base, const char *size)
{
	struct btf_member mb, ms;

	if (btf_member(b, "module", base, &mb, NULL) ||
	    btf_member(b, "module", size, &ms, NULL))
		return;
	l->base[l->nr] = mb.off;
	l->size[l->nr++] = ms.off;
}

/* Until 6.3 one piece whose first part is code; then an array, code first. */
static bool find_module_layout(struct module_layout *l, const struct btf *b)
{
	struct btf_member list, name, mem, base, size;
	uint32_t one;

	*l = (struct module_layout){ 0 };
	if (btf_member(b, "module", "list", &list, NULL) ||
	    btf_member(b, "module", "name", &name, NULL))
		return false;
	l->list = list.off;
	l->name = name.off;
	add_memory(l, b, "core_layout.base", "core_layout.text_size");
	add_memory(l, b, "core_layout.base", "core_layout.size");
	if (l->nr || btf_member(b, "module", "mem", &mem, NULL) ||
	    btf_member(b, "module_memory", "base", &base, NULL) ||
	    btf_member(b, "module_memory", "size", &size, NULL) ||
	    btf_sizeof(b, "module_memory", &one, NULL))
		return l->nr;
	for (; l->nr < 4 && (l->nr + 1) * one <= mem.size; l->nr++) {
		l->base[l->nr] = mem.off + l->nr * one + base.off;
		l->size[l->nr] = mem.off + l->nr * one + size.off;
	}
	return l->nr;
}

static void add_module(struct pages *p, const struct module_layout *l,
		       uint64_t module)
{
	char name[PAGES_NAME] = "";
	uint32_t size;
	uint64_t base;

	(void)gva_read(&p->space, module + l->name, name, sizeof(name) - 1,
		       NULL);
	for (size_t i = 0; i < l->nr; i++)
		if (!gva_read_u64(&p->space, module + l->base[i], &base,
				  NULL) &&
		    !gva_read(&p->space, module + l->size[i], &size, 4, NULL) &&
		    size <= MAX_MODULE)
			pages_add_virtual(p, base, size, base,
					  i ? XFT_PAGE_MODULE :
					      XFT_PAGE_MODULE_TEXT, name);
}

static void add_modules(struct pages *p, const struct target *t,
			const struct btf *b)
{
	struct module_layout l;
	uint64_t head, node;

	if (!find(t, "modules", &head) || !find_module_layout(&l, b))
		return;
	node = head;
	for (int i = 0; i < 1024; i++) {
		if (gva_read_u64(&p->space, node, &node, NULL) || node == head)
			return;
		add_module(p, &l, node - l.list);
	}
}

/*
 * Entries begin with where the code is, counted from there. Static branches
 * have more behind it than static calls.
 */
static void add_sites(struct pages *p, const struct target *t, const char *from,
		      const char *to, uint32_t entry)
{
	uint64_t start, end;

	if (!find(t, from, &start) || !find(t, to, &end) || end < start)
		return;
	for (uint64_t at = start; end - at >= entry; at += entry) {
		int32_t code;

		if (p->nr_sites == PAGES_MAX_SITES ||
		    gva_read(&p->space, at, &code, sizeof(code), NULL))
			return;
		pages_add_site(p, at + code);
	}
}

/* Ours in the guest: control block, mailbox, and each ring's pages. */
static void add_own(struct pages *p, const struct target *t)
{
	const struct xft_ctl *ctl = &t->ctl;

	pages_add(p, ctl->self_gpa, XFT_PAGE, 0, XFT_PAGE_RING, NULL);
	pages_add(p, ctl->mbox_gpa, XFT_MBOX_PAGES * XFT_PAGE, 0,
		  XFT_PAGE_RING, NULL);
	for (uint32_t i = 0; i < ctl->nr_rings && i < 2 * XFT_MAX_CPUS; i++) {
		_cleanup_free_ struct xft_ring_hdr *h = malloc(sizeof(*h));
		uint64_t gpa;

		if (!h)
			abort();
		if (memfile_read_u64(&t->mf, ctl->rings_gpa + 8 * i, &gpa,
				     NULL) ||
		    memfile_read(&t->mf, gpa, h, sizeof(*h), NULL) ||
		    h->sub_shift > XFT_MAX_SUB_SHIFT)
			continue;
		pages_add(p, gpa, XFT_PAGE, 0, XFT_PAGE_RING, NULL);
		for (uint32_t n = 0; n < h->nr_subs && n < XFT_MAX_SUBS; n++)
			pages_add(p, h->sub_gpa[n], 1ull << h->sub_shift, 0,
				  XFT_PAGE_RING, NULL);
	}
}

int target_pages_init(struct pages *p, struct target *t, struct xf_err *err)
{
	_cleanup_(target_btf_close) struct target_btf types = TARGET_BTF_INIT;
	struct gva space = vmcoreinfo_space(&t->kernel, &t->mf);
	struct pages_layout layout = { 0 };
	struct xf_err why;
	bool typed = !target_btf_open(&types, t, &why);

	if (typed)
		find_layout(&layout, t, &types.btf);
	else
		xf_debug("pages: %s", why.msg);
	pages_init(p, &space, &layout);
	add_own(p, t);
	add_kernel(p, t);
	add_percpu(p, t);
	add_sites(p, t, "__start___jump_table", "__stop___jump_table", 16);
	add_sites(p, t, "__start_static_call_sites", "__stop_static_call_sites",
		  8);
	if (typed)
		add_modules(p, t, &types.btf);
	pages_seal(p);
	if (p->nr_parts)
		return 0;
	return xf_fail(err, -ENOENT, "the guest's kernel does not tell where "
				     "its parts are");
}
