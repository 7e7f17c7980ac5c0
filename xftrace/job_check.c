// SPDX-License-Identifier: GPL-2.0-only
#include "job.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cage.h"
#include "cleanup.h"
#include "livecheck.h"
#include "log.h"
#include "report.h"
#include "state.h"

struct in_cage {
	struct job *j;
	void (*check)(struct job *j);
	const char *path;	/* what was found goes there */
};

static int check_in_cage(void *arg)
{
	struct in_cage *c = arg;
	struct checking *check = &c->j->check;
	struct xf_err err;
	json_t *found;
	int rc;

	cage_keep_secrets();
	rc = cage_limit_calls(CAGE_ASK | CAGE_WRITE, &err);
	if (rc) {
		xf_error("%s", err.msg);
		return 1;
	}
	c->check(c->j);
	found = json_pack("{s:s*, s:s*, s:s*, s:s*, s:o}", "subject",
			  check->subject, "kernel", check->release, "build_id",
			  check->build_id, "mask", check->mask, "findings",
			  report_findings(&check->findings));
	rc = state_write_json(c->path, found, &err);
	if (rc)
		xf_error("%s", err.msg);
	return rc ? 1 : 0;
}

static void take_string(char **to, const json_t *found, const char *name)
{
	const char *v = json_string_value(json_object_get(found, name));

	if (!v)
		return;
	free(*to);
	*to = strdup(v);
}

static int take_found(struct checking *c, const char *path, struct xf_err *err)
{
	json_t *found = NULL;
	int rc = state_read_json(path, &found, err);

	unlink(path);
	if (rc)
		return rc;
	checking_again(c);
	if (!report_take(json_object_get(found, "findings"), &c->findings))
		rc = xf_fail(err, -EBADMSG, "what the check found is damaged");
	take_string(&c->subject, found, "subject");
	take_string(&c->release, found, "kernel");
	take_string(&c->build_id, found, "build_id");
	take_string(&c->mask, found, "mask");
	json_decref(found);
	return rc;
}

static void run_check(struct job *j, const char *name,
		      void (*check)(struct job *j))
{
	_cleanup_free_ char *path = state_join(j->output, "found.json", NULL);
	struct in_cage c = { j, check, path };
	struct xf_err why;
	int rc;

	xf_info("%s", name);
	rc = steps_run(&j->steps, name, j->limit_ns, check_in_cage, &c, &why);
	rc = rc ? rc : take_found(&j->check, path, &why);
	if (rc)
		checking_cannot(&j->check, &why);
}

/* While the guest lives; its recording comes later. */
static void check_memory(struct job *j)
{
	_cleanup_(livecheck_deinit) struct livecheck l = LIVECHECK_INIT;
	const struct target_options where = {
		.guest = j->guest ?: j->attach,
		.qmp = j->qmp,
		.symbols = j->check.kernel,
		.image = true,
	};
	struct xf_err why;

	if (target_attach(&l.t, &where, &why))
		checking_cannot(&j->check, &why);
	else
		(void)livecheck_memory(&l, &j->check);
}

static void check_trace(struct job *j)
{
	j->check.store = j->store;
	checking_trace(&j->check, j->trace);
}

void job_check_memory(struct job *j)
{
	run_check(j, "memory", check_memory);
}

void job_check_trace(struct job *j)
{
	run_check(j, "check", check_trace);
}
