// SPDX-License-Identifier: GPL-2.0-only
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include "cleanup.h"
#include "clock.h"
#include "cmd.h"
#include "confine.h"
#include "livecheck.h"
#include "log.h"
#include "report.h"

/* Of all time, a check takes at most one part in so many. */
#define PARTS 5

struct watch {
	struct checking check;
	struct target_options where;
	struct livecheck l;
	bool attached;
	bool confined;
	unsigned int boots;	/* told */
	bool json;
	int signal_fd;
	json_t *known;		/* told as there: findings by key */
	bool alarmed;		/* an alarm was told */
	bool answered;		/* a look could tell */
};

/*
 * What makes two findings the same, whatever they count meanwhile: who is
 * concerned or, if that is not said, the sentence without its numbers.
 */
static char *key_of(const struct finding *f)
{
	static const char *const names[] = { "symbol", "caller", "root",
					     "context", "module", "owner",
					     "address" };
	struct buf b = BUF_INIT;
	size_t len;

	buf_puts(&b, rules[f->rule].name);
	len = b.len;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		const char *v = json_string_value(
			json_object_get(f->evidence, names[i]));

		if (v)
			buf_printf(&b, " %s=%s", names[i], v);
	}
	if (b.len > len)
		return buf_take(&b);
	for (const char *p = f->text; *p; p++)
		if (!isdigit((unsigned char)*p))
			buf_putc(&b, *p);
	return buf_take(&b);
}

static json_t *as_set(const struct findings *f)
{
	json_t *set = json_object();

	for (size_t i = 0; i < f->nr; i++) {
		_cleanup_free_ char *key = key_of(&f->v[i]);

		json_object_set_new(set, key, report_finding(&f->v[i]));
	}
	return set;
}

/* @fields are the rest of the object, @text that of the line. */
static void tell(const struct watch *w, const char *change, json_t *fields,
		 const char *fmt, ...)
{
	time_t now = time(NULL);
	char when[32];
	struct tm tm;
	va_list ap;

	strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&now, &tm));
	if (w->json) {
		json_t *line = json_pack("{s:s, s:s, s:s}", "time", when,
					 "guest", w->check.subject ?: "",
					 "change", change);

		json_object_update(line, fields);
		json_dumpf(line, stdout, JSON_COMPACT | JSON_ENSURE_ASCII);
		json_decref(line);
	} else {
		printf("%s %-8s ", when, change);
		va_start(ap, fmt);
		vprintf(fmt, ap);
		va_end(ap);
	}
	putchar('\n');
	/* Who reads it from a pipe wants it now. */
	fflush(stdout);
}

static void tell_finding(struct watch *w, const char *change, json_t *finding)
{
	const char *level = json_string_value(json_object_get(finding, "level"));

	tell(w, change, finding, "%-7s %s: %s", level,
	     json_string_value(json_object_get(finding, "rule")),
	     json_string_value(json_object_get(finding, "text")));
	if (!strcmp(level, "alarm") && !strcmp(change, "appeared"))
		w->alarmed = true;
}

static void tell_boot(struct watch *w)
{
	json_t *kernel = json_pack("{s:s, s:s}", "kernel",
				   w->check.release ?: "",
				   "build_id", w->check.build_id ?: "");

	tell(w, "rebooted", kernel, "kernel  %s", w->check.release ?: "");
	json_decref(kernel);
}

static void compare(struct watch *w, json_t *now)
{
	const char *key;
	json_t *finding;

	json_object_foreach(now, key, finding)
		if (!json_object_get(w->known, key))
			tell_finding(w, "appeared", finding);
	json_object_foreach(w->known, key, finding)
		if (!json_object_get(now, key))
			tell_finding(w, "gone", finding);
	json_decref(w->known);
	w->known = now;
}

static bool qemu_ended(const struct watch *w)
{
	struct pollfd p = { .fd = w->l.t.pidfd, .events = POLLIN };

	return poll(&p, 1, 0) > 0;
}

/*
 * Nothing is written but state. Not before the guest is there: RAM that has no
 * name can be opened in QEMU's /proc only, which confined processes cannot.
 */
static int attach(struct watch *w, struct xf_err *err)
{
	int rc = target_attach(&w->l.t, &w->where, err);

	if (rc || w->confined)
		return rc;
	rc = confine(&(struct confine){ .state = true }, err);
	w->confined = !rc;
	return rc;
}

static void look(struct watch *w)
{
	struct xf_err why;

	if (w->attached && qemu_ended(w)) {
		livecheck_deinit(&w->l);
		w->attached = false;
	}
	if (!w->attached)
		w->attached = !attach(w, &why);
	if (w->attached)
		livecheck_run(&w->l, &w->check);
	else
		checking_cannot(&w->check, &why);
	if (w->l.boots > w->boots && w->boots++)
		tell_boot(w);
	if (findings_verdict(&w->check.findings) != VERDICT_UNKNOWN)
		w->answered = true;
	compare(w, as_set(&w->check.findings));
	checking_again(&w->check);
}

/* True: somebody wants us to end. */
static bool pause_for(const struct watch *w, uint64_t ns)
{
	struct pollfd p = { .fd = w->signal_fd, .events = POLLIN };

	return poll(&p, 1, ns / 1000000) > 0;
}

static void run(struct watch *w, uint64_t interval_ns, uint64_t count)
{
	for (uint64_t i = 1;; i++) {
		uint64_t start = monotonic_ns(), took;

		look(w);
		took = monotonic_ns() - start;
		if (i == count)
			return;
		if (interval_ns < (PARTS - 1) * took)
			xf_debug("a check took %.3f s", took / 1e9);
		if (pause_for(w, interval_ns > (PARTS - 1) * took ?
				      interval_ns : (PARTS - 1) * took))
			return;
	}
}

static int open_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, NULL);
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

static void watch_deinit(struct watch *w)
{
	checking_deinit(&w->check);
	livecheck_deinit(&w->l);
	json_decref(w->known);
	if (w->signal_fd >= 0)
		close(w->signal_fd);
}

int cmd_watch(int argc, char **argv, struct xf_err *err)
{
	_cleanup_(watch_deinit) struct watch w = {
		.check = CHECKING_INIT,
		.l = LIVECHECK_INIT,
		.where.image = true,
		.signal_fd = -1,
	};
	uint64_t interval = 1000000000, count = 0;
	const struct opt opts[] = {
		{ "interval", 'i', OPT_DURATION, &interval, "TIME",
		  "look this often (default 1s)", 10000000, 86400000000000 },
		{ "count", 'c', OPT_NUMBER, &count, "N",
		  "end after N looks", 1, 0 },
		{ "baseline", 'b', OPT_STRING, &w.check.baseline, "FILE|NAME",
		  "compare its recording with this", 0, 0 },
		{ "symbols", 's', OPT_STRING, &w.where.symbols, "FILE",
		  "image of the guest's kernel", 0, 0 },
		{ "json", 0, OPT_FLAG, &w.json, NULL,
		  "an object a line", 0, 0 },
		LIVECHECK_GUEST(w.where),
		{ 0 }
	};
	const struct usage u = {
		"watch", "", "Keep checking a running guest.",
		"A line for each finding that appears or is gone, until Ctrl-C. "
		"Ends with 1 if\nthere was an alarm, 2 if no look could tell, "
		"else 0.\n", opts
	};
	int n = opt_parse_only(&u, argc, argv, err);

	if (n < 0)
		return n;
	w.check.kernel = w.where.symbols;
	checking_begin(&w.check);
	if (w.check.findings.nr)
		return xf_fail(err, -EINVAL, "%s", w.check.findings.v[0].text);
	w.known = json_object();
	w.signal_fd = open_signals();
	run(&w, interval, count);
	if (w.alarmed)
		return VERDICT_FINDINGS;
	return w.answered ? VERDICT_CLEAN : VERDICT_UNKNOWN;
}
