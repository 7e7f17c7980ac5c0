// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "cleanup.h"
#include "cmd.h"
#include "confine.h"
#include "json.h"
#include "opt.h"
#include "target_events.h"

static void print_text(const struct target_events *e, struct buf *out)
{
	for (size_t i = 0; i < e->nr; i++) {
		const struct target_event *event = &e->event[i];

		if (event->format)
			buf_printf(out, "%ssystem: %s\n%s", i ? "\n" : "",
				   event->system, event->format);
		else
			buf_printf(out, "%5u  %s:%s\n", event->id,
				   event->system, event->name);
	}
}

static void print_json(const struct target_events *e, struct buf *out)
{
	struct json j = { .out = out };

	json_begin(&j, NULL, '[');
	for (size_t i = 0; i < e->nr; i++) {
		json_begin(&j, NULL, '{');
		json_str(&j, "system", e->event[i].system);
		json_str(&j, "name", e->event[i].name);
		json_u64(&j, "id", e->event[i].id);
		if (e->event[i].format)
			json_str(&j, "format", e->event[i].format);
		json_end(&j, '}');
	}
	json_end(&j, ']');
	buf_putc(out, '\n');
}

int cmd_events(int argc, char **argv, struct xf_err *err)
{
	_cleanup_(target_events_deinit) struct target_events events =
		TARGET_EVENTS_INIT;
	_cleanup_(target_detach) struct target t = TARGET_INIT;
	_cleanup_(buf_deinit) struct buf out = BUF_INIT;
	struct target_options where = { 0 };
	bool all = false, format = false, json = false;
	char *any[] = { (char *)"all" };
	const struct opt opts[] = {
		{ "all", 'a', OPT_FLAG, &all, NULL,
		  "also what cannot be traced as an event (ftrace:*)", 0, 0 },
		{ "format", 'f', OPT_FLAG, &format, NULL,
		  "print descriptions, as the guest would", 0, 0 },
		OPT_JSON(json),
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
		"events", "[EVENT]...",
		"List the trace events that a guest's kernel has.",
		"EVENT is SYSTEM:NAME, SYSTEM or NAME; globs are fine. Without "
		"any, all are\nlisted. The guest needs no module for that, and "
		"does not notice.\n",
		opts
	};
	int n = opt_parse(&u, argc, argv, err);
	unsigned int flags;
	int rc;

	if (n < 0)
		return n;
	flags = (all ? TARGET_EVENTS_INTERNAL : 0) |
		(format ? 0 : TARGET_EVENTS_NO_FORMAT);
	rc = target_attach(&t, &where, err);
	rc = rc ? rc : confine(&(struct confine){ 0 }, err);
	rc = rc ? rc : target_find_kernel(&t, false, err);
	rc = rc ? rc : target_find_events(&t, n ? argv : any, n ? n : 1, flags,
					  &events, err);
	if (rc)
		return rc;
	if (json)
		print_json(&events, &out);
	else
		print_text(&events, &out);
	fwrite(out.data, 1, out.len, stdout);
	return 0;
}
