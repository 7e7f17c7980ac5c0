// SPDX-License-Identifier: GPL-2.0-only
#include "eventlist.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "clock.h"

/* Reads between two looks at the clock, which cost more than a read. */
#define CLOCK_READS 64

static void clock_start(struct eventlist *el)
{
	el->since = thread_cpu_ns();
}

static void clock_stop(struct eventlist *el)
{
	el->cpu_ns += thread_cpu_ns() - el->since;
}

/* Every look at the guest is paid for, here, before it is done. */
static int pay(struct eventlist *el, uint64_t addr, size_t len,
	       struct xf_err *err)
{
	if (!(addr >> 63))
		return xf_fail(err, -EBADMSG,
			       "events: 0x%" PRIx64 " is no kernel address",
			       addr);
	el->bytes += len;
	if (el->bytes > EVENTLIST_MAX_BYTES)
		return xf_fail(err, -E2BIG,
			       "events: more than %u MiB of descriptions",
			       EVENTLIST_MAX_BYTES >> 20);
	if (el->reads++ % CLOCK_READS)
		return 0;
	if (el->cpu_ns + thread_cpu_ns() - el->since >
	    EVENTLIST_MAX_CPU_MS * 1000000ull)
		return xf_fail(err, -ETIME,
			       "events: took more than %u ms to read",
			       EVENTLIST_MAX_CPU_MS);
	return 0;
}

static int read_guest(struct eventlist *el, uint64_t addr, void *dst,
		      size_t len, struct xf_err *err)
{
	int rc = pay(el, addr, len, err);

	if (rc)
		return rc;
	rc = gva_read(&el->space, addr, dst, len, err);
	return rc ? xf_prefix(err, rc, "events") : 0;
}

/*
 * Text only, as it will be shown: printable ASCII and what is in @also. Returns
 * its length.
 */
static ssize_t read_str(struct eventlist *el, uint64_t addr, const char *also,
			char *dst, size_t cap, struct xf_err *err)
{
	ssize_t n = pay(el, addr, 0, err);

	if (n)
		return n;
	n = gva_read_str(&el->space, addr, dst, cap, err);
	if (n < 0)
		return xf_prefix(err, n, "events");
	el->bytes += n;
	for (ssize_t i = 0; i < n; i++)
		if ((dst[i] < ' ' || dst[i] > '~') && !strchr(also, dst[i]))
			return xf_fail(err, -EBADMSG,
				       "events: 0x%" PRIx64 " is no text",
				       addr);
	return n;
}

static int read_name(struct eventlist *el, uint64_t addr, char **ret,
		     struct xf_err *err)
{
	char name[EVENTLIST_MAX_NAME];
	ssize_t n = read_str(el, addr, "", name, sizeof(name), err);

	if (n < 0)
		return n;
	if (!n || strpbrk(name, " :/"))
		return xf_fail(err, -EBADMSG, "events: '%s' is no name", name);
	*ret = strdup(name);
	return *ret ? 0 : xf_fail(err, -ENOMEM, "out of memory");
}

/* A private copy of one of the guest's structures. */
struct copy {
	uint64_t addr;
	uint8_t bytes[EVENTLIST_STRUCT];
};

static uint64_t get_u64(const struct copy *c, uint32_t off)
{
	uint64_t v;

	memcpy(&v, c->bytes + off, sizeof(v));
	return v;
}

static uint32_t get_u32(const struct copy *c, uint32_t off)
{
	uint32_t v;

	memcpy(&v, c->bytes + off, sizeof(v));
	return v;
}

static int read_copy(struct eventlist *el, uint64_t addr, size_t len,
		     struct copy *ret, struct xf_err *err)
{
	ret->addr = addr;
	return read_guest(el, addr, ret->bytes, len, err);
}

/* The guest's struct list_head. */
struct node {
	uint64_t next, prev;
};

/* A list of structures of one kind, and what to do with each. */
struct list {
	uint64_t head;
	uint32_t link;		/* offset of the list_head in a structure */
	uint32_t size;		/* of a structure */
	unsigned int max;	/* structures */
	int (*each)(struct eventlist *el, const struct copy *c, struct buf *out,
		    struct xf_err *err);
};

/* Oldest first, as the kernel adds at the front. */
static int walk(struct eventlist *el, const struct list *l, struct buf *out,
		struct xf_err *err)
{
	uint64_t at = l->head, next;
	unsigned int nr = 0;
	struct copy c;
	struct node n;
	int rc = read_guest(el, l->head, &n, sizeof(n), err);

	while (!rc && n.prev != l->head) {
		next = at;
		at = n.prev;
		rc = read_copy(el, at - l->link, l->size, &c, err);
		if (rc)
			return rc;
		memcpy(&n, c.bytes + l->link, sizeof(n));
		/* Holds a loop up at once: no node has two behind it. */
		if (n.next != next)
			return xf_fail(err, -EBADMSG,
				       "events: list broken at 0x%" PRIx64, at);
		if (nr++ == l->max)
			return xf_fail(err, -E2BIG,
				       "events: more than %u in a list",
				       l->max);
		rc = l->each(el, &c, out, err);
	}
	return rc;
}

/* "struct task_struct *" as it is, but "char[16]" with the name in between. */
static int add_field(struct eventlist *el, const struct copy *c,
		     struct buf *out, struct xf_err *err)
{
	const struct eventlist_layout *l = &el->layout;
	char name[EVENTLIST_MAX_NAME], type[EVENTLIST_MAX_TYPE];
	ssize_t n = read_str(el, get_u64(c, l->field_name), "", name,
			     sizeof(name), err);
	const char *array;
	int32_t len = get_u32(c, l->field_len);

	if (n >= 0)
		n = read_str(el, get_u64(c, l->field_type), "", type,
			     sizeof(type), err);
	if (n < 0)
		return n;
	/* What a __data_loc is the location of is an array, not itself. */
	array = strncmp(type, "__data_loc", 10) ? strchr(type, '[') : NULL;
	if (!array)
		buf_printf(out, "\tfield:%s %s", type, name);
	else if (len)
		buf_printf(out, "\tfield:%.*s %s[%d]", (int)(array - type),
			   type, name, len);
	else
		buf_printf(out, "\tfield:%.*s %s[]", (int)(array - type), type,
			   name);
	buf_printf(out, ";\toffset:%u;\tsize:%u;\tsigned:%d;\n",
		   get_u32(c, l->field_offset), get_u32(c, l->field_size),
		   !!(get_u32(c, l->field_signed) & l->field_signed_mask));
	return 0;
}

static int add_fields(struct eventlist *el, uint64_t head, struct buf *out,
		      struct xf_err *err)
{
	const struct list fields = {
		.head = head,
		.link = el->layout.field_link,
		.size = el->layout.sizeof_field,
		.max = EVENTLIST_MAX_FIELDS,
		.each = add_field,
	};

	return walk(el, &fields, out, err);
}

/* What a trace_event_call says by itself. */
static struct eventlist_event decode(const struct eventlist_layout *l,
				     const struct copy *c)
{
	return (struct eventlist_event){
		.id = get_u32(c, l->call_type),
		.internal = get_u32(c, l->call_flags) & l->flag_ignore_enable,
		.call = c->addr,
		.call_name = get_u64(c, l->call_name),
		.class = get_u64(c, l->call_class),
		.print_fmt = get_u64(c, l->call_print_fmt),
		.data = get_u64(c, l->call_data),
	};
}

static int read_names(struct eventlist *el, const struct copy *c,
		      struct eventlist_event *e, struct xf_err *err)
{
	const struct eventlist_layout *l = &el->layout;
	uint32_t flags = get_u32(c, l->call_flags);
	uint64_t system, name = e->call_name;
	int rc = read_guest(el, e->class + l->class_system, &system,
			    sizeof(system), err);

	if (!rc)
		rc = read_name(el, system, &e->system, err);
	if (!rc && (flags & l->flag_tracepoint) && !(flags & l->flag_custom))
		rc = read_guest(el, name + l->tracepoint_name, &name,
				sizeof(name), err);
	if (!rc)
		rc = read_name(el, name, &e->name, err);
	return rc;
}

static int add_event(struct eventlist *el, const struct copy *c,
		     struct buf *out, struct xf_err *err)
{
	struct eventlist_event *e = &el->event[el->nr];
	uint32_t id = get_u32(c, el->layout.call_type);

	if (!id || id > UINT16_MAX)
		return xf_fail(err, -EBADMSG,
			       "events: 0x%" PRIx64 " is no event", c->addr);
	*e = decode(&el->layout, c);
	el->nr++;
	return read_names(el, c, e, err);
}

/* Offsets must lie in what will have been copied. */
static int check_layout(const struct eventlist_layout *l, struct xf_err *err)
{
	const struct {
		uint32_t off, len, size;
	} members[] = {
		{ l->call_list, 16, l->sizeof_call },
		{ l->call_class, 8, l->sizeof_call },
		{ l->call_name, 8, l->sizeof_call },
		{ l->call_type, 4, l->sizeof_call },
		{ l->call_print_fmt, 8, l->sizeof_call },
		{ l->call_data, 8, l->sizeof_call },
		{ l->call_flags, 4, l->sizeof_call },
		{ l->class_system, 8, l->sizeof_class },
		{ l->class_fields, 16, l->sizeof_class },
		{ l->class_get_fields, 8, l->sizeof_class },
		{ l->tracepoint_name, 8, EVENTLIST_STRUCT },
		{ l->syscall_fields, 16, EVENTLIST_STRUCT },
		{ l->field_link, 16, l->sizeof_field },
		{ l->field_name, 8, l->sizeof_field },
		{ l->field_type, 8, l->sizeof_field },
		{ l->field_offset, 4, l->sizeof_field },
		{ l->field_size, 4, l->sizeof_field },
		{ l->field_signed, 4, l->sizeof_field },
		{ l->field_len, 4, l->sizeof_field },
	};

	for (size_t i = 0; i < ARRAY_SIZE(members); i++) {
		uint32_t size = members[i].size;

		if (size > EVENTLIST_STRUCT || size < members[i].len ||
		    members[i].off > size - members[i].len)
			return xf_fail(err, -EINVAL,
				       "events: an offset of %u in a struct of "
				       "%u bytes", members[i].off, size);
	}
	return 0;
}

int eventlist_read(struct eventlist *el, const struct gva *space,
		   const struct eventlist_layout *layout, struct xf_err *err)
{
	const struct list events = {
		.head = layout->events,
		.link = layout->call_list,
		.size = layout->sizeof_call,
		.max = EVENTLIST_MAX_EVENTS,
		.each = add_event,
	};
	int rc = check_layout(layout, err);

	*el = (struct eventlist){ .space = *space, .layout = *layout };
	if (rc)
		return rc;
	el->event = calloc(EVENTLIST_MAX_EVENTS, sizeof(*el->event));
	el->print = malloc(EVENTLIST_MAX_PRINT);
	if (!el->event || !el->print)
		rc = xf_fail(err, -ENOMEM, "out of memory");
	clock_start(el);
	rc = rc ? rc : walk(el, &events, NULL, err);
	rc = rc ? rc : add_fields(el, layout->common_fields, &el->common, err);
	clock_stop(el);
	if (!rc && !el->common.len)
		rc = xf_fail(err, -EBADMSG, "events: no common fields");
	if (rc)
		eventlist_deinit(el);
	return rc;
}

void eventlist_deinit(struct eventlist *el)
{
	for (size_t i = 0; i < el->nr; i++) {
		free(el->event[i].system);
		free(el->event[i].name);
	}
	free(el->event);
	free(el->print);
	buf_deinit(&el->common);
	*el = (struct eventlist)EVENTLIST_INIT;
}

/*
 * Where the list of its fields is. Most classes have one for all their events,
 * some a function that finds it; what that of system calls does, we know.
 */
static int find_fields(struct eventlist *el, const struct eventlist_event *e,
		       uint64_t *ret_head, struct xf_err *err)
{
	const struct eventlist_layout *l = &el->layout;
	uint64_t function;
	int rc = read_guest(el, e->class + l->class_get_fields, &function,
			    sizeof(function), err);

	if (rc)
		return rc;
	if (!function)
		*ret_head = e->class + l->class_fields;
	else if (e->class == l->syscall_enter)
		*ret_head = e->data + l->syscall_fields;
	else
		return xf_fail(err, -ENOTSUP,
			       "the fields of event %s:%s are known only to a "
			       "function of the guest's kernel",
			       e->system, e->name);
	return 0;
}

static int add_format(struct eventlist *el, const struct eventlist_event *e,
		      struct buf *out, struct xf_err *err)
{
	uint64_t fields = 0;
	ssize_t n;
	int rc = find_fields(el, e, &fields, err);

	if (rc)
		return rc;
	buf_printf(out, "name: %s\nID: %u\nformat:\n", e->name, e->id);
	buf_puts(out, el->common.data);
	buf_putc(out, '\n');
	rc = add_fields(el, fields, out, err);
	if (rc)
		return rc;
	/* The kernel's sources have "\n" and "\t" in some, which it undid. */
	n = read_str(el, e->print_fmt, "\n\t", el->print, EVENTLIST_MAX_PRINT,
		     err);
	if (n < 0)
		return n;
	buf_printf(out, "\nprint fmt: %s\n", el->print);
	return 0;
}

/*
 * Is it the same event as when the list was read, and in the list? Else its
 * memory may be free by now and something else in it.
 */
static int check_same(struct eventlist *el, const struct eventlist_event *e,
		      struct xf_err *err)
{
	const struct eventlist_layout *l = &el->layout;
	struct eventlist_event now;
	uint64_t back;
	struct copy c;
	struct node n;
	int rc = read_copy(el, e->call, l->sizeof_call, &c, err);

	if (rc)
		return rc;
	memcpy(&n, c.bytes + l->call_list, sizeof(n));
	rc = read_guest(el, n.next + offsetof(struct node, prev), &back,
			sizeof(back), err);
	/* What is off the list has poison for pointers, which lead nowhere. */
	if (rc && rc != -EFAULT)
		return rc;
	now = decode(l, &c);
	if (rc || back != e->call + l->call_list || now.id != e->id ||
	    now.call_name != e->call_name || now.class != e->class ||
	    now.print_fmt != e->print_fmt || now.data != e->data)
		return xf_fail(err, -EBADMSG,
			       "event %s:%s went away while it was read",
			       e->system, e->name);
	return 0;
}

int eventlist_format(struct eventlist *el, size_t nr, struct buf *ret_text,
		     struct xf_err *err)
{
	size_t len = ret_text->len;
	struct xf_err gone;
	int rc;

	clock_start(el);
	rc = add_format(el, &el->event[nr], ret_text, err);
	/* Then this is why, whatever went wrong before. */
	if (check_same(el, &el->event[nr], &gone))
		rc = xf_fail(err, gone.code, "%s", gone.msg);
	clock_stop(el);
	if (rc && ret_text->len > len) {
		ret_text->len = len;
		ret_text->data[len] = '\0';
	}
	return rc;
}
