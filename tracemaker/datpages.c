// SPDX-License-Identifier: GPL-2.0-only
#include "datpages.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "io.h"

/*
 * A page is the time of its first record, a word with the bytes of data, then
 * the data. A record is a word with its type and the time since the one before,
 * then its bytes, in whole words of 4 bytes.
 */
#define LEN_BITS     5		/* of the type; the rest is time */
#define TIME_BITS    27
#define TIME_MAX     ((1ull << TIME_BITS) - 1)
#define SMALL_MAX    (28 * 4)	/* longer records have their length in a word */
#define TYPE_LONG    0
#define TYPE_EXTEND  30		/* time that has no room in 27 bits: a word */
#define EXTEND_MAX   ((1ull << (TIME_BITS + 32)) - 1)

/* In the word with the bytes of data. */
#define PAGE_MISSED  (1u << 31)	/* records are missing before this page */
#define PAGE_STORED  (1u << 30)	/* how many stands behind the data */

static void fail(struct datpages *d, int rc)
{
	if (!d->failed)
		d->failed = rc;
}

static struct datpages_cpu *cpu_of(struct datpages *d, uint32_t cpu)
{
	struct datpages_cpu *c = d->cpu[cpu];
	struct xf_err why;

	if (c)
		return c;
	c = d->cpu[cpu] = calloc(1, sizeof(*c));
	if (!c)
		abort();
	if (cpu >= d->nr)
		d->nr = cpu + 1;
	c->fd = io_open_unnamed(d->beside, &why);
	if (c->fd < 0)
		fail(d, c->fd);
	return c;
}

static void write_page(struct datpages *d, struct datpages_cpu *c)
{
	uint64_t commit = c->len;
	uint8_t *end = c->page + DATPAGES_HEADER + c->len;

	if (!c->len)
		return;
	if (c->missed) {
		commit |= PAGE_MISSED | PAGE_STORED;
		memcpy(end, &c->missed, sizeof(c->missed));
		end += sizeof(c->missed);
	}
	memcpy(c->page + 8, &commit, sizeof(commit));
	memset(end, 0, c->page + DATPAGES_PAGE - end);
	if (!d->failed)
		fail(d, io_write_all(c->fd, c->page, DATPAGES_PAGE, NULL));
	c->pages++;
	c->len = 0;
	c->missed = 0;
}

static void begin_page(struct datpages *d, struct datpages_cpu *c, uint64_t ns)
{
	write_page(d, c);
	memcpy(c->page, &ns, sizeof(ns));
	c->missed = c->pending;
	c->pending = 0;
}

static void put_word(struct datpages_cpu *c, uint32_t word)
{
	memcpy(c->page + DATPAGES_HEADER + c->len, &word, sizeof(word));
	c->len += sizeof(word);
}

/* Bytes that a record takes in the page. */
static uint32_t room_for(uint32_t len, uint64_t delta)
{
	return 4 + (len > SMALL_MAX ? 4 : 0) + (delta > TIME_MAX ? 8 : 0) + len;
}

void *datpages_put(struct datpages *d, uint32_t cpu, uint64_t ns, size_t len)
{
	struct datpages_cpu *c = cpu_of(d, cpu);
	uint64_t delta;
	uint32_t max;
	void *data;

	len = (len + 3) / 4 * 4;
	if (ns < c->ns)
		ns = c->ns;
	delta = ns - c->ns;
	max = DATPAGES_DATA - (c->missed ? sizeof(c->missed) : 0);
	/* A reader sees losses only before the first record of a page. */
	if (!c->len || c->pending || delta > EXTEND_MAX ||
	    c->len + room_for(len, delta) > max) {
		begin_page(d, c, ns);
		delta = 0;
	}
	c->ns = ns;
	if (delta > TIME_MAX) {
		put_word(c, (delta & TIME_MAX) << LEN_BITS | TYPE_EXTEND);
		put_word(c, delta >> TIME_BITS);
		delta = 0;
	}
	if (len > SMALL_MAX) {
		put_word(c, delta << LEN_BITS | TYPE_LONG);
		put_word(c, len + 4);
	} else {
		put_word(c, delta << LEN_BITS | len / 4);
	}
	data = c->page + DATPAGES_HEADER + c->len;
	c->len += len;
	return memset(data, 0, len);
}

void datpages_lost(struct datpages *d, uint32_t cpu, uint64_t nr)
{
	struct datpages_cpu *c = cpu_of(d, cpu);

	c->pending += nr;
	c->lost += nr;
}

void datpages_flush(struct datpages *d)
{
	for (uint32_t i = 0; i < d->nr; i++)
		if (d->cpu[i])
			write_page(d, d->cpu[i]);
}

void datpages_copy(struct datpages *d, uint32_t cpu, struct sink *sink)
{
	struct datpages_cpu *c = d->cpu[cpu];
	uint64_t at = 0, end = c ? c->pages * DATPAGES_PAGE : 0;

	while (at < end && !d->failed && !sink->failed) {
		size_t want = end - at < 65536 ? end - at : 65536;
		ssize_t n = pread(c->fd, buf_reserve(&sink->buf, want), want,
				  at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			fail(d, n ? -errno : -EIO);
			return;
		}
		sink->buf.len += n;
		at += n;
		sink_flush(sink, false);
	}
}

void datpages_deinit(struct datpages *d)
{
	for (uint32_t i = 0; i < d->nr; i++) {
		if (!d->cpu[i])
			continue;
		if (d->cpu[i]->fd >= 0)
			close(d->cpu[i]->fd);
		free(d->cpu[i]);
	}
	*d = (struct datpages){ 0 };
}
