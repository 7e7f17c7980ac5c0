// SPDX-License-Identifier: GPL-2.0-only
#include "memcore.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cleanup.h"
#include "io.h"

#define PAGE	     4096u
#define MAX_SEGMENTS 4096u
#define OPEN_FLAGS   (O_RDONLY | O_CLOEXEC | O_NONBLOCK)
#define PIECE	     (64u << 10) /* bytes copied at a time */

struct core {
	const char *path;	/* borrowed */
	uint64_t len;		/* bytes of the file */
	int fd;
};

bool memcore_is(const char *path)
{
	_cleanup_close_ int fd = open(path, OPEN_FLAGS);
	char magic[SELFMAG];

	return fd >= 0 && read(fd, magic, SELFMAG) == SELFMAG &&
	       !memcmp(magic, ELFMAG, SELFMAG);
}

static int read_at(const struct core *c, uint64_t off, void *dst, size_t len,
		   struct xf_err *err)
{
	uint8_t *p = dst;

	while (len) {
		ssize_t n = pread(c->fd, p, len, off);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return xf_fail_errno(err, "%s", c->path);
		if (!n)
			return xf_fail(err, -EBADMSG, "%s: cut short", c->path);
		p += n;
		off += n;
		len -= n;
	}
	return 0;
}

/* The file's header; the program headers lie in the file. */
static int find_headers(const struct core *c, Elf64_Ehdr *h, struct xf_err *err)
{
	int rc = read_at(c, 0, h, sizeof(*h), err);

	if (rc)
		return rc;
	if (h->e_ident[EI_CLASS] != ELFCLASS64 ||
	    h->e_ident[EI_DATA] != ELFDATA2LSB || h->e_machine != EM_X86_64 ||
	    h->e_type != ET_CORE)
		return xf_fail(err, -ENOEXEC, "%s: no core of an x86-64 guest",
			       c->path);
	if (h->e_phentsize != sizeof(Elf64_Phdr) || h->e_phnum > MAX_SEGMENTS ||
	    h->e_phoff > c->len ||
	    h->e_phnum * sizeof(Elf64_Phdr) > c->len - h->e_phoff)
		return xf_fail(err, -EBADMSG, "%s: its headers make no sense",
			       c->path);
	return 0;
}

static bool is_zero(const uint8_t *page)
{
	return !page[0] && !memcmp(page, page + 1, PAGE - 1);
}

/* The file of zeros gets those pages that are not. */
static int put_pages(const uint8_t *from, uint64_t len, int fd, uint64_t off,
		     struct xf_err *err)
{
	for (uint64_t at = 0; at < len; at += PAGE)
		if (!is_zero(from + at) &&
		    pwrite(fd, from + at, PAGE, off + at) != PAGE)
			return xf_fail(err, errno ? -errno : -EIO,
				       "a temporary file: %s",
				       strerror(errno ?: EIO));
	return 0;
}

static int copy_segment(const struct core *c, uint64_t from, uint64_t len,
			int fd, uint64_t off, struct xf_err *err)
{
	uint8_t piece[PIECE];
	int rc = 0;

	for (uint64_t at = 0; !rc && at < len; at += PIECE) {
		size_t n = len - at < PIECE ? len - at : PIECE;

		rc = read_at(c, from + at, piece, n, err);
		rc = rc ? rc : put_pages(piece, n, fd, off + at, err);
	}
	return rc;
}

/* In whole pages; all segments together are no more than the file has. */
static bool fits(const struct core *c, const Elf64_Phdr *p, uint64_t len,
		 uint64_t off)
{
	return p->p_paddr % PAGE == 0 && p->p_paddr <= UINT64_MAX - len &&
	       p->p_offset <= c->len && len <= c->len - p->p_offset &&
	       off <= c->len - len;
}

static int add_segment(struct memslots *ms, const struct core *c,
		       const Elf64_Phdr *p, uint64_t *off, struct xf_err *err)
{
	uint64_t len = p->p_filesz & ~(uint64_t)(PAGE - 1);
	int rc;

	if (p->p_type != PT_LOAD || !len)
		return 0;
	if (!fits(c, p, len, *off))
		return xf_fail(err, -EBADMSG,
			       "%s: a segment lies outside of the file",
			       c->path);
	rc = copy_segment(c, p->p_offset, len, ms->file[0].fd, *off, err);
	if (rc)
		return rc;
	ms->slot[ms->nr++] = (struct memslot){
		.gpa = p->p_paddr, .len = len, .off = *off
	};
	*off += len;
	return ftruncate(ms->file[0].fd, *off) ?
		       xf_fail_errno(err, "a temporary file") : 0;
}

static int by_gpa(const void *a, const void *b)
{
	const struct memslot *x = a, *y = b;

	return x->gpa < y->gpa ? -1 : x->gpa > y->gpa;
}

static int add_segments(struct memslots *ms, const struct core *c,
			struct xf_err *err)
{
	Elf64_Ehdr h;
	uint64_t off = 0;
	int rc = find_headers(c, &h, err);

	if (rc)
		return rc;
	ms->slot = calloc(h.e_phnum + 1, sizeof(*ms->slot));
	if (!ms->slot)
		abort();
	for (uint32_t i = 0; !rc && i < h.e_phnum; i++) {
		Elf64_Phdr p;

		rc = read_at(c, h.e_phoff + i * sizeof(p), &p, sizeof(p), err);
		rc = rc ? rc : add_segment(ms, c, &p, &off, err);
	}
	if (rc)
		return rc;
	if (!ms->nr)
		return xf_fail(err, -EBADMSG, "%s: has no memory", c->path);
	qsort(ms->slot, ms->nr, sizeof(*ms->slot), by_gpa);
	for (size_t i = 1; i < ms->nr; i++)
		if (ms->slot[i].gpa - ms->slot[i - 1].gpa < ms->slot[i - 1].len)
			return xf_fail(err, -EBADMSG,
				       "%s: has memory at 0x%" PRIx64 " twice",
				       c->path, ms->slot[i].gpa);
	return 0;
}

/* The file that the memory is copied into, which has no name. */
static int add_file(struct memslots *ms, const char *path, struct xf_err *err)
{
	int fd = io_open_unnamed(NULL, err);
	struct stat st;

	if (fd < 0)
		return fd;
	ms->file = calloc(1, sizeof(*ms->file));
	if (!ms->file)
		abort();
	ms->file[0] = (struct memslot_file){ .fd = fd, .name = strdup(path) };
	ms->nr_files = 1;
	if (fstat(fd, &st))
		return xf_fail_errno(err, "a temporary file");
	ms->file[0].dev = st.st_dev;
	ms->file[0].ino = st.st_ino;
	return 0;
}

int memcore_read(struct memslots *ms, int fd, const char *path,
		 struct xf_err *err)
{
	struct core c = { .path = path, .fd = fd };
	struct stat st;
	int rc;

	*ms = (struct memslots)MEMSLOTS_INIT;
	if (fstat(fd, &st))
		return xf_fail_errno(err, "%s", path);
	c.len = st.st_size;
	rc = add_file(ms, path, err);
	rc = rc ? rc : add_segments(ms, &c, err);
	if (rc)
		memslots_deinit(ms);
	return rc;
}

/* The rules for guest memory are those for it in a core, too. */
int memcore_slots(struct memslots *ms, const char *path,
		  enum memfile_flags flags, struct xf_err *err)
{
	_cleanup_close_ int fd = open(path, OPEN_FLAGS | O_NOFOLLOW);
	struct stat st;
	int rc;

	*ms = (struct memslots)MEMSLOTS_INIT;
	if (fd < 0 || fstat(fd, &st))
		return xf_fail_errno(err, "%s", path);
	rc = memfile_check_access(path, &st, flags, err);
	return rc ? rc : memcore_read(ms, fd, path, err);
}
