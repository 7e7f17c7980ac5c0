// SPDX-License-Identifier: GPL-2.0-only
/*
 * decode FORMATS NR [TRACE.DAT] -- what decoding an event costs
 *
 * Makes NR records of system calls and of the scheduler, described in FORMATS
 * (tests/data/formats-*.txt), and prints the CPU time for each: with tep, with
 * libtraceevent itself, and, if there is a TRACE.DAT with events of that kind,
 * of 'trace-cmd report' on it. The records are all different.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <traceevent/event-parse.h>

#include "cleanup.h"
#include "event_texts.h"
#include "tep.h"

#define RECORD 96 /* bytes; none of these events is longer */

static const char *const wanted[] = { "sys_enter_openat", "sys_exit_openat",
				      "sys_enter_read",	  "sys_exit_read",
				      "sys_enter_close",  "sys_exit_close",
				      "sched_switch",	  "sched_wakeup" };

static void must(bool ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "decode: %s\n", what);
	exit(1);
}

static double cpu_seconds(int who)
{
	struct rusage u;

	getrusage(who, &u);
	return u.ru_utime.tv_sec + u.ru_utime.tv_usec / 1e6;
}

static void fill(uint8_t *record, const struct tep_type *type, size_t i)
{
	memset(record, 0, RECORD);
	for (uint32_t m = type->nr_common; m < type->nr_members; m++) {
		const struct tep_member *f = &type->members[m];
		uint64_t v = i * 2654435761u >> (m & 7);

		if (f->flags & TEP_STRING)
			snprintf((char *)record + f->off, f->size, "task-%zu",
				 i % 1000);
		else
			memcpy(record + f->off, &v, f->size < 4 ? f->size : 4);
	}
	memcpy(record, &(uint16_t){ type->id }, 2);
}

static size_t report_lines(const char *path)
{
	_cleanup_free_ char *command = NULL;
	size_t lines = 0;
	char line[4096];
	FILE *f;

	must(asprintf(&command, "trace-cmd report -i '%s' 2>/dev/null", path) >
		     0,
	     "out of memory");
	f = popen(command, "r");
	must(f, "popen failed");
	while (fgets(line, sizeof(line), f))
		lines++;
	must(!pclose(f) && lines, "trace-cmd report failed");
	return lines;
}

static double print_all(struct tep *t, const uint8_t *records, size_t nr)
{
	_cleanup_(buf_deinit) struct buf out = BUF_INIT;
	double start = cpu_seconds(RUSAGE_SELF);

	for (size_t i = 0; i < nr; i++) {
		out.len = 0;
		tep_print(t, records + i * RECORD, RECORD, &out);
	}
	return (cpu_seconds(RUSAGE_SELF) - start) / nr * 1e9;
}

static double library_all(struct tep_handle *h, uint8_t *records, size_t nr)
{
	double start = cpu_seconds(RUSAGE_SELF);
	struct trace_seq s;

	trace_seq_init(&s);
	for (size_t i = 0; i < nr; i++) {
		struct tep_record r = { .data = records + i * RECORD,
					.size = RECORD };

		trace_seq_reset(&s);
		tep_print_event(h, &s, &r, "%s", TEP_PRINT_INFO);
	}
	trace_seq_destroy(&s);
	return (cpu_seconds(RUSAGE_SELF) - start) / nr * 1e9;
}

int main(int argc, char **argv)
{
	_cleanup_(tep_destroyp) struct tep *t = tep_create(NULL);
	struct tep_handle *h = tep_alloc();
	const struct tep_type *types[ARRAY_SIZE(wanted)];
	struct event_texts f;
	double ours, theirs;
	size_t nr, nr_types = 0;
	uint8_t *records;

	must(argc >= 3, "usage: decode FORMATS NR [TRACE.DAT]");
	nr = strtoull(argv[2], NULL, 0);
	event_texts_open(&f, argv[1]);
	tep_set_long_size(h, 8);
	for (struct event_text *x = f.all; x < f.all + f.nr; x++) {
		must(!tep_add(t, x->system, x->text, x->len, NULL), x->name);
		tep_parse_event(h, x->text, x->len, x->system);
	}
	for (size_t i = 0; i < ARRAY_SIZE(wanted); i++)
		for (struct event_text *x = f.all; x < f.all + f.nr; x++)
			if (!strcmp(x->name, wanted[i]))
				types[nr_types++] = tep_find(t, x->id);
	records = malloc(nr * RECORD);
	must(records && nr_types == ARRAY_SIZE(wanted), "not all events");
	for (size_t i = 0; i < nr; i++)
		fill(records + i * RECORD, types[i % nr_types], i);

	ours = print_all(t, records, nr);
	theirs = library_all(h, records, nr);
	printf("tep_print         %7.1f ns an event\n", ours);
	printf("libtraceevent     %7.1f ns an event, %.1f times as long\n",
	       theirs, theirs / ours);
	if (argc > 3) {
		size_t lines = report_lines(argv[3]);
		double report = cpu_seconds(RUSAGE_CHILDREN) / lines * 1e9;

		printf("trace-cmd report  %7.1f ns an event, %.1f times as "
		       "long\n",
		       report, report / ours);
	}
	free(records);
	event_texts_close(&f);
	tep_free(h);
	return 0;
}
