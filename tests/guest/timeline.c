// SPDX-License-Identifier: GPL-2.0-only
/*
 * timeline FILE.xft -- every record of the first session of a raw trace, in the
 * order in which it is drawn, with the guest's TSC as it is:
 *
 *	g 123456789 0 entry read_port
 *	h 123456999 0 kvm_exit
 *
 * The third word is the guest's CPU or the vCPU.
 */
#include <inttypes.h>
#include <stdio.h>

#include "formats.h"
#include "journal.h"
#include "traces.h"
#include "merge.h"

static void print(struct formats *formats, struct names *names,
		  const struct record *r)
{
	if (r->host) {
		const struct tep_type *type = tep_type_of(
			formats->host, r->host->data, r->host->len);

		printf("h %" PRIu64 " %" PRId32 " %s\n", r->tsc, r->host->vcpu,
		       type ? type->name : "?");
	} else if (r->type == XFT_ENTRY || r->type == XFT_RETURN) {
		printf("g %" PRIu64 " %" PRIu32 " %s %s\n", r->tsc, r->cpu,
		       r->type == XFT_ENTRY ? "entry" : "return",
		       names_at(names, r->func)->text);
	}
}

int main(int argc, char **argv)
{
	struct formats formats;
	struct names names;
	const struct record *r;
	struct xf_err err = { 0 };
	struct journal j;
	struct store st;
	struct merge m;
	struct trace t;
	int rc;

	trace_init(&t);
	rc = argc == 2 ? store_open(&st, argv[1], false, &err) : -1;
	rc = rc ? rc : journal_open(&j, &st, NULL, &err);
	rc = rc ? rc : traces_load(&j, &t, &err);
	if (rc) {
		fprintf(stderr, "timeline: %s\n", err.msg);
		return 1;
	}
	names_init(&names, t.sessions[0].symbols);
	formats_init(&formats, &t.sessions[0], &names);
	merge_init(&m, &t, &t.sessions[0]);
	while (merge_next(&m, &r))
		print(&formats, &names, r);
	return 0;
}
