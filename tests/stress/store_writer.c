// SPDX-License-Identifier: GPL-2.0-only
/*
 * store_writer FILE append numbered chunks to FILE's trace until killed,
 *				and say "ack N" when chunk N must survive
 * store_writer --check FILE N	FILE has 1, 2, 3... without a gap, N at least
 *
 * The store is made if it is missing; the trace of a writer that died is
 * checked and gone on with. "dax" comes first if a commit needs no sync;
 * without, there is nothing to be acknowledged and the program ends.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "catalog.h"
#include "journal.h"

#define SIZE	  (40 << 20)
#define ENOUGH	  (24 << 20) /* bytes of a trace, then comes another */
#define MAX_WORDS 2048

static int fail(const struct xf_err *err)
{
	fprintf(stderr, "store_writer: %s\n", err->msg);
	return 1;
}

/* Chunk @n: its number, then words that follow from it. */
static size_t fill(uint64_t n, uint64_t words[MAX_WORDS])
{
	uint64_t x = n * 0x9e3779b97f4a7c15ULL;
	size_t nr = 1 + (x >> 33) % (n % 8 ? 64 : MAX_WORDS);

	for (size_t i = 0; i < nr; i++) {
		words[i] = i ? x : n;
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
	}
	return nr * sizeof(*words);
}

/* Number of the last chunk, all before it being there; -errno. */
static int64_t check(const struct journal *j, struct xf_err *err)
{
	uint64_t words[MAX_WORDS], n = 0;
	struct journal_chunk c = { 0 };
	int rc;

	while ((rc = journal_next(j, &c, err)) > 0) {
		n++;
		if (c.len != fill(n, words) || memcmp(c.data, words, c.len))
			return xf_fail(err, -EBADMSG, "chunk %" PRIu64
				       " is another", n);
	}
	return rc ? rc : (int64_t)n;
}

static int check_file(const char *path, uint64_t least)
{
	struct journal j = { 0 };
	struct store st = { 0 };
	struct xf_err err;
	int64_t n = store_open(&st, path, false, &err);

	n = n ? n : journal_open(&j, &st, NULL, &err);
	/* It may have died before it had one. */
	if (n == -ENOENT && !least)
		return 0;
	n = n ? n : check(&j, &err);
	if (n < 0)
		return fail(&err);
	printf("%" PRId64 "\n", n);
	if ((uint64_t)n >= least)
		return 0;
	fprintf(stderr, "store_writer: %" PRId64 " chunks, but %" PRIu64
		" were acknowledged\n", n, least);
	return 1;
}

/* Go on with the trace that is there, or begin one. */
static int64_t begin(struct store *st, struct journal *j, struct xf_err *err)
{
	int64_t n = journal_reopen(j, st, "t", err);

	if (n == -ENOENT)
		return journal_create(j, st, "t", err);
	n = n ? n : check(j, err);
	if (n < 0 || j->committed < ENOUGH)
		return n;
	journal_close(j);
	n = catalog_remove(st, "t", err);
	return n ? n : journal_create(j, st, "t", err);
}

static void say(const char *what, uint64_t n)
{
	char line[32];
	int len = snprintf(line, sizeof(line), "%s %" PRIu64 "\n", what, n);

	if (write(STDOUT_FILENO, line, len) != len)
		_exit(1);
}

static int write_on(struct journal *j, uint64_t n, struct xf_err *err)
{
	uint64_t words[MAX_WORDS];
	int rc = 0;

	while (!rc) {
		/* Some commits cover several chunks. */
		for (int i = n % 3; !rc && i >= 0; i--) {
			size_t len = fill(++n, words);

			rc = journal_put(j, n % 5, words, len, err);
		}
		rc = rc ? rc : journal_commit(j, err);
		if (!rc)
			say("ack", n);
	}
	/* Full: wait to be killed. */
	while (rc == -ENOSPC)
		pause();
	return rc;
}

int main(int argc, char **argv)
{
	const struct store_shape shape = { .size = SIZE };
	struct journal j = { 0 };
	struct store st = { 0 };
	struct xf_err err;
	int64_t n;
	int rc;

	if (argc == 4 && !strcmp(argv[1], "--check"))
		return check_file(argv[2], strtoull(argv[3], NULL, 10));
	if (argc != 2) {
		fprintf(stderr, "usage: store_writer FILE\n"
				"       store_writer --check FILE N\n");
		return 2;
	}
	rc = store_open(&st, argv[1], true, &err);
	if (rc)
		rc = store_create(&st, argv[1], &shape, &err);
	if (rc)
		return fail(&err);
	if (!st.m.durable) {
		fprintf(stderr, "store_writer: %s: not on DAX\n", argv[1]);
		return 1;
	}
	n = begin(&st, &j, &err);
	if (n < 0)
		return fail(&err);
	say("dax", n);
	write_on(&j, n, &err);
	return fail(&err);
}
