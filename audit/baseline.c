// SPDX-License-Identifier: GPL-2.0-only
#include "baseline.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"

#define VERSION	 "1"
#define LINE_MAX_LEN 4096

static void write_item(const struct flow_item *item, void *arg)
{
	buf_printf(arg, "%s %" PRIu64 " %" PRIu64 " %" PRIu64 "\n", item->key,
		   item->calls, item->trees, item->runs);
}

void baseline_write(const struct flow *f, struct buf *out)
{
	buf_printf(out, "xftrace baseline " VERSION "\nkernel %s\nbuild-id %s\n",
		   f->release, f->build_id);
	buf_printf(out, "depth %" PRIu64 "\nruns %" PRIu64 "\n", f->depth,
		   f->runs);
	flow_each(f, write_item, out);
}

struct reader {
	const char *p, *end;
	unsigned int line;		/* number of the one in text */
	char text[LINE_MAX_LEN + 1];
	char last[LINE_MAX_LEN + 1];	/* key before */
	struct flow *f;
};

static int wrong(const struct reader *r, struct xf_err *err, const char *what)
{
	return xf_fail(err, -EBADMSG, "line %u: %s", r->line, what);
}

/* The next line into r->text. */
static int next_line(struct reader *r, struct xf_err *err)
{
	const char *end = memchr(r->p, '\n', r->end - r->p);
	size_t len;

	r->line++;
	if (!end)
		return wrong(r, err, "cut off");
	len = end - r->p;
	if (len > LINE_MAX_LEN)
		return wrong(r, err, "too long");
	for (size_t i = 0; i < len; i++)
		if (!isprint((unsigned char)r->p[i]))
			return wrong(r, err, "a character that is not printable");
	memcpy(r->text, r->p, len);
	r->text[len] = '\0';
	r->p = end + 1;
	return 0;
}

/* "NAME VALUE": the value, or NULL. */
static const char *head_value(const struct reader *r, const char *name)
{
	size_t len = strlen(name);

	return !strncmp(r->text, name, len) && r->text[len] == ' ' ?
		       r->text + len + 1 : NULL;
}

static bool parse_number(const char *s, uint64_t *ret)
{
	char *end;

	errno = 0;
	*ret = strtoull(s, &end, 10);
	return isdigit((unsigned char)*s) && !*end && !errno;
}

static int read_head_text(struct reader *r, const char *name, char **ret,
			  struct xf_err *err)
{
	int rc = next_line(r, err);
	const char *v;

	if (rc)
		return rc;
	v = head_value(r, name);
	if (!v)
		return xf_fail(err, -EBADMSG, "line %u: '%s' is expected here",
			       r->line, name);
	*ret = strdup(v);
	if (!*ret)
		abort();
	return 0;
}

static int read_head_number(struct reader *r, const char *name, uint64_t *ret,
			    struct xf_err *err)
{
	_cleanup_free_ char *text = NULL;
	int rc = read_head_text(r, name, &text, err);

	if (rc)
		return rc;
	return parse_number(text, ret) ? 0 : wrong(r, err, "no number");
}

static int read_head(struct reader *r, struct xf_err *err)
{
	_cleanup_free_ char *version = NULL;
	int rc = read_head_text(r, "xftrace baseline", &version, NULL);

	if (rc)
		return wrong(r, err, "this is no baseline of xftrace");
	if (strcmp(version, VERSION))
		return xf_fail(err, -EPROTONOSUPPORT,
			       "a baseline of version %s; this program knows "
			       VERSION, version);
	rc = read_head_text(r, "kernel", &r->f->release, err);
	rc = rc ? rc : read_head_text(r, "build-id", &r->f->build_id, err);
	rc = rc ? rc : read_head_number(r, "depth", &r->f->depth, err);
	return rc ? rc : read_head_number(r, "runs", &r->f->runs, err);
}

/* How many words a key of this kind has, or 0. */
static size_t nr_words(const char *kind)
{
	return !strcmp(kind, "root")  ? 2 :
	       !strcmp(kind, "call")  ? 5 :
	       !strcmp(kind, "order") ? 4 :
	       !strcmp(kind, "time")  ? 3 :
					0;
}

/* Take the last word off @text as a number. */
static bool take_number(char *text, uint64_t *ret)
{
	char *space = strrchr(text, ' ');

	if (!space || !parse_number(space + 1, ret))
		return false;
	*space = '\0';
	return true;
}

static int read_item(struct reader *r, struct xf_err *err)
{
	uint64_t calls, trees, runs;
	char copy[LINE_MAX_LEN + 1];
	const char *words[6];
	struct flow_item *item;
	size_t nr;

	if (strstr(r->text, "  ") || r->text[0] == ' ')
		return wrong(r, err, "more than one space");
	if (!take_number(r->text, &runs) || !take_number(r->text, &trees) ||
	    !take_number(r->text, &calls))
		return wrong(r, err, "three numbers must end it");
	nr = flow_words(r->text, copy, words, ARRAY_SIZE(words));
	if (!nr || nr != nr_words(words[0]))
		return wrong(r, err, "neither root, call, order nor time with "
				     "what belongs to it");
	if (strcmp(r->text, r->last) <= 0)
		return wrong(r, err, "out of order, or twice");
	strcpy(r->last, r->text);
	item = flow_at(r->f, r->text);
	if (!item)
		return wrong(r, err, "too many lines");
	item->calls = calls;
	item->trees = trees;
	item->runs = runs;
	return 0;
}

int baseline_parse(const char *text, size_t len, struct flow *f,
		   struct xf_err *err)
{
	struct reader r = { .p = text, .end = text + len, .f = f };
	int rc = read_head(&r, err);

	while (!rc && r.p < r.end) {
		rc = next_line(&r, err);
		rc = rc ? rc : read_item(&r, err);
	}
	if (rc)
		flow_deinit(f);
	return rc;
}
