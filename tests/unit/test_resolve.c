// SPDX-License-Identifier: GPL-2.0-only
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>

#include "resolve.h"
#include "sample_kernel.h"

static const struct {
	const char *name;
	char type;
	const char *module;
} symbols[] = {
	{"_stext", 'T', NULL},
	{"vfs_read", 'T', NULL},
	{"__pfx_vfs_write", 'T', NULL},
	{"vfs_write", 'T', NULL},
	{"vfs_write.cold", 't', NULL},
	{"vfs_data", 'D', NULL},
	{"__x64_sys_open", 'T', NULL},
	{"__ia32_sys_open", 'T', NULL},
	{"__ia32_compat_sys_open", 'T', NULL},
	{"__do_sys_open", 't', NULL},
	{"__x64_sys_openat", 'T', NULL},
	{"__do_sys_clone", 't', NULL},
	{"sys_ni_syscall", 'T', NULL},
	{"do_sys_openat2", 't', NULL},
	{"cleanup", 't', NULL},
	{"cleanup", 't', NULL},
	{"tcp_rcv.isra.0", 't', NULL},
	{"tcp_rcv.constprop.1", 't', NULL},
	{"tcp_rcv.cold", 't', NULL},
	{"_etext", 'T', NULL},
	{"cleanup", 't', "e1000"},
	{"e1000_open", 't', "e1000"},
	{"e1000_close", 't', "e1000"},
	{"ext4_open", 't', "ext4"},
};

#define STEP 0x40u

static uint64_t address(size_t i)
{
	return (symbols[i].module ? UINT64_C(0xffffffffc0000000)
				  : SAMPLE_BASE) +
	       i * STEP;
}

static struct symtab *make(void)
{
	struct symtab *st = symtab_create();

	for (size_t i = 0; i < ARRAY_SIZE(symbols); i++)
		symtab_add(st, address(i), 0, symbols[i].type, symbols[i].name,
			   strlen(symbols[i].name), symbols[i].module);
	/* One function under three names, as system calls without arguments. */
	symtab_add(st, SAMPLE_BASE + STEP / 2, 0, 't', "__do_sys_fork", 13,
		   NULL);
	symtab_add(st, SAMPLE_BASE + STEP / 2, 0, 'T', "__x64_sys_fork", 14,
		   NULL);
	symtab_add(st, SAMPLE_BASE + STEP / 2, 0, 'T', "__ia32_sys_fork", 15,
		   NULL);
	symtab_seal(st);
	return st;
}

/* @want: names in order of address, with spaces between. */
static void expect(const char *typed, const char *want)
{
	_cleanup_(functions_deinit) struct functions f = {0};
	_cleanup_(symtab_destroyp) struct symtab *st = make();
	_cleanup_(buf_deinit) struct buf names = BUF_INIT;
	struct xf_err err;
	int nr = functions_resolve(&f, st, typed, &err);

	if (nr < 0)
		fail_msg("'%s': %s", typed, err.msg);
	assert_int_equal(nr, f.nr);
	for (size_t i = 0; i < f.nr; i++) {
		buf_printf(&names, "%s%s", i ? " " : "", f.syms[i].name);
		if (f.syms[i].module)
			buf_printf(&names, "[%s]", f.syms[i].module);
		assert_ptr_equal(functions_at(&f, f.syms[i].addr), &f.syms[i]);
		assert_null(functions_at(&f, f.syms[i].addr + 1));
	}
	assert_string_equal(names.data, want);
}

static void expect_error(const char *typed, int rc, const char *sentence)
{
	_cleanup_(functions_deinit) struct functions f = {0};
	_cleanup_(symtab_destroyp) struct symtab *st = make();
	struct xf_err err = {0};

	assert_int_equal(functions_resolve(&f, st, typed, &err), rc);
	assert_string_equal(err.msg, sentence);
	assert_int_equal(f.nr, 0);
	assert_null(functions_at(&f, SAMPLE_BASE));
}

static void test_names(void **state)
{
	expect("vfs_read", "vfs_read");
	expect("  vfs_read\t", "vfs_read");
	expect("cleanup", "cleanup cleanup cleanup[e1000]");
	expect("tcp_rcv", "tcp_rcv.isra.0 tcp_rcv.constprop.1");
	expect("tcp_rcv.isra.0", "tcp_rcv.isra.0");
}

static void test_system_calls(void **state)
{
	expect("sys_open", "__x64_sys_open __ia32_sys_open "
			   "__ia32_compat_sys_open");
	expect("SyS_open", "__x64_sys_open __ia32_sys_open "
			   "__ia32_compat_sys_open");
	expect("__x64_sys_open", "__x64_sys_open");
	expect("sys_openat", "__x64_sys_openat");
	expect("sys_clone", "__do_sys_clone");
	expect("sys_ni_syscall", "sys_ni_syscall");
	/* By the name that the kernel prints. */
	expect("sys_fork", "__do_sys_fork");
}

static void test_modules(void **state)
{
	expect("e1000:cleanup", "cleanup[e1000]");
	expect("cleanup [e1000]", "cleanup[e1000]");
	expect("cleanup\t[e1000] ", "cleanup[e1000]");
	expect("vmlinux:cleanup", "cleanup cleanup");
	expect("e1000:*", "cleanup[e1000] e1000_open[e1000] "
			  "e1000_close[e1000]");
	expect("*_open [ext4]", "ext4_open[ext4]");
}

static void test_patterns(void **state)
{
	expect("vfs_*", "vfs_read vfs_write");
	expect("vfs_[rx]ea?", "vfs_read");
	expect("sys_open*", "__x64_sys_open __ia32_sys_open "
			    "__ia32_compat_sys_open __x64_sys_openat");
	expect("SyS_openat*", "__x64_sys_openat");
	expect("sys_*", "__do_sys_fork __x64_sys_open __ia32_sys_open "
			"__ia32_compat_sys_open __x64_sys_openat "
			"sys_ni_syscall");
	expect("*sys_open", "__x64_sys_open __ia32_sys_open "
			    "__ia32_compat_sys_open __do_sys_open");
}

static void test_addresses(void **state)
{
	expect("0xffffffff81000040", "vfs_read");
	expect("0xffffffff8100007f", "vfs_read");
	expect_error("0xffffffff81000080", -ENOENT,
		     "no function contains 0xffffffff81000080");
	expect_error("0x", -ENOENT, "no function contains 0x");
	expect_error("0xg", -ENOENT, "no function contains 0xg");
	expect_error("0x11112222333344445555", -ENOENT,
		     "no function contains 0x11112222333344445555");
}

static void test_errors(void **state)
{
	expect_error("", -EINVAL, "the name of a function is empty");
	expect_error(" ", -EINVAL, "the name of a function is empty");
	expect_error("e1000:", -EINVAL, "the name of a function is empty");
	expect_error("sys_opne", -ENOENT,
		     "no function 'sys_opne' in this kernel; near: sys_open, "
		     "sys_openat");
	expect_error("vfs_raed", -ENOENT,
		     "no function 'vfs_raed' in this kernel; near: vfs_read");
	expect_error("openat", -ENOENT,
		     "no function 'openat' in this kernel; near: sys_openat, "
		     "do_sys_openat2");
	expect_error("zzzzzzzz", -ENOENT,
		     "no function 'zzzzzzzz' in this kernel");
	expect_error("zz*", -ENOENT,
		     "no function matches 'zz*' in this kernel");
	expect_error("vsf_*", -ENOENT,
		     "no function matches 'vsf_*' in this kernel; near: vfs_*");
	expect_error("*vsf", -ENOENT,
		     "no function matches '*vsf' in this kernel");
	expect_error("vfs_data", -ENOENT,
		     "'vfs_data' is no function in this kernel, but a symbol "
		     "of type D");
	expect_error("floppy:open", -ENOENT,
		     "no function 'floppy:open': symbols of such a module are "
		     "not known");
	expect_error("e1000:e1000_opne", -ENOENT,
		     "no function 'e1000:e1000_opne' in this kernel; near: "
		     "e1000_open");
	expect_error("\033", -ENOENT, "no function '\\x1b' in this kernel");
}

static void test_sets(void **state)
{
	_cleanup_(functions_deinit) struct functions f = {0};
	_cleanup_(symtab_destroyp) struct symtab *st = make();

	assert_int_equal(functions_resolve(&f, st, "vfs_write", NULL), 1);
	assert_int_equal(functions_resolve(&f, st, "vfs_*", NULL), 2);
	assert_int_equal(functions_resolve(&f, st, "vfs_write", NULL), 1);
	assert_int_equal(f.nr, 2);
	assert_string_equal(f.syms[0].name, "vfs_read");
	assert_int_equal(functions_resolve(&f, st, "nothing", NULL), -ENOENT);
	assert_int_equal(f.nr, 2);
}

static void test_suggest(void **state)
{
	_cleanup_(symtab_destroyp) struct symtab *st = make();
	_cleanup_(buf_deinit) struct buf out = BUF_INIT;
	char name[300];

	assert_int_equal(resolve_suggest(st, "open", 3, &out), 3);
	assert_string_equal(out.data, "sys_open, ext4_open, e1000_open");
	out.len = 0;
	assert_int_equal(resolve_suggest(st, "open", 0, &out), 0);
	assert_int_equal(resolve_suggest(st, "", 1000, &out), 0);
	memset(name, 'a', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	assert_int_equal(resolve_suggest(st, name, 5, &out), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_system_calls),
		cmocka_unit_test(test_modules),
		cmocka_unit_test(test_patterns),
		cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_errors),
		cmocka_unit_test(test_sets),
		cmocka_unit_test(test_suggest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
