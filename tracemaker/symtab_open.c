// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "io.h"
#include "symtab.h"
#include "vmlinuz.h"

#define MAP_TEXT_MAX (256u << 20) /* bytes; SYMTAB_MAX lines need less */

struct mapping {
	void *data; /* NULL: nothing mapped */
	size_t len;
};

static void mapping_deinit(struct mapping *m)
{
	if (m->data)
		munmap(m->data, m->len);
}

/*
 * A vmlinux with debug information is half a gigabyte, of which little is
 * read: map it. Files that have no size, such as those in /proc, stay unmapped.
 */
static int map_file(const char *path, struct mapping *ret, struct xf_err *err)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat stat;
	void *p;

	if (fd < 0 || fstat(fd, &stat))
		return xf_fail_errno(err, "%s", path);
	if (!S_ISREG(stat.st_mode) || !stat.st_size)
		return 0;
	p = mmap(NULL, stat.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (p == MAP_FAILED)
		return xf_fail_errno(err, "%s", path);
	*ret = (struct mapping){p, stat.st_size};
	return 0;
}

static int load_vmlinuz(struct symtab *st, const void *data, size_t len,
			struct xf_err *err)
{
	_cleanup_(buf_deinit) struct buf elf = BUF_INIT;
	int rc = vmlinuz_unpack(data, len, &elf, err);

	if (!rc)
		rc = symtab_load_elf(st, elf.data, elf.len, err);
	if (!rc)
		st->source = SYMTAB_VMLINUZ;
	return rc;
}

int symtab_open(const char *path, struct symtab **ret, struct xf_err *err)
{
	_cleanup_(symtab_destroyp) struct symtab *st = symtab_create();
	_cleanup_(mapping_deinit) struct mapping file = {0};
	_cleanup_(buf_deinit) struct buf text = BUF_INIT;
	const char *data;
	size_t len;
	int rc = map_file(path, &file, err);

	if (rc)
		return rc;
	data = file.data;
	len = file.len;
	if (!data) {
		rc = io_read_file(path, MAP_TEXT_MAX, &text, err);
		if (rc)
			return rc;
		data = text.data;
		len = text.len;
	}
	if (!len)
		rc = xf_fail(err, -ENODATA, "the file is empty");
	else if (vmlinuz_is(data, len))
		rc = load_vmlinuz(st, data, len, err);
	else if (len >= 4 && !memcmp(data, "\177ELF", 4))
		rc = symtab_load_elf(st, data, len, err);
	else if (memchr(data, 0, len < 4096 ? len : 4096))
		rc = xf_fail(err, -EBADMSG,
			     "neither a kernel image, nor a vmlinux, nor a "
			     "System.map");
	else
		rc = symtab_load_map(st, data, len, err);
	if (rc)
		return xf_prefix(err, rc, "%s", path);
	*ret = xf_take(st);
	return 0;
}
