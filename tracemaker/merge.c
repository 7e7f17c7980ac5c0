// SPDX-License-Identifier: GPL-2.0-only
#include "merge.h"

#include <stdlib.h>
#include <string.h>

#include "xft_record.h"

/* A ring, or a CPU of the host, with the record to deliver and the next. */
struct merge_stream {
	const struct trace_ring *ring; /* NULL: a CPU of the host */
	struct hostpages host;
	struct host_event host_buf[2];
	size_t span;		/* index of the next span */
	uint32_t offset;	/* where this one ends in its sub-buffer */
	const uint64_t *p;	/* next word, masked */
	const uint64_t *end;
	uint64_t key;
	bool sealed;
	struct unseal *seal;	/* owned; NULL: xor, or key unknown */
	const struct trace_span *fault; /* the recorder's first, or NULL */
	bool is_broken;		/* there was one, his or ours */
	uint64_t sound_tsc;	/* of its last record before that */
	uint64_t *clear;	/* sealed: of buf[0], then of buf[1]; owned */
	uint64_t base_tsc;
	uint32_t sub_shift;	/* 0: nobody asks for positions */
	uint64_t pos;		/* of p, if somebody does; else 0 */
	uint64_t at;		/* and of the record before it */
	uint64_t records;	/* read or known to be lost: all before p */
	uint64_t lost;		/* since the last record delivered */
	uint32_t pid, tgid;
	char comm[16];
	struct record buf[2];
	unsigned int cur;	/* buf[cur] is delivered, buf[!cur] follows */
	bool has_next;
	bool ended;		/* all is delivered */
	const struct merge_stream *sibling; /* the CPU's other ring, or NULL */
};

/* Words of one record, unsealed. */
#define CLEAR_WORDS (XFT_WORDS_MAX + 1)

/* Follow the seal's chain to @span; false if it cannot be. */
static bool open_sealed(struct merge *m, struct merge_stream *s,
			const struct trace_span *span)
{
	const struct xft_sub sub = {
		.base_tsc = span->base_tsc,
		.records_before = span->records_before,
		.epoch = span->epoch,
	};

	if (span->offset == sizeof(sub))
		return !unseal_open(s->seal, span->nr, &sub, &m->seek,
				    NULL);
	/* It goes on where the one before it ended. */
	return unseal_is_open(s->seal, span->nr, &sub) &&
	       s->offset == span->offset;
}

static bool lies_behind(const struct trace_span *span,
			const struct trace_span *fault)
{
	return fault && (span->nr > fault->nr ||
			 (span->nr == fault->nr &&
			  span->offset >= fault->offset));
}

/* What the mask of @span takes, if it is known. */
static bool find_key(struct merge *m, struct merge_stream *s,
		     const struct trace_span *span)
{
	const uint64_t *key;

	if (s->sealed)
		return s->seal && open_sealed(m, s, span);
	key = trace_key(m->trace, span->session, span->epoch);
	if (key)
		s->key = *key;
	return key;
}

/* Go to the next span that can be read. */
static bool next_span(struct merge *m, struct merge_stream *s)
{
	while (s->span < s->ring->nr) {
		const struct trace_span *span = s->ring->spans[s->span++];

		s->is_broken |= lies_behind(span, s->fault);
		if (!find_key(m, s, span)) {
			m->bad_spans++;
			s->is_broken = true;
			continue;
		}
		if (span->offset == sizeof(struct xft_sub)) {
			if (span->records_before > s->records) {
				s->lost += span->records_before - s->records;
				m->lost += span->records_before - s->records;
			}
			s->records = span->records_before;
		}
		s->base_tsc = span->base_tsc;
		s->offset = span->offset + span->len;
		s->p = (const uint64_t *)(span + 1);
		if (s->sub_shift)
			s->pos = (span->nr << s->sub_shift) + span->offset;
		s->end = s->p + span->len / 8;
		return true;
	}
	return false;
}

/* What is not the same for all records of its type, from word @skip on. */
static void take_data(struct merge_stream *s, const uint64_t *p,
		      struct record *r, uint32_t skip, uint32_t words)
{
	r->data = p + skip;
	r->key = s->key;
	r->len = (words - skip) * 8;
}

static void take_task(struct merge_stream *s, const uint64_t *p)
{
	uint64_t ids = p[1] ^ s->key;

	s->pid = ids;
	s->tgid = ids >> 32;
	for (int i = 0; i < 2; i++) {
		uint64_t half = p[2 + i] ^ s->key;

		memcpy(s->comm + 8 * i, &half, 8);
	}
}

/* Decode the record at @p into @r; false if it is none to deliver. */
static bool take_record(struct merge_stream *s, const uint64_t *p,
			struct record *r, uint64_t first, uint32_t words)
{
	uint64_t second = p[1] ^ s->key;

	switch (xft_type(first)) {
	case XFT_TASK:
		take_task(s, p);
		return false;
	case XFT_ENTRY:
	case XFT_RETURN:
		r->func = xft_address(second);
		r->caller = xft_address(second >> 32);
		r->len = 0;
		if (words > XFT_CALL_WORDS)
			take_data(s, p, r, XFT_CALL_WORDS, words);
		break;
	case XFT_EVENT:
		take_data(s, p, r, 1, words);
		r->len = xft_event_len(first, words);
		break;
	default:
		return false;
	}
	r->tsc = s->base_tsc + xft_delta(first);
	r->pos = s->at;
	r->lost = s->lost;
	r->cpu = s->ring->cpu;
	r->pid = s->pid;
	r->tgid = s->tgid;
	r->type = xft_type(first);
	r->context = xft_context(first);
	r->depth = xft_depth(first);
	memcpy(r->comm, s->comm, 16);
	r->comm[16] = '\0';
	s->lost = 0;
	return true;
}

static bool decode_host(struct merge *m, struct merge_stream *s,
			unsigned int slot)
{
	struct host_event *h = &s->host_buf[slot];
	uint64_t bad = s->host.bad;
	bool found = hostpages_next(&s->host, h);

	m->bad_spans += s->host.bad - bad;
	s->buf[slot] = (struct record){ .host = h, .tsc = h->tsc };
	return found;
}

/*
 * Unseal the next record into room that lasts as long as buf[@slot]. Returns
 * the words it takes where it stands.
 */
static uint32_t unseal_next(struct merge_stream *s, unsigned int slot,
			    const uint64_t **ret_p)
{
	uint64_t *clear = s->clear + slot * CLEAR_WORDS;

	*ret_p = clear;
	return unseal_record(s->seal, s->p, s->end - s->p, clear, false);
}

static void count_verified(struct merge *m, struct merge_stream *s,
			   uint64_t first)
{
	m->verified++;
	if (!s->is_broken)
		s->sound_tsc = s->base_tsc + xft_delta(first);
}

/* Decode the next record to deliver into s->buf[@slot]. */
static bool decode(struct merge *m, struct merge_stream *s, unsigned int slot)
{
	bool found = false;

	while (!found) {
		const uint64_t *p;
		uint64_t first;
		uint32_t words, taken;

		if (s->p == s->end) {
			if (!s->ring)
				return decode_host(m, s, slot);
			if (!next_span(m, s))
				return false;
			continue;
		}
		p = s->p;
		taken = s->seal ? unseal_next(s, slot, &p) :
				  xft_words(p[0] ^ s->key);
		if (!taken || taken > s->end - s->p) {
			m->bad_spans++;
			s->is_broken = true;
			s->p = s->end;
			continue;
		}
		s->p += taken;
		s->at = s->pos;
		if (s->sub_shift)
			s->pos += taken * 8;
		first = p[0] ^ s->key;
		words = xft_words(first);
		if (xft_type(first) == XFT_CLOSE)
			continue;
		s->records++;
		m->records++;
		if (s->seal)
			count_verified(m, s, first);
		/* A type that we do not know may have but one. */
		found = words > 1 &&
			take_record(s, p, &s->buf[slot], first, words);
	}
	return true;
}

/* Move on: the record behind becomes the one to deliver. */
static bool advance(struct merge *m, struct merge_stream *s)
{
	s->ended = !s->has_next;
	if (s->ended)
		return false;
	s->cur = !s->cur;
	s->has_next = decode(m, s, !s->cur);
	return true;
}

static uint64_t time_of(const struct merge_stream *s)
{
	return s->buf[s->cur].tsc;
}

static void sift_down(struct merge *m, size_t i)
{
	struct merge_stream *s = m->heap[i];

	for (;;) {
		size_t child = 2 * i + 1;

		if (child >= m->nr)
			break;
		if (child + 1 < m->nr &&
		    time_of(m->heap[child + 1]) < time_of(m->heap[child]))
			child++;
		if (time_of(s) <= time_of(m->heap[child]))
			break;
		m->heap[i] = m->heap[child];
		i = child;
	}
	m->heap[i] = s;
}

/* As long as the stream at the top is not later than that, it stays there. */
static void find_limit(struct merge *m)
{
	m->limit = UINT64_MAX;
	for (size_t i = 1; i < 3 && i < m->nr; i++)
		if (time_of(m->heap[i]) < m->limit)
			m->limit = time_of(m->heap[i]);
}

static void prepare_unseal(struct merge_stream *s,
			   const uint8_t seed[UNSEAL_SEED])
{
	s->seal = unseal_create(seed, s->ring->cpu, s->ring->kind, NULL);
	s->clear = calloc(2 * CLEAR_WORDS, sizeof(*s->clear));
	if (!s->seal || !s->clear)
		abort();
}

/* How positions in @ring count, if there are pages to be joined with it. */
static uint32_t sub_shift_of(const struct trace *t,
			     const struct trace_ring *ring)
{
	for (size_t i = 0; i < t->nr_writers; i++) {
		const struct trace_writer *w = &t->writers[i];

		if (ring->kind == XFT_RING_MAIN && w->vcpu == ring->cpu &&
		    w->session == ring->session &&
		    w->chunks[0]->sub_shift <= XFT_MAX_SUB_SHIFT)
			return w->chunks[0]->sub_shift;
	}
	return 0;
}

/* The streams of a session, not yet begun. */
static void make_streams(struct merge *m, const struct trace *t,
			 const struct trace_session *session)
{
	size_t nr = session->nr_rings + t->nr_host_cpus, faults = 0;

	m->streams = calloc(nr + 1, sizeof(*m->streams));
	m->heap = calloc(nr + 1, sizeof(*m->heap));
	if (!m->streams || !m->heap)
		abort();
	for (size_t i = 0; i < session->nr_rings; i++) {
		struct merge_stream *s = &m->streams[m->nr_streams++];

		s->ring = &t->rings[session->ring[i]];
		s->fault = trace_fault(session, s->ring->cpu, s->ring->kind);
		faults += s->fault != NULL;
		s->sealed = session->sealed;
		if (session->seed)
			prepare_unseal(s, session->seed->seed);
		s->sub_shift = sub_shift_of(t, s->ring);
	}
	m->is_ringless = faults < session->nr_faults;
	/* A CPU's NMI ring interleaves with its main ring. */
	for (size_t i = 0; i < m->nr_streams; i++)
		for (size_t n = 0; n < m->nr_streams; n++)
			if (n != i && m->streams[n].ring->cpu ==
					      m->streams[i].ring->cpu)
				m->streams[i].sibling = &m->streams[n];
	hostclock_init(&m->clock, session->host);
	for (size_t i = 0; i < t->nr_host_cpus; i++)
		if (t->host_cpus[i].session == session->number)
			hostpages_init(&m->streams[m->nr_streams++].host,
				       &t->host_cpus[i], &m->clock);
}

void merge_init(struct merge *m, const struct trace *t,
		const struct trace_session *session)
{
	*m = (struct merge){ .trace = t, .seek = UNSEAL_SEEK_MAX };
	make_streams(m, t, session);
	for (size_t i = 0; i < m->nr_streams; i++) {
		struct merge_stream *s = &m->streams[i];

		s->has_next = decode(m, s, !s->cur);
		if (advance(m, s))
			m->heap[m->nr++] = s;
	}
	for (size_t i = m->nr / 2; i-- > 0;)
		sift_down(m, i);
}

void merge_deinit(struct merge *m)
{
	for (size_t i = 0; i < m->nr_streams; i++) {
		unseal_destroy(m->streams[i].seal);
		free(m->streams[i].clear);
	}
	/* Each has the key of its span. */
	if (m->streams)
		explicit_bzero(m->streams, m->nr_streams * sizeof(*m->streams));
	free(m->streams);
	free(m->heap);
	hostclock_deinit(&m->clock);
	*m = (struct merge){ 0 };
}

uint64_t merge_sound_tsc(const struct merge *m)
{
	uint64_t sound = m->is_ringless ? 0 : UINT64_MAX, last = 0;

	for (size_t i = 0; i < m->nr_streams; i++) {
		const struct merge_stream *s = &m->streams[i];

		if ((s->fault || s->is_broken) && s->sound_tsc < sound)
			sound = s->sound_tsc;
		if (s->sound_tsc > last)
			last = s->sound_tsc;
	}
	return sound < last ? sound : last;
}

bool merge_next(struct merge *m, const struct record **ret_rec)
{
	/* The one delivered last still stands at the top. */
	if (m->last) {
		if (!advance(m, m->last))
			m->heap[0] = m->heap[--m->nr];
		else if (time_of(m->last) <= m->limit)
			goto deliver;
		if (m->nr)
			sift_down(m, 0);
	}
	if (!m->nr) {
		m->last = NULL;
		return false;
	}
	find_limit(m);
	m->last = m->heap[0];
deliver:
	*ret_rec = &m->last->buf[m->last->cur];
	return true;
}

const struct record *merge_peek(const struct merge *m)
{
	const struct merge_stream *s = m->last, *other;
	const struct record *next;

	if (!s || !s->has_next)
		return NULL;
	next = &s->buf[!s->cur];
	other = s->sibling;
	if (other && !other->ended && time_of(other) < next->tsc)
		return &other->buf[other->cur];
	return next;
}
