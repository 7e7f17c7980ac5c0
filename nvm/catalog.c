// SPDX-License-Identifier: GPL-2.0-only
#include "catalog.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "blocks.h"
#include "cleanup.h"
#include "clock.h"
#include "crc32c.h"

#define KEEP_BITS (0xffULL << 40 | 0xffffULL << 48) /* beside crc and kind */

/* ---- entries ---- */

int catalog_check_name(const char *name, struct xf_err *err)
{
	static const char good[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				   "abcdefghijklmnopqrstuvwxyz"
				   "0123456789._-";
	size_t len = strlen(name);

	if (!len || len > LAYOUT_NAME || strspn(name, good) != len ||
	    *name == '-' || *name == '.')
		return xf_fail(err, -EINVAL,
			       "a trace's name is 1 to %d of A-Z a-z 0-9 . _ - "
			       "and begins with none of . and -",
			       LAYOUT_NAME);
	return 0;
}

static uint64_t make_state(const struct store_entry *e, const char *name,
			   enum store_kind kind)
{
	uint64_t fixed[3] = { e->created_ns, e->id, kind };
	uint32_t crc = crc32c(0, fixed, sizeof(fixed));

	return crc32c(crc, name, LAYOUT_NAME) | (uint64_t)kind << 32;
}

bool catalog_read(const struct store *st, uint32_t slot,
		  struct catalog_entry *ret)
{
	const struct store_entry *e = store_entry(st, slot);
	struct store_entry copy;
	const char *name;
	uint64_t state;

	do {
		state = store_state(st, slot);
		if (!state)
			return false;
		memcpy(&copy, e, sizeof(copy));
		/* The copy was made before the second look. */
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
	} while (state != store_state(st, slot));
	name = copy.name[STATE_NAME(state)];
	*ret = (struct catalog_entry){
		.slot = slot,
		.kind = STATE_KIND(state),
		.finished = state & STATE_FINISHED,
		.damaged =
			STATE_CRC(state) !=
			STATE_CRC(make_state(&copy, name, STATE_KIND(state))),
		.bytes = COMMIT_BYTES(copy.committed),
		.created_ns = copy.created_ns,
		.id = copy.id,
	};
	memcpy(ret->name, name, LAYOUT_NAME);
	if (ret->kind != STORE_SHARED && catalog_check_name(ret->name, NULL))
		ret->damaged = true;
	return true;
}

/* Quick to say no: most entries that are looked at are others. */
static bool may_be(const struct store *st, uint32_t slot, uint8_t kind,
		   const char *name)
{
	uint64_t state = store_state(st, slot);

	return STATE_KIND(state) == kind &&
	       !strncmp(store_entry(st, slot)->name[STATE_NAME(state)], name,
			LAYOUT_NAME);
}

static bool find(const struct store *st, uint8_t kind, const char *name,
		 struct catalog_entry *ret)
{
	for (uint32_t slot = 0; slot < st->nr_slots; slot++)
		if (may_be(st, slot, kind, name) &&
		    catalog_read(st, slot, ret) && !ret->damaged &&
		    ret->kind == kind && !strcmp(ret->name, name))
			return true;
	return false;
}

int catalog_find(const struct store *st, const char *name,
		 struct catalog_entry *ret, struct xf_err *err)
{
	struct catalog_entry e;
	int rc = catalog_check_name(name, err);

	if (rc)
		return rc;
	if (!find(st, STORE_TRACE, name, &e)) {
		rc = media_failed(&st->m, err);
		return rc ? rc
			  : xf_fail(err, -ENOENT, "%s: no trace '%s'",
				    st->m.path, name);
	}
	*ret = e;
	return 0;
}

bool catalog_next(const struct store *st, uint32_t *slot,
		  struct catalog_entry *ret)
{
	while (*slot < st->nr_slots)
		if (catalog_read(st, (*slot)++, ret) &&
		    ret->kind == STORE_TRACE)
			return true;
	return false;
}

int catalog_only(const struct store *st, struct catalog_entry *ret,
		 struct xf_err *err)
{
	struct catalog_entry e, more;
	uint32_t slot = 0;

	if (!catalog_next(st, &slot, &e))
		return xf_fail(err, -ENOENT, "%s: has no trace", st->m.path);
	if (catalog_next(st, &slot, &more))
		return xf_fail(err, -ENOTUNIQ, "%s: has several traces",
			       st->m.path);
	*ret = e;
	return 0;
}

/* ---- changes; each with the lock held ---- */

/* The word that makes a change happen. */
static int set_state(struct store *st, uint32_t slot, uint64_t state,
		     struct xf_err *err)
{
	uint64_t off = entry_off(st, slot);

	media_store(&st->m, off, state);
	/* It has happened. */
	media_persist(&st->m, off, sizeof(state));
	return media_sync(&st->m, off, sizeof(struct store_entry), err);
}

static void put_name(struct store *st, uint32_t slot, int which,
		     const char name[LAYOUT_NAME])
{
	uint64_t off = entry_off(st, slot) +
		       offsetof(struct store_entry, name) + which * LAYOUT_NAME;

	media_copy(&st->m, off, name, LAYOUT_NAME);
	media_flush(&st->m, off, LAYOUT_NAME);
}

static int is_free_name(const struct store *st, const char *name,
			struct xf_err *err)
{
	struct catalog_entry e;

	if (find(st, STORE_TRACE, name, &e))
		return xf_fail(err, -EEXIST,
			       "%s: there is a trace '%s' already", st->m.path,
			       name);
	return 0;
}

static int find_slot(const struct store *st, uint32_t *ret_slot,
		     struct xf_err *err)
{
	for (uint32_t slot = 0; slot < st->nr_slots; slot++)
		if (!store_state(st, slot)) {
			*ret_slot = slot;
			return 0;
		}
	return xf_fail(err, -ENOSPC,
		       "%s: has %u traces and objects, the most it can",
		       st->m.path, st->nr_slots);
}

static int create(struct store *st, enum store_kind kind, const char *name,
		  uint32_t *ret_slot, struct xf_err *err)
{
	char padded[LAYOUT_NAME] = { 0 };
	struct store_entry e = { 0 };
	uint32_t slot = 0;
	int rc;

	if (kind != STORE_SHARED) {
		rc = is_free_name(st, name, err);
		if (rc)
			return rc;
	}
	rc = catalog_collect(st, err);
	rc = rc ? rc : find_slot(st, &slot, err);
	if (rc)
		return rc;
	if (getrandom(&e.id, sizeof(e.id), 0) != sizeof(e.id))
		return xf_fail_errno(err, "random numbers");
	e.created_ns = clock_ns(CLOCK_REALTIME);
	memcpy(padded, name, strlen(name));
	/* What its owner before had is free for good, whatever happens. */
	blocks_drop(st, slot, 0);
	rc = blocks_sync(st, err);
	if (rc)
		return rc;
	put_name(st, slot, 0, padded);
	media_copy(&st->m, entry_off(st, slot) + sizeof(e.state), &e.committed,
		   offsetof(struct store_entry, name) - sizeof(e.state));
	/* All of it is there, and it is still free. */
	media_persist(&st->m, entry_off(st, slot), sizeof(e));
	rc = set_state(st, slot, make_state(&e, padded, kind), err);
	if (!rc)
		*ret_slot = slot;
	return rc;
}

int catalog_create(struct store *st, enum store_kind kind, const char *name,
		   uint32_t *ret_slot, struct xf_err *err)
{
	int rc = catalog_check_name(name, err);

	rc = rc ? rc : store_lock(st, err);
	if (rc)
		return rc;
	rc = create(st, kind, name, ret_slot, err);
	store_unlock(st);
	return rc;
}

int catalog_publish(struct store *st, uint32_t slot, struct xf_err *err)
{
	const struct store_entry *e = store_entry(st, slot);
	struct catalog_entry draft;
	int rc = store_lock(st, err);

	if (rc)
		return rc;
	if (!catalog_read(st, slot, &draft) || draft.kind != STORE_DRAFT ||
	    draft.damaged)
		rc = xf_fail(err, -EBADMSG, "%s: entry %u is no draft",
			     st->m.path, slot);
	rc = rc ? rc : is_free_name(st, draft.name, err);
	if (!rc)
		rc = set_state(st, slot,
			       make_state(e, e->name[STATE_NAME(e->state)],
					  STORE_TRACE) |
				       (e->state & KEEP_BITS),
			       err);
	store_unlock(st);
	return rc;
}

int catalog_set_finished(struct store *st, uint32_t slot, bool finished,
			 struct xf_err *err)
{
	int rc = store_lock(st, err);
	uint64_t state;

	if (rc)
		return rc;
	state = store_state(st, slot) & ~STATE_FINISHED;
	rc = set_state(st, slot, state | (finished ? STATE_FINISHED : 0), err);
	store_unlock(st);
	return rc;
}

static int do_rename(struct store *st, const char *name, const char *to,
		     struct xf_err *err)
{
	char padded[LAYOUT_NAME] = { 0 };
	struct catalog_entry e;
	uint64_t state;
	int which, rc;

	rc = catalog_find(st, name, &e, err);
	if (rc || !strcmp(name, to))
		return rc;
	rc = is_free_name(st, to, err);
	if (rc)
		return rc;
	state = store_state(st, e.slot);
	which = !STATE_NAME(state);
	memcpy(padded, to, strlen(to));
	put_name(st, e.slot, which, padded);
	/* The other name is there, and still the other. */
	media_fence(&st->m);
	state = make_state(store_entry(st, e.slot), padded, STORE_TRACE) |
		((state & KEEP_BITS) ^ 1ULL << 40);
	return set_state(st, e.slot, state, err);
}

int catalog_rename(struct store *st, const char *name, const char *to,
		   struct xf_err *err)
{
	int rc = catalog_check_name(to, err);

	rc = rc ? rc : store_lock(st, err);
	if (rc)
		return rc;
	rc = do_rename(st, name, to, err);
	store_unlock(st);
	return rc;
}

/* Nobody uses it, and nobody begins to while it goes. */
static int free_entry(struct store *st, uint32_t slot, struct xf_err *err)
{
	_cleanup_close_ int reading = -1, writing = -1;

	writing = store_use(st, slot, STORE_USE_WRITE, err);
	if (writing < 0)
		return writing;
	reading = store_use(st, slot, STORE_USE_REMOVE, err);
	if (reading < 0)
		return reading;
	return set_state(st, slot, 0, err);
}

int catalog_remove(struct store *st, const char *name, struct xf_err *err)
{
	struct catalog_entry e;
	int rc = store_lock(st, err);

	if (rc)
		return rc;
	rc = catalog_find(st, name, &e, err);
	if (!rc) {
		rc = free_entry(st, e.slot, err);
		if (rc == -EBUSY)
			xf_fail(err, rc, "%s: trace '%s' is in use", st->m.path,
				name);
	}
	rc = rc ? rc : catalog_collect(st, err);
	store_unlock(st);
	return rc;
}

int catalog_discard(struct store *st, uint32_t slot, struct xf_err *err)
{
	int rc = store_lock(st, err);

	if (rc)
		return rc;
	rc = set_state(st, slot, 0, err);
	store_unlock(st);
	return rc;
}

static int do_rescue(struct store *st, uint32_t slot, struct xf_err *err)
{
	const struct store_entry *e = store_entry(st, slot);
	uint64_t state = store_state(st, slot);
	uint8_t kind = STATE_KIND(state);
	char name[LAYOUT_NAME] = { 0 };
	int which = !STATE_NAME(state);
	uint32_t nr = slot;

	if (kind < STORE_TRACE || kind > STORE_SHARED)
		kind = STORE_TRACE;
	do
		snprintf(name, sizeof(name), "lost-%u", nr++);
	while (is_free_name(st, name, NULL));
	put_name(st, slot, which, name);
	/* The name is there, and what it belongs to is still damaged. */
	media_fence(&st->m);
	return set_state(st, slot,
			 make_state(e, name, kind) | (uint64_t)which << 40, err);
}

int catalog_rescue(struct store *st, uint32_t slot, struct xf_err *err)
{
	_cleanup_close_ int use = -1;
	int rc = store_lock(st, err);

	if (rc)
		return rc;
	use = store_use(st, slot, STORE_USE_WRITE, err);
	rc = use < 0 ? use : do_rescue(st, slot, err);
	store_unlock(st);
	return rc;
}

/* ---- what nobody can reach ---- */

static bool is_wanted(const struct store *st, uint32_t object)
{
	for (uint32_t slot = 0; slot < st->nr_slots; slot++) {
		const struct store_entry *e = store_entry(st, slot);
		uint8_t kind = STATE_KIND(store_state(st, slot));

		/* Damaged ones too: what they refer to may be all that is left.
		 */
		if (!kind || kind == STORE_SHARED)
			continue;
		for (int i = 0; i < LAYOUT_REFS; i++)
			if (e->ref[i] == object + 1ULL)
				return true;
	}
	return false;
}

static bool is_unused(const struct store *st, uint32_t slot)
{
	switch (STATE_KIND(store_state(st, slot))) {
	case STORE_DRAFT:
		return !store_is_written(st, slot);
	case STORE_SHARED:
		return !is_wanted(st, slot);
	default:
		return false;
	}
}

int catalog_unused(struct store *st, bool free_it, uint64_t *ret_nr,
		   struct xf_err *err)
{
	uint64_t nr = 0;
	int rc = 0;

	/* Drafts before objects, which they may have referred to. */
	for (int kind = STORE_DRAFT; kind <= STORE_SHARED; kind++)
		for (uint32_t slot = 0; !rc && slot < st->nr_slots; slot++) {
			if (STATE_KIND(store_state(st, slot)) != kind ||
			    !is_unused(st, slot))
				continue;
			nr++;
			if (free_it)
				rc = catalog_discard(st, slot, err);
		}
	*ret_nr = nr;
	return rc;
}

int catalog_collect(struct store *st, struct xf_err *err)
{
	uint64_t nr;
	int rc = store_lock(st, err);

	if (rc)
		return rc;
	rc = catalog_unused(st, true, &nr, err);
	store_unlock(st);
	return rc;
}

/* ---- shared objects ---- */

/* Where @slot refers to an object, or can: LAYOUT_REFS if nowhere. */
static uint32_t ref_for(const struct store *st, uint32_t slot, uint64_t ref)
{
	const struct store_entry *e = store_entry(st, slot);
	uint32_t i = 0;

	while (i < LAYOUT_REFS && e->ref[i] && e->ref[i] != ref)
		i++;
	return i;
}

static int refer(struct store *st, uint32_t slot, uint32_t object, uint32_t i,
		 struct xf_err *err)
{
	uint64_t off =
		entry_off(st, slot) + offsetof(struct store_entry, ref[i]);

	if (store_entry(st, slot)->ref[i])
		return 0;
	media_store(&st->m, off, object + 1ULL);
	/* The object lives as long as the trace. */
	media_persist(&st->m, off, sizeof(uint64_t));
	return media_sync(&st->m, off, sizeof(uint64_t), err);
}

int catalog_share(struct store *st, uint32_t slot, uint32_t type,
		  const char *key, uint32_t *ret_object, uint32_t *ret_index,
		  struct xf_err *err)
{
	char name[LAYOUT_NAME + 1];
	struct catalog_entry e;
	uint32_t index;
	bool exists;
	int rc;

	if (snprintf(name, sizeof(name), "%u.%s", type, key) >=
	    (int)sizeof(name))
		return xf_fail(err, -EINVAL, "the key '%.80s' is too long",
			       key);
	rc = catalog_check_name(name, err);
	/* An object that nobody refers to must not be taken up again. */
	rc = rc ? rc : catalog_collect(st, err);
	if (rc)
		return rc;
	exists = find(st, STORE_SHARED, name, &e);
	index = ref_for(st, slot, exists ? e.slot + 1ULL : 0);
	if (index == LAYOUT_REFS)
		return xf_fail(err, -EMLINK,
			       "%s: entry %u uses %d objects already",
			       st->m.path, slot, LAYOUT_REFS);
	if (!exists)
		rc = create(st, STORE_SHARED, name, &e.slot, err);
	rc = rc ? rc : refer(st, slot, e.slot, index, err);
	if (rc)
		return rc;
	*ret_object = e.slot;
	*ret_index = index;
	return 0;
}

/* ---- room ---- */

/* The oldest finished trace that nobody uses gives way. */
static int remove_oldest(struct store *st, struct xf_err *err)
{
	struct catalog_entry e, oldest = { .created_ns = UINT64_MAX };
	uint32_t slot = 0;
	int rc;

	while (catalog_next(st, &slot, &e))
		if (e.finished && !e.damaged &&
		    e.created_ns < oldest.created_ns &&
		    !store_is_written(st, e.slot) && !store_is_read(st, e.slot))
			oldest = e;
	if (!oldest.name[0])
		return -ENOENT;
	rc = free_entry(st, oldest.slot, err);
	if (rc == -EBUSY)
		return -EAGAIN;
	st->nr_evicted += !rc;
	return rc ? rc : catalog_collect(st, err);
}

/* 0: taken. -ENOSPC: something must give way first. */
static int take_room(struct store *st, uint64_t after, uint64_t next,
		     uint64_t need, uint64_t want, uint64_t *ret_first,
		     uint64_t *ret_nr)
{
	uint64_t quota = store_quota(st) >> st->block_shift;
	uint64_t used = quota ? st->nr_blocks - blocks_free(st) : 0;
	uint64_t left = used < quota ? quota - used : 0;
	uint64_t nr;
	int rc;

	if (quota && want > left)
		want = left;
	if (want < need && want < next)
		return -ENOSPC;
	rc = blocks_choose(st, after, next, need, want, ret_first, &nr);
	if (!rc)
		*ret_nr = nr;
	return rc;
}

static int back_room(struct store *st, uint64_t first, uint64_t *nr,
		     uint64_t need, struct xf_err *err)
{
	int rc;

	if (!st->thin)
		return 0;
	for (;;) {
		rc = media_back(&st->m, block_off(st, first),
				*nr << st->block_shift, err);
		if (rc != -ENOSPC || *nr <= need)
			return rc;
		*nr = *nr / 2 > need ? *nr / 2 : need;
	}
}

static int room(struct store *st, uint32_t slot, uint64_t nth, uint64_t after,
		uint64_t next, uint64_t need, uint64_t want,
		uint64_t *ret_first, uint64_t *ret_nr, struct xf_err *err)
{
	int rc = catalog_collect(st, err);

	if (rc)
		return rc;
	while ((rc = take_room(st, after, next, need, want, ret_first,
			       ret_nr))) {
		if (store_quota(st)) {
			rc = remove_oldest(st, err);
			if (!rc || rc == -EAGAIN)
				continue;
			if (rc != -ENOENT)
				return rc;
		}
		return xf_fail(
			err, -ENOSPC, "%s: the store is full%s", st->m.path,
			store_quota(st)
				? ", and no finished trace is left to remove"
				: "");
	}
	rc = back_room(st, *ret_first, ret_nr,
		       *ret_first == after + 1 ? next : need, err);
	if (!rc)
		blocks_give(st, slot, nth, *ret_first, *ret_nr);
	return rc ? rc : media_failed(&st->m, err);
}

int catalog_room(struct store *st, uint32_t slot, uint64_t nth, uint64_t after,
		 uint64_t next, uint64_t need, uint64_t want,
		 uint64_t *ret_first, uint64_t *ret_nr, struct xf_err *err)
{
	int rc = store_lock(st, err);

	if (rc)
		return rc;
	rc = room(st, slot, nth, after, next, need, want, ret_first, ret_nr,
		  err);
	store_unlock(st);
	return rc;
}
