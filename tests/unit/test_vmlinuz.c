// SPDX-License-Identifier: GPL-2.0-only
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <lzma.h>
#include <zlib.h>
#include <zstd.h>

#include "sample_kernel.h"
#include "symtab.h"
#include "vmlinuz.h"

#define ROOM (1u << 20) /* more than any sample takes */

typedef void(pack_fn)(const struct buf *in, struct buf *out);

static void pack_gzip(const struct buf *in, struct buf *out)
{
	z_stream z = {
		.next_in = (uint8_t *)in->data,
		.avail_in = in->len,
		.next_out = (uint8_t *)buf_reserve(out, ROOM),
		.avail_out = ROOM,
	};

	assert_int_equal(deflateInit2(&z, 9, Z_DEFLATED, 16 + MAX_WBITS, 8,
				      Z_DEFAULT_STRATEGY),
			 Z_OK);
	assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
	out->len += z.total_out;
	deflateEnd(&z);
}

static void lzma_finish(lzma_stream *s, const struct buf *in, struct buf *out)
{
	s->next_in = (uint8_t *)in->data;
	s->avail_in = in->len;
	s->next_out = (uint8_t *)buf_reserve(out, ROOM);
	s->avail_out = ROOM;
	assert_int_equal(lzma_code(s, LZMA_FINISH), LZMA_STREAM_END);
	out->len += s->total_out;
	lzma_end(s);
	/* The kernel's build adds this, but for gzip, which has it. */
	sample_u32(out, in->len);
}

/* As the kernel's build does: an x86 filter, then LZMA2, and CRC32. */
static void pack_xz(const struct buf *in, struct buf *out)
{
	lzma_stream s = LZMA_STREAM_INIT;
	lzma_options_lzma o;
	lzma_filter filters[] = {
		{LZMA_FILTER_X86, NULL},
		{LZMA_FILTER_LZMA2, &o},
		{LZMA_VLI_UNKNOWN, NULL},
	};

	lzma_lzma_preset(&o, 6);
	assert_int_equal(lzma_stream_encoder(&s, filters, LZMA_CHECK_CRC32),
			 LZMA_OK);
	lzma_finish(&s, in, out);
}

static void pack_lzma(const struct buf *in, struct buf *out)
{
	lzma_stream s = LZMA_STREAM_INIT;
	lzma_options_lzma o;

	lzma_lzma_preset(&o, 6);
	assert_int_equal(lzma_alone_encoder(&s, &o), LZMA_OK);
	lzma_finish(&s, in, out);
}

static void pack_zstd(const struct buf *in, struct buf *out)
{
	size_t n = ZSTD_compress(buf_reserve(out, ROOM), ROOM, in->data,
				 in->len, 19);

	assert_false(ZSTD_isError(n));
	out->len += n;
	sample_u32(out, in->len);
}

static void lz4_more(struct buf *out, size_t len)
{
	if (len < 15)
		return;
	for (len -= 15; len >= 255; len -= 255)
		buf_putc(out, (char)255);
	buf_putc(out, len);
}

static void lz4_sequence(struct buf *out, const char *literals, size_t nr,
			 size_t off, size_t match)
{
	size_t low = match ? match - 4 : 0;

	buf_putc(out, (nr < 15 ? nr : 15) << 4 | (low < 15 ? low : 15));
	lz4_more(out, nr);
	buf_add(out, literals, nr);
	if (match) {
		sample_u16(out, off);
		lz4_more(out, low);
	}
}

/* Matches only what begins 1, 8 or 24 bytes before: runs and table entries. */
static void lz4_block(const char *p, size_t len, struct buf *out)
{
	static const size_t offs[] = {1, 8, 24};
	size_t start = 0, at = 0;

	while (at < len) {
		size_t best = 0, off = 0;

		for (size_t i = 0; i < ARRAY_SIZE(offs) && offs[i] <= at; i++) {
			size_t n = 0;

			while (at + n + 5 < len &&
			       p[at + n] == p[at + n - offs[i]])
				n++;
			if (n > best) {
				best = n;
				off = offs[i];
			}
		}
		if (best < 4) {
			at++;
			continue;
		}
		lz4_sequence(out, p + start, at - start, off, best);
		start = at += best;
	}
	lz4_sequence(out, p + start, len - start, 0, 0);
}

static void pack_lz4(const struct buf *in, struct buf *out)
{
	static const size_t max = 8u << 20;

	sample_u32(out, 0x184c2102);
	for (size_t at = 0; at < in->len; at += max) {
		_cleanup_(buf_deinit) struct buf block = BUF_INIT;
		size_t len = in->len - at;

		lz4_block(in->data + at, len < max ? len : max, &block);
		sample_u32(out, block.len);
		buf_add(out, block.data, block.len);
	}
	sample_u32(out, in->len);
}

/* A boot sector, 2 sectors of setup code, 16 bytes of the unpacker, payload. */
static void make_image(struct buf *out, const struct buf *payload)
{
	uint32_t off = 16, len = payload->len;

	buf_reserve(out, 4096);
	memset(out->data, 0, 3 * 512 + off);
	out->len = 3 * 512 + off;
	out->data[0x1f1] = 2;
	memcpy(out->data + 0x1fe, "\x55\xaa", 2);
	memcpy(out->data + 0x202, "HdrS\x0f\x02", 6);
	memcpy(out->data + 0x248, &off, 4);
	memcpy(out->data + 0x24c, &len, 4);
	buf_add(out, payload->data, payload->len);
	buf_puts(out, "and more of the unpacker");
}

static const struct {
	const char *name;
	pack_fn *pack;
} kinds[] = {
	{"gzip", pack_gzip}, {"xz", pack_xz},	{"lzma", pack_lzma},
	{"zstd", pack_zstd}, {"lz4", pack_lz4},
};

static void make(struct buf *image, const struct buf *elf, pack_fn *pack)
{
	_cleanup_(buf_deinit) struct buf payload = BUF_INIT;

	pack(elf, &payload);
	make_image(image, &payload);
}

static void test_kinds(void **state)
{
	_cleanup_(buf_deinit) struct buf elf = BUF_INIT;

	sample_elf(&elf, true);
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		_cleanup_(buf_deinit) struct buf image = BUF_INIT,
						 out = BUF_INIT;
		struct xf_err err;

		make(&image, &elf, kinds[i].pack);
		assert_true(vmlinuz_is(image.data, 1024));
		buf_puts(&out, "kept");
		if (vmlinuz_unpack(image.data, image.len, &out, &err))
			fail_msg("%s: %s", kinds[i].name, err.msg);
		assert_int_equal(out.len, elf.len + 4);
		assert_memory_equal(out.data, "kept", 4);
		assert_memory_equal(out.data + 4, elf.data, elf.len);
	}
}

/* Blocks are of 8 MiB: a second one must not look back into the first. */
static void test_lz4_blocks(void **state)
{
	_cleanup_(buf_deinit) struct buf elf = BUF_INIT, image = BUF_INIT,
					 out = BUF_INIT;
	struct xf_err err;

	sample_elf(&elf, true);
	for (uint32_t i = 0; i < 2500000; i++)
		sample_u32(&elf, i / 3);
	make(&image, &elf, pack_lz4);
	if (vmlinuz_unpack(image.data, image.len, &out, &err))
		fail_msg("%s", err.msg);
	assert_int_equal(out.len, elf.len);
	assert_memory_equal(out.data, elf.data, elf.len);
}

static void test_open(void **state)
{
	_cleanup_(buf_deinit) struct buf elf = BUF_INIT, image = BUF_INIT;
	_cleanup_(symtab_destroyp) struct symtab *st = NULL;
	char path[] = "/tmp/test_vmlinuz.XXXXXX";
	_cleanup_close_ int fd = mkstemp(path);
	struct xf_err err;
	int rc;

	sample_elf(&elf, true);
	make(&image, &elf, pack_zstd);
	assert_int_equal(write(fd, image.data, image.len), image.len);
	rc = symtab_open(path, &st, &err);
	unlink(path);
	if (rc)
		fail_msg("%s", err.msg);
	assert_int_equal(st->source, SYMTAB_VMLINUZ);
	assert_int_equal(st->nr, SAMPLE_NR);
	assert_int_equal(st->build_id_len, 20);
}

static void expect_error(const void *data, size_t len, int rc,
			 const char *sentence)
{
	_cleanup_(buf_deinit) struct buf out = BUF_INIT;
	struct xf_err err = {0};

	assert_int_equal(vmlinuz_unpack(data, len, &out, &err), rc);
	if (!strstr(err.msg, sentence))
		fail_msg("'%s' does not say '%s'", err.msg, sentence);
	assert_int_equal(out.len, 0);
}

static void expect_payload_error(const void *data, size_t len, int rc,
				 const char *sentence)
{
	_cleanup_(buf_deinit) struct buf payload = BUF_INIT, image = BUF_INIT;

	buf_add(&payload, data, len);
	make_image(&image, &payload);
	expect_error(image.data, image.len, rc, sentence);
}

static void test_refused(void **state)
{
	_cleanup_(buf_deinit) struct buf elf = BUF_INIT, image = BUF_INIT,
					 text = BUF_INIT, image2 = BUF_INIT;

	sample_elf(&elf, true);
	make(&image, &elf, pack_gzip);
	expect_error("", 0, -EBADMSG, "not an x86");
	expect_error(image.data, 0x24f, -EBADMSG, "not an x86");
	expect_error(image.data, image.len - 40, -EBADMSG, "cut off");
	image.data[0x206] = 7;
	expect_error(image.data, image.len, -EBADMSG, "2.08");
	image.data[0x206] = 8;
	memset(image.data + 0x248, 0xff, 4);
	expect_error(image.data, image.len, -EBADMSG, "cut off");

	expect_payload_error("\x89LZO1234", 8, -ENOTSUP, "lzo");
	expect_payload_error("BZh91234", 8, -ENOTSUP, "bzip2");
	expect_payload_error("hello, world", 12, -ENOTSUP, "any way");
	expect_payload_error("", 0, -ENOTSUP, "any way");
	expect_payload_error("\x1f\x8b\x08", 3, -ENOTSUP, "any way");
	expect_payload_error("\x1f\x8b\x08\0\0\0\0\0\xff\xff\xff\xff", 12,
			     -EFBIG, "4294967295 bytes");
	expect_payload_error("\x02\x21\x4c\x18\x0a\0\0\0", 8, -EBADMSG,
			     "lz4 data in it: it holds less");
	/* An LZ4 match before the start of everything, and one of offset 0. */
	expect_payload_error("\x02\x21\x4c\x18\x04\0\0\0\x10"
			     "a\x02\0\x0a\0\0"
			     "\0",
			     16, -EBADMSG, "damaged");
	expect_payload_error("\x02\x21\x4c\x18\x04\0\0\0\x10"
			     "a\0\0\x0a\0\0"
			     "\0",
			     16, -EBADMSG, "damaged");
	buf_puts(&text, "no ELF file at all");
	make(&image2, &text, pack_xz);
	expect_error(image2.data, image2.len, -EBADMSG, "no ELF");
}

static void test_damaged(void **state)
{
	_cleanup_(buf_deinit) struct buf elf = BUF_INIT;

	sample_elf(&elf, true);
	for (size_t kind = 0; kind < ARRAY_SIZE(kinds); kind++) {
		_cleanup_(buf_deinit) struct buf image = BUF_INIT;
		uint32_t seed = 7 + kind;

		make(&image, &elf, kinds[kind].pack);
		for (unsigned int i = 0; i < 1000; i++) {
			_cleanup_(buf_deinit) struct buf out = BUF_INIT;
			_cleanup_free_ uint8_t *copy = NULL;
			size_t len = image.len;

			if (i % 3 == 0)
				len = sample_random(&seed) % len;
			copy = sample_copy(image.data, len);
			if (i % 3 == 1)
				sample_damage(copy + 3 * 512, len - 3 * 512,
					      &seed);
			if (i % 3 == 2)
				sample_damage(copy + 0x1f0, 0x60, &seed);
			if (!vmlinuz_unpack(copy, len, &out, NULL))
				assert_true(out.len <= VMLINUZ_MAX);
			else
				assert_int_equal(out.len, 0);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_kinds),
		cmocka_unit_test(test_lz4_blocks),
		cmocka_unit_test(test_open),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_damaged),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
