// SPDX-License-Identifier: GPL-2.0-only
/* What may stand where, on a made-up kernel: kfile, sites, guestlist. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>

#include "fake_guest.h"
#include "fake_image.h"
#include "guestlist.h"
#include "unaligned.h"

static int setup(void **state)
{
	*state = malloc(sizeof(struct fake_image));
	fake_image_open(*state, NULL, 12);
	return 0;
}

static int teardown(void **state)
{
	fake_image_close(*state);
	free(*state);
	return 0;
}

/* How many bytes are explained when @now stands at TEXT + @at. */
static size_t explained(struct fake_image *k, size_t at, const void *now,
			size_t len)
{
	const uint8_t *was = kfile_at(&k->file, TEXT + SLIDE, TEXT_LEN);
	uint8_t text[TEXT_LEN];

	memcpy(text, was, sizeof(text));
	memcpy(text + at, now, len);
	while (text[at] == was[at])
		at++;
	return sites_explain(&k->sites, &k->l, TEXT + SLIDE + at, text + at,
			     at, sizeof(text) - at);
}

/* The same when that is a call or jump to @to, at run time, and @behind. */
static size_t led(struct fake_image *k, size_t at, uint8_t opcode, uint64_t to,
		  const char *behind)
{
	int32_t away = to - (TEXT + SLIDE + at + 5);
	uint8_t now[16] = { opcode };

	memcpy(now + 1, &away, sizeof(away));
	memcpy(now + 5, behind, strlen(behind));
	return explained(k, at, now, 5 + strlen(behind));
}

static void relocation(void **state)
{
	struct fake_image *k = *state;
	struct kfile_range r;

	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		assert_int_equal(get_u64(kfile_at(&k->file,
						  words[i].addr + SLIDE, 8)),
				 words[i].value + SLIDE);
	assert_int_equal(get_u32(kfile_at(&k->file, TEXT + REL32 + SLIDE, 4)),
			 0x1000 + SLIDE);
	assert_int_equal(get_u32(kfile_at(&k->file, TEXT + REL32_BACK + SLIDE,
					  4)),
			 (uint32_t)(0x1000 - SLIDE));
	assert_null(kfile_at(&k->file, TEXT, 1));
	assert_null(kfile_at(&k->file, TEXT + SLIDE + IMAGE_LEN - 1, 2));
	assert_null(kfile_at(&k->file, TEXT + SLIDE, SIZE_MAX));
	assert_true(kfile_section(&k->file, ".return_sites", &r));
	assert_int_equal(r.addr, TABLE(RETURNS) + SLIDE);
	assert_int_equal(r.len, 8);
	assert_false(kfile_section(&k->file, ".nonsense", &r));
}

/* What opening the file says when @value stands at @off of it. */
static int damaged(size_t off, uint64_t value, size_t len)
{
	_cleanup_(kfile_close) struct kfile k = KFILE_INIT;
	struct buf file = BUF_INIT;

	fake_image_make(&file, relocs, ARRAY_SIZE(relocs), 12);
	memcpy(file.data + off, &value, len);
	return kfile_open(&k, &file, SLIDE, NULL);
}

static void hostile_file(void **state)
{
	static const int32_t outside[] = { 0, 0x1000, 0, 0 };
	const size_t ph = sizeof(Elf64_Ehdr);
	struct kfile k = KFILE_INIT;
	struct buf file = BUF_INIT;
	struct xf_err err;

	fake_image_make(&file, outside, ARRAY_SIZE(outside), 12);
	assert_int_equal(kfile_open(&k, &file, SLIDE, &err), -EBADMSG);
	fake_image_make(&file, relocs, 0, 12);
	assert_int_equal(kfile_open(&k, &file, SLIDE, &err), -ENODATA);
	/* Where it was not moved nothing has to be known. */
	fake_image_make(&file, relocs, 0, 12);
	assert_int_equal(kfile_open(&k, &file, 0, &err), 0);
	kfile_close(&k);
	for (size_t len = 0; len < 0x2000; len += 0x3f) {
		fake_image_make(&file, relocs, ARRAY_SIZE(relocs), 12);
		file.len = len;
		assert_true(kfile_open(&k, &file, SLIDE, &err) < 0);
		buf_deinit(&file);
	}
	assert_int_equal(damaged(0, 0, 1), -EBADMSG);
	assert_int_equal(damaged(offsetof(Elf64_Ehdr, e_phnum), 65, 2),
			 -EBADMSG);
	assert_int_equal(damaged(offsetof(Elf64_Ehdr, e_shoff), 1ull << 40, 8),
			 -EBADMSG);
	assert_int_equal(damaged(offsetof(Elf64_Ehdr, e_shoff), -64, 8),
			 -EBADMSG);
	assert_int_equal(damaged(ph + offsetof(Elf64_Phdr, p_offset), -1, 8),
			 -EBADMSG);
	assert_int_equal(damaged(ph + offsetof(Elf64_Phdr, p_filesz), -1, 8),
			 -EBADMSG);
	/* Not to be loaded: then relocations are outside of all that is. */
	assert_int_equal(damaged(ph + offsetof(Elf64_Phdr, p_type), PT_NOTE, 4),
			 -EBADMSG);
	assert_int_equal(damaged(0, 0x464c457f, 4), 0);
}

static void returns(void **state)
{
	struct fake_image *k = *state;

	assert_int_equal(explained(k, VICTIM, "\xc3\xcc\xcc\xcc\xcc", 5), 5);
	assert_int_equal(explained(k, VICTIM, "\xc3\x90\xcc\xcc\xcc", 5), 0);
	assert_true(led(k, VICTIM, 0xe9, TEXT + SLIDE + RETURN_THUNK2, "") > 0);
	assert_int_equal(led(k, VICTIM, 0xe9, TEXT + SLIDE + CALLEE, ""), 0);
	/* Elsewhere, nothing may be. */
	assert_int_equal(explained(k, ELSEWHERE, "\xc3\x90", 2), 0);
}

static void retpolines(void **state)
{
	struct fake_image *k = *state;

	assert_int_equal(explained(k, CALL_THUNK, "\xff\xd2\x0f\x1f\x00", 5),
			 5);
	/* Another register. */
	assert_int_equal(explained(k, CALL_THUNK, "\xff\xd3\x0f\x1f\x00", 5),
			 0);
	assert_int_equal(explained(k, CALL_THUNK, "\xff\xe2\xcc\xcc\xcc", 5),
			 0);
	assert_int_equal(explained(k, JUMP_THUNK, "\x41\xff\xe2\xcc\xcc", 5),
			 5);
	assert_int_equal(explained(k, JUMP_THUNK, "\xff\xe2\xcc\xcc\xcc", 5),
			 0);
	assert_int_equal(explained(k, PREFIX_THUNK, "\x0f\xae\xe8\x41\xff\xd3",
				   6), 6);
	assert_int_equal(explained(k, PREFIX_THUNK, "\x0f\xae\xe8\x41\xff\xe3",
				   6), 0);
}

static void alternatives_of(struct fake_image *k)
{
	const uint64_t callee = TEXT + SLIDE + CALLEE;

	assert_int_equal(led(k, ALT_CALL, 0xe8, callee, "\x0f\x1f\x44\x90\x90"),
			 0);
	assert_int_equal(led(k, ALT_CALL, 0xe8, callee, "\x90\x66\x90\x66\x90"),
			 10);
	assert_int_equal(led(k, ALT_CALL, 0xe8, callee + 1,
			     "\x90\x66\x90\x66\x90"), 0);
	/* A jump over what is left, if it leads to the end. */
	assert_int_equal(led(k, ALT_CALL, 0xe8, callee, "\xeb\x03\xcc\xcc\xcc"),
			 10);
	assert_int_equal(led(k, ALT_CALL, 0xe8, callee, "\xeb\x03\xcc\x90\xcc"),
			 0);
	assert_int_equal(led(k, ALT_CALL, 0xe8, callee, "\xeb\x02\xcc\xcc\xcc"),
			 0);
	/* Other no-operations than the compiler's. */
	assert_int_equal(explained(k, ALT_CALL,
				   "\x66\x2e\x0f\x1f\x84\0\0\0\0", 10), 10);
	assert_int_equal(explained(k, ALT_COPY, "\xf3\xa4\xc3\x66\x90", 5), 5);
	assert_int_equal(explained(k, ALT_COPY, "\xf3\xa4\xc3\x66\x91", 5), 0);
	assert_int_equal(explained(k, ALT_COPY, "\xe9\1\2\3\4", 5), 0);
	/* A jump that is short from here. */
	assert_int_equal(explained(k, ALT_JUMP, "\xeb\x2e\x0f\x1f\x00", 5), 5);
	assert_int_equal(explained(k, ALT_JUMP, "\xeb\x2f\x0f\x1f\x00", 5), 0);
	/* What is put in is itself patched, as its own kind is. */
	assert_int_equal(explained(k, ALT_RETURN, "\xc3", 1), 5);
	assert_int_equal(explained(k, ALT_RETURN, "\xc3\x90\x90\x90\x90", 5),
			 0);
}

static void alternative(void **state)
{
	struct fake_image *k = *state;

	alternatives_of(k);
	assert_int_equal(led(k, ALT_RETURN, 0xe9, TEXT + SLIDE + RETURN_THUNK,
			     ""), 5);
	assert_int_equal(led(k, ALT_PARAVIRT, 0xe8, TEXT + SLIDE + NATIVE,
			     "\x90"), 6);
	assert_int_equal(led(k, ALT_PARAVIRT, 0xe8, TEXT + SLIDE + CALLEE,
			     "\x90"), 0);
	assert_int_equal(explained(k, ALT_PARAVIRT, "\x66\x0f\x1f\x44\0\0", 6),
			 6);
}

/* Since 6.3 entries of the table are longer. */
static void longer_alternatives(void **state)
{
	struct fake_image k;

	fake_image_open(&k, NULL, 14);
	alternatives_of(&k);
	fake_image_close(&k);
}

static void paravirt(void **state)
{
	struct fake_image *k = *state;

	assert_int_equal(led(k, PARAVIRT, 0xe8, TEXT + SLIDE + NATIVE,
			     "\x66\x90"), 7);
	assert_int_equal(led(k, PARAVIRT, 0xe8, TEXT + SLIDE + CALLEE,
			     "\x66\x90"), 0);
	assert_int_equal(explained(k, PARAVIRT, "\x48\x89\xf8\x0f\x1f\x40\0",
				   7), 7);
	assert_int_equal(explained(k, PARAVIRT, "\x48\x89\xf9\x0f\x1f\x40\0",
				   7), 0);
}

static void tracing(void **state)
{
	struct fake_image *k = *state;

	assert_true(led(k, MCOUNT, 0xe8, TEXT + SLIDE + TRACER, "") > 0);
	assert_true(led(k, MCOUNT, 0xe8, MADE + CODE_FTRACE * 0x1000, "") > 0);
	assert_true(led(k, MCOUNT, 0xe8, MADE + CODE_BPF * 0x1000, "") > 0);
	assert_int_equal(led(k, MCOUNT, 0xe8, MADE + CODE_MODULE * 0x1000, ""),
			 0);
	assert_int_equal(led(k, MCOUNT, 0xe8, MADE + 0x9000, ""), 0);
	assert_int_equal(led(k, MCOUNT, 0xe9, TEXT + SLIDE + TRACER, ""), 0);
	assert_int_equal(explained(k, MCOUNT, "\x0f\x1f\x40\0\x90", 5), 3);
	/*
	 * What ftrace's own trampoline calls: any function, but who may in
	 * modules.
	 */
	assert_true(led(k, TRACER_CALL, 0xe8, TEXT + SLIDE + NATIVE, "") > 0);
	assert_int_equal(led(k, TRACER_CALL, 0xe8, MADE + CODE_MODULE * 0x1000,
			     ""), 0);
	k->l.code.v[0].module = "lttng_tracer";
	assert_true(led(k, TRACER_CALL, 0xe8, MADE + CODE_MODULE * 0x1000, "") >
		    0);
	assert_int_equal(led(k, TRACER_CALL, 0xe8, TEXT + SLIDE + NATIVE + 1,
			     ""), 0);
	/* kprobes: a breakpoint, or a jump to its copied instructions. */
	assert_int_equal(explained(k, PROBED, "\xcc", 1), 5);
	assert_int_equal(explained(k, PROBED, "\xcc\x49", 2), 0);
	assert_int_equal(led(k, PROBED, 0xe9, MADE + CODE_KPROBES * 0x1000, ""),
			 5);
	assert_int_equal(led(k, PROBED, 0xe9, MADE + CODE_MODULE * 0x1000, ""),
			 0);
}

static void jumps(void **state)
{
	struct fake_image *k = *state;

	assert_int_equal(led(k, JUMP, 0xe9, TEXT + SLIDE + JUMP_TO, ""), 5);
	assert_int_equal(led(k, JUMP, 0xe9, TEXT + SLIDE + JUMP_TO + 1, ""), 0);
	assert_int_equal(explained(k, SHORT_JUMP, "\xeb\x0e", 2), 2);
	assert_int_equal(explained(k, SHORT_JUMP, "\xeb\x0f", 2), 0);
	assert_int_equal(explained(k, SHORT_JUMP, "\x90\x90", 2), 2);
	/* A breakpoint, only while the kernel patches. */
	assert_int_equal(explained(k, JUMP, "\xcc", 1), 0);
	k->l.poking = true;
	assert_int_equal(explained(k, JUMP, "\xcc", 1), 5);
	assert_int_equal(led(k, JUMP, 0xcc, TEXT + SLIDE + JUMP_TO, ""), 5);
	assert_int_equal(led(k, JUMP, 0xcc, TEXT + SLIDE + CALLEE, ""), 0);
	assert_int_equal(explained(k, CALL_THUNK, "\xcc", 1), 0);
}

static void static_calls(void **state)
{
	struct fake_image *k = *state;
	const uint64_t callee = TEXT + SLIDE + CALLEE;
	uint8_t branch[6] = { 0x0f, 0x84 };
	int32_t away = CALLEE - (STATIC_BRANCH + 6);

	assert_true(led(k, STATIC_CALL, 0xe8, callee, "") > 0);
	assert_true(led(k, STATIC_CALL, 0xe9, callee, "") > 0);
	assert_int_equal(led(k, STATIC_CALL, 0xe8, callee + 1, ""), 0);
	assert_int_equal(explained(k, STATIC_CALL, "\x66\x66\x48\x31\xc0", 5),
			 5);
	assert_int_equal(explained(k, STATIC_CALL, "\x2e\x2e\x2e\x31\xc0", 5),
			 5);
	assert_int_equal(explained(k, STATIC_CALL, "\x2e\x2e\x2e\x31\xc1", 5),
			 0);
	assert_int_equal(explained(k, STATIC_CALL, "\x0f\x1f\x44\0\0", 5), 5);
	assert_true(led(k, TRAMPOLINE, 0xe9, TEXT + SLIDE + NATIVE, "") > 0);
	assert_int_equal(explained(k, TRAMPOLINE, "\xc3\xcc\xcc\xcc\xcc", 5),
			 5);
	assert_int_equal(explained(k, TRAMPOLINE, "\xc3\xcc\xcc\xcc\xc3", 5),
			 0);
	memcpy(branch + 2, &away, sizeof(away));
	assert_true(explained(k, STATIC_BRANCH, branch, 6) > 0);
	branch[2]++;
	assert_int_equal(explained(k, STATIC_BRANCH, branch, 6), 0);
}

static void others(void **state)
{
	struct fake_image *k = *state;

	assert_int_equal(explained(k, LOCK, "\x3e", 1), 1);
	assert_int_equal(explained(k, LOCK, "\x90", 1), 0);
	assert_int_equal(explained(k, ENDBR, "\x66\x0f\x1f\0", 4), 4);
	assert_int_equal(explained(k, ENDBR, "\x0f\x1f\x40\xd6", 4), 4);
	assert_int_equal(explained(k, ENDBR, "\x0f\x1f\x40\xd7", 4), 0);
	/* Numbers that are known when it has booted. */
	assert_int_equal(explained(k, SHIFT, "\x0c", 1), 1);
	assert_int_equal(explained(k, SHIFT + 1, "\x0c", 1), 0);
	assert_int_equal(explained(k, POINTER, "\1\2\3\4\5\6\7\x08", 8), 8);
}

/*
 * Tables of a file that somebody made: shorter than what is looked for there.
 */
static void hostile_tables(void **state)
{
	struct fake_image *k = *state;
	const uint64_t addr = TEXT + SLIDE + TEXT_LEN - 3;
	char *entry = k->file.elf.data + FAKE_IMAGE_AT(TABLE(PARAVIRTS));

	/* At the end, so that one can see who reads too far. */
	memcpy(entry, &addr, sizeof(addr));
	for (entry[9] = 0; entry[9] < 3; entry[9]++) {
		sites_deinit(&k->sites);
		sites_find(&k->sites, &k->l);
		assert_int_equal(explained(k, TEXT_LEN - 3, "\x48\x89\xf8", 3),
				 0);
	}
}

/* ---- Lists. ---- */

#define LIST 0xffffffffc0000000ull

static bool count(struct look *l, uint64_t addr, void *arg)
{
	++*(unsigned int *)arg;
	return true;
}

static void lists(void **state)
{
	struct fake_guest g;
	struct image_guest ig = { 0 };
	struct look l = { .g = &ig };
	unsigned int nr = 0;

	fake_guest_open(&g, 16 << 20);
	fake_map_range(&g, LIST, 0x100000, 0x10000);
	ig.space = g.space;
	/* head -> 0x100 -> 0x200 -> head */
	fake_put_u64(&g, 0x100000, LIST + 0x100);
	fake_put_u64(&g, 0x100100, LIST + 0x200);
	fake_put_u64(&g, 0x100200, LIST);
	assert_true(guestlist_ring(&l, LIST, 0, count, &nr));
	assert_int_equal(nr, 2);
	/* A loop that never comes back ends. */
	fake_put_u64(&g, 0x100200, LIST + 0x100);
	assert_false(guestlist_ring(&l, LIST, 0, count, &nr));
	assert_false(guestlist_chain(&l, LIST, 0, 0, count, &nr));
	/* So does one of zeros, or into nowhere. */
	fake_put_u64(&g, 0x100000, 0);
	assert_false(guestlist_ring(&l, LIST, 0, count, &nr));
	assert_true(guestlist_hash(&l, LIST, 0, count, &nr));
	fake_put_u64(&g, 0x100000, 0x1234);
	assert_false(guestlist_hash(&l, LIST, 0, count, &nr));
	fake_guest_close(&g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(relocation, setup, teardown),
		cmocka_unit_test(hostile_file),
		cmocka_unit_test_setup_teardown(returns, setup, teardown),
		cmocka_unit_test_setup_teardown(retpolines, setup, teardown),
		cmocka_unit_test_setup_teardown(alternative, setup, teardown),
		cmocka_unit_test(longer_alternatives),
		cmocka_unit_test_setup_teardown(paravirt, setup, teardown),
		cmocka_unit_test_setup_teardown(tracing, setup, teardown),
		cmocka_unit_test_setup_teardown(jumps, setup, teardown),
		cmocka_unit_test_setup_teardown(static_calls, setup, teardown),
		cmocka_unit_test_setup_teardown(others, setup, teardown),
		cmocka_unit_test_setup_teardown(hostile_tables, setup,
						teardown),
		cmocka_unit_test(lists),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
