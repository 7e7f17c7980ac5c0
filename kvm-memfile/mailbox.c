// SPDX-License-Identifier: GPL-2.0-only
#include "mailbox.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "clock.h"
#include "memfile.h"
#include "scan.h"
#include "shared.h"

#define MAX_CANDIDATES	64

static unsigned int ms_since(uint64_t start_ns)
{
	return (monotonic_ns() - start_ns) / 1000000;
}

static bool is_ctl(const struct xft_ctl *ctl, uint64_t gpa)
{
	return ctl->magic[0] == XFT_MAGIC0 && ctl->magic[1] == XFT_MAGIC1 &&
	       ctl->self_gpa == gpa;
}

int mailbox_ctl(const struct mailbox *mb, struct xft_ctl *ret_ctl,
		struct xf_err *err)
{
	struct xft_ctl ctl;
	int rc;

	rc = memfile_read(mb->mf, mb->ctl_gpa, &ctl, sizeof(ctl), err);
	if (rc)
		return rc;
	if (!is_ctl(&ctl, mb->ctl_gpa) || ctl.instance != mb->instance)
		return xf_fail(err, -EBADMSG,
			       "the guest's xftrace module is gone (unloaded, "
			       "or the guest rebooted)");
	ctl.release[sizeof(ctl.release) - 1] = '\0';
	/* It goes into sentences, and those to a terminal. */
	for (char *p = ctl.release; *p; p++)
		if (*p < 0x20 || *p > 0x7e)
			*p = '?';
	*ret_ctl = ctl;
	return 0;
}

/* The kernel function that was asked for is another, or there is none. */
static int explain_kfunc(const struct mailbox *mb, const struct xft_ctl *ctl,
			 int code, struct xf_err *err)
{
	uint32_t index = ctl->detail - XFT_DETAIL_KFUNC;

	if (mb->mbox->kfunc[index])
		return xf_fail(err, code,
			       "the symbols do not fit the running kernel (%s): "
			       "give the right file with --symbols",
			       ctl->release);
	return xf_fail(err, -EOPNOTSUPP, "kernel %s has no %s", ctl->release,
		       index <= XFT_KFUNC_RET_STACK ?
			       "function_graph tracer" :
			       "trace events that can be taken");
}

/* What a refusal is about, for the user. */
static int explain(const struct mailbox *mb, const struct xft_ctl *ctl,
		   struct xf_err *err)
{
	int code = ctl->status;

	if (code >= 0 || code < -4095)
		code = -EBADMSG;
	if (ctl->detail >= XFT_DETAIL_KFUNC &&
	    ctl->detail < XFT_DETAIL_KFUNC + XFT_NR_KFUNCS)
		return explain_kfunc(mb, ctl, code, err);
	switch (ctl->detail) {
	case XFT_DETAIL_RINGS:
		return xf_fail(err, code,
			       "the guest has no memory for rings of that "
			       "size: choose a smaller --ring-size");
	case XFT_DETAIL_REGISTER:
		if (code == -EBUSY)
			return xf_fail(err, code,
				       "another user of the guest's function "
				       "graph hooks is active: set its "
				       "current_tracer to nop first");
		return xf_fail(err, code,
			       "the guest's ftrace refuses to be switched on: "
			       "%s", strerror(-code));
	case XFT_DETAIL_PARAM:
		return xf_fail(err, code, "the guest refuses a parameter: %s",
			       strerror(-code));
	case XFT_DETAIL_EXPORT:
		return xf_fail(err, code,
			       "the guest kernel does not hand out its trace "
			       "events: %s",
			       strerror(-code));
	case XFT_DETAIL_IBT:
		return xf_fail(err, code,
			       "the guest kernel runs with IBT, which forbids "
			       "calls by address: boot it with ibt=off");
	default:
		return xf_fail(err, code, "the guest module answered: %s",
			       strerror(-code));
	}
}

int mailbox_request(struct mailbox *mb, enum xft_cmd cmd,
		    unsigned int timeout_ms, mailbox_wait_fn wait, void *arg,
		    struct xf_err *err)
{
	struct timespec nap = { .tv_nsec = 2000000 };
	uint64_t start_ns;
	unsigned int waited;
	struct xft_ctl ctl;
	uint32_t seq;
	int rc;

	rc = mailbox_ctl(mb, &ctl, err);
	if (rc)
		return rc;
	/*
	 * Another number than the last one answered and the last one asked (a
	 * host that died may have left a request behind).
	 */
	seq = shared_load(&mb->mbox->seq);
	if (seq == ctl.seq_done || seq + 1 == ctl.seq_done)
		seq = ctl.seq_done;
	seq++;
	mb->mbox->cmd = cmd;
	/* Release: the guest that sees seq sees cmd and parameters. */
	shared_store(&mb->mbox->seq, seq);

	start_ns = monotonic_ns();
	for (;;) {
		rc = mailbox_ctl(mb, &ctl, err);
		if (rc)
			return rc;
		if (ctl.seq_done == seq)
			break;
		waited = ms_since(start_ns);
		if (waited > timeout_ms)
			return xf_fail(err, -ETIMEDOUT,
				       "the guest's xftrace module did not "
				       "answer within %u s",
				       (timeout_ms + 999) / 1000);
		if (wait && !wait(arg, waited))
			return xf_fail(err, -EINTR, "interrupted");
		nanosleep(&nap, NULL);
	}
	/* status and detail were written before seq_done: read them after. */
	shared_order_loads();
	rc = mailbox_ctl(mb, &ctl, err);
	if (rc)
		return rc;
	return ctl.status ? explain(mb, &ctl, err) : 0;
}

/* Write the list of events where the guest looks for it. */
static int put_events(struct xft_mbox *mbox, const struct mailbox_start *start,
		      struct xf_err *err)
{
	uint32_t pos = 0;

	for (uint32_t i = 0; i < start->nr_events; i++) {
		const struct mailbox_event *e = &start->events[i];
		struct xft_event_want want = { .id = e->id };
		size_t len = strlen(e->name) + 1;

		if (len > UINT8_MAX)
			return xf_fail(err, -ENAMETOOLONG,
				       "event %s: the name is too long",
				       e->name);
		if (pos + sizeof(want) + len > sizeof(mbox->events))
			return xf_fail(err, -E2BIG,
				       "%u events are too many for one "
				       "recording: %u of them fit",
				       start->nr_events, i);
		want.len = len;
		memcpy(mbox->events + pos, &want, sizeof(want));
		memcpy(mbox->events + pos + sizeof(want), e->name, len);
		pos += sizeof(want) + (len + 3) / 4 * 4;
	}
	mbox->nr_events = start->nr_events;
	return 0;
}

/* A refusal that is about one event names it. */
static int name_event(const struct mailbox *mb,
		      const struct mailbox_start *start, int code,
		      struct xf_err *err)
{
	struct xft_ctl ctl;
	uint32_t i;

	if (mailbox_ctl(mb, &ctl, NULL) || ctl.detail < XFT_DETAIL_EVENT)
		return code;
	i = ctl.detail - XFT_DETAIL_EVENT;
	if (i >= start->nr_events)
		return code;
	if (code == -ESTALE)
		return xf_fail(err, code,
			       "event %s was loaded again just now: try again",
			       start->events[i].name);
	return xf_fail(err, code,
		       "event %s cannot be switched on in the guest: %s",
		       start->events[i].name, strerror(-code));
}

int mailbox_start(struct mailbox *mb, const struct mailbox_start *start,
		  unsigned int timeout_ms, mailbox_wait_fn wait, void *arg,
		  struct xf_err *err)
{
	int rc;

	if (start->nr_roots > XFT_MAX_ROOTS)
		return xf_fail(err, -E2BIG,
			       "%u functions: at most %u can be traced at once",
			       start->nr_roots, XFT_MAX_ROOTS);
	rc = put_events(mb->mbox, start, err);
	if (rc)
		return rc;
	mb->mbox->sub_shift = start->sub_shift;
	mb->mbox->nr_subs = start->nr_subs;
	mb->mbox->max_depth = start->max_depth;
	mb->mbox->string_max = start->string_max;
	mb->mbox->result_off = start->result_off;
	mb->mbox->keep_events = start->keep_events;
	mb->mbox->nr_roots = start->nr_roots;
	if (start->nr_roots)
		memcpy(mb->mbox->roots, start->roots,
		       start->nr_roots * sizeof(*start->roots));
	memcpy(mb->kfunc, start->kfunc, sizeof(mb->kfunc));
	memcpy(mb->mbox->kfunc, start->kfunc, sizeof(start->kfunc));
	mb->mbox->halt = 0;
	mb->mbox->mask = start->seed ? XFT_MASK_SEALED : XFT_MASK_XOR;
	if (start->seed)
		memcpy(mb->mbox->seed, start->seed, sizeof(mb->mbox->seed));
	rc = mailbox_request(mb, XFT_CMD_START, timeout_ms, wait, arg, err);
	/* The guest has wiped it, unless it never came to that. */
	explicit_bzero(mb->mbox->seed, sizeof(mb->mbox->seed));
	return rc ? name_event(mb, start, rc, err) : 0;
}

void mailbox_halt(struct mailbox *mb)
{
	/* The sooner the better; orders nothing. */
	shared_store(&mb->mbox->halt, 1);
}

bool mailbox_is_halted(const struct mailbox *mb)
{
	return shared_load(&mb->mbox->halt);
}

bool mailbox_is_ours(const struct mailbox *mb)
{
	const struct xft_mbox *mbox = mb->mbox;

	for (size_t i = 0; i < sizeof(mbox->reserved1); i++)
		if (mbox->reserved1[i])
			return false;
	return !memcmp(mbox->kfunc, mb->kfunc, sizeof(mb->kfunc));
}

void mailbox_set_key(struct mailbox *mb, const struct klog_entry *key)
{
	mb->mbox->key[key->epoch & 1] = key->key;
	/* Release: a guest that sees the epoch sees its key. */
	shared_store(&mb->mbox->epoch, key->epoch);
}

struct candidate {
	uint64_t gpa;
	uint64_t heartbeat;	/* when first seen */
};

struct candidates {
	const struct memfile *mf;
	struct candidate c[MAX_CANDIDATES];
	size_t nr;
};

static int add_candidate(void *arg, uint64_t gpa, size_t pattern)
{
	struct candidates *all = arg;
	struct xft_ctl ctl;

	if (memfile_read(all->mf, gpa, &ctl, sizeof(ctl), NULL) == 0 &&
	    is_ctl(&ctl, gpa))
		all->c[all->nr++] = (struct candidate){ gpa, ctl.heartbeat };
	return all->nr == MAX_CANDIDATES;
}

/* The block at @gpa, whose heart beats, becomes ours. */
static int take_block(struct mailbox *mb, struct memfile *mf,
		      const struct xft_ctl *ctl, struct xf_err *err)
{
	void *map;
	int rc;

	if (ctl->abi_major != XFT_ABI_MAJOR)
		return xf_fail(err, -EPROTO,
			       "the guest's xftrace module speaks abi %u, this "
			       "xftrace speaks %u: load the module that came "
			       "with it",
			       ctl->abi_major, XFT_ABI_MAJOR);
	if (ctl->mbox_gpa % XFT_PAGE)
		return xf_fail(err, -EBADMSG,
			       "the guest's control block is damaged");
	/* A mapping is the memfile's for good: take the one that we have. */
	if (mb->mf != mf || mb->mbox_gpa != ctl->mbox_gpa) {
		rc = memfile_map_writable(mf, ctl->mbox_gpa,
					  sizeof(struct xft_mbox), &map, err);
		if (rc)
			return rc;
		mb->mbox = map;
	}
	mb->mf = mf;
	mb->ctl_gpa = ctl->self_gpa;
	mb->mbox_gpa = ctl->mbox_gpa;
	mb->instance = ctl->instance;
	return 0;
}

static int find_candidates(struct candidates *found, struct xf_err *err)
{
	static const uint64_t magic[2] = { XFT_MAGIC0, XFT_MAGIC1 };
	static const struct scan_pattern pattern = { magic, sizeof(magic), 0 };
	const struct scan scan = { .pattern = &pattern,
				   .nr = 1,
				   .hit = add_candidate,
				   .arg = found };
	int rc = scan_pages(found->mf, &scan, err);

	return rc < 0 ? rc : 0;
}

int mailbox_find_dead(struct mailbox *mb, const struct memfile *mf,
		      bool (*is_it)(void *arg, const struct xft_ctl *ctl),
		      void *arg, struct xf_err *err)
{
	struct candidates found = { .mf = mf };
	int rc = find_candidates(&found, err);

	if (rc)
		return rc;
	for (size_t i = 0; i < found.nr; i++) {
		struct xft_ctl ctl;

		if (memfile_read(mf, found.c[i].gpa, &ctl, sizeof(ctl), NULL) ||
		    !is_ctl(&ctl, found.c[i].gpa) ||
		    ctl.abi_major != XFT_ABI_MAJOR ||
		    !is_it(arg, &ctl))
			continue;
		*mb = (struct mailbox){
			.mf = mf,
			.ctl_gpa = ctl.self_gpa,
			.mbox_gpa = ctl.mbox_gpa,
			.instance = ctl.instance,
		};
		return 0;
	}
	if (!found.nr)
		return xf_fail(err, -ENOENT,
			       "no xftrace module was in this guest");
	return xf_fail(err, -ESTALE, "an xftrace module was in this guest, but "
		       "another one");
}

/*
 * A block that a reboot left behind may still look right while the pages of
 * its mailbox belong to somebody else by now. So nothing is written before the
 * heartbeat was seen to move.
 */
int mailbox_find(struct mailbox *mb, struct memfile *mf,
		 unsigned int patience_ms, struct xf_err *err)
{
	struct candidates found = { .mf = mf };
	struct timespec nap = { .tv_nsec = 5000000 };
	uint64_t start_ns;
	int rc = find_candidates(&found, err);

	if (rc)
		return rc;
	if (!found.nr)
		return xf_fail(err, -ENOENT,
			       "no xftrace module in the guest: load it there "
			       "with 'insmod xftrace.ko' ('xftrace guest args' "
			       "shows how)");
	start_ns = monotonic_ns();
	do {
		for (size_t i = 0; i < found.nr; i++) {
			struct xft_ctl ctl;

			if (memfile_read(mf, found.c[i].gpa, &ctl, sizeof(ctl),
					 NULL) ||
			    !is_ctl(&ctl, found.c[i].gpa) ||
			    ctl.heartbeat == found.c[i].heartbeat)
				continue;
			return take_block(mb, mf, &ctl, err);
		}
		nanosleep(&nap, NULL);
	} while (ms_since(start_ns) < patience_ms);
	return xf_fail(err, -ETIMEDOUT,
		       "the guest's xftrace module shows no sign of life: the "
		       "guest is paused, hangs, or was rebooted and has not "
		       "loaded the module again");
}
