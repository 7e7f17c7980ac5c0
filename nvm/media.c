// SPDX-License-Identifier: GPL-2.0-only
#include "media.h"

#include <errno.h>
#include <fcntl.h>
#include <libpmem.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cleanup.h"
#include "sigbus.h"

#define PAGE 4096ULL

/* ---- the two real ways to the media ---- */

static void store_word(struct media *m, uint64_t off, uint64_t value)
{
	__atomic_store_n((uint64_t *)(m->base + off), value, __ATOMIC_RELEASE);
}

static void pmem_way_copy(struct media *m, uint64_t off, const void *src,
			  size_t len)
{
	/* Kept in the caches: it is looked at once more before the flush. */
	pmem_memcpy(m->base + off, src, len, PMEM_F_MEM_NOFLUSH);
}

static void pmem_way_flush(struct media *m, uint64_t off, size_t len)
{
	pmem_flush(m->base + off, len);
}

static void pmem_way_fence(struct media *m)
{
	pmem_drain();
}

static int no_sync(struct media *m, uint64_t off, size_t len)
{
	return 0;
}

static const struct media_ops pmem_way = {
	.copy = pmem_way_copy,
	.store = store_word,
	.flush = pmem_way_flush,
	.fence = pmem_way_fence,
	.sync = no_sync,
};

static void cache_way_copy(struct media *m, uint64_t off, const void *src,
			   size_t len)
{
	memcpy(m->base + off, src, len);
}

static void no_flush(struct media *m, uint64_t off, size_t len)
{
}

/* Other processes map the same pages and see stores in our order. */
static void order_only(struct media *m)
{
	__atomic_thread_fence(__ATOMIC_RELEASE);
}

static int cache_way_sync(struct media *m, uint64_t off, size_t len)
{
	return pmem_msync(m->base + off, len);
}

static const struct media_ops cache_way = {
	.copy = cache_way_copy,
	.store = store_word,
	.flush = no_flush,
	.fence = order_only,
	.sync = cache_way_sync,
};

/* ---- files ---- */

/* Where it lies must not move, and a struct media may be copied. */
static int watch(struct media *m, struct xf_err *err)
{
	m->watch = calloc(1, sizeof(*m->watch));
	if (!m->watch)
		return xf_fail(err, -ENOMEM, "%s: out of memory", m->path);
	*m->watch = (struct sigbus_map){
		.addr = m->base,
		.len = (m->len + PAGE - 1) & ~(PAGE - 1),
		.page_size = PAGE,
		.prot = PROT_READ | (m->writable ? PROT_WRITE : 0),
		.fd = m->fd,
	};
	if (sigbus_watch(m->watch))
		return 0;
	return xf_fail(err, -EMFILE, "%s: too many stores are open", m->path);
}

/*
 * Only what is mapped with DAX takes MAP_SYNC; libpmem knows it by that, too.
 */
static void *map_to_read(int fd, size_t len, int *pmem)
{
	void *p = mmap(NULL, len, PROT_READ, MAP_SHARED_VALIDATE | MAP_SYNC, fd,
		       0);

	*pmem = p != MAP_FAILED;
	if (!*pmem)
		p = mmap(NULL, len, PROT_READ, MAP_SHARED, fd, 0);
	return p == MAP_FAILED ? NULL : p;
}

/*
 * libpmem maps for writing only, which a reader may not be allowed to do, and
 * takes a name, which may mean another file by now: through /proc it takes our
 * descriptor.
 */
static int map_file(struct media *m, struct xf_err *err)
{
	char self[32];
	struct stat st;
	size_t mapped;
	int pmem = 0;
	void *p;

	if (fstat(m->fd, &st))
		return xf_fail_errno(err, "%s", m->path);
	if (!S_ISREG(st.st_mode) || !st.st_size)
		return xf_fail(err, -EBADMSG, "%s: no trace store", m->path);
	mapped = st.st_size;
	if (m->writable) {
		snprintf(self, sizeof(self), "/proc/self/fd/%d", m->fd);
		p = pmem_map_file(self, 0, 0, 0, &mapped, &pmem);
	} else {
		p = map_to_read(m->fd, mapped, &pmem);
	}
	if (!p)
		return xf_fail_errno(err, "%s", m->path);
	m->base = p;
	m->len = mapped;
	m->durable = pmem;
	m->ops = pmem ? &pmem_way : &cache_way;
	return watch(m, err);
}

static int open_file(struct media *m, const char *path, int flags,
		     struct xf_err *err)
{
	*m = (struct media){ .writable = (flags & O_ACCMODE) == O_RDWR };
	m->path = strdup(path);
	if (!m->path)
		return xf_fail(err, -ENOMEM, "%s: out of memory", path);
	m->fd = open(path, flags | O_CLOEXEC | O_NONBLOCK, 0600);
	if (m->fd < 0) {
		int rc = xf_fail_errno(err, "%s", path);

		free(m->path);
		m->path = NULL;
		return rc;
	}
	return 0;
}

int media_create(struct media *m, const char *path, uint64_t len, bool thin,
		 struct xf_err *err)
{
	struct media new;
	int rc = open_file(&new, path, O_RDWR | O_CREAT | O_EXCL, err);

	if (rc)
		return rc;
	if (ftruncate(new.fd, len))
		rc = xf_fail_errno(err, "%s", path);
	if (!rc && !thin)
		rc = media_back(&new, 0, len, err);
	rc = rc ? rc : map_file(&new, err);
	if (rc) {
		unlink(path);
		media_close(&new);
		return rc;
	}
	*m = new;
	return 0;
}

int media_open(struct media *m, const char *path, bool writable,
	       struct xf_err *err)
{
	struct media new;
	int rc = open_file(&new, path, writable ? O_RDWR : O_RDONLY, err);

	if (rc)
		return rc;
	rc = map_file(&new, err);
	if (rc)
		media_close(&new);
	else
		*m = new;
	return rc;
}

void media_close(struct media *m)
{
	if (!m->path)
		return;
	if (m->watch)
		sigbus_forget(m->watch);
	free(m->watch);
	if (m->base && m->writable)
		pmem_unmap(m->base, m->len);
	else if (m->base)
		munmap(m->base, m->len);
	close(m->fd);
	free(m->path);
	*m = (struct media){ 0 };
}

/* ---- stores ---- */

/* A page was lost: what goes there is lost too, and so must be what follows. */
static bool is_lost(const struct media *m)
{
	return m->watch && sigbus_faults(m->watch);
}

void media_copy(struct media *m, uint64_t off, const void *src, size_t len)
{
	if (!is_lost(m))
		m->ops->copy(m, off, src, len);
}

void media_store(struct media *m, uint64_t off, uint64_t value)
{
	if (!is_lost(m))
		m->ops->store(m, off, value);
}

void media_flush(struct media *m, uint64_t off, size_t len)
{
	if (!is_lost(m))
		m->ops->flush(m, off, len);
}

void media_fence(struct media *m)
{
	m->ops->fence(m);
}

int media_failed(const struct media *m, struct xf_err *err)
{
	if (!is_lost(m))
		return 0;
	return xf_fail(err, -EIO,
		       "%s: the file was cut short, its disk is "
		       "full, or its medium fails",
		       m->path);
}

int media_sync(struct media *m, uint64_t off, size_t len, struct xf_err *err)
{
	if (m->ops->sync(m, off, len))
		return xf_fail_errno(err, "%s: msync", m->path);
	return media_failed(m, err);
}

int media_back(struct media *m, uint64_t off, uint64_t len, struct xf_err *err)
{
	int rc;

	do
		rc = fallocate(m->fd, 0, off, len);
	while (rc && errno == EINTR);
	/* A file system that cannot: then a full disk is a lost page. */
	if (rc && errno != EOPNOTSUPP)
		return xf_fail_errno(err, "%s", m->path);
	return 0;
}

void media_forget(struct media *m, uint64_t off, uint64_t len)
{
	uint64_t from = (off + PAGE - 1) & ~(PAGE - 1);
	uint64_t end = (off + len) & ~(PAGE - 1);

	/* Zeros that stand for a lost page must stay. */
	if (end > from && !is_lost(m))
		madvise(m->base + from, end - from, MADV_DONTNEED);
}
