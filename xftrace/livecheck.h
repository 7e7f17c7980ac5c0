/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * livecheck -- a guest that runs, checked from outside.
 *
 * Its memory against the image of its kernel and, if it is being recorded, what
 * the recording has so far. The guest executes nothing for it and is not paused.
 */
#ifndef XF_LIVECHECK_H
#define XF_LIVECHECK_H

#include "checking.h"
#include "target.h"

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

/* Add what is wrong with the memory of an attached guest. */
void livecheck_memory(struct checking *c, struct target *t);

/*
 * The same, and its recording, if there is one. Its kernel is looked for anew, as it
 * may have been rebooted.
 */
void livecheck_run(struct checking *c, struct target *t);

#endif
