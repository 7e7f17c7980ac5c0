/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * io -- whole reads and writes, atomic file replacement, temporary files.
 */
#ifndef XF_IO_H
#define XF_IO_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "buf.h"
#include "err.h"

/* All of @len bytes or an error; EINTR and short writes are handled. */
int io_write_all(int fd, const void *data, size_t len, struct xf_err *err);

/*
 * Append all of the file to @ret_data. -EFBIG when it holds more than @max
 * bytes. Works for files in /proc, whose size is not known before.
 */
int io_read_file(const char *path, size_t max, struct buf *ret_data,
		 struct xf_err *err);

/*
 * A file that is written as a whole: a reader sees the old one or the new one,
 * whole. The new one lies in the same folder until it is complete. A path that
 * is there but is no regular file (a FIFO, a terminal) is written to directly.
 *
 *	_cleanup_(io_replace_cancel) struct io_replace r = IO_REPLACE_INIT;
 *	io_replace_begin(&r, path, err);
 *	... write to r.fd ...
 *	io_replace_commit(&r, 0644, err);	subject to the umask
 */
struct io_replace {
	int fd;
	char *path, *tmp;	/* owned */
	bool has_tmp;		/* there is a file of that name */
	bool in_place;		/* a device or a pipe */
};

#define IO_REPLACE_INIT { .fd = -1 }

int io_replace_begin(struct io_replace *r, const char *path,
		     struct xf_err *err);
int io_replace_commit(struct io_replace *r, mode_t mode, struct xf_err *err);
/* Harmless after a commit. */
void io_replace_cancel(struct io_replace *r);

/* All of it in one call. */
int io_replace_file(const char *path, const void *data, size_t len, mode_t mode,
		    struct xf_err *err);

/*
 * A file for reading and writing that has no name, so it is gone with the
 * process however that ends. It lies in the folder of @beside, or, NULL, where
 * temporary files do. Returns the descriptor.
 */
int io_open_unnamed(const char *beside, struct xf_err *err);
/* The folder where temporary files lie. */
const char *io_temporary(void);

/* mkdir -p: missing parents too, all with @mode. */
int io_make_folders(const char *path, mode_t mode, struct xf_err *err);

#endif
