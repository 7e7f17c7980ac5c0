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

/* The one of this id, made if there is none. */
static struct dattype *place_for(struct dattypes *t, uint16_t id)
{
	if (!t->by_id[id]) {
		t->all = must(reallocarray(t->all, t->nr + 1,
					   sizeof(*t->all)));
		t->all[t->nr] = must(calloc(1, sizeof(**t->all)));
		t->by_id[id] = ++t->nr;
	}
	return t->all[t->by_id[id] - 1];
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
	place = place_for(t, id);
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
	for (uint32_t i = 0; i < t->nr; i++) {
		free(t->all[i]->text);
		free(t->all[i]);
	}
	free(t->all);
	tep_destroy(t->own);
	*t = (struct dattypes){ 0 };
}

/* The one that dattypes_write() keeps if there are several. */
const struct dattype *dattypes_tracers(const struct dattypes *t,
				       const char *name)
{
	const struct dattype *found = NULL;

	for (uint32_t i = 0; i < t->nr; i++)
		if (is_tracers(t->all[i]) &&
		    !strcmp(t->all[i]->type->name, name) &&
		    (!found || t->all[i]->type->id < found->type->id))
			found = t->all[i];
	return found;
}

const struct dattype *dattypes_describe(struct dattypes *t, const char *name,
					const char *text)
{
	_cleanup_(buf_deinit) struct buf b = BUF_INIT;
	const struct dattype *theirs = dattypes_tracers(t, name);
	uint16_t id = theirs ? theirs->type->id : 1;

	/* A set of formats has room for fewer than there are ids. */
	while (!theirs && t->by_id[id])
		id++;
	buf_printf(&b, "name: %s\nID: %u\n%s", name, id, text);
	if (tep_add(t->own, DATTYPES_TRACERS, b.data, b.len, NULL))
		abort();
	add(t, t->own, DATTYPES_TRACERS, b.data, b.len);
	return place_for(t, id);
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
 * All of them, sorted, and a NULL. An event that is recorded may be there
 * twice, a second time as what describes a system call: that has no records.
 */
static struct dattype **sorted(const struct dattypes *t)
{
	struct dattype **all = must(calloc(t->nr + 1, sizeof(*all)));
	uint32_t kept = 0;

	if (t->nr)
		memcpy(all, t->all, t->nr * sizeof(*all));
	qsort(all, t->nr, sizeof(*all), compare);
	for (uint32_t i = 0; i < t->nr; i++)
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
