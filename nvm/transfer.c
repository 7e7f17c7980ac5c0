// SPDX-License-Identifier: GPL-2.0-only
#include "transfer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "catalog.h"
#include "cleanup.h"
#include "journal.h"

/* What a trace needs in a store of its own. */
struct need {
	uint64_t bytes; /* of the trace's chunks */
	uint64_t object_bytes[LAYOUT_REFS];
	int64_t object[LAYOUT_REFS];
	uint32_t nr_objects;
};

static void need_object(struct need *n, int64_t object, size_t len)
{
	for (uint32_t i = 0; i < n->nr_objects; i++)
		if (n->object[i] == object)
			return;
	if (n->nr_objects == LAYOUT_REFS)
		return;
	n->object_bytes[n->nr_objects] = journal_chunk_bytes(len);
	n->object[n->nr_objects++] = object;
}

static int measure(const struct journal *j, struct need *n, struct xf_err *err)
{
	struct journal_chunk c = { 0 };
	int rc;

	*n = (struct need){ 0 };
	while ((rc = journal_next(j, &c, err)) > 0) {
		int64_t object = journal_object(j, c.data);

		if (object >= 0)
			need_object(n, object, c.len);
		n->bytes += journal_chunk_bytes(
			object >= 0 ? sizeof(struct store_ref) : c.len);
	}
	return rc;
}

static const char *key_of(const struct store *st, int64_t object,
			  struct catalog_entry *e)
{
	const char *dot = catalog_read(st, object, e) && !e->damaged
				  ? strchr(e->name, '.')
				  : NULL;

	return dot ? dot + 1 : NULL;
}

static int copy_chunk(struct journal *to, const struct journal *from,
		      uint32_t type, const void *data, size_t len,
		      struct xf_err *err)
{
	int64_t object = journal_object(from, data);
	struct catalog_entry e;
	const char *key = object >= 0 ? key_of(from->st, object, &e) : NULL;

	return key ? journal_share(to, type, key, data, len, err)
		   : journal_put(to, type, data, len, err);
}

/* All or nothing: one commit at the end. */
static int copy(struct journal *to, const struct journal *from, uint64_t bytes,
		struct xf_err *err)
{
	struct journal_chunk c = { 0 };
	int rc = bytes ? journal_prepare(to, bytes, err) : 0;

	if (rc && rc != -ENOSPC)
		return rc;
	/* Not in one piece then; chunk by chunk it may still fit. */
	while ((rc = journal_next(from, &c, err)) > 0) {
		rc = copy_chunk(to, from, c.type, c.data, c.len, err);
		if (rc)
			return rc;
	}
	rc = rc ? rc : journal_failed(from, err);
	return rc ? rc : journal_commit(to, err);
}

static void plan(const struct need *n, struct store_shape *shape)
{
	uint64_t bytes = n->bytes, nr;
	uint32_t shift = 12;

	for (uint32_t i = 0; i < n->nr_objects; i++)
		bytes += n->object_bytes[i];
	while (bytes >> shift > 65536)
		shift++;
	nr = (n->bytes >> shift) + 1;
	for (uint32_t i = 0; i < n->nr_objects; i++)
		nr += (n->object_bytes[i] >> shift) + 1;
	/* A writer takes up to a 64th more than it needs. */
	nr += nr / 63 + 1;
	*shape = (struct store_shape){
		.block = 1u << shift,
		.nr_slots = 1 + n->nr_objects,
		.size = store_bytes(1 + n->nr_objects, nr, shift),
	};
}

/* @name or, if NULL, the only one. */
static int open_named(struct journal *j, struct store *st, const char *name,
		      struct catalog_entry *e, struct xf_err *err)
{
	int rc = name ? catalog_find(st, name, e, err)
		      : catalog_only(st, e, err);

	return rc ? rc : journal_open(j, st, e->name, err);
}

static int write_file(const struct journal *from, const char *name,
		      const char *path, struct xf_err *err)
{
	struct store_shape shape;
	struct store st = { 0 };
	struct journal to = { 0 };
	struct need n;
	int rc = measure(from, &n, err);

	if (rc)
		return rc;
	plan(&n, &shape);
	rc = store_create(&st, path, &shape, err);
	if (rc)
		return rc;
	rc = journal_create(&to, &st, name, err);
	rc = rc ? rc : copy(&to, from, n.bytes, err);
	rc = rc ? rc : journal_finish(&to, err);
	journal_close(&to);
	store_close(&st);
	if (rc)
		unlink(path);
	return rc;
}

int transfer_export(struct store *st, const char *name, const char *path,
		    struct xf_err *err)
{
	struct journal from = { 0 };
	struct catalog_entry e;
	int rc = open_named(&from, st, name, &e, err);

	if (rc)
		return rc;
	rc = write_file(&from, e.name, path, err);
	journal_close(&from);
	return rc;
}

static int take_in(struct store *st, const struct journal *from,
		   const char *name, struct xf_err *err)
{
	struct journal to = { 0 };
	struct need n;
	int rc = measure(from, &n, err);

	rc = rc ? rc : journal_create_draft(&to, st, name, err);
	if (rc)
		return rc;
	rc = copy(&to, from, n.bytes, err);
	rc = rc ? rc : journal_finish(&to, err);
	rc = rc ? rc : journal_publish(&to, err);
	/* A draft that is closed is nobody's, and collected. */
	journal_close(&to);
	if (rc)
		(void)catalog_collect(st, NULL);
	return rc;
}

int transfer_import(struct store *st, const char *path, const char *name,
		    struct xf_err *err)
{
	struct journal from = { 0 };
	struct catalog_entry e;
	struct store file;
	int rc = store_open(&file, path, false, err);

	if (rc)
		return rc;
	rc = open_named(&from, &file, NULL, &e, err);
	rc = rc ? rc : take_in(st, &from, name ? name : e.name, err);
	journal_close(&from);
	store_close(&file);
	return rc;
}
