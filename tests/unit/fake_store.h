/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * fake_store -- a folder for stores, and traces whose chunks prove themselves.
 *
 * Chunk i of a trace: type, length and bytes follow from i and from the trace's
 * salt. The folder is in memory where there is such a place: creating a trace
 * waits for the medium.
 */
#ifndef XF_FAKE_STORE_H
#define XF_FAKE_STORE_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "blocks.h"
#include "catalog.h"
#include "check.h"
#include "cleanup.h"
#include "journal.h"
#include "transfer.h"

#define MIB (1u << 20)

static char folder[64];

static int set_up(void **state)
{
	snprintf(folder, sizeof(folder), "%s/test_store.XXXXXX",
		 access("/dev/shm", W_OK) ? "/tmp" : "/dev/shm");
	return mkdtemp(folder) && !chdir(folder) ? 0 : -1;
}

static int tear_down(void **state)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -rf %s", folder);
	return chdir("/") || system(command);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

static inline void make_store(struct store *st, const char *path, uint64_t len)
{
	struct store_shape shape = { .size = len };
	struct xf_err err;

	if (store_create(st, path, &shape, &err))
		fail_msg("%s", err.msg);
}

static inline size_t len_of(uint32_t salt, uint32_t i)
{
	return ((salt + i) * 2654435761u >> 16) % 3000;
}

static inline uint8_t byte_of(uint32_t salt, uint32_t i, size_t at)
{
	return salt + (i + 1) * 31 + at * 7;
}

static inline int put_one(struct journal *j, uint32_t salt, uint32_t i,
			  struct xf_err *err)
{
	uint8_t data[3000];
	size_t len = len_of(salt, i);

	for (size_t at = 0; at < len; at++)
		data[at] = byte_of(salt, i, at);
	return journal_put(j, i, data, len, err);
}

/* All chunks, in order, and nothing else; returns how many, or an error. */
static inline int count_chunks(const struct journal *j, uint32_t salt)
{
	struct journal_chunk c = { 0 };
	uint32_t nr = 0;
	int rc;

	while ((rc = journal_next(j, &c, NULL)) > 0) {
		assert_int_equal((uintptr_t)c.data % 16, 0);
		assert_int_equal(c.type, nr);
		assert_int_equal(c.len, len_of(salt, nr));
		for (size_t at = 0; at < c.len; at++)
			if (((const uint8_t *)c.data)[at] !=
			    byte_of(salt, nr, at))
				fail_msg("chunk %u, byte %zu", nr, at);
		nr++;
	}
	return rc < 0 ? rc : (int)nr;
}

static inline int count_in(struct store *st, const char *name, uint32_t salt)
{
	struct journal j;
	int rc = journal_open(&j, st, name, NULL);

	if (rc)
		return rc;
	rc = count_chunks(&j, salt);
	journal_close(&j);
	return rc;
}

/* A finished trace of @nr chunks. */
static inline void make_trace(struct store *st, const char *name, uint32_t salt,
			      uint32_t nr)
{
	struct xf_err err = { 0 };
	struct journal j;

	if (journal_create(&j, st, name, &err))
		fail_msg("%s", err.msg);
	for (uint32_t i = 0; i < nr; i++)
		assert_int_equal(put_one(&j, salt, i, &err), 0);
	assert_int_equal(journal_commit(&j, &err), 0);
	assert_int_equal(journal_finish(&j, &err), 0);
	journal_close(&j);
}

static inline void poke(const char *path, off_t off, const void *data,
			size_t len)
{
	FILE *f = fopen(path, "r+");

	assert_non_null(f);
	assert_int_equal(fseek(f, off, SEEK_SET), 0);
	assert_int_equal(fwrite(data, 1, len, f), len);
	assert_int_equal(fclose(f), 0);
}

#endif
