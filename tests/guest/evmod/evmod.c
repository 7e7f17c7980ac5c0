// SPDX-License-Identifier: GPL-2.0-only
/* A module with trace events of its own: echo N >parameters/tick makes them. */
#include <linux/module.h>

#define CREATE_TRACE_POINTS
#include "evmod_trace.h"

static int evmod_set_tick(const char *text, const struct kernel_param *kp)
{
	int n, rc = kstrtoint(text, 0, &n);

	if (!rc)
		trace_evmod_tick(n, "tick");
	return rc;
}

static int evmod_set_large(const char *text, const struct kernel_param *kp)
{
	u8 n;
	int rc = kstrtou8(text, 0, &n);

	if (!rc)
		trace_evmod_large(n);
	return rc;
}

static const struct kernel_param_ops evmod_tick_ops = {
	.set = evmod_set_tick,
};
static const struct kernel_param_ops evmod_large_ops = {
	.set = evmod_set_large,
};
module_param_cb(tick, &evmod_tick_ops, NULL, 0200);
module_param_cb(large, &evmod_large_ops, NULL, 0200);

MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("xftrace's tests: trace events that come and go");
