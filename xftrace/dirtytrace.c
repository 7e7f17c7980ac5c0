// SPDX-License-Identifier: GPL-2.0-only
#include "dirtytrace.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "buf.h"
#include "cleanup.h"
#include "clock.h"
#include "log.h"
#include "qmp.h"
#include "target_pages.h"
#include "trace.h"

#define BATCH	      1024	/* records of a chunk, at most */
#define MAX_NAMES     (1u << 16)
#define BUCKETS	      (1u << 17)
/* For the recorder; meanwhile nobody reads the rings. */
#define LEARN_MS      250
#define LEARN_NS      1000000000ull
/* What one call moves, so that a guest that writes fast keeps nobody here. */
#define MAX_BATCHES   ((int)(2 * XFTD_RING / BATCH))

int dirtytrace_learn_slots(struct dirty *d, const struct target *t,
			   int timeout_ms, struct xf_err *err)
{
	_cleanup_(memslots_deinit) struct memslots ms = MEMSLOTS_INIT;
	_cleanup_(qmp_close) struct qmp q = QMP_INIT;
	int rc;

	if (!t->qmp_path)
		return xf_fail(err, -ENOTSUP,
			       "--dirty needs QEMU's QMP socket: give it one "
			       "with -qmp unix:PATH,server=on,wait=off");
	rc = qmp_open(&q, t->qmp_path, timeout_ms, err);
	rc = rc ? rc : memslots_places_from_qmp(&ms, &q, err);
	return rc ? rc : dirty_set_slots(d, &ms, err);
}

/* What an earlier session has left there is none of this one. */
static void skip_old(struct dirtytrace *dt)
{
	struct xftd_record rec[BATCH];

	for (uint32_t i = 0; i < dt->d->nr_vcpus; i++)
		for (int n = 0; n < MAX_BATCHES; n++)
			if (!dirty_read(dt->d, i, rec, BATCH))
				break;
}

static int start(struct dirtytrace *dt, const struct ring *rings,
		 size_t nr_rings, struct xf_err *err)
{
	int rc = target_pages_init(&dt->pages, dt->t, err);

	if (rc)
		return rc;
	memset(dt->d->head_gpa, 0, sizeof(dt->d->head_gpa));
	for (size_t i = 0; i < nr_rings; i++) {
		const struct ring *r = &rings[i];

		if (r->kind != XFT_RING_MAIN || r->cpu >= dt->d->nr_vcpus)
			continue;
		dt->d->head_gpa[r->cpu] = r->head_gpa;
		dt->sub_shift[r->cpu] = r->sub_shift;
	}
	skip_old(dt);
	dt->lost_before = dirty_lost(dt->d);
	return dirty_request(dt->d, dt->wish.mode,
			     dt->wish.interval_ns / 1000000, err);
}

int dirtytrace_start(struct dirtytrace *dt, struct target *t,
		     const struct ring *rings, size_t nr_rings,
		     const struct dirtytrace_wish *wish, struct xf_err *err)
{
	int rc;

	*dt = (struct dirtytrace){
		.d = wish->source, .t = t, .wish = *wish,
	};
	dt->room = calloc(BATCH, sizeof(*dt->room));
	dt->names = calloc(MAX_NAMES, sizeof(*dt->names));
	dt->buckets = calloc(BUCKETS, sizeof(*dt->buckets));
	if (!dt->room || !dt->names || !dt->buckets)
		abort();
	rc = start(dt, rings, nr_rings, err);
	if (rc) {
		dirtytrace_stop(dt);
		return xf_prefix(err, rc, "dirty pages");
	}
	dt->next_harvest_ns = monotonic_ns() + wish->interval_ns;
	return 0;
}

void dirtytrace_end(struct dirtytrace *dt)
{
	if (dirtytrace_is_on(dt) && !dirty_is_gone(dt->d))
		(void)dirty_request(dt->d, XFTD_OFF, 0, NULL);
}

void dirtytrace_stop(struct dirtytrace *dt)
{
	dirtytrace_end(dt);
	pages_deinit(&dt->pages);
	free(dt->room);
	free(dt->names);
	free(dt->buckets);
	*dt = (struct dirtytrace){ 0 };
}

uint64_t dirtytrace_lost(const struct dirtytrace *dt)
{
	return dirtytrace_is_on(dt) ? dirty_lost(dt->d) - dt->lost_before : 0;
}

const char *dirtytrace_mode_name(enum xftd_mode mode)
{
	static const char *const names[] = {
		[XFTD_OFF] = "off", [XFTD_FIRST] = "first",
		[XFTD_CALLS] = "calls", [XFTD_ALL] = "all",
	};

	return names[mode];
}

json_t *dirtytrace_status(const struct dirtytrace *dt)
{
	if (!dirtytrace_is_on(dt))
		return NULL;
	return json_pack("{s:s, s:s, s:b, s:I, s:I, s:I, s:I}", "source",
			 dt->d->name, "mode",
			 dirtytrace_mode_name(dt->wish.mode), "exact",
			 dirty_is_exact(dt->d->kind), "records",
			 (json_int_t)dt->records, "lost",
			 (json_int_t)dirtytrace_lost(dt), "unplaced",
			 (json_int_t)dt->unplaced, "harvests",
			 (json_int_t)dt->harvests);
}

/*
 * The number of a name, which is stored with the next chunk; 0: no more room.
 */
static uint32_t number_of(struct dirtytrace *dt, const char *text)
{
	uint32_t hash = 2166136261;	/* FNV-1a */

	if (!*text)
		return 0;
	for (const char *p = text; *p; p++)
		hash = (hash ^ (unsigned char)*p) * 16777619;
	for (uint32_t i = hash % BUCKETS;; i = (i + 1) % BUCKETS) {
		uint32_t n = dt->buckets[i];

		if (n && !strcmp(dt->names[n - 1].text, text))
			return n;
		if (n)
			continue;
		if (dt->nr_names == MAX_NAMES)
			return 0;
		strcpy(dt->names[dt->nr_names].text, text);
		return dt->buckets[i] = ++dt->nr_names;
	}
}

/* Data of the kernel has the name of its symbol, if it has one. */
static void name_symbol(const struct dirtytrace *dt, uint64_t addr, char *text,
			size_t cap)
{
	struct sym s;

	if (symtab_near(dt->t->symbols, addr, &s) && addr - s.addr < s.size)
		snprintf(text, cap, "%s", s.name);
}

static void describe(struct dirtytrace *dt, const struct xftd_record *r,
		     struct trace_dirty_record *to)
{
	char text[sizeof(dt->names->text)] = "";
	struct page_what what = { 0 };

	if (!(r->flags & XFTD_NO_GPA))
		pages_ask(&dt->pages, r->addr, &what);
	what.name[sizeof(what.name) - 1] = '\0';
	snprintf(text, sizeof(text), "%s", what.name);
	if ((what.type == XFT_PAGE_DATA || what.type == XFT_PAGE_BSS) &&
	    !(r->flags & XFTD_HARVESTED))
		name_symbol(dt, what.value, text, sizeof(text));
	*to = (struct trace_dirty_record){
		.addr = r->addr,
		.pc = r->pc,
		.pos = r->pos,
		.time_ns = r->time_ns,
		.value = what.value,
		.width = r->width,
		.width_us = r->width_ns / 1000 < UINT32_MAX ?
				    r->width_ns / 1000 : UINT32_MAX,
		.name = number_of(dt, text),
		.flags = r->flags,
		.size_shift = r->size_shift,
		.type = what.type,
		.is_site = what.is_site,
	};
}

static int put_names(struct dirtytrace *dt, struct journal *j,
		     struct xf_err *err)
{
	json_t *list = json_array(), *all;
	_cleanup_free_ char *text = NULL;

	if (dt->nr_stored == dt->nr_names) {
		json_decref(list);
		return 0;
	}
	for (; dt->nr_stored < dt->nr_names; dt->nr_stored++) {
		const char *name = dt->names[dt->nr_stored].text;
		struct buf b = BUF_INIT;

		buf_add_escaped(&b, name, strlen(name));
		buf_putc(&b, '\0');
		json_array_append_new(list, json_string(b.data));
		buf_deinit(&b);
	}
	all = json_pack("{s:o}", "names", list);
	text = json_dumps(all, JSON_COMPACT);
	json_decref(all);
	if (!text)
		return xf_fail(err, -ENOMEM, "out of memory");
	return journal_put(j, TRACE_NAMES, text, strlen(text), err);
}

/*
 * Memory that was plugged in: QEMU tells where it is. If it does not, it is not
 * asked at each turn.
 */
static void place(struct dirtytrace *dt, struct xftd_record *rec, size_t nr)
{
	size_t left = dirty_place(dt->d, rec, nr);
	uint64_t now = left ? monotonic_ns() : 0;

	if (left && now >= dt->next_learn_ns) {
		if (!dirtytrace_learn_slots(dt->d, dt->t, LEARN_MS, NULL))
			left = dirty_place(dt->d, rec, nr);
		dt->next_learn_ns = left ? now + LEARN_NS : now;
	}
	dt->unplaced += left;
}

/*
 * After a reset there is another guest, of which nothing is known; it becomes a
 * session of its own.
 */
static size_t read_records(struct dirtytrace *dt, uint32_t vcpu,
			   struct xftd_record *rec)
{
	size_t nr = dirty_read(dt->d, vcpu, rec, BATCH), kept = 0;

	for (size_t i = 0; i < nr; i++)
		if (!(rec[i].flags & XFTD_AFTER_RESET))
			rec[kept++] = rec[i];
	dt->after_reset += nr - kept;
	place(dt, rec, kept);
	return kept;
}

/* A batch of one vCPU: 1, or 0 when there is none. */
static int read_batch(struct dirtytrace *dt, uint32_t vcpu, struct journal *j,
		      uint32_t session, struct xf_err *err)
{
	struct xftd_record rec[BATCH];
	size_t nr = read_records(dt, vcpu, rec);
	struct trace_dirty head = {
		.session = session,
		.vcpu = vcpu,
		.source = dt->d->kind,
		.nr = nr,
		.lost = dirtytrace_lost(dt),
		.sub_shift = dt->sub_shift[vcpu],
	};
	size_t len = nr * sizeof(*dt->room);
	int rc;

	if (!nr)
		return 0;
	for (size_t i = 0; i < nr; i++)
		describe(dt, &rec[i], &dt->room[i]);
	rc = put_names(dt, j, err);
	if (rc)
		return rc;
	if (!journal_reserve(j, sizeof(head) + len, err))
		return -ENOSPC;
	journal_write(j, 0, &head, sizeof(head));
	journal_write(j, sizeof(head), dt->room, len);
	journal_add(j, TRACE_DIRTY, sizeof(head) + len);
	dt->records += nr;
	return 1;
}

static void harvest(struct dirtytrace *dt)
{
	uint64_t now = monotonic_ns();

	/* Harvested sources do it by themselves, at the interval they know. */
	if (!dirty_is_exact(dt->d->kind) || dt->wish.mode != XFTD_FIRST ||
	    now < dt->next_harvest_ns)
		return;
	if (!dirty_request(dt->d, dt->wish.mode, 0, NULL))
		dt->harvests++;
	dt->next_harvest_ns = now + dt->wish.interval_ns;
}

int dirtytrace_read(struct dirtytrace *dt, struct journal *j, uint32_t session,
		    struct xf_err *err)
{
	if (!dirtytrace_is_on(dt))
		return 0;
	for (uint32_t i = 0; i < dt->d->nr_vcpus; i++) {
		int rc = 1;

		for (int n = 0; n < MAX_BATCHES && rc > 0; n++)
			rc = read_batch(dt, i, j, session, err);
		if (rc < 0)
			return rc;
	}
	if (dirty_is_gone(dt->d))
		return xf_fail(err, -EPIPE, "the source of dirty pages in QEMU "
					    "has gone silent");
	harvest(dt);
	return 0;
}
