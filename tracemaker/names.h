/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * names -- symbols by address, with a cache in front.
 *
 * Traces repeat few functions millions of times. Answers are the cache's and
 * stay until names_deinit() or until another address takes their place: use
 * an answer before asking again.
 */
#ifndef XF_NAMES_H
#define XF_NAMES_H

#include <stdbool.h>
#include <stdint.h>

#include "buf.h"
#include "symtab.h"

#ifndef NAMES_SLOTS /* fuzz targets have few: making room takes time */
#define NAMES_SLOTS 8192
#endif

struct name {
	uint64_t addr;		/* what was asked */
	uint64_t start, end;	/* of the function; 0, 0 if there is none */
	const char *text;	/* symbol, or "0x..." */
	uint32_t len;		/* of text */
	bool known;
	bool is_return;		/* ftrace's own return_to_handler */
	const char *module;	/* or NULL */
	char number[20];
};

struct names {
	const struct symtab *symbols;	/* borrowed */
	struct name *slots;
};

void names_init(struct names *n, const struct symtab *symbols);
void names_deinit(struct names *n);

/* Fills @s, the place of @addr in the cache. */
void names_look_up(const struct names *n, uint64_t addr, struct name *s);

static inline const struct name *names_at(struct names *n, uint64_t addr)
{
	struct name *s = &n->slots[(addr ^ addr >> 13) % NAMES_SLOTS];

	if (s->addr != addr)
		names_look_up(n, addr, s);
	return s;
}

/* "? 0x12000 behind nf_tables:nft_do_chain" for an address of nothing. */
void names_describe_unknown(struct names *n, uint64_t addr, struct buf *out);

#endif
