// SPDX-License-Identifier: GPL-2.0-only
/*
 * ring against the module's own writer, then against writers that lie: every
 * field of every header, positions, and noise.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <time.h>

#include "cleanup.h"
#include "fake_ring.h"

#define SHIFT 12
#define SIZE  (1u << SHIFT)
#define NR    4
/* Calls in a sub-buffer that holds one TASK record. */
#define CALLS ((SIZE - sizeof(struct xft_sub) - XFT_TASK_WORDS * 8) / 16)

/* What a reader got. */
struct got {
	uint64_t calls, tasks, spans;
	uint64_t first, last; /* call numbers */
	uint64_t errors;      /* spans and sub-buffers refused */
	int error;	      /* the last of them */
	char msg[500];
};

static void refuse(struct got *got, int rc, const struct xf_err *err)
{
	assert_int_equal(err->code, rc);
	assert_true(err->msg[0]);
	got->errors++;
	got->error = rc;
	strcpy(got->msg, err->msg);
}

/* Every record must be one that was written, and none older than the last. */
static void check_span(struct fake_ring *f, const struct ring_span *span,
		       uint64_t *words, int nr, struct got *got)
{
	const struct klog_entry *key =
		klog_find(&f->keys, FAKE_SESSION, span->epoch);
	size_t len = span->len / 8, i = 0;

	assert_non_null(key);
	mask_xor(words, words, span->len, key->key);
	while (i < len) {
		uint64_t n;

		if (xft_type(words[i]) == XFT_TASK) {
			assert_true(fake_ring_task_ok(words + i));
			got->tasks++;
		} else {
			assert_true(fake_ring_call_ok(words + i, span->base_tsc,
						      &n));
			if (got->calls)
				assert_true(n > got->last);
			else
				got->first = n;
			got->last = n;
			got->calls++;
		}
		i += xft_words(words[i]);
		nr--;
	}
	assert_int_equal(nr, 0);
	got->spans++;
}

/* One stretch: what ring_next() said, or ring_accept() if that is worse. */
static int read_one(struct fake_ring *f, struct got *got)
{
	static uint64_t copy[1 << (XFT_MAX_SUB_SHIFT - 3)];
	struct ring_span span;
	struct xf_err err = { 0 };
	int rc = ring_next(&f->r, &span, &err);

	if (rc < 0)
		refuse(got, rc, &err);
	if (rc <= 0)
		return rc;
	assert_true(span.len && span.len % 8 == 0);
	assert_true(span.offset >= sizeof(struct xft_sub));
	assert_true(span.offset + span.len <= 1u << f->r.sub_shift);
	memcpy(copy, span.data, span.len);
	rc = ring_accept(&f->r, &span, copy, &f->keys, FAKE_SESSION, &err);
	if (rc < 0)
		refuse(got, rc, &err);
	else
		check_span(f, &span, copy, rc, got);
	return rc < 0 ? rc : 1;
}

/* All there is. The writer stands still, so each sub-buffer comes once. */
static struct got drain(struct fake_ring *f)
{
	struct got got = { 0 };
	uint32_t calls = 0;

	while (read_one(f, &got))
		assert_true(++calls <= f->r.nr_subs + 1);
	return got;
}

static uint64_t push(struct fake_ring *f, uint64_t *n, uint64_t nr)
{
	for (uint64_t i = 0; i < nr; i++)
		fake_ring_push(f, ++*n);
	return *n;
}

static void assert_clean(const struct fake_ring *f)
{
	assert_int_equal(f->r.gaps, 0);
	assert_int_equal(f->r.bad, 0);
}

static void assert_all_accounted(const struct fake_ring *f, uint64_t calls)
{
	assert_int_equal(f->r.accepted + f->r.lost, calls + f->tasks);
	assert_int_equal(f->r.accepted + f->r.lost, xft_ring_records(f->w, f->mask));
	assert_clean(f);
}

static void start(struct fake_ring *f)
{
	fake_ring_open(f, SHIFT, NR);
	fake_ring_rotate(f);
}

static void test_empty(void **state)
{
	struct fake_ring f;
	struct got got;

	start(&f);
	assert_int_equal(f.r.cpu, 3);
	assert_int_equal(f.r.kind, XFT_RING_MAIN);
	assert_int_equal(ring_size(&f.r), NR * SIZE);
	assert_int_equal(ring_unread(&f.r), 0);
	got = drain(&f);
	assert_int_equal(got.calls + got.errors, 0);
	/* Closing what was never opened. */
	xft_ring_close(f.w, 0, 0, f.mask);
	assert_int_equal(drain(&f).errors, 0);
	assert_int_equal(xft_ring_records(f.w, f.mask), 0);
	fake_ring_close(&f);
}

/* An open sub-buffer is read as far as it goes, again and again. */
static void test_partial(void **state)
{
	struct fake_ring f;
	uint64_t n = 0;

	start(&f);
	for (uint64_t i = 1; i <= 3 * CALLS; i++) {
		uint64_t before = n;
		struct got got;

		push(&f, &n, i % 7 + 1);
		got = drain(&f);
		assert_int_equal(got.errors, 0);
		assert_int_equal(got.calls, n - before);
		assert_int_equal(got.first, before + 1);
		assert_int_equal(got.last, n);
		assert_int_equal(ring_unread(&f.r), 0);
		assert_int_equal(f.r.newest_tsc, n);
	}
	assert_int_equal(f.r.lost, 0);
	assert_all_accounted(&f, n);
	fake_ring_close(&f);
}

/*
 * Sub-buffers are filled to the last byte, and then head stands where the next
 * one begins, which nobody has opened yet.
 */
static void test_full_to_the_byte(void **state)
{
	struct fake_ring f;
	struct got got;
	uint64_t n = 0;

	start(&f);
	push(&f, &n, CALLS);
	assert_int_equal(f.w->head, SIZE);
	got = drain(&f);
	assert_int_equal(got.errors, 0);
	assert_int_equal(got.calls, CALLS);
	assert_int_equal(ring_unread(&f.r), 0);
	assert_int_equal(drain(&f).calls, 0);
	push(&f, &n, 1);
	got = drain(&f);
	assert_int_equal(got.calls, 1);
	assert_int_equal(got.errors, 0);

	/* The same with a part of it read before. */
	push(&f, &n, CALLS - 2);
	assert_int_equal(drain(&f).calls, CALLS - 2);
	push(&f, &n, 1);
	assert_int_equal(f.w->head, 2 * SIZE);
	assert_int_equal(drain(&f).calls, 1);

	/* And with the whole ring full: nothing is overwritten yet. */
	fake_ring_close(&f);
	start(&f);
	n = 0;
	push(&f, &n, NR * CALLS);
	assert_int_equal(f.w->head, NR * SIZE);
	assert_int_equal(ring_unread(&f.r), NR * SIZE);
	got = drain(&f);
	assert_int_equal(got.errors, 0);
	assert_int_equal(got.calls, NR * CALLS);
	assert_int_equal(f.r.lost, 0);
	assert_all_accounted(&f, n);
	fake_ring_close(&f);
}

/* Laps of all lengths between two looks: what is missing is counted exactly. */
static void test_overrun(void **state)
{
	for (uint64_t step = 1; step < 4 * NR * CALLS; step += 97) {
		struct fake_ring f;
		uint64_t n = 0;

		start(&f);
		for (int i = 0; i < 6; i++) {
			struct got got;

			push(&f, &n, step);
			got = drain(&f);
			assert_int_equal(got.errors, 0);
			assert_int_equal(got.last, n);
			/* At least all but the two oldest are there. */
			if (step > NR * CALLS)
				assert_true(got.calls >=
					    (NR - 2) * (CALLS - 4));
		}
		if (step <= (NR - 1) * CALLS)
			assert_int_equal(f.r.lost, 0);
		if (step > NR * CALLS)
			assert_true(f.r.lost > 0);
		assert_all_accounted(&f, n);
		fake_ring_close(&f);
	}
}

/* A reader that comes late to a ring that ran for long. */
static void test_late_reader(void **state)
{
	struct fake_ring f;
	struct got got;
	uint64_t n = 0;

	start(&f);
	push(&f, &n, 100000);
	got = drain(&f);
	assert_int_equal(got.last, n);
	assert_int_equal(got.errors, 0);
	assert_int_equal(f.r.lost + f.r.accepted, xft_ring_records(f.w, f.mask));
	assert_all_accounted(&f, n);
	fake_ring_close(&f);
}

/* Keys change in the middle: each sub-buffer has one and names it. */
static void test_rotation(void **state)
{
	struct fake_ring f;
	uint64_t n = 0, calls = 0;

	start(&f);
	for (int i = 0; i < 50; i++) {
		struct got got;

		push(&f, &n, 20);
		fake_ring_rotate(&f);
		/* Until kicked the writer goes on with the key that it has. */
		push(&f, &n, 10);
		assert_int_equal(f.w->epoch, i + 1);
		fake_ring_kick(&f, n);
		push(&f, &n, 1);
		assert_int_equal(f.w->epoch, i + 2);
		/* A kick without a reason does nothing. */
		fake_ring_kick(&f, n);
		assert_int_not_equal(f.w->end, 0);
		got = drain(&f);
		assert_int_equal(got.errors, 0);
		assert_int_equal(got.spans, 2);
		calls += got.calls;
	}
	assert_int_equal(calls, n);
	assert_int_equal(f.r.lost, 0);
	assert_all_accounted(&f, n);

	/* Two keys at once: the one in between is never used. */
	fake_ring_rotate(&f);
	fake_ring_rotate(&f);
	fake_ring_kick(&f, n);
	push(&f, &n, 5);
	assert_int_equal(f.w->epoch, f.key.epoch);
	assert_int_equal(drain(&f).calls, 5);
	fake_ring_close(&f);
}

/* A kicked writer that overran the reader many times. */
static void test_rotation_and_overrun(void **state)
{
	struct fake_ring f;
	uint64_t n = 0;

	start(&f);
	for (int i = 0; i < 200; i++) {
		fake_ring_rotate(&f);
		fake_ring_kick(&f, n);
		push(&f, &n, fake_mix(i) % 700);
		if (i % 3 == 0)
			assert_int_equal(drain(&f).errors, 0);
	}
	assert_int_equal(drain(&f).errors, 0);
	assert_true(f.r.lost > 0);
	assert_all_accounted(&f, n);
	fake_ring_close(&f);
}

/* The time stamp's bits run out before the sub-buffer does. */
static void test_time_overflow(void **state)
{
	struct fake_ring f;
	uint64_t n = 1;

	start(&f);
	fake_ring_push(&f, n);
	n += 1ull << (XFT_TIME_BITS - 1);
	fake_ring_kick(&f, n);
	fake_ring_push(&f, n);
	assert_int_equal(drain(&f).last, n);
	assert_clean(&f);
	assert_int_equal(f.r.pos >> SHIFT, 1);
	fake_ring_close(&f);
}

/* Without a Klog entry nothing can be read, and the rest still can. */
static void test_unknown_epoch(void **state)
{
	struct fake_ring f;
	struct klog none;
	struct got got;
	uint64_t n = 0;

	start(&f);
	push(&f, &n, 10);
	f.mb.mbox->key[0] = 0x1234567812345678;
	shared_store(&f.mb.mbox->epoch, 4000);
	fake_ring_kick(&f, n);
	push(&f, &n, 20);
	f.key.epoch = 4000;
	fake_ring_rotate(&f);
	fake_ring_kick(&f, n);
	push(&f, &n, 30);
	got = drain(&f);
	assert_int_equal(got.errors, 1);
	assert_int_equal(got.error, -ENOKEY);
	assert_int_equal(got.calls, 40);
	assert_int_equal(f.r.bad, 1);
	/* What it held is known all the same. */
	assert_int_equal(f.r.lost, 21);
	assert_int_equal(f.r.gaps, 0);

	/* A sub-buffer of another session. */
	klog_init(&none);
	klog_deinit(&f.keys);
	f.keys = none;
	push(&f, &n, 1);
	got = drain(&f);
	assert_int_equal(got.error, -ENOKEY);
	fake_ring_close(&f);
}

/* Stop: what is in the open sub-buffer can still be read, and nothing after. */
static void test_stop(void **state)
{
	for (uint64_t nr = 1; nr <= CALLS; nr += CALLS - 1) {
		struct fake_ring f;
		uint64_t n = 0;

		start(&f);
		push(&f, &n, nr);
		xft_ring_close(f.w, 0, 0, f.mask);
		assert_int_equal(drain(&f).calls, n);
		assert_int_equal(ring_unread(&f.r), 0);
		assert_int_equal(drain(&f).calls, 0);
		xft_ring_close(f.w, 0, 0, f.mask);
		assert_int_equal(drain(&f).errors, 0);
		assert_all_accounted(&f, n);
		fake_ring_close(&f);
	}
}

/* Bytes behind head are nobody's: a record that is being written is not read.
 */
static void test_torn_tail(void **state)
{
	struct fake_ring f;
	uint64_t n = 0;

	start(&f);
	push(&f, &n, 9);
	memset(f.g.ram + f.hdr->sub_gpa[0] + f.w->head, 0xff, 64);
	assert_int_equal(drain(&f).calls, 9);
	push(&f, &n, 1);
	memset(f.g.ram + f.hdr->sub_gpa[0] + f.w->head, 0xff, 8);
	assert_int_equal(drain(&f).calls, 1);
	/* Closed early: behind used there is nothing, either. */
	memset(f.g.ram + f.hdr->sub_gpa[0] + f.w->head, 0xff, 8);
	fake_ring_rotate(&f);
	fake_ring_kick(&f, n);
	push(&f, &n, 3);
	assert_int_equal(drain(&f).calls, 3);
	assert_all_accounted(&f, n);

	/* Half a record below head is a lie. */
	push(&f, &n, 1);
	f.w->head -= 8;
	assert_int_equal(drain(&f).error, -EBADMSG);
	assert_int_equal(f.r.bad, 1);
	fake_ring_close(&f);
}

/* The guest goes on between the reader's two looks. */
static void test_overwritten(void **state)
{
	static uint64_t copy[SIZE / 8];

	for (uint64_t more = 0; more < (NR + 2) * CALLS; more += 31) {
		struct xf_err err = { 0 };
		struct ring_span span;
		struct fake_ring f;
		uint64_t n = 0;
		int rc;

		start(&f);
		push(&f, &n, CALLS + 5);
		assert_int_equal(ring_next(&f.r, &span, &err), 1);
		assert_int_equal(span.nr, 0);
		push(&f, &n, more);
		memcpy(copy, span.data, span.len);
		rc = ring_accept(&f.r, &span, copy, &f.keys, FAKE_SESSION,
				 &err);
		/* Sub-buffer 0 is written again when NR others are full. */
		if (CALLS + 5 + more > NR * CALLS) {
			assert_int_equal(rc, -ESTALE);
			assert_int_equal(err.code, -ESTALE);
			assert_int_equal(f.r.accepted, 0);
		} else {
			assert_int_equal(rc, CALLS + 1);
		}
		assert_int_equal(drain(&f).errors, 0);
		assert_all_accounted(&f, n);
		fake_ring_close(&f);
	}
}

/* The header changes between the two looks to what it never can be. */
static void test_overwritten_by_none(void **state)
{
	static uint64_t copy[SIZE / 8];
	static const uint64_t seqs[] = { 0, 2, NR, NR + 2, UINT64_MAX };

	for (size_t i = 0; i < ARRAY_SIZE(seqs); i++) {
		struct xf_err err = { 0 };
		struct ring_span span;
		struct fake_ring f;
		uint64_t n = 0;

		start(&f);
		push(&f, &n, CALLS + 5);
		assert_int_equal(ring_next(&f.r, &span, &err), 1);
		memcpy(copy, span.data, span.len);
		f.subs[0]->seq = seqs[i];
		assert_int_equal(ring_accept(&f.r, &span, copy, &f.keys,
					     FAKE_SESSION, &err), -EBADMSG);
		assert_int_equal(f.r.bad, 1);
		fake_ring_close(&f);
	}
}

/* Back is back, however far; what is no position at all is not gone to. */
static void test_look(void **state)
{
	struct fake_ring f;
	uint64_t n = 0, head;

	start(&f);
	push(&f, &n, 7);
	head = f.w->head;
	assert_true(ring_look(&f.r));
	f.w->head = head - 8;
	assert_false(ring_look(&f.r));
	assert_false(ring_look(&f.r));
	f.w->head = UINT64_MAX;
	assert_true(ring_look(&f.r));
	f.w->head = head;
	assert_true(ring_look(&f.r));
	assert_int_equal(drain(&f).calls, 7);
	assert_int_equal(f.r.bad, 0);
	fake_ring_close(&f);
}

/* The slot after the open one is marked before head says so. */
static void test_opening(void **state)
{
	struct fake_ring f;
	uint64_t n = 0, calls;
	struct got got;

	start(&f);
	push(&f, &n, NR * CALLS - 3);
	/* What xft_ring_turn() has done when head is not yet published. */
	f.subs[0]->seq = NR + 1;
	got = drain(&f);
	assert_int_equal(got.errors, 0);
	assert_int_equal(got.first, CALLS + 1);
	calls = got.calls;
	assert_int_equal(f.r.lost, CALLS + 1);
	push(&f, &n, 10);
	got = drain(&f);
	assert_int_equal(got.errors, 0);
	calls += got.calls;
	assert_int_equal(calls, n - CALLS);
	assert_all_accounted(&f, n);

	/* The same when the open one is full to the byte. */
	fake_ring_close(&f);
	start(&f);
	n = 0;
	push(&f, &n, NR * CALLS);
	f.subs[0]->seq = NR + 1;
	got = drain(&f);
	assert_int_equal(got.errors, 0);
	assert_int_equal(got.calls, (NR - 1) * CALLS);
	assert_all_accounted(&f, n);
	fake_ring_close(&f);
}

/* ---- headers that lie ---- */

static int init_again(struct fake_ring *f)
{
	struct ring r = { .cpu = 99 };
	struct xf_err err = { 0 };
	int rc = ring_init(&r, &f->g.mf, FAKE_RING_GPA, &err);

	assert_int_equal(err.code, rc);
	if (rc)
		assert_int_equal(r.cpu, 99);
	return rc;
}

#define REFUSES(field, value, rc)                                              \
	do {                                                                   \
		__typeof__(f.hdr->field) _old = f.hdr->field;                  \
		f.hdr->field = (value);                                        \
		assert_int_equal(init_again(&f), rc);                          \
		f.hdr->field = _old;                                           \
		assert_int_equal(init_again(&f), 0);                           \
	} while (0)

static void test_hostile_header(void **state)
{
	struct fake_ring f;
	struct xf_err err;
	struct ring r;

	start(&f);
	REFUSES(magic, 0, -EBADMSG);
	REFUSES(magic, ~XFT_RING_MAGIC, -EBADMSG);
	REFUSES(self_gpa, 0, -EBADMSG);
	REFUSES(self_gpa, FAKE_RING_GPA + XFT_PAGE, -EBADMSG);
	REFUSES(self_gpa, UINT64_MAX, -EBADMSG);
	REFUSES(cpu, XFT_MAX_CPUS, -EBADMSG);
	REFUSES(cpu, UINT32_MAX, -EBADMSG);
	REFUSES(kind, XFT_RING_NMI + 1, -EBADMSG);
	REFUSES(kind, UINT32_MAX, -EBADMSG);
	REFUSES(nr_subs, 0, -EBADMSG);
	REFUSES(nr_subs, XFT_MIN_SUBS - 1, -EBADMSG);
	REFUSES(nr_subs, XFT_MAX_SUBS + 1, -EBADMSG);
	REFUSES(nr_subs, UINT32_MAX, -EBADMSG);
	REFUSES(sub_shift, 0, -EBADMSG);
	REFUSES(sub_shift, XFT_MIN_SUB_SHIFT - 1, -EBADMSG);
	REFUSES(sub_shift, XFT_MAX_SUB_SHIFT + 1, -EBADMSG);
	REFUSES(sub_shift, 64, -EBADMSG);
	REFUSES(sub_shift, UINT32_MAX, -EBADMSG);
	/* More than RAM holds. */
	REFUSES(sub_shift, XFT_MAX_SUB_SHIFT, -ERANGE);
	for (int i = 0; i < NR; i++) {
		REFUSES(sub_gpa[i], f.hdr->sub_gpa[i] + 1, -EBADMSG);
		REFUSES(sub_gpa[i], f.hdr->sub_gpa[i] + 2048, -EBADMSG);
		REFUSES(sub_gpa[i], f.g.len, -ERANGE);
		REFUSES(sub_gpa[i], f.g.len - SIZE + XFT_PAGE, -ERANGE);
		REFUSES(sub_gpa[i], (uint64_t)-XFT_PAGE, -ERANGE);
		REFUSES(sub_gpa[i], 1ull << 63, -ERANGE);
	}
	/* The header itself: beyond RAM, across its end, not aligned. */
	assert_int_equal(ring_init(&r, &f.g.mf, f.g.len, &err), -ERANGE);
	assert_int_equal(ring_init(&r, &f.g.mf, f.g.len - 8, &err), -ERANGE);
	assert_int_equal(ring_init(&r, &f.g.mf, UINT64_MAX, &err), -ERANGE);
	assert_int_equal(ring_init(&r, &f.g.mf, FAKE_RING_GPA + 8, &err),
			 -EBADMSG);
	fake_ring_close(&f);
}

/* All sub-buffers in one place: nonsense, and no more than that. */
static void test_same_memory(void **state)
{
	struct fake_ring f;
	uint64_t n = 0;

	start(&f);
	push(&f, &n, 3 * CALLS);
	for (int i = 1; i < NR; i++)
		f.hdr->sub_gpa[i] = f.hdr->sub_gpa[0];
	assert_int_equal(ring_init(&f.r, &f.g.mf, FAKE_RING_GPA, NULL), 0);
	assert_int_equal(drain(&f).calls, CALLS);
	fake_ring_close(&f);
}

/* Positions that cannot be. */
static void test_hostile_head(void **state)
{
	static const uint64_t heads[] = {
		1,
		4,
		SIZE + 1,
		1ull << 63,
		(1ull << 63) + 1,
		UINT64_MAX,
		UINT64_MAX - 7,
		(uint64_t)-SIZE,
		(uint64_t)-SIZE - 8,
		UINT64_MAX - 2 * SIZE + 1,
		(1ull << 62) + SIZE,
	};
	struct got got = { 0 };
	struct fake_ring f;
	uint64_t n;

	for (size_t i = 0; i < ARRAY_SIZE(heads); i++) {
		uint64_t good;
		int calls = 0;

		got = (struct got){ 0 };

		start(&f);
		n = 0;
		push(&f, &n, 7);
		assert_int_equal(drain(&f).calls, 7);
		good = f.w->head;
		f.w->head = heads[i];
		assert_true(read_one(&f, &got) < 0);
		assert_int_equal(got.error, -EBADMSG);
		/*
		 * No end of refusals would be no end of work: either this
		 * position is refused as such, or the ring is soon at its end.
		 */
		while (f.r.seen_head == heads[i] && read_one(&f, &got))
			assert_true(++calls <= 2 * NR);
		assert_true(ring_unread(&f.r) <= ring_size(&f.r));
		/* And the guest repents. */
		f.w->head = good;
		push(&f, &n, 1);
		calls = 0;
		while (read_one(&f, &got) > 0)
			assert_true(++calls <= NR);
		fake_ring_close(&f);
	}

	/* Backwards by a record, by all of it, and behind what was read. */
	start(&f);
	n = 0;
	push(&f, &n, 2 * CALLS);
	drain(&f);
	f.w->head -= 16;
	assert_int_equal(read_one(&f, &got), -EBADMSG);
	f.w->head = 0;
	assert_int_equal(read_one(&f, &got), -EBADMSG);
	fake_ring_close(&f);
}

struct lie {
	const char *what;
	uint32_t used;
	bool set_used;
	int64_t seq, before; /* added */
	uint32_t epoch;
	const char *says;
};

/* Sub-buffer 1 of 3 lies; those around it are read all the same. */
static void test_hostile_sub(void **state)
{
	static const struct lie lies[] = {
		{ .what = "used 0", .set_used = true, .says = "wrong length" },
		{ .what = "used too small",
		  .used = 56,
		  .set_used = true,
		  .says = "wrong length" },
		{ .what = "used too large",
		  .used = SIZE + 8,
		  .set_used = true,
		  .says = "wrong length" },
		{ .what = "used huge",
		  .used = UINT32_MAX - 7,
		  .set_used = true,
		  .says = "wrong length" },
		{ .what = "used not aligned",
		  .used = 84,
		  .set_used = true,
		  .says = "wrong length" },
		{ .what = "used in a record",
		  .used = 64 + 32 + 8,
		  .set_used = true,
		  .says = "no valid records" },
		{ .what = "older", .seq = -NR, .says = "wrong number" },
		{ .what = "newer", .seq = NR, .says = "wrong number" },
		{ .what = "far away",
		  .seq = INT64_MAX,
		  .says = "wrong number" },
		{ .what = "count backwards",
		  .before = -1,
		  .says = "runs backwards" },
		{ .what = "count before 0", .before = -100000, .says = NULL },
		{ .what = "other key", .epoch = 2, .says = "no valid records" },
		{ .what = "no key", .epoch = 9, .says = "not in the Klog" },
		{ .what = "epoch 0",
		  .epoch = UINT32_MAX,
		  .says = "not in the Klog" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(lies); i++) {
		const struct lie *lie = &lies[i];
		struct fake_ring f;
		uint64_t n = 0;
		struct got got;

		start(&f);
		/* So that unmasking with it gives a wrong type for certain. */
		klog_add(&f.keys,
			 &(struct klog_entry){ .epoch = 2,
					       .session = FAKE_SESSION,
					       .key = f.keys.entries[0].key ^
						      XFT_TASK },
			 NULL);
		push(&f, &n, 3 * CALLS);
		if (lie->set_used)
			f.subs[1]->used = lie->used;
		f.subs[1]->seq += lie->seq;
		f.subs[1]->records_before += lie->before;
		if (lie->epoch)
			f.subs[1]->epoch = lie->epoch;
		got = drain(&f);
		if (!lie->says) {
			/* A count of nearly 2^64 only makes a huge gap. */
			assert_int_equal(got.errors, 1);
			fake_ring_close(&f);
			continue;
		}
		if (got.errors != 1 || !strstr(got.msg, lie->says) ||
		    got.calls != 2 * CALLS)
			fail_msg("%s: %lu errors, %lu calls, %s", lie->what,
				 got.errors, got.calls, got.msg);
		assert_non_null(strstr(got.msg, "cpu 3: sub-buffer 1"));
		assert_int_equal(f.r.bad, 1);
		assert_int_equal(f.r.lost, CALLS + 1);
		assert_int_equal(f.r.accepted, 2 * (CALLS + 1));
		fake_ring_close(&f);
	}
}

/* used shrinks below what was read already. */
static void test_shrinks(void **state)
{
	struct fake_ring f;
	struct got got;
	uint64_t n = 0;

	start(&f);
	push(&f, &n, 100);
	assert_int_equal(drain(&f).calls, 100);
	push(&f, &n, CALLS);
	f.subs[0]->used = 64 + 32 + 99 * 16;
	got = drain(&f);
	assert_int_equal(got.error, -EBADMSG);
	assert_non_null(strstr(got.msg, "shrank"));
	assert_int_equal(got.calls, 100);
	assert_int_equal(f.r.lost, CALLS - 100);
	fake_ring_close(&f);
}

/* Records missing though nobody overwrote them: tampering, counted apart. */
static void test_gap(void **state)
{
	struct fake_ring f;
	uint64_t n = 0;

	start(&f);
	push(&f, &n, CALLS);
	assert_int_equal(drain(&f).calls, CALLS);
	push(&f, &n, CALLS);
	f.subs[1]->records_before += 5;
	assert_int_equal(drain(&f).calls, CALLS);
	assert_int_equal(f.r.gaps, 5);
	assert_int_equal(f.r.lost, 0);
	/* The lie does not fit the next count. */
	push(&f, &n, CALLS);
	assert_int_equal(drain(&f).error, -EBADMSG);
	fake_ring_close(&f);

	/* A sub-buffer cut short is noticed at the next one. */
	start(&f);
	n = 0;
	push(&f, &n, CALLS + 1);
	f.subs[0]->used -= 32;
	assert_int_equal(drain(&f).calls, CALLS - 1);
	assert_int_equal(f.r.gaps, 2);
	assert_int_equal(f.r.lost + f.r.bad, 0);
	fake_ring_close(&f);
}

/* Words that are no records, at every place. */
static void test_hostile_records(void **state)
{
	static const uint64_t firsts[] = {
		0, /* XFT_PAD, length 0 */
		XFT_PAD | 2 << XFT_WORDS_SHIFT,
		XFT_ENTRY, /* length 0 */
		XFT_ENTRY | 1 << XFT_WORDS_SHIFT,
		XFT_ENTRY | 3 << XFT_WORDS_SHIFT,
		XFT_RETURN | XFT_WORDS_MAX << XFT_WORDS_SHIFT,
		XFT_TASK | 3 << XFT_WORDS_SHIFT,
		XFT_TASK | 5 << XFT_WORDS_SHIFT,
		7,				      /* unknown, length 0 */
		7 | XFT_WORDS_MAX << XFT_WORDS_SHIFT, /* beyond the end */
	};

	for (size_t i = 0; i < ARRAY_SIZE(firsts); i++) {
		struct fake_ring f;
		struct got got;
		uint64_t n = 0, *last;

		start(&f);
		push(&f, &n, 20);
		last = (uint64_t *)(f.w->data + f.w->head - 16);
		last[0] = firsts[i] ^ f.w->key;
		got = drain(&f);
		assert_int_equal(got.calls, 0);
		assert_int_equal(got.error, -EBADMSG);
		assert_int_equal(f.r.bad, 1);
		/* The rest of that sub-buffer is left out, the next is not. */
		push(&f, &n, CALLS);
		got = drain(&f);
		assert_int_equal(got.calls, n - CALLS);
		assert_int_equal(f.r.accepted + f.r.lost,
				 xft_ring_records(f.w, f.mask));
		fake_ring_close(&f);
	}
}

/* A type of a newer module is counted and handed on. */
static void test_newer_type(void **state)
{
	struct xf_err err = { 0 };
	struct ring_span span;
	uint64_t copy[64], n = 0, *last;
	struct fake_ring f;

	start(&f);
	push(&f, &n, 3);
	last = (uint64_t *)(f.w->data + f.w->head - 32);
	last[0] = (6 | 4 << XFT_WORDS_SHIFT) ^ f.w->key;
	assert_int_equal(ring_next(&f.r, &span, &err), 1);
	memcpy(copy, span.data, span.len);
	assert_int_equal(
		ring_accept(&f.r, &span, copy, &f.keys, FAKE_SESSION, &err), 3);
	fake_ring_close(&f);
}

/* ---- a guest that will not be caught ---- */

struct runner {
	struct fake_ring *f;
	uint32_t stop;
};

/* Moves head on by a sub-buffer as fast as it can, and numbers none. */
static void *run_away(void *arg)
{
	struct runner *run = arg;

	while (!shared_load(&run->stop))
		__atomic_fetch_add(&run->f->w->head, SIZE, __ATOMIC_RELEASE);
	return NULL;
}

static void test_runaway(void **state)
{
	struct got got = { 0 };
	struct fake_ring f;
	struct runner run = { .f = &f };
	struct timespec t0, t1;
	pthread_t thread;
	uint64_t n = 0;

	start(&f);
	push(&f, &n, 3 * CALLS);
	assert_int_equal(pthread_create(&thread, NULL, run_away, &run), 0);
	clock_gettime(CLOCK_MONOTONIC, &t0);
	do {
		for (int i = 0; i < 100; i++)
			read_one(&f, &got);
		clock_gettime(CLOCK_MONOTONIC, &t1);
	} while ((t1.tv_sec - t0.tv_sec) * 1000 +
			 (t1.tv_nsec - t0.tv_nsec) / 1000000 <
		 100);
	shared_store(&run.stop, 1);
	pthread_join(thread, NULL);
	assert_true(got.errors > 0);
	fake_ring_close(&f);
}

/* ---- noise ---- */

static uint64_t seed;

static uint64_t rnd(void)
{
	seed += 0x9e3779b97f4a7c15ull;
	return fake_mix(seed);
}

static uint64_t nasty(void)
{
	static const uint64_t edges[] = { 0,
					  1,
					  7,
					  8,
					  63,
					  64,
					  4095,
					  4096,
					  4104,
					  UINT32_MAX,
					  1ull << 63,
					  UINT64_MAX,
					  UINT64_MAX - 7 };

	switch (rnd() % 4) {
	case 0:
		return edges[rnd() % ARRAY_SIZE(edges)];
	case 1:
		return rnd();
	case 2:
		return rnd() % (8 * SIZE);
	default:
		return rnd() % (8 * SIZE) & ~7ull;
	}
}

/* Change something; most of it where it hurts. */
static void mutate(struct fake_ring *f)
{
	struct xft_sub *sub = f->subs[rnd() % NR];
	uint64_t *word = (uint64_t *)sub + rnd() % (SIZE / 8);

	switch (rnd() % 9) {
	case 0:
		sub->seq = nasty();
		break;
	case 1:
		sub->seq += rnd() % 9 - 4;
		break;
	case 2:
		sub->used = nasty();
		break;
	case 3:
		sub->records_before =
			rnd() % 2 ? nasty() : sub->records_before + rnd() % 3;
		break;
	case 4:
		sub->epoch = nasty();
		break;
	case 5:
		f->w->head =
			rnd() % 4 ? f->w->head + 8 * (rnd() % 1024) : nasty();
		break;
	case 6:
		*word = nasty();
		break;
	case 7:
		*word ^= 1ull << rnd() % 64;
		break;
	case 8:
		sub->base_tsc = nasty();
		break;
	}
}

/* Like read_one(), but what the records say does not matter. */
static int read_noise(struct fake_ring *f)
{
	static uint64_t copy[SIZE / 8];
	struct ring_span span;
	struct xf_err err = { 0 };
	int rc = ring_next(&f->r, &span, &err);

	assert_int_equal(rc < 0 ? rc : 0, err.code);
	if (rc <= 0)
		return rc;
	assert_true(span.len && span.len % 8 == 0 && span.offset >= 64 &&
		    span.offset + span.len <= SIZE);
	memcpy(copy, span.data, span.len);
	rc = ring_accept(&f->r, &span, copy, &f->keys, FAKE_SESSION, &err);
	assert_int_equal(rc < 0 ? rc : 0, err.code);
	if (rc >= 0)
		assert_true(rc > 0 && rc <= (int)span.len / 8);
	return rc < 0 ? rc : 1;
}

static void test_noise(void **state)
{
	uint64_t n = 0, refused = 0, read = 0;
	struct xft_ring_hdr hdr;
	struct fake_ring f;
	struct ring reader;

	start(&f);
	memcpy(&hdr, f.hdr, sizeof(hdr));
	reader = f.r;
	seed = 42;
	for (int round = 0; round < 60000; round++) {
		uint32_t calls = 0, head_errors = 0;
		int rc;

		if (round % 4 == 0) {
			/* Start over: all else has gone wrong by now. */
			memcpy(f.hdr, &hdr, sizeof(hdr));
			for (int i = 0; i < NR; i++)
				memset(f.subs[i], 0, SIZE);
			f.r = reader;
			push(&f, &n, rnd() % (6 * CALLS));
			if (rnd() % 2) {
				drain(&f);
				push(&f, &n, rnd() % (3 * CALLS));
			}
		}
		for (uint64_t i = rnd() % 3 + 1; i; i--)
			mutate(&f);
		while ((rc = read_noise(&f))) {
			assert_true(++calls <= 4 * NR);
			refused += rc < 0;
			read += rc > 0;
			/* Only an impossible head is refused for ever. */
			if (f.r.seen_head != f.w->head && ++head_errors > NR)
				break;
		}
		assert_true(ring_unread(&f.r) <= ring_size(&f.r));
	}
	fake_ring_close(&f);
	/* It was about something. */
	assert_true(refused > 20000 && read > 20000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_empty),
		cmocka_unit_test(test_partial),
		cmocka_unit_test(test_full_to_the_byte),
		cmocka_unit_test(test_overrun),
		cmocka_unit_test(test_late_reader),
		cmocka_unit_test(test_rotation),
		cmocka_unit_test(test_rotation_and_overrun),
		cmocka_unit_test(test_time_overflow),
		cmocka_unit_test(test_unknown_epoch),
		cmocka_unit_test(test_stop),
		cmocka_unit_test(test_torn_tail),
		cmocka_unit_test(test_overwritten),
		cmocka_unit_test(test_overwritten_by_none),
		cmocka_unit_test(test_look),
		cmocka_unit_test(test_opening),
		cmocka_unit_test(test_hostile_header),
		cmocka_unit_test(test_same_memory),
		cmocka_unit_test(test_hostile_head),
		cmocka_unit_test(test_hostile_sub),
		cmocka_unit_test(test_shrinks),
		cmocka_unit_test(test_gap),
		cmocka_unit_test(test_hostile_records),
		cmocka_unit_test(test_newer_type),
		cmocka_unit_test(test_runaway),
		cmocka_unit_test(test_noise),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
