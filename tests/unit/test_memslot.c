// SPDX-License-Identifier: GPL-2.0-only
/*
 * memslot, first on "info mtree -f" as QEMU 7.2 printed it, with the test's own
 * memory in QEMU's place, then on real QEMUs.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "buf.h"
#include "cleanup.h"
#include "fake_qmp.h"
#include "real_qemu.h"
#include "memfile.h"
#include "memslot.h"
#include "qmp.h"

#define MIB	   (1ull << 20)
#define GIB	   (1ull << 30)
#define TIMEOUT_MS VM_TIMEOUT_MS

/* A view that is not the CPUs' comes first, as it may. */
#define SMM_VIEW                                                               \
	"FlatView #0\r\n"                                                      \
	" AS \"cpu-smm-0\", root: memory\r\n"                                  \
	" Root memory region: memory\r\n"                                      \
	"  0000000000000000-00000000000bffff (prio 0, ram): wrong\r\n"         \
	"\r\n"
#define IO_VIEW                                                                \
	"FlatView #2\r\n"                                                      \
	" AS \"I/O\", root: io\r\n"                                            \
	" Root memory region: io\r\n"                                          \
	"  0000000000000070-0000000000000070 (prio 0, i/o): rtc-index\r\n"     \
	"\r\n"                                                                 \
	"FlatView #3\r\n"                                                      \
	" AS \"i440FX\", root: bus master container\r\n"                       \
	" Root memory region: (none)\r\n"                                      \
	"  No rendered FlatView\r\n"                                           \
	"\r\n"
#define CPU_VIEW                                                               \
	"FlatView #1\r\n"                                                      \
	" AS \"memory\", root: system\r\n"                                     \
	" AS \"cpu-memory-0\", root: system\r\n"                               \
	" Root memory region: system\r\n"

/* -machine pc -m 512 -S: firmware has not run. */
#define PC_512_STOPPED                                                         \
	"  0000000000000000-00000000000bffff (prio 0, ram): m0\r\n"            \
	"  00000000000c0000-00000000000dffff (prio 1, rom): pc.rom\r\n"        \
	"  00000000000e0000-00000000000fffff (prio 0, rom): pc.bios @0000000000020000\r\n" \
	"  0000000000100000-000000001fffffff (prio 0, ram): m0 @0000000000100000\r\n" \
	"  00000000fec00000-00000000fec00fff (prio 0, i/o): ioapic\r\n"        \
	"  00000000fed00000-00000000fed003ff (prio 0, i/o): hpet\r\n"          \
	"  00000000fee00000-00000000feefffff (prio 4096, i/o): apic-msi\r\n"   \
	"  00000000fffc0000-00000000ffffffff (prio 0, rom): pc.bios\r\n"       \
	"\r\n"

/* -machine pc -m 512 with the default devices, firmware done. */
#define PC_512_RUNNING                                                         \
	"  0000000000000000-000000000009ffff (prio 0, ram): m0\r\n"            \
	"  00000000000a0000-00000000000bffff (prio 1, i/o): vga-lowmem\r\n"    \
	"  00000000000c0000-00000000000cafff (prio 0, rom): m0 @00000000000c0000\r\n" \
	"  00000000000cb000-00000000000cdfff (prio 0, ram): m0 @00000000000cb000\r\n" \
	"  00000000000ce000-00000000000e7fff (prio 0, rom): m0 @00000000000ce000\r\n" \
	"  00000000000e8000-00000000000effff (prio 0, ram): m0 @00000000000e8000\r\n" \
	"  00000000000f0000-00000000000fffff (prio 0, rom): m0 @00000000000f0000\r\n" \
	"  0000000000100000-000000001fffffff (prio 0, ram): m0 @0000000000100000\r\n" \
	"  00000000fd000000-00000000fdffffff (prio 1, ram): vga.vram\r\n"      \
	"  00000000febc0000-00000000febdffff (prio 1, i/o): e1000-mmio\r\n"    \
	"  00000000febf0400-00000000febf041f (prio 0, i/o): vga ioports remapped\r\n" \
	"  00000000fffc0000-00000000ffffffff (prio 0, rom): pc.bios\r\n"       \
	"\r\n"

/* The same under KVM: each range names the accelerator that knows it. */
#define PC_512_KVM                                                             \
	"  0000000000000000-000000000009ffff (prio 0, ram): m0 KVM\r\n"        \
	"  00000000000a0000-00000000000bffff (prio 1, i/o): vga-lowmem\r\n"    \
	"  00000000000c0000-00000000000c3fff (prio 0, rom): m0 @00000000000c0000 KVM\r\n" \
	"  00000000000c4000-00000000000dffff (prio 1, rom): pc.rom @0000000000004000 KVM\r\n" \
	"  0000000000100000-000000001fffffff (prio 0, ram): m0 @0000000000100000 KVM\r\n" \
	"  00000000fd000000-00000000fdffffff (prio 1, ram): vga.vram KVM\r\n"  \
	"\r\n"

/* -machine pc -m 6G, with the object's path for a name as machines to 4.0. */
#define PC_6G                                                                  \
	"  0000000000000000-00000000000bffff (prio 0, ram): /objects/m0\r\n"   \
	"  0000000000100000-00000000bfffffff (prio 0, ram): /objects/m0 @0000000000100000\r\n" \
	"  0000000100000000-00000001bfffffff (prio 0, ram): /objects/m0 @00000000c0000000\r\n" \
	"\r\n"

/* -machine q35 -m 6G, two NUMA nodes, 2G in m0 and 4G in m1. */
#define Q35_NUMA                                                               \
	"  0000000000000000-00000000000bffff (prio 0, ram): m0\r\n"            \
	"  00000000000c0000-00000000000dffff (prio 1, rom): pc.rom\r\n"        \
	"  0000000000100000-000000007fffffff (prio 0, ram): m0 @0000000000100000\r\n" \
	"  00000000fffc0000-00000000ffffffff (prio 0, rom): pc.bios\r\n"       \
	"  0000000100000000-00000001ffffffff (prio 0, ram): m1\r\n"            \
	"\r\n"

/* -machine q35,nvdimm=on -m 512,slots=2,maxmem=4G, an NVDIMM, a DIMM, qxl. */
#define Q35_DIMM                                                               \
	"  0000000000000000-000000000009ffff (prio 0, ram): m0\r\n"            \
	"  0000000000100000-000000001fffffff (prio 0, ram): m0 @0000000000100000\r\n" \
	"  00000000f4000000-00000000f7ffffff (prio 1, ram): vga.vram\r\n"      \
	"  00000000f8000000-00000000fbffffff (prio 0, ram): qxl.vram\r\n"      \
	"  00000000fc094000-00000000fc095fff (prio 1, rom): qxl.vrom\r\n"      \
	"  0000000100000000-0000000103ffffff (prio 0, nv-ram): nv0\r\n"        \
	"  0000000104000000-000000010bffffff (prio 0, ram): m1\r\n"            \
	"\r\n"

/* Memory of this process that plays one of QEMU's memory backends. */
struct ram {
	const char *id;
	uint64_t len;
	int flags;		/* of mmap() */
	int fd;
	char *addr;
};

#define RAM(i, l, f) { .id = i, .len = l, .flags = f }

struct recorded {
	const char *mtree;
	struct ram ram[2];
	/* gpa to backend, for gpa2hva; only the first of each is asked for. */
	uint64_t gpa[2];
};

static void ram_create(struct ram *r)
{
	r->fd = -1;
	if (!(r->flags & MAP_ANONYMOUS)) {
		r->fd = memfd_create(r->id, MFD_CLOEXEC);
		assert_int_equal(ftruncate(r->fd, r->len), 0);
	}
	r->addr = mmap(NULL, r->len, PROT_READ | PROT_WRITE,
		       r->flags | MAP_NORESERVE, r->fd, 0);
	assert_true(r->addr != MAP_FAILED);
}

static json_t *answer(const struct recorded *c, const char *line)
{
	char text[128];
	uint64_t gpa;

	if (!strcmp(line, "info mtree -f"))
		return json_string(c->mtree);
	if (sscanf(line, "gpa2hva %" SCNx64, &gpa) == 1) {
		for (int i = 0; i < 2; i++) {
			const struct ram *r = &c->ram[i];

			if (!r->id || gpa != c->gpa[i])
				continue;
			snprintf(text, sizeof(text),
				 "Host virtual address for 0x%" PRIx64
				 " (%s) is %p\r\n",
				 gpa, r->id, r->addr);
			return json_string(text);
		}
		return json_string("No memory is mapped at address\r\n");
	}
	return json_string("unknown command\r\n");
}

static void serve_recorded(int fd, void *arg)
{
	const struct recorded *c = arg;
	json_t *req;

	fake_greet(fd);
	while ((req = fake_request(fd))) {
		const char *line = "";

		if (!strcmp(json_string_value(json_object_get(req, "execute")),
			    "query-memdev")) {
			json_t *list = json_array();

			for (int i = 0; i < 2; i++)
				if (c->ram[i].id)
					json_array_append_new(
						list,
						json_pack("{s:s}", "id",
							  c->ram[i].id));
			fake_return(fd, req, list);
			continue;
		}
		json_unpack(req, "{s:{s:s}}", "arguments", "command-line",
			    &line);
		fake_return(fd, req, answer(c, line));
	}
}

typedef int (*slots_fn)(struct memslots *ms, struct qmp *q,
			struct xf_err *err);

static int ask_recorded(struct recorded *c, slots_fn ask, struct memslots *ms,
			struct xf_err *err)
{
	_cleanup_(qmp_close) struct qmp q = QMP_INIT;
	struct fake_qmp f;
	int rc;

	for (int i = 0; i < 2; i++)
		if (c->ram[i].id)
			ram_create(&c->ram[i]);
	fake_qmp_start(&f, serve_recorded, c);
	assert_int_equal(qmp_open(&q, f.path, TIMEOUT_MS, err), 0);
	rc = ask(ms, &q, err);
	qmp_close(&q);
	fake_qmp_stop(&f);
	return rc;
}

static int from_recorded(struct recorded *c, struct memslots *ms,
			 struct xf_err *err)
{
	return ask_recorded(c, memslots_from_qmp, ms, err);
}

static void forget(struct recorded *c)
{
	for (int i = 0; i < 2; i++) {
		if (!c->ram[i].id)
			continue;
		munmap(c->ram[i].addr, c->ram[i].len);
		if (c->ram[i].fd >= 0)
			close(c->ram[i].fd);
	}
}

/* Private memory and a device's are places, too; what has moved is none. */
static void test_places(void **state)
{
	struct recorded c = {
		.mtree = CPU_VIEW Q35_DIMM,
		.ram = { RAM("m0", 512 * MIB, MAP_PRIVATE | MAP_ANONYMOUS),
			 RAM("vga.vram", 64 * MIB, MAP_SHARED) },
		.gpa = { 0, 0xf4000000 },
	};
	_cleanup_(memslots_deinit) struct memslots ms = MEMSLOTS_INIT;
	struct xf_err err;

	assert_int_equal(ask_recorded(&c, memslots_places_from_qmp, &ms, &err),
			 0);
	assert_int_equal(ms.nr, 3);
	assert_int_equal(ms.nr_files, 0);
	assert_int_equal(ms.slot[1].gpa, MIB);
	assert_true(ms.slot[1].hva == (uintptr_t)c.ram[0].addr + MIB);
	assert_int_equal(ms.slot[2].gpa, 0xf4000000);
	assert_int_equal(ms.slot[2].len, 64 * MIB);
	assert_true(ms.slot[2].hva == (uintptr_t)c.ram[1].addr);
	assert_true(ms.slot[2].ram_addr == MEMSLOT_NO_RAM_ADDR);
	forget(&c);
}

static void test_recorded(void **state)
{
	static struct {
		struct recorded c;
		struct memslot want[4];
	} cases[] = {
		{ { .mtree = SMM_VIEW CPU_VIEW PC_512_STOPPED IO_VIEW,
		    .ram = { RAM("m0", 512 * MIB, MAP_SHARED) } },
		  { { 0, 0xc0000, 0, 0, 0, 0 },
		    { MIB, 511 * MIB, MIB, 0, 0, 0 } } },
		{ { .mtree = IO_VIEW CPU_VIEW PC_512_RUNNING,
		    .ram = { RAM("m0", 512 * MIB, MAP_SHARED) } },
		  { { 0, 0xa0000, 0, 0, 0, 0 },
		    { 0xc0000, 512 * MIB - 0xc0000, 0xc0000, 0, 0, 0 } } },
		{ { .mtree = IO_VIEW CPU_VIEW PC_512_KVM SMM_VIEW,
		    .ram = { RAM("m0", 512 * MIB, MAP_SHARED) } },
		  { { 0, 0xa0000, 0, 0, 0, 0 },
		    { 0xc0000, 0x4000, 0xc0000, 0, 0, 0 },
		    { MIB, 511 * MIB, MIB, 0, 0, 0 } } },
		{ { .mtree = CPU_VIEW PC_6G IO_VIEW,
		    .ram = { RAM("m0", 6 * GIB, MAP_SHARED) } },
		  { { 0, 0xc0000, 0, 0, 0, 0 },
		    { MIB, 3 * GIB - MIB, MIB, 0, 0, 0 },
		    { 4 * GIB, 3 * GIB, 3 * GIB, 0, 0, 0 } } },
		{ { .mtree = SMM_VIEW CPU_VIEW Q35_NUMA IO_VIEW,
		    .ram = { RAM("m0", 2 * GIB, MAP_SHARED),
			     RAM("m1", 4 * GIB, MAP_SHARED) },
		    .gpa = { 0, 4 * GIB } },
		  { { 0, 0xc0000, 0, 0, 0, 0 },
		    { MIB, 2 * GIB - MIB, MIB, 0, 0, 0 },
		    { 4 * GIB, 4 * GIB, 0, 1, 0, 0 } } },
		{ { .mtree = CPU_VIEW Q35_DIMM,
		    .ram = { RAM("m0", 512 * MIB, MAP_SHARED),
			     RAM("m1", 128 * MIB, MAP_SHARED) },
		    .gpa = { 0, 0x104000000 } },
		  { { 0, 0xa0000, 0, 0, 0, 0 },
		    { MIB, 511 * MIB, MIB, 0, 0, 0 },
		    { 0x104000000, 128 * MIB, 0, 1, 0, 0 } } },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_(memslots_deinit) struct memslots ms = MEMSLOTS_INIT;
		_cleanup_(memfile_close) struct memfile mf = MEMFILE_INIT;
		struct recorded *c = &cases[i].c;
		struct xf_err err = { 0 };
		size_t n = 0;
		char b;

		if (from_recorded(c, &ms, &err))
			fail_msg("case %zu: %s", i, err.msg);
		assert_int_equal(ms.pid, getpid());
		assert_int_equal(ms.uid, getuid());
		assert_false(ms.guessed);
		for (; n < ARRAY_SIZE(cases[i].want); n++) {
			const struct memslot *want = &cases[i].want[n];
			const struct memslot *s = &ms.slot[n];

			if (!want->len)
				break;
			assert_true(n < ms.nr);
			assert_int_equal(s->gpa, want->gpa);
			assert_int_equal(s->len, want->len);
			assert_int_equal(s->off, want->off);
			assert_int_equal(s->file, want->file);
			c->ram[s->file].addr[s->off] = 'a' + n;
		}
		assert_int_equal(ms.nr, n);
		assert_int_equal(memfile_open(&mf, &ms, 0, &err), 0);
		for (n = 0; n < ms.nr; n++) {
			assert_int_equal(memfile_read(&mf, ms.slot[n].gpa, &b,
						      1, &err),
					 0);
			assert_int_equal(b, 'a' + n);
		}
		forget(c);
	}
}

/* What QEMU would never say, and RAM that cannot be shared. */
static void test_recorded_bad(void **state)
{
	static struct {
		struct recorded c;
		int rc;		/* 0: depends on what lies behind */
		const char *says;
	} cases[] = {
		{ { .mtree = CPU_VIEW PC_512_RUNNING,
		    .ram = { RAM("m0", 512 * MIB, MAP_PRIVATE) } },
		  -ENOTSUP, "share=on" },
		{ { .mtree = CPU_VIEW PC_512_RUNNING,
		    .ram = { RAM("m0", 512 * MIB,
				 MAP_PRIVATE | MAP_ANONYMOUS) } },
		  -ENOTSUP, "share=on" },
		{ { .mtree = "", .ram = { RAM("m0", MIB, MAP_SHARED) } },
		  -EPROTO, "where" },
		{ { .mtree = SMM_VIEW, .ram = { RAM("m0", MIB, MAP_SHARED) } },
		  -EPROTO, "where" },
		{ { .mtree = IO_VIEW, .ram = { RAM("m0", MIB, MAP_SHARED) } },
		  -EPROTO, "where" },
		{ { .mtree = CPU_VIEW
		    "  0000000000000000-ffffffffffffffff (prio 0, i/o): system"
		    "\r\n",
		    .ram = { RAM("m0", MIB, MAP_SHARED) } },
		  -EPROTO, "where" },
		/* Longer than what is mapped. */
		{ { .mtree = CPU_VIEW PC_512_RUNNING,
		    .ram = { RAM("m0", MIB, MAP_SHARED) } },
		  0, NULL },
		/* Not in pages, overlapping, backwards. */
		{ { .mtree = CPU_VIEW
		    "  0000000000000000-0000000000000fff (prio 0, ram): m0\r\n"
		    "  0000000000001000-0000000000001ffe (prio 0, ram): m0 "
		    "@0000000000001000\r\n",
		    .ram = { RAM("m0", MIB, MAP_SHARED) } },
		  -EPROTO, "cannot be" },
		{ { .mtree = CPU_VIEW
		    "  0000000000000000-0000000000001fff (prio 0, ram): m0\r\n"
		    "  0000000000001000-0000000000001fff (prio 0, ram): m0\r\n",
		    .ram = { RAM("m0", MIB, MAP_SHARED) } },
		  -EPROTO, "cannot be" },
		{ { .mtree = CPU_VIEW
		    "  0000000000000000-0000000000001fff (prio 0, ram): m0\r\n"
		    "  0000000000003000-0000000000002fff (prio 0, ram): m0\r\n"
		    "  0000000000003000-0000000000001fff (prio 0, ram): m0\r\n",
		    .ram = { RAM("m0", MIB, MAP_SHARED) } },
		  -EPROTO, "cannot be" },
		/* gpa2hva knows nothing. */
		{ { .mtree = CPU_VIEW
		    "  0000000000001000-0000000000001fff (prio 0, ram): m0\r\n",
		    .ram = { RAM("m0", MIB, MAP_SHARED) } },
		  -EPROTO, "gpa2hva" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_(memslots_deinit) struct memslots ms = MEMSLOTS_INIT;
		struct xf_err err = { 0 };
		int rc;

		rc = from_recorded(&cases[i].c, &ms, &err);
		assert_true(rc < 0);
		if (cases[i].rc)
			assert_int_equal(rc, cases[i].rc);
		if (cases[i].says && !strstr(err.msg, cases[i].says))
			fail_msg("case %zu: %s", i, err.msg);
		assert_int_equal(ms.nr, 0);
		forget(&cases[i].c);
	}
}

/* Bytes changed at random: any answer will do. */
static void test_recorded_noise(void **state)
{
	static const char text[] = SMM_VIEW CPU_VIEW PC_512_RUNNING IO_VIEW;
	unsigned int good = 0;

	srandom(3);
	for (int i = 0; i < 300; i++) {
		_cleanup_(memslots_deinit) struct memslots ms = MEMSLOTS_INIT;
		_cleanup_(memfile_close) struct memfile mf = MEMFILE_INIT;
		char bad[sizeof(text)];
		struct recorded c = {
			.mtree = bad,
			.ram = { RAM("m0", 512 * MIB, MAP_SHARED) },
		};
		struct xf_err err = { 0 };

		strcpy(bad, text);
		for (int n = random() % 4; n >= 0; n--)
			bad[random() % (sizeof(text) - 1)] =
				"0f9 -@:()\r\nmKF"[random() % 15];
		if (!from_recorded(&c, &ms, &err))
			good += !memfile_open(&mf, &ms, 0, &err);
		forget(&c);
	}
	assert_true(good > 0);
}

static void test_from_file(void **state)
{
	static const struct {
		uint64_t size, lowmem;
		struct memslot want[2];
	} cases[] = {
		{ 512 * MIB, 0, { { 0, 512 * MIB, 0, 0, 0, 0 } } },
		{ 6 * GIB,
		  0,
		  { { 0, 2 * GIB, 0, 0, 0, 0 }, { 4 * GIB, 4 * GIB, 2 * GIB, 0, 0, 0 } } },
		{ 6 * GIB,
		  MEMSLOT_LOWMEM_PC,
		  { { 0, 3 * GIB, 0, 0, 0, 0 }, { 4 * GIB, 3 * GIB, 3 * GIB, 0, 0, 0 } } },
		{ 3 * GIB, MEMSLOT_LOWMEM_PC, { { 0, 3 * GIB, 0, 0, 0, 0 } } },
	};
	char path[] = "/tmp/xftrace-test-XXXXXX", link[64];
	struct memslots ms = MEMSLOTS_INIT;
	struct xf_err err = { 0 };
	int fd = mkstemp(path);

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		assert_int_equal(ftruncate(fd, cases[i].size), 0);
		assert_int_equal(memslots_from_file(&ms, path, cases[i].lowmem,
						    &err),
				 0);
		assert_true(ms.guessed);
		assert_int_equal(ms.pid, 0);
		assert_int_equal(ms.nr, 1 + !!cases[i].want[1].len);
		for (size_t n = 0; n < ms.nr; n++) {
			assert_int_equal(ms.slot[n].gpa, cases[i].want[n].gpa);
			assert_int_equal(ms.slot[n].len, cases[i].want[n].len);
			assert_int_equal(ms.slot[n].off, cases[i].want[n].off);
		}
		memslots_deinit(&ms);
	}
	assert_int_equal(memslots_from_file(&ms, path, 5 * GIB, &err), -EINVAL);
	assert_int_equal(memslots_from_file(&ms, path, 100, &err), -EINVAL);
	assert_int_equal(ftruncate(fd, 10000), 0);
	assert_int_equal(memslots_from_file(&ms, path, 0, &err), -EINVAL);
	assert_int_equal(ftruncate(fd, 0), 0);
	assert_int_equal(memslots_from_file(&ms, path, 0, &err), -EINVAL);
	assert_int_equal(ftruncate(fd, MIB), 0);
	snprintf(link, sizeof(link), "%s.link", path);
	assert_int_equal(symlink(path, link), 0);
	assert_int_equal(memslots_from_file(&ms, link, 0, &err), -ELOOP);
	unlink(link);
	/* Must not wait for a writer. */
	assert_int_equal(mkfifo(link, 0600), 0);
	assert_int_equal(memslots_from_file(&ms, link, 0, &err), -EINVAL);
	unlink(link);
	unlink(path);
	close(fd);
	assert_int_equal(memslots_from_file(&ms, path, 0, &err), -ENOENT);
	assert_int_equal(memslots_from_file(&ms, "/tmp", 0, &err), -EINVAL);
	memslots_deinit(&ms);
}

static void assert_qmp_paths(pid_t pid, const char *const *want)
{
	struct xf_err err = { 0 };
	size_t i;

	for (i = 0; want[i]; i++) {
		_cleanup_free_ char *path = NULL;
		char cwd[64];

		assert_int_equal(qemu_find_qmp(pid, i, &path, &err), 0);
		if (*want[i] == '/') {
			assert_string_equal(path, want[i]);
			continue;
		}
		snprintf(cwd, sizeof(cwd), "/proc/%d/cwd/%s", (int)pid,
			 want[i]);
		assert_string_equal(path, cwd);
	}
	for (; i < 3; i++) {
		char *path = NULL;

		assert_int_equal(qemu_find_qmp(pid, i, &path, &err), -ENOENT);
		assert_null(path);
	}
}

static void test_find_qmp(void **state)
{
	/* sleep is given what QEMU would be, behind what it understands. */
	static const struct {
		const char *argv[12];
		const char *want[4];
	} cases[] = {
		{ { "-m", "512" }, { NULL } },
		{ { "-qmp", "unix:/run/a,server=on,wait=off" }, { "/run/a" } },
		{ { "--qmp", "unix:a,,b/c,server" }, { "a,b/c" } },
		{ { "-qmp", "tcp:localhost:4444" }, { NULL } },
		{ { "-qmp", "stdio", "-qmp-pretty", "unix:/p" }, { "/p" } },
		{ { "-mon", "chardev=c1,mode=control", "-chardev",
		    "socket,path=/x,id=c0", "-chardev",
		    "socket,id=c1,path=/y,server=on,wait=off" },
		  { "/y" } },
		{ { "-chardev", "socket,id=c1,path=/y", "-mon",
		    "c1,mode=control,pretty=on", "-qmp", "unix:/z" },
		  { "/z", "/y" } },
		{ { "-chardev", "socket,id=c1,path=/y", "-mon",
		    "chardev=c1,mode=readline", "-mon", "chardev=c2" },
		  { NULL } },
		{ { "-chardev", "socket,id=c1,fd=3,server=on", "-mon",
		    "chardev=c1,mode=control" },
		  { NULL } },
		{ { "-chardev", "pty,id=c1,path=/y", "-qmp", "chardev:c1" },
		  { NULL } },
		{ { "-chardev", "socket,id=c1,path=/y", "-qmp", "chardev:c1" },
		  { "/y" } },
		{ { "-name", "-qmp", "-qmp" }, { NULL } },
	};
	struct xf_err err = { 0 };
	char *path;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char *argv[16] = { "sh", "-c", "read x; read y", "vm" };
		pid_t pid;
		int in[2];

		assert_int_equal(pipe2(in, O_CLOEXEC), 0);
		for (size_t n = 0; cases[i].argv[n]; n++)
			argv[4 + n] = (char *)cases[i].argv[n];
		pid = fork();
		if (!pid) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			dup2(in[0], 0);
			execvp(argv[0], argv);
			_exit(127);
		}
		/* exec() is done when the pipe's first line is taken. */
		assert_int_equal(write(in[1], "\n", 1), 1);
		for (int n = 1; n;) {
			poll(NULL, 0, 2);
			assert_int_equal(ioctl(in[0], FIONREAD, &n), 0);
		}
		assert_qmp_paths(pid, cases[i].want);
		stop(pid);
		close(in[0]);
		close(in[1]);
	}
	assert_int_equal(qemu_find_qmp(INT32_MAX, 0, &path, &err), -ENOENT);
}

/*
 * Real QEMUs. Each is given words in its RAM through its own loader device,
 * and we read them where they must be.
 */
static uint64_t word_at(uint64_t gpa)
{
	return gpa * 0x9e3779b97f4a7c15ull ^ 0x7866747261636500ull;
}

static bool has_words(const struct memfile *mf, const uint64_t *gpa)
{
	for (; *gpa; gpa++) {
		uint64_t word;

		if (memfile_read_u64(mf, *gpa, &word, NULL) ||
		    word != word_at(*gpa))
			return false;
	}
	return true;
}

/* @args plus a loader for each of the addresses; freed with free(). */
static const char **with_words(const char *const *args, const uint64_t *gpa,
			       char (*text)[96])
{
	const char **all = calloc(VM_MAX_ARGS, sizeof(*all));
	size_t n = 0;

	while (*args)
		all[n++] = *args++;
	for (; *gpa; gpa++, text++) {
		snprintf(*text, sizeof(*text),
			 "loader,addr=0x%" PRIx64 ",data=0x%" PRIx64
			 ",data-len=8",
			 *gpa, word_at(*gpa));
		all[n++] = "-device";
		all[n++] = *text;
	}
	return all;
}

/* QEMU sees at @gpa what we write there. */
static void assert_written(struct qmp *q, struct memfile *mf, uint64_t gpa)
{
	_cleanup_(buf_deinit) struct buf text = BUF_INIT;
	struct xf_err err = { 0 };
	char line[64], want[32];
	uint64_t *word;
	void *box;

	if (memfile_map_writable(mf, gpa, 8, &box, &err))
		fail_msg("%s", err.msg);
	word = box;
	*word = ~word_at(gpa);
	snprintf(line, sizeof(line), "xp /1gx 0x%" PRIx64, gpa);
	snprintf(want, sizeof(want), "0x%016" PRIx64, *word);
	assert_int_equal(qmp_hmp(q, line, &text, &err), 0);
	assert_non_null(strstr(text.data, want));
	*word = word_at(gpa);
}

static void test_qemu(void **state)
{
	static const struct {
		const char *args[16];
		uint64_t gpa[8];
		size_t files;
	} cases[] = {
		{ { "-machine", "pc,memory-backend=m0", "-m", "512", "-object",
		    "memory-backend-memfd,id=m0,size=512M,share=on" },
		  { 0x1000, 0x9f000, 0x100000, 0x1ffffff8 },
		  1 },
		{ { "-machine", "q35,memory-backend=m0", "-nodefaults", "-m",
		    "512", "-object",
		    "memory-backend-file,id=m0,size=512M,share=on,"
		    "mem-path=%d/ram" },
		  { 0x1000, 0x100000, 0x1ffffff8 },
		  1 },
		{ { "-machine", "pc,memory-backend=m0", "-m", "6G", "-object",
		    "memory-backend-file,id=m0,size=6G,share=on,"
		    "mem-path=%d/ram" },
		  { 0x1000, 0xbffffff8, 0x100000000, 0x1bffffff8 },
		  1 },
		{ { "-machine", "q35,memory-backend=m0", "-m", "6G", "-object",
		    "memory-backend-memfd,id=m0,size=6G,share=on" },
		  { 0x1000, 0x7ffffff8, 0x100000000, 0x1fffffff8 },
		  1 },
		{ { "-machine", "q35", "-smp", "2", "-m", "6G", "-object",
		    "memory-backend-file,id=m0,size=1G,share=on,"
		    "mem-path=%d/ram",
		    "-object", "memory-backend-memfd,id=m1,size=5G,share=on",
		    "-numa", "node,memdev=m0", "-numa", "node,memdev=m1" },
		  { 0x1000, 0x3ffffff8, 0x40000000, 0x7ffffff8, 0x100000000,
		    0x1fffffff8 },
		  2 },
		/* A folder as the path: QEMU unlinks its file at once. */
		{ { "-machine", "pc,memory-backend=m0", "-m", "512", "-object",
		    "memory-backend-file,id=m0,size=512M,share=on,mem-path=%d" },
		  { 0x1000, 0x1ffffff8 },
		  1 },
		{ { "-machine", "q35,memory-backend=m0", "-m",
		    "512,slots=2,maxmem=4G", "-object",
		    "memory-backend-memfd,id=m0,size=512M,share=on", "-object",
		    "memory-backend-memfd,id=d0,size=128M,share=on", "-device",
		    "pc-dimm,memdev=d0" },
		  { 0x1000, 0x1ffffff8, 0x100000000, 0x107fffff8 },
		  2 },
	};

	if (!have_qemu())
		skip();
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_(memslots_deinit) struct memslots ms = MEMSLOTS_INIT;
		_cleanup_(memfile_close) struct memfile mf = MEMFILE_INIT;
		_cleanup_(qmp_close) struct qmp q = QMP_INIT;
		char text[ARRAY_SIZE(cases[0].gpa)][96];
		struct xf_err err = { 0 };
		const char **args = with_words(cases[i].args, cases[i].gpa,
					       text);
		struct vm vm;
		pid_t pid;

		vm_start(&vm, args, true);
		vm_connect(&vm, &q);
		assert_int_equal(qmp_peer_pid(&q, &pid, &err), 0);
		assert_int_equal(pid, vm.pid);
		if (memslots_from_qmp(&ms, &q, &err) ||
		    memfile_open(&mf, &ms, 0, &err))
			fail_msg("case %zu: %s", i, err.msg);
		assert_int_equal(ms.nr_files, cases[i].files);
		assert_false(mf.open_ram);
		assert_true(has_words(&mf, cases[i].gpa));
		for (const uint64_t *gpa = cases[i].gpa; *gpa; gpa++)
			assert_written(&q, &mf, *gpa);
		qmp_close(&q);

		/* The same through the command line. */
		memslots_deinit(&ms);
		assert_int_equal(memslots_from_pid(&ms, vm.pid, TIMEOUT_MS,
						   &err),
				 0);
		assert_false(ms.guessed);
		vm_stop(&vm);

		/* QEMU and its file are gone; what we hold is not. */
		assert_true(has_words(&mf, cases[i].gpa));
		assert_int_equal(memfile_check(&mf, &err), 0);
		memfile_close(&mf);
		assert_int_equal(memfile_open(&mf, &ms, 0, &err), 0);
		assert_true(has_words(&mf, cases[i].gpa));
		free(args);
	}
}

/* Wait until a QEMU without QMP has set its machine up. */
static bool guess(struct vm *vm, struct memslots *ms, struct memfile *mf,
		  const uint64_t *gpa, struct xf_err *err)
{
	for (int i = 0; i < TIMEOUT_MS / 20; i++) {
		poll(NULL, 0, 20);
		if (memslots_from_pid(ms, vm->pid, TIMEOUT_MS, err))
			continue;
		if (!memfile_open(mf, ms, 0, err) && has_words(mf, gpa))
			return true;
		memfile_close(mf);
		memslots_deinit(ms);
	}
	return false;
}

static void test_qemu_guess(void **state)
{
	static const struct {
		const char *args[10];
		uint64_t gpa[6];
	} cases[] = {
		{ { "-machine", "pc,memory-backend=m0", "-m", "size=6G",
		    "-object", "memory-backend-memfd,id=m0,size=6G,share=on" },
		  { 0x1000, 0xbffffff8, 0x100000000, 0x1bffffff8 } },
		{ { "-machine", "pc,memory-backend=m0", "-m", "3583M",
		    "-object",
		    "memory-backend-memfd,id=m0,size=3583M,share=on" },
		  { 0x1000, 0xdfeffff8 } },
		{ { "-machine", "pc,memory-backend=m0", "-m", "3584",
		    "-object",
		    "memory-backend-memfd,id=m0,size=3584M,share=on" },
		  { 0x1000, 0xbffffff8, 0x100000000, 0x11ffffff8 } },
		{ { "-M", "q35,memory-backend=m0", "-m", "2815M", "-object",
		    "memory-backend-memfd,id=m0,size=2815M,share=on" },
		  { 0x1000, 0xafeffff8 } },
		{ { "-M", "q35,memory-backend=m0", "-m", "2816M", "-object",
		    "memory-backend-file,id=m0,size=2816M,share=on,"
		    "mem-path=%d/ram" },
		  { 0x1000, 0x7ffffff8, 0x100000000, 0x12ffffff8 } },
	};

	if (!have_qemu())
		skip();
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_(memslots_deinit) struct memslots ms = MEMSLOTS_INIT;
		_cleanup_(memfile_close) struct memfile mf = MEMFILE_INIT;
		char text[ARRAY_SIZE(cases[0].gpa)][96];
		struct xf_err err = { 0 };
		const char **args = with_words(cases[i].args, cases[i].gpa,
					       text);
		struct vm vm;

		vm_start(&vm, args, false);
		if (!guess(&vm, &ms, &mf, cases[i].gpa, &err))
			fail_msg("case %zu: %s", i, err.msg);
		assert_true(ms.guessed);
		assert_true(mf.guessed);
		vm_stop(&vm);
		free(args);
	}
}

static void test_qemu_private(void **state)
{
	static const char *const cases[][8] = {
		{ "-m", "256" },
		{ "-m", "256", "-machine", "pc,memory-backend=m0", "-object",
		  "memory-backend-file,id=m0,size=256M,mem-path=%d/ram" },
	};

	if (!have_qemu())
		skip();
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_(memslots_deinit) struct memslots ms = MEMSLOTS_INIT;
		_cleanup_(qmp_close) struct qmp q = QMP_INIT;
		struct xf_err err = { 0 };
		struct vm vm;

		vm_start(&vm, cases[i], true);
		vm_connect(&vm, &q);
		assert_int_equal(memslots_from_qmp(&ms, &q, &err), -ENOTSUP);
		assert_non_null(strstr(err.msg, "share=on"));
		/* As long as we hold the socket, nobody else gets an answer. */
		assert_int_equal(memslots_from_pid(&ms, vm.pid, 200, &err),
				 -EBUSY);
		vm_stop(&vm);
	}
}

/* Shared memory without any name: reachable for root only. */
static void test_qemu_nameless(void **state)
{
	static const char *const args[] = {
		"-machine", "pc,memory-backend=m0", "-m", "256", "-object",
		"memory-backend-ram,id=m0,size=256M,share=on", NULL
	};
	_cleanup_(memslots_deinit) struct memslots ms = MEMSLOTS_INIT;
	_cleanup_(memfile_close) struct memfile mf = MEMFILE_INIT;
	_cleanup_(qmp_close) struct qmp q = QMP_INIT;
	struct xf_err err = { 0 };
	struct vm vm;
	int rc;

	if (!have_qemu())
		skip();
	vm_start(&vm, args, true);
	vm_connect(&vm, &q);
	rc = memslots_from_qmp(&ms, &q, &err);
	if (geteuid())
		assert_int_equal(rc, -EACCES);
	else if (rc || memfile_open(&mf, &ms, 0, &err))
		fail_msg("%s", err.msg);
	else
		assert_written(&q, &mf, 0x100000);
	vm_stop(&vm);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_recorded),
		cmocka_unit_test(test_places),
		cmocka_unit_test(test_recorded_bad),
		cmocka_unit_test(test_recorded_noise),
		cmocka_unit_test(test_from_file),
		cmocka_unit_test(test_find_qmp),
		cmocka_unit_test(test_qemu),
		cmocka_unit_test(test_qemu_guess),
		cmocka_unit_test(test_qemu_private),
		cmocka_unit_test(test_qemu_nameless),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
