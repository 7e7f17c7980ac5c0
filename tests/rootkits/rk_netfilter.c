// SPDX-License-Identifier: GPL-2.0-only
/* rk_netfilter -- sees all packets that come in, or with device=1 all of lo. */
#include <linux/netdevice.h>
#include <linux/netfilter.h>
#include <linux/netfilter_ipv4.h>
#include <net/net_namespace.h>

#include "rk.h"

static bool device;
module_param(device, bool, 0400);

static unsigned int rk_packet(void *priv, struct sk_buff *skb,
			      const struct nf_hook_state *state)
{
	rk_hit();
	return NF_ACCEPT;
}

static struct nf_hook_ops rk_ops = {
	.hook = rk_packet,
	.pf = NFPROTO_IPV4,
	.hooknum = NF_INET_LOCAL_IN,
	.priority = NF_IP_PRI_FIRST,
};

static int rk_install(void)
{
	if (device) {
		rk_ops.pf = NFPROTO_NETDEV;
		rk_ops.hooknum = NF_NETDEV_INGRESS;
		rk_ops.dev = init_net.loopback_dev;
	}
	return nf_register_net_hook(&init_net, &rk_ops);
}

static void rk_remove(void)
{
	nf_unregister_net_hook(&init_net, &rk_ops);
}
