// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cleanup.h"
#include "cmd.h"
#include "log.h"
#include "opt.h"
#include "vm.h"

static int guest_start(int argc, char **argv, struct xf_err *err)
{
	struct vm_options o = { .name = "demo", .mem = 512 << 20, .cpus = 2 };
	const char *accel = "auto";
	const struct opt opts[] = {
		{ "name", 'n', OPT_STRING, &o.name, "NAME",
		  "call it NAME (default demo)", 0, 0 },
		{ "kernel", 'k', OPT_STRING, &o.kernel, "VMLINUZ",
		  "another kernel than the demo's", 0, 0 },
		{ "initrd", 0, OPT_STRING, &o.initrd, "FILE",
		  "another initramfs than the demo's", 0, 0 },
		{ "append", 0, OPT_STRING, &o.append, "TEXT",
		  "more for the kernel command line", 0, 0 },
		{ "console", 0, OPT_STRING, &o.console, "FILE",
		  "what its kernel says goes there, and stays", 0, 0 },
		{ "accel", 0, OPT_STRING, &accel, "auto|kvm|tcg",
		  "auto tries KVM, then TCG", 0, 0 },
		{ "mem", 'm', OPT_SIZE, &o.mem, "SIZE",
		  "RAM (default 512M)", 128 << 20, 1ULL << 40 },
		{ "cpus", 'c', OPT_NUMBER, &o.cpus, "N",
		  "CPUs (default 2)", 1, 255 },
		{ "dirty", 0, OPT_FLAG, &o.dirty, NULL,
		  "so that 'xftrace on --dirty' works", 0, 0 },
		{ 0 }
	};
	const struct usage u = {
		"guest start", "", "Start a demo guest in the background.",
		"It boots a small Linux with xftrace's module and some work "
		"to trace.\n", opts
	};
	int n = opt_parse_only(&u, argc, argv, err);
	int rc;

	if (n < 0)
		return n;
	if (!strcmp(accel, "kvm"))
		o.accel = VM_KVM;
	else if (!strcmp(accel, "tcg"))
		o.accel = VM_TCG;
	else if (strcmp(accel, "auto"))
		return xf_fail(err, OPT_MISUSE,
			       "--accel: '%s' is not auto, kvm or tcg", accel);
	if (o.mem % (1 << 20))
		return xf_fail(err, OPT_MISUSE,
			       "--mem: a whole number of megabytes");
	rc = vm_start(&o, err);
	if (!rc)
		xf_info("guest %s is up", o.name);
	return rc;
}

static int guest_stop(int argc, char **argv, struct xf_err *err)
{
	const struct opt opts[] = { { 0 } };
	const struct usage u = {
		"guest stop", "[NAME]",
		"End a demo guest; the only one, if no NAME is given.", NULL,
		opts
	};
	const char *name = NULL;
	int n = opt_parse_nr(&u, argc, argv, 0, 1, "name one guest", err);
	json_t *list = NULL;
	int rc = 0;

	if (n < 0)
		return n;
	if (n) {
		name = argv[0];
	} else {
		rc = vm_list(&list, err);
		if (rc)
			return rc;
		if (json_array_size(list) == 1)
			name = json_string_value(json_object_get(
				json_array_get(list, 0), "name"));
		else
			rc = xf_fail(err, -ENOENT,
				     json_array_size(list) ?
					     "there are several guests: name one" :
					     "there is no guest to stop");
	}
	rc = rc ? rc : vm_stop(name, err);
	if (!rc)
		xf_info("guest %s has ended", name);
	json_decref(list);
	return rc;
}

static int guest_list(int argc, char **argv, struct xf_err *err)
{
	bool json = false;
	const struct opt opts[] = {
		OPT_JSON(json),
		{ 0 }
	};
	const struct usage u = { "guest list", "", "Guests started here.",
				 NULL, opts };
	int n = opt_parse_only(&u, argc, argv, err);
	json_t *list, *v;
	size_t i;
	int rc;

	if (n < 0)
		return n;
	rc = vm_list(&list, err);
	if (rc)
		return rc;
	if (json) {
		opt_print_json(list);
	} else if (!json_array_size(list)) {
		xf_info("no guest was started here ('xftrace guest start')");
	} else {
		printf("%-16s %-8s %-8s %-5s %5s %8s  %s\n", "NAME", "STATE",
		       "PID", "ACCEL", "CPUS", "MEM", "KERNEL");
		json_array_foreach(list, i, v)
			printf("%-16s %-8s %-8d %-5s %5d %7dM  %s\n",
			       json_string_value(json_object_get(v, "name")),
			       json_is_true(json_object_get(v, "running")) ?
				       "running" : "ended",
			       (int)json_integer_value(
				       json_object_get(v, "pid")),
			       json_string_value(json_object_get(v, "accel")),
			       (int)json_integer_value(
				       json_object_get(v, "cpus")),
			       (int)(json_integer_value(
					     json_object_get(v, "mem")) >> 20),
			       json_string_value(
				       json_object_get(v, "kernel")));
	}
	json_decref(list);
	return 0;
}

static int guest_args(int argc, char **argv, struct xf_err *err)
{
	_cleanup_free_ char *tcg = vm_find_part("dirty_tcg.so");
	_cleanup_free_ char *kvm = vm_find_part("dirty_kvm.so");
	uint64_t mem = 2ULL << 30;
	bool dirty = false;
	const struct opt opts[] = {
		{ "mem", 'm', OPT_SIZE, &mem, "SIZE",
		  "RAM of your guest (default 2G)", 1 << 20, 0 },
		{ "dirty", 0, OPT_FLAG, &dirty, NULL,
		  "and its writes ('xftrace on --dirty')", 0, 0 },
		{ 0 }
	};
	const struct usage u = {
		"guest args", "",
		"What makes a virtual machine of your own traceable.", NULL,
		opts
	};
	int n = opt_parse_only(&u, argc, argv, err);

	if (n < 0)
		return n;
	printf("# 1. A private folder for sockets and RAM\n"
	       "\n"
	       "  install -d -m 700 /run/myguest\n"
	       "\n"
	       "# 2. Start QEMU under umask 077 with these options. A RAM file\n"
	       "#    in /dev/shm is as fast as ordinary RAM.\n"
	       "\n"
	       "  -m %" PRIu64 "M -machine q35,memory-backend=ram \\\n"
	       "  -object memory-backend-file,id=ram,size=%" PRIu64
	       "M,share=on,mem-path=/dev/shm/myguest.ram \\\n"
	       "  -qmp unix:/run/myguest/qmp.sock,server=on,wait=off\n"
	       "\n"
	       "#    Without KVM, QEMU's emulator needs two more:\n"
	       "\n"
	       "  -accel tcg,thread=single -cpu max,-cx16\n"
	       "\n"
	       "#    memory-backend-memfd,id=ram,size=%" PRIu64
	       "M,share=on does as well and leaves no\n"
	       "#    file; several backends (-numa node,memdev=...) are fine.\n"
	       "\n",
	       mem >> 20, mem >> 20, mem >> 20);
	if (dirty)
		printf("#    To see what the guest writes: with the emulator\n"
		       "\n"
		       "  -plugin %s,dirty=/run/myguest/dirty\n"
		       "\n"
		       "#    and with KVM, before qemu-system-x86_64:\n"
		       "\n"
		       "  LD_PRELOAD=%s \\\n"
		       "  XFTRACE_DIRTY=/run/myguest/dirty\n"
		       "\n", tcg, kvm);
	printf("# 3. Build the module for the guest's kernel and load it there\n"
	       "\n"
	       "  make guest KDIR=/usr/src/linux-headers-RELEASE\n"
	       "  insmod xftrace.ko        # in the guest, as root\n"
	       "\n"
	       "# 4. Trace. Symbols are found in /boot/vmlinuz-RELEASE of this\n"
	       "#    host or in guest RAM; --symbols FILE is better.\n"
	       "\n"
	       "  xftrace on%s --qmp /run/myguest/qmp.sock sys_open\n"
	       "  xftrace off\n", dirty ? " --dirty" : "");
	return 0;
}

int cmd_guest(int argc, char **argv, struct xf_err *err)
{
	static const struct sub subs[] = {
		{ "start", guest_start, "start a demo guest in the background" },
		{ "list", guest_list, "list them" },
		{ "stop", guest_stop, "end one" },
		{ "args", guest_args,
		  "make a virtual machine of your own traceable" },
		{ 0 }
	};

	return opt_sub("guest", "Demo guests, and how to prepare your own.",
		       subs, argc, argv, err);
}
