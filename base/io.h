/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * io -- whole reads and writes, atomic file replacement.
 */
#ifndef XF_IO_H
#define XF_IO_H

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
 * Replace @path by @data: a reader sees the old file or the whole new one. The
 * new file lies in the same folder until it is complete and has @mode. A path
 * that is there but is no regular file (a FIFO, /dev/stdout) is written to.
 */
int io_replace_file(const char *path, const void *data, size_t len, mode_t mode,
		    struct xf_err *err);

/* mkdir -p: missing parents too, all with @mode. */
int io_make_folders(const char *path, mode_t mode, struct xf_err *err);

#endif
