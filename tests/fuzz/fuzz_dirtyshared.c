// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a source of dirty pages inside QEMU shares with us. QEMU is trusted, but
 * its guest may break it: whatever the file says, and however it changes while
 * we wait, nothing is read or written beside it. Rings are short here, and naps
 * are none.
 */
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "dirty.h"

#undef XFTD_RING
#define XFTD_RING 16

static int doze(const struct timespec *time, struct timespec *ret_left);

#define nanosleep doze
#include "../../kvm-memfile/dirty_shared.c"

#include "fuzz.h"

#define MAX_VCPUS 4

static struct cursor *input;
static uint8_t *file;
static size_t file_len;
static struct dirty dirty;

/* Somewhere in the file a word changes, up to when the request is answered. */
static void change(void)
{
	uint64_t at = cursor_u16(input) % (file_len / 8), word;

	if (input->failed)
		return;
	word = cursor_u64(input);
	memcpy(file + at * 8, &word, sizeof(word));
}

static int doze(const struct timespec *time, struct timespec *ret_left)
{
	struct xftd_source *source = (void *)file;
	const struct shared *shared = dirty.priv;

	change();
	if (input->failed || !cursor_left(input))
		source->done = shared->seq;
	return 0;
}

/* The file, with nothing behind it. */
static void map(struct cursor *in)
{
	size_t len = cursor_u16(in) % 320;
	const void *head;

	file_len = xftd_vcpu_off(XFTD_RING, cursor_u8(in) % (MAX_VCPUS + 1));
	file = mmap(NULL, file_len + XFTD_PAGE, PROT_NONE,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	fuzz_must(file != MAP_FAILED &&
		  !mprotect(file, file_len, PROT_READ | PROT_WRITE));
	if (len > cursor_left(in))
		len = cursor_left(in);
	head = cursor_bytes(in, len);
	if (head)
		memcpy(file, head, len);
}

static void use(struct dirty *d)
{
	struct memslot slots[] = {
		{ .gpa = 0, .len = 1 << 20, .hva = 1 << 30 },
		{ .gpa = 1 << 20, .len = 1 << 20, .ram_addr = 1 << 20 }
	};
	const struct memslots ms = { .slot = slots, .nr = ARRAY_SIZE(slots) };
	struct xftd_record rec[5];
	struct xf_err err;

	fuzz_must(!dirty_set_slots(d, &ms, &err));
	d->head_gpa[0] = 4096;
	for (int i = 0; i < 4; i++) {
		dirty_request(d, cursor_u8(input) % 4, 1, &err);
		change();
		for (uint32_t cpu = 0; cpu < d->nr_vcpus; cpu++)
			fuzz_must(dirty_read(d, cpu, rec, ARRAY_SIZE(rec)) <=
				  ARRAY_SIZE(rec));
		dirty_lost(d);
		dirty_is_gone(d);
		fuzz_must(*dirty_kind_name(d->kind));
	}
}

void fuzz_one(struct cursor *in)
{
	struct xf_err err;

	input = in;
	map(in);
	dirty = (struct dirty){ .name = "fuzz" };
	if (!check((void *)file, file_len, &err) &&
	    !dirty_use_shared(&dirty, (void *)file, file_len, dup(0), &err)) {
		use(&dirty);
		dirty_close(&dirty);
		munmap(file + file_len, XFTD_PAGE);
	} else {
		munmap(file, file_len + XFTD_PAGE);
	}
}
