// SPDX-License-Identifier: GPL-2.0-only
/* rk_tracepoint -- a probe of the tracepoint sched_process_fork. */
#include <linux/tracepoint.h>

#include "rk.h"

static struct tracepoint *tp;

static void rk_probe(void *data, void *parent, void *child)
{
	rk_hit();
}

static void find(struct tracepoint *t, void *priv)
{
	if (!strcmp(t->name, "sched_process_fork"))
		tp = t;
}

static int rk_install(void)
{
	for_each_kernel_tracepoint(find, NULL);
	return tp ? tracepoint_probe_register(tp, rk_probe, NULL) : -ENOENT;
}

static void rk_remove(void)
{
	tracepoint_probe_unregister(tp, rk_probe, NULL);
	tracepoint_synchronize_unregister();
}
