/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * recorder -- the process that records one guest, from 'on' to 'off'.
 *
 * recorder_start() forks it and returns when the guest is tracing. It has a
 * folder <runtime>/rec/ID with a lock that it holds as long as it lives, a
 * socket, and recorder.json, which tells how to attach to its guest again and
 * which trace of which store is its. Before it looks at a record it goes into a
 * cage (confine.h).
 *
 * The socket takes one line, "status" or "off", and answers with one JSON
 * object; after "off" the recorder ends, and the trace is finished.
 *
 * Of two that want one guest the lock lets one through; it is good for all
 * commands of one user. The guest itself refuses a second START whoever asks.
 * A recorder whose socket or store was deleted ends by itself.
 *
 * It survives its guest: QEMU killed, a panic, a reboot (it waits for the
 * module to come back and starts tracing again, as a new session).
 */
#ifndef XF_RECORDER_H
#define XF_RECORDER_H

#include <stdbool.h>

#include <jansson.h>

#include "confine.h"
#include "recording.h"

/*
 * Attached target with kernel and module found. -EBUSY: there is a recording
 * of this guest already, alive or left over.
 */
int recorder_start(struct target *t, const struct recording_spec *spec,
		   struct xf_err *err);

/* Of a recording; strings are malloc()ed. */
struct recorder {
	char *id;
	char *folder;		/* <runtime>/rec/ID */
	char *store;		/* file */
	char *trace;		/* its name there now; NULL: removed */
	json_t *info;		/* recorder.json */
	bool alive;
	bool ended;		/* by itself; the trace is finished */
};

void recorder_deinit(struct recorder *r);

/*
 * The recording with this id or, with NULL, the only one. -ENOENT: there is
 * none. -ENOTUNIQ: several, named in the sentence.
 */
int recorder_find(struct recorder *r, const char *id, struct xf_err *err);

/* The one of that trace, alive or not. -ENOENT, without a sentence. */
int recorder_find_by_trace(struct recorder *r, const char *store,
			   const char *trace);

/*
 * Ask a living one. Waits as long as @wait agrees (may be NULL: 10 s).
 * -ECONNREFUSED: it died.
 */
int recorder_ask(const struct recorder *r, const char *request,
		 mailbox_wait_fn wait, void *arg, json_t **ret_reply,
		 struct xf_err *err);

/*
 * What a recorder that died said before, as " (it said: ...)", or "". Never
 * NULL; the caller's.
 */
char *recorder_words(const struct recorder *r);

/*
 * The guest that was recorded, if it is still there. Detach it in any case.
 */
int recorder_attach(const struct recorder *r, struct target *t,
		    struct xf_err *err);

/*
 * What a killed recorder left: stop the guest, take what is in the rings.
 * @guest is attached, or NULL: it is looked for. @later is what will be written
 * after that, and nothing else can be then; NULL: the caller has seen to that,
 * as there are more recordings to be salvaged. It has to attach first, too: who
 * is confined cannot open RAM that has no name, but by way of QEMU's /proc.
 */
int recorder_salvage(const struct recorder *r, struct target *guest,
		     const struct confine *later, struct xf_err *err);

/*
 * Stop a guest that traces while nothing here records it: its recorder was
 * killed and its trace removed. -ENOENT, without a sentence: it does not.
 */
int recorder_stop_stray(const char *id, struct xf_err *err);

/* Forget it; the trace stays. */
void recorder_remove(const struct recorder *r);

#endif
