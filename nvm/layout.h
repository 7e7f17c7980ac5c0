/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * layout -- what lies on the media of a store; xftrace-store(5) says it in
 * full.
 *
 * Little-endian, fixed widths, no pointers: places are offsets from the
 * beginning of the file. A store is
 *
 *	struct store_head, at 0, and its copy at LAYOUT_COPY
 *	struct store_entry[nr_slots]	traces and shared objects by name
 *	uint64_t map[nr_blocks]		whose each block is
 *	the blocks
 *
 * Every change takes effect with one aligned 8-byte word, so a crash leaves the
 * state before it or the state after it.
 */
#ifndef XF_LAYOUT_H
#define XF_LAYOUT_H

#include <stddef.h>
#include <stdint.h>

#define STORE_MAGIC 0x45524f5453544658ULL /* "XFTSTORE" */
#define STORE_MAJOR 1
#define STORE_MINOR 0

#define LAYOUT_COPY  4096u	/* where the second head is */
#define LAYOUT_HEADS 8192u	/* entries begin here */

#define STORE_MIN_SHIFT 9	/* a block: 512 bytes to 1 GiB */
#define STORE_MAX_SHIFT 30
#define STORE_MAX_SLOTS (1u << 20)

/* Feature words. A store with an incompat bit we do not know is not opened. */
#define STORE_COMPAT_THIN   1ULL /* blocks get their disk space when used */
#define STORE_INCOMPAT_KNOWN 0ULL

struct store_head {
	uint64_t magic;
	uint32_t major;
	uint32_t minor;
	uint64_t compat;
	uint64_t incompat;
	uint8_t uuid[16];
	uint64_t size;		/* bytes of the file */
	uint64_t created_ns;	/* CLOCK_REALTIME */
	uint32_t block_shift;
	uint32_t nr_slots;
	uint64_t nr_blocks;
	uint64_t slots_off;
	uint64_t map_off;
	uint64_t data_off;
	uint64_t reserved[2];
	uint32_t reserved2;
	uint32_t crc;		/* CRC-32C of all before it */
	/* Not covered, may change, and 0 in the copy: */
	uint64_t quota;		/* bytes traces may take; 0: all there are */
	uint64_t reserved3[7];
};

#define LAYOUT_NAME 64

/*
 * A trace, or an object that traces share. state is 0 (free), or says that all
 * else here is good: LAYOUT_CRC, of created_ns, id, kind and the name; the
 * kind; and which of the two names it is.
 */
struct store_entry {
	uint64_t state;
	uint64_t committed;	/* bytes of chunks that
				 * count | COMMIT_ORDERED */
	uint64_t synced;	/* bytes that msync() has put on the media */
	uint64_t created_ns;	/* CLOCK_REALTIME */
	uint64_t id;		/* random; in the checksum of each chunk */
	uint64_t era;		/* how often a writer has begun anew, off DAX */
	uint64_t reserved[2];
	uint64_t ref[8];	/* 1 + slot of an object it uses, or 0 */
	char name[2][LAYOUT_NAME]; /* filled up with 0 */
};

#define LAYOUT_REFS 8

#define STATE_CRC(s)  ((uint32_t)(s))
#define STATE_KIND(s) ((uint8_t)((s) >> 32))
#define STATE_NAME(s) ((s) >> 40 & 1)
#define STATE_FINISHED (1ULL << 41)	/* nobody appends any more */

enum store_kind {
	STORE_TRACE = 1,
	STORE_DRAFT,	/* a trace in the making, nobody's
			 * once its writer died */
	STORE_SHARED,	/* freed when no trace and no draft refers to it */
};

/*
 * The word was written by one who flushes what it covers before it. Else (page
 * cache) power loss may have left the word without the bytes, and what lies
 * behind synced is good as far as checksums say so.
 */
#define COMMIT_ORDERED 1ULL
#define COMMIT_BYTES(word) ((word) & ~15ULL)

/*
 * map[]: 0, or 1 + slot of the owner and the how manieth of its blocks it is.
 */
#define MAP_WORD(slot, nth) ((uint64_t)(nth) << 32 | ((slot) + 1))
#define MAP_OWNER(word)	    ((uint32_t)(word)) /* 1 + slot */
#define MAP_NTH(word)	    ((uint32_t)((word) >> 32))

/*
 * The bytes of an entry are its blocks put together. They hold chunks, each at
 * a multiple of 16, each in blocks that are neighbours in the file, too.
 */
struct store_chunk {
	uint32_t type;
	uint32_t len;		/* of the payload, which is filled up to 16 */
	uint32_t flags;		/* and, above them, the era it was written in */
	uint32_t crc;		/* of id, position, this, and the payload */
};

/*
 * Behind synced, only chunks of the entry's era count: what a writer added and
 * never committed may have reached the media, and looks right.
 */
#define CHUNK_ERA_SHIFT 8
#define CHUNK_ERA(x)	((uint32_t)(x) << CHUNK_ERA_SHIFT)

#define CHUNK_PAD 1u	/* nothing; its payload is not in the checksum */
#define CHUNK_REF 2u	/* payload is struct store_ref: the chunk is there */

struct store_ref {
	uint64_t id;		/* of the shared object */
	uint32_t index;		/* in ref[] */
	uint32_t reserved;
};

_Static_assert(sizeof(struct store_head) == 192 &&
		       offsetof(struct store_head, crc) == 124 &&
		       offsetof(struct store_head, quota) == 128,
	       "a line each for what is fixed and what changes");
_Static_assert(sizeof(struct store_entry) == 256 &&
		       offsetof(struct store_entry, ref) == 64,
	       "an entry lies in one sector, whatever a disk calls that");
_Static_assert(sizeof(struct store_chunk) == 16 &&
		       sizeof(struct store_ref) == 16,
	       "chunks keep the alignment of their payload");

#endif
