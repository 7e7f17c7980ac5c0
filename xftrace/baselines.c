// SPDX-License-Identifier: GPL-2.0-only
#include "baselines.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "baseline.h"
#include "cleanup.h"
#include "io.h"
#include "journal.h"
#include "traces.h"

#define PART (1u << 20)

static int put(struct journal *j, const struct buf *text, struct xf_err *err)
{
	int rc = 0;

	for (size_t at = 0; !rc && at < text->len; at += PART)
		rc = journal_put(j, TRACE_BASELINE, text->data + at,
				 text->len - at < PART ? text->len - at : PART,
				 err);
	rc = rc ? rc : journal_commit(j, err);
	return rc ? rc : journal_sync(j, err);
}

int baselines_keep(struct store *st, const char *name, const struct buf *text,
		   struct xf_err *err)
{
	struct journal j = { 0 };
	int rc = journal_create_draft(&j, st, name, err);

	rc = rc ? rc : put(&j, text, err);
	rc = rc ? rc : journal_publish(&j, err);
	/* A draft that is closed is nobody's, and collected. */
	journal_close(&j);
	return rc;
}

static int read_kept(const struct journal *j, struct buf *ret,
		     struct xf_err *err)
{
	struct journal_chunk c = { 0 };
	int rc;

	while ((rc = journal_next(j, &c, err)) > 0) {
		if (c.type != TRACE_BASELINE)
			return xf_fail(err, -EBADMSG,
				       "%s: is a trace, not a baseline",
				       j->path);
		if (c.len > BASELINE_FILE_MAX - ret->len)
			return xf_fail(err, -EBADMSG, "%s: is too long",
				       j->path);
		buf_add(ret, c.data, c.len);
	}
	return rc;
}

static int find_kept(const char *name, const char *store, struct buf *ret,
		     struct xf_err *err)
{
	struct journal j = { 0 };
	struct store st = { 0 };
	int rc = traces_open_one(&st, &j, store, name, err);

	if (rc == -ENOENT)
		return xf_fail(err, rc, "there is no baseline '%s', as a file "
					"or in the store ('xftrace baseline "
					"make' makes one)", name);
	rc = rc ? rc : read_kept(&j, ret, err);
	rc = rc ? rc : journal_failed(&j, err);
	journal_close(&j);
	store_close(&st);
	return rc;
}

int baselines_read(const char *what, const char *store, struct flow *f,
		   struct xf_err *err)
{
	_cleanup_(buf_deinit) struct buf text = BUF_INIT;
	int rc;

	if (access(what, F_OK))
		rc = find_kept(what, store, &text, err);
	else
		rc = io_read_file(what, BASELINE_FILE_MAX, &text, err);
	if (rc)
		return rc;
	rc = baseline_parse(text.data, text.len, f, err);
	return rc ? xf_prefix(err, rc, "%s", what) : 0;
}
