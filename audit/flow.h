/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * flow -- what was called, how often: of one trace, or of many that were clean.
 *
 * A set of items. Each has a key of words with one space between them, so that
 * kernels with another KASLR offset, and guests with modules elsewhere, agree:
 *
 *	root ROOT			the traced function, outermost
 *	call CONTEXT ROOT CALLER FUNC	CALLER's code called FUNC below ROOT
 *	order ROOT A B			below ROOT itself, A came first, then B
 *	time ROOT N			it took 2^N ns, less than twice that
 *
 * CONTEXT is task, softirq, irq or nmi. What interrupts is not ROOT's doing:
 * there ROOT is *, in task context, too, as long as an interrupt has not said
 * that it is one. CALLER is who the return address belongs to, which need not
 * be a function that ftrace knows; for a jump at a function's end it is that
 * function, or - at the root. A function of a module is MODULE:NAME; one of
 * several with its name is NAME@ADDRESS, as linked; code of nobody is ?ADDRESS,
 * but for a module's that runs when it is loaded, which is (init).
 */
#ifndef XF_FLOW_H
#define XF_FLOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FLOW_MAX  (1u << 20)	/* items */
#define FLOW_INIT "(init)"

/* The first time that a trace had it. */
struct flow_sight {
	uint64_t ns;		/* since the session's first record */
	uint64_t func, caller;	/* addresses then */
	/* Of the kernel's own code, as linked; 0 for all else. */
	uint64_t code, code_end, target;
	uint32_t cpu, pid;
	char comm[68];		/* escaped */
};

struct flow_item {
	char *key;		/* owned */
	uint64_t calls;		/* how often */
	uint64_t trees;		/* in how many whole calls of ROOT */
	uint64_t runs;		/* in how many traces */
	struct flow_sight *first; /* owned; NULL: not of a trace */
};

struct flow {
	void *items;		/* for tsearch(3) */
	size_t nr;
	uint64_t runs;		/* traces in it */
	uint64_t depth;		/* deeper calls were left out; 0: none */
	char *release, *build_id; /* of the kernel, escaped; owned */
};

/* Harmless on a zeroed struct, which is an empty flow. */
void flow_deinit(struct flow *f);

/* The item, or NULL. */
struct flow_item *flow_find(const struct flow *f, const char *key);
/* The same, made if need be; NULL: FLOW_MAX are there. */
struct flow_item *flow_at(struct flow *f, const char *key);

/* Every item in order of its key. */
void flow_each(const struct flow *f,
	       void (*fn)(const struct flow_item *item, void *arg), void *arg);

/* Add the items of @from, and the runs. False: they do not all fit. */
bool flow_merge(struct flow *f, const struct flow *from);

/*
 * The words of a key, at most @max, each ended by a 0 byte in @copy, which is
 * the caller's and as long as the key. Returns how many.
 */
size_t flow_words(const char *key, char *copy, const char **ret, size_t max);

#endif
