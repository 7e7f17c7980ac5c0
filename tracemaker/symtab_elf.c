// SPDX-License-Identifier: GPL-2.0-only
#include <ctype.h>
#include <errno.h>
#include <gelf.h>
#include <libelf.h>

#include "symtab.h"
#include "symtab_kallsyms.h"

static void elf_endp(Elf **elf)
{
	elf_end(*elf);
}

/* nm's letter, by the rules that matter for a kernel. */
static char letter(const GElf_Sym *sym, const GElf_Shdr *sh)
{
	unsigned char bind = GELF_ST_BIND(sym->st_info);
	char c;

	if (bind == STB_WEAK)
		return GELF_ST_TYPE(sym->st_info) == STT_OBJECT ? 'V' : 'W';
	if (!sh)
		c = 'a';
	else if (sh->sh_flags & SHF_EXECINSTR)
		c = 't';
	else if (sh->sh_type == SHT_NOBITS)
		c = 'b';
	else
		c = sh->sh_flags & SHF_WRITE ? 'd' : 'r';
	return bind == STB_LOCAL ? c : toupper(c);
}

/* What the kernel keeps out of its own tables, too. */
static bool is_noise(char type, const char *name)
{
	return type == 'a' || !strncmp(name, ".L", 2) ||
	       !strncmp(name, "__crc_", 6) || !strncmp(name, "__kstrtab", 9);
}

static int load_symbols(struct symtab *st, Elf *elf, Elf_Scn *symtab,
			const GElf_Shdr *table, struct xf_err *err)
{
	Elf_Data *data = elf_getdata(symtab, NULL);
	bool kernel = false;
	size_t nr;

	if (!data || !table->sh_entsize)
		return xf_fail(err, -EBADMSG, "its .symtab cannot be read");
	nr = data->d_size / table->sh_entsize;
	for (size_t i = 1; i < nr; i++) {
		GElf_Shdr shdr, *sh = NULL;
		unsigned char type;
		const char *name;
		GElf_Sym sym;
		char c;

		if (!gelf_getsym(data, i, &sym))
			return xf_fail(err, -EBADMSG,
				       "its .symtab is cut off at symbol %zu",
				       i);
		type = GELF_ST_TYPE(sym.st_info);
		if (sym.st_shndx == SHN_UNDEF || type == STT_FILE ||
		    type == STT_SECTION)
			continue;
		name = elf_strptr(elf, table->sh_link, sym.st_name);
		if (!name)
			return xf_fail(err, -EBADMSG,
				       "symbol %zu has no name in .strtab", i);
		if (sym.st_shndx < SHN_LORESERVE)
			sh = gelf_getshdr(elf_getscn(elf, sym.st_shndx), &shdr);
		c = letter(&sym, sh);
		if (!name[0] || is_noise(c, name))
			continue;
		kernel |= sym.st_value >= SYMTAB_KERNEL_BASE;
		if (!symtab_add(st, sym.st_value, sym.st_size, c, name,
				strlen(name), NULL))
			return xf_fail(err, -EFBIG, "more than %u symbols",
				       SYMTAB_MAX);
	}
	if (!kernel)
		return xf_fail(err, -ENOEXEC,
			       "an ELF file, but no kernel: nothing in it has "
			       "an address of the kernel");
	return 0;
}

/* What lies at @addr, as far as its segment reaches in the file. */
static const char *at_address(Elf *elf, const char *image, size_t len,
			      uint64_t addr, size_t *ret_len)
{
	size_t nr = 0;

	elf_getphdrnum(elf, &nr);
	for (size_t i = 0; i < nr; i++) {
		GElf_Phdr ph;

		if (!gelf_getphdr(elf, i, &ph) || ph.p_type != PT_LOAD ||
		    ph.p_offset > len || ph.p_filesz > len - ph.p_offset ||
		    addr < ph.p_vaddr || addr - ph.p_vaddr >= ph.p_filesz)
			continue;
		*ret_len = ph.p_filesz - (addr - ph.p_vaddr);
		return image + ph.p_offset + (addr - ph.p_vaddr);
	}
	return NULL;
}

/*
 * "Linux version 6.1.0 ...". Searching for the text would find a draft of it
 * that the build leaves behind, without the number of the build.
 */
static void find_banner(struct symtab *st, Elf *elf, const char *image,
			size_t len)
{
	const char *text;
	uint64_t addr;

	if (symtab_address(st, "linux_banner", &addr, NULL))
		return;
	text = at_address(elf, image, len, addr, &len);
	if (text && memchr(text, '\n', len))
		symtab_set_banner(st, text, len);
}

static void find_build_id(struct symtab *st, Elf *elf)
{
	size_t nr = 0, name, desc;

	elf_getphdrnum(elf, &nr);
	/* Section headers may be gone; program headers are always there. */
	for (size_t i = 0; i < nr; i++) {
		Elf_Data *data = NULL;
		GElf_Phdr ph;
		GElf_Nhdr note;

		if (gelf_getphdr(elf, i, &ph) && ph.p_type == PT_NOTE)
			data = elf_getdata_rawchunk(elf, ph.p_offset,
						    ph.p_filesz, ELF_T_NHDR);
		for (size_t at = 0; data;) {
			const char *bytes = data->d_buf;

			at = gelf_getnote(data, at, &note, &name, &desc);
			if (!at)
				break;
			if (note.n_type == NT_GNU_BUILD_ID &&
			    note.n_namesz == 4 &&
			    !memcmp(bytes + name, "GNU", 4))
				symtab_set_build_id(st, bytes + desc,
						    note.n_descsz);
		}
	}
}

static int check_header(Elf *elf, struct xf_err *err)
{
	GElf_Ehdr eh;

	if (elf_kind(elf) != ELF_K_ELF || !gelf_getehdr(elf, &eh))
		return xf_fail(err, -EBADMSG, "the ELF header is damaged");
	if (eh.e_ident[EI_CLASS] != ELFCLASS64 ||
	    eh.e_ident[EI_DATA] != ELFDATA2LSB || eh.e_machine != EM_X86_64)
		return xf_fail(err, -ENOEXEC,
			       "an ELF file, but not for x86-64");
	if (eh.e_type == ET_REL)
		return xf_fail(err, -ENOEXEC,
			       "an object file or kernel module; its addresses "
			       "are known only once it is loaded");
	return 0;
}

int symtab_load_elf(struct symtab *st, const void *image, size_t len,
		    struct xf_err *err)
{
	_cleanup_(elf_endp) Elf *elf = NULL;
	Elf_Scn *section = NULL;
	size_t nr = st->nr;
	int rc;

	elf_version(EV_CURRENT);
	/* Not written to: only other byte orders are converted in place. */
	elf = elf_memory((char *)image, len);
	if (!elf)
		return xf_fail(err, -EBADMSG, "%s", elf_errmsg(-1));
	rc = check_header(elf, err);
	if (rc)
		return rc;
	while ((section = elf_nextscn(elf, section))) {
		GElf_Shdr sh;

		if (!gelf_getshdr(section, &sh) || sh.sh_type != SHT_SYMTAB)
			continue;
		rc = load_symbols(st, elf, section, &sh, err);
		if (rc)
			goto undo;
	}
	if (st->nr == nr)
		rc = symtab_load_kallsyms_image(st, image, len, err);
	if (rc)
		goto undo;
	symtab_seal(st);
	st->source = SYMTAB_ELF;
	st->build_id_len = 0;
	st->banner[0] = '\0';
	find_build_id(st, elf);
	find_banner(st, elf, image, len);
	return 0;
undo:
	symtab_truncate(st, nr);
	return rc;
}
