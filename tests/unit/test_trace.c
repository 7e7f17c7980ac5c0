// SPDX-License-Identifier: GPL-2.0-only
/* trace: chunks that make sense, that make none, and noise. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>

#include "cleanup.h"
#include "fake_trace.h"

#define META                                                                   \
	"{\"session\": 1, \"tsc_khz\": 1000, \"release\": \"6.1\", \"n\": 5}"

static struct fake_trace *begin(void)
{
	struct fake_trace *f = malloc(sizeof(*f));

	fake_trace_open(f);
	return f;
}

static void end(struct fake_trace *f)
{
	fake_trace_close(f);
	free(f);
}

static void refused(struct fake_trace *f, int rc, const char *says)
{
	assert_int_equal(rc, -EBADMSG);
	assert_int_equal(f->err.code, rc);
	if (!strstr(f->err.msg, says))
		fail_msg("'%s' does not say '%s'", f->err.msg, says);
}

static void test_meta(void **state)
{
	static const char *const bad[] = {
		"",
		" ",
		"x",
		"{",
		"[]",
		"3",
		"null",
		"\"session\"",
		"{}",
		"{\"session\": 1}",
		"{\"session\": 1, \"tsc_khz\": 0}",
		"{\"session\": 1, \"tsc_khz\": \"0\"}",
		"{\"session\": 1, \"tsc_khz\": \"\"}",
		"{\"session\": 1, \"tsc_khz\": null}",
		"{\"session\": 1, \"tsc_khz\": [1]}",
		"{\"session\": 1, \"tsc_khz\": 4294967296}",
		"{\"session\": 1, \"tsc_khz\": 1000} {}",
		"{\"session\": 1, \"tsc_khz\": 1000, \"x\": \"\\ud800\"}",
	};
	struct fake_trace *f = begin();

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		refused(f, fake_text_chunk(f, TRACE_META, bad[i]),
			"damaged description");
	/* Bytes that are no text. */
	refused(f, fake_chunk(f, TRACE_META, "{\"\xff\xfe\0\": 1}", 9),
		"damaged description");
	assert_int_equal(f->t.nr_sessions, 0);
	refused(f, trace_seal(&f->t, &f->err), "never began");

	/* Refused chunks leave a trace that goes on. */
	assert_int_equal(fake_text_chunk(f, TRACE_META,
					 "{\"session\": 3, \"tsc_khz\": "
					 "\"0x3e8\", \"clock_tsc\": "
					 "\"0xffffffffffffffff\", "
					 "\"clock_real_ns\": 12, "
					 "\"guest\": \"g\", \"depth\": 4}"),
			 0);
	assert_int_equal(f->t.sessions[0].number, 3);
	assert_int_equal(f->t.sessions[0].tsc_khz, 1000);
	assert_int_equal(f->t.sessions[0].clock_tsc, UINT64_MAX);
	assert_int_equal(f->t.sessions[0].clock_real_ns, 12);
	assert_string_equal(trace_meta_str(&f->t, "guest"), "g");
	assert_string_equal(trace_meta_str(&f->t, "depth"), "");
	assert_string_equal(trace_meta_str(&f->t, "none"), "");

	/* Sessions count up; strings are the first one's. */
	refused(f, fake_text_chunk(f, TRACE_META, META), "damaged");
	refused(f,
		fake_text_chunk(f, TRACE_META,
				"{\"session\": 3, \"tsc_khz\": 1}"),
		"damaged");
	assert_int_equal(fake_text_chunk(f, TRACE_META,
					 "{\"session\": 4, \"tsc_khz\": 1, "
					 "\"guest\": \"other\"}"),
			 0);
	assert_string_equal(trace_meta_str(&f->t, "guest"), "g");
	assert_int_equal(f->t.nr_sessions, 2);
	assert_int_equal(trace_seal(&f->t, &f->err), 0);
	/* Without symbols there is an empty table. */
	assert_non_null(f->t.sessions[0].symbols);
	assert_int_equal(f->t.sessions[0].symbols->nr, 0);
	end(f);
}

static void test_symbols(void **state)
{
	_cleanup_(buf_deinit) struct buf b = BUF_INIT;
	struct symtab *st = fake_symtab();
	struct fake_trace *f = begin();
	struct sym s;

	symtab_pack(st, SYMTAB_KERNEL | SYMTAB_MODULES, &b);
	symtab_destroy(st);
	refused(f, fake_chunk(f, TRACE_SYMBOLS, b.data, b.len), "no session");
	assert_int_equal(fake_text_chunk(f, TRACE_META, META), 0);
	assert_true(fake_chunk(f, TRACE_SYMBOLS, b.data, b.len - 1) < 0);
	assert_true(fake_chunk(f, TRACE_SYMBOLS, "", 0) < 0);
	assert_true(fake_chunk(f, TRACE_SYMBOLS, META, sizeof(META)) < 0);
	assert_null(f->t.sessions[0].symbols);
	/* The last ones are those that count. */
	assert_int_equal(fake_chunk(f, TRACE_SYMBOLS, b.data, b.len), 0);
	assert_int_equal(fake_chunk(f, TRACE_SYMBOLS, b.data, b.len), 0);
	assert_true(fake_chunk(f, TRACE_SYMBOLS, b.data, 7) < 0);
	assert_int_equal(trace_seal(&f->t, &f->err), 0);
	assert_true(symtab_at(f->t.sessions[0].symbols, fake_addr('m'), &s));
	assert_string_equal(s.module, "xftmod");
	end(f);
}

static int add_key(struct fake_trace *f, uint32_t session, uint32_t epoch)
{
	struct trace_key k = { (uint64_t)session << 32 | epoch, 0, epoch,
			       session };

	return fake_chunk(f, TRACE_KEY, &k, sizeof(k));
}

static void test_keys(void **state)
{
	struct fake_trace *f = begin();
	struct trace_key k = { 0 };

	assert_null(trace_key(&f->t, 1, 1));
	refused(f, fake_chunk(f, TRACE_KEY, &k, sizeof(k) - 1), "damaged key");
	refused(f, fake_chunk(f, TRACE_KEY, &k, 0), "damaged key");
	refused(f,
		fake_chunk(f, TRACE_KEY, (struct trace_key[2]){ 0 },
			   2 * sizeof(k)),
		"damaged key");
	for (uint32_t s = 1; s < 20; s += 2)
		for (uint32_t e = 1; e < 300; e += 3)
			assert_int_equal(add_key(f, s, e), 0);
	refused(f, add_key(f, 19, 298), "out of order");
	refused(f, add_key(f, 19, 1), "out of order");
	refused(f, add_key(f, 18, 999), "out of order");
	for (uint32_t s = 0; s < 21; s++)
		for (uint32_t e = 0; e < 302; e++) {
			const uint64_t *key = trace_key(&f->t, s, e);

			assert_int_equal(!!key, s % 2 && s < 20 && e < 300 &&
							e % 3 == 1);
			if (key)
				assert_int_equal(*key, (uint64_t)s << 32 | e);
		}
	end(f);
}

static int add_span(struct fake_trace *f, struct trace_span s, size_t more)
{
	char chunk[sizeof(s) + 64] = { 0 };

	memcpy(chunk, &s, sizeof(s));
	return fake_chunk(f, TRACE_SPAN, chunk, sizeof(s) + more);
}

#define SPAN(s, ...)                                                           \
	((struct trace_span){ .session = (s), .epoch = 1, __VA_ARGS__ })

static void test_spans(void **state)
{
	struct fake_trace *f = begin();
	const struct trace_session *s;

	refused(f, add_span(f, SPAN(1, .len = 16, .offset = 64), 16),
		"no session");
	assert_int_equal(fake_text_chunk(f, TRACE_META, META), 0);
	refused(f, fake_chunk(f, TRACE_SPAN, "", 0), "damaged records");
	refused(f,
		fake_chunk(f, TRACE_SPAN, &SPAN(1, .len = 0),
			   sizeof(struct trace_span) - 1),
		"damaged records");
	refused(f, add_span(f, SPAN(1, .len = 16), 24), "damaged records");
	refused(f, add_span(f, SPAN(1, .len = 24), 16), "damaged records");
	refused(f, add_span(f, SPAN(1, .len = UINT32_MAX - 7), 0),
		"damaged records");
	refused(f, add_span(f, SPAN(1, .len = 12), 12), "damaged records");
	refused(f, add_span(f, SPAN(0, .len = 16), 16), "no session");
	refused(f, add_span(f, SPAN(2, .len = 16), 16), "no session");
	assert_int_equal(f->t.nr_rings, 0);

	/* Three rings, in turns. */
	for (uint64_t nr = 0; nr < 10; nr++) {
		assert_int_equal(
			add_span(f, SPAN(1, .nr = nr, .offset = 64, .len = 16),
				 16),
			0);
		assert_int_equal(add_span(f,
					  SPAN(1, .cpu = 1, .nr = nr * 5,
					       .offset = 64, .len = 32),
					  32),
				 0);
		assert_int_equal(
			add_span(f,
				 SPAN(1, .kind = XFT_RING_NMI, .nr = nr,
				      .offset = 64, .len = 8),
				 8),
			0);
		/* The rest of the first one's sub-buffer. */
		assert_int_equal(
			add_span(f, SPAN(1, .nr = nr, .offset = 80, .len = 16),
				 16),
			0);
		refused(f,
			add_span(f, SPAN(1, .nr = nr, .offset = 88, .len = 16),
				 16),
			"out of order");
		if (nr)
			refused(f,
				add_span(f,
					 SPAN(1, .nr = nr - 1, .offset = 512,
					      .len = 16),
					 16),
				"out of order");
	}
	assert_int_equal(f->t.nr_rings, 3);
	assert_int_equal(f->t.bytes, 10 * (16 + 32 + 8 + 16));

	/* The next session has rings of its own, and the old ones are done. */
	assert_int_equal(fake_text_chunk(f, TRACE_META,
					 "{\"session\": 9, \"tsc_khz\": 1}"),
			 0);
	refused(f, add_span(f, SPAN(1, .nr = 99, .len = 16), 16), "no session");
	assert_int_equal(add_span(f, SPAN(9, .len = 16), 16), 0);
	assert_int_equal(trace_seal(&f->t, &f->err), 0);
	s = f->t.sessions;
	assert_int_equal(s[0].nr_rings, 3);
	assert_int_equal(s[1].nr_rings, 1);
	assert_int_equal(f->t.rings[s[0].ring[0]].nr, 20);
	assert_int_equal(f->t.rings[s[0].ring[1]].nr, 10);
	assert_int_equal(f->t.rings[s[0].ring[1]].cpu, 1);
	assert_int_equal(f->t.rings[s[0].ring[2]].kind, XFT_RING_NMI);
	assert_int_equal(f->t.rings[s[1].ring[0]].session, 9);
	end(f);
}

static void test_texts(void **state)
{
	struct fake_trace *f = begin();

	assert_int_equal(fake_text_chunk(f, TRACE_META, META), 0);
	refused(f, fake_text_chunk(f, TRACE_END, "[]"), "damaged");
	refused(f, fake_text_chunk(f, TRACE_NOTE, "x"), "damaged");
	assert_null(f->t.end);
	assert_null(f->t.notes);
	assert_int_equal(fake_text_chunk(f, TRACE_NOTE, "{\"text\": \"a\"}"),
			 0);
	assert_int_equal(fake_text_chunk(f, TRACE_NOTE, "{}"), 0);
	assert_int_equal(json_array_size(f->t.notes), 2);
	assert_int_equal(fake_text_chunk(f, TRACE_END, "{\"records\": 1}"), 0);
	assert_int_equal(fake_text_chunk(f, TRACE_END, "{\"records\": 2}"), 0);
	assert_int_equal(
		json_integer_value(json_object_get(f->t.end, "records")), 2);
	/* What a newer version may add. */
	assert_int_equal(fake_text_chunk(f, 0, "x"), 0);
	assert_int_equal(fake_text_chunk(f, 1000, "\xff"), 0);
	assert_int_equal(fake_chunk(f, UINT32_MAX, "", 0), 0);
	/* Nobody wants the sentence. */
	assert_int_equal(trace_add_chunk(&f->t, TRACE_END, "x", 1, NULL),
			 -EBADMSG);
	assert_int_equal(trace_seal(&f->t, NULL), 0);
	end(f);
}

/* A guest that reboots all the time must not cost the square of it. */
static void test_many_sessions(void **state)
{
	struct fake_trace *f = begin();
	uint32_t nr = 2000;
	size_t rings = 0;

	for (uint32_t i = 1; i <= nr; i++) {
		char meta[64];

		snprintf(meta, sizeof(meta),
			 "{\"session\": %u, \"tsc_khz\": 1}", i);
		assert_int_equal(fake_text_chunk(f, TRACE_META, meta), 0);
		for (uint32_t cpu = 0; cpu < 3; cpu++)
			assert_int_equal(
				add_span(f, SPAN(i, .cpu = cpu, .len = 16), 16),
				0);
	}
	assert_int_equal(trace_seal(&f->t, &f->err), 0);
	for (size_t i = 0; i < f->t.nr_sessions; i++) {
		const struct trace_session *s = &f->t.sessions[i];

		assert_int_equal(s->nr_rings, 3);
		for (size_t n = 0; n < s->nr_rings; n++)
			assert_int_equal(f->t.rings[s->ring[n]].session,
					 s->number);
		rings += s->nr_rings;
	}
	assert_int_equal(rings, f->t.nr_rings);
	end(f);
}

static uint32_t rnd(uint32_t n)
{
	static uint64_t seed = 3;

	seed = seed * 6364136223846793005ull + 1442695040888963407ull;
	return (seed >> 33) % n;
}

/* Chunks of a good trace, with some bytes, lengths, types and places wrong. */
static void test_noise(void **state)
{
	_cleanup_(buf_deinit) struct buf symbols = BUF_INIT;
	struct symtab *st = fake_symtab();
	uint64_t good = 0, bad = 0;
	char chunk[4096];

	symtab_pack(st, SYMTAB_KERNEL | SYMTAB_MODULES, &symbols);
	symtab_destroy(st);
	assert_true(symbols.len < sizeof(chunk));
	for (int round = 0; round < 2000; round++) {
		struct fake_trace *f = begin();

		for (uint32_t i = 0; i < 20; i++) {
			uint32_t type = i ? 1 + rnd(7) : TRACE_META;
			struct trace_key k = { 1, 2, i, 1 };
			struct trace_span s = SPAN(1, .nr = i, .offset = 64,
						   .len = 8 * rnd(20));
			size_t len = 0;

			memset(chunk, 0, sizeof(chunk));
			switch (type) {
			case TRACE_META:
				len = sprintf(chunk,
					      "{\"session\": %u, "
					      "\"tsc_khz\": 7}",
					      i + 1);
				break;
			case TRACE_SYMBOLS:
				len = symbols.len;
				memcpy(chunk, symbols.data, len);
				break;
			case TRACE_KEY:
				len = sizeof(k);
				memcpy(chunk, &k, len);
				break;
			case TRACE_SPAN:
				if (f->t.nr_sessions)
					s.session =
						f->t.sessions[f->t.nr_sessions -
							      1]
							.number;
				len = sizeof(s) + s.len;
				memcpy(chunk, &s, sizeof(s));
				break;
			default:
				len = sprintf(chunk, "{\"text\": \"x\"}");
			}
			if (rnd(3) == 0 && len)
				chunk[rnd(len)] = rnd(256);
			if (rnd(8) == 0)
				len = rnd(len + 1);
			if (fake_chunk(f, type, chunk, len))
				bad++;
			else
				good++;
		}
		if (!trace_seal(&f->t, &f->err))
			for (size_t i = 0; i < f->t.nr_sessions; i++)
				assert_non_null(f->t.sessions[i].symbols);
		end(f);
	}
	assert_true(good > 5000 && bad > 5000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_meta),
		cmocka_unit_test(test_symbols),
		cmocka_unit_test(test_keys),
		cmocka_unit_test(test_spans),
		cmocka_unit_test(test_texts),
		cmocka_unit_test(test_many_sessions),
		cmocka_unit_test(test_noise),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
