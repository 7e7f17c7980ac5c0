// SPDX-License-Identifier: GPL-2.0-only
/*
 * trace.dat, version 6: what trace-cmd and KernelShark read. Calls are records
 * of the stock function graph tracer, events are what the guest wrote, times
 * are nanoseconds since the first record of the trace.
 *
 * A file has one set of symbols, and a guest that began anew has others, so
 * each session is a file; its times go on by the guest's clock.
 *
 * Those readers believe a record where it says that its strings lie, and the
 * guest may say anything: such fields are bounded here.
 */
#include "emit.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "datpages.h"
#include "dattypes.h"
#include "printer.h"

/* One more byte than the guest's always fits behind it. */
#define RECORD_MAX (DATPAGES_RECORD - 4)
#define FIRST_SHIFT 8 /* of the table of names */
#define MAX_NAMES  65536 /* more tasks than that stay without one */

/* What every record begins with. */
struct common {
	uint16_t type;
	uint8_t flags;
	uint8_t preempt_count;
	uint32_t pid;
};
_Static_assert(sizeof(struct common) == DATTYPES_COMMON, "as it is counted");

/* The stock tracer's flags for where a record was made. */
static const uint8_t context_flags[] = {
	[XFT_CTX_SOFTIRQ] = 0x10,
	[XFT_CTX_IRQ] = 0x08,
	[XFT_CTX_NMI] = 0x40,
};

/* For kernels whose own descriptions are not in the trace, or have too much. */
#define COMMON_FIELDS                                                          \
	"format:\n"                                                            \
	"\tfield:unsigned short common_type;\toffset:0;\tsize:2;\tsigned:0;\n" \
	"\tfield:unsigned char common_flags;\toffset:2;\tsize:1;\tsigned:0;\n" \
	"\tfield:unsigned char common_preempt_count;\toffset:3;\tsize:1;"      \
	"\tsigned:0;\n"                                                        \
	"\tfield:int common_pid;\toffset:4;\tsize:4;\tsigned:1;\n\n"
#define GRAPH_FIELDS                                                           \
	"\tfield:unsigned long func;\toffset:8;\tsize:8;\tsigned:0;\n"         \
	"\tfield:int depth;\toffset:16;\tsize:4;\tsigned:1;\n"
static const char own_entry[] =
	COMMON_FIELDS GRAPH_FIELDS
	"\nprint fmt: \"--> %ps (%d)\", (void *)REC->func, REC->depth\n";
static const char own_return[] =
	COMMON_FIELDS GRAPH_FIELDS
	"\tfield:unsigned int overrun;\toffset:20;\tsize:4;\tsigned:0;\n"
	"\tfield:unsigned long long calltime;\toffset:24;\tsize:8;\tsigned:0;\n"
	"\tfield:unsigned long long rettime;\toffset:32;\tsize:8;\tsigned:0;\n"
	"\nprint fmt: \"<-- %ps (%d) %llx..%llx\", (void *)REC->func, REC->depth, "
	"REC->calltime, REC->rettime\n";

/* A record whose own description the session has not. */
static const char own_unknown[] =
	COMMON_FIELDS
	"\tfield:unsigned int id;\toffset:8;\tsize:4;\tsigned:0;\n"
	"\nprint fmt: \"of type %u, not described\", REC->id\n";

struct graph_type {
	uint16_t id;
	uint32_t len;
	const struct tep_member *func, *depth;
	const struct tep_member *calltime, *rettime; /* of a return */
};

struct pid_name {
	uint32_t pid;		/* 0: free; the idle tasks need no name */
	char comm[sizeof((struct task){ 0 }.comm)];
};

struct dat_emitter {
	struct emitter e;
	struct datpages pages;
	struct dattypes types;
	struct graph_type entry, ret;
	uint16_t unknown;	/* id of own_unknown; 0: not needed yet */
	struct pid_name *names;	/* a hash table; owned */
	uint32_t nr_names;
	uint32_t names_shift;	/* it has room for 1 << this */
	uint64_t zero_tsc;	/* of the session's first record */
	uint64_t zero_ns;	/* its time */
	uint64_t first_real_ns;	/* wall clock of the trace's first */
};

static struct dat_emitter *dat_of(struct emitter *e)
{
	return (struct dat_emitter *)e;
}

static uint64_t ns_of(const struct dat_emitter *d, uint64_t tsc)
{
	return d->zero_ns +
	       (tsc > d->zero_tsc ? emit_ns(&d->e, tsc - d->zero_tsc) : 0);
}

/* ---- Records ---- */

/* Where its name is, or belongs. */
static struct pid_name *name_of(const struct dat_emitter *d, uint32_t pid)
{
	uint32_t mask = (1u << d->names_shift) - 1;
	uint32_t i = pid * 0x9e3779b1u >> (32 - d->names_shift);

	while (d->names[i].pid && d->names[i].pid != pid)
		i = (i + 1) & mask;
	return &d->names[i];
}

static void grow_names(struct dat_emitter *d, uint32_t shift)
{
	_cleanup_free_ struct pid_name *old = d->names;
	uint32_t nr = old ? 1u << d->names_shift : 0;

	d->names = calloc(1u << shift, sizeof(*d->names));
	if (!d->names)
		abort();
	d->names_shift = shift;
	for (uint32_t i = 0; i < nr; i++)
		if (old[i].pid)
			*name_of(d, old[i].pid) = old[i];
}

/* The last name that a task had is the one that all its records get. */
static void note_name(struct dat_emitter *d, const struct task *t)
{
	struct pid_name *n = name_of(d, t->pid);

	if (!n->pid) {
		if (!t->pid || d->nr_names == MAX_NAMES)
			return;
		/* A quarter of it stays free. */
		if (++d->nr_names > 3u << (d->names_shift - 2)) {
			grow_names(d, d->names_shift + 1);
			n = name_of(d, t->pid);
		}
		n->pid = t->pid;
	}
	if (strcmp(n->comm, t->comm))
		memcpy(n->comm, t->comm, sizeof(n->comm));
}

static void put_member(uint8_t *record, const struct tep_member *m, uint64_t v)
{
	memcpy(record + m->off, &v, m->size);
}

static uint8_t *put_call(struct dat_emitter *d, const struct graph_type *type,
			 const struct call *c, uint64_t ns)
{
	const struct common common = {
		.type = type->id,
		.flags = context_flags[c->context & 3],
		.pid = c->task->pid,
	};
	uint8_t *record = datpages_put(&d->pages, c->cpu, ns, type->len);

	memcpy(record, &common, sizeof(common));
	put_member(record, type->func, c->func);
	put_member(record, type->depth, c->depth);
	note_name(d, c->task);
	return record;
}

static void dat_enter(struct emitter *e, const struct call *c)
{
	struct dat_emitter *d = dat_of(e);

	put_call(d, &d->entry, c, ns_of(d, c->tsc_in));
}

/* Only returns that were recorded: one of our own would be made up. */
static void dat_leave(struct emitter *e, const struct call *c)
{
	struct dat_emitter *d = dat_of(e);
	uint64_t out = ns_of(d, c->tsc_out), in = out;
	uint8_t *record;

	if (c->end != CALL_RETURNED && c->end != CALL_HEADLESS)
		return;
	if (c->end == CALL_RETURNED && c->tsc_in < c->tsc_out)
		in = ns_of(d, c->tsc_in);
	record = put_call(d, &d->ret, c, out);
	put_member(record, d->ret.calltime, in);
	put_member(record, d->ret.rettime, out);
}

/*
 * A string is read up to a 0 byte, and so must not begin behind the record; the
 * record's last byte is 0.
 */
static void bound(const struct tep_type *type, uint8_t *record, uint32_t len)
{
	for (uint32_t i = 0; i < type->nr_members; i++) {
		const struct tep_member *m = &type->members[i];
		bool relative = m->flags & TEP_RELATIVE;
		uint32_t off = 0, size, word;

		if (!(m->flags & TEP_DYNAMIC) ||
		    (printer_dynamic(record, len, m->off, relative, &off,
				     &size) && off < len))
			continue;
		if (off >= len)
			off = len - 1;
		word = (off - (relative ? m->off + 4 : 0)) | (len - off) << 16;
		memcpy(record + m->off, &word, sizeof(word));
	}
}

static void put_event(struct dat_emitter *d, const struct event *ev,
		      const struct dattype *t, struct common common)
{
	uint32_t len = ev->len < RECORD_MAX ? ev->len : RECORD_MAX;
	uint32_t whole = len > t->len ? len : t->len;
	uint8_t *record;

	whole = (whole + t->dynamic + 3) / 4 * 4;
	record = datpages_put(&d->pages, ev->cpu, ns_of(d, ev->tsc), whole);
	memcpy(record, ev->data, len);
	common.type = t->type->id;
	memcpy(record, &common, sizeof(common));
	if (t->dynamic)
		bound(t->type, record, whole);
}

static void put_unknown(struct dat_emitter *d, const struct event *ev,
			struct common common)
{
	struct {
		struct common common;
		uint32_t id;
	} unknown = { common, common.type };

	if (!d->unknown)
		d->unknown = dattypes_describe(&d->types, "unknown_event",
					       own_unknown)->type->id;
	unknown.common.type = d->unknown;
	memcpy(datpages_put(&d->pages, ev->cpu, ns_of(d, ev->tsc),
			    sizeof(unknown)),
	       &unknown, sizeof(unknown));
}

static void dat_event(struct emitter *e, const struct event *ev)
{
	struct dat_emitter *d = dat_of(e);
	const struct dattype *t = NULL;
	struct common common = { 0 };

	memcpy(&common, ev->data,
	       ev->len < sizeof(common) ? ev->len : sizeof(common));
	t = dattypes_at(&d->types, common.type);
	if (t)
		put_event(d, ev, t, common);
	else
		put_unknown(d, ev, common);
	note_name(d, ev->task);
}

static void dat_lost(struct emitter *e, uint32_t cpu, uint64_t records)
{
	datpages_lost(&dat_of(e)->pages, cpu, records);
}

/* ---- Begin ---- */

static const struct tep_member *number(const struct tep_type *t,
				       const char *name, uint16_t size)
{
	const struct tep_member *m = tep_member(t, name);

	return m && m->size == size && !(m->flags & TEP_ARRAY) ? m : NULL;
}

static bool take_type(struct graph_type *g, const struct dattype *t,
		      bool is_return)
{
	if (!t)
		return false;
	*g = (struct graph_type){
		.id = t->type->id,
		.len = t->len,
		.func = number(t->type, "func", 8),
		.depth = number(t->type, "depth", 4),
		.calltime = number(t->type, "calltime", 8),
		.rettime = number(t->type, "rettime", 8),
	};
	/* All returns would seem to have returned 0. */
	if (tep_member(t->type, "retval"))
		return false;
	return g->func && g->depth &&
	       (!is_return || (g->calltime && g->rettime));
}

static void find_graph_type(struct dat_emitter *d, struct graph_type *g,
			    const char *name, const char *own)
{
	bool is_return = own == own_return;
	const struct dattype *t = dattypes_tracers(&d->types, name);

	if (!take_type(g, t, is_return))
		take_type(g, dattypes_describe(&d->types, name, own),
			  is_return);
}

/* A session that is not the first begins as much later as its clock says. */
static void set_times(struct dat_emitter *d, const struct call_stats *s)
{
	const struct trace_session *session = d->e.session;
	uint64_t real = session->clock_real_ns, first = s->first_tsc;

	if (first >= session->clock_tsc)
		real += emit_ns(&d->e, first - session->clock_tsc);
	else if (first)
		real -= emit_ns(&d->e, session->clock_tsc - first);
	if (session == d->e.trace->sessions)
		d->first_real_ns = real;
	d->zero_tsc = s->first_tsc;
	d->zero_ns = real > d->first_real_ns ? real - d->first_real_ns : 0;
}

static void dat_begin(struct emitter *e, const struct call_stats *totals)
{
	struct dat_emitter *d = dat_of(e);

	set_times(d, totals);
	d->pages = (struct datpages){ .beside = e->sink->beside };
	dattypes_init(&d->types, e->session, &e->formats);
	find_graph_type(d, &d->entry, "funcgraph_entry", own_entry);
	find_graph_type(d, &d->ret, "funcgraph_exit", own_return);
	grow_names(d, FIRST_SHIFT);
	d->nr_names = 0;
	d->unknown = 0;
}

/* ---- The file ---- */

static void put_u16(struct buf *b, uint16_t v)
{
	buf_add(b, &v, sizeof(v));
}

static void put_u32(struct buf *b, uint32_t v)
{
	buf_add(b, &v, sizeof(v));
}

static void put_u64(struct buf *b, uint64_t v)
{
	buf_add(b, &v, sizeof(v));
}

/* With the 0 byte. */
static void put_string(struct buf *b, const char *s)
{
	buf_add(b, s, strlen(s) + 1);
}

/* What the kernel says of its pages; ours are like that. */
static void put_header(struct buf *b)
{
	static const char page[] =
		"\tfield: u64 timestamp;\toffset:0;\tsize:8;\tsigned:0;\n"
		"\tfield: local_t commit;\toffset:8;\tsize:8;\tsigned:1;\n"
		"\tfield: int overwrite;\toffset:8;\tsize:1;\tsigned:1;\n"
		"\tfield: char data;\toffset:16;\tsize:4080;\tsigned:1;\n";
	static const char record[] = "# compressed entry header\n"
				     "\ttype_len    :    5 bits\n"
				     "\ttime_delta  :   27 bits\n"
				     "\tarray       :   32 bits\n"
				     "\n"
				     "\tpadding     : type == 29\n"
				     "\ttime_extend : type == 30\n"
				     "\ttime_stamp : type == 31\n"
				     "\tdata max type_len  == 28\n";

	_Static_assert(DATPAGES_DATA == 4080, "as the text says");
	buf_puts(b, "\x17\x08\x44tracing");
	put_string(b, "6");
	buf_putc(b, 0);		/* little-endian */
	buf_putc(b, 8);		/* bytes of a long */
	put_u32(b, DATPAGES_PAGE);
	put_string(b, "header_page");
	put_u64(b, strlen(page));
	buf_puts(b, page);
	put_string(b, "header_event");
	put_u64(b, strlen(record));
	buf_puts(b, record);
}

/* The length goes before what was appended behind its @size bytes at @at. */
static void set_length(struct buf *b, size_t at, size_t size)
{
	uint64_t len = b->len - at - size;

	memcpy(b->data + at, &len, size);
}

/*
 * All functions, each by the name that the text has. Readers take an address
 * that is in none for the one before, so that code without a symbol gets a name
 * that says so.
 */
static void put_symbols(struct buf *b, const struct symtab *st)
{
	size_t start = b->len;
	uint64_t last = 0;
	uint32_t pos = 0;
	struct sym s, other;

	put_u32(b, 0);
	while (symtab_each(st, &pos, &s)) {
		if (!symtab_at(st, s.addr, &s) || s.addr == last)
			continue;
		last = s.addr;
		buf_printf(b, "%016" PRIx64 " %c %s", s.addr, s.type, s.name);
		if (s.module)
			buf_printf(b, "\t[%s]", s.module);
		buf_putc(b, '\n');
		if (!symtab_at(st, s.addr + s.size, &other))
			buf_printf(b, "%016" PRIx64 " t unknown_behind_%s\n",
				   s.addr + s.size, s.name);
	}
	set_length(b, start, sizeof(uint32_t));
}

static void put_names(struct buf *b, const struct dat_emitter *d)
{
	size_t start = b->len;

	put_u64(b, 0);
	for (size_t i = 0; i < 1u << d->names_shift; i++)
		if (d->names[i].pid)
			buf_printf(b, "%" PRIu32 " %s\n", d->names[i].pid,
				   d->names[i].comm);
	set_length(b, start, sizeof(uint64_t));
}

enum option {
	OPTION_DONE,
	OPTION_CPUSTAT = 2,
	OPTION_TRACECLOCK = 4,
	OPTION_UNAME = 5,
	OPTION_VERSION = 9,
};

/* @text with its 0 byte. */
static void put_option(struct buf *b, enum option option, const char *text)
{
	put_u16(b, option);
	put_u32(b, strlen(text) + 1);
	put_string(b, text);
}

static void put_options(struct buf *b, const struct dat_emitter *d,
			const char *clock)
{
	_cleanup_(buf_deinit) struct buf text = BUF_INIT;
	const char *release = trace_meta_str(d->e.trace, "release");

	buf_add(b, "options  ", 10);
	for (uint32_t i = 0; i < d->pages.nr; i++) {
		const struct datpages_cpu *c = d->pages.cpu[i];

		/* What the kernel's own buffer still has is not asked for. */
		text.len = 0;
		buf_printf(&text,
			   "CPU: %" PRIu32 "\nentries: 0"
			   "\noverrun: %" PRIu64 "\n",
			   i, c ? c->lost : 0);
		put_option(b, OPTION_CPUSTAT, text.data);
	}
	put_option(b, OPTION_TRACECLOCK, clock);
	text.len = 0;
	buf_puts(&text, "Linux ");
	buf_add_escaped(&text, release, strlen(release));
	put_option(b, OPTION_UNAME, text.data);
	put_option(b, OPTION_VERSION, "xftrace " XF_VERSION);
	put_u16(b, OPTION_DONE);
}

static uint64_t cpu_bytes(const struct dat_emitter *d, uint32_t cpu)
{
	return d->pages.cpu[cpu] ? d->pages.cpu[cpu]->pages * DATPAGES_PAGE : 0;
}

/* Where the CPUs' pages lie, behind the header; the clock once more. */
static void put_offsets(struct buf *b, const struct dat_emitter *d,
			const char *clock)
{
	uint64_t at = b->len + 10 + 16 * (uint64_t)d->pages.nr + 8 +
		      strlen(clock);

	at = (at + DATPAGES_PAGE - 1) / DATPAGES_PAGE * DATPAGES_PAGE;
	buf_add(b, "flyrecord", 10);
	for (uint32_t i = 0; i < d->pages.nr; i++) {
		uint64_t len = cpu_bytes(d, i);

		put_u64(b, len ? at : 0);
		put_u64(b, len);
		at += len;
	}
	put_u64(b, strlen(clock));
	buf_puts(b, clock);
}

static void dat_end(struct emitter *e, const struct call_stats *totals)
{
	static const char clock[] = "[local]";
	struct dat_emitter *d = dat_of(e);
	struct buf *b = &e->sink->buf;

	datpages_flush(&d->pages);
	put_header(b);
	dattypes_write(&d->types, b);
	put_symbols(b, e->session->symbols);
	put_u32(b, 0);		/* formats of trace_printk() */
	put_names(b, d);
	put_u32(b, d->pages.nr);
	put_options(b, d, clock);
	put_offsets(b, d, clock);
	while (b->len % DATPAGES_PAGE)
		buf_putc(b, 0);
	for (uint32_t i = 0; i < d->pages.nr; i++)
		datpages_copy(&d->pages, i, e->sink);
	if (!e->sink->failed)
		e->sink->failed = d->pages.failed;
	datpages_deinit(&d->pages);
	dattypes_deinit(&d->types);
	free(d->names);
	d->names = NULL;
}

const struct emit_ops emit_dat = {
	.name = "dat",
	.file = "trace.dat",
	.binary = true,
	.begin = dat_begin,
	.enter = dat_enter,
	.leave = dat_leave,
	.event = dat_event,
	.lost = dat_lost,
	.end = dat_end,
	.state_size = sizeof(struct dat_emitter),
};
