// SPDX-License-Identifier: GPL-2.0-only
/*
 * ring: a writer that gets ahead between any two looks of the reader. The
 * reader is compiled into this file, with a writer where its barriers are.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fake_ring.h"

#define SUB 4096

static void look(void);

#undef shared_order_loads
#define shared_order_loads() look()
#define ring_size   raced_size
#define ring_init   raced_init
#define ring_look   raced_look
#define ring_next   raced_next
#define ring_accept raced_accept
#define ring_unread raced_unread
#define ring_seal   raced_seal
#define ring_deinit raced_deinit
#define ring_check_end raced_check_end
#pragma GCC diagnostic ignored "-Wmissing-prototypes"
#include "../../kvm-memfile/ring.c"

static struct fake_ring f;
static uint64_t n;
static unsigned int looks;
static enum { NOBODY, HONEST, HOSTILE } writer;

static void look(void)
{
	uint64_t nr = f.r.pos >> 12, head = f.w->head;

	looks++;
	if (writer == HOSTILE) {
		f.w->head += SUB;
		f.subs[nr % 4]->seq = nr + 4 + 1;
	}
	while (writer == HONEST && f.w->head < head + 2 * SUB)
		fake_ring_push(&f, ++n);
}

static void race(int who, int want_rc)
{
	struct ring_span span;

	n = looks = 0;
	fake_ring_open(&f, 12, 4);
	fake_ring_rotate(&f);
	while (f.w->head < 5 * SUB)
		fake_ring_push(&f, ++n);
	writer = who;
	assert_int_equal(raced_next(&f.r, &span, NULL), want_rc);
	writer = NOBODY;
	assert_int_equal(f.r.bad, 0);
	/* A guest must not keep the reader in one call. */
	assert_true(looks <= 4 * 4);
	fake_ring_close(&f);
}

/* Overtaken at every look: no finding, it comes back. */
static void test_overtaken(void **state)
{
	race(HONEST, 0);
}

/* Only what the reader looks at moves. */
static void test_kept_busy(void **state)
{
	race(HOSTILE, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_overtaken),
		cmocka_unit_test(test_kept_busy),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
