// SPDX-License-Identifier: GPL-2.0-only
/* rk_seq -- show in the seq_operations target=, of /proc/net/tcp. */
#include <linux/seq_file.h>

#include "rk.h"

static int (*real)(struct seq_file *m, void *v);

static int rk_show(struct seq_file *m, void *v)
{
	rk_hit();
	return real(m, v);
}

static void set(int (*fn)(struct seq_file *m, void *v))
{
	struct seq_operations *ops = (void *)target;

	rk_poke(&ops->show, &fn, sizeof(fn));
}

static int rk_install(void)
{
	real = ((struct seq_operations *)target)->show;
	set(rk_show);
	return 0;
}

static void rk_remove(void)
{
	set(real);
}
