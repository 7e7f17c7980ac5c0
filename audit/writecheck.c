// SPDX-License-Identifier: GPL-2.0-only
#include "writecheck.h"

#include <inttypes.h>
#include <stdlib.h>

#include "callgraph.h"
#include "cleanup.h"
#include "emit.h"
#include "xft_page.h"

#define MAX_TOLD 64	/* places of one rule */

/* Who wrote where, told once. */
struct place {
	uint64_t writer, page;
};

struct write_sink {
	struct sink sink;
	struct findings *f;	/* borrowed */
};

struct writes {
	struct emitter e;
	struct place told[2 * MAX_TOLD];
	size_t nr_told[2];	/* hints, alarms */
	size_t nr;
	uint64_t first_ns;
};

static struct findings *findings_of(const struct writes *w)
{
	return ((struct write_sink *)w->e.sink)->f;
}

static bool is_told(struct writes *w, bool alarm, uint64_t writer,
		    uint64_t page)
{
	for (size_t i = 0; i < w->nr; i++)
		if (w->told[i].writer == writer && w->told[i].page == page)
			return true;
	if (w->nr_told[alarm]++ >= MAX_TOLD)
		return true;
	w->told[w->nr++] = (struct place){ writer, page };
	return false;
}

static const struct call *root_of(const struct call *c)
{
	while (c->parent)
		c = c->parent;
	return c;
}

/* "module:name" of the function that has @addr, escaped as symbols are. */
static void add_name(struct writes *w, uint64_t addr, struct buf *out)
{
	const struct name *n = names_at(&w->e.names, addr);

	if (n->module)
		buf_printf(out, "%s:", n->module);
	buf_printf(out, "%.*s", (int)n->len, n->text);
}

static json_t *evidence_of(struct writes *w, const struct dirty_page *d,
			   const struct call *c)
{
	uint64_t ns = d->rec->time_ns > w->first_ns ?
			      d->rec->time_ns - w->first_ns : 0;
	_cleanup_(buf_deinit) struct buf root = BUF_INIT;
	json_t *e = json_object();

	evidence_hex(e, "address", d->rec->value);
	evidence_hex(e, "page", d->rec->addr & ~4095ull);
	evidence_hex(e, "caller_address", d->rec->pc);
	evidence_time(e, ns);
	json_object_set_new(e, "cpu", json_integer(d->vcpu));
	if (c) {
		add_name(w, root_of(c)->func, &root);
		json_object_set_new(e, "root", json_string(root.data));
		json_object_set_new(e, "task", json_sprintf("%s-%u",
							    c->task->comm,
							    c->task->pid));
	}
	return e;
}

static void tell(struct writes *w, bool alarm, const struct dirty_page *d,
		 const struct call *c)
{
	_cleanup_(buf_deinit) struct buf writer = BUF_INIT, what = BUF_INIT;
	_cleanup_(buf_deinit) struct buf below = BUF_INIT;

	if (is_told(w, alarm, d->rec->pc, d->rec->value & ~4095ull))
		return;
	if (d->rec->pc)
		add_name(w, d->rec->pc, &writer);
	else
		buf_puts(&writer, "somebody");
	if (c) {
		buf_puts(&below, ", below ");
		add_name(w, c->func, &below);
	}
	dirty_describe(d->rec, w->e.session, &what);
	buf_putc(&what, '\0');
	findings_add(findings_of(w), alarm ? RULE_CODE_WRITTEN : RULE_CODE_PATCHED,
		     evidence_of(w, d, c), "%s wrote to %s%s", writer.data,
		     what.data, below.data ?: "");
}

static void writes_begin(struct emitter *e, const struct call_stats *totals)
{
	struct writes *w = (struct writes *)e;

	w->first_ns = dirty_first_ns(e->trace, e->session);
}

/*
 * The kernel writes its own code for probes and BPF, but never constant data,
 * by whosever order; and a module's text is written by who loads it.
 */
static bool is_wrong(struct writes *w, const struct dirty_page *d)
{
	const struct name *n = names_at(&w->e.names, d->rec->pc);

	if (!d->exact || !d->rec->pc || d->rec->type == XFT_PAGE_MODULE_TEXT)
		return false;
	return d->rec->type != XFT_PAGE_TEXT || !n->known || n->module;
}

static void writes_dirty(struct emitter *e, const struct dirty_page *d,
			 const struct call *c)
{
	struct writes *w = (struct writes *)e;

	if (dirty_type_is_bad(d->rec->type) &&
	    !dirty_is_tracer(d->rec, &e->names))
		tell(w, is_wrong(w, d), d, c);
}

static void writes_enter(struct emitter *e, const struct call *c)
{
}

static void writes_event(struct emitter *e, const struct event *ev)
{
}

static void writes_lost(struct emitter *e, uint32_t cpu, uint64_t records)
{
}

static void writes_end(struct emitter *e, const struct call_stats *totals)
{
	struct writes *w = (struct writes *)e;
	struct findings *f = findings_of(w);

	for (int i = 0; i < 2; i++)
		if (w->nr_told[i] > MAX_TOLD)
			findings_add(f, RULE_CANNOT_TELL, NULL,
				     "%zu more findings of %s are not shown",
				     w->nr_told[i] - MAX_TOLD,
				     rules[i ? RULE_CODE_WRITTEN :
					       RULE_CODE_PATCHED].name);
	if (totals->dirty_lost)
		findings_add(f, RULE_CANNOT_TELL, NULL,
			     "%" PRIu64 " pages that were written are lost",
			     totals->dirty_lost);
}

int writecheck_run(const struct trace *t, struct findings *f,
		   struct xf_err *err)
{
	static const struct emit_ops ops = {
		.name = "writes",
		.begin = writes_begin,
		.enter = writes_enter,
		.leave = writes_enter,
		.event = writes_event,
		.dirty = writes_dirty,
		.lost = writes_lost,
		.end = writes_end,
		.state_size = sizeof(struct writes),
	};
	struct write_sink sink = { .sink = { .fd = -1 }, .f = f };
	struct call_stats stats;

	return t->nr_writers ? callgraph_draw(t, &ops, &sink.sink, &stats,
					       err) : 0;
}
