/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * xft_dirty -- what a source of dirty pages inside QEMU and the recorder share.
 *
 * A source is our code in QEMU: the TCG plugin or the shim for KVM. It is given
 * a path (plugin: dirty=PATH, shim: $XFTRACE_DIRTY), replaces what is there by
 * a new file of mode 0600 and maps it. The recorder maps it, too. The guest
 * cannot reach it; nothing of guest memory is parsed in QEMU but for one word
 * a vCPU, the head of its trace ring, which is loaded and passed on.
 *
 * The file is pages of XFTD_PAGE bytes:
 *
 *	page 0	struct xftd_source	written by the source
 *	page 1	struct xftd_wanted	written by the recorder
 *	then for each vCPU, from xftd_vcpu_off():
 *	page 0	struct xftd_out		written by the source
 *	page 1	struct xftd_in		written by the recorder
 *	pages	struct xftd_record[ring_size]
 *
 * Nobody writes what the other side writes, so there are no locks. All words
 * are naturally aligned; those marked (release) are stored with release order
 * after, and loaded with acquire order before, all that they announce.
 *
 * Life. The source fills in page 0, version last (release); from then on it
 * counts up heartbeat at least once a second, from a thread of its own. One
 * recorder at a time: it holds flock(LOCK_EX) on the file. When QEMU ends the
 * file stays, and its heartbeat stands still.
 *
 * A request. The recorder writes mode, interval_ms and each xftd_in.head_hva,
 * then seq (release), and wakes the source: futex(FUTEX_WAKE) on seq; the
 * source may as well look every 10 ms. It carries the request out, writes
 * status and message, then done = seq (release). One request at a time.
 *
 *	mode XFTD_OFF		no more records after done
 *	another mode		records from now on. Each request with a mode,
 *				the same one, too, is a harvest as well: pages
 *				dirtied before are in the rings at done, and the
 *				next write to any page counts as a first one
 *
 * Records. A ring has one producer at a time and one consumer. Record n lies in
 * slot n % ring_size; the source writes it, then head = n + 1 (release); the
 * recorder copies, then tail (release). When head - tail == ring_size the
 * source counts up lost, or, in modes XFTD_CALLS and XFTD_ALL, first waits, at
 * most XFTD_WAIT_MS and not again until tail has moved. Of KVM's dirty bitmap
 * nothing is lost: what finds no room comes with the next harvest.
 *
 * A source that does not know the guest yet has a file of two pages, with
 * nr_vcpus 0, a negative status and a message that tells why; the true file
 * takes its place.
 */
#ifndef XFT_DIRTY_H
#define XFT_DIRTY_H

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#define XFTD_MAGIC	  0x5954524944544658ULL /* "XFTDIRTY" */
#define XFTD_VERSION	  1

#define XFTD_PAGE	  4096
#define XFTD_MAX_VCPUS	  256
#define XFTD_RING	  (1u << 16) /* records, what sources should have */
#define XFTD_WAIT_MS	  100

enum xftd_kind {
	XFTD_TCG = 1,		/* plugin: exact */
	XFTD_KVM_RING,		/* dirty ring: harvested, knows the vCPU */
	XFTD_KVM_BITMAP,	/* dirty bitmap: harvested, all as vCPU 0 */
	XFTD_SCAN,		/* the host's page tables, read by the recorder
				 * itself: in traces, never in this file */
};

enum xftd_mode {
	XFTD_OFF,
	XFTD_FIRST,		/* per vCPU, first write to a page since the
				 * last harvest */
	XFTD_CALLS,		/* ... or since its trace ring's head moved */
	XFTD_ALL,		/* every store */
};

struct xftd_source {
	uint64_t magic;
	uint32_t version;	/* written last (release) */
	uint32_t kind;		/* enum xftd_kind; may change with a request */
	uint32_t modes;		/* bit (1 << mode) for those it can do */
	uint32_t nr_vcpus;	/* that have a ring; at most XFTD_MAX_VCPUS */
	uint32_t ring_size;	/* records, a power of two */
	uint32_t pid;		/* QEMU's, in its own namespace */
	uint64_t heartbeat;
	uint32_t done;		/* (release) the request answered last */
	int32_t status;		/* of it: 0 or -errno */
	char message[256];	/* why, a sentence, terminated */
	uint32_t pml_size;	/* entries of a log before it is flushed; 0:
				 * not known */
	uint32_t reserved;
};

struct xftd_wanted {
	uint32_t seq;		/* (release) 0: no request yet */
	uint32_t mode;		/* enum xftd_mode */
	uint32_t interval_ms;	/* how often harvested sources harvest by
				 * themselves; 0: at requests only */
	uint32_t recorder_pid;	/* for messages */
};

struct xftd_out {
	uint64_t head;		/* (release) records written */
	uint64_t lost;		/* records for which there was no room */
	uint64_t harvests;	/* of this vCPU */
};

struct xftd_in {
	uint64_t tail;		/* (release) records consumed */
	/*
	 * Where the head (xft_ring_hdr.head) of the main trace ring of the
	 * guest's CPU lies in QEMU's address space; 0: there is no ring. The
	 * source makes a mapping of its own of that page, by mremap() with an
	 * old size of 0 and MREMAP_MAYMOVE: that fails where nothing is shared,
	 * and survives QEMU's unmapping it. -EFAULT if it cannot.
	 */
	uint64_t head_hva;
};

enum xftd_flags {
	XFTD_RAM_ADDR = 1,	/* addr is QEMU's ram_addr (place in all RAM
				 * blocks), not guest-physical */
	XFTD_HARVESTED = 2,	/* pos is the end of an interval; else exact */
	XFTD_HVA = 4,		/* addr is one in QEMU's own memory */
	XFTD_NO_GPA = XFTD_RAM_ADDR | XFTD_HVA,
	XFTD_AFTER_RESET = 8,	/* the guest was reset since recording began:
				 * there is no such trace ring any more, and
				 * pos means nothing */
};

struct xftd_record {
	uint64_t addr;		/* of the first byte, or of the page */
	uint64_t pc;		/* exact: the store's; harvested: 0 */
	uint64_t pos;		/* the trace ring's head when it was written, or
				 * when harvested; 0: no ring */
	uint64_t time_ns;	/* CLOCK_MONOTONIC, likewise */
	uint64_t width_ns;	/* harvested: since the
				 * harvest before; 0: exact */
	uint32_t width;		/* and pos since then; ~0: more, or not known */
	uint16_t seq;		/* low half of the last request carried out */
	uint8_t flags;		/* enum xftd_flags */
	uint8_t size_shift;	/* exact: 1 << it bytes were stored */
};

static inline uint64_t xftd_vcpu_size(uint32_t ring_size)
{
	uint64_t len = (uint64_t)ring_size * sizeof(struct xftd_record);

	return 2 * XFTD_PAGE + (len + XFTD_PAGE - 1) / XFTD_PAGE * XFTD_PAGE;
}

/* Where a vCPU's pages begin; that of the vCPU behind the last: file size. */
static inline uint64_t xftd_vcpu_off(uint32_t ring_size, uint32_t vcpu)
{
	return 2 * XFTD_PAGE + vcpu * xftd_vcpu_size(ring_size);
}

static_assert(sizeof(struct xftd_record) == 48, "xftd_record");
static_assert(offsetof(struct xftd_source, message) == 48, "xftd_source");
static_assert(sizeof(struct xftd_source) <= XFTD_PAGE, "xftd_source");

#endif
