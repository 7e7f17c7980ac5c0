// SPDX-License-Identifier: GPL-2.0-only
#include "dirtyjoin.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "xft_dirty.h"
#include "xft_page.h"

#define PAGE_OF(addr) ((addr) & ~4095ull)
/* Different things that a comment names. */
#define MAX_NAMED 6
/*
 * From a function's beginning to the end of its ftrace site: ENDBR and a call.
 */
#define SITE_MAX 8

static const char *const type_names[XFT_NR_PAGE_TYPES] = {
	[XFT_PAGE_UNKNOWN] = "other memory",
	[XFT_PAGE_TEXT] = "kernel text",
	[XFT_PAGE_SYSCALLS] = "system call table",
	[XFT_PAGE_RODATA] = "kernel rodata",
	[XFT_PAGE_MODULE_TEXT] = "module text",
	[XFT_PAGE_MODULE] = "module data",
	[XFT_PAGE_DATA] = "kernel data",
	[XFT_PAGE_BSS] = "kernel bss",
	[XFT_PAGE_PERCPU] = "per-CPU",
	[XFT_PAGE_TABLE] = "page table",
	[XFT_PAGE_STACK] = "stack",
	[XFT_PAGE_SLAB] = "slab",
	[XFT_PAGE_CACHE] = "page cache",
	[XFT_PAGE_ANON] = "anonymous",
	[XFT_PAGE_FREE] = "free page",
	[XFT_PAGE_RING] = "trace ring",
};

const char *dirty_type_name(uint8_t type)
{
	return type_names[type < XFT_NR_PAGE_TYPES ? type : XFT_PAGE_UNKNOWN];
}

bool dirty_type_is_bad(uint8_t type)
{
	return type == XFT_PAGE_TEXT || type == XFT_PAGE_SYSCALLS ||
	       type == XFT_PAGE_RODATA || type == XFT_PAGE_MODULE_TEXT;
}

void dirty_describe(const struct trace_dirty_record *rec,
		    const struct trace_session *s, struct buf *out)
{
	const char *name = trace_page_name(s, rec->name);
	struct sym sym;

	if (rec->flags & XFTD_NO_GPA) {
		buf_puts(out, "memory that was plugged in");
		return;
	}
	buf_puts(out, dirty_type_name(rec->type));
	switch (rec->type) {
	case XFT_PAGE_STACK:
		buf_puts(out, " of ");
		buf_add_escaped(out, name ?: "", strlen(name ?: ""));
		buf_printf(out, "-%" PRIu64, rec->value);
		return;
	case XFT_PAGE_CACHE:
		buf_printf(out, " ino %" PRIu64, rec->value);
		return;
	case XFT_PAGE_PERCPU:
		buf_printf(out, " of CPU %" PRIu64, rec->value);
		return;
	case XFT_PAGE_TEXT:
		if (symtab_at(s->symbols, rec->value, &sym)) {
			buf_printf(out, " %s+0x%" PRIx64, sym.name,
				   rec->value - sym.addr);
			return;
		}
		break;
	}
	if (name) {
		buf_putc(out, ' ');
		buf_add_escaped(out, name, strlen(name));
	} else if (dirty_type_is_bad(rec->type)) {
		buf_printf(out, " 0x%" PRIx64, rec->value);
	}
}

/* Functions of the tracer, of x86's part of it, and of patching code. */
static bool is_tracer_function(const struct name *n)
{
	static const char *const prefixes[] = {
		"ftrace_", "function_graph_enter", "prepare_ftrace_return",
		"return_to_handler", "arch_ftrace_", "text_poke",
		"__text_poke", "smp_text_poke", "text_gen_insn",
		"trace_buffered_event", "arch_jump_label", "jump_label_",
		"__jump_label_", "static_key_", "__static_call", "poke_int3",
	};

	if (n->module && !strcmp(n->module, "xftrace"))
		return true;
	for (size_t i = 0; n->known && i < ARRAY_SIZE(prefixes); i++)
		if (!strncmp(n->text, prefixes[i], strlen(prefixes[i])))
			return true;
	return false;
}

/*
 * The kernel patches code through a second mapping of it, with memcpy(). What
 * it patches so are functions' first bytes and ftrace's own code, in order to
 * trace, and its static branches and calls.
 */
static bool is_patch_site(const struct trace_dirty_record *rec,
			  struct names *names)
{
	const struct name *n = names_at(names, rec->pc);

	if (!n->known || n->module || !strstr(n->text, "memcpy"))
		return false;
	if (rec->is_site)
		return true;
	n = names_at(names, rec->value);
	return n->known && (rec->value - n->start <= SITE_MAX ||
			    !strncmp(n->text, "ftrace_", 7));
}

bool dirty_is_tracer(const struct trace_dirty_record *rec, struct names *names)
{
	if (rec->type == XFT_PAGE_RING)
		return true;
	if (!rec->pc)
		return false;
	return is_tracer_function(names_at(names, rec->pc)) ||
	       ((rec->type == XFT_PAGE_TEXT ||
		 rec->type == XFT_PAGE_MODULE_TEXT) &&
		is_patch_site(rec, names));
}

/* Chunks are never empty. */
static const struct trace_dirty_record *first_of(const struct trace_writer *w)
{
	return (const void *)(w->chunks[0] + 1);
}

static const struct trace_writer *first_writer(const struct trace *t,
					       const struct trace_session *s)
{
	for (size_t i = 0; i < t->nr_writers; i++)
		if (t->writers[i].session == s->number)
			return &t->writers[i];
	return NULL;
}

bool dirty_is_in_session(const struct trace *t, const struct trace_session *s)
{
	return first_writer(t, s);
}

uint64_t dirty_first_ns(const struct trace *t, const struct trace_session *s)
{
	uint64_t ns = 0;

	for (size_t i = 0; i < t->nr_writers; i++) {
		const struct trace_writer *w = &t->writers[i];

		if (w->session == s->number &&
		    (!ns || first_of(w)->time_ns < ns))
			ns = first_of(w)->time_ns;
	}
	return ns;
}

/* A session has one source. */
bool dirty_is_exact_session(const struct trace *t,
			    const struct trace_session *s)
{
	const struct trace_writer *w = first_writer(t, s);

	return !w || !(first_of(w)->flags & XFTD_HARVESTED);
}

void dirtyjoin_init(struct dirtyjoin *j, const struct trace *t,
		    const struct trace_session *s)
{
	*j = (struct dirtyjoin){ 0 };
	j->queue = calloc(t->nr_writers + 1, sizeof(*j->queue));
	if (!j->queue)
		abort();
	for (size_t i = 0; i < t->nr_writers; i++) {
		const struct trace_writer *w = &t->writers[i];

		if (w->session != s->number || w->vcpu >= XFT_MAX_CPUS)
			continue;
		j->queue[j->nr].w = w;
		j->of_cpu[w->vcpu] = &j->queue[j->nr++];
	}
}

void dirtyjoin_deinit(struct dirtyjoin *j)
{
	free(j->queue);
	*j = (struct dirtyjoin){ 0 };
}

/* Where its interval begins. */
static uint64_t begin_of(const struct trace_dirty_record *r)
{
	if (!(r->flags & XFTD_HARVESTED))
		return r->pos;
	return r->width == UINT32_MAX || r->width > r->pos ? 0 :
							     r->pos - r->width;
}

bool dirtyjoin_next(struct dirtyjoin *j, uint32_t cpu, uint64_t pos,
		    struct dirty_page *ret)
{
	struct dirtyjoin_queue *q = cpu < XFT_MAX_CPUS ? j->of_cpu[cpu] : NULL;
	const struct trace_dirty_record *rec;
	const struct trace_dirty *chunk;

	if (!q)
		return false;
	while (q->chunk < q->w->nr && q->next == q->w->chunks[q->chunk]->nr) {
		q->chunk++;
		q->next = 0;
	}
	if (q->chunk == q->w->nr)
		return false;
	chunk = q->w->chunks[q->chunk];
	rec = (const struct trace_dirty_record *)(chunk + 1) + q->next;
	if (begin_of(rec) > pos)
		return false;
	q->next++;
	*ret = (struct dirty_page){
		.rec = rec,
		.vcpu = chunk->vcpu,
		.source = chunk->source,
		.lost = chunk->lost,
		.exact = !(rec->flags & XFTD_HARVESTED),
	};
	return true;
}

/* The last ones first: that is where a repetition most likely is. */
void dirty_set_add(struct dirty_set *s, const struct trace_dirty_record *rec)
{
	for (uint32_t i = s->nr; i-- > 0;)
		if (PAGE_OF(s->rec[i]->addr) == PAGE_OF(rec->addr))
			return;
	if (rec->width_us > s->width_us)
		s->width_us = rec->width_us;
	if (s->nr == DIRTY_SET_MAX) {
		s->more++;
		return;
	}
	if (s->nr == s->cap) {
		s->cap = s->cap ? s->cap * 2 : 4;
		s->rec = realloc(s->rec, s->cap * sizeof(*s->rec));
		if (!s->rec)
			abort();
	}
	s->rec[s->nr++] = rec;
}

void dirty_set_deinit(struct dirty_set *s)
{
	free(s->rec);
	*s = (struct dirty_set){ 0 };
}

/* Are they told in the same words? */
static bool is_same(const struct trace_dirty_record *a,
		    const struct trace_dirty_record *b)
{
	return a->type == b->type && a->name == b->name &&
	       (a->value == b->value || a->type == XFT_PAGE_UNKNOWN);
}

/* What is dangerous comes first: types are in that order, but for unknown. */
static int by_danger(const void *pa, const void *pb)
{
	const struct trace_dirty_record *const *a = pa, *const *b = pb;
	uint8_t x = (*a)->type - 1, y = (*b)->type - 1;

	if (x != y)
		return x < y ? -1 : 1;
	if ((*a)->name != (*b)->name)
		return (*a)->name < (*b)->name ? -1 : 1;
	return (*a)->value < (*b)->value ? -1 : (*a)->value > (*b)->value;
}

void dirty_set_print(const struct dirty_set *s,
		     const struct trace_session *session, struct buf *out)
{
	uint32_t named = 0, left = 0;

	qsort(s->rec, s->nr, sizeof(*s->rec), by_danger);
	buf_printf(out, "%" PRIu32 "%s: ", s->nr, s->more ? "+" : "");
	for (uint32_t i = 0, n; i < s->nr; i += n) {
		for (n = 1; i + n < s->nr &&
			    is_same(s->rec[i], s->rec[i + n]);)
			n++;
		if (named == MAX_NAMED) {
			left += n;
			continue;
		}
		buf_puts(out, named++ ? ", " : "");
		if (dirty_type_is_bad(s->rec[i]->type))
			buf_puts(out, "!!! ");
		if (n > 1)
			buf_printf(out, "%" PRIu32 " ", n);
		dirty_describe(s->rec[i], session, out);
	}
	if (left)
		buf_printf(out, ", %" PRIu32 " more", left);
}
