// SPDX-License-Identifier: GPL-2.0-only
/*
 * crash [IMAGES] power is lost at every fence: is the store what it must be?
 * crash --selftest is a store that persists in the wrong order caught?
 *
 * The store's own code runs on a mapping whose stores, flushes and fences are
 * logged. At each fence, what may have reached the media is enumerated: of each
 * cache line with unflushed stores any prefix of them, in words of 8 bytes (a
 * copy stores its words in either direction), independently of all other lines,
 * as lines may be evicted early. Up to EXHAUSTIVE combinations all are tried;
 * beyond, with up to 12 such lines each line as a whole in all combinations,
 * and a sample with a fixed seed.
 *
 * A third of the images are those of a file system without DAX: there flush and
 * fence do nothing, a sync writes a range, and of each sector any prefix of its
 * stores may have been written back. What must be there is what was synced.
 *
 * Each image is opened and checked with the real code. The traces must be those
 * of before or after the operation in progress, hold every acknowledged chunk,
 * byte for byte, and nothing else; after a check with repair no block may be
 * lost. On some images recovery itself crashes once more, in the same way.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "blocks.h"
#include "catalog.h"
#include "check.h"
#include "cleanup.h"
#include "crc32c.h"
#include "journal.h"

#define LINE	   64
#define MAX_SIZE   (128u << 10)	/* of the store */
#define SECTOR	   512		/* what a disk writes as a whole */
#define MAX_PENDING 400		/* stores to one line between two fences */
#define EXHAUSTIVE 3000
#define SAMPLES	   400
#define SECOND	   199		/* every so manieth image crashes again */
#define BLOCK	   512
#define NR_BLOCKS  56
#define NR_SLOTS   10
#define NO_FD	   100000	/* never open */
#define CHUNK_TYPE 7
#define MAX_TRACES 8

static uint64_t random_state;

static uint64_t mix(uint64_t x)
{
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ULL;
	x = (x ^ x >> 27) * 0x94d049bb133111ebULL;
	return x ^ x >> 31;
}

static uint32_t rnd(uint32_t n)
{
	return (mix(random_state += 0x9e3779b97f4a7c15ULL) >> 32) * n >> 32;
}

/* ---- what must be there ---- */

struct world {
	uint32_t nr;
	bool no_store;		/* not even that */
	struct {
		char name[16];
		uint32_t seed;
		uint32_t nr;	/* chunks committed */
		uint32_t synced; /* of them, if that makes a difference */
		uint64_t shared; /* bit i: chunk i is kept in an object */
	} t[MAX_TRACES];
};

static struct world was, will;	/* before and after the operation */

static size_t len_of(uint32_t seed, uint32_t i, bool shared)
{
	uint32_t r = mix(seed * 1000 + i) % 100;

	if (shared)
		return 300;
	return r < 10 ? 0 : r < 60 ? r : r < 90 ? 3 * r : 16 * r;
}

static void contents(uint32_t seed, uint32_t i, bool shared, uint8_t *data,
		     size_t len)
{
	for (size_t at = 0; at < len; at++)
		data[at] = shared ? at * 5 + 1
				  : mix((uint64_t)seed << 32 | i) + at * 3;
}

/* ---- memory that forgets ---- */

struct line {
	uint32_t nr;
	uint32_t flushed;	/* of them, since the last fence */
	struct {
		uint8_t word;
		uint32_t when;	/* counts all stores */
		uint64_t value;
	} s[MAX_PENDING];
};

struct level {
	uint8_t *mem;		/* what the program sees */
	uint8_t *dur;		/* what is on the media for sure */
	struct line *line;
	uint32_t *dirty;	/* lines with stores that may be lost */
	uint32_t nr_dirty;
	bool crashes;		/* else stores are final, and undone later */
	struct {
		uint32_t off;
		uint64_t value;
	} *undo;
	uint32_t nr_undo;
	int fd;
};

/* The program; its recovery; the recovery after a crash of that. */
static struct level levels[3];
static size_t size;
static uint64_t images, distinct, violations, second;
static bool stop_at_violation, stop;
static bool page_cache;		/* no DAX: only a sync is durable */
static uint32_t now;
static uint64_t max_images;

static const struct media_ops log_ops;

static struct level *level_of(const struct media *m)
{
	for (size_t i = 0; i < ARRAY_SIZE(levels); i++)
		if (levels[i].mem == m->base)
			return &levels[i];
	abort();
}

static struct media media_of(struct level *l)
{
	return (struct media){
		.path = (char *)"store",
		.base = l->mem,
		.len = size,
		.ops = &log_ops,
		.fd = l->fd,
		.writable = true,
		.durable = !page_cache,
	};
}

static void set_up_level(struct level *l)
{
	l->fd = memfd_create("store", MFD_CLOEXEC);
	if (l->fd < 0 || ftruncate(l->fd, size))
		abort();
	l->mem = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, l->fd, 0);
	l->dur = calloc(1, size);
	l->line = calloc(size / LINE, sizeof(*l->line));
	l->dirty = calloc(size / LINE, sizeof(*l->dirty));
	l->undo = calloc(100000, sizeof(*l->undo));
	if (l->mem == MAP_FAILED || !l->dur || !l->line || !l->dirty ||
	    !l->undo)
		abort();
}

static void put_word(struct level *l, uint64_t off, uint64_t value)
{
	struct line *line = &l->line[off / LINE];
	uint64_t *p = (uint64_t *)(l->mem + off);

	if (!l->crashes) {
		if (l->nr_undo == 100000)
			abort();
		l->undo[l->nr_undo].off = off;
		l->undo[l->nr_undo++].value = *p;
		*p = value;
		return;
	}
	if (line->nr == MAX_PENDING)
		abort();
	if (!line->nr)
		l->dirty[l->nr_dirty++] = off / LINE;
	line->s[line->nr].word = off % LINE / 8;
	line->s[line->nr].when = ++now;
	line->s[line->nr++].value = value;
	*p = value;
}

static void put_bytes(struct level *l, uint64_t off, const uint8_t *src,
		      size_t len)
{
	uint64_t first = off & ~7ULL, end = (off + len + 7) & ~7ULL;
	uint32_t nr = (end - first) / 8;
	bool backwards = l->crashes && rnd(2);

	for (uint32_t i = 0; i < nr; i++) {
		uint64_t at = first + 8 * (backwards ? nr - 1 - i : i);
		uint64_t value;

		memcpy(&value, l->mem + at, 8);
		for (uint64_t b = 0; b < 8; b++)
			if (at + b >= off && at + b < off + len)
				((uint8_t *)&value)[b] = src[at + b - off];
		put_word(l, at, value);
	}
}

static void flush_lines(struct level *l, uint64_t off, size_t len)
{
	if (l->crashes && len && !page_cache)
		for (uint64_t n = off / LINE; n <= (off + len - 1) / LINE; n++)
			l->line[n].flushed = l->line[n].nr;
}

static void crash_here(struct level *l);

static void keep_flushed(struct level *l)
{
	uint32_t left = 0;

	for (uint32_t i = 0; i < l->nr_dirty; i++) {
		uint32_t n = l->dirty[i];
		struct line *line = &l->line[n];

		for (uint32_t k = 0; k < line->flushed; k++)
			memcpy(l->dur + n * LINE + line->s[k].word * 8,
			       &line->s[k].value, 8);
		line->nr -= line->flushed;
		memmove(line->s, line->s + line->flushed,
			line->nr * sizeof(line->s[0]));
		line->flushed = 0;
		if (line->nr)
			l->dirty[left++] = n;
	}
	l->nr_dirty = left;
}

/* ---- bugs that can be planted ---- */

enum place { HEAD, HEAD_COPY, STATE, COMMITTED, REF, NAME, MAP, DATA };
enum op { COPY, STORE, FLUSH, FENCE, SYNC };

static struct store shape_of;	/* where everything is */

static enum place place_of(uint64_t off)
{
	uint64_t in;

	if (off < LAYOUT_COPY)
		return HEAD;
	if (off < LAYOUT_HEADS)
		return HEAD_COPY;
	if (off >= shape_of.data_off)
		return DATA;
	if (off >= shape_of.map_off)
		return MAP;
	in = (off - LAYOUT_HEADS) % sizeof(struct store_entry);
	if (in >= offsetof(struct store_entry, name))
		return NAME;
	if (in >= offsetof(struct store_entry, ref))
		return REF;
	return in == offsetof(struct store_entry, committed) ? COMMITTED :
							       STATE;
}

struct event {
	enum op op;
	uint64_t off;
	size_t len;
	const void *src;	/* COPY */
	uint64_t value;		/* STORE */
	enum place last;	/* FENCE: what was flushed last */
	size_t last_len;
};

struct bug {
	const char *name;
	/* False: the event is left out, or something else was done instead. */
	bool (*filter)(struct level *l, struct event *e);
};

static const struct bug *planted;
static bool working;		/* the program runs, not a reader of an image */
static struct event held[16];
static uint32_t nr_held;

static void perform(struct level *l, const struct event *e)
{
	if (e->op == COPY)
		put_bytes(l, e->off, e->src, e->len);
	else if (e->op == STORE)
		put_word(l, e->off, e->value);
	else if (e->op == FLUSH)
		flush_lines(l, e->off, e->len);
}

static void pass(struct level *l, struct event *e)
{
	static enum place last;
	static size_t last_len;

	e->last = last;
	e->last_len = last_len;
	if (e->op == FLUSH) {
		last = place_of(e->off);
		last_len = e->len;
	}
	if (planted && working && l == &levels[0] && !planted->filter(l, e))
		return;
	if (e->op != FENCE) {
		perform(l, e);
	} else if (l->crashes) {
		crash_here(l);
		keep_flushed(l);
	}
}

static void log_copy(struct media *m, uint64_t off, const void *src, size_t len)
{
	pass(level_of(m), &(struct event){ .op = COPY, .off = off, .src = src,
					   .len = len });
}

static void log_store(struct media *m, uint64_t off, uint64_t value)
{
	pass(level_of(m), &(struct event){ .op = STORE, .off = off,
					   .value = value, .len = 8 });
}

static void log_flush(struct media *m, uint64_t off, size_t len)
{
	pass(level_of(m), &(struct event){ .op = FLUSH, .off = off,
					   .len = len });
}

static void log_fence(struct media *m)
{
	pass(level_of(m), &(struct event){ .op = FENCE });
}

static int log_sync(struct media *m, uint64_t off, size_t len)
{
	struct level *l = level_of(m);
	uint64_t end = (off + len + SECTOR - 1) / SECTOR * SECTOR;

	if (planted && working && l == &levels[0] &&
	    !planted->filter(l, &(struct event){ .op = SYNC, .off = off,
						 .len = len }))
		return 0;
	if (page_cache && l->crashes) {
		crash_here(l);
		for (off -= off % SECTOR; off < end && off < size; off += LINE)
			l->line[off / LINE].flushed = l->line[off / LINE].nr;
		keep_flushed(l);
	}
	return 0;
}

static const struct media_ops log_ops = {
	.copy = log_copy,
	.store = log_store,
	.flush = log_flush,
	.fence = log_fence,
	.sync = log_sync,
};

/* Left out, by what and where. */
#define LEAVE_OUT(fn, condition)                                               \
	static bool fn(struct level *l, struct event *e)                       \
	{                                                                      \
		enum place at = place_of(e->off);                              \
                                                                               \
		(void)at;                                                      \
		return !(condition);                                           \
	}

LEAVE_OUT(no_chunk_flush, e->op == FLUSH && at == DATA && e->len > 16)
LEAVE_OUT(no_pad_flush, e->op == FLUSH && at == DATA && e->len == 16)
LEAVE_OUT(no_chunk_fence, e->op == FENCE && e->last == DATA)
LEAVE_OUT(no_commit_flush, e->op == FLUSH && at == COMMITTED)
LEAVE_OUT(no_commit_fence, e->op == FENCE && e->last == COMMITTED)
LEAVE_OUT(no_map_flush, e->op == FLUSH && at == MAP && e->len > 8)
LEAVE_OUT(no_name_flush, e->op == FLUSH && at == NAME)
LEAVE_OUT(no_name_fence, e->op == FENCE && e->last == NAME)
LEAVE_OUT(no_entry_fence,
	  e->op == FENCE && e->last == STATE && e->last_len > 8)
LEAVE_OUT(no_state_flush, e->op == FLUSH && at == STATE && e->len == 8)
LEAVE_OUT(no_state_fence,
	  e->op == FENCE && e->last == STATE && e->last_len == 8)
LEAVE_OUT(no_ref_flush, e->op == FLUSH && at == REF)
LEAVE_OUT(no_ref, e->op == STORE && at == REF)
LEAVE_OUT(no_clearing, e->op == STORE && at == MAP && !e->value)
LEAVE_OUT(no_contents_sync, e->op == SYNC && at == DATA)
LEAVE_OUT(no_map_sync, e->op == SYNC && at == MAP)
LEAVE_OUT(no_entry_sync, e->op == SYNC && at == STATE)
LEAVE_OUT(no_head_fence, e->op == FENCE && e->last == HEAD)
LEAVE_OUT(no_commit, e->op == STORE && at == COMMITTED)
LEAVE_OUT(no_chunk_head, e->op == COPY && at == DATA && e->len == 16)

/* The entry is flushed as a whole when it is made, its names once before. */
static bool no_entry_flush(struct level *l, struct event *e)
{
	return !(e->op == FLUSH && (place_of(e->off) == NAME ||
				    e->len == sizeof(struct store_entry)));
}

static bool no_clearing_flush(struct level *l, struct event *e)
{
	return !(e->op == FLUSH && place_of(e->off) == MAP && e->len == 8 &&
		 !*(uint64_t *)(l->mem + e->off));
}

static bool short_flush(struct level *l, struct event *e)
{
	if (e->op == FLUSH && place_of(e->off) == DATA && e->len > LINE)
		e->len -= LINE;
	return true;
}

static bool late_flush(struct level *l, struct event *e)
{
	if (e->op == FLUSH && place_of(e->off) == DATA && e->len > 16) {
		size_t skip = LINE - e->off % LINE;

		if (skip >= e->len)
			return false;
		e->off += skip;
		e->len -= skip;
	}
	return true;
}

static bool wrong_flush(struct level *l, struct event *e)
{
	if (e->op == FLUSH && place_of(e->off) == COMMITTED)
		e->off += LINE;
	return true;
}

/* The bytes of a word one after the other: a writer that is not atomic. */
static bool tear(struct level *l, struct event *e, enum place where,
		 uint32_t bytes)
{
	if (e->op != STORE || place_of(e->off) != where)
		return true;
	put_bytes(l, e->off, (uint8_t *)&e->value, bytes);
	put_bytes(l, e->off + bytes, (uint8_t *)&e->value + bytes, 8 - bytes);
	return false;
}

static bool torn_commit(struct level *l, struct event *e)
{
	return tear(l, e, COMMITTED, 1);
}

static bool torn_state(struct level *l, struct event *e)
{
	return tear(l, e, STATE, 4);
}

static bool torn_map(struct level *l, struct event *e)
{
	if (e->op == STORE && place_of(e->off) == MAP && e->value) {
		uint64_t owner = MAP_OWNER(e->value);

		/* The owner alone, and durable, before the number. */
		put_word(l, e->off, owner);
		flush_lines(l, e->off, 8);
		if (MAP_NTH(e->value) == 1) {
			crash_here(l);
			keep_flushed(l);
		}
	}
	return true;
}

/* The word says what is not there yet. */
static bool early_commit(struct level *l, struct event *e)
{
	static uint64_t word;

	if (e->op == STORE && place_of(e->off) == COMMITTED)
		word = e->off;
	if (e->op == COPY && place_of(e->off) == DATA && e->len == 16 && word) {
		const struct store_chunk *c = e->src;
		uint64_t old = *(uint64_t *)(l->mem + word);

		put_word(l, word, old + journal_chunk_bytes(c->len));
		flush_lines(l, word, 8);
		crash_here(l);
		keep_flushed(l);
		put_word(l, word, old);
		word = 0;
	}
	return true;
}

static bool far_commit(struct level *l, struct event *e)
{
	if (e->op == STORE && place_of(e->off) == COMMITTED)
		e->value += 16;
	return true;
}

static bool wrong_block(struct level *l, struct event *e)
{
	if (e->op == STORE && place_of(e->off) == MAP && e->value)
		e->value += 1ULL << 32;
	return true;
}

static bool late_name(struct level *l, struct event *e)
{
	static char name[16][LAYOUT_NAME];

	if (e->op == COPY && place_of(e->off) == NAME && nr_held < 16) {
		memcpy(name[nr_held], e->src, LAYOUT_NAME);
		held[nr_held] = *e;
		held[nr_held].src = name[nr_held];
		nr_held++;
		return false;
	}
	if (e->op == STORE && place_of(e->off) == STATE) {
		put_word(l, e->off, e->value);
		for (uint32_t i = 0; i < nr_held; i++) {
			perform(l, &held[i]);
			flush_lines(l, held[i].off, held[i].len);
		}
		nr_held = 0;
		return false;
	}
	return true;
}

/* Over the name that is valid. */
static bool rename_in_place(struct level *l, struct event *e)
{
	uint64_t entry, in, state;

	if (e->op != COPY || place_of(e->off) != NAME)
		return true;
	in = (e->off - LAYOUT_HEADS) % sizeof(struct store_entry);
	entry = e->off - in;
	memcpy(&state, l->mem + entry, 8);
	if (state)
		e->off = entry + offsetof(struct store_entry, name) +
			 STATE_NAME(state) * LAYOUT_NAME;
	return true;
}

static bool blocks_before_entry(struct level *l, struct event *e)
{
	uint32_t slot;

	if (e->op != STORE || place_of(e->off) != STATE || e->value)
		return true;
	slot = (e->off - LAYOUT_HEADS) / sizeof(struct store_entry);
	for (uint64_t b = 0; b < shape_of.nr_blocks; b++) {
		uint64_t off = map_off(&shape_of, b), word;

		memcpy(&word, l->mem + off, 8);
		if (MAP_OWNER(word) == slot + 1) {
			put_word(l, off, 0);
			flush_lines(l, off, 8);
		}
	}
	crash_here(l);
	keep_flushed(l);
	return true;
}

static bool magic_first(struct level *l, struct event *e)
{
	if (e->op == COPY && e->off == 8)
		put_word(l, 0, STORE_MAGIC);
	return true;
}

/* Not in the stream of stores, but in what is computed: see crc32c below. */
static bool short_checksum(struct level *l, struct event *e)
{
	return true;
}

static bool checksum_of_head(struct level *l, struct event *e)
{
	return true;
}

static const struct bug bugs[] = {
	{ "chunks are not flushed", no_chunk_flush },
	{ "the last line of a chunk is not flushed", short_flush },
	{ "the first line of a chunk is not flushed", late_flush },
	{ "padding is not flushed", no_pad_flush },
	{ "no fence between chunks and commit", no_chunk_fence },
	{ "the header of a chunk is not written", no_chunk_head },
	{ "the commit is not flushed", no_commit_flush },
	{ "the commit is not fenced", no_commit_fence },
	{ "another line than the commit's is flushed", wrong_flush },
	{ "the commit comes before the chunk", early_commit },
	{ "the commit is torn", torn_commit },
	{ "the commit reaches too far", far_commit },
	{ "the commit is left out", no_commit },
	{ "the checksum leaves out the last byte", short_checksum },
	{ "the checksum leaves out the position", checksum_of_head },
	{ "owners of blocks are not flushed", no_map_flush },
	{ "the owner of a block is torn", torn_map },
	{ "blocks are numbered from 1", wrong_block },
	{ "blocks of the entry's last owner are left", no_clearing },
	{ "clearing of old owners is not flushed", no_clearing_flush },
	{ "blocks go before their trace is removed", blocks_before_entry },
	{ "a new entry is not flushed", no_entry_flush },
	{ "no fence between an entry and its state", no_entry_fence },
	{ "the state comes before the name", late_name },
	{ "the state is not flushed", no_state_flush },
	{ "the state is not fenced", no_state_fence },
	{ "the state is torn", torn_state },
	{ "the new name is not flushed", no_name_flush },
	{ "no fence between the new name and its state", no_name_fence },
	{ "a trace is renamed in place", rename_in_place },
	{ "the reference to an object is not flushed", no_ref_flush },
	{ "the reference to an object is left out", no_ref },
	{ "the head is not fenced", no_head_fence },
	{ "the head's magic comes first", magic_first },
};

/* On a file system without DAX. */
static const struct bug sync_bugs[] = {
	{ "contents are not synced", no_contents_sync },
	{ "owners of blocks are not synced", no_map_sync },
	{ "entries are not synced", no_entry_sync },
};

static bool is_planted(bool (*filter)(struct level *l, struct event *e))
{
	return planted && working && planted->filter == filter;
}

uint32_t __real_crc32c(uint32_t crc, const void *data, size_t len);
uint32_t __wrap_crc32c(uint32_t crc, const void *data, size_t len);

uint32_t __wrap_crc32c(uint32_t crc, const void *data, size_t len)
{
	if (crc && len && len != LAYOUT_NAME && is_planted(short_checksum))
		len--;
	if (!crc && len == 28 && is_planted(checksum_of_head)) {
		crc = __real_crc32c(0, data, 8);
		return __real_crc32c(crc, (const uint8_t *)data + 16, 12);
	}
	return __real_crc32c(crc, data, len);
}

/*
 * Locks are system calls, and a million images have one process each: those who
 * look at one go without. test_store has several processes.
 */
int __real_store_use(const struct store *st, uint32_t slot, enum store_use use,
		     struct xf_err *err);
int __wrap_store_use(const struct store *st, uint32_t slot, enum store_use use,
		     struct xf_err *err);
bool __real_store_is_written(const struct store *st, uint32_t slot);
bool __wrap_store_is_written(const struct store *st, uint32_t slot);
int __real_store_lock(struct store *st, struct xf_err *err);
int __wrap_store_lock(struct store *st, struct xf_err *err);
void __real_store_unlock(struct store *st);
void __wrap_store_unlock(struct store *st);

int __wrap_store_use(const struct store *st, uint32_t slot, enum store_use use,
		     struct xf_err *err)
{
	return working ? __real_store_use(st, slot, use, err) : NO_FD;
}

bool __wrap_store_is_written(const struct store *st, uint32_t slot)
{
	return working && __real_store_is_written(st, slot);
}

int __wrap_store_lock(struct store *st, struct xf_err *err)
{
	return working ? __real_store_lock(st, err) : 0;
}

void __wrap_store_unlock(struct store *st)
{
	if (working)
		__real_store_unlock(st);
}

/* ---- is an image what it must be? ---- */

static char complaint[600];

static bool wrong(const char *what)
{
	snprintf(complaint, sizeof(complaint), "%s", what);
	return false;
}

static bool chunks_are(struct store *st, const struct world *w, uint32_t n)
{
	struct xf_err err = { 0 };
	uint8_t expected[2048];
	struct journal_chunk c = { 0 };
	struct journal j;
	uint32_t i = 0;
	int rc;

	if (journal_open(&j, st, w->t[n].name, &err))
		return wrong(err.msg);
	while ((rc = journal_next(&j, &c, &err)) > 0) {
		bool shared = w->t[n].shared >> i & 1;

		if (i == w->t[n].nr ||
		    c.len != len_of(w->t[n].seed, i, shared) ||
		    c.type != CHUNK_TYPE + (uint32_t)shared)
			break;
		contents(w->t[n].seed, i, shared, expected, c.len);
		if (memcmp(c.data, expected, c.len))
			break;
		i++;
	}
	journal_close(&j);
	if (rc < 0)
		return wrong(err.msg);
	if (rc)
		return wrong("a chunk that is not what was written");
	if (page_cache && i >= w->t[n].synced && i <= w->t[n].nr)
		return true;
	return i == w->t[n].nr || wrong("not as many chunks as committed");
}

static bool is_world(struct store *st, const struct world *w)
{
	struct catalog_entry e;
	uint32_t slot = 0, nr = 0;

	while (catalog_next(st, &slot, &e))
		nr++;
	if (nr != w->nr)
		return wrong("not as many traces");
	for (uint32_t n = 0; n < w->nr; n++)
		if (!chunks_are(st, w, n))
			return false;
	return true;
}

static bool is_either(struct store *st, const struct world *a,
		      const struct world *b)
{
	char first[sizeof(complaint)];

	if (is_world(st, a))
		return true;
	memcpy(first, complaint, sizeof(first));
	if (is_world(st, b))
		return true;
	if (strcmp(first, complaint))
		snprintf(complaint, sizeof(complaint), "%.280s; or %.280s",
			 first, strdupa(complaint));
	return false;
}

/* Every block is free or holds what was committed. */
static bool nothing_leaks(struct store *st)
{
	struct catalog_entry e;

	for (uint64_t b = 0; b < st->nr_blocks; b++) {
		uint64_t word = media_load(&st->m, map_off(st, b));

		/* That of a trace which was removed is free, too. */
		if (!word || block_is_free(st, b))
			continue;
		if (!catalog_read(st, MAP_OWNER(word) - 1, &e) ||
		    MAP_NTH(word) >= blocks_for(st, e.bytes))
			return wrong("a block is lost");
	}
	return true;
}

static void note_finding(void *arg, const struct check_result *r)
{
	if (r->verdict > CHECK_REPAIRED)
		snprintf(complaint, sizeof(complaint), "check: %s: %.200s",
			 r->step, r->first.msg);
}

static bool is_sound(struct level *l)
{
	static bool salvages;
	struct media m = media_of(l);
	struct xf_err err = { 0 };
	struct store st;
	int rc;

	if (was.no_store && store_check_head(&m, 0, &err) == -EBADMSG)
		return true;
	if (store_attach(&st, &m, &err))
		return wrong(err.msg);
	/* A reader first, of what is there as it is. */
	if (!is_either(&st, &was, &will))
		return false;
	/* A crash is no damage: salvaging gives up nothing either. */
	salvages = !salvages;
	rc = check_media(&m, salvages ? CHECK_SALVAGE : CHECK_REPAIR,
			 note_finding, NULL, &err);
	if (rc < 0)
		return wrong(err.msg);
	if (rc)
		return false;
	return nothing_leaks(&st) && is_either(&st, &was, &will);
}

/* A writer comes back and goes on. */
static bool goes_on(struct level *l)
{
	struct media m = media_of(l);
	struct xf_err err = { 0 };
	struct catalog_entry e;
	struct store st;
	struct journal j;
	uint32_t slot = 0;

	if (store_attach(&st, &m, &err))
		return was.no_store || wrong(err.msg);
	while (catalog_next(&st, &slot, &e)) {
		if (journal_reopen(&j, &st, e.name, &err))
			return wrong(err.msg);
		if (journal_put(&j, 99, "more", 4, &err) && err.code != -ENOSPC)
			return wrong(err.msg);
		/* Not committed, so not there. */
		journal_close(&j);
	}
	return is_sound(l);
}

/* ---- all images at one fence ---- */

static uint64_t *seen;
#define SEEN_SIZE (1u << 23)

static void count_distinct(uint64_t hash)
{
	uint32_t i = hash & (SEEN_SIZE - 1);

	hash |= 1;
	while (seen[i] && seen[i] != hash)
		i = (i + 1) & (SEEN_SIZE - 1);
	if (!seen[i] && distinct < SEEN_SIZE / 2) {
		seen[i] = hash;
		distinct++;
	}
}

static uint64_t hash_line(uint32_t n, const uint8_t *data)
{
	uint64_t h = n + 1;

	for (int i = 0; i < LINE; i += 8) {
		uint64_t v;

		memcpy(&v, data + i, 8);
		h = mix(h ^ v) * 0x9e3779b97f4a7c15ULL;
	}
	return h;
}

static void undo(struct level *l)
{
	while (l->nr_undo) {
		l->nr_undo--;
		memcpy(l->mem + l->undo[l->nr_undo].off,
		       &l->undo[l->nr_undo].value, 8);
	}
}

static void violation(const char *when)
{
	violations++;
	stop = stop_at_violation;
	if (!stop_at_violation && violations <= 10)
		printf("# %s: %s\n", when, complaint);
}

/* The recovery of this image crashes, too. */
static void crash_again(struct level *next)
{
	memcpy(next->dur, next->mem, size);
	next->crashes = true;
	second++;
	if (!goes_on(next))
		violation("while it crashed again");
	next->crashes = false;
	for (uint32_t i = 0; i < next->nr_dirty; i++)
		next->line[next->dirty[i]].nr =
			next->line[next->dirty[i]].flushed = 0;
	next->nr_dirty = 0;
	memcpy(next->mem, next->dur, size);
}

static void try_image(struct level *l, struct level *next,
		      const uint32_t *prefix, uint64_t hash)
{
	bool ran = working;

	working = false;
	for (uint32_t i = 0; i < l->nr_dirty; i++) {
		uint32_t n = l->dirty[i];
		uint8_t *p = next->mem + n * LINE;

		for (uint32_t k = 0; k < prefix[i]; k++)
			memcpy(p + l->line[n].s[k].word * 8,
			       &l->line[n].s[k].value, 8);
		hash += hash_line(n, p) - hash_line(n, l->dur + n * LINE);
	}
	images++;
	count_distinct(hash);
	if (!is_sound(next))
		violation("after a crash");
	undo(next);
	if (images % 16 == 0 && !stop) {
		if (!goes_on(next))
			violation("a writer that comes back");
		undo(next);
	}
	if (l == &levels[0] && images % SECOND == 0 && !stop) {
		uint8_t *kept = malloc(size);

		if (!kept)
			abort();
		memcpy(kept, next->mem, size);
		crash_again(next);
		memcpy(next->mem, kept, size);
		free(kept);
	}
	for (uint32_t i = 0; i < l->nr_dirty; i++)
		memcpy(next->mem + l->dirty[i] * LINE,
		       l->dur + l->dirty[i] * LINE, LINE);
	working = ran;
}

/* Each sector as it was at some moment since it was synced. */
static void choose_sectors(const struct level *l, uint32_t *prefix)
{
	static uint32_t when[MAX_SIZE / SECTOR];
	uint32_t first = now;

	for (uint32_t i = 0; i < l->nr_dirty; i++)
		if (l->line[l->dirty[i]].s[0].when < first)
			first = l->line[l->dirty[i]].s[0].when;
	for (uint32_t n = 0; n < size / SECTOR; n++) {
		uint32_t how = rnd(4);

		when[n] = !how ? 0 : how == 1 ? now :
			  first + rnd(now - first + 1);
	}
	for (uint32_t i = 0; i < l->nr_dirty; i++) {
		const struct line *line = &l->line[l->dirty[i]];

		prefix[i] = 0;
		while (prefix[i] < line->nr &&
		       line->s[prefix[i]].when <=
			       when[l->dirty[i] * LINE / SECTOR])
			prefix[i]++;
	}
}

static void crash_here(struct level *l)
{
	struct level *next = l + 1;
	uint32_t prefix[MAX_SIZE / LINE];
	uint64_t combinations = 1, base = 0;
	uint32_t most = l == &levels[0] ? EXHAUSTIVE : 12;
	uint32_t samples = l == &levels[0] ? SAMPLES : 12;

	if (stop || !l->nr_dirty || (page_cache && rnd(4)))
		return;
	memcpy(next->mem, l->dur, size);
	for (uint32_t n = 0; n < size / LINE; n++)
		base += hash_line(n, l->dur + n * LINE);
	if (page_cache) {
		for (uint32_t c = 0; c < samples / 4 && !stop; c++) {
			choose_sectors(l, prefix);
			try_image(l, next, prefix, base);
		}
		return;
	}
	for (uint32_t i = 0; i < l->nr_dirty && combinations <= most; i++)
		combinations *= l->line[l->dirty[i]].nr + 1;
	if (combinations <= most) {
		for (uint64_t c = 0; c < combinations && !stop; c++) {
			uint64_t rest = c;

			for (uint32_t i = 0; i < l->nr_dirty; i++) {
				uint32_t nr = l->line[l->dirty[i]].nr + 1;

				prefix[i] = rest % nr;
				rest /= nr;
			}
			try_image(l, next, prefix, base);
		}
		return;
	}
	for (uint32_t c = 0; l == &levels[0] && l->nr_dirty <= 12 &&
			     c < 1u << l->nr_dirty && !stop; c++) {
		for (uint32_t i = 0; i < l->nr_dirty; i++)
			prefix[i] = c >> i & 1 ? l->line[l->dirty[i]].nr : 0;
		try_image(l, next, prefix, base);
	}
	for (uint32_t c = 0; c < samples && !stop; c++) {
		for (uint32_t i = 0; i < l->nr_dirty; i++) {
			uint32_t nr = l->line[l->dirty[i]].nr;
			uint32_t how = rnd(4);

			prefix[i] = !how ? 0 : how == 1 ? nr : rnd(nr + 1);
		}
		try_image(l, next, prefix, base);
	}
}

/* ---- the program ---- */

static struct store store;
static struct journal open_one;	/* of trace number open_nr */
static uint32_t open_nr, added, next_seed;
static uint64_t added_shared;

/* An operation is over: what it did must be there from now on. */
static void done(void)
{
	was = will;
}

static void expect(int rc, const struct xf_err *err)
{
	if (!rc || stop)
		return;
	/* With a bug, the program itself may find that all is not well. */
	snprintf(complaint, sizeof(complaint), "it fails: %s", err->msg);
	violation("running");
	stop = true;
}

static void forget_trace(uint32_t n)
{
	will.t[n] = will.t[--will.nr];
}

static void do_create(bool draft)
{
	struct xf_err err;
	uint32_t n = was.nr;
	int rc;

	if (n == MAX_TRACES - 2 || open_one.path)
		return;
	memset(&will.t[n], 0, sizeof(will.t[n]));
	will.t[n].seed = next_seed++;
	snprintf(will.t[n].name, sizeof(will.t[n].name), "t%u",
		 will.t[n].seed);
	added = 0;
	added_shared = 0;
	open_nr = n;
	if (!draft) {
		will.nr++;
		rc = journal_create(&open_one, &store, will.t[n].name, &err);
		if (rc == -ENOSPC)
			will.nr--;
		else
			expect(rc, &err);
		done();
		return;
	}
	rc = journal_create_draft(&open_one, &store, will.t[n].name, &err);
	if (rc == -ENOSPC)
		return;
	expect(rc, &err);
	for (uint32_t i = 0; i < 3 && !stop && !rc; i++) {
		uint8_t data[2048];
		size_t len = len_of(will.t[n].seed, i, false);

		contents(will.t[n].seed, i, false, data, len);
		rc = journal_put(&open_one, CHUNK_TYPE, data, len, &err);
	}
	rc = rc ? rc : journal_commit(&open_one, &err);
	if (rc && rc != -ENOSPC)
		expect(rc, &err);
	if (rc || stop) {
		journal_close(&open_one);
		return;
	}
	added = will.t[n].nr = 3;
	will.nr++;
	expect(journal_publish(&open_one, &err), &err);
	done();
}

static void do_remove(void);

static void do_add(void)
{
	bool shared = !rnd(8);
	uint8_t data[2048];
	struct xf_err err;
	uint32_t seed;
	size_t len;
	int rc;

	if (!open_one.path || added >= 60)
		return;
	seed = was.t[open_nr].seed;
	len = len_of(seed, added, shared);
	contents(seed, added, shared, data, len);
	if (shared)
		rc = journal_share(&open_one, CHUNK_TYPE + 1,
				   rnd(3) ? "k1" : "k2", data, len, &err);
	else
		rc = journal_put(&open_one, CHUNK_TYPE, data, len, &err);
	if (rc == -ENOSPC) {
		do_remove();
		return;
	}
	expect(rc, &err);
	added_shared |= (uint64_t)shared << added;
	added++;
}

static void do_commit(void)
{
	struct xf_err err;

	if (!open_one.path)
		return;
	will.t[open_nr].nr = added;
	will.t[open_nr].shared = added_shared;
	expect(journal_commit(&open_one, &err), &err);
	done();
}

static void do_close(void)
{
	struct xf_err err;

	if (!open_one.path)
		return;
	if (rnd(2)) {
		expect(journal_finish(&open_one, &err), &err);
		will.t[open_nr].synced = will.t[open_nr].nr;
		done();
	}
	journal_close(&open_one);
	added = was.t[open_nr].nr;
}

static void do_reopen(void)
{
	struct xf_err err;

	if (open_one.path || !was.nr)
		return;
	open_nr = rnd(was.nr);
	added = was.t[open_nr].nr;
	added_shared = was.t[open_nr].shared;
	expect(journal_reopen(&open_one, &store, was.t[open_nr].name, &err),
	       &err);
}

static void do_rename(void)
{
	struct xf_err err;
	char old[16];
	uint32_t n;

	if (!was.nr)
		return;
	n = rnd(was.nr);
	strcpy(old, was.t[n].name);
	snprintf(will.t[n].name, sizeof(will.t[n].name), "r%u",
		 rnd(1000000));
	expect(catalog_rename(&store, old, will.t[n].name, &err), &err);
	done();
}

static void do_remove(void)
{
	struct xf_err err;
	uint32_t n;

	if (!was.nr)
		return;
	n = rnd(was.nr);
	if (open_one.path && n == open_nr)
		return;
	forget_trace(n);
	expect(catalog_remove(&store, was.t[n].name, &err), &err);
	if (open_one.path && open_nr == was.nr - 1)
		open_nr = n;
	done();
}

static void do_quota(void)
{
	struct xf_err err;

	/*
	 * Never so small that traces go; that it changes at all is the point.
	 */
	expect(store_set_quota(&store, rnd(2) * NR_BLOCKS * BLOCK, &err), &err);
}

static const struct store_shape shape = {
	.block = BLOCK, .nr_slots = NR_SLOTS,
};

static void begin(void)
{
	struct level *l = &levels[0];
	struct store_shape s = shape;
	struct media m = media_of(l);
	struct xf_err err;

	memset(l->mem, 0, size);
	memset(l->dur, 0, size);
	for (uint32_t i = 0; i < size / LINE; i++)
		l->line[i].nr = l->line[i].flushed = 0;
	l->nr_dirty = 0;
	l->crashes = true;
	nr_held = 0;
	was = will = (struct world){ .no_store = true };
	s.size = size;
	working = true;
	expect(store_format(&m, &s, &err), &err);
	was.no_store = will.no_store = false;
	if (!stop)
		expect(store_attach(&store, &m, &err), &err);
}

static void run(uint64_t seed)
{
	random_state = seed * 0x123456789abcdefULL;
	next_seed = 1;
	begin();
	for (int i = 0; i < 120 && !stop && images < max_images; i++) {
		uint32_t what = rnd(100);

		if (what < 10)
			do_create(false);
		else if (what < 14)
			do_create(true);
		else if (what < 52)
			do_add();
		else if (what < 70)
			do_commit();
		else if (what < 78)
			do_close();
		else if (what < 86)
			do_reopen();
		else if (what < 92)
			do_rename();
		else if (what < 98)
			do_remove();
		else
			do_quota();
	}
	journal_close(&open_one);
	working = false;
}

/* Where everything will be in the stores that are made here. */
static void measure(void)
{
	struct store_shape s = shape;
	struct xf_err err;
	struct media m;

	size = store_bytes(NR_SLOTS, NR_BLOCKS, __builtin_ctz(BLOCK));
	s.size = size;
	if (size > MAX_SIZE)
		abort();
	for (size_t i = 0; i < ARRAY_SIZE(levels); i++)
		set_up_level(&levels[i]);
	m = media_of(&levels[1]);
	if (store_format(&m, &s, &err) || store_attach(&shape_of, &m, &err))
		abort();
	levels[1].nr_undo = 0;
}

/* Is it caught? */
static bool plant(const struct bug *bug)
{
	planted = bug;
	violations = 0;
	stop = false;
	images = 0;
	for (uint64_t seed = 1; !stop && images < max_images; seed++)
		run(seed);
	printf("%s caught: %s\n", violations ? "ok" : "not ok", bug->name);
	fflush(stdout);
	return violations;
}

static int selftest(void)
{
	int missed = 0;

	stop_at_violation = true;
	max_images = 600000;
	for (size_t i = 0; i < ARRAY_SIZE(bugs); i++)
		missed += !plant(&bugs[i]);
	page_cache = true;
	for (size_t i = 0; i < ARRAY_SIZE(sync_bugs); i++)
		missed += !plant(&sync_bugs[i]);
	return missed;
}

int main(int argc, char **argv)
{
	uint64_t want = argc > 1 ? strtoull(argv[1], NULL, 10) : 1000000;

	seen = calloc(SEEN_SIZE, sizeof(*seen));
	if (!seen)
		abort();
	measure();
	if (argc > 1 && !strcmp(argv[1], "--selftest"))
		return selftest() ? 1 : 0;
	if (argc > 2 || !want) {
		fprintf(stderr, "usage: crash [IMAGES] | --selftest\n");
		return 2;
	}
	max_images = UINT64_MAX;
	for (uint64_t seed = 1; distinct < want && violations < 10; seed++) {
		page_cache = distinct >= want / 3 * 2;
		run(seed);
	}
	printf("%" PRIu64 " images, %" PRIu64 " distinct, %" PRIu64
	       " recoveries crashed again, %" PRIu64 " violations\n", images,
	       distinct, second, violations);
	return violations ? 1 : 0;
}
