// SPDX-License-Identifier: GPL-2.0-only
#include "memfile.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/magic.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "cleanup.h"

/* All mappings of all memfiles in this process: what SIGBUS looks through. */
#define MAX_MAPS 256

/* Bytes, of one call of memfile_for_each_extent()'s callback. */
#define MAX_EXTENT (2u << 20)

/* Bits of a mode that let somebody else read or write. */
#define OTHERS_RW 066

/* A piece of a file, mapped. The handler of SIGBUS reads and marks it. */
struct memfile_map {
	uint8_t *addr;
	size_t len;
	uint64_t off;		/* in the file, of addr[0] */
	size_t page_size;	/* more than 4096 on hugetlbfs */
	int prot;
	int fd;			/* owned */
	char *name;		/* owned; for messages */
	atomic_uint faults;	/* pages that were missing */
};

static _Atomic(struct memfile_map *) all_maps[MAX_MAPS];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct sigaction old_action;

static uint64_t round_down(uint64_t v, uint64_t unit)
{
	return v & ~(unit - 1);
}

static uint64_t round_up(uint64_t v, uint64_t unit)
{
	return round_down(v + unit - 1, unit);
}

/*
 * Put zeros where the file has nothing any more. If it was truncated that is
 * all the rest, done at once: a fault for each page would take too long.
 * fstat() and mmap() are plain system calls, fit for a signal handler.
 */
static bool patch(struct memfile_map *m, size_t pos)
{
	size_t start = round_down(pos, m->page_size), len = m->page_size;
	struct stat st;

	if (!fstat(m->fd, &st) && m->off + start >= (uint64_t)st.st_size)
		len = m->len - start;
	if (mmap(m->addr + start, len, m->prot,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE, -1,
		 0) == MAP_FAILED)
		return false;
	atomic_fetch_add(&m->faults, 1);
	return true;
}

static void on_sigbus(int sig, siginfo_t *info, void *context)
{
	int saved = errno;

	for (size_t i = 0; i < MAX_MAPS && info->si_code > 0; i++) {
		struct memfile_map *m = atomic_load(&all_maps[i]);
		size_t pos;

		if (!m)
			continue;
		pos = (uintptr_t)info->si_addr - (uintptr_t)m->addr;
		if (pos < m->len && patch(m, pos)) {
			errno = saved;
			return;
		}
	}
	/* Not ours: let it happen again to who was there before us. */
	sigaction(SIGBUS, &old_action, NULL);
	if (info->si_code <= 0)
		raise(sig);
	errno = saved;
}

/* Again with each mapping, as others may have set theirs in between. */
static void install_handler(void)
{
	struct sigaction sa = { .sa_sigaction = on_sigbus,
				.sa_flags = SA_SIGINFO | SA_ONSTACK };
	struct sigaction old;

	sigaction(SIGBUS, NULL, &old);
	if ((old.sa_flags & SA_SIGINFO) && old.sa_sigaction == on_sigbus)
		return;
	old_action = old;
	sigaction(SIGBUS, &sa, NULL);
}

static int publish(struct memfile_map *m, struct xf_err *err)
{
	size_t i = 0;

	pthread_mutex_lock(&lock);
	install_handler();
	while (i < MAX_MAPS && atomic_load(&all_maps[i]))
		i++;
	if (i < MAX_MAPS)
		atomic_store(&all_maps[i], m);
	pthread_mutex_unlock(&lock);
	if (i == MAX_MAPS)
		return xf_fail(err, -EMFILE,
			       "%s: this process has %d pieces of guest RAM "
			       "mapped already",
			       m->name, MAX_MAPS);
	return 0;
}

static void map_destroy(struct memfile_map *m)
{
	pthread_mutex_lock(&lock);
	for (size_t i = 0; i < MAX_MAPS; i++)
		if (atomic_load(&all_maps[i]) == m)
			atomic_store(&all_maps[i], NULL);
	pthread_mutex_unlock(&lock);
	if (m->addr)
		munmap(m->addr, m->len);
	xf_closep(&m->fd);
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
	int rc;

	if (m)
		m->fd = fd;
	else
		close(fd);
	if (more)
		mf->map = more;
	if (!m || !more)
		return xf_fail(err, -ENOMEM, "%s: out of memory", name);
	m->prot = prot;
	m->page_size = XF_PAGE_SIZE;
	m->name = strdup(name);
	if (!m->name)
		return xf_fail(err, -ENOMEM, "%s: out of memory", name);
	if (!fstatfs(fd, &fs) && fs.f_type == HUGETLBFS_MAGIC)
		m->page_size = fs.f_bsize;
	m->off = round_down(off, m->page_size);
	m->len = round_up(end, m->page_size) - m->off;
	addr = mmap(NULL, m->len, prot, MAP_SHARED, fd, m->off);
	if (addr == MAP_FAILED)
		return xf_fail_errno(err, "%s: cannot map %zu bytes", name,
				     m->len);
	m->addr = addr;
	/* A core file of ours is no place for a guest's memory. */
	madvise(addr, m->len, MADV_DONTDUMP);
	rc = publish(m, err);
	if (rc)
		return rc;
	mf->map[mf->nr_maps++] = *ret = m;
	m = NULL;
	return 0;
}

static int check_file(struct memfile *mf, const struct memslot_file *f,
		      uid_t qemu, uint64_t end, enum memfile_flags flags,
		      struct xf_err *err)
{
	struct stat st;

	if (fstat(f->fd, &st))
		return xf_fail_errno(err, "%s", f->name);
	if (!S_ISREG(st.st_mode))
		return xf_fail(err, -EINVAL, "%s: not a regular file", f->name);
	if (st.st_uid && st.st_uid != geteuid() && st.st_uid != qemu)
		return xf_fail(err, -EPERM,
			       "%s: belongs to user %u, neither to us nor to "
			       "QEMU's user",
			       f->name, st.st_uid);
	if ((uint64_t)st.st_size < end)
		return xf_fail(err, -ESTALE,
			       "%s: has %" PRIu64 " bytes, but the guest's RAM "
			       "reaches to %" PRIu64,
			       f->name, (uint64_t)st.st_size, end);
	/* What has no name can only be had through QEMU's own process. */
	if (!(st.st_mode & OTHERS_RW) || !st.st_nlink)
		return 0;
	if (!(flags & MEMFILE_ALLOW_OPEN))
		return xf_fail(err, -EPERM,
			       "%s: guest RAM with mode %04o is open to other "
			       "users: chmod 600 it, or start QEMU under umask "
			       "077",
			       f->name, st.st_mode & 07777);
	mf->open_ram = true;
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
				.ptr = m->addr + (s->off - m->off),
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

	if (!atomic_load_explicit(&m->faults, memory_order_relaxed))
		return 0;
	if (!fstat(m->fd, &st) && (uint64_t)st.st_size < m->off + m->len)
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
	off = s->map->off + (s->ptr - s->map->addr) + (gpa - s->gpa);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", s->map->fd);
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return xf_fail_errno(err, "%s: cannot be opened for writing",
				     s->map->name);
	rc = map_create(mf, fd, s->map->name, PROT_READ | PROT_WRITE, off,
			off + len, &m, err);
	if (rc)
		return rc;
	*ret_ptr = m->addr + (off - m->off);
	return 0;
}

int memfile_fd(const struct memfile *mf, size_t i)
{
	return mf->map[i]->fd;
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
			pread(m->fd, w->bounce + done, len - done, off + done);

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
		const uint8_t *ptr = m->addr + (off - m->off);
		size_t len = end - off < MAX_EXTENT ? end - off : MAX_EXTENT;
		uint64_t gpa = s->gpa + (ptr - s->ptr);
		int rc = 0;

		if (m->page_size != XF_PAGE_SIZE) {
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
	uint64_t off = m->off + (s->ptr - m->addr), end = off + s->len;

	while (off < end) {
		off_t data = lseek(m->fd, off, SEEK_DATA);
		off_t hole;
		int rc;

		if (data < 0 && errno == ENXIO)
			return 0;	/* no data up to the end of the file */
		if (data < 0)
			data = off;	/* cannot tell: take it all */
		hole = lseek(m->fd, data, SEEK_HOLE);
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
