// SPDX-License-Identifier: GPL-2.0-only
#include "livecheck.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "image.h"
#include "log.h"
#include "recorder.h"
#include "target_btf.h"

static int check_memory(const struct target *t, struct findings *f,
			struct xf_err *err)
{
	_cleanup_(target_btf_close) struct target_btf types = TARGET_BTF_INIT;
	_cleanup_(buf_deinit) struct buf vmlinux = BUF_INIT;
	_cleanup_(kfile_close) struct kfile file = KFILE_INIT;
	struct image_guest g = {
		.space = vmcoreinfo_space(&t->kernel, &t->mf),
		.symbols = t->symbols,
	};
	struct xf_err why;
	int rc = target_btf_open(&types, t, err);

	if (rc)
		return rc;
	g.types = &types.btf;
	rc = target_vmlinux(t, &vmlinux, &why);
	rc = rc ? rc : kfile_open(&file, &vmlinux, t->kernel.kerneloffset,
				  &why);
	if (rc)
		xf_debug("%s", why.msg);
	else
		g.file = &file;
	return image_check(&g, f, err);
}

static void describe(struct checking *c, const struct target *t)
{
	_cleanup_(buf_deinit) struct buf id = BUF_INIT;

	for (size_t i = 0; i < t->kernel.build_id_len; i++)
		buf_printf(&id, "%02x", t->kernel.build_id[i]);
	free(c->release);
	free(c->build_id);
	c->release = strdup(t->kernel.osrelease);
	c->build_id = buf_take(&id);
}

/* What its recording has so far, and whether that is being made at all. */
static void check_recording(struct checking *c, const struct target *t)
{
	_cleanup_(recorder_deinit) struct recorder r = { 0 };
	const char *store = c->store;

	if (recorder_find(&r, t->id, NULL) || !r.alive || !r.trace)
		return;
	c->store = r.store;
	checking_trace(c, r.trace);
	c->store = store;
}

void livecheck_run(struct checking *c, struct target *t)
{
	struct xf_err why;
	int rc = target_find_kernel(t, false, &why);

	if (!rc) {
		describe(c, t);
		rc = check_memory(t, &c->findings, &why);
	}
	if (rc)
		checking_cannot(c, &why);
	check_recording(c, t);
	free(c->subject);
	c->subject = strdup(t->id);
	if (!c->subject)
		abort();
}
