/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * cost -- what something costs: processor time of this thread, and memory.
 *
 *	cost_begin();
 *	...
 *	cost_ms(), cost_most		so far, and bytes at a time
 *
 * The test has malloc() and its like wrapped (WRAP_... in the Makefile), so
 * what libraries allocate does not count, but for jansson's after cost_init().
 */
#ifndef COST_H
#define COST_H

#include <malloc.h>
#include <stdint.h>
#include <stdlib.h>

#include <jansson.h>

#include "clock.h"

static int64_t cost_heap, cost_most; /* bytes */
static double cost_since;

static void *cost_note(void *p)
{
	cost_heap += p ? malloc_usable_size(p) : 0;
	cost_most = cost_heap > cost_most ? cost_heap : cost_most;
	return p;
}

void *__real_malloc(size_t len);
void *__real_calloc(size_t nr, size_t len);
void *__real_realloc(void *p, size_t len);
void *__real_reallocarray(void *p, size_t nr, size_t len);
void __real_free(void *p);
void *__wrap_malloc(size_t len);
void *__wrap_calloc(size_t nr, size_t len);
void *__wrap_realloc(void *p, size_t len);
void *__wrap_reallocarray(void *p, size_t nr, size_t len);
void __wrap_free(void *p);

void *__wrap_malloc(size_t len)
{
	return cost_note(__real_malloc(len));
}

void *__wrap_calloc(size_t nr, size_t len)
{
	return cost_note(__real_calloc(nr, len));
}

void *__wrap_realloc(void *p, size_t len)
{
	cost_heap -= p ? malloc_usable_size(p) : 0;
	return cost_note(__real_realloc(p, len));
}

void *__wrap_reallocarray(void *p, size_t nr, size_t len)
{
	cost_heap -= p ? malloc_usable_size(p) : 0;
	return cost_note(__real_reallocarray(p, nr, len));
}

void __wrap_free(void *p)
{
	cost_heap -= p ? malloc_usable_size(p) : 0;
	__real_free(p);
}

static inline int cost_init(void **state)
{
	json_set_alloc_funcs(malloc, free);
	return 0;
}

static inline double cost_cpu_ms(void)
{
	return thread_cpu_ns() / 1e6;
}

static inline void cost_begin(void)
{
	cost_heap = cost_most = 0;
	cost_since = cost_cpu_ms();
}

static inline double cost_ms(void)
{
	return cost_cpu_ms() - cost_since;
}

#endif
