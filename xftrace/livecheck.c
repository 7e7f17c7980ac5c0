// SPDX-License-Identifier: GPL-2.0-only
#include "livecheck.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cleanup.h"
#include "clock.h"
#include "image.h"
#include "log.h"
#include "recorder.h"

/* The guest may be busy, and so may be its host: how fast a clock may seem. */
#define CLOCK_SLACK_NS 10000000000ull

/* A heart that beats has done so by then. */
#define BEAT_TRIES    100
#define BEAT_PAUSE_US 20000

static void forget(struct livecheck *l)
{
	target_btf_close(&l->types);
	kfile_close(&l->file);
	l->known = false;
}

void livecheck_deinit(struct livecheck *l)
{
	forget(l);
	target_detach(&l->t);
}

/* What a reboot leaves in memory has a clock that stands still, or none. */
static bool goes_on(const struct livecheck *l, uint64_t jiffies, uint64_t now)
{
	/* HZ is 1000 at most. */
	uint64_t most = (now - l->looked_ns + CLOCK_SLACK_NS) / 1000000;

	return jiffies > l->jiffies && jiffies - l->jiffies < most &&
	       !vmcoreinfo_verify(&l->t.kernel, &l->t.mf, NULL);
}

static int take_kernel(struct livecheck *l, struct xf_err *err)
{
	struct xf_err why;
	int rc;

	forget(l);
	rc = target_btf_open(&l->types, &l->t, err);
	if (rc)
		return rc;
	if (!l->t.image.len)
		xf_debug("the host has no image of the guest's kernel");
	else if (kfile_open(&l->file, &l->t.image, l->t.kernel.kerneloffset,
			    &why))
		xf_debug("%s", why.msg);
	l->known = true;
	return 0;
}

/* To search all of RAM for the kernel is dear: not if that is not needed. */
static int find_kernel(struct livecheck *l, struct xf_err *err)
{
	uint64_t now = monotonic_ns(), jiffies = 0;
	bool readable = l->known && !target_jiffies(&l->t, &jiffies);
	bool back = readable && jiffies < l->jiffies;
	int rc = 0;

	if (!readable || !goes_on(l, jiffies, now))
		rc = target_find_again(&l->t, err);
	if (rc < 0) {
		forget(l);
		return rc;
	}
	if (rc || back || !l->boots)
		l->boots++;
	if (rc || !l->known)
		rc = take_kernel(l, err);
	if (!rc && target_jiffies(&l->t, &l->jiffies))
		l->jiffies = 0;
	l->looked_ns = now;
	return rc;
}

/*
 * What the recorder says of the guest now. Its heart is the guest's word, and
 * moves only while the module is there and well.
 */
static bool ask(const struct recorder *r, char state[64], json_int_t *ret_beat)
{
	json_t *status = NULL;
	const char *said;

	if (recorder_ask(r, "status\n", NULL, NULL, &status, NULL))
		return false;
	said = json_string_value(json_object_get(status, "state"));
	snprintf(state, 64, "%s", said ?: "?");
	*ret_beat = json_integer_value(json_object_get(status, "heartbeat"));
	json_decref(status);
	return true;
}

/*
 * Hooks are not there: were they to be? Only if the guest has gone on tracing
 * since. It may have been asked to stop while we looked, or been reset: then it
 * takes seconds until its recorder knows.
 */
static bool goes_on_tracing(const struct recorder *r)
{
	json_int_t beat, first = -1;
	char state[64];

	for (int i = 0; i < BEAT_TRIES; i++) {
		if (!ask(r, state, &beat) || strcmp(state, "tracing"))
			return false;
		if (first < 0)
			first = beat;
		if (beat != first)
			return true;
		usleep(BEAT_PAUSE_US);
	}
	return false;
}

static bool have_silence(const struct findings *f)
{
	for (size_t i = 0; i < f->nr; i++)
		if (f->v[i].rule == RULE_SILENCE)
			return true;
	return false;
}

static int check_memory(const struct livecheck *l, struct findings *f,
			struct xf_err *err)
{
	_cleanup_(findings_deinit) struct findings found = FINDINGS_INIT;
	const struct image_guest g = {
		.space = vmcoreinfo_space(&l->t.kernel, &l->t.mf),
		.symbols = l->t.symbols,
		.types = &l->types.btf,
		.file = l->file.load ? &l->file : NULL,
		.own = l->recorder ? IMAGE_OWN_ENTRIES | IMAGE_OWN_RETURNS : 0,
	};

	int rc = image_check(&g, &found, err);

	if (rc)
		return rc;
	/*
	 * In this order: a kernel that boots where the old one was runs, too,
	 * but has not booted for as long as it takes to ask QEMU.
	 */
	if (findings_verdict(&found) == VERDICT_FINDINGS &&
	    (!target_runs_kernel(&l->t) || !image_has_booted(&g)))
		return xf_fail(err, -EAGAIN, "the guest is being reset");
	if (have_silence(&found) && !goes_on_tracing(l->recorder))
		return xf_fail(err, -EAGAIN, "its recording ended meanwhile");
	findings_move(f, &found);
	return 0;
}

static void describe(struct checking *c, const struct target *t)
{
	_cleanup_(buf_deinit) struct buf id = BUF_INIT;

	for (size_t i = 0; i < t->kernel.build_id_len; i++)
		buf_printf(&id, "%02x", t->kernel.build_id[i]);
	free(c->release);
	free(c->build_id);
	c->release = strdup(t->kernel.osrelease);
	c->build_id = buf_take(&id);
}

static void check_site(struct findings *f, const struct gva *space,
		       uint64_t site, const char *name)
{
	static const uint8_t nop[5] = { 0x0f, 0x1f, 0x44, 0x00, 0x00 };
	uint8_t code[5];
	json_t *e;

	if (gva_read(space, site, code, sizeof(code), NULL) ||
	    memcmp(code, nop, sizeof(nop)))
		return;
	e = json_pack("{s:s, s:s, s:s}", "symbol", name, "bytes", "0f1f440000",
		      "expected", "a call");
	evidence_hex(e, "address", site);
	findings_add(f, RULE_SILENCE, e,
		     "%s is traced, but its hook was taken out of its code",
		     name);
}

/*
 * The hooks of its functions, seen from outside: the kernel calls ftrace there
 * as long as somebody traces them.
 */
static void check_sites(struct checking *c, struct target *t,
			const struct recorder *r)
{
	const json_t *names = json_object_get(r->info, "functions");
	const struct gva space = vmcoreinfo_space(&t->kernel, &t->mf);
	_cleanup_(findings_deinit) struct findings found = FINDINGS_INIT;
	const json_t *name;
	size_t i;

	json_array_foreach(names, i, name) {
		char *one = (char *)json_string_value(name);
		struct target_sites s = { 0 };

		if (!one || target_find_sites(t, &one, 1, &s, NULL) < 0)
			continue;
		for (size_t n = 0; n < s.nr; n++)
			check_site(&found, &space, s.site[n],
				   s.functions.syms[n].name);
		target_sites_deinit(&s);
	}
	if (found.nr && goes_on_tracing(r))
		findings_move(&c->findings, &found);
}

/* What it has so far, whether or not it is still being made. */
static void check_trace(struct checking *c, const struct recorder *r)
{
	const char *store = c->store;

	c->store = r->store;
	checking_trace(c, r->trace);
	c->store = store;
}

static void cannot(struct checking *c, const char *fmt, const char *arg)
{
	struct xf_err why;

	xf_fail(&why, -EAGAIN, fmt, arg);
	checking_cannot(c, &why);
}

/* The guest's recording, if there is one. True: the guest traces functions. */
static bool find_recording(struct checking *c, const struct target *t,
			   struct recorder *r)
{
	struct xf_err why;
	int rc = recorder_find(r, t->id, &why);
	json_int_t beat;
	char state[64];

	if (rc == -ENOENT)
		return false;
	if (rc) {
		checking_cannot(c, &why);
		return false;
	}
	if (!r->trace)
		return false;
	if (!r->alive) {
		if (!r->ended)
			cannot(c, "its recording '%s' was interrupted: "
			       "'xftrace off' completes it", r->trace);
		return false;
	}
	if (!ask(r, state, &beat)) {
		cannot(c, "the recorder of '%s' does not answer", r->trace);
		return false;
	}
	if (strcmp(state, "tracing") && strcmp(state, "starting"))
		cannot(c, "its recording: %s", state);
	return !strcmp(state, "tracing") &&
	       json_array_size(json_object_get(r->info, "functions"));
}

int livecheck_memory(struct livecheck *l, struct checking *c)
{
	struct xf_err why;
	int rc = find_kernel(l, &why);

	if (!rc) {
		describe(c, &l->t);
		rc = check_memory(l, &c->findings, &why);
	}
	if (rc)
		checking_cannot(c, &why);
	return rc;
}

void livecheck_run(struct livecheck *l, struct checking *c)
{
	_cleanup_(recorder_deinit) struct recorder r = { 0 };

	if (find_recording(c, &l->t, &r))
		l->recorder = &r;
	if (!livecheck_memory(l, c) && l->recorder)
		check_sites(c, &l->t, &r);
	l->recorder = NULL;
	if (r.trace && r.alive)
		check_trace(c, &r);
	free(c->subject);
	c->subject = strdup(l->t.id);
	if (!c->subject)
		abort();
}
