// SPDX-License-Identifier: GPL-2.0-only
#include "draw.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "callgraph.h"
#include "cleanup.h"
#include "confine.h"
#include "io.h"
#include "log.h"
#include "opt.h"
#include "traces.h"

/* Where a format writes. */
struct output {
	struct sink sink;	/* first: the sink's next() is ours */
	const char *path;	/* borrowed */
	struct io_replace file;
	unsigned int nr;	/* of the file, from 1 */
};

/* "dir/trace.dat" as "dir/trace.2.dat" */
static char *numbered(const char *path, unsigned int nr)
{
	const char *slash = strrchr(path, '/');
	const char *name = slash ? slash + 1 : path;
	const char *dot = *name ? strrchr(name + 1, '.') : NULL;
	int len = dot ? dot - path : (int)strlen(path);
	struct buf b = BUF_INIT;

	buf_printf(&b, "%.*s.%u%s", len, path, nr, path + len);
	return buf_take(&b);
}

static int output_begin(struct output *o, struct xf_err *err)
{
	_cleanup_free_ char *path = ++o->nr > 1 ? numbered(o->path, o->nr) :
						  strdup(o->path);
	int rc = io_replace_begin(&o->file, path, err);

	o->sink.fd = o->file.fd;
	/* Something else than a file may lie where there is no room. */
	o->sink.beside = o->file.tmp;
	return rc;
}

static int output_next(struct sink *sink, struct xf_err *err)
{
	struct output *o = (struct output *)sink;
	int rc = io_replace_commit(&o->file, 0666, err);

	rc = rc ? rc : output_begin(o, err);
	if (!rc)
		xf_info("%s: the guest's module started anew; what came then "
			"is in %s", o->path, o->file.path);
	return rc;
}

/* Not every format is for a terminal, or has room for a second session. */
static int check_stdout(const struct trace *t, const struct emit_ops *format,
			struct xf_err *err)
{
	if (format->binary && isatty(STDOUT_FILENO))
		return xf_fail(err, -EINVAL, "%s is not for a terminal: say "
			       "-o %s", format->name, format->file);
	if (format->binary && t->nr_sessions > 1)
		return xf_fail(err, -EINVAL, "the guest's module was started "
			       "%zu times, and each time is a file of its own: "
			       "say -o %s", t->nr_sessions, format->file);
	return 0;
}

static int draw(const struct trace *t, const struct emit_ops *format,
		const char *path, struct call_stats *ret_stats,
		struct xf_err *err)
{
	struct output o = { .sink = { .fd = STDOUT_FILENO,
				      .next = output_next },
			    .path = path,
			    .file = IO_REPLACE_INIT };
	bool to_stdout = path[0] == '-' && !path[1];
	int rc;

	rc = to_stdout ? check_stdout(t, format, err) : output_begin(&o, err);
	if (rc)
		return rc;
	rc = callgraph_draw(t, format, &o.sink, ret_stats, err);
	buf_deinit(&o.sink.buf);
	if (rc)
		xf_prefix(err, rc, "%s", to_stdout ? "standard output" :
						     o.file.path ?: path);
	else if (!to_stdout)
		rc = io_replace_commit(&o.file, 0666, err);
	io_replace_cancel(&o.file);
	return rc;
}

int draw_format(const char *name, const struct emit_ops **ret,
		struct xf_err *err)
{
	static const struct emit_ops *const formats[] = { &emit_text,
							  &emit_dat };
	_cleanup_(buf_deinit) struct buf known = BUF_INIT;

	for (size_t i = 0; i < ARRAY_SIZE(formats); i++) {
		if (!strcmp(name, formats[i]->name)) {
			*ret = formats[i];
			return 0;
		}
		buf_printf(&known, "%s%s", i ? ", " : "", formats[i]->name);
	}
	return xf_fail(err, OPT_MISUSE, "--format: there is no '%s', but %s",
		       name, known.data);
}

int draw_trace(const struct journal *j, const struct emit_ops *format,
	       const char *path, struct call_stats *ret_stats,
	       struct xf_err *err)
{
	struct trace t;
	int rc = confine(&(struct confine){
				 .output = { path },
				 .temporary = format->binary,
			 }, err);

	if (rc)
		return rc;
	trace_init(&t);
	/* Before it is read: it may end meanwhile. */
	t.recording = store_is_written(j->st, j->slot);
	rc = traces_load(j, &t, err);
	rc = rc ? rc : draw(&t, format, path, ret_stats, err);
	rc = rc ? rc : journal_failed(j, err);
	trace_deinit(&t);
	return rc;
}
