// SPDX-License-Identifier: GPL-2.0-only
#include "formats.h"

#include <stdlib.h>
#include <string.h>

#include "log.h"
#include "resolve.h"

static void add_events(struct tep *tep, const json_t *list)
{
	json_t *e;
	size_t i;

	json_array_foreach(list, i, e) {
		json_t *format = json_object_get(e, "format");
		const char *system =
			json_string_value(json_object_get(e, "system"));
		struct xf_err why;

		if (!system || !json_is_string(format) ||
		    !tep_add(tep, system, json_string_value(format),
			     json_string_length(format), &why))
			continue;
		xf_debug("%s", why.msg);
	}
}

static int compare_calls(const void *a, const void *b)
{
	const struct syscall *x = a, *y = b;

	return strcmp(x->name, y->name);
}

/* System calls are described by the events of their entry. */
static void find_calls(struct formats *f)
{
	const struct tep_type *type;
	uint32_t pos = 0, nr = 0;

	while (tep_each(f->tep, &pos))
		nr++;
	f->calls = calloc(nr + 1, sizeof(*f->calls));
	if (!f->calls)
		abort();
	for (pos = 0; (type = tep_each(f->tep, &pos));)
		if (!syscall_of(type, &f->calls[f->nr_calls], NULL))
			f->nr_calls++;
	qsort(f->calls, f->nr_calls, sizeof(*f->calls), compare_calls);
}

const struct syscall *formats_syscall(const struct formats *f,
				      const char *function)
{
	struct syscall key;
	bool ia32;
	const char *name = resolve_syscall(function, &ia32);

	if (!name || strlen(name) >= sizeof(key.name))
		return NULL;
	strcpy(key.name, name);
	return bsearch(&key, f->calls, f->nr_calls, sizeof(*f->calls),
		       compare_calls);
}

void formats_init(struct formats *f, const struct trace_session *s,
		  struct names *names)
{
	json_t *chunk;
	size_t i;

	*f = (struct formats){ .tep = tep_create(names) };
	json_array_foreach(s->events, i, chunk)
		add_events(f->tep, json_object_get(chunk, "events"));
	find_calls(f);
	/* Its functions are not the guest's. */
	f->host = tep_create(NULL);
	add_events(f->host, json_object_get(s->host, "events"));
}

void formats_deinit(struct formats *f)
{
	tep_destroy(f->tep);
	tep_destroy(f->host);
	free(f->calls);
	*f = (struct formats){ 0 };
}
