// SPDX-License-Identifier: GPL-2.0-only
#include "symtab.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "bisect.h"

#define PAGE_SIZE 4096u

enum {
	SIZE_GIVEN = 1, /* else it is the gap to the next symbol */
	MOVES = 2,	/* with KASLR */
};

/* 24 bytes: a kernel with all its data symbols has 150,000 of them. */
struct symtab_entry {
	uint64_t addr;
	uint32_t size;
	uint32_t name; /* offset in names */
	uint32_t next; /* entry + 1 with the same hash, 0 at the end */
	uint16_t module;
	char type;
	uint8_t flags;
};

struct symtab_module {
	char name[64]; /* the kernel's MODULE_NAME_LEN is 56 */
	uint16_t next; /* with the same hash, 0 at the end */
	uint32_t nr;   /* symbols */
};

static void *must_alloc(void *p, size_t nr, size_t size)
{
	p = reallocarray(p, nr, size);
	if (!p) {
		fprintf(stderr, "xftrace: error: out of memory (%zu symbols)\n",
			nr);
		abort();
	}
	return p;
}

struct symtab *symtab_create(void)
{
	struct symtab *st = must_alloc(NULL, 1, sizeof(*st));

	*st = (struct symtab){.names = BUF_INIT, .nr_modules = 1};
	st->modules = must_alloc(NULL, 1, sizeof(*st->modules));
	st->modules[0] = (struct symtab_module){0};
	return st;
}

void symtab_destroy(struct symtab *st)
{
	if (!st)
		return;
	buf_deinit(&st->names);
	free(st->entries);
	free(st->heads);
	free(st->text_addr);
	free(st->text_entry);
	free(st->modules);
	free(st);
}

static uint32_t hash(const char *s)
{
	uint32_t h = 2166136261u;

	for (; *s; s++)
		h = (h ^ (uint8_t)*s) * 16777619u;
	return h ^ h >> 15;
}

static const char *name_of(const struct symtab *st,
			   const struct symtab_entry *e)
{
	return st->names.data + e->name;
}

/* The number of a module, or 0, which is the kernel's, if it is not known. */
static unsigned int module_find(const struct symtab *st, const char *name)
{
	unsigned int i = st->last_module;

	if (i && !strcmp(st->modules[i].name, name))
		return i;
	i = st->module_heads[(uint8_t)hash(name)];
	while (i && strcmp(st->modules[i].name, name) != 0)
		i = st->modules[i].next;
	return i;
}

/* The same, adding it. Names were made printable by the caller. */
static unsigned int module_intern(struct symtab *st, const char *name)
{
	unsigned int i = module_find(st, name);
	struct symtab_module *m;
	uint16_t *head;

	if (!i && st->nr_modules <= SYMTAB_MODULES_MAX) {
		/* Doubling, without a field for the capacity. */
		if (!(st->nr_modules & (st->nr_modules - 1)))
			st->modules =
				must_alloc(st->modules, st->nr_modules * 2,
					   sizeof(*st->modules));
		i = st->nr_modules++;
		m = &st->modules[i];
		head = &st->module_heads[(uint8_t)hash(name)];
		*m = (struct symtab_module){.next = *head};
		snprintf(m->name, sizeof(m->name), "%s", name);
		*head = i;
	}
	st->last_module = i;
	return i;
}

/* No symbol of a kernel has any other character. */
static bool plain(char c)
{
	return isalnum((unsigned char)c) || (c && strchr("_.$@:-", c));
}

/* Append a name to names, harmless and terminated, and return its offset. */
static uint32_t add_name(struct symtab *st, const char *s, size_t len)
{
	size_t start = st->names.len;
	char *dst = buf_reserve(&st->names, SYMTAB_NAME_MAX + 1);
	size_t n = 0;

	for (size_t i = 0; i < len && n < SYMTAB_NAME_MAX; i++) {
		if (plain(s[i])) {
			dst[n++] = s[i];
			continue;
		}
		if (n + 4 > SYMTAB_NAME_MAX)
			break;
		n += sprintf(dst + n, "\\x%02x", (uint8_t)s[i]);
	}
	dst[n] = '\0';
	st->names.len += n + 1;
	return start;
}

bool symtab_add(struct symtab *st, uint64_t addr, uint64_t size, char type,
		const char *name, size_t name_len, const char *module)
{
	unsigned int mod = 0;
	uint8_t flags = 0;

	if (st->nr >= SYMTAB_MAX)
		return false;
	if (module) {
		char safe[sizeof(st->modules->name)];
		size_t n = 0;

		for (; module[n] && n < sizeof(safe) - 1; n++)
			safe[n] = plain(module[n]) ? module[n] : '?';
		safe[n] = '\0';
		mod = module_intern(st, safe);
		if (!mod)
			return false;
	}
	st->modules[mod].nr++;
	if (st->nr == st->cap) {
		st->cap = st->cap ? st->cap * 2 : 1024;
		st->entries =
			must_alloc(st->entries, st->cap, sizeof(*st->entries));
	}
	if (!isalpha((unsigned char)type))
		type = '?';
	if (size)
		flags |= SIZE_GIVEN;
	if (!mod && addr >= SYMTAB_KERNEL_BASE && type != 'a' && type != 'A')
		flags |= MOVES;
	st->entries[st->nr++] = (struct symtab_entry){
		.addr = addr,
		.size = size < UINT32_MAX ? size : UINT32_MAX,
		.name = add_name(st, name, name_len),
		.module = mod,
		.type = type,
		.flags = flags,
	};
	return true;
}

void symtab_set_build_id(struct symtab *st, const void *id, size_t len)
{
	st->build_id_len =
		len < sizeof(st->build_id) ? len : sizeof(st->build_id);
	memcpy(st->build_id, id, st->build_id_len);
}

void symtab_set_banner(struct symtab *st, const char *text, size_t len)
{
	size_t n = 0;

	for (; n < len && n < sizeof(st->banner) - 1; n++) {
		if (!text[n] || text[n] == '\n')
			break;
		st->banner[n] = isprint((unsigned char)text[n]) ? text[n] : '?';
	}
	st->banner[n] = '\0';
}

void symtab_truncate(struct symtab *st, size_t nr)
{
	assert(nr >= st->nr_sealed && nr <= st->nr);
	if (nr == st->nr)
		return;
	/* Sealing sorts, but what came after has its name behind the others. */
	st->names.len = st->entries[nr].name;
	for (size_t i = nr; i < st->nr; i++)
		st->modules[st->entries[i].module].nr--;
	st->nr = nr;
}

/*
 * How little the kernel likes to print a name when its address has a better
 * one, least liked last: what scripts/kallsyms.c sorts by. So a call graph
 * says for an alias what the guest's own tracer says.
 */
static unsigned int dislike(const char *name, char type)
{
	size_t len = strlen(name), underscores = strspn(name, "_");
	bool weak = type == 'w' || type == 'W';
	bool marker =
		len >= 8 && underscores >= 2 &&
		(!strncmp(name, "__start_", 8) ||
		 !strncmp(name, "__stop_", 7) || !strncmp(name, "__end_", 6) ||
		 !strcmp(name + len - 6, "_start") ||
		 !strcmp(name + len - 4, "_end"));

	return weak << 17 | marker << 16 | underscores;
}

static int compare(const void *pa, const void *pb, void *arg)
{
	const struct symtab_entry *a = pa, *b = pb;
	const struct symtab *st = arg;
	const char *na, *nb;
	unsigned int da, db;
	int order;

	if (a->addr != b->addr)
		return a->addr < b->addr ? -1 : 1;
	na = name_of(st, a);
	nb = name_of(st, b);
	da = dislike(na, a->type);
	db = dislike(nb, b->type);
	if (da != db)
		return da < db ? -1 : 1;
	order = strcmp(na, nb);
	return order ? order : a->module - b->module;
}

/* Sorting is most of the work of sealing, and often done already. */
static void sort(struct symtab *st)
{
	struct symtab_entry *e = st->entries;
	size_t kept = 0;

	for (size_t i = 1; i < st->nr; i++) {
		if (compare(&e[i - 1], &e[i], st) > 0) {
			qsort_r(e, st->nr, sizeof(*e), compare, st);
			break;
		}
	}
	for (size_t i = 0; i < st->nr; i++) {
		if (kept && !compare(&e[kept - 1], &e[i], st)) {
			st->modules[e[i].module].nr--;
			continue;
		}
		e[kept++] = e[i];
	}
	st->nr = kept;
}

/* Symbols that stand for the end of code, not for code. */
static bool ends_text(const char *name)
{
	return !strcmp(name, "_etext") || !strcmp(name, "_einittext");
}

/*
 * A symbol reaches up to the next one. The last one of the kernel or of a
 * module reaches to the end of its page: whatever comes behind may be code
 * that hides, and must not borrow its name.
 */
static void find_sizes(struct symtab *st)
{
	struct symtab_entry *e = st->entries;
	size_t start, end;

	for (start = 0; start < st->nr; start = end) {
		uint64_t gap = PAGE_SIZE - e[start].addr % PAGE_SIZE;
		bool code_ends = false;

		for (end = start; end < st->nr && e[end].addr == e[start].addr;
		     end++)
			code_ends |= !e[end].module &&
				     ends_text(name_of(st, &e[end]));
		if (end < st->nr) {
			uint64_t next = e[end].addr - e[start].addr;

			if (next < gap || e[end].module == e[start].module)
				gap = next;
		}
		if (code_ends)
			gap = 0;
		if (gap > UINT32_MAX)
			gap = UINT32_MAX;
		for (size_t i = start; i < end; i++)
			if (!(e[i].flags & SIZE_GIVEN) || e[i].size > gap)
				e[i].size = gap;
	}
}

static void index_text(struct symtab *st)
{
	size_t nr = 0;

	free(st->text_addr);
	free(st->text_entry);
	st->text_addr = must_alloc(NULL, st->nr, sizeof(*st->text_addr));
	st->text_entry = must_alloc(NULL, st->nr, sizeof(*st->text_entry));
	for (size_t i = 0; i < st->nr; i++) {
		const struct symtab_entry *e = &st->entries[i];

		if (!symtab_is_text(e->type) ||
		    (nr && st->text_addr[nr - 1] == e->addr))
			continue;
		st->text_addr[nr] = e->addr;
		st->text_entry[nr++] = i;
	}
	st->nr_text = nr;
}

/* Chains, not probing: a table full of one name stays linear. */
static void index_names(struct symtab *st)
{
	uint32_t mask = 1;

	while (mask < st->nr)
		mask *= 2;
	st->heads_mask = --mask;
	free(st->heads);
	st->heads = must_alloc(NULL, mask + 1, sizeof(*st->heads));
	memset(st->heads, 0, (mask + 1) * sizeof(*st->heads));
	for (size_t i = st->nr; i-- > 0;) {
		struct symtab_entry *e = &st->entries[i];
		uint32_t *head = &st->heads[hash(name_of(st, e)) & mask];

		e->next = *head;
		*head = i + 1;
	}
}

void symtab_seal(struct symtab *st)
{
	if (st->nr == st->nr_sealed)
		return;
	sort(st);
	find_sizes(st);
	index_text(st);
	index_names(st);
	st->nr_sealed = st->nr;
}

void symtab_slide(struct symtab *st, int64_t slide)
{
	/* Unsigned: a slide that a guest made up may wrap, and comes back. */
	uint64_t delta = (uint64_t)slide - (uint64_t)st->slide;

	if (delta) {
		for (size_t i = 0; i < st->nr; i++)
			if (st->entries[i].flags & MOVES)
				st->entries[i].addr += delta;
		st->slide = slide;
		st->nr_sealed = 0;
	}
	symtab_seal(st);
}

static void answer(const struct symtab *st, size_t i, struct sym *ret)
{
	const struct symtab_entry *e = &st->entries[i];

	*ret = (struct sym){
		.addr = e->addr,
		.size = e->size,
		.name = name_of(st, e),
		.module = e->module ? st->modules[e->module].name : NULL,
		.type = e->type,
	};
}

bool symtab_at(const struct symtab *st, uint64_t addr, struct sym *ret)
{
	size_t n = bisect_upto(st->text_addr, st->nr_text,
			       sizeof(*st->text_addr), addr);
	const struct symtab_entry *e;

	assert(st->nr == st->nr_sealed);
	if (!n)
		return false;
	e = &st->entries[st->text_entry[n - 1]];
	if (addr - e->addr >= e->size)
		return false;
	answer(st, st->text_entry[n - 1], ret);
	return true;
}

bool symtab_near(const struct symtab *st, uint64_t addr, struct sym *ret)
{
	size_t n = bisect_upto(st->entries, st->nr, sizeof(*st->entries), addr);

	assert(st->nr == st->nr_sealed);
	if (!n)
		return false;
	/* The best of several names is the first. */
	n--;
	while (n && st->entries[n - 1].addr == st->entries[n].addr)
		n--;
	answer(st, n, ret);
	return true;
}

bool symtab_find(const struct symtab *st, const char *name, uint32_t *pos,
		 struct sym *ret)
{
	uint32_t link;

	assert(st->nr == st->nr_sealed);
	if (!st->nr)
		return false;
	link = *pos ? st->entries[*pos - 1].next
		    : st->heads[hash(name) & st->heads_mask];
	for (; link; link = st->entries[link - 1].next) {
		if (strcmp(name_of(st, &st->entries[link - 1]), name) != 0)
			continue;
		*pos = link;
		answer(st, link - 1, ret);
		return true;
	}
	return false;
}

bool symtab_each(const struct symtab *st, uint32_t *pos, struct sym *ret)
{
	assert(st->nr == st->nr_sealed);
	if (*pos >= st->nr)
		return false;
	answer(st, (*pos)++, ret);
	return true;
}

int symtab_address(const struct symtab *st, const char *name,
		   uint64_t *ret_addr, struct xf_err *err)
{
	uint64_t addr = 0;
	bool found = false;
	uint32_t pos = 0;
	struct sym s;

	while (symtab_find(st, name, &pos, &s)) {
		if (s.module)
			continue;
		if (found && s.addr != addr)
			return xf_fail(err, -ENOTUNIQ,
				       "the kernel has several symbols '%s'",
				       name);
		addr = s.addr;
		found = true;
	}
	if (!found)
		return xf_fail(err, -ENOENT, "the kernel has no symbol '%s'",
			       name);
	*ret_addr = addr;
	return 0;
}

bool symtab_has_module(const struct symtab *st, const char *module)
{
	unsigned int i = module_find(st, module);

	return i && st->modules[i].nr;
}

static bool ends(const char *s, size_t len, const char *tail)
{
	size_t n = strlen(tail);

	return len >= n && !strcmp(s + len - n, tail);
}

bool symtab_is_function(const struct sym *s)
{
	size_t len = strlen(s->name);

	if (!symtab_is_text(s->type) || !s->size)
		return false;
	return strncmp(s->name, "__pfx_", 6) != 0 &&
	       !ends(s->name, len, ".cold") &&
	       !ends(s->name, len, "_text_start") &&
	       !ends(s->name, len, "_text_end");
}

void symtab_write_map(const struct symtab *st, struct buf *out)
{
	uint32_t pos = 0;
	struct sym s;

	while (symtab_each(st, &pos, &s)) {
		buf_printf(out, "%016" PRIx64 " %c %s", s.addr, s.type, s.name);
		if (s.module)
			buf_printf(out, "\t[%s]", s.module);
		buf_putc(out, '\n');
	}
}
