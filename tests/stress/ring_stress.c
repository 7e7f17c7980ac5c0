// SPDX-License-Identifier: GPL-2.0-only
/*
 * ring_stress [RECORDS]	the module's writer against the host's reader
 * ring_stress --selftest	is a broken reader, a broken writer caught?
 * ring_stress --bench		how fast is a full ring read and unmasked?
 * ring_stress --seal		what does it cost to seal, and to verify?
 *
 * One thread writes with the module's own code, one reads with ring.c, as a
 * guest's CPU and the recorder do; the ring is small, so that the reader is
 * lapped all the time. Every call proves itself (fake_ring.h): what is accepted
 * must be whole, in order and unmasked with the right key, and what was
 * accepted and what was lost must add up to what was written, exactly. The
 * exit status is 0 if all of it holds.
 */
#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* A hook in the kernel has no other registers, so the writer gets none here. */
#pragma GCC push_options
#pragma GCC target("general-regs-only")
#include "fake_ring.h"
#pragma GCC pop_options

#define SHIFT 12
#define SIZE  (1u << SHIFT)
#define NR    8

enum fault { NO_FAULT, READER_LOOKS_ONCE, WRITER_PUBLISHES_FIRST };

struct stress {
	struct fake_ring f;
	uint64_t nr; /* calls to write */
	enum fault fault;
	uint64_t now;  /* the writer's clock, for kicks */
	uint64_t read; /* where the reader is */
	uint32_t stop, done;
	/* The reader's findings: */
	uint64_t calls, tasks, last;
	uint64_t looks, stale, spans, keys;
	uint64_t torn;	  /* records that are not what was written */
	uint64_t skipped; /* calls missing between two that were read */
};

static double time_of(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

static double seconds(void)
{
	return time_of(CLOCK_MONOTONIC);
}

/* Long enough for the other thread to do something, even on one processor. */
static void dawdle(void)
{
	const struct timespec nap = { .tv_nsec = 50000 };

	nanosleep(&nap, NULL);
}

/* What xft_ring_call() must not be: head first, then the record. */
static void push_misordered(struct fake_ring *f, uint64_t n)
{
	struct xft_ring *w = f->w;
	uint64_t *dst = (uint64_t *)(w->data + w->head);

	xft_publish(&w->head, w->head + XFT_CALL_WORDS * 8);
	if (n % 997 == 0)
		dawdle();
	dst[0] = ((n - w->base_tsc) << XFT_TIME_SHIFT | fake_first(n)) ^ w->key;
	dst[1] = fake_second(n) ^ w->key;
}

/*
 * Full speed laps the reader all the time, which is one thing to try; a reader
 * that keeps up, or nearly, is another. So phases take turns.
 */
static void pace(struct stress *s, uint64_t n)
{
	static const uint64_t ahead[] = { 0, SIZE / 2, NR * SIZE / 2,
					  (NR - 1) * SIZE, NR * SIZE };
	uint64_t most = ahead[n / 65536 % (sizeof(ahead) / sizeof(*ahead))];

	shared_store(&s->now, n);
	while (most && s->f.w->head > shared_load(&s->read) + most &&
	       !shared_load(&s->stop))
		sched_yield();
}

static void *produce(void *arg)
{
	struct stress *s = arg;
	struct fake_ring *f = &s->f;
	uint64_t n;

	for (n = 1; n <= s->nr; n++) {
		if (s->fault == WRITER_PUBLISHES_FIRST &&
		    fake_ring_prepare(f, n, XFT_CALL_WORDS))
			push_misordered(f, n);
		else if (n % 64 == 5)
			fake_ring_push_long(f, n);
		else
			fake_ring_push(f, n);
		if (n % 128 == 0) {
			pace(s, n);
			if (shared_load(&s->stop))
				break;
		}
	}
	s->nr = n <= s->nr ? n : s->nr;
	xft_ring_close(f->w, s->nr, 0, f->mask);
	shared_store(&s->done, 1);
	return NULL;
}

/* Unmask a copy and look at each of its records. */
static void check(struct stress *s, const struct ring_span *span,
		  uint64_t *words)
{
	const struct klog_entry *key =
		klog_find(&s->f.keys, FAKE_SESSION, span->epoch);
	uint64_t *end = words + span->len / 8, n;

	if (!key) {
		s->torn++;
		return;
	}
	mask_xor(words, words, span->len, key->key);
	while (words < end) {
		uint32_t len = xft_words(words[0]);

		if (!len || len > end - words) {
			s->torn++;
			return;
		}
		if (xft_type(words[0]) == XFT_TASK) {
			s->tasks++;
			s->torn += !fake_ring_task_ok(words);
		} else if (!fake_ring_call_ok(words, span->base_tsc, &n) ||
			   n <= s->last) {
			s->torn++;
		} else {
			s->calls++;
			s->skipped += n - s->last - 1;
			s->last = n;
		}
		words += len;
	}
}

/* A reader that takes what it copied for what it wanted. */
static void accept_blindly(struct ring *r, const struct ring_span *span)
{
	r->lapped = false;
	r->pos = (span->nr << r->sub_shift) + span->offset + span->len;
}

/* All there is now; not more than a few laps, to get round to the keys. */
static void read_some(struct stress *s)
{
	static uint64_t copy[SIZE / 8];
	struct fake_ring *f = &s->f;
	struct ring_span span;

	for (int i = 0; i < 4 * NR; i++) {
		int rc = ring_next(&f->r, &span, NULL);

		if (!rc)
			break;
		if (rc < 0)
			continue; /* counted in f->r.bad */
		/* As if the scheduler had taken the processor away. */
		if (s->looks++ % 1024 == 0)
			dawdle();
		memcpy(copy, span.data, span.len);
		if (s->fault == READER_LOOKS_ONCE) {
			accept_blindly(&f->r, &span);
		} else {
			rc = ring_accept(&f->r, &span, copy, &f->keys,
					 FAKE_SESSION, NULL);
			s->stale += rc == -ESTALE;
			if (rc < 0)
				continue;
		}
		shared_store(&s->read, f->r.pos);
		s->spans++;
		check(s, &span, copy);
	}
}

static void consume(struct stress *s)
{
	double rotate = seconds(), deadline = rotate + 20;
	bool done;

	do {
		double now = seconds();

		done = shared_load(&s->done);
		if (!done && !ring_unread(&s->f.r))
			sched_yield();
		read_some(s);
		/* As the recorder and the module's poll thread do. */
		if (now >= rotate && !done) {
			fake_ring_rotate(&s->f);
			s->keys++;
			rotate = now + 0.002;
		}
		fake_ring_kick(&s->f, shared_load(&s->now));
		if (s->fault && (s->torn || now > deadline))
			shared_store(&s->stop, 1);
	} while (!done);
	/* Nobody writes any more, and one lap is all there is. */
	read_some(s);
}

static double run(struct stress *s, uint64_t nr, enum fault fault)
{
	pthread_t thread;
	double start;

	memset(s, 0, sizeof(*s));
	s->nr = nr;
	s->fault = fault;
	fake_ring_open(&s->f, SHIFT, NR);
	fake_ring_rotate(&s->f);
	start = seconds();
	if (pthread_create(&thread, NULL, produce, s))
		abort();
	consume(s);
	pthread_join(thread, NULL);
	return seconds() - start;
}

static bool expect(const char *what, uint64_t got, uint64_t want)
{
	if (got == want)
		return true;
	printf("ring_stress: %s: %" PRIu64 ", not %" PRIu64 "\n", what, got,
	       want);
	return false;
}

static int stress(uint64_t nr)
{
	struct stress s;
	double took = run(&s, nr, NO_FAULT);
	const struct ring *r = &s.f.r;
	uint64_t produced = s.nr + s.f.tasks;
	bool good = true;

	good &= expect("torn records accepted", s.torn, 0);
	good &= expect("sub-buffers given up", r->bad, 0);
	good &= expect("records missing without a lap", r->gaps, 0);
	good &= expect("records accepted and seen", s.calls + s.tasks,
		       r->accepted);
	good &= expect("accepted + lost", r->accepted + r->lost, produced);
	/* Counted again, by the numbers that the calls carry. */
	good &= expect("last call", s.last, s.nr);
	good &= expect("calls read + calls missing", s.calls + s.skipped, s.nr);
	good &= expect("calls + tasks lost", s.skipped + s.f.tasks - s.tasks,
		       r->lost);
	good &= expect("left unread", ring_unread(r), 0);
	printf("%" PRIu64 " records (%" PRIu64 " of tasks) in %.2f s, %.1f "
	       "M/s: %" PRIu64 " accepted in %" PRIu64 " stretches, %" PRIu64
	       " lost (%.1f %%), %" PRIu64 " stretches overwritten while "
	       "read, %" PRIu64 " keys\n",
	       produced, s.f.tasks, took, produced / took / 1e6, r->accepted,
	       s.spans, r->lost, 100.0 * r->lost / produced, s.stale, s.keys);
	fake_ring_close(&s.f);
	return good ? 0 : 1;
}

/* These two must be caught, or the stress proves nothing. */
static int selftest(void)
{
	static const struct {
		enum fault fault;
		const char *name;
	} faults[] = {
		{ READER_LOOKS_ONCE, "a reader without the second look" },
		{ WRITER_PUBLISHES_FIRST, "a writer that publishes first" },
	};
	int rc = 0;

	for (size_t i = 0; i < sizeof(faults) / sizeof(*faults); i++) {
		struct stress s;
		double took = run(&s, UINT64_MAX, faults[i].fault);

		printf("%s: %s after %.2f s and %" PRIu64 " records\n",
		       faults[i].name, s.torn ? "caught" : "NOT CAUGHT", took,
		       s.calls + s.tasks);
		if (!s.torn)
			rc = 1;
		fake_ring_close(&s.f);
	}
	return rc;
}

/* A full ring out of guest RAM, checked and unmasked, again and again. */
static int bench(void)
{
	static uint64_t copy[1 << (16 - 3)];
	struct fake_ring f;
	struct ring begin;
	uint64_t bytes = 0, records = 0, n = 0, sum = 0;
	double start, took;

	fake_ring_open(&f, 16, 256);
	fake_ring_rotate(&f);
	while (f.w->head < 256ull << 16)
		fake_ring_push(&f, ++n);
	begin = f.r;
	/* Other programs' use of the processor is not ours. */
	start = time_of(CLOCK_THREAD_CPUTIME_ID);
	do {
		struct ring_span span;

		f.r = begin;
		while (ring_next(&f.r, &span, NULL) > 0) {
			int rc;

			memcpy(copy, span.data, span.len);
			rc = ring_accept(&f.r, &span, copy, &f.keys,
					 FAKE_SESSION, NULL);
			if (rc < 0)
				return 1;
			mask_xor(copy, copy, span.len, f.keys.entries[0].key);
			sum += copy[span.len / 16];
			bytes += span.len;
			records += rc;
		}
		took = time_of(CLOCK_THREAD_CPUTIME_ID) - start;
	} while (took < 1);
	printf("%.2f GB/s, %.0f M records/s copied, checked and unmasked "
	       "(%" PRIx64 ")\n",
	       bytes / took / 1e9, records / took / 1e6, sum & 0xf);
	fake_ring_close(&f);
	return 0;
}

/* Of some calls, not so many as fill a sub-buffer; a pool is full before. */
static double write_some(struct fake_ring *f, uint64_t *n, uint64_t nr)
{
	double start;

	if (f->pool)
		xft_seal_fill(f->pool);
	start = time_of(CLOCK_THREAD_CPUTIME_ID);
	for (uint64_t i = 0; i < nr; i++)
		fake_ring_push(f, ++*n);
	return time_of(CLOCK_THREAD_CPUTIME_ID) - start;
}

/* Nanoseconds of processor time a call, the least of some rounds. */
static double write_ns(struct fake_ring *f, uint64_t *n)
{
	const uint64_t nr = 2000000, some = 2000;
	double best = 1e9;

	for (int round = 0; round < 7; round++) {
		double took = 0;

		for (uint64_t i = 0; i < nr; i += some)
			took += write_some(f, n, some);
		took = took / nr * 1e9;
		best = took < best ? took : best;
	}
	return best;
}

/* Millions of records a second, read from a full ring and verified. */
static double verify_rate(struct fake_ring *f, uint64_t *n)
{
	static uint64_t copy[1 << (16 - 3)];
	double took = 0, start;
	uint64_t records = 0;

	while (took < 1) {
		struct ring_span span;

		for (int i = 0; i < 300000; i++)
			fake_ring_push(f, ++*n);
		start = time_of(CLOCK_THREAD_CPUTIME_ID);
		while (ring_next(&f->r, &span, NULL) > 0) {
			int rc;

			memcpy(copy, span.data, span.len);
			rc = ring_accept(&f->r, &span, copy, &f->keys,
					 FAKE_SESSION, NULL);
			if (rc < 0 || span.fault)
				return 0;
			records += rc;
		}
		took += time_of(CLOCK_THREAD_CPUTIME_ID) - start;
	}
	return records / took / 1e6;
}

static int seal(void)
{
	struct fake_ring f;
	uint64_t n = 0;

	fake_ring_open(&f, 16, 256);
	fake_ring_rotate(&f);
	printf("xor_ns %.1f\n", write_ns(&f, &n));
	fake_ring_close(&f);

	n = 0;
	fake_ring_open(&f, 16, 256);
	fake_ring_seal(&f);
	printf("sealed_ns %.1f\n", write_ns(&f, &n));
	printf("verified_millions %.1f\n", verify_rate(&f, &n));
	fake_ring_close(&f);

	n = 0;
	fake_ring_open(&f, 16, 256);
	fake_ring_seal(&f);
	fake_ring_pool(&f);
	printf("pooled_ns %.1f\n", write_ns(&f, &n));
	fake_ring_close(&f);
	return 0;
}

int main(int argc, char **argv)
{
	const char *arg = argc > 1 ? argv[1] : "10000000";
	char *end;
	uint64_t nr;

	if (!strcmp(arg, "--selftest"))
		return selftest();
	if (!strcmp(arg, "--bench"))
		return bench();
	if (!strcmp(arg, "--seal"))
		return seal();
	nr = strtoull(arg, &end, 10);
	if (argc > 2 || *end || !nr) {
		fputs("usage: ring_stress [RECORDS | --selftest | --bench | --seal]\n",
		      stderr);
		return 2;
	}
	return stress(nr);
}
