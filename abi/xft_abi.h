/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * xft_abi -- what the guest module and the host agree on.
 *
 * All of it lies in guest RAM, little-endian, in naturally aligned fixed-width
 * words. There are three kinds of memory:
 *
 *   control block  one page, written by the guest, read by the host
 *   mailbox        XFT_MBOX_PAGES pages, written by the host, read by the guest
 *   rings          written by the guest, read by the host
 *
 * Nobody writes what the other side writes, so there are no locks. Everything
 * the host reads is hostile until checked.
 *
 * Finding it. The host scans page-aligned frames for XFT_MAGIC0/1 and takes a
 * page whose self_gpa is its own guest-physical address. A page that survived
 * a reboot still looks right: it is alive only if it answers a PING.
 *
 * A request. The host writes the parameters, then mbox.seq (release). The
 * guest's poll thread sees seq != ctl.seq_done, carries the request out, writes
 * ctl.status, then ctl.seq_done = seq (release). One request at a time.
 *
 * The key. The host writes key[e & 1], then epoch = e (release), e = 1, 2, ...
 * A writer that opens a sub-buffer reads epoch, the key, epoch again; the pair
 * is good when both reads agree. Each sub-buffer names its epoch.
 *
 * The seed. If records are to be sealed the host puts a fresh one into the
 * mailbox with START. The module takes it and wipes it there before it answers:
 * the only words of the mailbox that the guest ever writes.
 *
 * The brake. A guest that was set back to an earlier state would seal other
 * records with the words of the stream that it has used before. The host, which
 * sees that positions or the heartbeat ran backwards, stores halt: writers of
 * sealed rings look at it before each record, and write none. The next START
 * takes it back.
 */
#ifndef XFT_ABI_H
#define XFT_ABI_H

#ifdef __KERNEL__
#include <linux/types.h>
#include <linux/build_bug.h>
#include <linux/stddef.h>
#else
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;
typedef int32_t s32;
#endif

/* "XFTRACE!" and a random number; in no other file of this project. */
#define XFT_MAGIC0	  0x2145434152544658ULL
#define XFT_MAGIC1	  0x9d3b6e0c51f2a847ULL

/* A reader refuses another major; a minor only adds fields at the end. */
#define XFT_ABI_MAJOR	  1
#define XFT_ABI_MINOR	  1	/* 1: the sealed mask */

#define XFT_PAGE	  4096
#define XFT_MAX_CPUS	  256
#define XFT_MAX_ROOTS	  8192	/* traced functions in one request */
#define XFT_EVENTS_SIZE	  (46 * XFT_PAGE) /* bytes of trace events in one */
#define XFT_STRING_MAX	  1024	/* bytes of a string that is an argument */

enum xft_state {
	XFT_IDLE,	/* no rings */
	XFT_TRACING,	/* hooks are in place */
	XFT_STOPPED,	/* hooks are gone, rings wait to be read */
};

enum xft_cmd {
	XFT_CMD_PING = 1,	/* answers, renews clock_tsc, clock_real_ns */
	XFT_CMD_START,		/* allocate rings, hook; -EBUSY when tracing */
	XFT_CMD_STOP,		/* unhook, close sub-buffers; rings stay */
	XFT_CMD_RELEASE,	/* free the rings; -EBUSY while tracing */
};

/*
 * Kernel functions, and variables, that modules may not link to. The host,
 * which has the symbols, gives their addresses; the module asks the kernel for
 * the name at each address before it calls it, so a wrong System.map does no
 * harm.
 */
enum xft_kfunc {
	XFT_KFUNC_REGISTER,	/* register_ftrace_graph */
	XFT_KFUNC_UNREGISTER,	/* unregister_ftrace_graph */
	XFT_KFUNC_TASK_VAR,	/* fgraph_get_task_var, from 6.11 */
	XFT_KFUNC_RET_STACK,	/* ftrace_graph_get_ret_stack, from 6.11 */
	XFT_KFUNC_BUFFERED_ON,	/* trace_buffered_event_enable */
	XFT_KFUNC_BUFFERED_OFF,	/* trace_buffered_event_disable */
	XFT_KFUNC_TRACING_OFF,	/* tracer_tracing_off */
	XFT_KFUNC_EVENT_MUTEX,	/* event_mutex, a variable */
	XFT_KFUNC_TEMP_BUFFER,	/* temp_buffer, a variable */
	XFT_KFUNC_EXPANDED,	/* ring_buffer_expanded, a
				 * variable, until 6.6 */
	XFT_NR_KFUNCS = 16,
};

/* ctl.detail when a request failed: what the errno was about. */
enum xft_detail {
	XFT_DETAIL_NONE,
	XFT_DETAIL_KFUNC,	/* + enum xft_kfunc: wrong or missing address */
	XFT_DETAIL_RINGS = 0x100, /* no memory for the rings */
	XFT_DETAIL_REGISTER,	/* register_ftrace_graph said no */
	XFT_DETAIL_PARAM,	/* a parameter is out of range */
	XFT_DETAIL_IBT,		/* the processor forbids calls by address */
	XFT_DETAIL_EXPORT,	/* register_ftrace_export said no */
	XFT_DETAIL_EVENT = 0x1000, /* + index: no such event, or another id */
};

/*
 * Where this kernel keeps what the host wants to walk, from the compiler of
 * the module: offsets in bytes, 0xffff where the kernel has no such member.
 */
struct xft_layout {
	u16 module_list;	/* struct module: struct list_head list */
	u16 module_name;	/* char name[] */
	u16 module_name_len;	/* bytes in name[] */
	u16 module_text_base;	/* u64, start of the module's text */
	u16 module_text_size;	/* u32, bytes of text */
	u16 module_kallsyms;	/* struct mod_kallsyms * */
	u16 kallsyms_symtab;	/* Elf64_Sym * */
	u16 kallsyms_num;	/* u32 */
	u16 kallsyms_strtab;	/* char * */
	u16 kallsyms_typetab;	/* char *, a nm letter a symbol */
	u16 reserved[2];
};

/* The control block. */
struct xft_ctl {
	u64 magic[2];
	u32 abi_major;
	u32 abi_minor;
	u64 self_gpa;		/* guest-physical address of this page */
	u64 instance;		/* random, another one at each module load */
	u64 mbox_gpa;		/* XFT_MBOX_PAGES pages, contiguous */
	u64 rings_gpa;		/* page with nr_rings u64: ring headers' gpa */
	u32 nr_rings;		/* 0 when there are no rings */
	u32 nr_cpus;		/* possible CPUs of the guest */
	u32 tsc_khz;		/* what the guest believes of its TSC */
	u32 state;		/* enum xft_state */
	u64 heartbeat;		/* counts polls: a hung guest's stands still */
	u32 seq_done;		/* the request answered last */
	s32 status;		/* its result: 0 or -errno */
	u32 detail;		/* enum xft_detail */
	u32 poll_ms;		/* how often the mailbox is looked at */
	u64 clock_tsc;		/* a TSC value, taken together with ... */
	u64 clock_real_ns;	/* ... this wall clock time of the guest */
	char release[64];	/* uname -r, terminated */
	struct xft_layout layout;
	u32 events_changed;	/* counts modules with wanted events that came
				 * or went: their events may look different */
	u32 reserved0;
	/* minor 0 ends here */
};

/*
 * roots[]: bits 0..31 are the low half of the address of a function's ftrace
 * site. If it is a system call the others say what to record of it:
 *
 *   bits 32..34  number of arguments
 *   bits 36..41  those that are strings in the caller's memory
 *   bits 42..47  those that are bytes there, as many as the next one says
 *   bit  48      arguments are where 32-bit programs put them
 *   bit  49      record that it is a system call at all, and its result
 */
#define XFT_ROOT_ARGS(root)    ((root) >> 32 & 7)
#define XFT_ROOT_STRINGS(root) ((root) >> 36 & 0x3f)
#define XFT_ROOT_BYTES(root)   ((root) >> 42 & 0x3f)
#define XFT_ROOT_IA32	       (1ULL << 48)
#define XFT_ROOT_SYSCALL       (1ULL << 49)
#define XFT_ROOT_SHIFT	       32	/* a syscall's description is ... */
#define XFT_MAX_ARGS	       6

/*
 * A trace event to record, in events[], 4-byte aligned: the next one begins
 * behind len bytes of name, rounded up.
 */
struct xft_event_want {
	u16 id;			/* common_type; the guest
				 * checks that it is so */
	u8 reserved;
	u8 len;			/* of name, with its 0 */
	char name[];		/* "system:event" */
};
/*
 * In records event number n of the list, from 0, has this common_type: a module
 * that is loaded anew gives its events other ids, and the old ones to others.
 */
#define XFT_EVENT_TYPE(n)      (256 + (n))

enum xft_mask {
	XFT_MASK_XOR,		/* key[], as in the paper */
	XFT_MASK_SEALED,	/* seed[]: see "The seal" */
};

/* The mailbox. */
#define XFT_MBOX_PAGES	  (1 + (XFT_MAX_ROOTS * 8 + XFT_EVENTS_SIZE) / XFT_PAGE)

struct xft_mbox {
	u32 seq;		/* written last */
	u32 cmd;		/* enum xft_cmd */
	u32 epoch;		/* 0: no key yet */
	u32 reserved0;
	u64 key[2];		/* key[epoch & 1] is the global key */
	/* START */
	u32 sub_shift;		/* a sub-buffer is 1 << sub_shift bytes */
	u32 nr_subs;		/* sub-buffers of a CPU's ring */
	u32 max_depth;		/* calls deeper than that
				 * are left out; 0: all */
	u32 nr_roots;		/* entries used in roots[] */
	u64 kfunc[XFT_NR_KFUNCS];
	u32 nr_events;		/* entries used in events[] */
	u32 string_max;		/* bytes recorded of a
				 * string, a multiple of 8 */
	s32 result_off;		/* where the kernel's return_to_handler keeps a
				 * function's result, from the place on the
				 * stack that held its return address; 0:
				 * unknown */
	u32 keep_events;	/* not 0: leave readable copies in the guest */
	u32 mask;		/* enum xft_mask */
	u32 halt;		/* not 0: sealed rings take no records */
	u64 seed[4];		/* XFT_MASK_SEALED: of this
				 * START alone, not 0 */
	u8 reserved1[XFT_PAGE - 232];
	u64 roots[XFT_MAX_ROOTS];
	u8 events[XFT_EVENTS_SIZE];
};

/*
 * Rings. Each CPU has two: one that task, softirq and interrupt context share
 * (hooks run with interrupts off, so its records have one order), and a small
 * one for NMIs, which nothing can keep out.
 *
 * A ring is nr_subs sub-buffers of 1 << sub_shift bytes. Positions are bytes
 * written since the ring was made and never wrap: byte p lies in sub-buffer
 * number s = p >> sub_shift, in slot s % nr_subs. When the last slot is full
 * the oldest is overwritten. head is the end of what was written; it jumps to
 * the start of the next sub-buffer when one is closed early.
 *
 * Reading sub-buffer s: acquire head; s is there if s > (head >> sub_shift) -
 * nr_subs; copy its header, check seq == s + 1; copy data up to head or, when
 * head lies beyond its end, up to used; then read seq again: if it moved, what
 * was copied may be torn and is thrown away.
 */
#define XFT_RING_MAGIC	  0x676e6972u /* "ring" */
#define XFT_MIN_SUB_SHIFT 12
#define XFT_MAX_SUB_SHIFT 22
#define XFT_MAX_SUBS	  488
#define XFT_MIN_SUBS	  4

enum xft_ring_kind { XFT_RING_MAIN, XFT_RING_NMI };

struct xft_ring_hdr {
	u32 magic;
	u32 cpu;
	u32 kind;		/* enum xft_ring_kind */
	u32 sub_shift;
	u32 nr_subs;
	u32 reserved0;
	u64 self_gpa;
	u64 reserved1[4];
	u64 head;		/* position; written (release) after the data */
	u64 writer[15];		/* the writer's own; readers ignore it */
	u64 sub_gpa[XFT_MAX_SUBS];
};

/* The beginning of every sub-buffer, in clear; masked records follow. */
struct xft_sub {
	u64 seq;		/* number + 1; written first when (re)opened */
	u64 base_tsc;		/* records count their time from here */
	u64 records_before;	/* records in this ring before this one */
	u32 epoch;		/* key */
	u32 used;		/* bytes with this header,
				 * once closed; else 0 */
	u64 reserved[4];
};

/*
 * Records: whole 8-byte words, each XORed with the key, or sealed (see there).
 * The first word:
 *
 *   bits  0..2   type
 *   bits  3..4   context
 *   bits  5..13  length of the record in words, with this one
 *   bits 14..21  depth (ENTRY, RETURN): traced calls above it
 *   bits 22..63  TSC ticks since the sub-buffer's base_tsc
 *
 * ENTRY and RETURN are two words; the second is
 *   ENTRY   bits 0..31 function, 32..63 return address into its caller
 *   RETURN  bits 0..31 function, 32..63 zero
 * as the low half of an address in the top 2 GiB (all kernel and module text).
 *
 * Those of a root that is a system call have more: RETURN a third word, its
 * result, and once more, if something of them could not be read at first, its
 * strings; ENTRY its arguments:
 *   one word      bits 0..7 number n of arguments
 *   n words       as the registers have them
 *   for each string or range of bytes, in order of arguments
 *     one word    bits 0..7 the argument's number, 8..23 bytes that follow,
 *                 bit 24 there is more of it, bit 25 it could not be read
 *     the bytes, padded to words
 *
 * TASK (4 words): pid | tgid << 32, then comm[16]. It names the task of the
 * records that follow in this ring, and is the first record of every
 * sub-buffer.
 *
 * EVENT: behind the first word, an event as ftrace's ring has it, beginning
 * with common_type, which is XFT_EVENT_TYPE(). In the bits of the depth: 0..2
 * bytes of the last word that do not belong to it, 3 its end is missing (it was
 * too long).
 *
 * CLOSE (2 words), in sealed rings only: the last one of its sub-buffer. The
 * second word counts the records before it there; it is not counted itself. In
 * the bits of the depth: 0 the ring ends here, as tracing was stopped.
 */
enum xft_type {
	XFT_PAD,	/* never written: a zero word is no record */
	XFT_ENTRY,
	XFT_RETURN,
	XFT_TASK,
	XFT_EVENT,
	XFT_CLOSE,
};

enum xft_context { XFT_CTX_TASK, XFT_CTX_SOFTIRQ, XFT_CTX_IRQ, XFT_CTX_NMI };

#define XFT_CTX_SHIFT	 3
#define XFT_WORDS_SHIFT	 5
#define XFT_WORDS_MAX	 511
#define XFT_DEPTH_SHIFT	 14
#define XFT_DEPTH_MAX	 255
#define XFT_TIME_SHIFT	 22
#define XFT_TIME_BITS	 42	/* 24 minutes at 3 GHz */

#define XFT_CALL_WORDS	 2
#define XFT_TASK_WORDS	 4
#define XFT_LONG_WORDS	 480	/* the longest record, in any ring */

#define XFT_STR_ARG(w)	 ((w) & 0xff)
#define XFT_STR_LEN(w)	 ((w) >> 8 & 0xffff)
#define XFT_STR_CUT	 (1u << 24)
#define XFT_STR_FAULT	 (1u << 25)

#define XFT_EVENT_PAD	 7	/* in the depth */
#define XFT_EVENT_CUT	 8

#define XFT_CLOSE_WORDS	 2
#define XFT_CLOSE_LAST	 1	/* in the depth */

#define XFT_ADDR_HIGH	 0xffffffff00000000ULL

/*
 * The seal. A sealed ring cannot be read or forged by who learns all that the
 * guest's memory holds at some later moment: what a record was sealed with is
 * wiped before it is published, and cannot be computed from what is left.
 *
 * Each ring has a chain of 32-byte keys S[n], one for each sub-buffer. A ring
 * has one writer at a time, so its chain is that of a CPU and context.
 * H(k, label, n) is HChaCha20 under key k of the 16 bytes label, n.
 *
 *	S[0]	 = H(seed, XFT_SEAL_RING, cpu | kind << 32)
 *	K	 = the first 16 bytes of H(S[n], XFT_SEAL_STREAM, n)
 *	S[n + 1] = H(S[n], XFT_SEAL_NEXT, n)
 *
 * K begins the stream of sub-buffer n, which comes in batches of XFT_SEAL_BATCH
 * words: F(i) is SipHash-2-4 with 128 bits of output, of the one byte i, under
 * the key of the batch. F(0) is the key of the next batch, and F(1) to F(63),
 * two words each, are this batch's part of the stream.
 *
 * Each record takes words from the stream, in this order: r, z, and one k[i]
 * for each of its words. Word i is stored as c[i] = word ^ k[i]. One more word
 * follows the record, which its length does not count, the tag:
 *
 *	h = 1
 *	for each covered word: h = h * r + word	mod 2^64 - 59
 *	h = h * r				mod 2^64 - 59
 *	tag = h + z				mod 2^64
 *
 * covered are c[1], c[2] ... and last c[0]; before those, in the first record
 * of a sub-buffer, its header's base_tsc, records_before and epoch. As r and z
 * are used once this cannot be forged, whatever the computing power: a change
 * goes unnoticed with a probability below 2^-48 for the longest record. The
 * rest, that is session, ring, sub-buffer, place and length, decides about the
 * key or the words of the stream.
 *
 * A sub-buffer that is left, or was not written to for a while, ends with
 * CLOSE. STOP closes all, and opens another one for that if the newest is
 * closed.
 */
#define XFT_SEAL_RING	 0x676e69522d746658ULL	/* "Xft-Ring" */
#define XFT_SEAL_STREAM	 0x6d7274532d746658ULL	/* "Xft-Strm" */
#define XFT_SEAL_NEXT	 0x7478654e2d746658ULL	/* "Xft-Next" */
#define XFT_SEAL_BATCH	 126
#define XFT_SEAL_OTP	 2	/* words: r and z */
#define XFT_SEAL_TAG	 1	/* word */

static_assert(sizeof(struct xft_layout) == 24, "xft_layout");
static_assert(offsetof(struct xft_ctl, heartbeat) == 72, "xft_ctl");
static_assert(offsetof(struct xft_ctl, release) == 112, "xft_ctl");
static_assert(sizeof(struct xft_ctl) == 208, "xft_ctl");
static_assert(offsetof(struct xft_mbox, kfunc) == 48, "xft_mbox");
static_assert(offsetof(struct xft_mbox, result_off) == 184, "xft_mbox");
static_assert(offsetof(struct xft_mbox, roots) == XFT_PAGE, "xft_mbox");
static_assert(offsetof(struct xft_event_want, name) == 4, "xft_event_want");
static_assert((XFT_MBOX_PAGES & (XFT_MBOX_PAGES + 1)) == 0,
	      "with the control block a power of two of pages");
static_assert(offsetof(struct xft_mbox, seed) == 200, "xft_mbox");
static_assert((XFT_LONG_WORDS + XFT_TASK_WORDS + XFT_CLOSE_WORDS +
	       3 * XFT_SEAL_TAG) * 8 + 64 <=
		      1 << XFT_MIN_SUB_SHIFT,
	      "the longest record fits into the smallest sub-buffer");
static_assert(sizeof(struct xft_mbox) == XFT_MBOX_PAGES * XFT_PAGE, "xft_mbox");
static_assert(offsetof(struct xft_ring_hdr, head) == 64, "xft_ring_hdr");
static_assert(sizeof(struct xft_ring_hdr) == XFT_PAGE, "xft_ring_hdr");
static_assert(sizeof(struct xft_sub) == 64, "xft_sub");

#endif
