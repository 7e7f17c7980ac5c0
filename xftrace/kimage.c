// SPDX-License-Identifier: GPL-2.0-only
#include "kimage.h"

#include <elf.h>
#include <errno.h>
#include <stdio.h>

#include "cleanup.h"
#include "log.h"
#include "state.h"
#include "vm.h"
#include "vmlinuz.h"

/* The note that holds this build id, as it stands in an ELF file. */
static bool make_note(const char *build_id, struct buf *note)
{
	const Elf64_Nhdr head = { 4, strlen(build_id) / 2, NT_GNU_BUILD_ID };
	unsigned int byte;

	buf_add(note, &head, sizeof(head));
	buf_add(note, "GNU", 4);
	for (; sscanf(build_id, "%2x", &byte) == 1; build_id += 2)
		buf_putc(note, byte);
	return head.n_descsz && note->len == sizeof(head) + 4 + head.n_descsz;
}

static int load(const char *path, const char *build_id, struct buf *ret_elf,
		struct xf_err *err)
{
	_cleanup_(buf_deinit) struct buf elf = BUF_INIT, note = BUF_INIT;
	int rc = vmlinuz_read(path, &elf, err);

	if (rc)
		return rc;
	if (!make_note(build_id, &note) ||
	    !memmem(elf.data, elf.len, note.data, note.len))
		return xf_fail(err, -ENOEXEC, "%s is not the image of the "
			       "kernel with build id %s", path, build_id);
	*ret_elf = elf;
	elf = (struct buf)BUF_INIT;
	return 0;
}

int kimage_load(const char *path, const char *release, const char *build_id,
		struct buf *ret_elf, struct xf_err *err)
{
	_cleanup_free_ char *demo = NULL, *boot = NULL;
	struct xf_err why;

	if (path)
		return load(path, build_id, ret_elf, err);
	/* The guest says which release: it is a part of a path only here. */
	if (!*release || strchr(release, '/'))
		return xf_fail(err, -ENOENT, "no image of the kernel");
	demo = vm_demo_kernel(release);
	if (asprintf(&boot, "/boot/vmlinuz-%s", release) < 0)
		abort();
	for (int i = 0; i < 2; i++) {
		const char *file = i ? boot : demo;

		if (access(file, R_OK))
			continue;
		if (!load(file, build_id, ret_elf, &why))
			return 0;
		xf_debug("%s", why.msg);
	}
	return xf_fail(err, -ENOENT, "the host has no image of kernel %s: name "
		       "it with --kernel", release);
}
