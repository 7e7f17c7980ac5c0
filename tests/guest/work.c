// SPDX-License-Identifier: GPL-2.0-only
/*
 * work -- what the guest does while it is traced
 *
 *	work round N	N rounds, each of 55 calls of 33 system calls and each
 *			on the next of the CPUs 0 and 1 (if there are two)
 *	work read N	open /dev/zero, N reads of 8 bytes, close
 *	work getppid N	N times the system call that does least
 *
 * Compiled with -nostdlib -static: no call is made that is not in this file,
 * all memory that a call is given has been touched before, so that no page
 * fault comes in between, and the program is small enough to be sent to the
 * guest on a command line. Ends with status 0, or with a status that
 * tells the line of what went wrong: line % 255 + 1.
 */
#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#define PAGE 4096UL

extern char __executable_start[], _end[];
static char buf[4 * PAGE] __attribute__((aligned(4096)));

static long call(long nr, long a, long b, long c, long d, long e, long f)
{
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = e;
	register long r9 __asm__("r9") = f;
	long ret;

	__asm__ volatile("syscall"
			 : "=a"(ret)
			 : "a"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8),
			   "r"(r9)
			 : "rcx", "r11", "memory");
	return ret;
}

#define call_(nr, a, b, c, d, e, f, ...) \
	call(nr, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), (long)(f))
#define sys(name, ...) call_(SYS_##name, ##__VA_ARGS__, 0, 0, 0, 0, 0, 0)

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

static void go_to(long cpu)
{
	unsigned long mask = 1UL << cpu;

	/* Fails if there is no such CPU: then it stays where it is. */
	sys(sched_setaffinity, 0, sizeof(mask), &mask);
}

/* The same calls in the same order; what it makes it takes away again. */
static void one_round(void)
{
	struct iovec iov[2] = { { buf, 16 }, { buf + PAGE, 16 } };
	struct pollfd p = { .events = POLLIN };
	long fd, zero, null, dir, map, top;
	int pipes[2];
	long i, n;

	/* Reading, and what a file is. */
	zero = sys(openat, AT_FDCWD, "/dev/zero", O_RDONLY);
	MUST(zero >= 0);
	for (i = 0; i < 3; i++)
		MUST(sys(read, zero, buf, 8 << (4 * i)) == 8 << (4 * i));
	MUST(sys(pread64, zero, buf, 100, 0) == 100);
	MUST(sys(readv, zero, iov, 2) == 32);
	MUST(sys(close, zero) == 0);
	MUST(sys(openat, AT_FDCWD, "/no/such/file", O_RDONLY) < 0);
	MUST(sys(newfstatat, AT_FDCWD, "/etc/passwd", buf, 0) == 0);
	MUST(sys(faccessat, AT_FDCWD, "/etc/passwd", 4) == 0);
	fd = sys(openat, AT_FDCWD, "/etc/passwd", O_RDONLY);
	MUST(fd >= 0);
	MUST(sys(fstat, fd, buf) == 0);
	MUST(sys(lseek, fd, 2, 0) == 2);
	MUST(sys(read, fd, buf, 4) == 4);
	MUST(sys(pread64, fd, buf, 4, 1) == 4);
	MUST(sys(close, fd) == 0);

	/* Writing. */
	null = sys(openat, AT_FDCWD, "/dev/null", O_RDWR);
	MUST(null >= 0);
	MUST(sys(write, null, buf, 100) == 100);
	MUST(sys(writev, null, iov, 2) == 32);
	MUST(sys(ioctl, null, TIOCGWINSZ, buf) < 0);
	fd = sys(dup, null);
	MUST(fd >= 0);
	MUST(sys(fcntl, fd, F_GETFL) >= 0);
	MUST(sys(fcntl, fd, F_SETFD, FD_CLOEXEC) == 0);
	MUST(sys(close, fd) == 0);
	MUST(sys(close, null) == 0);

	/* A pipe: there and back, empty, full of nothing. */
	MUST(sys(pipe2, pipes, 0) == 0);
	MUST(sys(write, pipes[1], buf, 64) == 64);
	MUST(sys(ioctl, pipes[0], FIONREAD, buf) == 0);
	p.fd = pipes[0];
	MUST(sys(poll, &p, 1, 0) == 1);
	MUST(sys(read, pipes[0], buf, 64) == 64);
	MUST(sys(close, pipes[0]) == 0);
	MUST(sys(close, pipes[1]) == 0);

	/* Memory. Faults come from user space, where nothing is traced. */
	map = sys(mmap, 0, 8 * PAGE, PROT_READ | PROT_WRITE,
		  MAP_PRIVATE | MAP_ANONYMOUS, -1);
	MUST(map > 0);
	for (i = 0; i < 8; i++)
		((volatile char *)map)[i * PAGE] = 1;
	MUST(sys(mprotect, map + 2 * PAGE, PAGE, PROT_READ) == 0);
	MUST(sys(mprotect, map + 2 * PAGE, PAGE, PROT_READ | PROT_WRITE) == 0);
	MUST(sys(munmap, map, 8 * PAGE) == 0);
	top = sys(brk, 0);
	MUST(sys(brk, top + 2 * PAGE) == top + (long)(2 * PAGE));
	MUST(sys(brk, top) == top);

	/* Folders and names. */
	dir = sys(openat, AT_FDCWD, "/etc", O_RDONLY | O_DIRECTORY);
	MUST(dir >= 0);
	do {
		n = sys(getdents64, dir, buf, sizeof(buf));
		MUST(n >= 0);
	} while (n);
	MUST(sys(close, dir) == 0);
	MUST(sys(readlinkat, AT_FDCWD, "/bin", buf, 64) > 0);
	MUST(sys(getcwd, buf, PAGE) > 0);
	MUST(sys(mkdirat, AT_FDCWD, "/tmp/work.d", 0700) == 0);
	MUST(sys(unlinkat, AT_FDCWD, "/tmp/work.d", AT_REMOVEDIR) == 0);

	/* Who and what. */
	MUST(sys(getpid) > 0);
	MUST(sys(getppid) >= 0);
	MUST(sys(getuid) == 0);
	MUST(sys(uname, buf) == 0);
	MUST(sys(umask, 022) >= 0);
	MUST(sys(clock_gettime, 1, buf) == 0);
	MUST(sys(sched_getaffinity, 0, 128, buf) > 0);
	MUST(sys(prlimit64, 0, 7, 0, buf) == 0);
}

static void read_zero(long n)
{
	long fd = sys(openat, AT_FDCWD, "/dev/zero", O_RDONLY);

	MUST(fd >= 0);
	while (n--)
		MUST(sys(read, fd, buf, 8) == 8);
	MUST(sys(close, fd) == 0);
}

static long number(const char *s)
{
	long n = 0;

	while (*s >= '0' && *s <= '9')
		n = 10 * n + *s++ - '0';
	return n;
}

__attribute__((used)) void start(long *stack)
{
	char **argv = (char **)(stack + 1);
	char *p;
	long n;

	for (n = 0; n < (long)sizeof(buf); n += PAGE)
		((volatile char *)buf)[n] = 1;
	for (p = __executable_start; p < _end; p += PAGE)
		(void)*(volatile char *)p;
	MUST(stack[0] == 3);
	n = number(argv[2]);
	if (argv[1][0] == 'g')
		while (n--)
			MUST(sys(getppid) >= 0);
	else if (argv[1][2] == 'a')
		read_zero(n);
	else
		while (n--) {
			go_to(n & 1);
			one_round();
		}
	end(0);
}

__asm__(".globl _start\n"
	"_start:\n"
	"	mov	%rsp, %rdi\n"
	"	and	$-16, %rsp\n"
	"	call	start\n");
