// SPDX-License-Identifier: GPL-2.0-only
/*
 * blackbox: the file of a guest's RAM, written by the module's own ring writer,
 * and a trace whose recorder was killed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>

#include "blackbox.h"
#include "fake_ring.h"
#include "fake_store.h"
#include "intake.h"
#include "trace.h"
#include "xft_record.h"

#define INSTANCE 0x1234567890abcdefULL

static struct store st;
static struct fake_ring f;
static struct xf_err err;
static uint64_t pushed;

static void push(uint32_t nr)
{
	while (nr--)
		fake_ring_push(&f, ++pushed);
}

/* A trace that was begun with the guest's @request-th request. */
static void make_trace_of(const char *name, int request, bool read_some)
{
	struct klog_entry key = f.keys.entries[0];
	struct journal j;
	char meta[200];
	int len = snprintf(meta, sizeof(meta),
			   "{\"guest\": \"g\", \"session\": %d, \"tsc_khz\": 1000, "
			   "\"instance\": \"0x%llx\", \"request\": %d}",
			   FAKE_SESSION, INSTANCE, request);

	assert_int_equal(journal_create(&j, &st, name, &err), 0);
	assert_int_equal(journal_put(&j, TRACE_META, meta, len, &err), 0);
	assert_int_equal(journal_put(&j, TRACE_KEY, &key, sizeof(key), &err),
			 0);
	if (read_some)
		assert_int_equal(intake_ring(&j, &f.r, &f.keys, FAKE_SESSION,
					     &err), 0);
	assert_int_equal(journal_commit(&j, &err), 0);
	journal_close(&j);
}

/* The guest as it died: its RAM, and a control block behind it. */
static void write_ram(const char *path, uint64_t instance, uint32_t request)
{
	uint8_t page[XFT_PAGE] = { 0 };
	uint64_t ring = FAKE_RING_GPA, at = (f.g.len + 4095) & ~4095ULL;
	struct xft_ctl *ctl = (void *)page;
	FILE *out = fopen(path, "w");

	*ctl = (struct xft_ctl){
		.magic = { XFT_MAGIC0, XFT_MAGIC1 },
		.abi_major = XFT_ABI_MAJOR,
		.self_gpa = at,
		.instance = instance,
		.mbox_gpa = FAKE_MBOX_GPA,
		.rings_gpa = at + XFT_PAGE,
		.nr_rings = 1,
		.state = XFT_TRACING,
		.seq_done = request,
	};
	assert_non_null(out);
	assert_int_equal(fwrite(f.g.ram, 1, f.g.len, out), f.g.len);
	assert_int_equal(fseek(out, at, SEEK_SET), 0);
	assert_int_equal(fwrite(page, 1, sizeof(page), out), sizeof(page));
	memset(page, 0, sizeof(page));
	memcpy(page, &ring, sizeof(ring));
	assert_int_equal(fwrite(page, 1, sizeof(page), out), sizeof(page));
	assert_int_equal(fclose(out), 0);
	assert_int_equal(chmod(path, 0600), 0);
}

static void begin(void)
{
	pushed = 0;
	make_store(&st, "a", 4 * MIB);
	fake_ring_open(&f, 12, 16);
	fake_ring_rotate(&f);
}

static void end(void)
{
	fake_ring_close(&f);
	store_close(&st);
}

static int recover(const char *file, const char *name, uint64_t *ret_records)
{
	_cleanup_free_ char *found = NULL;
	int rc = blackbox_recover(&st, file, false, name, &found, ret_records,
				  &err);

	if (!rc && name)
		assert_string_equal(found, name);
	return rc;
}

/* Calls 1, 2, 3... without a gap, as the trace has them; how many. */
static uint64_t count_calls(const char *name)
{
	uint64_t key = f.keys.entries[0].key, calls = 0, n;
	struct journal_chunk c = { 0 };
	struct journal j;

	assert_int_equal(journal_open(&j, &st, name, &err), 0);
	while (journal_next(&j, &c, &err) > 0) {
		const struct trace_span *s = c.data;
		uint64_t words[512];

		if (c.type != TRACE_SPAN)
			continue;
		memcpy(words, s + 1, s->len);
		mask_xor(words, words, s->len, key);
		for (uint32_t i = 0; i < s->len / 8; i += xft_words(words[i])) {
			if (xft_type(words[i]) == XFT_TASK)
				continue;
			assert_true(fake_ring_call_ok(words + i, s->base_tsc,
						      &n));
			assert_int_equal(n, ++calls);
		}
	}
	journal_close(&j);
	return calls;
}

static void test_rest(void **state)
{
	struct catalog_entry e;
	uint64_t records;

	begin();
	push(1000);
	make_trace_of("t", 7, true);
	/* The recorder is dead, the guest is not yet. */
	push(777);
	write_ram("ram", INSTANCE, 7);
	assert_int_equal(recover("ram", "t", &records), 0);
	assert_true(records >= 777);
	assert_int_equal(count_calls("t"), 1777);
	assert_int_equal(catalog_find(&st, "t", &e, &err), 0);
	assert_true(e.finished);
	/* It is all there now. */
	assert_int_equal(recover("ram", NULL, &records), 0);
	assert_int_equal(records, 0);
	assert_int_equal(count_calls("t"), 1777);
	end();
}

static void test_which(void **state)
{
	uint64_t records;
	struct journal j;

	begin();
	push(500);
	make_trace_of("old", 3, false);
	make_trace_of("new", 7, false);
	write_ram("ram", INSTANCE, 7);
	write_ram("under-way", INSTANCE, 6);
	write_ram("other", INSTANCE + 1, 7);
	write_ram("later", INSTANCE, 9);

	/*
	 * A module may have been traced many times; its rings are of the last.
	 */
	assert_int_equal(recover("ram", "old", &records), -ENOENT);
	assert_int_equal(recover("other", NULL, &records), -ENOENT);
	assert_int_equal(recover("later", NULL, &records), -ENOENT);
	assert_non_null(strstr(err.msg, "no trace here has the keys"));
	assert_int_equal(journal_reopen(&j, &st, "new", &err), 0);
	assert_int_equal(recover("ram", NULL, &records), -EBUSY);
	journal_close(&j);
	assert_int_equal(count_calls("new"), 0);
	assert_int_equal(recover("ram", "new", &records), 0);
	assert_int_equal(count_calls("new"), 500);
	assert_int_equal(count_calls("old"), 0);
	/* Killed while START was carried out. */
	assert_int_equal(recover("under-way", "new", &records), 0);
	end();
}

static void test_no_ram(void **state)
{
	uint64_t records;

	begin();
	make_trace_of("t", 7, false);
	assert_int_equal(recover("nowhere", NULL, &records), -ENOENT);
	write_ram("ram", INSTANCE, 7);
	assert_int_equal(chmod("ram", 0644), 0);
	assert_int_equal(recover("ram", NULL, &records), -EPERM);
	assert_int_equal(chmod("ram", 0600), 0);
	/* A header that is none, where the control block says a ring is. */
	poke("ram", FAKE_RING_GPA, "????", 4);
	assert_int_equal(recover("ram", NULL, &records), -EBADMSG);
	assert_int_equal(count_calls("t"), 0);
	end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_rest),
		TEST(test_which),
		TEST(test_no_ram),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
