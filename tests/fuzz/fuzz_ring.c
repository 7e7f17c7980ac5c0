// SPDX-License-Identifier: GPL-2.0-only
/*
 * Ring headers and sub-buffers. They are read in place, so the guest's hand is
 * in the loads themselves: at each of them some words of the ring change. Two
 * looks at seq are the protocol; whatever else were read twice would differ.
 */
#include "shared.h"

#undef shared_load
#define shared_load(p) (change(), __atomic_load_n(p, __ATOMIC_ACQUIRE))
static void change(void);

#include "../../kvm-memfile/ring.c"

#include "guest.h"

#define SHIFT	XFT_MIN_SUB_SHIFT
#define SESSION 1

static struct cursor *input;
static struct xft_ring_hdr *header;
static uint8_t *subs[XFT_MIN_SUBS];

/* Head, a word of a sub-buffer's beginning, or nothing. */
static void change(void)
{
	uint8_t what = cursor_u8(input);

	if (what < 64)
		header->head = cursor_u16(input);
	else if (what < 128)
		((uint64_t *)subs[what % XFT_MIN_SUBS])[what / 4 % 16] =
			cursor_u64(input);
	else if (what < 144)
		header->head = cursor_u64(input);
}

/* The header at gpa 4096, and sub-buffers of one size wherever they are. */
static const void *ptr(uint64_t gpa, size_t len)
{
	if (gpa == XFT_PAGE)
		return header;
	if (len != 1u << SHIFT)
		return NULL;
	return subs[gpa / XFT_PAGE % XFT_MIN_SUBS];
}

static void read_ring(struct ring *r, const struct klog *keys)
{
	_cleanup_free_ void *copy = malloc(1u << SHIFT);
	/* A guest may be read for as long as it writes. */
	unsigned int tries = 64;
	struct ring_span span;
	struct xf_err err;
	int rc;

	while (tries-- && (rc = ring_next(r, &span, &err))) {
		if (rc < 0)
			continue;
		fuzz_must(span.len && span.len % 8 == 0);
		memcpy(copy, span.data, span.len);
		rc = ring_accept(r, &span, copy, keys, SESSION, &err);
		fuzz_must(rc <= (int)span.len / 8);
		fuzz_must(ring_unread(r) <= ring_size(r));
	}
}

/* The header's own words are the input's, and so is one of its pointers. */
static void fill_header(struct cursor *in, struct xft_ring_hdr *hdr)
{
	const void *p = cursor_bytes(in, offsetof(struct xft_ring_hdr, writer));
	uint16_t which = cursor_u16(in);

	if (p)
		memcpy(hdr, p, offsetof(struct xft_ring_hdr, writer));
	for (size_t i = 0; i < XFT_MAX_SUBS; i++)
		hdr->sub_gpa[i] = (i + XFT_MIN_SUBS) * XFT_PAGE;
	if (which < XFT_MAX_SUBS)
		hdr->sub_gpa[which] = cursor_u64(in);
}

void fuzz_one(struct cursor *in)
{
	struct xft_ring_hdr hdr = { 0 };
	struct cursor copied = cursor_of(&hdr, sizeof(hdr));
	_cleanup_(klog_deinit) struct klog keys;
	struct xf_err err;
	struct ring r;

	input = in;
	for (size_t i = 0; i < XFT_MIN_SUBS; i++) {
		const void *p = cursor_bytes(in, 256);

		subs[i] = calloc(1, 1u << SHIFT);
		if (p)
			memcpy(subs[i], p, 256);
	}
	fill_header(in, &hdr);
	header = malloc(sizeof(*header));
	*header = hdr;
	klog_init(&keys);
	klog_add(&keys, &(struct klog_entry){ .epoch = 1, .session = SESSION },
		 NULL);
	guest_ptr = ptr;
	guest_begin(&copied, GUEST_GVA);
	guest_pointer(XFT_PAGE);
	if (!ring_init(&r, &guest_ram, XFT_PAGE, &err))
		read_ring(&r, &keys);
	guest_end();
	klog_deinit(&keys);
	for (size_t i = 0; i < XFT_MIN_SUBS; i++)
		free(subs[i]);
	free(header);
}
