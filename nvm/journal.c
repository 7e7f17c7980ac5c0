// SPDX-License-Identifier: GPL-2.0-only
#include "journal.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <libpmem.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cleanup.h"

#define GROW_MIN (8u << 20)
#define DROP_STEP (16u << 20)

static struct journal_head *head_of(const struct journal *j)
{
	return (struct journal_head *)j->map;
}

static uint64_t chunk_bytes(uint64_t len)
{
	return sizeof(struct journal_chunk) + ((len + 7) & ~7ULL);
}

/*
 * On DAX the processor's caches are flushed. On any other file system the page
 * cache has the bytes, which outlives this process but not a power failure:
 * journal_sync() is for that, as an msync() here would stall the ring reader.
 */
static void persist(const struct journal *j, const void *p, size_t len)
{
	if (j->pmem)
		pmem_persist(p, len);
}

static void unmap_file(struct journal *j)
{
	if (!j->map)
		return;
	if (j->writable)
		pmem_unmap(j->map, j->map_len);
	else
		munmap(j->map, j->map_len);
	j->map = NULL;
}

/*
 * Map the file, made @len bytes long first if it is shorter. libpmem maps for
 * writing only, which a reader may not be allowed to do, and takes a name,
 * which may mean another file by now: through /proc it takes our descriptor.
 */
static int map_file(struct journal *j, size_t len, struct xf_err *err)
{
	char self[32];
	struct stat st;
	size_t mapped;
	int pmem = 0;
	void *p;

	if (j->writable) {
		snprintf(self, sizeof(self), "/proc/self/fd/%d", j->fd);
		p = pmem_map_file(self, len, len ? PMEM_FILE_CREATE : 0, 0600,
				  &mapped, &pmem);
	} else {
		if (fstat(j->fd, &st))
			return xf_fail_errno(err, "%s", j->path);
		mapped = st.st_size;
		p = mmap(NULL, mapped, PROT_READ, MAP_SHARED, j->fd, 0);
		if (p == MAP_FAILED)
			p = NULL;
	}
	if (!p)
		return xf_fail_errno(err, "%s", j->path);
	unmap_file(j);
	j->map = p;
	j->map_len = mapped;
	j->pmem = pmem;
	return 0;
}

/* The file itself stays as it is. */
static void let_go(struct journal *j)
{
	if (!j->path)
		return;
	unmap_file(j);
	close(j->fd);
	free(j->path);
	*j = (struct journal){ 0 };
}

static int open_file(struct journal *j, const char *path, int flags,
		     struct xf_err *err)
{
	int fd = open(path, flags | O_CLOEXEC, 0600);

	if (fd < 0)
		return xf_fail_errno(err, "%s", path);
	*j = (struct journal){ .fd = fd,
			       .path = strdup(path),
			       .writable = (flags & O_ACCMODE) == O_RDWR };
	if (!j->path)
		abort();
	return 0;
}

int journal_create(struct journal *j, const char *path, struct xf_err *err)
{
	struct journal new;
	int rc;

	rc = open_file(&new, path, O_RDWR | O_CREAT | O_EXCL, err);
	if (rc)
		return rc;
	rc = map_file(&new, GROW_MIN, err);
	if (rc) {
		unlink(path);
		let_go(&new);
		return rc;
	}
	*head_of(&new) = (struct journal_head){
		.magic = JOURNAL_MAGIC,
		.major = JOURNAL_MAJOR,
	};
	/* From here on the file is an empty journal. */
	persist(&new, new.map, JOURNAL_HEAD);
	*j = new;
	return 0;
}

static int check_head(struct journal *j, struct xf_err *err)
{
	const struct journal_head *h;
	struct stat st;
	int rc;

	if (fstat(j->fd, &st))
		return xf_fail_errno(err, "%s", j->path);
	if (!S_ISREG(st.st_mode) || st.st_size < JOURNAL_HEAD)
		return xf_fail(err, -EBADMSG, "%s: no trace", j->path);
	rc = map_file(j, 0, err);
	if (rc)
		return rc;
	h = head_of(j);
	if (h->magic != JOURNAL_MAGIC)
		return xf_fail(err, -EBADMSG, "%s: no trace", j->path);
	if (h->major != JOURNAL_MAJOR)
		return xf_fail(err, -EPROTO,
			       "%s: of version %u, this xftrace knows %u",
			       j->path, h->major, JOURNAL_MAJOR);
	j->committed = __atomic_load_n(&h->committed, __ATOMIC_ACQUIRE);
	j->end = j->committed;
	/* Its writer may have made it longer since it was mapped. */
	if (j->committed > j->map_len - JOURNAL_HEAD) {
		rc = map_file(j, 0, err);
		if (rc)
			return rc;
	}
	if (j->committed > j->map_len - JOURNAL_HEAD || j->committed % 8)
		return xf_fail(err, -EBADMSG, "%s: cut short", j->path);
	return 0;
}

static int open_as(struct journal *j, const char *path, int flags,
		   struct xf_err *err)
{
	struct journal new;
	int rc = open_file(&new, path, flags | O_NONBLOCK, err);

	if (rc)
		return rc;
	rc = check_head(&new, err);
	if (rc)
		let_go(&new);
	else
		*j = new;
	return rc;
}

int journal_open(struct journal *j, const char *path, struct xf_err *err)
{
	return open_as(j, path, O_RDONLY, err);
}

int journal_reopen(struct journal *j, const char *path, struct xf_err *err)
{
	return open_as(j, path, O_RDWR, err);
}

void journal_close(struct journal *j)
{
	unmap_file(j);
	/* What lies behind the last commit is nobody's any more. */
	if (j->path && j->writable &&
	    ftruncate(j->fd, JOURNAL_HEAD + j->committed)) {
		/* The file stays longer; nothing reads that part. */
	}
	let_go(j);
}

void *journal_reserve(struct journal *j, size_t max, struct xf_err *err)
{
	uint64_t need = JOURNAL_HEAD + j->end + chunk_bytes(max);
	uint64_t len = j->map_len;

	if (max > JOURNAL_CHUNK_MAX) {
		xf_fail(err, -EFBIG, "%s: a chunk of %zu bytes", j->path, max);
		return NULL;
	}
	if (need > len) {
		/* By a quarter: few remaps, and not much disk for nothing. */
		len += len / 4 > GROW_MIN ? len / 4 : GROW_MIN;
		if (len < need)
			len = need;
		len = (len + 4095) & ~4095ULL;
		if (map_file(j, len, err))
			return NULL;
	}
	return j->map + JOURNAL_HEAD + j->end + sizeof(struct journal_chunk);
}

void journal_add(struct journal *j, uint32_t type, size_t len)
{
	struct journal_chunk *c = (void *)(j->map + JOURNAL_HEAD + j->end);

	*c = (struct journal_chunk){ .type = type, .len = len };
	j->end += chunk_bytes(len);
}

int journal_put(struct journal *j, uint32_t type, const void *data, size_t len,
		struct xf_err *err)
{
	void *p = journal_reserve(j, len, err);

	if (!p)
		return err && err->code ? err->code : -ENOSPC;
	memcpy(p, data, len);
	journal_add(j, type, len);
	return 0;
}

/*
 * What was written is not needed again: a long trace must not look as if the
 * process had grown with it. The page cache keeps the bytes.
 */
static void drop_pages(struct journal *j)
{
	uint64_t end = (JOURNAL_HEAD + j->committed) & ~4095ULL;

	if (end < j->dropped + DROP_STEP)
		return;
	madvise(j->map + j->dropped, end - j->dropped, MADV_DONTNEED);
	j->dropped = end;
}

void journal_commit(struct journal *j)
{
	struct journal_head *h = head_of(j);

	if (j->end == j->committed)
		return;
	/* Chunks up to end are on media, but nothing says so yet. */
	persist(j, j->map + JOURNAL_HEAD + j->committed, j->end - j->committed);
	/* After this word they count. */
	__atomic_store_n(&h->committed, j->end, __ATOMIC_RELEASE);
	persist(j, &h->committed, sizeof(h->committed));
	j->committed = j->end;
	drop_pages(j);
}

int journal_sync(struct journal *j, struct xf_err *err)
{
	if (!j->pmem && pmem_msync(j->map, JOURNAL_HEAD + j->committed))
		return xf_fail_errno(err, "%s: msync", j->path);
	return 0;
}

int journal_next(const struct journal *j, uint64_t *pos, uint32_t *ret_type,
		 const void **ret_data, size_t *ret_len, struct xf_err *err)
{
	const uint8_t *base = j->map + JOURNAL_HEAD;
	struct journal_chunk c;

	if (*pos == j->committed)
		return 0;
	if (j->committed - *pos < sizeof(c))
		return xf_fail(err, -EBADMSG, "%s: damaged at %" PRIu64,
			       j->path, *pos);
	memcpy(&c, base + *pos, sizeof(c));
	if (chunk_bytes(c.len) > j->committed - *pos)
		return xf_fail(err, -EBADMSG, "%s: damaged at %" PRIu64,
			       j->path, *pos);
	*ret_type = c.type;
	*ret_data = base + *pos + sizeof(c);
	*ret_len = c.len;
	*pos += chunk_bytes(c.len);
	return 1;
}
