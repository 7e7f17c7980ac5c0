// SPDX-License-Identifier: GPL-2.0-only
#include "hostpages.h"

#include <stdlib.h>
#include <string.h>

/* The lower 5 bits of an event's first word; up to 28: words of its data. */
enum {
	LONG = 0,	/* its length is in the next word */
	PADDING = 29,
	EXTEND = 30,	/* more bits of the time since the last event */
	STAMP = 31,	/* the time itself */
};

#define DELTA_SHIFT 5
#define DELTA_BITS  27
#define STAMP_BITS  59	/* the rest is as in the page's own stamp */

/* Every record of ftrace has this. */
struct common {
	uint16_t type;
	uint8_t flags;
	uint8_t preempt_count;
	uint32_t pid;
};

void hostclock_init(struct hostclock *c, const json_t *host)
{
	const json_t *list = json_object_get(host, "vcpus"), *v;
	size_t i;

	*c = (struct hostclock){ 0 };
	c->vcpus = calloc(json_array_size(list) + 1, sizeof(*c->vcpus));
	if (!c->vcpus)
		abort();
	json_array_foreach(list, i, v)
		c->vcpus[c->nr++] = (struct host_vcpu){
			.tid = trace_u64(v, "tid"),
			.vcpu = trace_u64(v, "vcpu"),
			.ratio = trace_u64(v, "ratio"),
			/* Negative ones are as good as large ones. */
			.offset = trace_u64(v, "offset"),
			.shift = trace_u64(v, "shift") & 63,
		};
}

void hostclock_deinit(struct hostclock *c)
{
	free(c->vcpus);
	*c = (struct hostclock){ 0 };
}

void hostpages_init(struct hostpages *h, const struct trace_host_cpu *cpu,
		    const struct hostclock *clock)
{
	*h = (struct hostpages){ .cpu = cpu, .clock = clock };
}

static bool next_page(struct hostpages *h)
{
	const struct trace_host_page *p;
	struct cursor c;
	uint64_t word, len, nr;

	if (h->next == h->cpu->nr)
		return false;
	p = h->cpu->pages[h->next++];
	c = cursor_of(p + 1, p->len);
	h->time = h->page_time = cursor_u64(&c);
	word = cursor_u64(&c);
	len = word & TRACE_HOST_PAGE_LEN;
	if (len > cursor_left(&c)) {
		len = cursor_left(&c);
		h->bad++;
	}
	h->events = cursor_of(cursor_bytes(&c, len), len);
	if (word & TRACE_HOST_PAGE_LOST) {
		nr = HOST_LOST_SOME;
		if (word & TRACE_HOST_PAGE_COUNTED) {
			nr = cursor_u64(&c);
			if (c.failed)
				nr = HOST_LOST_SOME;
		}
		h->lost = hostpages_add_lost(h->lost, nr);
	}
	return true;
}

/* A stamp has fewer bits than the clock: it cannot lie before its page's. */
static uint64_t whole_stamp(uint64_t stamp, uint64_t page_time)
{
	const uint64_t one = 1ULL << STAMP_BITS;

	stamp = (stamp & (one - 1)) | (page_time & ~(one - 1));
	return stamp < page_time ? stamp + one : stamp;
}

/*
 * Take the next thing off the page. True: it is an event, *@ret_len bytes at
 * *@ret_data.
 */
static bool take(struct hostpages *h, const void **ret_data, uint32_t *ret_len)
{
	struct cursor *c = &h->events;
	uint32_t first = cursor_u32(c), kind = first & 31, len;
	uint64_t delta = first >> DELTA_SHIFT;

	switch (kind) {
	case PADDING:
		/*
		 * Without a time it fills the page; else an event was undone.
		 */
		if (!delta) {
			c->p = c->end;
			return false;
		}
		cursor_bytes(c, cursor_u32(c) - 4); /* it counts itself */
		/* 1 is what the kernel puts where there was 0. */
		h->time += delta > 1 ? delta : 0;
		return false;
	case EXTEND:
		h->time += delta + ((uint64_t)cursor_u32(c) << DELTA_BITS);
		return false;
	case STAMP:
		delta += (uint64_t)cursor_u32(c) << DELTA_BITS;
		h->time = whole_stamp(delta, h->page_time);
		return false;
	case LONG:
		/* Less than 4 is as bad as more than there is. */
		len = cursor_u32(c) - 4;
		break;
	default:
		len = kind * 4;
	}
	*ret_data = cursor_bytes(c, len);
	*ret_len = len;
	h->time += delta;
	return !c->failed;
}

/* Other threads', such as one end of a sched_switch, go by any vCPU's clock. */
static const struct host_vcpu *find_vcpu(const struct hostclock *c,
					 uint32_t tid)
{
	static const struct host_vcpu unknown = { .vcpu = -1, .ratio = 1 };

	for (size_t i = 0; i < c->nr; i++)
		if (c->vcpus[i].tid == tid)
			return &c->vcpus[i];
	return c->nr ? &c->vcpus[0] : &unknown;
}

bool hostpages_next(struct hostpages *h, struct host_event *ret)
{
	const struct host_vcpu *v;
	struct common common;
	const void *data;
	uint32_t len;

	do {
		while (!cursor_left(&h->events))
			if (!next_page(h))
				return false;
		data = NULL;
		if (!take(h, &data, &len) && h->events.failed) {
			h->bad++;
			h->events.p = h->events.end;
		}
	} while (!data || len < sizeof(common));

	memcpy(&common, data, sizeof(common));
	v = find_vcpu(h->clock, common.pid);
	*ret = (struct host_event){
		.tsc = (uint64_t)((unsigned __int128)h->time * v->ratio >>
				  v->shift) + v->offset,
		.lost = h->lost,
		.data = data,
		.len = len,
		.cpu = h->cpu->cpu,
		.tid = common.pid,
		.vcpu = v->tid == common.pid ? v->vcpu : -1,
	};
	h->lost = 0;
	return true;
}
