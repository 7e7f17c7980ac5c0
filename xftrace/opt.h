/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * opt -- option tables.
 *
 * A verb has a local table beside the variables that its options fill:
 *
 *	uint64_t ring = 4 << 20;
 *	const struct opt opts[] = {
 *		{ "ring-size", 0, OPT_SIZE, &ring, "SIZE", "ring of a CPU" },
 *		{ 0 }
 *	};
 *
 * Parsing and --help come from the table. Options may stand between operands;
 * "--" ends them. A bad value is a usage error that names option and value.
 */
#ifndef XF_OPT_H
#define XF_OPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "err.h"

/* No errno: the command line is wrong, nothing was tried. */
#define OPT_MISUSE (-10000)

enum opt_type {
	OPT_FLAG,	/* bool */
	OPT_STRING,	/* const char *, borrowed from argv */
	OPT_OPTIONAL,	/* likewise, "" when given without "=value" */
	OPT_LIST,	/* struct opt_list: may be given again and again */
	OPT_NUMBER,	/* uint64_t */
	OPT_SIZE,	/* uint64_t bytes: 4096, 64K, 4M, 1G */
	OPT_DURATION,	/* uint64_t ns: 10ms, 1s, 5m;
			 * a bare number is seconds */
};

/* Strings in the order in which they were given. */
struct opt_list {
	char **item;		/* owned; the strings are borrowed from argv */
	size_t nr;
};

void opt_list_deinit(struct opt_list *l);

struct opt {
	const char *name;	/* without the dashes */
	char letter;		/* or 0 */
	enum opt_type type;
	void *value;
	const char *arg;	/* what --help calls it; NULL for flags */
	const char *help;
	uint64_t min, max;	/* of numbers; max 0: no limit */
};

/* What a verb is called with. */
struct usage {
	const char *verb;	/* "on", "guest start" */
	const char *operands;	/* "FUNCTION..." */
	const char *summary;	/* one line */
	const char *text;	/* more for --help, or NULL */
	const struct opt *opts;
};

/*
 * Takes the options out of argv; operands are left in argv[0..n) and n is
 * returned. OPT_MISUSE: misused, which a verb also answers to operands that it
 * cannot take. -ECANCELED: --help was asked for and printed.
 */
int opt_parse(const struct usage *u, int argc, char **argv, struct xf_err *err);

/* The same if there must be @least to @most operands: @want says which. */
int opt_parse_nr(const struct usage *u, int argc, char **argv, int least,
		 int most, const char *want, struct xf_err *err);

/* The same for a verb without operands: 0, or an error if there are any. */
int opt_parse_only(const struct usage *u, int argc, char **argv,
		   struct xf_err *err);

/*
 * What "--NAME VALUE" would do, for options that stand elsewhere than in argv;
 * @value stays and is yes or no for a flag. OPT_MISUSE.
 */
int opt_set(const struct usage *u, const char *name, char *value,
	    struct xf_err *err);

void opt_help(const struct usage *u);

/* A verb of a verb: 'xftrace store info'. The last has no name. */
struct sub {
	const char *name;
	int (*run)(int argc, char **argv, struct xf_err *err);
	const char *help;
};

/* Run the one that argv[0] names, or print what there is. OPT_MISUSE. */
int opt_sub(const char *verb, const char *summary, const struct sub *subs,
	    int argc, char **argv, struct xf_err *err);

/* Of verbs that answer machines, too: the option, and the answer. */
#define OPT_JSON(var)                                                          \
	{                                                                      \
		"json", 0, OPT_FLAG, &(var), NULL, "for machines", 0, 0        \
	}
void opt_print_json(const json_t *j);

#endif
