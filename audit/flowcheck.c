// SPDX-License-Identifier: GPL-2.0-only
#include "flowcheck.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "branch.h"
#include "cleanup.h"
#include "flowtrace.h"
#include "madecode.h"
#include "recordcheck.h"

/* So many findings of a rule are told one by one. */
#define MAX_TOLD 50

/* A key of a call, taken apart. */
struct words {
	const char *kind, *context, *root, *caller, *func;
};

struct run {
	const struct flowcheck *c;
	const struct flow *now;
	struct flow base_pairs;	/* "call CALLER FUNC" below any root, */
	struct flow now_pairs;	/* and "ran CALLER": see index_pairs() */
	struct flow modules;	/* "MODULE" of the baseline, or a live patch */
	struct findings *f;
	uint64_t told[NR_RULES];
	uint64_t unjudged;	/* new calls, and no image to judge by */
};

static char *split(const char *key, struct words *w)
{
	const char *v[5] = { "", "", "", "", "" };
	char *copy = malloc(strlen(key) + 1);

	if (!copy)
		abort();
	flow_words(key, copy, v, 5);
	*w = (struct words){ v[0], v[1], v[2], v[3], v[4] };
	return copy;
}

/* Those of a call, or NULL: it is none. */
static char *split_call(const char *key, struct words *w)
{
	return strncmp(key, "call ", 5) ? NULL : split(key, w);
}

static json_t *evidence_of(const struct flow_item *item, const struct words *w)
{
	const struct flow_sight *s = item->first;
	char task[96];
	json_t *e;

	snprintf(task, sizeof(task), "%s-%u", s->comm, s->pid);
	e = json_pack("{s:s, s:s, s:s, s:s, s:I, s:i, s:s}", "symbol", w->func,
		      "caller", w->caller, "root", w->root, "context",
		      w->context, "calls", (json_int_t)item->calls, "cpu",
		      (int)s->cpu, "task", task);
	evidence_time(e, s->ns);
	evidence_hex(e, "address", s->func);
	evidence_hex(e, "caller_address", s->caller);
	return e;
}

/* Whether there is still room for one of this rule. */
static bool may_tell(struct run *r, enum rule_id rule)
{
	return r->told[rule]++ < MAX_TOLD;
}

static const char *plural(uint64_t n)
{
	return n == 1 ? "" : "s";
}

static void tell_call(struct run *r, enum rule_id rule,
		      const struct flow_item *item, const struct words *w,
		      const char *what)
{
	bool interrupt = strcmp(w->root, "*") == 0;

	if (!may_tell(r, rule))
		return;
	findings_add(r->f, rule, evidence_of(item, w),
		     "%s called %s%s, %" PRIu64 " time%s, %s %s", w->caller,
		     w->func, what, item->calls, plural(item->calls),
		     interrupt ? "in context" : "below",
		     interrupt ? w->context : w->root);
}

/* ---- calls that no clean run had ---- */

static uint64_t pair_calls(const struct flow *pairs, const struct words *w)
{
	_cleanup_(buf_deinit) struct buf key = BUF_INIT;
	const struct flow_item *item;

	buf_printf(&key, "call %s %s", w->caller, w->func);
	item = flow_find(pairs, key.data);
	return item ? item->calls : 0;
}

/* How often a function ran, at least. */
static uint64_t times_ran(const struct flow *pairs, const char *func)
{
	_cleanup_(buf_deinit) struct buf key = BUF_INIT;
	const struct flow_item *item;

	buf_printf(&key, "ran %s", func);
	item = flow_find(pairs, key.data);
	return item ? item->calls : 0;
}

/*
 * Clean runs know the caller well, and now it goes there more often than not.
 */
static bool has_turned(const struct run *r, const struct words *w)
{
	uint64_t calls = pair_calls(&r->now_pairs, w);

	return times_ran(&r->base_pairs, w->caller) >= FLOWCHECK_SURE &&
	       calls >= FLOWCHECK_MANY &&
	       2 * calls >= times_ran(&r->now_pairs, w->caller);
}

/* "ext4" of "ext4:ext4_read", or false for the kernel's own. */
static bool module_of(const char *label, struct buf *ret)
{
	const char *colon = strchr(label, ':');

	ret->len = 0;
	if (colon)
		buf_add(ret, label, colon - label);
	return colon;
}

/*
 * 1: of a module that the baseline knows, of a live patch, or of none that is
 * loaded; -1: of another module; 0: the kernel's.
 */
static int module_known(struct run *r, const char *label)
{
	_cleanup_(buf_deinit) struct buf name = BUF_INIT;

	if (!module_of(label, &name))
		return 0;
	return madecode_is_module(name.data) ||
	       flow_find(&r->modules, name.data) ? 1 : -1;
}

static bool stands_in_code(const struct run *r, const struct flow_sight *s)
{
	uint64_t len = s->code_end - s->code;
	const uint8_t *code = s->code && len < 1 << 20 ?
			      kfile_at(r->c->code, s->code, len) : NULL;

	return code && branch_leads_to(code, len, s->code, s->target);
}

/*
 * Whether the kernel holds a pointer to the function at all, in a table or in
 * code that hands it on. Lists of all functions, such as ftrace's, lie
 * elsewhere.
 */
static bool has_pointer(const struct run *r, uint64_t func)
{
	static const char *const sections[] = { ".text", ".rodata", ".data",
						".init.text" };

	for (size_t i = 0; i < ARRAY_SIZE(sections); i++) {
		struct kfile_range range;
		const uint8_t *bytes;

		if (!kfile_section(r->c->code, sections[i], &range))
			continue;
		bytes = kfile_at(r->c->code, range.addr, range.len);
		if (bytes && branch_has_pointer(bytes, range.len,
						strstr(sections[i], "text"),
						func))
			return true;
	}
	return false;
}

static bool root_known(const struct run *r, const char *root)
{
	_cleanup_(buf_deinit) struct buf key = BUF_INIT;

	buf_printf(&key, "root %s", root);
	return !strcmp(root, "*") || flow_find(r->c->base, key.data);
}

static void judge_new_call(struct run *r, const struct flow_item *item,
			   const struct words *w)
{
	int caller = module_known(r, w->caller), func = module_known(r, w->func);

	if (!strcmp(w->caller, FLOW_INIT) || !strcmp(w->func, FLOW_INIT))
		r->told[RULE_NEW_PATH]++;
	else if (caller < 0 || func < 0)
		tell_call(r, RULE_NEW_CALL, item, w,
			  ", with a module that no clean run had");
	else if (pair_calls(&r->base_pairs, w) || caller || func ||
		 !strcmp(w->root, "*") || !has_turned(r, w))
		r->told[RULE_NEW_PATH]++;
	else if (!r->c->code)
		r->unjudged++;
	else if (stands_in_code(r, item->first) ||
		 has_pointer(r, item->first->target))
		r->told[RULE_NEW_PATH]++;
	else
		tell_call(r, RULE_NEW_CALL, item, w,
			  ", which no clean run did and the kernel cannot");
}

static void check_call(const struct flow_item *item, void *arg)
{
	struct run *r = arg;
	struct words w;
	_cleanup_free_ char *copy = split_call(item->key, &w);

	if (!copy)
		return;
	if (*w.func == '?')
		tell_call(r, RULE_UNKNOWN_CALL, item, &w,
			  ", which is in no kernel text and no listed module");
	else if (*w.caller == '?')
		tell_call(r, RULE_UNKNOWN_CALLER, item, &w,
			  " from no kernel text and no listed module");
	else if (r->c->base && !flow_find(r->c->base, item->key) &&
		 root_known(r, w.root))
		judge_new_call(r, item, &w);
}

/* ---- what clean runs had, and this one has not ---- */

/*
 * The root of a call or time, as both flows know it; false: not often enough.
 */
static bool root_items(const struct run *r, const char *root,
		       const struct flow_item **ret_base,
		       const struct flow_item **ret_now)
{
	_cleanup_(buf_deinit) struct buf key = BUF_INIT;

	buf_printf(&key, "root %s", root);
	*ret_base = flow_find(r->c->base, key.data);
	*ret_now = flow_find(r->now, key.data);
	return *ret_base && *ret_now && (*ret_base)->trees >= FLOWCHECK_SURE &&
	       (*ret_now)->trees >= FLOWCHECK_MANY;
}

static void check_missing(const struct flow_item *item, void *arg)
{
	const struct flow_item *base, *now;
	struct run *r = arg;
	_cleanup_free_ char *copy = NULL;
	struct words w;

	if (strncmp(item->key, "call task ", 10) ||
	    flow_find(r->now, item->key))
		return;
	copy = split(item->key, &w);
	if (!root_items(r, w.root, &base, &now) ||
	    item->trees < base->trees || !may_tell(r, RULE_MISSING_CALL))
		return;
	findings_add(r->f, RULE_MISSING_CALL,
		     json_pack("{s:s, s:s, s:s, s:I}", "symbol", w.func,
			       "caller", w.caller, "root", w.root, "calls",
			       (json_int_t)now->trees),
		     "%s no longer calls %s: it did in all %" PRIu64
		     " clean calls of %s, and in none of %" PRIu64 " now",
		     w.caller, w.func, base->trees, w.root, now->trees);
}

static void check_order(const struct flow_item *item, void *arg)
{
	_cleanup_(buf_deinit) struct buf other = BUF_INIT;
	const struct flow_item *base;
	struct run *r = arg;
	_cleanup_free_ char *copy = NULL;
	struct words w;	/* order ROOT A B: in context, root, caller */

	if (strncmp(item->key, "order ", 6) ||
	    flow_find(r->c->base, item->key))
		return;
	copy = split(item->key, &w);
	buf_printf(&other, "order %s %s %s", w.context, w.caller, w.root);
	base = flow_find(r->c->base, other.data);
	if (!base || base->calls < FLOWCHECK_SURE ||
	    !may_tell(r, RULE_CHANGED_ORDER))
		return;
	findings_add(r->f, RULE_CHANGED_ORDER,
		     json_pack("{s:s, s:s, s:s, s:I}", "symbol", w.root,
			       "expected", w.caller, "root", w.context,
			       "calls", (json_int_t)item->calls),
		     "below %s, %s was called before %s, %" PRIu64 " time%s; in "
		     "%" PRIu64 " clean calls it came after it", w.context,
		     w.root, w.caller, item->calls, plural(item->calls),
		     base->calls);
}

/* The power of two below which @percent of all durations of @root lie. */
static unsigned int percentile(const struct flow *f, const char *root,
			       uint64_t trees, unsigned int percent)
{
	_cleanup_(buf_deinit) struct buf key = BUF_INIT;
	uint64_t sum = 0;

	for (unsigned int i = 0; i < 64; i++) {
		const struct flow_item *item;

		key.len = 0;
		buf_printf(&key, "time %s %02u", root, i);
		item = flow_find(f, key.data);
		sum += item ? item->calls : 0;
		if (sum * 100 >= trees * percent)
			return i + 1;
	}
	return 64;
}

static void check_duration(const struct flow_item *item, void *arg)
{
	const struct flow_item *base, *now;
	const char *root = item->key + 5;
	struct run *r = arg;
	unsigned int usual, half;

	if (strncmp(item->key, "root ", 5) ||
	    !root_items(r, root, &base, &now))
		return;
	usual = percentile(r->c->base, root, base->trees, 99);
	half = percentile(r->now, root, now->trees, 50);
	if (half <= usual + 1 || !may_tell(r, RULE_SLOW_CALL))
		return;
	findings_add(r->f, RULE_SLOW_CALL,
		     json_pack("{s:s, s:I}", "root", root, "calls",
			       (json_int_t)now->trees),
		     "half of all calls of %s take more than %.0f us, while of "
		     "the clean ones 99 %% took less than %.0f us", root,
		     (1ULL << (half - 1)) / 1e3, (1ULL << (usual % 64)) / 1e3);
}

static void check_root(const struct flow_item *item, void *arg)
{
	struct run *r = arg;
	const char *root = item->key + 5;

	if (!strncmp(item->key, "root ", 5) && !root_known(r, root))
		findings_add(r->f, RULE_CANNOT_TELL,
			     json_pack("{s:s}", "root", root),
			     "the baseline has no calls of %s", root);
}

/* ---- both flows, made ready ---- */

static void index_module(struct run *r, const char *label)
{
	_cleanup_(buf_deinit) struct buf name = BUF_INIT;

	if (module_of(label, &name))
		(void)flow_at(&r->modules, name.data);
}

static void index_modules(const struct flow_item *item, void *arg)
{
	struct run *r = arg;
	struct words w;
	_cleanup_free_ char *copy = split_call(item->key, &w);

	if (!copy)
		return;
	index_module(r, w.caller);
	index_module(r, w.func);
}

static void index_livepatches(struct run *r)
{
	const json_t *note;
	size_t i;

	json_array_foreach(r->c->trace ? r->c->trace->notes : NULL, i, note) {
		const char *what = json_string_value(
			json_object_get(note, "what"));
		const char *module = json_string_value(
			json_object_get(note, "module"));

		if (what && module && !strcmp(what, TRACE_NOTE_LIVEPATCH))
			(void)flow_at(&r->modules, module);
	}
}

static void add_pair(const struct flow_item *item, void *arg)
{
	_cleanup_(buf_deinit) struct buf key = BUF_INIT;
	struct flow_item *pair;
	struct words w;
	_cleanup_free_ char *copy = split_call(item->key, &w);

	if (!copy)
		return;
	buf_printf(&key, "call %s %s", w.caller, w.func);
	pair = flow_at(arg, key.data);
	if (pair)
		pair->calls += item->calls;
}

/*
 * A function ran as often as it made the call that it makes most. How often it
 * was called itself is not known of those that ftrace does not see.
 */
static void add_ran(const struct flow_item *item, void *arg)
{
	_cleanup_(buf_deinit) struct buf key = BUF_INIT;
	struct flow_item *ran;
	_cleanup_free_ char *copy = NULL;
	struct words w;	/* call CALLER FUNC: in kind, context, root */

	copy = split(item->key, &w);
	buf_printf(&key, "ran %s", w.context);
	ran = flow_at(arg, key.data);
	if (ran && ran->calls < item->calls)
		ran->calls = item->calls;
}

static void index_pairs(const struct flow *f, struct flow *ret)
{
	struct flow pairs = { 0 };

	flow_each(f, add_pair, &pairs);
	flow_each(&pairs, add_ran, ret);
	(void)flow_merge(ret, &pairs);
	flow_deinit(&pairs);
}

/* What was not told one by one. */
static void tell_rest(struct run *r)
{
	for (int i = 0; i < NR_RULES; i++)
		if (i != RULE_NEW_PATH && r->told[i] > MAX_TOLD)
			findings_add(r->f, i, NULL, "and %" PRIu64 " more",
				     r->told[i] - MAX_TOLD);
	if (r->told[RULE_NEW_PATH])
		findings_add(r->f, RULE_NEW_PATH,
			     json_pack("{s:I}", "calls", (json_int_t)
				       r->told[RULE_NEW_PATH]),
			     "%" PRIu64 " kind%s of call that no clean run had, "
			     "on paths that the kernel has",
			     r->told[RULE_NEW_PATH],
			     plural(r->told[RULE_NEW_PATH]));
	if (r->unjudged)
		findings_add(r->f, RULE_CANNOT_TELL, NULL,
			     "%" PRIu64 " kind%s of call that no clean run had, "
			     "and no image of the kernel to judge them by",
			     r->unjudged, plural(r->unjudged));
}

/* A baseline of another kernel says nothing. */
static bool base_fits(struct run *r)
{
	const struct flow *base = r->c->base, *now = r->now;

	if (strcmp(base->build_id, now->build_id)) {
		findings_add(r->f, RULE_CANNOT_TELL,
			     json_pack("{s:s, s:s}", "build_id", now->build_id,
				       "expected", base->build_id),
			     "the baseline is of another kernel: %s, build id "
			     "%s", base->release, base->build_id);
		return false;
	}
	if (base->depth != now->depth) {
		findings_add(r->f, RULE_CANNOT_TELL, NULL,
			     "the baseline was recorded with another --depth");
		return false;
	}
	return true;
}

void flowcheck_calls(const struct flowcheck *c, const struct flow *now,
		     struct findings *f)
{
	struct run r = { .c = c, .now = now, .f = f };
	struct flowcheck without = *c;

	if (c->base && base_fits(&r)) {
		flow_each(c->base, index_modules, &r);
		index_livepatches(&r);
		index_pairs(c->base, &r.base_pairs);
		index_pairs(now, &r.now_pairs);
		flow_each(now, check_root, &r);
		flow_each(now, check_call, &r);
		flow_each(c->base, check_missing, &r);
		flow_each(now, check_order, &r);
		flow_each(now, check_duration, &r);
	} else {
		without.base = NULL;
		r.c = &without;
		flow_each(now, check_call, &r);
	}
	tell_rest(&r);
	flow_deinit(&r.base_pairs);
	flow_deinit(&r.now_pairs);
	flow_deinit(&r.modules);
}

int flowcheck_run(const struct flowcheck *c, struct findings *f,
		  struct xf_err *err)
{
	struct flow now = { 0 };
	struct call_stats s;
	int rc = flowtrace_collect(&now, c->trace, &s, err);

	if (!rc) {
		if (c->mask)
			trace_tell_mask(c->trace, c->mask);
		recordcheck_run(c->trace, &s, c->recording, f);
		flowcheck_calls(c, &now, f);
	}
	flow_deinit(&now);
	return rc;
}
