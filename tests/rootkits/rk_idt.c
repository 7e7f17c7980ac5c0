// SPDX-License-Identifier: GPL-2.0-only
/*
 * rk_idt -- a gate of idt_table (target): the overflow trap, which nobody uses.
 */
#include <asm/desc.h>

#include "rk.h"
#include "rk_stub.h"

#define VECTOR 4

static gate_desc saved;
static int rk_install(void)
{
	gate_desc *gate = (gate_desc *)target + VECTOR, new;
	unsigned long stub = (unsigned long)rk_stub;

	saved = new = *gate;
	rk_back = gate_offset(gate);
	new.offset_low = stub;
	new.offset_middle = stub >> 16;
	new.offset_high = stub >> 32;
	rk_poke(gate, &new, sizeof(new));
	return 0;
}

static void rk_remove(void)
{
	rk_poke((gate_desc *)target + VECTOR, &saved, sizeof(saved));
}
