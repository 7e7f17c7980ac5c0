/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * fake_trace -- traces out of a few words.
 *
 *	struct fake_trace f;
 *	fake_trace_open(&f);
 *	fake_session(&f, 1);
 *	fake_records(&f, "T5:cat a0( b1( b1) C1 T6:dd a0( a0) C0 a0)");
 *	fake_trace_seal(&f);		f.t can be drawn
 *	fake_trace_close(&f);
 *
 * Words:
 *	a0(	entry of function a, at depth 0; its caller is in the function
 *		of the depth above, or in do_syscall_64
 *	a0(<b	the same, called from function b; a0(<b$ from b's very end,
 *		a0(<b^ returning to b's first byte
 *	a0(i	the same in interrupt context (s softirq, i irq, n NMI)
 *	a0)	return
 *	C1	what follows is CPU 1's; C1n is its ring for NMIs
 *	T5:cat	a TASK record, pid 5; also needed after C where tasks differ
 *	L3	3 records are missing here
 *	S	a new sub-buffer
 *	K2	the same, masked with the key of epoch 2 (1 and 2 are known)
 *	@500	the time of the next record; else each is 10 ticks later
 *	+500	ticks between the last record and the next
 *	!	eight bytes that are no record
 *	U	a record of a type that nobody knows yet
 */
#ifndef FAKE_TRACE_H
#define FAKE_TRACE_H

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "buf.h"
#include "emit.h"
#include "mask.h"
#include "symtab.h"
#include "trace.h"
#include "xft_abi.h"

#define FAKE_TEXT   0xffffffff81000000ull
#define FAKE_MODULE 0xffffffffc0200000ull
#define FAKE_SIZE   0x100 /* bytes of a function */
#define FAKE_RINGS  16
#define FAKE_PIDS   64

/* Function a is the first, each 4096 bytes behind the one before. */
static const char *const fake_names[26] = {
	"ksys_read",
	"vfs_read",
	"rw_verify_area",
	"new_sync_read",
	"ext4_file_read_iter",
	"filemap_read",
	"do_idle",
	"schedule",
	"__sysvec_apic_timer_interrupt",
	"hrtimer_interrupt",
	"irq_exit_rcu",
	"handle_softirqs",
	"xftmod_read",
	"exc_nmi",
	"default_do_nmi",
	"vfs_read.cold",
	"__fdget_pos",
	"return_to_handler",
	"do_syscall_64",
	"__x64_sys_openat",
	NULL /* u: no symbol */,
	"fput",
	"security_file_permission",
	"x64_sys_call",
	"touch_atime",
	"do_one_initcall",
};

struct fake_stream {
	bool used;
	struct buf words; /* of the open span, not masked */
	uint64_t nr, base_tsc, before, records;
	uint32_t epoch, offset;
	uint32_t pid;
	char comm[16];
};

struct fake_trace {
	struct trace t;
	struct xf_err err;
	char *chunks[8192]; /* owned: a trace borrows them */
	size_t nr_chunks;
	uint32_t session;
	uint64_t now;
	uint32_t cpu;
	bool nmi;
	bool sealed; /* says the META of sessions to come: there is no seed */
	struct fake_stream streams[2 * FAKE_RINGS];
	char stack[FAKE_PIDS][XFT_DEPTH_MAX + 1]; /* who calls, by pid */
};

static const uint64_t fake_keys[] = { 0, 0x5a5a1234deadbeef,
				      0x0123456789abcdef };

/* Hand a chunk to the trace, in memory of its own. */
static inline int fake_chunk(struct fake_trace *f, uint32_t type,
			     const void *data, size_t len)
{
	char *copy = malloc(len ? len : 1);

	if (!copy || f->nr_chunks == sizeof(f->chunks) / sizeof(*f->chunks))
		abort();
	memcpy(copy, data, len);
	f->chunks[f->nr_chunks++] = copy;
	f->err = (struct xf_err){ 0 };
	return trace_add_chunk(&f->t, type, copy, len, &f->err);
}

static inline int fake_text_chunk(struct fake_trace *f, uint32_t type,
				  const char *text)
{
	return fake_chunk(f, type, text, strlen(text));
}

static inline void fake_must(int rc)
{
	if (rc)
		abort();
}

static inline uint64_t fake_addr(char c)
{
	if (c == 'm')
		return FAKE_MODULE;
	if (c == 'u')
		return FAKE_TEXT + 0x800;
	return FAKE_TEXT + (c - 'a') * 0x1000ull;
}

/* The letter of a function's address. */
static inline char fake_letter(uint64_t addr)
{
	if (addr == FAKE_MODULE)
		return 'm';
	if (addr == FAKE_TEXT + 0x800)
		return 'u';
	return 'a' + (addr - FAKE_TEXT) / 0x1000;
}

static inline struct symtab *fake_symtab(void)
{
	struct symtab *st = symtab_create();

	for (char c = 'a'; c <= 'z'; c++) {
		const char *name = fake_names[c - 'a'];

		if (name)
			symtab_add(st, fake_addr(c), FAKE_SIZE,
				   c == 'm' ? 't' : 'T', name, strlen(name),
				   c == 'm' ? "xftmod" : NULL);
	}
	st->source = SYMTAB_MAP;
	symtab_seal(st);
	return st;
}

static inline void fake_trace_open(struct fake_trace *f)
{
	memset(f, 0, sizeof(*f));
	trace_init(&f->t);
}

static inline void fake_flush(struct fake_trace *f, struct fake_stream *s)
{
	size_t i = s - f->streams,
	       len = sizeof(struct trace_span) + s->words.len;
	_cleanup_free_ char *chunk = malloc(len);

	if (!s->words.len)
		return;
	*(struct trace_span *)chunk = (struct trace_span){
		.session = f->session,
		.cpu = i / 2,
		.kind = i % 2,
		.epoch = s->epoch,
		.nr = s->nr,
		.base_tsc = s->base_tsc,
		.records_before = s->before,
		.offset = s->offset,
		.len = s->words.len,
	};
	mask_xor(chunk + sizeof(struct trace_span), s->words.data, s->words.len,
		 s->epoch < 3 ? fake_keys[s->epoch] : 0x77);
	fake_must(fake_chunk(f, TRACE_SPAN, chunk, len));
	s->offset += s->words.len;
	s->words.len = 0;
}

static inline void fake_flush_all(struct fake_trace *f)
{
	for (size_t i = 0; i < 2 * FAKE_RINGS; i++)
		fake_flush(f, &f->streams[i]);
}

/* META, symbols and keys of session @number; it is the current one. */
static inline void fake_session(struct fake_trace *f, uint32_t number)
{
	_cleanup_(buf_deinit) struct buf b = BUF_INIT;
	struct symtab *st = fake_symtab();
	char meta[512];

	fake_flush_all(f);
	for (size_t i = 0; i < 2 * FAKE_RINGS; i++)
		buf_deinit(&f->streams[i].words);
	memset(f->streams, 0, sizeof(f->streams));
	memset(f->stack, 0, sizeof(f->stack));
	f->session = number;
	f->now = 1000;
	f->cpu = 0;
	f->nmi = false;
	/* 1 tick is 1 us. */
	snprintf(
		meta, sizeof(meta),
		"{\"xftrace\": \"test\", \"guest\": \"demo\", "
		"\"release\": \"6.1.0-test\", \"build_id\": \"c0ffee\", "
		"%s\"session\": %u, \"tsc_khz\": 1000, "
		"\"clock_tsc\": \"0x3e8\", "
		"\"clock_real_ns\": \"0x174876e800\", "
		"\"functions\": [\"ksys_read\"]}",
		f->sealed ? "\"mask\": \"sealed\", " : "", number);
	fake_must(fake_text_chunk(f, TRACE_META, meta));
	symtab_pack(st, SYMTAB_KERNEL | SYMTAB_MODULES, &b);
	fake_must(fake_chunk(f, TRACE_SYMBOLS, b.data, b.len));
	symtab_destroy(st);
	for (uint32_t e = 1; e <= 2; e++) {
		struct trace_key k = { fake_keys[e], 0, e, number };

		fake_must(fake_chunk(f, TRACE_KEY, &k, sizeof(k)));
	}
}

static inline struct fake_stream *fake_stream(struct fake_trace *f)
{
	struct fake_stream *s = &f->streams[f->cpu * 2 + f->nmi];

	if (!s->used)
		*s = (struct fake_stream){ .used = true,
					   .epoch = 1,
					   .offset = sizeof(struct xft_sub) };
	return s;
}

static inline void fake_put(struct fake_trace *f, const uint64_t *words,
			    size_t nr)
{
	struct fake_stream *s = fake_stream(f);

	buf_add(&s->words, words, nr * 8);
	s->records++;
	f->now += 10;
}

static inline uint64_t fake_time(struct fake_trace *f)
{
	return (f->now - fake_stream(f)->base_tsc) << XFT_TIME_SHIFT;
}

static inline void fake_put_call(struct fake_trace *f, uint32_t type,
				 uint32_t context, uint32_t depth,
				 uint64_t func, uint64_t caller)
{
	uint64_t words[2] = {
		fake_time(f) | depth << XFT_DEPTH_SHIFT |
			XFT_CALL_WORDS << XFT_WORDS_SHIFT |
			context << XFT_CTX_SHIFT | type,
		(func & UINT32_MAX) | caller << 32,
	};

	fake_put(f, words, 2);
}

/* A record with @nr words behind the first, which has no length or time yet. */
static inline void fake_put_long(struct fake_trace *f, uint64_t first,
				 const uint64_t *more, size_t nr)
{
	uint64_t words[XFT_WORDS_MAX] = {
		first | fake_time(f) | (nr + 1) << XFT_WORDS_SHIFT
	};

	memcpy(words + 1, more, nr * sizeof(*more));
	fake_put(f, words, nr + 1);
}

/* An event of @len bytes. */
static inline void fake_put_event(struct fake_trace *f, uint32_t context,
				  const void *data, size_t len)
{
	uint64_t words[XFT_WORDS_MAX] = { 0 };

	memcpy(words, data, len);
	fake_put_long(f,
		      XFT_EVENT | context << XFT_CTX_SHIFT |
			      (uint64_t)(-len & 7) << XFT_DEPTH_SHIFT,
		      words, (len + 7) / 8);
}

static inline void fake_put_task(struct fake_trace *f, uint32_t pid,
				 const char comm[16])
{
	struct fake_stream *s = fake_stream(f);
	uint64_t words[4] = { fake_time(f) | XFT_TASK_WORDS << XFT_WORDS_SHIFT |
				      XFT_TASK,
			      pid | (uint64_t)pid << 32 };

	memcpy(words + 2, comm, 16);
	memcpy(s->comm, comm, 16);
	s->pid = pid;
	fake_put(f, words, 4);
	f->now -= 10;
}

/* Begin a sub-buffer, @lost records after the last one. */
static inline void fake_turn(struct fake_trace *f, uint64_t lost,
			     uint32_t epoch)
{
	struct fake_stream *s = fake_stream(f);

	fake_flush(f, s);
	s->before += s->records + lost;
	s->records = 0;
	s->nr += 1 + lost / 100;
	s->offset = sizeof(struct xft_sub);
	/* Early enough for clocks that go back a little. */
	s->base_tsc = f->now / 2;
	s->epoch = epoch;
}

static inline uint32_t fake_context(char c)
{
	return c == 's'	  ? XFT_CTX_SOFTIRQ
	       : c == 'i' ? XFT_CTX_IRQ
	       : c == 'n' ? XFT_CTX_NMI
			  : XFT_CTX_TASK;
}

static inline void fake_call(struct fake_trace *f, const char *w)
{
	struct fake_stream *s = fake_stream(f);
	char *stack = f->stack[s->pid % FAKE_PIDS], *p, func = *w;
	uint32_t depth = strtoul(w + 1, &p, 10), context = 0;
	uint64_t caller;

	if (*p == ')') {
		fake_put_call(f, XFT_RETURN, fake_context(p[1]), depth,
			      fake_addr(func), 0);
		return;
	}
	caller = fake_addr(depth && stack[depth - 1] ? stack[depth - 1] : 's') +
		 0x15;
	while (*++p) {
		if (*p == '<') {
			caller = fake_addr(*++p) + 0x15;
			if (p[1] == '$') {
				caller = fake_addr(*p++) + FAKE_SIZE;
			} else if (p[1] == '^') {
				caller = fake_addr(*p++);
			}
		} else {
			context = fake_context(*p);
		}
	}
	stack[depth] = func;
	fake_put_call(f, XFT_ENTRY, context, depth, fake_addr(func), caller);
}

static inline void fake_word(struct fake_trace *f, const char *w)
{
	struct fake_stream *s;
	const char *comm;
	char name[17] = "";

	switch (*w) {
	case 'C':
		f->cpu = strtoul(w + 1, NULL, 10) % FAKE_RINGS;
		f->nmi = w[strlen(w) - 1] == 'n';
		break;
	case 'T':
		comm = strchr(w, ':');
		strncpy(name, comm ? comm + 1 : "task", 16);
		fake_put_task(f, strtoul(w + 1, NULL, 10), name);
		break;
	case 'L':
		fake_turn(f, strtoull(w + 1, NULL, 10), 1);
		break;
	case 'S':
		fake_turn(f, 0, 1);
		break;
	case 'K':
		fake_turn(f, 0, strtoul(w + 1, NULL, 10));
		break;
	case '@':
		f->now = strtoull(w + 1, NULL, 10);
		break;
	case '+':
		f->now += strtoull(w + 1, NULL, 10) - 10;
		break;
	case '!':
		s = fake_stream(f);
		buf_add(&s->words, "\0\0\0\0\0\0\0\0", 8);
		break;
	case 'U':
		fake_put(f,
			 (uint64_t[]){ fake_time(f) | 6 | 3 << XFT_WORDS_SHIFT,
				       1, 2 },
			 3);
		break;
	default:
		fake_call(f, w);
	}
}

static inline void fake_records(struct fake_trace *f, const char *words)
{
	_cleanup_free_ char *copy = strdup(words);
	char *rest = copy, *w;

	while ((w = strsep(&rest, " \n\t")))
		if (*w)
			fake_word(f, w);
}

static inline void fake_trace_seal(struct fake_trace *f)
{
	fake_flush_all(f);
	fake_must(trace_seal(&f->t, &f->err));
}

static inline void fake_trace_close(struct fake_trace *f)
{
	trace_deinit(&f->t);
	for (size_t i = 0; i < 2 * FAKE_RINGS; i++)
		buf_deinit(&f->streams[i].words);
	for (size_t i = 0; i < f->nr_chunks; i++)
		free(f->chunks[i]);
}

#endif
