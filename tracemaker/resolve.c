// SPDX-License-Identifier: GPL-2.0-only
#include "resolve.h"

#include <errno.h>
#include <fnmatch.h>
#include <stdlib.h>

#include "near.h"

/*
 * What the kernel puts before the name of a system call's entry. Each ends in
 * "sys_", so that the name as typed is the tail of the symbol.
 */
static const char *const entry_prefixes[] = {
	"__x64_sys_",
	"__ia32_sys_",
	"__ia32_compat_sys_",
	"__x64_compat_sys_",
};

/* The inner functions, for kernels or builds in which no entry is a symbol. */
static const char *const inner_prefixes[] = {"__do_sys_", "__se_sys_"};

/* One thing that was typed, taken apart. */
struct query {
	char *name;   /* owned */
	char *module; /* owned; NULL: any, "": the kernel itself */
};

static void query_deinit(struct query *q)
{
	free(q->name);
	free(q->module);
}

void functions_deinit(struct functions *f)
{
	free(f->syms);
	*f = (struct functions){0};
}

static bool begins(const char *s, const char *prefix)
{
	return !strncmp(s, prefix, strlen(prefix));
}

static char *copy(const char *s, size_t len)
{
	struct buf b = BUF_INIT;

	buf_add(&b, s, len);
	return buf_take(&b);
}

static void query_init(struct query *q, const char *typed)
{
	const char *name = typed + strspn(typed, " \t"), *module = NULL;
	size_t len = strlen(name), module_len = 0;
	const char *colon = strchr(name, ':'), *bracket = strrchr(name, '[');

	while (len && (name[len - 1] == ' ' || name[len - 1] == '\t'))
		len--;
	if (bracket > name && name[len - 1] == ']' &&
	    (bracket[-1] == ' ' || bracket[-1] == '\t')) {
		module = bracket + 1;
		module_len = name + len - 1 - module;
		for (len = bracket - name; len && name[len - 1] <= ' '; len--)
			;
	} else if (colon) {
		module = name;
		module_len = colon - name;
		len -= module_len + 1;
		name = colon + 1;
	}
	*q = (struct query){.name = copy(name, len)};
	if (module)
		q->module = copy(module, module_len);
	if (q->module && !strcmp(q->module, "vmlinux"))
		q->module[0] = '\0';
	/* The older spelling of the same thing. */
	if (begins(q->name, "SyS_"))
		memcpy(q->name, "sys_", 4);
}

static bool is_wanted(const struct query *q, const struct sym *s)
{
	return symtab_is_function(s) &&
	       (!q->module || !strcmp(q->module, s->module ? s->module : ""));
}

/* sys_open for each of its entries, any other name as it is. */
static const char *as_typed(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(entry_prefixes); i++)
		if (begins(name, entry_prefixes[i]))
			return name + strlen(entry_prefixes[i]) - 4;
	return name;
}

const char *resolve_syscall(const char *function, bool *ret_ia32)
{
	static const char *const prefixes[] = { "__x64_", "__ia32_" };

	for (int i = 0; i < 2; i++) {
		const char *tail = function + strlen(prefixes[i]);

		if (begins(function, prefixes[i]) && begins(tail, "sys_")) {
			*ret_ia32 = i == 1;
			return tail;
		}
	}
	/* Calls without arguments have but one function for all entries. */
	*ret_ia32 = false;
	return begins(function, "__do_sys_") ? function + strlen("__do_") :
					       NULL;
}

static void push(struct functions *f, const struct symtab *st,
		 const struct sym *s)
{
	if (f->nr == f->cap) {
		f->cap = f->cap ? f->cap * 2 : 16;
		f->syms = reallocarray(f->syms, f->cap, sizeof(*f->syms));
		if (!f->syms)
			abort();
	}
	/* By the name that the call graph will show. */
	if (!symtab_at(st, s->addr, &f->syms[f->nr]))
		f->syms[f->nr] = *s;
	f->nr++;
}

static void push_name(struct functions *f, const struct symtab *st,
		      const struct query *q, const char *prefix,
		      const char *name)
{
	_cleanup_(buf_deinit) struct buf whole = BUF_INIT;
	uint32_t pos = 0;
	struct sym s;

	buf_printf(&whole, "%s%s", prefix, name);
	while (symtab_find(st, whole.data, &pos, &s))
		if (is_wanted(q, &s))
			push(f, st, &s);
}

static void push_syscall(struct functions *f, const struct symtab *st,
			 const struct query *q, const char *const *prefixes,
			 size_t nr)
{
	for (size_t i = 0; i < nr; i++)
		push_name(f, st, q, prefixes[i], q->name + 4);
}

/* What the compiler made of a function: name.isra.0, name.constprop.0, ... */
static void push_variants(struct functions *f, const struct symtab *st,
			  const struct query *q)
{
	size_t len = strlen(q->name);
	uint32_t pos = 0;
	struct sym s;

	while (symtab_each(st, &pos, &s))
		if (!strncmp(s.name, q->name, len) && s.name[len] == '.' &&
		    is_wanted(q, &s))
			push(f, st, &s);
}

static void push_matches(struct functions *f, const struct symtab *st,
			 const struct query *q)
{
	bool syscalls = begins(q->name, "sys_");
	uint32_t pos = 0;
	struct sym s;

	while (symtab_each(st, &pos, &s)) {
		if (!is_wanted(q, &s))
			continue;
		if (!fnmatch(q->name, s.name, 0) ||
		    (syscalls && !fnmatch(q->name, as_typed(s.name), 0)))
			push(f, st, &s);
	}
}

static void push_address(struct functions *f, const struct symtab *st,
			 const struct query *q)
{
	uint64_t addr;
	struct sym s;
	char *end;

	errno = 0;
	addr = strtoull(q->name, &end, 16);
	if (!errno && !*end && symtab_at(st, addr, &s) && is_wanted(q, &s))
		push(f, st, &s);
}

/* Fill @f, which is empty; the first way that leads to something counts. */
static void search(struct functions *f, const struct symtab *st,
		   const struct query *q)
{
	if (begins(q->name, "0x")) {
		push_address(f, st, q);
		return;
	}
	if (strpbrk(q->name, "*?[")) {
		push_matches(f, st, q);
		return;
	}
	push_name(f, st, q, "", q->name);
	if (!f->nr && begins(q->name, "sys_"))
		push_syscall(f, st, q, entry_prefixes,
			     ARRAY_SIZE(entry_prefixes));
	if (!f->nr && begins(q->name, "sys_"))
		push_syscall(f, st, q, inner_prefixes,
			     ARRAY_SIZE(inner_prefixes));
	if (!f->nr)
		push_variants(f, st, q);
}

static int by_address(const void *pa, const void *pb)
{
	const struct sym *a = pa, *b = pb;

	return (a->addr > b->addr) - (a->addr < b->addr);
}

static void sort(struct functions *f)
{
	size_t kept = 0;

	if (f->nr)
		qsort(f->syms, f->nr, sizeof(*f->syms), by_address);
	for (size_t i = 0; i < f->nr; i++)
		if (!kept || f->syms[kept - 1].addr != f->syms[i].addr)
			f->syms[kept++] = f->syms[i];
	f->nr = kept;
}

static size_t suggest(const struct symtab *st, const struct query *q,
		      size_t max, struct buf *out)
{
	struct near near = {
		.typed = q->name,
		.len = strcspn(q->name, "*?["),
		.max = max,
	};
	uint32_t pos = 0;
	struct sym s;

	near.begin = q->name[near.len];
	/* Of fewer letters there is nothing to say. */
	if (near.begin && near.len < 3)
		return 0;
	while (max && symtab_each(st, &pos, &s))
		if (is_wanted(q, &s))
			near_offer(&near, as_typed(s.name));
	return near_print(&near, out);
}

size_t resolve_suggest(const struct symtab *st, const char *typed, size_t max,
		       struct buf *out)
{
	_cleanup_(query_deinit) struct query q;

	query_init(&q, typed);
	return suggest(st, &q, max, out);
}

/* The sentence for a name that means nothing. */
static int not_found(const struct symtab *st, const struct query *q,
		     const char *typed, struct xf_err *err)
{
	_cleanup_(buf_deinit) struct buf safe = BUF_INIT, near = BUF_INIT;
	uint32_t pos = 0;
	struct sym s;

	buf_add_escaped(&safe, typed, strlen(typed));
	if (q->module && q->module[0] && !symtab_has_module(st, q->module))
		return xf_fail(err, -ENOENT,
			       "no function '%s': symbols of such a module are "
			       "not known",
			       safe.data);
	if (begins(q->name, "0x"))
		return xf_fail(err, -ENOENT, "no function contains %s",
			       safe.data);
	if (symtab_find(st, q->name, &pos, &s))
		return xf_fail(err, -ENOENT,
			       "'%s' is no function in this kernel, but a "
			       "symbol of type %c",
			       safe.data, s.type);
	suggest(st, q, 5, &near);
	return xf_fail(err, -ENOENT, "no function %s'%s' in this kernel%s%s",
		       strpbrk(q->name, "*?[") ? "matches " : "", safe.data,
		       near.len ? "; near: " : "",
		       near.len ? near.data : "");
}

int functions_resolve(struct functions *f, const struct symtab *st,
		      const char *typed, struct xf_err *err)
{
	_cleanup_(functions_deinit) struct functions found = {0};
	_cleanup_(query_deinit) struct query q;

	query_init(&q, typed);
	if (!q.name[0])
		return xf_fail(err, -EINVAL, "the name of a function is empty");
	search(&found, st, &q);
	if (!found.nr)
		return not_found(st, &q, typed, err);
	sort(&found);
	for (size_t i = 0; i < found.nr; i++)
		push(f, st, &found.syms[i]);
	sort(f);
	return found.nr;
}

const struct sym *functions_at(const struct functions *f, uint64_t addr)
{
	struct sym key = {.addr = addr};

	if (!f->nr)
		return NULL;
	return bsearch(&key, f->syms, f->nr, sizeof(key), by_address);
}
