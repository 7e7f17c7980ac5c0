// SPDX-License-Identifier: GPL-2.0-only
/*
 * vmcoreinfo on made-up kernels, sound and hostile; and on a real one, if
 * XFT_VMLINUZ names a bzImage.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <inttypes.h>
#include <time.h>

#include "buf.h"
#include "cleanup.h"
#include "fake_guest.h"
#include "real_qemu.h"
#include "vmcoreinfo.h"

#define PAGE   ((uint64_t)XF_PAGE_SIZE)
#define MIB    (1ull << 20)
#define KBASE  0xffffffff80000000ull
#define LINKED 0xffffffff81000000ull	/* where _stext is without KASLR */

/* A kernel of 2 MiB: text, then its top page table, then init_uts_ns. */
struct kernel {
	const char *release;
	uint64_t gpa;		/* of _stext, 2 MiB aligned */
	uint64_t kaslr;
	bool l5;
	uint64_t note;		/* gpa of the text's page */
};

#define PGD_AT 0x10000
#define UTS_AT 0x20b60

static const struct kernel plain = { .release = "6.1.0-56-cloud-amd64",
				     .gpa = 4 * MIB,
				     .kaslr = 0x1600000,
				     .note = 3 * MIB };

static char *kernel_text(const struct kernel *k)
{
	uint64_t va = LINKED + k->kaslr;
	struct buf b = BUF_INIT;

	buf_printf(&b,
		   "OSRELEASE=%s\n"
		   "BUILD-ID=3b43fad5034874490492495d552c0af6a5fab235\n"
		   "PAGESIZE=4096\n"
		   "SYMBOL(init_uts_ns)=%" PRIx64 "\n"
		   "OFFSET(uts_namespace.name)=0\n"
		   "SYMBOL(swapper_pg_dir)=%" PRIx64 "\n"
		   "SYMBOL(_stext)=%" PRIx64 "\n"
		   "SYMBOL(kallsyms_names)=%" PRIx64 "\n"
		   "NUMBER(PAGE_BUDDY_MAPCOUNT_VALUE)=-129\n"
		   "NUMBER(phys_base)=%" PRId64 "\n"
		   "NUMBER(pgtable_l5_enabled)=%d\n"
		   "KERNELOFFSET=%" PRIx64 "\n",
		   k->release, va + UTS_AT, va + PGD_AT, va, va + 0x30000,
		   (int64_t)(k->gpa - (va - KBASE)), k->l5, k->kaslr);
	return buf_take(&b);
}

/* All of it but the text. Leaves g->space at this kernel's table. */
static void put_kernel(struct fake_guest *g, const struct kernel *k)
{
	uint64_t va = LINKED + k->kaslr;

	g->space.pgd_gpa = k->gpa + PGD_AT;
	g->space.l5 = k->l5;
	fake_map(g, va, k->gpa, 2);
	fake_put(g, k->gpa + UTS_AT, "Linux", 6);
	fake_put(g, k->gpa + UTS_AT + 65, "host", 5);
	fake_put(g, k->gpa + UTS_AT + 130, k->release, strlen(k->release) + 1);
}

static void put_text(struct fake_guest *g, uint64_t gpa, const char *text)
{
	memset(g->ram + gpa, 0, PAGE);
	fake_put(g, gpa, text, strlen(text));
}

/* The form in /proc/vmcore: an ELF note's header before it. */
static void put_note(struct fake_guest *g, uint64_t gpa, const char *text)
{
	uint32_t head[3] = { 11, strlen(text), 0 };

	memset(g->ram + gpa, 0, 2 * PAGE);
	fake_put(g, gpa, head, sizeof(head));
	fake_put(g, gpa + 12, "VMCOREINFO", 11);
	fake_put(g, gpa + 24, text, strlen(text));
}

static void put_all(struct fake_guest *g, const struct kernel *k)
{
	_cleanup_free_ char *text = kernel_text(k);

	put_kernel(g, k);
	put_text(g, k->note, text);
}

static int find(struct fake_guest *g, struct vmcoreinfo *vi, uint64_t cr3)
{
	struct xf_err err = { 0 };
	int rc = vmcoreinfo_find(vi, &g->mf, &cr3, cr3 ? 1 : 0, &err);

	if (rc)
		assert_int_equal(err.code, rc);
	return rc;
}

static void assert_is(const struct vmcoreinfo *vi, const struct kernel *k)
{
	uint64_t addr = 0;
	int64_t n;

	assert_string_equal(vi->osrelease, k->release);
	assert_int_equal(vi->gpa, k->note);
	assert_int_equal(vi->kerneloffset, k->kaslr);
	assert_int_equal(vi->pgd_gpa, k->gpa + PGD_AT);
	assert_int_equal(vi->l5, k->l5);
	assert_int_equal(vi->build_id_len, 20);
	assert_int_equal(vi->build_id[0], 0x3b);
	assert_int_equal(vi->build_id[19], 0x35);
	assert_true(vmcoreinfo_symbol(vi, "kallsyms_names", &addr));
	assert_int_equal(addr, LINKED + k->kaslr + 0x30000);
	assert_int_equal(addr - KBASE + vi->phys_base, k->gpa + 0x30000);
	assert_false(vmcoreinfo_symbol(vi, "kallsyms", &addr));
	assert_false(vmcoreinfo_symbol(vi, "kallsyms_names)", &addr));
	assert_false(vmcoreinfo_symbol(vi, "", &addr));
	assert_true(vmcoreinfo_number(vi, "NUMBER(PAGE_BUDDY_MAPCOUNT_VALUE)",
				      &n));
	assert_int_equal(n, -129);
	assert_false(vmcoreinfo_number(vi, "OSRELEASE", &n));
	assert_false(vmcoreinfo_number(vi, "nothing", &n));
}

static void test_find(void **state)
{
	struct kernel k = plain;
	struct vmcoreinfo vi;
	struct fake_guest g;

	fake_guest_open(&g, 16 * MIB);
	assert_int_equal(find(&g, &vi, 0), -ENOENT);
	put_all(&g, &k);
	assert_int_equal(find(&g, &vi, 0), 0);
	assert_is(&vi, &k);
	assert_int_equal(find(&g, &vi, g.space.pgd_gpa), 0);
	assert_is(&vi, &k);
	/* PCID and, with page table isolation, the user half of the table. */
	assert_int_equal(find(&g, &vi, g.space.pgd_gpa | 0x1005), 0);
	/* No vCPU runs it: firmware, say, after a reset. */
	assert_int_equal(find(&g, &vi, 8 * MIB), -ENOENT);
	fake_guest_close(&g);

	/* Five levels, phys_base that is not negative, the note's form. */
	k.l5 = true;
	k.gpa = 6 * MIB;
	k.kaslr = 0;
	k.note = 16 * MIB - 2 * PAGE;
	for (int rest = 1; rest >= 0; rest--) {
		_cleanup_free_ char *text = kernel_text(&k);

		fake_guest_open(&g, 16 * MIB);
		g.top = 8 * MIB;
		put_kernel(&g, &k);
		/* Also when RAM ends behind the first page. */
		k.note = 16 * MIB - (1 + rest) * PAGE;
		if (rest)
			put_note(&g, k.note, text);
		else
			put_text(&g, k.note, text);
		assert_int_equal(find(&g, &vi, 0), 0);
		assert_is(&vi, &k);
		fake_guest_close(&g);
	}
}

/* What a real kernel has: the same text three times, and its format string. */
static void test_copies(void **state)
{
	_cleanup_free_ char *text = kernel_text(&plain);
	struct vmcoreinfo vi;
	struct fake_guest g;

	fake_guest_open(&g, 16 * MIB);
	put_all(&g, &plain);
	put_note(&g, 8 * MIB, text);
	put_text(&g, 9 * MIB, text);
	put_text(&g, 1 * MIB, "OSRELEASE=%s\n");
	put_text(&g, 2 * MIB, "OSRELEASE=6.1");
	assert_int_equal(find(&g, &vi, 0), 0);
	assert_is(&vi, &plain);
	fake_guest_close(&g);
}

/* After a reboot: the old kernel lies where it was, and so does its text. */
static void test_reboot(void **state)
{
	struct kernel old = plain, new = plain;
	uint64_t old_cr3, new_cr3;
	struct vmcoreinfo vi;
	struct fake_guest g;

	new.gpa = 8 * MIB;
	new.kaslr = 0x2c000000;
	new.note = 10 * MIB;
	fake_guest_open(&g, 16 * MIB);
	put_all(&g, &old);
	old_cr3 = g.space.pgd_gpa;
	put_all(&g, &new);
	new_cr3 = g.space.pgd_gpa;
	assert_int_equal(find(&g, &vi, 0), -ENOTUNIQ);
	assert_int_equal(find(&g, &vi, new_cr3), 0);
	assert_is(&vi, &new);
	assert_int_equal(find(&g, &vi, old_cr3), 0);
	assert_is(&vi, &old);

	/* The new kernel overwrote something of the old one: no doubt left. */
	memset(g.ram + old.gpa + UTS_AT, 0xaa, 400);
	assert_int_equal(find(&g, &vi, 0), 0);
	assert_is(&vi, &new);
	memset(g.ram + new.gpa + PGD_AT, 0, PAGE);
	assert_int_equal(find(&g, &vi, 0), -ENOENT);
	fake_guest_close(&g);
}

/* Replace @from, which must be in @text, by @to. */
static char *edit(const char *text, const char *from, const char *to)
{
	const char *at = strstr(text, from);
	struct buf b = BUF_INIT;

	assert_non_null(at);
	buf_add(&b, text, at - text);
	buf_puts(&b, to);
	buf_puts(&b, at + strlen(from));
	return buf_take(&b);
}

static void test_hostile_texts(void **state)
{
	static const struct {
		const char *from, *to;
		bool parses;
	} cases[] = {
		{ "OSRELEASE=6.1.0-56-cloud-amd64", "OSRELEASE=", false },
		{ "OSRELEASE=6.1.0", "OSRELEASE=6.1.0 evil", false },
		{ "OSRELEASE=6.1.0", "OSRELEASE=6.1.0\033[31m", false },
		{ "OSRELEASE=6.1.0", "OSRELEASE=6.1.0\xc3\xa4", false },
		{ "OSRELEASE=6.1.0",
		  "OSRELEASE=6.1.0aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
		  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
		  false },
		{ "BUILD-ID=3b43", "BUILD-ID=zz43", false },
		{ "BUILD-ID=3b43", "BUILD-ID=3b4", false },
		{ "BUILD-ID=3b43", "BUILD-ID=3b43000000000000", false },
		{ "PAGESIZE=4096", "PAGESIZE=65536", false },
		{ "PAGESIZE=4096\n", "", false },
		{ "PAGESIZE=4096", "PAGESIZE=0x1000", false },
		{ "PAGESIZE=4096", "PAGESIZE=4096 ", false },
		{ "PAGESIZE=4096", "PAGESIZE", false },
		{ "PAGESIZE=4096", "=4096", false },
		{ "PAGESIZE=4096\n", "PAGESIZE=4096\n\n", false },
		{ "SYMBOL(_stext)=ffff", "SYMBOL(_stext)=0000", false },
		{ "SYMBOL(_stext)=", "SYMBOL(_stext)=0x", false },
		{ "SYMBOL(_stext)=", "SYMBOL(_stext)= ", false },
		{ "SYMBOL(_stext)=", "SYMBOL(_stext)=-", false },
		{ "SYMBOL(_stext)=", "SYMBOL(_stext)=f", false },
		{ "SYMBOL(_stext)", "SYMBOL(_xtext)", false },
		{ "SYMBOL(swapper_pg_dir)=", "SYMBOL(swapper)=", false },
		{ "SYMBOL(init_uts_ns)=ffffffff", "SYMBOL(init_uts_ns)=0",
		  false },
		{ "KERNELOFFSET=1600000", "KERNELOFFSET=1600001", false },
		{ "KERNELOFFSET=1600000", "KERNELOFFSET=81600000", false },
		{ "KERNELOFFSET=1600000", "KERNELOFFSET=ffffffffff600000",
		  false },
		{ "KERNELOFFSET=1600000", "KERNELOFFSET=3f000000", false },
		{ "NUMBER(phys_base)=-", "NUMBER(phys_base)=--", false },
		{ "NUMBER(phys_base)=-", "NUMBER(phys_base)=1", false },
		{ "phys_base)=-35651584", "phys_base)=0", true },
		{ "NUMBER(phys_base)=-",
		  "NUMBER(phys_base)=99999999999999999999", false },
		{ "phys_base)=-35651584", "phys_base)=-39845888", true },
		{ "NUMBER(pgtable_l5_enabled)=0",
		  "NUMBER(pgtable_l5_enabled)=1", true },
		{ "OFFSET(uts_namespace.name)=0",
		  "OFFSET(uts_namespace.name)=-8", true },
		{ "OFFSET(uts_namespace.name)=0",
		  "OFFSET(uts_namespace.name)=4097", true },
		{ "OFFSET(uts_namespace.name)=0",
		  "OFFSET(uts_namespace.name)=9223372036854775807", true },
		{ "OSRELEASE=6.1.0", "OSRELEASE=6.1.1", true },
		{ "KERNELOFFSET=1600000\n", "KERNELOFFSET=1600000", false },
	};
	_cleanup_free_ char *text = kernel_text(&plain);
	struct vmcoreinfo vi;
	struct fake_guest g;

	fake_guest_open(&g, 16 * MIB);
	put_kernel(&g, &plain);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_free_ char *bad =
			edit(text, cases[i].from, cases[i].to);
		struct xf_err err = { 0 };
		int rc;

		put_text(&g, plain.note, bad);
		rc = vmcoreinfo_parse(&vi, g.ram + plain.note, PAGE, &err);
		if (rc != (cases[i].parses ? 0 : -EBADMSG))
			fail_msg("case %zu: %d %s", i, rc, err.msg);
		if (!rc)
			assert_true(vmcoreinfo_verify(&vi, &g.mf, &err) < 0);
		assert_int_equal(find(&g, &vi, 0), -ENOENT);
	}
	fake_guest_close(&g);
}

static void test_hostile_notes(void **state)
{
	static const uint32_t heads[][3] = {
		{ 11, 0, 0 },
		{ 11, 1, 0 },
		{ 11, UINT32_MAX, 0 },
		{ 11, 2 * XF_PAGE_SIZE, 0 },
		{ 11, 2 * XF_PAGE_SIZE - 23, 0 },
		{ 10, 400, 0 },
		{ UINT32_MAX, 400, 0 },
		{ 11, 400, 1 },
	};
	_cleanup_free_ char *text = kernel_text(&plain);
	_cleanup_free_ char *page = calloc(2, PAGE);
	struct vmcoreinfo vi;
	struct fake_guest g;

	fake_guest_open(&g, 16 * MIB);
	put_kernel(&g, &plain);
	for (size_t i = 0; i < ARRAY_SIZE(heads); i++) {
		put_note(&g, plain.note, text);
		fake_put(&g, plain.note, heads[i], sizeof(heads[i]));
		assert_int_equal(find(&g, &vi, 0), -ENOENT);
	}
	/* A text without an end, in a page and in a note. */
	memset(page, 'A', 2 * PAGE);
	memcpy(page, text, strlen(text));
	for (size_t len = 0; len < 2 * PAGE; len += 37) {
		_cleanup_free_ char *copy = malloc(len + 1);

		/* So that a byte too many would be noticed. */
		memcpy(copy, page, len);
		assert_int_equal(vmcoreinfo_parse(&vi, copy, len, NULL),
				 -EBADMSG);
	}
	/* As long as can be, and one more. */
	memset(page, 0, 2 * PAGE);
	strcpy(page, text);
	memset(page + strlen(text), 'B', PAGE - strlen(text));
	page[strlen(text) + 1] = '=';
	page[PAGE - 1] = '\n';
	assert_int_equal(vmcoreinfo_parse(&vi, page, 2 * PAGE, NULL), 0);
	page[PAGE - 1] = 'B';
	page[PAGE] = '\n';
	assert_int_equal(vmcoreinfo_parse(&vi, page, 2 * PAGE, NULL), -EBADMSG);
	fake_guest_close(&g);
}

/* RAM full of texts that look right until the last check. */
static void test_flood(void **state)
{
	_cleanup_free_ char *text = kernel_text(&plain);
	_cleanup_free_ char *bad = edit(text, "cloud", "clown");
	struct timespec t0, t1;
	struct vmcoreinfo vi;
	struct fake_guest g;

	fake_guest_open(&g, 64 * MIB);
	put_all(&g, &plain);
	for (uint64_t at = 16 * MIB; at < 60 * MIB; at += PAGE)
		put_text(&g, at, bad);
	clock_gettime(CLOCK_MONOTONIC, &t0);
	assert_int_equal(find(&g, &vi, 0), -E2BIG);
	assert_int_equal(find(&g, &vi, g.space.pgd_gpa), 0);
	assert_is(&vi, &plain);
	put_text(&g, plain.note, bad);
	put_text(&g, 63 * MIB, text);
	assert_int_equal(find(&g, &vi, g.space.pgd_gpa), -E2BIG);
	clock_gettime(CLOCK_MONOTONIC, &t1);
	assert_true(t1.tv_sec - t0.tv_sec < 2);
	fake_guest_close(&g);
}

/* Bits flipped at random: never a crash, and never a wrong release. */
static void test_noise(void **state)
{
	_cleanup_free_ char *text = kernel_text(&plain);
	struct vmcoreinfo vi;
	struct fake_guest g;

	fake_guest_open(&g, 16 * MIB);
	put_kernel(&g, &plain);
	srandom(2);
	for (int i = 0; i < 20000; i++) {
		uint8_t page[XF_PAGE_SIZE] = "";
		size_t len = strlen(text);

		memcpy(page, text, len);
		for (int n = random() % 3; n >= 0; n--)
			page[random() % len] ^= 1u << random() % 8;
		if (!vmcoreinfo_parse(&vi, page, sizeof(page), NULL) &&
		    !vmcoreinfo_verify(&vi, &g.mf, NULL))
			assert_string_equal(vi.osrelease, plain.release);
	}
	fake_guest_close(&g);
}

static int look(struct vm *vm, struct qmp *q, const struct memfile *mf,
		struct vmcoreinfo *vi, struct xf_err *err)
{
	int rc = -ENOENT;

	for (int i = 0; i < 600 && rc == -ENOENT; i++) {
		uint64_t cr3[4];
		size_t nr;

		poll(NULL, 0, 100);
		assert_int_equal(qmp_cr3(q, cr3, 4, &nr, err), 0);
		rc = vmcoreinfo_find(vi, mf, cr3, nr, err);
	}
	return rc;
}

static void test_real(void **state)
{
	const char *image = getenv("XFT_VMLINUZ");
	const char *args[] = {
		"-kernel", image, "-append", "panic=0", "-cpu", "max,-cx16",
		"-smp", "2", "-m", "512", "-nodefaults", "-machine",
		"q35,memory-backend=m0", "-object",
		"memory-backend-memfd,id=m0,size=512M,share=on", NULL
	};
	_cleanup_(memslots_deinit) struct memslots ms = MEMSLOTS_INIT;
	_cleanup_(memfile_close) struct memfile mf = MEMFILE_INIT;
	_cleanup_(qmp_close) struct qmp q = QMP_INIT;
	struct vmcoreinfo vi = { 0 }, again = { 0 };
	struct xf_err err = { 0 };
	uint64_t addr, v;
	char word[65];
	struct gva space;
	struct vm vm;
	int rc;

	if (!image || !have_qemu())
		skip();
	vm_start(&vm, args, true);
	vm_connect(&vm, &q);
	if (memslots_from_qmp(&ms, &q, &err) ||
	    memfile_open(&mf, &ms, 0, &err))
		fail_msg("%s", err.msg);
	assert_int_equal(vmcoreinfo_find(&vi, &mf, NULL, 0, &err), -ENOENT);
	assert_int_equal(qmp_command(&q, "cont", NULL, NULL, &err), 0);
	if (look(&vm, &q, &mf, &vi, &err))
		fail_msg("%s", err.msg);
	print_message("%s: text at 0x%" PRIx64 ", KASLR 0x%" PRIx64
		      ", phys_base %" PRId64 ", %d levels\n",
		      vi.osrelease, vi.gpa, vi.kerneloffset, vi.phys_base,
		      vi.l5 ? 5 : 4);
	assert_int_equal(vi.build_id_len, 20);

	/* Its memory is what it should be, through its own page tables. */
	space = vmcoreinfo_space(&vi, &mf);
	assert_true(vmcoreinfo_symbol(&vi, "init_uts_ns", &addr));
	assert_true(gva_read_str(&space, addr, word, sizeof(word), &err) > 0);
	assert_string_equal(word, "Linux");
	assert_true(vmcoreinfo_symbol(&vi, "kallsyms_num_syms", &addr));
	assert_int_equal(gva_read_u64(&space, addr, &v, &err), 0);
	assert_in_range((uint32_t)v, 10000, 1000000);
	/* mem_section lies in the direct mapping: another kind of page. */
	assert_true(vmcoreinfo_symbol(&vi, "mem_section", &addr));
	assert_int_equal(gva_read_u64(&space, addr, &v, &err), 0);

	/* After a reset there may be two, and one of them runs. */
	assert_int_equal(qmp_command(&q, "system_reset", NULL, NULL, &err), 0);
	assert_int_equal(qmp_command(&q, "cont", NULL, NULL, &err), 0);
	do {
		if (look(&vm, &q, &mf, &again, &err))
			fail_msg("%s", err.msg);
	} while (again.kerneloffset == vi.kerneloffset &&
		 again.phys_base == vi.phys_base);
	rc = vmcoreinfo_find(&vi, &mf, NULL, 0, &err);
	print_message("after a reset, without CR3: %s\n",
		      rc ? err.msg : vi.osrelease);
	assert_true(!rc || rc == -ENOTUNIQ);
	vm_stop(&vm);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_find),
		cmocka_unit_test(test_copies),
		cmocka_unit_test(test_reboot),
		cmocka_unit_test(test_hostile_texts),
		cmocka_unit_test(test_hostile_notes),
		cmocka_unit_test(test_flood),
		cmocka_unit_test(test_noise),
		cmocka_unit_test(test_real),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
