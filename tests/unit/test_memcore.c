// SPDX-License-Identifier: GPL-2.0-only
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "buf.h"
#include "cleanup.h"
#include "memcore.h"
#include "memfile.h"

#define PAGE 4096u
#define NR   3 /* program headers: a note, and two pages of memory */

/* A page of 'a' at 1 MiB, and behind it in the file one of 'b' at 4 KiB. */
struct core {
	Elf64_Ehdr h;
	Elf64_Phdr p[NR];
	uint8_t page[2][PAGE];
};

static struct core sample(void)
{
	struct core c = {
		.h = {
			.e_ident = ELFMAG,
			.e_type = ET_CORE,
			.e_machine = EM_X86_64,
			.e_phoff = offsetof(struct core, p),
			.e_phentsize = sizeof(Elf64_Phdr),
			.e_phnum = NR,
		},
		.p = {
			{ .p_type = PT_NOTE, .p_filesz = 20 },
			{ .p_type = PT_LOAD, .p_paddr = 1 << 20 },
			{ .p_type = PT_LOAD, .p_paddr = PAGE },
		},
	};

	c.h.e_ident[EI_CLASS] = ELFCLASS64;
	c.h.e_ident[EI_DATA] = ELFDATA2LSB;
	for (int i = 0; i < 2; i++) {
		c.p[1 + i].p_offset = offsetof(struct core, page[i]);
		c.p[1 + i].p_filesz = PAGE;
		memset(c.page[i], 'a' + i, PAGE);
	}
	return c;
}

static int slots_of(const void *data, size_t len, struct memslots *ms,
		    struct xf_err *err)
{
	_cleanup_close_ int fd = memfd_create("core", MFD_CLOEXEC);

	assert_true(fd >= 0 && write(fd, data, len) == (ssize_t)len);
	return memcore_read(ms, fd, "core", err);
}

static void test_pages(void **state)
{
	_cleanup_(memfile_close) struct memfile mf = MEMFILE_INIT;
	_cleanup_(memslots_deinit) struct memslots ms = MEMSLOTS_INIT;
	struct core c = sample();
	struct xf_err err;
	char byte;

	assert_int_equal(slots_of(&c, sizeof(c), &ms, &err), 0);
	assert_int_equal(ms.nr, 2);
	assert_int_equal(memfile_open(&mf, &ms, 0, &err), 0);
	assert_int_equal(memfile_read(&mf, PAGE + 7, &byte, 1, &err), 0);
	assert_int_equal(byte, 'b');
	assert_int_equal(memfile_read(&mf, (1 << 20) + 7, &byte, 1, &err), 0);
	assert_int_equal(byte, 'a');
	assert_int_equal(memfile_read(&mf, 0, &byte, 1, &err), -ERANGE);
}

static void refused(const struct core *c, size_t len, int code,
		    const char *says)
{
	struct memslots ms;
	struct xf_err err;

	assert_int_equal(slots_of(c, len, &ms, &err), code);
	if (!strstr(err.msg, says))
		fail_msg("says: %s", err.msg);
}

static void test_damaged(void **state)
{
	struct core c;

	c = sample();
	refused(&c, 0, -EBADMSG, "cut short");
	refused(&c, sizeof(c.h) - 1, -EBADMSG, "cut short");
	refused(&c, sizeof(c) - 1, -EBADMSG, "outside of the file");
	c.h.e_machine = EM_AARCH64;
	refused(&c, sizeof(c), -ENOEXEC, "no core of an x86-64 guest");
	c = sample();
	c.h.e_phnum = 5000;
	refused(&c, sizeof(c), -EBADMSG, "headers make no sense");
	c = sample();
	c.h.e_phnum = 1;
	refused(&c, sizeof(c), -EBADMSG, "has no memory");
	c = sample();
	c.p[1].p_paddr = c.p[2].p_paddr;
	refused(&c, sizeof(c), -EBADMSG, "at 0x1000 twice");
}

/* Addresses that wrap around, and one file that is terabytes of memory. */
static void test_hostile(void **state)
{
	struct core c;

	c = sample();
	c.p[1].p_paddr = -(uint64_t)PAGE + 1;
	refused(&c, sizeof(c), -EBADMSG, "outside of the file");
	c = sample();
	c.p[1].p_filesz = -(uint64_t)PAGE;
	refused(&c, sizeof(c), -EBADMSG, "outside of the file");
	c = sample();
	c.p[0] = c.p[1];
	c.p[0].p_offset = 0;
	c.p[0].p_paddr = 2 << 20;
	c.p[0].p_filesz = PAGE;
	refused(&c, sizeof(c), -EBADMSG, "outside of the file");
	c = sample();
	c.p[1].p_paddr = -(uint64_t)PAGE;
	refused(&c, sizeof(c), -EBADMSG, "outside of the file");
}

/* It holds the guest's secrets, so it is nobody else's, and no link. */
static void test_access(void **state)
{
	const struct core c = sample();
	char path[] = "/tmp/test_memcore.XXXXXX", link[64];
	_cleanup_close_ int fd = mkostemp(path, O_CLOEXEC);
	struct memslots ms;
	struct xf_err err;

	assert_true(fd >= 0 && write(fd, &c, sizeof(c)) == sizeof(c));
	assert_int_equal(memcore_slots(&ms, path, 0, &err), 0);
	memslots_deinit(&ms);
	assert_int_equal(fchmod(fd, 0644), 0);
	assert_int_equal(memcore_slots(&ms, path, 0, &err), -EPERM);
	assert_int_equal(memcore_slots(&ms, path, MEMFILE_ALLOW_OPEN, &err),
			 0);
	memslots_deinit(&ms);
	snprintf(link, sizeof(link), "%s.link", path);
	assert_int_equal(symlink(path, link), 0);
	assert_int_equal(memcore_slots(&ms, link, MEMFILE_ALLOW_OPEN, &err),
			 -ELOOP);
	unlink(link);
	unlink(path);
	assert_int_equal(memcore_slots(&ms, path, 0, &err), -ENOENT);
}

static void test_is(void **state)
{
	assert_true(memcore_is("/proc/self/exe"));
	assert_false(memcore_is("/proc/self/status"));
	assert_false(memcore_is("/nowhere"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pages),
		cmocka_unit_test(test_damaged),
		cmocka_unit_test(test_hostile),
		cmocka_unit_test(test_access),
		cmocka_unit_test(test_is),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
