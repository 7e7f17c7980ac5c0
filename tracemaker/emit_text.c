// SPDX-License-Identifier: GPL-2.0-only
/*
 * trace_graph.txt: what ftrace's function_graph prints, with a header, and with
 * what is not as it should be said in comments.
 *
 * This is the hot end of the decoder, so numbers are formatted by hand.
 */
#include "emit.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include "xft_abi.h"

struct text {
	struct emitter e;
	uint64_t zero_tsc;	/* times are counted from here */
	uint64_t scale;		/* ticks to ns, << 32 */
};

static struct text *text_of(struct emitter *e)
{
	return (struct text *)e;
}

static uint64_t ns_of(const struct text *t, uint64_t ticks)
{
	return (unsigned __int128)ticks * t->scale >> 32;
}

static char *put_bytes(char *p, const char *s, size_t len)
{
	memcpy(p, s, len);
	return p + len;
}

#define TWO_ROWS(x) x "0" x "1" x "2" x "3" x "4" x "5" x "6" x "7" x "8" x "9"
static const char two_digits[] =
	TWO_ROWS("0") TWO_ROWS("1") TWO_ROWS("2") TWO_ROWS("3") TWO_ROWS("4")
	TWO_ROWS("5") TWO_ROWS("6") TWO_ROWS("7") TWO_ROWS("8") TWO_ROWS("9");

/*
 * Room for a whole line is reserved, so short things are copied by the 16
 * bytes: what is too much is overwritten by what follows.
 */
static char *put_spaces(char *p, size_t n)
{
	for (size_t i = 0; i < n; i += 16)
		memcpy(p + i, "                ", 16);
	return p + n;
}

/* Clocks of two CPUs may disagree, or the guest lies: never below 0. */
static uint64_t took(const struct text *t, const struct call *c)
{
	return c->tsc_out > c->tsc_in ? ns_of(t, c->tsc_out - c->tsc_in) : 0;
}

/* Decimal digits of @v, right-aligned in at least @width columns. */
static char *put_number(char *p, uint64_t v, int width)
{
	char digits[20];
	int i = 20, n;

	if (v < 10) {
		if (width > 1)
			p = put_spaces(p, width - 1);
		*p++ = '0' + v;
		return p;
	}
	while (v >= 100) {
		i -= 2;
		memcpy(digits + i, two_digits + v % 100 * 2, 2);
		v /= 100;
	}
	if (v >= 10) {
		i -= 2;
		memcpy(digits + i, two_digits + v * 2, 2);
	} else {
		digits[--i] = '0' + v;
	}
	n = 20 - i;
	if (n < width)
		p = put_spaces(p, width - n);
	return put_bytes(p, digits + i, n);
}

/* @v / 1000 with three decimals. */
static char *put_milli(char *p, uint64_t v, int width)
{
	p = put_number(p, v / 1000, width - 4);
	v %= 1000;
	*p++ = '.';
	*p++ = '0' + v / 100;
	return put_bytes(p, two_digits + v % 100 * 2, 2);
}

/* The marks of ftrace's trace_find_mark(). */
static char mark_of(uint64_t ns)
{
	if (ns > 1000000000)
		return '$';
	if (ns > 100000000)
		return '@';
	if (ns > 10000000)
		return '*';
	if (ns > 1000000)
		return '#';
	if (ns > 100000)
		return '!';
	if (ns > 10000)
		return '+';
	return ' ';
}

/* "     1.234567 |" */
static inline char *put_time(const struct text *t, char *p, uint64_t tsc)
{
	uint64_t us = tsc > t->zero_tsc ? ns_of(t, tsc - t->zero_tsc) / 1000 : 0;

	p = put_number(p, us / 1000000, 5);
	*p++ = '.';
	us %= 1000000;
	p = put_bytes(p, two_digits + us / 10000 * 2, 2);
	p = put_bytes(p, two_digits + us / 100 % 100 * 2, 2);
	p = put_bytes(p, two_digits + us % 100 * 2, 2);
	return put_bytes(p, " |", 2);
}

#define DURATION_WIDTH 17	/* mark, number and unit */

/* "     1.234567 |   0)  cat-123          | "; room for a line is reserved. */
static inline char *begin_any(struct text *t, const struct task *task,
			      uint32_t cpu, uint64_t tsc)
{
	char *p = put_time(t, buf_reserve(&t->e.sink->buf, 2048), tsc);
	char *start;

	p = put_number(p, cpu, 4);
	p = put_bytes(p, ")  ", 3);
	start = p;
	memcpy(p, task->comm, sizeof(task->comm));
	p += task->comm_len;
	*p++ = '-';
	p = put_number(p, task->pid, 0);
	if (p - start < 18)
		p = put_spaces(p, 18 - (p - start));
	return put_bytes(p, " | ", 3);
}

/*
 * "     1.234567 |   0)  cat-123          | + 12.345 us   |  " and the
 * indentation. Returns where the line goes on; room for it is reserved.
 */
static char *begin_line(struct text *t, const struct call *c, uint64_t tsc,
			bool has_duration, uint64_t ns)
{
	char *p = begin_any(t, c->task, c->cpu, tsc);
	char *start = p;

	if (has_duration) {
		*p++ = mark_of(ns);
		*p++ = ' ';
		p = put_milli(p, ns, 0);
		p = put_bytes(p, " us", 3);
	}
	if (p - start < DURATION_WIDTH)
		p = put_spaces(p, DURATION_WIDTH - (p - start));
	p = put_bytes(p, " |  ", 4);
	return put_spaces(p, 2 * (c->level < 400 ? c->level : 400));
}

static void end_line(struct text *t, char *p)
{
	*p++ = '\n';
	t->e.sink->buf.len = p - t->e.sink->buf.data;
	sink_flush(t->e.sink, false);
}

/* From here on the line is not hot: append through buf. */
static struct buf *cold_line(struct text *t, char *p)
{
	t->e.sink->buf.len = p - t->e.sink->buf.data;
	return &t->e.sink->buf;
}

static void end_cold_line(struct text *t)
{
	buf_putc(&t->e.sink->buf, '\n');
	sink_flush(t->e.sink, false);
}

static char *put_name(char *p, const struct name *n)
{
	p = put_bytes(p, n->text, n->len);
	if (n->module) {
		p = put_bytes(p, " [", 2);
		p = put_bytes(p, n->module, strlen(n->module));
		*p++ = ']';
	}
	return p;
}

/*
 * Did the call come from where it seems to come from? A tail call returns into
 * ftrace's trampoline, and a function's unlikely part lies elsewhere under
 * another name.
 */
static bool caller_is_parent(struct text *t, const struct call *c)
{
	const struct name *parent;
	struct name caller;
	size_t len;

	/* Nobody calls the trampoline: this is its very first byte. */
	if (names_at(&t->e.names, c->caller)->is_return)
		return true;
	caller = *names_at(&t->e.names, c->caller - 1);
	parent = names_at(&t->e.names, c->parent->func);
	len = parent->len;
	if (caller.known && caller.start == parent->start)
		return true;
	return caller.known && parent->known && caller.len > len &&
	       !memcmp(caller.text, parent->text, len) &&
	       !memcmp(caller.text + len, ".cold", 5);
}

/* "+0x1f"; every root has one. */
static void add_hex(struct buf *b, uint64_t v)
{
	char digits[20];
	int i = sizeof(digits);

	do
		digits[--i] = "0123456789abcdef"[v & 15];
	while (v >>= 4);
	buf_puts(b, "+0x");
	buf_add(b, digits + i, sizeof(digits) - i);
}

/* Comments of an entry: an unknown function, a caller worth a look. */
static void comment(struct text *t, struct buf *b, const struct call *c)
{
	const struct name *n = names_at(&t->e.names, c->func);
	bool unknown = !n->known;
	/* A root may be reached by a tail call, too. */
	bool tail = names_at(&t->e.names, c->caller)->is_return;
	bool from = !tail && (!c->parent || !caller_is_parent(t, c));

	if (!unknown && !from)
		return;
	buf_puts(b, " /* ");
	if (unknown)
		names_describe_unknown(&t->e.names, c->func, b);
	if (from) {
		n = names_at(&t->e.names, c->caller - 1);
		buf_puts(b, unknown ? "; from " : "from ");
		buf_add(b, n->text, n->len);
		if (n->known)
			add_hex(b, c->caller - n->start);
		if (n->module)
			buf_printf(b, " [%s]", n->module);
		if (!n->known) {
			buf_putc(b, ' ');
			names_describe_unknown(&t->e.names, c->caller, b);
		}
	}
	buf_puts(b, " */");
}

/* The system call that @c is and whose arguments were recorded, or NULL. */
static const struct syscall *call_of(struct text *t, const struct call *c)
{
	if (!c->nr_args)
		return NULL;
	return formats_syscall(&t->e.formats,
			       names_at(&t->e.names, c->func)->text);
}

/* Behind the end of a system call, in a comment: sys_close(fd: 3) = 0 */
static void put_syscall(struct buf *b, const struct syscall *s,
			const struct call *c)
{
	buf_printf(b, " /* %s(", s->name);
	syscall_print_args(s, c->args, c->nr_args, b);
	buf_putc(b, ')');
	if (c->has_result) {
		buf_puts(b, " = ");
		syscall_print_result(s, c->result, b);
	}
	buf_puts(b, " */");
}

/* Behind the end of a call that wrote memory, in a comment. */
static void put_dirty(struct text *t, struct buf *b, const struct call *c)
{
	if (c->dirty) {
		buf_puts(b, " /* dirtied ");
		dirty_set_print(c->dirty, t->e.session, b);
		buf_puts(b, " */");
	}
	if (c->maybe) {
		buf_puts(b, " /* dirtied by this or others, ");
		if (c->maybe->width_us == UINT32_MAX)
			buf_puts(b, "who knows when, ");
		else
			buf_printf(b, "within %" PRIu32 ".%03" PRIu32 " ms, ",
				   c->maybe->width_us / 1000,
				   c->maybe->width_us % 1000);
		dirty_set_print(c->maybe, t->e.session, b);
		buf_puts(b, " */");
	}
}

static bool plain(struct text *t, const struct call *c)
{
	return c->parent && !c->nr_args && !(c->leaf && c->dirty) &&
	       names_at(&t->e.names, c->func)->known &&
	       caller_is_parent(t, c);
}

static void text_leave_irq(struct text *t, const struct call *c)
{
	char *p = begin_line(t, c, c->tsc_out, false, 0);

	end_line(t, put_bytes(p, "<========== |", 13));
}

/* What follows the name of a call that there is more to say about. */
static void put_special(struct text *t, struct buf *b, const struct call *c)
{
	const struct syscall *s = call_of(t, c);

	buf_putc(b, '(');
	if (s)
		syscall_print_args(s, c->args, c->nr_args, b);
	buf_putc(b, ')');
	if (s && c->leaf && c->has_result) {
		buf_puts(b, " = ");
		syscall_print_result(s, c->result, b);
	}
	buf_puts(b, c->leaf ? ";" : " {");
	comment(t, b, c);
	if (c->leaf)
		put_dirty(t, b, c);
}

static bool enters_context(const struct call *c)
{
	return c->parent && c->context > c->parent->context;
}

static void text_enter(struct emitter *e, const struct call *c)
{
	static const char *const contexts[] = { "task", "softirq", "irq",
						"nmi" };
	struct text *t = text_of(e);
	bool is_plain = plain(t, c);
	char *p;

	if (enters_context(c)) {
		p = begin_line(t, c, c->tsc_in, false, 0);
		buf_printf(cold_line(t, p), "==========> | %s",
			   contexts[c->context & 3]);
		end_cold_line(t);
	}
	p = begin_line(t, c, c->tsc_in, c->leaf,
		       c->leaf ? took(t, c) : 0);
	p = put_name(p, names_at(&e->names, c->func));
	if (is_plain) {
		p = c->leaf ? put_bytes(p, "();", 3) : put_bytes(p, "() {", 4);
		end_line(t, p);
	} else {
		put_special(t, cold_line(t, p), c);
		end_cold_line(t);
	}
	if (c->leaf && enters_context(c))
		text_leave_irq(t, c);
}

static void text_leave(struct emitter *e, const struct call *c)
{
	struct text *t = text_of(e);
	bool timed = c->end == CALL_RETURNED;
	const struct syscall *s = call_of(t, c);
	const struct name *n;
	char *p;

	if (c->leaf)
		return;
	p = begin_line(t, c, c->tsc_out, timed,
		       timed ? took(t, c) : 0);
	*p++ = '}';
	if (!timed) {
		struct buf *b = cold_line(t, p);
		uint64_t us = took(t, c) / 1000;

		n = names_at(&e->names, c->func);
		buf_printf(b, " /* %s: ", n->text);
		if (c->end == CALL_OPEN)
			buf_printf(b, "still open at the end, after %" PRIu64
				      ".%06" PRIu64 " s",
				   us / 1000000, us % 1000000);
		else if (c->end == CALL_CUT)
			buf_puts(b, "its return is among lost records");
		else if (c->end == CALL_LEFT)
			buf_puts(b, "the task ended in it");
		else
			buf_puts(b, "its beginning was not recorded");
		buf_puts(b, " */");
		put_dirty(t, b, c);
		end_cold_line(t);
	} else if (s || c->dirty || c->maybe) {
		struct buf *b = cold_line(t, p);

		if (s)
			put_syscall(b, s, c);
		put_dirty(t, b, c);
		end_cold_line(t);
	} else {
		end_line(t, p);
	}
	if (enters_context(c))
		text_leave_irq(t, c);
}

static void text_event(struct emitter *e, const struct event *ev)
{
	struct text *t = text_of(e);
	const struct tep_type *type =
		formats_type(&e->formats, ev->data, ev->len);
	char *p = begin_any(t, ev->task, ev->cpu, ev->tsc);
	struct buf *b;

	p = put_spaces(p, DURATION_WIDTH);
	p = put_bytes(p, " |  ", 4);
	p = put_spaces(p, 2 * (ev->level < 400 ? ev->level : 400));
	b = cold_line(t, put_bytes(p, "/* ", 3));
	if (type) {
		buf_puts(b, type->name);
		buf_add(b, ": ", 2);
	}
	tep_print(e->formats.tep, ev->data, ev->len, b);
	if (ev->cut)
		buf_puts(b, " (too long, cut)");
	buf_puts(b, " */");
	end_cold_line(t);
}

/* "     1.234570 |  h0)  vcpu 0-4711        |                   |  " */
static struct buf *begin_host_line(struct text *t, const struct host_event *ev)
{
	char *p = put_time(t, buf_reserve(&t->e.sink->buf, 2048), ev->tsc);
	struct buf *b = cold_line(t, p);
	char cpu[16], task[32];

	snprintf(cpu, sizeof(cpu), "h%" PRIu32, ev->cpu);
	if (ev->vcpu < 0)
		snprintf(task, sizeof(task), "host-%" PRIu32, ev->tid);
	else
		snprintf(task, sizeof(task), "vcpu %" PRId32 "-%" PRIu32,
			 ev->vcpu, ev->tid);
	buf_printf(b, "%4s)  %-18s | %*s |  ", cpu, task, DURATION_WIDTH, "");
	return b;
}

static void text_host_event(struct emitter *e, const struct host_event *ev)
{
	const struct tep *tep = e->formats.host;
	const struct tep_type *type = tep_type_of(tep, ev->data, ev->len);
	struct buf *b = &e->sink->buf;

	if (ev->lost == HOST_LOST_SOME)
		buf_printf(b, "# host CPU %" PRIu32 ": LOST EVENTS\n", ev->cpu);
	else if (ev->lost)
		buf_printf(b, "# host CPU %" PRIu32 ": LOST %" PRIu64
			   " EVENTS\n", ev->cpu, ev->lost);
	b = begin_host_line(text_of(e), ev);
	buf_printf(b, "/* host %s%s", type ? type->name : "",
		   type ? ": " : "");
	tep_print(tep, ev->data, ev->len, b);
	buf_puts(b, " */");
	end_cold_line(text_of(e));
}

static void text_lost(struct emitter *e, uint32_t cpu, uint64_t records)
{
	buf_printf(&e->sink->buf,
		   "# CPU %" PRIu32 ": LOST %" PRIu64 " RECORDS\n", cpu,
		   records);
}

/* The words that the user typed. */
static void put_words(struct buf *b, const char *title, const json_t *list)
{
	size_t i, line = 0;
	json_t *v;

	if (!json_array_size(list))
		return;
	buf_puts(b, title);
	json_array_foreach(list, i, v) {
		const char *s = json_string_value(v);

		if (!s)
			continue;
		if (line + strlen(s) > 64) {
			buf_puts(b, "\n#           ");
			line = 0;
		}
		buf_putc(b, ' ');
		buf_add_escaped(b, s, strlen(s));
		line += strlen(s) + 1;
	}
	buf_putc(b, '\n');
}

static void put_clock(struct buf *b, uint64_t real_ns)
{
	time_t seconds = real_ns / 1000000000;
	char when[32];
	struct tm tm;

	gmtime_r(&seconds, &tm);
	strftime(when, sizeof(when), "%Y-%m-%d %H:%M:%S", &tm);
	buf_printf(b, "%s.%06u UTC", when,
		   (unsigned int)(real_ns % 1000000000 / 1000));
}

static const char *const sources[] = {
	[SYMTAB_NONE] = "none",
	[SYMTAB_MAP] = "a System.map",
	[SYMTAB_ELF] = "a vmlinux",
	[SYMTAB_VMLINUZ] = "the kernel image",
	[SYMTAB_GUEST] = "guest RAM (as far as the guest can be trusted)",
};

/* A trace file may come from anywhere. */
static void put_meta(const struct emitter *e, struct buf *b, const char *name)
{
	const char *s = trace_meta_str(e->trace, name);

	buf_add_escaped(b, s, strlen(s));
}

static void put_host(const struct emitter *e, struct buf *b,
		     const struct call_stats *s)
{
	const json_t *host = e->session->host;
	const char *release =
		json_string_value(json_object_get(host, "release")) ?: "";

	if (!host)
		return;
	buf_puts(b, "# host:      ");
	buf_add_escaped(b, release, strlen(release));
	buf_printf(b, ", %" PRIu64 " events, ", s->host_events);
	if (s->host_lost == HOST_LOST_SOME)
		buf_puts(b, "some lost\n");
	else
		buf_printf(b, "%" PRIu64 " lost\n", s->host_lost);
}

static void put_writers(const struct emitter *e, struct buf *b,
			const struct call_stats *s)
{
	if (!dirty_is_in_session(e->trace, e->session))
		return;
	buf_printf(b, "# dirty:     %" PRIu64 " records, %" PRIu64
		      " lost, %s\n", s->dirty, s->dirty_lost,
		   dirty_is_exact_session(e->trace, e->session) ?
			   "exact: told at the very store" :
			   "harvested: a call that is named may have done it");
}

/* What was recorded, of whom. */
static void put_subject(struct emitter *e, struct buf *b)
{
	unsigned int from = e->session->symbols->source;

	buf_printf(b, "# xftrace %s: function graph%s\n#\n", XF_VERSION,
		   e->trace->nr_sessions > 1 ?
			   " (one part for each start of the guest's module)" :
			   "");
	buf_puts(b, "# guest:     ");
	put_meta(e, b, "guest");
	buf_puts(b, "\n# kernel:    ");
	put_meta(e, b, "release");
	buf_puts(b, ", build id ");
	put_meta(e, b, "build_id");
	buf_putc(b, '\n');
	buf_printf(b, "# symbols:   from %s\n",
		   sources[from <= SYMTAB_GUEST ? from : 0]);
	put_words(b, "# functions:",
		  json_object_get(e->trace->meta, "functions"));
	put_words(b, "# events:   ", json_object_get(e->trace->meta, "events"));
	put_words(b, "# of host:  ",
		  json_object_get(e->trace->meta, "host_events"));
}

static void put_span(struct emitter *e, struct buf *b,
		     const struct call_stats *s)
{
	const struct trace_session *session = e->session;
	const struct text *t = text_of(e);
	int64_t ticks = s->first_tsc - session->clock_tsc;
	uint64_t away = ticks;
	uint64_t since = ns_of(t, ticks < 0 ? -away : away);
	uint64_t span = ns_of(t, s->last_tsc - s->first_tsc);

	if (!s->first_tsc)
		return;
	buf_puts(b, "# begins:    ");
	put_clock(b, ticks < 0 ? session->clock_real_ns - since :
				 session->clock_real_ns + since);
	buf_printf(b, " (guest's clock), spans %" PRIu64 ".%06" PRIu64 " s\n",
		   span / 1000000000, span % 1000000000 / 1000);
}

static void put_totals(struct emitter *e, struct buf *b,
		       const struct call_stats *s)
{
	buf_printf(b, "# totals:    %" PRIu64 " calls, ", s->calls);
	if (s->events)
		buf_printf(b, "%" PRIu64 " events, ", s->events);
	buf_printf(b, "%" PRIu64 " records, %" PRIu64 " lost\n", s->records,
		   s->lost);
	buf_puts(b, "# mask:      ");
	trace_tell_seal(e->session, b);
	trace_tell_window(e->trace, b);
	buf_putc(b, '\n');
	put_host(e, b, s);
	put_writers(e, b, s);
	if (s->unknown)
		buf_printf(b, "# unknown:   %" PRIu64
			      " calls of addresses without a symbol, marked ?\n",
			   s->unknown);
	if (s->open)
		buf_printf(b, "# open:      %" PRIu64
			      " calls had not returned at the end\n",
			   s->open);
	if (s->bad_spans)
		buf_printf(b, "# damaged:   %" PRIu64
			      " stretches could not be read\n",
			   s->bad_spans);
}

static void put_notes(struct emitter *e, struct buf *b)
{
	const char *text;
	json_t *v;
	size_t i;

	json_array_foreach(e->trace->notes, i, v) {
		buf_puts(b, "# note:      ");
		text = json_string_value(json_object_get(v, "text")) ?: "";
		buf_add_escaped(b, text, strlen(text));
		buf_putc(b, '\n');
	}
	if (!e->trace->end)
		buf_puts(b, e->trace->recording ?
				    "# note:      it is still being recorded; "
				    "this is what has come so far\n" :
				    "# note:      recording did not end with "
				    "an 'off'; this is what was kept\n");
}

static void text_begin(struct emitter *e, const struct call_stats *s)
{
	struct text *t = text_of(e);
	struct buf *b = &e->sink->buf;

	t->scale = ((unsigned __int128)1000000 << 32) / e->session->tsc_khz;
	t->zero_tsc = s->first_tsc;
	put_subject(e, b);
	put_span(e, b, s);
	put_totals(e, b, s);
	put_notes(e, b);
	buf_puts(b,
		 "#\n"
		 "#     TIME s |  CPU) TASK-PID           |   DURATION        |"
		 "  FUNCTION CALLS\n"
		 "#          | |   |   |     |            |    |              |"
		 "  |   |   |   |\n");
	sink_flush(e->sink, false);
}

static void text_end(struct emitter *e, const struct call_stats *s)
{
	if (!s->calls && !s->headless && !s->events && !s->host_events)
		buf_puts(&e->sink->buf,
			 "# nothing of that happened in this time\n");
}

const struct emit_ops emit_text = {
	.name = "text",
	.file = "trace_graph.txt",
	.begin = text_begin,
	.enter = text_enter,
	.leave = text_leave,
	.event = text_event,
	.host_event = text_host_event,
	.lost = text_lost,
	.end = text_end,
	.state_size = sizeof(struct text),
};
