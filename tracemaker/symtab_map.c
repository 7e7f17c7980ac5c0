// SPDX-License-Identifier: GPL-2.0-only
/*
 * System.map and /proc/kallsyms: "ffffffff81000000 T _stext", and for the
 * symbols of modules "\t[module]" behind it.
 */
#include <errno.h>

#include "symtab.h"

struct line {
	uint64_t addr;
	char type;
	const char *name;
	size_t name_len;
	char module[64]; /* empty: the kernel */
};

static bool blank(char c)
{
	return c == ' ' || c == '\t';
}

/* The end of a word that begins at @p; only printable characters count. */
static const char *word_end(const char *p, const char *end)
{
	while (p<end && * p> ' ' && *p < 0x7f)
		p++;
	return p;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/* NULL or what is wrong with the line. */
static const char *parse(const char *p, const char *end, struct line *ret)
{
	const char *start = p;

	ret->addr = 0;
	for (; p < end && hex_digit(*p) >= 0; p++)
		ret->addr = ret->addr << 4 | (unsigned int)hex_digit(*p);
	if (p == start || p - start > 16)
		return "no address of up to 16 hexadecimal digits";
	if (end - p < 4 || !blank(p[0]) || !blank(p[2]))
		return "no type of one letter behind the address";
	ret->type = p[1];
	p += 3;
	ret->name = p;
	p = word_end(p, end);
	ret->name_len = p - ret->name;
	if (!ret->name_len || ret->name_len > SYMTAB_NAME_MAX)
		return "no name of up to 511 characters";
	ret->module[0] = '\0';
	while (p < end && blank(*p))
		p++;
	if (p < end) {
		size_t len = end - p;

		if (len < 3 || p[0] != '[' || end[-1] != ']' ||
		    word_end(p, end) != end || len >= sizeof(ret->module) + 2)
			return "something behind the name that is no [module]";
		memcpy(ret->module, p + 1, len - 2);
		ret->module[len - 2] = '\0';
	}
	return NULL;
}

/* Debian and others ship such a file instead of the real one. */
static bool is_stub(const char *text, size_t len)
{
	static const char hint[] = "real System.map is in";

	return memmem(text, len < 256 ? len : 256, hint, sizeof(hint) - 1);
}

int symtab_load_map(struct symtab *st, const char *text, size_t len,
		    struct xf_err *err)
{
	const char *end = text + len;
	bool any_addr = false, any_text = false;
	size_t nr = st->nr, line = 0;
	int rc;

	if (is_stub(text, len))
		return xf_fail(err, -ENODATA,
			       "a stub without symbols (the real System.map is "
			       "in the kernel's -dbg package); give the kernel "
			       "image, vmlinuz, instead: it has them too");
	for (const char *p = text, *eol; p < end; p = eol + 1) {
		const char *wrong;
		struct line l;

		line++;
		eol = memchr(p, '\n', end - p);
		if (!eol)
			wrong = "cut off, no newline at its end";
		else
			wrong = parse(p, eol, &l);
		if (wrong) {
			rc = xf_fail(err, -EBADMSG, "line %zu: %s", line,
				     wrong);
			goto undo;
		}
		if (!symtab_add(st, l.addr, 0, l.type, l.name, l.name_len,
				l.module[0] ? l.module : NULL)) {
			rc = xf_fail(err, -EFBIG,
				     "line %zu: too many symbols or modules",
				     line);
			goto undo;
		}
		any_addr |= l.addr;
		any_text |=
			l.addr >= SYMTAB_KERNEL_BASE && symtab_is_text(l.type);
	}
	if (st->nr > nr && !any_addr) {
		rc = xf_fail(err, -EPERM,
			     "every address in it is 0: the kernel hid them; "
			     "read /proc/kallsyms as root, with "
			     "kernel.kptr_restrict at most 1");
		goto undo;
	}
	if (!any_text) {
		rc = xf_fail(err, -ENODATA,
			     "no function at an address of the kernel in it");
		goto undo;
	}
	st->source = SYMTAB_MAP;
	symtab_seal(st);
	return 0;
undo:
	symtab_truncate(st, nr);
	return rc;
}
