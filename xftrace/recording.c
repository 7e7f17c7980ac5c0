// SPDX-License-Identifier: GPL-2.0-only
#include "recording.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <sodium.h>

#include "buf.h"
#include "catalog.h"
#include "cleanup.h"
#include "clock.h"
#include "intake.h"
#include "log.h"
#include "xft_record.h"

#define START_TIMEOUT_MS 180000
#define STOP_TIMEOUT_MS	 180000
#define PING_TIMEOUT_MS	 10000
#define UNDO_TIMEOUT_MS	 60000
#define BEAT_FRESH_NS	 100000000ULL	/* the guest polls every 20 ms */
#define BEAT_STALE_NS	 1000000000ULL
#define SYNC_NS		 1000000000ULL

_Static_assert(sizeof(struct trace_key) == sizeof(struct klog_entry),
	       "a Klog entry is stored as it is");

static json_t *json_u64(uint64_t v)
{
	return json_sprintf("0x%" PRIx64, v);
}

static int put_json(struct recording *r, enum trace_chunk type, json_t *value,
		    struct xf_err *err)
{
	_cleanup_free_ char *text = json_dumps(value, JSON_COMPACT);

	json_decref(value);
	if (!text)
		return xf_fail(err, -ENOMEM, "out of memory");
	return journal_put(&r->j, type, text, strlen(text), err);
}

/* When: right behind the newest record that was read. */
static void add_place(const struct recording *r, json_t *note)
{
	uint64_t newest = 0;

	for (size_t i = 0; i < r->nr_rings; i++)
		if (r->rings[i].newest_tsc > newest)
			newest = r->rings[i].newest_tsc;
	if (!newest)
		return;
	json_object_set_new(note, "session", json_integer(r->key.session));
	json_object_set_new(note, "tsc", json_u64(newest));
}

static json_t *make_note(const struct recording *r, const char *what,
			 const char *text)
{
	json_t *note = json_pack("{s:s*, s:s}", "what", what, "text", text);

	if (what)
		add_place(r, note);
	return note;
}

static void put_note(struct recording *r, json_t *note)
{
	if (!put_json(r, TRACE_NOTE, note, NULL))
		(void)journal_commit(&r->j, NULL);
}

void recording_note(struct recording *r, const char *what, const char *text)
{
	put_note(r, make_note(r, what, text));
}

/* In hex; "unknown" if it has none. */
struct build_id {
	char text[2 * sizeof(((struct vmcoreinfo *)0)->build_id) + 1];
};

static struct build_id build_id(const struct target *t)
{
	struct build_id id = { "unknown" };

	for (size_t i = 0; i < t->kernel.build_id_len; i++)
		snprintf(id.text + 2 * i, 3, "%02x", t->kernel.build_id[i]);
	return id;
}

static int put_meta(struct recording *r, struct xf_err *err)
{
	const struct target *t = r->t;
	json_t *names = json_array(), *events = json_array();
	json_t *host = json_array();
	json_t *meta;

	for (size_t i = 0; i < r->spec.nr_names; i++)
		json_array_append_new(names, json_string(r->spec.names[i]));
	for (size_t i = 0; i < r->spec.nr_events; i++)
		json_array_append_new(events, json_string(r->spec.events[i]));
	for (size_t i = 0; i < r->spec.nr_host_events; i++)
		json_array_append_new(host,
				      json_string(r->spec.host_events[i]));
	meta = json_pack("{s:s, s:s, s:s, s:s, s:s, s:I, s:I, s:I, s:I, s:I, "
			 "s:o, s:o, s:o}",
			 "xftrace", XF_VERSION, "guest", r->spec.guest,
			 "release", t->kernel.osrelease, "build_id",
			 build_id(t).text, "mask",
			 r->spec.sealed ? "sealed" : "xor", "session",
			 (json_int_t)r->key.session, "cpus",
			 (json_int_t)t->ctl.nr_cpus, "tsc_khz",
			 (json_int_t)t->ctl.tsc_khz, "depth",
			 (json_int_t)r->spec.max_depth, "ring_size",
			 (json_int_t)r->spec.ring_size, "functions", names,
			 "events", events, "host_events", host);
	if (!meta)
		return xf_fail(err, -EINVAL, "cannot describe the guest");
	json_object_set_new(meta, "instance", json_u64(t->ctl.instance));
	/* START will be the next. */
	json_object_set_new(meta, "request",
			    json_integer((uint32_t)(t->ctl.seq_done + 1)));
	json_object_set_new(meta, "clock_tsc", json_u64(t->ctl.clock_tsc));
	json_object_set_new(meta, "clock_real_ns",
			    json_u64(t->ctl.clock_real_ns));
	return put_json(r, TRACE_META, meta, err);
}

/* The kernel's, where it was linked: the same for all of its guests. */
static int put_kernel(struct recording *r, const char *build_id,
		      struct xf_err *err)
{
	_cleanup_(buf_deinit) struct buf b = BUF_INIT;
	struct symtab *st = r->t->symbols;
	int64_t slide = st->slide;

	symtab_slide(st, 0);
	symtab_pack(st, SYMTAB_KERNEL, &b);
	symtab_slide(st, slide);
	return journal_share(&r->j, TRACE_SYMBOLS, build_id, b.data, b.len,
			     err);
}

/* What is this guest's own: its modules, and where KASLR put the kernel. */
static int put_modules(struct recording *r, struct xf_err *err)
{
	_cleanup_(buf_deinit) struct buf b = BUF_INIT;

	symtab_pack(r->t->symbols, SYMTAB_MODULES, &b);
	return journal_put(&r->j, TRACE_MODULES, b.data, b.len, err);
}

/* What the events look like whose records follow. */
static int put_formats(struct recording *r, const struct plan *p,
		       struct xf_err *err)
{
	json_t *formats = plan_formats(p);

	return formats ? put_json(r, TRACE_EVENTS, formats, err) : 0;
}

/* What the host's events are of, and what they look like. */
static int put_host(struct recording *r, struct xf_err *err)
{
	return r->host.instance ? put_json(r, TRACE_HOST,
					   json_incref(r->host.description),
					   err) : 0;
}

static void note_missing(struct recording *r, const char *patterns)
{
	_cleanup_(buf_deinit) struct buf b = BUF_INIT;

	buf_printf(&b, "the guest came back without events:%s", patterns);
	recording_note(r, NULL, b.data);
}

/* The order matters: into the trace, committed, and only then to the guest. */
static int change_key(struct recording *r, struct xf_err *err)
{
	struct klog_entry e;
	int rc;

	rc = key_next(&r->key, &e, err);
	rc = rc ? rc : journal_put(&r->j, TRACE_KEY, &e, sizeof(e), err);
	rc = rc ? rc : klog_add(&r->klog, &e, err);
	rc = rc ? rc : journal_commit(&r->j, err);
	if (!rc)
		mailbox_set_key(&r->t->mb, &e);
	explicit_bzero(&e, sizeof(e));
	if (rc)
		return rc;
	r->next_key_ns = monotonic_ns() + r->spec.key_interval_ns;
	return 0;
}

/*
 * The session's seed, in the same order; no key is changed later, as each
 * record has its own.
 */
static int make_seed(struct recording *r, struct xf_err *err)
{
	struct trace_seed s = { .session = r->key.session };
	int rc;

	if (sodium_init() < 0)
		return xf_fail(err, -EIO, "no random bytes for a seed");
	s.time_ns = clock_ns(CLOCK_REALTIME);
	randombytes_buf(s.seed, sizeof(s.seed));
	memcpy(r->seed, s.seed, sizeof(s.seed));
	rc = journal_put(&r->j, TRACE_SEED, &s, sizeof(s), err);
	rc = rc ? rc : journal_commit(&r->j, err);
	explicit_bzero(&s, sizeof(s));
	r->next_key_ns = UINT64_MAX;
	return rc;
}

int recording_create(struct recording *r, struct target *t, const char *store,
		     const char *name, struct xf_err *err)
{
	int rc = store_open(&r->st, store, true, err);

	if (rc)
		return rc;
	rc = journal_create(&r->j, &r->st, name, err);
	if (rc) {
		store_close(&r->st);
		return rc;
	}
	r->t = t;
	klog_init(&r->klog);
	return 0;
}

static void deinit_rings(struct ring *rings, size_t nr)
{
	for (size_t i = 0; rings && i < nr; i++)
		ring_deinit(&rings[i]);
	free(rings);
}

static void forget_rings(struct recording *r)
{
	deinit_rings(r->rings, r->nr_rings);
	r->rings = NULL;
	r->nr_rings = 0;
}

void recording_discard(struct recording *r)
{
	uint32_t slot = r->j.slot;
	bool locked = !store_lock(&r->st, NULL);

	flusher_wait(&r->flusher, &r->j);
	/* Nobody else takes the entry in between. */
	journal_close(&r->j);
	if (locked) {
		(void)catalog_discard(&r->st, slot, NULL);
		store_unlock(&r->st);
	}
	recording_close(r);
}

void recording_close(struct recording *r)
{
	hosttrace_stop(&r->host);
	dirtytrace_stop(&r->dirty);
	flusher_wait(&r->flusher, &r->j);
	journal_close(&r->j);
	store_close(&r->st);
	klog_deinit(&r->klog);
	forget_rings(r);
	modwatch_deinit(&r->modules);
	buf_deinit(&r->livepatches);
	explicit_bzero(r->seed, sizeof(r->seed));
	*r = (struct recording){ 0 };
}

/* Records of two rings of one CPU would be no order in a trace. */
static int check_twins(const struct ring *rings, uint32_t nr,
		       struct xf_err *err)
{
	for (uint32_t i = 0; i < nr; i++)
		for (uint32_t k = 0; k < i; k++)
			if (rings[k].cpu == rings[i].cpu &&
			    rings[k].kind == rings[i].kind)
				return xf_fail(err, -EBADMSG,
					       "the guest claims two rings of "
					       "CPU %u", rings[i].cpu);
	return 0;
}

/* The rings that the guest made for this session. */
static int find_rings(struct recording *r, struct xf_err *err)
{
	_cleanup_free_ uint64_t *gpa = NULL;
	struct target *t = r->t;
	struct ring *rings;
	struct xft_ctl ctl;
	int rc;

	rc = mailbox_ctl(&t->mb, &ctl, err);
	if (rc)
		return rc;
	if (!ctl.nr_rings)
		return xf_fail(err, -EAGAIN, "the guest has no rings");
	if (ctl.nr_rings > 2 * XFT_MAX_CPUS)
		return xf_fail(err, -EBADMSG, "the guest claims %u rings",
			       ctl.nr_rings);
	gpa = calloc(ctl.nr_rings, sizeof(*gpa));
	rings = calloc(ctl.nr_rings, sizeof(*rings));
	if (!gpa || !rings)
		abort();
	rc = memfile_read(&t->mf, ctl.rings_gpa, gpa,
			  ctl.nr_rings * sizeof(*gpa), err);
	for (uint32_t i = 0; !rc && i < ctl.nr_rings; i++)
		rc = ring_init(&rings[i], &t->mf, gpa[i], err);
	rc = rc ? rc : check_twins(rings, ctl.nr_rings, err);
	for (uint32_t i = 0; !rc && r->spec.sealed && i < ctl.nr_rings; i++)
		rc = ring_seal(&rings[i], r->seed, err);
	if (rc) {
		deinit_rings(rings, ctl.nr_rings);
		return rc;
	}
	forget_rings(r);
	r->rings = rings;
	r->nr_rings = ctl.nr_rings;
	t->ctl = ctl;
	return 0;
}

/* What was drained counts from now on; off DAX it goes to the disk later. */
static int commit(struct recording *r, uint64_t now, struct xf_err *err)
{
	int rc;

	if (now < r->next_commit_ns)
		return journal_failed(&r->j, err);
	rc = journal_commit(&r->j, err);
	journal_forget(&r->j);
	r->next_commit_ns = now + r->spec.commit_ns;
	if (now >= r->next_sync_ns) {
		flusher_tick(&r->flusher, &r->j);
		r->next_sync_ns = now + SYNC_NS;
	}
	return rc;
}

/* The host's kernel has its events whatever becomes of the guest. */
static int drain_host(struct recording *r, struct xf_err *err)
{
	return r->full ? 0 : hosttrace_read(&r->host, &r->j, r->key.session,
					    err);
}

static void note_dirty(struct recording *r, uint64_t nr, const char *what)
{
	_cleanup_(buf_deinit) struct buf b = BUF_INIT;

	if (!nr)
		return;
	buf_printf(&b, "%" PRIu64 " dirty pages %s", nr, what);
	buf_putc(&b, '\0');
	recording_note(r, NULL, b.data);
}

static void stop_dirty(struct recording *r)
{
	note_dirty(r, r->dirty.unplaced, "lie in memory that was plugged in, "
		   "and QEMU did not tell where it is");
	note_dirty(r, r->dirty.after_reset, "of the time after the guest was "
		   "reset, before its module came back, are left out");
	dirtytrace_stop(&r->dirty);
}

/* It may end before the guest does; then the trace goes on without it. */
static int drain_dirty(struct recording *r, struct xf_err *err)
{
	struct xf_err why;
	int rc = r->full ? 0 : dirtytrace_read(&r->dirty, &r->j,
					       r->key.session, &why);

	if (rc == -EPIPE) {
		recording_note(r, NULL, why.msg);
		stop_dirty(r);
		return 0;
	}
	return rc ? xf_fail(err, rc, "%s", why.msg) : 0;
}

static void keep_first_fault(struct recording *r, const struct ring *ring)
{
	if (ring->first_fault.what && !r->first_fault.session)
		r->first_fault = intake_place(ring, &ring->first_fault,
					      r->key.session);
}

static void keep_first_gap(struct recording *r, const struct ring *ring)
{
	if (ring->gaps && !r->first_gap.session)
		r->first_gap = (struct trace_span){
			.session = r->key.session,
			.cpu = ring->cpu,
			.base_tsc = ring->newest_tsc,
		};
}

static int drain(struct recording *r, struct xf_err *err)
{
	uint64_t now = monotonic_ns();
	bool empty = true;
	int rc = 0, committed;

	for (size_t i = 0; !rc && !r->full && i < r->nr_rings; i++) {
		rc = intake_ring(&r->j, &r->rings[i], &r->klog,
				 r->key.session, err);
		keep_first_fault(r, &r->rings[i]);
		keep_first_gap(r, &r->rings[i]);
		empty = empty && ring_unread(&r->rings[i]) <
					 sizeof(struct xft_sub) + 1;
	}
	rc = rc ? rc : drain_host(r, err);
	rc = rc ? rc : drain_dirty(r, err);
	if (rc) {
		r->full = true;
		xf_prefix(err, rc, "what came later is missing");
	} else if (empty) {
		r->caught_up_ns = now;
	} else if (now - r->caught_up_ns > r->erasable_ns) {
		r->erasable_ns = now - r->caught_up_ns;
	}
	committed = commit(r, now, rc ? NULL : err);
	if (committed)
		r->full = true;
	return rc ? rc : committed;
}

static void watch_heart(struct recording *r,
			const struct recording_counts *before)
{
	struct xft_ctl ctl;

	if (mailbox_ctl(&r->t->mb, &ctl, NULL) || ctl.heartbeat == r->heartbeat)
		return;
	if (ctl.heartbeat < r->heartbeat) {
		r->rewound = true;
		r->new_beats = 0;
	} else if (r->rewound) {
		r->new_beats++;
	}
	r->heartbeat = ctl.heartbeat;
	r->beat_ns = monotonic_ns();
	r->beat = *before;
	if (ctl.events_changed == r->events_changed)
		return;
	r->events_changed = ctl.events_changed;
	recording_note(r, NULL, "a module with traced events was unloaded or "
		       "loaded while recording; if it was another one of that "
		       "name, its events may be shown wrongly");
}

/* One that comes and goes while we record has no name later. */
static int watch_modules(struct recording *r, struct xf_err *err)
{
	_cleanup_(buf_deinit) struct buf b = BUF_INIT;

	if (r->full || !modwatch_tick(&r->modules, &b))
		return 0;
	return journal_put(&r->j, TRACE_MODULES, b.data, b.len, err);
}

static void note_livepatch(const char *module, void *arg)
{
	_cleanup_(buf_deinit) struct buf text = BUF_INIT;
	struct recording *r = arg;
	size_t len = strlen(module) + 1;

	if (memmem(r->livepatches.data, r->livepatches.len, module, len))
		return;
	buf_add(&r->livepatches, module, len);
	buf_printf(&text, "the kernel is live patched by %s", module);
	(void)put_json(r, TRACE_NOTE,
		       json_pack("{s:s, s:s, s:s}", "what",
				 TRACE_NOTE_LIVEPATCH, "text", text.data,
				 "module", module), NULL);
}

/* What hides is still there, under a name that the trace has. */
static void note_hidden(struct recording *r)
{
	_cleanup_(buf_deinit) struct buf names = BUF_INIT, b = BUF_INIT;

	modwatch_end(&r->modules, &names);
	if (!names.len)
		return;
	buf_printf(&b, "taken off the list of modules while recording, and not "
		   "unloaded: %s", names.data);
	put_note(r, json_pack("{s:s, s:s, s:s}", "what", TRACE_NOTE_HIDDEN,
			      "text", b.data, "module", names.data));
}

/*
 * A guest that reboots makes something else of its rings; that must not be
 * taken for tampering. One that hangs writes no more that could be lost.
 */
static bool rings_are_its(const struct recording *r)
{
	return monotonic_ns() - r->beat_ns < BEAT_STALE_NS;
}

/*
 * After a reboot the control block may still look right while the mailbox
 * belongs to somebody else: write to it only right after a beat.
 */
static bool is_beating(const struct recording *r)
{
	return monotonic_ns() - r->beat_ns < BEAT_FRESH_NS;
}

/*
 * A guest that was set back must not seal, from its first instruction on. So
 * this is done again at each look: until QEMU has restored the last page, it
 * may write over the word. Steps are those of tests/model/rewind.pml.
 */
static void brake(struct recording *r)
{
	for (size_t i = 0; i < r->nr_rings; i++)
		r->rewound |= !ring_look(&r->rings[i]);
	/* Whoever else halts it silences it. */
	r->rewound |= mailbox_is_halted(&r->t->mb);
	/* QEMU may take longer than a heart that beats would need to. */
	if (r->rewound && mailbox_is_ours(&r->t->mb))
		mailbox_halt(&r->t->mb);
}

bool recording_is_reborn(const struct recording *r)
{
	return r->tracing && r->rewound && r->new_beats >= 2;
}

int recording_tick(struct recording *r, struct xf_err *err)
{
	struct recording_counts before = recording_counts(r);
	int rc;

	if (r->tracing) {
		watch_heart(r, &before);
		brake(r);
		if (!rings_are_its(r)) {
			rc = drain_host(r, err);
			return rc ? rc : commit(r, monotonic_ns(), err);
		}
	}
	rc = drain(r, err);
	if (!rc && r->tracing)
		rc = watch_modules(r, err);
	if (!rc && r->tracing && !r->full && is_beating(r) &&
	    monotonic_ns() >= r->next_key_ns)
		rc = change_key(r, err);
	return rc;
}

/* Wait for the guest, and do not let its rings overflow meanwhile. */
struct wait {
	struct recording *r;
	mailbox_wait_fn fn;
	void *arg;
};

static bool drain_and_wait(void *arg, unsigned int waited_ms)
{
	struct wait *w = arg;

	if (!w->r->nr_rings)
		(void)find_rings(w->r, NULL);
	(void)drain(w->r, NULL);
	return !w->fn || w->fn(w->arg, waited_ms);
}

static int wait_for_beat(struct wait *w, unsigned int timeout_ms,
			 struct xf_err *err)
{
	struct timespec nap = { .tv_nsec = 2000000 };
	uint64_t start = monotonic_ns();
	unsigned int waited = 0;

	while (!is_beating(w->r)) {
		if (waited > timeout_ms)
			return xf_fail(err, -ETIMEDOUT,
				       "the guest is paused or hangs");
		(void)recording_tick(w->r, NULL);
		if (w->fn && !w->fn(w->arg, waited))
			return xf_fail(err, -EINTR,
				       "QEMU ended while the guest was waited for");
		nanosleep(&nap, NULL);
		waited = (monotonic_ns() - start) / 1000000;
	}
	return 0;
}

/*
 * START was given up, failed, or was in vain (@started). The guest may get
 * through in spite of that: then it carries out the STOP that waits for it,
 * whenever it comes to that. A further request would take STOP's place.
 */
static int undo(struct wait *w, int why, bool started, struct xf_err *err)
{
	struct mailbox *mb = &w->r->t->mb;
	int rc = 0;

	if (why == -EINTR || why == -ETIMEDOUT || started)
		rc = mailbox_request(mb, XFT_CMD_STOP, UNDO_TIMEOUT_MS,
				     drain_and_wait, w, NULL);
	if (rc)
		return xf_prefix(err, why, "the guest is still at it and will "
				 "take its hooks back later");
	(void)mailbox_request(mb, XFT_CMD_RELEASE, 5000, NULL, NULL, NULL);
	return why;
}

static int check_module(const struct target *t,
			const struct recording_spec *spec, struct xf_err *err)
{
	if (spec->sealed && t->ctl.abi_minor < 1)
		return xf_fail(err, -EPROTO,
			       "the guest's xftrace module is too old to seal "
			       "records: load the one that came with this "
			       "xftrace, or say --mask=xor");
	if (t->ctl.state == XFT_TRACING)
		return xf_fail(err, -EBUSY,
			       "the guest is being traced already, by somebody "
			       "else or by a recorder that was killed: 'xftrace "
			       "off --guest %s' ends it", t->id);
	return 0;
}

/* What the session wants is there, and the guest's module answers. */
static int prepare(struct recording *r, const struct recording_spec *spec,
		   struct plan *plan, mailbox_wait_fn wait, void *arg,
		   struct xf_err *err)
{
	struct target *t = r->t;
	int rc;

	target_add_modules(t);
	rc = plan_make(plan, t, spec, r->key.session > 0, err);
	if (!rc && spec->nr_host_events)
		rc = hosttrace_start(&r->host, t->pid, spec->host_events,
				     spec->nr_host_events, err);
	/* The answer renews its clocks, too. */
	rc = rc ? rc : mailbox_request(&t->mb, XFT_CMD_PING, PING_TIMEOUT_MS,
				       wait, arg, err);
	rc = rc ? rc : mailbox_ctl(&t->mb, &t->ctl, err);
	/*
	 * Rings that a host which gave up has left are not to be taken for new.
	 */
	if (!rc && t->ctl.state == XFT_STOPPED)
		rc = mailbox_request(&t->mb, XFT_CMD_RELEASE, PING_TIMEOUT_MS,
				     wait, arg, err);
	rc = rc ? rc : mailbox_ctl(&t->mb, &t->ctl, err);
	if (rc)
		return rc;
	/* It is the measure of all times in the trace. */
	if (!t->ctl.tsc_khz)
		return xf_fail(err, -EBADMSG, "the guest's module does not say "
			       "how fast its TSC is");
	return 0;
}

/* All that is to be known of the session, up to its first key. */
static int put_session(struct recording *r, const struct plan *plan,
		       struct xf_err *err)
{
	struct target *t = r->t;
	int rc = put_meta(r, err);

	rc = rc ? rc : put_kernel(r, build_id(t).text, err);
	rc = rc ? rc : put_modules(r, err);
	modwatch_begin(&r->modules, t);
	if (!rc)
		target_each_livepatch(t, note_livepatch, r);
	rc = rc ? rc : put_formats(r, plan, err);
	if (!rc && plan->missing)
		note_missing(r, plan->missing);
	rc = rc ? rc : put_host(r, err);
	if (rc)
		return rc;
	return r->spec.sealed ? make_seed(r, err) : change_key(r, err);
}

static int begin(struct recording *r, const struct recording_spec *spec,
		 mailbox_wait_fn wait, void *arg, struct xf_err *err)
{
	_cleanup_(plan_deinit) struct plan plan = { 0 };
	struct wait w = { r, wait, arg };
	struct target *t = r->t;
	bool started;
	int rc;

	rc = check_module(t, spec, err);
	rc = rc ? rc : prepare(r, spec, &plan, wait, arg, err);
	if (rc)
		return rc;
	r->heartbeat = t->ctl.heartbeat;
	r->events_changed = t->ctl.events_changed;
	r->spec = *spec;
	r->key = (struct key_ctl){ .session = r->key.session + 1 };
	forget_rings(r);
	rc = put_session(r, &plan, err);
	if (rc)
		return rc;
	plan.start.seed = spec->sealed ? r->seed : NULL;
	r->starting = true;
	rc = mailbox_start(&t->mb, &plan.start, START_TIMEOUT_MS,
			   drain_and_wait, &w, err);
	r->starting = false;
	started = !rc;
	if (!rc && !r->nr_rings)
		rc = find_rings(r, err);
	if (!rc && spec->dirty.source)
		rc = dirtytrace_start(&r->dirty, t, r->rings, r->nr_rings,
				      &spec->dirty, err);
	if (rc)
		return undo(&w, rc, started, err);
	r->tracing = true;
	r->caught_up_ns = r->beat_ns = monotonic_ns();
	return 0;
}

int recording_begin(struct recording *r, const struct recording_spec *spec,
		    mailbox_wait_fn wait, void *arg, struct xf_err *err)
{
	int rc = begin(r, spec, wait, arg, err);

	if (rc)
		hosttrace_stop(&r->host);
	return rc;
}

struct recording_counts recording_counts(const struct recording *r)
{
	struct recording_counts c = r->before;

	for (size_t i = 0; i < r->nr_rings; i++) {
		const struct ring *ring = &r->rings[i];

		c.records += ring->accepted;
		c.lost += ring->lost;
		c.gaps += ring->gaps;
		c.bad += ring->bad;
		c.unread += ring_unread(ring);
		c.size += ring_size(ring);
		for (int f = 0; f < UNSEAL_FAULTS; f++)
			c.faults[f] += ring->faults[f];
	}
	return c;
}

uint64_t recording_verified_ns(const struct recording *r)
{
	uint64_t first = UINT64_MAX, last = 0, sound = UINT64_MAX;

	for (size_t i = 0; i < r->nr_rings; i++) {
		const struct ring *ring = &r->rings[i];

		if (ring->first_fault.what && ring->first_fault.tsc < sound)
			sound = ring->first_fault.tsc;
		if (ring->first_tsc && ring->first_tsc < first)
			first = ring->first_tsc;
		if (ring->newest_tsc > last)
			last = ring->newest_tsc;
	}
	if (sound > last)
		sound = last;
	return r->spec.sealed && sound > first && r->t->ctl.tsc_khz ?
		       trace_ticks_ns(sound - first, r->t->ctl.tsc_khz) : 0;
}

/* What the host's kernel still holds of this session, and no more. */
static void end_host(struct recording *r)
{
	(void)drain_host(r, NULL);
	if (hosttrace_clock_moved(&r->host))
		recording_note(r, NULL, "QEMU has set the guest's TSC anew: "
			       "times of host events may be wrong");
	hosttrace_stop(&r->host);
}

static bool has_faults(const struct recording_counts *c)
{
	uint64_t nr = 0;

	for (int i = 0; i < UNSEAL_FAULTS; i++)
		nr += c->faults[i];
	return nr;
}

/* How many of each kind there were since the last beat, if any, into @note. */
static void take_back_faults(const struct recording *r, json_t *note)
{
	struct recording_counts c = recording_counts(r);
	json_t *faults = json_object();

	for (int i = 0; i < UNSEAL_FAULTS; i++)
		if (c.faults[i] > r->beat.faults[i])
			json_object_set_new(
				faults, unseal_fault_name(i),
				json_integer(c.faults[i] - r->beat.faults[i]));
	if (json_object_size(faults))
		json_object_set(note, "overwritten", faults);
	json_decref(faults);
}

void recording_abandon(struct recording *r, const char *what, const char *text)
{
	json_t *note;

	if (rings_are_its(r))
		(void)drain(r, NULL);
	end_host(r);
	stop_dirty(r);
	/*
	 * A guest that reboots overwrites its rings. What looked damaged since
	 * the last beat of its heart is that, and no finding.
	 */
	note = make_note(r, what, text);
	take_back_faults(r, note);
	r->before = recording_counts(r);
	r->before.unread = r->before.size = 0;
	r->before.bad = r->beat.bad;
	r->before.gaps = r->beat.gaps;
	memcpy(r->before.faults, r->beat.faults, sizeof(r->beat.faults));
	if (!has_faults(&r->before))
		r->first_fault.session = 0;
	if (!r->before.gaps)
		r->first_gap.session = 0;
	forget_rings(r);
	r->tracing = r->stopped = r->rewound = false;
	r->new_beats = 0;
	put_note(r, note);
}

static int stop_guest(struct recording *r, struct wait *w, struct xf_err *err)
{
	int rc;

	if (r->stopped)
		return 0;
	rc = wait_for_beat(w, PING_TIMEOUT_MS, err);
	rc = rc ? rc : mailbox_request(&r->t->mb, XFT_CMD_STOP, STOP_TIMEOUT_MS,
				       drain_and_wait, w, err);
	r->stopped = !rc;
	return rc;
}

int recording_halt(struct recording *r, mailbox_wait_fn wait, void *arg,
		   struct xf_err *err)
{
	struct wait w = { r, wait, arg };

	end_host(r);
	return stop_guest(r, &w, err);
}

/* Each sealed ring says itself that it ends, and where. */
static void check_ends(struct recording *r)
{
	struct xf_err why;

	for (size_t i = 0; i < r->nr_rings; i++)
		if (ring_check_end(&r->rings[i], &why)) {
			xf_debug("%s", why.msg);
			keep_first_fault(r, &r->rings[i]);
			(void)intake_finding(&r->j, &r->rings[i],
					     r->key.session, NULL);
		}
}

static int put_end(struct recording *r, const char *reason, struct xf_err *err)
{
	struct recording_counts c = recording_counts(r);
	json_t *end = json_pack("{s:s, s:I, s:I, s:I, s:I, s:b}", "reason",
				reason, "records", (json_int_t)c.records,
				"lost", (json_int_t)c.lost, "gaps",
				(json_int_t)c.gaps, "bad", (json_int_t)c.bad,
				"full", r->full);

	if (!r->resumed)
		json_object_set_new(end, "erasable_ns",
				    json_integer(r->erasable_ns));
	if (r->first_gap.session)
		json_object_set_new(end, "first_gap", json_pack(
			"{s:i, s:i, s:o}", "session",
			(int)r->first_gap.session, "cpu",
			(int)r->first_gap.cpu, "tsc",
			json_u64(r->first_gap.base_tsc)));
	return put_json(r, TRACE_END, end, err);
}

int recording_end(struct recording *r, const char *reason, mailbox_wait_fn wait,
		  void *arg, struct xf_err *err)
{
	struct wait w = { r, wait, arg };
	struct xf_err why;
	int rc;

	/* With it the guest would take long to patch its functions back. */
	dirtytrace_end(&r->dirty);
	if (r->tracing) {
		rc = stop_guest(r, &w, &why);
		if (rc) {
			xf_fail(&r->left, rc, "%s: its hooks may still be in "
				"place", why.msg);
			recording_note(r, TRACE_NOTE_PART, r->left.msg);
		}
	}
	/* Nothing writes any more: two rounds see all of every ring. */
	for (int i = 0; i < 2 && (r->stopped || rings_are_its(r)); i++)
		(void)drain(r, NULL);
	if (r->stopped && !r->full)
		check_ends(r);
	end_host(r);
	stop_dirty(r);
	/* Modules that were loaded meanwhile have names now. */
	if (r->stopped && !r->full && r->t->symbols) {
		size_t known = r->t->symbols->nr;

		note_hidden(r);
		target_each_livepatch(r->t, note_livepatch, r);
		target_add_modules(r->t);
		if (r->t->symbols->nr != known)
			(void)put_modules(r, NULL);
	}
	rc = put_end(r, reason, err);
	rc = rc ? rc : journal_commit(&r->j, err);
	if (r->stopped)
		(void)mailbox_request(&r->t->mb, XFT_CMD_RELEASE, 5000, NULL,
				      NULL, NULL);
	r->tracing = r->stopped = false;
	flusher_wait(&r->flusher, &r->j);
	return rc ? rc : journal_finish(&r->j, err);
}

/* Records in a stretch that is in the trace already. */
static uint64_t count_records(const struct trace_span *s, uint64_t key)
{
	const uint64_t *p = (const uint64_t *)(s + 1), *end = p + s->len / 8;
	uint64_t nr = 0;

	while (p < end) {
		uint32_t words = xft_words(*p ^ key);

		if (!words)
			break;
		p += words;
		nr++;
	}
	return nr;
}

/* The same, which brings @u to where the stretch ends. */
static uint64_t unseal_records(struct unseal *u, const struct trace_span *s)
{
	const uint64_t *p = (const uint64_t *)(s + 1), *end = p + s->len / 8;
	const struct xft_sub sub = { .base_tsc = s->base_tsc,
				     .records_before = s->records_before,
				     .epoch = s->epoch };
	uint64_t before, first, seek = UNSEAL_SEEK_MAX;
	uint32_t words = 1;

	if (s->offset == sizeof(sub) &&
	    unseal_open(u, s->nr, &sub, &seek, NULL))
		return 0;
	before = u->records;
	for (; p < end && words; p += words)
		words = unseal_record(u, p, end - p, &first, true);
	return u->records - before;
}

/* Records of @s, for which @ring's seal, if it has one, is at its beginning. */
static uint64_t skip_span(struct ring *ring, const struct trace *t,
			  const struct trace_span *s)
{
	const uint64_t *key;

	if (ring->seal)
		return unseal_records(ring->seal, s);
	key = trace_key(t, s->session, s->epoch);
	return key ? count_records(s, *key) : 0;
}

/* Let @ring go on behind the last stretch of it that the trace has. */
static void continue_ring(struct ring *ring, const struct trace *t,
			  const struct trace_ring *old)
{
	const struct trace_span *last = old->spans[old->nr - 1];
	size_t i = old->nr;

	ring->pos = (last->nr << ring->sub_shift) + last->offset + last->len;
	ring->records = last->records_before;
	while (i && old->spans[i - 1]->nr == last->nr)
		i--;
	for (; i < old->nr; i++)
		ring->records += skip_span(ring, t, old->spans[i]);
}

struct recording_origin recording_origin(const void *data, size_t len)
{
	json_t *meta = json_loadb(data, len, 0, NULL);
	struct recording_origin o = {
		.instance = trace_u64(meta, "instance"),
		.request = trace_u64(meta, "request"),
	};

	json_decref(meta);
	return o;
}

static int resume(struct recording *r, struct trace *t, struct xf_err *err)
{
	const struct trace_session *last;
	struct journal_chunk c = { 0 };
	uint64_t instance = 0;
	struct xf_err why;
	int rc;

	while ((rc = journal_next(&r->j, &c, err)) > 0) {
		if (c.type == TRACE_META)
			instance = recording_origin(c.data, c.len).instance;
		rc = trace_add_chunk(t, c.type, c.data, c.len, err);
		if (rc)
			return rc;
	}
	rc = rc ? rc : trace_seal(t, err);
	if (rc)
		return rc;
	if (r->t && instance != r->t->ctl.instance)
		return xf_fail(err, -ESTALE,
			       "it was rebooted or loaded its module again");
	last = &t->sessions[t->nr_sessions - 1];
	r->spec.sealed = last->seed;
	if (last->seed)
		memcpy(r->seed, last->seed->seed, sizeof(r->seed));
	for (size_t i = 0; i < t->nr_keys; i++) {
		struct klog_entry e;

		memcpy(&e, &t->keys[i], sizeof(e));
		rc = klog_add(&r->klog, &e, err);
		r->key = (struct key_ctl){ e.epoch, e.session };
		explicit_bzero(&e, sizeof(e));
		if (rc)
			return rc;
	}
	/* No key says which session it is if that one is sealed. */
	if (last->seed)
		r->key = (struct key_ctl){ .session = last->number };
	r->resumed = true;
	if (last->host && hosttrace_resume(&r->host, last->host, &why))
		xf_info("%s", why.msg);
	if (!r->t)
		return 0;
	rc = find_rings(r, err);
	if (rc)
		return rc;
	for (size_t n = 0; n < r->nr_rings; n++)
		for (size_t i = 0; i < last->nr_rings; i++) {
			const struct trace_ring *old = &t->rings[last->ring[i]];

			if (old->cpu == r->rings[n].cpu &&
			    old->kind == r->rings[n].kind)
				continue_ring(&r->rings[n], t, old);
		}
	r->tracing = r->t->ctl.state == XFT_TRACING;
	r->heartbeat = r->t->ctl.heartbeat;
	r->beat_ns = monotonic_ns();
	r->next_key_ns = UINT64_MAX;
	return 0;
}

int recording_resume(struct recording *r, struct target *t, const char *store,
		     const char *name, struct xf_err *err)
{
	struct trace trace;
	int rc = store_open(&r->st, store, true, err);

	if (rc)
		return rc;
	rc = journal_reopen(&r->j, &r->st, name, err);
	if (rc) {
		store_close(&r->st);
		return rc;
	}
	r->t = t;
	klog_init(&r->klog);
	trace_init(&trace);
	rc = resume(r, &trace, err);
	trace_deinit(&trace);
	if (rc)
		recording_close(r);
	return rc;
}
