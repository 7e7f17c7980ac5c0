// SPDX-License-Identifier: GPL-2.0-only
#include "vmlinuz.h"

#include <errno.h>
#include <inttypes.h>
#include <lzma.h>
#include <stdint.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>

#include "cleanup.h"
#include "cursor.h"
#include "io.h"

#define SECTOR 512u

/* Fields of the boot header, as offsets in the file. */
enum {
	SETUP_SECTS = 0x1f1,
	BOOT_FLAG = 0x1fe,
	HEADER_MAGIC = 0x202,
	PROTOCOL = 0x206,
	PAYLOAD_OFFSET = 0x248,
	PAYLOAD_LENGTH = 0x24c,
	HEADER_END = 0x250,
};

static uint16_t u16_at(const uint8_t *p)
{
	return p[0] | p[1] << 8;
}

static uint32_t u32_at(const uint8_t *p)
{
	return u16_at(p) | (uint32_t)u16_at(p + 2) << 16;
}

/*
 * Each of these fills out[0..out_len) and answers NULL, or what was wrong.
 * Bytes behind the compressed ones are none of theirs.
 */
typedef const char *(unpack_fn)(const uint8_t *in, size_t in_len, uint8_t *out,
				size_t out_len);

static const char too_short[] = "it holds less than it promises";

static const char *unpack_gzip(const uint8_t *in, size_t in_len, uint8_t *out,
			       size_t out_len)
{
	z_stream z = {
		.next_in = (uint8_t *)in,
		.avail_in = in_len,
		.next_out = out,
		.avail_out = out_len,
	};
	int rc = inflateInit2(&z, 16 + MAX_WBITS);

	if (rc == Z_OK)
		rc = inflate(&z, Z_FINISH);
	inflateEnd(&z);
	if (rc != Z_STREAM_END)
		return "zlib cannot read it";
	return z.avail_out ? too_short : NULL;
}

/* Both .xz, where the kernel puts an x86 filter before LZMA2, and .lzma. */
static const char *unpack_lzma(const uint8_t *in, size_t in_len, uint8_t *out,
			       size_t out_len)
{
	lzma_stream s = LZMA_STREAM_INIT;
	lzma_ret rc = lzma_auto_decoder(&s, VMLINUZ_MAX, 0);

	s.next_in = in;
	s.avail_in = in_len;
	s.next_out = out;
	s.avail_out = out_len;
	if (rc == LZMA_OK)
		rc = lzma_code(&s, LZMA_FINISH);
	lzma_end(&s);
	if (rc != LZMA_STREAM_END)
		return "liblzma cannot read it";
	return s.avail_out ? too_short : NULL;
}

static const char *unpack_zstd(const uint8_t *in, size_t in_len, uint8_t *out,
			       size_t out_len)
{
	size_t n = ZSTD_findFrameCompressedSize(in, in_len);

	if (!ZSTD_isError(n))
		n = ZSTD_decompress(out, out_len, in, n);
	if (ZSTD_isError(n))
		return "libzstd cannot read it";
	return n < out_len ? too_short : NULL;
}

/* A length of which LZ4 gave @start in 4 bits; 15 says that more follows. */
static size_t lz4_length(struct cursor *c, size_t start)
{
	uint8_t byte = 255;

	if (start < 15)
		return start;
	while (byte == 255 && !c->failed) {
		byte = cursor_u8(c);
		start += byte;
	}
	return start;
}

/*
 * One block: literals, then a match, over and over; the last sequence has no
 * match. Returns the bytes written, 0 when it is damaged or does not fit.
 */
static size_t lz4_block(struct cursor c, uint8_t *out, size_t out_len)
{
	size_t done = 0;

	for (;;) {
		uint8_t token = cursor_u8(&c);
		size_t len = lz4_length(&c, token >> 4), off;
		const void *literals = cursor_bytes(&c, len);

		if (!literals || len > out_len - done)
			return 0;
		memcpy(out + done, literals, len);
		done += len;
		if (!cursor_left(&c))
			return done;

		off = cursor_u16(&c);
		len = lz4_length(&c, token & 15) + 4;
		if (c.failed || !off || off > done || len > out_len - done)
			return 0;
		/* A match may reach into what it writes: it repeats itself. */
		if (off >= len) {
			memcpy(out + done, out + done - off, len);
			done += len;
		} else {
			for (; len; len--, done++)
				out[done] = out[done - off];
		}
	}
}

/* The format of "lz4 -l": magic, then blocks of 8 MiB, each with its length. */
static const char *unpack_lz4(const uint8_t *in, size_t in_len, uint8_t *out,
			      size_t out_len)
{
	struct cursor c = cursor_of(in + 4, in_len - 4);
	size_t done = 0;

	while (done < out_len) {
		size_t len = cursor_u32(&c), max = out_len - done, n;
		const void *block = cursor_bytes(&c, len);

		if (!block)
			return too_short;
		if (max > 8u << 20)
			max = 8u << 20;
		n = lz4_block(cursor_of(block, len), out + done, max);
		if (!n)
			return "an LZ4 block is damaged";
		done += n;
	}
	return NULL;
}

static const struct compression {
	const char *name;
	const char *magic;
	size_t magic_len;
	unpack_fn *unpack; /* NULL: not known here */
} compressions[] = {
	{"gzip", "\x1f\x8b", 2, unpack_gzip},
	{"xz",
	 "\xfd"
	 "7zXZ",
	 6, unpack_lzma},
	{"lzma", "\x5d\0\0", 3, unpack_lzma},
	{"zstd", "\x28\xb5\x2f\xfd", 4, unpack_zstd},
	{"lz4", "\x02\x21\x4c\x18", 4, unpack_lz4},
	{"lzo", "\x89LZO", 4, NULL},
	{"bzip2", "BZh", 3, NULL},
};

bool vmlinuz_is(const void *data, size_t len)
{
	const uint8_t *p = data;

	return len >= HEADER_END && u16_at(p + BOOT_FLAG) == 0xaa55 &&
	       !memcmp(p + HEADER_MAGIC, "HdrS", 4);
}

/* The compressed bytes. Their place counts from behind the setup sectors. */
static int find_payload(const uint8_t *p, size_t len, struct cursor *ret,
			struct xf_err *err)
{
	uint64_t start, size;

	if (!vmlinuz_is(p, len))
		return xf_fail(err, -EBADMSG, "not an x86 kernel image");
	if (u16_at(p + PROTOCOL) < 0x208)
		return xf_fail(err, -EBADMSG,
			       "boot protocol %x is older than 2.08, Linux "
			       "2.6.26",
			       u16_at(p + PROTOCOL));
	start = (p[SETUP_SECTS] ? p[SETUP_SECTS] : 4) + 1;
	start = start * SECTOR + u32_at(p + PAYLOAD_OFFSET);
	size = u32_at(p + PAYLOAD_LENGTH);
	if (start > len || size > len - start)
		return xf_fail(err, -EBADMSG,
			       "cut off: %zu bytes, and the compressed kernel "
			       "ends at %" PRIu64,
			       len, start + size);
	*ret = cursor_of(p + start, size);
	return 0;
}

int vmlinuz_unpack(const void *data, size_t len, struct buf *ret_elf,
		   struct xf_err *err)
{
	const struct compression *z = compressions;
	const struct compression *end = z + ARRAY_SIZE(compressions);
	struct cursor in = {0};
	const char *wrong;
	uint32_t size;
	uint8_t *out;
	int rc = find_payload(data, len, &in, err);

	if (rc)
		return rc;
	while (z < end && (cursor_left(&in) < z->magic_len + 4 ||
			   memcmp(in.p, z->magic, z->magic_len) != 0))
		z++;
	if (z == end)
		return xf_fail(err, -ENOTSUP,
			       "the kernel in it is not compressed in any way "
			       "that is known here");
	if (!z->unpack)
		return xf_fail(err, -ENOTSUP,
			       "the kernel in it is compressed with %s, which "
			       "is not supported; give its vmlinux or "
			       "System.map",
			       z->name);
	/* The kernel's build puts the size behind; gzip does so by itself. */
	size = u32_at(in.end - 4);
	if (size > VMLINUZ_MAX)
		return xf_fail(err, -EFBIG,
			       "the kernel in it is said to have %u bytes",
			       size);
	out = (uint8_t *)buf_reserve(ret_elf, size);
	wrong = z->unpack(in.p, cursor_left(&in), out, size);
	if (!wrong && (size < 4 || memcmp(out, "\177ELF", 4) != 0))
		wrong = "what it holds is no ELF file";
	if (wrong)
		return xf_fail(err, -EBADMSG, "the %s data in it: %s", z->name,
			       wrong);
	ret_elf->len += size;
	return 0;
}

int vmlinuz_read(const char *path, struct buf *ret_elf, struct xf_err *err)
{
	_cleanup_(buf_deinit) struct buf file = BUF_INIT;
	int rc = io_read_file(path, VMLINUZ_MAX, &file, err);

	if (rc)
		return rc;
	if (vmlinuz_is(file.data, file.len))
		rc = vmlinuz_unpack(file.data, file.len, ret_elf, err);
	else if (file.len >= 4 && !memcmp(file.data, "\177ELF", 4))
		buf_add(ret_elf, file.data, file.len);
	else
		rc = xf_fail(err, -ENODATA, "no kernel image");
	return rc ? xf_prefix(err, rc, "%s", path) : 0;
}
