// SPDX-License-Identifier: GPL-2.0-only
/* mailbox against a thread that plays the guest, and against dead blocks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <time.h>

#include "cleanup.h"
#include "fake_guest.h"
#include "mailbox.h"
#include "shared.h"

#define MIB	 (1ull << 20)
#define MBOX_LEN sizeof(struct xft_mbox)
/* Patience for what answers, and for what never will. */
#define LONG_MS	 5000
#define SHORT_MS 60

/* A control block, and the thread that makes it live. */
struct block {
	struct fake_guest *g;
	struct xft_ctl *ctl;
	struct xft_mbox *mbox;
	pthread_t thread;
	bool runs;
	/* Shared with the thread: */
	uint32_t stop, mute; /* mute: the heart beats, nothing is answered */
	int32_t status;	     /* what to answer */
	uint32_t detail;
	uint32_t nr_asked;
	uint32_t asked[16]; /* commands, in the order in which they came */
	uint32_t seqs[16];
};

static void *live(void *arg)
{
	struct block *b = arg;
	const struct timespec nap = { .tv_nsec = 1000000 };

	while (!shared_load(&b->stop)) {
		uint32_t seq = shared_load(&b->mbox->seq);

		if (seq != b->ctl->seq_done && !shared_load(&b->mute)) {
			uint32_t i = b->nr_asked;

			b->asked[i % 16] = b->mbox->cmd;
			b->seqs[i % 16] = seq;
			shared_store(&b->nr_asked, i + 1);
			b->ctl->status = b->status;
			b->ctl->detail = b->detail;
			shared_store(&b->ctl->seq_done, seq);
		}
		shared_store(&b->ctl->heartbeat, b->ctl->heartbeat + 1);
		nanosleep(&nap, NULL);
	}
	return NULL;
}

static void block_put(struct block *b, struct fake_guest *g, uint64_t gpa)
{
	*b = (struct block){ .g = g,
			     .ctl = (void *)(g->ram + gpa),
			     .mbox = (void *)(g->ram + gpa + XFT_PAGE) };
	*b->ctl = (struct xft_ctl){
		.magic = { XFT_MAGIC0, XFT_MAGIC1 },
		.abi_major = XFT_ABI_MAJOR,
		.self_gpa = gpa,
		.instance = 0x1111 + gpa,
		.mbox_gpa = gpa + XFT_PAGE,
		.nr_cpus = 2,
		.tsc_khz = 1000000,
		.release = "6.1.0-test",
	};
	memset(b->mbox, 0, MBOX_LEN);
}

static void block_start(struct block *b)
{
	assert_int_equal(pthread_create(&b->thread, NULL, live, b), 0);
	b->runs = true;
}

static void block_stop(struct block *b)
{
	if (b->runs) {
		shared_store(&b->stop, 1);
		pthread_join(b->thread, NULL);
		b->runs = false;
		b->stop = 0;
	}
}

static int find(struct mailbox *mb, struct fake_guest *g, unsigned int ms,
		struct xf_err *err)
{
	int rc;

	*err = (struct xf_err){ 0 };
	rc = mailbox_find(mb, &g->mf, ms, err);
	assert_int_equal(err->code, rc);
	assert_int_equal(!err->msg[0], !rc);
	return rc;
}

/* The same, and it answers. */
static void find_live(struct mailbox *mb, struct fake_guest *g)
{
	struct xf_err err;

	assert_int_equal(find(mb, g, LONG_MS, &err), 0);
	assert_int_equal(
		mailbox_request(mb, XFT_CMD_PING, LONG_MS, NULL, NULL, &err),
		0);
}

static void test_requests(void **state)
{
	static const uint64_t roots[] = { 0xffffffff81000010,
					  0xffffffff81000020 };
	struct mailbox_start start = {
		.sub_shift = 16,
		.nr_subs = 64,
		.max_depth = 3,
		.nr_roots = 2,
		.roots = roots,
		.kfunc = { 1, 2, 3, 4, 5, 6, 7, 8 },
	};
	struct klog_entry key = { .key = 0xabcd, .epoch = 1 };
	struct fake_guest g;
	struct mailbox mb = { 0 };
	struct xft_ctl ctl;
	struct xf_err err;
	struct block b;

	fake_guest_open(&g, MIB);
	block_put(&b, &g, 0x20000);
	block_start(&b);
	find_live(&mb, &g);
	assert_int_equal(mb.ctl_gpa, 0x20000);
	assert_int_equal(mb.instance, b.ctl->instance);
	assert_int_equal(b.nr_asked, 1);
	assert_int_equal(b.asked[0], XFT_CMD_PING);

	assert_int_equal(mailbox_ctl(&mb, &ctl, &err), 0);
	assert_string_equal(ctl.release, "6.1.0-test");

	mailbox_set_key(&mb, &key);
	assert_int_equal(b.mbox->epoch, 1);
	assert_int_equal(b.mbox->key[1], 0xabcd);
	key = (struct klog_entry){ .key = 0xef01, .epoch = 2 };
	mailbox_set_key(&mb, &key);
	assert_int_equal(b.mbox->epoch, 2);
	assert_int_equal(b.mbox->key[0], 0xef01);
	/* The one before is still there for a writer that is just reading. */
	assert_int_equal(b.mbox->key[1], 0xabcd);

	assert_int_equal(mailbox_start(&mb, &start, LONG_MS, NULL, NULL, &err),
			 0);
	assert_int_equal(b.asked[1], XFT_CMD_START);
	assert_int_equal(b.mbox->sub_shift, 16);
	assert_int_equal(b.mbox->nr_subs, 64);
	assert_int_equal(b.mbox->max_depth, 3);
	assert_int_equal(b.mbox->nr_roots, 2);
	assert_memory_equal(b.mbox->roots, roots, sizeof(roots));
	assert_memory_equal(b.mbox->kfunc, start.kfunc, sizeof(start.kfunc));
	/* Until somebody else has the page, whole or a part of it. */
	assert_true(mailbox_is_ours(&mb));
	b.mbox->kfunc[1]++;
	assert_false(mailbox_is_ours(&mb));
	b.mbox->kfunc[1]--;
	b.mbox->reserved1[sizeof(b.mbox->reserved1) - 1] = 1;
	assert_false(mailbox_is_ours(&mb));
	b.mbox->reserved1[sizeof(b.mbox->reserved1) - 1] = 0;
	assert_int_equal(
		mailbox_request(&mb, XFT_CMD_STOP, LONG_MS, NULL, NULL, &err),
		0);
	assert_int_equal(mailbox_request(&mb, XFT_CMD_RELEASE, LONG_MS, NULL,
					 NULL, &err),
			 0);
	assert_int_equal(b.nr_asked, 4);
	assert_int_equal(b.asked[2], XFT_CMD_STOP);
	assert_int_equal(b.asked[3], XFT_CMD_RELEASE);

	/* Too many. */
	start.nr_roots = XFT_MAX_ROOTS + 1;
	assert_int_equal(mailbox_start(&mb, &start, LONG_MS, NULL, NULL, &err),
			 -E2BIG);
	assert_non_null(strstr(err.msg, "8193 functions"));
	assert_int_equal(b.nr_asked, 4);
	block_stop(&b);
	fake_guest_close(&g);
}

/* The list of events, as the guest walks it. */
static void test_events(void **state)
{
	static const struct mailbox_event events[] = {
		{ "sched:sched_switch", 314 },
		{ "a:b", 65535 },
		{ "x:y", 1 },
	};
	struct mailbox_start start = { .sub_shift = 12,
				       .nr_subs = 4,
				       .nr_events = 3,
				       .events = events };
	const struct xft_event_want *want;
	struct mailbox_event *many;
	struct mailbox mb = { 0 };
	char name[300] = "";
	struct fake_guest g;
	struct xf_err err;
	struct block b;
	uint32_t pos = 0;

	fake_guest_open(&g, MIB);
	block_put(&b, &g, 0x20000);
	block_start(&b);
	find_live(&mb, &g);
	assert_int_equal(mailbox_start(&mb, &start, LONG_MS, NULL, NULL, &err),
			 0);
	assert_int_equal(b.mbox->nr_events, 3);
	assert_int_equal(b.mbox->nr_roots, 0);
	for (int i = 0; i < 3; i++) {
		want = (const void *)(b.mbox->events + pos);
		assert_int_equal(want->id, events[i].id);
		assert_int_equal(want->len, strlen(want->name) + 1);
		assert_string_equal(want->name, events[i].name);
		pos += sizeof(*want) + (want->len + 3) / 4 * 4;
	}

	/* A name, and a list, that do not fit: nothing is asked. */
	memset(name, 'x', sizeof(name) - 1);
	start.events = &(struct mailbox_event){ .name = name };
	start.nr_events = 1;
	assert_int_equal(mailbox_start(&mb, &start, LONG_MS, NULL, NULL, &err),
			 -ENAMETOOLONG);
	name[100] = '\0';
	start.nr_events = XFT_EVENTS_SIZE / 108 + 1;
	many = calloc(start.nr_events, sizeof(*many));
	for (uint32_t i = 0; i < start.nr_events; i++)
		many[i].name = name;
	start.events = many;
	assert_int_equal(mailbox_start(&mb, &start, LONG_MS, NULL, NULL, &err),
			 -E2BIG);
	assert_int_equal(b.nr_asked, 2);
	start.nr_events--;
	assert_int_equal(mailbox_start(&mb, &start, LONG_MS, NULL, NULL, &err),
			 0);
	free(many);
	block_stop(&b);
	fake_guest_close(&g);
}

/* Sequence numbers as they come: at the end of their range, and abandoned. */
static void test_seq(void **state)
{
	static const struct {
		uint32_t done, asked;
	} before[] = {
		{ 0, 0 },
		{ 5, 5 },
		{ UINT32_MAX, UINT32_MAX },
		/* A host died and left a request behind. */
		{ 5, 6 },
		{ UINT32_MAX, 0 },
		{ UINT32_MAX - 1, UINT32_MAX },
		/* Or more than one, or somebody else wrote there. */
		{ 5, 9 },
		{ 5, 4 },
		{ 0, UINT32_MAX },
		{ 7, 0x80000000 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(before); i++) {
		struct fake_guest g;
		struct mailbox mb = { 0 };
		struct block b;

		fake_guest_open(&g, MIB);
		block_put(&b, &g, 0x20000);
		b.ctl->seq_done = before[i].done;
		b.mbox->seq = before[i].asked;
		b.mbox->cmd = XFT_CMD_STOP;
		block_start(&b);
		find_live(&mb, &g);
		/* Our request was carried out, as a request of its own. */
		assert_true(b.nr_asked >= 1 && b.nr_asked <= 2);
		assert_int_equal(b.asked[b.nr_asked - 1], XFT_CMD_PING);
		assert_int_equal(b.seqs[b.nr_asked - 1], b.ctl->seq_done);
		block_stop(&b);
		fake_guest_close(&g);
	}
}

/* What refusals are about, and what to do. */
static void test_refusals(void **state)
{
	static const struct {
		int32_t status;
		uint32_t detail;
		int rc;
		const char *says;
	} refusals[] = {
		{ -ENOENT, XFT_DETAIL_KFUNC + XFT_KFUNC_REGISTER, -ENOENT,
		  "--symbols" },
		{ -EFAULT, XFT_DETAIL_KFUNC + XFT_KFUNC_RET_STACK, -EFAULT,
		  "6.1.0-test" },
		{ -ENOMEM, XFT_DETAIL_RINGS, -ENOMEM, "--ring-size" },
		{ -EBUSY, XFT_DETAIL_REGISTER, -EBUSY, "current_tracer" },
		{ -ENODEV, XFT_DETAIL_REGISTER, -ENODEV, "No such device" },
		{ -EINVAL, XFT_DETAIL_PARAM, -EINVAL, "parameter" },
		{ -EPERM, XFT_DETAIL_IBT, -EPERM, "ibt=off" },
		{ -ENOSYS, XFT_DETAIL_EXPORT, -ENOSYS, "trace events" },
		{ -EBUSY, XFT_DETAIL_NONE, -EBUSY, "busy" },
		/* Details and results that a later module may know. */
		{ -EBUSY, 77, -EBUSY, "busy" },
		{ -4095, 77, -4095, "4095" },
		/* No errno at all. */
		{ 1, XFT_DETAIL_NONE, -EBADMSG, "answered" },
		{ INT32_MAX, XFT_DETAIL_RINGS, -EBADMSG, "--ring-size" },
		{ -4096, XFT_DETAIL_REGISTER, -EBADMSG, "ftrace" },
		{ INT32_MIN, UINT32_MAX, -EBADMSG, "answered" },
	};
	struct fake_guest g;
	struct mailbox mb = { 0 };
	struct xf_err err;
	struct block b;

	fake_guest_open(&g, MIB);
	block_put(&b, &g, 0x20000);
	block_start(&b);
	find_live(&mb, &g);
	/* Kernel functions that were given, so they were wrong. */
	for (int i = 0; i < XFT_NR_KFUNCS; i++)
		b.mbox->kfunc[i] = 1;
	for (size_t i = 0; i < ARRAY_SIZE(refusals); i++) {
		int rc;

		b.status = refusals[i].status;
		b.detail = refusals[i].detail;
		err = (struct xf_err){ 0 };
		rc = mailbox_request(&mb, XFT_CMD_STOP, LONG_MS, NULL, NULL,
				     &err);
		assert_int_equal(rc, refusals[i].rc);
		assert_int_equal(err.code, rc);
		if (!strstr(err.msg, refusals[i].says))
			fail_msg("%zu: '%s' does not say '%s'", i, err.msg,
				 refusals[i].says);
		/* Without a sentence, too. */
		assert_int_equal(mailbox_request(&mb, XFT_CMD_STOP, LONG_MS,
						 NULL, NULL, NULL),
				 rc);
	}
	block_stop(&b);
	fake_guest_close(&g);
}

static void assert_printable(const char *s)
{
	for (; *s; s++)
		if (*s < 0x20 || *s > 0x7e)
			fail_msg("byte 0x%02x for a terminal", *s & 0xff);
}

/* What the guest calls its kernel goes to a terminal. */
static void test_hostile_release(void **state)
{
	struct fake_guest g;
	struct mailbox mb = { 0 };
	struct xft_ctl ctl;
	struct xf_err err;
	struct block b;

	fake_guest_open(&g, MIB);
	block_put(&b, &g, 0x20000);
	block_start(&b);
	find_live(&mb, &g);
	/* Not terminated, and full of what terminals obey. */
	memset(b.ctl->release, 'x', sizeof(b.ctl->release));
	memcpy(b.ctl->release, "\033]0;owned\a\033[2J\r\n\xff%s%n", 22);
	assert_int_equal(mailbox_ctl(&mb, &ctl, &err), 0);
	assert_true(strlen(ctl.release) < sizeof(ctl.release));
	b.status = -ENOENT;
	b.detail = XFT_DETAIL_KFUNC;
	/* The function is missing here, and another one is wrong. */
	assert_int_equal(
		mailbox_request(&mb, XFT_CMD_START, LONG_MS, NULL, NULL, &err),
		-EOPNOTSUPP);
	assert_printable(err.msg);
	assert_non_null(strstr(err.msg, "no function_graph"));
	b.mbox->kfunc[XFT_KFUNC_EVENT_MUTEX] = 1;
	b.detail = XFT_DETAIL_KFUNC + XFT_KFUNC_EVENT_MUTEX;
	assert_int_equal(
		mailbox_request(&mb, XFT_CMD_START, LONG_MS, NULL, NULL, &err),
		-ENOENT);
	assert_printable(err.msg);
	block_stop(&b);
	fake_guest_close(&g);
}

struct waiting {
	unsigned int calls, last_ms;
	unsigned int give_up; /* after so many calls; 0: never */
};

static bool wait_a_little(void *arg, unsigned int waited_ms)
{
	struct waiting *w = arg;

	assert_true(waited_ms >= w->last_ms);
	w->last_ms = waited_ms;
	return ++w->calls != w->give_up;
}

static void test_timeout(void **state)
{
	struct waiting w = { 0 };
	struct fake_guest g;
	struct mailbox mb = { 0 };
	struct xf_err err;
	struct block b;

	fake_guest_open(&g, MIB);
	block_put(&b, &g, 0x20000);
	block_start(&b);
	find_live(&mb, &g);
	shared_store(&b.mute, 1);
	assert_int_equal(mailbox_request(&mb, XFT_CMD_STOP, SHORT_MS,
					 wait_a_little, &w, &err),
			 -ETIMEDOUT);
	assert_non_null(strstr(err.msg, "within 1 s"));
	assert_true(w.calls > 1 && w.last_ms <= SHORT_MS + 1000);
	/* The user's patience ends first. */
	w = (struct waiting){ .give_up = 3 };
	assert_int_equal(mailbox_request(&mb, XFT_CMD_STOP, LONG_MS,
					 wait_a_little, &w, &err),
			 -EINTR);
	assert_int_equal(w.calls, 3);
	/* It wakes up: what was asked last is what it does. */
	shared_store(&b.mute, 0);
	assert_int_equal(mailbox_request(&mb, XFT_CMD_RELEASE, LONG_MS, NULL,
					 NULL, &err),
			 0);
	assert_int_equal(b.asked[(b.nr_asked - 1) % 16], XFT_CMD_RELEASE);

	/* The module goes, or another comes in its place, while we wait. */
	shared_store(&b.mute, 1);
	b.ctl->instance++;
	assert_int_equal(
		mailbox_request(&mb, XFT_CMD_STOP, LONG_MS, NULL, NULL, &err),
		-EBADMSG);
	b.ctl->instance--;
	b.ctl->magic[0] = 0;
	assert_int_equal(
		mailbox_request(&mb, XFT_CMD_STOP, LONG_MS, NULL, NULL, &err),
		-EBADMSG);
	assert_non_null(strstr(err.msg, "is gone"));
	block_stop(&b);
	fake_guest_close(&g);
}

/* The memory of a block's mailbox that belongs to somebody else by now. */
static void soil(struct block *b)
{
	uint8_t *p = (uint8_t *)b->mbox;

	for (size_t i = 0; i < MBOX_LEN; i++)
		p[i] = i * 7 + 1;
}

static void assert_untouched(const struct block *b)
{
	const uint8_t *p = (const uint8_t *)b->mbox;

	for (size_t i = 0; i < MBOX_LEN; i++)
		if (p[i] != (uint8_t)(i * 7 + 1))
			fail_msg("byte %zu of a dead mailbox was written", i);
}

static void test_stale(void **state)
{
	struct fake_guest g;
	struct mailbox mb = { .ctl_gpa = 99 };
	struct xf_err err;
	struct block b;

	fake_guest_open(&g, MIB);
	assert_int_equal(find(&mb, &g, SHORT_MS, &err), -ENOENT);
	assert_non_null(strstr(err.msg, "insmod"));

	block_put(&b, &g, 0x20000);
	soil(&b);
	assert_int_equal(find(&mb, &g, SHORT_MS, &err), -ETIMEDOUT);
	assert_untouched(&b);
	/* Not taken at all: half a magic, another place, not on a page. */
	b.ctl->magic[1]++;
	assert_int_equal(find(&mb, &g, SHORT_MS, &err), -ENOENT);
	b.ctl->magic[1]--;
	b.ctl->self_gpa += XFT_PAGE;
	assert_int_equal(find(&mb, &g, SHORT_MS, &err), -ENOENT);
	memmove(g.ram + 0x20000 + 64, g.ram + 0x20000, sizeof(struct xft_ctl));
	assert_int_equal(find(&mb, &g, SHORT_MS, &err), -ENOENT);
	assert_int_equal(mb.ctl_gpa, 99);
	fake_guest_close(&g);
}

/* Several that look right: the one that lives, wherever it is. */
static void test_candidates(void **state)
{
	static const uint64_t places[] = { 0x20000, 0x60000, 0xa0000 };

	for (size_t alive = 0; alive < ARRAY_SIZE(places); alive++) {
		struct block b[ARRAY_SIZE(places)];
		struct fake_guest g;
		struct mailbox mb = { 0 };
		struct xf_err err;

		fake_guest_open(&g, MIB);
		for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
			block_put(&b[i], &g, places[i]);
			b[i].ctl->heartbeat = 1000 * i;
			soil(&b[i]);
		}
		b[alive].mbox->seq = b[alive].ctl->seq_done;
		block_start(&b[alive]);
		assert_int_equal(find(&mb, &g, LONG_MS, &err), 0);
		assert_int_equal(mb.ctl_gpa, places[alive]);
		for (size_t i = 0; i < ARRAY_SIZE(places); i++)
			if (i != alive)
				assert_untouched(&b[i]);
		block_stop(&b[alive]);
		fake_guest_close(&g);
	}
}

/* A page full of decoys in front of the living one. */
static void test_decoys(void **state)
{
	struct block b, decoy;
	struct fake_guest g;
	struct mailbox mb = { 0 };
	struct xf_err err;

	fake_guest_open(&g, 4 * MIB);
	for (uint64_t gpa = 0x10000; gpa < 2 * MIB; gpa += XFT_PAGE)
		block_put(&decoy, &g, gpa);
	block_put(&b, &g, 3 * MIB);
	block_start(&b);
	/* Found, or at least an error that says no more than is known. */
	if (find(&mb, &g, 300, &err))
		assert_int_equal(err.code, -ETIMEDOUT);
	else
		assert_int_equal(mb.ctl_gpa, 3 * MIB);
	block_stop(&b);
	fake_guest_close(&g);
}

static void test_other_version(void **state)
{
	struct fake_guest g;
	struct mailbox mb = { 0 };
	struct xf_err err;
	struct block b;

	fake_guest_open(&g, MIB);
	block_put(&b, &g, 0x20000);
	soil(&b);
	b.ctl->abi_major = XFT_ABI_MAJOR + 1;
	b.mute = 1;
	block_start(&b);
	assert_int_equal(find(&mb, &g, LONG_MS, &err), -EPROTO);
	assert_non_null(strstr(err.msg, "abi 2"));
	assert_untouched(&b);
	block_stop(&b);

	/* A newer minor is fine. */
	block_put(&b, &g, 0x20000);
	b.ctl->abi_minor = 99;
	block_start(&b);
	assert_int_equal(find(&mb, &g, LONG_MS, &err), 0);
	block_stop(&b);
	fake_guest_close(&g);
}

/* The mailbox's place is a number from the guest. */
static void test_hostile_mailbox(void **state)
{
	static const uint64_t places[] = {
		0x21001,
		0x21800,
		MIB,
		MIB - XFT_PAGE,
		1ull << 63,
		(uint64_t)-XFT_PAGE,
		(uint64_t)-XFT_MBOX_PAGES * XFT_PAGE,
	};
	struct fake_guest g;
	struct mailbox mb = { 0 };
	struct xf_err err;
	struct block b;

	fake_guest_open(&g, MIB);
	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		int rc;

		block_put(&b, &g, 0x20000);
		b.ctl->mbox_gpa = places[i];
		b.mute = 1;
		block_start(&b);
		rc = find(&mb, &g, LONG_MS, &err);
		assert_true(rc == -EBADMSG || rc == -ERANGE);
		block_stop(&b);
	}
	fake_guest_close(&g);
}

static bool is_instance(void *arg, const struct xft_ctl *ctl)
{
	return ctl->instance == *(uint64_t *)arg;
}

/* RAM of a guest that is gone: which of the blocks in it is it? */
static void test_dead(void **state)
{
	uint64_t wanted = 0x1111 + 0x60000;
	struct block b[3];
	struct fake_guest g;
	struct mailbox mb = { 0 };
	struct xf_err err;

	fake_guest_open(&g, MIB);
	assert_int_equal(mailbox_find_dead(&mb, &g.mf, is_instance, &wanted,
					   &err),
			 -ENOENT);
	for (size_t i = 0; i < ARRAY_SIZE(b); i++)
		block_put(&b[i], &g, 0x20000 + i * 0x20000);
	/* One that lies, of another version. */
	b[1].ctl->instance = wanted;
	b[1].ctl->abi_major++;
	b[2].ctl->instance = wanted;
	assert_int_equal(mailbox_find_dead(&mb, &g.mf, is_instance, &wanted,
					   &err),
			 0);
	assert_int_equal(mb.ctl_gpa, 0x60000);
	wanted++;
	assert_int_equal(mailbox_find_dead(&mb, &g.mf, is_instance, &wanted,
					   &err),
			 -ESTALE);
	fake_guest_close(&g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_requests),
		cmocka_unit_test(test_events),
		cmocka_unit_test(test_seq),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_hostile_release),
		cmocka_unit_test(test_timeout),
		cmocka_unit_test(test_stale),
		cmocka_unit_test(test_candidates),
		cmocka_unit_test(test_decoys),
		cmocka_unit_test(test_other_version),
		cmocka_unit_test(test_hostile_mailbox),
		cmocka_unit_test(test_dead),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
