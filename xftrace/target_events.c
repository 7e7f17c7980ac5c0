// SPDX-License-Identifier: GPL-2.0-only
#include "target_events.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "eventlist.h"
#include "eventquery.h"
#include "log.h"
#include "target_btf.h"

/* Events come and go while the list is read. */
#define MAX_TRIES 3

void target_events_deinit(struct target_events *e)
{
	for (size_t i = 0; i < e->nr; i++) {
		free(e->event[i].system);
		free(e->event[i].name);
		free(e->event[i].format);
	}
	free(e->event);
	*e = (struct target_events)TARGET_EVENTS_INIT;
}

/* Offsets of members, from the kernel's types. */
static int find_members(struct eventlist_layout *l, const struct btf *b,
			struct xf_err *err)
{
#define CALL "trace_event_call"
#define CLASS "trace_event_class"
#define FIELD "ftrace_event_field"
	const struct {
		const char *type, *member;
		uint32_t size;
		uint32_t *off;
	} members[] = {
		{ CALL, "list", 16, &l->call_list },
		{ CALL, "class", 8, &l->call_class },
		{ CALL, "name", 8, &l->call_name },
		{ CALL, "event.type", 4, &l->call_type },
		{ CALL, "print_fmt", 8, &l->call_print_fmt },
		{ CALL, "data", 8, &l->call_data },
		{ CALL, "flags", 4, &l->call_flags },
		{ CLASS, "system", 8, &l->class_system },
		{ CLASS, "fields", 16, &l->class_fields },
		{ CLASS, "get_fields", 8, &l->class_get_fields },
		{ "tracepoint", "name", 8, &l->tracepoint_name },
		{ FIELD, "link", 16, &l->field_link },
		{ FIELD, "name", 8, &l->field_name },
		{ FIELD, "type", 8, &l->field_type },
		{ FIELD, "offset", 4, &l->field_offset },
		{ FIELD, "size", 4, &l->field_size },
		{ FIELD, "len", 4, &l->field_len },
	};
	struct btf_member m;
	int rc;

	for (size_t i = 0; i < ARRAY_SIZE(members); i++) {
		rc = btf_member(b, members[i].type, members[i].member, &m, err);
		if (rc)
			return rc;
		if (m.size != members[i].size || m.bits)
			return xf_fail(err, -ENOTSUP,
				       "struct %s: %s is of another type in "
				       "this kernel", members[i].type,
				       members[i].member);
		*members[i].off = m.off;
	}
	/* An int, in newer kernels one bit. */
	rc = btf_member(b, FIELD, "is_signed", &m, err);
	if (rc)
		return rc;
	l->field_signed = m.off;
	l->field_signed_mask = m.bits ? (1u << m.bits) - 1 : UINT32_MAX;
	l->field_signed_mask <<= m.bit;
	rc = btf_sizeof(b, CALL, &l->sizeof_call, err);
	rc = rc ? rc : btf_sizeof(b, CLASS, &l->sizeof_class, err);
	return rc ? rc : btf_sizeof(b, FIELD, &l->sizeof_field, err);
}

static uint32_t flag(const struct btf *b, const char *name)
{
	int32_t value = 0;

	/* One that this kernel does not have is never set. */
	btf_enumerator(b, name, &value, NULL);
	return value;
}

static int read_offsets(const struct target *t, struct eventlist_layout *l,
			struct xf_err *err)
{
	_cleanup_(target_btf_close) struct target_btf types = TARGET_BTF_INIT;
	const struct btf *b = &types.btf;
	struct btf_member m;
	int rc = target_btf_open(&types, t, err);

	rc = rc ? rc : find_members(l, b, err);
	if (rc)
		return rc;
	l->flag_ignore_enable = flag(b, "TRACE_EVENT_FL_IGNORE_ENABLE");
	l->flag_tracepoint = flag(b, "TRACE_EVENT_FL_TRACEPOINT");
	l->flag_custom = flag(b, "TRACE_EVENT_FL_CUSTOM");
	/* A kernel may be without events of system calls. */
	if (!btf_member(b, "syscall_metadata", "enter_fields", &m, NULL))
		l->syscall_fields = m.off;
	return 0;
}

static bool is_same_kernel(const struct vmcoreinfo *a,
			   const struct vmcoreinfo *b)
{
	return a->build_id_len && a->build_id_len == b->build_id_len &&
	       !memcmp(a->build_id, b->build_id, a->build_id_len);
}

/* Unpacking an image takes a tenth of a second: once for each kernel. */
static int find_offsets(struct target *t, struct xf_err *err)
{
	struct eventlist_layout layout = { 0 };
	int rc;

	if (is_same_kernel(&t->kernel, &t->event_kernel))
		return 0;
	rc = read_offsets(t, &layout, err);
	if (rc)
		return rc;
	t->event_kernel = t->kernel;
	t->layout = layout;
	return 0;
}

/* A reboot moves what has an address, and leaves the offsets. */
static int find_layout(struct target *t, struct eventlist_layout *l,
		       struct xf_err *err)
{
	int rc = find_offsets(t, err);

	if (rc)
		return rc;
	*l = t->layout;
	rc = symtab_address(t->symbols, "ftrace_events", &l->events, err);
	rc = rc ? rc : symtab_address(t->symbols, "ftrace_common_fields",
				      &l->common_fields, err);
	if (!rc)
		symtab_address(t->symbols, "event_class_syscall_enter",
			       &l->syscall_enter, NULL);
	return rc;
}

/* The sentence for a pattern that means nothing. */
static int not_found(const struct eventlist *el, const struct eventquery *q,
		     struct xf_err *err)
{
	_cleanup_free_ struct eventname *names =
		calloc(el->nr + 1, sizeof(*names));

	if (!names)
		abort();
	for (size_t i = 0; i < el->nr; i++)
		names[i] = (struct eventname){ el->event[i].system,
					       el->event[i].name };
	return eventquery_failed(q, names, el->nr, "the guest", err);
}

/* Mark in @wanted what one pattern means. */
static int choose(const struct eventlist *el, const char *pattern,
		  unsigned int flags, bool *wanted, struct xf_err *err)
{
	_cleanup_(eventquery_deinit) struct eventquery q = { 0 };
	size_t nr = 0, nr_internal = 0;
	int rc = eventquery_init(&q, pattern, err);

	if (rc)
		return rc;
	for (size_t i = 0; i < el->nr; i++) {
		if (!eventquery_matches(&q, el->event[i].system,
					el->event[i].name))
			continue;
		if (el->event[i].internal &&
		    !(flags & TARGET_EVENTS_INTERNAL)) {
			nr_internal++;
			continue;
		}
		wanted[i] = true;
		nr++;
	}
	if (nr)
		return 0;
	if (nr_internal)
		return xf_fail(err, -ENOTSUP,
			       "'%s' cannot be switched on: it is what the "
			       "guest's tracers write by themselves", pattern);
	return not_found(el, &q, err);
}

static int by_name(const void *pa, const void *pb)
{
	const struct target_event *a = pa, *b = pb;
	int system = strcmp(a->system, b->system);

	return system ? system : strcmp(a->name, b->name);
}

/* Hand over event @i of the list, whose names become ours. */
static int take(struct eventlist *el, size_t i, unsigned int flags,
		struct target_events *ret, struct xf_err *err)
{
	_cleanup_(buf_deinit) struct buf text = BUF_INIT;
	struct eventlist_event *e = &el->event[i];
	int rc = 0;

	if (!(flags & TARGET_EVENTS_NO_FORMAT))
		rc = eventlist_format(el, i, &text, err);
	if (rc)
		return rc;
	ret->event[ret->nr++] = (struct target_event){
		.system = xf_take(e->system),
		.name = xf_take(e->name),
		.format = text.len ? strdup(text.data) : NULL,
		.id = e->id,
	};
	return 0;
}

static int try_find(const struct target *t,
		    const struct eventlist_layout *layout,
		    char *const *patterns, size_t nr, unsigned int flags,
		    struct target_events *ret, struct xf_err *err)
{
	_cleanup_(target_events_deinit) struct target_events found =
		TARGET_EVENTS_INIT;
	_cleanup_(eventlist_deinit) struct eventlist el = EVENTLIST_INIT;
	struct gva space = vmcoreinfo_space(&t->kernel, &t->mf);
	_cleanup_free_ bool *wanted = NULL;
	int rc = eventlist_read(&el, &space, layout, err);

	if (rc)
		return rc;
	wanted = calloc(el.nr + 1, sizeof(*wanted));
	found.event = calloc(el.nr + 1, sizeof(*found.event));
	if (!wanted || !found.event)
		abort();
	for (size_t i = 0; i < nr && !rc; i++)
		rc = choose(&el, patterns[i], flags, wanted, err);
	for (size_t i = 0; i < el.nr && !rc; i++)
		if (wanted[i])
			rc = take(&el, i, flags, &found, err);
	if (rc)
		return rc;
	xf_debug("%zu of %zu events: %" PRIu64 " KiB read, %.1f ms", found.nr,
		 el.nr, el.bytes >> 10, el.cpu_ns / 1e6);
	qsort(found.event, found.nr, sizeof(*found.event), by_name);
	*ret = found;
	found = (struct target_events)TARGET_EVENTS_INIT;
	return 0;
}

int target_find_events(struct target *t, char *const *patterns, size_t nr,
		       unsigned int flags, struct target_events *ret,
		       struct xf_err *err)
{
	struct eventlist_layout layout;
	int rc = find_layout(t, &layout, err);

	if (rc)
		return rc;
	for (int i = 0; i < MAX_TRIES; i++) {
		rc = try_find(t, &layout, patterns, nr, flags, ret, err);
		if (rc != -EBADMSG && rc != -EFAULT)
			break;
	}
	return rc;
}
