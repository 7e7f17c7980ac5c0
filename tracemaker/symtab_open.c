// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "cleanup.h"
#include "io.h"
#include "sigbus.h"
#include "symtab.h"
#include "vmlinuz.h"

#define MAP_TEXT_MAX (256u << 20) /* bytes; SYMTAB_MAX lines need less */

struct mapping {
	struct sigbus_map at; /* .addr NULL: nothing mapped */
	size_t len;
	int fd;
};

static void mapping_deinit(struct mapping *m)
{
	sigbus_unmap_file(&m->at);
	xf_closep(&m->fd);
}

/*
 * A vmlinux with debug information is half a gigabyte, of which little is
 * read: map it. Files that have no size, such as those in /proc, stay unmapped.
 */
static int map_file(const char *path, struct mapping *m, struct xf_err *err)
{
	struct stat stat;
	int rc;

	m->fd = open(path, O_RDONLY | O_CLOEXEC);
	if (m->fd < 0 || fstat(m->fd, &stat))
		return xf_fail_errno(err, "%s", path);
	if (!S_ISREG(stat.st_mode) || !stat.st_size)
		return 0;
	m->len = stat.st_size;
	rc = sigbus_map_file(&m->at, m->fd, m->len);
	return rc ? xf_fail(err, rc, "%s: %s", path, strerror(-rc)) : 0;
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
	_cleanup_(mapping_deinit) struct mapping file = { .fd = -1 };
	_cleanup_(buf_deinit) struct buf text = BUF_INIT;
	const char *data;
	size_t len;
	int rc = map_file(path, &file, err);

	if (rc)
		return rc;
	data = (const char *)file.at.addr;
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
	if (sigbus_faults(&file.at))
		rc = xf_fail(err, -EIO, "was cut short while it was read");
	if (rc)
		return xf_prefix(err, rc, "%s", path);
	*ret = xf_take(st);
	return 0;
}
