// SPDX-License-Identifier: GPL-2.0-only
/*
 * callgraph, through an emitter that writes short and watches that the promises
 * of emit.h are kept: first on traces with a known tree, then on noise.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>

#include "callgraph.h"
#include "cleanup.h"
#include "fake_trace.h"

/* An open call, as the emitter saw it. */
struct open_call {
	const struct task *task;
	uint64_t func, tsc_in;
	uint32_t level;
	bool leaf;
};

#define IDLE 0x40000000

struct watch {
	struct emitter e;
	struct open_call open[4096];
	size_t nr_open;
	uint32_t pid;
	uint64_t enters, leaves, headless, cuts, opens;
	bool began, ended;
	struct call_stats totals;
};

static struct watch *watch_of(struct emitter *e)
{
	return (struct watch *)e;
}

/* The task where it is not the one before; of idle tasks, the CPU. */
static struct buf *say(struct watch *w, const struct call *c)
{
	struct buf *b = &w->e.sink->buf;
	uint32_t pid = c->task->pid;

	if ((pid ? pid : IDLE + c->cpu) != w->pid) {
		if (b->len && b->data[b->len - 1] != ']')
			buf_putc(b, ' ');
		if (pid)
			buf_printf(b, "%u:", pid);
		else
			buf_printf(b, "idle%u:", c->cpu);
	}
	w->pid = pid ? pid : IDLE + c->cpu;
	return b;
}

/* The innermost open call of a task. */
static struct open_call *top_of(struct watch *w, const struct task *task)
{
	for (size_t i = w->nr_open; i-- > 0;)
		if (w->open[i].task == task)
			return &w->open[i];
	return NULL;
}

/* A call's parents are the open calls of its task, from the inside out. */
static void check_parents(struct watch *w, const struct call *c, size_t i)
{
	const struct call *p = c->parent;

	while (i-- > 0) {
		if (w->open[i].task != c->task)
			continue;
		assert_non_null(p);
		assert_int_equal(p->func, w->open[i].func);
		assert_int_equal(p->tsc_in, w->open[i].tsc_in);
		assert_ptr_equal(p->task, c->task);
		p = p->parent;
	}
	assert_null(p);
}

static void watch_begin(struct emitter *e, const struct call_stats *s)
{
	struct watch *w = watch_of(e);

	assert_int_equal(w->nr_open, 0);
	assert_false(w->began);
	assert_non_null(e->session);
	w->began = true;
	w->ended = false;
	w->totals = *s;
	w->enters = w->headless = w->cuts = w->opens = 0;
	w->pid = UINT32_MAX;
	if (e->sink->buf.len)
		buf_puts(&e->sink->buf, " |");
}

static void watch_enter(struct emitter *e, const struct call *c)
{
	struct watch *w = watch_of(e);
	struct open_call *top = top_of(w, c->task);

	assert_true(w->began);
	check_parents(w, c, w->nr_open);
	if (top)
		assert_int_equal(c->level, top->level + 1);
	assert_true(w->nr_open < ARRAY_SIZE(w->open));
	w->open[w->nr_open++] = (struct open_call){ c->task, c->func, c->tsc_in,
						    c->level, c->leaf };
	w->enters++;
	buf_printf(say(w, c), "%c%s", fake_letter(c->func),
		   c->leaf ? ";" : "{");
}

static void watch_leave(struct emitter *e, const struct call *c)
{
	static const char *const marks[] = { "", "?", "!", "~", "^" };
	struct watch *w = watch_of(e);
	struct open_call *top = top_of(w, c->task);

	assert_true(w->began);
	assert_true(c->end <= CALL_HEADLESS);
	if (c->end == CALL_HEADLESS) {
		assert_null(c->parent);
		assert_int_equal(c->caller, 0);
		w->headless++;
		buf_printf(say(w, c), "%c^", fake_letter(c->func));
		return;
	}
	/* Of all that is open in this task it is the innermost. */
	assert_non_null(top);
	assert_int_equal(top->func, c->func);
	assert_int_equal(top->tsc_in, c->tsc_in);
	assert_int_equal(top->leaf, c->leaf);
	assert_int_equal(top->level, c->level);
	check_parents(w, c, top - w->open);
	memmove(top, top + 1, (w->open + w->nr_open - top - 1) * sizeof(*top));
	w->nr_open--;
	w->cuts += c->end == CALL_CUT;
	w->opens += c->end == CALL_OPEN || c->end == CALL_LEFT;
	if (!c->leaf)
		buf_printf(say(w, c), "}%s", marks[c->end]);
	else if (c->end)
		buf_printf(say(w, c), "%s", marks[c->end]);
}

static void watch_lost(struct emitter *e, uint32_t cpu, uint64_t records)
{
	struct watch *w = watch_of(e);

	assert_true(records > 0);
	buf_printf(&e->sink->buf, "[%lu]", records);
	w->pid = UINT32_MAX;
}

static void watch_end(struct emitter *e, const struct call_stats *s)
{
	struct watch *w = watch_of(e);

	assert_int_equal(w->nr_open, 0);
	/* What the header said is what came. */
	assert_memory_equal(s, &w->totals, sizeof(*s));
	assert_int_equal(s->calls, w->enters);
	assert_int_equal(s->headless, w->headless);
	assert_int_equal(s->cut, w->cuts);
	assert_int_equal(s->open, w->opens);
	w->began = false;
	w->ended = true;
}

static const struct emit_ops watching = {
	.name = "watch",
	.begin = watch_begin,
	.enter = watch_enter,
	.leave = watch_leave,
	.lost = watch_lost,
	.end = watch_end,
	.state_size = sizeof(struct watch),
};

static char *read_back(int fd)
{
	off_t len = lseek(fd, 0, SEEK_END);
	char *s = calloc(1, len + 1);

	assert_int_equal(pread(fd, s, len, 0), len);
	close(fd);
	return s;
}

static char *draw(const struct trace *t, const struct emit_ops *ops,
		  struct call_stats *ret_stats)
{
	struct sink sink = { .fd = memfd_create("drawn", MFD_CLOEXEC) };
	struct xf_err err = { 0 };

	struct call_stats counted;

	assert_int_equal(callgraph_draw(t, ops, &sink, ret_stats, &err), 0);
	callgraph_count(t, &counted);
	assert_memory_equal(&counted, ret_stats, sizeof(counted));
	buf_deinit(&sink.buf);
	return read_back(sink.fd);
}

static void assert_draws(const char *words, const char *want)
{
	_cleanup_free_ char *got = NULL;
	struct call_stats stats;
	struct fake_trace f;

	fake_trace_open(&f);
	fake_session(&f, 1);
	fake_records(&f, words);
	fake_trace_seal(&f);
	got = draw(&f.t, &watching, &stats);
	assert_string_equal(got, want);
	fake_trace_close(&f);
}

static void test_tree(void **state)
{
	assert_draws("", "");
	assert_draws("T5", "");
	assert_draws("T5 a0( a0)", "5:a;");
	assert_draws("T5 a0( b1( c2( c2) b1) d1( d1) a0) a0( a0)",
		     "5:a{b{c;}d;}a;");
	/* Recursion. */
	assert_draws("T5 a0( a1( a2( a2) a1) a0)", "5:a{a{a;}}");
	/* Tasks take turns on one CPU; each has its own tree. */
	assert_draws("T5 a0( b1( T6 a0( c1( T5 b1) a0) T6 c1) a0)",
		     "5:a{b{ 6:a{c{ 5:}} 6:}}");
	/*
	 * A task that moves to another CPU takes its tree along. What others
	 * do meanwhile does not keep c from being a leaf.
	 */
	assert_draws("@10 T5 a0( b1( C1 @40 T5 c2( C0 T6 @45 d0( @50 d0) C1 "
		     "@60 c2) b1) a0)",
		     "5:a{b{c; 6:d; 5:}}");
	/* The idle tasks, one a CPU, all have pid 0. */
	assert_draws("@10 a0( @40 b1( C1 @20 c0( @50 d1( C0 @60 b1) a0) "
		     "C1 @80 d1) c0)",
		     "idle0:a{ idle1:c{ idle0:b; idle1:d; idle0:} idle1:}");
}

static void test_interrupts(void **state)
{
	/* In the middle, and between the depth and the record of a return. */
	assert_draws("T5 a0( i1(i j2(i j2)i i1)i a0)", "5:a{i{j;}}");
	assert_draws("T5 a0( b1( i1(i j2(i j2)i i1)i b1) a0)", "5:a{b{i{j;}}}");
	assert_draws("T5 a0( b1( i1(i i1)i i1(i i1)i b1) a0)", "5:a{b{i;i;}}");
	/* A softirq in its tail, an NMI in that. */
	assert_draws("T5 a0( b1( i1(i k2(i l3(s n3(n n3)n l3)s k2)i i1)i b1) "
		     "a0)",
		     "5:a{b{i{k{l{n;}}}}}");
	/* Of a root that is just returning. */
	assert_draws("T5 a0( i0(i j1(i j1)i i0)i a0)", "5:a{i{j;}}");
	/* Rescheduled on the way back: task context again, at that depth. */
	assert_draws("T5 a0( b1( h1(<k h1) b1) a0)", "5:a{b{h;}}");
}

/* Calls that an NMI makes come from another ring; a leaf they are not in. */
static void test_nmi_ring(void **state)
{
	assert_draws("T5 @100 a0( @200 a0) C0n T5 @120 n1(n @130 n1)n",
		     "5:a{n;}");
	assert_draws("T5 @100 a0( @200 a0) @300 b0( @400 b0) C0n T5 @250 "
		     "n0(n @260 n0)n",
		     "5:a;n;b;");
}

static void test_lost(void **state)
{
	/* Calls that were open before may still return. */
	assert_draws("T5 a0( b1( L2 T5 b1) a0)", "5:a{b{[2]5:}}");
	/* Their returns are among what is lost. */
	assert_draws("T5 a0( b1( c2( L9 T5 d1( d1) a0)",
		     "5:a{b{c{[9]5:}!}!d;}");
	assert_draws("T5 a0( b1( L9 T5 a0( a0)", "5:a{b{[9]5:}!}!a;");
	/* Their entries are. */
	assert_draws("L9 T5 c2) b1) a0)", "[9]5:c^b^a^");
	assert_draws("T5 a0( L9 T5 c2) b1) a0)", "5:a{[9]5:c^b^}");
	/* A return closes what lies inside. */
	assert_draws("T5 a0( b1( c2( L4 T5 a0)", "5:a{b{c{[4]5:}!}!}");
	/* Lost on one CPU, while another's task goes on undisturbed. */
	assert_draws("T5 @10 a0( b1( C1 T6 @15 a0( L3 @40 T6 a0( a0) "
		     "C0 @90 b1) a0)",
		     "5:a{ 6:a{ 5:b;[3]6:}!a; 5:}");
	/* Only an entry and its own return make a leaf. */
	assert_draws("T5 a0( L1 T5 a0)", "5:a{[1]5:}");
	assert_draws("T5 a0( T6 a0) T5 a0)", "5:a{ 6:a^ 5:}");
	assert_draws("T5 a0( a1) a0)", "5:a{a^}");
}

static void test_ends(void **state)
{
	/* Began before we looked, not over when we stopped. */
	assert_draws("T5 c2) b1) d1( d1) a0) a0( b1(", "5:c^b^d;a^a{b{}?}?");
	/* By task, in order of pid, and the idle ones last. */
	assert_draws("T9 a0( T3 b0( c1( T0 d0(",
		     "9:a{ 3:b{c{ idle0:d{ 3:}?}? 9:}? idle0:}?");
}

/* A task ended in a call, and another one has its pid now. */
static void test_pid_again(void **state)
{
	assert_draws("T5 a0( b1( h2( T6 T5 c0( d1( d1) c0)",
		     "5:a{b{h{}~}~}~c{d;}");
	/* Its first words may be those of an interrupt. */
	assert_draws("T5 a0( b1( h2( i0(i j1(i j1)i i0)i c0( c0)",
		     "5:a{b{h{}~}~}~i{j;}c;");
	/* Where but one level is recorded; a's caller is do_syscall_64. */
	assert_draws("T5 a0( c0( c0)", "5:a{}~c;");
	/* That is no proof if records were lost. */
	assert_draws("T5 a0( b1( L2 T5 c0( c0)", "5:a{b{[2]5:}!}!c;");
}

static void test_many_frames(void **state)
{
	_cleanup_free_ char *got = NULL;
	struct call_stats stats;
	struct fake_trace f;

	/* As deep as records can say, and back. */
	fake_trace_open(&f);
	fake_session(&f, 1);
	fake_records(&f, "T5");
	for (int i = 0; i < 256; i++)
		fake_put_call(&f, XFT_ENTRY, 0, i, fake_addr('a'), 0);
	for (int i = 255; i >= 0; i--)
		fake_put_call(&f, XFT_RETURN, 0, i, fake_addr('a'), 0);
	fake_trace_seal(&f);
	got = draw(&f.t, &watching, &stats);
	assert_int_equal(stats.calls, 256);
	assert_int_equal(stats.open + stats.cut + stats.headless, 0);
	fake_trace_close(&f);

	/* Deeper than any kernel's stack: made up, and drawn all the same. */
	fake_trace_open(&f);
	fake_session(&f, 1);
	fake_records(&f, "T5");
	for (int i = 0; i < 3000; i++)
		fake_put_call(&f, XFT_ENTRY, i % 4, 7, fake_addr('a'), 0);
	fake_trace_seal(&f);
	free(got);
	got = draw(&f.t, &watching, &stats);
	assert_int_equal(stats.calls, 3000);
	assert_int_equal(stats.cut + stats.open, 3000);
	fake_trace_close(&f);
}

/* So many tasks that some must be forgotten: open calls are not. */
static void test_many_tasks(void **state)
{
	const char comm[16] = "many";
	_cleanup_free_ char *got = NULL;
	struct call_stats stats;
	struct fake_trace f;
	uint32_t nr = 70000;

	fake_trace_open(&f);
	fake_session(&f, 1);
	fake_put_task(&f, 1, comm);
	fake_records(&f, "a0( b1(");
	for (uint32_t i = 2; i < nr; i++) {
		fake_put_task(&f, i, comm);
		fake_put_call(&f, XFT_ENTRY, 0, 0, fake_addr('a'), 0);
		fake_put_call(&f, XFT_RETURN, 0, 0, fake_addr('a'), 0);
	}
	fake_put_task(&f, 1, comm);
	fake_records(&f, "b1) a0)");
	fake_trace_seal(&f);
	got = draw(&f.t, &watching, &stats);
	assert_int_equal(stats.calls, nr);
	assert_int_equal(stats.open + stats.cut + stats.headless, 0);
	fake_trace_close(&f);
}

static void test_sessions(void **state)
{
	_cleanup_free_ char *got = NULL;
	struct call_stats stats;
	struct fake_trace f;

	fake_trace_open(&f);
	fake_session(&f, 1);
	fake_records(&f, "T5 a0( b1(");
	fake_session(&f, 2);
	fake_session(&f, 5);
	/* The same pid, and none of its calls. */
	fake_records(&f, "T5 b1) c0( c0)");
	fake_trace_seal(&f);
	got = draw(&f.t, &watching, &stats);
	assert_string_equal(got, "5:a{b{}?}? | | 5:b^c;");
	assert_int_equal(stats.calls, 3);
	assert_int_equal(stats.open, 2);
	assert_int_equal(stats.headless, 1);
	fake_trace_close(&f);
}

static void test_stats(void **state)
{
	_cleanup_free_ char *got = NULL;
	struct call_stats s;
	struct fake_trace f;

	fake_trace_open(&f);
	fake_session(&f, 1);
	fake_records(&f, "T5 a0( u1( u1) L3 T5 b1( T6 c1) ! S K9 T5 a0)");
	fake_trace_seal(&f);
	got = draw(&f.t, &watching, &s);
	assert_int_equal(s.calls, 3);
	assert_int_equal(s.unknown, 1);
	assert_int_equal(s.headless, 1);
	assert_int_equal(s.open, 2);
	assert_int_equal(s.cut, 0);
	assert_int_equal(s.lost, 3);
	assert_int_equal(s.bad_spans, 2);
	assert_int_equal(s.records, 8);
	fake_trace_close(&f);
}

/* Where the output goes is full: an error, and an end. */
static void test_sink_fails(void **state)
{
	struct call_stats stats = { .calls = 4711 };
	struct xf_err err = { 0 };
	struct fake_trace f;
	struct sink sink;

	fake_trace_open(&f);
	fake_session(&f, 1);
	for (int i = 0; i < 30000; i++)
		fake_records(&f, "a0( a0)");
	fake_session(&f, 2);
	fake_records(&f, "a0( a0)");
	fake_trace_seal(&f);
	sink = (struct sink){ .fd = open("/dev/full", O_WRONLY) };
	assert_int_equal(callgraph_draw(&f.t, &emit_text, &sink, &stats, &err),
			 -ENOSPC);
	assert_int_equal(err.code, -ENOSPC);
	assert_int_equal(stats.calls, 4711);
	buf_deinit(&sink.buf);
	close(sink.fd);
	fake_trace_close(&f);
}

/* ---- noise ---- */

static uint64_t seed;

static uint32_t rnd(uint32_t n)
{
	seed = seed * 6364136223846793005ull + 1442695040888963407ull;
	return (seed >> 33) % n;
}

/* A task's name of any bytes, but none that the balance counts. */
static void noisy_comm(char comm[16])
{
	for (int i = 0; i < 16; i++)
		do
			comm[i] = rnd(256);
		while (strchr("{}|", comm[i]) && comm[i]);
}

static void add_noise(struct fake_trace *f, uint32_t records)
{
	static const char plain[16] = "a\0b";
	char comm[16];

	for (uint32_t i = 0; i < records; i++) {
		uint32_t what = rnd(100);

		if (rnd(6) == 0) {
			f->cpu = rnd(3);
			f->nmi = rnd(8) == 0;
		}
		if (what < 12) {
			noisy_comm(comm);
			fake_put_task(f, rnd(4), rnd(2) ? comm : plain);
		} else if (what < 14) {
			fake_turn(f, rnd(2) ? rnd(50) : rnd(3) << 30,
				  rnd(20) ? 1 + rnd(2) : 9);
		} else if (what < 15) {
			fake_word(f, rnd(2) ? "!" : "U");
		} else if (what < 17) {
			f->now = rnd(2) ? rnd(100000) : seed;
		} else {
			fake_put_call(f, what < 58 ? XFT_ENTRY : XFT_RETURN,
				      rnd(4), rnd(20) ? rnd(5) : rnd(256),
				      rnd(30) ? fake_addr('a' + rnd(6)) : seed,
				      fake_addr('a' + rnd(26)) + rnd(300));
		}
	}
}

/* Lines that open a brace, and lines that close one, by the third column. */
static void check_text(const char *text, const struct call_stats *s)
{
	uint64_t open = 0, close = 0, leaf = 0, headless = 0;

	while (*text) {
		const char *end = strchr(text, '\n'), *p = text;
		size_t len;

		assert_non_null(end);
		for (p = text; p < end; p++)
			if ((*p < 0x20 || *p > 0x7e))
				fail_msg("byte 0x%02x in the text", *p & 0xff);
		p = *text == '#' ? NULL : memchr(text, '|', end - text);
		p = p ? memchr(p + 1, '|', end - p - 1) : NULL;
		p = p ? memchr(p + 1, '|', end - p - 1) : NULL;
		text = end + 1;
		if (!p)
			continue;
		len = end - ++p;
		if (memmem(p, len, "() {", 4))
			open++;
		else if (memmem(p, len, "();", 3))
			leaf++;
		else if (memchr(p, '}', len))
			close++;
		headless += !!memmem(p, len, "its beginning was not", 21);
	}
	assert_int_equal(open + leaf, s->calls);
	assert_int_equal(headless, s->headless);
	assert_int_equal(open, close - headless);
}

static void test_noise(void **state)
{
	uint64_t records = 0;

	seed = 1;
	for (int round = 0; round < 700; round++) {
		_cleanup_free_ char *short_form = NULL, *text = NULL;
		struct call_stats a, b;
		struct fake_trace f;

		fake_trace_open(&f);
		for (uint32_t s = 1; s <= 1 + rnd(2); s++) {
			fake_session(&f, s);
			add_noise(&f, rnd(300));
		}
		fake_trace_seal(&f);
		short_form = draw(&f.t, &watching, &a);
		text = draw(&f.t, &emit_text, &b);
		assert_memory_equal(&a, &b, sizeof(a));
		check_text(text, &b);
		records += b.records;
		fake_trace_close(&f);
	}
	assert_true(records > 100000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tree),
		cmocka_unit_test(test_interrupts),
		cmocka_unit_test(test_nmi_ring),
		cmocka_unit_test(test_lost),
		cmocka_unit_test(test_ends),
		cmocka_unit_test(test_pid_again),
		cmocka_unit_test(test_many_frames),
		cmocka_unit_test(test_many_tasks),
		cmocka_unit_test(test_sessions),
		cmocka_unit_test(test_stats),
		cmocka_unit_test(test_sink_fails),
		cmocka_unit_test(test_noise),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
