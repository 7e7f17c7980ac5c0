// SPDX-License-Identifier: GPL-2.0-only
/*
 * Everything that reads guest RAM against guests that want it to hang, to grow
 * or to die: each ends in an error within 50 ms of processor time and 64 MiB.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <elf.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>

#include "btf.h"
#include "cleanup.h"
#include "cost.h"
#include "eventlist.h"
#include "fake_layouts.h"
#include "fake_ring.h"
#include "guestsyms.h"
#include "hostpages.h"
#include "modlist.h"
#include "pages.h"
#include "symtab_kallsyms.h"
#include "vmcoreinfo.h"

#define MIB    (1ull << 20)
#define BASE   0xffffffff80000000ull /* RAM is mapped here, all of it */
#define RAM    (64 * MIB)
#define MEMORY (64ll << 20) /* bytes that may be allocated at a time */
/* Sanitizers make it five times of that. */
#ifdef __SANITIZE_ADDRESS__
#define CPU_MS 250
#else
#define CPU_MS 50
#endif

static double slowest;

static void end(const char *what, const char *who)
{
	double took = cost_ms();

	if (took > CPU_MS || cost_most > MEMORY)
		fail_msg("%s, %s: %.1f ms, %lld KiB", what, who, took,
			 (long long)cost_most >> 10);
	slowest = took > slowest ? took : slowest;
}

/* ---- those who read: 0 if they found something ---- */

#define PGD	0	/* gpa of the top table */
#define HEADS	(1 * MIB) /* of heads of lists and variables */
#define TABLES	(2 * MIB)

static int take_symbol(void *arg, const struct modlist_symbol *sym)
{
	return 0;
}

static int read_modules(struct fake_guest *g, struct xf_err *err)
{
	static const struct modlist_layout layout = { FAKE_MODULES };
	_cleanup_(modlist_deinit) struct modlist ml = MODLIST_INIT;
	int rc = modlist_read(&ml, &g->space, BASE + HEADS, &layout, err);

	for (size_t i = 0; !rc && i < ml.nr; i++)
		rc = modlist_symbols(&ml, i, take_symbol, NULL, err);
	return rc || ml.nr ? rc : -ENODATA;
}

static int read_events(struct fake_guest *g, struct xf_err *err)
{
	static const struct eventlist_layout layout = {
		FAKE_EVENTS,
		.events = BASE + HEADS,
		.common_fields = BASE + HEADS + 16,
	};
	_cleanup_(eventlist_deinit) struct eventlist el = EVENTLIST_INIT;
	_cleanup_(buf_deinit) struct buf text = BUF_INIT;
	int rc = eventlist_read(&el, &g->space, &layout, err);

	for (size_t i = 0; !rc && i < el.nr; i++)
		rc = eventlist_format(&el, i, &text, err);
	return rc || el.nr ? rc : -ENODATA;
}

static int read_symbols(struct fake_guest *g, struct xf_err *err)
{
	struct vmcoreinfo vi = { .pgd_gpa = g->space.pgd_gpa };
	struct symtab *st = NULL;
	int rc;

	/* As large as they may be. */
	sprintf(vi.text,
		"SYMBOL(kallsyms_num_syms)=%llx\n"
		"SYMBOL(kallsyms_relative_base)=%llx\n"
		"SYMBOL(kallsyms_names)=%llx\n"
		"SYMBOL(kallsyms_token_table)=%llx\n"
		"SYMBOL(kallsyms_token_index)=%llx\n"
		"SYMBOL(kallsyms_offsets)=%llx\n",
		BASE + HEADS, BASE + HEADS + 8, BASE + TABLES,
		BASE + TABLES + 16 * MIB, BASE + TABLES + 16 * MIB + 65536,
		BASE + TABLES);
	rc = guestsyms_load(&vi, &g->mf, &st, err);
	symtab_destroy(st);
	return rc;
}

static int read_note(struct fake_guest *g, struct xf_err *err)
{
	struct vmcoreinfo vi;

	return vmcoreinfo_find(&vi, &g->mf, &g->space.pgd_gpa, 1, err);
}

static bool is_any(void *arg, const struct xft_ctl *ctl)
{
	return true;
}

static int read_block(struct fake_guest *g, struct xf_err *err)
{
	struct mailbox mb;

	return mailbox_find_dead(&mb, &g->mf, is_any, NULL, err);
}

static int read_ring(struct fake_guest *g, struct xf_err *err)
{
	struct ring r;

	return ring_init(&r, &g->mf, HEADS, err);
}

static int read_string(struct fake_guest *g, struct xf_err *err)
{
	static char s[1 << 20];
	ssize_t n = gva_read_str(&g->space, BASE + TABLES, s, sizeof(s), err);

	/* There are 0 bytes in most words. */
	return n < 0 ? n : n < 8 ? -ENODATA : 0;
}

/*
 * As "dirty" asks: the parts of a thousand modules of 64 MiB, then each page.
 * It answers whatever there is, and what it says is said to be the guest's.
 */
static int read_pages(struct fake_guest *g, struct xf_err *err)
{
	static const struct pages_layout layout = {
		FAKE_PAGES,
		FAKE_TASKS,
		.vmemmap = BASE + TABLES,
		.init_task = BASE + HEADS,
	};
	_cleanup_(pages_deinit) struct pages p = PAGES_INIT;
	struct page_what what;

	pages_init(&p, &g->space, &layout);
	for (int i = 0; i < 1024; i++)
		pages_add_virtual(&p, BASE, RAM, BASE, XFT_PAGE_MODULE, "evil");
	pages_seal(&p);
	for (uint64_t gpa = RAM; gpa < 2 * RAM; gpa += 64 * XF_PAGE_SIZE) {
		pages_ask(&p, gpa, &what);
		assert_true(memchr(what.name, 0, sizeof(what.name)) != NULL);
	}
	return -ENODATA;
}

static const struct reader {
	const char *name;
	int (*read)(struct fake_guest *g, struct xf_err *err);
} readers[] = {
	{ "modules", read_modules }, { "events", read_events },
	{ "symbols", read_symbols }, { "note", read_note },
	{ "block", read_block },     { "ring", read_ring },
	{ "string", read_string },   { "pages", read_pages },
};

static void all_refuse(struct fake_guest *g, const char *what)
{
	for (size_t i = 0; i < ARRAY_SIZE(readers); i++) {
		struct xf_err err = { 0 };
		int rc;

		cost_begin();
		rc = readers[i].read(g, &err);
		end(what, readers[i].name);
		if (rc >= 0)
			fail_msg("%s, %s: believed", what, readers[i].name);
	}
}

/* ---- guests ---- */

static void guest_open(struct fake_guest *g)
{
	fake_guest_open(g, RAM);
	for (uint64_t at = 0; at < RAM; at += 2 * MIB)
		fake_map(g, BASE + at, at, 2);
}

/* All tables are the same one, so all of memory is, too. */
static void test_recursive_tables(void **state)
{
	struct fake_guest g;

	fake_guest_open(&g, RAM);
	for (int i = 0; i < 512; i++)
		fake_put_u64(&g, PGD + i * 8, PTE_P | PTE_W);
	all_refuse(&g, "tables in a circle");
	g.space.l5 = true;
	all_refuse(&g, "five levels in a circle");
	fake_guest_close(&g);
}

/* Each word of a page is the same, and each page is that one. */
static void test_one_page(void **state)
{
	static const uint64_t words[] = {
		0,
		UINT64_MAX,
		1ull << 63,
		(1ull << 63) - 1,
		0x0101010101010101,
		0x6161616161616161,
		BASE, /* lists whose nodes are their own next */
		BASE + HEADS,
		BASE + HEADS + 8,
	};

	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		struct fake_guest g;
		char what[32];

		fake_guest_open(&g, RAM);
		for (uint64_t at = 0; at < RAM; at += XF_PAGE_SIZE)
			fake_map(&g, BASE + at, HEADS, 1);
		for (uint64_t at = 0; at < XF_PAGE_SIZE; at += 8)
			fake_put_u64(&g, HEADS + at, words[i]);
		snprintf(what, sizeof(what), "a page of %llx",
			 (unsigned long long)words[i]);
		all_refuse(&g, what);
		fake_guest_close(&g);
	}
}

/* Nodes in a circle that the head is not in: of one, two, and thousands. */
static void test_circles(void **state)
{
	static const uint32_t lens[] = { 1, 2, 3, 1000, 10000 };
	struct fake_guest g;

	for (size_t i = 0; i < ARRAY_SIZE(lens); i++) {
		uint64_t first = TABLES + 8, step = 0x400;

		guest_open(&g);
		fake_put_u64(&g, HEADS, BASE + first);
		fake_put_u64(&g, HEADS + 8, BASE + first);
		fake_put_u64(&g, HEADS + 16, BASE + HEADS + 16);
		fake_put_u64(&g, HEADS + 24, BASE + HEADS + 16);
		for (uint64_t n = 0; n < lens[i]; n++) {
			uint64_t next = (n + 1) % lens[i];
			uint64_t node = first + n * step;
			uint64_t before = n ? node - step : HEADS;

			/* A module without symbols, text and all. */
			fake_put_u64(&g, node, BASE + first + next * step);
			fake_put_u64(&g, node + 8, BASE + before);
			fake_put(&g, node + 16, "name", 5);
			fake_put_u64(&g, node + 312, BASE + n * 4096);
		}
		all_refuse(&g, "a list in a circle");
		fake_guest_close(&g);
	}
}

/* Nothing is left of RAM; nobody dies of SIGBUS. */
static void test_truncated(void **state)
{
	for (uint64_t left = 0; left <= TABLES; left += MIB) {
		struct fake_guest g;

		guest_open(&g);
		assert_int_equal(ftruncate(g.file.fd, left), 0);
		all_refuse(&g, "RAM that is cut short");
		fake_guest_close(&g);
	}
}

/* ---- rings ---- */

#define SHIFT 12
#define NR    4
#define SIZE  (1u << SHIFT)

/* To its end, if it has one. Returns how many calls that took. */
static int drain(struct fake_ring *f)
{
	_cleanup_free_ void *copy = malloc(SIZE);
	struct ring_span span;
	int calls = 0, rc;

	while (calls < 1000 && (rc = ring_next(&f->r, &span, NULL))) {
		calls++;
		if (rc < 0)
			continue;
		assert_true(span.len && span.len <= SIZE);
		memcpy(copy, span.data, span.len);
		ring_accept(&f->r, &span, copy, &f->keys, FAKE_SESSION, NULL);
	}
	return calls;
}

static void ring_open(struct fake_ring *f)
{
	fake_ring_open(f, SHIFT, NR);
	fake_ring_rotate(f);
	for (uint64_t n = 0; n < 1000; n++)
		fake_ring_push(f, n);
}

/* A guest that says it is 2^63 ahead does not keep the host busy. */
static void test_far_ahead(void **state)
{
	static const uint64_t far[] = {
		1ull << 63, (1ull << 63) - SIZE, UINT64_MAX & -SIZE, 1ull << 62,
	};
	struct fake_ring f;

	for (size_t i = 0; i < ARRAY_SIZE(far); i++) {
		ring_open(&f);
		f.hdr->head = far[i];
		cost_begin();
		drain(&f);
		/* Its sub-buffers say so, too. */
		for (int s = 0; s < NR; s++)
			f.subs[s]->seq = (far[i] >> SHIFT) - NR + s + 1;
		f.hdr->head = far[i] + SIZE;
		drain(&f);
		end("a head far ahead", "ring");
		assert_true(ring_unread(&f.r) <= ring_size(&f.r));
		fake_ring_close(&f);
	}
}

static void test_sub_sizes(void **state)
{
	static const uint32_t sizes[] = {
		0, 1, 8, sizeof(struct xft_sub) - 8, sizeof(struct xft_sub),
		SIZE + 8, 1u << 31, UINT32_MAX,
	};
	struct fake_ring f;

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		ring_open(&f);
		for (int s = 0; s < NR; s++)
			f.subs[s]->used = sizes[i];
		cost_begin();
		assert_true(drain(&f) <= 2 * NR);
		end("sub-buffers of any size", "ring");
		fake_ring_close(&f);
	}
}

struct changer {
	struct fake_ring *f;
	uint32_t stop;
};

static void *change(void *arg)
{
	struct changer *c = arg;
	uint64_t seed = 1;

	while (!shared_load(&c->stop)) {
		struct xft_ring_hdr *hdr = c->f->hdr;
		uint64_t word = fake_mix(++seed);

		shared_store(&hdr->head, word >> (word % 64));
		shared_store(&hdr->sub_shift, (uint32_t)(word >> 8) % 24);
		shared_store(&hdr->nr_subs, (uint32_t)(word >> 16) % 500);
		shared_store(&hdr->sub_gpa[word % NR], word >> 20);
		shared_store(&c->f->subs[word % NR]->seq, word >> 40);
		shared_store(&c->f->subs[word % NR]->used,
			     (uint32_t)(word >> 50));
	}
	return NULL;
}

/* What was checked once counts, whatever the header says by now. */
static void test_changing_header(void **state)
{
	struct fake_ring f;
	struct changer c = { .f = &f };
	pthread_t thread;

	ring_open(&f);
	assert_int_equal(pthread_create(&thread, NULL, change, &c), 0);
	for (int i = 0; i < 200; i++) {
		struct ring again;

		cost_begin();
		ring_init(&again, &f.g.mf, FAKE_RING_GPA, NULL);
		drain(&f);
		end("a header that changes", "ring");
		assert_int_equal(f.r.nr_subs, NR);
		assert_int_equal(ring_size(&f.r), NR * SIZE);
	}
	shared_store(&c.stop, 1);
	pthread_join(thread, NULL);
	fake_ring_close(&f);
}

/* ---- tables of symbols and types ---- */

/* Sections that are their own strings and symbols, of any size. */
static void test_elf_circles(void **state)
{
	_cleanup_(buf_deinit) struct buf image = BUF_INIT;
	Elf64_Ehdr h = {
		.e_ident = ELFMAG,
		.e_type = ET_EXEC,
		.e_machine = EM_X86_64,
		.e_version = EV_CURRENT,
		.e_shoff = sizeof(h),
		.e_ehsize = sizeof(h),
		.e_shentsize = sizeof(Elf64_Shdr),
		.e_shnum = 1000,
	};

	h.e_ident[EI_CLASS] = ELFCLASS64;
	h.e_ident[EI_DATA] = ELFDATA2LSB;
	h.e_ident[EI_VERSION] = EV_CURRENT;
	buf_add(&image, &h, sizeof(h));
	for (uint32_t i = 0; i < h.e_shnum; i++) {
		Elf64_Shdr s = {
			.sh_type = SHT_SYMTAB,
			.sh_flags = SHF_EXECINSTR,
			.sh_size = h.e_shnum * sizeof(s) + sizeof(h),
			.sh_link = i,
			.sh_entsize = sizeof(Elf64_Sym),
		};

		buf_add(&image, &s, sizeof(s));
	}
	for (int round = 0; round < 2; round++) {
		_cleanup_(symtab_destroyp) struct symtab *st = symtab_create();

		cost_begin();
		assert_true(symtab_load_elf(st, image.data, image.len, NULL) <
			    0);
		end("sections in a circle", "symbols");
		/* The same, where sections have more than the file. */
		for (uint32_t i = 0; i < h.e_shnum; i++)
			((Elf64_Shdr *)(image.data + sizeof(h)))[i].sh_size =
				UINT64_MAX - 64;
	}
}

/* Tokens that all begin at the last byte, and names that have no end. */
static void test_endless_tokens(void **state)
{
	enum { NAMES = 16 << 20 };
	_cleanup_free_ uint8_t *names = malloc(NAMES);
	_cleanup_free_ uint8_t *offsets = calloc(SYMTAB_MAX, 4);
	uint16_t index[256];
	char table[64];
	struct kallsyms k = {
		.nr = SYMTAB_MAX,
		.names = names,
		.names_len = NAMES,
		.token_table = table,
		.token_table_len = sizeof(table),
		.token_index = index,
		.token_index_len = sizeof(index),
		.offsets = offsets,
		.offsets_len = 4 * SYMTAB_MAX,
	};

	memset(table, 'a', sizeof(table));
	memset(index, 0, sizeof(index));
	for (int fill = 0; fill < 256; fill += 51) {
		_cleanup_(symtab_destroyp) struct symtab *st = symtab_create();

		memset(names, fill, NAMES);
		cost_begin();
		assert_true(symtab_load_kallsyms(st, &k, NULL) < 0);
		end("tokens without an end", "symbols");
	}
}

/* A structure whose members are 65535 times itself, without names. */
static void test_types_in_circles(void **state)
{
	enum { MEMBERS = 65535 };
	_cleanup_(btf_close) struct btf b = BTF_INIT;
	_cleanup_(buf_deinit) struct buf blob = BUF_INIT;
	static const char names[] = "\0s";
	const uint32_t types = 12 + MEMBERS * 12;
	const uint32_t head[] = { 0x0001eb9f, 24, 0, types, types,
				  sizeof(names) };
	const uint32_t s[] = { 1, 4u << 24 | MEMBERS, 8 };
	const uint32_t member[] = { 0, 1, 0 };
	struct btf_member m;

	buf_add(&blob, head, sizeof(head));
	buf_add(&blob, s, sizeof(s));
	for (int i = 0; i < MEMBERS; i++)
		buf_add(&blob, member, sizeof(member));
	buf_add(&blob, names, sizeof(names));
	cost_begin();
	assert_int_equal(btf_open(&b, blob.data, blob.len, NULL), 0);
	assert_int_equal(btf_member(&b, "s", "x", &m, NULL), -EBADMSG);
	end("a type that is in itself", "types");
}

/* As many as fit, all of the name that is asked for, none with the member. */
static void test_too_many_types(void **state)
{
	_cleanup_(btf_close) struct btf b = BTF_INIT;
	_cleanup_(buf_deinit) struct buf blob = BUF_INIT;
	static const char names[] = "\0s\0y";
	const uint32_t nr = (BTF_MAX - 64) / 24;
	const uint32_t head[] = { 0x0001eb9f, 24, 0, nr * 24, nr * 24,
				  sizeof(names) };
	const uint32_t s[] = { 1, 4u << 24 | 1, 8, 3, 1, 0 };
	struct btf_member m;
	int32_t value;

	buf_add(&blob, head, sizeof(head));
	for (uint32_t i = 0; i < nr; i++)
		buf_add(&blob, s, sizeof(s));
	buf_add(&blob, names, sizeof(names));
	cost_begin();
	assert_int_equal(btf_open(&b, blob.data, blob.len, NULL), 0);
	end("too many types", "types");
	cost_begin();
	assert_int_equal(btf_member(&b, "s", "x", &m, NULL), -EBADMSG);
	end("too many types", "a member");
	cost_begin();
	assert_int_equal(btf_enumerator(&b, "x", &value, NULL), -ENOENT);
	end("too many types", "an enumerator");
}

/* ---- the host's own ring buffer, in a trace that somebody has changed ---- */

/* 4 MiB of words that are all the same, in pages of any length. */
static void test_host_pages(void **state)
{
	/*
	 * Events of any length, of none, paddings, and times: see hostpages.c.
	 */
	static const uint32_t words[] = {
		0,  1,	2,    28,	  29,	      29 | 1 << 5,
		30, 31, 4096, 0x7fffffff, 0xffffffff, 29 | 0x7ffffffu << 5,
	};
	static const uint32_t lens[] = { 16, 20, 4096, 1 << 20 };
	const struct trace_host_page *pages[(4 << 20) / 4096];
	_cleanup_(hostclock_deinit) struct hostclock clock;
	struct trace_host_page *page = malloc(sizeof(*page) + lens[3]);

	hostclock_init(&clock, NULL);
	for (size_t i = 0; i < ARRAY_SIZE(pages); i++)
		pages[i] = page;
	for (size_t i = 0; i < ARRAY_SIZE(words) * ARRAY_SIZE(lens); i++) {
		const uint32_t len = lens[i / ARRAY_SIZE(words)];
		struct trace_host_cpu cpu = { .pages = pages };
		struct host_event event;
		struct hostpages h;

		page->len = len;
		for (uint32_t at = 0; at < len; at += 4)
			memcpy((char *)(page + 1) + at,
			       &words[i % ARRAY_SIZE(words)], 4);
		cpu.nr = (4 << 20) / (len < 4096 ? 4096 : len);
		cost_begin();
		hostpages_init(&h, &cpu, &clock);
		while (hostpages_next(&h, &event))
			assert_true(event.len <= len);
		end("a page of one word", "host");
		assert_true(h.bad <= cpu.nr * 2);
	}
	free(page);
}

static int tell(void **state)
{
	print_message("at most %.1f ms\n", slowest);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_recursive_tables),
		cmocka_unit_test(test_one_page),
		cmocka_unit_test(test_circles),
		cmocka_unit_test(test_truncated),
		cmocka_unit_test(test_far_ahead),
		cmocka_unit_test(test_sub_sizes),
		cmocka_unit_test(test_changing_header),
		cmocka_unit_test(test_elf_circles),
		cmocka_unit_test(test_endless_tokens),
		cmocka_unit_test(test_types_in_circles),
		cmocka_unit_test(test_too_many_types),
		cmocka_unit_test(test_host_pages),
	};

	return cmocka_run_group_tests(tests, cost_init, tell);
}
