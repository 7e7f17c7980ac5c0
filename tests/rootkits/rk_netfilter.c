// SPDX-License-Identifier: GPL-2.0-only
/* rk_netfilter -- sees all packets that come in. */
#include <linux/netfilter.h>
#include <linux/netfilter_ipv4.h>
#include <net/net_namespace.h>

#include "rk.h"

static unsigned int rk_packet(void *priv, struct sk_buff *skb,
			      const struct nf_hook_state *state)
{
	rk_hit();
	return NF_ACCEPT;
}

static const struct nf_hook_ops rk_ops = {
	.hook = rk_packet,
	.pf = NFPROTO_IPV4,
	.hooknum = NF_INET_LOCAL_IN,
	.priority = NF_IP_PRI_FIRST,
};

static int rk_install(void)
{
	return nf_register_net_hook(&init_net, &rk_ops);
}

static void rk_remove(void)
{
	nf_unregister_net_hook(&init_net, &rk_ops);
}
