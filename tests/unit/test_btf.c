// SPDX-License-Identifier: GPL-2.0-only
/*
 * btf on made-up types, sound and hostile, and on those of a real kernel:
 *
 *	XFT_VMLINUZ=/boot/vmlinuz-...  the image, or a vmlinux
 *
 * whose truth is what the C compiler makes of the same structures in the
 * headers for user space.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <linux/if_packet.h>
#include <linux/perf_event.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>

#include "btf.h"
#include "cleanup.h"
#include "fake_btf.h"
#include "symtab.h"

/*
 *	struct inner { int x; char y[3][5]; };
 *	struct outer {
 *		void *p;
 *		union { int a; struct { short b; const inner_t c; }; };
 *		unsigned int d : 3, e : 13;
 *	};
 *	enum { RED = 7, BLUE = -2 };
 */
static void make_sample(struct buf *out)
{
	struct fake_btf b = { 0 };
	uint32_t i, c, p, inner, t, anon, u;

	i = fake_btf_type(&b, "int", INT, 0, 4);
	c = fake_btf_type(&b, "char", INT, 0, 1);
	p = fake_btf_type(&b, "", PTR, 0, 0);
	fake_btf_array(&b, c, 5);
	fake_btf_array(&b, 4, 3);
	inner = fake_btf_type(&b, "inner", STRUCT, 2, 20);
	fake_btf_add(&b, "x", i, 0);
	fake_btf_add(&b, "y", 5, 32);
	t = fake_btf_type(&b, "inner_t", TYPEDEF, 0, inner);
	t = fake_btf_type(&b, "", CONST, 0, t);
	anon = fake_btf_type(&b, "", STRUCT, 2, 24);
	fake_btf_add(&b, "b", c, 0);
	fake_btf_add(&b, "c", t, 32);
	u = fake_btf_type(&b, "", UNION, 2, 24);
	fake_btf_add(&b, "a", i, 0);
	fake_btf_add(&b, "", anon, 0);
	fake_btf_type(&b, "outer", STRUCT | FLAG, 4, 40);
	fake_btf_add(&b, "p", p, 0);
	fake_btf_add(&b, "", u, 64);
	fake_btf_add(&b, "d", i, 3u << 24 | 256);
	fake_btf_add(&b, "e", i, 13u << 24 | 259);
	fake_btf_type(&b, "", ENUM, 2, 4);
	fake_btf_put(&b.types, fake_btf_str(&b, "RED"));
	fake_btf_put(&b.types, 7);
	fake_btf_put(&b.types, fake_btf_str(&b, "BLUE"));
	fake_btf_put(&b.types, -2);
	fake_btf_type(&b, "empty", STRUCT, 0, 0);
	fake_btf_finish(&b, out);
}

static int ask(const struct buf *blob, const char *type_name, const char *path,
	       struct btf_member *m)
{
	_cleanup_(btf_close) struct btf b = BTF_INIT;
	struct xf_err err = { 0 };
	int rc = btf_open(&b, blob->data, blob->len, &err);

	rc = rc ? rc : btf_member(&b, type_name, path, m, &err);
	assert_int_equal(err.code, rc);
	return rc;
}

static void assert_member(const struct buf *blob, const char *type_name,
			  const char *path, uint32_t off, uint32_t size)
{
	struct btf_member m;

	assert_int_equal(ask(blob, type_name, path, &m), 0);
	assert_int_equal(m.off, off);
	assert_int_equal(m.size, size);
	assert_int_equal(m.bits, 0);
}

static void test_members(void **state)
{
	_cleanup_(buf_deinit) struct buf blob = BUF_INIT;
	_cleanup_(btf_close) struct btf b = BTF_INIT;
	struct btf_member m;
	struct xf_err err;
	uint32_t size;
	int32_t value;

	make_sample(&blob);
	assert_member(&blob, "outer", "p", 0, 8);
	assert_member(&blob, "outer", "a", 8, 4);
	assert_member(&blob, "outer", "b", 8, 1);
	assert_member(&blob, "outer", "c", 12, 20);
	assert_member(&blob, "outer", "c.x", 12, 4);
	assert_member(&blob, "outer", "c.y", 16, 15);
	assert_member(&blob, "inner", "y", 4, 15);
	assert_int_equal(ask(&blob, "outer", "d", &m), 0);
	assert_int_equal(m.off, 32);
	assert_int_equal(m.size, 1);
	assert_int_equal(m.bit, 0);
	assert_int_equal(m.bits, 3);
	assert_int_equal(ask(&blob, "outer", "e", &m), 0);
	assert_int_equal(m.off, 32);
	assert_int_equal(m.size, 2);
	assert_int_equal(m.bit, 3);
	assert_int_equal(m.bits, 13);

	assert_int_equal(ask(&blob, "nobody", "p", &m), -ENOENT);
	assert_int_equal(ask(&blob, "inner_t", "x", &m), -ENOENT);
	for (const char *const *path = (const char *const[]){
		     "q", "", ".", "c.", ".c", "c.z", "c.x.y", "p.x", "d.x",
		     "cc", NULL }; *path; path++)
		assert_int_equal(ask(&blob, "outer", *path, &m), -ENOENT);
	assert_int_equal(ask(&blob, "empty", "p", &m), -ENOENT);

	assert_int_equal(btf_open(&b, blob.data, blob.len, &err), 0);
	assert_int_equal(btf_sizeof(&b, "outer", &size, &err), 0);
	assert_int_equal(size, 40);
	assert_int_equal(btf_sizeof(&b, "int", &size, &err), -ENOENT);
	assert_int_equal(btf_enumerator(&b, "RED", &value, &err), 0);
	assert_int_equal(value, 7);
	assert_int_equal(btf_enumerator(&b, "BLUE", &value, &err), 0);
	assert_int_equal(value, -2);
	assert_int_equal(btf_enumerator(&b, "GREEN", &value, &err), -ENOENT);
}

/* The same name twice: fine if that makes no difference. */
static void test_several(void **state)
{
	_cleanup_(buf_deinit) struct buf blob = BUF_INIT;
	struct btf_member m;
	struct fake_btf b = { 0 };

	fake_btf_type(&b, "int", INT, 0, 4);
	fake_btf_type(&b, "s", STRUCT, 0, 0);
	for (uint32_t i = 0; i < 3; i++) {
		fake_btf_type(&b, "s", STRUCT, 2, 16);
		fake_btf_add(&b, "same", 1, 0);
		fake_btf_add(&b, "other", 1, 32 + 8 * i);
	}
	fake_btf_finish(&b, &blob);
	assert_member(&blob, "s", "same", 0, 4);
	assert_int_equal(ask(&blob, "s", "other", &m), -ENOTUNIQ);
}

static void test_bad_header(void **state)
{
	_cleanup_(buf_deinit) struct buf blob = BUF_INIT;
	static const uint32_t values[] = { 0, 1, 3, 23, 25, 0x7fffffff,
					   0x80000000, 0xfffffff0, UINT32_MAX };
	struct btf b = BTF_INIT;
	struct xf_err err;
	uint32_t was;

	make_sample(&blob);
	/* Nothing but a header, and less than that. */
	for (size_t len = 0; len <= 24; len++)
		assert_int_equal(btf_open(&b, blob.data, len, &err), -EBADMSG);
	for (size_t word = 0; word < 6; word++) {
		memcpy(&was, blob.data + word * 4, 4);
		for (size_t i = 0; i < ARRAY_SIZE(values); i++) {
			/* No types is no crime, nor are fewer strings. */
			if (values[i] == was || (word == 3 && !values[i]) ||
			    word == 4 || word == 5)
				continue;
			memcpy(blob.data + word * 4, &values[i], 4);
			assert_int_equal(btf_open(&b, blob.data, blob.len,
						  &err), -EBADMSG);
		}
		for (size_t i = 5; i < ARRAY_SIZE(values) && word > 3; i++) {
			memcpy(blob.data + word * 4, &values[i], 4);
			assert_int_equal(btf_open(&b, blob.data, blob.len,
						  &err), -EBADMSG);
		}
		memcpy(blob.data + word * 4, &was, 4);
	}
	/* Strings that do not end. */
	blob.data[blob.len - 1] = 'x';
	assert_int_equal(btf_open(&b, blob.data, blob.len, &err), -EBADMSG);
	assert_null(b.at);
}

static double cpu_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return t.tv_sec * 1e3 + t.tv_nsec / 1e6;
}

static int ask_quickly(struct fake_btf *b, const char *type_name, const char *path)
{
	_cleanup_(buf_deinit) struct buf blob = BUF_INIT;
	struct btf_member m;
	double start;
	int rc;

	fake_btf_finish(b, &blob);
	start = cpu_ms();
	rc = ask(&blob, type_name, path, &m);
	/* Ten times less without a sanitizer. */
	assert_true(cpu_ms() - start < 500);
	*b = (struct fake_btf){ 0 };
	return rc;
}

static void test_circles(void **state)
{
	struct fake_btf b = { 0 };
	uint32_t id;

	/* A typedef of itself, as a member that has no name and as one. */
	fake_btf_type(&b, "t", TYPEDEF, 0, 1);
	fake_btf_type(&b, "s", STRUCT, 1, 8);
	fake_btf_add(&b, "", 1, 0);
	assert_int_equal(ask_quickly(&b, "s", "x"), -EBADMSG);
	fake_btf_type(&b, "t", TYPEDEF, 0, 1);
	fake_btf_type(&b, "s", STRUCT, 1, 8);
	fake_btf_add(&b, "x", 1, 0);
	assert_int_equal(ask_quickly(&b, "s", "x"), -EBADMSG);

	/* A structure that is in itself, once, and very often. */
	fake_btf_type(&b, "s", STRUCT, 1, 8);
	fake_btf_add(&b, "", 1, 0);
	assert_int_equal(ask_quickly(&b, "s", "x"), -ENOENT);
	fake_btf_type(&b, "s", STRUCT, 0xffff, 8);
	for (int i = 0; i < 0xffff; i++)
		fake_btf_add(&b, "", 1, 0);
	assert_int_equal(ask_quickly(&b, "s", "x"), -EBADMSG);

	/* An array of itself; arrays of more than there is. */
	id = fake_btf_array(&b, 1, 2);
	fake_btf_type(&b, "s", STRUCT, 1, 8);
	fake_btf_add(&b, "x", id, 0);
	assert_int_equal(ask_quickly(&b, "s", "x"), -EBADMSG);
	fake_btf_type(&b, "int", INT, 0, 4);
	for (int i = 0; i < 4; i++)
		id = fake_btf_array(&b, i + 1, UINT32_MAX);
	fake_btf_type(&b, "s", STRUCT, 1, UINT32_MAX);
	fake_btf_add(&b, "x", id, 0);
	assert_int_equal(ask_quickly(&b, "s", "x"), -EBADMSG);

	/* Types that are not there, or have no size; members outside. */
	for (uint32_t bad = 0; bad < 5; bad++) {
		static const uint32_t ids[] = { 0, 3, 4, UINT32_MAX, 1 };

		fake_btf_type(&b, "int", INT, 0, 4);
		fake_btf_type(&b, "s", STRUCT, 1, 8);
		fake_btf_add(&b, "x", ids[bad], bad == 4 ? 40 : 0);
		fake_btf_type(&b, "f", FWD, 0, 0);
		assert_int_equal(ask_quickly(&b, "s", "x"), -EBADMSG);
	}
	/* A bit that is of no bit field. */
	fake_btf_type(&b, "int", INT, 0, 4);
	fake_btf_type(&b, "s", STRUCT, 1, 8);
	fake_btf_add(&b, "x", 1, 1);
	assert_int_equal(ask_quickly(&b, "s", "x"), -EBADMSG);
	/* Of no kind that there is. */
	fake_btf_type(&b, "?", 20, 0, 0);
	assert_int_equal(ask_quickly(&b, "s", "x"), -EBADMSG);
	fake_btf_type(&b, "?", 0, 0, 0);
	assert_int_equal(ask_quickly(&b, "s", "x"), -EBADMSG);
	/* More members than bytes. */
	fake_btf_type(&b, "s", STRUCT, 0xffff, 8);
	fake_btf_add(&b, "x", 1, 0);
	assert_int_equal(ask_quickly(&b, "s", "x"), -EBADMSG);
}

/* Cut off anywhere, and with any bit of it changed. */
static void test_damage(void **state)
{
	_cleanup_(buf_deinit) struct buf blob = BUF_INIT;

	make_sample(&blob);
	for (size_t len = 0; len < blob.len; len++) {
		/* On the heap, so that a sanitizer sees a byte too far. */
		_cleanup_free_ char *copy = malloc(len ? len : 1);
		struct buf cut = { copy, len, len };
		struct btf_member m;

		memcpy(copy, blob.data, len);
		assert_int_equal(ask(&cut, "outer", "c.y", &m), -EBADMSG);
	}
	for (size_t bit = 0; bit < blob.len * 8; bit++) {
		struct btf_member m;
		int rc;

		blob.data[bit / 8] ^= 1 << bit % 8;
		rc = ask(&blob, "outer", "c.y", &m);
		assert_true(rc == 0 || rc == -EBADMSG || rc == -ENOENT);
		if (!rc)
			assert_true(m.size && m.off <= UINT32_MAX - m.size);
		blob.data[bit / 8] ^= 1 << bit % 8;
	}
}

#define REAL(type_name, type, member) {                                        \
	type_name, #member, offsetof(type, member),                            \
	sizeof(((type *)0)->member) }

static void test_real_kernel(void **state)
{
	static const struct {
		const char *type, *path;
		uint32_t off, size;
	} truth[] = {
		REAL("in6_addr", struct in6_addr, s6_addr),
		REAL("sockaddr_in6", struct sockaddr_in6, sin6_scope_id),
		REAL("new_utsname", struct utsname, release),
		REAL("new_utsname", struct utsname, machine),
		REAL("perf_event_attr", struct perf_event_attr, config),
		REAL("perf_event_attr", struct perf_event_attr, sample_freq),
		REAL("perf_event_attr", struct perf_event_attr, wakeup_events),
		REAL("perf_event_attr", struct perf_event_attr, config1),
		REAL("perf_event_attr", struct perf_event_attr, sig_data),
		REAL("tpacket_req3", struct tpacket_req3, tp_retire_blk_tov),
		REAL("tpacket3_hdr", struct tpacket3_hdr, hv1.tp_vlan_tci),
		/* What the processor and the system call entry laid down. */
		{ "pt_regs", "orig_ax", 120, 8 },
		{ "pt_regs", "ip", 128, 8 },
		{ "page", "flags", 0, 8 },
	};
	_cleanup_(symtab_destroyp) struct symtab *st = NULL;
	_cleanup_(buf_deinit) struct buf blob = BUF_INIT;
	_cleanup_(btf_close) struct btf b = BTF_INIT;
	const char *path = getenv("XFT_VMLINUZ");
	struct xf_err err = { 0 };
	struct btf_member m;
	int32_t value;
	double start;
	int rc;

	if (!path)
		skip();
	if (symtab_open(path, &st, &err))
		fail_msg("%s", err.msg);
	start = cpu_ms();
	rc = btf_load_image(path, st->build_id, st->build_id_len, &blob, &err);
	if (rc)
		fail_msg("%s", err.msg);
	print_message("%zu bytes, %.1f ms; ", blob.len, cpu_ms() - start);
	start = cpu_ms();
	assert_int_equal(btf_open(&b, blob.data, blob.len, &err), 0);
	print_message("%u types, %.1f ms; ", b.nr, cpu_ms() - start);
	start = cpu_ms();
	for (size_t i = 0; i < ARRAY_SIZE(truth); i++) {
		rc = btf_member(&b, truth[i].type, truth[i].path, &m, &err);
		/* Not every kernel has all of them compiled in. */
		if (rc == -ENOENT && strcmp(truth[i].type, "page"))
			continue;
		if (rc)
			fail_msg("%s", err.msg);
		if (m.off != truth[i].off || m.size != truth[i].size)
			fail_msg("%s.%s: %u, %u bytes", truth[i].type,
				 truth[i].path, m.off, m.size);
	}
	print_message("%zu members, %.1f ms\n", ARRAY_SIZE(truth),
		      cpu_ms() - start);
	/* disabled, inherit, pinned, ...: the 16th and 17th are precise_ip. */
	assert_int_equal(btf_member(&b, "perf_event_attr", "precise_ip", &m,
				    &err), 0);
	assert_int_equal(m.off * 8 + m.bit, 40 * 8 + 15);
	assert_int_equal(m.bits, 2);
	assert_int_equal(btf_enumerator(&b, "PERF_TYPE_TRACEPOINT", &value,
					&err), 0);
	assert_int_equal(value, PERF_TYPE_TRACEPOINT);
	assert_int_equal(btf_member(&b, "page", "no_such_thing", &m, &err),
			 -ENOENT);
	print_message("%s\n", err.msg);

	st->build_id[3] ^= 1;
	assert_int_equal(btf_load_image(path, st->build_id, st->build_id_len,
					&blob, &err), -ENOEXEC);
	print_message("%s\n", err.msg);
}

static void test_bad_image(void **state)
{
	_cleanup_(buf_deinit) struct buf blob = BUF_INIT;
	struct xf_err err;

	assert_int_equal(btf_load_image("/nonexistent", "x", 1, &blob, &err),
			 -ENOENT);
	assert_int_equal(btf_load_image("/dev/null", "x", 1, &blob, &err),
			 -ENODATA);
	assert_int_equal(btf_load_image("/proc/self/exe", "x", 1, &blob, &err),
			 -ENOEXEC);
	/* A compressed one, of another kernel and without BTF. */
	assert_int_equal(btf_load_image("tests/data/fuzz/vmlinuz/kind1", "x", 1,
					&blob, &err),
			 -ENOEXEC);
	assert_int_equal(blob.len, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_members),
		cmocka_unit_test(test_several),
		cmocka_unit_test(test_bad_header),
		cmocka_unit_test(test_circles),
		cmocka_unit_test(test_damage),
		cmocka_unit_test(test_real_kernel),
		cmocka_unit_test(test_bad_image),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
