// SPDX-License-Identifier: GPL-2.0-only
/* eventlist on made-up lists of events, sound and hostile. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <time.h>

#include "cleanup.h"
#include "eventlist.h"
#include "fake_guest.h"
#include "fake_layouts.h"

#define MIB  (1ull << 20)
#define BASE 0xffffffffc0000000ull	/* RAM is mapped here, all of it */
#define RAM  (64 * MIB)

/* gpa of things */
#define EVENTS	0x100000		/* heads of lists */
#define COMMON	0x100010
#define CLASS	0x110000		/* of most events */
#define SYSCALL 0x110100		/* of system calls */
#define META	0x110200		/* a struct syscall_metadata */
#define POINT	0x110300		/* a struct tracepoint */
#define EVENT(i) (0x200000 + (uint64_t)(i) * 0x100)
#define FIELD(i) (0x800000 + (uint64_t)(i) * 0x40)
#define TEXT	0x1000000		/* strings, one after the other */

#define IGNORE_ENABLE 8
#define TRACEPOINT    16
#define CUSTOM	      1024

static const struct eventlist_layout layout = {
	FAKE_EVENTS,
	.events = BASE + EVENTS,
	.common_fields = BASE + COMMON,
	.syscall_enter = BASE + SYSCALL,
	.flag_ignore_enable = IGNORE_ENABLE,
	.flag_tracepoint = TRACEPOINT,
	.flag_custom = CUSTOM,
	.tracepoint_name = 16,
	.syscall_fields = 32,
};

struct guest {
	struct fake_guest g;
	uint64_t text;
	unsigned int nr_events, nr_fields;
};

static uint64_t put_text(struct guest *s, const char *text)
{
	uint64_t at = s->text;

	fake_put(&s->g, at, text, strlen(text) + 1);
	s->text += strlen(text) + 1;
	return BASE + at;
}

/* As list_add() does, at the front. */
static void list_add(struct guest *s, uint64_t head, uint64_t node)
{
	uint64_t *h = (uint64_t *)(s->g.ram + head);
	uint64_t *n = (uint64_t *)(s->g.ram + node);
	uint64_t *first = (uint64_t *)(s->g.ram + (h[0] - BASE));

	n[0] = h[0];
	n[1] = BASE + head;
	first[1] = BASE + node;
	h[0] = BASE + node;
}

static void list_init(struct guest *s, uint64_t head)
{
	fake_put_u64(&s->g, head, BASE + head);
	fake_put_u64(&s->g, head + 8, BASE + head);
}

static void put_u32(struct guest *s, uint64_t at, uint32_t v)
{
	fake_put(&s->g, at, &v, sizeof(v));
}

static void add_field(struct guest *s, uint64_t head, const char *type,
		      const char *name, uint32_t off, uint32_t size,
		      bool is_signed, uint32_t len)
{
	uint64_t at = FIELD(s->nr_fields++);

	fake_put_u64(&s->g, at + layout.field_name, put_text(s, name));
	fake_put_u64(&s->g, at + layout.field_type, put_text(s, type));
	put_u32(s, at + layout.field_offset, off);
	put_u32(s, at + layout.field_size, size);
	/* The other bits are another member's. */
	put_u32(s, at + layout.field_signed, is_signed ? 3 : 2);
	put_u32(s, at + layout.field_len, len);
	list_add(s, head, at + layout.field_link);
}

static void add_event(struct guest *s, const char *name, uint32_t id,
		      uint64_t class, uint32_t flags, const char *print)
{
	uint64_t at = EVENT(s->nr_events++);

	fake_put_u64(&s->g, at + layout.call_class, BASE + class);
	fake_put_u64(&s->g, at + layout.call_name, put_text(s, name));
	put_u32(s, at + layout.call_type, id);
	fake_put_u64(&s->g, at + layout.call_print_fmt, put_text(s, print));
	fake_put_u64(&s->g, at + layout.call_data, 0);
	put_u32(s, at + layout.call_flags, flags);
	list_add(s, EVENTS, at + layout.call_list);
}

static void put_class(struct guest *s, uint64_t at, const char *system,
		      uint64_t get_fields)
{
	fake_put_u64(&s->g, at + layout.class_system, put_text(s, system));
	fake_put_u64(&s->g, at + layout.class_get_fields, get_fields);
	list_init(s, at + layout.class_fields);
}

/* Everything in its place: four events, of three kinds. */
static void put_sample(struct guest *s)
{
	s->text = TEXT;
	s->nr_events = s->nr_fields = 0;
	list_init(s, EVENTS);
	list_init(s, COMMON);
	add_field(s, COMMON, "unsigned short", "common_type", 0, 2, false, 0);
	add_field(s, COMMON, "int", "common_pid", 4, 4, true, 0);

	put_class(s, CLASS, "sched", 0);
	add_field(s, CLASS + layout.class_fields, "char[16]", "comm", 8, 16,
		  false, 16);
	add_field(s, CLASS + layout.class_fields, "__data_loc char[]", "path",
		  24, 4, true, 0);
	add_field(s, CLASS + layout.class_fields, "u8[]", "rest", 28, 0, false,
		  0);
	put_class(s, SYSCALL, "syscalls", BASE + 0x1000);
	list_init(s, META + layout.syscall_fields);
	add_field(s, META + layout.syscall_fields, "const char *", "filename",
		  16, 8, false, 0);

	add_event(s, "plain", 300, CLASS, 0, "\"%s\", REC->comm");
	add_event(s, "", 301, CLASS, TRACEPOINT, "\"two\n\tlines\"");
	fake_put_u64(&s->g, EVENT(1) + layout.call_name, BASE + POINT);
	fake_put_u64(&s->g, POINT + layout.tracepoint_name,
		     put_text(s, "with_tracepoint"));
	add_event(s, "sys_enter_open", 65535, SYSCALL, TRACEPOINT | CUSTOM,
		  "\"%s\", REC->filename");
	fake_put_u64(&s->g, EVENT(2) + layout.call_data, BASE + META);
	add_event(s, "inner", 1, CLASS, IGNORE_ENABLE, "");
}

static void guest_open(struct guest *s)
{
	fake_guest_open(&s->g, RAM);
	for (uint64_t i = 0; i < RAM; i += 2 * MIB)
		fake_map(&s->g, BASE + i, i, 2);
	put_sample(s);
}

static double cpu_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return t.tv_sec * 1e3 + t.tv_nsec / 1e6;
}

static int read_list(struct guest *s, struct eventlist *el)
{
	struct xf_err err = { 0 };
	double start = cpu_ms();
	int rc = eventlist_read(el, &s->g.space, &layout, &err);

	/* 50, and some for what a sanitizer adds to the end of it. */
	assert_true(cpu_ms() - start < 200);
	assert_int_equal(err.code, rc);
	if (rc)
		assert_null(el->event);
	return rc;
}

static int list_rc(struct guest *s)
{
	_cleanup_(eventlist_deinit) struct eventlist el = EVENTLIST_INIT;

	return read_list(s, &el);
}

static void expect_list(struct guest *s, int rc)
{
	assert_int_equal(list_rc(s), rc);
	put_sample(s);
	assert_int_equal(list_rc(s), 0);
}

/* Of the list's @nr, which can be read; a failure leaves the buffer alone. */
static int format_rc(struct guest *s, size_t nr, struct buf *text)
{
	_cleanup_(eventlist_deinit) struct eventlist el = EVENTLIST_INIT;
	struct xf_err err = { 0 };
	double start;
	int rc;

	assert_int_equal(read_list(s, &el), 0);
	assert_true(nr < el.nr);
	text->len = 0;
	buf_puts(text, "before\n");
	start = cpu_ms();
	rc = eventlist_format(&el, nr, text, &err);
	assert_true(cpu_ms() - start < 200);
	assert_int_equal(err.code, rc);
	if (rc)
		assert_string_equal(text->data, "before\n");
	return rc;
}

static void expect_format(struct guest *s, size_t nr, int rc)
{
	_cleanup_(buf_deinit) struct buf text = BUF_INIT;

	assert_int_equal(format_rc(s, nr, &text), rc);
	put_sample(s);
	assert_int_equal(format_rc(s, nr, &text), 0);
}

static void test_list(void **state)
{
	static const struct {
		const char *system, *name;
		uint16_t id;
		bool internal;
	} truth[] = {
		{ "sched", "plain", 300, false },
		{ "sched", "with_tracepoint", 301, false },
		{ "syscalls", "sys_enter_open", 65535, false },
		{ "sched", "inner", 1, true },
	};
	_cleanup_(eventlist_deinit) struct eventlist el = EVENTLIST_INIT;
	struct guest s;

	guest_open(&s);
	assert_int_equal(read_list(&s, &el), 0);
	assert_int_equal(el.nr, ARRAY_SIZE(truth));
	for (size_t i = 0; i < el.nr; i++) {
		assert_string_equal(el.event[i].system, truth[i].system);
		assert_string_equal(el.event[i].name, truth[i].name);
		assert_int_equal(el.event[i].id, truth[i].id);
		assert_int_equal(el.event[i].internal, truth[i].internal);
	}
	eventlist_deinit(&el);
	list_init(&s, EVENTS);
	assert_int_equal(read_list(&s, &el), 0);
	assert_int_equal(el.nr, 0);
	fake_guest_close(&s.g);
}

#define HEAD(name, id)                                                         \
	"before\nname: " name "\nID: " id "\nformat:\n"                        \
	"\tfield:unsigned short common_type;\toffset:0;\tsize:2;\tsigned:0;\n" \
	"\tfield:int common_pid;\toffset:4;\tsize:4;\tsigned:1;\n\n"
#define FIELDS                                                                 \
	"\tfield:char comm[16];\toffset:8;\tsize:16;\tsigned:0;\n"             \
	"\tfield:__data_loc char[] path;\toffset:24;\tsize:4;\tsigned:1;\n"    \
	"\tfield:u8 rest[];\toffset:28;\tsize:0;\tsigned:0;\n"

static void test_format(void **state)
{
	static const char *const truth[] = {
		HEAD("plain", "300") FIELDS
			"\nprint fmt: \"%s\", REC->comm\n",
		HEAD("with_tracepoint", "301") FIELDS
			"\nprint fmt: \"two\n\tlines\"\n",
		HEAD("sys_enter_open", "65535")
			"\tfield:const char * filename;\toffset:16;\tsize:8;"
			"\tsigned:0;\n\nprint fmt: \"%s\", REC->filename\n",
		HEAD("inner", "1") FIELDS "\nprint fmt: \n",
	};
	_cleanup_(buf_deinit) struct buf text = BUF_INIT;
	struct guest s;

	guest_open(&s);
	for (size_t i = 0; i < ARRAY_SIZE(truth); i++) {
		assert_int_equal(format_rc(&s, i, &text), 0);
		assert_string_equal(text.data, truth[i]);
	}
	fake_guest_close(&s.g);
}

static void test_hostile_list(void **state)
{
	const uint64_t prev = layout.call_list + 8, next = layout.call_list;
	static const uint64_t nowhere[] = {
		0xdead000000000100, -64ULL, BASE + RAM,
		0xffff888000000000,
	};
	struct guest s;

	guest_open(&s);
	/* Loops that never come back to the head, long and short. */
	fake_put_u64(&s.g, EVENT(3) + prev, BASE + EVENT(1) + next);
	expect_list(&s, -EBADMSG);
	fake_put_u64(&s.g, EVENT(2) + prev, BASE + EVENT(2) + next);
	expect_list(&s, -EBADMSG);
	fake_put_u64(&s.g, EVENT(0) + prev, BASE + EVENT(0) + next);
	fake_put_u64(&s.g, EVENT(0) + next, BASE + EVENT(0) + next);
	expect_list(&s, -EBADMSG);
	/* Of zeros, of user space, of nothing. */
	fake_put_u64(&s.g, EVENTS + 8, 0);
	expect_list(&s, -EFAULT);
	memset(s.g.ram + EVENT(1), 0, 0x80);
	expect_list(&s, -EBADMSG);
	fake_put_u64(&s.g, EVENTS + 8, 0x7fffffff0000);
	expect_list(&s, -EBADMSG);
	for (size_t i = 0; i < ARRAY_SIZE(nowhere); i++) {
		fake_put_u64(&s.g, EVENTS + 8, nowhere[i]);
		expect_list(&s, -EFAULT);
		fake_put_u64(&s.g, EVENT(1) + layout.call_class, nowhere[i]);
		expect_list(&s, -EFAULT);
		fake_put_u64(&s.g, CLASS + layout.class_system, nowhere[i]);
		expect_list(&s, -EFAULT);
		fake_put_u64(&s.g, EVENT(0) + layout.call_name, nowhere[i]);
		expect_list(&s, -EFAULT);
		fake_put_u64(&s.g, EVENT(1) + layout.call_name, nowhere[i]);
		expect_list(&s, -EFAULT);
	}
	/* Mapped to what is no RAM. */
	fake_map(&s.g, BASE - 2 * MIB, 1ull << 40, 2);
	fake_put_u64(&s.g, EVENT(0) + layout.call_name, BASE - MIB);
	expect_list(&s, -ERANGE);
	/* Numbers that are no events'. */
	put_u32(&s, EVENT(2) + layout.call_type, 0);
	expect_list(&s, -EBADMSG);
	put_u32(&s, EVENT(2) + layout.call_type, 65536);
	expect_list(&s, -EBADMSG);
	/* Common fields: none, and in a circle. */
	list_init(&s, COMMON);
	expect_list(&s, -EBADMSG);
	fake_put_u64(&s.g, FIELD(1) + 8, BASE + FIELD(0));
	expect_list(&s, -EBADMSG);
	/* Page tables that map everything to one page. */
	for (int i = 0; i < 512; i++)
		fake_put_u64(&s.g, i * 8, PTE_P);
	assert_true(list_rc(&s) < 0);
	fake_guest_close(&s.g);
}

static void test_hostile_names(void **state)
{
	static const char *const names[] = { "", "a b", "a:b", "a/b", "a\tb",
					     "a\nb", "\033[2J", "\x7f",
					     "\xc3" };
	char longest[EVENTLIST_MAX_NAME + 1];
	struct guest s;

	guest_open(&s);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		fake_put_u64(&s.g, EVENT(0) + layout.call_name,
			     put_text(&s, names[i]));
		expect_list(&s, -EBADMSG);
		fake_put_u64(&s.g, CLASS + layout.class_system,
			     put_text(&s, names[i]));
		expect_list(&s, -EBADMSG);
	}
	memset(longest, 'n', sizeof(longest));
	longest[EVENTLIST_MAX_NAME - 1] = '\0';
	fake_put_u64(&s.g, EVENT(0) + layout.call_name, put_text(&s, longest));
	assert_int_equal(list_rc(&s), 0);
	longest[EVENTLIST_MAX_NAME - 1] = 'n';
	longest[EVENTLIST_MAX_NAME] = '\0';
	fake_put_u64(&s.g, EVENT(0) + layout.call_name, put_text(&s, longest));
	expect_list(&s, -ENAMETOOLONG);
	fake_guest_close(&s.g);
}

static void test_hostile_format(void **state)
{
	const uint64_t fields = CLASS + layout.class_fields;
	_cleanup_(buf_deinit) struct buf text = BUF_INIT;
	static char endless[EVENTLIST_MAX_PRINT + 1];
	struct guest s;

	guest_open(&s);
	/* Fields in a circle, nowhere, of zeros. */
	fake_put_u64(&s.g, FIELD(4) + 8, BASE + FIELD(3));
	expect_format(&s, 0, -EBADMSG);
	fake_put_u64(&s.g, fields + 8, 8);
	expect_format(&s, 0, -EBADMSG);
	fake_put_u64(&s.g, FIELD(3) + 8, UINT64_MAX - 7);
	expect_format(&s, 0, -EFAULT);
	memset(s.g.ram + FIELD(3), 0, 0x40);
	expect_format(&s, 0, -EBADMSG);
	fake_put_u64(&s.g, FIELD(3) + layout.field_type, 0);
	expect_format(&s, 0, -EBADMSG);
	fake_put_u64(&s.g, FIELD(3) + layout.field_name,
		     put_text(&s, "line\nbreak"));
	expect_format(&s, 0, -EBADMSG);
	/* As many as there may be, and one more. */
	for (int i = 3; i < EVENTLIST_MAX_FIELDS; i++)
		add_field(&s, fields, "int", "more", i, 4, true, 0);
	assert_int_equal(format_rc(&s, 0, &text), 0);
	add_field(&s, fields, "int", "more", 0, 4, true, 0);
	expect_format(&s, 0, -E2BIG);
	/* Print formats. */
	fake_put_u64(&s.g, EVENT(0) + layout.call_print_fmt, 0);
	expect_format(&s, 0, -EBADMSG);
	fake_put_u64(&s.g, EVENT(0) + layout.call_print_fmt,
		     put_text(&s, "\"\033]0;title\a\""));
	expect_format(&s, 0, -EBADMSG);
	memset(endless, 'p', sizeof(endless) - 1);
	fake_put_u64(&s.g, EVENT(0) + layout.call_print_fmt,
		     put_text(&s, endless));
	expect_format(&s, 0, -ENAMETOOLONG);
	/* A system call without a description, or with a false one. */
	fake_put_u64(&s.g, EVENT(2) + layout.call_data, 0);
	expect_format(&s, 2, -EBADMSG);
	fake_put_u64(&s.g, EVENT(2) + layout.call_data, BASE + RAM - 40);
	expect_format(&s, 2, -EFAULT);
	/* Whatever finds the fields of these, it does so over there. */
	fake_put_u64(&s.g, CLASS + layout.class_get_fields, BASE + 0x2000);
	expect_format(&s, 0, -ENOTSUP);
	fake_guest_close(&s.g);
}

/* An event that went away, and another one in its place. */
static void test_change(void **state)
{
	_cleanup_(eventlist_deinit) struct eventlist el = EVENTLIST_INIT;
	_cleanup_(buf_deinit) struct buf text = BUF_INIT;
	struct xf_err err;
	struct guest s;

	guest_open(&s);
	assert_int_equal(read_list(&s, &el), 0);
	put_u32(&s, EVENT(0) + layout.call_type, 302);
	assert_int_equal(eventlist_format(&el, 0, &text, &err), -EBADMSG);
	assert_int_equal(text.len, 0);
	assert_int_equal(eventlist_format(&el, 1, &text, &err), 0);
	fake_put_u64(&s.g, EVENT(1) + layout.call_name, BASE + POINT + 8);
	assert_int_equal(eventlist_format(&el, 1, &text, &err), -EBADMSG);

	/* As list_del() does it; no wonder that its class is nonsense. */
	put_sample(&s);
	fake_put_u64(&s.g, CLASS + layout.class_get_fields, BASE);
	fake_put_u64(&s.g, EVENT(2) + layout.call_class, BASE + CLASS);
	eventlist_deinit(&el);
	assert_int_equal(read_list(&s, &el), 0);
	fake_put_u64(&s.g, EVENT(1) + layout.call_list + 8,
		     BASE + EVENT(3) + layout.call_list);
	fake_put_u64(&s.g, EVENT(3) + layout.call_list,
		     BASE + EVENT(1) + layout.call_list);
	assert_int_equal(eventlist_format(&el, 2, &text, &err), -EBADMSG);
	assert_non_null(strstr(err.msg, "went away"));
	fake_put_u64(&s.g, EVENT(2) + layout.call_list, 0xdead000000000100);
	assert_int_equal(eventlist_format(&el, 2, &text, &err), -EBADMSG);
	fake_guest_close(&s.g);
}

/* Each of them fine, and all of them too much. */
static void test_budget(void **state)
{
	_cleanup_(eventlist_deinit) struct eventlist el = EVENTLIST_INIT;
	static char print[EVENTLIST_MAX_PRINT];
	double start, list_ms;
	struct xf_err err;
	struct guest s;
	size_t i = 0;
	int rc = 0;

	guest_open(&s);
	while (s.nr_events < EVENTLIST_MAX_EVENTS)
		add_event(&s, "one", 7, CLASS, 0, "");
	start = cpu_ms();
	assert_int_equal(read_list(&s, &el), 0);
	list_ms = cpu_ms() - start;
	assert_int_equal(el.nr, EVENTLIST_MAX_EVENTS);

	memset(print, 'p', sizeof(print) - 1);
	fake_put(&s.g, TEXT + 24 * MIB, print, sizeof(print));
	for (i = 0; i < EVENTLIST_MAX_EVENTS; i++)
		fake_put_u64(&s.g, EVENT(i) + layout.call_print_fmt,
			     BASE + TEXT + 24 * MIB);
	eventlist_deinit(&el);
	assert_int_equal(read_list(&s, &el), 0);
	start = cpu_ms();
	for (i = 0; i < el.nr && !rc; i++) {
		_cleanup_(buf_deinit) struct buf text = BUF_INIT;

		rc = eventlist_format(&el, i, &text, &err);
	}
	assert_true(rc == -E2BIG || rc == -ETIME);
	assert_true(cpu_ms() - start < 500);
	print_message("%u events, %.1f ms; %zu formats, %.1f ms, then: %s\n",
		      EVENTLIST_MAX_EVENTS, list_ms, i, cpu_ms() - start,
		      err.msg);
	add_event(&s, "one", 7, CLASS, 0, "");
	assert_int_equal(list_rc(&s), -E2BIG);
	fake_guest_close(&s.g);
}

static void test_bad_layout(void **state)
{
	struct eventlist_layout bad;
	struct eventlist el = EVENTLIST_INIT;
	struct xf_err err;
	struct guest s;

	guest_open(&s);
	for (size_t at = offsetof(struct eventlist_layout, sizeof_call);
	     at <= offsetof(struct eventlist_layout, field_len);
	     at += sizeof(uint32_t)) {
		if (at == offsetof(struct eventlist_layout, field_signed_mask))
			continue;
		for (int i = 0; i < 2; i++) {
			bad = layout;
			*(uint32_t *)((char *)&bad + at) =
				i ? UINT32_MAX : EVENTLIST_STRUCT + 1;
			assert_int_equal(eventlist_read(&el, &s.g.space, &bad,
							&err), -EINVAL);
		}
	}
	bad = layout;
	bad.sizeof_field = layout.field_len + 3;
	assert_int_equal(eventlist_read(&el, &s.g.space, &bad, &err), -EINVAL);
	fake_guest_close(&s.g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_list),
		cmocka_unit_test(test_format),
		cmocka_unit_test(test_hostile_list),
		cmocka_unit_test(test_hostile_names),
		cmocka_unit_test(test_hostile_format),
		cmocka_unit_test(test_change),
		cmocka_unit_test(test_budget),
		cmocka_unit_test(test_bad_layout),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
