// SPDX-License-Identifier: GPL-2.0-only
#include "pages.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bisect.h"
#include "clock.h"

#define PAGE		4096ull
#define KERNEL_HALF	(1ull << 63)
/* Stacks come and go with their tasks, but looking for them takes a while. */
#define STACKS_NS	250000000ull
/* Bits of page->mapping. */
#define MAPPING_ANON	1
#define MAPPING_KIND	3
/* page_type up to 6.11: these bits are set, and those of its type are not. */
#define TYPE_BASE	0xf0000000u
/* What is patched is a jump or a call. */
#define SITE_BYTES	5

void pages_init(struct pages *p, const struct gva *space,
		const struct pages_layout *layout)
{
	*p = (struct pages){ .space = *space, .layout = *layout };
}

void pages_deinit(struct pages *p)
{
	free(p->part);
	free(p->stack);
	free(p->site);
	*p = (struct pages)PAGES_INIT;
}

static void *grow(void *array, size_t *cap, size_t size)
{
	size_t n = *cap ? *cap * 2 : 64;
	void *new = realloc(array, n * size);

	if (!new)
		abort();
	*cap = n;
	return new;
}

void pages_add(struct pages *p, uint64_t gpa, uint64_t len, uint64_t value,
	       enum xft_page_type type, const char *name)
{
	struct pages_part *last = p->nr_parts ? &p->part[p->nr_parts - 1] : NULL;
	struct pages_part part = {
		.gpa = gpa, .len = len, .value = value, .type = type,
	};

	if (!len || gpa + len < gpa)
		return;
	if (name)
		strncpy(part.name, name, sizeof(part.name) - 1);
	if (last && last->type == type && last->gpa + last->len == gpa &&
	    last->value + last->len == value && !strcmp(last->name, part.name)) {
		last->len += len;
		return;
	}
	if (p->nr_parts == PAGES_MAX_PARTS)
		return;
	if (p->nr_parts == p->cap_parts)
		p->part = grow(p->part, &p->cap_parts, sizeof(part));
	p->part[p->nr_parts++] = part;
}

void pages_add_virtual(struct pages *p, uint64_t addr, uint64_t len,
		       uint64_t value, enum xft_page_type type,
		       const char *name)
{
	bool is_addr = value == addr;

	/* Larger parts than that are made up. */
	if (len > PAGES_MAX_PARTS * PAGE)
		return;
	for (uint64_t done = 0; done < len;) {
		uint64_t run = PAGE - (addr + done) % PAGE, gpa;
		int rc;

		if (p->virtual == PAGES_MAX_VIRTUAL)
			return;
		p->virtual++;
		if (run > len - done)
			run = len - done;
		rc = gva_translate(&p->space, addr + done, &gpa, NULL, NULL);
		/* Nothing is left of RAM, and to find that out takes time. */
		if (rc == -EIO)
			p->virtual = PAGES_MAX_VIRTUAL;
		if (!rc)
			pages_add(p, gpa, run, is_addr ? value + done : value,
				  type, name);
		done += run;
	}
}

/* Of parts that begin together the last counts: what is dangerous to write. */
static int by_gpa(const void *a, const void *b)
{
	const struct pages_part *x = a, *y = b;

	if (x->gpa != y->gpa)
		return x->gpa < y->gpa ? -1 : 1;
	return x->type > y->type ? -1 : x->type < y->type;
}

void pages_add_site(struct pages *p, uint64_t addr)
{
	if (p->nr_sites == PAGES_MAX_SITES)
		return;
	if (p->nr_sites == p->cap_sites)
		p->site = grow(p->site, &p->cap_sites, sizeof(addr));
	p->site[p->nr_sites++] = addr;
}

static int by_address(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

/* Keys are addresses within an instruction, elements its beginning. */
static int in_site(const void *key, const void *element)
{
	const uint64_t *addr = key, *site = element;

	if (*addr < *site)
		return -1;
	return *addr - *site >= SITE_BYTES;
}

static bool is_site(const struct pages *p, uint64_t addr)
{
	return p->nr_sites && bsearch(&addr, p->site, p->nr_sites,
				      sizeof(addr), in_site);
}

void pages_seal(struct pages *p)
{
	if (p->nr_sites)
		qsort(p->site, p->nr_sites, sizeof(*p->site), by_address);
	if (p->nr_parts)
		qsort(p->part, p->nr_parts, sizeof(*p->part), by_gpa);
}

static const struct pages_part *find_part(const struct pages *p, uint64_t gpa)
{
	size_t n = bisect_upto(p->part, p->nr_parts, sizeof(*p->part), gpa);

	/* A small part may lie within a large one: the innermost counts. */
	for (int i = 0; i < 8 && n-- > 0; i++)
		if (gpa - p->part[n].gpa < p->part[n].len)
			return &p->part[n];
	return NULL;
}

/* ---- stacks ---- */

static bool read_u64(const struct pages *p, uint64_t addr, uint64_t *ret)
{
	return addr >= KERNEL_HALF && !gva_read_u64(&p->space, addr, ret, NULL);
}

static void add_stack(struct pages *p, uint64_t task)
{
	const struct pages_layout *l = &p->layout;
	struct pages_stack s = { 0 };
	uint64_t stack;

	if (!read_u64(p, task + l->task_stack, &stack) ||
	    stack < KERNEL_HALF || stack % PAGE ||
	    gva_read(&p->space, task + l->task_pid, &s.pid, 4, NULL) ||
	    gva_read(&p->space, task + l->task_comm, s.comm, 16, NULL))
		return;
	s.comm[15] = '\0';
	for (int i = 0; i < PAGES_STACK_PAGES; i++) {
		if (gva_translate(&p->space, stack + i * PAGE, &s.gpa, NULL,
				  NULL))
			continue;
		if (p->nr_stacks == p->cap_stacks)
			p->stack = grow(p->stack, &p->cap_stacks, sizeof(s));
		p->stack[p->nr_stacks++] = s;
	}
}

/* What walking lists may still cost. */
struct budget {
	uint32_t tasks;
	uint64_t end_ns;	/* of this thread's time */
};

static bool spend(struct budget *b)
{
	return b->tasks && b->tasks-- && thread_cpu_ns() < b->end_ns;
}

static void add_threads(struct pages *p, uint64_t task, struct budget *b)
{
	const struct pages_layout *l = &p->layout;
	uint64_t signal, head, node;

	if (!read_u64(p, task + l->task_signal, &signal))
		return;
	head = signal + l->signal_threads;
	for (node = head; read_u64(p, node, &node) && node != head;) {
		if (!spend(b))
			return;
		add_stack(p, node - l->task_node);
	}
}

static int stacks_by_gpa(const void *a, const void *b)
{
	const struct pages_stack *x = a, *y = b;

	return x->gpa < y->gpa ? -1 : x->gpa > y->gpa;
}

static void find_stacks(struct pages *p)
{
	const struct pages_layout *l = &p->layout;
	struct budget b = {
		.tasks = PAGES_MAX_TASKS,
		.end_ns = thread_cpu_ns() + PAGES_MAX_CPU_MS * 1000000ull,
	};
	uint64_t head = l->init_task + l->task_tasks, node;

	p->nr_stacks = 0;
	p->stacks_ns = monotonic_ns();
	add_stack(p, l->init_task);
	for (node = head; read_u64(p, node, &node) && node != head;) {
		if (!spend(&b))
			break;
		add_threads(p, node - l->task_tasks, &b);
	}
	if (p->nr_stacks)
		qsort(p->stack, p->nr_stacks, sizeof(*p->stack),
		      stacks_by_gpa);
}

static bool ask_stack(struct pages *p, uint64_t gpa, struct page_what *ret)
{
	struct pages_stack key = { .gpa = gpa & -PAGE }, *s = NULL;

	for (int i = 0; i < 2 && !s; i++) {
		if (p->nr_stacks)
			s = bsearch(&key, p->stack, p->nr_stacks, sizeof(key),
				    stacks_by_gpa);
		if (s || !p->layout.init_task ||
		    monotonic_ns() - p->stacks_ns < STACKS_NS)
			break;
		find_stacks(p);
	}
	if (!s)
		return false;
	ret->type = XFT_PAGE_STACK;
	ret->value = s->pid;
	memcpy(ret->name, s->comm, sizeof(s->comm));
	return true;
}

/* ---- struct page ---- */

/* A private copy; looked at once. */
struct page_copy {
	uint8_t bytes[PAGES_STRUCT];
};

static uint64_t word_at(const struct page_copy *c, uint32_t off, size_t size)
{
	uint64_t v = 0;

	if (off <= sizeof(c->bytes) - size)
		memcpy(&v, c->bytes + off, size);
	return v;
}

static bool read_page(const struct pages *p, uint64_t addr, struct page_copy *c)
{
	*c = (struct page_copy){ 0 };
	return addr >= KERNEL_HALF &&
	       !gva_read(&p->space, addr, c->bytes, p->layout.sizeof_page,
			 NULL);
}

static bool has_type(const struct pages_layout *l, uint32_t page_type,
		     uint32_t wanted)
{
	if (wanted == PAGES_NONE)
		return false;
	/* From 6.12 on a number in the highest byte, before that a mask. */
	if (l->type_slab != PAGES_NONE)
		return page_type >> 24 == wanted;
	return (page_type & (TYPE_BASE | wanted)) == TYPE_BASE;
}

static bool is_slab(const struct pages_layout *l, const struct page_copy *c)
{
	if (l->slab_bit != PAGES_NONE)
		return word_at(c, l->page_flags, 8) >> (l->slab_bit & 63) & 1;
	return has_type(l, word_at(c, l->page_type, 4), l->type_slab);
}

static void ask_cache(struct pages *p, uint64_t cache, struct page_what *ret)
{
	struct pages_cache *c = &p->cache[(cache >> 6) % 256];
	uint64_t name;

	ret->type = XFT_PAGE_SLAB;
	if (cache && c->addr == cache) {
		memcpy(ret->name, c->name, sizeof(ret->name));
		return;
	}
	if (!read_u64(p, cache + p->layout.cache_name, &name) ||
	    name < KERNEL_HALF ||
	    gva_read_str(&p->space, name, ret->name, sizeof(ret->name),
			 NULL) < 0) {
		ret->name[0] = '\0';
		return;
	}
	c->addr = cache;
	memcpy(c->name, ret->name, sizeof(c->name));
}

static void ask_mapping(struct pages *p, uint64_t mapping,
			struct page_what *ret)
{
	const struct pages_layout *l = &p->layout;
	uint64_t inode, ino;

	if (mapping & MAPPING_ANON) {
		ret->type = XFT_PAGE_ANON;
		return;
	}
	mapping &= ~(uint64_t)MAPPING_KIND;
	if (!read_u64(p, mapping + l->mapping_host, &inode) ||
	    !read_u64(p, inode + l->inode_ino, &ino))
		return;
	ret->type = XFT_PAGE_CACHE;
	ret->value = ino;
}

static void ask_struct(struct pages *p, uint64_t gpa, struct page_what *ret)
{
	const struct pages_layout *l = &p->layout;
	uint64_t addr = l->vmemmap + gpa / PAGE * l->sizeof_page, head;
	struct page_copy c;

	if (!l->vmemmap || !read_page(p, addr, &c))
		return;
	head = word_at(&c, l->page_head, 8);
	/* One step: a head is none of another's tail. */
	if (head & 1 && !read_page(p, head - 1, &c))
		return;
	if (is_slab(l, &c))
		ask_cache(p, word_at(&c, l->slab_cache, 8), ret);
	else if (has_type(l, word_at(&c, l->page_type, 4), l->type_table))
		ret->type = XFT_PAGE_TABLE;
	else if (has_type(l, word_at(&c, l->page_type, 4), l->type_buddy))
		ret->type = XFT_PAGE_FREE;
	else
		ask_mapping(p, word_at(&c, l->page_mapping, 8), ret);
}

void pages_ask(struct pages *p, uint64_t gpa, struct page_what *ret)
{
	const struct pages_part *part = find_part(p, gpa);

	*ret = (struct page_what){ 0 };
	if (part) {
		ret->type = part->type;
		ret->value = part->value;
		if (part->value >= KERNEL_HALF)
			ret->value += gpa - part->gpa;
		ret->is_site = is_site(p, ret->value);
		memcpy(ret->name, part->name, sizeof(ret->name));
		return;
	}
	ask_struct(p, gpa, ret);
	/* Nothing in a struct page tells a stack: it is like any other page. */
	if (ret->type == XFT_PAGE_UNKNOWN || ret->type == XFT_PAGE_FREE)
		ask_stack(p, gpa, ret);
}
