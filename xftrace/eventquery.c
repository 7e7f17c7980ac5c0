// SPDX-License-Identifier: GPL-2.0-only
#include "eventquery.h"

#include <errno.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "cleanup.h"
#include "near.h"

int eventquery_init(struct eventquery *q, const char *typed, struct xf_err *err)
{
	const char *text = strcmp(typed, "all") ? typed : "*:*";
	size_t len = strcspn(text, ":/");

	if (!*typed)
		return xf_fail(err, -EINVAL, "the name of an event is empty");
	*q = (struct eventquery){ .typed = typed };
	if (text[len]) {
		q->system = len ? strndup(text, len) : strdup("*");
		text += len + 1;
	}
	q->event = strdup(*text ? text : "*");
	if (!q->event)
		abort();
	return 0;
}

void eventquery_deinit(struct eventquery *q)
{
	free(q->system);
	free(q->event);
}

bool eventquery_matches(const struct eventquery *q, const char *system,
			const char *name)
{
	bool fits = !fnmatch(q->event, name, 0);

	if (q->system)
		return fits && !fnmatch(q->system, system, 0);
	return fits || !fnmatch(q->event, system, 0);
}

static bool is_glob(const char *s)
{
	return strpbrk(s, "*?[");
}

static bool has_system(const struct eventname *list, size_t nr,
		       const char *system)
{
	for (size_t i = 0; i < nr; i++)
		if (!strcmp(list[i].system, system))
			return true;
	return false;
}

int eventquery_failed(const struct eventquery *q, const struct eventname *list,
		      size_t nr, const char *where, struct xf_err *err)
{
	_cleanup_(buf_deinit) struct buf safe = BUF_INIT, others = BUF_INIT;
	bool system_known = !q->system || is_glob(q->system) ||
			    has_system(list, nr, q->system);
	const char *typed = system_known ? q->event : q->system;
	struct near near = { .typed = typed, .len = strlen(typed), .max = 5 };

	buf_add_escaped(&safe, q->typed, strlen(q->typed));
	if (system_known && is_glob(q->event))
		return xf_fail(err, -ENOENT, "no event of %s matches '%s'",
			       where, safe.data);
	for (size_t i = 0; i < nr; i++) {
		if (!system_known || !q->system)
			near_offer(&near, list[i].system);
		if (system_known &&
		    (!q->system || !fnmatch(q->system, list[i].system, 0)))
			near_offer(&near, list[i].name);
	}
	if (near_print(&near, &others))
		return xf_fail(err, -ENOENT, "no event '%s' in %s%s; near: %s",
			       safe.data, where,
			       system_known ? "" : ", nor such a system",
			       others.data);
	return xf_fail(err, -ENOENT, "no event '%s' in %s%s", safe.data, where,
		       system_known && q->system ? "" :
		       ": the module that has it may not be loaded");
}
