// SPDX-License-Identifier: GPL-2.0-only
#include "batchfile.h"

#include <ctype.h>
#include <string.h>

#define VERSION "1"

/* A line, taken apart; the strings are in it. */
struct line {
	unsigned int nr;
	char *text;
	char *name, *value;
};

static int wrong(const struct line *l, const char *at, struct xf_err *err,
		 const char *what)
{
	return xf_fail(err, OPT_MISUSE, "%u:%u: %s", l->nr,
		       (unsigned int)(at - l->text) + 1, what);
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

static char *skip_blanks(char *p)
{
	while (is_blank(*p))
		p++;
	return p;
}

/* End the string before @end, without the blanks there. */
static void cut(char *start, char *end)
{
	while (end > start && is_blank(end[-1]))
		end--;
	*end = '\0';
}

/* 1: an option, 0: nothing, else an error. */
static int split(struct line *l, struct xf_err *err)
{
	char *p = skip_blanks(l->text), *equals;

	if (!*p || *p == '#')
		return 0;
	for (char *c = p; *c; c++)
		if (iscntrl((unsigned char)*c) && !is_blank(*c))
			return wrong(l, c, err, "a control character");
	l->name = p;
	while (islower((unsigned char)*p) || isdigit((unsigned char)*p) ||
	       *p == '-')
		p++;
	equals = skip_blanks(p);
	if (p == l->name)
		return wrong(l, p, err, "a name is expected here");
	if (*equals != '=')
		return wrong(l, equals, err, "'=' is expected here");
	l->value = skip_blanks(equals + 1);
	if (!*l->value)
		return wrong(l, l->value, err, "a value is expected here");
	cut(l->value, l->value + strlen(l->value));
	*p = '\0';
	return 1;
}

static int take(const struct line *l, bool first, const struct usage *u,
		struct xf_err *err)
{
	struct xf_err why;
	const char *at;

	if (first != !strcmp(l->name, "version"))
		return wrong(l, l->name, err, "the version comes first, and "
					      "once: version = " VERSION);
	if (first)
		return strcmp(l->value, VERSION) ?
			       wrong(l, l->value, err, "this program knows "
						       "version " VERSION) : 0;
	if (!opt_set(u, l->name, l->value, &why))
		return 0;
	/* A name that is unknown, or else its value. */
	at = strncmp(why.msg, "there is no", 11) ? l->value : l->name;
	return wrong(l, at, err, why.msg);
}

int batchfile_parse(char *text, size_t len, const struct usage *u,
		    struct xf_err *err)
{
	char *end = text + len;
	struct line l = { 0 };
	bool first = true;
	int rc;

	while (text < end) {
		char *newline = memchr(text, '\n', end - text);

		l.nr++;
		l.text = text;
		text = newline ? newline + 1 : end;
		if (newline)
			*newline = '\0';
		if (strlen(l.text) < (size_t)((newline ?: end) - l.text))
			return wrong(&l, l.text + strlen(l.text), err,
				     "a control character");
		rc = split(&l, err);
		if (rc > 0) {
			rc = take(&l, first, u, err);
			first = false;
		}
		if (rc)
			return rc;
	}
	if (!first)
		return 0;
	l.nr++;
	l.text = end;
	return wrong(&l, end, err, "no version");
}
