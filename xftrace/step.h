/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * step -- a part of a job, in a process of its own that ends in time.
 *
 *	steps_init(&s, "out/log.txt", err);
 *	rc = steps_run(&s, "on", 300 s, fn, arg, err);
 *	steps_deinit(&s);
 *
 * SIGINT, SIGTERM and SIGHUP end the step that runs, as its time limit does,
 * and not us: what was begun is to be ended. A step is told to end with SIGINT
 * and gets 20 s for that.
 */
#ifndef XF_STEP_H
#define XF_STEP_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

#include "err.h"

struct steps {
	char *log_path;		/* owned; what steps say goes there */
	int log_fd;
	int signal_fd;
	sigset_t old;
	bool interrupted;	/* somebody wants us to end */
	json_t *done;		/* array: name, seconds, status, text */
};

#define STEPS_INIT { .log_fd = -1, .signal_fd = -1 }

int steps_init(struct steps *s, const char *log_path, struct xf_err *err);
void steps_deinit(struct steps *s);

/*
 * Run fn(arg) in a child, whose exit status it returns. 0: it was 0. -EIO: it
 * was not; the sentence is the last line that it said. -ETIMEDOUT, -EINTR: it
 * was ended.
 */
int steps_run(struct steps *s, const char *name, uint64_t limit_ns,
	      int (*fn)(void *arg), void *arg, struct xf_err *err);

/* A step that runs xftrace itself: @arg is a NULL-terminated argv. */
int steps_self(void *arg);

#endif
