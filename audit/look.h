/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * look -- one look at a guest's memory, and what it may cost.
 *
 * Private to the checks of image.h, which all take it first. What is read is
 * copied once. When time or bytes are used up every read fails, and image.c
 * says that the rest could not be decided.
 */
#ifndef XF_LOOK_H
#define XF_LOOK_H

#include <stdarg.h>
#include <stdbool.h>

#include "cleanup.h"
#include "codemap.h"
#include "image.h"

/* A guest in order takes 60, and 590 of a processor that QEMU emulates. */
#define LOOK_MAX_CPU_MS	 900		/* and a second with all around it */
#define LOOK_MAX_BYTES	 (128u << 20)
#define LOOK_MAX_NODES	 65536		/* of one list or tree */
#define LOOK_MAX_KEPT	 1024		/* findings of a rule to be compared */
#define LOOK_MAX_FOUND	 64		/* and shown */

struct look {
	const struct image_guest *g;
	struct findings *f;
	struct codemap code;
	struct sites *sites;		/* NULL without a file */
	struct buf probed;		/* uint64_t: where kprobes are */
	bool poking;			/* the kernel is patching its code */
	struct buf patched;		/* uint64_t: where, if explained so */
	unsigned int own;		/* IMAGE_OWN_...: seen */
	uint64_t began_ns, bytes;
	unsigned int reads;
	uint32_t found[NR_RULES];
	int spent;			/* -ETIME, -E2BIG, -EIO: the end */
};

/* 0, -EFAULT, or what has ended the look. */
int look_read(struct look *l, uint64_t addr, void *dst, size_t len);

/* What is read without these costs, too: 0, or what has ended the look. */
int look_pay(struct look *l, size_t len);

/* A string of the guest's that fits and is not empty; not escaped. */
bool look_str(struct look *l, uint64_t addr, char *dst, size_t cap);

/* A pointer, or 0 if it cannot be read. */
uint64_t look_ptr(struct look *l, uint64_t addr);

/*
 * The same for one that is called, or leads to what is: 0 calls nobody. If it
 * cannot be read nobody knows whom: cannot-tell, in the name of @rule.
 */
uint64_t look_follow(struct look *l, enum rule_id rule, uint64_t addr);

/* "name+0x10 [module]", or "0x... in no known code". Into @dst, returned. */
#define LOOK_NAME 192
const char *look_name(const struct look *l, uint64_t addr, char *dst);

/* Run-time address of a symbol, 0: there is none. */
uint64_t look_symbol(const struct look *l, const char *name);

/* Is there a kernel function of this name, and does it begin at @addr? */
bool look_is(const struct look *l, uint64_t addr, const char *name);

/*
 * Offsets of members: fills @off, which stays as it was if the kernel has no
 * such. look_members() answers false, and adds cannot-tell, unless all exist.
 */
struct look_member {
	const char *type, *path;
	uint32_t *off;
};

bool look_members(struct look *l, const char *what,
		  const struct look_member *m, size_t nr);

/* Comes before a finding is put together: if so, it is counted, and no more. */
bool look_is_full(struct look *l, enum rule_id rule);

/*
 * May ftrace and tracepoints call the function at @addr? The kernel's own; a
 * module's if that is what it is known for, by its name.
 */
bool look_may_trace(const struct look *l, uint64_t addr);

/* cannot-tell, once for each thing. */
void look_cannot(struct look *l, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* {"address": "0x...", "symbol": ..., "module": ...} */
json_t *look_evidence(const struct look *l, uint64_t addr);
void look_evidence_bytes(json_t *evidence, const char *name, const void *data,
			 size_t len);

/*
 * What was found to be hidden, but is in the list of modules by now, was not.
 * @f is what a look has found, a short while ago. False: there is nothing to
 * ask for, or the list cannot be read.
 */
bool modules_forget(const struct image_guest *g, struct findings *f);

/* The checks. */
void check_text(struct look *l);
void check_tables(struct look *l);
void check_hooks(struct look *l);
void check_proc(struct look *l);
void check_modules(struct look *l);
void check_entries(struct look *l);
/* Hints: what cannot be read is left out. */
void check_livepatches(struct look *l);

#endif
