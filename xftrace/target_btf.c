// SPDX-License-Identifier: GPL-2.0-only
#include "target_btf.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "io.h"
#include "log.h"
#include "vmlinuz.h"

/*
 * The files that target.c looks for symbols in, in the same order. @load takes
 * one of them, or fails.
 */
static int from_host(const struct target *t, struct buf *ret,
		     int (*load)(const struct vmcoreinfo *vi, const char *path,
				 struct buf *ret, struct xf_err *err))
{
	const struct vmcoreinfo *vi = &t->kernel;
	_cleanup_free_ char *boot = NULL;
	const char *paths[3] = { t->symbols_path, t->kernel_path };
	struct xf_err why;

	if (t->symbols->source != SYMTAB_ELF &&
	    t->symbols->source != SYMTAB_VMLINUZ)
		return -ENOENT;
	if (asprintf(&boot, "/boot/vmlinuz-%s", vi->osrelease) < 0)
		abort();
	if (!strchr(vi->osrelease, '/'))
		paths[2] = boot;
	for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
		if (!paths[i])
			continue;
		if (!load(vi, paths[i], ret, &why))
			return 0;
		xf_debug("%s", why.msg);
	}
	return -ENOENT;
}

static int load_types(const struct vmcoreinfo *vi, const char *path,
		      struct buf *ret, struct xf_err *err)
{
	return btf_load_image(path, vi->build_id, vi->build_id_len, ret, err);
}

static int load_vmlinux(const struct vmcoreinfo *vi, const char *path,
			struct buf *ret, struct xf_err *err)
{
	_cleanup_(buf_deinit) struct buf types = BUF_INIT, file = BUF_INIT;
	/* It also looks whether this is the kernel. */
	int rc = load_types(vi, path, &types, err);

	rc = rc ? rc : io_read_file(path, VMLINUZ_MAX, &file, err);
	if (rc)
		return rc;
	if (vmlinuz_is(file.data, file.len))
		return vmlinuz_unpack(file.data, file.len, ret, err);
	*ret = file;
	file = (struct buf)BUF_INIT;
	return 0;
}

int target_vmlinux(const struct target *t, struct buf *ret_elf,
		   struct xf_err *err)
{
	int rc = from_host(t, ret_elf, load_vmlinux);

	return rc ? xf_fail(err, rc, "the host has no image of the guest's "
				     "kernel: name it with --symbols") : 0;
}

static int from_guest(const struct target *t, struct buf *blob,
		      struct xf_err *err)
{
	struct gva space = vmcoreinfo_space(&t->kernel, &t->mf);
	uint64_t start, stop;
	int rc = symtab_address(t->symbols, "__start_BTF", &start, NULL);

	rc = rc ? rc : symtab_address(t->symbols, "__stop_BTF", &stop, NULL);
	if (rc)
		return xf_fail(err, -ENOENT,
			       "the guest's kernel does not tell its types: "
			       "it was built without CONFIG_DEBUG_INFO_BTF");
	if (stop <= start || stop - start > BTF_MAX)
		return xf_fail(err, -EBADMSG,
			       "guest RAM: BTF has an impossible size");
	xf_debug("types are read from guest RAM");
	rc = gva_read(&space, start, buf_reserve(blob, stop - start),
		      stop - start, err);
	if (rc)
		return xf_prefix(err, rc, "guest RAM: BTF");
	blob->len = stop - start;
	return 0;
}

int target_btf_open(struct target_btf *tb, const struct target *t,
		    struct xf_err *err)
{
	_cleanup_(buf_deinit) struct buf blob = BUF_INIT;
	struct btf btf = BTF_INIT;
	int rc = from_host(t, &blob, load_types);

	if (rc)
		rc = from_guest(t, &blob, err);
	rc = rc ? rc : btf_open(&btf, blob.data, blob.len, err);
	if (rc)
		return rc;
	*tb = (struct target_btf){ .btf = btf, .blob = blob };
	blob = (struct buf)BUF_INIT;
	return 0;
}

void target_btf_close(struct target_btf *tb)
{
	btf_close(&tb->btf);
	buf_deinit(&tb->blob);
}
