// SPDX-License-Identifier: GPL-2.0-only
/* rk_jmp -- the function target= begins with a jump to us, and we jump back. */
#include "rk.h"
#include "rk_stub.h"

static u8 *site;
static u8 saved[5];
static int rk_install(void)
{
	static const u8 nop[5] = { 0x0f, 0x1f, 0x44, 0x00, 0x00 };
	u8 jmp[5] = { 0xe9 };
	s32 away;

	/* Nothing is lost: it is where ftrace would call. */
	site = (u8 *)target;
	if (memcmp(site, nop, sizeof(nop)))
		site += 4; /* behind ENDBR */
	if (memcmp(site, nop, sizeof(nop)))
		return -ENOENT;
	memcpy(saved, site, sizeof(saved));
	rk_back = (unsigned long)(site + 5);
	away = (unsigned long)rk_stub - rk_back;
	memcpy(jmp + 1, &away, sizeof(away));
	rk_poke(site, jmp, sizeof(jmp));
	return 0;
}

static void rk_remove(void)
{
	rk_poke(site, saved, sizeof(saved));
}
