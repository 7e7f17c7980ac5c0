// SPDX-License-Identifier: GPL-2.0-only
#include "branch.h"

#include <string.h>

bool branch_leads_to(const uint8_t *code, size_t len, uint64_t addr,
		     uint64_t target)
{
	for (size_t i = 0; i + 5 <= len; i++) {
		bool call_or_jmp = code[i] == 0xe8 || code[i] == 0xe9;
		bool jcc = i && code[i - 1] == 0x0f && (code[i] & 0xf0) == 0x80;
		int32_t rel;

		memcpy(&rel, code + i + 1, sizeof(rel));
		if ((call_or_jmp || jcc) && addr + i + 5 + rel == target)
			return true;
	}
	return false;
}

bool branch_has_pointer(const uint8_t *bytes, size_t len, bool is_code,
			uint64_t func)
{
	return memmem(bytes, len, &func, is_code ? 4 : 8);
}
