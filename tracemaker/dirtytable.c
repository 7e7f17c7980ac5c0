// SPDX-License-Identifier: GPL-2.0-only
#include "dirtytable.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "json.h"
#include "xft_dirty.h"
#include "xft_page.h"

#define PAGE_SHIFT 12

/* A page, a function, a kind of page or a time, and what was written. */
struct row {
	uint64_t a, b;		/* what it is of; a is never 0 */
	uint64_t writes;
	uint64_t pages;		/* different ones */
	uint64_t fresh;		/* by time: of these, never written before */
	uint64_t func;		/* a page: who wrote it, 0: nobody traced */
	bool several;		/* or others, too */
	bool bad;		/* nobody should */
	uint32_t width_us;	/* harvested: the widest interval */
	const struct trace_dirty_record *rec; /* one of them */
};

/* Rows by their key; open addressing. */
struct rows {
	struct row *row;
	size_t nr, cap;		/* a power of two */
};

struct table {
	struct emitter e;
	struct rows pages;	/* always */
	struct rows rows;	/* by anything else */
	struct rows pairs;	/* pages of each of these */
	uint64_t first_ns;
	bool exact;
	struct json json;
};

static const struct dirtytable_query *query_of(const struct table *t)
{
	return t->e.sink->arg;
}

static size_t slot_of(const struct rows *r, uint64_t a, uint64_t b)
{
	uint64_t h = (a * 0x9e3779b97f4a7c15ull) ^ (b + 0x7f4a7c15);
	size_t i;

	h = (h ^ h >> 29) * 0xbf58476d1ce4e5b9ull;
	for (i = (h ^ h >> 32) & (r->cap - 1); r->row[i].a;
	     i = (i + 1) & (r->cap - 1))
		if (r->row[i].a == a && r->row[i].b == b)
			break;
	return i;
}

static void grow(struct rows *r)
{
	struct rows new = { .nr = r->nr, .cap = r->cap ? r->cap * 2 : 1024 };

	new.row = calloc(new.cap, sizeof(*new.row));
	if (!new.row)
		abort();
	for (size_t i = 0; i < r->cap; i++)
		if (r->row[i].a)
			new.row[slot_of(&new, r->row[i].a, r->row[i].b)] =
				r->row[i];
	free(r->row);
	*r = new;
}

/* Made if there is none; it has no writes then. */
static struct row *row_of(struct rows *r, uint64_t a, uint64_t b)
{
	struct row *row;

	if (r->nr * 2 >= r->cap)
		grow(r);
	row = &r->row[slot_of(r, a, b)];
	if (!row->a) {
		row->a = a;
		row->b = b;
		r->nr++;
	}
	return row;
}

static void count(struct row *row, const struct dirty_page *d, bool tracer)
{
	row->writes++;
	row->rec = d->rec;
	row->bad |= dirty_type_is_bad(d->rec->type) && !tracer;
	if (d->rec->width_us > row->width_us)
		row->width_us = d->rec->width_us;
}

/* From 1 on. Those of a hostile trace may lie before its beginning. */
static uint64_t interval_of(struct table *t, const struct dirty_page *d)
{
	return d->rec->time_ns <= t->first_ns ? 1 :
		       (d->rec->time_ns - t->first_ns) /
			       query_of(t)->interval_ns + 1;
}

static struct row *count_group(struct table *t, const struct dirty_page *d,
			       uint64_t a, uint64_t b, bool tracer)
{
	struct row *pair = row_of(&t->pairs, a ^ b << 32,
				  d->rec->addr >> PAGE_SHIFT);
	struct row *row = row_of(&t->rows, a, b);

	row->pages += !pair->writes++;
	count(row, d, tracer);
	return row;
}

static const char *func_name(struct table *t, uint64_t func)
{
	return func > 1 ? names_at(&t->e.names, func)->text : "-";
}

static const struct call *root_of(const struct call *c)
{
	while (c && c->parent)
		c = c->parent;
	return c;
}

static void put_json_write(struct table *t, const struct dirty_page *d,
			   const struct call *c, bool bad)
{
	struct json *j = &t->json;
	struct buf what = BUF_INIT;

	json_begin(j, NULL, '{');
	json_u64(j, "time_ns", d->rec->time_ns);
	json_u64(j, "vcpu", d->vcpu);
	json_hex(j, "address", d->rec->addr);
	json_hex(j, "pc", d->rec->pc);
	json_str(j, "function", func_name(t, c ? c->func : 0));
	c = root_of(c);
	json_str(j, "root", func_name(t, c ? c->func : 0));
	json_u64(j, "pid", c ? c->task->pid : 0);
	json_u64(j, "bytes", d->exact ? 1ull << (d->rec->size_shift & 7) : 0);
	json_str(j, "type", dirty_type_name(d->rec->type));
	dirty_describe(d->rec, t->e.session, &what);
	buf_putc(&what, '\0');
	json_str(j, "what", what.data);
	json_bool(j, "bad", bad);
	json_u64(j, "within_us", d->rec->width_us);
	json_end(j, '}');
	buf_deinit(&what);
}

/* How wide the interval was, if it was harvested. */
static void put_within(struct buf *b, uint32_t width_us)
{
	if (width_us == UINT32_MAX)
		buf_puts(b, "  (who knows when)");
	else if (width_us)
		buf_printf(b, "  (within %" PRIu32 ".%03" PRIu32 " ms)",
			   width_us / 1000, width_us % 1000);
}

static void put_write(struct table *t, const struct dirty_page *d,
		      const struct call *c, bool bad)
{
	struct buf *b = &t->e.sink->buf;

	if (query_of(t)->json) {
		put_json_write(t, d, c, bad);
	} else {
		uint64_t us = (d->rec->time_ns - t->first_ns) / 1000;

		buf_printf(b, "%s %5" PRIu64 ".%06" PRIu64 " %4" PRIu32
			      "  0x%012" PRIx64 "  ", bad ? "!" : " ",
			   us / 1000000, us % 1000000, d->vcpu, d->rec->addr);
		buf_printf(b, "%-24s  ", func_name(t, c ? c->func : 0));
		dirty_describe(d->rec, t->e.session, b);
		put_within(b, d->rec->width_us);
		buf_putc(b, '\n');
	}
	sink_flush(t->e.sink, false);
}

static void table_dirty(struct emitter *e, const struct dirty_page *d,
			const struct call *c)
{
	struct table *t = (struct table *)e;
	bool tracer = dirty_is_tracer(d->rec, &e->names);
	/* Addresses of two kinds are not mixed up. */
	uint64_t space = (d->rec->flags & XFTD_NO_GPA) + 1;
	uint64_t func = c ? c->func : 0;
	struct row *page;

	if (tracer && !query_of(t)->tracer)
		return;
	if (query_of(t)->by == DIRTYTABLE_WRITE) {
		put_write(t, d, c, dirty_type_is_bad(d->rec->type) && !tracer);
		return;
	}
	page = row_of(&t->pages, space, d->rec->addr >> PAGE_SHIFT);
	page->several |= page->writes && page->func != func;
	page->func = func;
	count(page, d, tracer);
	switch (query_of(t)->by) {
	case DIRTYTABLE_PAGE:
	case DIRTYTABLE_WRITE:
		break;
	case DIRTYTABLE_TIME:
		count_group(t, d, interval_of(t, d), 0, true)->fresh +=
			page->writes == 1;
		break;
	case DIRTYTABLE_CALL:
		count_group(t, d, func ?: 1, 0, tracer);
		break;
	case DIRTYTABLE_TYPE:
		count_group(t, d, d->rec->type + 1ull, d->rec->name, tracer);
		break;
	}
}

static int by_writes(const void *pa, const void *pb)
{
	const struct row *a = pa, *b = pb;

	if (a->bad != b->bad)
		return a->bad ? -1 : 1;
	if (a->writes != b->writes)
		return a->writes > b->writes ? -1 : 1;
	if (a->a != b->a)
		return a->a < b->a ? -1 : 1;
	return a->b < b->b ? -1 : a->b > b->b;
}

static int by_key(const void *pa, const void *pb)
{
	const struct row *a = pa, *b = pb;

	return a->a < b->a ? -1 : a->a > b->a;
}

/* The rows that are shown, in order. Returns how many. */
static size_t sort(const struct dirtytable_query *q, struct rows *r)
{
	size_t nr = 0;

	for (size_t i = 0; i < r->cap; i++)
		if (r->row[i].a && (!q->once || r->row[i].writes == 1))
			r->row[nr++] = r->row[i];
	if (!nr)
		return 0;
	qsort(r->row, nr, sizeof(*r->row),
	      q->by == DIRTYTABLE_TIME ? by_key : by_writes);
	return q->max && nr > q->max ? q->max : nr;
}

static void describe_group(const struct table *t, const struct row *row,
			   struct buf *b)
{
	const char *name = trace_page_name(t->e.session, row->b);

	buf_puts(b, dirty_type_name(row->a - 1));
	if (name) {
		buf_putc(b, ' ');
		buf_add_escaped(b, name, strlen(name));
	}
}

static void put_text_row(struct table *t, const struct row *row, struct buf *b)
{
	const struct dirtytable_query *q = query_of(t);
	uint64_t ms;

	buf_puts(b, row->bad ? "! " : "  ");
	switch (q->by) {
	case DIRTYTABLE_PAGE:
		buf_printf(b, "%10" PRIu64 "  0x%012" PRIx64 "  ", row->writes,
			   row->b << PAGE_SHIFT);
		buf_printf(b, "%-24s%s ", func_name(t, row->func),
			   row->several ? "+" : " ");
		dirty_describe(row->rec, t->e.session, b);
		break;
	case DIRTYTABLE_CALL:
		buf_printf(b, "%10" PRIu64 " %10" PRIu64 "  %s", row->writes,
			   row->pages, func_name(t, row->a));
		break;
	case DIRTYTABLE_TYPE:
		buf_printf(b, "%10" PRIu64 " %10" PRIu64 "  ", row->writes,
			   row->pages);
		describe_group(t, row, b);
		break;
	case DIRTYTABLE_TIME:
		ms = (row->a - 1) * q->interval_ns / 1000000;
		buf_printf(b, "%6" PRIu64 ".%03" PRIu64 " %10" PRIu64
			      " %10" PRIu64 " %10" PRIu64,
			   ms / 1000, ms % 1000, row->writes, row->pages,
			   row->fresh);
		break;
	case DIRTYTABLE_WRITE:
		return;
	}
	put_within(b, row->width_us);
	buf_putc(b, '\n');
}

static void put_json_row(struct table *t, const struct row *row, struct json *j)
{
	const struct dirtytable_query *q = query_of(t);
	struct buf what = BUF_INIT;

	json_begin(j, NULL, '{');
	json_u64(j, "writes", row->writes);
	switch (q->by) {
	case DIRTYTABLE_PAGE:
		json_hex(j, "page", row->b << PAGE_SHIFT);
		json_bool(j, "plugged_in", row->rec->flags & XFTD_NO_GPA);
		json_str(j, "type", dirty_type_name(row->rec->type));
		dirty_describe(row->rec, t->e.session, &what);
		buf_putc(&what, '\0');
		json_str(j, "what", what.data);
		json_str(j, "function", func_name(t, row->func));
		json_bool(j, "several", row->several);
		break;
	case DIRTYTABLE_CALL:
		json_u64(j, "pages", row->pages);
		json_str(j, "function", func_name(t, row->a));
		break;
	case DIRTYTABLE_TYPE:
		json_u64(j, "pages", row->pages);
		json_str(j, "type", dirty_type_name(row->a - 1));
		json_str(j, "name",
			 trace_page_name(t->e.session, row->b) ?: "");
		break;
	case DIRTYTABLE_TIME:
		json_u64(j, "pages", row->pages);
		json_u64(j, "new", row->fresh);
		json_fixed(j, "seconds", (row->a - 1) * q->interval_ns / 1e9,
			   3);
		break;
	case DIRTYTABLE_WRITE:
		break;
	}
	json_bool(j, "bad", row->bad);
	json_u64(j, "within_us", row->width_us);
	json_end(j, '}');
	buf_deinit(&what);
}

static void table_begin(struct emitter *e, const struct call_stats *s)
{
	static const char *const heads[] = {
		[DIRTYTABLE_PAGE] =
			"      WRITES  PAGE            BY                        WHAT",
		[DIRTYTABLE_CALL] = "      WRITES      PAGES  FUNCTION",
		[DIRTYTABLE_TYPE] = "      WRITES      PAGES  WHAT",
		[DIRTYTABLE_TIME] =
			"    TIME s     WRITES      PAGES        NEW",
		[DIRTYTABLE_WRITE] =
			"      TIME s vCPU  ADDRESS         BY                        WHAT",
	};
	struct table *t = (struct table *)e;
	const struct dirtytable_query *q = query_of(t);

	t->exact = dirty_is_exact_session(e->trace, e->session);
	t->first_ns = dirty_first_ns(e->trace, e->session);
	t->json = (struct json){ .out = &e->sink->buf };
	if (!q->json) {
		buf_printf(&e->sink->buf, "# %" PRIu64 " records, %" PRIu64
					  " lost; %s\n%s\n",
			   s->dirty, s->dirty_lost,
			   t->exact ? "exact" :
				      "harvested: a function that is named may "
				      "have done it", heads[q->by]);
		return;
	}
	json_begin(&t->json, NULL, '{');
	json_u64(&t->json, "session", e->session->number);
	json_u64(&t->json, "records", s->dirty);
	json_u64(&t->json, "lost", s->dirty_lost);
	json_bool(&t->json, "exact", t->exact);
	json_begin(&t->json, "rows", '[');
}

static void put_rows(struct table *t)
{
	const struct dirtytable_query *q = query_of(t);
	struct rows *rows = q->by == DIRTYTABLE_PAGE ? &t->pages : &t->rows;
	size_t nr = sort(q, rows);

	for (size_t i = 0; i < nr; i++) {
		if (q->json)
			put_json_row(t, &rows->row[i], &t->json);
		else
			put_text_row(t, &rows->row[i], &t->e.sink->buf);
		sink_flush(t->e.sink, false);
	}
}

static void table_end(struct emitter *e, const struct call_stats *s)
{
	struct table *t = (struct table *)e;

	put_rows(t);
	if (query_of(t)->json) {
		json_end(&t->json, ']');
		json_end(&t->json, '}');
		buf_putc(&e->sink->buf, '\n');
	}
	free(t->pages.row);
	free(t->rows.row);
	free(t->pairs.row);
	t->pages = t->rows = t->pairs = (struct rows){ 0 };
}

static void table_call(struct emitter *e, const struct call *c)
{
}

static void table_event(struct emitter *e, const struct event *ev)
{
}

static void table_lost(struct emitter *e, uint32_t cpu, uint64_t records)
{
}

const struct emit_ops emit_dirtytable = {
	.name = "dirty",
	.begin = table_begin,
	.enter = table_call,
	.leave = table_call,
	.event = table_event,
	.dirty = table_dirty,
	.lost = table_lost,
	.end = table_end,
	.state_size = sizeof(struct table),
};
