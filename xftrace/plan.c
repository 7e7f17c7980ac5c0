// SPDX-License-Identifier: GPL-2.0-only
#include "plan.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "log.h"
#include "result.h"
#include "syscall.h"
#include "vmcoreinfo.h"
#include "xft_abi.h"

static void size_ring(uint64_t size, struct mailbox_start *s)
{
	/* About 64 sub-buffers: fine-grained loss, coarse enough to be fast. */
	s->sub_shift = XFT_MIN_SUB_SHIFT;
	while (s->sub_shift < XFT_MAX_SUB_SHIFT &&
	       (size >> s->sub_shift) > 64)
		s->sub_shift++;
	s->nr_subs = size >> s->sub_shift;
	if (s->nr_subs < XFT_MIN_SUBS)
		s->nr_subs = XFT_MIN_SUBS;
	if (s->nr_subs > XFT_MAX_SUBS)
		s->nr_subs = XFT_MAX_SUBS;
}

static int compare_events(const void *a, const void *b)
{
	const struct target_event *x = a, *y = b;

	return strcmp(x->name, y->name);
}

/* The event that describes the system call that @s is the entry of, or NULL. */
static const struct target_event *describes(const struct target_events *calls,
					    const struct sym *s, bool *ret_ia32)
{
	const char *call = resolve_syscall(s->name, ret_ia32);
	_cleanup_(buf_deinit) struct buf name = BUF_INIT;

	if (!call || !calls->nr)
		return NULL;
	buf_printf(&name, "sys_enter_%s", call + strlen("sys_"));
	return bsearch(&(struct target_event){ .name = name.data },
		       calls->event, calls->nr, sizeof(*calls->event),
		       compare_events);
}

/*
 * The descriptions of the system calls among the functions, and only those: all
 * of them would be a megabyte. A kernel without them is traced without
 * arguments.
 */
static void find_calls(struct plan *p, struct target *t)
{
	_cleanup_(target_events_deinit) struct target_events all =
		TARGET_EVENTS_INIT;
	char *every = (char *)"syscalls:sys_enter_*";
	const struct functions *f = &p->sites.functions;
	_cleanup_free_ char **names = calloc(f->nr + 1, sizeof(*names));
	struct xf_err why;
	size_t nr = 0;
	bool ia32;

	if (!names)
		abort();
	for (size_t i = 0; i < f->nr && !nr; i++)
		nr += !!resolve_syscall(f->syms[i].name, &ia32);
	if (!nr)
		return;
	if (target_find_events(t, &every, 1, TARGET_EVENTS_NO_FORMAT, &all,
			       &why)) {
		xf_debug("system calls have no arguments: %s", why.msg);
		return;
	}
	nr = 0;
	for (size_t i = 0; i < f->nr; i++) {
		const struct target_event *e = describes(&all, &f->syms[i],
							 &ia32);
		struct buf b = BUF_INIT;

		if (!e)
			continue;
		buf_printf(&b, "%s:%s", e->system, e->name);
		names[nr++] = buf_take(&b);
	}
	if (nr && target_find_events(t, names, nr, 0, &p->calls, &why))
		xf_debug("system calls have no arguments: %s", why.msg);
	while (nr)
		free(names[--nr]);
}

/* What the guest is to record of the call that is a root. */
static uint64_t describe_root(const struct plan *p, struct tep *tep,
			      const struct sym *s)
{
	const struct target_event *e;
	struct syscall call;
	bool ia32;

	e = describes(&p->calls, s, &ia32);
	if (!e ||
	    tep_add(tep, e->system, e->format, strlen(e->format), NULL) ||
	    syscall_of(tep_find(tep, e->id), &call, NULL))
		return 0;
	return (uint64_t)syscall_descriptor(&call) << XFT_ROOT_SHIFT |
	       XFT_ROOT_SYSCALL | (ia32 ? XFT_ROOT_IA32 : 0);
}

/* Results are worth having, and not worth failing for. */
static int32_t find_result(const struct target *t)
{
	struct gva space = vmcoreinfo_space(&t->kernel, &t->mf);
	uint8_t code[RESULT_CODE];
	struct xf_err why;
	uint64_t addr;
	int32_t off;
	int rc;

	rc = symtab_address(t->symbols, "return_to_handler", &addr, &why);
	rc = rc ? rc : gva_read(&space, addr, code, sizeof(code), &why);
	rc = rc ? rc : result_find(code, sizeof(code), &off, &why);
	if (rc)
		xf_info("%s", why.msg);
	return rc ? 0 : off;
}

/* What the stock tracer's records of calls look like, for a trace.dat. */
static void find_graph(struct plan *p, struct target *t)
{
	char *const names[] = { (char *)"ftrace:funcgraph_entry",
				(char *)"ftrace:funcgraph_exit" };
	struct xf_err why;

	if (target_find_events(t, names, ARRAY_SIZE(names),
			       TARGET_EVENTS_INTERNAL, &p->graph, &why))
		xf_debug("a trace.dat would have formats of our own: %s",
			 why.msg);
}

static int plan_functions(struct plan *p, struct target *t,
			  const struct recording_spec *spec, struct xf_err *err)
{
	_cleanup_(tep_destroyp) struct tep *tep = tep_create(NULL);
	int rc;

	rc = target_find_sites(t, spec->names, spec->nr_names, &p->sites, err);
	if (rc)
		return rc;
	if (p->sites.nr_untraceable)
		xf_info("%zu functions of those patterns have no ftrace hook "
			"and are left out", p->sites.nr_untraceable);
	if (!spec->no_args)
		find_calls(p, t);
	find_graph(p, t);
	for (size_t i = 0; i < p->sites.nr; i++)
		p->sites.site[i] = (uint32_t)p->sites.site[i] |
				   describe_root(p, tep,
						 &p->sites.functions.syms[i]);
	if (p->calls.nr)
		p->start.result_off = find_result(t);
	p->start.roots = p->sites.site;
	p->start.nr_roots = p->sites.nr;
	return 0;
}

/*
 * After a reboot there may be no kprobes yet, or a module is not loaded: then
 * what is there is better than nothing.
 */
static int find_some_events(struct plan *p, struct target *t,
			    const struct recording_spec *spec,
			    struct xf_err *err)
{
	_cleanup_free_ char **found = calloc(spec->nr_events, sizeof(*found));
	struct buf missing = BUF_INIT;
	size_t nr = 0;

	if (!found)
		abort();
	for (size_t i = 0; i < spec->nr_events; i++) {
		_cleanup_(target_events_deinit) struct target_events one =
			TARGET_EVENTS_INIT;

		if (target_find_events(t, &spec->events[i], 1,
				       TARGET_EVENTS_NO_FORMAT, &one, NULL))
			buf_printf(&missing, " %s", spec->events[i]);
		else
			found[nr++] = spec->events[i];
	}
	p->missing = buf_take(&missing);
	if (!nr && !spec->nr_names)
		return xf_fail(err, -ENOENT, "the guest has no event%s",
			       p->missing);
	return nr ? target_find_events(t, found, nr, 0, &p->events, err) : 0;
}

static int plan_events(struct plan *p, struct target *t,
		       const struct recording_spec *spec, bool again,
		       struct xf_err *err)
{
	int rc = target_find_events(t, spec->events, spec->nr_events, 0,
				    &p->events, err);

	if (rc == -ENOENT && again)
		rc = find_some_events(p, t, spec, err);
	if (rc)
		return rc;
	p->wants = calloc(p->events.nr + 1, sizeof(*p->wants));
	if (!p->wants)
		abort();
	for (size_t i = 0; i < p->events.nr; i++) {
		const struct target_event *e = &p->events.event[i];
		struct buf b = BUF_INIT;

		buf_printf(&b, "%s:%s", e->system, e->name);
		p->wants[i] = (struct mailbox_event){ .name = buf_take(&b),
						      .id = e->id };
	}
	p->start.events = p->wants;
	p->start.nr_events = p->events.nr;
	p->start.keep_events = spec->keep_stock;
	return 0;
}

int plan_make(struct plan *p, struct target *t,
	      const struct recording_spec *spec, bool again, struct xf_err *err)
{
	int rc = 0;

	*p = (struct plan){ .start = { .max_depth = spec->max_depth,
				       .string_max = spec->string_max } };
	size_ring(spec->ring_size, &p->start);
	target_find_kfuncs(t, p->start.kfunc);
	if (spec->nr_names)
		rc = plan_functions(p, t, spec, err);
	if (!rc && spec->nr_events)
		rc = plan_events(p, t, spec, again, err);
	if (rc)
		plan_deinit(p);
	return rc;
}

void plan_deinit(struct plan *p)
{
	for (size_t i = 0; p->wants && i < p->events.nr; i++)
		free((char *)p->wants[i].name);
	free(p->wants);
	free(p->missing);
	target_sites_deinit(&p->sites);
	target_events_deinit(&p->events);
	target_events_deinit(&p->calls);
	target_events_deinit(&p->graph);
	*p = (struct plan){ 0 };
}

/* The text of a format, with the id that the event has in records. */
static json_t *with_id(const char *format, uint32_t id)
{
	_cleanup_(buf_deinit) struct buf b = BUF_INIT;
	const char *line = strstr(format, "\nID: ");
	const char *end = line ? strchr(line + 1, '\n') : NULL;

	if (!end)
		return json_string(format);
	buf_add(&b, format, line - format);
	buf_printf(&b, "\nID: %u%s", id, end);
	return json_string(b.data);
}

static void add_format(json_t *list, const struct target_event *e, uint32_t id)
{
	json_array_append_new(list, json_pack("{s:s, s:o}", "system", e->system,
					      "format", with_id(e->format, id)));
}

json_t *plan_formats(const struct plan *p)
{
	uint32_t id = XFT_EVENT_TYPE(0);
	json_t *list;

	if (!p->events.nr && !p->calls.nr && !p->graph.nr)
		return NULL;
	list = json_array();
	for (size_t i = 0; i < p->events.nr; i++)
		add_format(list, &p->events.event[i], id++);
	/* What only describes calls has no records. */
	for (size_t i = 0; i < p->calls.nr; i++)
		add_format(list, &p->calls.event[i], id++);
	/* These have the kernel's own ids, which are below those of events. */
	for (size_t i = 0; i < p->graph.nr; i++)
		add_format(list, &p->graph.event[i], p->graph.event[i].id);
	return json_pack("{s:o}", "events", list);
}
