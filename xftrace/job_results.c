// SPDX-License-Identifier: GPL-2.0-only
#include "job.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cleanup.h"
#include "io.h"
#include "state.h"

static int write_result(const struct job *j, int verdict, struct xf_err *err)
{
	_cleanup_free_ char *path = state_join(j->output, "result.json", NULL);
	_cleanup_free_ char *text = NULL;
	json_t *v = json_pack("{s:i, s:s, s:i, s:O}", "version", 1, "verdict",
			      verdict_name(verdict), "exit", verdict, "steps",
			      j->steps.done);
	int rc;

	text = json_dumps(v, JSON_INDENT(1) | JSON_ENSURE_ASCII |
			     JSON_REAL_PRECISION(4));
	json_decref(v);
	if (!text)
		abort();
	rc = io_replace_file(path, text, strlen(text), 0666, err);
	return rc ? rc : verdict;
}

/*
 * Results of earlier must not be taken for those of now; but what lies in a
 * folder that no batch has made is somebody's, such as all traces that there
 * are.
 */
static int clear_output(const struct job *j, struct xf_err *err)
{
	static const char *const files[] = {
		"result.json", "trace_graph.txt", "check.json", "check.sarif",
		"junit.xml", "log.txt", "console.log", "traces.store",
	};
	bool ours = false;

	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		_cleanup_free_ char *path = state_join(j->output, files[i],
						       NULL);

		if (j->check.store && !strcmp(files[i], "traces.store"))
			continue;
		if (access(path, F_OK))
			continue;
		ours = ours || !i;
		if (!ours)
			return xf_fail(err, -EEXIST, "%s is there, but no "
				       "result.json of a batch: choose another "
				       "--output", path);
		if (unlink(path))
			return xf_fail_errno(err, "%s", path);
	}
	return 0;
}

int job_make_folder(struct job *j, struct xf_err *err)
{
	_cleanup_free_ char *log = state_join(j->output, "log.txt", NULL);
	int rc = io_make_folders(j->output, 0777, err);

	rc = rc ? rc : clear_output(j, err);
	if (rc)
		return rc;
	j->store = j->check.store ? strdup(j->check.store) :
				    state_join(j->output, "traces.store", NULL);
	rc = steps_init(&j->steps, log, err);
	if (rc)
		return rc;
	/* Holds if we are killed before we know better. */
	rc = write_result(j, VERDICT_UNKNOWN, err);
	return rc < 0 ? rc : 0;
}

/* What says why a guest died goes with it. */
void job_keep_console(const struct job *j)
{
	_cleanup_free_ char *runtime = NULL, *from = NULL, *to = NULL;
	_cleanup_(buf_deinit) struct buf b = BUF_INIT;

	if (!j->guest || state_runtime(&runtime, NULL))
		return;
	from = state_join(runtime, "guests", j->guest, "console.log", NULL);
	to = state_join(j->output, "console.log", NULL);
	if (!io_read_file(from, 64 << 20, &b, NULL))
		(void)io_replace_file(to, b.data, b.len, 0666, NULL);
}

int job_write_results(struct job *j, struct xf_err *err)
{
	_cleanup_free_ char *json = state_join(j->output, "check.json", NULL);
	_cleanup_free_ char *sarif = state_join(j->output, "check.sarif", NULL);
	_cleanup_free_ char *junit = state_join(j->output, "junit.xml", NULL);
	int rc;

	if (!j->check.subject)
		j->check.subject = strdup(j->trace);
	j->check.json_file = json;
	j->check.sarif = sarif;
	j->check.junit = junit;
	rc = checking_report(&j->check, err);
	return rc < 0 ? rc : write_result(j, rc, err);
}
