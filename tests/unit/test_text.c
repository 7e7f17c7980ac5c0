// SPDX-License-Identifier: GPL-2.0-only
/*
 * Code and tables in a made-up guest's memory, against its image: text, tables.
 * Memory begins as the image says; each test bends it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <unistd.h>

#include "fake_guest.h"
#include "fake_image.h"

#define GPA_IMAGE 0x100000ull
#define GPA_DATA  0x200000ull
#define EVIL	  (MADE + 0x9000)	/* a page of nobody */

struct kernel {
	struct fake_image i;
	struct fake_guest g;
};

/* Byte @at of TEXT, in the guest's memory. */
static uint8_t *text(struct kernel *k, size_t at)
{
	return k->g.ram + GPA_IMAGE + at;
}

static void put_branch(struct kernel *k, size_t at, uint8_t opcode, uint64_t to)
{
	int32_t away = to - (TEXT + SLIDE + at + 5);

	*text(k, at) = opcode;
	memcpy(text(k, at + 1), &away, sizeof(away));
}

/* In RODATA. */
static void put_word(struct kernel *k, size_t at, uint64_t value)
{
	memcpy(text(k, RODATA - TEXT + at), &value, sizeof(value));
}

static void put_gate(struct kernel *k, unsigned int vector, uint64_t to)
{
	const uint64_t gate = (to & 0xffff) | 0x8e00ull << 32 |
			      (to >> 16 & 0xffff) << 48;
	const uint64_t at = GPA_DATA + IDT + 16 * vector;

	fake_put_u64(&k->g, at, to ? gate : 0);
	fake_put_u64(&k->g, at + 8, to >> 32);
}

static void begin(struct kernel *k, const char *without)
{
	const uint64_t text_at = TEXT + SLIDE, data_at = DATA + SLIDE;

	fake_image_open(&k->i, without, 12);
	fake_guest_open(&k->g, 4 << 20);
	fake_map_range(&k->g, text_at, GPA_IMAGE, IMAGE_LEN);
	fake_map_range(&k->g, data_at, GPA_DATA, 0x2000);
	k->i.g.space = k->g.space;
	fake_put(&k->g, GPA_IMAGE, kfile_at(&k->i.file, text_at, IMAGE_LEN),
		 IMAGE_LEN);
	put_gate(k, 2, TEXT + SLIDE + EARLY_GATES + 18);
	put_gate(k, 14, TEXT + SLIDE + GATES);
	put_gate(k, 40, TEXT + SLIDE + GATE_ROW + 8);
}

static int setup(void **state)
{
	*state = malloc(sizeof(struct kernel));
	begin(*state, NULL);
	return 0;
}

static int teardown(void **state)
{
	struct kernel *k = *state;

	fake_guest_close(&k->g);
	fake_image_close(&k->i);
	free(k);
	return 0;
}

/* That look finds @nr of @rule and nothing else. */
static void finds(struct kernel *k, enum rule_id rule, size_t nr)
{
	findings_deinit(&k->i.found);
	k->i.l.bytes = k->i.l.reads = 0;
	memset(k->i.l.found, 0, sizeof(k->i.l.found));
	check_text(&k->i.l);
	check_tables(&k->i.l);
	for (size_t i = 0; i < k->i.found.nr; i++)
		if (k->i.found.v[i].rule != rule)
			fail_msg("%s: %s", rules[k->i.found.v[i].rule].name,
				 k->i.found.v[i].text);
	assert_int_equal(k->i.found.nr, nr);
}

/* The first one does. */
static void says(const struct kernel *k, const char *what)
{
	if (!strstr(k->i.found.v[0].text, what))
		fail_msg("%s", k->i.found.v[0].text);
}

static void evidence(const struct kernel *k, const char *name,
		     const char *value)
{
	json_t *e = json_object_get(k->i.found.v[0].evidence, name);

	assert_string_equal(json_string_value(e), value);
}

static void changed_code(void **state)
{
	struct kernel *k = *state;

	finds(k, RULE_TEXT_CHANGED, 0);
	*text(k, ELSEWHERE) = 0x90;
	finds(k, RULE_TEXT_CHANGED, 1);
	says(k, "1 bytes at victim+0x400 are not the kernel's");
	evidence(k, "address", "0xffffffff91000500");
	evidence(k, "bytes", "90");
	evidence(k, "expected", "cc");
	/* What is close belongs together. */
	*text(k, ELSEWHERE + 8) = 0x90;
	finds(k, RULE_TEXT_CHANGED, 1);
	says(k, "9 bytes at");
	evidence(k, "bytes", "90 cc cc cc cc cc cc cc 90");
	*text(k, ELSEWHERE + 17) = 0x90;
	finds(k, RULE_TEXT_CHANGED, 2);
	*text(k, 0) = *text(k, TEXT_LEN - 1) = 0x90;
	finds(k, RULE_TEXT_CHANGED, 4);
	/* Behind the text is no text. */
	*text(k, TEXT_LEN) ^= 1;
	finds(k, RULE_TEXT_CHANGED, 4);
}

static void jump_at_entry(void **state)
{
	struct kernel *k = *state;

	put_branch(k, CALLEE, 0xe9, EVIL);
	finds(k, RULE_TEXT_CHANGED, 1);
	says(k, "5 bytes at callee are");
	evidence(k, "symbol", "callee");
	*text(k, CALLEE) = 0xcc;
	memcpy(text(k, CALLEE + 1), "\xcc\xcc\xcc\xcc", 4);
	/* Where it is patched by right, and whereto it is not. */
	put_branch(k, MCOUNT, 0xe8, TEXT + SLIDE + TRACER);
	finds(k, RULE_TEXT_CHANGED, 0);
	put_branch(k, MCOUNT, 0xe8, EVIL);
	finds(k, RULE_TEXT_CHANGED, 1);
	says(k, "+0x500 are");
}

/* What is called at a tracepoint, by its trampoline or at once. */
static void traced(void **state)
{
	const uint64_t module = MADE + CODE_MODULE * 0x1000;
	const uint64_t funcs = DATA + SLIDE + TRACEPOINT + 0x20;
	struct kernel *k = *state;

	put_branch(k, STATIC_CALL, 0xe8, module);
	finds(k, RULE_TEXT_CHANGED, 0);
	put_branch(k, TP_TRAMPOLINE, 0xe9, TEXT + SLIDE + NATIVE);
	put_branch(k, TP_CALL, 0xe8, TEXT + SLIDE + NATIVE);
	finds(k, RULE_TEXT_CHANGED, 0);
	put_branch(k, TP_TRAMPOLINE, 0xe9, module);
	put_branch(k, TP_CALL, 0xe8, module);
	finds(k, RULE_TEXT_CHANGED, 2);
	k->i.l.code.v[0].module = "xftrace";
	finds(k, RULE_TEXT_CHANGED, 0);
	k->i.l.code.v[0].module = "mod";
	/* What is in its list is another rule's. */
	fake_put_u64(&k->g, GPA_DATA + TRACEPOINT + 8, funcs);
	fake_put_u64(&k->g, GPA_DATA + TRACEPOINT + 0x20, EVIL);
	finds(k, RULE_TEXT_CHANGED, 2);
	fake_put_u64(&k->g, GPA_DATA + TRACEPOINT + 0x20 + 24, module);
	finds(k, RULE_TEXT_CHANGED, 0);
	put_branch(k, TP_CALL, 0xe8, module + 1);
	finds(k, RULE_TEXT_CHANGED, 1);
}

static void many_changes(void **state)
{
	struct kernel *k = *state;

	for (size_t i = 0; i < LOOK_MAX_FOUND + 3; i++)
		*text(k, 16 * i) ^= 1;
	finds(k, RULE_TEXT_CHANGED, LOOK_MAX_FOUND + 3);
	findings_limit(&k->i.found, LOOK_MAX_FOUND);
	assert_int_equal(k->i.found.nr, LOOK_MAX_FOUND + 1);
	assert_string_equal(k->i.found.v[LOOK_MAX_FOUND].text,
			    "3 more findings of text-changed are not shown");
}

static void dispatched(void **state)
{
	struct kernel *k = *state;
	size_t call = DISPATCHER + 16, jump = DISPATCHER + 32;

	put_branch(k, call, 0xe8, EVIL);
	finds(k, RULE_SYSCALL_DISPATCH, 1);
	says(k, "call of __x64_sys_read in x64_sys_call leads to "
		"0xffffffffa0009000, which is in no known code");
	evidence(k, "expected", "0xffffffff91000780");
	evidence(k, "calls", "0xffffffffa0009000");
	/* One byte of the displacement is enough. */
	put_branch(k, call, 0xe8, TEXT + SLIDE + READ);
	*text(k, call + 3) ^= 0x10;
	finds(k, RULE_SYSCALL_DISPATCH, 1);
	/* Another instruction, or one that calls no function: just code. */
	put_branch(k, call, 0xe9, EVIL);
	finds(k, RULE_TEXT_CHANGED, 1);
	put_branch(k, call, 0xe8, TEXT + SLIDE + READ);
	put_branch(k, jump, 0xe9, EVIL);
	finds(k, RULE_TEXT_CHANGED, 1);
	put_branch(k, jump, 0xe9, TEXT + SLIDE + CALLEE + 1);
	/* So is it in a function that hands nothing out. */
	put_branch(k, ALT_PARAVIRT + 8, 0xe8, EVIL);
	finds(k, RULE_TEXT_CHANGED, 1);
}

/* No more of a rule than that are put together. */
static void enough(void **state)
{
	struct kernel *k = *state;

	for (int i = 0; i < LOOK_MAX_KEPT; i++) {
		look_is_full(&k->i.l, RULE_SYSCALL_DISPATCH);
		look_is_full(&k->i.l, RULE_READ_ONLY_DATA);
	}
	put_branch(k, DISPATCHER + 16, 0xe8, EVIL);
	put_word(k, OPERATIONS + 8, 7);
	check_text(&k->i.l);
	check_tables(&k->i.l);
	assert_int_equal(k->i.found.nr, 0);
}

/*
 * What is there may be another thing each time: it is the same that is wrong.
 */
static void not_the_same(void **state)
{
	struct kernel *k = *state;
	struct findings before;

	for (uint64_t i = 0; i < 3; i++) {
		before = k->i.found;
		k->i.found = (struct findings)FINDINGS_INIT;
		*text(k, ELSEWHERE) = 0x90;
		*text(k, ELSEWHERE + i + 1) = 0x90;
		put_word(k, SYSCALLS + 8, EVIL + i);
		put_word(k, OPERATIONS, EVIL + i);
		put_word(k, OPERATIONS + 8, 7 + i);
		put_gate(k, 14, EVIL + i);
		put_branch(k, DISPATCHER + 16, 0xe8, EVIL + i);
		check_text(&k->i.l);
		check_tables(&k->i.l);
		if (i)
			findings_doubt(&k->i.found, &before);
		findings_deinit(&before);
	}
	assert_int_equal(k->i.found.nr, 6);
	for (size_t i = 0; i < k->i.found.nr; i++)
		assert_int_equal(rules[k->i.found.v[i].rule].level,
				 FINDING_ALARM);
}

/* Its time is over: that is seen before much is compared or walked. */
static void too_late(void **state)
{
	static void (*const check[])(struct look *) = { check_text,
							check_modules };
	struct kernel *k = *state;

	for (size_t i = 0; i < ARRAY_SIZE(check); i++) {
		k->i.l.reads = 1;
		k->i.l.spent = 0;
		k->i.l.began_ns = -2ull * LOOK_MAX_CPU_MS * 1000000;
		check[i](&k->i.l);
		assert_int_equal(k->i.l.spent, -ETIME);
	}
}

static void while_it_patches(void **state)
{
	struct kernel *k = *state;
	const uint32_t refs = 1;

	*text(k, JUMP) = 0xcc;
	finds(k, RULE_TEXT_CHANGED, 1);
	fake_put(&k->g, GPA_DATA + POKING + 12, &refs, sizeof(refs));
	finds(k, RULE_TEXT_CHANGED, 0);
	/* Elsewhere it does not. */
	*text(k, ELSEWHERE) = 0x90;
	finds(k, RULE_TEXT_CHANGED, 1);
}

/*
 * What happens in the guest at each tick of image's, of which 10 are between
 * looks.
 */
static struct kernel *running;
static int ticks, patched_until;

/* In place of libc's. */
int usleep(useconds_t us)
{
	(void)us;
	if (!running)
		return 0;
	fake_put_u64(&running->g, GPA_DATA + JIFFIES, ++ticks);
	if (ticks == patched_until)
		*text(running, JUMP) = 0x0f;
	return 0;
}

static size_t checked(struct kernel *k, enum rule_id rule, const char *what)
{
	struct findings *f = &k->i.found;
	size_t nr = 0;

	findings_deinit(f);
	assert_int_equal(image_check(&k->i.g, f, NULL), 0);
	for (size_t i = 0; i < f->nr; i++)
		nr += f->v[i].rule == rule && strstr(f->v[i].text, what);
	return nr;
}

/* It says that it is patching, and never ends. */
static void patches_for_ever(void **state)
{
	struct kernel *k = *state;
	const uint32_t refs = 1;

	*text(k, JUMP) = 0xcc;
	fake_put(&k->g, GPA_DATA + POKING + 12, &refs, sizeof(refs));
	assert_int_equal(checked(k, RULE_CANNOT_TELL, "stands still"), 1);
	assert_int_equal(checked(k, RULE_TEXT_CHANGED, ""), 0);
	running = k;
	assert_int_equal(checked(k, RULE_TEXT_CHANGED, "begins with a breakp"),
			 1);
	/* A slow guest. */
	ticks = 0;
	patched_until = 60;
	assert_int_equal(checked(k, RULE_TEXT_CHANGED, ""), 0);
	assert_true(ticks >= 60);
	running = NULL;
}

static void system_calls(void **state)
{
	struct kernel *k = *state;

	put_word(k, SYSCALLS + 8, EVIL);
	finds(k, RULE_SYSCALL_TABLE_UNUSED, 1);
	says(k, "sys_call_table[1], __x64_sys_write, is 0xffffffffa0009000");
	evidence(k, "expected", "0xffffffff910007c0");
	evidence(k, "symbol", "sys_call_table");
	teardown(state);
	/* A kernel that calls by the table. */
	*state = k = malloc(sizeof(*k));
	begin(k, "x64_sys_call");
	put_word(k, SYSCALLS, EVIL);
	finds(k, RULE_SYSCALL_TABLE, 1);
	says(k, "sys_call_table[0], __x64_sys_read, is");
}

static void constants(void **state)
{
	struct kernel *k = *state;

	put_word(k, OPERATIONS, TEXT + SLIDE + CALLEE + 1);
	finds(k, RULE_OPERATIONS, 1);
	says(k, "some_operations+0x0, callee, is callee+0x1 now");
	put_word(k, OPERATIONS, TEXT + SLIDE + CALLEE);
	/* What was no function. */
	put_word(k, OPERATIONS + 8, 7);
	finds(k, RULE_READ_ONLY_DATA, 1);
	says(k, "some_operations+0x8 is 0x7 now, not 0x0");
	put_word(k, OPERATIONS + 8, 0);
	/* Constants that are filled in as it boots, and those behind. */
	put_word(k, FILLED_IN, 7);
	put_word(k, NUMBER - 8, 7);
	finds(k, RULE_READ_ONLY_DATA, 0);
	put_word(k, FILLED_IN - 8, 7);
	put_word(k, NUMBER, 7);
	finds(k, RULE_READ_ONLY_DATA, 2);
}

static void gates(void **state)
{
	struct kernel *k = *state;

	put_gate(k, 14, EVIL);
	finds(k, RULE_IDT_GATE, 1);
	says(k, "interrupt 14 leads to 0xffffffffa0009000");
	evidence(k, "address", "0xffffffff911000e0");
	put_gate(k, 14, TEXT + SLIDE + GATES + 1);
	finds(k, RULE_IDT_GATE, 1);
	put_gate(k, 14, TEXT + SLIDE + CALLEE);
	finds(k, RULE_IDT_GATE, 1);
	/* Not present. */
	put_gate(k, 14, 0);
	finds(k, RULE_IDT_GATE, 0);
	/* Only what the processor reserves stays as it was. */
	put_gate(k, 128, TEXT + SLIDE + EARLY_GATES + 18);
	finds(k, RULE_IDT_GATE, 1);
	says(k, "interrupt 128 leads to early_idt_handler_array+0x12");
}

static void unmap(struct kernel *k, uint64_t addr)
{
	*fake_entry(&k->g, addr + SLIDE, 1) = 0;
}

/* What is not there is said, and the others are still looked at. */
static void unreadable(void **state)
{
	struct kernel *k = *state;

	unmap(k, DATA + IDT);
	finds(k, RULE_CANNOT_TELL, 1);
	says(k, "descriptor table cannot be read");
	unmap(k, TEXT + 0x1000);
	finds(k, RULE_CANNOT_TELL, 2);
	says(k, "constant tables cannot be read");
	unmap(k, TEXT);
	finds(k, RULE_CANNOT_TELL, 3);
	says(k, "code at 0xffffffff91000000 cannot be read");
	/* A file without these sections is as good as none. */
	kfile_close(&k->i.file);
	finds(k, RULE_CANNOT_TELL, 3);
	says(k, "no image of this kernel");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(changed_code, setup, teardown),
		cmocka_unit_test_setup_teardown(jump_at_entry, setup, teardown),
		cmocka_unit_test_setup_teardown(traced, setup, teardown),
		cmocka_unit_test_setup_teardown(many_changes, setup, teardown),
		cmocka_unit_test_setup_teardown(dispatched, setup, teardown),
		cmocka_unit_test_setup_teardown(enough, setup, teardown),
		cmocka_unit_test_setup_teardown(not_the_same, setup, teardown),
		cmocka_unit_test_setup_teardown(too_late, setup, teardown),
		cmocka_unit_test_setup_teardown(while_it_patches, setup,
						teardown),
		cmocka_unit_test_setup_teardown(patches_for_ever, setup,
						teardown),
		cmocka_unit_test_setup_teardown(system_calls, setup, teardown),
		cmocka_unit_test_setup_teardown(constants, setup, teardown),
		cmocka_unit_test_setup_teardown(gates, setup, teardown),
		cmocka_unit_test_setup_teardown(unreadable, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
