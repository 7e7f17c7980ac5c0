// SPDX-License-Identifier: GPL-2.0-only
#include "dirty_scan.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const char *const names[] = {
	[XFTD_TCG] = "TCG plugin",
	[XFTD_KVM_RING] = "KVM dirty ring",
	[XFTD_KVM_BITMAP] = "KVM dirty bitmap",
	[XFTD_SCAN] = "host page tables",
};

const char *dirty_kind_name(uint32_t kind)
{
	return kind && kind <= XFTD_SCAN ? names[kind] : "unknown source";
}

int dirty_open(struct dirty *d, pid_t pid, struct xf_err *err)
{
	int rc = dirty_open_shared(d, pid, err);

	/* No code of ours in QEMU: what the host knows. */
	if (rc == -ENOENT)
		rc = dirty_open_scan(d, pid, err);
	if (!rc)
		d->name = dirty_kind_name(d->kind);
	return rc;
}

void dirty_close(struct dirty *d)
{
	if (d->ops)
		d->ops->close(d);
	free(d->slot);
	*d = (struct dirty)DIRTY_INIT;
}

int dirty_set_slots(struct dirty *d, const struct memslots *ms,
		    struct xf_err *err)
{
	struct memslot *slot = calloc(ms->nr + 1, sizeof(*slot));

	if (!slot)
		return xf_fail(err, -ENOMEM, "out of memory");
	memcpy(slot, ms->slot, ms->nr * sizeof(*slot));
	free(d->slot);
	d->slot = slot;
	d->nr_slots = ms->nr;
	return 0;
}

static uint64_t hva_of(const struct dirty *d, uint64_t gpa)
{
	for (size_t i = 0; i < d->nr_slots; i++) {
		const struct memslot *s = &d->slot[i];

		if (s->hva && gpa >= s->gpa && gpa - s->gpa < s->len)
			return s->hva + (gpa - s->gpa);
	}
	return 0;
}

int dirty_request(struct dirty *d, enum xftd_mode mode, uint32_t interval_ms,
		  struct xf_err *err)
{
	uint64_t head_hva[XFTD_MAX_VCPUS] = { 0 };

	if (!(d->modes >> mode & 1))
		return xf_fail(err, -EOPNOTSUPP, "%s: cannot tell that",
			       d->name);
	for (uint32_t i = 0; i < d->nr_vcpus; i++) {
		if (!d->head_gpa[i])
			continue;
		head_hva[i] = hva_of(d, d->head_gpa[i]);
		if (!head_hva[i])
			return xf_fail(err, -EFAULT,
				       "QEMU does not say where it has the "
				       "ring of CPU %u", i);
	}
	return d->ops->request(d, mode, interval_ms, head_hva, err);
}

/* Where @m begins, as records with these @flags count. */
static uint64_t base_of(const struct memslot *m, uint8_t flags)
{
	if (flags & XFTD_HVA)
		return m->hva ? m->hva : MEMSLOT_NO_RAM_ADDR;
	return m->ram_addr;
}

/* From QEMU's order of RAM blocks, or its memory, to the guest's addresses. */
static void translate(const struct dirty *d, struct xftd_record *r)
{
	if (!(r->flags & XFTD_NO_GPA))
		return;
	for (size_t i = 0; i < d->nr_slots; i++) {
		const struct memslot *s = &d->slot[i];
		uint64_t base = base_of(s, r->flags);

		if (base == MEMSLOT_NO_RAM_ADDR || r->addr < base ||
		    r->addr - base >= s->len)
			continue;
		r->addr = s->gpa + (r->addr - base);
		r->flags &= ~XFTD_NO_GPA;
		return;
	}
}

size_t dirty_place(const struct dirty *d, struct xftd_record *rec, size_t nr)
{
	size_t left = 0;

	for (size_t i = 0; i < nr; i++) {
		translate(d, &rec[i]);
		left += !!(rec[i].flags & XFTD_NO_GPA);
	}
	return left;
}

size_t dirty_read(struct dirty *d, uint32_t vcpu, struct xftd_record *dst,
		  size_t cap)
{
	size_t nr = d->ops->read(d, vcpu, dst, cap);

	dirty_place(d, dst, nr);
	return nr;
}

uint64_t dirty_lost(const struct dirty *d)
{
	uint64_t lost = 0;

	for (uint32_t i = 0; i < d->nr_vcpus; i++)
		lost += d->ops->lost(d, i);
	return lost;
}

bool dirty_is_gone(struct dirty *d)
{
	return d->ops->is_gone(d);
}
