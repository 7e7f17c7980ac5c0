// SPDX-License-Identifier: GPL-2.0-only
/*
 * flowtrace and flowcheck, on traces with known calls: what each rule must
 * find, and what none may find in runs that only chance tells apart.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <elf.h>

#include "baseline.h"
#include "branch.h"
#include "fake_trace.h"
#include "flowcheck.h"
#include "flowtrace.h"

/* A clean call of ksys_read: __fdget_pos, then vfs_read with its callees. */
#define CLEAN "a0( q1( q1) b1( c2( c2) d2( e3(<d e3) d2) b1) v1( v1) a0) "

/*
 * The module of function u, which is nobody's without; and is it a live patch?
 */
static const char *module_of_u;
static bool u_is_patch;

static void add_module(struct fake_trace *f)
{
	_cleanup_(symtab_destroyp) struct symtab *st = symtab_create();
	struct buf b = BUF_INIT;

	symtab_add(st, fake_addr('u'), FAKE_SIZE, 't', "program", 7,
		   module_of_u);
	symtab_seal(st);
	symtab_pack(st, SYMTAB_MODULES, &b);
	fake_must(fake_chunk(f, TRACE_MODULES, b.data, b.len));
	b.len = 0;
	buf_printf(&b, "{\"what\": \"live-patch\", \"text\": \"by\", "
		   "\"module\": \"%s\"}", module_of_u);
	if (u_is_patch)
		fake_must(fake_text_chunk(f, TRACE_NOTE, b.data));
	buf_deinit(&b);
}

static void open_trace(struct fake_trace *f, const char *call, int times,
		       const char *more)
{
	fake_trace_open(f);
	fake_session(f, 1);
	if (module_of_u)
		add_module(f);
	fake_records(f, "T5:cat");
	for (int i = 0; i < times; i++)
		fake_records(f, call);
	fake_records(f, more);
	fake_must(fake_text_chunk(f, TRACE_END, "{\"reason\": \"off\", "
				  "\"gaps\": 0, \"bad\": 0, \"full\": false}"));
	fake_trace_seal(f);
}

static void collect(struct flow *ret, const char *call, int times,
		    const char *more)
{
	struct fake_trace f;
	struct call_stats s;

	open_trace(&f, call, times, more);
	assert_int_equal(flowtrace_collect(ret, &f.t, &s, NULL), 0);
	fake_trace_close(&f);
}

/* Text of the findings, one a line: "rule: sentence". */
static char *find(const struct flow *base, const struct kfile *code,
		  const char *call, int times, const char *more)
{
	struct findings found = FINDINGS_INIT;
	struct buf b = BUF_INIT;
	struct fake_trace f;
	struct flowcheck c = { .trace = &f.t, .base = base, .code = code };

	open_trace(&f, call, times, more);
	assert_int_equal(flowcheck_run(&c, &found, NULL), 0);
	for (size_t i = 0; i < found.nr; i++)
		buf_printf(&b, "%s: %s\n", rules[found.v[i].rule].name,
			   found.v[i].text);
	buf_puts(&b, "");
	findings_deinit(&found);
	fake_trace_close(&f);
	return buf_take(&b);
}

static void assert_finds(const struct flow *base, const char *call, int times,
			 const char *more, const char *expected)
{
	char *text = find(base, NULL, call, times, more);

	if (*expected ? !strstr(text, expected) : *text)
		fail_msg("expected \"%s\", found \"%s\"", expected, text);
	free(text);
}

static uint64_t calls_of(const struct flow *f, const char *key)
{
	const struct flow_item *item = flow_find(f, key);

	return item ? item->calls : 0;
}

static void test_collect(void **state)
{
	struct flow f = { 0 };
	const struct flow_item *item;

	collect(&f, CLEAN, 3, "a0( g1(i g1)i a0)");
	assert_int_equal(calls_of(&f, "root ksys_read"), 4);
	assert_int_equal(calls_of(&f, "call task ksys_read do_syscall_64 ksys_read"), 4);
	assert_int_equal(calls_of(&f, "call task ksys_read ksys_read vfs_read"), 3);
	assert_int_equal(calls_of(&f, "call irq * ksys_read do_idle"), 1);
	assert_int_equal(calls_of(&f, "order ksys_read __fdget_pos vfs_read"), 3);
	assert_int_equal(calls_of(&f, "order ksys_read vfs_read __fdget_pos"), 0);
	item = flow_find(&f, "call task ksys_read new_sync_read ext4_file_read_iter");
	assert_non_null(item);
	assert_int_equal(item->trees, 3);
	assert_int_equal(item->runs, 1);
	assert_int_equal(item->first->func, fake_addr('e'));
	flow_deinit(&f);
}

/* Two tasks at once: each tree counts what is its own. */
static void test_tasks_interleave(void **state)
{
	struct flow f = { 0 };

	collect(&f, "T5:cat a0( b1( b1) T6:dd a0( b1( b1) T5:cat b1( b1) "
		    "T6:dd b1( b1) a0) T5:cat a0) T7:x a0( a0) ", 10, "");
	assert_int_equal(flow_find(&f, "root ksys_read")->trees, 30);
	assert_int_equal(flow_find(&f, "call task ksys_read ksys_read vfs_read")
				 ->trees, 20);
	flow_deinit(&f);
}

static void test_without_baseline(void **state)
{
	assert_finds(NULL, CLEAN, 5, "", "");
	assert_finds(NULL, CLEAN, 5, "a0( u1( c2( c2) u1) a0)",
		     "unknown-call: ksys_read called ?0xffffffff81000800, which "
		     "is in no kernel text and no listed module, 1 time, below "
		     "ksys_read\n");
	assert_finds(NULL, CLEAN, 5, "a0( b1(<u b1) a0)",
		     "unknown-caller: ?0xffffffff81000815 called vfs_read");
	assert_finds(NULL, "", 0, "", "cannot-tell: no call");
	assert_finds(NULL, CLEAN, 5, "L3 " CLEAN,
		     "cannot-tell: 3 records were lost");
}

/* What a module does when it is loaded has no names any more. */
static void test_init(void **state)
{
	struct flow f = { 0 };

	collect(&f, CLEAN, 3, "a0( z1( u2( b3(<u b3) u3( c4(<u c4) u3) u2) "
		    "d2(<u d2) z1) a0)");
	assert_int_equal(calls_of(&f, "call task ksys_read do_one_initcall (init)"), 1);
	assert_int_equal(calls_of(&f, "call task ksys_read (init) (init)"), 1);
	assert_int_equal(calls_of(&f, "call task ksys_read (init) vfs_read"), 1);
	assert_int_equal(calls_of(&f, "call task ksys_read (init) rw_verify_area"), 1);
	assert_int_equal(calls_of(&f, "call task ksys_read (init) new_sync_read"), 1);
	assert_finds(NULL, CLEAN, 5,
		     "a0( z1( u2( b3(<u b3) u2) d2(<u d2) z1) a0)", "");
	assert_finds(&f, CLEAN, 5, "a0( z1( u2( e3(<u e3) u2) z1) a0)",
		     "new-path: ");
	/* Not what the kernel calls for it. */
	assert_finds(NULL, CLEAN, 5, "a0( z1( u2( b3( u4( u4) b3) u2) z1) a0)",
		     "unknown-call: vfs_read called ?");
	flow_deinit(&f);
}

static void assert_evidence(const struct finding *f, const char *want)
{
	char *text = json_dumps(f->evidence, JSON_COMPACT | JSON_SORT_KEYS);

	assert_string_equal(text, want);
	free(text);
}

/*
 * Records that somebody has written to, or the boot of a guest that was reset.
 */
static void check_seal(const char *note, enum rule_id expected)
{
	struct trace_seed seed = { .session = 1 };
	struct {
		struct trace_span span;
		uint64_t words[3];
	} evidence = { .span = { .session = 1, .cpu = 2, .nr = 17, .len = 24,
				 .offset = 2040, .fault = UNSEAL_EDITED } };
	struct findings found = FINDINGS_INIT;
	struct fake_trace f;
	struct flowcheck c = { .trace = &f.t };

	fake_trace_open(&f);
	fake_session(&f, 1);
	fake_must(fake_chunk(&f, TRACE_SEED, &seed, sizeof(seed)));
	for (int i = 0; i < 2; i++)
		fake_must(fake_chunk(&f, TRACE_EVIDENCE, &evidence,
				     sizeof(evidence)));
	fake_must(fake_text_chunk(&f, TRACE_NOTE, note));
	fake_must(fake_text_chunk(&f, TRACE_END, "{}"));
	fake_trace_seal(&f);
	assert_return_code(flowcheck_run(&c, &found, NULL), 0);
	assert_int_equal(found.v[0].rule, expected);
	if (expected == RULE_SEAL_BROKEN) {
		assert_non_null(strstr(found.v[0].text, "times edited"));
		json_object_del(found.v[0].evidence, "faults");
		assert_evidence(&found.v[0],
				"{\"cpu\":2,\"kind\":\"main\",\"offset\":2040,"
				"\"records\":0,\"session\":1,\"sub_buffer\":17,"
				"\"time\":\"0.000000 s\",\"what\":\"edited\"}");
	}
	findings_deinit(&found);
	fake_trace_close(&f);
}

static void test_seal(void **state)
{
	check_seal("{\"text\": \"x\"}", RULE_SEAL_BROKEN);
	check_seal("{\"text\": \"x\", \"overwritten\": {\"edited\": 1}}",
		   RULE_SEAL_BROKEN);
	check_seal("{\"text\": \"x\", \"overwritten\": {\"replayed\": 9}}",
		   RULE_SEAL_BROKEN);
	check_seal("{\"text\": \"x\", \"overwritten\": {\"edited\": 2}}",
		   RULE_CANNOT_TELL);
	check_seal("{\"text\": \"x\", \"overwritten\": {\"edited\": -1}}",
		   RULE_SEAL_BROKEN);
	check_seal("{\"text\": \"x\", \"overwritten\": []}",
		   RULE_SEAL_BROKEN);
}

/* Where and when, for those who read no sentences. */
static void test_evidence(void **state)
{
	static const struct {
		uint32_t type;
		enum rule_id rule;
		const char *text, *want;
	} cases[] = {
		{ TRACE_NOTE, RULE_SILENCE,
		  "{\"what\": \"silence\", \"text\": \"x\", \"session\": 1, "
		  "\"tsc\": \"0x262988\"}",
		  "{\"session\":1,\"time\":\"2.500000 s\"}" },
		{ TRACE_NOTE, RULE_SILENCE,
		  "{\"what\": \"silence\", \"text\": \"x\", \"session\": 9, "
		  "\"tsc\": \"0x262988\"}", "{}" },
		{ TRACE_NOTE, RULE_SILENCE,
		  "{\"what\": \"silence\", \"text\": \"x\", \"session\": 1, "
		  "\"tsc\": 1}", "{\"session\":1,\"time\":\"0.000000 s\"}" },
		{ TRACE_NOTE, RULE_HIDDEN_MODULE,
		  "{\"what\": \"hidden\", \"text\": \"x\", \"module\": "
		  "\"rk\"}", "{\"module\":\"rk\"}" },
		{ TRACE_END, RULE_RECORDS_GONE,
		  "{\"gaps\": 7, \"first_gap\": {\"session\": 1, \"cpu\": 3, "
		  "\"tsc\": \"0x262988\"}}",
		  "{\"cpu\":3,\"records\":7,\"session\":1,\"time\":"
		  "\"2.500000 s\"}" },
		{ TRACE_END, RULE_RECORDS_GONE, "{\"gaps\": 7}",
		  "{\"records\":7}" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct findings found = FINDINGS_INIT;
		struct fake_trace f;
		struct flowcheck c = { .trace = &f.t, .recording = true };

		fake_trace_open(&f);
		fake_session(&f, 1);
		fake_records(&f, "T5:cat " CLEAN);
		fake_must(fake_text_chunk(&f, cases[i].type, cases[i].text));
		fake_trace_seal(&f);
		assert_int_equal(flowcheck_run(&c, &found, NULL), 0);
		assert_int_equal(found.nr, 1);
		assert_int_equal(found.v[0].rule, cases[i].rule);
		assert_evidence(&found.v[0], cases[i].want);
		findings_deinit(&found);
		fake_trace_close(&f);
	}
}

/*
 * Somebody has taken the seed out: nothing passes for records that xor masks.
 */
static void test_keyless(void **state)
{
	struct findings found = FINDINGS_INIT;
	struct buf mask = BUF_INIT;
	struct fake_trace f;
	struct flowcheck c = { .trace = &f.t, .mask = &mask };
	bool alarm = false, shown = true;

	fake_trace_open(&f);
	f.sealed = true;
	fake_session(&f, 1);
	fake_records(&f, "T5:cat " CLEAN "S " CLEAN);
	fake_must(fake_text_chunk(&f, TRACE_END, "{\"erasable_ns\": 5000000}"));
	fake_trace_seal(&f);
	assert_int_equal(f.t.sessions[0].evidence[UNSEAL_KEYLESS], 2);
	assert_return_code(flowcheck_run(&c, &found, NULL), 0);
	for (size_t i = 0; i < found.nr; i++) {
		alarm |= found.v[i].rule == RULE_SEAL_BROKEN &&
			 strstr(found.v[i].text, "sealed, key unknown, 2 ");
		shown &= !strstr(found.v[i].text, "no call ");
	}
	assert_true(alarm && !shown);
	assert_non_null(strstr(mask.data, "; first on CPU 0, sub-buffer 0 at "
				"byte 64: key unknown"));
	assert_null(strstr(mask.data, "forgeable"));
	findings_deinit(&found);
	fake_trace_close(&f);
	buf_deinit(&mask);

	/* It died before the first record, and before it had a seed. */
	fake_trace_open(&f);
	f.sealed = true;
	fake_session(&f, 1);
	fake_must(fake_text_chunk(&f, TRACE_END, "{}"));
	fake_trace_seal(&f);
	assert_return_code(flowcheck_run(&c, &found, NULL), 0);
	assert_int_not_equal(findings_verdict(&found), VERDICT_FINDINGS);
	findings_deinit(&found);
	fake_trace_close(&f);
	buf_deinit(&mask);
}

static void test_end(void **state)
{
	static const struct {
		const char *end, *note, *expected;
	} cases[] = {
		{ "{\"gaps\": 2}", NULL, "records-gone: 2 records are missing" },
		{ "{\"bad\": 1}", NULL, "cannot-tell: some records are damaged" },
		{ "{\"full\": true}", NULL, "cannot-tell: the store was full" },
		{ "{}", "{\"what\": \"live-patch\", \"text\": \"by x\"}",
		  "live-patch: by x" },
		{ "{}", "{\"what\": \"hidden\", \"text\": \"gone: x\"}",
		  "hidden-module: gone: x" },
		{ NULL, NULL, "cannot-tell: recording did not end" },
		{ "{}", "{\"text\": \"x\"}", "" },
		{ "{}", "{\"what\": \"silence\", \"text\": \"it stopped\"}",
		  "silence: it stopped" },
		{ "{}", "{\"what\": \"still\", \"text\": \"it hung\"}",
		  "cannot-tell: it hung" },
		{ "{}", "{\"what\": \"part\", \"text\": \"it rebooted\"}",
		  "cannot-tell: it rebooted" },
		{ "{}", "{\"what\": 7, \"text\": 8}", "" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct findings found = FINDINGS_INIT;
		struct fake_trace f;
		struct flowcheck c = { .trace = &f.t };
		struct buf b = BUF_INIT;

		fake_trace_open(&f);
		fake_session(&f, 1);
		fake_records(&f, "T5:cat " CLEAN);
		if (cases[i].note)
			fake_must(fake_text_chunk(&f, TRACE_NOTE, cases[i].note));
		if (cases[i].end)
			fake_must(fake_text_chunk(&f, TRACE_END, cases[i].end));
		fake_trace_seal(&f);
		assert_int_equal(flowcheck_run(&c, &found, NULL), 0);
		assert_int_equal(found.nr, *cases[i].expected ? 1 : 0);
		if (found.nr) {
			buf_printf(&b, "%s: %s", rules[found.v[0].rule].name,
				   found.v[0].text);
			assert_non_null(strstr(b.data, cases[i].expected));
		}
		buf_deinit(&b);
		findings_deinit(&found);
		fake_trace_close(&f);
	}
}

static void make_base(struct flow *base, const char *more)
{
	struct flow one = { 0 };

	for (int i = 0; i < 3; i++) {
		collect(&one, CLEAN, 30, more);
		if (!i) {
			base->release = xf_take(one.release);
			base->build_id = xf_take(one.build_id);
		}
		assert_true(flow_merge(base, &one));
		flow_deinit(&one);
	}
}

static void test_new_calls(void **state)
{
	struct flow base = { 0 };

	make_base(&base, "a0( a0(<$ a0) a0) ");
	assert_finds(&base, CLEAN, 30, "", "");
	/* A module that no clean run had. */
	assert_finds(&base, CLEAN, 30, "a0( m1( m1) a0)",
		     "new-call: ksys_read called xftmod:xftmod_read, with a "
		     "module that no clean run had, 1 time, below ksys_read");
	assert_finds(&base, CLEAN, 30, "a0( b1(<m b1) a0)",
		     "new-call: xftmod:xftmod_read called vfs_read");
	/* The kernel's own: nobody can judge that without the image. */
	assert_finds(&base, "a0( q1( q1) b1( c2( c2) d2( e3(<d e3) d2) f2( f2) "
			    "b1) v1( v1) a0) ", 30, "",
		     "cannot-tell: 1 kind of call that no clean run had");
	/* Rarely, or by what clean runs hardly know, it is chance. */
	assert_finds(&base, CLEAN, 30, "a0( f1( f1) a0)", "new-path: 1 kind");
	assert_finds(&base, CLEAN, 30, "a0( w1( f2( f2) w1) a0) ",
		     "new-path: 2 kinds");
	/* An interrupt is chance. */
	assert_finds(&base, CLEAN, 30, "a0( g1(i g1)i a0)", "new-path: 1 kind");
	flow_deinit(&base);
}

/* Code that the kernel makes is in no clean run's list of modules. */
static void test_made_code(void **state)
{
	static const char call[] = "a0( b1(<u b1) a0)";
	struct flow base = { 0 };

	make_base(&base, "");
	module_of_u = "bpf";
	assert_finds(NULL, CLEAN, 30, call, "");
	assert_finds(&base, CLEAN, 30, call, "new-path: 1 kind");
	module_of_u = "bpf2";
	assert_finds(NULL, CLEAN, 30, call, "");
	assert_finds(&base, CLEAN, 30, call,
		     "new-call: bpf2:program called vfs_read, with a module that "
		     "no clean run had");
	/* A live patch is whose it is: a hint. */
	u_is_patch = true;
	assert_finds(&base, CLEAN, 30, call, "live-patch: by");
	assert_finds(&base, CLEAN, 30, call, "new-path: 1 kind");
	u_is_patch = false;
	module_of_u = NULL;
	flow_deinit(&base);
}

#define TEXT_LEN (26 * 0x1000)

/*
 * The kernel of fake_trace, whose code is all zeros but for @bytes in vfs_read.
 */
static void make_image(struct kfile *ret, const void *bytes, size_t len)
{
	static const char names[] = "\0.text\0.shstrtab";
	struct {
		Elf64_Ehdr eh;
		Elf64_Phdr ph;
		Elf64_Shdr sh[3];
		char names[sizeof(names)];
		uint8_t text[TEXT_LEN];
	} *f = calloc(1, sizeof(*f));
	struct buf b = BUF_INIT;

	f->eh = (Elf64_Ehdr){
		.e_ident = { 0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB,
			     EV_CURRENT },
		.e_type = ET_EXEC,
		.e_machine = EM_X86_64,
		.e_version = EV_CURRENT,
		.e_ehsize = sizeof(f->eh),
		.e_phoff = offsetof(typeof(*f), ph),
		.e_phentsize = sizeof(f->ph),
		.e_phnum = 1,
		.e_shoff = offsetof(typeof(*f), sh),
		.e_shentsize = sizeof(f->sh[0]),
		.e_shnum = 3,
		.e_shstrndx = 2,
	};
	f->ph = (Elf64_Phdr){ .p_type = PT_LOAD,
			      .p_offset = offsetof(typeof(*f), text),
			      .p_vaddr = FAKE_TEXT,
			      .p_paddr = FAKE_TEXT - SYMTAB_KERNEL_BASE,
			      .p_filesz = TEXT_LEN,
			      .p_memsz = TEXT_LEN };
	f->sh[1] = (Elf64_Shdr){ .sh_name = 1,
				 .sh_type = SHT_PROGBITS,
				 .sh_addr = FAKE_TEXT,
				 .sh_offset = offsetof(typeof(*f), text),
				 .sh_size = TEXT_LEN };
	f->sh[2] = (Elf64_Shdr){ .sh_name = 7,
				 .sh_type = SHT_STRTAB,
				 .sh_offset = offsetof(typeof(*f), names),
				 .sh_size = sizeof(names) };
	memcpy(f->names, names, sizeof(names));
	memcpy(f->text + (fake_addr('b') - FAKE_TEXT) + 0x10, bytes, len);
	buf_add(&b, f, sizeof(*f));
	free(f);
	*ret = (struct kfile)KFILE_INIT;
	assert_int_equal(kfile_open(ret, &b, 0, NULL), 0);
}

/* All calls of vfs_read lead to filemap_read, which none did before. */
static void assert_judges(const struct flow *base, const void *bytes,
			  size_t len, const char *expected)
{
	struct kfile image;
	char *text;

	make_image(&image, bytes, len);
	text = find(base, &image,
		    "a0( q1( q1) b1( c2( c2) d2( e3(<d e3) d2) f2( f2) b1) "
		    "v1( v1) a0) ", 30, "");
	if (!strstr(text, expected))
		fail_msg("expected \"%s\", found \"%s\"", expected, text);
	free(text);
	kfile_close(&image);
}

static void test_new_calls_of_the_kernel(void **state)
{
	const uint64_t f = fake_addr('f');
	uint8_t call[5] = { 0xe8 };
	int32_t rel = f - (fake_addr('b') + 0x10 + sizeof(call));
	struct flow base = { 0 };

	memcpy(call + 1, &rel, sizeof(rel));
	make_base(&base, "");
	assert_judges(&base, "", 0, "new-call: vfs_read called filemap_read, "
		      "which no clean run did and the kernel cannot, 30 times");
	assert_judges(&base, call, sizeof(call), "new-path: 1 kind");
	/* A pointer, as in mov $filemap_read, %rax. */
	assert_judges(&base, &f, 4, "new-path: 1 kind");
	flow_deinit(&base);
}

static void test_missing_and_order(void **state)
{
	struct flow base = { 0 };

	make_base(&base, "");
	assert_finds(&base,
		     "a0( q1( q1) b1( c2( c2) b1) v1( v1) a0) ", 30, "",
		     "missing-call: vfs_read no longer calls new_sync_read: it "
		     "did in all 90 clean calls of ksys_read, and in none of 30");
	/* Once is enough, and a few calls are too few. */
	assert_finds(&base,
		     "a0( q1( q1) b1( c2( c2) b1) v1( v1) a0) ", 30, CLEAN, "");
	assert_finds(&base,
		     "a0( q1( q1) b1( c2( c2) b1) v1( v1) a0) ", 5, "", "");
	assert_finds(&base, CLEAN, 30,
		     "a0( q1( q1) v1( v1) b1( c2( c2) b1) a0) ",
		     "changed-order: below ksys_read, fput was called before "
		     "vfs_read");
	flow_deinit(&base);
}

static void test_slow(void **state)
{
	struct flow base = { 0 };

	make_base(&base, "");
	assert_finds(&base, "a0( q1( q1) b1( c2( c2) d2( e3(<d e3) d2) b1) "
			    "v1( +9000 v1) a0) ", 30, "",
		     "slow-call: half of all calls of ksys_read");
	flow_deinit(&base);
}

static void test_other_baselines(void **state)
{
	struct flow base = { 0 };

	make_base(&base, "");
	/* Nobody asked for vfs_read: an interrupt may look like that. */
	assert_finds(&base, CLEAN, 30, "b0( c1( c1) b0) ", "new-path: 2 kinds");
	flow_deinit(&base);
	collect(&base, "b0( b0) ", 60, "");
	assert_finds(&base, CLEAN, 5, "",
		     "cannot-tell: the baseline has no calls of ksys_read");
	flow_deinit(&base);
	make_base(&base, "");
	base.depth = 3;
	assert_finds(&base, CLEAN, 30, "", "cannot-tell: the baseline was "
					   "recorded with another --depth");
	base.build_id[0] = 'd';
	assert_finds(&base, CLEAN, 30, "", "cannot-tell: the baseline is of "
					   "another kernel: 6.1.0-test");
	flow_deinit(&base);
}

static void test_branch(void **state)
{
	const uint64_t at = 0xffffffff81000000;
	uint8_t code[16] = { 0x90, 0xe8, 0x0a, 0, 0, 0, 0x0f, 0x84,
			     0xf4, 0xff, 0xff, 0xff, 0xe9, 0, 0, 0 };

	assert_true(branch_leads_to(code, sizeof(code), at, at + 16));
	assert_true(branch_leads_to(code, sizeof(code), at, at));
	assert_false(branch_leads_to(code, sizeof(code), at, at + 17));
	/* A jump that is cut off. */
	assert_false(branch_leads_to(code + 12, 4, at, at + 5));
	assert_false(branch_leads_to(code, 0, at, at + 16));
	memcpy(code + 3, &at, 8);
	assert_true(branch_has_pointer(code, sizeof(code), false, at));
	assert_false(branch_has_pointer(code, 10, false, at));
	assert_true(branch_has_pointer(code, 10, true, at));
	assert_false(branch_has_pointer(code, 6, true, at));
}

static void test_baseline_round(void **state)
{
	struct flow base = { 0 }, again = { 0 };
	struct buf a = BUF_INIT, b = BUF_INIT;

	make_base(&base, "");
	baseline_write(&base, &a);
	assert_int_equal(baseline_parse(a.data, a.len, &again, NULL), 0);
	baseline_write(&again, &b);
	assert_int_equal(a.len, b.len);
	assert_memory_equal(a.data, b.data, a.len);
	assert_finds(&again, CLEAN, 30, "", "");
	/* Cut anywhere it is refused, or what was before is whole lines. */
	for (size_t len = 0; len < a.len; len++) {
		struct flow f = { 0 };
		int rc = baseline_parse(a.data, len, &f, NULL);

		assert_true(rc == -EBADMSG || (!rc && a.data[len - 1] == '\n'));
		flow_deinit(&f);
	}
	flow_deinit(&base);
	flow_deinit(&again);
	buf_deinit(&a);
	buf_deinit(&b);
}

#define HEAD "xftrace baseline 1\nkernel k\nbuild-id ab\ndepth 0\nruns 1\n"

static void test_baseline_errors(void **state)
{
	static const struct {
		const char *text, *says;
	} cases[] = {
		{ "", "line 1: this is no baseline" },
		{ "hello\n", "line 1: this is no baseline" },
		{ "xftrace baseline 9\n", "version 9" },
		{ "xftrace baseline 1\nrelease k\n", "line 2: 'kernel' is" },
		{ "xftrace baseline 1\nkernel k\nbuild-id ab\ndepth x\n",
		  "line 4: no number" },
		{ HEAD "root a 1 1\n", "line 6: three numbers" },
		{ HEAD "root a 1 1 -1\n", "line 6: three numbers" },
		{ HEAD "root a 1 1 99999999999999999999\n", "line 6: three" },
		{ HEAD "root a b 1 1 1\n", "line 6: neither root" },
		{ HEAD "root  a 1 1 1\n", "line 6: more than one space" },
		{ HEAD "root a 1 1 1\nroot a 1 1 1\n", "line 7: out of order" },
		{ HEAD "root b 1 1 1\nroot a 1 1 1\n", "line 7: out of order" },
		{ HEAD "call task a b 1 1 1\n", "line 6: neither root" },
		{ HEAD "root \x1b[31m 1 1 1\n", "line 6: a character" },
		{ HEAD "root a 1 1 1", "line 6: cut off" },
		{ HEAD "\n", "line 6: three numbers" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct flow f = { 0 };
		struct xf_err err = { 0 };
		int rc = baseline_parse(cases[i].text, strlen(cases[i].text),
					&f, &err);

		assert_true(rc < 0);
		if (!strstr(err.msg, cases[i].says))
			fail_msg("%zu says: %s", i, err.msg);
		assert_null(f.items);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_collect),
		cmocka_unit_test(test_tasks_interleave),
		cmocka_unit_test(test_without_baseline),
		cmocka_unit_test(test_init),
		cmocka_unit_test(test_seal),
		cmocka_unit_test(test_keyless),
		cmocka_unit_test(test_evidence),
		cmocka_unit_test(test_end),
		cmocka_unit_test(test_new_calls),
		cmocka_unit_test(test_made_code),
		cmocka_unit_test(test_new_calls_of_the_kernel),
		cmocka_unit_test(test_missing_and_order),
		cmocka_unit_test(test_slow),
		cmocka_unit_test(test_other_baselines),
		cmocka_unit_test(test_branch),
		cmocka_unit_test(test_baseline_round),
		cmocka_unit_test(test_baseline_errors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
