// SPDX-License-Identifier: GPL-2.0-only
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <inttypes.h>

#include "sample_kernel.h"
#include "symtab.h"

#define TEXT   UINT64_C(0xffffffff81000000)
#define MODULE UINT64_C(0xffffffffc0400000)

static void add(struct symtab *st, uint64_t addr, char type, const char *name,
		const char *module)
{
	assert_true(symtab_add(st, addr, 0, type, name, strlen(name), module));
}

static struct symtab *small(void)
{
	struct symtab *st = symtab_create();

	add(st, TEXT + 0x100, 't', "vfs_read", NULL);
	add(st, TEXT, 'T', "_stext", NULL);
	add(st, TEXT, 'T', "startup_64", NULL);
	add(st, TEXT + 0x140, 'T', "__do_sys_fork", NULL);
	add(st, TEXT + 0x140, 'T', "__x64_sys_fork", NULL);
	add(st, TEXT + 0x140, 'W', "fork_weak", NULL);
	add(st, TEXT + 0x180, 'T', "__indirect_thunk_end", NULL);
	add(st, TEXT + 0x180, 'T', "_etext", NULL);
	add(st, TEXT + 0x200000, 'D', "jiffies", NULL);
	add(st, TEXT + 0x201000, 't', "cleanup", NULL);
	add(st, TEXT + 0x201020, 'D', "_end", NULL);
	add(st, 0x1000, 'A', "cpu_tss_rw", NULL);
	add(st, MODULE + 0x20, 't', "e1000_open", "e1000");
	add(st, MODULE + 0x80, 't', "cleanup", "e1000");
	add(st, MODULE + 0x100000, 't', "ext4_open", "ext4");
	symtab_seal(st);
	return st;
}

static void expect_at(const struct symtab *st, uint64_t addr, const char *name,
		      const char *module)
{
	struct sym s;

	if (!name) {
		if (symtab_at(st, addr, &s))
			fail_msg("%" PRIx64 " is %s", addr, s.name);
		return;
	}
	if (!symtab_at(st, addr, &s))
		fail_msg("%" PRIx64 " is not %s", addr, name);
	assert_string_equal(s.name, name);
	if (module)
		assert_string_equal(s.module, module);
	else
		assert_null(s.module);
}

static void test_at(void **state)
{
	_cleanup_(symtab_destroyp) struct symtab *st = small();

	expect_at(st, 0, NULL, NULL);
	expect_at(st, 0x1000, NULL, NULL);
	expect_at(st, TEXT - 1, NULL, NULL);
	/* The names that the kernel prefers. */
	expect_at(st, TEXT, "startup_64", NULL);
	expect_at(st, TEXT + 0x141, "__do_sys_fork", NULL);
	expect_at(st, TEXT + 0xff, "startup_64", NULL);
	expect_at(st, TEXT + 0x100, "vfs_read", NULL);
	expect_at(st, TEXT + 0x13f, "vfs_read", NULL);
	expect_at(st, TEXT + 0x17f, "__do_sys_fork", NULL);
	/* Nothing is called like a mark, nor is there code behind the end. */
	expect_at(st, TEXT + 0x180, NULL, NULL);
	expect_at(st, TEXT + 0x1000, NULL, NULL);
	expect_at(st, TEXT + 0x200000, NULL, NULL);
	expect_at(st, TEXT + 0x20101f, "cleanup", NULL);
	expect_at(st, TEXT + 0x201020, NULL, NULL);
	expect_at(st, MODULE + 0x1f, NULL, NULL);
	expect_at(st, MODULE + 0x20, "e1000_open", "e1000");
	/* A module's last function ends with its page. */
	expect_at(st, MODULE + 0xfff, "cleanup", "e1000");
	expect_at(st, MODULE + 0x1000, NULL, NULL);
	expect_at(st, MODULE + 0x100fff, "ext4_open", "ext4");
	expect_at(st, MODULE + 0x101000, NULL, NULL);
	expect_at(st, UINT64_MAX, NULL, NULL);
}

static void test_given_size(void **state)
{
	_cleanup_(symtab_destroyp) struct symtab *st = small();

	assert_true(symtab_add(st, TEXT + 0x110, 0x10, 't', "inner", 5, NULL));
	assert_true(symtab_add(st, TEXT + 0x130, 0x9999, 't', "big", 3, NULL));
	symtab_seal(st);
	expect_at(st, TEXT + 0x10f, "vfs_read", NULL);
	expect_at(st, TEXT + 0x11f, "inner", NULL);
	expect_at(st, TEXT + 0x120, NULL, NULL);
	expect_at(st, TEXT + 0x13f, "big", NULL);
	expect_at(st, TEXT + 0x140, "__do_sys_fork", NULL);
}

static void test_near(void **state)
{
	_cleanup_(symtab_destroyp) struct symtab *st = small();
	struct sym s;

	assert_false(symtab_near(st, 0xfff, &s));
	assert_true(symtab_near(st, TEXT + 0x2000ff, &s));
	assert_string_equal(s.name, "jiffies");
	assert_true(symtab_near(st, TEXT + 0x150, &s));
	assert_string_equal(s.name, "__do_sys_fork");
	assert_true(symtab_near(st, UINT64_MAX, &s));
	assert_string_equal(s.name, "ext4_open");
}

static void test_find(void **state)
{
	_cleanup_(symtab_destroyp) struct symtab *st = small();
	struct xf_err err;
	uint32_t pos = 0;
	uint64_t addr = 0;
	struct sym s;

	assert_true(symtab_find(st, "cleanup", &pos, &s));
	assert_int_equal(s.addr, TEXT + 0x201000);
	assert_true(symtab_find(st, "cleanup", &pos, &s));
	assert_string_equal(s.module, "e1000");
	assert_false(symtab_find(st, "cleanup", &pos, &s));
	assert_false(symtab_find(st, "cleanup", &pos, &s));
	pos = 0;
	assert_false(symtab_find(st, "vfs_rea", &pos, &s));

	assert_int_equal(symtab_address(st, "jiffies", &addr, &err), 0);
	assert_int_equal(addr, TEXT + 0x200000);
	assert_int_equal(symtab_address(st, "cleanup", &addr, &err), 0);
	assert_int_equal(addr, TEXT + 0x201000);
	assert_int_equal(symtab_address(st, "e1000_open", &addr, &err),
			 -ENOENT);
	add(st, TEXT + 0x40, 't', "cleanup", NULL);
	symtab_seal(st);
	assert_int_equal(symtab_address(st, "cleanup", &addr, &err), -ENOTUNIQ);
	assert_int_equal(addr, TEXT + 0x201000);
	assert_true(symtab_has_module(st, "e1000"));
	assert_false(symtab_has_module(st, "e100"));
}

static void test_empty(void **state)
{
	_cleanup_(symtab_destroyp) struct symtab *st = symtab_create();
	uint32_t pos = 0;
	struct sym s;

	symtab_seal(st);
	symtab_slide(st, 4096);
	expect_at(st, TEXT, NULL, NULL);
	assert_false(symtab_near(st, TEXT, &s));
	assert_false(symtab_find(st, "a", &pos, &s));
	assert_false(symtab_each(st, &pos, &s));
	symtab_destroy(NULL);
}

static void test_slide(void **state)
{
	_cleanup_(symtab_destroyp) struct symtab *st = small();
	uint64_t addr;

	symtab_slide(st, 0x1c000000);
	expect_at(st, TEXT + 0x100, NULL, NULL);
	expect_at(st, TEXT + 0x1c000100, "vfs_read", NULL);
	expect_at(st, MODULE + 0x20, "e1000_open", "e1000");
	symtab_address(st, "cpu_tss_rw", &addr, NULL);
	assert_int_equal(addr, 0x1000);
	symtab_slide(st, 0x2000000);
	expect_at(st, TEXT + 0x2000100, "vfs_read", NULL);
	/* Past the modules: the order changes. */
	symtab_slide(st, 0x40000000);
	expect_at(st, TEXT + 0x40000100, "vfs_read", NULL);
	expect_at(st, MODULE + 0x20, "e1000_open", "e1000");
	/* What nobody would call a slide must not lose anything either. */
	symtab_slide(st, INT64_MIN + 12345);
	symtab_slide(st, INT64_MAX);
	symtab_slide(st, 0);
	test_at(NULL);
	expect_at(st, TEXT + 0x13f, "vfs_read", NULL);
	expect_at(st, TEXT + 0x180, NULL, NULL);
}

static void test_repeated(void **state)
{
	_cleanup_(symtab_destroyp) struct symtab *st = small();
	size_t nr = st->nr;

	add(st, TEXT + 0x100, 't', "vfs_read", NULL);
	add(st, MODULE + 0x20, 't', "e1000_open", "e1000");
	symtab_seal(st);
	assert_int_equal(st->nr, nr);
}

static void test_truncate(void **state)
{
	_cleanup_(symtab_destroyp) struct symtab *st = small();
	size_t nr = st->nr, len = st->names.len;

	for (unsigned int i = 0; i < 5000; i++)
		add(st, TEXT + i, 't', "extra", i % 2 ? "new" : NULL);
	symtab_truncate(st, nr);
	assert_int_equal(st->names.len, len);
	assert_false(symtab_has_module(st, "new"));
	expect_at(st, TEXT + 0x100, "vfs_read", NULL);
}

static void test_harmless_names(void **state)
{
	_cleanup_(symtab_destroyp) struct symtab *st = symtab_create();
	char name[600];
	struct sym s;

	assert_true(symtab_add(st, TEXT, 0, '\033', "a\033[2J b\0c", 9, "m\n"));
	memset(name, '\n', sizeof(name));
	assert_true(symtab_add(st, TEXT + 1, 0, 't', name, 600, NULL));
	memset(name, 'x', sizeof(name));
	assert_true(symtab_add(st, TEXT + 2, 0, 't', name, 600, NULL));
	symtab_seal(st);
	assert_true(symtab_near(st, TEXT, &s));
	assert_string_equal(s.name, "a\\x1b\\x5b2J\\x20b\\x00c");
	assert_string_equal(s.module, "m?");
	assert_int_equal(s.type, '?');
	assert_true(symtab_at(st, TEXT + 1, &s));
	assert_int_equal(strlen(s.name), SYMTAB_NAME_MAX / 4 * 4);
	assert_true(symtab_at(st, TEXT + 2, &s));
	assert_int_equal(strlen(s.name), SYMTAB_NAME_MAX);
}

static void test_limits(void **state)
{
	_cleanup_(symtab_destroyp) struct symtab *st = symtab_create();
	char name[16];
	uint32_t pos = 0;
	struct sym s;

	for (unsigned int i = 0; i < SYMTAB_MODULES_MAX + 1; i++) {
		snprintf(name, sizeof(name), "m%u", i);
		assert_int_equal(
			symtab_add(st, MODULE + i, 0, 't', "f", 1, name),
			i < SYMTAB_MODULES_MAX);
	}
	/* Half a million times one name at one address takes no quadratic time.
	 */
	while (symtab_add(st, TEXT, 0, 't', "f", 1, NULL))
		;
	assert_int_equal(st->nr, SYMTAB_MAX);
	symtab_seal(st);
	assert_int_equal(st->nr, SYMTAB_MODULES_MAX + 1);
	assert_true(symtab_find(st, "f", &pos, &s));
	assert_int_equal(s.addr, TEXT);
}

static void test_write_map(void **state)
{
	_cleanup_(symtab_destroyp) struct symtab *st = small(), *again = NULL;
	_cleanup_(buf_deinit) struct buf b = BUF_INIT, b2 = BUF_INIT;
	struct xf_err err;

	symtab_write_map(st, &b);
	assert_non_null(strstr(b.data, "0000000000001000 A cpu_tss_rw\n"));
	assert_non_null(strstr(b.data, "\nffffffffc0400020 t e1000_open"
				       "\t[e1000]\n"));
	again = symtab_create();
	assert_int_equal(symtab_load_map(again, b.data, b.len, &err), 0);
	symtab_write_map(again, &b2);
	assert_string_equal(b.data, b2.data);
}

static void test_pack(void **state)
{
	_cleanup_(symtab_destroyp) struct symtab *st = small(), *again = NULL;
	_cleanup_(buf_deinit) struct buf b = BUF_INIT, b2 = BUF_INIT;
	struct xf_err err;

	add(st, TEXT + 0x120, 't', "__pfx_next", NULL);
	add(st, TEXT + 0x130, 't', "next.cold", NULL);
	symtab_set_build_id(st, "0123456789abcdefghijklmn", 24);
	symtab_set_banner(st, "Linux version 6.1 \033\nmore", 24);
	st->source = SYMTAB_GUEST;
	symtab_slide(st, -0x200000);
	symtab_pack(st, SYMTAB_KERNEL | SYMTAB_MODULES, &b);
	assert_int_equal(symtab_unpack(b.data, b.len, &again, &err), 0);
	assert_int_equal(again->source, SYMTAB_GUEST);
	assert_int_equal(again->build_id_len, 20);
	assert_memory_equal(again->build_id, "0123456789abcdefghij", 20);
	assert_string_equal(again->banner, "Linux version 6.1 ?");
	assert_int_equal(again->slide, -0x200000);
	symtab_pack(again, SYMTAB_KERNEL | SYMTAB_MODULES, &b2);
	assert_int_equal(b.len, b2.len);
	assert_memory_equal(b.data, b2.data, b.len);
	symtab_slide(again, 0);
	expect_at(again, TEXT + 0x100, "vfs_read", NULL);
	expect_at(again, TEXT + 0x131, "next.cold", NULL);
	/* The padding of the next function is not the end of this one. */
	expect_at(again, TEXT + 0x120, NULL, NULL);
	expect_at(again, TEXT + 0x141, "__do_sys_fork", NULL);
	expect_at(again, TEXT + 0x180, NULL, NULL);
	expect_at(again, MODULE + 0x21, "e1000_open", "e1000");
	expect_at(again, MODULE + 0x1000, NULL, NULL);
	expect_at(again, MODULE + 0x100000, "ext4_open", "ext4");
}

/* The kernel's part is the same wherever KASLR put it. */
static void test_pack_parts(void **state)
{
	_cleanup_(symtab_destroyp) struct symtab *st = small(), *again = NULL;
	_cleanup_(buf_deinit) struct buf kernel = BUF_INIT, b = BUF_INIT;
	struct xf_err err;

	symtab_pack(st, SYMTAB_KERNEL, &kernel);
	symtab_slide(st, 0x1400000);
	symtab_pack(st, SYMTAB_MODULES, &b);
	symtab_slide(st, 0);
	assert_int_equal(symtab_unpack(kernel.data, kernel.len, &again, &err),
			 0);
	expect_at(again, TEXT + 0x100, "vfs_read", NULL);
	expect_at(again, MODULE + 0x21, NULL, NULL);
	for (size_t len = 0; len < b.len; len++) {
		assert_true(symtab_unpack_more(again, b.data, len, &err) < 0);
		expect_at(again, TEXT + 0x100, "vfs_read", NULL);
		expect_at(again, MODULE + 0x21, NULL, NULL);
	}
	assert_int_equal(symtab_unpack_more(again, b.data, b.len, &err), 0);
	expect_at(again, TEXT + 0x1400100, "vfs_read", NULL);
	expect_at(again, TEXT + 0x100, NULL, NULL);
	expect_at(again, MODULE + 0x21, "e1000_open", "e1000");
}

static void test_pack_damaged(void **state)
{
	_cleanup_(symtab_destroyp) struct symtab *st = small();
	_cleanup_(buf_deinit) struct buf b = BUF_INIT;
	uint32_t seed = 1;

	symtab_set_build_id(st, "0123456789abcdefghij", 20);
	symtab_pack(st, SYMTAB_KERNEL | SYMTAB_MODULES, &b);
	for (size_t len = 0; len < b.len; len++) {
		_cleanup_free_ uint8_t *copy = sample_copy(b.data, len);
		struct symtab *again = NULL;
		struct xf_err err;

		assert_true(symtab_unpack(copy, len, &again, &err) < 0);
		assert_null(again);
	}
	for (unsigned int i = 0; i < 20000; i++) {
		_cleanup_(symtab_destroyp) struct symtab *again = NULL;
		_cleanup_free_ uint8_t *copy = sample_copy(b.data, b.len);
		struct xf_err err;

		sample_damage(copy, b.len, &seed);
		if (!symtab_unpack(copy, b.len, &again, &err))
			expect_at(again, 1, NULL, NULL);
	}
	/* Another version, and something behind the end. */
	b.data[4]++;
	assert_int_equal(symtab_unpack(b.data, b.len, &st, NULL),
			 -EPROTONOSUPPORT);
	b.data[4]--;
	buf_putc(&b, 0);
	assert_int_equal(symtab_unpack(b.data, b.len, &st, NULL), -EBADMSG);
}

static void test_open(void **state)
{
	struct symtab *st = NULL;
	struct xf_err err;

	assert_int_equal(symtab_open("/nonexistent/map", &st, &err), -ENOENT);
	assert_non_null(strstr(err.msg, "/nonexistent/map: "));
	assert_int_equal(symtab_open("/dev/null", &st, &err), -ENODATA);
	assert_true(symtab_open("/proc", &st, &err) < 0);
	assert_int_equal(symtab_open("/proc/self/exe", &st, &err), -ENOEXEC);
	assert_null(st);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_at),
		cmocka_unit_test(test_given_size),
		cmocka_unit_test(test_near),
		cmocka_unit_test(test_find),
		cmocka_unit_test(test_empty),
		cmocka_unit_test(test_slide),
		cmocka_unit_test(test_repeated),
		cmocka_unit_test(test_truncate),
		cmocka_unit_test(test_harmless_names),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_write_map),
		cmocka_unit_test(test_pack), cmocka_unit_test(test_pack_parts),
		cmocka_unit_test(test_pack_damaged),
		cmocka_unit_test(test_open),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
