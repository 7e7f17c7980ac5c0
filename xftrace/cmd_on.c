// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "cmd.h"
#include "confine.h"
#include "dirty.h"
#include "log.h"
#include "opt.h"
#include "recorder.h"
#include "state.h"
#include "target.h"
#include "traces.h"

#define QMP_MS 5000

static int check_id(const struct target *t, struct xf_err *err)
{
	if (state_name_ok(t->id))
		return 0;
	return xf_fail(err, -EINVAL, "'%s' is no name of a guest", t->id);
}

/* Where the trace goes: an absolute path, and a name that is not taken. */
static int choose_trace(const char *path, const char *name, const char *guest,
			char **ret_path, char ret_name[LAYOUT_NAME + 1],
			struct xf_err *err)
{
	struct catalog_entry e;
	struct store st;
	int rc = name ? catalog_check_name(name, err) : 0;

	rc = rc ? rc : traces_open(&st, path, TRACES_ADD, err);
	if (rc)
		return rc;
	if (!name)
		traces_new_name(&st, guest, ret_name);
	else if (!catalog_find(&st, name, &e, NULL))
		rc = xf_fail(err, -EEXIST, "there is a trace '%s' already",
			     name);
	else
		strcpy(ret_name, name);
	*ret_path = realpath(st.m.path, NULL);
	store_close(&st);
	return rc;
}

/* The recorder, which is made of this process, gives up more. */
static int confine_us(const struct target *t, const char *store, bool host,
		      struct xf_err *err)
{
	_cleanup_free_ char *path = NULL;
	int rc = traces_path(store, &path, err);

	return rc ? rc : confine(&(struct confine){
					 .target = t,
					 .output = { path },
					 .state = true,
					 .host = host,
				 }, err);
}

/* @interval is between two keys of xor; 0: nobody said. */
static int check_mask(const char *name, uint64_t *interval, bool *ret_sealed,
		      struct xf_err *err)
{
	*ret_sealed = !strcmp(name, "sealed");
	if (!*ret_sealed && strcmp(name, "xor"))
		return xf_fail(err, OPT_MISUSE,
			       "--mask: there is no '%s', but sealed and xor",
			       name);
	if (*ret_sealed && *interval)
		return xf_fail(err, OPT_MISUSE,
			       "--key-interval is for --mask=xor: sealed "
			       "records have keys of their own");
	if (!*interval)
		*interval = 1000000000;
	return 0;
}

/* "--dirty" and "--dirty=MODE": the best source there is must be able to. */
static int open_dirty(const char *text, const struct target *t,
		      struct dirty *d, struct dirtytrace_wish *wish,
		      struct xf_err *err)
{
	enum xftd_mode mode = XFTD_ALL;
	int rc;

	if (!text)
		return 0;
	while (*text && mode && strcmp(text, dirtytrace_mode_name(mode)))
		mode--;
	if (!mode)
		return xf_fail(err, OPT_MISUSE,
			       "--dirty: '%s' is not first, calls or all",
			       text);
	rc = dirty_open(d, t->pid, err);
	rc = rc ? rc : dirtytrace_learn_slots(d, t, QMP_MS, err);
	if (rc)
		return xf_prefix(err, rc, "--dirty");
	if (!*text)
		mode = d->modes >> XFTD_CALLS & 1 ? XFTD_CALLS : XFTD_FIRST;
	if (!(d->modes >> mode & 1))
		return xf_fail(err, -EOPNOTSUPP,
			       "--dirty=%s: the source, %s, cannot tell that: "
			       "use --dirty=first", dirtytrace_mode_name(mode),
			       d->name);
	xf_info("dirty pages: %s, %s, mode %s", d->name,
		dirty_is_exact(d->kind) ? "exact" : "harvested",
		dirtytrace_mode_name(mode));
	wish->source = d;
	wish->mode = mode;
	return 0;
}

int cmd_on(int argc, char **argv, struct xf_err *err)
{
	_cleanup_(target_detach) struct target t = TARGET_INIT;
	struct target_options where = { 0 };
	_cleanup_(opt_list_deinit) struct opt_list events = { 0 };
	_cleanup_(opt_list_deinit) struct opt_list host_events = { 0 };
	uint64_t depth = 0, ring = 4 << 20, interval = 0;
	uint64_t string_max = 128, commit = 10000000;
	bool keep_stock = false, no_args = false, sealed;
	const char *mask = "sealed";
	_cleanup_(dirty_close) struct dirty dirty = DIRTY_INIT;
	struct dirtytrace_wish wish = { .interval_ns = 100000000 };
	const char *dirty_mode = NULL;
	const char *store = NULL, *name = NULL;
	_cleanup_free_ char *path = NULL;
	char trace[LAYOUT_NAME + 1];
	const struct opt opts[] = {
		{ "name", 'n', OPT_STRING, &name, "TRACE",
		  "call the trace TRACE (default GUEST-1, -2...)", 0, 0 },
		TRACES_STORE(store),
		{ "event", 'e', OPT_LIST, &events, "EVENT",
		  "record this trace event (may be repeated)", 0, 0 },
		{ "host", 0, OPT_LIST, &host_events, "PATTERN",
		  "and these of the host, of the vCPUs (kvm:*)", 0, 0 },
		{ "dirty", 0, OPT_OPTIONAL, &dirty_mode, "MODE",
		  "and the pages that it writes (first, calls, all)", 0, 0 },
		{ "dirty-interval", 0, OPT_DURATION, &wish.interval_ns, "TIME",
		  "harvest them this often (default 100ms)", 1000000,
		  600000000000 },
		{ "guest", 'g', OPT_STRING, &where.guest, "NAME",
		  "a guest of 'xftrace guest start'", 0, 0 },
		{ "qmp", 0, OPT_STRING, &where.qmp, "SOCKET",
		  "the guest behind this QMP socket", 0, 0 },
		{ "pid", 0, OPT_NUMBER, &where.pid, "PID",
		  "the guest of this QEMU process", 1, INT32_MAX },
		{ "symbols", 's', OPT_STRING, &where.symbols, "FILE",
		  "System.map, vmlinux or vmlinuz of the guest", 0, 0 },
		{ "depth", 'd', OPT_NUMBER, &depth, "N",
		  "leave out calls nested deeper than N", 1, 255 },
		{ "no-args", 0, OPT_FLAG, &no_args, NULL,
		  "leave out arguments and results of system calls", 0, 0 },
		{ "string-size", 0, OPT_SIZE, &string_max, "SIZE",
		  "bytes kept of a string argument (default 128)", 0,
		  XFT_STRING_MAX },
		{ "keep-stock", 0, OPT_FLAG, &keep_stock, NULL,
		  "leave a readable copy of events in the guest", 0, 0 },
		{ "mask", 0, OPT_STRING, &mask, "sealed|xor",
		  "how records are protected (default sealed)", 0, 0 },
		{ "key-interval", 0, OPT_DURATION, &interval, "TIME",
		  "with xor, a new key this often (default 1s)", 10000000,
		  600000000000 },
		{ "commit", 0, OPT_DURATION, &commit, "TIME",
		  "commit what was read this often (default 10ms)",
		  1000000, 10000000000 },
		{ "ring-size", 0, OPT_SIZE, &ring, "SIZE",
		  "ring of each CPU in guest RAM (default 4M)", 16 << 10,
		  1ULL << 30 },
		{ "allow-open-ram", 0, OPT_FLAG, &where.allow_open_ram, NULL,
		  "take a RAM file that others can read", 0, 0 },
		{ 0 }
	};
	const struct usage u = {
		"on", "[FUNCTION...]",
		"Start tracing: calls of these functions and all that they "
		"call, and events.",
		"FUNCTION is a kernel function (vfs_read), a system call "
		"(sys_open), a function\nof a module (e1000:e1000_open), a "
		"pattern ('vfs_*') or an address (0x...).\nEVENT is system:event "
		"as in tracefs, each a pattern (syscalls:*), or a system\nor an "
		"event alone; 'xftrace events' lists them.\nReturns once the "
		"guest is tracing; 'xftrace off' ends it.\n",
		opts
	};
	struct recording_spec spec;
	int n = opt_parse(&u, argc, argv, err);
	int rc;

	if (n < 0)
		return n;
	if (!n && !events.nr)
		return xf_fail(err, OPT_MISUSE,
			       "name at least one function or event to trace");
	rc = check_mask(mask, &interval, &sealed, err);
	rc = rc ? rc : target_attach(&t, &where, err);
	rc = rc ? rc : check_id(&t, err);
	rc = rc ? rc : open_dirty(dirty_mode, &t, &dirty, &wish, err);
	rc = rc ? rc : confine_us(&t, store, host_events.nr, err);
	rc = rc ? rc : target_find_module(&t, 3000, err);
	rc = rc ? rc : target_find_kernel(&t, false, err);
	rc = rc ? rc : choose_trace(store, name, t.id, &path, trace, err);
	if (rc)
		return rc;
	spec = (struct recording_spec){
		.names = argv,
		.nr_names = n,
		.events = events.item,
		.nr_events = events.nr,
		.host_events = host_events.item,
		.nr_host_events = host_events.nr,
		.dirty = wish,
		.keep_stock = keep_stock,
		.no_args = no_args,
		.max_depth = depth,
		.string_max = (string_max + 7) / 8 * 8,
		.ring_size = ring,
		.sealed = sealed,
		.key_interval_ns = interval,
		.commit_ns = commit,
		.guest = t.id,
		.store = path,
		.trace = trace,
	};
	rc = recorder_start(&t, &spec, err);
	if (rc)
		return rc;
	xf_info("guest %s (%s) is being traced as %s; 'xftrace off' ends it",
		t.id, t.kernel.osrelease, trace);
	return 0;
}
