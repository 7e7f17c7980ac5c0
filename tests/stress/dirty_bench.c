// SPDX-License-Identifier: GPL-2.0-only
/*
 * dirty_bench NR -- NR calls joined with NR pages that they wrote
 *
 * Makes the chunks of such a trace in memory, then draws it and counts it;
 * prints the processor time of both, and by how much memory grew meanwhile.
 */
#include <inttypes.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "callgraph.h"
#include "cleanup.h"
#include "dirtytable.h"
#include "xft_dirty.h"
#include "xft_page.h"

#define SHIFT	16
#define FUNC	0xffffffff81000000ull
#define DIRTIES 1024 /* of a chunk */
#define PAGES	65536

static void must(bool ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "dirty_bench: %s\n", what);
	exit(1);
}

static double cpu_seconds(void)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	return u.ru_utime.tv_sec + u.ru_utime.tv_usec / 1e6;
}

static long peak_mb(void)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	return u.ru_maxrss >> 10;
}

static void add(struct trace *t, uint32_t type, const void *data, size_t len)
{
	struct xf_err err;

	must(!trace_add_chunk(t, type, data, len, &err), "chunk");
}

static void add_head(struct trace *t)
{
	static const struct trace_key key = { .epoch = 1, .session = 1 };
	static const char meta[] = "{\"session\": 1, \"tsc_khz\": 1000000}";
	struct symtab *st = symtab_create();
	struct buf b = BUF_INIT;

	for (int i = 0; i < 16; i++) {
		char name[16];
		int n = snprintf(name, sizeof(name), "function_%d", i);

		symtab_add(st, FUNC + i * 256, 256, 'T', name, n, NULL);
	}
	symtab_seal(st);
	symtab_pack(st, SYMTAB_KERNEL, &b);
	symtab_destroy(st);
	add(t, TRACE_META, meta, sizeof(meta) - 1);
	add(t, TRACE_SYMBOLS, b.data, b.len);
	add(t, TRACE_KEY, &key, sizeof(key));
	buf_deinit(&b);
}

/* A sub-buffer of calls, four deep, that begins with call number @call. */
static struct trace_span *span_of(uint64_t nr, uint64_t *call, uint64_t last)
{
	struct trace_span *s = calloc(1, sizeof(*s) + (1 << SHIFT));
	uint64_t *p = (uint64_t *)(s + 1), *start = p;
	const uint64_t *end = p + ((1 << SHIFT) - sizeof(struct xft_sub)) / 8;

	must(s, "out of memory");
	*p++ = XFT_TASK | XFT_TASK_WORDS << XFT_WORDS_SHIFT;
	*p++ = 77 | 77ull << 32;
	memcpy(p, "bench\0\0\0\0\0\0\0\0\0\0", 16);
	for (p += 2; p + 16 <= end && *call < last; *call += 4)
		for (int i = 0; i < 8; i++) {
			uint64_t depth = i < 4 ? i : 7 - i, time = p - start;

			*p++ = (i < 4 ? XFT_ENTRY : XFT_RETURN) |
			       XFT_CALL_WORDS << XFT_WORDS_SHIFT |
			       depth << XFT_DEPTH_SHIFT | time << XFT_TIME_SHIFT;
			*p++ = (uint32_t)(FUNC + depth * 256);
		}
	*s = (struct trace_span){
		.session = 1, .epoch = 1, .nr = nr,
		.base_tsc = (nr + 1) << SHIFT,
		.offset = sizeof(struct xft_sub), .len = (p - start) * 8,
	};
	return s;
}

static struct trace_dirty *dirty_of(uint64_t first, uint64_t pos)
{
	struct trace_dirty *d = calloc(
		1, sizeof(*d) + DIRTIES * sizeof(struct trace_dirty_record));
	struct trace_dirty_record *r = (void *)(d + 1);

	must(d, "out of memory");
	*d = (struct trace_dirty){ .session = 1, .source = XFTD_TCG,
				   .nr = DIRTIES, .sub_shift = SHIFT };
	for (int i = 0; i < DIRTIES; i++)
		r[i] = (struct trace_dirty_record){
			.addr = (first + i) * 2654435761u % PAGES << 12,
			.pc = FUNC + 16,
			/* A call takes 32 bytes of the ring. */
			.pos = pos + i * 32,
			.time_ns = (first + i) * 1000,
			.type = XFT_PAGE_SLAB + (first + i) % 3,
		};
	return d;
}

static void draw(const struct trace *t, const struct emit_ops *ops,
		 const void *arg, const char *what)
{
	struct sink sink = { .fd = open("/dev/null", O_WRONLY), .arg = arg };
	double start = cpu_seconds();
	long before = peak_mb();
	struct call_stats s;

	must(!callgraph_draw(t, ops, &sink, &s, NULL), "draw");
	printf("%s_s %.2f\n%s_calls %" PRIu64 "\n%s_dirty %" PRIu64 "\n"
	       "%s_mb %ld\n", what, cpu_seconds() - start, what, s.calls, what,
	       s.dirty, what, peak_mb() - before);
	buf_deinit(&sink.buf);
	close(sink.fd);
}

int main(int argc, char **argv)
{
	static const struct dirtytable_query q = { .by = DIRTYTABLE_CALL };
	uint64_t nr = argc > 1 ? strtoull(argv[1], NULL, 0) : 0, call = 0;
	uint64_t dirty = 0;
	struct trace t;

	must(nr, "usage: dirty_bench NR");
	trace_init(&t);
	add_head(&t);
	for (uint64_t i = 0; call < nr; i++) {
		struct trace_span *s = span_of(i, &call, nr);

		add(&t, TRACE_SPAN, s, sizeof(*s) + s->len);
		for (; dirty + DIRTIES <= call; dirty += DIRTIES)
			add(&t, TRACE_DIRTY, dirty_of(dirty, dirty * 32),
			    sizeof(struct trace_dirty) +
				    DIRTIES * sizeof(struct trace_dirty_record));
	}
	must(!trace_seal(&t, NULL), "seal");
	draw(&t, &emit_text, NULL, "text");
	draw(&t, &emit_dirtytable, &q, "table");
	/* Its chunks go with the process. */
	trace_deinit(&t);
	return 0;
}
