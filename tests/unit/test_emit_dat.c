// SPDX-License-Identifier: GPL-2.0-only
/*
 * emit_dat: what is written is taken apart by the format's description, and its
 * pages and records are read by libtraceevent, as trace-cmd and KernelShark do.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <traceevent/event-parse.h>
#include <traceevent/kbuffer.h>

#include "callgraph.h"
#include "cleanup.h"
#include "cursor.h"
#include "datpages.h"
#include "event_texts.h"
#include "fake_trace.h"
#include "io.h"

/* A file, taken apart. */
struct dat {
	struct buf data;
	struct tep_handle *tep;
	const char *symbols, *names;	/* in data, each ends with a 0 now */
	uint32_t nr_types, nr_cpus;
	struct {
		uint64_t off, len;
	} cpu[XFT_MAX_CPUS];
};

/* A trace's sink, with a file for each session. */
struct files {
	struct sink sink;	/* first */
	int fd[4];
	unsigned int nr;
};

static int next_file(struct sink *s, struct xf_err *err)
{
	struct files *f = (struct files *)s;

	assert_true(f->nr < ARRAY_SIZE(f->fd));
	s->fd = f->fd[f->nr++] = memfd_create("dat", MFD_CLOEXEC);
	return 0;
}

static void draw(const struct trace *t, struct files *f)
{
	struct call_stats stats;

	*f = (struct files){ .sink = { .next = next_file } };
	next_file(&f->sink, NULL);
	assert_int_equal(callgraph_draw(t, &emit_dat, &f->sink, &stats, NULL),
			 0);
	buf_deinit(&f->sink.buf);
}

/* ---- Taking apart ---- */

static void must_have(struct cursor *c, const char *text)
{
	assert_string_equal(cursor_str(c), text);
}

static void read_type(struct dat *d, struct cursor *c, const char *system)
{
	uint64_t len = cursor_u64(c);
	const char *text = cursor_bytes(c, len);

	assert_non_null(text);
	assert_int_equal(tep_parse_event(d->tep, text, len, system), 0);
	d->nr_types++;
}

static void read_types(struct dat *d, struct cursor *c)
{
	uint32_t nr = cursor_u32(c);

	while (nr--)
		read_type(d, c, "ftrace");
	for (uint32_t systems = cursor_u32(c); systems; systems--) {
		const char *system = cursor_str(c);

		assert_string_not_equal(system, "ftrace");
		for (nr = cursor_u32(c); nr; nr--)
			read_type(d, c, system);
	}
}

static char *copy_text(struct cursor *c, uint64_t len)
{
	const char *p = cursor_bytes(c, len);

	assert_non_null(p);
	return strndup(p, len);
}

static void read_options(struct cursor *c)
{
	uint16_t option;

	must_have(c, "options  ");
	while ((option = cursor_u16(c))) {
		uint32_t len = cursor_u32(c);
		const char *text = cursor_bytes(c, len);

		assert_non_null(text);
		assert_int_equal(text[len - 1], 0);
		if (option == 4)
			assert_string_equal(text, "[local]");
	}
}

static void dat_open(struct dat *d, int fd)
{
	char path[32];
	struct cursor c;
	uint64_t len;

	*d = (struct dat){ .tep = tep_alloc() };
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	assert_int_equal(io_read_file(path, 64 << 20, &d->data, NULL), 0);
	c = cursor_of(d->data.data, d->data.len);
	assert_memory_equal(cursor_bytes(&c, 10), "\x17\x08\x44tracing", 10);
	must_have(&c, "6");
	assert_int_equal(cursor_u8(&c), 0);
	assert_int_equal(cursor_u8(&c), 8);
	assert_int_equal(cursor_u32(&c), 4096);
	must_have(&c, "header_page");
	len = cursor_u64(&c);
	assert_int_equal(tep_parse_header_page(
				 d->tep, (char *)cursor_bytes(&c, len), len, 8),
			 0);
	must_have(&c, "header_event");
	cursor_bytes(&c, cursor_u64(&c));
	read_types(d, &c);
	d->symbols = copy_text(&c, cursor_u32(&c));
	assert_int_equal(cursor_u32(&c), 0);
	d->names = copy_text(&c, cursor_u64(&c));
	d->nr_cpus = cursor_u32(&c);
	assert_true(d->nr_cpus <= XFT_MAX_CPUS);
	read_options(&c);
	must_have(&c, "flyrecord");
	for (uint32_t i = 0; i < d->nr_cpus; i++) {
		d->cpu[i].off = cursor_u64(&c);
		d->cpu[i].len = cursor_u64(&c);
		assert_int_equal(d->cpu[i].off % 4096, 0);
		assert_int_equal(d->cpu[i].len % 4096, 0);
		assert_true(d->cpu[i].off + d->cpu[i].len <= d->data.len);
		assert_true(!d->cpu[i].len ||
			    d->cpu[i].off >= (size_t)((char *)c.p -
						      d->data.data));
	}
	len = cursor_u64(&c);
	assert_memory_equal(cursor_bytes(&c, len), "[local]", 7);
	assert_false(c.failed);
	tep_set_long_size(d->tep, 8);
}

static void dat_close(struct dat *d)
{
	tep_free(d->tep);
	free((char *)d->symbols);
	free((char *)d->names);
	buf_deinit(&d->data);
}

/* The file of the only session. */
static void dat_of(struct dat *d, struct fake_trace *f)
{
	struct files files;

	fake_trace_seal(f);
	draw(&f->t, &files);
	assert_int_equal(files.nr, 1);
	dat_open(d, files.fd[0]);
	close(files.fd[0]);
}

/* ---- Records ---- */

typedef void record_fn(const struct dat *d, struct tep_record *r, void *arg);

static void each_record(const struct dat *d, uint32_t cpu, record_fn *fn,
			void *arg)
{
	struct kbuffer *k = kbuffer_alloc(KBUFFER_LSIZE_8,
					  KBUFFER_ENDIAN_LITTLE);
	char *page = d->data.data + d->cpu[cpu].off;
	unsigned long long ts;

	for (uint64_t n = d->cpu[cpu].len / 4096; n; n--, page += 4096) {
		bool first = true;

		assert_int_equal(kbuffer_load_subbuffer(k, page), 0);
		for (void *p = kbuffer_read_event(k, &ts); p;
		     p = kbuffer_next_event(k, &ts)) {
			struct tep_record r = {
				.ts = ts,
				.cpu = cpu,
				.data = p,
				.size = kbuffer_event_size(k),
				.missed_events = first ?
					kbuffer_missed_events(k) : 0,
			};

			fn(d, &r, arg);
			first = false;
		}
		assert_false(first);
	}
	kbuffer_free(k);
}

static uint64_t field(struct tep_event *e, struct tep_record *r,
		      const char *name)
{
	unsigned long long v;

	assert_int_equal(tep_get_any_field_val(NULL, e, name, r, &v, 0), 0);
	return v;
}

/* The letter that fake_trace knows the function by. */
static void print_record(const struct dat *d, struct tep_record *r, void *arg)
{
	struct tep_event *e = tep_find_event_by_record(d->tep, r);
	struct buf *out = arg;

	assert_non_null(e);
	if (r->missed_events)
		buf_printf(out, "LOST %lld\n", r->missed_events);
	buf_printf(out, "%llu pid %d flags %d ", r->ts / 1000,
		   (int)field(e, r, "common_pid"),
		   (int)field(e, r, "common_flags"));
	if (!strcmp(e->name, "funcgraph_entry"))
		buf_printf(out, "%c%d(\n", fake_letter(field(e, r, "func")),
			   (int)field(e, r, "depth"));
	else if (!strcmp(e->name, "funcgraph_exit"))
		buf_printf(out, "%c%d) %" PRIu64 "..%" PRIu64 "\n",
			   fake_letter(field(e, r, "func")),
			   (int)field(e, r, "depth"),
			   field(e, r, "calltime") / 1000,
			   field(e, r, "rettime") / 1000);
	else
		buf_printf(out, "%s\n", e->name);
}

static void assert_cpu(const struct dat *d, uint32_t cpu, const char *want)
{
	_cleanup_(buf_deinit) struct buf got = BUF_INIT;

	buf_puts(&got, "");
	each_record(d, cpu, print_record, &got);
	assert_string_equal(got.data, want);
}

static void make(struct dat *d, const char *words)
{
	struct fake_trace f;

	fake_trace_open(&f);
	fake_session(&f, 1);
	fake_records(&f, words);
	dat_of(d, &f);
	fake_trace_close(&f);
}

/* ---- Tests ---- */

static void test_calls(void **state)
{
	struct dat d;

	make(&d, "T42:cat a0( b1( b1) +90 a0) i0(i i0)i l0(s l0)s b0)\n"
		 "C2 @1025 T0:swapper/2 c0( c0) C2n @1028 T0:swapper/2 n0(n");
	assert_int_equal(d.nr_cpus, 3);
	assert_int_equal(d.cpu[1].len, 0);
	assert_cpu(&d, 0,
		   "0 pid 42 flags 0 a0(\n10 pid 42 flags 0 b1(\n"
		   "20 pid 42 flags 0 b1) 10..20\n110 pid 42 flags 0 a0) 0..110\n"
		   "120 pid 42 flags 8 i0(\n130 pid 42 flags 8 i0) 120..130\n"
		   "140 pid 42 flags 16 l0(\n150 pid 42 flags 16 l0) 140..150\n"
		   "160 pid 42 flags 0 b0) 160..160\n");
	assert_cpu(&d, 2,
		   "25 pid 0 flags 0 c0(\n28 pid 0 flags 64 n0(\n"
		   "35 pid 0 flags 0 c0) 25..35\n");
	assert_string_equal(d.names, "42 cat\n");
	dat_close(&d);
}

/* Returns that nobody saw are not made up, and losses stand where they were. */
static void test_lost(void **state)
{
	struct dat d;

	make(&d, "T42:cat a0( b1( L1234 T42:cat a0) a0( L3 T42:cat a0)\n"
		 "C1 @1100 T43:dd a0( L7 T43:dd L8 T43:dd a0)");
	assert_cpu(&d, 0,
		   "0 pid 42 flags 0 a0(\n10 pid 42 flags 0 b1(\n"
		   "LOST 1234\n20 pid 42 flags 0 a0) 0..20\n"
		   "30 pid 42 flags 0 a0(\n"
		   "LOST 3\n40 pid 42 flags 0 a0) 30..40\n");
	assert_cpu(&d, 1,
		   "100 pid 43 flags 0 a0(\n"
		   "LOST 15\n110 pid 43 flags 0 a0) 100..110\n");
	dat_close(&d);
}

static void test_symbols(void **state)
{
	struct dat d;

	make(&d, "T42:cat a0( u1( u1) a0) m0( m0)");
	assert_non_null(strstr(d.symbols, "ffffffff81000000 T ksys_read\n"));
	assert_non_null(strstr(d.symbols, "ffffffffc0200000 t xftmod_read\t[xftmod]\n"));
	/* What lies behind it is not vfs_read, but nobody knows what. */
	assert_non_null(strstr(d.symbols, "t unknown_behind_ksys_read\n"
					  "ffffffff81001000 T vfs_read\n"));
	dat_close(&d);
}

/* Times that no longer fit into a record, and some that go back. */
static void test_times(void **state)
{
	struct dat d;

	make(&d, "T42:cat @1000 a0( @135217 a0) @269435 a0( @403652 a0)\n"
		 "@3000000000000 a0( @3000000000000 a0) @2000 b0(\n"
		 "C0n @500 T42:cat a0(");
	assert_cpu(&d, 0,
		   "0 pid 42 flags 0 a0(\n"
		   "500 pid 42 flags 0 a0(\n"
		   "134717 pid 42 flags 0 a0) 500..134717\n"
		   "268935 pid 42 flags 0 a0(\n"
		   "403152 pid 42 flags 0 a0) 268935..403152\n"
		   "2999999999500 pid 42 flags 0 a0(\n"
		   "2999999999500 pid 42 flags 0 a0) "
		   "2999999999500..2999999999500\n"
		   "2999999999500 pid 42 flags 0 b0(\n");
	dat_close(&d);
}

#define COMMON                                                                 \
	"format:\\n"                                                           \
	"\\tfield:unsigned short common_type;\\toffset:0;\\tsize:2;"           \
	"\\tsigned:0;\\n"                                                      \
	"\\tfield:unsigned char common_flags;\\toffset:2;\\tsize:1;"           \
	"\\tsigned:0;\\n"                                                      \
	"\\tfield:unsigned char common_preempt_count;\\toffset:3;\\tsize:1;"   \
	"\\tsigned:0;\\n"                                                      \
	"\\tfield:int common_pid;\\toffset:4;\\tsize:4;\\tsigned:1;\\n\\n"

static void put_format(struct fake_trace *f, const char *system,
		       const char *format)
{
	_cleanup_(buf_deinit) struct buf b = BUF_INIT;

	buf_printf(&b, "{\"events\": [{\"system\": \"%s\", \"format\": \"%s\"}]}",
		   system, format);
	fake_must(fake_text_chunk(f, TRACE_EVENTS, b.data));
}

#define TICK_ID 256
#define PATH_ID 257

static void open_events(struct fake_trace *f)
{
	fake_trace_open(f);
	fake_session(f, 1);
	put_format(f, "test",
		   "name: tick\\nID: 256\\n" COMMON
		   "\\tfield:int n;\\toffset:8;\\tsize:4;\\tsigned:1;\\n\\n"
		   "print fmt: \\\"n=%d\\\", REC->n\\n");
	put_format(f, "test",
		   "name: path\\nID: 257\\n" COMMON
		   "\\tfield:int n;\\toffset:8;\\tsize:4;\\tsigned:1;\\n"
		   "\\tfield:__data_loc char[] s;\\toffset:12;\\tsize:4;"
		   "\\tsigned:1;\\n\\n"
		   "print fmt: \\\"n=%d %s\\\", REC->n, __get_str(s)\\n");
	fake_records(f, "T42:cat");
}

struct bytes {
	const struct fake_trace *f;
	uint32_t nr, len;
};

/* Bytes of the pattern that put_bytes() writes. */
static void check_bytes(const struct dat *d, struct tep_record *r, void *arg)
{
	const uint8_t *p = r->data;
	struct bytes *b = arg;
	uint32_t len = 8 + b->nr;

	if (len < 12)
		len = 12;
	assert_int_equal(r->ts, b->nr * 10000ull);
	assert_int_equal(r->size, (len + 3) / 4 * 4);
	for (uint32_t i = 8; i < 8 + b->nr; i++)
		assert_int_equal(p[i], (uint8_t)(b->nr + i));
	for (uint32_t i = 8 + b->nr; i < (uint32_t)r->size; i++)
		assert_int_equal(p[i], 0);
	b->nr++;
}

/* Events of every length there is, so that pages end in every way. */
static void test_lengths(void **state)
{
	enum { MOST = (XFT_LONG_WORDS - 1) * 8 - 8 };
	struct fake_trace f;
	struct bytes b = { 0 };
	struct dat d;

	open_events(&f);
	for (uint32_t n = 0; n <= MOST; n++) {
		uint8_t data[8 + MOST] = { TICK_ID & 255, TICK_ID >> 8 };

		for (uint32_t i = 8; i < 8 + n; i++)
			data[i] = n + i;
		fake_put_event(&f, 0, data, 8 + n);
		if (n % 64 == 63)
			fake_records(&f, "S T42:cat");
	}
	dat_of(&d, &f);
	each_record(&d, 0, check_bytes, &b);
	assert_int_equal(b.nr, MOST + 1);
	dat_close(&d);
	fake_trace_close(&f);
}

static void count_lost(const struct dat *d, struct tep_record *r, void *arg)
{
	uint64_t *n = arg;

	n[0]++;
	n[1] += r->missed_events;
	assert_true(r->missed_events == 0 || n[0] > 1);
}

/* The number of lost ones needs room behind the data of any length. */
static void test_full_pages(void **state)
{
	for (uint32_t len = 12; len < 64; len += 4) {
		uint8_t data[64] = { TICK_ID & 255, TICK_ID >> 8 };
		uint64_t n[2] = { 0 };
		struct fake_trace f;
		struct dat d;

		open_events(&f);
		for (uint32_t i = 0; i < 1000; i++) {
			if (i == 500)
				fake_records(&f, "L5 T42:cat");
			fake_put_event(&f, 0, data, len);
		}
		dat_of(&d, &f);
		each_record(&d, 0, count_lost, n);
		assert_int_equal(n[0], 1000);
		assert_int_equal(n[1], 5);
		dat_close(&d);
		fake_trace_close(&f);
	}
}

static void print_text(const struct dat *d, struct tep_record *r, void *arg)
{
	struct tep_event *e = tep_find_event_by_record(d->tep, r);
	const uint8_t *p = r->data;
	struct trace_seq s;

	assert_non_null(e);
	if (!strcmp(e->name, "path")) {
		uint32_t word;

		memcpy(&word, p + 12, 4);
		assert_true((word & 0xffff) < (uint32_t)r->size);
		assert_true((word & 0xffff) + (word >> 16) <= (uint32_t)r->size);
		assert_int_equal(p[r->size - 1], 0);
	}
	trace_seq_init(&s);
	tep_print_event(d->tep, &s, r, "%s: %s\n", TEP_PRINT_NAME,
			TEP_PRINT_INFO);
	trace_seq_terminate(&s);
	buf_puts(arg, s.buffer);
	trace_seq_destroy(&s);
}

static void put_path(struct fake_trace *f, uint32_t off, uint32_t len,
		     const char *s, uint32_t s_len)
{
	uint8_t data[256] = { PATH_ID & 255, PATH_ID >> 8 };
	uint32_t word = off | len << 16;

	memcpy(data + 12, &word, 4);
	memcpy(data + 16, s, s_len);
	fake_put_event(f, 0, data, 16 + s_len);
}

/* Strings that lie outside of their record or have no end; unknown events. */
static void test_hostile(void **state)
{
	_cleanup_(buf_deinit) struct buf got = BUF_INIT;
	struct fake_trace f;
	struct dat d;

	open_events(&f);
	put_path(&f, 16, 4, "abc", 4);
	put_path(&f, 16, 4, "abcd", 4);
	put_path(&f, 16, 60000, "abcd", 4);
	put_path(&f, 60000, 60000, "abcd", 4);
	put_path(&f, 20, 0, "abcd", 4);
	put_path(&f, 24, 0, "abcd", 4);
	fake_put_event(&f, 0, "\x01\x01\0\0\x2a\0\0\0", 8);
	fake_put_event(&f, 0, "\x01\x01\0\0\x2a\0\0\0\1\2\3\4\xff", 13);
	fake_put_event(&f, 0, "\x01", 1);
	fake_put_event(&f, 0, "\x63\0\0\0\x2a\0\0\0xyz", 11);
	fake_put_event(&f, 0, "\x0a\0\0\0\x2a\0\0\0xyz", 11);
	dat_of(&d, &f);
	each_record(&d, 0, print_text, &got);
	assert_string_equal(got.data,
			    "path: n=0 abc\npath: n=0 abcd\npath: n=0 abcd\n"
			    "path: n=0 \npath: n=0 \npath: n=0 \n"
			    "path: n=0 \npath: n=67305985 \n"
			    "unknown_event: of type 1, not described\n"
			    "unknown_event: of type 99, not described\n"
			    "unknown_event: of type 10, not described\n");
	dat_close(&d);
	fake_trace_close(&f);
}

/* The guest's own description of calls is used, unless it wants results. */
static void test_graph_types(void **state)
{
#define GRAPH(more)                                                            \
	"\\tfield:unsigned long func;\\toffset:8;\\tsize:8;\\tsigned:0;\\n"    \
	more "\\tfield:int depth;\\toffset:24;\\tsize:4;\\tsigned:1;\\n"        \
	"\\tfield:unsigned long long calltime;\\toffset:32;\\tsize:8;"         \
	"\\tsigned:0;\\n"                                                      \
	"\\tfield:unsigned long long rettime;\\toffset:40;\\tsize:8;"          \
	"\\tsigned:0;\\n\\nprint fmt: \\\"%lx\\\", REC->func\\n"
#define RETVAL                                                                 \
	"\\tfield:unsigned long retval;\\toffset:16;\\tsize:8;\\tsigned:0;\\n"
	for (int retval = 0; retval < 2; retval++) {
		struct tep_event *e;
		struct fake_trace f;
		struct dat d;

		fake_trace_open(&f);
		fake_session(&f, 1);
		put_format(&f, "ftrace",
			   "name: funcgraph_entry\\nID: 31\\n" COMMON GRAPH(""));
		put_format(&f, "ftrace",
			   retval ? "name: funcgraph_exit\\nID: 32\\n" COMMON
				    GRAPH(RETVAL) :
				    "name: funcgraph_exit\\nID: 32\\n" COMMON
				    GRAPH(""));
		fake_records(&f, "T42:cat a0( a0)");
		dat_of(&d, &f);
		assert_int_equal(d.nr_types, 2);
		assert_cpu(&d, 0, "0 pid 42 flags 0 a0(\n"
				  "10 pid 42 flags 0 a0) 0..10\n");
		e = tep_find_event_by_name(d.tep, "ftrace", "funcgraph_entry");
		assert_int_equal(e->id, 31);
		e = tep_find_event_by_name(d.tep, "ftrace", "funcgraph_exit");
		assert_int_equal(e->id, 32);
		assert_int_equal(tep_find_field(e, "rettime")->offset,
				 retval ? 32 : 40);
		dat_close(&d);
		fake_trace_close(&f);
	}
}

/* A file for each; times go on by the guest's clock. */
static void test_sessions(void **state)
{
	struct fake_trace f;
	struct files files;
	struct dat d;

	fake_trace_open(&f);
	fake_session(&f, 1);
	fake_records(&f, "T42:cat a0( a0)");
	fake_session(&f, 2);
	fake_records(&f, "C1 T43:dd @5000 b0( b0)");
	fake_trace_seal(&f);
	draw(&f.t, &files);
	assert_int_equal(files.nr, 2);
	dat_open(&d, files.fd[0]);
	assert_cpu(&d, 0, "0 pid 42 flags 0 a0(\n"
			  "10 pid 42 flags 0 a0) 0..10\n");
	assert_int_equal(d.nr_cpus, 1);
	dat_close(&d);
	dat_open(&d, files.fd[1]);
	assert_string_equal(d.names, "43 dd\n");
	assert_cpu(&d, 1, "4000 pid 43 flags 0 b0(\n"
			  "4010 pid 43 flags 0 b0) 4000..4010\n");
	dat_close(&d);
	close(files.fd[0]);
	close(files.fd[1]);
	fake_trace_close(&f);
}

/* The table of names grows, and none is lost on the way. */
static void test_many_tasks(void **state)
{
	_cleanup_(buf_deinit) struct buf words = BUF_INIT;
	char name[32];
	struct dat d;

	for (int pid = 1; pid <= 1000; pid++)
		buf_printf(&words, "T%d:task%d a0( a0) ", pid, pid);
	make(&d, words.data);
	for (int pid = 1; pid <= 1000; pid++) {
		snprintf(name, sizeof(name), "%d task%d\n", pid, pid);
		assert_non_null(strstr(d.names, name));
	}
	dat_close(&d);
}

static void test_nothing(void **state)
{
	struct dat d;

	make(&d, "");
	assert_int_equal(d.nr_cpus, 0);
	assert_string_equal(d.names, "");
	dat_close(&d);
}

/* An event that is recorded, and describes a call, is there once. */
static void test_twice(void **state)
{
	static const char *const path[] = { "256", "300" };
	struct fake_trace f;
	struct dat d;

	fake_trace_open(&f);
	fake_session(&f, 1);
	for (size_t i = 0; i < ARRAY_SIZE(path); i++) {
		_cleanup_(buf_deinit) struct buf b = BUF_INIT;

		buf_printf(&b, "name: tick\\nID: %s\\n" COMMON
			   "\\tfield:int n;\\toffset:8;\\tsize:4;"
			   "\\tsigned:1;\\n\\n"
			   "print fmt: \\\"n=%%d\\\", REC->n\\n", path[i]);
		put_format(&f, "test", b.data);
	}
	dat_of(&d, &f);
	assert_int_equal(d.nr_types, 3);
	assert_int_equal(tep_find_event_by_name(d.tep, "test", "tick")->id, 256);
	dat_close(&d);
	fake_trace_close(&f);
}

/* Real descriptions, also those that libtraceevent cannot read by itself. */
static void test_real_formats(void **state)
{
	struct event_texts texts;
	struct fake_trace f;
	json_t *list = json_array();
	_cleanup_free_ char *path = NULL, *chunk = NULL;
	struct dat d;

	assert_true(asprintf(&path, "%.*s/../data/formats-6.1.txt",
			     (int)(strrchr(__FILE__, '/') - __FILE__),
			     __FILE__) > 0);
	event_texts_open(&texts, path);
	for (size_t i = 0; i < texts.nr; i++)
		json_array_append_new(
			list, json_pack("{s:s, s:s%}", "system",
					texts.all[i].system, "format",
					texts.all[i].text, texts.all[i].len));
	list = json_pack("{s:o}", "events", list);
	chunk = json_dumps(list, 0);
	json_decref(list);
	fake_trace_open(&f);
	fake_session(&f, 1);
	fake_must(fake_text_chunk(&f, TRACE_EVENTS, chunk));
	dat_of(&d, &f);
	assert_true(d.nr_types >= texts.nr);
	for (size_t i = 0; i < texts.nr; i++) {
		struct tep_event *e = tep_find_event_by_name(
			d.tep, texts.all[i].system, texts.all[i].name);

		assert_non_null(e);
		assert_false(e->flags & TEP_EVENT_FL_FAILED);
		assert_true(*e->print_fmt.format);
	}
	dat_close(&d);
	fake_trace_close(&f);
	event_texts_close(&texts);
}

/* A CPU that no guest has. */
static void test_far_cpu(void **state)
{
	const struct trace_span span = { .session = 1, .cpu = XFT_MAX_CPUS };
	struct fake_trace f;

	fake_trace_open(&f);
	fake_session(&f, 1);
	assert_int_equal(fake_chunk(&f, TRACE_SPAN, &span, sizeof(span)),
			 -EBADMSG);
	fake_trace_close(&f);
}

static void test_full_disk(void **state)
{
	struct sink sink = { .fd = open("/dev/full", O_WRONLY | O_CLOEXEC) };
	struct call_stats stats;
	struct fake_trace f;
	struct xf_err err;

	fake_trace_open(&f);
	fake_session(&f, 1);
	fake_records(&f, "T42:cat a0( a0)");
	fake_trace_seal(&f);
	assert_int_equal(callgraph_draw(&f.t, &emit_dat, &sink, &stats, &err),
			 -ENOSPC);
	sink.failed = 0;
	sink.beside = "/nonesuch/trace.dat";
	assert_int_equal(callgraph_draw(&f.t, &emit_dat, &sink, &stats, &err),
			 -ENOENT);
	close(sink.fd);
	buf_deinit(&sink.buf);
	fake_trace_close(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_calls),
		cmocka_unit_test(test_lost),
		cmocka_unit_test(test_symbols),
		cmocka_unit_test(test_times),
		cmocka_unit_test(test_lengths),
		cmocka_unit_test(test_full_pages),
		cmocka_unit_test(test_hostile),
		cmocka_unit_test(test_graph_types),
		cmocka_unit_test(test_sessions),
		cmocka_unit_test(test_many_tasks),
		cmocka_unit_test(test_nothing),
		cmocka_unit_test(test_twice),
		cmocka_unit_test(test_real_formats),
		cmocka_unit_test(test_far_cpu),
		cmocka_unit_test(test_full_disk),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
