// SPDX-License-Identifier: GPL-2.0-only
#include "formats.h"

#include <stdlib.h>
#include <string.h>

#include "log.h"
#include "resolve.h"

#define ENTER "name: sys_enter_"

static void add_formats(struct formats *f, const json_t *list)
{
	struct format *new;
	const json_t *e;
	size_t i;

	new = reallocarray(f->format, f->nr + json_array_size(list) + 1,
			   sizeof(*new));
	if (!new)
		abort();
	f->format = new;
	json_array_foreach(list, i, e) {
		const json_t *text = json_object_get(e, "format");
		const char *system =
			json_string_value(json_object_get(e, "system"));
		const char *id = json_is_string(text) ?
					 strstr(json_string_value(text),
						"\nID: ") :
					 NULL;

		if (!system || !id)
			continue;
		f->format[f->nr++] = (struct format){
			.system = system,
			.text = json_string_value(text),
			.len = json_string_length(text),
			.id = strtoul(id + strlen("\nID: "), NULL, 10),
		};
	}
}

static int compare_ids(const void *a, const void *b)
{
	const struct format *x = a, *y = b;

	return x->id < y->id ? -1 : x->id > y->id;
}

static const char *call_name(const struct format *f, size_t *ret_len)
{
	const char *name = f->text + strlen(ENTER);

	*ret_len = strcspn(name, "\n");
	return name;
}

static int compare_calls(const void *a, const void *b, void *arg)
{
	const struct format *x = (const struct format *)arg + *(const size_t *)a;
	const struct format *y = (const struct format *)arg + *(const size_t *)b;
	size_t nx, ny;
	const char *tx = call_name(x, &nx), *ty = call_name(y, &ny);
	int cmp = memcmp(tx, ty, nx < ny ? nx : ny);

	return cmp ? cmp : (nx > ny) - (nx < ny);
}

/* System calls are described by the events of their entry. */
static void find_calls(struct formats *f)
{
	f->calls = calloc(f->nr + 1, sizeof(*f->calls));
	if (!f->calls)
		abort();
	for (size_t i = 0; i < f->nr; i++)
		if (!strncmp(f->format[i].text, ENTER, strlen(ENTER)))
			f->calls[f->nr_calls++] = i;
	qsort_r(f->calls, f->nr_calls, sizeof(*f->calls), compare_calls,
		f->format);
}

void formats_init(struct formats *f, const struct trace_session *s,
		  struct names *names)
{
	struct formats host = { .tep = tep_create(NULL) };
	json_t *chunk;
	size_t i;

	*f = (struct formats){ .tep = tep_create(names) };
	json_array_foreach(s->events, i, chunk)
		add_formats(f, json_object_get(chunk, "events"));
	if (f->nr)
		qsort(f->format, f->nr, sizeof(*f->format), compare_ids);
	find_calls(f);
	/* The host's functions are not the guest's. */
	add_formats(&host, json_object_get(s->host, "events"));
	formats_read_all(&host);
	free(host.format);
	f->host = host.tep;
}

void formats_deinit(struct formats *f)
{
	for (size_t i = 0; i < f->nr; i++)
		free(f->format[i].call);
	tep_destroy(f->tep);
	tep_destroy(f->host);
	free(f->format);
	free(f->calls);
	*f = (struct formats){ 0 };
}

static void read_format(struct formats *f, struct format *format)
{
	struct xf_err why;

	if (format->tried)
		return;
	format->tried = true;
	if (tep_add(f->tep, format->system, format->text, format->len, &why))
		xf_debug("%s", why.msg);
}

void formats_read_all(struct formats *f)
{
	for (size_t i = 0; i < f->nr; i++)
		read_format(f, &f->format[i]);
}

const struct tep_type *formats_type(struct formats *f, const void *data,
				    size_t len)
{
	const struct tep_type *type = tep_type_of(f->tep, data, len);
	struct format key = { 0 }, *format;
	uint16_t id;

	if (type || len < sizeof(id) || !f->nr)
		return type;
	memcpy(&id, data, sizeof(id));
	key.id = id;
	format = bsearch(&key, f->format, f->nr, sizeof(key), compare_ids);
	if (!format)
		return NULL;
	read_format(f, format);
	return tep_type_of(f->tep, data, len);
}

static struct format *find_call(struct formats *f, const char *name)
{
	size_t low = 0, high = f->nr_calls;

	while (low < high) {
		size_t mid = low + (high - low) / 2, len;
		struct format *format = &f->format[f->calls[mid]];
		const char *text = call_name(format, &len);
		int cmp = strncmp(name, text, len);

		if (!cmp && !name[len])
			return format;
		if (cmp < 0)
			high = mid;
		else
			low = mid + 1;
	}
	return NULL;
}

const struct syscall *formats_syscall(struct formats *f, const char *function)
{
	const struct tep_type *type;
	struct format *format;
	struct syscall call;
	const char *name;
	bool ia32;

	name = resolve_syscall(function, &ia32);
	format = name ? find_call(f, name + strlen("sys_")) : NULL;
	if (!format || format->call)
		return format ? format->call : NULL;
	read_format(f, format);
	type = tep_find(f->tep, format->id);
	if (!type || syscall_of(type, &call, NULL))
		return NULL;
	format->call = malloc(sizeof(call));
	if (!format->call)
		abort();
	*format->call = call;
	return format->call;
}
