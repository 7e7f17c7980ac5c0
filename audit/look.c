// SPDX-License-Identifier: GPL-2.0-only
#include "look.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"

/* Reads between two looks at the clock, which cost more than a short one. */
#define CLOCK_READS 64
#define LONG_READ   4096

int look_pay(struct look *l, size_t len)
{
	if (!l->reads)
		l->began_ns = thread_cpu_ns();
	l->bytes += len;
	if (l->bytes > LOOK_MAX_BYTES)
		l->spent = -E2BIG;
	if ((++l->reads % CLOCK_READS == 0 || len >= LONG_READ) &&
	    thread_cpu_ns() - l->began_ns > LOOK_MAX_CPU_MS * 1000000ull)
		l->spent = -ETIME;
	return l->spent;
}

/* May @len bytes be read there? */
static int spend(struct look *l, uint64_t addr, size_t len)
{
	int rc = look_pay(l, len);

	return rc ? rc : addr >> 63 ? 0 : -EFAULT;
}

int look_read(struct look *l, uint64_t addr, void *dst, size_t len)
{
	int rc = spend(l, addr, len);

	rc = rc ? rc : gva_read(&l->g->space, addr, dst, len, NULL);
	if (rc == -EIO)
		l->spent = rc;
	return rc;
}

bool look_str(struct look *l, uint64_t addr, char *dst, size_t cap)
{
	ssize_t n = spend(l, addr, cap);

	n = n ? n : gva_read_str(&l->g->space, addr, dst, cap, NULL);
	if (n == -EIO)
		l->spent = n;
	return n > 0;
}

uint64_t look_ptr(struct look *l, uint64_t addr)
{
	uint64_t v;

	return look_read(l, addr, &v, sizeof(v)) ? 0 : v;
}

uint64_t look_follow(struct look *l, enum rule_id rule, uint64_t addr)
{
	uint64_t to = 0;

	/* Of a look that is at its end image.c says so. */
	if (look_read(l, addr, &to, sizeof(to)) && !l->spent)
		look_cannot(l, "%s: a pointer leads nowhere", rules[rule].name);
	return to;
}

const char *look_name(const struct look *l, uint64_t addr, char *dst)
{
	const struct code_range *r = codemap_find(&l->code, addr);
	_cleanup_(buf_deinit) struct buf module = BUF_INIT;
	struct sym s;

	if (symtab_at(l->g->symbols, addr, &s)) {
		int n = snprintf(dst, LOOK_NAME, "%s", s.name);

		if (addr != s.addr && n < LOOK_NAME)
			snprintf(dst + n, LOOK_NAME - n, "+0x%" PRIx64,
				 addr - s.addr);
		return dst;
	}
	if (r && r->owner == CODE_MODULE) {
		buf_add_escaped(&module, r->module, MODLIST_NAME);
		snprintf(dst, LOOK_NAME, "0x%" PRIx64 " in module %s", addr,
			 module.data);
	} else if (r && r->owner != CODE_KERNEL) {
		static const char *const made[] = {
			[CODE_FTRACE] = "ftrace",
			[CODE_KPROBES] = "kprobes",
			[CODE_BPF] = "BPF",
			[CODE_BOOT] = "the boot of processors",
		};

		snprintf(dst, LOOK_NAME, "0x%" PRIx64 " in code made by %s",
			 addr, made[r->owner]);
	} else {
		snprintf(dst, LOOK_NAME,
			 "0x%" PRIx64 ", which is in no known code", addr);
	}
	return dst;
}

uint64_t look_symbol(const struct look *l, const char *name)
{
	uint64_t addr;

	return symtab_address(l->g->symbols, name, &addr, NULL) ? 0 : addr;
}

bool look_is(const struct look *l, uint64_t addr, const char *name)
{
	return addr && look_symbol(l, name) == addr;
}

bool look_members(struct look *l, const char *what,
		  const struct look_member *m, size_t nr)
{
	struct btf_member at;
	struct xf_err why;

	for (size_t i = 0; i < nr; i++) {
		if (btf_member(l->g->types, m[i].type, m[i].path, &at, &why)) {
			look_cannot(l, "%s: %s", what, why.msg);
			return false;
		}
		*m[i].off = at.off;
	}
	return true;
}

bool look_is_full(struct look *l, enum rule_id rule)
{
	if (l->found[rule]++ < LOOK_MAX_KEPT)
		return false;
	l->f->left_out[rule]++;
	return true;
}

void look_cannot(struct look *l, const char *fmt, ...)
{
	_cleanup_(buf_deinit) struct buf text = BUF_INIT;
	va_list ap;

	va_start(ap, fmt);
	buf_vprintf(&text, fmt, ap);
	va_end(ap);
	for (size_t i = 0; i < l->f->nr; i++)
		if (l->f->v[i].rule == RULE_CANNOT_TELL &&
		    !strcmp(l->f->v[i].text, text.data))
			return;
	findings_add(l->f, RULE_CANNOT_TELL, NULL, "%s", text.data);
}

json_t *look_evidence(const struct look *l, uint64_t addr)
{
	const struct code_range *r = codemap_find(&l->code, addr);
	_cleanup_(buf_deinit) struct buf module = BUF_INIT;
	json_t *e = json_object();
	struct sym s;

	evidence_hex(e, "address", addr);
	if (symtab_near(l->g->symbols, addr, &s) && addr - s.addr < s.size)
		json_object_set_new(e, "symbol", json_string(s.name));
	if (r && r->module) {
		buf_add_escaped(&module, r->module, MODLIST_NAME);
		json_object_set_new(e, "module", json_string(module.data));
	}
	return e;
}

void look_evidence_bytes(json_t *evidence, const char *name, const void *data,
			 size_t len)
{
	_cleanup_(buf_deinit) struct buf text = BUF_INIT;
	const uint8_t *p = data;

	for (size_t i = 0; i < len; i++)
		buf_printf(&text, i ? " %02x" : "%02x", p[i]);
	json_object_set_new(evidence, name, json_string(text.data ?: ""));
}
