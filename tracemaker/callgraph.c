// SPDX-License-Identifier: GPL-2.0-only
#include "callgraph.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "io.h"
#include "merge.h"
#include "xft_page.h"

/* Deeper stacks than the guest's shadow stack can only be made up. */
#define MAX_FRAMES 512
/* Above that many, tasks without an open call are forgotten now and then. */
#define MANY_TASKS (1u << 16)

struct frame {
	struct call call;
	uint64_t losses;	/* graph.losses when it began */
	uint64_t *args;		/* owned; what call.args is */
	struct dirty_set dirty, maybe; /* what call.dirty and so on are */
	bool switches;		/* the scheduler: others run meanwhile */
};

struct task_state {
	struct task task;
	uint64_t id;		/* pid, or one a CPU for the idle tasks */
	char comm[17];		/* as the guest gave it */
	struct frame *frames;
	uint32_t nr, cap;
	struct task_state *next; /* in the hash chain */
};

#define TASK_BUCKETS 4096

struct graph {
	struct emitter *e;	/* NULL: only count */
	struct names *names;
	struct call_stats stats;
	struct task_state *buckets[TASK_BUCKETS];
	struct task_state *last;
	uint32_t nr_tasks;
	uint32_t sweep_at;	/* forget idle tasks when there are so many */
	uint64_t losses;	/* how many times records were lost */
	struct dirtyjoin join;
	struct cpu_state {
		struct task_state *task; /* of its last record, or NULL */
		/* Pages that were harvested, in intervals that are not over. */
		struct dirty_set maybe;
		uint64_t maybe_end;
	} cpu[XFT_MAX_CPUS];
};

static void set_comm(struct task_state *t, const char *comm)
{
	struct buf b = BUF_INIT;

	memcpy(t->comm, comm, sizeof(t->comm));
	buf_add_escaped(&b, comm, 16);
	buf_reserve(&b, 0)[0] = '\0';
	memcpy(t->task.comm, b.data, b.len + 1);
	t->task.comm_len = b.len;
	buf_deinit(&b);
}

static void free_tasks(struct graph *g, bool all)
{
	for (size_t i = 0; i < TASK_BUCKETS; i++) {
		struct task_state **link = &g->buckets[i], *t;

		while ((t = *link)) {
			if (t->nr && !all) {
				link = &t->next;
				continue;
			}
			*link = t->next;
			free(t->frames);
			free(t);
			g->nr_tasks--;
		}
	}
	g->last = NULL;
	for (size_t i = 0; i < XFT_MAX_CPUS; i++)
		g->cpu[i].task = NULL;
	g->sweep_at = g->nr_tasks * 2 > MANY_TASKS ? g->nr_tasks * 2 :
						     MANY_TASKS;
}

static struct task_state *find_task(struct graph *g, const struct record *r)
{
	uint64_t id = r->pid ? r->pid : (1ULL << 32) + r->cpu;
	struct task_state **bucket = &g->buckets[(id ^ id >> 12) % TASK_BUCKETS];
	struct task_state *t = g->last;

	if (t && t->id == id)
		goto found;
	for (t = *bucket; t; t = t->next)
		if (t->id == id)
			goto found;
	if (g->nr_tasks >= g->sweep_at)
		free_tasks(g, false);
	t = calloc(1, sizeof(*t));
	if (!t)
		abort();
	t->id = id;
	t->task.pid = r->pid;
	t->next = *bucket;
	*bucket = t;
	g->nr_tasks++;
found:
	g->last = t;
	t->task.tgid = r->tgid;
	if (memcmp(t->comm, r->comm, sizeof(t->comm)))
		set_comm(t, r->comm);
	return t;
}

/* Sets move with their frames. */
static void set_dirty(struct frame *f)
{
	f->call.dirty = f->dirty.nr ? &f->dirty : NULL;
	f->call.maybe = f->maybe.nr ? &f->maybe : NULL;
}

static void close_top(struct graph *g, struct task_state *t, enum call_end how,
		      uint64_t tsc, uint32_t cpu)
{
	struct frame *f = &t->frames[--t->nr];
	struct call *c = &f->call;

	c->parent = t->nr ? &t->frames[t->nr - 1].call : NULL;
	c->end = how;
	c->tsc_out = tsc;
	c->cpu = cpu;
	set_dirty(f);
	if (how == CALL_CUT)
		g->stats.cut++;
	else if (how == CALL_OPEN || how == CALL_LEFT)
		g->stats.open++;
	if (g->e)
		g->e->ops->leave(g->e, c);
	free(f->args);
	dirty_set_deinit(&f->dirty);
	dirty_set_deinit(&f->maybe);
}

/*
 * Did the innermost open call of @t write it? Not, if a program did, nor if the
 * task gave the CPU to another one, of which nothing else is known, and the
 * instruction is not in that very call.
 */
static bool is_its(struct graph *g, const struct task_state *t,
		   const struct trace_dirty_record *r)
{
	const struct frame *f = &t->frames[t->nr - 1];
	uint64_t start;

	if (r->pc && !(r->pc >> 63))
		return false;
	if (!f->switches)
		return true;
	start = names_at(g->names, f->call.func)->start;
	return names_at(g->names, r->pc)->start == start && start;
}

static void add_maybe(struct frame *f, const struct dirty_set *maybe)
{
	for (uint32_t i = 0; i < maybe->nr; i++)
		dirty_set_add(&f->maybe, maybe->rec[i]);
	f->maybe.more += maybe->more;
}

/* One page, which belongs before the record that is at hand. */
static void dirty_page(struct graph *g, const struct dirty_page *d)
{
	struct cpu_state *cpu = &g->cpu[d->vcpu];
	struct task_state *t = cpu->task;
	struct frame *f = t && t->nr ? &t->frames[t->nr - 1] : NULL;

	g->stats.dirty++;
	if (d->lost > g->stats.dirty_lost)
		g->stats.dirty_lost = d->lost;
	if (!g->e)
		return;
	if (f && d->exact && !is_its(g, t, d->rec))
		f = NULL;
	/* A stack is the tracer's and the function's. */
	if (d->exact && f && (d->rec->type == XFT_PAGE_STACK ||
			      !dirty_is_tracer(d->rec, g->names)))
		dirty_set_add(&f->dirty, d->rec);
	if (!d->exact) {
		dirty_set_add(&cpu->maybe, d->rec);
		cpu->maybe_end = d->rec->pos;
		if (f)
			dirty_set_add(&t->frames[0].maybe, d->rec);
	}
	if (g->e->ops->dirty)
		g->e->ops->dirty(g->e, d, f ? &f->call : NULL);
}

/* All pages of @cpu that were written before position @pos of its ring. */
static void dirty_until(struct graph *g, uint32_t cpu, uint64_t pos)
{
	struct cpu_state *c = &g->cpu[cpu];
	struct dirty_page d;

	if (c->maybe.nr && pos > c->maybe_end)
		dirty_set_deinit(&c->maybe);
	while (dirtyjoin_next(&g->join, cpu, pos, &d))
		dirty_page(g, &d);
}

static void unmask(uint64_t *dst, const struct record *r, uint32_t from)
{
	for (uint32_t i = from; i < (r->len + 7) / 8; i++)
		*dst++ = r->data[i] ^ r->key;
}

/* Arguments are needed again when the call returns; the first @keep stay. */
static void keep_args(struct frame *f, uint32_t keep, const struct record *r,
		      uint32_t from)
{
	uint32_t nr = r->len / sizeof(*r->data) - from;

	f->args = realloc(f->args, (keep + nr) * sizeof(*f->args));
	if (!f->args)
		abort();
	unmask(f->args + keep, r, from);
	f->call.args = f->args;
	f->call.nr_args = keep + nr;
}

/* A RETURN may carry a system call's result, and strings that came too late. */
static void take_result(struct frame *f, const struct record *r)
{
	f->call.has_result = r->len;
	if (!r->len)
		return;
	f->call.result = r->data[0] ^ r->key;
	if (r->len > sizeof(*r->data) && f->args &&
	    f->args[0] < f->call.nr_args)
		keep_args(f, 1 + f->args[0], r, 1);
}

/*
 * The function that changes tasks is not traced: who calls it is innermost, and
 * stays so while others run.
 */
static bool is_scheduler(const char *func)
{
	static const char *const names[] = {
		"schedule", "schedule_idle", "schedule_rtlock", "__schedule",
		"preempt_schedule", "preempt_schedule_common",
		"preempt_schedule_irq", "preempt_schedule_notrace",
		"__cond_resched", "do_task_dead",
	};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (!strcmp(func, names[i]))
			return true;
	return false;
}

static void enter_dirty(struct graph *g, struct task_state *t, struct frame *f)
{
	const struct cpu_state *cpu = &g->cpu[f->call.cpu];

	f->switches = is_scheduler(names_at(g->names, f->call.func)->text);
	if (t->nr == 1 && cpu->maybe.nr)
		add_maybe(f, &cpu->maybe);
}

/* Did the same function make two calls? Of tail calls nobody knows who did. */
static bool same_caller(struct graph *g, uint64_t a, uint64_t b)
{
	struct name first = *names_at(g->names, a - 1);

	return first.start && !names_at(g->names, a)->is_return &&
	       names_at(g->names, b - 1)->start == first.start;
}

/*
 * What must be over, as @r begins as far out. If nothing was lost, then the
 * task is: it ended in there, and @r is of another one that was given its pid.
 * But a single call as deep as @r may be about to return, and have been
 * interrupted.
 */
static void close_over(struct graph *g, struct task_state *t,
		       const struct record *r)
{
	bool over = false;

	while (t->nr) {
		const struct frame *f = &t->frames[t->nr - 1];
		bool lost = f->losses != g->losses;

		over |= lost || f->call.depth > r->depth ||
			(f->call.context == r->context &&
			 same_caller(g, f->call.caller, r->caller));
		if (f->call.depth < r->depth || !over)
			return;
		close_top(g, t, lost ? CALL_CUT : CALL_LEFT, r->tsc, r->cpu);
	}
}

static void enter(struct graph *g, struct task_state *t, const struct record *r,
		  const struct record *next)
{
	struct frame *f;

	close_over(g, t, r);
	if (t->nr == MAX_FRAMES)
		while (t->nr)
			close_top(g, t, CALL_CUT, r->tsc, r->cpu);
	if (t->nr == t->cap) {
		t->cap = t->cap ? t->cap * 2 : 16;
		t->frames = realloc(t->frames, t->cap * sizeof(*t->frames));
		if (!t->frames)
			abort();
		/* They have moved, and each names the one around it. */
		for (uint32_t i = 1; i < t->nr; i++)
			t->frames[i].call.parent = &t->frames[i - 1].call;
	}
	f = &t->frames[t->nr];
	*f = (struct frame){
		.call = {
			.task = &t->task,
			.parent = t->nr ? &t->frames[t->nr - 1].call : NULL,
			.func = r->func,
			.caller = r->caller,
			.tsc_in = r->tsc,
			.cpu = r->cpu,
			.level = t->nr ? t->frames[t->nr - 1].call.level + 1 :
					 r->depth,
			.depth = r->depth,
			.context = r->context,
		},
		.losses = g->losses,
	};
	t->nr++;
	if (g->join.nr && g->e)
		enter_dirty(g, t, f);
	if (r->len && g->e)
		keep_args(f, 0, r, 0);
	if (next && next->type == XFT_RETURN && next->func == r->func &&
	    next->depth == r->depth && next->pid == r->pid && !next->lost) {
		f->call.leaf = true;
		f->call.tsc_out = next->tsc;
		take_result(f, next);
		if (g->join.nr && next->pos) {
			dirty_until(g, next->cpu, next->pos);
			set_dirty(f);
		}
	}
	g->stats.calls++;
	if (!names_at(g->names, r->func)->known)
		g->stats.unknown++;
	if (g->e)
		g->e->ops->enter(g->e, &f->call);
}

static void leave(struct graph *g, struct task_state *t, const struct record *r)
{
	uint32_t i = t->nr;

	while (i && (t->frames[i - 1].call.func != r->func ||
		     t->frames[i - 1].call.depth != r->depth))
		i--;
	if (i) {
		while (t->nr > i)
			close_top(g, t, CALL_CUT, r->tsc, r->cpu);
		take_result(&t->frames[i - 1], r);
		close_top(g, t, CALL_RETURNED, r->tsc, r->cpu);
		return;
	}
	g->stats.headless++;
	if (g->e) {
		struct call c = {
			.task = &t->task,
			.func = r->func,
			.tsc_out = r->tsc,
			.cpu = r->cpu,
			.level = r->depth,
			.depth = r->depth,
			.context = r->context,
			.end = CALL_HEADLESS,
		};

		g->e->ops->leave(g->e, &c);
	}
}

static void event(struct graph *g, const struct task_state *t,
		  const struct record *r)
{
	const struct call *c = t->nr ? &t->frames[t->nr - 1].call : NULL;
	uint64_t data[XFT_WORDS_MAX];
	const struct event ev = {
		.task = &t->task,
		.call = c,
		.data = data,
		.len = r->len,
		.tsc = r->tsc,
		.cpu = r->cpu,
		.level = c ? c->level + 1 : 0,
		.context = r->context,
		.cut = r->depth & XFT_EVENT_CUT,
	};

	g->stats.events++;
	if (!g->e)
		return;
	unmask(data, r, 0);
	g->e->ops->event(g->e, &ev);
}

static void host_event(struct graph *g, const struct host_event *ev)
{
	g->stats.host_events++;
	g->stats.host_lost = hostpages_add_lost(g->stats.host_lost, ev->lost);
	if (g->e && g->e->ops->host_event)
		g->e->ops->host_event(g->e, ev);
}

/* What never returned, task by task in order of pid. */
static int compare_tasks(const void *a, const void *b)
{
	const struct task_state *const *x = a, *const *y = b;

	return (*x)->id < (*y)->id ? -1 : (*x)->id > (*y)->id;
}

static void close_open(struct graph *g)
{
	struct task_state **all = calloc(g->nr_tasks + 1, sizeof(*all));
	size_t nr = 0;

	if (!all)
		abort();
	for (size_t i = 0; i < TASK_BUCKETS; i++)
		for (struct task_state *t = g->buckets[i]; t; t = t->next)
			if (t->nr)
				all[nr++] = t;
	qsort(all, nr, sizeof(*all), compare_tasks);
	for (size_t i = 0; i < nr; i++)
		while (all[i]->nr)
			close_top(g, all[i], CALL_OPEN, g->stats.last_tsc,
				  all[i]->frames[all[i]->nr - 1].call.cpu);
	free(all);
}

/* One pass over a session. */
static void run(struct graph *g, const struct trace *t, struct trace_session *s)
{
	const struct record *r;
	struct merge m;

	merge_init(&m, t, s);
	dirtyjoin_init(&g->join, t, s);
	while (merge_next(&m, &r)) {
		struct task_state *task;

		if (r->lost) {
			g->losses++;
			if (g->e)
				g->e->ops->lost(g->e, r->cpu, r->lost);
		}
		if (!g->stats.first_tsc)
			g->stats.first_tsc = r->tsc;
		if (r->tsc > g->stats.last_tsc)
			g->stats.last_tsc = r->tsc;
		if (r->host) {
			host_event(g, r->host);
			continue;
		}
		if (r->pos)
			dirty_until(g, r->cpu, r->pos);
		task = find_task(g, r);
		if (r->pos)
			g->cpu[r->cpu].task = task;
		if (r->type == XFT_EVENT)
			event(g, task, r);
		else if (r->type == XFT_ENTRY)
			enter(g, task, r, merge_peek(&m));
		else
			leave(g, task, r);
	}
	for (uint32_t i = 0; i < XFT_MAX_CPUS; i++)
		dirty_until(g, i, UINT64_MAX);
	close_open(g);
	for (uint32_t i = 0; i < XFT_MAX_CPUS; i++)
		dirty_set_deinit(&g->cpu[i].maybe);
	dirtyjoin_deinit(&g->join);
	g->stats.records = m.records;
	g->stats.lost = m.lost;
	g->stats.bad_spans = m.bad_spans;
	s->first_tsc = g->stats.first_tsc;
	s->verified = m.verified;
	s->sound_tsc = merge_sound_tsc(&m);
	merge_deinit(&m);
	free_tasks(g, true);
}

static void add_stats(struct call_stats *sum, const struct call_stats *s)
{
	sum->calls += s->calls;
	sum->events += s->events;
	sum->host_events += s->host_events;
	sum->host_lost = hostpages_add_lost(sum->host_lost, s->host_lost);
	sum->records += s->records;
	sum->lost += s->lost;
	sum->open += s->open;
	sum->cut += s->cut;
	sum->headless += s->headless;
	sum->dirty += s->dirty;
	sum->dirty_lost += s->dirty_lost;
	sum->unknown += s->unknown;
	sum->bad_spans += s->bad_spans;
}

static int next_file(struct sink *sink, struct xf_err *err)
{
	sink_flush(sink, true);
	return sink->failed ? 0 : sink->next(sink, err);
}

int callgraph_draw(const struct trace *t, const struct emit_ops *ops,
		   struct sink *sink, struct call_stats *ret_stats,
		   struct xf_err *err)
{
	struct call_stats sum = { 0 };
	struct emitter *e = calloc(1, ops->state_size);
	int rc = 0;

	if (!e)
		abort();
	e->ops = ops;
	e->sink = sink;
	e->trace = t;
	for (size_t i = 0; i < t->nr_sessions && !sink->failed && !rc; i++) {
		struct graph count = { .names = &e->names,
				       .sweep_at = MANY_TASKS };
		struct graph draw = count;

		draw.e = e;
		e->session = &t->sessions[i];
		names_init(&e->names, e->session->symbols);
		formats_init(&e->formats, e->session, &e->names);
		run(&count, t, &t->sessions[i]);
		ops->begin(e, &count.stats);
		run(&draw, t, &t->sessions[i]);
		ops->end(e, &draw.stats);
		add_stats(&sum, &draw.stats);
		formats_deinit(&e->formats);
		names_deinit(&e->names);
		if (ops->binary && i + 1 < t->nr_sessions)
			rc = next_file(sink, err);
	}
	sink_flush(sink, true);
	free(e);
	if (rc)
		return rc;
	if (sink->failed)
		return xf_fail(err, sink->failed, "write: %s",
			       strerror(-sink->failed));
	*ret_stats = sum;
	return 0;
}

void callgraph_count(const struct trace *t, struct call_stats *ret_stats)
{
	struct call_stats sum = { 0 };

	for (size_t i = 0; i < t->nr_sessions; i++) {
		struct names names;
		struct graph count = { .names = &names,
				       .sweep_at = MANY_TASKS };

		names_init(&names, t->sessions[i].symbols);
		run(&count, t, &t->sessions[i]);
		add_stats(&sum, &count.stats);
		names_deinit(&names);
	}
	*ret_stats = sum;
}

void sink_flush(struct sink *s, bool all)
{
	if (!all && s->buf.len < 256 * 1024)
		return;
	if (!s->failed)
		s->failed = io_write_all(s->fd, s->buf.data, s->buf.len, NULL);
	s->buf.len = 0;
}
