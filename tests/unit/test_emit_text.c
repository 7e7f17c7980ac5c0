// SPDX-License-Identifier: GPL-2.0-only
/*
 * emit_text: whole texts, compared with those in tests/data. With XF_UPDATE=1
 * in the environment they are written anew: look at every line of the change.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "callgraph.h"
#include "cleanup.h"
#include "fake_trace.h"
#include "io.h"

static void draw(const struct trace *t, struct buf *out)
{
	struct sink sink = { .fd = memfd_create("drawn", MFD_CLOEXEC) };
	struct call_stats stats;
	char path[32];

	assert_int_equal(callgraph_draw(t, &emit_text, &sink, &stats, NULL), 0);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", sink.fd);
	assert_int_equal(io_read_file(path, 64 << 20, out, NULL), 0);
	close(sink.fd);
	buf_deinit(&sink.buf);
}

/* The text with "@VERSION@" where the version is. */
static void without_version(struct buf *b)
{
	_cleanup_(buf_deinit) struct buf to = BUF_INIT;
	const char *s = b->data, *at;

	while ((at = strstr(s, "# xftrace " XF_VERSION ":"))) {
		buf_add(&to, s, at + 10 - s);
		buf_puts(&to, "@VERSION@");
		s = at + 10 + strlen(XF_VERSION);
	}
	buf_puts(&to, s);
	b->len = 0;
	buf_add(b, to.data, to.len);
}

/* tests/data, from wherever the compiler was called. */
static char *data_path(const char *name)
{
	const char *dir = strrchr(__FILE__, '/');
	char *path;

	assert_true(asprintf(&path, "%.*s/../data/%s.txt",
			     (int)(dir - __FILE__), __FILE__, name) > 0);
	return path;
}

static void assert_text(struct fake_trace *f, const char *name)
{
	_cleanup_(buf_deinit) struct buf got = BUF_INIT, want = BUF_INIT;
	_cleanup_free_ char *path = data_path(name);

	fake_trace_seal(f);
	draw(&f->t, &got);
	without_version(&got);
	if (getenv("XF_UPDATE"))
		assert_int_equal(
			io_replace_file(path, got.data, got.len, 0644, NULL),
			0);
	assert_int_equal(io_read_file(path, 1 << 20, &want, NULL), 0);
	if (strcmp(got.data, want.data))
		fail_msg("%s: not as it should be:\n%s", path, got.data);
	fake_trace_close(f);
}

static void test_text(const char *name, const char *words)
{
	struct fake_trace f;

	fake_trace_open(&f);
	fake_session(&f, 1);
	fake_records(&f, words);
	fake_must(fake_text_chunk(&f, TRACE_END, "{\"reason\": \"off\"}"));
	assert_text(&f, name);
}

static void test_tree(void **state)
{
	test_text("text-tree",
		  "@1000 T42:cat a0( b1( c2( +12 c2) d2( e3(<m +9 f4( +130 f4) "
		  "e3) d2) b1) a0) T7:kworker/0:1 a0( q1( q1) a0)\n"
		  "C1 @1005 T43:dd a0( b1( @1045 b1) @2500000 a0)\n"
		  "@2600000 T42:cat a0( C0 T42:cat a0)\n"
		  "C12 @2700000 T123456:a_long_name_here a0( a0)\n");
}

static void test_irq(void **state)
{
	test_text("text-irq",
		  "T42:cat a0( b1( i1(<bi j2(i j2)i k2(i l3(s l3)s k2)i i1)i "
		  "b1) a0)\n"
		  "a0( i1(<ai i1)i a0)\n"
		  "a0( b1( n2(<bn o3(n o3)n n2)n b1) a0)\n");
}

static void test_lost(void **state)
{
	test_text("text-lost",
		  "T42:cat c2) b1) a0) a0( b1( c2( L1234 T42:cat d1( d1) a0)\n"
		  "a0( b1( L3 T42:cat b1) a0) ! S K9 a0( S T42:cat "
		  "a0( b1( +1500000 c2(");
}

#define COMMON                                                                 \
	"format:\n"                                                            \
	"\tfield:unsigned short common_type;\toffset:0;\tsize:2;\tsigned:0;\n" \
	"\tfield:unsigned char common_flags;\toffset:2;\tsize:1;\tsigned:0;\n" \
	"\tfield:unsigned char common_preempt_count;\toffset:3;\tsize:1;"       \
	"\tsigned:0;\n"                                                        \
	"\tfield:int common_pid;\toffset:4;\tsize:4;\tsigned:1;\n\n"

static const char tick_format[] =
	"name: tick\nID: 7\n" COMMON
	"\tfield:int n;\toffset:8;\tsize:4;\tsigned:1;\n\n"
	"print fmt: \"n=%d\", REC->n\n";

static const char openat_format[] =
	"name: sys_enter_openat\nID: 9\n" COMMON
	"\tfield:int __syscall_nr;\toffset:8;\tsize:4;\tsigned:1;\n"
	"\tfield:int dfd;\toffset:16;\tsize:8;\tsigned:0;\n"
	"\tfield:const char * filename;\toffset:24;\tsize:8;\tsigned:0;\n"
	"\tfield:int flags;\toffset:32;\tsize:8;\tsigned:0;\n"
	"\tfield:umode_t mode;\toffset:40;\tsize:8;\tsigned:0;\n\n"
	"print fmt: \"dfd: 0x%08lx\", ((unsigned long)(REC->dfd))\n";

static void put_formats(struct fake_trace *f)
{
	json_t *j = json_pack("{s:[{s:s, s:s}, {s:s, s:s}, {s:s, s:s}, {}]}",
			      "events", "system", "test", "format",
			      tick_format, "system", "syscalls", "format",
			      openat_format, "system", "x", "format",
			      "no description");
	_cleanup_free_ char *text = json_dumps(j, 0);

	json_decref(j);
	fake_must(fake_text_chunk(f, TRACE_EVENTS, text));
}

static void put_tick(struct fake_trace *f, int n, size_t len)
{
	struct {
		uint16_t type;
		uint8_t flags, count;
		int32_t pid, n, more;
	} tick = { .type = 7, .pid = 42, .n = n };

	fake_put_event(f, n < 0 ? XFT_CTX_IRQ : XFT_CTX_TASK, &tick, len);
}

/* Entry or return of __x64_sys_openat. */
static void put_openat(struct fake_trace *f, uint32_t type,
		       const uint64_t *more, size_t nr)
{
	uint64_t words[32] = { (uint32_t)fake_addr('t') |
			       (fake_addr('s') + 0x15) << 32 };

	for (size_t i = 0; i < nr; i++)
		words[1 + i] = more[i];
	fake_put_long(f, type, words, nr + 1);
}

/* Events among calls, system calls with what they were given. */
static void test_events(void **state)
{
	static const uint64_t string = 0x7773736170ull; /* "passw" */
	const uint64_t args[] = { 4, -100ull & UINT32_MAX, 0x7000, O_CLOEXEC,
				  0, 1 | 5 << 8, string };
	const uint64_t cut[] = { 4, 3, 0x7000, O_RDWR | O_CREAT, 0644,
				 1 | 5 << 8 | XFT_STR_CUT, string };
	const uint64_t missing[] = { 4, 3, 0x7000, 0, 0, 1 | XFT_STR_FAULT };
	const uint64_t ok[] = { 3 }, enoent[] = { -2 };
	const uint64_t late[] = { 4, 1 | 5 << 8, string };
	/* Lengths and counts that point beyond their end. */
	const uint64_t hostile[] = { 200, 1 }, hostile2[] = { 4, 3, 1 },
		       hostile3[] = { 4, 3, 1, 0, 0, 1 | 4000 << 8, string },
		       hostile4[] = { 3, UINT64_MAX, UINT64_MAX };
	struct fake_trace f;

	fake_trace_open(&f);
	fake_session(&f, 1);
	put_formats(&f);
	fake_records(&f, "T42:cat");
	put_tick(&f, 1, 12);
	put_openat(&f, XFT_ENTRY, args, 7);
	put_tick(&f, -2, 12);
	fake_records(&f, "b1(");
	put_tick(&f, 3, 12);
	fake_records(&f, "b1)");
	put_openat(&f, XFT_RETURN, ok, 1);
	/* A leaf, and one whose string came later. */
	put_openat(&f, XFT_ENTRY, cut, 7);
	put_openat(&f, XFT_RETURN, enoent, 1);
	put_openat(&f, XFT_ENTRY, missing, 6);
	fake_records(&f, "b1( b1)");
	put_openat(&f, XFT_RETURN, late, 3);
	/* No result; no arguments; no end. */
	put_openat(&f, XFT_ENTRY, args, 7);
	put_openat(&f, XFT_RETURN, NULL, 0);
	put_openat(&f, XFT_ENTRY, NULL, 0);
	put_openat(&f, XFT_RETURN, ok, 1);
	/* Too short, of no known event. */
	put_tick(&f, 4, 10);
	fake_put_event(&f, 0, "\x63\0\0\0\0\0\0\0", 8);
	put_openat(&f, XFT_ENTRY, hostile, 2);
	put_openat(&f, XFT_RETURN, hostile4, 3);
	put_openat(&f, XFT_ENTRY, hostile2, 3);
	put_openat(&f, XFT_RETURN, hostile4, 3);
	put_openat(&f, XFT_ENTRY, hostile3, 7);
	put_openat(&f, XFT_RETURN, hostile4, 3);
	put_openat(&f, XFT_ENTRY, args, 7);
	fake_must(fake_text_chunk(&f, TRACE_END, "{}"));
	assert_text(&f, "text-events");
}

/* Callers that are worth a word, and names that there are none for. */
static void test_callers(void **state)
{
	test_text("text-callers",
		  "T42:cat a0( b1(<p b1) b1(<m b1) b1(<x b1) b1(<r^ b1) "
		  "b1(<a$ b1) b1(<u b1) m1( u2(<m c3(<u c3) u2) m1) "
		  "u1( u1) a0) a0(<u a0) a0(<m a0) a0(<r^ a0)\n");
}

/* Names of tasks that no terminal should see. */
static void test_hostile_names(void **state)
{
	static const char names[][17] = {
		"\033]0;owned\a",
		"\033[2J\033[H",
		"a\nb\rc\td",
		"\\x1b",
		"\xff\xfe\xc3\xa9",
		"} /* lies */",
		" | 0) cat",
		"\x7f\x80\23331m",
		"sixteen__letters",
		"\1\2\3\4\5\6\7\b\t\n\v\f\r\16\17\20",
		"",
	};
	struct fake_trace f;

	fake_trace_open(&f);
	fake_session(&f, 1);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		fake_put_task(&f, i + 1, names[i]);
		fake_records(&f, "a0( b1( b1) a0)");
	}
	fake_must(fake_text_chunk(&f, TRACE_END, "{}"));
	assert_text(&f, "text-hostile");
}

/* The description is text from a file: it is not trusted, either. */
static void test_hostile_meta(void **state)
{
	_cleanup_(buf_deinit) struct buf got = BUF_INIT;
	struct fake_trace f;

	fake_trace_open(&f);
	fake_must(fake_text_chunk(
		&f, TRACE_META,
		"{\"session\": 1, \"tsc_khz\": 1, \"guest\": \"\\u001b[2J\", "
		"\"release\": \"6\\n1\", \"build_id\": \"\\u009b\", "
		"\"functions\": [\"\\u0007x\", 5, null, \"y\\r\"]}"));
	fake_must(fake_text_chunk(&f, TRACE_NOTE,
				  "{\"text\": \"a\\u001b]0;b\\u0007\\nc\"}"));
	fake_must(fake_text_chunk(&f, TRACE_NOTE, "{\"text\": 5}"));
	fake_trace_seal(&f);
	draw(&f.t, &got);
	for (size_t i = 0; i < got.len; i++)
		if (got.data[i] != '\n' &&
		    (got.data[i] < 0x20 || got.data[i] > 0x7e))
			fail_msg("byte 0x%02x in the header",
				 got.data[i] & 0xff);
	fake_trace_close(&f);
}

static void test_sessions(void **state)
{
	struct fake_trace f;

	fake_trace_open(&f);
	fake_session(&f, 1);
	fake_records(&f, "T42:cat a0( b1( b1)");
	fake_must(fake_text_chunk(&f, TRACE_NOTE,
				  "{\"text\": \"the guest rebooted\"}"));
	fake_session(&f, 2);
	fake_session(&f, 3);
	fake_records(&f, "T42:cat a0( a0)");
	/* No END: it was killed. */
	assert_text(&f, "text-sessions");
}

static void test_empty(void **state)
{
	test_text("text-empty", "");
}

/* A clock that runs backwards, in one ring and between two. */
static void test_clock(void **state)
{
	test_text("text-clock",
		  "T42:cat @5000 a0( @3000 b1( @2000 c2( @1500 c2) @2500 b1) "
		  "@1000 a0)\n"
		  "C1 T43:dd @900 a0( @100 a0)\n");
}

/* Numbers at their ends: no overflow, whatever the guest claims. */
static void test_extremes(void **state)
{
	static const char *const clocks[] = {
		"0",
		"0x7fffffffffffffff",
		"0x8000000000000000",
		"0x8000000000000001",
		"0xffffffffffffffff",
	};
	static const uint32_t khz[] = { 1, 1000, 3000000, UINT32_MAX };
	static const uint64_t times[] = { 0, 1, INT64_MAX, 1ull << 63,
					  UINT64_MAX };

	for (size_t i = 0; i < ARRAY_SIZE(clocks) * ARRAY_SIZE(khz); i++)
		for (size_t n = 0; n < ARRAY_SIZE(times); n++) {
			_cleanup_(buf_deinit) struct buf got = BUF_INIT;
			struct fake_trace f;
			char meta[256];

			fake_trace_open(&f);
			snprintf(meta, sizeof(meta),
				 "{\"session\": 1, \"tsc_khz\": %u, "
				 "\"clock_tsc\": \"%s\", \"clock_real_ns\": "
				 "\"%s\"}",
				 khz[i % ARRAY_SIZE(khz)],
				 clocks[i / ARRAY_SIZE(khz)],
				 clocks[i / ARRAY_SIZE(khz)]);
			fake_must(fake_text_chunk(&f, TRACE_META, meta));
			fake_must(fake_chunk(
				&f, TRACE_KEY,
				&(struct trace_key){ fake_keys[1], 0, 1, 1 },
				sizeof(struct trace_key)));
			f.session = 1;
			fake_records(&f, "T5 a0(");
			f.streams[0].base_tsc = times[n];
			fake_turn(&f, UINT64_MAX - 5, 1);
			f.streams[0].base_tsc = times[n] / 2;
			fake_records(&f, "b1( a0) a0(");
			fake_trace_seal(&f);
			draw(&f.t, &got);
			assert_true(got.len > 500);
			fake_trace_close(&f);
		}
}

/* The longest line that can be: every part of it as long as it gets. */
static void test_longest_line(void **state)
{
	_cleanup_(buf_deinit) struct buf got = BUF_INIT, packed = BUF_INIT;
	static const char comm[16] = "\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1";
	struct symtab *st = symtab_create();
	char name[SYMTAB_NAME_MAX + 1];
	struct fake_trace f;
	size_t longest = 0;

	memset(name, 'n', SYMTAB_NAME_MAX);
	name[SYMTAB_NAME_MAX] = '\0';
	symtab_add(st, FAKE_MODULE, FAKE_SIZE, 't', name, SYMTAB_NAME_MAX,
		   name);
	symtab_seal(st);
	symtab_pack(st, SYMTAB_KERNEL | SYMTAB_MODULES, &packed);
	symtab_destroy(st);

	fake_trace_open(&f);
	fake_session(&f, 1);
	fake_must(fake_chunk(&f, TRACE_SYMBOLS, packed.data, packed.len));
	f.cpu = FAKE_RINGS - 1;
	fake_put_task(&f, UINT32_MAX, comm);
	for (int i = 0; i < 500; i++)
		fake_put_call(&f, XFT_ENTRY, 0, 255, FAKE_MODULE, FAKE_MODULE);
	fake_put_call(&f, XFT_RETURN, 0, 255, FAKE_MODULE, 0);
	fake_trace_seal(&f);
	draw(&f.t, &got);
	for (const char *s = got.data, *end; (end = strchr(s, '\n'));
	     s = end + 1) {
		const char *hot = memmem(s, end - s, "() {", 4);

		if (*s != '#' && hot && (size_t)(hot - s) > longest)
			longest = hot - s;
	}
	/*
	 * begin_line() makes room for 2048 bytes, and spaces are written by the
	 * sixteen; comments make room for themselves.
	 */
	assert_true(longest > 800 + 64 + SYMTAB_NAME_MAX);
	assert_true(longest < 2048 - 32);
	fake_trace_close(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tree),
		cmocka_unit_test(test_irq),
		cmocka_unit_test(test_lost),
		cmocka_unit_test(test_events),
		cmocka_unit_test(test_callers),
		cmocka_unit_test(test_hostile_names),
		cmocka_unit_test(test_hostile_meta),
		cmocka_unit_test(test_sessions),
		cmocka_unit_test(test_empty),
		cmocka_unit_test(test_clock),
		cmocka_unit_test(test_extremes),
		cmocka_unit_test(test_longest_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
