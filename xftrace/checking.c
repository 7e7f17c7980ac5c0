// SPDX-License-Identifier: GPL-2.0-only
#include "checking.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "baselines.h"
#include "cleanup.h"
#include "flowcheck.h"
#include "io.h"
#include "kimage.h"
#include "log.h"
#include "report.h"
#include "traces.h"
#include "writecheck.h"

static char *copy(const char *s)
{
	char *p = strdup(s);

	if (!p)
		abort();
	return p;
}

void checking_cannot(struct checking *c, const struct xf_err *why)
{
	findings_add(&c->findings, RULE_CANNOT_TELL, NULL, "%s", why->msg);
}

void checking_begin(struct checking *c)
{
	struct xf_err why;

	if (c->baseline && baselines_read(c->baseline, c->store, &c->base, &why))
		checking_cannot(c, &why);
}

/* The image; only one that was named must be the right one. */
static bool open_code(struct checking *c, struct kfile *ret)
{
	_cleanup_(buf_deinit) struct buf elf = BUF_INIT;
	struct xf_err why;

	if (!kimage_load(c->kernel, c->release, c->build_id, &elf, &why) &&
	    !kfile_open(ret, &elf, 0, &why))
		return true;
	if (c->kernel)
		checking_cannot(c, &why);
	else
		xf_debug("%s", why.msg);
	return false;
}

static int check(struct checking *c, const struct trace *t, bool recording,
		 struct xf_err *err)
{
	_cleanup_(kfile_close) struct kfile code = KFILE_INIT;
	_cleanup_(buf_deinit) struct buf mask = BUF_INIT;
	struct flowcheck f = {
		.trace = t,
		.base = c->base.runs ? &c->base : NULL,
		.recording = recording,
		.mask = &mask,
	};
	int rc;

	free(c->release);
	free(c->build_id);
	c->release = copy(trace_meta_str(t, "release"));
	c->build_id = copy(trace_meta_str(t, "build_id"));
	if ((f.base || c->kernel) && open_code(c, &code))
		f.code = &code;
	rc = flowcheck_run(&f, &c->findings, err);
	rc = rc ? rc : writecheck_run(t, &c->findings, err);
	free(c->mask);
	c->mask = rc ? NULL : buf_take(&mask);
	return rc;
}

void checking_trace(struct checking *c, const char *name)
{
	struct journal j = { 0 };
	struct store st = { 0 };
	struct catalog_entry e;
	struct xf_err why;
	struct trace t;
	int rc;

	trace_init(&t);
	rc = traces_open_one(&st, &j, c->store, name, &why);
	free(c->subject);
	c->subject = copy(!rc && catalog_read(&st, j.slot, &e) ? e.name :
			  name ?: "?");
	rc = rc ? rc : traces_load(&j, &t, &why);
	rc = rc ? rc : check(c, &t, store_is_written(&st, j.slot), &why);
	rc = rc ? rc : journal_failed(&j, &why);
	if (rc)
		checking_cannot(c, &why);
	trace_deinit(&t);
	journal_close(&j);
	store_close(&st);
}

static int write_file(const char *path,
		      void (*form)(const struct report *r, struct buf *out),
		      const struct report *r, struct xf_err *err)
{
	_cleanup_(buf_deinit) struct buf b = BUF_INIT;

	if (!path)
		return 0;
	form(r, &b);
	return io_replace_file(path, b.data, b.len, 0666, err);
}

int checking_report(const struct checking *c, struct xf_err *err)
{
	_cleanup_(buf_deinit) struct buf b = BUF_INIT;
	const struct report r = {
		.subject = c->subject ?: "?",
		.kernel = c->release,
		.build_id = c->build_id,
		.baseline = c->baseline,
		.mask = c->mask,
		.findings = &c->findings,
	};
	int rc = write_file(c->sarif, report_sarif, &r, err);

	rc = rc ? rc : write_file(c->junit, report_junit, &r, err);
	rc = rc ? rc : write_file(c->json_file, report_json, &r, err);
	if (rc)
		return rc;
	if (c->json)
		report_json(&r, &b);
	else
		report_table(&r, isatty(STDOUT_FILENO) && !getenv("NO_COLOR"),
			     &b);
	fwrite(b.data, 1, b.len, stdout);
	return findings_verdict(&c->findings);
}

void checking_again(struct checking *c)
{
	findings_deinit(&c->findings);
}

void checking_deinit(struct checking *c)
{
	findings_deinit(&c->findings);
	flow_deinit(&c->base);
	free(c->subject);
	free(c->release);
	free(c->build_id);
	free(c->mask);
}
