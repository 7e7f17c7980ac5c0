// SPDX-License-Identifier: GPL-2.0-only
#include "cleanup.h"
#include "cmd.h"
#include "livecheck.h"
#include "log.h"
#include "traces.h"

static void check_live(struct checking *c, struct target_options *where)
{
	_cleanup_(target_detach) struct target t = TARGET_INIT;
	struct xf_err why;

	where->symbols = c->kernel;
	if (target_attach(&t, where, &why))
		checking_cannot(c, &why);
	else
		livecheck_run(c, &t);
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
		checking_trace(&c, n ? argv[0] : NULL);
	rc = checking_report(&c, err);
	if (rc < 0) {
		/* 1 would say that something was found. */
		xf_error("%s", err->msg);
		return VERDICT_UNKNOWN;
	}
	return rc;
}
