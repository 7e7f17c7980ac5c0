// SPDX-License-Identifier: GPL-2.0-only
#include "opt.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "cleanup.h"

void opt_help(const struct usage *u)
{
	printf("usage: xftrace %s%s%s%s\n\n%s\n", u->verb,
	       u->opts && u->opts[0].name ? " [OPTION]..." : "",
	       *u->operands ? " " : "", u->operands, u->summary);
	if (u->text)
		printf("\n%s", u->text);
	printf("\n");
	for (const struct opt *o = u->opts; o && o->name; o++) {
		char left[64];
		bool optional = o->type == OPT_OPTIONAL;
		int n = snprintf(left, sizeof(left), "  %c%c%s --%s%s%s%s",
				 o->letter ? '-' : ' ',
				 o->letter ? o->letter : ' ',
				 o->letter ? "," : " ", o->name,
				 optional ? "[=" : o->arg ? " " : "",
				 o->arg ? o->arg : "", optional ? "]" : "");

		if (n < 30)
			printf("%-30s %s\n", left, o->help);
		else
			printf("%s\n%-30s %s\n", left, "", o->help);
	}
	printf("  -h, --help                   show this\n");
}

static int bad(const struct opt *o, const char *value, const char *want,
	       struct xf_err *err)
{
	return xf_fail(err, OPT_MISUSE, "--%s: '%s' is not %s", o->name, value,
		       want);
}

static const struct unit {
	const char *name;
	uint64_t factor;
} sizes[] = { { "", 1 },
	      { "K", 1 << 10 },
	      { "M", 1 << 20 },
	      { "G", 1 << 30 },
	      { NULL, 0 } },
  durations[] = { { "", 1000000000 },
		  { "s", 1000000000 },
		  { "ms", 1000000 },
		  { "us", 1000 },
		  { "m", 60000000000 },
		  { NULL, 0 } },
  plain[] = { { "", 1 }, { NULL, 0 } };

static int parse_number(const struct opt *o, const char *text,
			const struct unit *units, const char *want,
			struct xf_err *err)
{
	uint64_t v, max = o->max ? o->max : UINT64_MAX;
	char *end;

	errno = 0;
	v = strtoull(text, &end, 0);
	/* strtoull() takes blanks and signs, a user does not mean them. */
	if (errno || *text < '0' || *text > '9')
		return bad(o, text, want, err);
	for (; units->name; units++) {
		if (strcasecmp(end, units->name))
			continue;
		if (v > UINT64_MAX / units->factor)
			return bad(o, text, want, err);
		v *= units->factor;
		if (v < o->min || v > max)
			return xf_fail(err, OPT_MISUSE,
				       "--%s: '%s' is out of range", o->name,
				       text);
		*(uint64_t *)o->value = v;
		return 0;
	}
	return bad(o, text, want, err);
}

static void add_to_list(struct opt_list *l, char *text)
{
	l->item = realloc(l->item, (l->nr + 1) * sizeof(*l->item));
	if (!l->item)
		abort();
	l->item[l->nr++] = text;
}

void opt_list_deinit(struct opt_list *l)
{
	free(l->item);
	*l = (struct opt_list){ 0 };
}

static int set(const struct opt *o, char *text, struct xf_err *err)
{
	switch (o->type) {
	case OPT_FLAG:
		*(bool *)o->value = true;
		return 0;
	case OPT_STRING:
	case OPT_OPTIONAL:
		*(const char **)o->value = text;
		return 0;
	case OPT_LIST:
		add_to_list(o->value, text);
		return 0;
	case OPT_NUMBER:
		return parse_number(o, text, plain, "a number", err);
	case OPT_SIZE:
		return parse_number(o, text, sizes, "a size such as 4M", err);
	case OPT_DURATION:
		return parse_number(o, text, durations,
				    "a time such as 500ms or 2s", err);
	}
	return OPT_MISUSE;
}

static const struct opt *find(const struct usage *u, const char *name,
			      size_t len)
{
	for (const struct opt *o = u->opts; o && o->name; o++)
		if (strlen(o->name) == len && !memcmp(o->name, name, len))
			return o;
	return NULL;
}

static const struct opt *find_letter(const struct usage *u, char c)
{
	for (const struct opt *o = u->opts; o && o->name; o++)
		if (o->letter == c)
			return o;
	return NULL;
}

int opt_set(const struct usage *u, const char *name, char *value,
	    struct xf_err *err)
{
	const struct opt *o = find(u, name, strlen(name));

	if (!o)
		return xf_fail(err, OPT_MISUSE, "there is no '%s'", name);
	if (o->type != OPT_FLAG)
		return set(o, value, err);
	if (strcmp(value, "yes") && strcmp(value, "no"))
		return bad(o, value, "yes or no", err);
	*(bool *)o->value = !strcmp(value, "yes");
	return 0;
}

int opt_parse(const struct usage *u, int argc, char **argv, struct xf_err *err)
{
	int n = 0;

	for (int i = 0; i < argc; i++) {
		const struct opt *o;
		char *a = argv[i], *value = NULL;
		int rc;

		if (a[0] != '-' || !a[1]) {
			argv[n++] = a;
			continue;
		}
		if (!strcmp(a, "--")) {
			while (++i < argc)
				argv[n++] = argv[i];
			break;
		}
		if (!strcmp(a, "--help") || !strcmp(a, "-h")) {
			opt_help(u);
			return -ECANCELED;
		}
		if (a[1] == '-') {
			size_t len = strcspn(a + 2, "=");

			o = find(u, a + 2, len);
			value = a[2 + len] ? a + 3 + len : NULL;
		} else {
			o = find_letter(u, a[1]);
			value = a[2] ? a + 2 : NULL;
		}
		if (!o)
			return xf_fail(err, OPT_MISUSE, "unknown option %s", a);
		if (o->type == OPT_FLAG && value)
			return xf_fail(err, OPT_MISUSE, "--%s takes no value",
				       o->name);
		if (o->type == OPT_OPTIONAL && !value) {
			value = "";
		} else if (o->type != OPT_FLAG && !value) {
			if (i + 1 == argc)
				return xf_fail(err, OPT_MISUSE,
					       "--%s needs a value", o->name);
			value = argv[++i];
		}
		rc = set(o, value, err);
		if (rc)
			return rc;
	}
	return n;
}

int opt_parse_nr(const struct usage *u, int argc, char **argv, int least,
		 int most, const char *want, struct xf_err *err)
{
	int n = opt_parse(u, argc, argv, err);

	if (n >= 0 && (n < least || n > most))
		return xf_fail(err, OPT_MISUSE, "%s", want);
	return n;
}

int opt_parse_only(const struct usage *u, int argc, char **argv,
		   struct xf_err *err)
{
	int n = opt_parse(u, argc, argv, err);

	if (n > 0)
		return xf_fail(err, OPT_MISUSE, "'%s' is not expected here",
			       argv[0]);
	return n;
}

/* "create, info or quota", or with bars */
static void add_names(struct buf *b, const struct sub *subs, const char *comma,
		      const char *last)
{
	for (const struct sub *s = subs; s->name; s++)
		buf_printf(b, "%s%s", s == subs ? "" : s[1].name ? comma : last,
			   s->name);
}

static void print_subs(const char *verb, const char *summary,
		       const struct sub *subs)
{
	_cleanup_(buf_deinit) struct buf names = BUF_INIT;

	add_names(&names, subs, "|", "|");
	printf("usage: xftrace %s %s [OPTION]...\n\n%s\n\n", verb, names.data,
	       summary);
	for (const struct sub *s = subs; s->name; s++)
		printf("  %-8s %s\n", s->name, s->help);
	printf("\n'xftrace %s %s --help' tells its options.\n", verb,
	       subs->name);
}

int opt_sub(const char *verb, const char *summary, const struct sub *subs,
	    int argc, char **argv, struct xf_err *err)
{
	_cleanup_(buf_deinit) struct buf names = BUF_INIT;

	for (const struct sub *s = subs; argc && s->name; s++)
		if (!strcmp(argv[0], s->name))
			return s->run(argc - 1, argv + 1, err);
	if (argc && (!strcmp(argv[0], "--help") || !strcmp(argv[0], "-h"))) {
		print_subs(verb, summary, subs);
		return 0;
	}
	if (argc)
		return xf_fail(err, OPT_MISUSE, "there is no '%s %s'", verb,
			       argv[0]);
	add_names(&names, subs, ", ", " or ");
	return xf_fail(err, OPT_MISUSE, "say what to do: %s", names.data);
}

void opt_print_json(const json_t *j)
{
	json_dumpf(j, stdout, JSON_INDENT(1));
	putchar('\n');
}
