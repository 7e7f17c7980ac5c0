/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * symtab -- addresses to names and names to addresses for one kernel.
 *
 *	_cleanup_(symtab_destroyp) struct symtab *st = NULL;
 *
 *	rc = symtab_open("/boot/vmlinuz-6.1.0", &st, err);
 *	symtab_slide(st, kaslr);
 *	symtab_add(st, addr, 0, 't', "e1000_open", 10, "e1000");  modules
 *	symtab_seal(st);
 *	if (symtab_at(st, addr, &s))
 *		printf("%s+0x%" PRIx64 "\n", s.name, addr - s.addr);
 *
 * A table is filled by symtab_add() or by a loader, then sealed, then asked.
 * More may be added later; seal again before asking again. What is asked does
 * not change the table, so several threads may ask one sealed table.
 *
 * A return address may be the first byte behind a function, when the call was
 * its last instruction: look up the address less one.
 *
 * Names are safe to print: every byte that no kernel symbol has arrives in the
 * table as \xNN, whatever a guest said.
 */
#ifndef XF_SYMTAB_H
#define XF_SYMTAB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buf.h"
#include "cleanup.h"
#include "err.h"

#define SYMTAB_MAX	   (1u << 19) /* symbols a loader takes */
#define SYMTAB_MODULES_MAX 4096u
#define SYMTAB_NAME_MAX	   511u /* the kernel's limit since 6.1 */
#define SYMTAB_KERNEL_BASE UINT64_C(0xffffffff80000000)

/* Where the symbols came from. The numbers are stored in traces. */
enum symtab_source {
	SYMTAB_NONE = 0,
	SYMTAB_MAP = 1,	    /* System.map or /proc/kallsyms text */
	SYMTAB_ELF = 2,	    /* a vmlinux file */
	SYMTAB_VMLINUZ = 3, /* the kernel image's own kallsyms */
	SYMTAB_GUEST = 4,   /* guest RAM: may be lies after a compromise */
};

struct symtab_entry;

struct symtab {
	enum symtab_source source; /* set by loaders, or by the caller */
	uint8_t build_id_len;	   /* bytes; 0 when not known */
	uint8_t build_id[20];
	char banner[256]; /* "Linux version ...", or empty */
	int64_t slide;	  /* what symtab_slide() last set */

	/* The rest is symtab.c's own. */
	struct symtab_entry *entries; /* sorted by address once sealed */
	size_t nr, cap;
	size_t nr_sealed; /* entries that the indexes know */
	struct buf names; /* each ends with a 0 byte */
	uint32_t *heads;  /* name hash to entry + 1 */
	uint32_t heads_mask;
	uint64_t *text_addr;  /* start of every function, no aliases */
	uint32_t *text_entry; /* its entry */
	size_t nr_text;
	struct symtab_module *modules; /* [0] stands for the kernel */
	size_t nr_modules;
	uint16_t module_heads[256];
	uint16_t last_module;
};

/* One symbol, as an answer. The strings are the table's. */
struct sym {
	uint64_t addr;
	uint64_t size; /* bytes up to the next symbol if not known */
	const char *name;
	const char *module; /* NULL: the kernel itself */
	char type;	    /* nm's letter */
};

struct symtab *symtab_create(void);
void symtab_destroy(struct symtab *st);
XF_DEFINE_CLEANUP(struct symtab *, symtab_destroy)

/*
 * Add a symbol at the address that it has now, that is, slide included if one
 * was set. @size 0: not known. @module NULL: the kernel. Longer names are cut
 * at SYMTAB_NAME_MAX. Beyond SYMTAB_MAX symbols or SYMTAB_MODULES_MAX modules
 * nothing is added and the answer is false.
 */
bool symtab_add(struct symtab *st, uint64_t addr, uint64_t size, char type,
		const char *name, size_t name_len, const char *module);

/*
 * What is known of the kernel besides its symbols. A build id longer than 20
 * bytes is cut; the banner ends at its newline, and what is not printable
 * in it becomes a question mark.
 */
void symtab_set_build_id(struct symtab *st, const void *id, size_t len);
void symtab_set_banner(struct symtab *st, const char *text, size_t len);

/* Take back what was added since the table had @nr symbols and was sealed. */
void symtab_truncate(struct symtab *st, size_t nr);

/* Sort, drop repetitions, find sizes, index. Cheap if nothing was added. */
void symtab_seal(struct symtab *st);

/*
 * Let the kernel's symbols lie @slide bytes above their link-time addresses
 * (KASLR); a later call replaces an earlier one, 0 undoes it. Modules, per-CPU
 * offsets and absolute symbols stay. Seals.
 */
void symtab_slide(struct symtab *st, int64_t slide);

/*
 * The function that contains @addr. Of several names at one address it is the
 * one that the kernel prints itself. False in gaps, in data, behind the end of
 * kernel text, and beyond the last page that a module's last function begins
 * in: code that no symbol vouches for gets no name.
 */
bool symtab_at(const struct symtab *st, uint64_t addr, struct sym *ret);

/* The nearest symbol of any type at or below @addr, however far away. */
bool symtab_near(const struct symtab *st, uint64_t addr, struct sym *ret);

/*
 * Every symbol of this very name, in order of address; static functions often
 * share one. *pos begins as 0 and belongs to the walk; false at the end.
 */
bool symtab_find(const struct symtab *st, const char *name, uint32_t *pos,
		 struct sym *ret);

/* Every symbol in order of address; *pos as above. */
bool symtab_each(const struct symtab *st, uint32_t *pos, struct sym *ret);

/*
 * The address of the kernel's only symbol @name, function or data. -ENOENT:
 * there is none. -ENOTUNIQ: several, at different addresses.
 */
int symtab_address(const struct symtab *st, const char *name,
		   uint64_t *ret_addr, struct xf_err *err);

/* Has any symbol that belongs to @module. */
bool symtab_has_module(const struct symtab *st, const char *module);

static inline bool symtab_is_text(char type)
{
	return type == 't' || type == 'T' || type == 'w' || type == 'W';
}

/*
 * A whole function: text, and neither the padding before one (__pfx_name), nor
 * the unlikely part of one (name.cold), nor a linker script's mark between two
 * (__sched_text_start). Nothing ever calls those.
 */
bool symtab_is_function(const struct sym *s);

/* ---- Loaders. All add to @st and seal it; on failure it is as before. ---- */

/*
 * Read any of the below by what it holds: a kernel image (vmlinuz), a vmlinux,
 * a System.map or a copy of /proc/kallsyms. -ENODATA: no symbols in
 * it, such as a distribution's stub. -EPERM: addresses are hidden.
 */
int symtab_open(const char *path, struct symtab **ret, struct xf_err *err);

/* Lines "address type name [module]"; sets the source. */
int symtab_load_map(struct symtab *st, const char *text, size_t len,
		    struct xf_err *err);

/*
 * An x86-64 vmlinux: its .symtab or, if stripped, its kallsyms tables. Sets
 * source, build id and banner. -ENOEXEC: an ELF file, but no such kernel.
 */
int symtab_load_elf(struct symtab *st, const void *image, size_t len,
		    struct xf_err *err);

/* ---- Writers. The table must be sealed. ---- */

/* Append System.map text; module symbols get kallsyms' " [module]". */
void symtab_write_map(const struct symtab *st, struct buf *out);

/* What a pack has; a kernel's functions are the same in all of its guests. */
enum symtab_parts {
	SYMTAB_KERNEL = 1,
	SYMTAB_MODULES = 2,
};

/*
 * Append functions, their unlikely parts, and facts, in the form that traces
 * store. Little-endian,
 * versioned; symtab_unpack() gives the table as it was, slide included, less
 * data symbols and parts that are not wanted.
 */
void symtab_pack(const struct symtab *st, unsigned int parts, struct buf *out);

/* Sealed. -EBADMSG: damaged. -EPROTONOSUPPORT: a version we do not know. */
int symtab_unpack(const void *data, size_t len, struct symtab **ret,
		  struct xf_err *err);

/*
 * Add the functions of a second pack, and let the kernel's lie as it says. The
 * same errors; then @st is as before.
 */
int symtab_unpack_more(struct symtab *st, const void *data, size_t len,
		       struct xf_err *err);

#endif
