// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdio.h>

#include "cleanup.h"
#include "cmd.h"
#include "confine.h"
#include "io.h"
#include "opt.h"
#include "target.h"

static int from_guest(const struct target_options *where, const char *output,
		      struct buf *out, struct xf_err *err)
{
	_cleanup_(target_detach) struct target t = TARGET_INIT;
	int rc;

	rc = target_attach(&t, where, err);
	rc = rc ? rc : confine(&(struct confine){
				       .target = &t,
				       .output = { output },
			       }, err);
	rc = rc ? rc : target_find_kernel(&t, false, err);
	if (rc)
		return rc;
	/* Without our module nobody tells where modules' symbols are. */
	if (!target_find_module(&t, 500, NULL))
		target_add_modules(&t);
	symtab_write_map(t.symbols, out);
	/* Modules that could not be read are left out; all of them, no. */
	return memfile_check(&t.mf, err);
}

static int from_file(const char *path, const char *output, struct buf *out,
		     struct xf_err *err)
{
	_cleanup_(symtab_destroyp) struct symtab *st = NULL;
	int rc = confine(&(struct confine){ .output = { output } }, err);

	rc = rc ? rc : symtab_open(path, &st, err);
	if (!rc)
		symtab_write_map(st, out);
	return rc;
}

int cmd_symbols(int argc, char **argv, struct xf_err *err)
{
	_cleanup_(buf_deinit) struct buf out = BUF_INIT;
	struct target_options where = { 0 };
	const char *output = NULL;
	const struct opt opts[] = {
		{ "guest", 'g', OPT_STRING, &where.guest, "NAME",
		  "of a running guest of 'xftrace guest start'", 0, 0 },
		{ "qmp", 0, OPT_STRING, &where.qmp, "SOCKET",
		  "of the guest behind this QMP socket", 0, 0 },
		{ "pid", 0, OPT_NUMBER, &where.pid, "PID",
		  "of the guest of this QEMU process", 1, INT32_MAX },
		{ "allow-open-ram", 0, OPT_FLAG, &where.allow_open_ram, NULL,
		  "take a RAM file that others can read", 0, 0 },
		{ "output", 'o', OPT_STRING, &output, "FILE",
		  "write FILE instead of stdout", 0, 0 },
		{ 0 }
	};
	const struct usage u = {
		"symbols", "[FILE]",
		"Print a System.map of a vmlinuz, a vmlinux or a running guest.",
		"Without FILE it is that of a guest: the one that runs, or the "
		"one named.\nAddresses of a guest are those of the moment "
		"(KASLR); modules are included.\n",
		opts
	};
	int n = opt_parse(&u, argc, argv, err);
	int rc;

	if (n < 0)
		return n;
	if (n > 1 || (n && (where.guest || where.qmp || where.pid)))
		return xf_fail(err, OPT_MISUSE, "name one file or one guest");
	rc = n ? from_file(argv[0], output, &out, err) :
		 from_guest(&where, output, &out, err);
	if (rc)
		return rc;
	if (output)
		return io_replace_file(output, out.data, out.len, 0666, err);
	fwrite(out.data, 1, out.len, stdout);
	return 0;
}
