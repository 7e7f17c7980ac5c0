// SPDX-License-Identifier: GPL-2.0-only
/*
 * The kernel's code in the guest's memory, against the image.
 */
#include <inttypes.h>
#include <stdlib.h>

#include "look.h"
#include "sites.h"
#include "unaligned.h"

#define CHUNK	  (256u << 10)	/* bytes of text compared at a time */
#define MARGIN	  256u		/* on both sides: no site is longer */

/* The function that calls the handlers of a kind of system calls. */
static bool is_dispatcher(const char *name)
{
	return !strcmp(name, "x64_sys_call") || !strcmp(name, "ia32_sys_call");
}

static void say_dispatch(struct look *l, const struct sym *s, uint64_t at,
			 uint64_t was, uint64_t to)
{
	char from[LOOK_NAME], now[LOOK_NAME];
	json_t *e;

	if (look_is_full(l, RULE_SYSCALL_DISPATCH))
		return;
	e = look_evidence(l, at);
	evidence_hex(e, "expected", was);
	evidence_hex(e, "calls", to);
	findings_add(l->f, RULE_SYSCALL_DISPATCH, e,
		     "the call of %s in %s leads to %s now",
		     look_name(l, was, from), s->name, look_name(l, to, now));
}

/* The call in a dispatcher whose displacement has a changed byte at @p. */
static bool is_dispatch(struct look *l, const struct sym *s, uint64_t addr,
			const uint8_t *was, const uint8_t *now)
{
	for (int back = 1; back <= 4; back++) {
		uint64_t next = addr - back + 5, before, after;
		struct sym called;

		if (was[-back] != 0xe8 && was[-back] != 0xe9)
			continue;
		if (now[-back] != was[-back])
			continue;
		before = next + (int64_t)get_s32(was - back + 1);
		after = next + (int64_t)get_s32(now - back + 1);
		if (!symtab_at(l->g->symbols, before, &called) ||
		    called.addr != before)
			continue;
		say_dispatch(l, s, addr - back, before, after);
		return true;
	}
	return false;
}

/* Bytes that belong together: up to 8 that are equal may be in between. */
static size_t change_len(const uint8_t *was, const uint8_t *now, size_t len)
{
	size_t end = 1;

	for (size_t i = 1; i < len && i < end + 8; i++)
		if (was[i] != now[i])
			end = i + 1;
	return end;
}

static void say_change(struct look *l, uint64_t addr, const uint8_t *was,
		       const uint8_t *now, size_t len)
{
	char name[LOOK_NAME];
	size_t shown = len < 16 ? len : 16;
	json_t *e;

	if (look_is_full(l, RULE_TEXT_CHANGED))
		return;
	e = look_evidence(l, addr);
	look_evidence_bytes(e, "bytes", now, shown);
	look_evidence_bytes(e, "expected", was, shown);
	findings_add(l->f, RULE_TEXT_CHANGED, e,
		     "%zu bytes at %s are not the kernel's", len,
		     look_name(l, addr, name));
}

struct text {
	struct look *l;
	uint64_t begin, end;
};

/* was[0..len) and now[0..len) differ at @at; how much of it is done then. */
static size_t judge(struct text *t, uint64_t addr, const uint8_t *was,
		    const uint8_t *now, size_t at, size_t len)
{
	size_t n = sites_explain(t->l->sites, t->l, addr + at, now + at, at,
				 len - at);
	struct sym s;

	if (n)
		return n;
	n = change_len(was + at, now + at, len - at);
	if (symtab_at(t->l->g->symbols, addr + at, &s) &&
	    is_dispatcher(s.name) && at >= 4 &&
	    is_dispatch(t->l, &s, addr + at, was + at, now + at))
		return 4;
	say_change(t->l, addr + at, was + at, now + at, n);
	return n;
}

/* Whether the kernel is patching its code just now. */
static bool is_poking(struct look *l)
{
	uint64_t desc = look_symbol(l, "bp_desc");
	struct btf_member m;
	uint32_t refs = 0;

	if (!desc || btf_member(l->g->types, "bp_patching_desc", "refs", &m,
				NULL))
		return false;
	return !look_read(l, desc + m.off, &refs, sizeof(refs)) && refs;
}

/* Compare [addr, addr + len), with what is around it at hand. */
static int compare(struct text *t, uint64_t addr, size_t len, uint8_t *room)
{
	uint64_t from = addr - t->begin < MARGIN ? t->begin : addr - MARGIN;
	uint64_t to = t->end - (addr + len) < MARGIN ? t->end :
						       addr + len + MARGIN;
	const uint8_t *was = kfile_at(t->l->g->file, from, to - from);
	size_t at = addr - from, end = at + len;
	int rc;

	t->l->poking = is_poking(t->l);
	rc = look_read(t->l, from, room, to - from);
	if (rc || !was)
		return rc;
	t->l->poking |= is_poking(t->l);
	while (at < end) {
		if (at + 64 <= end && !memcmp(was + at, room + at, 64))
			at += 64;
		else if (was[at] == room[at])
			at++;
		else
			at += judge(t, from, was, room, at, to - from);
	}
	return 0;
}

void check_text(struct look *l)
{
	_cleanup_free_ uint8_t *room = NULL;
	struct kfile_range r;
	struct text t = { .l = l };

	if (!l->g->file || !kfile_section(l->g->file, ".text", &r)) {
		look_cannot(l, "the kernel's code: the host has no image of "
			       "this kernel to compare it with");
		return;
	}
	room = malloc((r.len < CHUNK ? r.len : CHUNK) + 2 * MARGIN);
	if (!room)
		abort();
	t.begin = r.addr;
	t.end = r.addr + r.len;
	for (uint64_t at = t.begin; at < t.end; at += CHUNK) {
		uint64_t len = t.end - at < CHUNK ? t.end - at : CHUNK;

		if (compare(&t, at, len, room)) {
			look_cannot(l, "the kernel's code at 0x%" PRIx64
				       " cannot be read", at);
			return;
		}
	}
}
