// SPDX-License-Identifier: GPL-2.0-only
#include "cleanup.h"
#include "cmd.h"
#include "confine.h"
#include "livecheck.h"
#include "log.h"
#include "traces.h"

/* Of a guest that lives the recorder is asked, too. */
static int confine_check(const struct checking *c, bool live,
			 struct xf_err *err)
{
	return confine(&(struct confine){
			       .output = { c->sarif, c->junit, c->json_file },
			       .state = live,
		       }, err);
}

static void check_live(struct checking *c, struct target_options *where)
{
	_cleanup_(livecheck_deinit) struct livecheck l = LIVECHECK_INIT;
	struct xf_err why;

	where->symbols = c->kernel;
	where->image = true;
	if (target_attach(&l.t, where, &why) || confine_check(c, true, &why))
		checking_cannot(c, &why);
	else
		livecheck_run(&l, c);
}

static void check_trace(struct checking *c, const char *name)
{
	struct xf_err why;

	if (confine_check(c, false, &why))
		checking_cannot(c, &why);
	else
		checking_trace(c, name);
}

int cmd_check(int argc, char **argv, struct xf_err *err)
{
	_cleanup_(checking_deinit) struct checking c = CHECKING_INIT;
	struct target_options where = { 0 };
	bool live = false;
	const struct opt opts[] = {
		{ "live", 'l', OPT_FLAG, &live, NULL,
		  "a running guest's memory, and its recording", 0, 0 },
		CHECKING_OPTIONS(c),
		LIVECHECK_GUEST(where),
		{ 0 }
	};
	const struct usage u = {
		"check", "[TRACE|FILE|--live]",
		"Look for what does not belong into a kernel.",
		"In the newest trace, if none is named. Ends with 0 if all is "
		"clean, 1 if\nsomething was found, 2 if that could not be "
		"told.\n", opts
	};
	int n = opt_parse(&u, argc, argv, err);
	int rc;

	if (n < 0)
		return n;
	if (n > !live)
		return xf_fail(err, OPT_MISUSE, live ? "--live takes no trace" :
						       "name one trace");
	if (!live && (where.guest || where.qmp || where.pid))
		return xf_fail(err, OPT_MISUSE,
			       "a guest is checked with --live");
	checking_begin(&c);
	if (live)
		check_live(&c, &where);
	else
		check_trace(&c, n ? argv[0] : NULL);
	rc = checking_report(&c, err);
	if (rc < 0) {
		/* 1 would say that something was found. */
		xf_error("%s", err->msg);
		return VERDICT_UNKNOWN;
	}
	return rc;
}
