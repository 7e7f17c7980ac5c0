/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * syscall -- system calls' arguments and results as text.
 *
 * What a call is named and takes is what the guest's own description of
 * syscalls:sys_enter_NAME says. From it comes also what the guest's module is
 * told: which arguments are strings to copy (syscall_descriptor()).
 *
 *	syscall_of(tep_find(t, id), &s, err)
 *	syscall_print_args(&s, words, nr, &out)
 *		dfd: AT_FDCWD, filename: "/etc/passwd", flags: O_RDONLY
 *	syscall_print_result(&s, result, &out)
 *		-ENOENT
 *
 * The payload is what the module wrote and is not trusted.
 */
#ifndef XF_SYSCALL_H
#define XF_SYSCALL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buf.h"
#include "err.h"
#include "tep.h"
#include "values.h"
#include "xft_abi.h"

enum syscall_kind {
	SYSCALL_INT,
	SYSCALL_UNSIGNED,
	SYSCALL_OCTAL,	 /* a file's mode */
	SYSCALL_POINTER, /* or a size of something: hexadecimal */
	SYSCALL_STRING,	 /* ends with a 0 byte */
	SYSCALL_BUFFER,	 /* its length is the next argument */
};

struct syscall_arg {
	char type[40], name[32]; /* cut if longer */
	enum syscall_kind kind;
	uint32_t bytes;		     /* of the register that count */
	const struct values *values; /* NULL: numbers have no names */
};

struct syscall {
	char name[48]; /* "sys_openat" */
	uint32_t nr_args;
	struct syscall_arg args[XFT_MAX_ARGS];
	bool returns_address;
};

/* -EINVAL: the event is not the entry of a system call. */
int syscall_of(const struct tep_type *type, struct syscall *ret,
	       struct xf_err *err);

/*
 * What the module needs to know: bits 0..2 number of arguments, 4..9 mask of
 * those that are strings, 10..15 of those that are buffers whose length is the
 * next argument. All others are 0 and the caller's.
 */
uint32_t syscall_descriptor(const struct syscall *s);

/*
 * Append "name: value, ...". Arguments that are not in the payload are shown
 * as "?"; what is damaged in it ends the copies.
 */
void syscall_print_args(const struct syscall *s, const uint64_t *payload,
			size_t words, struct buf *out);

/* Append "3", "-ENOENT" or, from calls that return addresses, "0x7f...". */
void syscall_print_result(const struct syscall *s, uint64_t result,
			  struct buf *out);

#endif
