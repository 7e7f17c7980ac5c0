/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * agent -- run a shell command in a demo guest; guest/demo/agent.c has the
 * protocol.
 */
#ifndef XF_AGENT_H
#define XF_AGENT_H

#include "err.h"

/*
 * Run it; what it prints goes to our stdout and stderr. Returns its exit
 * status, however long it takes. -ECONNRESET: the guest went away or was
 * rebooted.
 */
int agent_run(const char *socket, const char *command, struct xf_err *err);

#endif
