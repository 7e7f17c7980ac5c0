// SPDX-License-Identifier: GPL-2.0-only
#include "io.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cleanup.h"

int io_write_all(int fd, const void *data, size_t len, struct xf_err *err)
{
	const char *p = data;

	while (len) {
		ssize_t n = write(fd, p, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return xf_fail_errno(err, "write");
		p += n;
		len -= n;
	}
	return 0;
}

static void cut(struct buf *b, size_t len)
{
	b->len = len;
	*buf_reserve(b, 0) = '\0';
}

int io_read_file(const char *path, size_t max, struct buf *ret_data,
		 struct xf_err *err)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t start = ret_data->len;

	if (fd < 0)
		return xf_fail_errno(err, "%s", path);
	for (;;) {
		char *dst = buf_reserve(ret_data, 65536);
		ssize_t n = read(fd, dst, 65536);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			int rc = xf_fail_errno(err, "%s", path);

			cut(ret_data, start);
			return rc;
		}
		if (!n)
			break;
		ret_data->len += n;
		if (ret_data->len - start > max) {
			cut(ret_data, start);
			return xf_fail(err, -EFBIG,
				       "%s: larger than %zu bytes", path, max);
		}
	}
	*buf_reserve(ret_data, 0) = '\0';
	return 0;
}

/* In the folder of @path; -1: not every file system can do that. */
static int open_unnamed(const char *path)
{
	const char *slash = strrchr(path, '/');
	_cleanup_free_ char *folder =
		slash ? strndup(path, slash - path + 1) : strdup(".");

	if (!folder)
		abort();
	return open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
}

int io_replace_begin(struct io_replace *r, const char *path, struct xf_err *err)
{
	struct io_replace new = IO_REPLACE_INIT;
	struct stat st;

	if (asprintf(&new.tmp, "%s.XXXXXX", path) < 0)
		abort();
	new.path = strdup(path);
	if (stat(path, &st) == 0 && !S_ISREG(st.st_mode)) {
		new.fd = open(path, O_WRONLY | O_CLOEXEC);
		new.in_place = true;
	} else {
		new.fd = *path ? open_unnamed(path) : -1;
		if (new.fd < 0) {
			new.fd = mkostemp(new.tmp, O_CLOEXEC);
			new.has_tmp = new.fd >= 0;
		}
	}
	if (new.fd < 0) {
		int rc = xf_fail_errno(err, "cannot write %s", path);

		io_replace_cancel(&new);
		return rc;
	}
	*r = new;
	return 0;
}

/* Only now, for a moment, the new file has a name of its own. */
static int name_it(struct io_replace *r)
{
	char fd[32];

	snprintf(fd, sizeof(fd), "/proc/self/fd/%d", r->fd);
	snprintf(r->tmp + strlen(r->path), strlen(".XXXXXX") + 1, ".%06u",
		 (unsigned int)getpid() % 1000000);
	unlink(r->tmp);
	if (linkat(AT_FDCWD, fd, AT_FDCWD, r->tmp, AT_SYMLINK_FOLLOW))
		return -1;
	r->has_tmp = true;
	return 0;
}

int io_replace_commit(struct io_replace *r, mode_t mode, struct xf_err *err)
{
	mode_t mask = umask(0);

	umask(mask);
	if (!r->in_place &&
	    (fchmod(r->fd, mode & ~mask) || (!r->has_tmp && name_it(r)) ||
	     rename(r->tmp, r->path)))
		return xf_fail_errno(err, "%s", r->path);
	r->has_tmp = false;
	io_replace_cancel(r);
	return 0;
}

void io_replace_cancel(struct io_replace *r)
{
	if (r->fd >= 0)
		close(r->fd);
	if (r->has_tmp)
		unlink(r->tmp);
	free(r->tmp);
	free(r->path);
	*r = (struct io_replace)IO_REPLACE_INIT;
}

int io_replace_file(const char *path, const void *data, size_t len, mode_t mode,
		    struct xf_err *err)
{
	_cleanup_(io_replace_cancel) struct io_replace r = IO_REPLACE_INIT;
	int rc;

	rc = io_replace_begin(&r, path, err);
	if (rc)
		return rc;
	rc = io_write_all(r.fd, data, len, err);
	if (rc)
		return xf_prefix(err, rc, "%s", path);
	return io_replace_commit(&r, mode, err);
}

const char *io_temporary(void)
{
	return getenv("TMPDIR") ?: "/tmp";
}

int io_open_unnamed(const char *beside, struct xf_err *err)
{
	const char *tmp = io_temporary();
	_cleanup_free_ char *name = NULL;
	int fd;

	if (beside ? asprintf(&name, "%s.XXXXXX", beside) < 0 :
		     asprintf(&name, "%s/xftrace.XXXXXX", tmp) < 0)
		abort();
	fd = open_unnamed(name);
	if (fd >= 0)
		return fd;
	fd = mkostemp(name, O_CLOEXEC);
	if (fd < 0)
		return xf_fail_errno(err, "no temporary file beside %s",
				     beside ? beside : tmp);
	unlink(name);
	return fd;
}

int io_make_folders(const char *path, mode_t mode, struct xf_err *err)
{
	_cleanup_free_ char *copy = strdup(path);
	struct stat st;

	if (!copy)
		return xf_fail(err, -ENOMEM, "%s: out of memory", path);
	for (char *p = *copy ? copy + 1 : copy;; p++) {
		char c = *p;

		if (c != '/' && c)
			continue;
		*p = '\0';
		if (mkdir(copy, mode) && errno != EEXIST)
			return xf_fail_errno(err, "%s", copy);
		*p = c;
		if (!c)
			break;
	}
	/* What was there already may be something else. */
	if (stat(path, &st))
		return xf_fail_errno(err, "%s", path);
	return S_ISDIR(st.st_mode) ? 0 : xf_fail(err, -ENOTDIR,
						 "%s is no folder", path);
}
