// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "agent.h"
#include "batchfile.h"
#include "cage.h"
#include "cleanup.h"
#include "cmd.h"
#include "io.h"
#include "livecheck.h"
#include "log.h"
#include "recorder.h"
#include "report.h"
#include "state.h"
#include "step.h"

/* Ending what was begun must not take for ever either. */
#define END_LIMIT_NS 120000000000ULL

struct job {
	/* What the user said. */
	const char *output, *qmp, *attach;
	const char *initrd, *append, *accel;
	const char *trace, *mask;
	struct opt_list functions, events, commands;
	uint64_t mem, cpus, ring, store_size, wait_ns, limit_ns;
	bool no_memory;
	struct checking check;
	/* How far it has come. */
	struct steps steps;
	char *guest;		/* that we start; NULL: attached */
	char *recorded;		/* id of the recording, or NULL */
	char *store;
	bool started;		/* there may be a guest to stop */
	bool tracing;		/* there may be a recording to end */
};

/* ---- steps ---- */

/* An argument vector for a step that runs xftrace. */
struct args {
	char *v[64];		/* owned from the second on, NULL at the end */
	unsigned int nr;
};

static void args_deinit(struct args *a)
{
	while (a->nr)
		free(a->v[--a->nr]);
}

static void add(struct args *a, const char *text)
{
	char *copy = strdup(text);

	if (!copy)
		abort();
	if (a->nr < ARRAY_SIZE(a->v) - 1)
		a->v[a->nr++] = copy;
	else
		free(copy);
}

static void add_option(struct args *a, const char *name, const char *value)
{
	if (!value)
		return;
	add(a, name);
	add(a, value);
}

static void add_number(struct args *a, const char *name, uint64_t value)
{
	char text[24];

	snprintf(text, sizeof(text), "%" PRIu64, value);
	add_option(a, name, text);
}

static int run_self(struct job *j, const char *name, uint64_t limit_ns,
		    struct args *a, struct xf_err *err)
{
	xf_info("%s", name);
	return steps_run(&j->steps, name, limit_ns, steps_self, a->v, err);
}

static int start_guest(struct job *j, struct xf_err *err)
{
	_cleanup_(args_deinit) struct args a = { 0 };

	add(&a, "xftrace");
	add(&a, "guest");
	add(&a, "start");
	add_option(&a, "--name", j->guest);
	add_option(&a, "--kernel", j->check.kernel);
	add_option(&a, "--initrd", j->initrd);
	add_option(&a, "--append", j->append);
	add_option(&a, "--accel", j->accel);
	add_number(&a, "--mem", j->mem);
	add_number(&a, "--cpus", j->cpus);
	j->started = true;
	return run_self(j, "start", j->limit_ns, &a, err);
}

static int make_store(struct job *j, struct xf_err *err)
{
	_cleanup_(args_deinit) struct args a = { 0 };

	if (!access(j->store, F_OK))
		return 0;
	add(&a, "xftrace");
	add(&a, "store");
	add(&a, "create");
	add(&a, "--thin");
	add_number(&a, "--size", j->store_size);
	add(&a, j->store);
	return run_self(j, "store", j->limit_ns, &a, err);
}

/* Each may have several, with blanks between them. */
static void add_words(struct args *a, const char *option,
		      const struct opt_list *l)
{
	for (size_t i = 0; i < l->nr; i++) {
		_cleanup_free_ char *copy = strdup(l->item[i]);
		char *rest = copy, *word;

		while ((word = strsep(&rest, " \t")))
			if (*word && option)
				add_option(a, option, word);
			else if (*word)
				add(a, word);
	}
}

static int switch_on(struct job *j, struct xf_err *err)
{
	_cleanup_(args_deinit) struct args a = { 0 };
	_cleanup_(recorder_deinit) struct recorder r = { 0 };
	int rc;

	add(&a, "xftrace");
	add(&a, "on");
	add_option(&a, "--guest", j->guest ?: j->attach);
	add_option(&a, "--qmp", j->qmp);
	add_option(&a, "--store", j->store);
	add_option(&a, "--name", j->trace);
	add_number(&a, "--ring-size", j->ring);
	add_option(&a, "--mask", j->mask);
	add_words(&a, "--event", &j->events);
	add(&a, "--");
	add_words(&a, NULL, &j->functions);
	rc = run_self(j, "on", j->limit_ns, &a, err);
	if (recorder_find_by_trace(&r, j->store, j->trace) == 0)
		j->recorded = strdup(r.id);
	j->tracing = j->recorded;
	return rc;
}

struct in_guest {
	const char *socket, *command;
};

static int run_in_guest(void *arg)
{
	const struct in_guest *g = arg;
	struct xf_err err;
	int rc = agent_run(g->socket, g->command, &err);

	if (rc < 0)
		xf_error("%s", err.msg);
	else if (rc)
		xf_error("the command ended with %d", rc);
	return rc < 0 ? 1 : rc;
}

static int run_command(struct job *j, const char *command, struct xf_err *err)
{
	_cleanup_free_ char *runtime = NULL, *socket = NULL;
	struct in_guest g = { .command = command };
	int rc = state_runtime(&runtime, err);

	if (rc)
		return rc;
	g.socket = socket = state_join(runtime, "guests",
				       j->guest ?: j->attach, "agent.sock",
				       NULL);
	xf_info("run: %s", command);
	return steps_run(&j->steps, "run", j->limit_ns, run_in_guest, &g, err);
}

static int sleep_a_while(void *arg)
{
	const uint64_t *ns = arg;
	const struct timespec t = { *ns / 1000000000, *ns % 1000000000 };

	return nanosleep(&t, NULL) ? 1 : 0;
}

static int work(struct job *j, struct xf_err *err)
{
	int rc = 0;

	for (size_t i = 0; !rc && i < j->commands.nr; i++)
		rc = run_command(j, j->commands.item[i], err);
	if (rc || !j->wait_ns)
		return rc;
	xf_info("wait %.1f s", j->wait_ns / 1e9);
	return steps_run(&j->steps, "wait", j->wait_ns + END_LIMIT_NS,
			 sleep_a_while, &j->wait_ns, err);
}

/* ---- checks, each in a process that can do no harm ---- */

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
		livecheck_memory(&l, &j->check);
}

static void check_trace(struct job *j)
{
	j->check.store = j->store;
	checking_trace(&j->check, j->trace);
}

/* ---- the end ---- */

static int switch_off(struct job *j, uint64_t limit_ns, struct xf_err *err)
{
	_cleanup_(args_deinit) struct args a = { 0 };
	_cleanup_free_ char *graph = state_join(j->output, "trace_graph.txt",
						NULL);
	int rc;

	add(&a, "xftrace");
	add(&a, "off");
	add_option(&a, "--guest", j->recorded);
	add_option(&a, "--output", graph);
	rc = run_self(j, "off", limit_ns, &a, err);
	j->tracing = rc;
	return rc;
}

static int stop_guest(struct job *j, struct xf_err *err)
{
	_cleanup_(args_deinit) struct args a = { 0 };
	int rc;

	add(&a, "xftrace");
	add(&a, "guest");
	add(&a, "stop");
	add(&a, j->guest);
	rc = run_self(j, "stop", END_LIMIT_NS, &a, err);
	j->started = rc;
	return rc;
}

/* ---- the job ---- */

/* What says why a guest died goes with it. */
static void keep_console(const struct job *j)
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

/* A recorder that does not end when it is asked to. */
static void kill_recorder(const struct job *j)
{
	_cleanup_(recorder_deinit) struct recorder r = { 0 };

	if (recorder_find(&r, j->recorded, NULL))
		return;
	if (r.alive)
		kill(json_integer_value(json_object_get(r.info, "pid")),
		     SIGKILL);
	recorder_remove(&r);
}

static int do_steps(struct job *j, struct xf_err *err)
{
	int rc = j->guest ? start_guest(j, err) : 0;

	rc = rc ? rc : make_store(j, err);
	rc = rc ? rc : switch_on(j, err);
	rc = rc ? rc : work(j, err);
	if (!rc && !j->no_memory)
		run_check(j, "memory", check_memory);
	return rc;
}

/*
 * Whatever happened: the recording ends, then the guest. A recording whose guest
 * hangs ends once there is no guest.
 */
static void end_all(struct job *j)
{
	struct xf_err why;

	if (j->tracing && switch_off(j, END_LIMIT_NS, &why))
		checking_cannot(&j->check, &why);
	keep_console(j);
	if (j->started && stop_guest(j, &why))
		checking_cannot(&j->check, &why);
	if (j->tracing && switch_off(j, END_LIMIT_NS, &why))
		kill_recorder(j);
}

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

static int finish(struct job *j, struct xf_err *err)
{
	_cleanup_free_ char *json = state_join(j->output, "check.json", NULL);
	_cleanup_free_ char *sarif = state_join(j->output, "check.sarif", NULL);
	_cleanup_free_ char *junit = state_join(j->output, "junit.xml", NULL);
	int rc;

	if (j->recorded)
		run_check(j, "check", check_trace);
	if (!j->check.subject)
		j->check.subject = strdup(j->trace);
	j->check.json_file = json;
	j->check.sarif = sarif;
	j->check.junit = junit;
	rc = checking_report(&j->check, err);
	return rc < 0 ? rc : write_result(j, rc, err);
}

/*
 * Results of earlier must not be taken for those of now; but what lies in a folder
 * that no batch has made is somebody's, such as all traces that there are.
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

static int make_output(struct job *j, struct xf_err *err)
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

static int run_job(struct job *j, struct xf_err *err)
{
	struct xf_err why;
	int rc = make_output(j, err);

	if (rc)
		return rc;
	checking_begin(&j->check);
	rc = do_steps(j, &why);
	if (rc)
		checking_cannot(&j->check, &why);
	end_all(j);
	return finish(j, err);
}

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

static void job_deinit(struct job *j)
{
	checking_deinit(&j->check);
	steps_deinit(&j->steps);
	opt_list_deinit(&j->functions);
	opt_list_deinit(&j->events);
	opt_list_deinit(&j->commands);
	free(j->guest);
	free(j->recorded);
	free(j->store);
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

/* What is said beside the file holds: it is taken once to find it, once more. */
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
		{ "mask", 0, OPT_STRING, &j.mask, "MASK",
		  "sealed, or xor as in the paper (default sealed)", 0, 0 },
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
	rc = run_job(&j, err);
	if (rc < 0) {
		xf_error("%s", err->msg);
		return VERDICT_UNKNOWN;
	}
	return rc;
}
