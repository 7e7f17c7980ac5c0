// SPDX-License-Identifier: GPL-2.0-only
/*
 * unseal, and ring with it: the module's own sealing writer, an intruder who
 * gets all that the guest's memory holds, and the host's reader.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <sodium.h>

/* Its streams are copied, to go back in a trace. */
#include "../../tracemaker/merge.c"

#include "callgraph.h"
#include "fake_ring.h"
#include "xft_mac.h"

#define SHIFT 12
#define SIZE  (1u << SHIFT)
#define NR    8
#define PAST_DIAGNOSIS 16
/* Sanitizers take their time. */
#ifdef __SANITIZE_ADDRESS__
#define EVERY 4
#else
#define EVERY 1
#endif
#define CALL  ((XFT_CALL_WORDS + XFT_SEAL_TAG) * 8) /* bytes of a call */

static uint64_t seed_of_tests = 1;

static uint64_t rnd(uint64_t below)
{
	seed_of_tests = fake_mix(seed_of_tests + 0x51ed2701);
	return seed_of_tests % below;
}

static void start(struct fake_ring *f, uint32_t nr)
{
	fake_ring_open(f, SHIFT, nr);
	fake_ring_seal(f);
}

static void push(struct fake_ring *f, uint64_t *n, uint64_t nr)
{
	while (nr--) {
		if (++*n % 64 == 5)
			fake_ring_push_long(f, *n);
		else
			fake_ring_push(f, *n);
	}
}

static void finish(struct fake_ring *f, uint64_t n)
{
	xft_ring_finish(f->w, n, f->mask);
}

/* Read all there is; the number of refusals. */
static uint64_t drain(struct fake_ring *f)
{
	static uint64_t copy[SIZE / 8];
	uint64_t refused = 0;

	for (uint32_t i = 0; i < 4 * f->r.nr_subs; i++) {
		struct ring_span span;
		int rc = ring_next(&f->r, &span, NULL);

		if (!rc)
			break;
		if (rc > 0) {
			memcpy(copy, span.data, span.len);
			rc = ring_accept(&f->r, &span, copy, &f->keys, 0, NULL);
		}
		refused += rc < 0;
	}
	return refused;
}

/* ---- the parts ---- */

/* The division that the fold stands for. */
static uint64_t divided(uint64_t h, uint64_t r, uint64_t word)
{
	const unsigned __int128 prime = ((unsigned __int128)1 << 64) - 59;

	return ((unsigned __int128)h * r + word) % prime;
}

static void test_mac(void **state)
{
	static const uint64_t edge[] = { 0, 1, 58, 59, 60, 1ull << 63,
					 -60ull, -59ull, -58ull, -1ull };
	const size_t nr = sizeof(edge) / sizeof(*edge);

	for (size_t i = 0; i < nr * nr * nr + 100000; i++) {
		uint64_t h = edge[i % nr], r = edge[i / nr % nr];
		uint64_t w = edge[i / nr / nr % nr], z = rnd(-1ull);

		if (i >= nr * nr * nr) {
			h = rnd(-1ull);
			r = rnd(-1ull);
			w = rnd(-1ull);
		}
		assert_int_equal(divided(xft_mac_add(h, r, w), 1, 0),
				 divided(h, r, w));
		assert_int_equal(xft_mac_end(h, r, z), divided(h, r, 0) + z);
	}
}

/* What the module has written out is what libsodium does. */
static void test_primitives(void **state)
{
	uint64_t seed[4] = { 1, 2, 3, 4 }, in[2] = { XFT_SEAL_RING, 5 };
	uint8_t chain[32], key[32], want[16];
	struct xft_seal s;

	xft_seal_init(&s, seed, 5, 0);
	crypto_core_hchacha20(chain, (void *)in, (void *)seed, NULL);
	assert_memory_equal(s.chain, chain, 32);
	in[0] = XFT_SEAL_STREAM;
	in[1] = 9;
	crypto_core_hchacha20(key, (void *)in, chain, NULL);
	xft_seal_open(&s, 9);
	for (uint8_t i = 1; i <= XFT_SEAL_BATCH / 2; i++) {
		crypto_shorthash_siphashx24(want, &i, 1, key);
		assert_memory_equal(s.stream + 2 * (i - 1), want, 16);
	}
	crypto_shorthash_siphashx24(want, (const uint8_t *)"", 1, key);
	assert_memory_equal(s.key, want, 16);
	in[0] = XFT_SEAL_NEXT;
	crypto_core_hchacha20(key, (void *)in, chain, NULL);
	assert_memory_equal(s.chain, key, 32);
}

/* ---- records that nobody touched ---- */

static void test_round_trip(void **state)
{
	for (int kind = XFT_RING_MAIN; kind <= XFT_RING_NMI; kind++) {
		struct fake_ring f;
		uint64_t n = 0;

		fake_ring_open(&f, SHIFT, NR);
		f.hdr->kind = f.r.kind = kind;
		fake_ring_seal(&f);
		for (int i = 0; i < 400; i++) {
			push(&f, &n, rnd(60));
			if (i % 3)
				assert_int_equal(drain(&f), 0);
			/* The idle timer. */
			if (i % 17 == 0)
				xft_ring_close(f.w, n, 0, f.mask);
		}
		finish(&f, n);
		assert_int_equal(drain(&f), 0);
		assert_int_equal(ring_check_end(&f.r, NULL), 0);
		assert_int_equal(f.r.bad + f.r.gaps + f.r.lost, 0);
		assert_int_equal(f.r.accepted, n + f.tasks);
		fake_ring_close(&f);
	}
}

static void test_lapped(void **state)
{
	struct fake_ring f;
	uint64_t n = 0;

	start(&f, NR);
	for (int i = 0; i < 30; i++) {
		push(&f, &n, rnd(6000));
		assert_int_equal(drain(&f), 0);
	}
	finish(&f, n);
	assert_int_equal(drain(&f), 0);
	assert_int_equal(ring_check_end(&f.r, NULL), 0);
	assert_true(f.r.lost);
	assert_int_equal(f.r.bad + f.r.gaps, 0);
	assert_int_equal(f.r.accepted + f.r.lost, n + f.tasks);
	fake_ring_close(&f);
}

/* Told to halt, it seals nothing, however full it is. */
static void test_halted(void **state)
{
	struct fake_ring f;
	uint64_t n = 0;

	start(&f, NR);
	for (int i = 0; i < 100; i++) {
		uint64_t taken, head;

		push(&f, &n, rnd(200));
		taken = n + f.tasks;
		head = f.w->head;
		mailbox_halt(&f.mb);
		assert_true(mailbox_is_halted(&f.mb));
		push(&f, &(uint64_t){ n }, 300);
		assert_int_equal(f.w->head, head);
		assert_int_equal(drain(&f), 0);
		assert_int_equal(f.r.accepted, taken);
		assert_true(ring_look(&f.r));
		f.mb.mbox->halt = 0;
	}
	finish(&f, n);
	assert_int_equal(drain(&f), 0);
	assert_int_equal(ring_check_end(&f.r, NULL), 0);
	assert_int_equal(f.r.bad + f.r.gaps + f.r.lost, 0);
	fake_ring_close(&f);
}

/* All headers were scribbled on: what is opened later is good again. */
static void test_scribbled(void **state)
{
	struct fake_ring f;
	uint64_t n = 0, had;

	start(&f, NR);
	push(&f, &n, 20000);
	(void)drain(&f);
	for (int i = 0; i < NR; i++)
		memset(f.subs[i], 0x5a, sizeof(struct xft_sub));
	push(&f, &n, 20000);
	(void)drain(&f);
	had = f.r.accepted;
	for (int i = 0; i < 50; i++) {
		push(&f, &n, 100);
		(void)drain(&f);
	}
	assert_true(f.r.accepted >= had + 4000);
	fake_ring_close(&f);
}

/* Nothing was recorded: a ring says even that. */
static void test_empty(void **state)
{
	struct fake_ring f;

	start(&f, NR);
	finish(&f, 1);
	assert_int_equal(drain(&f), 0);
	assert_int_equal(ring_check_end(&f.r, NULL), 0);
	assert_int_equal(f.r.accepted, 0);
	fake_ring_close(&f);

	start(&f, NR);
	assert_true(ring_check_end(&f.r, NULL) < 0);
	fake_ring_close(&f);
}

/* Who claims to be at the end of time does not make us count up to there. */
static void test_seek(void **state)
{
	uint8_t seed[UNSEAL_SEED] = { 1 };
	struct unseal *u = unseal_create(seed, 0, 0, NULL);
	uint64_t seek = UNSEAL_SEEK_MAX, far;
	const struct xft_sub sub = { 0 };
	struct xf_err err;

	assert_int_equal(unseal_open(u, 3, &sub, &seek, NULL), 0);
	assert_int_equal(unseal_open(u, 3, &sub, &seek, &err), -ERANGE);
	assert_int_equal(unseal_open(u, 1ull << 62, &sub, &seek, &err),
			 -ERANGE);
	assert_int_equal(unseal_open(u, 4 + UNSEAL_SEEK_MAX + 1, &sub, &seek,
				     &err), -ERANGE);
	assert_int_equal(unseal_open(u, 1000, &sub, &seek, NULL), 0);
	/* Nor in many steps: only so far, and with each a little further. */
	far = u->next + seek;
	assert_int_equal(unseal_open(u, far, &sub, &seek, NULL), 0);
	assert_int_equal(seek, UNSEAL_SEEK_MORE);
	assert_int_equal(unseal_open(u, far + UNSEAL_SEEK_MORE + 2, &sub, &seek,
				     &err), -ERANGE);
	assert_int_equal(unseal_open(u, far + 1, &sub, &seek, NULL), 0);
	assert_int_equal(seek, 2 * UNSEAL_SEEK_MORE);
	unseal_destroy(u);
}

static void test_wrong_seed(void **state)
{
	for (int bit = 0; bit < 256; bit++) {
		struct fake_ring f;
		uint64_t n = 0;

		start(&f, NR);
		push(&f, &n, 10);
		ring_deinit(&f.r);
		f.seed[bit / 8] ^= 1 << bit % 8;
		assert_int_equal(ring_init(&f.r, &f.g.mf, FAKE_RING_GPA, NULL),
				 0);
		assert_int_equal(ring_seal(&f.r, f.seed, NULL), 0);
		(void)drain(&f);
		assert_int_equal(f.r.accepted, 0);
		assert_true(f.r.bad);
		fake_ring_close(&f);
	}
}

/* ---- every bit ---- */

/* Every bit of the records of a trace of 6,000. */
static void test_every_bit(void **state)
{
	static uint64_t copy[SIZE / 8];
	uint64_t n = 0, bits = 0, records = 0, missed = 0;
	struct unseal before;
	struct fake_ring f;

	start(&f, 64);
	push(&f, &n, 6000);
	finish(&f, n);
	for (uint64_t nr = 0; nr << SHIFT < f.w->head; nr++) {
		struct xft_sub *sub = f.subs[nr];
		uint32_t words = (sub->used - sizeof(*sub)) / 8, len;
		struct unseal *u = f.r.seal;
		uint64_t clear, seek = UNSEAL_SEEK_MAX;

		memcpy(copy, sub + 1, sub->used - sizeof(*sub));
		assert_int_equal(unseal_open(u, nr, sub, &seek, NULL), 0);
		for (uint32_t i = 0; i < words; i += len) {
			before = *u;
			len = unseal_record(u, copy + i, words - i, &clear,
					    true);
			assert_true(len);
			records++;
			for (uint32_t b = 0; b < len * 64; b++, bits++) {
				struct unseal again = before;

				copy[i + b / 64] ^= 1ull << b % 64;
				missed += unseal_record(&again, copy + i,
							words - i, &clear,
							true) != 0;
				copy[i + b / 64] ^= 1ull << b % 64;
			}
		}
	}
	assert_true(records >= 6000);
	assert_true(bits > 6000 * 24 * 8);
	assert_int_equal(missed, 0);
	fake_ring_close(&f);
}

/* Every bit of the headers, as the reader finds them. */
static void test_every_header_bit(void **state)
{
	struct fake_ring f;
	uint64_t n = 0;

	start(&f, NR);
	push(&f, &n, 600);
	finish(&f, n);
	for (uint64_t nr = 0; nr << SHIFT < f.w->head; nr++)
		for (size_t b = 0; b < sizeof(struct xft_sub) * 8; b++) {
			uint8_t *p = (uint8_t *)f.subs[nr] + b / 8;

			ring_deinit(&f.r);
			assert_int_equal(ring_init(&f.r, &f.g.mf, FAKE_RING_GPA,
						   NULL), 0);
			assert_int_equal(ring_seal(&f.r, f.seed, NULL), 0);
			*p ^= 1 << b % 8;
			(void)drain(&f);
			(void)ring_check_end(&f.r, NULL);
			*p ^= 1 << b % 8;
			/*
			 * Where the newest ends is head's to say; its own word
			 * for that is not read before there is another one.
			 */
			if (f.r.bad || f.r.gaps)
				continue;
			assert_int_equal(nr, f.w->head >> SHIFT);
			assert_in_range(b / 8, offsetof(struct xft_sub, used),
					offsetof(struct xft_sub, reserved) - 1);
		}
	fake_ring_close(&f);
}

/* The header of a sub-buffer whose first records have been read already. */
static void test_header_later(void **state)
{
	for (int word = 0; word < 3; word++) {
		struct fake_ring f;
		struct xft_sub *sub;
		uint64_t n = 0;

		start(&f, NR);
		push(&f, &n, 10);
		assert_int_equal(drain(&f), 0);
		push(&f, &n, 10);
		sub = f.w->sub;
		sub->base_tsc += word == 0;
		sub->records_before += word == 1;
		sub->epoch += word == 2;
		assert_int_equal(drain(&f), 1);
		assert_int_equal(f.r.faults[UNSEAL_EDITED], 1);
		assert_true(f.r.accepted <= 10 + f.tasks);
		fake_ring_close(&f);
	}
}

static void spoil(struct fake_ring *f, uint64_t pos)
{
	*(uint64_t *)((char *)f->subs[pos / SIZE % NR] + pos % SIZE) ^= 1;
}

/* Where the first was is kept, whatever comes later. */
static void test_first_fault(void **state)
{
	struct fake_ring f;
	uint64_t n = 0, at;

	start(&f, NR);
	push(&f, &n, 10);
	assert_int_equal(drain(&f), 0);
	assert_int_equal(f.r.first_fault.what, UNSEAL_GOOD);
	at = f.w->head + 3 * CALL;
	push(&f, &n, 10);
	spoil(&f, at);
	(void)drain(&f);
	assert_int_equal(f.r.first_fault.what, UNSEAL_EDITED);
	assert_int_equal(f.r.first_fault.nr, at / SIZE);
	assert_int_equal(f.r.first_fault.offset, at % SIZE);
	at = f.w->head / SIZE * SIZE + SIZE;
	while (f.w->head <= at)
		push(&f, &n, 1);
	spoil(&f, at + offsetof(struct xft_sub, reserved));
	(void)drain(&f);
	assert_int_equal(f.r.last_fault.nr, at / SIZE);
	assert_int_equal(f.r.last_fault.offset, 0);
	assert_int_equal(f.r.first_fault.nr, 0);
	assert_int_not_equal(f.r.first_fault.offset, 0);
	fake_ring_close(&f);
}

/* ---- an intruder ---- */

/*
 * What the guest's memory holds at the moment of compromise, and what the host
 * has read by then. What the intruder knows beyond that is all in the open: the
 * format, and the plaintext of each record.
 */
struct moment {
	struct fake_ring f;
	uint8_t ram[SIZE * (NR + 1)];
	struct ring reader;
	struct unseal unsealer;
	struct xft_seal seal;
	uint64_t n;
	uint64_t from, to;	/* bytes of records, in the open sub-buffer,
				 * that the host has not read */
};

static void save(struct moment *m)
{
	memcpy(m->ram, m->f.hdr, SIZE);
	for (int i = 0; i < NR; i++)
		memcpy(m->ram + (i + 1) * SIZE, m->f.subs[i], SIZE);
	/* So many that nothing is diagnosed any more: there is no time. */
	m->f.r.bad = PAST_DIAGNOSIS;
	m->reader = m->f.r;
	m->unsealer = *m->f.r.seal;
	m->seal = m->f.seal;
}

static void restore(struct moment *m)
{
	memcpy(m->f.hdr, m->ram, SIZE);
	for (int i = 0; i < NR; i++)
		memcpy(m->f.subs[i], m->ram + (i + 1) * SIZE, SIZE);
	m->f.r = m->reader;
	*m->f.r.seal = m->unsealer;
	m->f.seal = m->seal;
}

/* The @i-th of the records that the host has not read. */
static uint64_t *victim(struct moment *m, uint64_t i)
{
	return (uint64_t *)(m->f.w->data + m->from + i * CALL);
}

static uint64_t victims(const struct moment *m)
{
	return (m->to - m->from) / CALL;
}

static void edit(struct moment *m)
{
	uint64_t *v = victim(m, rnd(victims(m)));

	/* XOR is malleable: this one names another function. */
	v[rnd(2)] ^= 1 + rnd(-2ull);
	if (rnd(2))
		v[2] = rnd(-1ull);
}

static void swap(struct moment *m)
{
	uint64_t i = rnd(victims(m)), j = (i + 1 + rnd(victims(m) - 1)) %
					  victims(m);
	uint64_t *a = victim(m, i), *b = victim(m, j), t[3];

	memcpy(t, a, CALL);
	memcpy(a, b, CALL);
	memcpy(b, t, CALL);
}

static void replay(struct moment *m)
{
	uint64_t i = 1 + rnd(victims(m) - 1);

	memcpy(victim(m, i), victim(m, rnd(i)), CALL);
}

static void delete(struct moment *m)
{
	uint64_t i = rnd(victims(m) - 1);

	memmove(victim(m, i), victim(m, i + 1), m->to - m->from - (i + 1) * CALL);
	m->f.w->head -= CALL;
}

/* A lie with a tag that is good, for another place (CVE-2023-31439). */
static void reseal(struct moment *m)
{
	struct xft_seal copy = m->f.seal;
	uint64_t *v = victim(m, rnd(victims(m)));
	uint64_t r, z;

	for (uint64_t i = rnd(64); i; i--)
		(void)xft_seal_take(&copy);
	r = xft_seal_take(&copy);
	z = xft_seal_take(&copy);
	v[0] = fake_first(1) ^ xft_seal_take(&copy);
	v[1] = fake_second(1) ^ xft_seal_take(&copy);
	v[2] = xft_mac_end(xft_mac_add(xft_mac_add(1, r, v[1]), r, v[0]), r, z);
}

/* Forget the newest ones and go on as if they had never been. */
static void truncate_and_go_on(struct moment *m)
{
	m->f.w->head -= CALL * (1 + rnd(victims(m)));
	push(&m->f, &(uint64_t){ m->n }, 1 + rnd(300));
}

/* Forget them, and have the module close the sub-buffer (CVE-2023-31438). */
static void truncate_and_close(struct moment *m)
{
	m->f.w->head -= CALL * (1 + rnd(victims(m)));
	xft_ring_close(m->f.w, m->n, 0, m->f.mask);
	push(&m->f, &(uint64_t){ m->n }, rnd(3));
}

/* Close it where it suits, without a word, and open the next. */
static void truncate_and_leave(struct moment *m)
{
	struct xft_ring *w = m->f.w;
	uint64_t cut = CALL * (1 + rnd(victims(m)));

	w->head -= cut;
	w->sub->used = w->data + w->head - (uint64_t)w->sub;
	w->records = w->sub->records_before + xft_ring_in_sub(w, m->f.mask);
	w->sub = NULL;
	w->end = 0;
	push(&m->f, &(uint64_t){ m->n }, 1 + rnd(300));
}

/* Say that they were overwritten, though there was room. */
static void false_loss(struct moment *m)
{
	struct xft_ring *w = m->f.w;

	w->sub->used = rnd(2) ? sizeof(struct xft_sub) : m->from & (SIZE - 1);
	if (rnd(2))
		w->sub->seq += NR;
	w->records += rnd(100);
	xft_ring_close(w, m->n, 0, m->f.mask);
	w->records += rnd(100);
	push(&m->f, &(uint64_t){ m->n }, 1 + rnd(200));
}

/* Say that the oldest is just being overwritten, and never come to that. */
static void false_turn(struct moment *m)
{
	struct xft_ring *w = m->f.w;
	uint64_t last = (w->head - 1) / SIZE + NR - 1, n = m->n;

	w->sub->seq += NR;
	while ((w->head - 1) / SIZE < last)
		push(&m->f, &n, 1);
}

/* The same, and have the module close all as if that were the end. */
static void false_end(struct moment *m)
{
	m->f.w->head = m->from;
	xft_ring_finish(m->f.w, m->n, m->f.mask);
}

static const struct {
	const char *name;
	void (*fn)(struct moment *m);
} attacks[] = {
	{ "edit", edit },
	{ "swap", swap },
	{ "replay", replay },
	{ "delete", delete },
	{ "re-seal with the current key", reseal },
	{ "truncate and go on", truncate_and_go_on },
	{ "truncate and close", truncate_and_close },
	{ "truncate and leave", truncate_and_leave },
	{ "false loss", false_loss },
	{ "false turn", false_turn },
	{ "false end", false_end },
};

/* The host reads on, and sees the end. Is anything wrong? */
static bool is_found(struct moment *m, bool finish_it)
{
	uint64_t refused = drain(&m->f);

	if (finish_it) {
		finish(&m->f, m->n + 10000);
		refused += drain(&m->f);
	}
	return refused || m->f.r.bad > PAST_DIAGNOSIS || m->f.r.gaps ||
	       ring_check_end(&m->f.r, NULL) < 0;
}

/* Go to a moment with at least three calls that the host has not read. */
static void reach(struct moment *m)
{
	struct fake_ring *f = &m->f;

	const struct xft_sub *sub;
	uint64_t odd;

	do {
		uint64_t calls = 3 + rnd(40);

		push(f, &m->n, 1 + rnd(60));
		assert_int_equal(drain(f), 0);
		sub = f->w->sub;
		odd = f->w->odd;
		m->from = f->w->head;
		while (calls--)
			fake_ring_push(f, ++m->n);
		m->to = f->w->head;
		/* Not if a turn, or another task, came in between. */
	} while (f->w->sub != sub || f->w->odd != odd);
}

static void test_compromise(void **state)
{
	uint64_t undetected = 0;
	struct moment m = { 0 };

	start(&m.f, NR);
	for (int i = 0; i < 10000; i++) {
		reach(&m);
		save(&m);
		for (size_t a = 0; a < sizeof(attacks) / sizeof(*attacks); a++) {
			attacks[a].fn(&m);
			if (!is_found(&m, attacks[a].fn != false_end)) {
				print_message("%s: not found\n",
					      attacks[a].name);
				undetected++;
			}
			restore(&m);
		}
		/* And what nobody touched is good. */
		if (i % 100 == 0) {
			assert_false(is_found(&m, true));
			restore(&m);
		}
	}
	assert_int_equal(undetected, 0);
	fake_ring_close(&m.f);
}

/* Sealed with keys that are still good, and nonsense all the same. */
static void test_bad_close(void **state)
{
	for (int after = 0; after < 2; after++) {
		struct fake_ring f;
		uint64_t n = 0;

		start(&f, NR);
		push(&f, &n, 20);
		/* A count that is not so; or one more record behind it. */
		xft_ring_seal_close(f.w, n, xft_ring_in_sub(f.w, f.mask) + !after,
				    0);
		if (after)
			xft_ring_call_slow(f.w, n, fake_first(n),
					   fake_second(n), f.mask);
		(void)drain(&f);
		assert_int_equal(f.r.bad, 1);
		fake_ring_close(&f);
	}
}

/* The past cannot be computed from what is left: it is not there. */
static void test_wiped(void **state)
{
	struct fake_ring f;
	uint64_t n = 0, used;

	start(&f, NR);
	for (int i = 0; i < 1000; i++) {
		push(&f, &n, rnd(40) + 1);
		used = f.seal.used;
		for (uint64_t w = 0; w < used; w++)
			assert_int_equal(f.seal.stream[w], 0);
	}
	fake_ring_close(&f);
}

/* What was done is called by its name. */
static void test_diagnosis(void **state)
{
	static const struct {
		void (*fn)(struct moment *m);
		enum unseal_fault want;
	} cases[] = {
		{ edit, UNSEAL_EDITED },
		{ delete, UNSEAL_DROPPED },
		{ replay, UNSEAL_REPLAYED },
		{ truncate_and_leave, UNSEAL_TRUNCATED },
	};
	struct moment m = { 0 };

	start(&m.f, NR);
	for (int i = 0; i < 20; i++) {
		reach(&m);
		save(&m);
		for (size_t c = 0; c < sizeof(cases) / sizeof(*cases); c++) {
			m.f.r.bad = 0;
			cases[c].fn(&m);
			(void)is_found(&m, true);
			if (!m.f.r.faults[cases[c].want])
				fail_msg("not called %s",
					 unseal_fault_name(cases[c].want));
			restore(&m);
		}
	}
	fake_ring_close(&m.f);
}

/* ---- a stored trace ---- */

static const char meta[] = "{\"session\": 1, \"tsc_khz\": 1000}";

struct stored {
	struct trace t;
	uint64_t *spans[256]; /* the chunks */
	size_t lens[256];
	size_t nr;
};

/* What the recorder makes of what is new in the ring. */
static void keep(struct stored *st, struct fake_ring *f)
{
	struct ring_span span;

	while (ring_next(&f->r, &span, NULL) > 0) {
		struct trace_span head = {
			.session = 1, .cpu = f->r.cpu, .kind = f->r.kind,
			.nr = span.nr, .base_tsc = span.base_tsc,
			.records_before = span.records_before,
			.offset = span.offset, .len = span.len,
		};
		uint64_t *chunk = malloc(sizeof(head) + span.len);

		memcpy(chunk, &head, sizeof(head));
		memcpy(chunk + sizeof(head) / 8, span.data, span.len);
		assert_true(ring_accept(&f->r, &span,
					chunk + sizeof(head) / 8, &f->keys, 1,
					NULL) >= 0);
		assert_int_equal(trace_add_chunk(&st->t, TRACE_SPAN, chunk,
						 sizeof(head) + head.len,
						 NULL), 0);
		assert_true(st->nr < sizeof(st->spans) / sizeof(*st->spans));
		st->lens[st->nr] = sizeof(head) + head.len;
		st->spans[st->nr++] = chunk;
	}
}

static void store(struct stored *st, struct fake_ring *f)
{
	struct trace_seed seed = { .session = 1 };

	trace_init(&st->t);
	st->nr = 0;
	memcpy(seed.seed, f->seed, sizeof(seed.seed));
	assert_int_equal(trace_add_chunk(&st->t, TRACE_META, meta,
					 strlen(meta), NULL), 0);
	assert_int_equal(trace_add_chunk(&st->t, TRACE_SEED, &seed,
					 sizeof(seed), NULL), 0);
	keep(st, f);
}

static void forget(struct stored *st)
{
	trace_deinit(&st->t);
	while (st->nr)
		free(st->spans[--st->nr]);
}

static const struct trace_span *span_of(const struct stored *st, size_t i)
{
	return (const void *)st->spans[i];
}

/* Draw it: what is wrong, and how many are verified. */
static uint64_t merged(const struct stored *st, uint64_t *ret_verified)
{
	const struct record *r;
	struct merge m;
	uint64_t bad, last = 0, words[XFT_WORDS_MAX];

	merge_init(&m, &st->t, &st->t.sessions[0]);
	while (merge_next(&m, &r)) {
		assert_true(r->tsc > last);
		last = r->tsc;
		if (r->type != XFT_EVENT)
			continue;
		for (uint32_t i = 0; i < r->len / 8; i++)
			words[i] = r->data[i] ^ r->key;
		for (uint32_t i = 0; i < r->len / 8; i++)
			assert_int_equal(words[i], fake_word(r->tsc, i + 1));
	}
	*ret_verified = m.verified;
	bad = m.bad_spans;
	merge_deinit(&m);
	return bad;
}

/* Drawing verifies once more, as a file may be changed. */
static void test_stored(void **state)
{
	struct buf text = BUF_INIT;
	uint64_t n = 0, verified;
	struct fake_ring f;
	struct stored st;

	start(&f, 16);
	push(&f, &n, 500);
	finish(&f, n);
	store(&st, &f);
	assert_int_equal(trace_seal(&st.t, NULL), 0);
	assert_int_equal(merged(&st, &verified), 0);
	assert_int_equal(verified, n + f.tasks);
	st.t.sessions[0].verified = verified;
	trace_tell_seal(&st.t.sessions[0], &text);
	assert_non_null(strstr(text.data, "records verified, all up to 0.0"));
	buf_deinit(&text);
	for (int i = 0; i < 300; i++) {
		const struct trace_span *s;
		uint64_t *chunk = st.spans[rnd(st.nr)], at, bit;

		s = (const void *)chunk;
		at = sizeof(*s) / 8 + rnd(s->len / 8);
		bit = 1ull << rnd(64);
		chunk[at] ^= bit;
		assert_true(merged(&st, &verified) > 0);
		assert_true(verified <= n + f.tasks);
		chunk[at] ^= bit;
	}
	/* With another seed nothing is. */
	st.t.sessions[0].seed->seed[0] ^= 1;
	assert_true(merged(&st, &verified) > 0);
	assert_int_equal(verified, 0);
	forget(&st);
	fake_ring_close(&f);
}

/* A trace of 6,000 records, read a few at a time, and what makes it one. */
static void store_large(struct stored *st, struct fake_ring *f)
{
	uint64_t n = 0;

	start(f, 64);
	store(st, f);
	for (int i = 0; i < 60; i++) {
		push(f, &n, 100);
		keep(st, f);
	}
	finish(f, n);
	keep(st, f);
	assert_true(n + f->tasks > 6000);
	assert_int_equal(trace_seal(&st->t, NULL), 0);
}

/* Where drawing is in a trace of one ring, to go back there. */
struct place {
	struct merge m;
	struct merge_stream s;
	struct unseal seal;
};

static void leave(struct place *at, const struct merge *m)
{
	at->m = *m;
	at->s = m->streams[0];
	at->seal = *m->streams[0].seal;
}

static void come_back(const struct place *at, struct merge *m)
{
	*m = at->m;
	m->streams[0] = at->s;
	*m->streams[0].seal = at->seal;
}

/* Draw on from there with each bit of these words flipped: how many pass? */
static uint64_t flip_words(const struct place *at, struct merge *m,
			   const uint64_t *from, const uint64_t *to,
			   uint64_t *bits)
{
	uint64_t missed = 0;

	for (uint64_t *w = (uint64_t *)from; w < to; w++)
		for (int bit = 0; bit < 64; bit += EVERY, ++*bits) {
			come_back(at, m);
			*w ^= 1ull << bit;
			(void)decode(m, m->streams, 0);
			*w ^= 1ull << bit;
			missed += m->bad_spans == at->m.bad_spans;
		}
	return missed;
}

/* Every bit of its records. */
static void test_stored_bits(void **state)
{
	uint64_t missed = 0, bits = 0;
	struct place before, after;
	struct fake_ring f;
	struct stored st;
	struct merge m = { 0 };
	bool more;

	store_large(&st, &f);
	m.trace = &st.t;
	m.seek = UNSEAL_SEEK_MAX;
	make_streams(&m, &st.t, &st.t.sessions[0]);
	do {
		leave(&before, &m);
		more = decode(&m, m.streams, 0);
		leave(&after, &m);
		assert_int_equal(m.bad_spans, 0);
		missed += flip_words(&before, &m, before.s.p,
				     after.s.span == before.s.span ?
					     after.s.p : before.s.end,
				     &bits);
		/* What has no record to deliver is passed over. */
		for (size_t i = before.s.span; i < after.s.span; i++) {
			const struct trace_span *span = after.s.ring->spans[i];
			const uint64_t *words = (const void *)(span + 1);

			missed += flip_words(&before, &m, words,
					     i + 1 < after.s.span ?
						     words + span->len / 8 :
						     after.s.p,
					     &bits);
		}
		come_back(&after, &m);
	} while (more);
	assert_int_equal(m.verified, f.r.accepted);
	assert_int_equal(bits, st.t.bytes * 8 / EVERY);
	assert_int_equal(missed, 0);
	merge_deinit(&m);
	forget(&st);
	fake_ring_close(&f);
}

/*
 * Is a trace of these chunks, which begin with a sub-buffer, as it should be?
 */
static bool is_good(const struct stored *st, size_t first, size_t nr)
{
	const struct trace_seed *seed = st->t.sessions[0].seed;
	const struct record *r;
	struct trace t;
	struct merge m;
	bool good;

	trace_init(&t);
	good = !trace_add_chunk(&t, TRACE_META, meta, strlen(meta), NULL) &&
	       !trace_add_chunk(&t, TRACE_SEED, seed, sizeof(*seed), NULL);
	assert_true(good);
	for (size_t i = first; good && i < first + nr; i++)
		good = !trace_add_chunk(&t, TRACE_SPAN, st->spans[i],
					st->lens[i], NULL);
	assert_int_equal(trace_seal(&t, NULL), 0);
	if (good) {
		merge_init(&m, &t, &t.sessions[0]);
		while (!m.bad_spans && merge_next(&m, &r))
			;
		good = !m.bad_spans;
		merge_deinit(&m);
	}
	trace_deinit(&t);
	return good;
}

/* Every bit of what stands before its stretches, with those next to it. */
static void test_stored_heads(void **state)
{
	uint64_t missed = 0, bits = 0;
	struct fake_ring f;
	struct stored st;

	store_large(&st, &f);
	assert_true(st.nr > f.w->head >> SHIFT);
	for (size_t i = 0, first = 0; i < st.nr; i++) {
		struct trace_span *head = (void *)st.spans[i];
		size_t nr;

		if (head->offset == sizeof(struct xft_sub))
			first = i;
		nr = i - first + (i + 1 < st.nr ? 2 : 1);
		assert_true(is_good(&st, first, nr));
		for (size_t bit = 0; bit < sizeof(*head) * 8; bit += EVERY) {
			uint8_t *p = (uint8_t *)head + bit / 8;

			*p ^= 1 << bit % 8;
			missed += is_good(&st, first, nr);
			*p ^= 1 << bit % 8;
			bits++;
		}
	}
	assert_true(bits >= 60 * sizeof(struct trace_span) * 8 / EVERY);
	assert_int_equal(missed, 0);
	forget(&st);
	fake_ring_close(&f);
}

/* How far all is good: up to the first fault, ours or the recorder's. */
static void test_stored_sound(void **state)
{
	struct trace_span found = { .session = 1, .fault = UNSEAL_EDITED };
	struct trace_session *s;
	struct call_stats stats;
	struct fake_ring f;
	struct stored st;
	uint64_t n = 0;

	start(&f, 16);
	push(&f, &n, 2000);
	finish(&f, n);
	store(&st, &f);
	assert_int_equal(trace_seal(&st.t, NULL), 0);
	s = &st.t.sessions[0];
	callgraph_count(&st.t, &stats);
	assert_int_equal(s->verified, n + f.tasks);
	assert_int_equal(s->sound_tsc, n);
	assert_int_equal(s->first_tsc, 1);
	assert_true(st.nr > 4);
	for (size_t i = 1; i + 1 < st.nr; i++) {
		const struct trace_span *span = (void *)st.spans[i];
		uint64_t *word = st.spans[i] + sizeof(*span) / 8 +
				 rnd(span->len / 8);

		*word ^= 1;
		callgraph_count(&st.t, &stats);
		*word ^= 1;
		assert_true(s->sound_tsc < span_of(&st, i + 1)->base_tsc);
		assert_true(s->sound_tsc >= span_of(&st, i - 1)->base_tsc);
	}
	/*
	 * The recorder's, in the midst of the ring, and before all of another.
	 */
	found.cpu = f.r.cpu;
	found.kind = f.r.kind;
	found.nr = 3;
	found.offset = 4000;
	assert_int_equal(trace_add_chunk(&st.t, TRACE_EVIDENCE, &found,
					 sizeof(found), NULL), 0);
	callgraph_count(&st.t, &stats);
	assert_true(s->sound_tsc < span_of(&st, 4)->base_tsc);
	assert_true(s->sound_tsc > span_of(&st, 3)->base_tsc);
	assert_int_equal(s->verified, n + f.tasks);
	found.cpu++;
	assert_int_equal(trace_add_chunk(&st.t, TRACE_EVIDENCE, &found,
					 sizeof(found), NULL), 0);
	callgraph_count(&st.t, &stats);
	assert_int_equal(s->sound_tsc, 0);
	forget(&st);
	fake_ring_close(&f);
}

/* A sub-buffer in two stretches: both say what its first record vouches for. */
static void test_stored_header(void **state)
{
	uint64_t n = 0, verified;
	struct trace_span *s;
	struct fake_ring f;
	struct stored st;

	start(&f, 16);
	push(&f, &n, 10);
	store(&st, &f);
	push(&f, &n, 10);
	keep(&st, &f);
	assert_int_equal(st.nr, 2);
	assert_int_equal(trace_seal(&st.t, NULL), 0);
	assert_int_equal(merged(&st, &verified), 0);
	s = (void *)st.spans[1];
	for (int word = 0; word < 3; word++) {
		const struct trace_span good = *s;

		s->base_tsc += word == 0;
		s->records_before += word == 1;
		s->epoch += word == 2;
		assert_int_equal(merged(&st, &verified), 1);
		assert_true(verified <= 10 + f.tasks);
		*s = good;
	}
	forget(&st);
	fake_ring_close(&f);
}

/* All rings of a file together are not worth more than one look far ahead. */
static void test_stored_far(void **state)
{
	const struct trace_seed seed = { .session = 1 };
	uint64_t chunk[8][sizeof(struct trace_span) / 8 + 3] = { 0 };
	struct trace t;
	struct merge m;

	trace_init(&t);
	assert_int_equal(trace_add_chunk(&t, TRACE_META, meta, strlen(meta),
					 NULL), 0);
	assert_int_equal(trace_add_chunk(&t, TRACE_SEED, &seed, sizeof(seed),
					 NULL), 0);
	for (uint32_t i = 0; i < 8; i++) {
		*(struct trace_span *)chunk[i] = (struct trace_span){
			.session = 1, .cpu = i, .nr = UNSEAL_SEEK_MAX,
			.offset = sizeof(struct xft_sub), .len = 24,
		};
		assert_int_equal(trace_add_chunk(&t, TRACE_SPAN, chunk[i],
						 sizeof(chunk[i]), NULL), 0);
	}
	assert_int_equal(trace_seal(&t, NULL), 0);
	merge_init(&m, &t, &t.sessions[0]);
	assert_int_equal(m.bad_spans, 8);
	assert_int_equal(m.seek, UNSEAL_SEEK_MORE);
	merge_deinit(&m);
	trace_deinit(&t);
}

/* Damaged chunks of ours are refused. */
static void test_chunks(void **state)
{
	struct trace_seed seed = { .session = 1 };
	static const char reset[] = "{\"text\": \"\", \"overwritten\": "
				    "{\"replayed\": 1, \"truncated\": 1}}";
	struct trace_span found = { .session = 1, .fault = UNSEAL_FAULTS };
	struct buf text = BUF_INIT;
	struct trace t;

	trace_init(&t);
	assert_true(trace_add_chunk(&t, TRACE_SEED, &seed, sizeof(seed), NULL) <
		    0);
	assert_int_equal(trace_add_chunk(&t, TRACE_META, meta, strlen(meta),
					 NULL), 0);
	assert_true(trace_add_chunk(&t, TRACE_SEED, &seed, 8, NULL) < 0);
	assert_true(trace_add_chunk(&t, TRACE_EVIDENCE, &found, sizeof(found),
				    NULL) < 0);
	found.fault = UNSEAL_DROPPED;
	assert_int_equal(trace_add_chunk(&t, TRACE_EVIDENCE, &found,
					 sizeof(found), NULL), 0);
	assert_int_equal(t.sessions[0].evidence[UNSEAL_DROPPED], 1);
	trace_deinit(&t);

	/* The first of each ring is kept, and the first of all is told. */
	trace_init(&t);
	assert_int_equal(trace_add_chunk(&t, TRACE_META, meta, strlen(meta),
					 NULL), 0);
	assert_int_equal(trace_add_chunk(&t, TRACE_SEED, &seed, sizeof(seed),
					 NULL), 0);
	for (int i = 0; i < 4; i++) {
		found = (struct trace_span){ .session = 1, .cpu = 1 + i / 2,
					     .kind = i < 2, .nr = 17 + i,
					     .offset = 2040,
					     .fault = UNSEAL_EDITED + i };
		assert_int_equal(trace_add_chunk(&t, TRACE_EVIDENCE, &found,
						 sizeof(found), NULL), 0);
	}
	assert_int_equal(t.sessions[0].nr_faults, 2);
	assert_int_equal(trace_fault(&t.sessions[0], 2, 0)->nr, 19);
	assert_null(trace_fault(&t.sessions[0], 2, 1));
	trace_tell_seal(&t.sessions[0], &text);
	assert_non_null(strstr(text.data, "; first on CPU 1 (NMI), sub-buffer "
				"17 at byte 2040: edited"));
	buf_deinit(&text);
	/* What the guest's reboot made of its rings is none, and the newest. */
	assert_int_equal(trace_add_chunk(&t, TRACE_NOTE, reset, strlen(reset),
					 NULL), 0);
	assert_int_equal(t.sessions[0].nr_faults, 1);
	assert_null(trace_fault(&t.sessions[0], 2, 0));
	trace_deinit(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_mac),
		cmocka_unit_test(test_primitives),
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_lapped),
		cmocka_unit_test(test_empty),
		cmocka_unit_test(test_halted),
		cmocka_unit_test(test_scribbled),
		cmocka_unit_test(test_seek),
		cmocka_unit_test(test_wrong_seed),
		cmocka_unit_test(test_every_bit),
		cmocka_unit_test(test_every_header_bit),
		cmocka_unit_test(test_header_later),
		cmocka_unit_test(test_first_fault),
		cmocka_unit_test(test_compromise),
		cmocka_unit_test(test_bad_close),
		cmocka_unit_test(test_wiped),
		cmocka_unit_test(test_diagnosis),
		cmocka_unit_test(test_stored),
		cmocka_unit_test(test_stored_bits),
		cmocka_unit_test(test_stored_heads),
		cmocka_unit_test(test_stored_sound),
		cmocka_unit_test(test_stored_header),
		cmocka_unit_test(test_stored_far),
		cmocka_unit_test(test_chunks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
