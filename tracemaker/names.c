// SPDX-License-Identifier: GPL-2.0-only
#include "names.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void names_init(struct names *n, const struct symtab *symbols)
{
	n->symbols = symbols;
	n->slots = calloc(NAMES_SLOTS, sizeof(*n->slots));
	if (!n->slots)
		abort();
}

void names_deinit(struct names *n)
{
	free(n->slots);
	*n = (struct names){ 0 };
}

void names_look_up(const struct names *n, uint64_t addr, struct name *s)
{
	struct sym sym;

	*s = (struct name){ .addr = addr };
	if (symtab_at(n->symbols, addr, &sym)) {
		s->known = true;
		s->start = sym.addr;
		s->end = sym.addr + sym.size;
		s->text = sym.name;
		s->module = sym.module;
		s->is_return = !sym.module &&
			       !strcmp(sym.name, "return_to_handler");
	} else {
		snprintf(s->number, sizeof(s->number), "0x%" PRIx64, addr);
		s->text = s->number;
	}
	s->len = strlen(s->text);
}

void names_describe_unknown(struct names *n, uint64_t addr, struct buf *out)
{
	struct sym sym;

	if (!symtab_near(n->symbols, addr, &sym)) {
		buf_puts(out, "? no symbol");
		return;
	}
	buf_printf(out, "? no symbol; 0x%" PRIx64 " above %s%s%s",
		   addr - sym.addr, sym.module ? sym.module : "",
		   sym.module ? ":" : "", sym.name);
}
