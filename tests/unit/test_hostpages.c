// SPDX-License-Identifier: GPL-2.0-only
/*
 * hostpages: pages of the host's ring buffer, good ones as libtraceevent reads
 * them, and such as no kernel writes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <kbuffer.h>
#include <sys/mman.h>

#include "callgraph.h"
#include "cleanup.h"
#include "fake_trace.h"
#include "hostpages.h"
#include "io.h"
#include "merge.h"

#define TID 4711

/* Two vCPUs; the second one's TSC runs at 3/4 and is far behind. */
#define HOST                                                                   \
	"{\"release\": \"6.1.0-host\", \"qemu\": 4700, \"vcpus\": ["           \
	"{\"vcpu\": 0, \"tid\": 4711, \"offset\": \"-1000\", \"ratio\": "      \
	"\"1\", \"shift\": 0},"                                                \
	"{\"vcpu\": 1, \"tid\": 4712, \"offset\": \"-9223372036854775808\", "  \
	"\"ratio\": \"3221225472\", \"shift\": 32}], \"events\": []}"

/* A page that is being made: stamp, length, events. */
static void page_begin(struct buf *b, uint64_t stamp)
{
	uint64_t head[2] = { stamp };

	b->len = 0;
	buf_add(b, head, sizeof(head));
}

static void put_u32(struct buf *b, uint32_t v)
{
	buf_add(b, &v, sizeof(v));
}

static void put_first(struct buf *b, uint32_t kind, uint32_t delta)
{
	put_u32(b, kind | delta << 5);
}

/* An event of a thread, with @words behind what all events have. */
static void put_event(struct buf *b, uint32_t delta, uint32_t tid,
		      uint32_t words)
{
	uint32_t len = 8 + 4 * words;

	if (len <= 112) {
		put_first(b, len / 4, delta);
	} else {
		put_first(b, 0, delta);
		put_u32(b, len + 4);
	}
	put_u32(b, 7);
	put_u32(b, tid);
	for (uint32_t i = 0; i < words; i++)
		put_u32(b, i);
}

/* Give it to the trace, with @flags beside its length. */
static int page_end(struct fake_trace *f, struct buf *b, uint32_t cpu,
		    uint64_t flags)
{
	_cleanup_(buf_deinit) struct buf chunk = BUF_INIT;
	struct trace_host_page head = { .session = f->session, .cpu = cpu };
	uint64_t commit = (b->len - TRACE_HOST_PAGE_HEAD) | flags;

	memcpy(b->data + 8, &commit, 8);
	head.len = b->len;
	if (flags & TRACE_HOST_PAGE_COUNTED)
		head.len += 8;
	buf_add(&chunk, &head, sizeof(head));
	buf_add(&chunk, b->data, b->len);
	if (flags & TRACE_HOST_PAGE_COUNTED)
		buf_add(&chunk, "\x05\0\0\0\0\0\0\0", 8);
	return fake_chunk(f, TRACE_HOST_PAGE, chunk.data, chunk.len);
}

static void open_trace(struct fake_trace *f)
{
	fake_trace_open(f);
	fake_session(f, 1);
	fake_must(fake_text_chunk(f, TRACE_HOST, HOST));
}

/* "L3 @500 v0+4 ...": time, vCPU and bytes behind what all events have. */
static char *walk(struct fake_trace *f, uint64_t *ret_bad)
{
	struct hostclock clock;
	struct hostpages h;
	struct host_event ev;
	struct buf b = BUF_INIT;

	buf_puts(&b, "");
	hostclock_init(&clock, f->t.sessions[0].host);
	hostpages_init(&h, &f->t.host_cpus[0], &clock);
	while (hostpages_next(&h, &ev)) {
		if (ev.lost == HOST_LOST_SOME)
			buf_puts(&b, "L? ");
		else if (ev.lost)
			buf_printf(&b, "L%lu ", ev.lost);
		buf_printf(&b, "@%ld v%d+%u ", ev.tsc, ev.vcpu, ev.len - 8);
	}
	/* And stays at its end. */
	assert_false(hostpages_next(&h, &ev));
	if (ret_bad)
		*ret_bad = h.bad;
	else
		assert_int_equal(h.bad, 0);
	hostclock_deinit(&clock);
	return buf_take(&b);
}

static void assert_walks(struct fake_trace *f, const char *want, uint64_t bad)
{
	uint64_t got_bad;
	_cleanup_free_ char *got = walk(f, &got_bad);

	assert_string_equal(got, want);
	assert_int_equal(got_bad, bad);
	fake_trace_close(f);
}

static void test_times(void **state)
{
	_cleanup_(buf_deinit) struct buf b = BUF_INIT;
	struct fake_trace f;

	open_trace(&f);
	page_begin(&b, 5000);
	put_event(&b, 0, TID, 0);
	put_event(&b, 10, TID, 1);
	put_event(&b, 10, TID, 100);
	/* 2^27 ticks more than fit into an event. */
	put_first(&b, 30, 5);
	put_u32(&b, 1);
	put_event(&b, 0, TID, 2);
	/* An absolute stamp, then one event that was undone, then a pad. */
	put_first(&b, 31, 77);
	put_u32(&b, 100);
	put_event(&b, 3, TID, 0);
	put_first(&b, 29, 20);
	put_u32(&b, 12);
	put_u32(&b, 0);
	put_u32(&b, 0);
	put_event(&b, 1, TID, 0);
	/* One that was undone at once: the kernel must not write 0. */
	put_first(&b, 29, 1);
	put_u32(&b, 4);
	put_event(&b, 0, TID, 1);
	put_first(&b, 29, 0);
	put_u32(&b, 0xffffffff);
	put_event(&b, 1, TID, 0);
	page_end(&f, &b, 3, 0);
	/* The next page has a stamp of its own. */
	page_begin(&b, 20000000000);
	put_event(&b, 0, TID, 0);
	page_end(&f, &b, 3, 0);
	assert_walks(&f,
		     "@4000 v0+0 @4010 v0+4 @4020 v0+400 @134221753 v0+8 "
		     "@13421771880 v0+0 @13421771901 v0+0 "
		     "@13421771901 v0+4 @19999999000 v0+0 ",
		     0);

	/* Stamps have 59 bits; the clock may pass 2^59 within a page. */
	open_trace(&f);
	page_begin(&b, (5ull << 59) - 8);
	put_event(&b, 0, TID, 0);
	put_first(&b, 31, 1008);
	put_u32(&b, 0);
	put_event(&b, 0, TID, 0);
	put_first(&b, 31, 2008);
	put_u32(&b, 1u << 31);
	put_event(&b, 0, TID, 0);
	page_end(&f, &b, 0, 0);
	assert_walks(&f,
		     "@2882303761517116432 v0+0 @2882303761517117448 v0+0 "
		     "@3170534137668830192 v0+0 ",
		     0);
}

static void test_clocks(void **state)
{
	_cleanup_(buf_deinit) struct buf b = BUF_INIT;
	struct fake_trace f;

	open_trace(&f);
	page_begin(&b, 1ull << 63);
	put_event(&b, 0, TID, 0);
	put_event(&b, 4000, TID + 1, 0);
	/* A thread that is no vCPU goes by the first one's clock. */
	put_event(&b, 0, 1, 0);
	page_end(&f, &b, 0, 0);
	assert_walks(&f,
		     "@9223372036854774808 v0+0 @-2305843009213690952 v1+0 "
		     "@-9223372036854772808 v-1+0 ",
		     0);
}

static void test_lost(void **state)
{
	_cleanup_(buf_deinit) struct buf b = BUF_INIT;
	struct fake_trace f;

	open_trace(&f);
	page_begin(&b, 2000);
	put_event(&b, 0, TID, 0);
	page_end(&f, &b, 0, TRACE_HOST_PAGE_LOST | TRACE_HOST_PAGE_COUNTED);
	/* What is lost before nothing is lost before what comes next. */
	page_begin(&b, 3000);
	page_end(&f, &b, 0, TRACE_HOST_PAGE_LOST | TRACE_HOST_PAGE_COUNTED);
	page_end(&f, &b, 0, TRACE_HOST_PAGE_LOST | TRACE_HOST_PAGE_COUNTED);
	page_begin(&b, 4000);
	put_event(&b, 0, TID, 0);
	put_event(&b, 1, TID, 0);
	page_end(&f, &b, 0, 0);
	page_begin(&b, 5000);
	put_event(&b, 0, TID, 0);
	page_end(&f, &b, 0, TRACE_HOST_PAGE_LOST);
	assert_walks(&f,
		     "L5 @1000 v0+0 L10 @3000 v0+0 @3001 v0+0 L? @4000 v0+0 ",
		     0);
}

/* One page whose events are @words; at least the first event is read. */
static void assert_damaged(const uint32_t *words, size_t nr, uint64_t bad)
{
	_cleanup_(buf_deinit) struct buf b = BUF_INIT;
	struct fake_trace f;

	open_trace(&f);
	page_begin(&b, 2000);
	put_event(&b, 0, TID, 0);
	buf_add(&b, words, nr * 4);
	page_end(&f, &b, 0, 0);
	page_begin(&b, 3000);
	put_event(&b, 0, TID, 0);
	page_end(&f, &b, 0, 0);
	assert_walks(&f, "@1000 v0+0 @2000 v0+0 ", bad);
}

#define DAMAGED(bad, ...)                                                      \
	assert_damaged((uint32_t[]){ __VA_ARGS__ },                            \
		       sizeof((uint32_t[]){ __VA_ARGS__ }) / 4, bad)

static void test_damaged(void **state)
{
	_cleanup_(buf_deinit) struct buf b = BUF_INIT;
	struct fake_trace f;

	/* Longer than the page, by one word and by all that fits. */
	DAMAGED(1, 3, 7, TID);
	DAMAGED(1, 28, 7, TID);
	DAMAGED(1, 0, 0xffffffff, 7, TID);
	DAMAGED(1, 0, 0x80000000, 7, TID);
	/* Shorter than their own lengths. */
	DAMAGED(1, 0, 0, 7, TID);
	DAMAGED(1, 0, 3, 7, TID);
	DAMAGED(1, 29 | 1 << 5, 0, 7, TID);
	DAMAGED(1, 29 | 1 << 5, 3, 7, TID);
	DAMAGED(1, 29 | 1 << 5, 0xfffffff0, 7, TID);
	/* The second word is missing. */
	DAMAGED(1, 0);
	DAMAGED(1, 29 | 1 << 5);
	DAMAGED(1, 30);
	DAMAGED(1, 31);
	/* No event without what all have; harmless. */
	DAMAGED(0, 1, 7);
	DAMAGED(0, 0, 4);

	/* More than was kept, and a count that was not. */
	open_trace(&f);
	page_begin(&b, 2000);
	put_event(&b, 0, TID, 0);
	page_end(&f, &b, 0, TRACE_HOST_PAGE_LEN & ~0xfffull);
	page_end(&f, &b, 0, TRACE_HOST_PAGE_LOST | TRACE_HOST_PAGE_COUNTED |
				    1 << 20);
	assert_walks(&f, "@1000 v0+0 L? @1000 v0+0 ", 3);
}

/* Whatever the bytes are, an event lies in its page. */
static void test_random(void **state)
{
	uint32_t x = 1;

	for (int round = 0; round < 3000; round++) {
		_cleanup_(buf_deinit) struct buf b = BUF_INIT;
		struct fake_trace f;
		uint64_t bad;

		open_trace(&f);
		page_begin(&b, 0);
		for (int i = 0; i < 64; i++) {
			x = x * 1664525 + 1013904223;
			put_u32(&b, round & 1 ? x >> 8 : x >> 27);
		}
		page_end(&f, &b, 0, 0);
		free(walk(&f, &bad));
		fake_trace_close(&f);
	}
}

/* Pages that are in order, at random, as libtraceevent reads them. */
static void test_like_kbuffer(void **state)
{
	struct kbuffer *kb = kbuffer_alloc(KBUFFER_LSIZE_8,
					   KBUFFER_ENDIAN_LITTLE);
	uint32_t x = 12345, nr = 0;

	for (int round = 0; round < 500; round++) {
		_cleanup_(buf_deinit) struct buf b = BUF_INIT;
		struct hostclock clock;
		struct fake_trace f;
		struct host_event ev;
		struct hostpages h;
		unsigned long long ts;
		const char *data;

		open_trace(&f);
		page_begin(&b, 100000ull * round);
		while (b.len < 3400) {
			x = x * 1664525 + 1013904223;
			if ((x >> 16) % 5 == 0) {
				put_first(&b, 30, x >> 8 & 0xffff);
				put_u32(&b, x >> 20);
			}
			put_event(&b, x >> 6 & 0x7ffffff, TID,
				  (x >> 20) % 60);
		}
		page_end(&f, &b, 0, 0);
		hostclock_init(&clock, f.t.sessions[0].host);
		hostpages_init(&h, &f.t.host_cpus[0], &clock);
		kbuffer_load_subbuffer(kb, b.data);
		for (data = kbuffer_read_event(kb, &ts); data;
		     data = kbuffer_next_event(kb, &ts)) {
			assert_true(hostpages_next(&h, &ev));
			assert_int_equal(ev.tsc, ts - 1000);
			assert_int_equal(ev.len, kbuffer_event_size(kb));
			assert_memory_equal(ev.data, data, ev.len);
			nr++;
		}
		assert_false(hostpages_next(&h, &ev));
		hostclock_deinit(&clock);
		fake_trace_close(&f);
	}
	assert_true(nr > 5000);
	kbuffer_free(kb);
}

static void test_chunks(void **state)
{
	_cleanup_(buf_deinit) struct buf b = BUF_INIT;
	struct trace_host_page p = { .session = 1, .len = 15 };
	struct fake_trace f;

	/* No page without a host, of another session, or cut short. */
	fake_trace_open(&f);
	page_begin(&b, 1);
	assert_int_equal(page_end(&f, &b, 0, 0), -EBADMSG);
	assert_int_equal(fake_text_chunk(&f, TRACE_HOST, HOST), -EBADMSG);
	fake_session(&f, 1);
	assert_int_equal(page_end(&f, &b, 0, 0), -EBADMSG);
	assert_int_equal(fake_text_chunk(&f, TRACE_HOST, "[]"), -EBADMSG);
	fake_must(fake_text_chunk(&f, TRACE_HOST, "{}"));
	fake_must(page_end(&f, &b, 0, 0));
	f.session = 2;
	assert_int_equal(page_end(&f, &b, 0, 0), -EBADMSG);
	f.session = 1;
	assert_int_equal(fake_chunk(&f, TRACE_HOST_PAGE, &p, sizeof(p)),
			 -EBADMSG);
	assert_int_equal(fake_chunk(&f, TRACE_HOST_PAGE, &p, 3), -EBADMSG);
	/* Without any vCPU times are the host's. */
	page_begin(&b, 500);
	put_event(&b, 0, TID, 0);
	fake_must(page_end(&f, &b, 0, 0));
	assert_walks(&f, "@500 v-1+0 ", 0);
}

/* Between the guest's records, and on their time line. */
static void test_merge(void **state)
{
	_cleanup_(buf_deinit) struct buf b = BUF_INIT, got = BUF_INIT;
	const struct record *r;
	struct fake_trace f;
	struct merge m;

	open_trace(&f);
	fake_records(&f, "T5 @1100 a0( @1300 a0) C1 @1200 b0( @1400 b0)");
	page_begin(&b, 2050);
	put_event(&b, 0, TID, 0);
	put_event(&b, 100, TID, 0);
	page_end(&f, &b, 0, 0);
	page_begin(&b, 2250);
	put_event(&b, 0, TID, 0);
	put_event(&b, 500, TID, 0);
	page_end(&f, &b, 1, TRACE_HOST_PAGE_LOST);
	fake_trace_seal(&f);
	merge_init(&m, &f.t, &f.t.sessions[0]);
	while (merge_next(&m, &r)) {
		if (r->host)
			buf_printf(&got, "%sh%u@%lu ", r->host->lost ? "L" : "",
				   r->host->cpu, r->tsc);
		else
			buf_printf(&got, "%c%lu ", fake_letter(r->func),
				   r->tsc);
	}
	assert_string_equal(got.data, "h0@1050 a1100 h0@1150 b1200 Lh1@1250 "
				      "a1300 b1400 h1@1750 ");
	assert_int_equal(m.records, 5);
	assert_int_equal(m.lost, 0);
	merge_deinit(&m);
	fake_trace_close(&f);
}

#define FORMAT                                                                 \
	"name: kvm_exit\\nID: 7\\nformat:\\n"                                    \
	"\\tfield:unsigned short common_type;\\toffset:0;\\tsize:2;"            \
	"\\tsigned:0;\\n\\tfield:int common_pid;\\toffset:4;\\tsize:4;"         \
	"\\tsigned:1;\\n\\n\\tfield:unsigned int exit_reason;\\toffset:8;"       \
	"\\tsize:4;\\tsigned:0;\\n\\nprint fmt: \\\"reason %u\\\", "             \
	"REC->exit_reason\\n"

static const char *const drawn[] = {
	"\n# host:      6.1.0-host\\x1b, 3 events, some lost\n",
	"\n    0.000000 |   0)  t-5                | ",
	"\n    0.000050 |  h3)  vcpu 0-4711        |                   |  "
	"/* host kvm_exit: reason 0 */\n"
	"# host CPU 3: LOST 5 EVENTS\n"
	"    0.000150 |  h3)  host-1             |                   |  "
	"/* host kvm_exit: reason 0 */\n"
	"# host CPU 3: LOST EVENTS\n"
	"    0.000250 |  h3)  vcpu 0-4711        |                   |  "
	"/* host kvm_exit: reason 0 */\n",
};

static void test_drawn(void **state)
{
	_cleanup_(buf_deinit) struct buf b = BUF_INIT, got = BUF_INIT;
	struct sink sink = { .fd = memfd_create("drawn", MFD_CLOEXEC) };
	struct call_stats stats;
	struct fake_trace f;
	char path[32];

	fake_trace_open(&f);
	fake_session(&f, 1);
	fake_must(fake_text_chunk(
		&f, TRACE_HOST,
		"{\"release\": \"6.1.0-host\\u001b\", \"vcpus\": ["
		"{\"vcpu\": 0, \"tid\": 4711, \"offset\": \"-1000\", "
		"\"ratio\": \"1\"}], \"events\": [{\"system\": \"kvm\", "
		"\"format\": \"" FORMAT "\"}]}"));
	fake_records(&f, "T5:t @1000 a0( @1400 a0)");
	page_begin(&b, 2050);
	put_event(&b, 0, TID, 1);
	page_end(&f, &b, 3, 0);
	page_begin(&b, 2150);
	put_event(&b, 0, 1, 1);
	page_end(&f, &b, 3, TRACE_HOST_PAGE_LOST | TRACE_HOST_PAGE_COUNTED);
	page_begin(&b, 2250);
	put_event(&b, 0, TID, 1);
	page_end(&f, &b, 3, TRACE_HOST_PAGE_LOST);
	fake_trace_seal(&f);

	assert_int_equal(callgraph_draw(&f.t, &emit_text, &sink, &stats, NULL),
			 0);
	assert_int_equal(stats.host_events, 3);
	assert_true(stats.host_lost == HOST_LOST_SOME);
	/* What the host lost is nothing that the guest lost. */
	assert_int_equal(stats.lost, 0);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", sink.fd);
	assert_int_equal(io_read_file(path, 1 << 20, &got, NULL), 0);
	for (size_t i = 0; i < ARRAY_SIZE(drawn); i++)
		if (!strstr(got.data, drawn[i]))
			fail_msg("no '%s' in\n%s", drawn[i], got.data);
	close(sink.fd);
	buf_deinit(&sink.buf);
	fake_trace_close(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_times),
		cmocka_unit_test(test_clocks),
		cmocka_unit_test(test_lost),
		cmocka_unit_test(test_damaged),
		cmocka_unit_test(test_random),
		cmocka_unit_test(test_like_kbuffer),
		cmocka_unit_test(test_chunks),
		cmocka_unit_test(test_merge),
		cmocka_unit_test(test_drawn),
	};

	return cmocka_run_group_tests_name("hostpages", tests, NULL, NULL);
}
