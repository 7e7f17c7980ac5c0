/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * mailbox -- requests to the guest module, and its replies.
 *
 *	mailbox_find(&mb, mf, err);		finds a live module
 *	mailbox_request(&mb, XFT_CMD_PING, ..., err);	it answers
 *	mailbox_set_key(&mb, &entry);		the first key, before START
 *	mailbox_start(&mb, &start, ..., err);	hooks are in place
 *	mailbox_request(&mb, XFT_CMD_STOP, ..., err);
 *	mailbox_request(&mb, XFT_CMD_RELEASE, ..., err);
 *
 * Only the mailbox pages are mapped writable, by and for the memfile. One user
 * at a time: who asks or sets keys holds the guest's lock (xftrace/recorder.c).
 *
 * A request that the guest refuses gives the guest's errno and a sentence that
 * says what to do about it.
 */
#ifndef XF_MAILBOX_H
#define XF_MAILBOX_H

#include <stdbool.h>
#include <stdint.h>

#include "err.h"
#include "key.h"
#include "xft_abi.h"

struct memfile;

struct mailbox {
	const struct memfile *mf;	/* borrowed */
	uint64_t ctl_gpa;
	uint64_t mbox_gpa;
	uint64_t instance;		/* of the module that was found */
	struct xft_mbox *mbox;		/* writable mapping; the memfile's */
	uint64_t kfunc[XFT_NR_KFUNCS];	/* as START has put them there */
};

/* A trace event to record. */
struct mailbox_event {
	const char *name;		/* "system:event"; borrowed */
	uint16_t id;			/* what the host believes it has */
};

/* What START takes; functions, events, or both. */
struct mailbox_start {
	uint32_t sub_shift;
	uint32_t nr_subs;
	uint32_t max_depth;		/* 0: no limit */
	uint32_t string_max;		/* bytes of a string argument */
	int32_t result_off;		/* see xft_abi.h; 0: unknown */
	uint32_t nr_roots;
	const uint64_t *roots;		/* as in xft_abi.h */
	uint32_t nr_events;
	const struct mailbox_event *events;
	bool keep_events;		/* leave readable copies in the guest */
	const uint8_t *seed;		/* UNSEAL_SEED bytes, for sealed records
					 * (borrowed), or NULL: xor */
	uint64_t kfunc[XFT_NR_KFUNCS];	/* by enum xft_kfunc; 0: not there */
};

/*
 * Called every few milliseconds while a request waits, with the time it took so
 * far. May be NULL. Returning false gives the request up (-EINTR); the guest
 * may still carry it out.
 */
typedef bool (*mailbox_wait_fn)(void *arg, unsigned int waited_ms);

/*
 * Find the control block of a module that lives; one that is there gets
 * @patience_ms for a beat of its heart. Nothing is written to the guest. On
 * failure @mb stays as it was. -ENOENT: the guest has
 * none. -ETIMEDOUT: one is there, but it is silent (a paused or hung guest, or
 * what is left of one before a reboot). -EPROTO: of another abi version.
 */
int mailbox_find(struct mailbox *mb, struct memfile *mf,
		 unsigned int patience_ms, struct xf_err *err);

/*
 * The same in the memory of a guest that is gone, where no heart beats: the
 * first block that @is_it agrees to. Nothing can be asked of it. -ENOENT: none
 * was found; -ESTALE: blocks, but @is_it wanted none.
 */
int mailbox_find_dead(struct mailbox *mb, const struct memfile *mf,
		      bool (*is_it)(void *arg, const struct xft_ctl *ctl),
		      void *arg, struct xf_err *err);

/* A checked copy of the control block. -EBADMSG: it is gone. */
int mailbox_ctl(const struct mailbox *mb, struct xft_ctl *ret_ctl,
		struct xf_err *err);

/*
 * Ask, and wait for the answer. A request that somebody has left unanswered is
 * waited for first, except by STOP. -ETIMEDOUT: the guest may still carry it
 * out. -EINTR: @wait gave up.
 */
int mailbox_request(struct mailbox *mb, enum xft_cmd cmd,
		    unsigned int timeout_ms, mailbox_wait_fn wait, void *arg,
		    struct xf_err *err);
/* -E2BIG: more functions or events than go into one request. */
int mailbox_start(struct mailbox *mb, const struct mailbox_start *start,
		  unsigned int timeout_ms, mailbox_wait_fn wait, void *arg,
		  struct xf_err *err);

/*
 * Have sealed rings take no more records, until the next START. Harmless to do
 * again, and not only needed once: a snapshot that is being restored may still
 * write over it.
 */
void mailbox_halt(struct mailbox *mb);
/* Somebody has done so. */
bool mailbox_is_halted(const struct mailbox *mb);

/*
 * Its first page has the addresses of functions that a START of ours has put
 * there, and zeros behind: it is still the mailbox, or the one that a snapshot
 * has brought back. A kernel that has booted since makes something else of the
 * page.
 */
bool mailbox_is_ours(const struct mailbox *mb);

/* Hand a key to the guest; it must be in the Klog already. */
void mailbox_set_key(struct mailbox *mb, const struct klog_entry *key);

#endif
