// SPDX-License-Identifier: GPL-2.0-only
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "batchfile.h"
#include "cleanup.h"
#include "cmd.h"
#include "io.h"
#include "job.h"
#include "log.h"

static int check_job(struct job *j, struct xf_err *err)
{
	if (j->attach && j->qmp)
		return xf_fail(err, OPT_MISUSE,
			       "--guest and --qmp exclude each other");
	if (!j->functions.nr)
		return xf_fail(err, OPT_MISUSE,
			       "say which --function to trace");
	if (j->qmp && j->commands.nr)
		return xf_fail(err, OPT_MISUSE, "--run needs a demo guest; a "
			       "guest behind --qmp can be waited for: --wait");
	if (!j->commands.nr && !j->wait_ns)
		return xf_fail(err, OPT_MISUSE,
			       "say what to --run, or how long to --wait");
	if (!j->attach && !j->qmp && asprintf(&j->guest, "batch-%d",
					      getpid()) < 0)
		abort();
	return 0;
}

static int read_file(const struct usage *u, const char *path, struct buf *text,
		     struct xf_err *err)
{
	int rc = io_read_file(path, BATCHFILE_MAX, text, err);
	struct xf_err why;

	if (rc)
		return rc;
	buf_reserve(text, 1)[0] = '\0';
	rc = batchfile_parse(text->data, text->len, u, &why);
	/* As compilers say it: FILE:LINE:COLUMN: */
	return rc ? xf_fail(err, rc, "%s:%s", path, why.msg) : 0;
}

/*
 * What is said beside the file holds: it is taken once to find it, once more.
 */
static int read_options(struct job *j, const struct usage *u, int argc,
			char **argv, struct buf *text, struct xf_err *err)
{
	_cleanup_free_ char **again = calloc(argc + 1, sizeof(*again));
	int n, rc;

	if (!again)
		abort();
	memcpy(again, argv, argc * sizeof(*argv));
	n = opt_parse(u, argc, argv, err);
	if (n > 1)
		return xf_fail(err, OPT_MISUSE, "name one file");
	if (n <= 0)
		return n;
	opt_list_deinit(&j->functions);
	opt_list_deinit(&j->events);
	opt_list_deinit(&j->commands);
	rc = read_file(u, argv[0], text, err);
	return rc ? rc : opt_parse(u, argc, again, err);
}

int cmd_batch(int argc, char **argv, struct xf_err *err)
{
	_cleanup_(buf_deinit) struct buf text = BUF_INIT;
	_cleanup_(job_deinit) struct job j = {
		.output = "xftrace-batch",
		.trace = "batch",
		.mem = 512 << 20,
		.cpus = 2,
		.ring = 4 << 20,
		.store_size = 1 << 30,
		.limit_ns = 300000000000,
		.check = CHECKING_INIT,
		.steps = STEPS_INIT,
	};
	const struct opt opts[] = {
		{ "output", 'o', OPT_STRING, &j.output, "FOLDER",
		  "results go there (default xftrace-batch)", 0, 0 },
		{ "function", 'f', OPT_LIST, &j.functions, "FUNCTION",
		  "trace this (may be repeated)", 0, 0 },
		{ "event", 'e', OPT_LIST, &j.events, "EVENT",
		  "record this trace event (may be repeated)", 0, 0 },
		{ "run", 'r', OPT_LIST, &j.commands, "COMMAND",
		  "run it in the demo guest (may be repeated)", 0, 0 },
		{ "wait", 'w', OPT_DURATION, &j.wait_ns, "TIME",
		  "and then wait so long", 0, 86400000000000 },
		{ "baseline", 'b', OPT_STRING, &j.check.baseline, "FILE|NAME",
		  "compare with this", 0, 0 },
		{ "no-memory", 0, OPT_FLAG, &j.no_memory, NULL,
		  "leave out the check of the guest's memory", 0, 0 },
		{ "limit", 0, OPT_DURATION, &j.limit_ns, "TIME",
		  "a step may take so long (default 5m)", 1000000000,
		  86400000000000 },
		{ "guest", 'g', OPT_STRING, &j.attach, "NAME",
		  "take this running demo guest, start none", 0, 0 },
		{ "qmp", 0, OPT_STRING, &j.qmp, "SOCKET",
		  "take the guest behind this QMP socket", 0, 0 },
		{ "kernel", 'k', OPT_STRING, &j.check.kernel, "VMLINUZ",
		  "of the guest", 0, 0 },
		{ "initrd", 0, OPT_STRING, &j.initrd, "FILE",
		  "of the guest to be started", 0, 0 },
		{ "append", 0, OPT_STRING, &j.append, "TEXT",
		  "more for its kernel command line", 0, 0 },
		{ "accel", 0, OPT_STRING, &j.accel, "auto|kvm|tcg",
		  "how it runs", 0, 0 },
		{ "mem", 'm', OPT_SIZE, &j.mem, "SIZE",
		  "its RAM (default 512M)", 128 << 20, 1ULL << 40 },
		{ "cpus", 'c', OPT_NUMBER, &j.cpus, "N",
		  "its CPUs (default 2)", 1, 255 },
		{ "name", 'n', OPT_STRING, &j.trace, "TRACE",
		  "call the trace TRACE (default batch)", 0, 0 },
		{ "store", 0, OPT_STRING, &j.check.store, "FILE",
		  "keep it there (default FOLDER/traces.store)", 0, 0 },
		{ "store-size", 0, OPT_SIZE, &j.store_size, "SIZE",
		  "of a store to be made (default 1G)", 1 << 20, 1ULL << 50 },
		{ "ring-size", 0, OPT_SIZE, &j.ring, "SIZE",
		  "ring of each CPU in guest RAM (default 4M)", 16 << 10,
		  1ULL << 30 },
		{ "mask", 0, OPT_STRING, &j.mask, "sealed|xor",
		  "how records are protected (default sealed)", 0, 0 },
		{ 0 }
	};
	const struct usage u = {
		"batch", "[FILE]",
		"Start a guest, trace what it does, check it, end: for CI.",
		"FILE has the same options, one a line: NAME = VALUE. Ends as "
		"'check' does: 0\nclean, 1 findings, 2 could not tell; results "
		"are in FOLDER whatever happens.\n", opts
	};
	int rc = read_options(&j, &u, argc, argv, &text, err);

	if (rc < 0)
		return rc;
	rc = check_job(&j, err);
	if (rc)
		return rc;
	rc = job_run(&j, err);
	if (rc < 0) {
		xf_error("%s", err->msg);
		return VERDICT_UNKNOWN;
	}
	return rc;
}
