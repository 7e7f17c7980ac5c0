// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cage.h"
#include "cleanup.h"
#include "cmd.h"
#include "log.h"
#include "opt.h"

/* It runs QEMU; of what a guest has written it shows a line of its console. */
#define FREE (-1)

static const struct verb {
	const char *name;
	int (*run)(int argc, char **argv, struct xf_err *err);
	int failed;	/* exit status: 2 where 1 is that it found something */
	int may;	/* enum cage_calls, or FREE */
	const char *help;
} verbs[] = {
	{ "on", cmd_on, 1, CAGE_ASK | CAGE_WRITE | CAGE_FORK,
	  "start tracing functions and events" },
	{ "off", cmd_off, 1, CAGE_ASK | CAGE_WRITE,
	  "stop, and draw trace_graph.txt" },
	{ "status", cmd_status, 1, CAGE_ASK | CAGE_WRITE,
	  "how a recording is doing" },
	{ "report", cmd_report, 1, CAGE_WRITE,
	  "draw a trace, also one being recorded" },
	{ "check", cmd_check, 2, CAGE_ASK | CAGE_WRITE,
	  "look for what does not belong into a kernel" },
	{ "baseline", cmd_baseline, 1, CAGE_WRITE,
	  "what clean runs did, to check against" },
	{ "batch", cmd_batch, 2, FREE,
	  "a whole job without a terminal, for CI" },
	{ "watch", cmd_watch, 2, CAGE_ASK | CAGE_WRITE,
	  "keep checking a running guest" },
	{ "ls", cmd_ls, 1, 0, "list traces" },
	{ "show", cmd_show, 1, 0, "what a trace holds" },
	{ "dirty", cmd_dirty, 1, 0, "which pages the guest wrote" },
	{ "mv", cmd_mv, 1, CAGE_WRITE, "give a trace another name" },
	{ "rm", cmd_rm, 1, CAGE_WRITE, "remove traces" },
	{ "export", cmd_export, 1, CAGE_WRITE, "copy a trace into a file" },
	{ "import", cmd_import, 1, CAGE_WRITE,
	  "copy a file's trace into the store" },
	{ "recover", cmd_recover, 1, CAGE_ASK | CAGE_WRITE,
	  "what a guest or recorder that died left" },
	{ "store", cmd_store, 1, CAGE_WRITE,
	  "the file that traces are kept in" },
	{ "symbols", cmd_symbols, 1, CAGE_ASK | CAGE_WRITE,
	  "print a System.map" },
	{ "events", cmd_events, 1, CAGE_ASK,
	  "list the trace events of a guest" },
	{ "guest", cmd_guest, 1, FREE,
	  "demo guests, and how to prepare your own" },
};

static void usage(FILE *out)
{
	fprintf(out,
		"usage: xftrace [-q|-v] VERB [OPTION]... [OPERAND]...\n\n"
		"Traces the kernel of a QEMU/KVM guest from outside.\n\n");
	for (size_t i = 0; i < ARRAY_SIZE(verbs); i++)
		fprintf(out, "  %-10s %s\n", verbs[i].name, verbs[i].help);
	fprintf(out,
		"\n  -q, --quiet     errors only\n"
		"  -v, --verbose   say more\n"
		"      --version   print the version\n\n"
		"'xftrace help VERB' or 'xftrace VERB --help' tells more; so do "
		"the man pages,\nxftrace(1) and xftrace-VERB(1).\n");
}

static const struct verb *find_verb(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(verbs); i++)
		if (!strcmp(verbs[i].name, name))
			return &verbs[i];
	return NULL;
}

/* Output that did not get out is a failure, too. */
static int flush(int status, int failed)
{
	if (!fflush(stdout) && !ferror(stdout))
		return status;
	if (!status)
		xf_error("standard output: %s", strerror(errno));
	return status ? status : failed;
}

/* Before anything is read that somebody else has written. */
static int enter_cage(const struct verb *v, struct xf_err *err)
{
	if (v->may == FREE)
		return 0;
	cage_keep_secrets();
	return cage_limit_calls(v->may, err);
}

static int run(const struct verb *v, int argc, char **argv)
{
	struct xf_err err = { 0 };
	int rc = enter_cage(v, &err);

	rc = rc ? rc : v->run(argc, argv, &err);
	if (rc == -ECANCELED)
		rc = 0;
	if (rc < 0) {
		xf_error("%s", *err.msg ? err.msg : strerror(-rc));
		if (rc == OPT_MISUSE)
			fprintf(stderr, "xftrace: 'xftrace help %s' tells how "
					"it is used\n", v->name);
	}
	return flush(rc == OPT_MISUSE ? 2 : rc < 0 ? v->failed : rc,
		     v->failed);
}

int main(int argc, char **argv)
{
	const struct verb *v;
	int i = 1;

	for (; i < argc && argv[i][0] == '-'; i++) {
		if (!strcmp(argv[i], "-q") || !strcmp(argv[i], "--quiet")) {
			xf_log_level = XF_LOG_ERROR;
		} else if (!strcmp(argv[i], "-v") ||
			   !strcmp(argv[i], "--verbose")) {
			xf_log_level = XF_LOG_DEBUG;
		} else if (!strcmp(argv[i], "--version")) {
			printf("xftrace %s\n", XF_VERSION);
			return flush(0, 1);
		} else if (!strcmp(argv[i], "-h") ||
			   !strcmp(argv[i], "--help")) {
			usage(stdout);
			return flush(0, 1);
		} else {
			xf_error("unknown option %s", argv[i]);
			return 2;
		}
	}
	if (i == argc) {
		usage(stderr);
		return 2;
	}
	if (!strcmp(argv[i], "help")) {
		if (i + 1 == argc) {
			usage(stdout);
			return flush(0, 1);
		}
		/* 'help guest start' is 'guest start --help'. */
		memmove(&argv[i], &argv[i + 1], (argc - i - 1) * sizeof(*argv));
		argv[argc - 1] = "--help";
	}
	v = find_verb(argv[i]);
	if (!v) {
		xf_error("there is no verb '%s' ('xftrace help' lists them)",
			 argv[i]);
		return 2;
	}
	return run(v, argc - i - 1, argv + i + 1);
}
