// SPDX-License-Identifier: GPL-2.0-only
/* Pages that were written, put down to calls; and what a damaged trace says. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>

#include "callgraph.h"
#include "cleanup.h"
#include "dirtyjoin.h"
#include "dirtytable.h"
#include "fake_trace.h"
#include "xft_dirty.h"
#include "xft_page.h"

/* Records of one CPU begin behind the header of sub-buffer 0 and TASK. */
#define FIRST	(sizeof(struct xft_sub) + XFT_TASK_WORDS * 8)
#define AT(n)	(FIRST + (n) * XFT_CALL_WORDS * 8) /* head before the nth */
#define KERNEL	0xffffffff81000010ull

struct chunk {
	struct trace_dirty head;
	struct trace_dirty_record rec[64];
};

static struct chunk chunk_of(uint32_t nr)
{
	return (struct chunk){
		.head = { .session = 1, .source = XFTD_TCG, .nr = nr,
			  .sub_shift = 12 },
	};
}

static int add(struct fake_trace *f, const struct chunk *c, uint32_t nr)
{
	return fake_chunk(f, TRACE_DIRTY, c,
			  sizeof(c->head) + nr * sizeof(c->rec[0]));
}

static struct trace_dirty_record page(uint64_t addr, uint64_t pos)
{
	return (struct trace_dirty_record){
		.addr = addr, .pos = pos, .pc = KERNEL, .type = XFT_PAGE_SLAB,
	};
}

/* An emitter that says of each page whose it is. */
struct list {
	struct emitter e;
};

static void list_dirty(struct emitter *e, const struct dirty_page *d,
		       const struct call *c)
{
	buf_printf(&e->sink->buf, "%llx%c ",
		   (unsigned long long)d->rec->addr >> 12,
		   c ? fake_letter(c->func) : '-');
}

static void no_totals(struct emitter *e, const struct call_stats *s)
{
}

static void no_call(struct emitter *e, const struct call *c)
{
}

static void no_loss(struct emitter *e, uint32_t cpu, uint64_t records)
{
}

static const struct emit_ops list_ops = {
	.begin = no_totals, .enter = no_call, .leave = no_call,
	.dirty = list_dirty, .lost = no_loss, .end = no_totals,
	.state_size = sizeof(struct list),
};

/* What callgraph_draw() writes; the caller frees it. */
static char *draw(struct fake_trace *f, const struct emit_ops *ops,
		  const void *arg)
{
	struct sink sink = { .arg = arg };
	struct call_stats s;
	int fds[2];
	struct buf b = BUF_INIT;
	ssize_t n;

	assert_int_equal(pipe(fds), 0);
	sink.fd = fds[1];
	assert_int_equal(callgraph_draw(&f->t, ops, &sink, &s, NULL), 0);
	close(fds[1]);
	while ((n = read(fds[0], buf_reserve(&b, 4096), 4096)) > 0)
		b.len += n;
	close(fds[0]);
	buf_deinit(&sink.buf);
	buf_putc(&b, '\0');
	return b.data;
}

static void open_calls(struct fake_trace *f, const char *records)
{
	fake_trace_open(f);
	fake_session(f, 1);
	fake_records(f, records);
}

static void test_innermost(void **state)
{
	struct chunk c = chunk_of(6);
	struct fake_trace f;

	open_calls(&f, "T5:cat a0( b1( b1) a0)");
	c.rec[0] = page(0x1000, AT(0));	/* before anything */
	c.rec[1] = page(0x2000, AT(1));	/* in a */
	c.rec[2] = page(0x3000, AT(2));	/* in b */
	c.rec[3] = page(0x4000, AT(3));	/* in a again */
	c.rec[4] = page(0x5000, AT(3));
	c.rec[4].pc = 0x400000;		/* a program's: nobody's */
	c.rec[5] = page(0x6000, AT(4));	/* behind it */
	assert_int_equal(add(&f, &c, 6), 0);
	fake_trace_seal(&f);
	{
		_cleanup_free_ char *text = draw(&f, &list_ops, NULL);

		assert_string_equal(text, "1- 2a 3b 4a 5- 6- ");
	}
	{
		_cleanup_free_ char *text = draw(&f, &emit_text, NULL);

		assert_non_null(strstr(text, "vfs_read(); /* dirtied 1: slab"));
		assert_non_null(strstr(text, "} /* dirtied 2: 2 slab */"));
	}
	fake_trace_close(&f);
}

/* Its CPU went to somebody of whom nothing is known, but not before b ended. */
static void test_switched(void **state)
{
	struct chunk c = chunk_of(3);
	struct fake_trace f;
	struct symtab *st = symtab_create();
	_cleanup_(buf_deinit) struct buf pack = BUF_INIT;
	_cleanup_free_ char *text = NULL;

	open_calls(&f, "T5:cat a0( h1( b2( b2) h1) a0)");
	symtab_add(st, fake_addr('a'), FAKE_SIZE, 'T', "ksys_read", 9, NULL);
	symtab_add(st, fake_addr('b'), FAKE_SIZE, 'T', "vfs_read", 8, NULL);
	symtab_add(st, fake_addr('h'), FAKE_SIZE, 'T', "schedule", 8, NULL);
	symtab_seal(st);
	symtab_pack(st, SYMTAB_KERNEL, &pack);
	symtab_destroy(st);
	assert_int_equal(fake_chunk(&f, TRACE_SYMBOLS, pack.data, pack.len), 0);
	c.rec[0] = page(0x1000, AT(3));
	c.rec[1] = page(0x2000, AT(4));
	c.rec[2] = page(0x3000, AT(4));
	c.rec[2].pc = fake_addr('h') + 8;
	assert_int_equal(add(&f, &c, 3), 0);
	fake_trace_seal(&f);
	text = draw(&f, &list_ops, NULL);
	assert_string_equal(text, "1b 2- 3h ");
	fake_trace_close(&f);
}

static void test_harvested(void **state)
{
	struct chunk c = chunk_of(2);
	struct fake_trace f;

	open_calls(&f, "T5:cat a0( a0) e0( b1( b1) e0)");
	/* Written while b ran, or in e before that; and at any time at all. */
	c.head.source = XFTD_KVM_RING;
	for (int i = 0; i < 2; i++) {
		c.rec[i] = page(0x1000 + i * 0x1000, AT(5));
		c.rec[i].flags = XFTD_HARVESTED;
		c.rec[i].pc = 0;
	}
	c.rec[0].width = AT(5) - AT(3);
	c.rec[0].width_us = 1500;
	c.rec[1].width = UINT32_MAX;
	c.rec[1].width_us = 2000000;
	assert_int_equal(add(&f, &c, 2), 0);
	fake_trace_seal(&f);
	{
		_cleanup_free_ char *text = draw(&f, &emit_text, NULL);

		assert_non_null(strstr(text, "harvested"));
		assert_non_null(strstr(
			text, "dirtied by this or others, within 2000.000 ms, "
			      "2: 2 slab"));
	}
	fake_trace_close(&f);
}

static void test_set(void **state)
{
	_cleanup_(buf_deinit) struct buf b = BUF_INIT;
	struct trace_dirty_record rec[DIRTY_SET_MAX + 5];
	struct dirty_set s = { 0 };
	struct fake_trace f;

	open_calls(&f, "T5:cat a0( a0)");
	fake_text_chunk(&f, TRACE_NAMES, "{\"names\": [\"dentry\", \"sh\"]}");
	fake_trace_seal(&f);
	for (size_t i = 0; i < ARRAY_SIZE(rec); i++) {
		rec[i] = page(i << 12, 0);
		dirty_set_add(&s, &rec[i]);
		dirty_set_add(&s, &rec[i]);
	}
	assert_int_equal(s.nr, DIRTY_SET_MAX);
	dirty_set_deinit(&s);
	rec[0].name = 1;
	rec[1].type = XFT_PAGE_STACK;
	rec[1].value = 142;
	rec[1].name = 2;
	rec[2].type = XFT_PAGE_CACHE;
	rec[2].value = 1234;
	rec[3].type = XFT_PAGE_SYSCALLS;
	rec[3].value = 0xffffffff82000000;
	/* Numbers that mean nothing. */
	rec[4].type = 200;
	rec[4].name = 77;
	for (int i = 0; i < 5; i++)
		dirty_set_add(&s, &rec[i]);
	dirty_set_print(&s, &f.t.sessions[0], &b);
	buf_putc(&b, '\0');
	assert_string_equal(b.data,
			    "5: !!! system call table 0xffffffff82000000, "
			    "stack of sh-142, slab dentry, "
			    "page cache ino 1234, other memory");
	dirty_set_deinit(&s);
	fake_trace_close(&f);
}

static void test_table(void **state)
{
	static const struct {
		struct dirtytable_query q;
		const char *want;
	} cases[] = {
		{ { .by = DIRTYTABLE_PAGE }, "!          1  0x000000009000" },
		{ { .by = DIRTYTABLE_PAGE },
		  "           2  0x000000001000  vfs_read" },
		{ { .by = DIRTYTABLE_CALL }, "!          3          2  vfs_read" },
		{ { .by = DIRTYTABLE_TYPE }, "         2          1  slab" },
		{ { .by = DIRTYTABLE_TIME, .interval_ns = 1000 },
		  "     0.000          2          2          2" },
		{ { .by = DIRTYTABLE_PAGE, .json = true, .once = true },
		  "\"page\":\"0x9000\"" },
		{ { .by = DIRTYTABLE_WRITE, .json = true },
		  "\"root\":\"ksys_read\"" },
	};
	struct chunk c = chunk_of(3);
	struct fake_trace f;

	open_calls(&f, "T5:cat a0( b1( b1) a0)");
	c.rec[0] = page(0x1000, AT(2));
	c.rec[1] = page(0x9000, AT(2));
	c.rec[1].type = XFT_PAGE_RODATA;
	c.rec[2] = page(0x1008, AT(2));
	c.rec[0].time_ns = c.rec[1].time_ns = 1000;
	c.rec[2].time_ns = 6000;
	assert_int_equal(add(&f, &c, 3), 0);
	fake_trace_seal(&f);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_free_ char *text = draw(&f, &emit_dirtytable,
						 &cases[i].q);

		if (!strstr(text, cases[i].want))
			fail_msg("%s\nhas no: %s", text, cases[i].want);
	}
	fake_trace_close(&f);
}

/* All of one vCPU's pages may come before the other's, which began earlier. */
static void test_times(void **state)
{
	struct dirtytable_query q = { .by = DIRTYTABLE_TIME,
				      .interval_ns = 1000 };
	_cleanup_free_ char *text = NULL;
	struct chunk c = chunk_of(3);
	struct fake_trace f;

	open_calls(&f, "T5:cat a0( a0)");
	for (int i = 0; i < 3; i++)
		c.rec[i] = page(i == 1 ? 0x2000 : 0x1000, AT(2));
	c.rec[0].time_ns = c.rec[1].time_ns = 1000;
	c.rec[2].time_ns = 6000;
	assert_int_equal(add(&f, &c, 3), 0);
	c.head.vcpu = 1;
	c.head.nr = 2;
	c.rec[0].time_ns = 500;
	c.rec[1] = c.rec[2];
	assert_int_equal(add(&f, &c, 2), 0);
	fake_trace_seal(&f);
	text = draw(&f, &emit_dirtytable, &q);
	assert_non_null(strstr(text, "0.000          3          2          2"));
	assert_non_null(strstr(text, "0.000          2          1          0"));
	fake_trace_close(&f);
}

static void test_damaged(void **state)
{
	struct chunk c = chunk_of(3);
	struct fake_trace f;

	open_calls(&f, "T5:cat a0( a0)");
	assert_int_equal(add(&f, &c, 2), -EBADMSG);
	assert_int_equal(add(&f, &c, 4), -EBADMSG);
	assert_int_equal(fake_chunk(&f, TRACE_DIRTY, &c, 8), -EBADMSG);
	c.head.nr = 0;
	assert_int_equal(add(&f, &c, 0), -EBADMSG);
	c.head.nr = 3;
	c.head.vcpu = XFT_MAX_CPUS;
	assert_int_equal(add(&f, &c, 3), -EBADMSG);
	c.head.vcpu = 0;
	c.head.session = 2;
	assert_int_equal(add(&f, &c, 3), -EBADMSG);
	assert_int_equal(fake_text_chunk(&f, TRACE_NAMES, "[]"), -EBADMSG);
	/* Noise in what is left is drawn somehow. */
	memset(c.rec, 0xff, sizeof(c.rec));
	c.head.session = 1;
	c.head.sub_shift = 77;
	assert_int_equal(add(&f, &c, 3), 0);
	fake_trace_seal(&f);
	free(draw(&f, &emit_text, NULL));
	for (int by = DIRTYTABLE_PAGE; by <= DIRTYTABLE_WRITE; by++) {
		struct dirtytable_query q = { .by = by, .json = by % 2,
					      .interval_ns = 1 };

		free(draw(&f, &emit_dirtytable, &q));
	}
	fake_trace_close(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_innermost),
		cmocka_unit_test(test_switched),
		cmocka_unit_test(test_harvested),
		cmocka_unit_test(test_set),
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_times),
		cmocka_unit_test(test_damaged),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
