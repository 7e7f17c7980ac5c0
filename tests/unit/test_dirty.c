// SPDX-License-Identifier: GPL-2.0-only
/*
 * The recorder's end of what it shares with code in QEMU, here in this process.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "cleanup.h"
#include "dirty.h"
#include "shared.h"

#define VCPUS 2
#define GIB   (1ull << 30)

struct source {
	char path[64];
	char *file;
	size_t len;
	struct xftd_source *source;
	struct xftd_wanted *wanted;
	pthread_t thread;
	bool stop;
	int refuse;		/* answer with that */
};

static void source_open(struct source *s)
{
	int fd;

	*s = (struct source){ .len = xftd_vcpu_off(XFTD_RING, VCPUS) };
	strcpy(s->path, "/tmp/test_dirty.XXXXXX");
	fd = mkstemp(s->path);
	assert_true(fd >= 0 && !ftruncate(fd, s->len));
	s->file = mmap(NULL, s->len, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	assert_true(s->file != MAP_FAILED);
	close(fd);
	s->source = (void *)s->file;
	s->wanted = (void *)(s->file + XFTD_PAGE);
	*s->source = (struct xftd_source){
		.magic = XFTD_MAGIC,
		.version = XFTD_VERSION,
		.kind = XFTD_TCG,
		.modes = 1 << XFTD_OFF | 1 << XFTD_FIRST,
		.nr_vcpus = VCPUS,
		.ring_size = XFTD_RING,
	};
}

static void source_close(struct source *s)
{
	munmap(s->file, s->len);
	unlink(s->path);
}

static struct xftd_out *out_of(struct source *s, uint32_t vcpu)
{
	return (void *)(s->file + xftd_vcpu_off(XFTD_RING, vcpu));
}

static struct xftd_in *in_of(struct source *s, uint32_t vcpu)
{
	return (void *)(s->file + xftd_vcpu_off(XFTD_RING, vcpu) + XFTD_PAGE);
}

static void tell(struct source *s, uint32_t vcpu, uint64_t addr, uint8_t flags)
{
	struct xftd_out *out = out_of(s, vcpu);
	struct xftd_record *ring = (void *)((char *)out + 2 * XFTD_PAGE);

	ring[out->head % XFTD_RING] =
		(struct xftd_record){ .addr = addr, .flags = flags };
	shared_store(&out->head, out->head + 1);
}

static void *answer(void *arg)
{
	struct source *s = arg;

	while (!shared_load(&s->stop)) {
		uint32_t seq = shared_load(&s->wanted->seq);

		if (seq == s->source->done)
			continue;
		s->source->status = s->refuse;
		strcpy(s->source->message, s->refuse ? "not today" : "");
		shared_store(&s->source->done, seq);
	}
	return NULL;
}

static void test_talk(void **state)
{
	_cleanup_(dirty_close) struct dirty d = DIRTY_INIT;
	struct dirty other = DIRTY_INIT;
	struct memslot slots[] = {
		{ .gpa = 0, .len = 3 * GIB, .hva = 0x7000000000,
		  .ram_addr = 0 },
		{ .gpa = 4 * GIB, .len = GIB, .hva = 0x70c0000000,
		  .ram_addr = 3 * GIB },
		{ .gpa = 8 * GIB, .len = GIB,
		  .ram_addr = MEMSLOT_NO_RAM_ADDR },
	};
	struct memslots ms = { .slot = slots, .nr = ARRAY_SIZE(slots) };
	struct xftd_record r[4];
	struct xf_err err;
	struct source s;

	source_open(&s);
	/* Of an earlier recorder. */
	tell(&s, 0, 0x1000, 0);
	assert_int_equal(dirty_open(&d, getpid(), &err), 0);
	assert_string_equal(d.name, "TCG plugin");
	assert_true(dirty_is_exact(d.kind));
	assert_int_equal(dirty_open(&other, getpid(), &err), -EBUSY);
	assert_int_equal(dirty_set_slots(&d, &ms, &err), 0);
	pthread_create(&s.thread, NULL, answer, &s);

	assert_int_equal(dirty_request(&d, XFTD_ALL, 0, &err), -EOPNOTSUPP);
	d.head_gpa[1] = 4 * GIB + 64;
	assert_int_equal(dirty_request(&d, XFTD_FIRST, 10, &err), 0);
	assert_int_equal(s.wanted->mode, XFTD_FIRST);
	assert_int_equal(in_of(&s, 0)->head_hva, 0);
	assert_true(in_of(&s, 1)->head_hva == 0x70c0000000 + 64);
	d.head_gpa[1] = 8 * GIB;
	assert_int_equal(dirty_request(&d, XFTD_FIRST, 10, &err), -EFAULT);
	d.head_gpa[1] = 0;
	s.refuse = -EFAULT;
	assert_int_equal(dirty_request(&d, XFTD_FIRST, 10, &err), -EFAULT);
	assert_non_null(strstr(err.msg, "not today"));

	assert_int_equal(dirty_read(&d, 0, r, 4), 0);
	/* Below and above the hole, plugged in since, and no RAM block's. */
	tell(&s, 0, GIB + 8, XFTD_RAM_ADDR);
	tell(&s, 0, 3 * GIB + 8, XFTD_RAM_ADDR);
	tell(&s, 0, 5 * GIB, XFTD_RAM_ADDR);
	tell(&s, 0, 9 * GIB, 0);
	assert_int_equal(dirty_read(&d, 0, r, 4), 4);
	assert_true(r[0].addr == GIB + 8 && !r[0].flags);
	assert_true(r[1].addr == 4 * GIB + 8 && !r[1].flags);
	assert_true(r[2].addr == 5 * GIB && r[2].flags == XFTD_RAM_ADDR);
	assert_true(r[3].addr == 9 * GIB && !r[3].flags);
	assert_int_equal(dirty_place(&d, r, 4), 1);
	ms.slot[1].len = 3 * GIB;
	assert_int_equal(dirty_set_slots(&d, &ms, &err), 0);
	assert_int_equal(dirty_place(&d, r, 4), 0);
	assert_true(r[2].addr == 6 * GIB && !r[2].flags);
	assert_int_equal(dirty_read(&d, 0, r, 4), 0);
	assert_int_equal(dirty_read(&d, 1, r, 4), 0);
	/* Around the end of the ring. */
	for (uint64_t i = 0; i < XFTD_RING + 3; i++) {
		tell(&s, 1, i << 12, 0);
		assert_int_equal(dirty_read(&d, 1, r, 4), 1);
		assert_true(r[0].addr == i << 12);
	}
	out_of(&s, 0)->lost = 3;
	out_of(&s, 1)->lost = 4;
	assert_int_equal(dirty_lost(&d), 7);
	/* A head that cannot be. */
	out_of(&s, 0)->head += XFTD_RING + 1;
	assert_int_equal(dirty_read(&d, 0, r, 4), 0);
	shared_store(&s.stop, true);
	pthread_join(s.thread, NULL);
	source_close(&s);
}

static void test_refused(void **state)
{
	struct dirty d = DIRTY_INIT;
	struct source s;
	struct xf_err err;

	/* Not dirty_open(), which would look at the host's page tables then. */
	assert_int_equal(dirty_open_shared(&d, getpid(), &err), -ENOENT);
	assert_non_null(strstr(err.msg, "guest start --dirty"));
	source_open(&s);
	s.source->version = XFTD_VERSION + 1;
	assert_int_equal(dirty_open(&d, getpid(), &err), -EPROTO);
	s.source->version = XFTD_VERSION;
	s.source->nr_vcpus = XFTD_MAX_VCPUS + 1;
	assert_int_equal(dirty_open(&d, getpid(), &err), -EPROTO);
	s.source->nr_vcpus = VCPUS + 1;
	assert_int_equal(dirty_open(&d, getpid(), &err), -EPROTO);
	s.source->nr_vcpus = VCPUS;
	s.source->ring_size = 3;
	assert_int_equal(dirty_open(&d, getpid(), &err), -EPROTO);
	s.source->ring_size = XFTD_RING;
	s.source->nr_vcpus = 0;
	s.source->status = -ENODEV;
	memset(s.source->message, 'x', sizeof(s.source->message));
	assert_int_equal(dirty_open(&d, getpid(), &err), -ENODEV);
	source_close(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_talk),
		cmocka_unit_test(test_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
