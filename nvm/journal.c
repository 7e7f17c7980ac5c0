// SPDX-License-Identifier: GPL-2.0-only
#include "journal.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "blocks.h"
#include "catalog.h"
#include "cleanup.h"
#include "crc32c.h"

#define GROW_MIN  (1ULL << 20)
#define GROW_MAX  (64ULL << 20)
#define DROP_STEP (16ULL << 20)

uint64_t journal_chunk_bytes(uint64_t len)
{
	return sizeof(struct store_chunk) + ((len + 15) & ~15ULL);
}

/* ---- where it lies ---- */

/* The run that holds byte @pos; the last one when @pos is its end. */
static const struct run *run_at(const struct journal *j, uint64_t pos)
{
	size_t low = 0, high = j->nr_runs;

	while (high - low > 1) {
		size_t mid = (low + high) / 2;

		if (j->runs[mid].pos <= pos)
			low = mid;
		else
			high = mid;
	}
	return low < high ? &j->runs[low] : NULL;
}

/* Where in the file @len bytes at @pos are, or 0: they are not in one piece. */
static uint64_t place(const struct journal *j, uint64_t pos, uint64_t len)
{
	const struct run *r = run_at(j, pos);

	if (!r || pos - r->pos > r->len || len > r->len - (pos - r->pos))
		return 0;
	return r->off + (pos - r->pos);
}

static uint32_t chunk_crc(const struct journal *j, uint64_t pos,
			  const struct store_chunk *c, const void *payload)
{
	/* id and position: what an earlier trace left here is no chunk of ours.
	 */
	struct {
		uint64_t id, pos;
		uint32_t type, len, flags;
	} __attribute__((packed))
	head = { j->id, pos, c->type, c->len, c->flags };
	uint32_t crc = crc32c(0, &head, sizeof(head));

	return c->flags & CHUNK_PAD ? crc : crc32c(crc, payload, c->len);
}

static uint64_t entry_word(const struct journal *j, size_t field)
{
	return media_load(&j->st->m, entry_off(j->st, j->slot) + field);
}

/* Learn what is committed and where it is, as far as it is there. */
static int locate(struct journal *j, struct xf_err *err)
{
	const struct store *st = j->st;
	uint64_t word = entry_word(j, offsetof(struct store_entry, committed));
	uint64_t most = st->nr_blocks << st->block_shift;
	const struct run *last;
	int rc;

	j->committed = COMMIT_BYTES(word);
	j->ordered = word & COMMIT_ORDERED;
	/* In this order: who sees a new era sees what was synced before it. */
	j->era = entry_word(j, offsetof(struct store_entry, era));
	j->synced = entry_word(j, offsetof(struct store_entry, synced));
	if (j->ordered || j->synced > j->committed)
		j->synced = j->ordered ? j->committed : 0;
	rc = blocks_find(st, j->slot,
			 blocks_for(st, j->committed < most ? j->committed :
							      most),
			 &j->runs, &j->nr_runs, err);
	if (rc)
		return rc;
	last = j->nr_runs ? &j->runs[j->nr_runs - 1] : NULL;
	j->room = last ? last->pos + last->len : 0;
	return 0;
}

static int load(struct journal *j, struct xf_err *err)
{
	int rc = locate(j, err);

	if (rc)
		return rc;
	if (j->room < j->synced)
		return xf_fail(err, -EBADMSG, "%s: a part of it is missing",
			       j->path);
	/* Power was lost before all of the page cache was written. */
	if (j->room < j->committed)
		j->committed = j->room;
	j->end = j->committed;
	return media_failed(&j->st->m, err);
}

static void let_go(struct journal *j)
{
	if (!j->path)
		return;
	if (j->use_fd >= 0)
		close(j->use_fd);
	free(j->runs);
	free(j->path);
	*j = (struct journal){ 0 };
}

static int attach(struct journal *j, struct store *st, uint32_t slot,
		  const char *name, struct xf_err *err)
{
	*j = (struct journal){ .st = st, .slot = slot, .use_fd = -1 };
	if (asprintf(&j->path, "%s: %s", st->m.path, name) < 0) {
		j->path = NULL;
		return xf_fail(err, -ENOMEM, "out of memory");
	}
	j->id = store_entry(st, slot)->id;
	return 0;
}

static int use(struct journal *j, enum store_use how, struct xf_err *err)
{
	int rc = store_use(j->st, j->slot, how, err);

	if (rc == -EBUSY)
		return xf_fail(err, rc, "%s: %s", j->path,
			       how == STORE_USE_READ ? "is being removed"
						     : "is being written");
	if (rc < 0)
		return rc;
	j->use_fd = rc;
	return 0;
}

/* ---- open ---- */

static int chunk_at(const struct journal *j, uint64_t pos,
		    struct store_chunk *c, const void **ret_data,
		    struct xf_err *err);

static int create(struct journal *j, struct store *st, enum store_kind kind,
		  const char *name, struct xf_err *err)
{
	struct journal new = { 0 };
	uint32_t slot;
	int rc = store_lock(st, err);

	if (rc)
		return rc;
	/* The lock is kept until the draft has a writer: see catalog_collect.
	 */
	rc = catalog_create(st, kind, name, &slot, err);
	if (!rc) {
		rc = attach(&new, st, slot, name, err);
		rc = rc ? rc : use(&new, STORE_USE_WRITE, err);
		if (rc)
			(void)catalog_discard(st, slot, NULL);
	}
	store_unlock(st);
	if (rc) {
		let_go(&new);
		return rc;
	}
	new.writable = true;
	*j = new;
	return 0;
}

int journal_create(struct journal *j, struct store *st, const char *name,
		   struct xf_err *err)
{
	return create(j, st, STORE_TRACE, name, err);
}

int journal_create_draft(struct journal *j, struct store *st, const char *name,
			 struct xf_err *err)
{
	return create(j, st, STORE_DRAFT, name, err);
}

int journal_publish(struct journal *j, struct xf_err *err)
{
	return catalog_publish(j->st, j->slot, err);
}

/* Between the search and the lock it may have become another one. */
static int find_and_use(struct journal *j, struct store *st, const char *name,
			enum store_use how, struct xf_err *err)
{
	struct catalog_entry e, again;
	int rc = name ? catalog_find(st, name, &e, err)
		      : catalog_only(st, &e, err);

	rc = rc ? rc : attach(j, st, e.slot, e.name, err);
	rc = rc ? rc : use(j, how, err);
	if (rc)
		return rc;
	if (!catalog_read(st, e.slot, &again) || again.id != e.id ||
	    again.kind != STORE_TRACE)
		return xf_fail(err, -ENOENT, "%s: was just removed", j->path);
	return 0;
}

int journal_open(struct journal *j, struct store *st, const char *name,
		 struct xf_err *err)
{
	struct journal new = { 0 };
	int rc = find_and_use(&new, st, name, STORE_USE_READ, err);

	rc = rc ? rc : load(&new, err);
	if (rc)
		let_go(&new);
	else
		*j = new;
	return rc;
}

static void store_committed(struct journal *j)
{
	uint64_t off = entry_off(j->st, j->slot) +
		       offsetof(struct store_entry, committed);

	media_store(&j->st->m, off,
		    j->end | (j->st->m.durable ? COMMIT_ORDERED : 0));
	/* All up to end counts. */
	media_persist(&j->st->m, off, sizeof(uint64_t));
}

static uint64_t synced_off(const struct journal *j)
{
	return entry_off(j->st, j->slot) + offsetof(struct store_entry, synced);
}

static void store_synced(struct journal *j, uint64_t upto)
{
	media_store(&j->st->m, synced_off(j), upto);
	media_persist(&j->st->m, synced_off(j), sizeof(uint64_t));
	j->synced = upto;
}

static int sync_synced(struct journal *j, struct xf_err *err)
{
	return media_sync(&j->st->m, synced_off(j), sizeof(uint64_t), err);
}

/*
 * What an earlier writer left behind the end must not come back in the place of
 * what follows: that is of another era, and everything before it is synced.
 */
static int begin_era(struct journal *j, struct xf_err *err)
{
	uint64_t off = entry_off(j->st, j->slot) +
		       offsetof(struct store_entry, era);
	int rc = journal_sync(j, err);

	if (rc || j->st->m.durable)
		return rc;
	media_store(&j->st->m, off, j->era + 1);
	/* Nothing was written in it yet. */
	media_persist(&j->st->m, off, sizeof(uint64_t));
	return media_sync(&j->st->m, off, sizeof(uint64_t), err);
}

/* From *@pos on, over good chunks. */
static int walk(const struct journal *j, uint64_t *pos, struct xf_err *err)
{
	struct store_chunk c;
	const void *data;
	int rc;

	while ((rc = chunk_at(j, *pos, &c, &data, err)) > 0)
		*pos += journal_chunk_bytes(c.len);
	return rc;
}

/*
 * The word for what is synced is damaged; a wrong one would have what follows
 * it cut off. Without a writer no more is synced than committed; and where a
 * walk that ended at @pos should have gone on, there are good chunks up to the
 * end, but none that ends at the word. What this cannot find is a word that
 * happens to say where a chunk of an earlier era begins: power loss may have
 * left that.
 */
static bool is_synced_wrong(const struct journal *j, uint64_t pos)
{
	const struct store_entry *e = store_entry(j->st, j->slot);
	struct journal all = *j;

	all.synced = all.committed;
	if (pos < j->synced && !walk(&all, &pos, NULL))
		return true;
	return !j->ordered && e->synced > COMMIT_BYTES(e->committed);
}

/*
 * A writer's beginning: what power loss left of the unsynced part ends where
 * the checksums do, and blocks behind the end are nobody's.
 */
static int recover(struct journal *j, struct xf_err *err)
{
	uint64_t was = COMMIT_BYTES(store_entry(j->st, j->slot)->committed);
	uint64_t pos = 0;
	int rc = walk(j, &pos, err);

	if (is_synced_wrong(j, pos))
		return xf_fail(err, -EBADMSG,
			       "%s: what it says of how much is synced is "
			       "damaged", j->path);
	rc = rc ? rc : store_lock(j->st, err);
	if (rc)
		return rc;
	j->end = pos;
	/* Written on DAX, and now elsewhere: the other word vouches for it. */
	if (j->ordered && !j->st->m.durable)
		store_synced(j, j->synced);
	/* Before anything is written where it pointed to. */
	if (pos != was || (j->ordered && !j->st->m.durable)) {
		store_committed(j);
		j->committed = pos;
	}
	rc = begin_era(j, err);
	blocks_drop(j->st, j->slot, blocks_for(j->st, pos));
	/* Else an old word could come back beside the one that follows it. */
	rc = rc ? rc : blocks_sync(j->st, err);
	store_unlock(j->st);
	if (rc)
		return rc;
	free(j->runs);
	j->runs = NULL;
	return load(j, err);
}

int journal_reopen(struct journal *j, struct store *st, const char *name,
		   struct xf_err *err)
{
	struct journal new = { 0 };
	int rc = find_and_use(&new, st, name, STORE_USE_WRITE, err);

	rc = rc ? rc : load(&new, err);
	rc = rc ? rc : recover(&new, err);
	if (!rc && store_state(st, new.slot) & STATE_FINISHED)
		rc = catalog_set_finished(st, new.slot, false, err);
	if (rc) {
		let_go(&new);
		return rc;
	}
	new.writable = true;
	*j = new;
	return 0;
}

void journal_close(struct journal *j)
{
	if (j->path && j->writable && !store_lock(j->st, NULL)) {
		/* What lies behind the last commit is nobody's any more. */
		blocks_drop(j->st, j->slot, blocks_for(j->st, j->committed));
		store_unlock(j->st);
	}
	let_go(j);
}

/* ---- append ---- */

static uint64_t last_block(const struct journal *j)
{
	const struct run *r;

	if (!j->nr_runs)
		return UINT64_MAX;
	r = &j->runs[j->nr_runs - 1];
	return ((r->off + r->len - j->st->data_off) >> j->st->block_shift) - 1;
}

/* @len bytes that are nothing. */
static void pad(struct journal *j, uint64_t pos, uint64_t len)
{
	struct store_chunk c = { .flags = CHUNK_PAD | CHUNK_ERA(j->era),
				 .len = len - sizeof(c) };
	uint64_t off = place(j, pos, sizeof(c));

	c.crc = chunk_crc(j, pos, &c, NULL);
	media_copy(&j->st->m, off, &c, sizeof(c));
	media_flush(&j->st->m, off, sizeof(c));
}

/* How much more than needed: few visits to the map, not much for nothing. */
static uint64_t growth(const struct journal *j)
{
	uint64_t share = (j->st->nr_blocks << j->st->block_shift) / 64;
	uint64_t least = share < GROW_MIN ? share : GROW_MIN;
	uint64_t most = share < GROW_MAX ? share : GROW_MAX;
	uint64_t grow = j->end / 8;

	return grow < least ? least : grow > most ? most : grow;
}

/* Blocks, so that @bytes fit behind the end in one piece. */
static int grow(struct journal *j, uint64_t bytes, struct xf_err *err)
{
	uint64_t left = j->room - j->end, first, nr, len;
	uint64_t after = last_block(j), need = blocks_for(j->st, bytes);
	uint64_t want = blocks_for(j->st, growth(j));
	struct run *runs;
	int rc;

	runs = realloc(j->runs, (j->nr_runs + 1) * sizeof(*runs));
	if (!runs)
		return xf_fail(err, -ENOMEM, "out of memory");
	j->runs = runs;
	rc = catalog_room(j->st, j->slot, j->room >> j->st->block_shift, after,
			  blocks_for(j->st, bytes - left), need,
			  want > need ? want : need, &first, &nr, err);
	if (rc)
		return rc;
	len = nr << j->st->block_shift;
	if (j->nr_runs && first == after + 1) {
		runs[j->nr_runs - 1].len += len;
	} else {
		/* The rest of a run that is left for another. */
		if (left)
			pad(j, j->end, left);
		j->end += left;
		runs[j->nr_runs++] = (struct run){
			.pos = j->room,
			.off = block_off(j->st, first),
			.len = len,
		};
	}
	j->room += len;
	return 0;
}

int journal_prepare(struct journal *j, uint64_t bytes, struct xf_err *err)
{
	if (bytes <= j->room - j->end)
		return media_failed(&j->st->m, err);
	return grow(j, bytes, err);
}

const void *journal_reserve(struct journal *j, size_t max, struct xf_err *err)
{
	if (max > JOURNAL_CHUNK_MAX) {
		xf_fail(err, -EFBIG, "%s: a chunk of %zu bytes", j->path, max);
		return NULL;
	}
	if (journal_prepare(j, journal_chunk_bytes(max), err))
		return NULL;
	return j->st->m.base + place(j, j->end, journal_chunk_bytes(max)) +
	       sizeof(struct store_chunk);
}

void journal_write(struct journal *j, size_t at, const void *data, size_t len)
{
	uint64_t skip = sizeof(struct store_chunk) + at;

	media_copy(&j->st->m, place(j, j->end, skip + len) + skip, data, len);
}

static void add(struct journal *j, uint32_t type, uint32_t flags, size_t len)
{
	struct store_chunk c = { .type = type,
				 .len = len,
				 .flags = flags | CHUNK_ERA(j->era) };
	uint64_t off = place(j, j->end, journal_chunk_bytes(len));

	/* Over what lies there, not what should: see what was stored. */
	c.crc = chunk_crc(j, j->end, &c, j->st->m.base + off + sizeof(c));
	media_copy(&j->st->m, off, &c, sizeof(c));
	media_flush(&j->st->m, off, sizeof(c) + len);
	j->end += journal_chunk_bytes(len);
}

void journal_add(struct journal *j, uint32_t type, size_t len)
{
	add(j, type, 0, len);
}

static int put(struct journal *j, uint32_t type, uint32_t flags,
	       const void *data, size_t len, struct xf_err *err)
{
	struct xf_err why;

	if (!journal_reserve(j, len, &why))
		return xf_fail(err, why.code, "%s", why.msg);
	journal_write(j, 0, data, len);
	add(j, type, flags, len);
	return 0;
}

int journal_put(struct journal *j, uint32_t type, const void *data, size_t len,
		struct xf_err *err)
{
	return put(j, type, 0, data, len, err);
}

void journal_forget(struct journal *j)
{
	uint64_t from = j->dropped, to = j->committed;

	/* Pages of DAX are nobody's memory. */
	if (j->st->m.durable || to - from < DROP_STEP)
		return;
	for (size_t i = 0; i < j->nr_runs; i++) {
		const struct run *r = &j->runs[i];
		uint64_t a = from > r->pos ? from : r->pos;
		uint64_t b = to < r->pos + r->len ? to : r->pos + r->len;

		if (a < b)
			media_forget(&j->st->m, r->off + (a - r->pos), b - a);
	}
	j->dropped = to;
}

int journal_commit(struct journal *j, struct xf_err *err)
{
	int rc;

	if (j->end == j->committed)
		return journal_failed(j, err);
	/* Chunks up to end are on media, but nothing says so yet. */
	media_fence(&j->st->m);
	rc = journal_failed(j, err);
	if (rc)
		return rc;
	store_committed(j);
	rc = journal_failed(j, err);
	if (rc)
		return rc;
	j->committed = j->end;
	return 0;
}

int journal_sync_begin(const struct journal *j, struct journal_sync *s,
		       struct xf_err *err)
{
	struct store *st = j->st;
	size_t max = j->nr_runs + 2;

	*s = (struct journal_sync){ .m = &st->m, .upto = j->committed };
	s->ranges = calloc(max, sizeof(*s->ranges));
	if (!s->ranges)
		return xf_fail(err, -ENOMEM, "out of memory");
	for (size_t i = 0; i < j->nr_runs; i++) {
		const struct run *r = &j->runs[i];

		if (r->pos + r->len > j->synced && r->pos < j->committed)
			s->ranges[s->nr++] = (struct media_range){ r->off,
								   r->len };
	}
	/* Whose the blocks are, and how much of them counts. */
	s->ranges[s->nr++] = (struct media_range){
		st->map_off, st->nr_blocks * sizeof(uint64_t)
	};
	s->ranges[s->nr++] = (struct media_range){
		entry_off(st, j->slot), sizeof(struct store_entry)
	};
	return 0;
}

int journal_sync_run(const struct journal_sync *s, struct xf_err *err)
{
	int rc = 0;

	for (size_t i = 0; !rc && i < s->nr; i++)
		rc = media_sync(s->m, s->ranges[i].off, s->ranges[i].len, err);
	return rc;
}

void journal_sync_end(struct journal *j, struct journal_sync *s, int rc)
{
	/* Only now: this word vouches for the others. */
	if (!rc)
		store_synced(j, s->upto);
	free(s->ranges);
	*s = (struct journal_sync){ 0 };
}

int journal_sync(struct journal *j, struct xf_err *err)
{
	struct journal_sync s;
	int rc;

	if (j->st->m.durable || j->synced == j->committed)
		return journal_failed(j, err);
	rc = journal_sync_begin(j, &s, err);
	if (rc)
		return rc;
	rc = journal_sync_run(&s, err);
	journal_sync_end(j, &s, rc);
	return rc ? rc : sync_synced(j, err);
}

int journal_finish(struct journal *j, struct xf_err *err)
{
	int rc = journal_sync(j, err);

	return rc ? rc : catalog_set_finished(j->st, j->slot, true, err);
}

int journal_failed(const struct journal *j, struct xf_err *err)
{
	return media_failed(&j->st->m, err);
}

/* ---- read ---- */

/* What is behind synced may be what power loss left: then the trace ends. */
static int damaged(const struct journal *j, uint64_t pos, struct xf_err *err)
{
	int rc = journal_failed(j, err);

	if (rc || pos >= j->synced)
		return rc;
	return xf_fail(err, -EBADMSG, "%s: damaged at %" PRIu64, j->path, pos);
}

/* 1: a good chunk, pad or not, lies at @pos. */
static int chunk_at(const struct journal *j, uint64_t pos,
		    struct store_chunk *c, const void **ret_data,
		    struct xf_err *err)
{
	uint64_t off, bytes;

	if (pos >= j->committed)
		return journal_failed(j, err);
	off = place(j, pos, sizeof(*c));
	if (!off || pos % 16 || j->committed - pos < sizeof(*c))
		return damaged(j, pos, err);
	memcpy(c, j->st->m.base + off, sizeof(*c));
	bytes = journal_chunk_bytes(c->len);
	if (bytes > j->committed - pos || !place(j, pos, bytes))
		return damaged(j, pos, err);
	/* What is synced ends with a chunk: a writer goes on from there. */
	if (pos < j->synced && bytes > j->synced - pos)
		return damaged(j, pos, err);
	*ret_data = j->st->m.base + off + sizeof(*c);
	if (c->crc != chunk_crc(j, pos, c, *ret_data) ||
	    journal_failed(j, NULL))
		return damaged(j, pos, err);
	if (pos >= j->synced &&
	    c->flags >> CHUNK_ERA_SHIFT != CHUNK_ERA(j->era) >> CHUNK_ERA_SHIFT)
		return 0;
	return 1;
}

static int64_t object_of(const struct journal *j, const struct store_chunk *c,
			 const void *payload)
{
	const struct store_ref *ref = payload;
	uint64_t word;

	if (!(c->flags & CHUNK_REF) || c->len != sizeof(*ref) ||
	    ref->index >= LAYOUT_REFS)
		return -1;
	word = store_entry(j->st, j->slot)->ref[ref->index];
	if (!word || word > j->st->nr_slots ||
	    STATE_KIND(store_state(j->st, word - 1)) != STORE_SHARED ||
	    store_entry(j->st, word - 1)->id != ref->id)
		return -1;
	return word - 1;
}

int64_t journal_object(const struct journal *j, const void *data)
{
	const struct store *st = j->st;
	/* The chunk's own place: without payload, @data is behind its end. */
	uint64_t off = (const uint8_t *)data - st->m.base -
		       sizeof(struct store_chunk);
	uint64_t word = media_load(
		&st->m, map_off(st, (off - st->data_off) >> st->block_shift));

	/* Its block belongs to somebody else than the trace. */
	return MAP_OWNER(word) == j->slot + 1 ? -1 : MAP_OWNER(word) - 1LL;
}

/* The one chunk of the object that a chunk refers to. */
static int resolve(const struct journal *j, const struct store_chunk *c,
		   const void **data, size_t *ret_len, struct xf_err *err)
{
	int64_t object = object_of(j, c, *data);
	struct journal o = { 0 };
	struct store_chunk oc;
	int rc;

	if (object < 0)
		return xf_fail(err, -EBADMSG,
			       "%s: refers to an object that is not there",
			       j->path);
	rc = attach(&o, j->st, object, "shared", err);
	rc = rc ? rc : load(&o, err);
	rc = rc ? rc : chunk_at(&o, 0, &oc, data, err);
	let_go(&o);
	if (rc > 0) {
		*ret_len = oc.len;
		return 1;
	}
	return rc ? rc
		  : xf_fail(err, -EBADMSG,
			    "%s: refers to an object that "
			    "is incomplete",
			    j->path);
}

int journal_next(const struct journal *j, struct journal_chunk *c,
		 struct xf_err *err)
{
	struct store_chunk head;
	const void *data;
	size_t len;
	int rc;

	while ((rc = chunk_at(j, c->pos, &head, &data, err)) > 0 &&
	       head.flags & CHUNK_PAD)
		c->pos += journal_chunk_bytes(head.len);
	if (rc <= 0)
		return rc;
	len = head.len;
	if (head.flags & CHUNK_REF)
		rc = resolve(j, &head, &data, &len, err);
	if (rc <= 0)
		return rc;
	c->pos += journal_chunk_bytes(head.len);
	c->type = head.type;
	c->data = data;
	c->len = len;
	return 1;
}

/* ---- damage ---- */

/*
 * 1: a chunk that can be used, with what it refers to; *@ret_bytes long. 0: it
 * is damaged. Else nobody knows, for want of memory or because of the medium.
 */
static int is_good(const struct journal *j, uint64_t pos, uint64_t *ret_bytes,
		   struct xf_err *err)
{
	struct store_chunk c;
	const void *data;
	size_t len;
	int rc = chunk_at(j, pos, &c, &data, err);

	if (rc > 0) {
		*ret_bytes = journal_chunk_bytes(c.len);
		if (c.flags & CHUNK_REF)
			rc = resolve(j, &c, &data, &len, err);
	}
	return rc == -EBADMSG ? 0 : rc;
}

/* Only what looks like a chunk is worth its checksum. */
static bool may_be_chunk(const struct journal *j, uint64_t pos)
{
	const uint32_t known = CHUNK_PAD | CHUNK_REF | CHUNK_ERA(UINT32_MAX);
	uint64_t off = place(j, pos, sizeof(struct store_chunk));
	struct store_chunk c;

	if (!off)
		return false;
	memcpy(&c, j->st->m.base + off, sizeof(c));
	return !(c.flags & ~known) && c.flags < CHUNK_ERA(j->era + 1) &&
	       c.len <= JOURNAL_CHUNK_MAX;
}

/* How many bytes from @pos to the next good chunk, or to what ends a search. */
static int64_t bad_bytes(const struct journal *j, uint64_t pos, uint64_t end,
			 struct xf_err *err)
{
	const struct run *r = run_at(j, pos);
	uint64_t at = pos, bytes;
	int rc = 0;

	/* Chunks begin anew with each run. */
	if (end > r->pos + r->len)
		end = r->pos + r->len;
	if (end - pos > JOURNAL_CHUNK_MAX)
		end = pos + JOURNAL_CHUNK_MAX;
	for (;;) {
		at += sizeof(struct store_chunk);
		if (at < end && may_be_chunk(j, at))
			rc = is_good(j, at, &bytes, err);
		if (rc < 0)
			return rc;
		if (at >= end || rc)
			return at - pos;
	}
}

static int blank_out(struct journal *j, struct journal_salvage *ret,
		     struct xf_err *err)
{
	uint64_t bytes = 0, pos = 0, end = j->synced & ~15ULL;

	for (; pos < end; pos += bytes) {
		int rc = is_good(j, pos, &bytes, err);
		int64_t bad;

		if (rc < 0)
			return rc;
		if (rc) {
			ret->good++;
			continue;
		}
		bad = bad_bytes(j, pos, end, err);
		if (bad < 0)
			return bad;
		bytes = bad;
		pad(j, pos, bytes);
		/* No chunk is there any more that could be damaged. */
		media_fence(&j->st->m);
		ret->bad++;
	}
	/* The word may be what is damaged: it ends where a chunk does. */
	if (pos != j->synced)
		store_synced(j, pos);
	return journal_failed(j, err);
}

/*
 * Behind what is synced the first damaged chunk is the end, which is no damage.
 * But one that is whole may refer to an object that is not.
 */
static int blank_out_unsynced(struct journal *j, struct journal_salvage *ret,
			      struct xf_err *err)
{
	struct store_chunk c;
	uint64_t pos = j->synced, bytes;
	const void *data;

	for (; chunk_at(j, pos, &c, &data, NULL) > 0;
	     pos += journal_chunk_bytes(c.len)) {
		int rc = is_good(j, pos, &bytes, err);

		if (rc < 0)
			return rc;
		if (rc)
			continue;
		pad(j, pos, journal_chunk_bytes(c.len));
		media_fence(&j->st->m);
		ret->bad++;
	}
	return journal_failed(j, err);
}

/* From @pos on nothing is vouched for: as if power had been lost there. */
static void distrust(struct journal *j, uint64_t pos)
{
	uint64_t off = entry_off(j->st, j->slot) +
		       offsetof(struct store_entry, committed);

	store_synced(j, pos);
	media_store(&j->st->m, off, j->committed);
	/* What follows is no damage, and journal_reopen() cuts it off. */
	media_persist(&j->st->m, off, sizeof(uint64_t));
}

/* All that is committed is looked through, then. */
static int mend_synced(struct journal *j, struct journal_salvage *ret,
		       struct xf_err *err)
{
	uint64_t pos = 0;

	(void)walk(j, &pos, NULL);
	if (!is_synced_wrong(j, pos))
		return 0;
	j->synced = 0;
	ret->bad++;
	return journal_sync(j, err);
}

int journal_salvage(struct store *st, const char *name,
		    struct journal_salvage *ret, struct xf_err *err)
{
	struct journal j = { 0 };
	int rc = find_and_use(&j, st, name, STORE_USE_WRITE, err);

	*ret = (struct journal_salvage){ 0 };
	rc = rc ? rc : locate(&j, err);
	if (!rc && j.room < j.synced) {
		distrust(&j, j.room);
		ret->bad++;
	}
	if (!rc) {
		j.committed = j.committed < j.room ? j.committed : j.room;
		rc = mend_synced(&j, ret, err);
		rc = rc ? rc : blank_out(&j, ret, err);
		rc = rc ? rc : blank_out_unsynced(&j, ret, err);
	}
	let_go(&j);
	return rc;
}

/* ---- objects that traces share ---- */

static bool is_same(const struct store_chunk *c, const void *payload,
		    const void *data, size_t len)
{
	return c->len == len && !memcmp(payload, data, len);
}

/*
 * The lock is held, so nobody else fills it, and nobody collects it. -EEXIST:
 * something else is there under this key.
 */
static int fill_object(struct store *st, uint32_t object, uint32_t type,
		       const void *data, size_t len, struct xf_err *err)
{
	struct journal o = { 0 };
	struct store_chunk c;
	const void *payload;
	int rc = attach(&o, st, object, "shared", err);

	rc = rc ? rc : load(&o, err);
	if (!rc && chunk_at(&o, 0, &c, &payload, NULL) > 0) {
		rc = is_same(&c, payload, data, len) ? 0 : -EEXIST;
	} else if (!rc) {
		/* Empty, or what power loss left: nobody relies on that yet. */
		o.end = o.committed = o.room = o.nr_runs = 0;
		store_committed(&o);
		blocks_drop(st, object, 0);
		rc = put(&o, type, 0, data, len, err);
		rc = rc ? rc : journal_commit(&o, err);
		rc = rc ? rc : journal_sync(&o, err);
		blocks_drop(st, object, blocks_for(st, o.committed));
	}
	let_go(&o);
	return rc;
}

int journal_share(struct journal *j, uint32_t type, const char *key,
		  const void *data, size_t len, struct xf_err *err)
{
	struct store_ref ref = { 0 };
	struct xf_err why;
	uint32_t object;
	int rc = store_lock(j->st, err);

	if (rc)
		return rc;
	rc = catalog_share(j->st, j->slot, type, key, &object, &ref.index,
			   &why);
	if (!rc)
		rc = fill_object(j->st, object, type, data, len, &why);
	store_unlock(j->st);
	/* It refers to as many as it can, or the key lies: it has its own. */
	if (rc == -EMLINK || rc == -EEXIST)
		return journal_put(j, type, data, len, err);
	if (rc)
		return xf_fail(err, rc, "%s", why.msg);
	ref.id = store_entry(j->st, object)->id;
	return put(j, type, CHUNK_REF, &ref, sizeof(ref), err);
}
