/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * branch -- does a kernel name a function of its own?
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

/*
 * Whether a place in these bytes holds the address @func: in data as 64 bits,
 * in code as the 32 bits that its instructions have room for.
 */
bool branch_has_pointer(const uint8_t *bytes, size_t len, bool is_code,
			uint64_t func);

#endif
