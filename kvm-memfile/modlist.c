// SPDX-License-Identifier: GPL-2.0-only
#include "modlist.h"

#include <elf.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "cleanup.h"
#include "clock.h"

/* Between two looks at the clock: some ten microseconds of copying. */
#define CHUNK (64u << 10)

/* The guest's struct list_head. */
struct node {
	uint64_t next, prev;
};

static bool is_kernel(uint64_t addr)
{
	return addr >> 63;
}

/* All reading of the guest goes through here and is paid for. */
static int read_guest(struct modlist *ml, uint64_t addr, void *dst, size_t len,
		      struct xf_err *err)
{
	uint64_t start = thread_cpu_ns();
	uint8_t *p = dst;

	if (!is_kernel(addr))
		return xf_fail(err, -EBADMSG,
			       "modules: 0x%" PRIx64 " is no kernel address",
			       addr);
	if (len > MODLIST_MAX_BYTES - ml->bytes)
		return xf_fail(err, -E2BIG,
			       "modules: more than %u MiB of tables",
			       MODLIST_MAX_BYTES >> 20);
	ml->bytes += len;
	while (len) {
		size_t n = len < CHUNK ? len : CHUNK;
		int rc = gva_read(&ml->space, addr, p, n, err);
		uint64_t now = thread_cpu_ns();

		ml->cpu_ns += now - start;
		start = now;
		if (rc)
			return xf_prefix(err, rc, "modules");
		if (ml->cpu_ns > MODLIST_MAX_CPU_MS * 1000000ull)
			return xf_fail(err, -ETIME,
				       "modules: took more than %u ms to read",
				       MODLIST_MAX_CPU_MS);
		addr += n;
		p += n;
		len -= n;
	}
	return 0;
}

static int check_layout(const struct modlist_layout *l, struct xf_err *err)
{
	const uint32_t offsets[] = {
		l->list,     l->name,	l->text_base,  l->text_size,
		l->kallsyms, l->symtab, l->num_symtab, l->strtab,
		l->typetab,
	};

	for (size_t i = 0; i < ARRAY_SIZE(offsets); i++)
		if (offsets[i] > UINT16_MAX)
			return xf_fail(err, -EINVAL,
				       "modules: an offset of %u in a struct",
				       offsets[i]);
	if (!l->name_len || l->name_len > MODLIST_NAME)
		return xf_fail(err, -EINVAL, "modules: names of %u bytes",
			       l->name_len);
	return 0;
}

static int read_module(struct modlist *ml, uint64_t addr,
		       struct modlist_module *m, struct xf_err *err)
{
	const struct modlist_layout *l = &ml->layout;
	int rc = read_guest(ml, addr + l->name, m->name, l->name_len, err);

	m->addr = addr;
	if (!rc)
		rc = read_guest(ml, addr + l->text_base, &m->text_base,
				sizeof(m->text_base), err);
	if (!rc)
		rc = read_guest(ml, addr + l->text_size, &m->text_size,
				sizeof(m->text_size), err);
	if (!rc)
		rc = read_guest(ml, addr + l->kallsyms, &m->kallsyms,
				sizeof(m->kallsyms), err);
	if (rc)
		return rc;
	if (!m->name[0] || !memchr(m->name, 0, l->name_len) ||
	    !(is_kernel(m->text_base) || (!m->text_base && !m->text_size)) ||
	    m->text_base + m->text_size < m->text_base)
		return xf_fail(err, -EBADMSG,
			       "modules: 0x%" PRIx64 " is no module", addr);
	return 0;
}

static int walk_list(struct modlist *ml, uint64_t head, struct xf_err *err)
{
	uint64_t at = head, prev = head;
	struct node n;
	int rc = read_guest(ml, head, &n, sizeof(n), err);

	while (!rc && n.next != head) {
		prev = at;
		at = n.next;
		rc = read_guest(ml, at, &n, sizeof(n), err);
		if (rc)
			return rc;
		/* Holds a loop up at once: no node has two before it. */
		if (n.prev != prev)
			return xf_fail(err, -EBADMSG,
				       "modules: list broken at 0x%" PRIx64,
				       at);
		if (ml->nr == MODLIST_MAX_MODULES)
			return xf_fail(err, -E2BIG,
				       "modules: more than %u in the list",
				       MODLIST_MAX_MODULES);
		rc = read_module(ml, at - ml->layout.list, &ml->mod[ml->nr],
				 err);
		if (!rc)
			ml->nr++;
	}
	return rc;
}

int modlist_read(struct modlist *ml, const struct gva *space, uint64_t head,
		 const struct modlist_layout *layout, struct xf_err *err)
{
	int rc = check_layout(layout, err);

	*ml = (struct modlist){ .space = *space, .layout = *layout };
	if (rc)
		return rc;
	ml->mod = calloc(MODLIST_MAX_MODULES, sizeof(*ml->mod));
	if (!ml->mod)
		return xf_fail(err, -ENOMEM, "out of memory");
	rc = walk_list(ml, head, err);
	if (rc)
		modlist_deinit(ml);
	return rc;
}

void modlist_deinit(struct modlist *ml)
{
	free(ml->mod);
	*ml = (struct modlist)MODLIST_INIT;
}

/* A module's struct mod_kallsyms and private copies of what it points to. */
struct tables {
	uint64_t symtab_addr, strtab_addr, typetab_addr;
	uint32_t nr;
	struct buf symtab, typetab, strtab;
};

static void tables_deinit(struct tables *t)
{
	buf_deinit(&t->symtab);
	buf_deinit(&t->typetab);
	buf_deinit(&t->strtab);
}

/* With room for @more bytes behind it. */
static int read_buf(struct modlist *ml, uint64_t addr, size_t len, size_t more,
		    struct buf *b, struct xf_err *err)
{
	int rc;

	/* Before memory is taken for it. */
	if (len > MODLIST_MAX_BYTES)
		return xf_fail(err, -E2BIG, "modules: a table of %zu bytes",
			       len);
	rc = read_guest(ml, addr, buf_reserve(b, len + more), len, err);
	if (!rc)
		b->len = len;
	return rc;
}

/*
 * Nothing says how long the strings are. Read up to where the last one begins,
 * then that one to its end.
 */
static int read_strings(struct modlist *ml, struct tables *t,
			struct xf_err *err)
{
	const Elf64_Sym *sym = (const Elf64_Sym *)t->symtab.data;
	uint32_t last = 0;
	ssize_t n;
	int rc;

	for (uint32_t i = 0; i < t->nr; i++)
		if (sym[i].st_name > last)
			last = sym[i].st_name;
	rc = read_buf(ml, t->strtab_addr, last, MODLIST_SYMBOL, &t->strtab,
		      err);
	if (rc)
		return rc;
	n = gva_read_str(&ml->space, t->strtab_addr + last,
			 buf_reserve(&t->strtab, MODLIST_SYMBOL),
			 MODLIST_SYMBOL, err);
	if (n < 0)
		return xf_prefix(err, n, "modules: a symbol's name");
	t->strtab.len += n + 1;
	return 0;
}

static int read_tables(struct modlist *ml, uint64_t kallsyms, struct tables *t,
		       struct xf_err *err)
{
	const struct modlist_layout *l = &ml->layout;
	int rc = read_guest(ml, kallsyms + l->symtab, &t->symtab_addr,
			    sizeof(t->symtab_addr), err);

	if (!rc)
		rc = read_guest(ml, kallsyms + l->num_symtab, &t->nr,
				sizeof(t->nr), err);
	if (!rc)
		rc = read_guest(ml, kallsyms + l->strtab, &t->strtab_addr,
				sizeof(t->strtab_addr), err);
	if (!rc)
		rc = read_guest(ml, kallsyms + l->typetab, &t->typetab_addr,
				sizeof(t->typetab_addr), err);
	if (rc || !t->nr)
		return rc;
	if (t->nr > MODLIST_MAX_SYMBOLS - ml->symbols)
		return xf_fail(err, -E2BIG, "modules: more than %u symbols",
			       MODLIST_MAX_SYMBOLS);
	ml->symbols += t->nr;
	rc = read_buf(ml, t->symtab_addr, t->nr * sizeof(Elf64_Sym), 0,
		      &t->symtab, err);
	if (!rc)
		rc = read_buf(ml, t->typetab_addr, t->nr, 0, &t->typetab, err);
	if (!rc)
		rc = read_strings(ml, t, err);
	return rc;
}

int modlist_symbols(struct modlist *ml, size_t nr, modlist_symbol_fn fn,
		    void *arg, struct xf_err *err)
{
	_cleanup_(tables_deinit) struct tables t = { 0 };
	const Elf64_Sym *sym;
	int rc = 0;

	if (!ml->mod[nr].kallsyms)
		return 0;
	rc = read_tables(ml, ml->mod[nr].kallsyms, &t, err);
	if (rc)
		return rc;
	sym = (const Elf64_Sym *)t.symtab.data;
	for (uint32_t i = 0; i < t.nr && !rc; i++) {
		struct modlist_symbol s = {
			.addr = sym[i].st_value,
			.size = sym[i].st_size,
			.type = t.typetab.data[i],
			.name = t.strtab.data + sym[i].st_name,
		};

		/* The first symbol of every ELF table has no name. */
		if (*s.name && memchr(s.name, 0, MODLIST_SYMBOL))
			rc = fn(arg, &s);
	}
	return rc;
}
