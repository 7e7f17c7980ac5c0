// SPDX-License-Identifier: GPL-2.0-only
#include "recordcheck.h"

#include <inttypes.h>
#include <string.h>

#include "cleanup.h"
#include "unseal.h"
#include "xft_abi.h"

static uint64_t end_count(const struct trace *t, const char *name)
{
	return json_integer_value(json_object_get(t->end, name));
}

/* Whatever a recording noted of when and where that was. */
static json_t *evidence_at(const struct trace *t, const json_t *place)
{
	static const char *const names[] = { "cpu", "module" };
	uint64_t session = trace_u64(place, "session");
	json_t *e = json_object();

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		json_object_set(e, names[i], json_object_get(place, names[i]));
	for (size_t i = 0; i < t->nr_sessions; i++)
		if (t->sessions[i].number == session) {
			uint64_t tsc = trace_u64(place, "tsc");

			json_object_set_new(e, "session",
					    json_integer(session));
			evidence_time(e, trace_time_ns(&t->sessions[i], tsc));
		}
	return e;
}

/*
 * Of a seal that is broken: how far it is not, what was done, and where first.
 */
static json_t *evidence_of_seal(const struct trace_session *s)
{
	const struct trace_span *first = s->nr_faults ? &s->faults[0].at : NULL;
	json_t *faults = json_object(), *e;

	for (int i = 0; i < UNSEAL_FAULTS; i++)
		if (s->evidence[i])
			json_object_set_new(faults, unseal_fault_name(i),
					    json_integer(s->evidence[i]));
	e = json_pack("{s:i, s:I, s:o}", "session", (int)s->number, "records",
		      (json_int_t)s->verified, "faults", faults);
	evidence_time(e, trace_time_ns(s, s->sound_tsc));
	if (first)
		json_object_update_new(e, json_pack(
			"{s:s, s:i, s:s, s:I, s:i}", "what",
			unseal_fault_name(first->fault), "cpu",
			(int)first->cpu, "kind",
			first->kind == XFT_RING_NMI ? "nmi" : "main",
			"sub_buffer", (json_int_t)first->nr, "offset",
			(int)first->offset));
	return e;
}

static void check_seals(const struct trace *t, struct findings *f)
{
	for (size_t i = 0; i < t->nr_sessions; i++) {
		_cleanup_(buf_deinit) struct buf b = BUF_INIT;
		uint64_t broken = 0;

		for (int fault = 0; fault < UNSEAL_FAULTS; fault++)
			broken += t->sessions[i].evidence[fault];
		if (!broken)
			continue;
		trace_tell_seal(&t->sessions[i], &b);
		findings_add(f, RULE_SEAL_BROKEN,
			     evidence_of_seal(&t->sessions[i]), "%s", b.data);
	}
}

static void check_records(const struct trace *t, const struct call_stats *s,
			  bool recording, struct findings *f)
{
	uint64_t gaps = end_count(t, "gaps");

	if (gaps) {
		json_t *e = evidence_at(t, json_object_get(t->end, "first_gap"));

		json_object_set_new(e, "records", json_integer(gaps));
		findings_add(f, RULE_RECORDS_GONE, e, "%" PRIu64 " record%s "
			     "missing that nothing has overwritten", gaps,
			     gaps == 1 ? " is" : "s are");
	}
	if (s->lost)
		findings_add(f, RULE_CANNOT_TELL, NULL, "%" PRIu64 " record%s "
			     "lost: record with a larger --ring-size, or "
			     "fewer functions", s->lost,
			     s->lost == 1 ? " was" : "s were");
	if (s->bad_spans || end_count(t, "bad"))
		findings_add(f, RULE_CANNOT_TELL, NULL,
			     "some records are damaged");
	if (json_is_true(json_object_get(t->end, "full")))
		findings_add(f, RULE_CANNOT_TELL, NULL,
			     "the store was full: what came later is missing");
	if (!t->end && !recording)
		findings_add(f, RULE_CANNOT_TELL, NULL,
			     "recording did not end properly: the rest is "
			     "missing ('xftrace recover')");
	if (!s->calls)
		findings_add(f, RULE_CANNOT_TELL, NULL,
			     "no call of a traced function was recorded");
}

static void check_notes(const struct trace *t, struct findings *f)
{
	static const struct {
		const char *what;
		enum rule_id rule;
	} kinds[] = {
		{ TRACE_NOTE_SILENCE, RULE_SILENCE },
		{ TRACE_NOTE_LIVEPATCH, RULE_LIVE_PATCH },
		{ TRACE_NOTE_HIDDEN, RULE_HIDDEN_MODULE },
		{ TRACE_NOTE_STILL, RULE_CANNOT_TELL },
		{ TRACE_NOTE_PART, RULE_CANNOT_TELL },
	};
	const json_t *note;
	size_t i;

	json_array_foreach(t->notes, i, note) {
		const char *what = json_string_value(
			json_object_get(note, "what"));
		const char *text = json_string_value(
			json_object_get(note, "text"));

		for (size_t k = 0; what && k < ARRAY_SIZE(kinds); k++)
			if (!strcmp(what, kinds[k].what))
				findings_add(f, kinds[k].rule,
					     evidence_at(t, note), "%s",
					     text ?: "?");
	}
}

void recordcheck_run(const struct trace *t, const struct call_stats *s,
		     bool recording, struct findings *f)
{
	check_seals(t, f);
	check_records(t, s, recording, f);
	check_notes(t, f);
}
