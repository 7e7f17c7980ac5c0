// SPDX-License-Identifier: GPL-2.0-only
/*
 * syscall, values: calls as the 6.1 guest describes them, payloads as its
 * module writes them, and payloads that it never would.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>

#include "cleanup.h"
#include "event_texts.h"
#include "syscall.h"

static struct tep *calls;

static int open_calls(void **state)
{
	const char *dir = strrchr(__FILE__, '/');
	_cleanup_free_ char *path = NULL;
	struct event_texts e;

	assert_true(asprintf(&path, "%.*s/../data/formats-6.1.txt",
			     (int)(dir - __FILE__), __FILE__) > 0);
	event_texts_open(&e, path);
	calls = tep_create(NULL);
	for (size_t i = 0; i < e.nr; i++)
		assert_int_equal(tep_add(calls, e.all[i].system, e.all[i].text,
					 e.all[i].len, NULL),
				 0);
	event_texts_close(&e);
	return 0;
}

static int close_calls(void **state)
{
	tep_destroy(calls);
	return 0;
}

static struct syscall call(const char *name)
{
	const struct tep_type *type;
	struct syscall s;
	uint32_t pos = 0;

	while ((type = tep_each(calls, &pos)))
		if (!strncmp(type->name, "sys_enter_", 10) &&
		    !strcmp(type->name + 10, name)) {
			assert_int_equal(syscall_of(type, &s, NULL), 0);
			return s;
		}
	fail_msg("no call %s in tests/data", name);
	abort();
}

/* A payload in the making. */
struct payload {
	uint64_t word[64];
	size_t nr;
};

static void put_string(struct payload *p, uint32_t arg, const char *s,
		       size_t len, uint64_t flags)
{
	p->word[p->nr++] = arg | len << 8 | flags;
	memcpy(&p->word[p->nr], s, len);
	p->nr += (len + 7) / 8;
}

#define PAYLOAD(...)                                                           \
	({                                                                     \
		const uint64_t args[] = { 0, __VA_ARGS__ };                    \
		struct payload made = { .nr = ARRAY_SIZE(args) };              \
                                                                               \
		memcpy(made.word, args, sizeof(args));                         \
		made.word[0] = ARRAY_SIZE(args) - 1;                           \
		made;                                                          \
	})

static void assert_args(const char *name, const struct payload *p,
			const char *want)
{
	_cleanup_(buf_deinit) struct buf out = BUF_INIT;
	_cleanup_free_ uint64_t *exact = malloc(p->nr * 8 + 1);
	struct syscall s = call(name);

	memcpy(exact, p->word, p->nr * 8);
	buf_puts(&out, "");
	syscall_print_args(&s, exact, p->nr, &out);
	if (strcmp(out.data, want))
		fail_msg("%s\nis     |%s|\nnot as |%s|", name, out.data, want);
}

static void test_args(void **state)
{
	struct payload p = PAYLOAD((uint64_t)-100, 0x7ffe1000, 0x80000, 0);

	put_string(&p, 1, "/etc/passwd", 12, 0);
	assert_args("openat", &p,
		    "dfd: AT_FDCWD, filename: \"/etc/passwd\", flags: "
		    "O_RDONLY|O_CLOEXEC, mode: 0");
	/* The kernel looks at 32 bits of an int, whatever stands above. */
	p = PAYLOAD(0xdeadbeefffffff9c, 0x7ffe1000, 0x100000241, 0100644);
	assert_args("openat", &p,
		    "dfd: AT_FDCWD, filename: 0x7ffe1000, flags: "
		    "O_WRONLY|O_CREAT|O_TRUNC, mode: 0100644");
	p = PAYLOAD(3, 0, 0x40000000 | 0x10000, 0777);
	assert_args("openat", &p,
		    "dfd: 3, filename: 0, flags: "
		    "O_RDONLY|O_DIRECTORY|0x40000000, mode: 0777");

	p = PAYLOAD(1, 0x7f0000001000, 30);
	put_string(&p, 1, "a\"b\\c\n\0\1\xff.", 10, XFT_STR_CUT);
	assert_args("write", &p,
		    "fd: 1, buf: \"a\\\"b\\\\c\\n\\x00\\x01\\xff.\"..., "
		    "count: 30");
	p = PAYLOAD(0, 0x1000, 3, 0x22, 0xffffffffffffffff, 0);
	assert_args("mmap", &p,
		    "addr: 0, len: 0x1000, prot: PROT_READ|PROT_WRITE, flags: "
		    "MAP_PRIVATE|MAP_ANONYMOUS, fd: -1, off: 0");
	p = PAYLOAD(2, 0x80801, 0);
	assert_args("socket", &p,
		    "family: AF_INET, type: "
		    "SOCK_STREAM|SOCK_NONBLOCK|SOCK_CLOEXEC, protocol: 0");
	p = PAYLOAD(99, 0x8000b, 0);
	assert_args("socket", &p,
		    "family: 99, type: SOCK_CLOEXEC|0xb, protocol: 0");
	p = PAYLOAD(0x1000, 0x80, 1, 0, 0, 0);
	assert_args("futex", &p,
		    "uaddr: 0x1000, op: FUTEX_WAIT|FUTEX_PRIVATE_FLAG, val: 1, "
		    "utime: 0, uaddr2: 0, val3: 0");
	p = PAYLOAD(0x11, 0, 0, 0, 0);
	assert_args("clone", &p,
		    "clone_flags: SIGCHLD, newsp: 0, parent_tidptr: 0, "
		    "child_tidptr: 0, tls: 0");
	p = PAYLOAD((uint64_t)-1, 9);
	assert_args("kill", &p, "pid: -1, sig: SIGKILL");
	p = PAYLOAD(0, 0x5401, 0x7ffe0000);
	assert_args("ioctl", &p, "fd: 0, cmd: 0x5401, arg: 0x7ffe0000");
	p = PAYLOAD(3, 1030, 10);
	assert_args("fcntl", &p, "fd: 3, cmd: F_DUPFD_CLOEXEC, arg: 0xa");
	p = PAYLOAD(3, (uint64_t)-5, 2);
	assert_args("lseek", &p, "fd: 3, offset: -5, whence: SEEK_END");
	p = PAYLOAD(3, 5, 99);
	assert_args("lseek", &p, "fd: 3, offset: 5, whence: 99");

	p = PAYLOAD(0x1000, 0x2000, 0x3000);
	put_string(&p, 0, "/bin/sh", 8, 0);
	assert_args("execve", &p,
		    "filename: \"/bin/sh\", argv: 0x2000, envp: 0x3000");
	p = PAYLOAD(0x1000, 0x2000, 0x3000, 4, 1);
	put_string(&p, 2, "v\0lu", 4, 0);
	put_string(&p, 1, "user.x", 7, 0);
	put_string(&p, 0, "", 0, XFT_STR_FAULT);
	assert_args("setxattr", &p,
		    "pathname: 0x1000, name: \"user.x\", value: \"v\\x00lu\", "
		    "size: 4, flags: XATTR_CREATE");
}

/* Nothing that a guest writes is worth more than a question mark. */
static void test_damaged(void **state)
{
	static const char none[] = "dfd: ?, filename: ?, flags: ?, mode: ?";
	static const char bare[] = "dfd: 1, filename: 0x2, flags: "
				   "O_RDWR|O_NONBLOCK, mode: 04";
	struct payload p = { .nr = 0 };

	assert_args("openat", &p, none);
	p = (struct payload){ .nr = 1 };
	assert_args("openat", &p, none);
	p.word[0] = UINT64_MAX;
	assert_args("openat", &p, none);
	p = (struct payload){ { 200, 7 }, 2 };
	assert_args("openat", &p, "dfd: 7, filename: ?, flags: ?, mode: ?");

	p = PAYLOAD(1, 2, 04002, 4);
	p.word[p.nr++] = 1 | 9 << 8; /* longer than it is */
	p.word[p.nr++] = 0;
	assert_args("openat", &p, bare);
	p.nr = 5;
	p.word[p.nr++] = 1 | 0xffffull << 8;
	assert_args("openat", &p, bare);
	p.nr = 5;
	p.word[p.nr++] = 77; /* no such argument */
	assert_args("openat", &p, bare);
	p.nr = 5;
	put_string(&p, 0, "not a string", 12, 0); /* copied, but an int */
	assert_args("openat", &p, bare);
	p.nr = 5;
	put_string(&p, 1, "", 0, 0);
	assert_args("openat", &p,
		    "dfd: 1, filename: \"\", flags: O_RDWR|O_NONBLOCK, mode: "
		    "04");
	/* More arguments than the call has. */
	p = PAYLOAD(1, 2, 3, 4, 5, 6, 7, 8);
	assert_args("close", &p, "fd: 1");
}

static void test_garbage(void **state)
{
	static const char *const names[] = { "openat", "write", "mmap",
					     "setxattr", "close" };
	uint64_t seed = 1;

	for (int i = 0; i < 50000; i++) {
		_cleanup_(buf_deinit) struct buf out = BUF_INIT;
		struct syscall s = call(names[i % ARRAY_SIZE(names)]);
		size_t nr = (seed >> 40) % 20;
		_cleanup_free_ uint64_t *words = malloc(nr * 8 + 1);

		for (size_t w = 0; w < nr; w++) {
			seed = seed * 6364136223846793005u +
			       1442695040888963407u;
			words[w] = seed >> (seed >> 58);
		}
		syscall_print_args(&s, words, nr, &out);
		for (size_t b = 0; b < out.len; b++)
			assert_in_range(out.data[b], 0x20, 0x7e);
	}
}

static uint32_t descriptor(const char *name)
{
	struct syscall s = call(name);

	return syscall_descriptor(&s);
}

static void test_descriptor(void **state)
{
	assert_int_equal(descriptor("openat"), 4 | 1 << 5);
	assert_int_equal(descriptor("write"), 3 | 1 << 11);
	assert_int_equal(descriptor("read"), 3);
	assert_int_equal(descriptor("mmap"), 6);
	assert_int_equal(descriptor("execve"), 3 | 1 << 4);
	assert_int_equal(descriptor("setxattr"), 5 | 3 << 4 | 1 << 12);
	assert_int_equal(descriptor("renameat2"), 5 | 1 << 5 | 1 << 7);
	assert_int_equal(descriptor("truncate"), 2 | 1 << 4);
}

static void assert_result(const char *name, int64_t v, const char *want)
{
	_cleanup_(buf_deinit) struct buf out = BUF_INIT;
	struct syscall s = call(name);

	syscall_print_result(&s, v, &out);
	assert_string_equal(out.data, want);
}

static void test_result(void **state)
{
	assert_result("openat", 3, "3");
	assert_result("openat", -ENOENT, "-ENOENT");
	assert_result("openat", -4095, "-4095");
	assert_result("openat", -5000, "-5000");
	assert_result("read", -512, "-ERESTARTSYS");
	assert_result("mmap", 0x7f0012345000, "0x7f0012345000");
	assert_result("mmap", -ENOMEM, "-ENOMEM");
}

static void test_no_call(void **state)
{
	const struct tep_type *type;
	uint32_t pos = 0;
	struct syscall s;

	while ((type = tep_each(calls, &pos)))
		if (strncmp(type->name, "sys_enter_", 10))
			assert_int_equal(syscall_of(type, &s, NULL), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_args),
		cmocka_unit_test(test_damaged),
		cmocka_unit_test(test_garbage),
		cmocka_unit_test(test_descriptor),
		cmocka_unit_test(test_result),
		cmocka_unit_test(test_no_call),
	};

	return cmocka_run_group_tests(tests, open_calls, close_calls);
}
