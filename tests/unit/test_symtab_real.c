// SPDX-License-Identifier: GPL-2.0-only
/*
 * A real kernel, when there is one:
 *
 *	XFT_VMLINUZ=/boot/vmlinuz-...  the image, or a vmlinux
 *	XFT_TRUTH=System.map-...       what its symbols really are, if known
 *
 * Prints what it found and how long it took, so it serves to measure, too.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <inttypes.h>
#include <time.h>

#include "resolve.h"
#include "symtab.h"

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1e3 + t.tv_nsec / 1e6;
}

/* Milliseconds since the last call. */
static double lap(void)
{
	static double last;
	double t = now(), d = t - last;

	last = t;
	return d;
}

static struct symtab *open_env(const char *var)
{
	const char *path = getenv(var);
	struct symtab *st;
	struct xf_err err;

	if (!path)
		return NULL;
	lap();
	if (symtab_open(path, &st, &err))
		fail_msg("%s", err.msg);
	print_message("%s: %zu symbols, %zu functions, %.1f ms\n", path, st->nr,
		      st->nr_text, lap());
	return st;
}

static void test_known_names(void **state)
{
	_cleanup_(symtab_destroyp) struct symtab *st = open_env("XFT_VMLINUZ");
	_cleanup_(functions_deinit) struct functions f = {0};
	static const char *const names[] = {
		"vfs_read", "register_ftrace_graph",
		"schedule", "sys_openat",
		"sys_read", "sys_fork",
		"tcp_*",
	};
	struct xf_err err = {0};
	struct sym s;
	uint64_t addr;

	if (!st)
		skip();
	print_message("source %d, build id %u bytes, banner '%s'\n", st->source,
		      st->build_id_len, st->banner);
	assert_int_equal(st->build_id_len, 20);
	assert_memory_equal(st->banner, "Linux version ", 14);
	assert_true(st->nr_text > 10000);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (functions_resolve(&f, st, names[i], &err) < 0)
			fail_msg("%s", err.msg);
	assert_int_equal(symtab_address(st, "_stext", &addr, &err), 0);
	assert_int_equal(symtab_address(st, "vfs_read", &addr, &err), 0);
	assert_true(symtab_at(st, addr + 5, &s));
	assert_string_equal(s.name, "vfs_read");
	assert_int_equal(s.addr, addr);
	lap();
	assert_int_equal(functions_resolve(&f, st, "sys_opne", &err), -ENOENT);
	print_message("%s (%.1f ms)\n", err.msg, lap());
	assert_non_null(strstr(err.msg, "near: sys_open,"));
}

static void test_pack(void **state)
{
	_cleanup_(symtab_destroyp) struct symtab *st = open_env("XFT_VMLINUZ");
	_cleanup_(symtab_destroyp) struct symtab *again = NULL;
	_cleanup_(buf_deinit) struct buf packed = BUF_INIT, text = BUF_INIT;
	struct xf_err err;
	uint32_t pos = 0;
	struct sym s, t;
	unsigned int n = 0;
	double ms;

	if (!st)
		skip();
	symtab_slide(st, 0x1c000000);
	print_message("slide %.1f ms, ", lap());
	symtab_pack(st, SYMTAB_KERNEL | SYMTAB_MODULES, &packed);
	print_message("pack %.1f ms, %zu bytes, ", lap(), packed.len);
	assert_int_equal(symtab_unpack(packed.data, packed.len, &again, &err),
			 0);
	print_message("unpack %.1f ms\n", lap());
	for (; symtab_each(st, &pos, &s); n++) {
		if (!symtab_is_function(&s) || !symtab_at(st, s.addr, &s) ||
		    !symtab_is_function(&s))
			continue;
		assert_true(symtab_at(again, s.addr, &t));
		assert_string_equal(s.name, t.name);
		assert_int_equal(s.size, t.size);
	}
	lap();
	for (unsigned int i = 0; i < 4000000; i++) {
		size_t which = i * 7919u % st->nr_text;

		n += symtab_at(st, st->text_addr[which] + 3, &s);
	}
	ms = lap();
	print_message("lookup by address %.0f ns each\n", ms * 1e6 / 4e6);
	symtab_write_map(st, &text);
	print_message("map text %.1f ms, %zu bytes (%u)\n", lap(), text.len, n);
}

/* Per-CPU offsets are D in a map, A in the kernel's own tables. */
static bool has(const struct symtab *st, const struct sym *want)
{
	uint32_t pos = 0;
	struct sym s;

	while (symtab_find(st, want->name, &pos, &s))
		if (s.addr == want->addr &&
		    (s.type == want->type || s.addr < SYMTAB_KERNEL_BASE))
			return true;
	return false;
}

/* How many of a's symbols b has, with the same address and type. */
static size_t common(const struct symtab *a, const struct symtab *b,
		     const char *what)
{
	size_t equal = 0, missing = 0;
	uint32_t pos = 0;
	struct sym s;

	while (symtab_each(a, &pos, &s)) {
		if (has(b, &s)) {
			equal++;
		} else if (missing++ < 12) {
			print_message("  %s: %016" PRIx64 " %c %s\n", what,
				      s.addr, s.type, s.name);
		}
	}
	print_message("%s: %zu, equal: %zu\n", what, missing, equal);
	return missing;
}

static void test_truth(void **state)
{
	/* Before anything is owned: skip() jumps out. */
	if (!getenv("XFT_VMLINUZ") || !getenv("XFT_TRUTH"))
		skip();

	_cleanup_(symtab_destroyp) struct symtab *st = open_env("XFT_VMLINUZ");
	_cleanup_(symtab_destroyp) struct symtab *map = open_env("XFT_TRUTH");
	size_t differ = 0;
	uint32_t pos = 0;
	struct sym s, t;

	common(st, map, "only in the image");
	common(map, st, "only in the truth");
	/* What matters: every function is found, by the same name. */
	while (symtab_each(map, &pos, &s)) {
		if (!symtab_is_function(&s))
			continue;
		if (symtab_at(map, s.addr, &s) &&
		    (!symtab_at(st, s.addr, &t) || strcmp(s.name, t.name)) &&
		    differ++ < 12)
			print_message("  %016" PRIx64 " is %s, not %s\n",
				      s.addr, s.name, t.name);
	}
	assert_int_equal(differ, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_known_names),
		cmocka_unit_test(test_pack),
		cmocka_unit_test(test_truth),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
