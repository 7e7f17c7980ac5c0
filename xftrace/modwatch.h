/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * modwatch -- modules that come and go while a guest is recorded.
 *
 *	modwatch_begin(&w, t);			target_add_modules() was called
 *	if (modwatch_tick(&w, &pack))		every few milliseconds
 *		pack is a chunk TRACE_MODULES
 *	modwatch_end(&w, &names);		who left the list, and is there
 *	modwatch_deinit(&w);
 *
 * A module is unloaded and its memory given to others before a recording ends,
 * and its functions must have names all the same. So the kernel's list of
 * modules is looked at whenever its head moves. The guest executes nothing for
 * it.
 */
#ifndef XF_MODWATCH_H
#define XF_MODWATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buf.h"
#include "modlist.h"
#include "target.h"

struct modwatch {
	struct target *t;	/* borrowed */
	uint64_t head;		/* of the list; 0: nobody knows where */
	uint64_t newest;	/* what it led to */
	unsigned int looks;	/* left, for one that is still being loaded */
	struct buf seen;	/* struct modlist_module, since the beginning */
};

/* Forgets what another session had. */
void modwatch_begin(struct modwatch *w, struct target *t);

/* Cheap unless something has changed. @ret is empty, and filled if true. */
bool modwatch_tick(struct modwatch *w, struct buf *ret);

/*
 * The names, escaped, of modules that are listed no more although they were not
 * unloaded. Waits up to a second for one that is just being unloaded.
 */
void modwatch_end(struct modwatch *w, struct buf *ret);

void modwatch_deinit(struct modwatch *w);

#endif
