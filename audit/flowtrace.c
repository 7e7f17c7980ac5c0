// SPDX-License-Identifier: GPL-2.0-only
#include "flowtrace.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "callgraph.h"
#include "cleanup.h"
#include "resolve.h"
#include "xft_abi.h"

/* Functions called below one root whose order is looked at: 120 pairs. */
#define MAX_CHILDREN 16
/* Calls that are open at once; more tasks than that are not looked at whole. */
#define MAX_TREES    4096

enum kind {
	KIND_CALL,	/* + context */
	KIND_ROOT = KIND_CALL + XFT_CTX_NMI + 1,
	KIND_ORDER,
	KIND_TIME,
};

/* An item while addresses are still its key: names come last, once each. */
struct count {
	uint64_t root, a, b;
	uint64_t calls, trees;
	struct flow_sight first;
	uint32_t next;		/* + 1, in the chain of its bucket */
	uint8_t kind;
};

/* A call of a root that has not returned yet. */
struct tree {
	const struct task *task;
	struct buf seen;	/* a bit for each count */
	struct buf list;	/* uint32_t, the same */
	uint64_t children[MAX_CHILDREN]; /* each once, as they came */
	uint32_t nr_children;
};

#define BUCKETS 65536

/* All init code of modules is one; no function lies there. */
#define INIT_CODE 1
#define INITCALL  "do_one_initcall"

struct flow_emitter {
	struct emitter e;
	struct count *counts;
	uint32_t nr, cap;
	uint32_t *buckets;
	struct tree *trees;
	uint32_t nr_trees, cap_trees;
	uint64_t zero_tsc;
	struct functions roots;	/* what the user named */
};

/* What the emitter is to fill comes with the sink. */
struct flow_sink {
	struct sink sink;
	struct flow *flow;
	bool full;
};

static struct flow_emitter *flow_of(struct emitter *e)
{
	return (struct flow_emitter *)e;
}

static struct flow_sink *sink_of(struct flow_emitter *t)
{
	return (struct flow_sink *)t->e.sink;
}

static uint32_t bucket_of(uint8_t kind, uint64_t root, uint64_t a, uint64_t b)
{
	uint64_t h = (root * 31 + a) * 31 + b * 7 + kind;

	h *= 0x9e3779b97f4a7c15;
	return h >> 48;
}

/* NULL: a guest that calls everything from everywhere gets no more memory. */
static struct count *count_at(struct flow_emitter *t, uint8_t kind,
			      uint64_t root, uint64_t a, uint64_t b)
{
	uint32_t *bucket = &t->buckets[bucket_of(kind, root, a, b)];
	struct count *c;

	for (uint32_t i = *bucket; i; i = c->next) {
		c = &t->counts[i - 1];
		if (c->a == a && c->b == b && c->root == root &&
		    c->kind == kind)
			return c;
	}
	if (t->nr == FLOW_MAX) {
		sink_of(t)->full = true;
		return NULL;
	}
	if (t->nr == t->cap) {
		t->cap = t->cap ? t->cap * 2 : 1024;
		t->counts = reallocarray(t->counts, t->cap, sizeof(*c));
		if (!t->counts)
			abort();
	}
	c = &t->counts[t->nr++];
	*c = (struct count){ .root = root, .a = a, .b = b, .kind = kind,
			     .next = *bucket };
	*bucket = t->nr;
	return c;
}

static struct tree *find_tree(struct flow_emitter *t, const struct task *task)
{
	for (uint32_t i = t->nr_trees; i-- > 0;)
		if (t->trees[i].task == task)
			return &t->trees[i];
	return NULL;
}

static void begin_tree(struct flow_emitter *t, const struct task *task)
{
	if (t->nr_trees == MAX_TREES || find_tree(t, task))
		return;
	if (t->nr_trees == t->cap_trees) {
		t->cap_trees = t->cap_trees ? t->cap_trees * 2 : 16;
		t->trees = reallocarray(t->trees, t->cap_trees,
					sizeof(*t->trees));
		if (!t->trees)
			abort();
	}
	t->trees[t->nr_trees++] = (struct tree){ .task = task };
}

static void remove_tree(struct flow_emitter *t, struct tree *tree)
{
	buf_deinit(&tree->seen);
	buf_deinit(&tree->list);
	*tree = t->trees[--t->nr_trees];
}

/* The count numbered @i belongs to the tree, too. */
static void mark_seen(struct tree *tree, uint32_t i)
{
	size_t need = i / 8 + 1;

	if (tree->seen.len < need) {
		size_t more = need - tree->seen.len;

		memset(buf_reserve(&tree->seen, more), 0, more);
		tree->seen.len = need;
	}
	if (tree->seen.data[i / 8] & 1 << i % 8)
		return;
	tree->seen.data[i / 8] |= 1 << i % 8;
	buf_add(&tree->list, &i, sizeof(i));
}

static void mark_child(struct tree *tree, uint64_t func)
{
	for (uint32_t i = 0; i < tree->nr_children; i++)
		if (tree->children[i] == func)
			return;
	if (tree->nr_children < MAX_CHILDREN)
		tree->children[tree->nr_children++] = func;
}

static void count_simple(struct flow_emitter *t, enum kind kind, uint64_t root,
			 uint64_t a, uint64_t b)
{
	struct count *c = count_at(t, kind, root, a, b);

	if (!c)
		return;
	c->calls++;
	c->trees++;
}

/* The root has returned: all that it called was seen. */
static void count_tree(struct flow_emitter *t, const struct tree *tree,
		       const struct call *root)
{
	uint64_t ns = root->tsc_out > root->tsc_in ?
			      emit_ns(&t->e, root->tsc_out - root->tsc_in) : 0;
	const uint32_t *list = (const uint32_t *)tree->list.data;

	for (size_t i = 0; i < tree->list.len / sizeof(*list); i++)
		t->counts[list[i]].trees++;
	for (uint32_t i = 0; i < tree->nr_children; i++)
		for (uint32_t n = i + 1; n < tree->nr_children; n++)
			count_simple(t, KIND_ORDER, root->func,
				     tree->children[i], tree->children[n]);
	count_simple(t, KIND_ROOT, root->func, 0, 0);
	count_simple(t, KIND_TIME, root->func, ns ? 63 - __builtin_clzll(ns) : 0,
		     0);
}

/* The kernel's own function @n: where its code was linked. */
static bool linked_at(const struct flow_emitter *t, const struct name *n,
		      uint64_t *ret_start, uint64_t *ret_end)
{
	int64_t slide = t->e.session->symbols->slide;

	if (!n->known || n->module)
		return false;
	*ret_start = n->start - slide;
	*ret_end = n->end - slide;
	return true;
}

/*
 * Who called: the function that the return address lies in, or that address
 * itself if it lies in none, or 0 for a jump to a root from nobody knows where.
 */
static struct name caller_of(struct flow_emitter *t, const struct call *c)
{
	if (!names_at(&t->e.names, c->caller)->is_return)
		return *names_at(&t->e.names, c->caller - 1);
	if (c->parent)
		return *names_at(&t->e.names, c->parent->func);
	return (struct name){ .known = true };
}

/*
 * A module's init code has gone, and its symbols with it, before anybody can
 * look: it is what the kernel calls when it has loaded one, and what that calls
 * in it.
 */
static bool is_initcall(struct flow_emitter *t, const struct call *c)
{
	const struct name *n = names_at(&t->e.names, c->func);

	return n->known && !n->module && n->len == strlen(INITCALL) &&
	       !memcmp(n->text, INITCALL, n->len);
}

static bool is_init(struct flow_emitter *t, const struct call *c)
{
	while (c->parent && !names_at(&t->e.names, c->func)->known) {
		c = c->parent;
		if (is_initcall(t, c))
			return true;
	}
	return false;
}

static bool is_called_by_init(struct flow_emitter *t, const struct call *c,
			      const struct name *caller)
{
	return !caller->known && c->parent &&
	       (is_initcall(t, c->parent) || is_init(t, c->parent));
}

static void describe(struct flow_emitter *t, struct flow_sight *s,
		     const struct call *c, const struct name *caller)
{
	uint64_t end;

	*s = (struct flow_sight){
		.ns = c->tsc_in > t->zero_tsc ?
			      emit_ns(&t->e, c->tsc_in - t->zero_tsc) : 0,
		.func = c->func,
		.caller = c->caller,
		.cpu = c->cpu,
		.pid = c->task->pid,
	};
	memcpy(s->comm, c->task->comm, sizeof(s->comm));
	if (!linked_at(t, caller, &s->code, &s->code_end) ||
	    !linked_at(t, names_at(&t->e.names, c->func), &s->target, &end))
		s->code = s->code_end = s->target = 0;
}

/*
 * Something that the root does not do: interrupts, also before they say that
 * they are one, and after the root's end is known and its return is not.
 */
static bool is_interrupt(struct flow_emitter *t, const struct call *c,
			 const struct call *root)
{
	/* A function is recorded where ftrace hooks it, which may be inside. */
	return c->context != XFT_CTX_TASK ||
	       (t->roots.nr &&
		!functions_at(&t->roots,
			      names_at(&t->e.names, root->func)->start));
}

static void flow_enter(struct emitter *e, const struct call *c)
{
	struct flow_emitter *t = flow_of(e);
	struct name caller = caller_of(t, c);
	uint64_t from = caller.known ? caller.start : c->caller;
	uint64_t func = is_init(t, c) ? INIT_CODE : c->func;
	const struct call *root = c;
	struct count *n;
	struct tree *tree;
	bool interrupt;

	while (root->parent)
		root = root->parent;
	interrupt = is_interrupt(t, c, root);
	if (is_called_by_init(t, c, &caller))
		from = INIT_CODE;
	n = count_at(t, KIND_CALL + c->context, interrupt ? 0 : root->func,
		     from, func);
	if (!n)
		return;
	if (!n->calls++)
		describe(t, &n->first, c, &caller);
	if (interrupt)
		return;
	if (root == c)
		begin_tree(t, c->task);
	tree = find_tree(t, c->task);
	if (!tree)
		return;
	mark_seen(tree, n - t->counts);
	if (c->parent == root)
		mark_child(tree, func);
}

static void flow_leave(struct emitter *e, const struct call *c)
{
	struct flow_emitter *t = flow_of(e);
	struct tree *tree;

	if (c->parent || c->context != XFT_CTX_TASK || c->end == CALL_HEADLESS)
		return;
	tree = find_tree(t, c->task);
	if (!tree)
		return;
	if (c->end == CALL_RETURNED)
		count_tree(t, tree, c);
	remove_tree(t, tree);
}

/*
 * Several static functions may share a name: then the address tells them apart.
 */
static bool is_unique(const struct symtab *st, const struct name *n)
{
	uint32_t pos = 0;
	struct sym s;

	while (symtab_find(st, n->text, &pos, &s))
		if (!s.module && s.addr != n->start)
			return false;
	return true;
}

static void add_label(struct flow_emitter *t, struct buf *b, uint64_t addr)
{
	const struct symtab *st = t->e.session->symbols;
	const struct name *n;

	if (!addr) {
		buf_puts(b, " -");
		return;
	}
	if (addr == INIT_CODE) {
		buf_puts(b, " " FLOW_INIT);
		return;
	}
	n = names_at(&t->e.names, addr);
	if (!n->known)
		buf_printf(b, " ?0x%" PRIx64, addr);
	else if (n->module)
		buf_printf(b, " %s:%s", n->module, n->text);
	else if (is_unique(st, n))
		buf_printf(b, " %s", n->text);
	else
		buf_printf(b, " %s@%" PRIx64, n->text, n->start - st->slide);
}

static void make_key(struct flow_emitter *t, const struct count *c,
		     struct buf *b)
{
	static const char *const contexts[] = { "call task", "call softirq",
						"call irq", "call nmi" };

	b->len = 0;
	switch (c->kind) {
	case KIND_ROOT:
		buf_puts(b, "root");
		add_label(t, b, c->root);
		return;
	case KIND_TIME:
		buf_puts(b, "time");
		add_label(t, b, c->root);
		buf_printf(b, " %02" PRIu64, c->a);
		return;
	case KIND_ORDER:
		buf_puts(b, "order");
		break;
	default:
		buf_puts(b, contexts[c->kind - KIND_CALL]);
	}
	if (c->root)
		add_label(t, b, c->root);
	else
		buf_puts(b, " *");
	add_label(t, b, c->a);
	add_label(t, b, c->b);
}

static void flow_end(struct emitter *e, const struct call_stats *totals)
{
	_cleanup_(buf_deinit) struct buf key = BUF_INIT;
	struct flow_emitter *t = flow_of(e);
	struct flow_sink *sink = sink_of(t);

	for (uint32_t i = 0; i < t->nr; i++) {
		const struct count *c = &t->counts[i];
		struct flow_item *item;

		make_key(t, c, &key);
		item = flow_at(sink->flow, key.data);
		if (!item) {
			sink->full = true;
			break;
		}
		item->calls += c->calls;
		item->trees += c->trees;
		item->runs = 1;
		if (item->first || c->kind >= KIND_ROOT)
			continue;
		item->first = malloc(sizeof(*item->first));
		if (!item->first)
			abort();
		*item->first = c->first;
	}
	while (t->nr_trees)
		remove_tree(t, &t->trees[0]);
	functions_deinit(&t->roots);
	free(t->trees);
	free(t->counts);
	free(t->buckets);
}

/* Names that mean nothing any more leave what is outermost as the roots. */
static void find_roots(struct flow_emitter *t)
{
	const json_t *name;
	size_t i;

	t->roots = (struct functions){ 0 };
	json_array_foreach(json_object_get(t->e.trace->meta, "functions"), i,
			   name) {
		const char *text = json_string_value(name);

		if (text)
			(void)functions_resolve(&t->roots,
						t->e.session->symbols, text,
						NULL);
	}
}

static void flow_begin(struct emitter *e, const struct call_stats *totals)
{
	struct flow_emitter *t = flow_of(e);

	find_roots(t);
	t->zero_tsc = totals->first_tsc;
	t->nr = t->cap = t->nr_trees = t->cap_trees = 0;
	t->counts = NULL;
	t->trees = NULL;
	t->buckets = calloc(BUCKETS, sizeof(*t->buckets));
	if (!t->buckets)
		abort();
}

static void flow_event(struct emitter *e, const struct event *ev)
{
}

static void flow_lost(struct emitter *e, uint32_t cpu, uint64_t records)
{
}

/* What the guest calls itself, as text that may be written anywhere. */
static char *escaped(const struct trace *t, const char *name)
{
	const char *s = trace_meta_str(t, name);
	struct buf b = BUF_INIT;

	buf_add_escaped(&b, s, strlen(s));
	return buf_take(&b);
}

int flowtrace_collect(struct flow *f, const struct trace *t,
		      struct call_stats *ret_stats, struct xf_err *err)
{
	static const struct emit_ops ops = {
		.name = "flow",
		.begin = flow_begin,
		.enter = flow_enter,
		.leave = flow_leave,
		.event = flow_event,
		.lost = flow_lost,
		.end = flow_end,
		.state_size = sizeof(struct flow_emitter),
	};
	struct flow_sink sink = { .sink = { .fd = -1 }, .flow = f };
	int rc = callgraph_draw(t, &ops, &sink.sink, ret_stats, err);

	if (rc)
		return rc;
	f->runs = 1;
	f->depth = trace_u64(t->meta, "depth");
	f->release = escaped(t, "release");
	f->build_id = escaped(t, "build_id");
	return sink.full ? xf_fail(err, -E2BIG, "the trace has more kinds of "
				   "calls than %u", FLOW_MAX) : 0;
}
