// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "cmd.h"
#include "confine.h"
#include "opt.h"
#include "recorder.h"

static const char *str(const json_t *j, const char *name)
{
	return json_string_value(json_object_get(j, name)) ?: "";
}

static json_int_t num(const json_t *j, const char *name)
{
	return json_integer_value(json_object_get(j, name));
}

static double real(const json_t *j, const char *name)
{
	return json_number_value(json_object_get(j, name));
}

/* What an intruder could still do to records that were made before. */
static void print_mask(const json_t *j)
{
	const json_t *first = json_object_get(j, "first_fault");
	const char *fault;
	const json_t *v;

	if (strcmp(str(j, "mask"), "sealed")) {
		printf("mask          xor: what is in the rings is forgeable\n");
		return;
	}
	printf("mask          sealed, %" JSON_INTEGER_FORMAT " records verified"
	       ", all up to %.6f s\n", num(j, "records"),
	       real(j, "verified_seconds"));
	printf("              none forgeable, erasable %.3f s (at most %.3f s so "
	       "far)\n", real(j, "oldest_unread_seconds"),
	       real(j, "oldest_unread_max_seconds"));
	json_object_foreach((json_t *)json_object_get(j, "faults"), fault, v)
		printf("tampering     %s, %" JSON_INTEGER_FORMAT " times\n",
		       fault, json_integer_value(v));
	if (first)
		printf("first         CPU %" JSON_INTEGER_FORMAT "%s, sub-buffer "
		       "%" JSON_INTEGER_FORMAT " at byte %" JSON_INTEGER_FORMAT
		       ": %s\n", num(first, "cpu"),
		       strcmp(str(first, "kind"), "nmi") ? "" : " (NMI)",
		       num(first, "sub_buffer"), num(first, "offset"),
		       str(first, "what"));
}

/* What only a recorder that lives can tell. */
static void print_counts(const json_t *j)
{
	const json_t *dirty = json_object_get(j, "dirty");

	printf("time          %.1f s\n", real(j, "seconds"));
	printf("records       %" JSON_INTEGER_FORMAT " (%.0f/s)\n",
	       num(j, "records"), real(j, "records_per_second"));
	printf("lost          %" JSON_INTEGER_FORMAT "\n", num(j, "lost"));
	if (num(j, "gaps"))
		printf("missing       %" JSON_INTEGER_FORMAT
		       " without an overrun: somebody tampers with the ring\n",
		       num(j, "gaps"));
	if (num(j, "bad"))
		printf("damaged       %" JSON_INTEGER_FORMAT " sub-buffers\n",
		       num(j, "bad"));
	if (dirty)
		printf("dirty pages   %" JSON_INTEGER_FORMAT " records, %"
		       JSON_INTEGER_FORMAT " lost (%s, mode %s)\n",
		       num(dirty, "records"), num(dirty, "lost"),
		       str(dirty, "source"), str(dirty, "mode"));
	printf("ring fill     %.1f %%\n", 100 * real(j, "ring_fill"));
	printf("oldest unread %.3f s\n", real(j, "oldest_unread_seconds"));
	print_mask(j);
	if (num(j, "key_epoch"))
		printf("key epoch     %" JSON_INTEGER_FORMAT "\n",
		       num(j, "key_epoch"));
	if (*str(j, "trouble"))
		printf("trouble       %s\n", str(j, "trouble"));
}

static void print_text(const json_t *j)
{
	bool counts = json_object_get(j, "records");
	const json_t *v;
	size_t i;

	printf("guest         %s\nstate         %s\n", str(j, "guest"),
	       str(j, "state"));
	printf("trace         %s", str(j, "trace"));
	if (counts)
		printf(", %.1f MB", num(j, "trace_bytes") / 1e6);
	printf("\nfunctions    ");
	json_array_foreach(json_object_get(j, "functions"), i, v)
		printf(" %s", json_string_value(v));
	putchar('\n');
	if (counts)
		print_counts(j);
}

int cmd_status(int argc, char **argv, struct xf_err *err)
{
	_cleanup_(recorder_deinit) struct recorder r = { 0 };
	const char *guest = NULL;
	bool json = false;
	const struct opt opts[] = {
		{ "guest", 'g', OPT_STRING, &guest, "NAME",
		  "which, if several guests are recorded", 0, 0 },
		OPT_JSON(json),
		{ 0 }
	};
	const struct usage u = { "status", "", "How a recording is doing.",
				 NULL, opts };
	json_t *reply = NULL;
	int n = opt_parse_only(&u, argc, argv, err);
	int rc;

	if (n < 0)
		return n;
	rc = confine(&(struct confine){ .state = true }, err);
	rc = rc ? rc : recorder_find(&r, guest, err);
	if (rc)
		return rc;
	if (r.alive) {
		rc = recorder_ask(&r, "status\n", NULL, NULL, &reply, err);
		if (rc)
			return rc;
	} else {
		reply = json_pack("{s:s, s:s, s:s, s:s, s:O?}", "guest", r.id,
				  "trace", r.trace ?: "(removed)", "store",
				  r.store, "state",
				  r.ended ?
				  "ended; 'xftrace off' draws it" :
				  "the recorder was killed; 'xftrace off' "
				  "draws what was kept", "functions",
				  json_object_get(r.info, "functions"));
	}
	if (json) {
		opt_print_json(reply);
	} else {
		print_text(reply);
	}
	json_decref(reply);
	return 0;
}
