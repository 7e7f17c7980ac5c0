/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * media -- a file mapped into memory, and the only way to write to it.
 *
 *	media_copy(m, off, src, len);		stores
 *	media_store(m, off, value);		one aligned 8-byte word
 *	media_flush(m, off, len);		on their way to the media
 *	media_fence(m);				flushed before: there now
 *
 * On DAX a fence is durable (MAP_SYNC, and processors' caches are flushed). On
 * any other file system flush and fence cost nothing: the page cache has the
 * bytes, which outlives our process; media_sync() makes them survive power
 * loss. Loads go through m->base.
 *
 * The file may be cut short under us, or the medium fail: touching such a page
 * is SIGBUS. A handler, installed with each mapping, puts a page of zeros
 * there, and from then on media_failed() says so: nothing is written to the
 * media any more, and whoever read must not believe it. No thread dies, none is
 * interrupted. SIGBUS elsewhere is not ours and goes on to the handler before.
 *
 * Writers of one mapping take turns; readers need not.
 */
#ifndef XF_MEDIA_H
#define XF_MEDIA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "err.h"

struct media;
struct sigbus_map;

/* How stores reach the media; tests have one that keeps a log. */
struct media_ops {
	void (*copy)(struct media *m, uint64_t off, const void *src, size_t len);
	void (*store)(struct media *m, uint64_t off, uint64_t value);
	void (*flush)(struct media *m, uint64_t off, size_t len);
	void (*fence)(struct media *m);
	int (*sync)(struct media *m, uint64_t off, size_t len);
};

struct media {
	char *path;		/* owned, for messages; NULL when closed */
	uint8_t *base;
	uint64_t len;
	const struct media_ops *ops;
	struct sigbus_map *watch; /* where SIGBUS leaves its mark, or NULL */
	int fd;
	bool writable;
	bool durable;		/* a fence is; no sync needed */
};

/*
 * A new file of @len zero bytes, mode 0600. @thin: without disk space yet, see
 * media_back(). -EEXIST, -ENOSPC and other errno of the system; then there is
 * no new file.
 */
int media_create(struct media *m, const char *path, uint64_t len, bool thin,
		 struct xf_err *err);
/*
 * -EBADMSG: no regular file, or empty. Only a writer needs the right to write.
 */
int media_open(struct media *m, const char *path, bool writable,
	       struct xf_err *err);
/* Harmless on a zeroed struct. */
void media_close(struct media *m);

void media_copy(struct media *m, uint64_t off, const void *src, size_t len);
void media_store(struct media *m, uint64_t off, uint64_t value);
void media_flush(struct media *m, uint64_t off, size_t len);
void media_fence(struct media *m);

static inline void media_persist(struct media *m, uint64_t off, size_t len)
{
	media_flush(m, off, len);
	media_fence(m);
}

/* A part of it. */
struct media_range {
	uint64_t off, len;	/* bytes */
};

/* Fenced before: it survives power loss now, whatever the file system. */
int media_sync(struct media *m, uint64_t off, size_t len, struct xf_err *err);

/* 0, or -EIO when a page of it was lost, now or before. */
int media_failed(const struct media *m, struct xf_err *err);

/* Disk space for a range of a thin file. -ENOSPC. */
int media_back(struct media *m, uint64_t off, uint64_t len, struct xf_err *err);
/* These pages need not count as our memory: they will not be looked at soon. */
void media_forget(struct media *m, uint64_t off, uint64_t len);

/* A word that others may store meanwhile; what it covers is loaded after it. */
static inline uint64_t media_load(const struct media *m, uint64_t off)
{
	return __atomic_load_n((const uint64_t *)(m->base + off),
			       __ATOMIC_ACQUIRE);
}

#endif
