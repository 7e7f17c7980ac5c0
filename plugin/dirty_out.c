// SPDX-License-Identifier: GPL-2.0-only
#include "dirty_out.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

uint64_t out_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000ull + t.tv_nsec;
}

/* ---- the file ---- */

static int file_map(struct out_file *f, size_t len)
{
	void *p;

	if (ftruncate(f->fd, len))
		return -errno;
	p = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, f->fd, 0);
	if (p == MAP_FAILED)
		return -errno;
	f->source = p;
	f->wanted = (void *)((char *)p + XFTD_PAGE);
	return 0;
}

int out_file_create(struct out_file *f, const char *path,
		    const struct xftd_source *like)
{
	struct out_file made = { 0 };
	char tmp[4096];
	int rc;

	if (snprintf(tmp, sizeof(tmp), "%s.%d", path, getpid()) >=
	    (int)sizeof(tmp))
		return -ENAMETOOLONG;
	made.fd = open(tmp, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (made.fd < 0)
		return -errno;
	rc = file_map(&made, xftd_vcpu_off(XFTD_RING, like->nr_vcpus));
	if (!rc) {
		*made.source = *like;
		made.source->magic = XFTD_MAGIC;
		made.source->ring_size = XFTD_RING;
		made.source->pid = getpid();
		store(&made.source->version, XFTD_VERSION);
		rc = rename(tmp, path) ? -errno : 0;
	}
	if (rc) {
		unlink(tmp);
		close(made.fd);
		return rc;
	}
	/* What said that there is nothing. */
	if (f->source) {
		munmap(f->source, xftd_vcpu_off(XFTD_RING, f->source->nr_vcpus));
		close(f->fd);
	}
	*f = made;
	return 0;
}

void out_answer(struct out_file *f, uint32_t seq, int status, const char *why)
{
	f->source->status = status;
	snprintf(f->source->message, sizeof(f->source->message), "%s", why);
	store(&f->source->done, seq);
}

void out_sleep(struct out_file *f, uint32_t seq, uint32_t ms)
{
	struct timespec t = { .tv_sec = ms / 1000,
			      .tv_nsec = ms % 1000 * 1000000 };

	store(&f->source->heartbeat, f->source->heartbeat + 1);
	syscall(SYS_futex, &f->wanted->seq, FUTEX_WAIT, seq, &t, NULL, 0);
}

bool out_recorded(const struct out_file *f)
{
	if (flock(f->fd, LOCK_SH | LOCK_NB))
		return true;
	flock(f->fd, LOCK_UN);
	return false;
}

/* ---- a vCPU's ring ---- */

void out_init(struct out *o, const struct out_file *f, uint32_t vcpu)
{
	char *at = (char *)f->source + xftd_vcpu_off(XFTD_RING, vcpu);

	*o = (struct out){ .source = f->source,
			   .shared = (void *)at,
			   .in = (void *)(at + XFTD_PAGE),
			   .record = (void *)(at + 2 * XFTD_PAGE) };
}

int out_watch(struct out *o)
{
	uint64_t hva = o->in ? load(&o->in->head_hva) : 0;
	uint64_t in_page = hva % XFTD_PAGE;
	char *page = NULL;

	if (hva == o->hva)
		return 0;
	if (in_page % sizeof(uint64_t))
		return -EFAULT;
	if (hva) {
		/*
		 * A second mapping of what is shared; ours however QEMU goes
		 * on.
		 */
		page = mremap((void *)(uintptr_t)(hva - in_page), 0, XFTD_PAGE,
			      MREMAP_MAYMOVE);
		if (page == MAP_FAILED)
			return -EFAULT;
	}
	if (o->word)
		munmap((char *)o->word - o->hva % XFTD_PAGE, XFTD_PAGE);
	o->word = page ? (void *)(page + in_page) : NULL;
	o->hva = hva;
	/* Another ring counts from somewhere else. */
	o->since.pos = 0;
	return 0;
}

static struct out_point point(const struct out *o)
{
	return (struct out_point){ .ns = out_now(),
				   .pos = o->word ? load(o->word) : 0 };
}

void out_start(struct out *o)
{
	o->since = point(o);
	o->reset = 0;
}

void out_reset(struct out *o)
{
	o->reset = XFTD_AFTER_RESET;
}

void out_begin(struct out *o)
{
	o->begun = point(o);
}

static bool room(const struct out *o)
{
	return o->shared &&
	       o->head + o->nr - load(&o->in->tail) < XFTD_RING;
}

bool out_add(struct out *o, uint64_t gpa)
{
	if (!room(o))
		return false;
	o->record[(o->head + o->nr++) % XFTD_RING] =
		(struct xftd_record){ .addr = gpa,
				      .flags = XFTD_HARVESTED | o->reset,
				      .seq = o->source->done };
	return true;
}

void out_lose(struct out *o, uint64_t nr)
{
	if (o->shared)
		store(&o->shared->lost, o->shared->lost + nr);
}

/* From before the harvest before, to now. */
static uint32_t width(const struct out *o, uint64_t pos)
{
	if (!pos || !o->since.pos || pos - o->since.pos > UINT32_MAX)
		return UINT32_MAX;
	return pos - o->since.pos;
}

void out_end(struct out *o, bool all)
{
	struct out_point end = point(o);

	if (!o->shared)
		return;
	for (; o->nr; o->nr--) {
		struct xftd_record *r = &o->record[o->head++ % XFTD_RING];

		r->pos = end.pos;
		r->time_ns = end.ns;
		r->width_ns = end.ns - o->since.ns;
		r->width = width(o, end.pos);
	}
	store(&o->shared->head, o->head);
	store(&o->shared->harvests, o->shared->harvests + 1);
	if (all)
		o->since = o->begun;
}

void out_wait(struct out *o)
{
	const struct timespec pause = { .tv_nsec = 1000000 };
	uint64_t end = out_now() + XFTD_WAIT_MS * 1000000ull;

	if (!o->shared || o->stuck == load(&o->in->tail) + 1)
		return;
	while (!room(o) && out_now() < end)
		nanosleep(&pause, NULL);
	o->stuck = room(o) ? 0 : load(&o->in->tail) + 1;
}
