// SPDX-License-Identifier: GPL-2.0-only
#include "flusher.h"

static void *work(void *arg)
{
	struct flusher *f = arg;

	f->rc = journal_sync_run(&f->work, NULL);
	/* Release: who sees done sees rc. */
	__atomic_store_n(&f->done, true, __ATOMIC_RELEASE);
	return NULL;
}

void flusher_wait(struct flusher *f, struct journal *j)
{
	if (!f->busy)
		return;
	pthread_join(f->thread, NULL);
	journal_sync_end(j, &f->work, f->rc);
	f->busy = f->done = false;
}

void flusher_tick(struct flusher *f, struct journal *j)
{
	if (f->busy && __atomic_load_n(&f->done, __ATOMIC_ACQUIRE))
		flusher_wait(f, j);
	if (f->busy || j->st->m.durable || j->synced == j->committed ||
	    journal_sync_begin(j, &f->work, NULL))
		return;
	f->busy = !pthread_create(&f->thread, NULL, work, f);
	if (!f->busy)
		journal_sync_end(j, &f->work, -1);
}
