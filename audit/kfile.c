// SPDX-License-Identifier: GPL-2.0-only
#include "kfile.h"

#include <errno.h>
#include <gelf.h>
#include <inttypes.h>
#include <libelf.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"

/* Link-time addresses are this and where the kernel is loaded. */
#define MAP_BASE 0xffffffff80000000ull
#define MAX_LOADS 64

/*
 * A stretch of the file. By its load address, as relocations count that also
 * for per-CPU data, whose virtual addresses begin at 0.
 */
struct kfile_load {
	uint64_t addr;		/* link-time */
	uint64_t len;
	uint64_t off;		/* in the file */
};

static void elf_endp(Elf **elf)
{
	elf_end(*elf);
}

static uint8_t *at_link(const struct kfile *k, uint64_t addr, size_t len)
{
	for (size_t i = 0; i < k->nr_loads; i++) {
		const struct kfile_load *l = &k->load[i];

		if (addr >= l->addr && addr - l->addr < l->len &&
		    len <= l->len - (addr - l->addr))
			return (uint8_t *)k->elf.data + l->off +
			       (addr - l->addr);
	}
	return NULL;
}

static int read_loads(struct kfile *k, Elf *elf, struct xf_err *err)
{
	GElf_Ehdr eh;
	GElf_Phdr ph;
	size_t nr;

	if (elf_kind(elf) != ELF_K_ELF || !gelf_getehdr(elf, &eh) ||
	    elf_getphdrnum(elf, &nr) || nr > MAX_LOADS)
		return xf_fail(err, -EBADMSG, "no kernel's ELF file");
	k->elf_len = eh.e_shoff + (uint64_t)eh.e_shnum * eh.e_shentsize;
	if (k->elf_len < eh.e_shoff || k->elf_len > k->elf.len)
		return xf_fail(err, -EBADMSG, "the ELF file is cut off");
	k->load = calloc(nr + 1, sizeof(*k->load));
	if (!k->load)
		abort();
	for (size_t i = 0; i < nr; i++) {
		if (!gelf_getphdr(elf, i, &ph) || ph.p_type != PT_LOAD)
			continue;
		if (ph.p_offset > k->elf.len ||
		    ph.p_filesz > k->elf.len - ph.p_offset)
			return xf_fail(err, -EBADMSG,
				       "segment %zu lies outside of the file",
				       i);
		k->load[k->nr_loads++] = (struct kfile_load){
			.addr = MAP_BASE + ph.p_paddr,
			.len = ph.p_filesz,
			.off = ph.p_offset,
		};
	}
	return 0;
}

/* What stands at a relocation, and how the slide is added to it. */
static void slide_32(void *p, uint64_t slide)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	v += slide;
	memcpy(p, &v, sizeof(v));
}

static void slide_32_back(void *p, uint64_t slide)
{
	slide_32(p, -slide);
}

static void slide_64(void *p, uint64_t slide)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
	v += slide;
	memcpy(p, &v, sizeof(v));
}

/*
 * Three lists of addresses, each with a 0 before it, read from the end of the
 * file towards its beginning.
 */
static int relocate(struct kfile *k, struct xf_err *err)
{
	static const struct {
		void (*add)(void *p, uint64_t slide);
		size_t len;
	} lists[] = { { slide_32, 4 }, { slide_32_back, 4 }, { slide_64, 8 } };
	size_t at = k->elf.len;

	for (size_t i = 0; i < ARRAY_SIZE(lists); i++) {
		for (;;) {
			int32_t where;
			uint8_t *p;

			if (at < k->elf_len + sizeof(where))
				return xf_fail(err, -ENODATA,
					       "no relocations are in it, and "
					       "KASLR has moved the kernel: "
					       "give the vmlinuz");
			at -= sizeof(where);
			memcpy(&where, k->elf.data + at, sizeof(where));
			if (!where)
				break;
			p = at_link(k, (int64_t)where, lists[i].len);
			if (!p)
				return xf_fail(err, -EBADMSG,
					       "a relocation at 0x%" PRIx64
					       " is outside of the kernel",
					       (uint64_t)(int64_t)where);
			lists[i].add(p, k->slide);
		}
	}
	return 0;
}

int kfile_open(struct kfile *k, struct buf *vmlinux, uint64_t slide,
	       struct xf_err *err)
{
	_cleanup_(kfile_close) struct kfile new = {
		.slide = slide,
		.elf = *vmlinux,
	};
	_cleanup_(elf_endp) Elf *elf = NULL;
	int rc;

	*vmlinux = (struct buf)BUF_INIT;
	elf_version(EV_CURRENT);
	elf = elf_memory(new.elf.data, new.elf.len);
	rc = read_loads(&new, elf, err);
	if (!rc && slide)
		rc = relocate(&new, err);
	if (rc)
		return rc;
	*k = new;
	new = (struct kfile)KFILE_INIT;
	return 0;
}

void kfile_close(struct kfile *k)
{
	buf_deinit(&k->elf);
	free(k->load);
	*k = (struct kfile)KFILE_INIT;
}

const uint8_t *kfile_at(const struct kfile *k, uint64_t addr, size_t len)
{
	return at_link(k, addr - k->slide, len);
}

bool kfile_section(const struct kfile *k, const char *name,
		   struct kfile_range *ret)
{
	_cleanup_(elf_endp) Elf *elf = elf_memory(k->elf.data, k->elf.len);
	Elf_Scn *section = NULL;
	size_t names;

	if (elf_getshdrstrndx(elf, &names))
		return false;
	while ((section = elf_nextscn(elf, section))) {
		const char *s;
		GElf_Shdr sh;

		if (!gelf_getshdr(section, &sh))
			continue;
		s = elf_strptr(elf, names, sh.sh_name);
		if (!s || strcmp(s, name) || !at_link(k, sh.sh_addr, sh.sh_size))
			continue;
		*ret = (struct kfile_range){ sh.sh_addr + k->slide, sh.sh_size };
		return true;
	}
	return false;
}
