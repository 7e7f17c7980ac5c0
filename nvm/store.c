// SPDX-License-Identifier: GPL-2.0-only
#include "store.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "cleanup.h"
#include "clock.h"
#include "crc32c.h"

#define PAGE		4096ULL
#define ROUND_UP(n, to) (((n) + (to)-1) / (to) * (to))

uint32_t store_head_crc(const struct store_head *h)
{
	return crc32c(0, h, offsetof(struct store_head, crc));
}

static uint64_t data_begins(uint32_t nr_slots, uint64_t nr_blocks,
			    uint32_t shift)
{
	uint64_t end = LAYOUT_HEADS + nr_slots * sizeof(struct store_entry) +
		       nr_blocks * sizeof(uint64_t);

	/* So that blocks of a page or more begin with one. */
	return ROUND_UP(end, shift > 12 ? 1ULL << shift : PAGE);
}

uint64_t store_bytes(uint32_t nr_slots, uint64_t nr_blocks, uint32_t shift)
{
	return data_begins(nr_slots, nr_blocks, shift) + (nr_blocks << shift);
}

/* ---- create ---- */

static uint32_t shift_of(uint64_t block)
{
	return 63 - __builtin_clzll(block);
}

/* At most 65536 blocks, so that looking through the map costs nothing. */
static uint32_t suitable_shift(uint64_t size)
{
	uint32_t shift = 12;

	while (shift < STORE_MAX_SHIFT && size >> shift > 65536)
		shift++;
	return shift;
}

static int plan(const struct store_shape *shape, struct store_head *h,
		struct xf_err *err)
{
	uint32_t shift = shape->block ? shift_of(shape->block)
				      : suitable_shift(shape->size);
	uint64_t nr = shape->size >> shift;
	uint64_t slots = shape->nr_slots ? shape->nr_slots : nr / 4;

	if (shape->block & (shape->block - 1) || shift < STORE_MIN_SHIFT ||
	    shift > STORE_MAX_SHIFT)
		return xf_fail(err, -EINVAL,
			       "a block has 512 bytes to 1 GiB, "
			       "a power of two, not %u",
			       shape->block);
	if (!shape->nr_slots)
		slots = slots < 16 ? 16 : slots > 16384 ? 16384 : slots;
	if (slots > STORE_MAX_SLOTS)
		return xf_fail(err, -EINVAL,
			       "%" PRIu64 " traces: the most a "
			       "store can have is %u",
			       slots, STORE_MAX_SLOTS);
	if (nr > UINT32_MAX)
		return xf_fail(err, -EINVAL,
			       "blocks of %u bytes are too small for it",
			       1u << shift);
	/* What heads, entries and map take is taken from the blocks. */
	while (nr && store_bytes(slots, nr, shift) > shape->size)
		nr -= 1 + (nr >> 10);
	while (store_bytes(slots, nr + 1, shift) <= shape->size)
		nr++;
	if (!nr)
		return xf_fail(err, -EINVAL,
			       "%" PRIu64 " bytes are too few "
			       "for a store",
			       shape->size);
	*h = (struct store_head){
		.magic = STORE_MAGIC,
		.major = STORE_MAJOR,
		.minor = STORE_MINOR,
		.compat = shape->thin ? STORE_COMPAT_THIN : 0,
		.block_shift = shift,
		.nr_slots = slots,
		.nr_blocks = nr,
		.slots_off = LAYOUT_HEADS,
		.map_off = LAYOUT_HEADS + slots * sizeof(struct store_entry),
		.data_off = data_begins(slots, nr, shift),
	};
	h->size = store_bytes(slots, nr, shift);
	return 0;
}

static void write_heads(struct media *m, const struct store_head *h)
{
	media_copy(m, LAYOUT_COPY, h, sizeof(*h));
	/* Without the first word it is no store yet. */
	media_copy(m, sizeof(h->magic), &h->major,
		   sizeof(*h) - sizeof(h->magic));
	media_flush(m, LAYOUT_COPY, sizeof(*h));
	/* Both heads are there, but for that word. */
	media_persist(m, 0, sizeof(*h));
	media_store(m, 0, h->magic);
	/* An empty store. */
	media_persist(m, 0, sizeof(h->magic));
}

static int fill_in(struct store_head *h, struct xf_err *err)
{
	if (getrandom(h->uuid, sizeof(h->uuid), 0) != sizeof(h->uuid))
		return xf_fail_errno(err, "random numbers");
	h->created_ns = clock_ns(CLOCK_REALTIME);
	h->crc = store_head_crc(h);
	return 0;
}

int store_format(struct media *m, const struct store_shape *shape,
		 struct xf_err *err)
{
	struct store_head h;
	int rc = plan(shape, &h, err);

	rc = rc ? rc : fill_in(&h, err);
	if (rc)
		return rc;
	write_heads(m, &h);
	return media_sync(m, 0, LAYOUT_HEADS, err);
}

int store_create(struct store *st, const char *path,
		 const struct store_shape *shape, struct xf_err *err)
{
	struct store_head h;
	struct media m;
	int rc = plan(shape, &h, err);

	if (rc)
		return rc;
	rc = media_create(&m, path, h.size, shape->thin, err);
	if (rc)
		return rc;
	if (shape->thin)
		rc = media_back(&m, 0, h.data_off, err);
	rc = rc ? rc : store_format(&m, shape, err);
	rc = rc ? rc : store_attach(st, &m, err);
	if (rc) {
		unlink(path);
		media_close(&m);
	}
	return rc;
}

/* ---- open ---- */

/* Places that a damaged or hostile head must not lead us to. */
static bool fits(const struct store_head *h, uint64_t len)
{
	if (h->block_shift < STORE_MIN_SHIFT ||
	    h->block_shift > STORE_MAX_SHIFT || !h->nr_slots ||
	    h->nr_slots > STORE_MAX_SLOTS || !h->nr_blocks ||
	    h->nr_blocks > UINT32_MAX || h->size > len)
		return false;
	return h->slots_off == LAYOUT_HEADS &&
	       h->map_off == h->slots_off +
				     h->nr_slots * sizeof(struct store_entry) &&
	       h->data_off ==
		       data_begins(h->nr_slots, h->nr_blocks, h->block_shift) &&
	       h->size == h->data_off + (h->nr_blocks << h->block_shift);
}

int store_check_head(const struct media *m, uint64_t off, struct xf_err *err)
{
	struct store_head h;

	if (m->len < LAYOUT_HEADS)
		return xf_fail(err, -EBADMSG, "%s: no trace store", m->path);
	memcpy(&h, m->base + off, sizeof(h));
	if (h.magic != STORE_MAGIC)
		return xf_fail(err, -EBADMSG, "%s: no trace store", m->path);
	if (h.major != STORE_MAJOR)
		return xf_fail(err, -EPROTO,
			       "%s: of version %u, this xftrace knows %u",
			       m->path, h.major, STORE_MAJOR);
	if (h.crc != store_head_crc(&h))
		return xf_fail(err, -EBADMSG, "%s: its head is damaged",
			       m->path);
	if (h.incompat & ~STORE_INCOMPAT_KNOWN)
		return xf_fail(err, -EPROTO,
			       "%s: has features %#" PRIx64 " that this "
			       "xftrace does not know",
			       m->path, h.incompat);
	if (h.size > m->len)
		return xf_fail(err, -EBADMSG,
			       "%s: cut short, %" PRIu64 " of %" PRIu64
			       " bytes are there",
			       m->path, m->len, h.size);
	if (!fits(&h, m->len))
		return xf_fail(err, -EBADMSG, "%s: its head makes no sense",
			       m->path);
	return 0;
}

int store_attach(struct store *st, const struct media *m, struct xf_err *err)
{
	struct store_head h;
	int rc = store_check_head(m, 0, err);

	rc = rc ? rc : media_failed(m, err);
	if (rc)
		return rc;
	memcpy(&h, m->base, sizeof(h));
	*st = (struct store){
		.m = *m,
		.slots_off = h.slots_off,
		.map_off = h.map_off,
		.data_off = h.data_off,
		.nr_blocks = h.nr_blocks,
		.nr_slots = h.nr_slots,
		.block_shift = h.block_shift,
		.thin = h.compat & STORE_COMPAT_THIN,
	};
	return 0;
}

int store_open(struct store *st, const char *path, bool writable,
	       struct xf_err *err)
{
	struct media m;
	int rc = media_open(&m, path, writable, err);

	if (rc)
		return rc;
	rc = store_attach(st, &m, err);
	if (rc)
		media_close(&m);
	return rc;
}

void store_close(struct store *st)
{
	media_close(&st->m);
	*st = (struct store){ 0 };
}

/* ---- quota ---- */

uint64_t store_quota(const struct store *st)
{
	return media_load(&st->m, offsetof(struct store_head, quota));
}

int store_set_quota(struct store *st, uint64_t quota, struct xf_err *err)
{
	uint64_t off = offsetof(struct store_head, quota);
	int rc = store_lock(st, err);

	if (rc)
		return rc;
	media_store(&st->m, off, quota);
	/* It holds from here on. */
	media_persist(&st->m, off, sizeof(quota));
	rc = media_sync(&st->m, off, sizeof(quota), err);
	store_unlock(st);
	return rc;
}

/* ---- locks ---- */

/* Bytes that stand for something else than themselves. */
#define BYTE_STORE 0x4000000000000000LL
#define BYTE_WRITE 0x5000000000000000LL
#define BYTE_READ  0x6000000000000000LL

static int lock_byte(int fd, int how, short type, off_t byte)
{
	struct flock l = { .l_type = type,
			   .l_whence = SEEK_SET,
			   .l_start = byte,
			   .l_len = 1 };
	int rc;

	do
		rc = fcntl(fd, how, &l);
	while (rc && errno == EINTR);
	/* Who only asks takes silence for an answer: somebody has it. */
	return how == F_OFD_GETLK ? rc || l.l_type != F_UNLCK : rc;
}

int store_lock(struct store *st, struct xf_err *err)
{
	if (!st->m.writable)
		return xf_fail(err, -EROFS, "%s: opened for reading",
			       st->m.path);
	if (!st->locked &&
	    lock_byte(st->m.fd, F_OFD_SETLKW, F_WRLCK, BYTE_STORE))
		return xf_fail_errno(err, "%s: lock", st->m.path);
	st->locked++;
	return 0;
}

void store_unlock(struct store *st)
{
	if (!--st->locked)
		(void)lock_byte(st->m.fd, F_OFD_SETLK, F_UNLCK, BYTE_STORE);
}

int store_use(const struct store *st, uint32_t slot, enum store_use use,
	      struct xf_err *err)
{
	off_t byte = use == STORE_USE_WRITE ? BYTE_WRITE : BYTE_READ;
	short type = use == STORE_USE_READ ? F_RDLCK : F_WRLCK;
	_cleanup_close_ int fd = -1;
	char self[32];

	/* A description of its own: ours has the same locks as all we do. */
	snprintf(self, sizeof(self), "/proc/self/fd/%d", st->m.fd);
	fd = open(self, (st->m.writable ? O_RDWR : O_RDONLY) | O_CLOEXEC);
	if (fd < 0)
		return xf_fail_errno(err, "%s", st->m.path);
	if (lock_byte(fd, F_OFD_SETLK, type, byte + slot)) {
		if (errno == EAGAIN || errno == EACCES)
			return xf_fail(err, -EBUSY,
				       "%s: in use by another "
				       "process",
				       st->m.path);
		return xf_fail_errno(err, "%s: lock", st->m.path);
	}
	return xf_take_fd(fd);
}

bool store_is_written(const struct store *st, uint32_t slot)
{
	return lock_byte(st->m.fd, F_OFD_GETLK, F_WRLCK, BYTE_WRITE + slot);
}

bool store_is_read(const struct store *st, uint32_t slot)
{
	return lock_byte(st->m.fd, F_OFD_GETLK, F_WRLCK, BYTE_READ + slot);
}
