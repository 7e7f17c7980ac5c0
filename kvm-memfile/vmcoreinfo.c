// SPDX-License-Identifier: GPL-2.0-only
#include "vmcoreinfo.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "cursor.h"
#include "scan.h"

/* x86-64: where the kernel image is mapped (__START_KERNEL_map), how long. */
#define KERNEL_MAP	0xffffffff80000000ull
#define KERNEL_MAP_SIZE (1ull << 30)

/* struct new_utsname: six strings of 65 bytes, the third is the release. */
#define UTS_STRING  65
#define UTS_RELEASE (2 * UTS_STRING)

/* With page table isolation, user mode has its top table one page further. */
#define PTI_USER_PGD 0x1000ull

/* Stale copies pile up by ones and twos at each reboot, not by hundreds. */
#define MAX_REFUSED 256

#define NOTE_NAME "VMCOREINFO"
/* Elf64_Nhdr, then the name with its 0 and padding to 12 bytes. */
#define NOTE_NAME_AT 12
#define NOTE_DESC_AT 24

#define HEX_DIGITS "0123456789abcdef"

/* Behind "KEY=" in the text, or NULL. Lines were checked before. */
static const char *find_value(const struct vmcoreinfo *vi, const char *key)
{
	size_t len = strlen(key);
	const char *line = vi->text;

	while (*line) {
		if (!strncmp(line, key, len) && line[len] == '=')
			return line + len + 1;
		line = strchr(line, '\n') + 1;
	}
	return NULL;
}

static bool hex_value(const struct vmcoreinfo *vi, const char *key,
		      uint64_t *ret)
{
	const char *s = find_value(vi, key);
	size_t n = s ? strspn(s, HEX_DIGITS) : 0;

	/* strtoull() alone would also take blanks, signs and 0x. */
	if (!n || n > 16 || s[n] != '\n')
		return false;
	*ret = strtoull(s, NULL, 16);
	return true;
}

bool vmcoreinfo_number(const struct vmcoreinfo *vi, const char *key,
		       int64_t *ret)
{
	const char *s = find_value(vi, key);
	int64_t v;
	char *end;

	if (!s || !(isdigit((unsigned char)*s) || *s == '-'))
		return false;
	errno = 0;
	v = strtoll(s, &end, 10);
	if (errno || *end != '\n')
		return false;
	*ret = v;
	return true;
}

bool vmcoreinfo_symbol(const struct vmcoreinfo *vi, const char *name,
		       uint64_t *ret)
{
	char key[128];
	int n = snprintf(key, sizeof(key), "SYMBOL(%s)", name);

	return n < (int)sizeof(key) && hex_value(vi, key, ret);
}

static uint64_t to_gpa(const struct vmcoreinfo *vi, uint64_t addr)
{
	return addr - KERNEL_MAP + vi->phys_base;
}

/* Take the text out of @page: all of it, and nothing but lines. */
static int take_text(struct vmcoreinfo *vi, const void *page, size_t len,
		     struct xf_err *err)
{
	struct cursor c = cursor_of(page, len);
	bool has_value = false, at_start = true;
	const char *s;
	size_t n;

	if (len > NOTE_DESC_AT && !memcmp((const char *)page + NOTE_NAME_AT,
					  NOTE_NAME, sizeof(NOTE_NAME))) {
		uint32_t name_len = cursor_u32(&c);
		uint32_t desc_len = cursor_u32(&c);
		uint32_t type = cursor_u32(&c);

		cursor_bytes(&c, NOTE_DESC_AT - NOTE_NAME_AT);
		if (name_len != sizeof(NOTE_NAME) || type ||
		    desc_len > cursor_left(&c))
			return xf_fail(err, -EBADMSG,
				       "vmcoreinfo: a damaged ELF note");
		c.end = c.p + desc_len;
	}
	s = (const char *)c.p;
	n = strnlen(s, cursor_left(&c));
	if (!n || n > VMCOREINFO_MAX || s[n - 1] != '\n')
		return xf_fail(err, -EBADMSG, "vmcoreinfo: a torn text");
	for (size_t i = 0; i < n; i++) {
		if (s[i] == '\n') {
			if (!has_value)
				return xf_fail(err, -EBADMSG,
					       "vmcoreinfo: a line without a "
					       "value");
			has_value = false;
			at_start = true;
			continue;
		}
		if (s[i] < 0x20 || s[i] > 0x7e)
			return xf_fail(err, -EBADMSG,
				       "vmcoreinfo: byte 0x%02x in the text",
				       (unsigned char)s[i]);
		has_value |= s[i] == '=' && !at_start;
		at_start = false;
	}
	memcpy(vi->text, s, n);
	vi->text[n] = '\0';
	return 0;
}

static bool take_release(struct vmcoreinfo *vi)
{
	const char *s = find_value(vi, "OSRELEASE");
	size_t n = s ? strcspn(s, " \n%") : 0;

	/* The format string in the kernel says "OSRELEASE=%s". */
	if (!n || s[n] != '\n' || n >= sizeof(vi->osrelease))
		return false;
	memcpy(vi->osrelease, s, n);
	return true;
}

static bool take_build_id(struct vmcoreinfo *vi)
{
	const char *s = find_value(vi, "BUILD-ID");
	size_t n = s ? strspn(s, HEX_DIGITS) : 0;

	if (!s)
		return true;	/* before 5.14 */
	if (!n || s[n] != '\n' || n % 2 || n / 2 > sizeof(vi->build_id))
		return false;
	for (; vi->build_id_len < n / 2; vi->build_id_len++, s += 2) {
		char digits[3] = { s[0], s[1], 0 };

		vi->build_id[vi->build_id_len] = strtoul(digits, NULL, 16);
	}
	return true;
}

static bool in_kernel_map(uint64_t addr)
{
	return addr - KERNEL_MAP < KERNEL_MAP_SIZE;
}

static int parse(struct vmcoreinfo *vi, const void *page, size_t len,
		 struct xf_err *err)
{
	uint64_t stext, uts;
	int64_t n;
	int rc = take_text(vi, page, len, err);

	if (rc)
		return rc;
	if (!take_release(vi) || !take_build_id(vi))
		return xf_fail(err, -EBADMSG,
			       "vmcoreinfo: no sound OSRELEASE and BUILD-ID");
	if (!vmcoreinfo_number(vi, "PAGESIZE", &n) || n != XF_PAGE_SIZE)
		return xf_fail(err, -EBADMSG, "vmcoreinfo: not of x86-64");
	if (!hex_value(vi, "KERNELOFFSET", &vi->kerneloffset) ||
	    !vmcoreinfo_symbol(vi, "swapper_pg_dir", &vi->swapper_pg_dir) ||
	    !vmcoreinfo_symbol(vi, "_stext", &stext) ||
	    !vmcoreinfo_symbol(vi, "init_uts_ns", &uts) ||
	    !vmcoreinfo_number(vi, "NUMBER(phys_base)", &n))
		return xf_fail(err, -EBADMSG,
			       "vmcoreinfo: lacks something we need");
	vi->phys_base = n;
	if (vmcoreinfo_number(vi, "NUMBER(pgtable_l5_enabled)", &n))
		vi->l5 = n == 1;
	vi->pgd_gpa = to_gpa(vi, vi->swapper_pg_dir);
	if (!in_kernel_map(vi->swapper_pg_dir) || !in_kernel_map(stext) ||
	    !in_kernel_map(uts) || !in_kernel_map(stext - vi->kerneloffset) ||
	    vi->kerneloffset >= KERNEL_MAP_SIZE ||
	    (vi->kerneloffset | vi->pgd_gpa) % XF_PAGE_SIZE)
		return xf_fail(err, -EBADMSG,
			       "vmcoreinfo: addresses that cannot be");
	return 0;
}

int vmcoreinfo_parse(struct vmcoreinfo *vi, const void *page, size_t len,
		     struct xf_err *err)
{
	struct vmcoreinfo out = { 0 };
	int rc = parse(&out, page, len, err);

	if (!rc)
		*vi = out;
	return rc;
}

/* Does @space map the kernel where @vi says that it is? */
static int check_mapping(const struct vmcoreinfo *vi, const struct gva *space,
			 struct xf_err *err)
{
	static const char *const names[] = { "swapper_pg_dir", "_stext",
					     "init_uts_ns" };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		uint64_t addr, gpa;
		int rc;

		if (!vmcoreinfo_symbol(vi, names[i], &addr))
			return xf_fail(err, -EBADMSG, "vmcoreinfo: no %s",
				       names[i]);
		rc = gva_translate(space, addr, &gpa, NULL, err);
		if (rc)
			return xf_prefix(err, rc, "vmcoreinfo: %s", names[i]);
		if (gpa != to_gpa(vi, addr))
			return xf_fail(err, -EBADMSG,
				       "vmcoreinfo: %s is at 0x%" PRIx64
				       ", should be at 0x%" PRIx64,
				       names[i], gpa, to_gpa(vi, addr));
	}
	return 0;
}

int vmcoreinfo_verify(const struct vmcoreinfo *vi, const struct memfile *mf,
		      struct xf_err *err)
{
	struct gva space = vmcoreinfo_space(vi, mf);
	char uts[UTS_RELEASE + UTS_STRING + 1] = "";
	int64_t offset = 0;
	uint64_t addr = 0;
	int rc = check_mapping(vi, &space, err);

	if (rc)
		return rc;
	vmcoreinfo_symbol(vi, "init_uts_ns", &addr);
	vmcoreinfo_number(vi, "OFFSET(uts_namespace.name)", &offset);
	if (offset < 0 || offset > XF_PAGE_SIZE)
		return xf_fail(err, -EBADMSG,
			       "vmcoreinfo: impossible struct uts_namespace");
	rc = gva_read(&space, addr + offset, uts, sizeof(uts) - 1, err);
	if (rc)
		return xf_prefix(err, rc, "vmcoreinfo: init_uts_ns");
	if (strcmp(uts, "Linux") || strcmp(uts + UTS_RELEASE, vi->osrelease))
		return xf_fail(err, -EBADMSG,
			       "vmcoreinfo: init_uts_ns does not name %s",
			       vi->osrelease);
	return 0;
}

static bool runs_with(const struct vmcoreinfo *vi, const struct memfile *mf,
		      uint64_t cr3)
{
	struct gva space = { .mf = mf, .pgd_gpa = cr3, .l5 = vi->l5 };

	if (!check_mapping(vi, &space, NULL))
		return true;
	space.pgd_gpa &= ~PTI_USER_PGD;
	return space.pgd_gpa != cr3 && !check_mapping(vi, &space, NULL);
}

bool vmcoreinfo_runs(const struct vmcoreinfo *vi, const struct memfile *mf,
		     const uint64_t *cr3, size_t nr_cr3)
{
	for (size_t i = 0; i < nr_cr3; i++)
		if (runs_with(vi, mf, cr3[i]))
			return true;
	return false;
}

static bool is_same(const struct vmcoreinfo *a, const struct vmcoreinfo *b)
{
	return a->kerneloffset == b->kerneloffset &&
	       a->phys_base == b->phys_base && a->pgd_gpa == b->pgd_gpa &&
	       !strcmp(a->osrelease, b->osrelease);
}

struct search {
	const struct memfile *mf;
	const uint64_t *cr3;
	size_t nr_cr3;
	struct vmcoreinfo found, next;
	size_t nr_found;	/* different ones */
	size_t nr_refused;	/* looked right, but were not borne out */
	struct xf_err why;	/* the last refusal */
	struct xf_err *err;
};

static bool is_accepted(struct search *s)
{
	if (vmcoreinfo_verify(&s->next, s->mf, &s->why)) {
		s->nr_refused++;
		return false;
	}
	if (!s->nr_cr3 ||
	    vmcoreinfo_runs(&s->next, s->mf, s->cr3, s->nr_cr3))
		return true;
	xf_fail(&s->why, -ENOENT, "%s lies in RAM, but no vCPU runs it",
		s->next.osrelease);
	s->nr_refused++;
	return false;
}

static int try_page(void *arg, uint64_t gpa, size_t which)
{
	/* A note's header pushes the end of the text into a second page. */
	char page[2 * XF_PAGE_SIZE];
	struct search *s = arg;
	size_t len = sizeof(page);
	int rc;

	if (memfile_run(s->mf, gpa) < len)
		len = XF_PAGE_SIZE;
	rc = memfile_read(s->mf, gpa, page, len, s->err);
	if (rc)
		return rc;
	if (vmcoreinfo_parse(&s->next, page, len, NULL))
		return 0;
	s->next.gpa = gpa;
	if (s->nr_found && is_same(&s->next, &s->found))
		return 0;
	if (s->nr_refused == MAX_REFUSED)
		return xf_fail(s->err, -E2BIG,
			       "the guest's RAM is full of texts that pretend "
			       "to describe its kernel (%s)",
			       s->why.msg);
	if (!is_accepted(s))
		return 0;
	s->found = s->next;
	s->nr_found++;
	/* With a CR3 the first is the right one; without, two are too many. */
	return s->nr_cr3 || s->nr_found > 1;
}

int vmcoreinfo_find(struct vmcoreinfo *vi, const struct memfile *mf,
		    const uint64_t *cr3, size_t nr_cr3, struct xf_err *err)
{
	static const struct scan_pattern patterns[] = {
		{ "OSRELEASE=", 10, 0 },
		{ NOTE_NAME, sizeof(NOTE_NAME), NOTE_NAME_AT },
	};
	_cleanup_free_ struct search *s = calloc(1, sizeof(*s));
	struct scan scan = { .pattern = patterns,
			     .nr = ARRAY_SIZE(patterns),
			     .hit = try_page,
			     .arg = s };
	int rc;

	if (!s)
		return xf_fail(err, -ENOMEM, "out of memory");
	s->mf = mf;
	s->err = err;
	s->cr3 = cr3;
	s->nr_cr3 = nr_cr3;
	rc = scan_pages(mf, &scan, err);
	if (rc < 0)
		return rc;
	if (s->nr_found > 1)
		return xf_fail(err, -ENOTUNIQ,
			       "several kernels lie in the guest's RAM (%s and "
			       "an older one, or one for crashes); ask the "
			       "vCPUs which one runs",
			       s->found.osrelease);
	if (!s->nr_found && s->nr_refused)
		return xf_fail(err, -ENOENT,
			       "no running Linux found in the guest's RAM (%s)",
			       s->why.msg);
	if (!s->nr_found)
		return xf_fail(err, -ENOENT,
			       "no Linux found in the guest's RAM: does it "
			       "still boot?");
	*vi = s->found;
	return 0;
}
