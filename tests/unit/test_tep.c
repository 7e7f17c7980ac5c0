// SPDX-License-Identifier: GPL-2.0-only
/*
 * tep: real descriptions from both guests with made-up records, compared with
 * what libtraceevent says of the same; texts and records that nobody should
 * believe.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <traceevent/event-parse.h>

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/lsan_interface.h>
#else
#define __lsan_disable()
#define __lsan_enable()
#endif

#include "cleanup.h"
#include "event_texts.h"
#include "tep.h"
#include "tepclean.h"

#define RECORD_MAX 4096

static uint64_t seed = 1;

static uint32_t any(uint32_t n)
{
	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return (seed >> 33) % n;
}

/* tests/data, from wherever the compiler was called. */
static void open_texts(struct event_texts *e, const char *name)
{
	const char *dir = strrchr(__FILE__, '/');
	_cleanup_free_ char *path = NULL;

	assert_true(asprintf(&path, "%.*s/../data/%s.txt",
			     (int)(dir - __FILE__), __FILE__, name) > 0);
	event_texts_open(e, path);
	assert_true(e->nr > 50);
}

static const char *const guests[] = { "formats-6.1", "formats-6.12" };

/* ---- Against libtraceevent ---- */

static uint32_t any_string(char *to, uint32_t max)
{
	uint32_t n = any(max);

	for (uint32_t i = 0; i < n; i++)
		to[i] = 'a' + any(26);
	to[n] = '\0';
	return n + 1;
}

static uint32_t any_address(uint8_t *to)
{
	static const uint16_t families[] = { 0, 2, 10, 10, 10 };

	for (uint32_t i = 0; i < 28; i++)
		to[i] = any(3) ? 0 : any(256);
	memcpy(to, &families[any(ARRAY_SIZE(families))], 2);
	return 28;
}

static uint32_t dynamic_data(const struct tep_member *m, uint8_t *to)
{
	if (m->elem > 1) {
		for (uint32_t i = 0; i < 8u * m->elem; i++)
			to[i] = any(256);
		return 8 * m->elem;
	}
	if (strstr(m->type, "char"))
		return any_string((char *)to, 30);
	return any_address(to);
}

/* The size of a record without its dynamic fields. */
static uint32_t fixed_size(const struct tep_type *type)
{
	uint32_t end = 8;

	for (uint32_t i = 0; i < type->nr_members; i++) {
		const struct tep_member *m = &type->members[i];

		if (m->off + m->size > end)
			end = m->off + m->size;
	}
	return end;
}

/*
 * A record that keeps to its description. @small: numbers of which some say
 * how many bytes follow are below 4.
 */
static uint32_t make_record(const struct tep_type *type, bool small, uint8_t *d)
{
	uint32_t end = fixed_size(type), kind = any(3);

	memset(d, 0, RECORD_MAX);
	for (uint32_t i = 8; i < end && !small; i++)
		d[i] = kind == 0 ? any(256) : kind == 1 ? any(3) : 0;
	for (uint32_t i = 0; i < type->nr_members; i++) {
		const struct tep_member *m = &type->members[i];

		if (m->flags & TEP_DYNAMIC) {
			uint32_t len = dynamic_data(m, d + end);
			uint32_t off = end - (m->flags & TEP_RELATIVE
						      ? m->off + m->size
						      : 0);

			memcpy(d + m->off, &(uint32_t){ off | len << 16 }, 4);
			end += len;
		} else if (m->flags & TEP_STRING && strstr(m->type, "char")) {
			uint32_t len =
				any_string((char *)d + m->off, m->size ?: 30);

			if (!m->size)
				end += len;
		} else if (!(m->flags & TEP_ARRAY) && (small || !any(3))) {
			memset(d + m->off, 0, m->size);
			d[m->off] = any(4);
		}
	}
	memcpy(d, &(uint16_t){ type->id }, 2);
	return end;
}

/* What libtraceevent makes of it; the line's end as ours. */
static void their_text(struct tep_handle *h, uint8_t *d, uint32_t len,
		       struct buf *out)
{
	struct tep_record r = { .data = d, .size = len };
	struct trace_seq s;

	trace_seq_init(&s);
	tep_print_event(h, &s, &r, "%s", TEP_PRINT_INFO);
	trace_seq_terminate(&s);
	out->len = 0;
	buf_puts(out, s.buffer);
	trace_seq_destroy(&s);
	if (out->len && out->data[out->len - 1] == '\n')
		out->data[--out->len] = '\0';
	for (size_t i = 0; i < out->len; i++)
		if (out->data[i] == '\n')
			out->data[i] = ' ';
}

static struct tep_handle *their_handle(const char *system, const char *text,
				       size_t len)
{
	struct tep_handle *h = tep_alloc();

	assert_non_null(h);
	tep_set_long_size(h, 8);
	tep_set_loglevel(TEP_LOG_NONE);
	/* It loses memory of what it reads with difficulty. */
	__lsan_disable();
	tep_parse_event(h, text, len, system);
	__lsan_enable();
	return h;
}

static bool has(const struct event_text *x, const char *what)
{
	const char *print = memmem(x->text, x->len, "print fmt:", 10);

	return print &&
	       memmem(print, x->text + x->len - print, what, strlen(what));
}

/*
 * What some libtraceevent that is still in use prints otherwise than the
 * kernel, however it is written; there are tests of their own for it below.
 */
static bool is_special(const struct event_text *x)
{
	return has(x, "__print_array") || has(x, "%c") || has(x, "*ph");
}

static void compare(const struct event_text *x, const char *text, size_t len,
		    struct tep *t)
{
	_cleanup_(buf_deinit) struct buf ours = BUF_INIT, theirs = BUF_INIT;
	struct tep_handle *h = their_handle(x->system, text, len);
	const struct tep_type *type = tep_find(t, x->id);
	bool small = has(x, "__print_hex") || has(x, "*ph") || has(x, "%.*s");
	uint8_t d[RECORD_MAX];

	for (int i = 0; i < 40; i++) {
		uint32_t size = make_record(type, small, d);

		their_text(h, d, size, &theirs);
		ours.len = 0;
		buf_puts(&ours, "");
		tep_print(t, d, size, &ours);
		if (strcmp(ours.data, theirs.data))
			fail_msg(
				"%s:%s\nlibtraceevent |%s|\ntep           |%s|",
				x->system, x->name, theirs.data, ours.data);
	}
	tep_free(h);
}

/* The compiler and the printer against the tree that they were made of. */
static void test_same_tree(void **state)
{
	uint32_t compiled = 0, all = 0;

	for (size_t g = 0; g < ARRAY_SIZE(guests); g++) {
		struct event_texts e;

		open_texts(&e, guests[g]);
		for (size_t i = 0; i < e.nr; i++) {
			_cleanup_(tep_destroyp) struct tep *t =
				tep_create(NULL);
			_cleanup_(buf_deinit) struct buf clean = BUF_INIT;
			struct event_text *x = &e.all[i];
			bool args;

			assert_int_equal(
				tep_add(t, x->system, x->text, x->len, NULL),
				0);
			assert_string_equal(tep_name(t, x->id), x->name);
			all++;
			if (!tep_find(t, x->id)->compiled)
				continue;
			compiled++;
			assert_int_equal(
				tepclean(x->text, x->len, &clean, &args, NULL),
				0);
			/*
			 * It takes unknown words for names of 0, too, and for
			 * bprint it wants a table of the kernel's texts.
			 */
			if (!is_special(x) && strcmp(x->name, "bprint") &&
			    !strstr(clean.data, "UNRESOLVED"))
				compare(x, clean.data, clean.len, t);
		}
		event_texts_close(&e);
	}
	print_message("%u of %u compiled\n", compiled, all);
	assert_true(compiled * 100 > all * 95);
}

/*
 * Events that libtraceevent gets wrong when it reads the kernel's own text:
 * it knows no precedence within parentheses, no nested ?:, no sizeof() before
 * 1.8.4, no __builtin_bswap, and takes words that it does not know for 0.
 */
static const char *const theirs_is_wrong[] = {
	"timer_start",
	"kvm_nested_vmenter",
	"kvm_inj_exception",
	"ib_mad_*",
	"rpc_task_*",
	"btrfs_*",
	"dax_*",
	"ma_*",
	"cifs_*",
	"bprint",
};

static bool is_wrong(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(theirs_is_wrong); i++) {
		const char *w = theirs_is_wrong[i];
		size_t len = strcspn(w, "*");

		if (!strncmp(w, name, len) && (w[len] || !name[len]))
			return true;
	}
	return false;
}

/* All of it against libtraceevent alone with the kernel's own text. */
static void test_same_as_library(void **state)
{
	uint32_t same = 0, all = 0;

	for (size_t g = 0; g < ARRAY_SIZE(guests); g++) {
		struct event_texts e;

		open_texts(&e, guests[g]);
		for (size_t i = 0; i < e.nr; i++) {
			_cleanup_(tep_destroyp) struct tep *t =
				tep_create(NULL);
			struct event_text *x = &e.all[i];

			tep_add(t, x->system, x->text, x->len, NULL);
			all++;
			if (!tep_find(t, x->id)->compiled ||
			    is_wrong(x->name) || is_special(x))
				continue;
			compare(x, x->text, x->len, t);
			same++;
		}
		event_texts_close(&e);
	}
	print_message("%u of %u the same\n", same, all);
	assert_true(same * 100 > all * 80);
}

/* ---- By hand ---- */

#define COMMON                                                                 \
	"\tfield:unsigned short common_type;\toffset:0;\tsize:2;\tsigned:0;\n" \
	"\tfield:int common_pid;\toffset:4;\tsize:4;\tsigned:1;\n\n"
#define FIELD(decl, off, size, sign)                                           \
	"\tfield:" decl ";\toffset:" #off ";\tsize:" #size ";\tsigned:" #sign  \
	";\n"
#define FIELDS                                                                 \
	FIELD("u32 a", 8, 4, 0)                                                \
	FIELD("s32 b", 12, 4, 1)                                               \
	FIELD("u64 c", 16, 8, 0)                                               \
	FIELD("char s[8]", 24, 8, 0)                                           \
	FIELD("__data_loc char[] d", 32, 4, 0)                                 \
	FIELD("u8 n[4]", 36, 4, 0)                                             \
	FIELD("__data_loc u32[] l", 40, 4, 0)

/* A record of FIELDS. */
struct sample {
	uint16_t id, pad;
	int32_t pid;
	uint32_t a;
	int32_t b;
	uint64_t c;
	char s[8];
	uint32_t d;
	uint8_t n[4];
	uint32_t l;
	char data[24];
	uint32_t list[2];
};
_Static_assert(sizeof(struct sample) == 80, "as its description has it");
#define DYNAMIC(off, len) ((off) | (uint32_t)(len) << 16)

static struct sample sample(void)
{
	return (struct sample){ .id = 7,
				.a = 6,
				.b = -3,
				.c = 0x1122334455667788,
				.s = "abc",
				.d = DYNAMIC(44, 6),
				.n = { 192, 168, 0, 1 },
				.l = DYNAMIC(68, 8),
				.data = "hello",
				.list = { 5, 0x1234 } };
}

static int add_print(struct tep *t, const char *print)
{
	_cleanup_free_ char *text = NULL;

	assert_true(asprintf(&text,
			     "name: x\nID: 7\nformat:\n" COMMON FIELDS
			     "\nprint fmt: %s\n",
			     print) > 0);
	return tep_add(t, "test", text, strlen(text), NULL);
}

static void assert_sample(const char *print, const struct sample *s, size_t len,
			  const char *want)
{
	_cleanup_(tep_destroyp) struct tep *t = tep_create(NULL);
	_cleanup_(buf_deinit) struct buf out = BUF_INIT;
	_cleanup_free_ void *exact = malloc(len);

	memcpy(exact, s, len);
	assert_int_equal(add_print(t, print), 0);
	buf_puts(&out, "");
	tep_print(t, exact, len, &out);
	if (strcmp(out.data, want))
		fail_msg("%s\nis     |%s|\nnot as |%s|", print, out.data, want);
}

static void test_print(void **state)
{
	static const struct {
		const char *print, *want;
	} cases[] = {
		{ "\"%d %u %x %#x %o %5d|%-5d|%05d|%+d\", REC->b, REC->a, "
		  "REC->a, REC->a, REC->a, REC->b, REC->b, REC->b, REC->a",
		  "-3 6 6 0x6 6    -3|-3   |-0003|+6" },
		{ "\"%llx %016llx %hhx %hx %#llX %.4d\", REC->c, REC->a, "
		  "REC->c, REC->c, REC->c, REC->a",
		  "1122334455667788 0000000000000006 88 7788 "
		  "0X1122334455667788 0006" },
		{ "\"%s|%8s|%-8s|%.2s|%.*s\", REC->s, REC->s, REC->s, REC->s, "
		  "REC->a - 5, REC->s",
		  "abc|     abc|abc     |ab|a" },
		{ "\"%s %10s %.3s %s\", __get_str(d), __get_str(d), "
		  "__get_str(d), (char *)__get_dynamic_array(d)",
		  "hello      hello hel hello" },
		/* C's precedence, constants, casts. */
		{ "\"%d %d %d %d\", 10 - 4 - 3, 2 + 3 * 4, 1 << 2 + 1, "
		  "REC->a & (2 | 4) ? 1 : 0",
		  "3 14 8 1" },
		{ "\"%u %d %d %llu\", (u8)REC->c, !REC->a, -REC->a, ~0ULL",
		  "136 0 -6 18446744073709551615" },
		{ "\"%d %d\", REC->a > 7 ? 1 : REC->a > 5 ? 2 : 3, "
		  "REC->a == 6 && REC->b != 0 || 0",
		  "2 1" },
		{ "\"%s\", REC->a == 1 ? \"one\" : REC->a == 6 ? \"six\" : "
		  "\"?\"",
		  "six" },
		/* The kernel's parentheses around a mask, as in timer_start. */
		{ "\"%s %s\", __print_flags(REC->a & (0x1 | 0x2), \"|\", { "
		  "1, \"A\" }, { 2, \"B\" }, { 4, \"C\" }), __print_flags("
		  "REC->a, \"+\", { 2, \"B\" }, { (1UL << 2), \"C\" })",
		  "B B+C" },
		{ "\"%s %s %s\", __print_flags(REC->a, \"|\", { 2, \"B\" }), "
		  "__print_symbolic(REC->a, { 6, \"six\" }, { 7, \"seven\" }), "
		  "__print_symbolic(REC->b, { SOME_WORD, \"w\" }, { -1, 0 })",
		  "B|0x4 six 0xfffffffd" },
		/* Bytes and lists. */
		{ "\"%s %s %s %*ph\", __print_hex(REC->n, 4), "
		  "__print_hex_str(REC->n, sizeof(REC->n)), __print_array("
		  "__get_dynamic_array(l), __get_dynamic_array_len(l) / 4, 4), "
		  "3, __get_dynamic_array(l)",
		  "c0 a8 00 01 c0a80001 {0x5,0x1234} 05 00 00" },
		{ "\"%d %d %x\", REC->n[0], REC->n[3], "
		  "((u32 *)__get_dynamic_array(l))[1]",
		  "192 1 1234" },
		{ "\"%pI4 %pi4 %pI4h\", REC->n, REC->n, REC->n",
		  "192.168.0.1 192.168.000.001 1.0.168.192" },
		{ "\"%x %x %llx\", __builtin_bswap32(REC->a), "
		  "__builtin_bswap16(REC->a), __builtin_bswap64(REC->c)",
		  "6000000 600 8877665544332211" },
		{ "\"%p %p %pS\", REC->c, REC->a - 6, REC->c",
		  "0x1122334455667788 (nil) 0x1122334455667788" },
		{ "\"%c%c 100%%\", REC->n[1] == 168 ? 'y' : 'n', 'z'",
		  "yz 100%" },
		{ "\"%d\", __builtin_expect(!!(REC->a > 3), 0)", "1" },
		/* One line, whatever the format has in it. */
		{ "\"a\\tb\\nc\" \" d\\n\"", "a\tb c d" },
		{ "\"a\nb\"", "a b" },
		{ "\"quo\\\"te\"", "quo\"te" },
	};
	struct sample s = sample();

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_sample(cases[i].print, &s, sizeof(s), cases[i].want);
}

/* What cannot be understood is listed. */
static void test_listed(void **state)
{
	static const char *const prints[] = {
		"\"%s\", scsi_trace_parse_cdb(p, REC->a)",
		"\"%d\", ({ int x = REC->a; x; })",
		"\"%d %d\", REC->a",
		"\"%d\", REC->nothing",
		"\"%d\", REC->a / 0",
		"\"%d\", REC->a == SOME_WORD",
		"\"%d\", *(u32 *)REC->a",
		"\"%d\", REC->n[0][0]",
		"\"%y\", REC->a",
		"\"%d\\\\\", REC->a",
	};
	struct sample s = sample();

	for (size_t i = 0; i < ARRAY_SIZE(prints); i++)
		assert_sample(prints[i], &s, sizeof(s),
			      "a=6 b=-3 c=1234605616436508552 s=abc d=hello "
			      "n=[c0 a8 00 01] "
			      "l=[05 00 00 00 34 12 00 00]");
}

static void test_cut(void **state)
{
	struct sample s = sample();
	static const char print[] = "\"%d %s %s %llx\", REC->a, REC->s, "
				    "__get_str(d), REC->c";
	static const char bytes[] = "\"%s %x\", __print_hex(REC->n, REC->a), "
				    "REC->n[REC->a]";

	assert_sample(print, &s, 50, "6 abc hello 1122334455667788");
	assert_sample(print, &s, 49, "6 abc (cut) 1122334455667788");
	assert_sample(print, &s, 31, "6 (cut) (cut) 1122334455667788");
	assert_sample(print, &s, 11, "(cut) (cut) (cut) (cut)");
	assert_sample(print, &s, 1, "(cut)");
	assert_sample(bytes, &s, sizeof(s), "c0 a8 00 01(cut) (cut)");
	assert_sample("\"%s\", no_such(1)", &s, 18,
		      "a=6 b=-3 c=(cut) s=(cut) d=(cut) n=(cut) l=(cut)");
	/* A string without end, one that is not there, one of length 0. */
	s.d = DYNAMIC(44, 5);
	assert_sample(print, &s, 80, "6 abc hello(cut) 1122334455667788");
	s.d = DYNAMIC(79, 2);
	assert_sample(print, &s, 80, "6 abc (cut) 1122334455667788");
	s.d = DYNAMIC(0xffff, 0xffff);
	assert_sample(print, &s, 80, "6 abc (cut) 1122334455667788");
	s.d = 0;
	assert_sample(print, &s, 80, "6 abc  1122334455667788");
	memcpy(s.s, "12345678", 8);
	s.d = DYNAMIC(44, 6);
	memcpy(s.data, "\033[\\\n\xff", 6);
	assert_sample(print, &s, 80,
		      "6 12345678 \\x1b[\\x5c\\x0a\\xff 1122334455667788");
	s.id = 8;
	assert_sample(print, &s, 80, "(unknown event 8)");
}

static void test_values(void **state)
{
	_cleanup_(tep_destroyp) struct tep *t = tep_create(NULL);
	struct sample s = sample();
	const struct tep_type *type;
	struct tep_value v;

	assert_int_equal(add_print(t, "\"\""), 0);
	type = tep_type_of(t, &s, sizeof(s));
	assert_string_equal(type->name, "x");
	assert_string_equal(type->system, "test");
	assert_int_equal(type->nr_common, 2);
	assert_int_equal(type->nr_members, 9);
	tep_value(tep_member(type, "b"), &s, sizeof(s), &v);
	assert_true(v.kind == TEP_S64 && v.s64 == -3);
	tep_value(tep_member(type, "c"), &s, sizeof(s), &v);
	assert_true(v.kind == TEP_U64 && v.u64 == 0x1122334455667788);
	tep_value(tep_member(type, "d"), &s, sizeof(s), &v);
	assert_true(v.kind == TEP_TEXT && v.bytes.len == 5);
	tep_value(tep_member(type, "l"), &s, sizeof(s), &v);
	assert_true(v.kind == TEP_BYTES && v.bytes.len == 8);
	tep_value(tep_member(type, "l"), &s, 75, &v);
	assert_int_equal(v.kind, TEP_CUT);
	assert_null(tep_member(type, "none"));
	assert_null(tep_type_of(t, &s, 1));
	assert_null(tep_find(t, 1 << 16));
}

/* An id that a module took over, and functions' names. */
static void test_again(void **state)
{
	_cleanup_(tep_destroyp) struct tep *t = NULL;
	_cleanup_(buf_deinit) struct buf out = BUF_INIT;
	struct symtab *st = symtab_create();
	struct sample s = sample();
	struct names names;
	uint32_t pos = 0;

	symtab_add(st, 0xffffffff81000000, 0x100, 'T', "do_it", 5, NULL);
	symtab_add(st, 0xffffffff81000100, 0x100, 'T', "_etext", 6, NULL);
	symtab_seal(st);
	names_init(&names, st);
	t = tep_create(&names);
	assert_int_equal(add_print(t, "\"first\""), 0);
	assert_int_equal(add_print(t, "\"%pS %ps\", REC->c, REC->c"), 0);
	assert_non_null(tep_each(t, &pos));
	assert_null(tep_each(t, &pos));
	s.c = 0xffffffff81000010;
	tep_print(t, &s, sizeof(s), &out);
	assert_string_equal(out.data, "do_it+0x10 do_it");
	names_deinit(&names);
	symtab_destroy(st);
}

/* ---- Texts that nobody should believe ---- */

#define HEAD "name: x\nID: 7\nformat:\n"

static void test_no_description(void **state)
{
	static const char *const texts[] = {
		"",
		"name: x\n",
		"name: x\nID: 65536\nformat:\n" COMMON "\nprint fmt: \"\"\n",
		"name: x\nID: -1\nformat:\n" COMMON "\nprint fmt: \"\"\n",
		"name: 9x\nID: 7\nformat:\n" COMMON "\nprint fmt: \"\"\n",
		HEAD "\n\nprint fmt: \"\"\n",
		HEAD FIELD("u16 other", 0, 2, 0) "\n\nprint fmt: \"\"\n",
		HEAD COMMON FIELD("u32 a", 4096, 4, 0) "\nprint fmt: \"\"\n",
		HEAD COMMON FIELD("u32 a", 4, 4093, 0) "\nprint fmt: \"\"\n",
		HEAD COMMON FIELD("u32 a", -4, 4, 0) "\nprint fmt: \"\"\n",
		HEAD COMMON FIELD("*", 8, 4, 0) "\nprint fmt: \"\"\n",
		HEAD COMMON FIELD("__data_loc char[] a", 8, 2,
				  0) "\nprint fmt: \"\"\n",
		HEAD COMMON FIELD("u8 STA_PR_FMT", 8, 1, 0) "\nprint fmt: \"\"",
		HEAD COMMON "\nprint: \"\"\n",
		HEAD COMMON "\nprint fmt: \"\x80\"\n",
	};
	_cleanup_(tep_destroyp) struct tep *t = tep_create(NULL);
	_cleanup_(buf_deinit) struct buf big = BUF_INIT;

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		if (tep_add(t, "s", texts[i], strlen(texts[i]), NULL) !=
		    -EBADMSG)
			fail_msg("accepted: %s", texts[i]);
	buf_puts(&big, HEAD COMMON);
	for (int i = 0; i <= TEPCLEAN_FIELDS_MAX; i++)
		buf_printf(&big, FIELD("u8 f%d", 8, 1, 0), i);
	buf_puts(&big, "\nprint fmt: \"\"\n");
	assert_int_equal(tep_add(t, "s", big.data, big.len, NULL), -EBADMSG);
	while (big.len <= TEPCLEAN_TEXT_MAX)
		buf_putc(&big, ' ');
	assert_int_equal(tep_add(t, "s", big.data, big.len, NULL), -EBADMSG);
}

/* @part, @nr times, between what comes before and behind it. */
static void add_repeated(struct tep *t, const char *before, const char *part,
			 uint32_t nr, const char *behind)
{
	_cleanup_(buf_deinit) struct buf b = BUF_INIT;
	struct sample s = sample();

	buf_puts(&b, before);
	for (uint32_t i = 0; i < nr; i++)
		buf_puts(&b, part);
	buf_puts(&b, behind);
	add_print(t, b.data);
	b.len = 0;
	tep_print(t, &s, sizeof(s), &b);
}

/*
 * Of the text itself most of these are the end of libtraceevent 1.7.1 and
 * 1.8.4: NULL, a division by 0, all of the stack.
 */
static void test_deadly(void **state)
{
	static const char *const prints[] = {
		"\"%d\", REC->n[0][0]",
		"\"%d\", 1 / 0",
		"\"%d\", 1 % (1 - 1)",
		"\"%d\", 5 / HZ",
		"\"%s\", __print_flags(REC->nothing, \"|\", { 1, \"A\" })",
		"\"%s\", __print_symbolic(REC->nothing, { 1, \"A\" })",
		"\"%s\", __get_cpumask(nothing)",
		"\"%d\", sizeof(unsigned)",
		"\"%d\", REC->a ? REC->b",
		"\"%d\", -REC->n[0] = 1",
		"\"%d\", (REC->a) [",
		"\"%s\", __print_flags(",
		"\"abc\\\\\"",
	};
	_cleanup_(tep_destroyp) struct tep *t = tep_create(NULL);

	for (size_t i = 0; i < ARRAY_SIZE(prints); i++)
		add_repeated(t, prints[i], "", 0, "");
	add_repeated(t, "\"%d\", ", "(", 30000, "1");
	add_repeated(t, "\"%d\", ", "!", 30000, "1");
	add_repeated(t, "\"%d\", REC->a", "+REC->a", 8000, "");
	add_repeated(t, "\"%d\", REC->a", "?1:REC->a", 6000, "");
	add_repeated(t, "\"%s\", __print_flags(REC->a, \"|\"", ", {1,\"A\"}",
		     6000, ")");
	add_repeated(t, "\"", "%d", 20000, "\", 1");
	add_repeated(t, "\"", "x", 60000, "\"");
	add_repeated(t, "\"%d\", ", "__builtin_bswap64(", 20, "REC->c");
	add_repeated(t, "\"%d\", ", "a ", 20000, "");
}

static const char *const scraps[] = {
	"(",
	")",
	"[",
	"]",
	"{",
	"}",
	",",
	"?",
	":",
	"*",
	"/",
	"-",
	"!",
	"->",
	"REC->",
	"REC",
	"(REC)->",
	"\"x\"",
	"\"",
	"'a'",
	"1",
	"0",
	"\\",
	"\n",
	"__print_flags(",
	"__print_symbolic(",
	"__get_str(",
	"sizeof(",
	"__get_dynamic_array(",
	"__print_hex(",
	"__print_array(",
	"__builtin_expect(",
	"__builtin_bswap64(",
	"(void *)",
	"(u8)",
	"<<",
	"==",
	"&&",
	"&",
	"WORD",
	"\t",
	";",
	"%s",
	"%p",
	"%*ph",
	"%pI6c",
	"%pISpc",
	"%.*s",
	"%pU",
	"offset:",
	"size:",
	"field:",
	"__data_loc char[] ",
	"[5]",
	"[]",
	"-1",
	"9999999",
	"common_pid",
	"common_type",
	"print fmt:",
	"{1,\"a\"}",
	"struct x *",
};

static void splice(struct buf *b, size_t at, size_t drop, const char *scrap)
{
	size_t len = strlen(scrap);

	if (drop > b->len - at)
		drop = b->len - at;
	buf_reserve(b, len);
	memmove(b->data + at + len, b->data + at + drop, b->len - at - drop);
	memcpy(b->data + at, scrap, len);
	b->len += len - drop;
}

/* Real descriptions with some of them elsewhere; most often in print fmt. */
static void mutate(struct buf *b)
{
	for (uint32_t n = any(5); n; n--) {
		const char *print = memmem(b->data, b->len, "print fmt", 9);
		size_t from = print && any(4) ? print - b->data : 0;
		size_t at = from + any(b->len - from);

		if (any(3))
			splice(b, at, any(3) ? 0 : any(20),
			       scraps[any(ARRAY_SIZE(scraps))]);
		else if (any(2))
			splice(b, at, any(30), "");
		else
			b->data[at] = any(256);
	}
}

static void print_garbage(struct tep *t, uint32_t id)
{
	_cleanup_(buf_deinit) struct buf out = BUF_INIT;
	uint32_t len = 2 + any(150);
	_cleanup_free_ uint8_t *d = malloc(len);

	for (uint32_t i = 0; i < len; i++)
		d[i] = any(3) ? any(4) * any(30) : any(256);
	memcpy(d, &(uint16_t){ id }, 2);
	tep_print(t, d, len, &out);
	for (size_t i = 0; i < out.len; i++)
		if (out.data[i] != '\t' &&
		    (out.data[i] < 0x20 || out.data[i] > 0x7e))
			fail_msg("byte 0x%02x comes out", out.data[i] & 0xff);
}

static void test_mutated(void **state)
{
	_cleanup_(tep_destroyp) struct tep *t = tep_create(NULL);
	_cleanup_(buf_deinit) struct buf b = BUF_INIT;
	struct event_texts e;
	uint32_t accepted = 0;

	open_texts(&e, guests[0]);
	for (int i = 0; i < 8000; i++) {
		const struct event_text *x = &e.all[any(e.nr)];
		_cleanup_free_ char *exact = NULL;

		b.len = 0;
		buf_add(&b, x->text, x->len);
		mutate(&b);
		exact = malloc(b.len + 1);
		memcpy(exact, b.data, b.len);
		if (!tep_add(t, x->system, exact, b.len, NULL))
			accepted++;
		print_garbage(t, x->id);
	}
	event_texts_close(&e);
	print_message("%u of 8000 accepted\n", accepted);
	assert_true(accepted > 1000 && accepted < 7500);
}

/* Real descriptions, records of every length. */
static void test_short_records(void **state)
{
	_cleanup_(tep_destroyp) struct tep *t = tep_create(NULL);
	_cleanup_(buf_deinit) struct buf out = BUF_INIT;
	struct event_texts e;
	uint8_t d[RECORD_MAX];

	open_texts(&e, guests[1]);
	for (size_t i = 0; i < e.nr; i++) {
		const struct event_text *x = &e.all[i];
		const struct tep_type *type;
		uint32_t len;

		assert_int_equal(tep_add(t, x->system, x->text, x->len, NULL),
				 0);
		type = tep_find(t, x->id);
		len = make_record(type, false, d);
		for (uint32_t n = 0; n <= len; n++) {
			_cleanup_free_ void *exact = malloc(n + 1);

			memcpy(exact, d, n);
			out.len = 0;
			tep_print(t, exact, n, &out);
		}
	}
	event_texts_close(&e);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_same_tree),
		cmocka_unit_test(test_same_as_library),
		cmocka_unit_test(test_print),
		cmocka_unit_test(test_listed),
		cmocka_unit_test(test_cut),
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_again),
		cmocka_unit_test(test_no_description),
		cmocka_unit_test(test_deadly),
		cmocka_unit_test(test_mutated),
		cmocka_unit_test(test_short_records),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
