// SPDX-License-Identifier: GPL-2.0-only
/*
 * store_bench append FILE	what a trace costs against memcpy()
 * store_bench transfer FILE	1 GiB out of a guest's ring into a trace
 * store_bench sweep FILE	16 MiB in blocks of 1 byte to 16 MiB
 * store_bench open FILE	opening a store with 10,000 traces
 *
 * FILE is made and removed. Unless said otherwise every page of it has been
 * touched before; best of several rounds that take turns. Prints numbers with
 * their names, one a line.
 *
 * append commits each block of 64 KiB and compares with memcpy() of the same
 * blocks into the same mapping. transfer has the module's own writer fill a
 * ring in shared memory, which is not timed, and the recorder's code empty it.
 * sweep prints lines of: bytes a block; GB/s read from guest RAM, copied from
 * there into the store, and appended and committed as chunks.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "blocks.h"
#include "catalog.h"
#include "cleanup.h"
#include "fake_ring.h"
#include "intake.h"
#include "journal.h"

#define MIB    (1ULL << 20)
#define ROUNDS 7
#define BLOCK  65536

#define TRANSFER (1024 * MIB)
#define SUBS	 64	/* of 64 KiB: what 'xftrace on' makes */
#define SWEEP	 (16 * MIB)

static double seconds(void)
{
	struct timespec t;

	/* Of the processor: others on this machine matter less. */
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

static void must(int rc, const struct xf_err *err)
{
	if (rc) {
		fprintf(stderr, "store_bench: %s\n", err->msg);
		exit(1);
	}
}

/* What is appended, again and again. */
struct source {
	const uint8_t *data;
	size_t len;
};

/* Seconds to append and commit @total bytes in blocks of @len. */
static double append(struct store *st, struct source src, size_t len,
		     uint64_t total)
{
	struct xf_err err;
	struct journal j;
	double start;

	must(journal_create(&j, st, "bench", &err), &err);
	must(journal_prepare(&j, total / len * journal_chunk_bytes(len), &err),
	     &err);
	start = seconds();
	for (uint64_t done = 0; done < total; done += len) {
		must(journal_put(&j, 1, src.data + done % src.len, len, &err),
		     &err);
		must(journal_commit(&j, &err), &err);
	}
	start = seconds() - start;
	journal_close(&j);
	must(catalog_remove(st, "bench", &err), &err);
	return start;
}

/* The same bytes to the same places, and nothing else. */
static double copy(struct store *st, struct source src, size_t len,
		   uint64_t total)
{
	uint8_t *to = st->m.base + st->data_off + sizeof(struct store_chunk);
	double start = seconds();

	for (uint64_t done = 0; done < total; done += len) {
		memcpy(to, src.data + done % src.len, len);
		to += journal_chunk_bytes(len);
	}
	return seconds() - start;
}

static void touch(struct store *st, uint64_t len)
{
	for (uint64_t off = 0; off < len; off += 4096)
		st->m.base[st->data_off + off] = 1;
}

static void make(struct store *st, const char *path, uint64_t size)
{
	const struct store_shape shape = { .size = size };
	struct xf_err err;

	unlink(path);
	must(store_create(st, path, &shape, &err), &err);
}

static double least(double a, double b)
{
	return a < b ? a : b;
}

static void bench_append(const char *path)
{
	static uint8_t data[4 * BLOCK];
	const struct source src = { data, sizeof(data) };
	uint64_t total = 256 * MIB, bytes;
	double a = 1e9, c = 1e9;
	struct store st;

	memset(data, 5, sizeof(data));
	bytes = total / BLOCK * journal_chunk_bytes(BLOCK);
	make(&st, path, 300 * MIB);
	for (int i = 0; i < ROUNDS; i++) {
		touch(&st, bytes);
		c = least(c, copy(&st, src, BLOCK, total));
		touch(&st, bytes);
		a = least(a, append(&st, src, BLOCK, total));
	}
	printf("append_gbs %.2f\nmemcpy_gbs %.2f\nratio_percent %.0f\n"
	       "durable %d\n",
	       total / a / 1e9, total / c / 1e9, 100 * c / a, st.m.durable);
	store_close(&st);
}

/* As full as it may be without anything being overwritten. */
static void fill_ring(struct fake_ring *f, uint64_t *n)
{
	uint64_t full = f->w->head + ((SUBS - 2) << 16);

	while (f->w->head < full)
		fake_ring_push(f, ++*n);
}

/* Seconds of the reader alone; @ret_records counts what it had. */
static double transfer(struct store *st, struct fake_ring *f, uint64_t *n,
		       uint64_t *ret_records)
{
	uint64_t had = f->r.accepted;
	struct journal j;
	struct xf_err err;
	double took = 0;

	must(journal_create(&j, st, "bench", &err), &err);
	while (j.committed < TRANSFER) {
		double start;

		fill_ring(f, n);
		start = seconds();
		must(intake_ring(&j, &f->r, &f->keys, FAKE_SESSION, &err),
		     &err);
		must(journal_commit(&j, &err), &err);
		took += seconds() - start;
	}
	took *= (double)TRANSFER / j.committed;
	journal_close(&j);
	must(catalog_remove(st, "bench", &err), &err);
	*ret_records = f->r.accepted - had;
	if (f->r.lost || f->r.gaps || f->r.bad)
		abort();
	return took;
}

static void bench_transfer(const char *path)
{
	double fresh, best = 1e9;
	struct fake_ring f;
	uint64_t n = 0, nr;
	struct store st;

	fake_ring_open(&f, 16, SUBS);
	fake_ring_rotate(&f);
	make(&st, path, TRANSFER + 100 * MIB);
	fresh = transfer(&st, &f, &n, &nr);
	for (int i = 0; i < ROUNDS; i++)
		best = least(best, transfer(&st, &f, &n, &nr));
	printf("transfer_s %.3f\nfresh_s %.3f\nrecords %" PRIu64 "\n", best,
	       fresh, nr);
	store_close(&st);
	fake_ring_close(&f);
}

/* ---- by the size of a block ---- */

struct sweep {
	struct store st;
	struct fake_guest g;
	uint8_t *buf;	/* of the host's own */
};

static double sweep_read(struct sweep *s, size_t len)
{
	double start = seconds();

	for (uint64_t done = 0; done < SWEEP; done += len) {
		memcpy(s->buf, s->g.ram + done, len);
		/* It is wanted, as far as the compiler knows. */
		__asm__ volatile("" : : "r"(s->buf) : "memory");
	}
	return seconds() - start;
}

static double sweep_write(struct sweep *s, size_t len)
{
	double start = seconds();

	for (uint64_t done = 0; done < SWEEP; done += len) {
		uint64_t off = s->st.data_off + done;

		media_copy(&s->st.m, off, s->g.ram + done, len);
		media_persist(&s->st.m, off, len);
	}
	return seconds() - start;
}

static double sweep_append(struct sweep *s, size_t len)
{
	return append(&s->st, (struct source){ s->g.ram, SWEEP }, len, SWEEP);
}

static void sweep_all(struct sweep *s)
{
	static double (*const ways[])(struct sweep *s, size_t len) = {
		sweep_read, sweep_write, sweep_append
	};

	for (size_t len = 1; len <= SWEEP; len *= 2) {
		printf("%zu", len);
		for (size_t way = 0; way < 3; way++) {
			double best = 1e9;

			for (int i = 0; i < ROUNDS; i++)
				best = least(best, ways[way](s, len));
			printf(" %.4f", SWEEP / best / 1e9);
		}
		putchar('\n');
		fflush(stdout);
	}
}

static void bench_sweep(const char *path)
{
	struct sweep s = { .buf = aligned_alloc(4096, SWEEP) };

	if (!s.buf)
		abort();
	/* A byte of payload takes 32 in the trace. */
	make(&s.st, path, 33 * SWEEP);
	touch(&s.st, 32 * SWEEP);
	fake_guest_open(&s.g, SWEEP);
	memset(s.g.ram, 5, SWEEP);
	memset(s.buf, 6, SWEEP);
	sweep_all(&s);
	fake_guest_close(&s.g);
	free(s.buf);
	store_close(&s.st);
}

static void bench_open(const char *path)
{
	struct catalog_entry e;
	struct xf_err err;
	struct store st;
	double best = 1e9;
	uint32_t slot;

	make(&st, path, 1024 * MIB);
	for (int i = 0; i < 10000; i++) {
		char name[32];

		snprintf(name, sizeof(name), "trace-%d", i);
		must(catalog_create(&st, STORE_TRACE, name, &slot, &err), &err);
	}
	store_close(&st);
	for (int i = 0; i < ROUNDS; i++) {
		double start = seconds();
		uint32_t nr = 0;

		must(store_open(&st, path, false, &err), &err);
		slot = 0;
		while (catalog_next(&st, &slot, &e))
			nr++;
		start = seconds() - start;
		best = least(best, start);
		store_close(&st);
		if (nr != 10000)
			abort();
	}
	printf("open_ms %.2f\n", best * 1000);
}

static const struct bench {
	const char *name;
	void (*run)(const char *path);
} benches[] = {
	{ "append", bench_append },
	{ "transfer", bench_transfer },
	{ "sweep", bench_sweep },
	{ "open", bench_open },
};

int main(int argc, char **argv)
{
	for (size_t i = 0; argc == 3 && i < ARRAY_SIZE(benches); i++)
		if (!strcmp(argv[1], benches[i].name)) {
			benches[i].run(argv[2]);
			unlink(argv[2]);
			return 0;
		}
	fprintf(stderr, "usage: store_bench append|transfer|sweep|open FILE\n");
	return 2;
}
