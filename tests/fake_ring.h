/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * fake_ring -- a ring in a fake guest's RAM, filled by the module's own writer.
 *
 *	struct fake_ring f;
 *	fake_ring_open(&f, 12, 4);
 *	fake_ring_rotate(&f);		the first key, as the host gives it
 *	fake_ring_push(&f, n);		call number n
 *	... ring_next(&f.r, ...), ring_accept(...)
 *	fake_ring_close(&f);
 *
 * Calls prove themselves: the time stamp of call n is n, and all else in its
 * record follows from n. A record that was put together from two, or unmasked
 * with the wrong key, does not pass fake_ring_call_ok().
 */
#ifndef FAKE_RING_H
#define FAKE_RING_H

#include "unit/fake_guest.h"

#include "cleanup.h"
#include "key.h"
#include "klog.h"
#include "mailbox.h"
#include "mask.h"
#include "ring.h"
#include "shared.h"
#include "xft_abi.h"
#include "xft_record.h"

/* What the kernel gives the module. */
#ifndef __always_inline
#define __always_inline inline __attribute__((always_inline))
#endif
#define likely(x)	   __builtin_expect(!!(x), 1)
#define unlikely(x)	   __builtin_expect(!!(x), 0)
#define READ_ONCE(x)	   (*(const volatile __typeof__(x) *)&(x))
#define noinline	   __attribute__((noinline, unused))
#define notrace
#define WRITE_ONCE(x, v)   (*(volatile __typeof__(x) *)&(x) = (v))
#define xft_publish(p, v)  __atomic_store_n(p, v, __ATOMIC_RELEASE)
#define xft_acquire(p)	   __atomic_load_n(p, __ATOMIC_ACQUIRE)
#define xft_swap(p, from, to)                                                  \
	__atomic_compare_exchange_n(p, &(u32){ from }, to, false,              \
				    __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)
#define xft_irq_save()	   0
#define xft_irq_restore(f) ((void)(f))
#ifndef cond_resched
#define cond_resched() ((void)0)
#endif
#define xft_order_stores() __atomic_thread_fence(__ATOMIC_RELEASE)
#define xft_order_loads()  __atomic_thread_fence(__ATOMIC_ACQUIRE)
#include "../guest/xft_ring.h"
#include "../guest/xft_seal.c"

#define FAKE_RING_GPA 0x1000ull
#define FAKE_MBOX_GPA 0x2000ull
#define FAKE_SESSION  7
/* A new task every so many calls; a power of two. */
#define FAKE_TASK_CALLS 1024

struct fake_ring {
	struct fake_guest g;
	struct xft_ring *w;	  /* the writer, in guest RAM */
	struct xft_ring_hdr *hdr; /* the same page as the host sees it */
	struct xft_sub *subs[XFT_MAX_SUBS]; /* the writer's addresses */
	uint64_t tasks;			    /* TASK records, counted here */
	struct mailbox mb;		    /* only to hand out keys */
	struct key_ctl key;
	struct klog keys;
	struct ring r; /* the reader */
	enum xft_mask mask;
	struct xft_seal seal;	/* the guest's, ... */
	struct xft_seal *pool;	/* ... or this one, with a pool */
	uint8_t seed[UNSEAL_SEED];
};

static inline uint64_t fake_mix(uint64_t v)
{
	v = (v ^ v >> 31) * 0x9e3779b97f4a7c15ull;
	return (v ^ v >> 29) * 0xbf58476d1ce4e5b9ull;
}

/* Call @n, without its time. */
static inline uint64_t fake_first(uint64_t n)
{
	uint64_t type = n & 1 ? XFT_RETURN : XFT_ENTRY;
	uint64_t context = fake_mix(n) >> 62;
	uint64_t depth = fake_mix(n) >> 32 & XFT_DEPTH_MAX;

	return depth << XFT_DEPTH_SHIFT | context << XFT_CTX_SHIFT |
	       XFT_CALL_WORDS << XFT_WORDS_SHIFT | type;
}

static inline uint64_t fake_second(uint64_t n)
{
	return fake_mix(~n);
}

/* Words in record @n if it is a long one. */
static inline uint32_t fake_words(uint64_t n)
{
	return 2 + fake_mix(n) % 40;
}

/* The @i-th word of a long record. */
static inline uint64_t fake_word(uint64_t n, uint32_t i)
{
	return fake_mix(n << 9 | i);
}

/* Tasks change now and then; only the address, the pid and the name count. */
static inline uint32_t fake_pid(uint64_t n)
{
	return 1 + n / FAKE_TASK_CALLS % 5;
}

static inline void fake_comm(uint32_t pid, uint64_t ret_comm[2])
{
	ret_comm[0] = fake_mix(pid);
	ret_comm[1] = fake_mix(~(uint64_t)pid);
}

/* @words: an unmasked record, no TASK, of a sub-buffer that began at @base. */
static inline bool fake_ring_call_ok(const uint64_t *words, uint64_t base,
				     uint64_t *ret_n)
{
	uint64_t n = base + xft_delta(words[0]);
	uint32_t len = xft_words(words[0]);

	*ret_n = n;
	if (xft_type(words[0]) == XFT_EVENT) {
		for (uint32_t i = 1; i < len; i++)
			if (words[i] != fake_word(n, i))
				return false;
		return len == fake_words(n);
	}
	return (words[0] & ((1ull << XFT_TIME_SHIFT) - 1)) == fake_first(n) &&
	       words[1] == fake_second(n);
}

static inline bool fake_ring_task_ok(const uint64_t *words)
{
	uint64_t comm[2];
	uint32_t pid = words[1];

	fake_comm(pid, comm);
	return pid >= 1 && pid <= 5 && words[1] >> 32 == pid + 1000u &&
	       words[2] == comm[0] && words[3] == comm[1];
}

/* A new key: into the Klog, then to the guest. Writers see it when kicked. */
static inline void fake_ring_rotate(struct fake_ring *f)
{
	struct klog_entry e;

	if (key_next(&f->key, &e, NULL) || klog_add(&f->keys, &e, NULL))
		abort();
	mailbox_set_key(&f->mb, &e);
}

static inline void fake_ring_open(struct fake_ring *f, uint32_t shift,
				  uint32_t nr)
{
	uint64_t size = 1ull << shift;
	uint64_t base =
		(FAKE_MBOX_GPA + sizeof(struct xft_mbox) + size) & ~(size - 1);

	memset(f, 0, sizeof(*f));
	fake_guest_open(&f->g, base + nr * size);
	f->hdr = (void *)(f->g.ram + FAKE_RING_GPA);
	f->w = (void *)f->hdr;
	f->mb.mbox = (void *)(f->g.ram + FAKE_MBOX_GPA);
	f->key.session = FAKE_SESSION;
	klog_init(&f->keys);

	f->hdr->cpu = 3;
	f->hdr->kind = XFT_RING_MAIN;
	f->hdr->sub_shift = shift;
	f->hdr->nr_subs = nr;
	f->hdr->self_gpa = FAKE_RING_GPA;
	f->w->mbox = f->mb.mbox;
	f->w->subs = f->subs;
	/* In no particular order, as page allocators do. */
	for (uint32_t i = 0; i < nr; i++) {
		f->hdr->sub_gpa[i] = base + (nr - 1 - i) * size;
		f->subs[i] = (void *)(f->g.ram + f->hdr->sub_gpa[i]);
	}
	f->hdr->magic = XFT_RING_MAGIC;
	if (ring_init(&f->r, &f->g.mf, FAKE_RING_GPA, NULL))
		abort();
}

/* Before the first record: from now on they are sealed. */
static inline void fake_ring_seal(struct fake_ring *f)
{
	uint64_t seed[4];

	for (int i = 0; i < 4; i++)
		seed[i] = fake_mix(i + 77);
	memcpy(f->seed, seed, sizeof(seed));
	f->mask = XFT_MASK_SEALED;
	f->w->seal = &f->seal;
	xft_seal_init(&f->seal, seed, f->hdr->cpu, f->hdr->kind);
	if (ring_seal(&f->r, f->seed, NULL))
		abort();
}

/* After that: its streams are made by whoever calls xft_seal_fill(). */
static inline void fake_ring_pool(struct fake_ring *f)
{
	uint64_t seed[4], pooled = xft_seal_pooled(f->hdr->sub_shift);

	f->pool = calloc(1, xft_seal_size(pooled));
	if (!f->pool)
		abort();
	f->w->seal = f->pool;
	f->pool->pooled = pooled;
	memcpy(seed, f->seed, sizeof(seed));
	xft_seal_init(f->pool, seed, f->hdr->cpu, f->hdr->kind);
}

static inline void fake_ring_close(struct fake_ring *f)
{
	free(f->pool);
	ring_deinit(&f->r);
	klog_deinit(&f->keys);
	fake_guest_close(&f->g);
}

/* What xft_push_prepare() does. */
static inline bool fake_ring_prepare(struct fake_ring *f, uint64_t n,
				     uint32_t words)
{
	struct xft_ring *w = f->w;
	const struct xft_sub *sub = w->sub;
	uint32_t pid = fake_pid(n);
	uint64_t odd = w->odd;
	uint64_t comm[2];
	bool ready;

	fake_comm(pid, comm);
	ready = xft_ring_prepare(w, (void *)(uintptr_t)(pid * 64), words, n,
				 pid, pid + 1000, comm, f->mask);
	f->tasks += w->sub == sub ? w->odd - odd : w->odd;
	return ready;
}

/* What xft_event_take() does. */
static inline void fake_ring_push_long(struct fake_ring *f, uint64_t n)
{
	const void *task = (void *)(uintptr_t)(fake_pid(n) * 64);
	uint32_t words = fake_words(n);
	struct xft_pen pen;

	if (unlikely(!xft_ring_room(f->w, task, words, f->mask)) &&
	    !fake_ring_prepare(f, n, words))
		return;
	pen = xft_pen_begin(f->w, f->mask);
	for (uint32_t i = 1; i < words; i++)
		xft_pen_word(&pen, fake_word(n, i), f->mask);
	xft_pen_end(&pen, n, XFT_EVENT, f->mask);
}

/* What xft_record() does, and xft_record_slow(). */
static __always_inline void fake_ring_push_as(struct fake_ring *f, uint64_t n,
					      enum xft_mask mask)
{
	const void *task = (void *)(uintptr_t)(fake_pid(n) * 64);

	if (likely(xft_ring_ready(f->w, task, mask))) {
		xft_ring_call(f->w, n, fake_first(n), fake_second(n), mask);
	} else if (fake_ring_prepare(f, n, XFT_CALL_WORDS)) {
		xft_ring_call_slow(f->w, n, fake_first(n), fake_second(n),
				   mask);
	}
}

static inline void fake_ring_push(struct fake_ring *f, uint64_t n)
{
	if (f->mask == XFT_MASK_SEALED)
		fake_ring_push_as(f, n, XFT_MASK_SEALED);
	else
		fake_ring_push_as(f, n, XFT_MASK_XOR);
}

static inline void fake_ring_kick(struct fake_ring *f, uint64_t n)
{
	xft_ring_kick(f->w, n);
}

#endif
