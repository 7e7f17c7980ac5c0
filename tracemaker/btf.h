/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * btf -- where the members of the kernel's structures lie.
 *
 *	_cleanup_(btf_close) struct btf b = BTF_INIT;
 *	struct btf_member m;
 *
 *	rc = btf_open(&b, blob, len, err);
 *	rc = rc ? rc : btf_member(&b, "trace_event_call", "event.type", &m,
 *				  err);
 *
 * The kernel carries a description of its types with it, see its
 * Documentation/bpf/btf.rst; here is what it takes to read structures, and
 * no more. The bytes may be a guest's: references that lead nowhere or in
 * circles and counts beyond all bounds end in -EBADMSG, and an answer lies
 * within the structure that was asked for. Memory is two words for each type.
 *
 * Errors: -EBADMSG: damaged, or something that we do not know. -ENOENT: there
 * is no such thing in this kernel.
 */
#ifndef XF_BTF_H
#define XF_BTF_H

#include <stddef.h>
#include <stdint.h>

#include "buf.h"
#include "err.h"

#define BTF_MAX	   (16u << 20)	/* bytes; kernels have 5 MiB */
#define BTF_HASHES 1024		/* kernels have 10,000 structures */

struct btf {
	const uint8_t *types;	/* borrowed, as are the strings */
	const char *strings;	/* the last byte is 0 */
	uint32_t strings_len;
	uint32_t nr;		/* types; their numbers begin with 1 */
	uint32_t *at;		/* owned; [n]: offset of type n + 1 in types */
	uint32_t *next;		/* owned; [n]: the next of its hash, or 0 */
	uint32_t first[BTF_HASHES]; /* structure of each name's hash, or 0 */
};

#define BTF_INIT { 0 }

/* @blob is borrowed: it outlives @b and does not change. */
int btf_open(struct btf *b, const void *blob, size_t len, struct xf_err *err);
void btf_close(struct btf *b);

struct btf_member {
	uint32_t off;	/* bytes, from the beginning of the structure */
	uint32_t size;	/* bytes, at least 1 */
	uint8_t bit;	/* of a bit field: its lowest bit in these bytes, */
	uint8_t bits;	/* and how many it has; 0: it is none */
};

/*
 * @path names a member of struct (or union) @type, or of one in one:
 * "event.type". Structures without a name on the way are seen through.
 * -ENOTUNIQ: the kernel has several structures of that name, and it lies at
 * different places in them.
 */
int btf_member(const struct btf *b, const char *type, const char *path,
	       struct btf_member *ret, struct xf_err *err);

/* Bytes of struct (or union) @type, of the first if there are several. */
int btf_sizeof(const struct btf *b, const char *type, uint32_t *ret,
	       struct xf_err *err);

/* The value of an enumerator, whichever enum it is in. */
int btf_enumerator(const struct btf *b, const char *name, int32_t *ret,
		   struct xf_err *err);

/*
 * Append the BTF of a kernel image, a vmlinuz or a vmlinux, to @ret_blob.
 * -ENOEXEC: its build id is not @build_id. -ENODATA: no kernel image, or none
 * with BTF.
 */
int btf_load_image(const char *path, const void *build_id, size_t build_id_len,
		   struct buf *ret_blob, struct xf_err *err);

/* The same of a vmlinux in memory. */
int btf_load_elf(const void *image, size_t len, const void *build_id,
		 size_t build_id_len, struct buf *ret_blob, struct xf_err *err);

#endif
