// SPDX-License-Identifier: GPL-2.0-only
/* klog, key and mask. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <string.h>
#include <time.h>

#include "cleanup.h"
#include "klog.h"
#include "mask.h"

static int add(struct klog *k, uint32_t session, uint32_t epoch)
{
	struct klog_entry e = { .session = session,
				.epoch = epoch,
				.key = (uint64_t)session << 32 | epoch };
	struct xf_err err = { 0 };
	int rc = klog_add(k, &e, &err);

	assert_int_equal(err.code, rc);
	return rc;
}

static void test_order(void **state)
{
	struct klog k;
	size_t nr;

	klog_init(&k);
	assert_null(klog_find(&k, 1, 1));
	assert_int_equal(add(&k, 1, 1), 0);
	assert_int_equal(add(&k, 1, 1), -EBADMSG);
	assert_int_equal(add(&k, 1, 0), -EBADMSG);
	assert_int_equal(add(&k, 0, 9), -EBADMSG);
	assert_int_equal(add(&k, 1, UINT32_MAX), 0);
	assert_int_equal(add(&k, 1, 5), -EBADMSG);
	/* Epochs begin again with a session. */
	assert_int_equal(add(&k, 2, 1), 0);
	assert_int_equal(add(&k, UINT32_MAX, UINT32_MAX), 0);
	nr = k.nr;
	assert_int_equal(add(&k, UINT32_MAX, UINT32_MAX), -EBADMSG);
	assert_int_equal(klog_add(&k, &(struct klog_entry){ 0 }, NULL),
			 -EBADMSG);
	assert_int_equal(k.nr, nr);

	assert_non_null(klog_find(&k, 1, UINT32_MAX));
	assert_non_null(klog_find(&k, 2, 1));
	assert_non_null(klog_find(&k, UINT32_MAX, UINT32_MAX));
	assert_null(klog_find(&k, 1, 2));
	assert_null(klog_find(&k, 2, UINT32_MAX));
	assert_null(klog_find(&k, 0, 1));
	klog_deinit(&k);
	assert_null(klog_find(&k, 1, 1));
	klog_deinit(&k);
}

/* Many: memory is moved, and all of them stay. */
static void test_many(void **state)
{
	struct klog k;

	klog_init(&k);
	for (uint32_t s = 1; s <= 40; s++)
		for (uint32_t e = 2; e <= 1000; e += 2)
			assert_int_equal(add(&k, s, e), 0);
	assert_int_equal(k.nr, 40 * 500);
	for (uint32_t s = 0; s <= 41; s++)
		for (uint32_t e = 0; e <= 1001; e++) {
			const struct klog_entry *f = klog_find(&k, s, e);
			bool there = s >= 1 && s <= 40 && e >= 2 && e <= 1000 &&
				     !(e & 1);

			assert_int_equal(!!f, there);
			if (f)
				assert_int_equal(f->key, (uint64_t)s << 32 | e);
		}
	klog_deinit(&k);
}

static void test_keys(void **state)
{
	struct key_ctl ctl = { .session = 4 };
	struct klog_entry e, last = { 0 };
	struct timespec now;
	struct klog k;

	clock_gettime(CLOCK_REALTIME, &now);
	klog_init(&k);
	for (uint32_t i = 1; i <= 100; i++) {
		assert_int_equal(key_next(&ctl, &e, NULL), 0);
		assert_int_equal(e.epoch, i);
		assert_int_equal(e.session, 4);
		assert_int_not_equal(e.key, 0);
		assert_int_not_equal(e.key, last.key);
		assert_true(e.time_ns / 1000000000 >= (uint64_t)now.tv_sec);
		assert_int_equal(klog_add(&k, &e, NULL), 0);
		last = e;
	}
	assert_int_equal(klog_find(&k, 4, 100)->key, last.key);
	klog_deinit(&k);
}

static void test_mask(void **state)
{
	uint64_t plain[4] = { 0, 1, UINT64_MAX, 0x0123456789abcdef };
	uint64_t masked[5] = { 7, 7, 7, 7, 7 }, again[4];

	mask_xor(masked, plain, sizeof(plain), 0xff00ff00ff00ff00);
	assert_int_equal(masked[0], 0xff00ff00ff00ff00);
	assert_int_equal(masked[2], 0x00ff00ff00ff00ff);
	assert_int_equal(masked[4], 7);
	mask_xor(again, masked, sizeof(again), 0xff00ff00ff00ff00);
	assert_memory_equal(again, plain, sizeof(plain));
	/* In place, and nothing at all. */
	mask_xor(masked, masked, sizeof(plain), 0xff00ff00ff00ff00);
	assert_memory_equal(masked, plain, sizeof(plain));
	mask_xor(masked, plain, 0, 1);
	assert_memory_equal(masked, plain, sizeof(plain));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_many),
		cmocka_unit_test(test_keys),
		cmocka_unit_test(test_mask),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
