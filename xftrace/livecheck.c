// SPDX-License-Identifier: GPL-2.0-only
#include "livecheck.h"

#include <inttypes.h>
#include <stdio.h>
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

/*
 * The hooks of its functions, seen from outside: the kernel calls ftrace there
 * as long as somebody traces them. Only a guest that says that it is tracing
 * has hooks, and it may have been asked to stop while we looked.
 */
static bool is_tracing(const struct recorder *r)
{
	json_t *status = NULL;
	const char *state;
	bool tracing;

	if (recorder_ask(r, "status\n", NULL, NULL, &status, NULL))
		return false;
	state = json_string_value(json_object_get(status, "state"));
	tracing = state && !strcmp(state, "tracing");
	json_decref(status);
	return tracing;
}

static void check_site(struct findings *f, const struct gva *space,
		       uint64_t site, const char *name)
{
	static const uint8_t nop[5] = { 0x0f, 0x1f, 0x44, 0x00, 0x00 };
	char address[20];
	uint8_t code[5];

	if (gva_read(space, site, code, sizeof(code), NULL) ||
	    memcmp(code, nop, sizeof(nop)))
		return;
	snprintf(address, sizeof(address), "0x%" PRIx64, site);
	findings_add(f, RULE_SILENCE,
		     json_pack("{s:s, s:s, s:s, s:s}", "symbol", name,
			       "address", address, "bytes", "0f1f440000",
			       "expected", "a call"),
		     "%s is traced, but its hook was taken out of its code",
		     name);
}

static void check_sites(struct checking *c, struct target *t,
			const struct recorder *r)
{
	const json_t *names = json_object_get(r->info, "functions");
	const struct gva space = vmcoreinfo_space(&t->kernel, &t->mf);
	_cleanup_(findings_deinit) struct findings found = FINDINGS_INIT;
	const json_t *name;
	size_t i;

	json_array_foreach(names, i, name) {
		char *one = (char *)json_string_value(name);
		struct target_sites s = { 0 };

		if (!one || target_find_sites(t, &one, 1, &s, NULL) < 0)
			continue;
		for (size_t n = 0; n < s.nr; n++)
			check_site(&found, &space, s.site[n],
				   s.functions.syms[n].name);
		target_sites_deinit(&s);
	}
	if (found.nr && is_tracing(r))
		findings_move(&c->findings, &found);
}

/* What its recording has so far, and whether that is still being made. */
static void check_recording(struct checking *c, struct target *t)
{
	_cleanup_(recorder_deinit) struct recorder r = { 0 };
	const char *store = c->store;

	if (recorder_find(&r, t->id, NULL) || !r.alive || !r.trace)
		return;
	if (t->symbols && is_tracing(&r))
		check_sites(c, t, &r);
	c->store = r.store;
	checking_trace(c, r.trace);
	c->store = store;
}

void livecheck_memory(struct checking *c, struct target *t)
{
	struct xf_err why;
	int rc = target_find_kernel(t, false, &why);

	if (!rc) {
		describe(c, t);
		rc = check_memory(t, &c->findings, &why);
	}
	if (rc)
		checking_cannot(c, &why);
}

void livecheck_run(struct checking *c, struct target *t)
{
	livecheck_memory(c, t);
	check_recording(c, t);
	free(c->subject);
	c->subject = strdup(t->id);
	if (!c->subject)
		abort();
}
