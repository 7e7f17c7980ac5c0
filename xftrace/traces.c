// SPDX-License-Identifier: GPL-2.0-only
#include "traces.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#include "cleanup.h"
#include "log.h"
#include "state.h"

#define DEFAULT_SIZE  (64ULL << 30)
#define DEFAULT_SLOTS 4096
#define DEFAULT_NAME  "traces.store"

/* Under another name until it is whole: somebody else may be about it, too. */
static int make_default(const char *path, struct xf_err *err)
{
	_cleanup_free_ char *tmp = NULL;
	struct store_shape shape = { .size = DEFAULT_SIZE, .thin = true };
	_cleanup_close_ int fd = -1;
	struct statvfs fs;
	struct store st;
	int rc;

	if (asprintf(&tmp, "%s.%d", path, getpid()) < 0)
		abort();
	/* More than the disk has would never be filled. */
	fd = open(tmp, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0 || fstatvfs(fd, &fs))
		return xf_fail_errno(err, "%s", tmp);
	if (fs.f_blocks < DEFAULT_SIZE / fs.f_frsize)
		shape.size = fs.f_blocks * fs.f_frsize;
	else
		shape.nr_slots = DEFAULT_SLOTS;
	unlink(tmp);
	rc = store_create(&st, tmp, &shape, err);
	if (rc)
		return rc;
	if (link(tmp, path) && errno != EEXIST)
		rc = xf_fail_errno(err, "%s", path);
	else
		xf_debug("%s: made, %s", path, st.m.durable ?
			 "on persistent memory" :
			 "not on persistent memory");
	unlink(tmp);
	store_close(&st);
	return rc;
}

int traces_path(const char *path, char **ret_path, struct xf_err *err)
{
	_cleanup_free_ char *data = NULL;
	int rc;

	if (!path)
		path = getenv("XFTRACE_STORE");
	if (path && *path) {
		*ret_path = strdup(path);
		return 0;
	}
	rc = state_data(&data, err);
	if (!rc)
		*ret_path = state_join(data, DEFAULT_NAME, NULL);
	return rc;
}

int traces_open(struct store *st, const char *path, enum traces_use use,
		struct xf_err *err)
{
	_cleanup_free_ char *file = NULL;
	bool is_default;
	int rc = traces_path(path, &file, err);

	if (rc)
		return rc;
	is_default = !path && !getenv("XFTRACE_STORE");
	if (is_default && access(file, F_OK)) {
		if (use != TRACES_ADD)
			return xf_fail(err, -ENODATA,
				       "no trace was recorded yet: 'xftrace on "
				       "FUNCTION...' begins");
		rc = make_default(file, err);
	}
	return rc ? rc : store_open(st, file, use != TRACES_READ, err);
}

bool traces_is_baseline(const struct store *st, const struct catalog_entry *e)
{
	struct store reader = *st; /* a journal wants one that may change */
	struct journal j = { 0 };
	struct journal_chunk c = { 0 };
	bool is = !e->finished && !e->damaged &&
		  !journal_open(&j, &reader, e->name, NULL) &&
		  journal_next(&j, &c, NULL) > 0 && c.type == TRACE_BASELINE;

	journal_close(&j);
	return is;
}

static int find_newest(const struct store *st, struct catalog_entry *ret,
		       struct xf_err *err)
{
	struct catalog_entry e, newest = { 0 };
	uint32_t slot = 0;

	while (catalog_next(st, &slot, &e))
		if (!e.damaged && e.created_ns >= newest.created_ns &&
		    !traces_is_baseline(st, &e))
			newest = e;
	if (!newest.id)
		return xf_fail(err, -ENOENT, "%s: has no trace", st->m.path);
	*ret = newest;
	return 0;
}

static int open_named(struct store *st, struct journal *j, const char *path,
		      const char *name, struct xf_err *err)
{
	struct catalog_entry e;
	int rc = traces_open(st, path, TRACES_READ, err);

	if (rc)
		return rc;
	rc = name ? catalog_find(st, name, &e, err) : find_newest(st, &e, err);
	rc = rc ? rc : journal_open(j, st, e.name, err);
	if (rc)
		store_close(st);
	return rc;
}

int traces_open_one(struct store *st, struct journal *j, const char *path,
		    const char *what, struct xf_err *err)
{
	int rc = open_named(st, j, path, what, err);

	/* -EINVAL: such as 'dir/file'; -ENODATA: there is no store either. */
	if ((rc != -ENOENT && rc != -EINVAL && rc != -ENODATA) || !what)
		return rc;
	if (access(what, F_OK))
		return xf_fail(err, -ENOENT, "there is no trace '%s' and no "
			       "such file ('xftrace ls' lists traces)", what);
	rc = store_open(st, what, false, err);
	if (rc)
		return rc;
	rc = journal_open(j, st, NULL, err);
	if (rc)
		store_close(st);
	return rc;
}

void traces_new_name(const struct store *st, const char *guest,
		     char ret[LAYOUT_NAME + 1])
{
	int len = strnlen(guest, LAYOUT_NAME - 11);
	struct catalog_entry e;
	uint32_t slot = 0;
	unsigned long last = 0;

	/* A guest may have a name that no trace can. */
	while (len && *guest == '-') {
		guest++;
		len--;
	}
	while (catalog_next(st, &slot, &e)) {
		unsigned long nr;
		char *end;

		if (strncmp(e.name, guest, len) || e.name[len] != '-' ||
		    e.name[len + 1] < '0' || e.name[len + 1] > '9')
			continue;
		nr = strtoul(e.name + len + 1, &end, 10);
		if (!*end && nr > last && nr < UINT32_MAX)
			last = nr;
	}
	snprintf(ret, LAYOUT_NAME + 1, "%.*s%s%lu", len, guest, len ? "-" : "",
		 last + 1);
}

const char *traces_state(const struct store *st, const struct catalog_entry *e)
{
	return e->damaged			? "damaged" :
	       store_is_written(st, e->slot)	? "recording" :
	       e->finished			? "finished" :
	       traces_is_baseline(st, e)	? "baseline" :
						  "interrupted";
}

json_t *traces_json(const struct store *st, const struct catalog_entry *e)
{
	time_t seconds = e->created_ns / 1000000000;
	char when[32];
	struct tm tm;

	strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%SZ",
		 gmtime_r(&seconds, &tm));
	return json_pack("{s:s, s:s, s:s, s:I}", "name",
			 e->damaged ? "?" : e->name, "state",
			 traces_state(st, e), "created", when, "bytes",
			 (json_int_t)e->bytes);
}

int traces_load(const struct journal *j, struct trace *t, struct xf_err *err)
{
	struct journal_chunk c = { 0 };
	int rc;

	while ((rc = journal_next(j, &c, err)) > 0) {
		rc = trace_add_chunk(t, c.type, c.data, c.len, err);
		if (rc)
			break;
	}
	rc = rc ? rc : trace_seal(t, err);
	return rc ? xf_prefix(err, rc, "%s", j->path) : 0;
}
