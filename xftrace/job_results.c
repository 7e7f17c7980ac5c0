// SPDX-License-Identifier: GPL-2.0-only
#include "job.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cleanup.h"
#include "io.h"
#include "state.h"

/* What a batch leaves beside result.json. */
static const char *const files[] = {
	"trace_graph.txt", "check.json", "check.sarif", "junit.xml", "log.txt",
	"console.log", "traces.store",
};

static int write_result(const struct job *j, int verdict, struct xf_err *err)
{
	_cleanup_free_ char *path = state_join(j->output, "result.json", NULL);
	_cleanup_free_ char *text = NULL;
	json_t *done = j->steps.done ? json_incref(j->steps.done) : json_array();
	json_t *v = json_pack("{s:i, s:s, s:i, s:o}", "version", 1, "verdict",
			      verdict_name(verdict), "exit", verdict, "steps",
			      done);
	int rc;

	text = json_dumps(v, JSON_INDENT(1) | JSON_ENSURE_ASCII |
			     JSON_REAL_PRECISION(4));
	json_decref(v);
	if (!text)
		abort();
	rc = io_replace_file(path, text, strlen(text), 0666, err);
	return rc ? rc : verdict;
}

/* The path of one, malloc()ed; NULL: it is not there, or is to stay. */
static char *find_file(const struct job *j, const char *name)
{
	_cleanup_free_ char *path = state_join(j->output, name, NULL);

	if ((j->check.store && !strcmp(name, "traces.store")) ||
	    access(path, F_OK))
		return NULL;
	return xf_take(path);
}

/* Those that no batch has made are somebody's, such as all his traces. */
static int spare_others(const struct job *j, struct xf_err *err)
{
	_cleanup_free_ char *result = find_file(j, "result.json");

	for (size_t i = 0; !result && i < ARRAY_SIZE(files); i++) {
		_cleanup_free_ char *path = find_file(j, files[i]);

		if (path)
			return xf_fail(err, -EEXIST, "%s is there, but no "
				       "result.json of a batch: choose another "
				       "--output", path);
	}
	return 0;
}

/* Results of earlier must not be taken for those of now. */
static int remove_earlier(const struct job *j, struct xf_err *err)
{
	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		_cleanup_free_ char *path = find_file(j, files[i]);

		if (path && unlink(path))
			return xf_fail_errno(err, "%s", path);
	}
	return 0;
}

int job_make_folder(struct job *j, struct xf_err *err)
{
	_cleanup_free_ char *log = state_join(j->output, "log.txt", NULL);
	int rc = io_make_folders(j->output, 0777, err);

	rc = rc ? rc : spare_others(j, err);
	/*
	 * Holds if we are killed before we know better, and from now on the
	 * folder is ours, whatever of an earlier batch is still in it.
	 */
	rc = rc ? rc : write_result(j, VERDICT_UNKNOWN, err);
	rc = rc < 0 ? rc : remove_earlier(j, err);
	if (rc)
		return rc;
	j->store = j->check.store ? strdup(j->check.store) :
				    state_join(j->output, "traces.store", NULL);
	return steps_init(&j->steps, log, err);
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
