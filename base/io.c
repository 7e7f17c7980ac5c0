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
		if (n < 0)
			return xf_fail_errno(err, "%s", path);
		if (!n)
			break;
		ret_data->len += n;
		if (ret_data->len - start > max)
			return xf_fail(err, -EFBIG,
				       "%s: larger than %zu bytes", path, max);
	}
	*buf_reserve(ret_data, 0) = '\0';
	return 0;
}

int io_replace_file(const char *path, const void *data, size_t len, mode_t mode,
		    struct xf_err *err)
{
	_cleanup_free_ char *tmp = NULL;
	_cleanup_close_ int fd = -1;
	struct stat st;
	int rc;

	if (stat(path, &st) == 0 && !S_ISREG(st.st_mode)) {
		fd = open(path, O_WRONLY | O_CLOEXEC);
		if (fd < 0)
			return xf_fail_errno(err, "%s", path);
		rc = io_write_all(fd, data, len, err);
		return rc ? xf_prefix(err, rc, "%s", path) : 0;
	}
	if (asprintf(&tmp, "%s.XXXXXX", path) < 0) {
		tmp = NULL;
		return xf_fail(err, -ENOMEM, "%s: out of memory", path);
	}
	fd = mkostemp(tmp, O_CLOEXEC);
	if (fd < 0)
		return xf_fail_errno(err, "%s: cannot create a file beside it",
				     path);
	rc = io_write_all(fd, data, len, err);
	if (rc) {
		rc = xf_prefix(err, rc, "%s", path);
		goto fail;
	}
	if (fchmod(fd, mode) || rename(tmp, path)) {
		rc = xf_fail_errno(err, "%s", path);
		goto fail;
	}
	return 0;
fail:
	unlink(tmp);
	return rc;
}

int io_make_folders(const char *path, mode_t mode, struct xf_err *err)
{
	_cleanup_free_ char *copy = strdup(path);

	if (!copy)
		return xf_fail(err, -ENOMEM, "%s: out of memory", path);
	for (char *p = copy + 1;; p++) {
		char c = *p;

		if (c != '/' && c)
			continue;
		*p = '\0';
		if (mkdir(copy, mode) && errno != EEXIST)
			return xf_fail_errno(err, "%s", copy);
		*p = c;
		if (!c)
			return 0;
	}
}
