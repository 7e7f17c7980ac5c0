// SPDX-License-Identifier: GPL-2.0-only
#include "ring.h"

#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <string.h>

#include "memfile.h"
#include "shared.h"
#include "xft_record.h"

static uint32_t sub_size(const struct ring *r)
{
	return 1U << r->sub_shift;
}

uint64_t ring_size(const struct ring *r)
{
	return (uint64_t)r->nr_subs << r->sub_shift;
}

int ring_init(struct ring *r, const struct memfile *mf, uint64_t gpa,
	      struct xf_err *err)
{
	struct xft_ring_hdr hdr;
	struct ring new = { 0 };
	const void *page;
	int rc;

	rc = memfile_read(mf, gpa, &hdr, sizeof(hdr), err);
	if (rc)
		return rc;
	if (hdr.magic != XFT_RING_MAGIC || hdr.self_gpa != gpa)
		return xf_fail(err, -EBADMSG,
			       "no ring header at gpa %#" PRIx64, gpa);
	/* A trace has no place for records of more CPUs. */
	if (hdr.cpu >= XFT_MAX_CPUS || hdr.kind > XFT_RING_NMI ||
	    hdr.sub_shift < XFT_MIN_SUB_SHIFT ||
	    hdr.sub_shift > XFT_MAX_SUB_SHIFT || hdr.nr_subs < XFT_MIN_SUBS ||
	    hdr.nr_subs > XFT_MAX_SUBS)
		return xf_fail(err, -EBADMSG,
			       "ring header at gpa %#" PRIx64
			       ": impossible size (%u sub-buffers, shift %u)",
			       gpa, hdr.nr_subs, hdr.sub_shift);
	new.cpu = hdr.cpu;
	new.kind = hdr.kind;
	new.sub_shift = hdr.sub_shift;
	new.nr_subs = hdr.nr_subs;
	for (uint32_t i = 0; i < hdr.nr_subs; i++) {
		if (hdr.sub_gpa[i] % XFT_PAGE)
			return xf_fail(err, -EBADMSG,
				       "cpu %u: sub-buffer %u is not aligned",
				       hdr.cpu, i);
		new.subs[i] = memfile_ptr(mf, hdr.sub_gpa[i], sub_size(&new));
		if (!new.subs[i])
			return xf_fail(err, -ERANGE,
				       "cpu %u: sub-buffer %u is no guest RAM",
				       hdr.cpu, i);
	}
	page = memfile_ptr(mf, gpa, sizeof(hdr));
	if (!page)
		return xf_fail(err, -ERANGE, "ring header is no guest RAM");
	new.head = (const uint64_t *)((const char *)page +
				      offsetof(struct xft_ring_hdr, head));
	new.head_gpa = gpa + offsetof(struct xft_ring_hdr, head);
	*r = new;
	return 0;
}

int ring_seal(struct ring *r, const uint8_t seed[UNSEAL_SEED],
	      struct xf_err *err)
{
	r->seal = unseal_create(seed, r->cpu, r->kind, err);
	r->seek = UNSEAL_SEEK_MAX;
	return r->seal ? 0 : -ENOMEM;
}

void ring_deinit(struct ring *r)
{
	unseal_destroy(r->seal);
	*r = (struct ring){ 0 };
}

/*
 * The sub-buffer that @head lies in. One that is full to the last byte counts
 * as open until the next one is: nobody has set its used yet.
 */
static uint64_t open_sub(const struct ring *r, uint64_t head)
{
	return head ? (head - 1) >> r->sub_shift : 0;
}

/* Go to the beginning of sub-buffer @nr. */
static void skip_to(struct ring *r, uint64_t nr)
{
	r->pos = nr << r->sub_shift;
}

/* Before the reader leaves sub-buffer @nr: it is where the good ones end. */
static void add_fault(struct ring *r, uint64_t nr, enum unseal_fault fault)
{
	uint64_t begin = nr << r->sub_shift;

	r->faults[fault]++;
	r->last_fault = (struct ring_fault){
		.what = fault,
		.nr = nr,
		.offset = r->pos > begin ? r->pos - begin : 0,
		.tsc = r->newest_tsc,
	};
	if (!r->first_fault.what)
		r->first_fault = r->last_fault;
}

/* A finding in a ring that is sealed. */
static int give_up_sealed(struct ring *r, uint64_t nr, enum unseal_fault fault,
			  struct xf_err *err)
{
	add_fault(r, nr, fault);
	skip_to(r, nr + 1);
	r->bad++;
	r->lapped = true;
	return xf_fail(err, -EBADMSG,
		       "cpu %u: sealed records of sub-buffer %" PRIu64
		       " were tampered with: %s",
		       r->cpu, nr, unseal_fault_name(fault));
}

static int give_up_sub(struct ring *r, uint64_t nr, int code,
		       struct xf_err *err, const char *why)
{
	if (r->seal)
		add_fault(r, nr, UNSEAL_EDITED);
	skip_to(r, nr + 1);
	r->bad++;
	/* What it held is unknown: the next one's count says how many. */
	r->lapped = true;
	return xf_fail(err, code, "cpu %u: sub-buffer %" PRIu64 ": %s", r->cpu,
		       nr, why);
}

/* The end of sub-buffer @nr is where its writer has put it. */
static bool has_end(const struct ring *r, uint64_t nr)
{
	return !r->seal || (r->seal->closed && r->seal->next == nr + 1);
}

/* Where the writer is: it moves on by whole words, and never back. */
static int look_at_head(struct ring *r, uint64_t *ret_head, struct xf_err *err)
{
	/* Acquire: the records below head are complete. */
	uint64_t head = shared_load(r->head);

	if (head % 8 || head < r->seen_head || head > INT64_MAX) {
		/*
		 * A guest that is set back to an earlier state looks like it.
		 */
		if (r->seal && !r->rewound) {
			r->bad++;
			add_fault(r, r->pos >> r->sub_shift, UNSEAL_TRUNCATED);
			r->rewound = true;
		}
		return xf_fail(err, -EBADMSG,
			       "cpu %u: the ring's position runs backwards or "
			       "is impossible",
			       r->cpu);
	}
	*ret_head = r->seen_head = head;
	return 0;
}

/*
 * Sub-buffer @nr's place is another one's by now, as its header says: one that
 * head will come to. False: there never is such a one in this place.
 */
static bool is_reopened(struct ring *r, uint64_t nr, uint64_t seq)
{
	uint64_t by = seq - 1 - nr;

	if (!seq || seq - 1 < nr || by % r->nr_subs)
		return false;
	if (r->reopened < seq - 1)
		r->reopened = seq - 1;
	return true;
}

bool ring_look(struct ring *r)
{
	uint64_t head = shared_load(r->head);

	if (head < r->seen_head)
		return false;
	if (head <= INT64_MAX)
		r->seen_head = head;
	return true;
}

int ring_next(struct ring *r, struct ring_span *ret_span, struct xf_err *err)
{
	/* A guest that only moves head must not keep us here. */
	uint32_t tries = r->nr_subs;
	uint64_t head, open, nr, start, end;
	const struct xft_sub *shared;
	struct xft_sub sub;
	int rc;

	rc = look_at_head(r, &head, err);
	if (rc)
		return rc;
	open = open_sub(r, head);
	while (r->pos < head) {
		nr = r->pos >> r->sub_shift;
		if (open - nr >= r->nr_subs) {
			/*
			 * Lapped. The oldest one left is the next to be
			 * overwritten: leave it, to get away from the writer.
			 */
			skip_to(r, open - r->nr_subs + 2);
			r->lapped = true;
			continue;
		}
		shared = r->subs[nr % r->nr_subs];
		memcpy(&sub, shared, sizeof(sub));
		/*
		 * Order the copy's loads before this one: if seq has not moved
		 * by now, none of the header was overwritten while it was read.
		 */
		shared_order_loads();
		sub.seq = shared_load(&shared->seq);
		if (sub.seq != nr + 1) {
			uint64_t was = open;

			/* Reopened since head was read? Then head has moved. */
			rc = look_at_head(r, &head, err);
			if (rc)
				return rc;
			open = open_sub(r, head);
			if (open > was) {
				/* Too fast for us: no finding; come back. */
				if (!tries--)
					return 0;
				continue;
			}
			/*
			 * The writer stores seq before head: the slot after
			 * the open one may be the one that is being opened.
			 */
			if (open - nr == r->nr_subs - 1 &&
			    sub.seq == nr + r->nr_subs + 1 &&
			    is_reopened(r, nr, sub.seq)) {
				skip_to(r, nr + 1);
				r->lapped = true;
				continue;
			}
			return give_up_sub(r, nr, -EBADMSG, err,
					   "wrong number");
		}
		start = r->pos & (sub_size(r) - 1);
		if (nr < open) {
			end = sub.used;
			if (end < sizeof(sub) || end > sub_size(r) || end % 8)
				return give_up_sub(r, nr, -EBADMSG, err,
						   "wrong length");
		} else {
			end = head - (nr << r->sub_shift);
		}
		if (start < sizeof(sub))
			start = sizeof(sub);
		/* What no tag covers must be as it was. */
		if (r->seal && (sub.reserved[0] | sub.reserved[1] |
				sub.reserved[2] | sub.reserved[3]))
			return give_up_sub(r, nr, -EBADMSG, err,
					   "wrong header");
		if (end < start) {
			if (nr == open)
				return 0;
			return give_up_sub(r, nr, -EBADMSG, err, "shrank");
		}
		if (end == start) {
			if (nr == open)
				return 0;
			if (!has_end(r, nr))
				return give_up_sealed(r, nr, UNSEAL_TRUNCATED,
						      err);
			skip_to(r, nr + 1);
			continue;
		}
		*ret_span = (struct ring_span){
			.data = (const char *)shared + start,
			.len = end - start,
			.offset = start,
			.nr = nr,
			.base_tsc = sub.base_tsc,
			.records_before = sub.records_before,
			.epoch = sub.epoch,
			.whole = nr < open,
		};
		return 1;
	}
	return 0;
}

/*
 * Count the records of a copy; -1 when it holds what is none. Nearly all are
 * calls, of one length: testing for that lets the processor run ahead, which it
 * cannot where each record's place hangs on the length of the one before.
 */
static int64_t count_records(const uint64_t *words, uint32_t nr_words,
			     uint64_t key, uint64_t *ret_delta)
{
	uint64_t first = 0;
	int64_t nr = 0;
	uint32_t i = 0;

	while (i < nr_words) {
		uint32_t len = XFT_CALL_WORDS;

		first = words[i] ^ key;
		if (!xft_is_call(first))
			len = xft_words(first);
		if (!len || len > nr_words - i)
			return -1;
		i += len;
		nr++;
	}
	*ret_delta = xft_delta(first);
	return nr;
}

/* Diagnosis takes milliseconds: a guest must not keep us at it. */
static enum unseal_fault diagnose(const struct ring *r, const uint64_t *words,
				  uint32_t nr)
{
	return r->bad < 16 ? unseal_diagnose(r->seal, words, nr, sub_size(r)) :
			     UNSEAL_EDITED;
}

/*
 * As count_records(), for sealed ones: shortens the span to those that are good
 * and says what is wrong with the others.
 */
static int64_t unseal_records(struct ring *r, struct ring_span *span,
			      const uint64_t *words, uint64_t *ret_delta,
			      struct xf_err *err)
{
	uint32_t nr_words = span->len / 8, i = 0, n;
	const struct xft_sub sub = { .base_tsc = span->base_tsc,
				     .records_before = span->records_before,
				     .epoch = span->epoch };
	uint64_t before, first;

	if (span->offset == sizeof(struct xft_sub)) {
		int rc = unseal_open(r->seal, span->nr, &sub, &r->seek,
				     err);

		if (rc)
			return rc;
	} else if (!unseal_is_open(r->seal, span->nr, &sub)) {
		return -EBADMSG;
	}
	before = r->seal->records;
	while (i < nr_words) {
		n = unseal_record(r->seal, words + i, nr_words - i, &first,
				  true);
		if (!n)
			break;
		*ret_delta = xft_delta(first);
		i += n;
	}
	span->len = i * 8;
	span->bad_len = (nr_words - i) * 8;
	if (span->bad_len)
		span->fault = diagnose(r, words + i, nr_words - i);
	else if (span->whole && !has_end(r, span->nr))
		span->fault = UNSEAL_TRUNCATED;
	return r->seal->records - before;
}

int ring_accept(struct ring *r, struct ring_span *span, const void *copy,
		const struct klog *keys, uint32_t session, struct xf_err *err)
{
	const struct xft_sub *shared = r->subs[span->nr % r->nr_subs];
	const struct klog_entry *key;
	uint64_t delta = 0, seq;
	int64_t nr;

	/* Order the copy's loads before the second look at seq. */
	shared_order_loads();
	seq = shared_load(&shared->seq);
	if (seq != span->nr + 1 && !is_reopened(r, span->nr, seq))
		return give_up_sub(r, span->nr, -EBADMSG, err, "wrong number");
	if (seq != span->nr + 1) {
		skip_to(r, span->nr + 1);
		r->lapped = true;
		return xf_fail(err, -ESTALE,
			       "cpu %u: sub-buffer %" PRIu64
			       " was overwritten while it was read",
			       r->cpu, span->nr);
	}
	if (r->seal) {
		nr = unseal_records(r, span, copy, &delta, err);
	} else {
		key = klog_find(keys, session, span->epoch);
		if (!key)
			return give_up_sub(r, span->nr, -ENOKEY, err,
					   "its key is not in the Klog");
		nr = count_records(copy, span->len / 8, key->key, &delta);
	}
	if (nr < 0)
		return give_up_sub(r, span->nr, -EBADMSG, err,
				   "holds no valid records");
	if (span->offset == sizeof(struct xft_sub) && span->len) {
		uint64_t missing = span->records_before - r->records;

		/* Believed, it would make all honest counts after it wrong. */
		if (span->records_before >
		    (span->nr << r->sub_shift) / (XFT_CALL_WORDS * 8))
			return give_up_sub(r, span->nr, -EBADMSG, err,
					   "counts more than fits before it");
		if (span->records_before < r->records)
			return give_up_sub(r, span->nr, -EBADMSG, err,
					   "its record count runs backwards");
		if (missing && r->lapped)
			r->lost += missing;
		else if (missing)
			r->gaps += missing;
		r->records = span->records_before;
		if (!r->first_tsc)
			r->first_tsc = span->base_tsc;
	}
	r->lapped = false;
	r->records += nr;
	r->accepted += nr;
	if (span->len)
		r->newest_tsc = span->base_tsc + delta;
	r->pos = (span->nr << r->sub_shift) + span->offset + span->len;
	if (span->fault)
		(void)give_up_sealed(r, span->nr, span->fault, err);
	return nr;
}

int ring_check_end(struct ring *r, struct xf_err *err)
{
	if (!r->seal)
		return 0;
	if (r->reopened > open_sub(r, r->seen_head))
		return give_up_sealed(r, r->pos >> r->sub_shift, UNSEAL_DROPPED,
				      err);
	if (r->seal->closed && r->seal->last)
		return 0;
	return give_up_sealed(r, r->pos >> r->sub_shift, UNSEAL_TRUNCATED, err);
}

uint64_t ring_unread(const struct ring *r)
{
	uint64_t head = shared_load(r->head);
	uint64_t unread = head > r->pos ? head - r->pos : 0;

	return unread < ring_size(r) ? unread : ring_size(r);
}
