// SPDX-License-Identifier: GPL-2.0-only
#include "check.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "blocks.h"
#include "catalog.h"
#include "cleanup.h"
#include "journal.h"

struct check {
	struct media *m;
	struct store st;
	bool attached; /* the head is good enough to look further */
	enum check_how how;
	struct check_result now;
};

const char *check_verdict_name(enum check_verdict verdict)
{
	static const char *const names[] = {
		[CHECK_OK] = "ok",
		[CHECK_REPAIRED] = "repaired",
		[CHECK_REPAIRABLE] = "repairable",
		[CHECK_DAMAGED] = "damaged",
		[CHECK_SKIPPED] = "skipped",
	};

	return names[verdict];
}

/* One thing is wrong; the worst verdict of a step stands. */
static void finding(struct check *c, enum check_verdict verdict,
		    const struct xf_err *why)
{
	if (!c->now.found++)
		c->now.first = *why;
	if (verdict > c->now.verdict)
		c->now.verdict = verdict;
}

static enum check_verdict repairable(const struct check *c)
{
	return c->how ? CHECK_REPAIRED : CHECK_REPAIRABLE;
}

/* @rc: what giving it up answered, if that was asked for. */
static enum check_verdict lossy(const struct check *c, int rc)
{
	return c->how == CHECK_SALVAGE && !rc ? CHECK_REPAIRED : CHECK_DAMAGED;
}

/* ---- heads ---- */

static void restore_head(struct media *m, uint64_t from, uint64_t to)
{
	struct store_head h;

	memcpy(&h, m->base + from, sizeof(h));
	/* The copy has none; a store without quota removes nothing. */
	h.quota = 0;
	media_copy(m, to + sizeof(h.magic), &h.major,
		   sizeof(h) - sizeof(h.magic));
	media_persist(m, to, sizeof(h));
	media_store(m, to, h.magic);
	/* It is whole again. */
	media_persist(m, to, sizeof(h.magic));
}

static void check_one_head(struct check *c, uint64_t off, uint64_t other)
{
	struct xf_err why;

	if (!store_check_head(c->m, off, &why))
		return;
	if (store_check_head(c->m, other, NULL)) {
		finding(c, CHECK_DAMAGED, &why);
		return;
	}
	if (c->how)
		restore_head(c->m, other, off);
	finding(c, repairable(c), &why);
}

static void check_head(struct check *c)
{
	check_one_head(c, 0, LAYOUT_COPY);
	c->attached = !store_attach(&c->st, c->m, NULL);
}

static void check_copy(struct check *c)
{
	struct xf_err why;

	check_one_head(c, LAYOUT_COPY, 0);
	if (c->now.verdict == CHECK_OK &&
	    memcmp(c->m->base, c->m->base + LAYOUT_COPY,
		   offsetof(struct store_head, quota))) {
		xf_fail(&why, -EBADMSG, "the two heads differ");
		finding(c, CHECK_DAMAGED, &why);
	}
}

/* ---- entries ---- */

static void bad_entry(struct check *c, uint32_t slot, const struct xf_err *why)
{
	int rc = c->how == CHECK_SALVAGE ? catalog_rescue(&c->st, slot, NULL) :
					   0;

	finding(c, lossy(c, rc), why);
}

static void check_entries(struct check *c)
{
	struct catalog_entry e, same;
	struct xf_err why;

	for (uint32_t slot = 0; slot < c->st.nr_slots; slot++) {
		if (!catalog_read(&c->st, slot, &e))
			continue;
		if (e.damaged || e.kind < STORE_TRACE ||
		    e.kind > STORE_SHARED) {
			xf_fail(&why, -EBADMSG, "entry %u fails its checksum",
				slot);
			bad_entry(c, slot, &why);
		} else if (e.kind == STORE_TRACE &&
			   !catalog_find(&c->st, e.name, &same, NULL) &&
			   same.slot != slot) {
			xf_fail(&why, -EEXIST,
				"entries %u and %u have the same name",
				same.slot, slot);
			bad_entry(c, slot, &why);
		}
	}
}

static void bad_word(struct check *c, uint64_t off, const struct xf_err *why)
{
	if (c->how == CHECK_SALVAGE) {
		media_store(c->m, off, 0);
		/* It says nothing any more. */
		media_persist(c->m, off, sizeof(uint64_t));
	}
	finding(c, lossy(c, 0), why);
}

static void check_refs(struct check *c)
{
	struct catalog_entry e, object;
	struct xf_err why;

	for (uint32_t slot = 0; slot < c->st.nr_slots; slot++) {
		if (!catalog_read(&c->st, slot, &e) || e.damaged ||
		    e.kind == STORE_SHARED)
			continue;
		for (int i = 0; i < LAYOUT_REFS; i++) {
			uint64_t ref = store_entry(&c->st, slot)->ref[i];

			if (!ref || (ref <= c->st.nr_slots &&
				     catalog_read(&c->st, ref - 1, &object) &&
				     object.kind == STORE_SHARED))
				continue;
			xf_fail(&why, -EBADMSG,
				"trace '%s' refers to an "
				"object that is not there",
				e.name);
			bad_word(c,
				 entry_off(&c->st, slot) +
					 offsetof(struct store_entry, ref[i]),
				 &why);
		}
	}
}

/* A crash while one was made or removed. */
static void check_unused(struct check *c)
{
	struct xf_err why;
	uint64_t nr = 0;
	int rc = c->how ? store_lock(&c->st, &why) : 0;

	if (!rc) {
		rc = catalog_unused(&c->st, c->how, &nr, &why);
		if (c->how)
			store_unlock(&c->st);
	}
	if (rc) {
		finding(c, CHECK_DAMAGED, &why);
		return;
	}
	xf_fail(&why, -ENOENT, "%" PRIu64 " objects or drafts that nobody uses",
		nr);
	if (nr)
		finding(c, repairable(c), &why);
}

/* ---- blocks ---- */

static void check_owners(struct check *c)
{
	struct xf_err why;

	for (uint64_t b = 0; b < c->st.nr_blocks; b++) {
		uint64_t word = media_load(c->m, map_off(&c->st, b));

		if (!word ||
		    (MAP_OWNER(word) && MAP_OWNER(word) <= c->st.nr_slots &&
		     MAP_NTH(word) < c->st.nr_blocks))
			continue;
		xf_fail(&why, -EBADMSG,
			"block %" PRIu64 " has an owner that "
			"cannot be",
			b);
		bad_word(c, map_off(&c->st, b), &why);
	}
}

/* Blocks that a writer which died had taken for what it did not commit. */
static uint64_t count_behind(const struct store *st, uint32_t slot)
{
	uint64_t nr = 0, end;

	end = blocks_for(st, COMMIT_BYTES(store_entry(st, slot)->committed));
	for (uint64_t b = 0; b < st->nr_blocks; b++) {
		uint64_t word = media_load(&st->m, map_off(st, b));

		nr += MAP_OWNER(word) == slot + 1 && MAP_NTH(word) >= end;
	}
	return nr;
}

static void check_behind(struct check *c)
{
	struct catalog_entry e;
	struct xf_err why;

	for (uint32_t slot = 0; slot < c->st.nr_slots; slot++) {
		_cleanup_close_ int use = -1;

		if (!catalog_read(&c->st, slot, &e) || e.damaged ||
		    !count_behind(&c->st, slot) ||
		    store_is_written(&c->st, slot))
			continue;
		if (c->how) {
			use = store_use(&c->st, slot, STORE_USE_WRITE, NULL);
			if (use < 0 || store_lock(&c->st, NULL))
				continue;
			blocks_drop(&c->st, slot,
				    blocks_for(&c->st,
					       COMMIT_BYTES(
						       store_entry(&c->st, slot)
							       ->committed)));
			store_unlock(&c->st);
		}
		xf_fail(&why, -ENOENT, "'%s' has blocks behind its end",
			e.name);
		finding(c, repairable(c), &why);
	}
}

/* ---- contents ---- */

static int walk(struct store *st, const char *name, uint64_t *ret_end,
		uint64_t *ret_bytes, struct xf_err *err)
{
	struct catalog_entry e;
	struct journal_chunk c = { 0 };
	struct journal j;
	int rc;

	rc = catalog_find(st, name, &e, err);
	rc = rc ? rc : journal_open(&j, st, name, err);
	if (rc)
		return rc;
	while ((rc = journal_next(&j, &c, err)) > 0)
		;
	*ret_end = c.pos;
	*ret_bytes = e.bytes;
	journal_close(&j);
	return rc;
}

/* Cut off what power loss left of the unsynced end. */
static int cut(struct store *st, const char *name, struct xf_err *err)
{
	struct catalog_entry e;
	struct journal j;
	int rc = catalog_find(st, name, &e, err);

	rc = rc ? rc : journal_reopen(&j, st, name, err);
	if (rc)
		return rc;
	if (e.finished)
		rc = catalog_set_finished(st, j.slot, true, err);
	journal_close(&j);
	return rc;
}

/* What is good of it stays; nothing at all is no trace. */
static int salvage(struct store *st, const char *name, struct xf_err *err)
{
	struct journal_salvage s;
	int rc = journal_salvage(st, name, &s, err);

	if ((!rc && s.bad && !s.good) || rc == -EBADMSG)
		return catalog_remove(st, name, err);
	return rc ? rc : cut(st, name, err);
}

static int mend(struct check *c, const char *name, struct xf_err *err)
{
	return c->how == CHECK_SALVAGE ? salvage(&c->st, name, err) :
	       c->how		       ? cut(&c->st, name, err) :
					 0;
}

static void check_contents(struct check *c)
{
	struct catalog_entry e;
	uint64_t end, bytes;
	uint32_t slot = 0;
	struct xf_err why;

	while (catalog_next(&c->st, &slot, &e)) {
		int rc;

		/* A writer's end moves while we look. */
		if (e.damaged || store_is_written(&c->st, e.slot))
			continue;
		rc = walk(&c->st, e.name, &end, &bytes, &why);
		if (rc == -ENOENT) /* removed meanwhile */
			continue;
		if (rc) {
			if (c->how == CHECK_SALVAGE && rc == -EBADMSG)
				rc = salvage(&c->st, e.name, NULL);
			finding(c, lossy(c, rc), &why);
		} else if (end < bytes) {
			rc = mend(c, e.name, &why);
			if (!rc)
				xf_fail(&why, -EBADMSG,
					"power loss cut '%s' at %" PRIu64
					" of %" PRIu64 " bytes",
					e.name, end, bytes);
			finding(c, rc ? CHECK_DAMAGED : repairable(c), &why);
		}
	}
}

static void check_pages(struct check *c)
{
	struct xf_err why;

	if (media_failed(c->m, &why))
		finding(c, CHECK_DAMAGED, &why);
}

/* ---- all of it ---- */

static const struct step {
	const char *name;
	void (*run)(struct check *c);
	bool head_first;
} steps[] = {
	{ "head", check_head, false },
	{ "copy of the head", check_copy, true },
	{ "entries", check_entries, true },
	{ "references to shared objects", check_refs, true },
	{ "unused objects and drafts", check_unused, true },
	{ "owners of blocks", check_owners, true },
	{ "contents of traces", check_contents, true },
	{ "blocks behind the end", check_behind, true },
	{ "pages that cannot be read", check_pages, false },
};

int check_media(struct media *m, enum check_how how, check_fn report, void *arg,
		struct xf_err *err)
{
	struct check c = { .m = m, .how = how };
	bool left = false;
	int rc;

	if (how && !m->writable)
		return xf_fail(err, -EROFS, "%s: opened for reading", m->path);
	rc = store_check_head(m, 0, err);
	if (rc && store_check_head(m, LAYOUT_COPY, NULL))
		return rc;
	/* The copy says what it is; nothing of it is to be repaired by us. */
	if (rc == -EPROTO)
		return rc;
	for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
		c.now = (struct check_result){ .step = steps[i].name };
		if (steps[i].head_first && !c.attached)
			c.now.verdict = CHECK_SKIPPED;
		else
			steps[i].run(&c);
		left = left || c.now.verdict > CHECK_REPAIRED;
		if (report)
			report(arg, &c.now);
	}
	if (how) {
		rc = media_sync(m, 0, m->len, err);
		if (rc)
			return rc;
	}
	return left;
}

int check_file(const char *path, enum check_how how, check_fn report, void *arg,
	       struct xf_err *err)
{
	struct media m;
	int rc = media_open(&m, path, how, err);

	if (rc)
		return rc;
	rc = check_media(&m, how, report, arg, err);
	media_close(&m);
	return rc;
}
