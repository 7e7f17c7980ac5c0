/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * livecheck -- a guest that runs, checked from outside.
 *
 *	_cleanup_(livecheck_deinit) struct livecheck l = LIVECHECK_INIT;
 *
 *	where.image = true;
 *	target_attach(&l.t, &where, err);
 *	livecheck_run(&l, &checking);		again and again
 *
 * Its memory against the image of its kernel and, if it is being recorded, what
 * the recording has so far. The guest executes nothing for it and is not
 * paused.
 *
 * What was found out about its kernel, the image for one, is kept for the next
 * look, as long as that kernel's clock goes on. The guest may reboot in
 * between.
 */
#ifndef XF_LIVECHECK_H
#define XF_LIVECHECK_H

#include "checking.h"
#include "kfile.h"
#include "target.h"
#include "target_btf.h"

/* For a verb's table. */
#define LIVECHECK_GUEST(where)                                                 \
	{ "guest", 'g', OPT_STRING, &(where).guest, "NAME",                    \
	  "a guest of 'xftrace guest start'", 0, 0 },                          \
	{ "qmp", 0, OPT_STRING, &(where).qmp, "SOCKET",                        \
	  "the guest behind this QMP socket", 0, 0 },                          \
	{ "pid", 0, OPT_NUMBER, &(where).pid, "PID",                           \
	  "the guest of this QEMU process", 1, INT32_MAX },                    \
	{ "allow-open-ram", 0, OPT_FLAG, &(where).allow_open_ram, NULL,        \
	  "take a RAM file that others can read", 0, 0 }

struct livecheck {
	struct target t;	/* attached by the caller */
	unsigned int boots;	/* kernels met so far; one
				 * more: it was rebooted */
	/* livecheck.c's own */
	bool known;		/* the rest is of the kernel that t has */
	struct target_btf types;
	struct kfile file;	/* closed: the host has none */
	uint64_t jiffies;	/* at the last look */
	uint64_t looked_ns;	/* our clock then */
	const struct recorder *recorder; /* that says the guest
					  * traces functions */
};

#define LIVECHECK_INIT                                                         \
	{ .t = TARGET_INIT, .types = TARGET_BTF_INIT, .file = KFILE_INIT }

/* Detaches, too; another guest may be attached then. The boots stay. */
void livecheck_deinit(struct livecheck *l);

/*
 * Add what is wrong with the memory of an attached guest. Not 0: nothing could
 * be told, which is added.
 */
int livecheck_memory(struct livecheck *l, struct checking *c);

/* The same, and its recording, if there is one. */
void livecheck_run(struct livecheck *l, struct checking *c);

#endif
