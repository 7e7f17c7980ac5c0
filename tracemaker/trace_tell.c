// SPDX-License-Identifier: GPL-2.0-only
/*
 * What is said in words of a trace: how its records are protected, and what is
 * wrong with them.
 */
#include <inttypes.h>

#include "trace.h"
#include "xft_abi.h"

static void tell_first(const struct trace_span *f, struct buf *b)
{
	buf_printf(b, "; first on CPU %u%s, sub-buffer %" PRIu64
		      " at byte %u: %s", f->cpu,
		   f->kind == XFT_RING_NMI ? " (NMI)" : "", f->nr, f->offset,
		   unseal_fault_name(f->fault));
}

/* Records behind a bad one may be good as well: they are not all. */
static void tell_verified(const struct trace_session *s, struct buf *b)
{
	uint64_t ns = trace_time_ns(s, s->sound_tsc);

	buf_printf(b, "sealed, %" PRIu64 " records verified", s->verified);
	if (s->verified)
		buf_printf(b, ", all up to %" PRIu64 ".%06" PRIu64 " s",
			   ns / 1000000000, ns % 1000000000 / 1000);
}

void trace_tell_seal(const struct trace_session *s, struct buf *b)
{
	if (!s->sealed) {
		buf_puts(b, "xor");
		return;
	}
	if (s->seed)
		tell_verified(s, b);
	else
		buf_printf(b, "sealed, key unknown, %" PRIu64
			      " stretches not verified",
			   s->evidence[UNSEAL_KEYLESS]);
	for (int i = 0; i < UNSEAL_KEYLESS; i++)
		if (s->evidence[i])
			buf_printf(b, ", %" PRIu64 " times %s", s->evidence[i],
				   unseal_fault_name(i));
	if (s->nr_faults)
		tell_first(&s->faults[0].at, b);
}

/* Of all sessions: that of one with the weakest seal. */
static const char *forgeable(const struct trace *t)
{
	const char *word = "none forgeable, ";

	for (size_t i = 0; i < t->nr_sessions; i++) {
		if (!t->sessions[i].sealed)
			return "forgeable, ";
		/* Nobody can say whether somebody has. */
		if (!t->sessions[i].seed)
			word = "";
	}
	return word;
}

void trace_tell_window(const struct trace *t, struct buf *b)
{
	const json_t *ns = json_object_get(t->end, "erasable_ns");

	if (!json_is_integer(ns) || !t->nr_sessions)
		return;
	buf_printf(b, "; %serasable for %.3f s at most", forgeable(t),
		   json_integer_value(ns) / 1e9);
}

void trace_tell_mask(const struct trace *t, struct buf *b)
{
	for (size_t i = 0; i < t->nr_sessions; i++) {
		const struct trace_session *s = &t->sessions[i];

		/* Of xor there is nothing to tell twice. */
		if (i && !s->sealed && !s[-1].sealed)
			continue;
		if (i)
			buf_puts(b, "; then ");
		trace_tell_seal(s, b);
	}
	trace_tell_window(t, b);
}
