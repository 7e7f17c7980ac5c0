/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * branch -- does code name another function?
 */
#ifndef XF_BRANCH_H
#define XF_BRANCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Whether an x86-64 call or jump with a displacement in these bytes, which lie
 * at @addr, leads to @target. Instructions are not told apart: that other bytes
 * look like a jump to this very address does not happen by chance.
 */
bool branch_leads_to(const uint8_t *code, size_t len, uint64_t addr,
		     uint64_t target);

#endif
