// SPDX-License-Identifier: GPL-2.0-only
/*
 * store_bench append FILE	what a trace costs against memcpy()
 * store_bench sweep FILE	the same for blocks of 1 byte to 16 MiB
 * store_bench open FILE	opening a store with 10,000 traces
 *
 * FILE is made and removed. append commits each block and compares with
 * memcpy() of the same blocks into the same mapping, every page of which has
 * been touched before; best of several rounds that take turns. Prints numbers
 * with their names, one a line.
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
#include "journal.h"

#define MIB    (1ULL << 20)
#define ROUNDS 7

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

/* Seconds to append and commit @total bytes in blocks of @len. */
static double append(struct store *st, const uint8_t *src, size_t len,
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
		must(journal_put(&j, 1, src + done % (4 * len), len, &err),
		     &err);
		must(journal_commit(&j, &err), &err);
	}
	start = seconds() - start;
	journal_close(&j);
	must(catalog_remove(st, "bench", &err), &err);
	return start;
}

static double copy(struct store *st, const uint8_t *src, size_t len,
		   uint64_t total)
{
	uint8_t *to = st->m.base + st->data_off;
	double start = seconds();

	for (uint64_t done = 0; done < total; done += len)
		memcpy(to + done, src + done % (4 * len), len);
	return seconds() - start;
}

static void touch(struct store *st, uint64_t len)
{
	for (uint64_t off = 0; off < len; off += 4096)
		st->m.base[st->data_off + off] = 1;
}

static void compare(struct store *st, size_t len, uint64_t total,
		    double *ret_append, double *ret_copy)
{
	uint64_t bytes = total / len * journal_chunk_bytes(len);
	uint8_t *src = malloc(4 * len);

	if (!src)
		abort();
	memset(src, 5, 4 * len);
	*ret_append = *ret_copy = 1e9;
	for (int i = 0; i < ROUNDS; i++) {
		double s;

		touch(st, bytes);
		s = copy(st, src, len, total);
		*ret_copy = s < *ret_copy ? s : *ret_copy;
		touch(st, bytes);
		s = append(st, src, len, total);
		*ret_append = s < *ret_append ? s : *ret_append;
	}
	free(src);
}

static void make(struct store *st, const char *path, uint64_t size)
{
	const struct store_shape shape = { .size = size };
	struct xf_err err;

	unlink(path);
	must(store_create(st, path, &shape, &err), &err);
}

static void bench_append(const char *path)
{
	double a, c;
	struct store st;

	make(&st, path, 300 * MIB);
	compare(&st, 65536, 256 * MIB, &a, &c);
	printf("append_gbs %.2f\nmemcpy_gbs %.2f\nratio_percent %.0f\n"
	       "durable %d\n",
	       256 * MIB / a / 1e9, 256 * MIB / c / 1e9, 100 * c / a,
	       st.m.durable);
	store_close(&st);
}

static void bench_sweep(const char *path)
{
	struct store st;

	make(&st, path, 300 * MIB);
	for (size_t len = 1; len <= 16 * MIB; len *= 4) {
		uint64_t total = len < 4096 ? len << 18 : 256 * MIB;
		double a, c;

		total = total > 256 * MIB ? 256 * MIB : total;
		/* Headers take room, too. */
		while (total / len * journal_chunk_bytes(len) > 280 * MIB)
			total /= 2;
		compare(&st, len, total, &a, &c);
		printf("%zu %.4f %.4f\n", len, total / a / 1e9,
		       total / c / 1e9);
	}
	store_close(&st);
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
		best = start < best ? start : best;
		store_close(&st);
		if (nr != 10000)
			abort();
	}
	printf("open_ms %.2f\n", best * 1000);
}

int main(int argc, char **argv)
{
	void (*bench)(const char *path) = NULL;

	if (argc == 3 && !strcmp(argv[1], "append"))
		bench = bench_append;
	else if (argc == 3 && !strcmp(argv[1], "sweep"))
		bench = bench_sweep;
	else if (argc == 3 && !strcmp(argv[1], "open"))
		bench = bench_open;
	if (!bench) {
		fprintf(stderr, "usage: store_bench append|sweep|open FILE\n");
		return 2;
	}
	bench(argv[2]);
	unlink(argv[2]);
	return 0;
}
