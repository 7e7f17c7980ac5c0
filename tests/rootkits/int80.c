// SPDX-License-Identifier: GPL-2.0-only
/* int80 -- asks for sysinfo as a 32-bit program does. Link with -no-pie. */
static char info[256];

int main(void)
{
	long ret;

	asm volatile("int $0x80" : "=a"(ret) : "a"(116L), "b"((long)info)
		     : "memory");
	return ret != 0;
}
