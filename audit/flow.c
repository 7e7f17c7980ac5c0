// SPDX-License-Identifier: GPL-2.0-only
#include "flow.h"

#include <search.h>
#include <stdlib.h>
#include <string.h>

static int compare(const void *a, const void *b)
{
	const struct flow_item *x = a, *y = b;

	return strcmp(x->key, y->key);
}

static void free_item(void *p)
{
	struct flow_item *item = p;

	free(item->key);
	free(item->first);
	free(item);
}

void flow_deinit(struct flow *f)
{
	tdestroy(f->items, free_item);
	free(f->release);
	free(f->build_id);
	*f = (struct flow){ 0 };
}

struct flow_item *flow_find(const struct flow *f, const char *key)
{
	const struct flow_item wanted = { .key = (char *)key };
	void *node = tfind(&wanted, &f->items, compare);

	return node ? *(struct flow_item **)node : NULL;
}

struct flow_item *flow_at(struct flow *f, const char *key)
{
	struct flow_item *item = flow_find(f, key);

	if (item || f->nr == FLOW_MAX)
		return item;
	item = calloc(1, sizeof(*item));
	if (!item || !(item->key = strdup(key)) ||
	    !tsearch(item, &f->items, compare))
		abort();
	f->nr++;
	return item;
}

struct walk {
	void (*fn)(const struct flow_item *item, void *arg);
	void *arg;
};

static void visit(const void *node, VISIT which, void *arg)
{
	const struct walk *w = arg;

	if (which == postorder || which == leaf)
		w->fn(*(struct flow_item *const *)node, w->arg);
}

void flow_each(const struct flow *f,
	       void (*fn)(const struct flow_item *item, void *arg), void *arg)
{
	struct walk w = { fn, arg };

	twalk_r(f->items, visit, &w);
}

struct merging {
	struct flow *to;
	bool fits;
};

static void merge_item(const struct flow_item *item, void *arg)
{
	struct merging *m = arg;
	struct flow_item *to = flow_at(m->to, item->key);

	if (!to) {
		m->fits = false;
		return;
	}
	to->calls += item->calls;
	to->trees += item->trees;
	to->runs += item->runs;
}

bool flow_merge(struct flow *f, const struct flow *from)
{
	struct merging m = { f, true };

	flow_each(from, merge_item, &m);
	f->runs += from->runs;
	return m.fits;
}

size_t flow_words(const char *key, char *copy, const char **ret, size_t max)
{
	size_t nr = 0;
	char *word;

	strcpy(copy, key);
	while (nr < max && (word = strsep(&copy, " ")))
		ret[nr++] = word;
	return nr;
}
