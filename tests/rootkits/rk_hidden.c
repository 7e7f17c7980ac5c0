// SPDX-License-Identifier: GPL-2.0-only
/*
 * rk_hidden -- a module that is not in the list of modules. As rmmod does not
 * find it then, it returns after "seconds" or with
 *
 *	echo 1 >/sys/module/rk_hidden/parameters/appear
 */
#include <linux/rculist.h>

#include "rk.h"

/* Nobody else loads modules meanwhile: their mutex is out of our reach. */
static struct list_head *neighbour;

static int rk_install(void)
{
	neighbour = THIS_MODULE->list.prev;
	list_del_rcu(&THIS_MODULE->list);
	return 0;
}

static void rk_remove(void)
{
	list_add_rcu(&THIS_MODULE->list, neighbour);
}

static int appear(const char *val, const struct kernel_param *kp)
{
	rk_end();
	return 0;
}

static const struct kernel_param_ops appear_ops = { .set = appear };
module_param_cb(appear, &appear_ops, NULL, 0200);
