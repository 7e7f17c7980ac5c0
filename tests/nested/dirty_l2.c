// SPDX-License-Identifier: GPL-2.0-only
/*
 * dirty_l2 QMP CONSOLE [DEST-RAM] -- are a guest's dirty pages the true ones?
 *
 * The guest of QEMU at the socket QMP runs 'known', whose words are in CONSOLE.
 * Its RAM is compared before and after, while it stands still. Meanwhile QEMU
 * itself measures how fast the guest dirties memory and, with DEST-RAM,
 * migrates it to where unix:/tmp/migration leads, which must be the same RAM in
 * the end.
 */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <fcntl.h>
#include <time.h>
#include <unistd.h>

#include "dirty.h"
#include "memslot.h"
#include "qmp.h"

#define PAGE	  4096
#define MAX_PAGES (1u << 17)
#define LIMIT_S	  120

static struct qmp q = QMP_INIT;
static struct memslots ms = MEMSLOTS_INIT;
static struct dirty d = DIRTY_INIT;
static uint8_t reported[MAX_PAGES], known[MAX_PAGES];
static uint64_t nr_records, strays;

static void result(bool ok, const char *name)
{
	printf("%sok L2, %s: %s\n", ok ? "" : "not ", d.name, name);
	fflush(stdout);
}

static void must(int rc, const char *what, const struct xf_err *err)
{
	if (rc >= 0)
		return;
	printf("not ok L2: %s: %s\n", what, err->msg);
	exit(1);
}

static json_t *ask(const char *command, json_t *args)
{
	struct xf_err err = { 0 };
	json_t *value = NULL;

	must(qmp_command(&q, command, args, &value, &err), command, &err);
	return value;
}

static void drain(void)
{
	struct xftd_record r[256];
	size_t n;

	for (uint32_t cpu = 0; cpu < d.nr_vcpus; cpu++) {
		while ((n = dirty_read(&d, cpu, r, 256)) > 0) {
			nr_records += n;
			for (size_t i = 0; i < n; i++) {
				if (r[i].addr / PAGE < MAX_PAGES)
					reported[r[i].addr / PAGE] = 1;
				else
					strays++;
			}
		}
	}
}

/* Drain until @command answers with the status @wanted, or @bad. */
static bool until_status(const char *command, const char *wanted, const char *bad)
{
	for (;;) {
		json_t *v = ask(command, NULL);
		const char *s = json_string_value(json_object_get(v, "status"));
		bool done = s && (!strcmp(s, wanted) || !strcmp(s, bad));
		bool ok = done && !strcmp(s, wanted);

		if (done) {
			char *text = json_dumps(v, JSON_COMPACT);

			printf("# %s: %s\n", command, text);
			free(text);
		}
		json_decref(v);
		drain();
		if (done)
			return ok;
		nanosleep(&(struct timespec){ .tv_nsec = 100000000 }, NULL);
	}
}

static uint8_t *ram_map(int fd, size_t len)
{
	void *p = mmap(NULL, len, PROT_READ, MAP_SHARED, fd, 0);

	if (p == MAP_FAILED) {
		printf("not ok L2: RAM is mapped: %s\n", strerror(errno));
		exit(1);
	}
	return p;
}

static void read_known(const char *console)
{
	FILE *f = fopen(console, "re");
	uint64_t gpa, nr = 0;
	char line[256];

	while (f && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "known %" SCNx64, &gpa) == 1 &&
		    gpa / PAGE < MAX_PAGES) {
			known[gpa / PAGE] = 1;
			nr++;
		}
	}
	result(nr == 200, "the guest tells its pages");
}

static void compare(const uint8_t *before, const uint8_t *after, size_t len)
{
	uint64_t changed = 0, missed = 0, more = 0, unknown = 0;

	for (size_t page = 0; page < len / PAGE; page++) {
		bool differs = memcmp(before + page * PAGE, after + page * PAGE,
				      PAGE);

		changed += differs;
		if (differs && !reported[page]) {
			printf("# changed and not reported: %zx\n", page * PAGE);
			missed++;
		}
		more += reported[page] && !differs;
		unknown += known[page] && !reported[page];
	}
	printf("# %" PRIu64 " reports, %" PRIu64 " lost; %" PRIu64
	       " pages changed, %" PRIu64 " reported as well\n", nr_records,
	       dirty_lost(&d), changed, more);
	result(changed >= 200, "pages changed");
	result(!missed, "every page that changed is reported");
	result(!unknown, "every page that is known to be written is reported");
	result(!strays && !dirty_lost(&d), "nothing is lost, nothing senseless");
	result(more <= changed, "few pages are reported that look the same");
}

/*
 * Pages that differ. The one that has only a line of 64 bytes that does may be
 * the clock's (kvmclock), which KVM writes anew where the guest arrives.
 */
static uint64_t differing(const uint8_t *a, const uint8_t *b, size_t len)
{
	uint64_t nr = 0, nr_clocks = 0;

	for (size_t off = 0; off < len; off += PAGE) {
		size_t lines = 0;

		for (size_t at = off; at < off + PAGE; at += 64)
			lines += memcmp(a + at, b + at, 64) != 0;
		nr_clocks += lines == 1;
		nr += lines > 1;
	}
	return nr_clocks > 1 ? nr + nr_clocks : nr;
}

static void migrate(const uint8_t *ram, size_t len, const char *dest)
{
	int fd = open(dest, O_RDONLY | O_CLOEXEC);
	const uint8_t *there;
	uint64_t nr = 1;

	json_decref(ask("migrate-set-parameters",
			json_pack("{s:I, s:I}", "max-bandwidth",
				  (json_int_t)1 << 40, "downtime-limit",
				  (json_int_t)1000)));
	json_decref(ask("migrate", json_pack("{s:s}", "uri",
					     "unix:/tmp/migration")));
	result(until_status("query-migrate", "completed", "failed"),
	       "QEMU migrates");
	there = ram_map(fd, len);
	/* It was sent; soon it will have arrived. */
	for (int i = 0; nr && i < 50; i++) {
		nanosleep(&(struct timespec){ .tv_nsec = 100000000 }, NULL);
		nr = differing(ram, there, len);
	}
	printf("# pages that differ after it: %" PRIu64 "\n", nr);
	result(!nr, "it migrates every page");
}

/* The guest writes one page after the other: wait until it has been round. */
static void await_known(const uint8_t *before, const uint8_t *now)
{
	for (size_t page = 0; page < MAX_PAGES; page++)
		while (known[page] &&
		       !memcmp(before + page * PAGE, now + page * PAGE, PAGE))
			nanosleep(&(struct timespec){ .tv_nsec = 10000000 },
				  NULL);
}

int main(int argc, char **argv)
{
	struct xf_err err = { 0 };
	struct stat st;
	uint8_t *ram, *before;
	json_t *v;

	alarm(LIMIT_S);
	signal(SIGPIPE, SIG_IGN);
	must(argc < 3 ? -1 : 0, "usage: dirty_l2 QMP CONSOLE [DEST-RAM]", &err);
	must(qmp_open(&q, argv[1], 20000, &err), "QMP", &err);
	must(memslots_from_qmp(&ms, &q, &err), "RAM is found", &err);
	must(dirty_open(&d, ms.pid, &err), "the shim is found", &err);
	must(dirty_set_slots(&d, &ms, &err), "slots", &err);
	must(fstat(ms.file[0].fd, &st), "RAM has a size", &err);
	read_known(argv[2]);
	ram = ram_map(ms.file[0].fd, st.st_size);
	before = malloc(st.st_size);

	json_decref(ask("stop", NULL));
	memcpy(before, ram, st.st_size);
	must(dirty_request(&d, XFTD_FIRST, 50, &err), "it begins", &err);
	json_decref(ask("cont", NULL));
	json_decref(ask("calc-dirty-rate", json_pack("{s:i}", "calc-time", 1)));
	result(until_status("query-dirty-rate", "measured", "-"),
	       "QEMU measures the dirty rate");
	json_decref(ask("calc-dirty-rate", json_pack("{s:i, s:s}", "calc-time", 1,
						     "mode", "dirty-bitmap")));
	result(until_status("query-dirty-rate", "measured", "-"),
	       "and does with its bitmap");
	await_known(before, ram);
	if (argc > 3)
		migrate(ram, st.st_size, argv[3]);
	v = ask("query-status", NULL);
	if (json_is_true(json_object_get(v, "running")))
		json_decref(ask("stop", NULL));
	json_decref(v);
	must(dirty_request(&d, XFTD_FIRST, 50, &err), "a harvest", &err);
	drain();
	compare(before, ram, st.st_size);
	must(dirty_request(&d, XFTD_OFF, 0, &err), "it ends", &err);
	dirty_close(&d);
	qmp_close(&q);
	return 0;
}
