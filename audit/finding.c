// SPDX-License-Identifier: GPL-2.0-only
#include "finding.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const struct rule rules[NR_RULES] = {
	[RULE_TEXT_CHANGED] = {
		"text-changed", FINDING_ALARM, "kernel code was changed",
		"Instructions in the guest's memory are neither those of its "
		"kernel image nor what the kernel itself puts in their place.",
	},
	[RULE_SYSCALL_DISPATCH] = {
		"syscall-dispatch", FINDING_ALARM,
		"a system call goes elsewhere",
		"The kernel's function that calls the handlers of system calls "
		"was changed to call something else.",
	},
	[RULE_SYSCALL_TABLE] = {
		"syscall-table", FINDING_ALARM,
		"the table of system calls was changed",
		"The table of system calls names another function than the "
		"kernel's image does, and the kernel calls what it names.",
	},
	[RULE_SYSCALL_TABLE_UNUSED] = {
		"syscall-table-inactive", FINDING_ALARM,
		"the table of system calls was changed, without effect",
		"The table of system calls names another function than the "
		"kernel's image does. This kernel does not call through the "
		"table, so somebody tried in vain.",
	},
	[RULE_IDT_GATE] = {
		"idt-gate", FINDING_ALARM, "an interrupt goes elsewhere",
		"A gate of the interrupt descriptor table leads to something "
		"that is not one of the kernel's entry points.",
	},
	[RULE_OPERATIONS] = {
		"operations", FINDING_ALARM,
		"a table of operations was changed",
		"A constant pointer to a function differs from the kernel's "
		"image: what files, directories or protocols do goes elsewhere.",
	},
	[RULE_READ_ONLY_DATA] = {
		"read-only-data", FINDING_ALARM, "constant data was changed",
		"Data that the kernel never writes differs from its image.",
	},
	[RULE_FTRACE_HOOK] = {
		"ftrace-hook", FINDING_ALARM, "a module hooks functions",
		"A function outside of the kernel is called by ftrace whenever "
		"chosen kernel functions are, and may divert them.",
	},
	[RULE_GRAPH_HOOK] = {
		"graph-hook", FINDING_ALARM,
		"a module hooks entries and returns",
		"A function outside of the kernel is called at entry and return "
		"of kernel functions.",
	},
	[RULE_EXPORT_HOOK] = {
		"export-hook", FINDING_ALARM, "a module reads all traces",
		"A function outside of the kernel is handed all that the "
		"kernel's tracers record.",
	},
	[RULE_KPROBE] = {
		"kprobe", FINDING_ALARM, "a module probes an instruction",
		"A function outside of the kernel is called at an instruction "
		"of the kernel, and may change what happens there.",
	},
	[RULE_KRETPROBE] = {
		"kretprobe", FINDING_ALARM, "a module probes returns",
		"A function outside of the kernel is called when a kernel "
		"function returns, and may change its result.",
	},
	[RULE_TRACEPOINT_PROBE] = {
		"tracepoint-probe", FINDING_ALARM,
		"a module listens to a tracepoint",
		"A function outside of the kernel is called at a tracepoint.",
	},
	[RULE_NETFILTER_HOOK] = {
		"netfilter-hook", FINDING_ALARM, "a module sees all packets",
		"A function that belongs to no known part of netfilter is called "
		"for packets.",
	},
	[RULE_BPF_PROBE] = {
		"bpf-probe", FINDING_HINT, "a BPF program probes the kernel",
		"A BPF program is attached to a kernel function. Tools do that; "
		"so do rootkits.",
	},
	[RULE_HIDDEN_MODULE] = {
		"hidden-module", FINDING_ALARM, "a module is not in the list",
		"The kernel knows a module that the list of modules lacks.",
	},
	[RULE_HIDDEN_CODE] = {
		"hidden-code", FINDING_ALARM, "code that belongs to nobody",
		"Executable memory where modules lie belongs to no listed module "
		"and to nothing that the kernel generates.",
	},
	[RULE_NOT_CHECKED] = {
		"not-checked", FINDING_HINT, "not looked at",
		"What guest RAM does not hold cannot be judged from it.",
	},
	[RULE_UNKNOWN_CALL] = {
		"unknown-call", FINDING_ALARM, "call of unknown code",
		"The kernel called a function in memory that belongs neither "
		"to its own text nor to a listed module: code that somebody "
		"has hidden.",
	},
	[RULE_UNKNOWN_CALLER] = {
		"unknown-caller", FINDING_ALARM, "call from unknown code",
		"A function returns into memory that belongs neither to the "
		"kernel's text nor to a listed module: hidden code called it, "
		"which ftrace itself does not see.",
	},
	[RULE_NEW_CALL] = {
		"new-call", FINDING_ALARM, "call that the baseline never saw",
		"No clean run had this call, and by the kernel's image it "
		"cannot be: a patch, a pointer that was changed or a module "
		"has sent it there.",
	},
	[RULE_NEW_PATH] = {
		"new-path", FINDING_HINT, "path that the baseline never took",
		"No clean run had these calls, but the kernel's image has "
		"them: a rare path was taken.",
	},
	[RULE_MISSING_CALL] = {
		"missing-call", FINDING_ALARM, "call that is no longer made",
		"In every clean run each call of the traced function led to "
		"this one; now none does: something answers in its place.",
	},
	[RULE_CHANGED_ORDER] = {
		"changed-order", FINDING_ALARM, "calls in another order",
		"In all clean runs the one function was called before the "
		"other; now it was the other way round.",
	},
	[RULE_SLOW_CALL] = {
		"slow-call", FINDING_HINT, "durations far outside",
		"The traced function takes much longer than in nearly all "
		"calls of the clean runs. A busy host does that, too.",
	},
	[RULE_LIVE_PATCH] = {
		"live-patch", FINDING_HINT, "the kernel is live patched",
		"A module replaces functions of the kernel by the kernel's own "
		"means. If you have not loaded it, somebody else has.",
	},
	[RULE_SILENCE] = {
		"silence", FINDING_ALARM, "the guest stopped recording",
		"Recording ended in the guest without anybody having asked for "
		"it: hooks were taken back, or the module was stopped or taken "
		"out.",
	},
	[RULE_RECORDS_GONE] = {
		"records-gone", FINDING_ALARM, "records were tampered with",
		"Records are missing although nothing overwrote them: only "
		"tampering with the rings in guest memory makes that.",
	},
	[RULE_SEAL_BROKEN] = {
		"seal-broken", FINDING_ALARM, "sealed records were tampered with",
		"The guest's kernel sealed its records, and some are not as it "
		"did: somebody wrote to the rings in guest memory.",
	},
	[RULE_CODE_WRITTEN] = {
		"code-written", FINDING_ALARM, "kernel code was written to",
		"The kernel's constant data was written to, or its code, by an "
		"instruction that is none of its own.",
	},
	[RULE_CODE_PATCHED] = {
		"code-patched", FINDING_HINT, "the kernel wrote to its code",
		"The kernel wrote to code, but not to trace, or nobody knows "
		"which instruction did. Probes and BPF do that.",
	},
	[RULE_CANNOT_TELL] = {
		"cannot-tell", FINDING_UNKNOWN, "could not be decided",
		"Something that a rule needs was missing or could not be read.",
	},
};

void evidence_hex(json_t *evidence, const char *name, uint64_t value)
{
	json_object_set_new(evidence, name,
			    json_sprintf("0x%" PRIx64, value));
}

void evidence_time(json_t *evidence, uint64_t ns)
{
	json_object_set_new(evidence, "time",
			    json_sprintf("%" PRIu64 ".%06" PRIu64 " s",
					 ns / 1000000000,
					 ns / 1000 % 1000000));
}

static void finding_free(struct finding *one)
{
	free(one->text);
	json_decref(one->evidence);
}

void findings_deinit(struct findings *f)
{
	for (size_t i = 0; i < f->nr; i++)
		finding_free(&f->v[i]);
	buf_deinit(&f->room);
	*f = (struct findings)FINDINGS_INIT;
}

/* Of what is in memory; a trace's findings have none, or are at many. */
static uint64_t address_of(const json_t *evidence)
{
	const char *s = json_string_value(json_object_get(evidence, "address"));

	return s ? strtoull(s, NULL, 16) : 0;
}

void findings_add(struct findings *f, enum rule_id rule, json_t *evidence,
		  const char *fmt, ...)
{
	struct finding one = {
		.rule = rule,
		.evidence = evidence ? evidence : json_object(),
		.place = address_of(evidence),
		.size = json_integer_value(json_object_get(evidence, "size")),
	};
	va_list ap;

	va_start(ap, fmt);
	if (vasprintf(&one.text, fmt, ap) < 0)
		abort();
	va_end(ap);
	buf_add(&f->room, &one, sizeof(one));
	f->v = (struct finding *)f->room.data;
	f->nr++;
}

static bool findings_have(const struct findings *f, const struct finding *one)
{
	for (size_t i = 0; i < f->nr; i++)
		if (f->v[i].rule == one->rule && f->v[i].place == one->place &&
		    (one->place || !strcmp(f->v[i].text, one->text)))
			return true;
	return false;
}

void findings_doubt(struct findings *f, const struct findings *also)
{
	for (size_t i = 0; i < f->nr; i++) {
		struct finding *one = &f->v[i];
		char *text = one->text;

		if (rules[one->rule].level != FINDING_ALARM ||
		    also->left_out[one->rule] || findings_have(also, one))
			continue;
		if (asprintf(&one->text, "once, but not again: %s", text) < 0)
			abort();
		free(text);
		one->rule = RULE_CANNOT_TELL;
	}
}

void findings_drop(struct findings *f,
		   bool (*fn)(const struct finding *one, void *arg), void *arg)
{
	size_t kept = 0;

	for (size_t i = 0; i < f->nr; i++) {
		if (fn(&f->v[i], arg))
			finding_free(&f->v[i]);
		else
			f->v[kept++] = f->v[i];
	}
	f->nr = kept;
	f->room.len = kept * sizeof(*f->v);
}

struct limit {
	uint32_t nr[NR_RULES], max;
};

static bool is_beyond(const struct finding *one, void *arg)
{
	struct limit *l = arg;

	return l->nr[one->rule]++ >= l->max;
}

void findings_limit(struct findings *f, uint32_t max)
{
	struct limit l = { .max = max };

	findings_drop(f, is_beyond, &l);
	for (int i = 0; i < NR_RULES; i++) {
		uint32_t more = f->left_out[i];

		more += l.nr[i] > max ? l.nr[i] - max : 0;
		if (more)
			findings_add(f, RULE_CANNOT_TELL, NULL,
				     "%u more findings of %s are not shown",
				     more, rules[i].name);
		f->left_out[i] = 0;
	}
}

void findings_move(struct findings *f, struct findings *from)
{
	if (from->nr)
		buf_add(&f->room, from->v, from->nr * sizeof(*from->v));
	f->v = (struct finding *)f->room.data;
	f->nr += from->nr;
	from->nr = 0;
	findings_deinit(from);
}

const char *verdict_name(enum verdict v)
{
	static const char *const names[] = { "clean", "findings",
					     "could not tell" };

	return names[v];
}

enum verdict findings_verdict(const struct findings *f)
{
	enum verdict v = VERDICT_CLEAN;

	for (size_t i = 0; i < f->nr; i++) {
		switch (rules[f->v[i].rule].level) {
		case FINDING_HINT:
			break;
		case FINDING_UNKNOWN:
			v = v == VERDICT_CLEAN ? VERDICT_UNKNOWN : v;
			break;
		case FINDING_ALARM:
			v = VERDICT_FINDINGS;
			break;
		}
	}
	return v;
}
