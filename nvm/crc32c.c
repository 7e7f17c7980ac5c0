// SPDX-License-Identifier: GPL-2.0-only
#include "crc32c.h"

#include <pthread.h>
#include <string.h>
#ifdef __x86_64__
#include <immintrin.h>
#endif

#define POLY 0x82f63b78u /* bit-reversed */
#define LANE 512u	 /* bytes of each of three lanes */
#define FOLD 256u	 /* bytes that are folded onto the next as many */

static uint32_t by_byte[256];
/* What a register becomes LANE zero bytes later, by its four bytes. */
static uint32_t later[4][256];
/* What moves 16 bytes past FOLD bytes, by their two halves. */
static uint64_t fold[2];

static uint32_t slow(uint32_t r, const uint8_t *p, size_t len)
{
	while (len--)
		r = r >> 8 ^ by_byte[(r ^ *p++) & 0xff];
	return r;
}

static uint32_t (*fast)(uint32_t r, const uint8_t *p, size_t len) = slow;

static uint32_t move(uint32_t r)
{
	return later[0][r & 0xff] ^ later[1][r >> 8 & 0xff] ^
	       later[2][r >> 16 & 0xff] ^ later[3][r >> 24];
}

static uint64_t word(const uint8_t *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

#ifdef __x86_64__
/*
 * The instruction takes three cycles but can begin every cycle: three lanes
 * keep it busy. CRCs are linear, so lanes are joined by moving the one in front
 * past the one behind.
 */
__attribute__((target("sse4.2"))) static uint32_t
with_sse42(uint32_t r, const uint8_t *p, size_t len)
{
	uint64_t a = r;

	for (; len >= 3 * LANE; len -= 3 * LANE, p += 3 * LANE) {
		uint64_t b = 0, c = 0;

		for (size_t i = 0; i < LANE; i += 8) {
			a = __builtin_ia32_crc32di(a, word(p + i));
			b = __builtin_ia32_crc32di(b, word(p + LANE + i));
			c = __builtin_ia32_crc32di(c, word(p + 2 * LANE + i));
		}
		a = move(move(a) ^ b) ^ c;
	}
	for (; len >= 8; len -= 8, p += 8)
		a = __builtin_ia32_crc32di(a, word(p));
	for (; len; len--)
		a = __builtin_ia32_crc32qi(a, *p++);
	return a;
}

/*
 * Sixteen times 16 bytes at once: each is multiplied, without carries, by what
 * it is worth FOLD bytes later, and added to what is there. What remains has
 * the same CRC as all of it had.
 */
__attribute__((target("avx512f,vpclmulqdq,sse4.2"))) static uint32_t
with_avx512(uint32_t r, const uint8_t *p, size_t len)
{
	const __m512i k = _mm512_set4_epi64(fold[1], fold[0], fold[1], fold[0]);
	uint8_t rest[FOLD];
	__m512i x[4];

	if (len < 4 * FOLD)
		return with_sse42(r, p, len);
	for (int i = 0; i < 4; i++)
		x[i] = _mm512_loadu_si512(p + 64 * i);
	x[0] = _mm512_xor_si512(x[0],
				_mm512_zextsi128_si512(_mm_cvtsi32_si128(r)));
	for (p += FOLD, len -= FOLD; len >= FOLD; p += FOLD, len -= FOLD)
		for (int i = 0; i < 4; i++)
			x[i] = _mm512_ternarylogic_epi64(
				_mm512_clmulepi64_epi128(x[i], k, 0x00),
				_mm512_clmulepi64_epi128(x[i], k, 0x11),
				_mm512_loadu_si512(p + 64 * i), 0x96);
	for (int i = 0; i < 4; i++)
		_mm512_storeu_si512(rest + 64 * i, x[i]);
	return with_sse42(with_sse42(0, rest, FOLD), p, len);
}
#endif

/* x to the power of @n, modulo the polynomial. */
static uint32_t power(uint32_t n)
{
	uint32_t r = 1u << 31;

	while (n--)
		r = r >> 1 ^ (r & 1 ? POLY : 0);
	return r;
}

static void set_up(void)
{
	static const uint8_t zeros[LANE];

	for (uint32_t i = 0; i < 256; i++) {
		uint32_t r = i;

		for (int bit = 0; bit < 8; bit++)
			r = r >> 1 ^ (r & 1 ? POLY : 0);
		by_byte[i] = r;
	}
	for (uint32_t i = 0; i < 256; i++)
		for (int n = 0; n < 4; n++)
			later[n][i] = slow(i << 8 * n, zeros, LANE);
	fold[0] = (uint64_t)power(FOLD * 8 + 32) << 1;
	fold[1] = (uint64_t)power(FOLD * 8 - 32) << 1;
#ifdef __x86_64__
	if (__builtin_cpu_supports("sse4.2"))
		fast = with_sse42;
	if (__builtin_cpu_supports("avx512f") &&
	    __builtin_cpu_supports("vpclmulqdq"))
		fast = with_avx512;
#endif
}

uint32_t crc32c(uint32_t crc, const void *data, size_t len)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, set_up);
	return ~fast(~crc, data, len);
}
