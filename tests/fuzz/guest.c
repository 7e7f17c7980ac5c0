// SPDX-License-Identifier: GPL-2.0-only
#include "guest.h"

#include <errno.h>

/* How far from a pointer its members lie: offsets in modlist have 16 bits. */
#define REACH	     (64u << 10)

#define MAX_READS    512
#define MAX_POINTERS 16384

struct memfile guest_ram;
unsigned int guest_words;
const void *(*guest_ptr)(uint64_t gpa, size_t len);

static struct {
	struct cursor *in; /* NULL: not active */
	enum guest_seam seam;
	struct {
		uint64_t addr, len;
	} reads[MAX_READS];
	size_t nr_reads;
	uint64_t pointers[MAX_POINTERS];
	size_t nr_pointers;
} guest;

void guest_begin(struct cursor *in, enum guest_seam seam)
{
	guest.in = in;
	guest.seam = seam;
	guest_words = 0;
	guest_forget();
}

void guest_end(void)
{
	guest.in = NULL;
}

void guest_pointer(uint64_t addr)
{
	/* Beyond this nobody can tell any more: all is excused. */
	if (guest.nr_pointers < MAX_POINTERS)
		guest.pointers[guest.nr_pointers++] = addr;
}

void guest_forget(void)
{
	guest.nr_reads = guest.nr_pointers = 0;
}

void guest_unwatch(void)
{
	guest.nr_pointers = MAX_POINTERS;
}

static bool covers(size_t i, uint64_t addr)
{
	return addr - guest.reads[i].addr < guest.reads[i].len;
}

/* How often the byte at @addr was read. */
static size_t times_read(uint64_t addr)
{
	size_t n = 0;

	for (size_t i = 0; i < guest.nr_reads; i++)
		n += covers(i, addr);
	return n;
}

/* The same of the byte among these that was read most often. */
static size_t most_read(uint64_t addr, uint64_t len)
{
	size_t most = times_read(addr);

	for (size_t i = 0; i < guest.nr_reads; i++)
		if (guest.reads[i].addr - addr < len) {
			size_t n = times_read(guest.reads[i].addr);

			most = n > most ? n : most;
		}
	return most;
}

static void watch(uint64_t addr, uint64_t len)
{
	size_t before, pointers = 0;

	if (guest.nr_pointers == MAX_POINTERS)
		return;
	before = most_read(addr, len);
	for (size_t i = 0; before && i < guest.nr_pointers; i++)
		pointers +=
			guest.pointers[i] - (addr - REACH) < len + 2 * REACH;
	if (before && before >= pointers) {
		fprintf(stderr,
			"fuzz: double fetch of %llu bytes at %#llx, %zu times, "
			"with %zu pointers to there\n",
			(unsigned long long)len, (unsigned long long)addr,
			before + 1, pointers);
		abort();
	}
	if (guest.nr_reads < MAX_READS) {
		guest.reads[guest.nr_reads].addr = addr;
		guest.reads[guest.nr_reads++].len = len;
	}
}

static bool answer(void *dst, size_t len)
{
	const uint8_t *p = cursor_bytes(guest.in, len);
	uint64_t word;

	if (!p)
		return false;
	memcpy(dst, p, len);
	for (size_t i = 0; i + sizeof(word) <= len; i += sizeof(word)) {
		memcpy(&word, p + i, sizeof(word));
		guest_pointer(word);
	}
	return true;
}

static int no_more(int code, struct xf_err *err)
{
	return xf_fail(err, code, "the fuzzer's input is at its end");
}

/* ---- What the linker takes for memfile.c's ---- */

int __real_memfile_read(const struct memfile *mf, uint64_t gpa, void *dst,
			size_t len, struct xf_err *err);
int __wrap_memfile_read(const struct memfile *mf, uint64_t gpa, void *dst,
			size_t len, struct xf_err *err);
int __wrap_memfile_read(const struct memfile *mf, uint64_t gpa, void *dst,
			size_t len, struct xf_err *err)
{
	if (!guest.in)
		return __real_memfile_read(mf, gpa, dst, len, err);
	if (len > GUEST_RAM || gpa > GUEST_RAM - len)
		return xf_fail(err, -ERANGE, "no guest RAM");
	/* What gva.c reads has an address of its own. */
	if (guest.seam == GUEST_GVA)
		watch(gpa, len);
	return answer(dst, len) ? 0 : no_more(-EIO, err);
}

int __real_memfile_read_u64(const struct memfile *mf, uint64_t gpa,
			    uint64_t *ret, struct xf_err *err);
int __wrap_memfile_read_u64(const struct memfile *mf, uint64_t gpa,
			    uint64_t *ret, struct xf_err *err);
int __wrap_memfile_read_u64(const struct memfile *mf, uint64_t gpa,
			    uint64_t *ret, struct xf_err *err)
{
	if (!guest.in)
		return __real_memfile_read_u64(mf, gpa, ret, err);
	fuzz_must(gpa % sizeof(*ret) == 0);
	guest_words++;
	return __wrap_memfile_read(mf, gpa, ret, sizeof(*ret), err);
}

uint64_t __real_memfile_run(const struct memfile *mf, uint64_t gpa);
uint64_t __wrap_memfile_run(const struct memfile *mf, uint64_t gpa);
uint64_t __wrap_memfile_run(const struct memfile *mf, uint64_t gpa)
{
	if (!guest.in)
		return __real_memfile_run(mf, gpa);
	return gpa < GUEST_RAM ? GUEST_RAM - gpa : 0;
}

const void *__real_memfile_ptr(const struct memfile *mf, uint64_t gpa,
			       size_t len);
const void *__wrap_memfile_ptr(const struct memfile *mf, uint64_t gpa,
			       size_t len);
const void *__wrap_memfile_ptr(const struct memfile *mf, uint64_t gpa,
			       size_t len)
{
	if (!guest.in)
		return __real_memfile_ptr(mf, gpa, len);
	return guest_ptr ? guest_ptr(gpa, len) : NULL;
}

/* Only mailboxes are written, and those the host does not read. */
int __real_memfile_map_writable(struct memfile *mf, uint64_t gpa, size_t len,
				void **ret_ptr, struct xf_err *err);
int __wrap_memfile_map_writable(struct memfile *mf, uint64_t gpa, size_t len,
				void **ret_ptr, struct xf_err *err);
int __wrap_memfile_map_writable(struct memfile *mf, uint64_t gpa, size_t len,
				void **ret_ptr, struct xf_err *err)
{
	static _Alignas(XF_PAGE_SIZE) uint8_t pages[MEMFILE_MAX_WRITABLE];

	if (!guest.in)
		return __real_memfile_map_writable(mf, gpa, len, ret_ptr, err);
	fuzz_must(len <= sizeof(pages));
	/* What the host wrote last time is not this time's. */
	memset(pages, 0, XF_PAGE_SIZE);
	*ret_ptr = pages;
	return 0;
}

/* RAM of one page, so that hits are frequent. */
int __real_memfile_for_each_extent(const struct memfile *mf,
				   memfile_extent_fn fn, void *arg,
				   struct xf_err *err);
int __wrap_memfile_for_each_extent(const struct memfile *mf,
				   memfile_extent_fn fn, void *arg,
				   struct xf_err *err);
int __wrap_memfile_for_each_extent(const struct memfile *mf,
				   memfile_extent_fn fn, void *arg,
				   struct xf_err *err)
{
	static uint8_t page[XF_PAGE_SIZE];
	size_t len;

	if (!guest.in)
		return __real_memfile_for_each_extent(mf, fn, arg, err);
	len = cursor_u8(guest.in);
	memset(page, 0, sizeof(page));
	if (len > cursor_left(guest.in))
		len = cursor_left(guest.in);
	if (len)
		memcpy(page, cursor_bytes(guest.in, len), len);
	guest_pointer(XF_PAGE_SIZE);
	return fn(arg, XF_PAGE_SIZE, page, sizeof(page));
}

/* ---- What the linker takes for gva.c's ---- */

int __real_gva_translate(const struct gva *g, uint64_t addr, uint64_t *ret_gpa,
			 uint64_t *ret_run, struct xf_err *err);
int __wrap_gva_translate(const struct gva *g, uint64_t addr, uint64_t *ret_gpa,
			 uint64_t *ret_run, struct xf_err *err);
int __wrap_gva_translate(const struct gva *g, uint64_t addr, uint64_t *ret_gpa,
			 uint64_t *ret_run, struct xf_err *err)
{
	if (!guest.in || guest.seam == GUEST_MEMFILE)
		return __real_gva_translate(g, addr, ret_gpa, ret_run, err);
	if (!answer(ret_gpa, sizeof(*ret_gpa)))
		return no_more(-EFAULT, err);
	if (ret_run)
		*ret_run = 1;
	return 0;
}

/* All of the kernel's half is code: it takes nothing from the input. */
uint64_t __real_gva_code_run(const struct gva *g, uint64_t addr);
uint64_t __wrap_gva_code_run(const struct gva *g, uint64_t addr);
uint64_t __wrap_gva_code_run(const struct gva *g, uint64_t addr)
{
	if (!guest.in || guest.seam == GUEST_MEMFILE)
		return __real_gva_code_run(g, addr);
	return addr >> 63 ? XF_PAGE_SIZE - addr % XF_PAGE_SIZE : 0;
}

int __real_gva_read(const struct gva *g, uint64_t addr, void *dst, size_t len,
		    struct xf_err *err);
int __wrap_gva_read(const struct gva *g, uint64_t addr, void *dst, size_t len,
		    struct xf_err *err);
int __wrap_gva_read(const struct gva *g, uint64_t addr, void *dst, size_t len,
		    struct xf_err *err)
{
	if (!guest.in || guest.seam == GUEST_MEMFILE)
		return __real_gva_read(g, addr, dst, len, err);
	if (len && addr + (len - 1) < addr)
		return xf_fail(err, -EFAULT, "wraps around");
	watch(addr, len);
	return answer(dst, len) ? 0 : no_more(-EFAULT, err);
}

int __real_gva_read_u64(const struct gva *g, uint64_t addr, uint64_t *ret,
			struct xf_err *err);
int __wrap_gva_read_u64(const struct gva *g, uint64_t addr, uint64_t *ret,
			struct xf_err *err);
int __wrap_gva_read_u64(const struct gva *g, uint64_t addr, uint64_t *ret,
			struct xf_err *err)
{
	if (!guest.in || guest.seam == GUEST_MEMFILE)
		return __real_gva_read_u64(g, addr, ret, err);
	return __wrap_gva_read(g, addr, ret, sizeof(*ret), err);
}

ssize_t __real_gva_read_str(const struct gva *g, uint64_t addr, char *dst,
			    size_t cap, struct xf_err *err);
ssize_t __wrap_gva_read_str(const struct gva *g, uint64_t addr, char *dst,
			    size_t cap, struct xf_err *err);
ssize_t __wrap_gva_read_str(const struct gva *g, uint64_t addr, char *dst,
			    size_t cap, struct xf_err *err)
{
	const char *s;
	size_t len;

	if (!guest.in || guest.seam == GUEST_MEMFILE)
		return __real_gva_read_str(g, addr, dst, cap, err);
	s = cursor_str(guest.in);
	if (!s)
		return no_more(-EFAULT, err);
	len = strlen(s) + 1;
	watch(addr, len < cap ? len : cap);
	if (len > cap)
		return xf_fail(err, -ENAMETOOLONG, "a long string");
	memcpy(dst, s, len);
	return len - 1;
}
