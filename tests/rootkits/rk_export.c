// SPDX-License-Identifier: GPL-2.0-only
/* rk_export -- is handed all that the kernel's tracers record. */
#include <linux/trace.h>

#include "rk.h"

static void rk_write(struct trace_export *export, const void *entry,
		     unsigned int len)
{
	rk_hit();
}

static struct trace_export rk_out = {
	.write = rk_write,
	.flags = TRACE_EXPORT_EVENT | TRACE_EXPORT_FUNCTION,
};

static int rk_install(void)
{
	return register_ftrace_export(&rk_out);
}

static void rk_remove(void)
{
	unregister_ftrace_export(&rk_out);
}
