// SPDX-License-Identifier: GPL-2.0-only
#include "draw.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "callgraph.h"
#include "cleanup.h"
#include "io.h"
#include "journal.h"
#include "trace.h"

static int load(const struct journal *j, struct trace *t, struct xf_err *err)
{
	uint64_t pos = 0;
	const void *data;
	uint32_t type;
	size_t len;
	int rc;

	while ((rc = journal_next(j, &pos, &type, &data, &len, err)) > 0) {
		rc = trace_add_chunk(t, type, data, len, err);
		if (rc)
			break;
	}
	rc = rc ? rc : trace_seal(t, err);
	return rc ? xf_prefix(err, rc, "%s", j->path) : 0;
}

static int draw(const struct trace *t, const char *path,
		struct call_stats *ret_stats, struct xf_err *err)
{
	_cleanup_(io_replace_cancel) struct io_replace out = IO_REPLACE_INIT;
	struct sink sink = { .fd = STDOUT_FILENO };
	bool to_stdout = path[0] == '-' && !path[1];
	int rc;

	if (!to_stdout) {
		rc = io_replace_begin(&out, path, err);
		if (rc)
			return rc;
		sink.fd = out.fd;
	}
	rc = callgraph_draw(t, &emit_text, &sink, ret_stats, err);
	buf_deinit(&sink.buf);
	if (rc)
		return xf_prefix(err, rc, "%s",
				 to_stdout ? "standard output" : path);
	return to_stdout ? 0 : io_replace_commit(&out, 0666, err);
}

int draw_file(const char *raw, const char *path, struct call_stats *ret_stats,
	      struct xf_err *err)
{
	struct journal j;
	struct trace t;
	int rc;

	rc = journal_open(&j, raw, err);
	if (rc)
		return rc;
	trace_init(&t);
	rc = load(&j, &t, err);
	rc = rc ? rc : draw(&t, path, ret_stats, err);
	trace_deinit(&t);
	journal_close(&j);
	return rc;
}
