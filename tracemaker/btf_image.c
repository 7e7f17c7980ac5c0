// SPDX-License-Identifier: GPL-2.0-only
#include "btf.h"

#include <errno.h>
#include <fcntl.h>
#include <gelf.h>
#include <libelf.h>
#include <stdbool.h>

#include "cleanup.h"
#include "io.h"
#include "vmlinuz.h"

static void elf_endp(Elf **elf)
{
	elf_end(*elf);
}

static bool has_build_id(Elf_Data *notes, const void *id, size_t id_len)
{
	size_t at = 0, name, desc;
	GElf_Nhdr note;

	while ((at = gelf_getnote(notes, at, &note, &name, &desc))) {
		const char *bytes = notes->d_buf;

		if (note.n_type == NT_GNU_BUILD_ID && note.n_namesz == 4 &&
		    !memcmp(bytes + name, "GNU", 4) &&
		    note.n_descsz == id_len &&
		    !memcmp(bytes + desc, id, id_len))
			return true;
	}
	return false;
}

static int from_elf(Elf *elf, const void *build_id, size_t build_id_len,
		    struct buf *ret_blob, struct xf_err *err)
{
	Elf_Data *data, *blob = NULL;
	Elf_Scn *section = NULL;
	bool same = false;
	size_t names;

	if (elf_getshdrstrndx(elf, &names))
		return xf_fail(err, -ENODATA, "no sections in it");
	while ((section = elf_nextscn(elf, section))) {
		const char *name;
		GElf_Shdr sh;

		if (!gelf_getshdr(section, &sh))
			continue;
		name = elf_strptr(elf, names, sh.sh_name);
		if (sh.sh_type == SHT_NOTE) {
			data = elf_getdata(section, NULL);
			same |= data &&
				has_build_id(data, build_id, build_id_len);
		} else if (name && !strcmp(name, ".BTF")) {
			blob = elf_rawdata(section, NULL);
		}
	}
	if (!same)
		return xf_fail(err, -ENOEXEC, "the build ids differ");
	/* A section may have a size and no bytes. */
	if (!blob || !blob->d_buf || !blob->d_size || blob->d_size > BTF_MAX)
		return xf_fail(err, -ENODATA, "no BTF in it");
	buf_add(ret_blob, blob->d_buf, blob->d_size);
	return 0;
}

int btf_load_elf(const void *image, size_t len, const void *build_id,
		 size_t build_id_len, struct buf *ret_blob, struct xf_err *err)
{
	_cleanup_(elf_endp) Elf *elf = NULL;

	elf_version(EV_CURRENT);
	/* Not written to: only other byte orders are converted in place. */
	elf = elf_memory((char *)image, len);
	return from_elf(elf, build_id, build_id_len, ret_blob, err);
}

int btf_load_image(const char *path, const void *build_id, size_t build_id_len,
		   struct buf *ret_blob, struct xf_err *err)
{
	_cleanup_(buf_deinit) struct buf unpacked = BUF_INIT;
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	_cleanup_(elf_endp) Elf *elf = NULL;
	int rc;

	if (fd < 0)
		return xf_fail_errno(err, "%s", path);
	elf_version(EV_CURRENT);
	/* With debug information it is large, and little of it is read. */
	elf = elf_begin(fd, ELF_C_READ_MMAP, NULL);
	if (elf_kind(elf) == ELF_K_ELF) {
		rc = from_elf(elf, build_id, build_id_len, ret_blob, err);
	} else {
		rc = vmlinuz_read(path, &unpacked, err);
		if (rc)
			return rc;
		rc = btf_load_elf(unpacked.data, unpacked.len, build_id,
				  build_id_len, ret_blob, err);
	}
	return rc ? xf_prefix(err, rc, "%s", path) : 0;
}
