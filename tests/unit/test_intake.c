// SPDX-License-Identifier: GPL-2.0-only
/* intake: from a ring into a store, what the guest did to it included. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>

#include "fake_ring.h"
#include "fake_store.h"
#include "intake.h"
#include "trace.h"

#define SHIFT 12
#define NR    8

struct taken {
	struct store st;
	struct journal j;
	struct fake_ring f;
	uint64_t n;		/* calls written */
	uint64_t spans, bytes;	/* chunks of records, read back */
	uint64_t evidence[UNSEAL_FAULTS];
	struct trace_span last;	/* of those */
	uint64_t first_word;	/* behind it */
};

static void begin(struct taken *t, uint64_t room, bool sealed)
{
	struct xf_err err;

	*t = (struct taken){ 0 };
	make_store(&t->st, "a", room);
	assert_int_equal(journal_create(&t->j, &t->st, "t", &err), 0);
	fake_ring_open(&t->f, SHIFT, NR);
	fake_ring_rotate(&t->f);
	if (sealed)
		fake_ring_seal(&t->f);
}

static void end(struct taken *t)
{
	fake_ring_close(&t->f);
	journal_close(&t->j);
	store_close(&t->st);
}

static void push(struct taken *t, uint64_t nr)
{
	while (nr--)
		fake_ring_push(&t->f, ++t->n);
}

static int take(struct taken *t)
{
	struct xf_err err;

	return intake_ring(&t->j, &t->f.r, &t->f.keys, FAKE_SESSION, &err);
}

/* What is in the journal by now. */
static void look(struct taken *t)
{
	struct journal_chunk c = { 0 };
	struct journal j;

	t->spans = t->bytes = 0;
	memset(t->evidence, 0, sizeof(t->evidence));
	assert_int_equal(journal_commit(&t->j, NULL), 0);
	assert_int_equal(journal_open(&j, &t->st, "t", NULL), 0);
	while (journal_next(&j, &c, NULL) > 0) {
		const struct trace_span *s = c.data;

		assert_true(c.len >= sizeof(*s));
		assert_int_equal(s->len, c.len - sizeof(*s));
		assert_int_equal(s->session, FAKE_SESSION);
		assert_int_equal(s->cpu, t->f.hdr->cpu);
		if (c.type == TRACE_SPAN) {
			assert_int_equal(s->fault, 0);
			t->spans++;
			t->bytes += s->len;
			continue;
		}
		assert_int_equal(c.type, TRACE_EVIDENCE);
		t->evidence[s->fault]++;
		t->last = *s;
		if (s->len)
			memcpy(&t->first_word, s + 1, sizeof(t->first_word));
	}
	journal_close(&j);
}

/* All that was written is there, as it stood, whatever the mask. */
static void test_whole(void **state)
{
	for (int sealed = 0; sealed < 2; sealed++) {
		uint64_t nr, bytes;
		struct taken t;

		begin(&t, 4 * MIB, sealed);
		for (int i = 0; i < 20; i++) {
			push(&t, 50);
			assert_int_equal(take(&t), 0);
			assert_int_equal(take(&t), 0);
		}
		look(&t);
		assert_int_equal(t.f.r.accepted, t.n + t.f.tasks);
		nr = (t.f.w->head - 1) >> SHIFT;
		bytes = t.f.w->head - (nr << SHIFT);
		for (uint64_t i = 0; i < nr; i++)
			bytes += t.f.subs[i]->used;
		bytes -= (nr + 1) * sizeof(struct xft_sub);
		assert_int_equal(t.bytes, bytes);
		assert_in_range(t.spans, 20, 20 + nr);
		for (int i = 0; i < UNSEAL_FAULTS; i++)
			assert_int_equal(t.evidence[i], 0);
		end(&t);
		unlink("a");
	}
}

/* One is changed: those before it stay, the rest is evidence. */
static void test_edited(void **state)
{
	struct taken t;
	uint64_t *word;

	begin(&t, 4 * MIB, true);
	push(&t, 20);
	word = (uint64_t *)(t.f.w->data + t.f.w->head);
	push(&t, 20);
	*word ^= 1;
	assert_int_equal(take(&t), 0);
	look(&t);
	assert_int_equal(t.spans, 1);
	assert_int_equal(t.evidence[UNSEAL_EDITED], 1);
	assert_int_equal(t.last.len, 20 * 24);
	assert_int_equal(t.last.offset, sizeof(struct xft_sub) + t.bytes);
	assert_int_equal(t.first_word, *word);
	/* Even the first of them. */
	push(&t, 500);
	*(uint64_t *)(t.f.w->sub + 1) ^= 1;
	assert_int_equal(take(&t), 0);
	look(&t);
	assert_int_equal(t.evidence[UNSEAL_EDITED], 2);
	assert_int_equal(t.last.offset, sizeof(struct xft_sub));
	end(&t);
}

/* A header that is none has no bytes to show; xor has no evidence at all. */
static void test_no_header(void **state)
{
	for (int sealed = 0; sealed < 2; sealed++) {
		struct taken t;

		begin(&t, 4 * MIB, sealed);
		push(&t, 20);
		t.f.w->sub->seq += 3;
		assert_int_equal(take(&t), 0);
		look(&t);
		assert_int_equal(t.f.r.bad, 1);
		assert_int_equal(t.spans, 0);
		assert_int_equal(t.evidence[UNSEAL_EDITED], sealed);
		if (sealed)
			assert_int_equal(t.last.len, 0);
		end(&t);
		unlink("a");
	}
}

/* A store that is full is told; what it has stays. */
static void test_full(void **state)
{
	struct taken t;
	uint64_t bytes;
	int rc = 0;

	begin(&t, MIB, true);
	while (!rc && t.n < 200000) {
		push(&t, 500);
		rc = take(&t);
	}
	assert_int_equal(rc, -ENOSPC);
	look(&t);
	bytes = t.bytes;
	assert_true(bytes > 100 << 10);
	assert_int_equal(take(&t), -ENOSPC);
	look(&t);
	assert_int_equal(t.bytes, bytes);
	end(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_whole),
		TEST(test_edited),
		TEST(test_no_header),
		TEST(test_full),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
