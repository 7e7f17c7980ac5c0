// SPDX-License-Identifier: GPL-2.0-only
#include "stores.h"

#include <sanitizer/asan_interface.h>
#include <sys/mman.h>
#include <unistd.h>

#include "catalog.h"
#include "crc32c.h"
#include "journal.h"

static struct cursor input;

void stores_begin(struct cursor *in)
{
	input = *in;
}

uint64_t stores_read(struct store *st)
{
	struct catalog_entry e;
	struct journal j;
	uint64_t sum = 0;
	uint32_t slot = 0;

	while (catalog_next(st, &slot, &e)) {
		struct journal_chunk c = { 0 };

		if (journal_open(&j, st, e.name, NULL))
			continue;
		while (journal_next(&j, &c, NULL) > 0)
			for (size_t i = 0; i < c.len; i++)
				sum += ((const uint8_t *)c.data)[i];
		journal_close(&j);
	}
	return sum;
}

/* ---- a file in memory ---- */

static void copy(struct media *m, uint64_t off, const void *src, size_t len)
{
	memcpy(m->base + off, src, len);
}

static void store_word(struct media *m, uint64_t off, uint64_t value)
{
	memcpy(m->base + off, &value, sizeof(value));
}

static void no_flush(struct media *m, uint64_t off, size_t len)
{
}

static void no_fence(struct media *m)
{
}

static int no_sync(struct media *m, uint64_t off, size_t len)
{
	return 0;
}

static const struct media_ops in_memory = {
	.copy = copy,
	.store = store_word,
	.flush = no_flush,
	.fence = no_fence,
	.sync = no_sync,
};

static void fill(struct media *m)
{
	struct cursor in = input;

	m->len = cursor_u16(&in) % (STORES_MAX / STORES_UNIT) * STORES_UNIT;
	fuzz_must(!posix_memalign((void **)&m->base, 4096, m->len));
	memset(m->base, 0, m->len);
	while (!in.failed && cursor_left(&in)) {
		size_t at = cursor_u16(&in) * STORES_UNIT;
		size_t len = cursor_u8(&in) * STORES_UNIT;
		const void *p;

		if (len > cursor_left(&in))
			len = cursor_left(&in);
		p = cursor_bytes(&in, len);
		if (p && len <= m->len && at <= m->len - len)
			memcpy(m->base + at, p, len);
	}
}

static void make_empty(struct media *m)
{
	const struct store_shape shape = { .size = STORES_OUTPUT };

	m->len = STORES_OUTPUT;
	fuzz_must(!posix_memalign((void **)&m->base, 4096, m->len));
	memset(m->base, 0, m->len);
	fuzz_must(!store_format(m, &shape, NULL));
}

/* ---- What the linker takes for media.c's and crc32c.c's ---- */

int __wrap_media_open(struct media *m, const char *path, bool writable,
		      struct xf_err *err);
int __wrap_media_open(struct media *m, const char *path, bool writable,
		      struct xf_err *err)
{
	*m = (struct media){ .path = strdup(path),
			     .ops = &in_memory,
			     .writable = writable };
	/* Locks are real. */
	m->fd = memfd_create("fuzz", MFD_CLOEXEC);
	fuzz_must(m->path && m->fd >= 0);
	if (strcmp(path, STORES_INPUT))
		make_empty(m);
	else
		fill(m);
	return 0;
}

void __wrap_media_close(struct media *m);
void __wrap_media_close(struct media *m)
{
	if (!m->path)
		return;
	close(m->fd);
	free(m->base);
	free(m->path);
	*m = (struct media){ 0 };
}

uint32_t __wrap_crc32c(uint32_t crc, const void *data, size_t len);
uint32_t __wrap_crc32c(uint32_t crc, const void *data, size_t len)
{
	/* They are read all the same. */
	fuzz_must(!__asan_region_is_poisoned((void *)data, len));
	return 0;
}
