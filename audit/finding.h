/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * finding -- what a check found, before anybody says it.
 *
 *	findings_add(&f, RULE_TEXT_CHANGED, evidence, "sentence");
 *	findings_verdict(&f);
 *
 * A rule has a name that never changes, as people put it into filters. What
 * does not count as wrong is a hint; what kept a rule from being decided is an
 * unknown, never silence. Findings keep the order in which they were added.
 *
 * Evidence is a JSON object: addresses as hex strings, "symbol", "module",
 * "bytes", "expected", "calls", "time", "page", "size"; a rule uses those that
 * it has, by these names; of a trace also "caller", "caller_address", "root",
 * "context", "cpu", "task", "session", "records"; of a seal what and where the
 * first fault was, "what", "kind", "sub_buffer", "offset", and "faults", all of
 * them by name, while "time" is up to when there is none. Strings from the
 * guest stand in it as they are, but as valid UTF-8: who prints escapes them.
 */
#ifndef XF_FINDING_H
#define XF_FINDING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "buf.h"

enum finding_level {
	FINDING_HINT,		/* worth a look; the verdict stays */
	FINDING_UNKNOWN,	/* could not be decided */
	FINDING_ALARM,
};

enum verdict {			/* exit codes of 'check' */
	VERDICT_CLEAN,
	VERDICT_FINDINGS,
	VERDICT_UNKNOWN,
};

/* In the order of the table in finding.c. */
enum rule_id {
	RULE_TEXT_CHANGED,
	RULE_SYSCALL_DISPATCH,
	RULE_SYSCALL_TABLE,
	RULE_SYSCALL_TABLE_UNUSED,
	RULE_IDT_GATE,
	RULE_OPERATIONS,
	RULE_READ_ONLY_DATA,
	RULE_FTRACE_HOOK,
	RULE_GRAPH_HOOK,
	RULE_EXPORT_HOOK,
	RULE_KPROBE,
	RULE_KRETPROBE,
	RULE_TRACEPOINT_PROBE,
	RULE_NETFILTER_HOOK,
	RULE_BPF_PROBE,
	RULE_HIDDEN_MODULE,
	RULE_HIDDEN_CODE,
	RULE_NOT_CHECKED,
	/* Of traces: flowcheck.h, recordcheck.h, writecheck.h. */
	RULE_UNKNOWN_CALL,
	RULE_UNKNOWN_CALLER,
	RULE_NEW_CALL,
	RULE_NEW_PATH,
	RULE_MISSING_CALL,
	RULE_CHANGED_ORDER,
	RULE_SLOW_CALL,
	RULE_LIVE_PATCH,
	RULE_SILENCE,
	RULE_RECORDS_GONE,
	RULE_SEAL_BROKEN,
	RULE_CODE_WRITTEN,
	RULE_CODE_PATCHED,
	RULE_CANNOT_TELL,
	NR_RULES,
};

struct rule {
	const char *name;	/* "text-changed" */
	enum finding_level level;
	const char *title;	/* a few words */
	const char *help;	/* what it means, a sentence or two */
};

extern const struct rule rules[NR_RULES];

struct finding {
	enum rule_id rule;
	char *text;		/* one sentence; owned */
	json_t *evidence;	/* object; owned */
	uint64_t place;		/* its evidence's address, 0: it has none */
	uint64_t size;		/* its evidence's, 0: it has none */
};

struct findings {
	struct finding *v;	/* in room */
	size_t nr;
	struct buf room;
	uint32_t left_out[NR_RULES];	/* were found, too, but not added */
};

#define FINDINGS_INIT { .room = BUF_INIT }

void findings_deinit(struct findings *f);

/* Into evidence: a number as a hex string, and when, since the first record. */
void evidence_hex(json_t *evidence, const char *name, uint64_t value);
void evidence_time(json_t *evidence, uint64_t ns);

/* Takes @evidence, which may be NULL. */
void findings_add(struct findings *f, enum rule_id rule, json_t *evidence,
		  const char *fmt, ...) __attribute__((format(printf, 4, 5)));

/* Those of which @fn says so are none. */
void findings_drop(struct findings *f,
		   bool (*fn)(const struct finding *one, void *arg), void *arg);

/*
 * Alarms that @also lacks become what can't be told. The same is what breaks
 * the same rule at the same address, whatever is there now; without an address,
 * what has the same sentence. If @also has left some of a rule out, all of it
 * stays.
 */
void findings_doubt(struct findings *f, const struct findings *also);

/* Keep the first @max of each rule, and say how many there are besides. */
void findings_limit(struct findings *f, uint32_t max);

/* Those of @from as well; it is empty then. */
void findings_move(struct findings *f, struct findings *from);

/* "clean", "findings", "could not tell" */
const char *verdict_name(enum verdict v);

/* An alarm is an alarm, whatever else could not be decided. */
enum verdict findings_verdict(const struct findings *f);

#endif
