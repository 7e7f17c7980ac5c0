// SPDX-License-Identifier: GPL-2.0-only
#include <stdio.h>

#include "cleanup.h"
#include "cmd.h"
#include "finding.h"
#include "image.h"
#include "log.h"
#include "opt.h"
#include "target_btf.h"

static int check_live(const struct target *t, struct findings *f,
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

static void print(const struct findings *f)
{
	for (size_t i = 0; i < f->nr; i++)
		{printf("%s: %s\n", rules[f->v[i].rule].name, f->v[i].text);
json_dumpf(f->v[i].evidence, stdout, 0);puts("");}
}

int cmd_check(int argc, char **argv, struct xf_err *err)
{
	_cleanup_(findings_deinit) struct findings found = FINDINGS_INIT;
	_cleanup_(target_detach) struct target t = TARGET_INIT;
	struct target_options where = { 0 };
	bool live = false;
	const struct opt opts[] = {
		{ "live", 'l', OPT_FLAG, &live, NULL,
		  "the memory of a running guest", 0, 0 },
		{ "guest", 'g', OPT_STRING, &where.guest, "NAME",
		  "of a running guest of 'xftrace guest start'", 0, 0 },
		{ "qmp", 0, OPT_STRING, &where.qmp, "SOCKET",
		  "of the guest behind this QMP socket", 0, 0 },
		{ "pid", 0, OPT_NUMBER, &where.pid, "PID",
		  "of the guest of this QEMU process", 1, INT32_MAX },
		{ "symbols", 0, OPT_STRING, &where.symbols, "FILE",
		  "vmlinuz, vmlinux or System.map of its kernel", 0, 0 },
		{ "allow-open-ram", 0, OPT_FLAG, &where.allow_open_ram, NULL,
		  "take a RAM file that others can read", 0, 0 },
		{ 0 }
	};
	const struct usage u = {
		"check", "", "Look for what bends the guest's kernel.",
		"Exits with 0: nothing found; 1: something is wrong; 2: could "
		"not tell.\n", opts
	};
	int n = opt_parse_only(&u, argc, argv, err);
	int rc;

	if (n < 0)
		return n;
	if (!live)
		return xf_fail(err, OPT_MISUSE, "say --live");
	rc = target_attach(&t, &where, err);
	rc = rc ? rc : target_find_kernel(&t, false, err);
	rc = rc ? rc : check_live(&t, &found, err);
	if (rc) {
		xf_error("%s", err->msg);
		return VERDICT_UNKNOWN;
	}
	print(&found);
	return findings_verdict(&found);
}
