// SPDX-License-Identifier: GPL-2.0-only
#include "state.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "buf.h"
#include "cleanup.h"
#include "io.h"

char *state_join(const char *first, ...)
{
	struct buf b = BUF_INIT;
	const char *part;
	va_list ap;

	buf_puts(&b, first);
	va_start(ap, first);
	while ((part = va_arg(ap, const char *))) {
		buf_putc(&b, '/');
		buf_puts(&b, part);
	}
	va_end(ap);
	return buf_take(&b);
}

/* Takes @path. */
static int own_folder(char *path, char **ret_path, struct xf_err *err)
{
	struct stat st;
	int rc = io_make_folders(path, 0700, err);

	if (!rc && lstat(path, &st))
		rc = xf_fail_errno(err, "%s", path);
	if (!rc && (!S_ISDIR(st.st_mode) || st.st_uid != geteuid() ||
		    st.st_mode & 022))
		rc = xf_fail(err, -EPERM,
			     "%s: must be a folder that only you can write to",
			     path);
	if (rc)
		free(path);
	else
		*ret_path = path;
	return rc;
}

int state_runtime(char **ret_path, struct xf_err *err)
{
	const char *dir = getenv("XFTRACE_RUNTIME");
	char *path;

	if (dir && *dir)
		return own_folder(strdup(dir), ret_path, err);
	dir = getenv("XDG_RUNTIME_DIR");
	if (dir && *dir)
		return own_folder(state_join(dir, "xftrace", NULL), ret_path,
				  err);
	if (!geteuid())
		return own_folder(strdup("/run/xftrace"), ret_path, err);
	if (asprintf(&path, "/tmp/xftrace-%u", geteuid()) < 0)
		return xf_fail(err, -ENOMEM, "out of memory");
	return own_folder(path, ret_path, err);
}

static int home_folder(const char *own, const char *xdg, const char *below,
		       char **ret_path, struct xf_err *err)
{
	const char *dir = getenv(own);

	if (dir && *dir)
		return own_folder(strdup(dir), ret_path, err);
	dir = getenv(xdg);
	if (dir && *dir)
		return own_folder(state_join(dir, "xftrace", NULL), ret_path,
				  err);
	dir = getenv("HOME");
	if (!dir || !*dir)
		return xf_fail(err, -ENOENT, "neither %s nor HOME is set", own);
	return own_folder(state_join(dir, below, "xftrace", NULL), ret_path,
			  err);
}

int state_data(char **ret_path, struct xf_err *err)
{
	return home_folder("XFTRACE_DATA", "XDG_DATA_HOME", ".local/share",
			   ret_path, err);
}

int state_cache(char **ret_path, struct xf_err *err)
{
	return home_folder("XFTRACE_CACHE", "XDG_CACHE_HOME", ".cache",
			   ret_path, err);
}

bool state_name_ok(const char *name)
{
	size_t len = strlen(name);

	return len && len <= 64 && name[0] != '.' &&
	       strspn(name, "abcdefghijklmnopqrstuvwxyz"
			    "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") == len;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

int state_list(const char *sub, json_t **ret, struct xf_err *err)
{
	_cleanup_free_ char *runtime = NULL;
	_cleanup_free_ char *path = NULL;
	char **names = NULL;
	struct dirent *d;
	size_t nr = 0;
	DIR *dir;
	int rc;

	rc = state_runtime(&runtime, err);
	if (rc)
		return rc;
	*ret = json_array();
	path = state_join(runtime, sub, NULL);
	dir = opendir(path);
	if (!dir)
		return 0;
	while ((d = readdir(dir))) {
		char **more;

		if (!state_name_ok(d->d_name))
			continue;
		more = realloc(names, (nr + 1) * sizeof(*names));
		if (!more)
			break;
		names = more;
		names[nr++] = strdup(d->d_name);
	}
	closedir(dir);
	if (nr)
		qsort(names, nr, sizeof(*names), by_name);
	for (size_t i = 0; i < nr; i++) {
		json_array_append_new(*ret, json_string(names[i]));
		free(names[i]);
	}
	free(names);
	return 0;
}

void state_remove_folder(const char *path)
{
	struct dirent *d;
	DIR *dir = opendir(path);

	if (!dir)
		return;
	while ((d = readdir(dir)))
		if (strcmp(d->d_name, ".") && strcmp(d->d_name, ".."))
			unlinkat(dirfd(dir), d->d_name, 0);
	closedir(dir);
	rmdir(path);
}

int state_read_json(const char *path, json_t **ret, struct xf_err *err)
{
	_cleanup_(buf_deinit) struct buf b = BUF_INIT;
	json_error_t je;
	int rc = io_read_file(path, 1 << 20, &b, err);

	if (rc)
		return rc;
	*ret = json_loadb(b.data, b.len, 0, &je);
	if (!*ret)
		return xf_fail(err, -EBADMSG, "%s: damaged: %s", path, je.text);
	return 0;
}

int state_write_json(const char *path, const json_t *value, struct xf_err *err)
{
	_cleanup_free_ char *text = json_dumps(value, JSON_INDENT(1));

	if (!text)
		return xf_fail(err, -ENOMEM, "%s: out of memory", path);
	return io_replace_file(path, text, strlen(text), 0600, err);
}
