/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * flusher -- puts on the media what a writer has committed, and lets it write.
 *
 *	flusher_tick(&f, &j);		every now and then
 *	flusher_wait(&f, &j);		before the journal is closed
 *
 * Off DAX that is an msync(), which may take long: a thread makes it, one at a
 * time. On DAX there is nothing to do.
 */
#ifndef XF_FLUSHER_H
#define XF_FLUSHER_H

#include <pthread.h>
#include <stdbool.h>

#include "journal.h"

struct flusher {
	struct journal_sync work;
	pthread_t thread;
	bool busy;
	bool done;		/* the thread's: it has ended, with rc */
	int rc;
};

/* Never waits. A sync that failed is tried again with the next. */
void flusher_tick(struct flusher *f, struct journal *j);
/* Harmless if it is not at work. */
void flusher_wait(struct flusher *f, struct journal *j);

#endif
