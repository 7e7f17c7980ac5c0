// SPDX-License-Identifier: GPL-2.0-only
#include "syscall.h"

#include <errno.h>
#include <fnmatch.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cleanup.h"

/* What was copied for each argument. */
struct copies {
	struct {
		const char *p; /* NULL: nothing */
		size_t len;
		bool cut;
	} of[XFT_MAX_ARGS];
};

/* ---- Descriptions ---- */

/* A type by its words: "const" and what the like say nothing about values. */
static bool has_word(const char *type, const char *word)
{
	size_t len = strlen(word);

	for (const char *p = type; (p = strstr(p, word)); p += len)
		if ((p == type || p[-1] == ' ') && (!p[len] || p[len] == ' '))
			return true;
	return false;
}

/* By the first of these words in it; "unsigned" takes the sign away. */
static const struct {
	const char *type;
	uint8_t bytes;
	bool is_signed;
} types[] = {
	{ "int", 4, true },	  { "pid_t", 4, true },
	{ "clockid_t", 4, true }, { "timer_t", 4, true },
	{ "key_t", 4, true },	  { "key_serial_t", 4, true },
	{ "mqd_t", 4, true },	  { "rwf_t", 4, false },
	{ "uid_t", 4, false },	  { "gid_t", 4, false },
	{ "qid_t", 4, false },	  { "u32", 4, false },
	{ "__u32", 4, false },	  { "enum", 4, false },
	{ "umode_t", 2, false },  { "mode_t", 2, false },
	{ "short", 2, true },	  { "char", 1, true },
	{ "long", 8, true },	  { "off_t", 8, true },
	{ "loff_t", 8, true },	  { "ssize_t", 8, true },
	{ "u64", 8, false },	  { "__u64", 8, false },
	{ "size_t", 8, false },	  { "aio_context_t", 8, false },
	{ "unsigned", 4, false },
};

/* Some calls take files' numbers as unsigned, but -1 says more. */
static bool is_file(const char *name)
{
	size_t len = strlen(name);

	return len >= 2 && !strcmp(name + len - 2, "fd");
}

static void set_number(struct syscall_arg *a)
{
	bool no_sign = has_word(a->type, "unsigned");

	/* Longs without sign and unknown types are mostly addresses. */
	a->bytes = 8;
	a->kind = SYSCALL_POINTER;
	for (size_t i = 0; i < ARRAY_SIZE(types); i++)
		if (has_word(a->type, types[i].type)) {
			a->bytes = types[i].bytes;
			if (a->bytes < 8 || !no_sign)
				a->kind = types[i].is_signed && !no_sign
						  ? SYSCALL_INT
						  : SYSCALL_UNSIGNED;
			break;
		}
	if (has_word(a->type, "umode_t"))
		a->kind = SYSCALL_OCTAL;
	if (is_file(a->name)) {
		a->bytes = 4;
		a->kind = SYSCALL_INT;
	}
}

/* "const char *", "const void *" and no pointer to a pointer. */
static bool points_to_const(const char *type, const char *to)
{
	const char *star = strchr(type, '*');

	return star && !strchr(star + 1, '*') && has_word(type, "const") &&
	       has_word(type, to);
}

/* Whether @next says how long what stands before it is. */
static bool is_length(const struct tep_member *next)
{
	return next && !strchr(next->type, '*') &&
	       (has_word(next->type, "size_t") ||
		!strcmp(next->name, "count") || !strcmp(next->name, "len"));
}

static void set_pointer(struct syscall_arg *a, const struct tep_member *next)
{
	bool text = points_to_const(a->type, "char");

	a->bytes = 8;
	a->kind = SYSCALL_POINTER;
	if ((text || points_to_const(a->type, "void")) && is_length(next))
		a->kind = SYSCALL_BUFFER;
	else if (text)
		a->kind = SYSCALL_STRING;
}

static void set_arg(struct syscall *s, const struct tep_member *m,
		    const struct tep_member *next)
{
	struct syscall_arg *a = &s->args[s->nr_args++];

	snprintf(a->type, sizeof(a->type), "%s", m->type);
	snprintf(a->name, sizeof(a->name), "%s", m->name);
	if (strchr(m->type, '*')) {
		set_pointer(a, next);
	} else {
		set_number(a);
		a->values = values_find(s->name, a->name);
	}
}

static bool returns_address(const char *call)
{
	static const char *const calls[] = { "sys_mmap*", "sys_brk",
					     "sys_mremap", "sys_shmat" };

	for (size_t i = 0; i < ARRAY_SIZE(calls); i++)
		if (!fnmatch(calls[i], call, 0))
			return true;
	return false;
}

int syscall_of(const struct tep_type *type, struct syscall *ret,
	       struct xf_err *err)
{
	uint32_t first = type->nr_common + 1;

	if (strncmp(type->name, "sys_enter_", 10) || type->nr_members < first ||
	    strcmp(type->members[first - 1].name, "__syscall_nr"))
		return xf_fail(err, -EINVAL,
			       "%s:%s is no entry of a system call",
			       type->system, type->name);
	*ret = (struct syscall){ 0 };
	snprintf(ret->name, sizeof(ret->name), "sys_%s", type->name + 10);
	for (uint32_t i = first;
	     i < type->nr_members && ret->nr_args < XFT_MAX_ARGS; i++)
		set_arg(ret, &type->members[i],
			i + 1 < type->nr_members ? &type->members[i + 1]
						 : NULL);
	ret->returns_address = returns_address(ret->name);
	return 0;
}

uint32_t syscall_descriptor(const struct syscall *s)
{
	uint32_t d = s->nr_args;

	for (uint32_t i = 0; i < s->nr_args; i++) {
		if (s->args[i].kind == SYSCALL_STRING)
			d |= 1u << (4 + i);
		if (s->args[i].kind == SYSCALL_BUFFER)
			d |= 1u << (10 + i);
	}
	return d;
}

/* ---- Payloads ---- */

static void find_copies(const uint64_t *p, size_t words, struct copies *ret)
{
	*ret = (struct copies){ 0 };
	while (words) {
		uint64_t head = *p++;
		uint32_t arg = XFT_STR_ARG(head);
		size_t len = XFT_STR_LEN(head);
		size_t skip = (len + 7) / 8;

		words--;
		if (arg >= XFT_MAX_ARGS || skip > words)
			return;
		if (!(head & XFT_STR_FAULT)) {
			ret->of[arg].p = (const char *)p;
			ret->of[arg].len = len;
			ret->of[arg].cut = head & XFT_STR_CUT;
		}
		p += skip;
		words -= skip;
	}
}

/* As C writes it, so that no byte is lost and no line is broken. */
static void print_quoted(const char *p, size_t len, struct buf *out)
{
	static const char plain[] = "abtnvfr"; /* 7 to 13 */

	buf_putc(out, '"');
	for (size_t i = 0; i < len; i++) {
		unsigned char c = p[i];

		if (c >= 7 && c <= 13)
			buf_printf(out, "\\%c", plain[c - 7]);
		else if (c == '"' || c == '\\')
			buf_printf(out, "\\%c", c);
		else if (c >= 0x20 && c < 0x7f)
			buf_putc(out, c);
		else
			buf_printf(out, "\\x%02x", c);
	}
	buf_putc(out, '"');
}

static uint64_t cut_to(uint64_t v, uint32_t bytes)
{
	return bytes < 8 ? v & ((UINT64_C(1) << 8 * bytes) - 1) : v;
}

static int64_t sign_extend(uint64_t v, uint32_t bytes)
{
	unsigned int shift = 64 - 8 * bytes;

	return (int64_t)(v << shift) >> shift;
}

static void print_number(const struct syscall_arg *a, uint64_t v,
			 struct buf *out)
{
	v = cut_to(v, a->bytes);
	if (a->values && values_print(a->values, v, out))
		return;
	switch (a->kind) {
	case SYSCALL_INT:
		buf_printf(out, "%" PRId64, sign_extend(v, a->bytes));
		break;
	case SYSCALL_UNSIGNED:
		buf_printf(out, "%" PRIu64, v);
		break;
	case SYSCALL_OCTAL:
		buf_printf(out, v ? "0%" PRIo64 : "%" PRIo64, v);
		break;
	default:
		buf_printf(out, v ? "0x%" PRIx64 : "%" PRIu64, v);
	}
}

static void print_copy(const struct syscall_arg *a, const struct copies *c,
		       uint32_t arg, struct buf *out)
{
	const char *p = c->of[arg].p;
	size_t len = c->of[arg].len;

	if (a->kind == SYSCALL_STRING)
		len = strnlen(p, len);
	print_quoted(p, len, out);
	if (c->of[arg].cut)
		buf_puts(out, "...");
}

static bool is_copied(const struct syscall_arg *a)
{
	return a->kind == SYSCALL_STRING || a->kind == SYSCALL_BUFFER;
}

void syscall_print_args(const struct syscall *s, const uint64_t *payload,
			size_t words, struct buf *out)
{
	size_t nr = words ? payload[0] & 0xff : 0;
	struct copies copies = { 0 };

	if (words && nr > words - 1)
		nr = words - 1;
	else if (words)
		find_copies(payload + 1 + nr, words - 1 - nr, &copies);
	for (uint32_t i = 0; i < s->nr_args; i++) {
		const struct syscall_arg *a = &s->args[i];

		buf_printf(out, "%s%s: ", i ? ", " : "", a->name);
		if (is_copied(a) && copies.of[i].p)
			print_copy(a, &copies, i, out);
		else if (i < nr)
			print_number(a, payload[1 + i], out);
		else
			buf_putc(out, '?');
	}
}

void syscall_print_result(const struct syscall *s, uint64_t result,
			  struct buf *out)
{
	/* What only the kernel sees: a call that is to be started anew. */
	static const char *const inner[] = { "ERESTARTSYS", "ERESTARTNOINTR",
					     "ERESTARTNOHAND", "ENOIOCTLCMD",
					     "ERESTART_RESTARTBLOCK" };
	int64_t v = result;
	const char *name = v < 0 && v >= -4095 ? strerrorname_np(-v) : NULL;

	if (v <= -512 && v >= -516)
		name = inner[-v - 512];
	if (name)
		buf_printf(out, "-%s", name);
	else if (s->returns_address && (v < -4095 || v > 0))
		buf_printf(out, "0x%" PRIx64, result);
	else
		buf_printf(out, "%" PRId64, v);
}
