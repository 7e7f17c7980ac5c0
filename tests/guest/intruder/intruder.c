// SPDX-License-Identifier: GPL-2.0-only
/*
 * intruder -- somebody in the guest's kernel who knows all about xftrace
 *
 *	insmod intruder.ko block=ADDRESS	(of the control block: dmesg)
 *	echo nothing >/sys/module/intruder/parameters/act
 *	echo lie >/sys/module/intruder/parameters/act
 *	echo erase >/sys/module/intruder/parameters/act
 *
 * Each calls in_group_p() some times, which is to be traced. Then, before the
 * host can have read that, "lie" finds the ring and what it is masked with in
 * memory and makes one call a call of kfree(), with the best tag that what is
 * left in memory allows; "erase" takes some calls away, as if they had never
 * been, and goes on from there. Built with the module's own headers.
 */
#define pr_fmt(fmt) "intruder: " fmt

#include <linux/cred.h>
#include <linux/io.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/uidgid.h>

#include "xft.h"

#define CALLS 32

static unsigned long block;
module_param(block, ulong, 0400);

static struct xft_ring *find_ring(const struct xft_ctl *ctl)
{
	const u64 *rings = phys_to_virt(ctl->rings_gpa);
	u32 i;

	for (i = 0; i < ctl->nr_rings; i++) {
		struct xft_ring_hdr *hdr = phys_to_virt(rings[i]);

		if (hdr->kind == XFT_RING_MAIN &&
		    hdr->cpu == smp_processor_id())
			return (struct xft_ring *)hdr;
	}
	return NULL;
}

static void call(void)
{
	int i;

	for (i = 0; i < CALLS; i++)
		in_group_p(GLOBAL_ROOT_GID);
}

/* Known plaintext: the masked word becomes that of another function. */
static void rename_call(u64 *record)
{
	record[1] ^= (u32)(unsigned long)in_group_p ^
		     (u32)(unsigned long)kfree;
}

/* With what there is: a key for a record that is yet to come. */
static void forge_tag(struct xft_ring *r, u64 *record)
{
	u64 *key = xft_seal_next(r->seal);
	u64 mac = xft_mac_add(xft_mac_add(1, key[0], record[1]), key[0],
			      record[0]);

	record[2] = xft_mac_end(mac, key[0], key[1]);
}

static void lie(struct xft_ring *r, bool sealed, u32 words)
{
	/* Entry and return of a call in the middle. */
	u64 *record = xft_ring_next(r) - CALLS * words;

	rename_call(record);
	rename_call(record + words);
	if (sealed && xft_seal_has(r->seal, 2)) {
		forge_tag(r, record);
		forge_tag(r, record + words);
	}
}

static void erase(struct xft_ring *r, u32 words)
{
	WRITE_ONCE(r->head, r->head - CALLS * words * 8);
	call();
}

static int set_act(const char *val, const struct kernel_param *kp)
{
	const struct xft_ctl *ctl = phys_to_virt(block);
	const struct xft_mbox *mbox = phys_to_virt(ctl->mbox_gpa);
	bool sealed = mbox->mask == XFT_MASK_SEALED;
	u32 words = XFT_CALL_WORDS + (sealed ? XFT_SEAL_TAG : 0);
	unsigned long flags;
	struct xft_ring *r;

	local_irq_save(flags);
	call();
	r = find_ring(ctl);
	if (r && !strncmp(val, "lie", 3))
		lie(r, sealed, words);
	else if (r && !strncmp(val, "erase", 5))
		erase(r, words);
	local_irq_restore(flags);
	return r ? 0 : -ENOENT;
}

static const struct kernel_param_ops act_ops = { .set = set_act };
module_param_cb(act, &act_ops, NULL, 0200);

static int __init intruder_init(void)
{
	return block ? 0 : -EINVAL;
}

static void __exit intruder_exit(void)
{
}

module_init(intruder_init);
module_exit(intruder_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Tampers with xftrace's records, for its tests");
