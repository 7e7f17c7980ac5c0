// SPDX-License-Identifier: GPL-2.0-only
#include "target_btf.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "log.h"

/* From the files that target.c looks for symbols in, in the same order. */
static int from_host(const struct target *t, struct buf *ret)
{
	const struct vmcoreinfo *vi = &t->kernel;
	_cleanup_free_ char *boot = NULL;
	const char *paths[3] = { t->symbols_path, t->kernel_path };
	struct xf_err why;

	if (t->image.len)
		return btf_load_elf(t->image.data, t->image.len, vi->build_id,
				    vi->build_id_len, ret, &why);
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
		if (!btf_load_image(paths[i], vi->build_id, vi->build_id_len,
				    ret, &why))
			return 0;
		xf_debug("%s", why.msg);
	}
	return -ENOENT;
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
	int rc = from_host(t, &blob);

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
