// SPDX-License-Identifier: GPL-2.0-only
/*
 * crc32c: as defined, in each way to compute it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>

/* Its ways are its own business; here they are looked at one by one. */
#include "crc32c.c"

/* Bit by bit, as the definition has it. */
static uint32_t crc_by_bits(uint32_t crc, const uint8_t *p, size_t len)
{
	crc = ~crc;
	while (len--) {
		crc ^= *p++;
		for (int i = 0; i < 8; i++)
			crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78 : 0);
	}
	return ~crc;
}

/* By each way that this processor knows. */
static void all_ways(const uint8_t *p, size_t len, uint32_t from)
{
	uint32_t crc = crc_by_bits(from, p, len);

	assert_int_equal(~slow(~from, p, len), crc);
#ifdef __x86_64__
	if (__builtin_cpu_supports("sse4.2"))
		assert_int_equal(~with_sse42(~from, p, len), crc);
	if (__builtin_cpu_supports("avx512f") &&
	    __builtin_cpu_supports("vpclmulqdq"))
		assert_int_equal(~with_avx512(~from, p, len), crc);
#endif
	assert_int_equal(crc32c(from, p, len), crc);
}

static void test_crc(void **state)
{
	static uint8_t data[70000];
	static const size_t lens[] = { 1023, 1024,  1025, 1279, 1280, 0,
				       1,    7,	    8,	  9,	63,   64,
				       512,  1535,  1536, 1537, 3071, 3072,
				       4096, 65536, 69999 };

	/* From the literature: RFC 3720. */
	assert_int_equal(crc32c(0, "123456789", 9), 0xe3069283);
	assert_int_equal(crc32c(0, data, 32), 0x8a9136aa);
	srand(3);
	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = rand();
	for (size_t i = 0; i < sizeof(lens) / sizeof(lens[0]); i++)
		for (size_t at = 0; at < 9 && at + lens[i] <= sizeof(data);
		     at++)
			all_ways(data + at, lens[i], i);
	for (size_t cut = 0; cut < 5000; cut += 37)
		assert_int_equal(
			crc32c(crc32c(0, data, cut), data + cut, 5000 - cut),
			crc32c(0, data, 5000));
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_crc) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
