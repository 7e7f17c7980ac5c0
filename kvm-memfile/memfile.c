// SPDX-License-Identifier: GPL-2.0-only
#include "memfile.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "cleanup.h"
#include "sigbus.h"

/* Bytes, of one call of memfile_for_each_extent()'s callback. */
#define MAX_EXTENT (2u << 20)

/* Bits of a mode that let somebody else read or write. */
#define OTHERS_RW 066

/* A piece of a file, mapped. */
struct memfile_map {
	struct sigbus_map at;	/* fd is owned */
	char *name;		/* owned; for messages */
};

static uint64_t round_down(uint64_t v, uint64_t unit)
{
	return v & ~(unit - 1);
}

static uint64_t round_up(uint64_t v, uint64_t unit)
{
	return round_down(v + unit - 1, unit);
}

static void map_destroy(struct memfile_map *m)
{
	sigbus_forget(&m->at);
	if (m->at.addr)
		munmap(m->at.addr, m->at.len);
	xf_closep(&m->at.fd);
	free(m->name);
	free(m);
}

XF_DEFINE_CLEANUP(struct memfile_map *, map_destroy)

/* Map [@off, @end) of @fd, which is taken over, rounded to whole pages. */
static int map_create(struct memfile *mf, int fd, const char *name, int prot,
		      uint64_t off, uint64_t end, struct memfile_map **ret,
		      struct xf_err *err)
{
	_cleanup_(map_destroyp) struct memfile_map *m = calloc(1, sizeof(*m));
	struct memfile_map **more =
		reallocarray(mf->map, mf->nr_maps + 1, sizeof(*mf->map));
	struct statfs fs;
	void *addr;

	if (m)
		m->at.fd = fd;
	else
		close(fd);
	if (more)
		mf->map = more;
	if (!m || !more)
		return xf_fail(err, -ENOMEM, "%s: out of memory", name);
	m->at.prot = prot;
	m->at.page_size = XF_PAGE_SIZE;
	m->name = strdup(name);
	if (!m->name)
		return xf_fail(err, -ENOMEM, "%s: out of memory", name);
	if (!fstatfs(fd, &fs) && fs.f_type == HUGETLBFS_MAGIC)
		m->at.page_size = fs.f_bsize;
	m->at.off = round_down(off, m->at.page_size);
	m->at.len = round_up(end, m->at.page_size) - m->at.off;
	addr = mmap(NULL, m->at.len, prot, MAP_SHARED, fd, m->at.off);
	if (addr == MAP_FAILED)
		return xf_fail_errno(err, "%s: cannot map %zu bytes", name,
				     m->at.len);
	m->at.addr = addr;
	/* A core file of ours is no place for a guest's memory. */
	madvise(addr, m->at.len, MADV_DONTDUMP);
	if (!sigbus_watch(&m->at))
		return xf_fail(err, -EMFILE,
			       "%s: this process has too many pieces of files "
			       "mapped already", name);
	mf->map[mf->nr_maps++] = *ret = m;
	m = NULL;
	return 0;
}

/* What has no name can only be had through QEMU's own process. */
static bool is_open(const struct stat *st)
{
	return st->st_mode & OTHERS_RW && st->st_nlink;
}

int memfile_check_access(const char *name, const struct stat *st,
			 enum memfile_flags flags, struct xf_err *err)
{
	if (!S_ISREG(st->st_mode))
		return xf_fail(err, -EINVAL, "%s: not a regular file", name);
	if (!is_open(st) || flags & MEMFILE_ALLOW_OPEN)
		return 0;
	return xf_fail(err, -EPERM,
		       "%s: guest RAM with mode %04o is open to other "
		       "users: chmod 600 it, or start QEMU under umask 077",
		       name, st->st_mode & 07777);
}

static int check_file(struct memfile *mf, const struct memslot_file *f,
		      uid_t qemu, uint64_t end, enum memfile_flags flags,
		      struct xf_err *err)
{
	struct stat st;
	int rc;

	if (fstat(f->fd, &st))
		return xf_fail_errno(err, "%s", f->name);
	if (st.st_uid && st.st_uid != geteuid() && st.st_uid != qemu)
		return xf_fail(err, -EPERM,
			       "%s: belongs to user %u, neither to us nor to "
			       "QEMU's user",
			       f->name, st.st_uid);
	rc = memfile_check_access(f->name, &st, flags, err);
	if (rc)
		return rc;
	if ((uint64_t)st.st_size < end)
		return xf_fail(err, -ESTALE,
			       "%s: has %" PRIu64 " bytes, but the guest's RAM "
			       "reaches to %" PRIu64,
			       f->name, (uint64_t)st.st_size, end);
	mf->open_ram |= is_open(&st);
	return 0;
}

/* Map file @nr from the first to the last byte that some slot uses. */
static int map_file(struct memfile *mf, const struct memslots *ms, size_t nr,
		    enum memfile_flags flags, struct xf_err *err)
{
	const struct memslot_file *f = &ms->file[nr];
	uint64_t first = UINT64_MAX, end = 0;
	struct memfile_map *m;
	int fd, rc;

	for (size_t i = 0; i < ms->nr; i++) {
		const struct memslot *s = &ms->slot[i];

		if (s->file != nr)
			continue;
		if (s->off < first)
			first = s->off;
		if (s->off + s->len > end)
			end = s->off + s->len;
	}
	if (!end)
		return 0;
	rc = check_file(mf, f, ms->uid, end, flags, err);
	if (rc)
		return rc;
	fd = fcntl(f->fd, F_DUPFD_CLOEXEC, 3);
	if (fd < 0)
		return xf_fail_errno(err, "%s", f->name);
	rc = map_create(mf, fd, f->name, PROT_READ, first, end, &m, err);
	if (rc)
		return rc;
	for (size_t i = 0; i < ms->nr; i++) {
		const struct memslot *s = &ms->slot[i];

		if (s->file == nr)
			mf->slot[i] = (struct memfile_slot){
				.gpa = s->gpa,
				.len = s->len,
				.ptr = m->at.addr + (s->off - m->at.off),
				.map = m
			};
	}
	return 0;
}

static int check_slots(const struct memslots *ms, struct xf_err *err)
{
	uint64_t gpa = 0;

	for (size_t i = 0; i < ms->nr; i++) {
		const struct memslot *s = &ms->slot[i];

		if (s->gpa < gpa || !s->len ||
		    (s->gpa | s->off | s->len) % XF_PAGE_SIZE ||
		    s->gpa + s->len < s->gpa || s->off + s->len < s->off ||
		    s->off + s->len > INT64_MAX || s->file >= ms->nr_files)
			return xf_fail(err, -EINVAL,
				       "guest RAM at 0x%" PRIx64
				       ": a slot that makes no sense",
				       s->gpa);
		gpa = s->gpa + s->len;
	}
	if (!ms->nr)
		return xf_fail(err, -EINVAL, "the guest has no RAM");
	return 0;
}

int memfile_open(struct memfile *mf, const struct memslots *ms,
		 enum memfile_flags flags, struct xf_err *err)
{
	int rc = check_slots(ms, err);

	if (rc)
		return rc;
	*mf = (struct memfile){ .guessed = ms->guessed, .nr = ms->nr };
	mf->slot = calloc(ms->nr, sizeof(*mf->slot));
	if (!mf->slot)
		return xf_fail(err, -ENOMEM, "out of memory");
	for (size_t i = 0; i < ms->nr_files && !rc; i++)
		rc = map_file(mf, ms, i, flags, err);
	if (rc) {
		memfile_close(mf);
		return rc;
	}
	for (size_t i = 0; i < mf->nr; i++)
		mf->ram_len += mf->slot[i].len;
	return 0;
}

void memfile_close(struct memfile *mf)
{
	for (size_t i = 0; i < mf->nr_maps; i++)
		map_destroy(mf->map[i]);
	free(mf->map);
	free(mf->slot);
	*mf = (struct memfile)MEMFILE_INIT;
}

static const struct memfile_slot *find_slot(const struct memfile *mf,
					    uint64_t gpa)
{
	size_t low = 0, high = mf->nr;

	while (low < high) {
		size_t mid = (low + high) / 2;
		const struct memfile_slot *s = &mf->slot[mid];

		if (gpa < s->gpa)
			high = mid;
		else if (gpa - s->gpa >= s->len)
			low = mid + 1;
		else
			return s;
	}
	return NULL;
}

uint64_t memfile_run(const struct memfile *mf, uint64_t gpa)
{
	const struct memfile_slot *s = find_slot(mf, gpa);

	return s ? s->len - (gpa - s->gpa) : 0;
}

const void *memfile_ptr(const struct memfile *mf, uint64_t gpa, size_t len)
{
	const struct memfile_slot *s = find_slot(mf, gpa);

	return s && len <= s->len - (gpa - s->gpa) ? s->ptr + (gpa - s->gpa) :
						     NULL;
}

static int check_map(const struct memfile_map *m, struct xf_err *err)
{
	struct stat st;

	if (!sigbus_faults(&m->at))
		return 0;
	if (!fstat(m->at.fd, &st) && (uint64_t)st.st_size < m->at.off + m->at.len)
		return xf_fail(err, -EIO,
			       "%s: the guest's RAM file was truncated",
			       m->name);
	return xf_fail(err, -EIO,
		       "%s: the host could not provide a page of guest RAM",
		       m->name);
}

int memfile_check(const struct memfile *mf, struct xf_err *err)
{
	int rc = 0;

	for (size_t i = 0; i < mf->nr_maps && !rc; i++)
		rc = check_map(mf->map[i], err);
	return rc;
}

static int not_ram(uint64_t gpa, struct xf_err *err)
{
	return xf_fail(err, -ERANGE, "0x%" PRIx64 " is no guest RAM", gpa);
}

int memfile_read(const struct memfile *mf, uint64_t gpa, void *dst, size_t len,
		 struct xf_err *err)
{
	uint8_t *p = dst;

	while (len) {
		const struct memfile_slot *s = find_slot(mf, gpa);
		uint64_t n;
		int rc;

		if (!s)
			return not_ram(gpa, err);
		n = s->len - (gpa - s->gpa);
		if (n > len)
			n = len;
		memcpy(p, s->ptr + (gpa - s->gpa), n);
		rc = check_map(s->map, err);
		if (rc)
			return rc;
		p += n;
		gpa += n;
		len -= n;
	}
	return 0;
}

int memfile_read_u64(const struct memfile *mf, uint64_t gpa, uint64_t *ret,
		     struct xf_err *err)
{
	const struct memfile_slot *s = find_slot(mf, gpa);

	if (gpa % sizeof(*ret))
		return xf_fail(err, -EINVAL, "0x%" PRIx64 " is not aligned",
			       gpa);
	if (!s)
		return not_ram(gpa, err);
	*ret = __atomic_load_n((const uint64_t *)(s->ptr + (gpa - s->gpa)),
			       __ATOMIC_RELAXED);
	return check_map(s->map, err);
}

int memfile_map_writable(struct memfile *mf, uint64_t gpa, size_t len,
			 void **ret_ptr, struct xf_err *err)
{
	const struct memfile_slot *s = find_slot(mf, gpa);
	struct memfile_map *m;
	char path[64];
	uint64_t off;
	int fd, rc;

	if (len > MEMFILE_MAX_WRITABLE)
		return xf_fail(err, -E2BIG,
			       "%zu bytes of guest RAM to write, at most %u",
			       len, MEMFILE_MAX_WRITABLE);
	if (!s || !len || len > s->len - (gpa - s->gpa))
		return not_ram(gpa, err);
	off = s->map->at.off + (s->ptr - s->map->at.addr) + (gpa - s->gpa);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", s->map->at.fd);
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return xf_fail_errno(err, "%s: cannot be opened for writing",
				     s->map->name);
	rc = map_create(mf, fd, s->map->name, PROT_READ | PROT_WRITE, off,
			off + len, &m, err);
	if (rc)
		return rc;
	*ret_ptr = m->at.addr + (off - m->at.off);
	return 0;
}

int memfile_fd(const struct memfile *mf, size_t i)
{
	return mf->map[i]->at.fd;
}

struct walk {
	const struct memfile_slot *slot;
	memfile_extent_fn fn;
	void *arg;
	uint8_t *bounce;	/* MAX_EXTENT bytes, if needed */
	struct xf_err *err;
};

/*
 * hugetlbfs has no SEEK_DATA, and touching a hole would take a huge page from
 * the guest's pool. read() answers a hole with zeros and takes nothing.
 */
static int read_extent(struct walk *w, uint64_t off, size_t len)
{
	const struct memfile_map *m = w->slot->map;
	size_t done = 0;

	if (!w->bounce)
		w->bounce = malloc(MAX_EXTENT);
	if (!w->bounce)
		return xf_fail(w->err, -ENOMEM, "out of memory");
	while (done < len) {
		ssize_t n =
			pread(m->at.fd, w->bounce + done, len - done, off + done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return xf_fail(w->err, -EIO,
				       "%s: guest RAM cannot be read", m->name);
		done += n;
	}
	return 0;
}

/* [@off, @end) of the file holds data. */
static int walk_data(struct walk *w, uint64_t off, uint64_t end)
{
	const struct memfile_slot *s = w->slot;
	const struct memfile_map *m = s->map;

	while (off < end) {
		const uint8_t *ptr = m->at.addr + (off - m->at.off);
		size_t len = end - off < MAX_EXTENT ? end - off : MAX_EXTENT;
		uint64_t gpa = s->gpa + (ptr - s->ptr);
		int rc = 0;

		if (m->at.page_size != XF_PAGE_SIZE) {
			rc = read_extent(w, off, len);
			ptr = w->bounce;
		}
		if (!rc)
			rc = w->fn(w->arg, gpa, ptr, len);
		if (!rc)
			rc = check_map(m, w->err);
		if (rc)
			return rc;
		off += len;
	}
	return 0;
}

static int walk_slot(struct walk *w)
{
	const struct memfile_slot *s = w->slot;
	const struct memfile_map *m = s->map;
	uint64_t off = m->at.off + (s->ptr - m->at.addr), end = off + s->len;

	while (off < end) {
		off_t data = lseek(m->at.fd, off, SEEK_DATA);
		off_t hole;
		int rc;

		if (data < 0 && errno == ENXIO)
			return 0;	/* no data up to the end of the file */
		if (data < 0)
			data = off;	/* cannot tell: take it all */
		hole = lseek(m->at.fd, data, SEEK_HOLE);
		if (hole < 0 || (uint64_t)hole > end)
			hole = end;
		/* Files of small blocks may have holes within a page. */
		data = round_down(data, XF_PAGE_SIZE);
		hole = round_up(hole, XF_PAGE_SIZE);
		if (data >= hole)
			return 0;
		rc = walk_data(w, data, hole);
		if (rc)
			return rc;
		off = hole;
	}
	return 0;
}

int memfile_for_each_extent(const struct memfile *mf, memfile_extent_fn fn,
			    void *arg, struct xf_err *err)
{
	struct walk w = { .fn = fn, .arg = arg, .err = err };
	int rc = 0;

	for (size_t i = 0; i < mf->nr && !rc; i++) {
		w.slot = &mf->slot[i];
		rc = walk_slot(&w);
	}
	free(w.bounce);
	return rc;
}
