// SPDX-License-Identifier: GPL-2.0-only
/*
 * make_trace [-u] FILE [TYPE TEXT]...	a trace of these chunks, as one file;
 *	-u: its recorder did not finish it
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "journal.h"

static int write_chunks(struct journal *j, char **argv, bool finish,
			struct xf_err *err)
{
	int rc = 0;

	for (; !rc && argv[0] && argv[1]; argv += 2)
		rc = journal_put(j, atoi(argv[0]), argv[1], strlen(argv[1]),
				 err);
	rc = rc ? rc : journal_commit(j, err);
	return rc || !finish ? rc : journal_finish(j, err);
}

int main(int argc, char **argv)
{
	const struct store_shape shape = { .size = 1 << 20, .nr_slots = 4 };
	struct journal j = { 0 };
	struct store st = { 0 };
	bool finish = argc < 2 || strcmp(argv[1], "-u");
	struct xf_err err;
	int rc;

	argc -= !finish;
	argv += !finish;
	if (argc < 2 || argc % 2) {
		fprintf(stderr, "usage: make_trace [-u] FILE [TYPE TEXT]...\n");
		return 2;
	}
	rc = store_create(&st, argv[1], &shape, &err);
	rc = rc ? rc : journal_create(&j, &st, "trace", &err);
	rc = rc ? rc : write_chunks(&j, argv + 2, finish, &err);
	journal_close(&j);
	store_close(&st);
	if (rc)
		fprintf(stderr, "make_trace: %s\n", err.msg);
	return rc ? 1 : 0;
}
