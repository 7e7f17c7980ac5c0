// SPDX-License-Identifier: GPL-2.0-only
/*
 * A source inside QEMU, plugin or shim, through the file that it shares:
 * abi/xft_dirty.h. QEMU is trusted, but it may be another version, or die.
 */
#include "dirty.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <linux/futex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "cleanup.h"
#include "clock.h"
#include "io.h"
#include "shared.h"

#define MAX_MAPS_FILE (64u << 20)
#define ANSWER_MS     10000	/* a request; a busy host may take its time */
#define SILENT_MS     5000	/* the heart stood still */

struct shared {
	int fd;			/* holds the lock */
	size_t len;
	const struct xftd_source *source;
	struct xftd_wanted *wanted;
	uint32_t seq;
	uint64_t heartbeat;	/* when last looked at, and ... */
	uint64_t beat_ms;	/* ... when it moved */
};

static uint64_t now_ms(void)
{
	return monotonic_ns() / 1000000;
}

static char *page_of(const struct dirty *d, uint32_t vcpu, uint32_t page)
{
	const struct shared *s = d->priv;

	return (char *)s->source + xftd_vcpu_off(XFTD_RING, vcpu) +
	       (uint64_t)page * XFTD_PAGE;
}

static const struct xftd_out *out_of(const struct dirty *d, uint32_t vcpu)
{
	return (const void *)page_of(d, vcpu, 0);
}

static struct xftd_in *in_of(const struct dirty *d, uint32_t vcpu)
{
	return (void *)page_of(d, vcpu, 1);
}

static bool is_gone(struct dirty *d)
{
	struct shared *s = d->priv;
	uint64_t heartbeat = shared_load(&s->source->heartbeat);

	if (heartbeat != s->heartbeat) {
		s->heartbeat = heartbeat;
		s->beat_ms = now_ms();
	}
	return now_ms() - s->beat_ms > SILENT_MS;
}

static int wait_done(struct dirty *d, struct xf_err *err)
{
	static const struct timespec nap = { .tv_nsec = 200000 };
	struct shared *s = d->priv;
	uint64_t since = now_ms();
	char message[sizeof(s->source->message)];

	/* Acquire: status and message are of this request. */
	while (shared_load(&s->source->done) != s->seq) {
		if (now_ms() - since > ANSWER_MS)
			return xf_fail(err, -ETIMEDOUT,
				       "%s: does not answer",
				       dirty_kind_name(d->kind));
		nanosleep(&nap, NULL);
	}
	if (!s->source->status)
		return 0;
	memcpy(message, s->source->message, sizeof(message));
	message[sizeof(message) - 1] = '\0';
	return xf_fail(err, s->source->status < 0 ? s->source->status : -EPROTO,
		       "%s: %s", dirty_kind_name(d->kind), message);
}

static int shared_request(struct dirty *d, enum xftd_mode mode,
			  uint32_t interval_ms, const uint64_t *head_hva,
			  struct xf_err *err)
{
	struct shared *s = d->priv;
	int rc;

	for (uint32_t i = 0; i < d->nr_vcpus; i++)
		in_of(d, i)->head_hva = head_hva[i];
	s->wanted->mode = mode;
	s->wanted->interval_ms = interval_ms;
	s->wanted->recorder_pid = getpid();
	/* Release: all of the above. */
	shared_store(&s->wanted->seq, ++s->seq);
	syscall(SYS_futex, &s->wanted->seq, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
	rc = wait_done(d, err);
	d->kind = shared_load(&s->source->kind);
	return rc;
}

static size_t shared_read(struct dirty *d, uint32_t vcpu,
			  struct xftd_record *dst, size_t cap)
{
	const struct xftd_record *ring = (const void *)page_of(d, vcpu, 2);
	struct xftd_in *in = in_of(d, vcpu);
	/* Acquire: the records before it. */
	uint64_t head = shared_load(&out_of(d, vcpu)->head), tail = in->tail;
	size_t nr = head - tail < cap ? head - tail : cap;

	if (head - tail > XFTD_RING)
		return 0;
	for (size_t i = 0; i < nr; i++)
		dst[i] = ring[(tail + i) % XFTD_RING];
	/* Release: they are copied. */
	shared_store(&in->tail, tail + nr);
	return nr;
}

static uint64_t shared_lost(const struct dirty *d, uint32_t vcpu)
{
	return shared_load(&out_of(d, vcpu)->lost);
}

static void shared_close(struct dirty *d)
{
	struct shared *s = d->priv;

	munmap((void *)s->source, s->len);
	close(s->fd);
	free(s);
}

static const struct dirty_ops shared_ops = {
	.request = shared_request,
	.read = shared_read,
	.lost = shared_lost,
	.is_gone = is_gone,
	.close = shared_close,
};

/* Does @path begin as such a file does? The descriptor, or -1. */
static int try_path(const char *path)
{
	_cleanup_close_ int fd = -1;
	uint64_t magic = 0;
	struct stat st;

	/* stat() first: opening some devices has consequences. */
	if (lstat(path, &st) || !S_ISREG(st.st_mode))
		return -1;
	fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0 || pread(fd, &magic, 8, 0) != 8 || magic != XFTD_MAGIC)
		return -1;
	return xf_take_fd(fd);
}

/* Among the files that QEMU has mapped, shared and from the beginning. */
static int find_file(pid_t pid, struct xf_err *err)
{
	_cleanup_(buf_deinit) struct buf text = BUF_INIT;
	char path[64], *line, *save;
	int rc;

	snprintf(path, sizeof(path), "/proc/%d/maps", (int)pid);
	rc = io_read_file(path, MAX_MAPS_FILE, &text, err);
	if (rc)
		return rc;
	for (line = strtok_r(text.data, "\n", &save); line;
	     line = strtok_r(NULL, "\n", &save)) {
		char *name = strchr(line, '/');
		int fd;

		if (!name || !strstr(line, " rw-s 00000000 "))
			continue;
		fd = try_path(name);
		if (fd >= 0)
			return fd;
	}
	return xf_fail(err, -ENOENT,
		       "QEMU was not started for it: 'xftrace guest start "
		       "--dirty' does, 'xftrace guest args --dirty' tells how");
}

static int check(const struct xftd_source *s, uint64_t len, struct xf_err *err)
{
	/* Acquire: what else the page says. */
	uint32_t version = shared_load(&s->version);

	if (version != XFTD_VERSION)
		return xf_fail(err, -EPROTO,
			       "the source of dirty pages in QEMU is of another "
			       "version (%u) of xftrace: start the guest anew",
			       version);
	/* The shim before it has seen a guest, and may never see one. */
	if (!s->nr_vcpus && s->status < 0)
		return xf_fail(err, s->status, "%.*s",
			       (int)sizeof(s->message) - 1, s->message);
	if (s->ring_size != XFTD_RING || !s->nr_vcpus ||
	    s->nr_vcpus > XFTD_MAX_VCPUS || !s->kind || s->kind >= XFTD_SCAN ||
	    len < xftd_vcpu_off(XFTD_RING, s->nr_vcpus))
		return xf_fail(err, -EPROTO,
			       "the source of dirty pages in QEMU makes no "
			       "sense");
	return 0;
}

int dirty_use_shared(struct dirty *d, const struct xftd_source *source,
		     size_t len, int fd, struct xf_err *err)
{
	struct shared *s = calloc(1, sizeof(*s));

	if (!s)
		return xf_fail(err, -ENOMEM, "out of memory");
	s->fd = fd;
	s->len = len;
	s->source = source;
	s->wanted = (void *)((char *)source + XFTD_PAGE);
	s->seq = s->wanted->seq;
	s->beat_ms = now_ms();
	d->ops = &shared_ops;
	d->priv = s;
	d->kind = source->kind;
	d->modes = source->modes;
	d->nr_vcpus = source->nr_vcpus;
	/* What an earlier recorder left is none of ours. */
	for (uint32_t i = 0; i < d->nr_vcpus; i++)
		in_of(d, i)->tail = shared_load(&out_of(d, i)->head);
	return 0;
}

int dirty_open_shared(struct dirty *d, pid_t pid, struct xf_err *err)
{
	_cleanup_close_ int fd = find_file(pid, err);
	const struct xftd_source *source;
	struct stat st;
	int rc;

	if (fd < 0)
		return fd;
	if (flock(fd, LOCK_EX | LOCK_NB))
		return xf_fail(err, -EBUSY,
			       "another recorder has the guest's dirty pages");
	if (fstat(fd, &st) || st.st_size < 2 * XFTD_PAGE)
		return xf_fail(err, -EPROTO,
			       "the source of dirty pages in QEMU has a file "
			       "that is too short");
	source = mmap(NULL, st.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
		      0);
	if (source == MAP_FAILED)
		return xf_fail_errno(err, "mmap");
	rc = check(source, st.st_size, err);
	rc = rc ? rc : dirty_use_shared(d, source, st.st_size, fd, err);
	if (rc)
		munmap((void *)source, st.st_size);
	else
		(void)xf_take_fd(fd);
	return rc;
}
