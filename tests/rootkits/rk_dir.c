// SPDX-License-Identifier: GPL-2.0-only
/* rk_dir -- iterate_shared in the file_operations target= of a directory. */
#include <linux/fs.h>

#include "rk.h"

static int (*real)(struct file *file, struct dir_context *ctx);

static int rk_iterate(struct file *file, struct dir_context *ctx)
{
	rk_hit();
	return real(file, ctx);
}

static void set(int (*fn)(struct file *file, struct dir_context *ctx))
{
	struct file_operations *ops = (void *)target;

	rk_poke(&ops->iterate_shared, &fn, sizeof(fn));
}

static int rk_install(void)
{
	real = ((struct file_operations *)target)->iterate_shared;
	set(rk_iterate);
	return 0;
}

static void rk_remove(void)
{
	set(real);
}
