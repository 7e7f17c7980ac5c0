// SPDX-License-Identifier: GPL-2.0-only
/* Pages that nobody should write, in a trace. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "fake_trace.h"
#include "writecheck.h"
#include "xft_dirty.h"
#include "xft_page.h"

/* Heads of the ring, as in test_dirtyjoin. */
#define FIRST	(sizeof(struct xft_sub) + XFT_TASK_WORDS * 8)
#define AT(n)	(FIRST + (n) * XFT_CALL_WORDS * 8)
#define FOREIGN 0xffffffffa0000010ull
#define NR	80

struct chunk {
	struct trace_dirty head;
	struct trace_dirty_record rec[NR];
};

/* Kernel code was written, below b. */
static struct trace_dirty_record page(uint64_t pc)
{
	return (struct trace_dirty_record){
		.addr = 0x1000, .pos = AT(2), .pc = pc, .type = XFT_PAGE_TEXT,
		.value = fake_addr('c') + 64,
	};
}

static struct findings check(struct chunk *c, uint32_t nr)
{
	struct findings f = FINDINGS_INIT;
	struct fake_trace t;

	fake_trace_open(&t);
	fake_session(&t, 1);
	fake_records(&t, "T5:cat a0( b1( b1) a0)");
	c->head.session = 1;
	c->head.nr = nr;
	c->head.sub_shift = 12;
	if (nr)
		assert_int_equal(fake_chunk(&t, TRACE_DIRTY, c,
					    sizeof(c->head) +
						    nr * sizeof(c->rec[0])), 0);
	fake_trace_seal(&t);
	assert_int_equal(writecheck_run(&t.t, &f, NULL), 0);
	fake_trace_close(&t);
	return f;
}

static size_t count(const struct findings *f, enum rule_id rule)
{
	size_t nr = 0;

	for (size_t i = 0; i < f->nr; i++)
		nr += f->v[i].rule == rule;
	return nr;
}

static void nothing(void **state)
{
	struct chunk c = { .head.source = XFTD_TCG };
	struct findings f = check(&c, 0);

	assert_int_equal(f.nr, 0);
	/* Data may be written; and by us also what else may not. */
	c.rec[0] = page(FOREIGN);
	c.rec[0].type = XFT_PAGE_DATA;
	c.rec[1] = page(FOREIGN);
	c.rec[1].type = XFT_PAGE_RING;
	f = check(&c, 2);
	assert_int_equal(f.nr, 0);
	findings_deinit(&f);
}

static void foreign(void **state)
{
	static const uint8_t types[] = { XFT_PAGE_TEXT, XFT_PAGE_SYSCALLS,
					 XFT_PAGE_RODATA };
	struct chunk c = { .head.source = XFTD_TCG };
	struct findings f;

	for (int i = 0; i < 3; i++) {
		c.rec[i] = page(FOREIGN);
		c.rec[i].type = types[i];
		c.rec[i].value += i * 4096;
	}
	/* Again, which is told once. */
	c.rec[3] = c.rec[0];
	f = check(&c, 4);
	assert_int_equal(f.nr, 3);
	assert_int_equal(count(&f, RULE_CODE_WRITTEN), 3);
	assert_non_null(strstr(f.v[0].text, "0xffffffffa0000010 wrote to "));
	assert_non_null(strstr(f.v[0].text, ", below "));
	assert_non_null(json_object_get(f.v[0].evidence, "root"));
	findings_deinit(&f);
}

static void hints(void **state)
{
	struct chunk c = { .head.source = XFTD_TCG };
	struct findings f;

	/* By the kernel's own code, which must not write constant data. */
	c.rec[0] = page(fake_addr('a') + 8);
	c.rec[0].type = XFT_PAGE_SYSCALLS;
	f = check(&c, 1);
	assert_int_equal(count(&f, RULE_CODE_WRITTEN), 1);
	findings_deinit(&f);
	/* But its code; and a module that is loaded. */
	c.rec[0] = page(fake_addr('a') + 8);
	c.rec[1] = page(FOREIGN);
	c.rec[1].type = XFT_PAGE_MODULE_TEXT;
	f = check(&c, 2);
	assert_int_equal(f.nr, 2);
	assert_int_equal(count(&f, RULE_CODE_PATCHED), 2);
	findings_deinit(&f);
	/* Harvested: nobody knows. */
	c.head.source = XFTD_KVM_RING;
	c.rec[0] = page(0);
	c.rec[0].flags = XFTD_HARVESTED;
	f = check(&c, 1);
	assert_int_equal(f.nr, 1);
	assert_int_equal(f.v[0].rule, RULE_CODE_PATCHED);
	assert_non_null(strstr(f.v[0].text, "somebody wrote to "));
	findings_deinit(&f);
}

/* As many as somebody likes: few are shown, all are counted. */
static void flood(void **state)
{
	struct chunk c = { .head.source = XFTD_TCG };
	struct findings f;

	for (int i = 0; i < NR; i++)
		c.rec[i] = page(FOREIGN + i * 4096);
	f = check(&c, NR);
	assert_int_equal(count(&f, RULE_CODE_WRITTEN), 64);
	assert_int_equal(count(&f, RULE_CANNOT_TELL), 1);
	assert_non_null(strstr(f.v[f.nr - 1].text, "16 more"));
	findings_deinit(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing),
		cmocka_unit_test(foreign),
		cmocka_unit_test(hints),
		cmocka_unit_test(flood),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
