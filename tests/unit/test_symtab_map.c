// SPDX-License-Identifier: GPL-2.0-only
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>

#include "sample_kernel.h"
#include "symtab.h"

/* /proc/kallsyms of a running 6.1, shortened by hand. */
static const char kallsyms[] =
	"0000000000000000 A fixed_percpu_data\n"
	"ffffffff8e200000 T startup_64\n"
	"ffffffff8e200000 T _stext\n"
	"ffffffff8e54d6b0 T vfs_read\n"
	"ffffffff8e54d7c0 T ksys_read\n"
	"ffffffff8f001ef2 T _etext\n"
	"ffffffffc03a2000 t virtio_scan\t[virtio_pci]\n"
	"ffffffffc03a2040 T vp_notify\t[virtio_pci]\n"
	"ffffffffc0520000 t bpf_prog_6deef7357e7b4530\t[bpf]\n";

static int load(struct symtab *st, const char *text, struct xf_err *err)
{
	return symtab_load_map(st, text, strlen(text), err);
}

static void test_kallsyms(void **state)
{
	_cleanup_(symtab_destroyp) struct symtab *st = symtab_create();
	struct xf_err err;
	struct sym s;

	assert_int_equal(load(st, kallsyms, &err), 0);
	assert_int_equal(st->source, SYMTAB_MAP);
	assert_int_equal(st->nr, 9);
	assert_true(symtab_at(st, 0xffffffff8e54d6b4, &s));
	assert_string_equal(s.name, "vfs_read");
	assert_null(s.module);
	assert_int_equal(s.size, 0x110);
	assert_true(symtab_at(st, 0xffffffffc03a2050, &s));
	assert_string_equal(s.name, "vp_notify");
	assert_string_equal(s.module, "virtio_pci");
	assert_true(symtab_has_module(st, "bpf"));
}

static void test_file(void **state)
{
	_cleanup_(symtab_destroyp) struct symtab *st = NULL;
	char path[] = "/tmp/test_symtab_map.XXXXXX";
	_cleanup_close_ int fd = mkstemp(path);
	struct xf_err err;
	int rc;

	assert_true(fd >= 0);
	assert_int_equal(write(fd, kallsyms, strlen(kallsyms)),
			 strlen(kallsyms));
	rc = symtab_open(path, &st, &err);
	unlink(path);
	assert_int_equal(rc, 0);
	assert_int_equal(st->nr, 9);
}

static void expect_error(const char *text, int rc, const char *sentence)
{
	_cleanup_(symtab_destroyp) struct symtab *st = symtab_create();
	struct xf_err err = {0};

	assert_int_equal(load(st, kallsyms, &err), 0);
	assert_int_equal(load(st, text, &err), rc);
	if (!strstr(err.msg, sentence))
		fail_msg("'%s' does not say '%s'", err.msg, sentence);
	assert_null(strchr(err.msg, '\n'));
	assert_int_equal(st->nr, 9);
	assert_int_equal(st->nr_sealed, 9);
}

#define GOOD "ffffffff81000000 T _stext\n"

static void test_damaged(void **state)
{
	char name[600];
	_cleanup_(buf_deinit) struct buf b = BUF_INIT;

	expect_error("", -ENODATA, "no function");
	expect_error("\n", -EBADMSG, "line 1: no address");
	expect_error(GOOD GOOD "hello\n", -EBADMSG, "line 3: no address");
	expect_error(GOOD "11112222333344445 T a\n", -EBADMSG, "line 2");
	expect_error(GOOD "ffffffff81000000\n", -EBADMSG, "line 2: no type");
	expect_error(GOOD "ffffffff81000000 T\n", -EBADMSG, "line 2: no type");
	expect_error(GOOD "ffffffff81000000 TT a\n", -EBADMSG, "no type");
	expect_error(GOOD "ffffffff81000000 T  \n", -EBADMSG, "no name");
	expect_error(GOOD "ffffffff81000000 T a b\n", -EBADMSG, "[module]");
	expect_error(GOOD "ffffffff81000000 T a\t[b\n", -EBADMSG, "[module]");
	expect_error(GOOD "ffffffff81000000 T a\t[]\n", -EBADMSG, "[module]");
	expect_error(GOOD "ffffffff81000000 T a\033\n", -EBADMSG, "line 2");
	expect_error(GOOD "ffffffff81000000 T a", -EBADMSG, "line 2: cut off");
	memset(name, 'x', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	buf_printf(&b, GOOD "ffffffff81000000 T %s\n", name);
	expect_error(b.data, -EBADMSG, "line 2: no name");
	b.len = 0;
	buf_printf(&b, GOOD "ffffffff81000000 T a\t[%s]\n", name);
	expect_error(b.data, -EBADMSG, "line 2: something");
}

static void test_useless(void **state)
{
	expect_error("ffffffffffffffff B The real System.map is in the "
		     "linux-image-<version>-dbg package\n",
		     -ENODATA, "vmlinuz");
	expect_error("0000000000000000 T _stext\n"
		     "0000000000000000 t vfs_read\t[a]\n",
		     -EPERM, "kptr_restrict");
	expect_error("ffffffff81000000 D jiffies\n", -ENODATA, "no function");
	expect_error("0000000000401000 T main\n", -ENODATA, "no function");
}

static void test_random_damage(void **state)
{
	size_t len = strlen(kallsyms);
	uint32_t seed = 2;

	for (unsigned int i = 0; i < 20000; i++) {
		_cleanup_(symtab_destroyp) struct symtab *st = symtab_create();
		_cleanup_free_ uint8_t *copy = sample_copy(kallsyms, len);
		struct xf_err err = {0};

		sample_damage(copy, len, &seed);
		if (symtab_load_map(st, (char *)copy, len, &err) < 0) {
			assert_int_equal(st->nr, 0);
			assert_true(err.msg[0]);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_kallsyms),
		cmocka_unit_test(test_file),
		cmocka_unit_test(test_damaged),
		cmocka_unit_test(test_useless),
		cmocka_unit_test(test_random_damage),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
