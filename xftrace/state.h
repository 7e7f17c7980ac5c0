/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * state -- where xftrace keeps what outlives one command.
 *
 *	<runtime>/guests/NAME/	a guest that we started: guest.json, qmp.sock,
 *				console.log, agent.sock
 *	<runtime>/rec/ID/	a recording: lock, sock, recorder.json, words
 *	<data>/traces.store	traces, see traces.h
 *	<cache>/		what can be made again
 *
 * <runtime> is $XFTRACE_RUNTIME, $XDG_RUNTIME_DIR/xftrace, /run/xftrace (root)
 * or /tmp/xftrace-UID; <data> is $XFTRACE_DATA or $XDG_DATA_HOME/xftrace (~/
 * .local/share/xftrace). All folders are 0700 and must be ours.
 *
 * Paths are malloc()ed and the caller's.
 */
#ifndef XF_STATE_H
#define XF_STATE_H

#include <stdbool.h>

#include <jansson.h>

#include "err.h"

/* Folder made if missing. -EPERM: it belongs to somebody else. */
int state_runtime(char **ret_path, struct xf_err *err);
int state_data(char **ret_path, struct xf_err *err);
int state_cache(char **ret_path, struct xf_err *err);

/* "FOLDER/a/b..." of the arguments up to a NULL; never fails. */
char *state_join(const char *first, ...) __attribute__((sentinel));

/* A name for a guest or trace: letters, digits, "._-", at most 64. */
bool state_name_ok(const char *name);

/* Names of the folders in <runtime>/@sub: a JSON array of strings. */
int state_list(const char *sub, json_t **ret, struct xf_err *err);

/* Remove a folder of ours and the files (no folders) in it. */
void state_remove_folder(const char *path);

/* A small JSON file. -ENOENT: not there. */
int state_read_json(const char *path, json_t **ret, struct xf_err *err);
int state_write_json(const char *path, const json_t *value, struct xf_err *err);

#endif
