// SPDX-License-Identifier: GPL-2.0-only
#include "job.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "agent.h"
#include "cleanup.h"
#include "log.h"
#include "recorder.h"
#include "state.h"

/* Ending what was begun must not take for ever either. */
#define END_LIMIT_NS 120000000000ULL

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
	_cleanup_free_ char *console = state_join(j->output, "console.log",
						  NULL);

	add(&a, "xftrace");
	add(&a, "guest");
	add(&a, "start");
	add_option(&a, "--name", j->guest);
	add_option(&a, "--kernel", j->check.kernel);
	add_option(&a, "--initrd", j->initrd);
	add_option(&a, "--append", j->append);
	add_option(&a, "--console", console);
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
	if (!rc && !j->recorded)
		return xf_fail(err, -ENOENT, "'on' has left no recording");
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

/* ---- the whole ---- */

static int do_steps(struct job *j, struct xf_err *err)
{
	int rc = j->guest ? start_guest(j, err) : 0;

	rc = rc ? rc : make_store(j, err);
	rc = rc ? rc : switch_on(j, err);
	rc = rc ? rc : work(j, err);
	if (!rc && !j->no_memory)
		job_check_memory(j);
	return rc;
}

/*
 * Whatever happened: the recording ends, then the guest. A recording whose
 * guest hangs ends once there is no guest; if that one is not ours to stop,
 * without it.
 */
static void end_all(struct job *j)
{
	uint64_t limit = j->limit_ns < END_LIMIT_NS ? j->limit_ns :
						      END_LIMIT_NS;
	struct xf_err why;

	if (j->tracing && switch_off(j, limit, &why))
		checking_cannot(&j->check, &why);
	if (j->started && stop_guest(j, &why))
		checking_cannot(&j->check, &why);
	if (j->tracing && (!j->guest || switch_off(j, limit, &why)))
		kill_recorder(j);
}

int job_run(struct job *j, struct xf_err *err)
{
	struct xf_err why;
	int rc = job_make_folder(j, err);

	if (rc)
		return rc;
	checking_begin(&j->check);
	rc = do_steps(j, &why);
	if (rc)
		checking_cannot(&j->check, &why);
	end_all(j);
	if (j->recorded)
		job_check_trace(j);
	return job_write_results(j, err);
}

void job_deinit(struct job *j)
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
