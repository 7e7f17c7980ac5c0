// SPDX-License-Identifier: GPL-2.0-only
/*
 * writes -- a program whose writes are known, page by page.
 *
 * It prints which pages it has, one "KIND GPA" a line, then "ready", waits for
 * a byte on its standard input, and then
 *
 *	mine, child's	stores into each of 32 pages, the next one each time in
 *			turn with its child, which has other pages at the same
 *			addresses
 *	read		reads 64 KiB from /dev/zero into 16 pages, in one call
 *	left		are 16 pages that it has, too, and does not write
 *	end		the last store of all, of "DIRTYEND"
 *
 * Compiled like work.c. Ends with the line of what went wrong.
 */
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#define PAGE	4096UL
#define STORES	32
#define READS	16
#define LEFT	16
#define PAGES	(STORES + READS + LEFT + 1)

static char area[PAGES * PAGE] __attribute__((aligned(4096)));
static char text[PAGES * 40];
static int len;

static long call(long nr, long a, long b, long c, long d)
{
	register long r10 __asm__("r10") = d;
	long ret;

	__asm__ volatile("syscall"
			 : "=a"(ret)
			 : "a"(nr), "D"(a), "S"(b), "d"(c), "r"(r10)
			 : "rcx", "r11", "memory");
	return ret;
}

#define call_(nr, a, b, c, d, ...)                                             \
	call(nr, (long)(a), (long)(b), (long)(c), (long)(d))
#define sys(name, ...) call_(SYS_##name, ##__VA_ARGS__, 0, 0, 0, 0)

static _Noreturn void end(int status)
{
	for (;;)
		sys(exit_group, status);
}

static void must(long ok, int line)
{
	if (!ok)
		end(line % 255 + 1);
}
#define MUST(ok) must(ok, __LINE__)

static void say(const char *s)
{
	while (*s)
		text[len++] = *s++;
}

static void flush(void)
{
	MUST(sys(write, 1, text, len) == len);
	len = 0;
}

/* "KIND 0x1234000" for each page from @first on. */
static void say_pages(const char *kind, int first, int nr)
{
	long fd = sys(open, "/proc/self/pagemap", O_RDONLY);
	unsigned long entry, gpa;

	MUST(fd >= 0);
	for (int i = first; i < first + nr; i++) {
		unsigned long at = ((unsigned long)area / PAGE + i) * 8;

		MUST(sys(pread64, fd, &entry, 8, at) == 8 && entry >> 63);
		gpa = (entry & ((1UL << 55) - 1)) * PAGE;
		MUST(gpa);
		say(kind);
		say(" 0x");
		for (int shift = 36; shift >= 0; shift -= 4)
			text[len++] = "0123456789abcdef"[gpa >> shift & 15];
		say("\n");
	}
	sys(close, fd);
}

/* Pages of our own: not those that a parent shares until we write. */
static void touch(int first, int nr)
{
	for (int i = first; i < first + nr; i++)
		*(volatile char *)&area[i * PAGE] = 1;
}

static void store(int i)
{
	*(volatile char *)&area[i * PAGE + i * 8] = i + 2;
}

static void child(int from, int to)
{
	char c = 0;

	touch(0, STORES);
	say_pages("child", 0, STORES);
	flush();
	MUST(sys(write, to, &c, 1) == 1);
	for (int i = 0; i < STORES; i++) {
		MUST(sys(read, from, &c, 1) == 1);
		store(i);
		MUST(sys(write, to, &c, 1) == 1);
	}
	end(0);
}

static void run(void)
{
	int there[2], back[2];
	char c = 0;
	long fd;

	touch(0, PAGES);
	MUST(!sys(pipe, there) && !sys(pipe, back));
	fd = sys(fork);
	MUST(fd >= 0);
	if (!fd)
		child(there[0], back[1]);
	MUST(sys(read, back[0], &c, 1) == 1);
	/* The child has its own by now; these were shared before. */
	touch(0, PAGES);
	say_pages("mine", 0, STORES);
	say_pages("read", STORES, READS);
	say_pages("left", STORES + READS, LEFT);
	say_pages("end", PAGES - 1, 1);
	fd = sys(open, "/dev/zero", O_RDONLY);
	MUST(fd >= 0);
	say("ready\n");
	flush();
	MUST(sys(read, 0, &c, 1) == 1);
	for (int i = 0; i < STORES; i++) {
		store(i);
		MUST(sys(write, there[1], &c, 1) == 1);
		MUST(sys(read, back[0], &c, 1) == 1);
	}
	MUST(sys(read, fd, area + STORES * PAGE, READS * PAGE) ==
	     (long)(READS * PAGE));
	__builtin_memcpy(area + (PAGES - 1) * PAGE, "DIRTYEND", 8);
	/* Nothing is given back before the host has looked. */
	for (;;)
		sys(pause);
}

__attribute__((force_align_arg_pointer)) void _start(void)
{
	run();
}
