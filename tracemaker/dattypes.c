// SPDX-License-Identifier: GPL-2.0-only
#include "dattypes.h"

#include <stdlib.h>
#include <string.h>

#include "datpages.h"
#include "tepclean.h"

static void *must(void *p)
{
	if (!p)
		abort();
	return p;
}

static bool is_tracers(const struct dattype *t)
{
	return !strcmp(t->type->system, DATTYPES_TRACERS);
}

static void measure(struct dattype *t)
{
	t->len = DATTYPES_COMMON;
	for (uint32_t i = 0; i < t->type->nr_members; i++) {
		const struct tep_member *m = &t->type->members[i];

		if ((uint32_t)m->off + m->size > t->len)
			t->len = m->off + m->size;
		t->dynamic |= !!(m->flags & TEP_DYNAMIC);
	}
}

/* How readers are to print a field, and where they find it. */
static void add_member(const struct tep_member *m, struct buf *fmt,
		       struct buf *args)
{
	const char *number = m->flags & (TEP_POINTER | TEP_LONG) ? "0x%llx" :
			     m->flags & TEP_SIGNED		 ? "%lld" :
								   "%llu";
	bool text = m->flags & TEP_STRING && strstr(m->type, "char");

	if (m->flags & TEP_DYNAMIC ? !text : m->flags & TEP_ARRAY && !m->size)
		return;
	buf_printf(fmt, "%s%s=", fmt->len ? " " : "", m->name);
	if (m->flags & TEP_DYNAMIC) {
		buf_puts(fmt, "%s");
		buf_printf(args, ", %s(%s)",
			   m->flags & TEP_RELATIVE ? "__get_rel_str" :
						     "__get_str",
			   m->name);
	} else if (m->flags & TEP_ARRAY && !text) {
		buf_puts(fmt, "[%s]");
		buf_printf(args, ", __print_hex(REC->%s, %u)", m->name,
			   m->size);
	} else {
		buf_puts(fmt, text ? "%s" : number);
		buf_printf(args, ", REC->%s", m->name);
	}
}

/* In place of a "print fmt" that only the kernel itself can follow. */
static void list_members(const struct tep_type *type, struct buf *text)
{
	_cleanup_(buf_deinit) struct buf fmt = BUF_INIT, args = BUF_INIT;

	for (uint32_t i = type->nr_common; i < type->nr_members; i++)
		add_member(&type->members[i], &fmt, &args);
	if (!fmt.len)
		return;
	text->len = (char *)must(strstr(text->data, "\nprint fmt: ")) -
		    text->data;
	buf_printf(text, "\nprint fmt: \"%s\"%s\n", fmt.data, args.data);
}

/* The later one of an id holds, as in tep_add(). */
static void add(struct dattypes *t, const struct tep *tep, const char *system,
		const char *text, size_t len)
{
	_cleanup_(buf_deinit) struct buf clean = BUF_INIT;
	struct dattype new = { .ours = tep == t->own }, *place;
	const char *at;
	uint32_t id;
	bool args;

	if (tepclean(text, len, &clean, &args, NULL))
		return;
	at = must(strstr(clean.data, "\nID: "));
	id = strtoul(at + strlen("\nID: "), NULL, 10);
	new.type = tep_find(tep, id);
	if (!new.type || strcmp(new.type->system, system))
		return;
	measure(&new);
	if (new.len > DATPAGES_RECORD - 4)
		return;
	if (!args)
		list_members(new.type, &clean);
	place = &t->by_id[id];
	free(place->text);
	*place = new;
	place->text = buf_take(&clean);
}

void dattypes_init(struct dattypes *t, const struct trace_session *s,
		   struct formats *f)
{
	json_t *chunk, *e;
	size_t i, n;

	formats_read_all(f);
	t->own = tep_create(NULL);
	t->by_id = must(calloc(DATTYPES_IDS, sizeof(*t->by_id)));
	json_array_foreach(s->events, i, chunk)
		json_array_foreach(json_object_get(chunk, "events"), n, e) {
			json_t *format = json_object_get(e, "format");
			const char *system = json_string_value(
				json_object_get(e, "system"));

			if (system && json_is_string(format))
				add(t, f->tep, system,
				    json_string_value(format),
				    json_string_length(format));
		}
}

void dattypes_deinit(struct dattypes *t)
{
	for (uint32_t id = 0; id < DATTYPES_IDS; id++)
		free(t->by_id[id].text);
	free(t->by_id);
	tep_destroy(t->own);
	*t = (struct dattypes){ 0 };
}

static uint32_t find(const struct dattypes *t, const char *name)
{
	for (uint32_t id = 0; id < DATTYPES_IDS; id++)
		if (t->by_id[id].text && is_tracers(&t->by_id[id]) &&
		    !strcmp(t->by_id[id].type->name, name))
			return id;
	return DATTYPES_IDS;
}

const struct dattype *dattypes_tracers(const struct dattypes *t,
				       const char *name)
{
	uint32_t id = find(t, name);

	return id < DATTYPES_IDS ? &t->by_id[id] : NULL;
}

const struct dattype *dattypes_describe(struct dattypes *t, const char *name,
					const char *text)
{
	_cleanup_(buf_deinit) struct buf b = BUF_INIT;
	uint32_t id = find(t, name);

	/* A set of formats has room for fewer than there are ids. */
	if (id == DATTYPES_IDS)
		for (id = 1; t->by_id[id].text;)
			id++;
	buf_printf(&b, "name: %s\nID: %u\n%s", name, id, text);
	if (tep_add(t->own, DATTYPES_TRACERS, b.data, b.len, NULL))
		abort();
	add(t, t->own, DATTYPES_TRACERS, b.data, b.len);
	return &t->by_id[id];
}

/* ---- Writing ---- */

static void write_type(const struct dattype *t, struct buf *out)
{
	uint64_t len = strlen(t->text);

	buf_add(out, &len, sizeof(len));
	buf_add(out, t->text, len);
}

static void write_types(struct dattype *const *at, uint32_t nr, struct buf *out)
{
	buf_add(out, &nr, sizeof(nr));
	for (uint32_t i = 0; i < nr; i++)
		write_type(at[i], out);
}

/* By system, the tracers' first, and name. */
static int compare_names(const struct tep_type *a, const struct tep_type *b)
{
	int c = strcmp(a->system, b->system);

	return c ? c : strcmp(a->name, b->name);
}

static int compare(const void *a, const void *b)
{
	const struct dattype *const *x = a, *const *y = b;
	int c = is_tracers(*y) - is_tracers(*x);

	c = c ? c : compare_names((*x)->type, (*y)->type);
	return c ? c : (*x)->type->id < (*y)->type->id ? -1 : 1;
}

/*
 * All of them, sorted, and a NULL. An event that is recorded may be there twice,
 * a second time as what describes a system call: that has no records.
 */
static struct dattype **sorted(const struct dattypes *t)
{
	struct dattype **all = must(calloc(DATTYPES_IDS + 1, sizeof(*all)));
	uint32_t nr = 0, kept = 0;

	for (uint32_t id = 0; id < DATTYPES_IDS; id++)
		if (t->by_id[id].text)
			all[nr++] = &t->by_id[id];
	qsort(all, nr, sizeof(*all), compare);
	for (uint32_t i = 0; i < nr; i++)
		if (!kept || compare_names(all[kept - 1]->type, all[i]->type))
			all[kept++] = all[i];
	all[kept] = NULL;
	return all;
}

/* How many of those at @at are of the same system. */
static uint32_t count_system(struct dattype *const *at)
{
	uint32_t nr = 0;

	while (at[nr] && !strcmp(at[nr]->type->system, at[0]->type->system))
		nr++;
	return nr;
}

void dattypes_write(const struct dattypes *t, struct buf *out)
{
	_cleanup_free_ struct dattype **all = sorted(t);
	struct dattype **at = all, **p;
	uint32_t nr, nr_systems = 0;

	nr = *at && is_tracers(*at) ? count_system(at) : 0;
	write_types(at, nr, out);
	at += nr;
	for (p = at; *p; p += count_system(p))
		nr_systems++;
	buf_add(out, &nr_systems, sizeof(nr_systems));
	for (; *at; at += nr) {
		const char *system = (*at)->type->system;

		nr = count_system(at);
		buf_add(out, system, strlen(system) + 1);
		write_types(at, nr, out);
	}
}
