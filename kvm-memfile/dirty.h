/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * dirty -- which pages the guest writes; one interface for all sources.
 *
 *	_cleanup_(dirty_close) struct dirty d = DIRTY_INIT;
 *
 *	rc = dirty_open(&d, pid, err);		the best source there is
 *	rc = dirty_set_slots(&d, &slots, err);	where RAM is
 *	d.head_gpa[cpu] = ring header's head;	for each vCPU with a ring
 *	rc = dirty_request(&d, XFTD_FIRST, 10, err);
 *	while ((n = dirty_read(&d, vcpu, rec, cap)) > 0) ...
 *	rc = dirty_request(&d, XFTD_OFF, 0, err);
 *
 * What a mode means, and what a record has: abi/xft_dirty.h. Here records have
 * guest-physical addresses, but for those in memory that was plugged in since
 * dirty_set_slots(): they keep their flag of XFTD_NO_GPA.
 *
 * A source is code of ours in QEMU, found by the file that it shares, or else
 * the host's page tables. One user at a time; one thread.
 */
#ifndef XF_DIRTY_H
#define XF_DIRTY_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "err.h"
#include "memslot.h"
#include "xft_dirty.h"

struct dirty;

/* What a source implements; @d->priv is its own. */
struct dirty_ops {
	/*
	 * See dirty_request(). @head_hva[vcpu] is where the trace ring's head
	 * lies in QEMU, 0: nowhere.
	 */
	int (*request)(struct dirty *d, enum xftd_mode mode,
		       uint32_t interval_ms, const uint64_t *head_hva,
		       struct xf_err *err);
	/* Up to @cap records, oldest first. */
	size_t (*read)(struct dirty *d, uint32_t vcpu, struct xftd_record *dst,
		       size_t cap);
	uint64_t (*lost)(const struct dirty *d, uint32_t vcpu);
	/* It does not answer any more. */
	bool (*is_gone)(struct dirty *d);
	void (*close)(struct dirty *d);
};

struct dirty {
	const struct dirty_ops *ops;	/* NULL: closed */
	void *priv;
	const char *name;		/* for people: "TCG plugin" */
	uint32_t kind;			/* enum xftd_kind */
	uint32_t modes;			/* bits (1 << mode) */
	uint32_t nr_vcpus;
	uint64_t head_gpa[XFTD_MAX_VCPUS]; /* 0: no ring */
	struct memslot *slot;		/* owned copy */
	size_t nr_slots;
};

#define DIRTY_INIT { 0 }

/* Is it told at the very store, or some time after it? */
static inline bool dirty_is_exact(uint32_t kind)
{
	return kind == XFTD_TCG;
}

const char *dirty_kind_name(uint32_t kind);

/*
 * -ENOENT: QEMU process @pid has no source, the sentence says how to get one.
 * -EBUSY: another recorder uses it. -EPROTO: it speaks another version.
 */
int dirty_open(struct dirty *d, pid_t pid, struct xf_err *err);
void dirty_close(struct dirty *d);

/* Each source's own part of dirty_open(). */
int dirty_open_shared(struct dirty *d, pid_t pid, struct xf_err *err);
/*
 * What lies in memory that was mapped already, MAP_SHARED, as abi/xft_dirty.h
 * says. On success dirty_close() will unmap it and close @fd.
 */
int dirty_use_shared(struct dirty *d, const struct xftd_source *source,
		     size_t len, int fd, struct xf_err *err);

/* May be called again, when memory was plugged in. */
int dirty_set_slots(struct dirty *d, const struct memslots *ms,
		    struct xf_err *err);

/*
 * Begin, harvest (the same mode again) or end. -EOPNOTSUPP: the source cannot
 * do this mode. -EFAULT: a ring is not in RAM that QEMU shares. -ETIMEDOUT:
 * the source does not answer.
 */
int dirty_request(struct dirty *d, enum xftd_mode mode, uint32_t interval_ms,
		  struct xf_err *err);

size_t dirty_read(struct dirty *d, uint32_t vcpu, struct xftd_record *dst,
		  size_t cap);
/* Once more, after dirty_set_slots(). Returns how many are still not placed. */
size_t dirty_place(const struct dirty *d, struct xftd_record *rec, size_t nr);
uint64_t dirty_lost(const struct dirty *d);
bool dirty_is_gone(struct dirty *d);

#endif
