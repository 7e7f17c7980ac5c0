// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tables of addresses: constant data against the image, and the interrupt
 * descriptor table, which the kernel fills in, against its entry points.
 */
#include <inttypes.h>
#include <stdlib.h>

#include "look.h"
#include "unaligned.h"

#define CHUNK	  (256u << 10)
#define NR_GATES  256

/* Since 1e3ad78334a6 ("x86/syscall: Don't force use of indirect calls for
 * system calls"), 6.9 and stable: the table is for tracers only. */
static bool is_table_used(const struct look *l)
{
	return !look_symbol(l, "x64_sys_call");
}

static bool is_code(const struct look *l, uint64_t addr)
{
	struct sym s;

	return symtab_at(l->g->symbols, addr, &s) && s.addr == addr;
}

/* What a constant word was for; @s is the symbol that it lies in. */
static enum rule_id rule_of(const struct look *l, const struct sym *s,
			    uint64_t was)
{
	if (!strcmp(s->name, "sys_call_table"))
		return is_table_used(l) ? RULE_SYSCALL_TABLE :
					  RULE_SYSCALL_TABLE_UNUSED;
	return is_code(l, was) ? RULE_OPERATIONS : RULE_READ_ONLY_DATA;
}

static void say_word(struct look *l, uint64_t addr, uint64_t was, uint64_t now)
{
	char before[LOOK_NAME], after[LOOK_NAME];
	struct sym s = { .addr = addr, .name = "constant data" };
	enum rule_id rule;
	json_t *e;

	(void)symtab_near(l->g->symbols, addr, &s);
	rule = rule_of(l, &s, was);
	if (look_is_full(l, rule))
		return;
	e = look_evidence(l, addr);
	evidence_hex(e, "expected", was);
	evidence_hex(e, "calls", now);
	if (rule == RULE_READ_ONLY_DATA)
		findings_add(l->f, rule, e,
			     "%s+0x%" PRIx64 " is 0x%" PRIx64
			     " now, not 0x%" PRIx64,
			     s.name, addr - s.addr, now, was);
	else if (rule == RULE_OPERATIONS)
		findings_add(l->f, rule, e, "%s+0x%" PRIx64 ", %s, is %s now",
			     s.name, addr - s.addr, look_name(l, was, before),
			     look_name(l, now, after));
	else
		findings_add(l->f, rule, e,
			     "%s[%" PRIu64 "], %s, is %s now", s.name,
			     (addr - s.addr) / 8, look_name(l, was, before),
			     look_name(l, now, after));
}

struct constants {
	struct look *l;
	struct kfile_range skip; /* what the kernel fills in when it boots */
};

static int compare(struct constants *c, uint64_t addr, size_t len,
		   uint8_t *room)
{
	const uint8_t *was = kfile_at(c->l->g->file, addr, len);
	int rc = look_read(c->l, addr, room, len);

	if (rc || !was)
		return rc;
	for (size_t at = 0; at + 8 <= len; at += 8) {
		if (!memcmp(was + at, room + at, 8) ||
		    addr + at - c->skip.addr < c->skip.len)
			continue;
		say_word(c->l, addr + at, get_u64(was + at), get_u64(room + at));
	}
	return 0;
}

static void check_constants(struct look *l)
{
	_cleanup_free_ uint8_t *room = NULL;
	uint64_t start = look_symbol(l, "__start_ro_after_init") & ~7ull;
	struct constants c = {
		.l = l,
		.skip = { start, look_symbol(l, "__end_ro_after_init") - start },
	};
	struct kfile_range r;

	if (!l->g->file || !kfile_section(l->g->file, ".rodata", &r)) {
		look_cannot(l, "the kernel's constant tables: the host has no "
			       "image of this kernel to compare them with");
		return;
	}
	room = malloc(r.len < CHUNK ? r.len : CHUNK);
	if (!room)
		abort();
	for (uint64_t at = 0; at < r.len; at += CHUNK) {
		uint64_t len = r.len - at < CHUNK ? r.len - at : CHUNK;

		if (compare(&c, r.addr + at, len, room)) {
			look_cannot(l, "the kernel's constant tables cannot be "
				       "read");
			return;
		}
	}
}

struct gate {
	uint16_t offset_low, segment, bits, offset_middle;
	uint32_t offset_high, reserved;
};

/*
 * An entry point of its own, or one of the row for device interrupts. Vectors
 * that the processor reserves keep what they had while the kernel booted.
 */
static bool is_entry(const struct look *l, unsigned int vector, uint64_t addr)
{
	static const char *const names[] = { "asm_", "xen_asm_", "entry_INT80_" };
	static const char *const rows[] = { "irq_entries_start",
					    "spurious_entries_start" };
	struct sym s;

	if (!symtab_at(l->g->symbols, addr, &s))
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (s.addr == addr && !strncmp(s.name, names[i],
					       strlen(names[i])))
			return true;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (!strcmp(s.name, rows[i]))
			return true;
	return vector < 32 && !strcmp(s.name, "early_idt_handler_array");
}

static void check_idt(struct look *l)
{
	uint64_t table = look_symbol(l, "idt_table");
	struct gate gates[NR_GATES];
	char name[LOOK_NAME];

	if (!table || look_read(l, table, gates, sizeof(gates))) {
		look_cannot(l, "the interrupt descriptor table cannot be read");
		return;
	}
	for (unsigned int i = 0; i < NR_GATES; i++) {
		const struct gate *g = &gates[i];
		uint64_t addr = g->offset_low |
				(uint32_t)g->offset_middle << 16 |
				(uint64_t)g->offset_high << 32;
		json_t *e;

		/* Not present: bit 15. */
		if (!(g->bits >> 15) || is_entry(l, i, addr))
			continue;
		e = look_evidence(l, table + i * sizeof(*g));
		evidence_hex(e, "calls", addr);
		findings_add(l->f, RULE_IDT_GATE, e,
			     "interrupt %u leads to %s, which is none of the "
			     "kernel's entries", i, look_name(l, addr, name));
	}
}

void check_tables(struct look *l)
{
	check_constants(l);
	check_idt(l);
}
