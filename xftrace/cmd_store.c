// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "blocks.h"
#include "check.h"
#include "cleanup.h"
#include "cmd.h"
#include "confine.h"
#include "log.h"
#include "opt.h"
#include "traces.h"

static const char *medium(const struct store *st)
{
	return st->m.durable ?
		       "persistent memory: what is committed survives power loss" :
		       "an ordinary file: power loss may take the last second";
}

static int store_create_verb(int argc, char **argv, struct xf_err *err)
{
	struct store_shape shape = { 0 };
	uint64_t quota = 0;
	const struct opt opts[] = {
		{ "size", 0, OPT_SIZE, &shape.size, "SIZE",
		  "of the file, for good", 64 << 10, 1ULL << 50 },
		{ "quota", 0, OPT_SIZE, &quota, "SIZE",
		  "old traces give way beyond it", 1, 0 },
		{ "thin", 0, OPT_FLAG, &shape.thin, NULL,
		  "take disk space only as it is filled", 0, 0 },
		{ 0 }
	};
	const struct usage u = {
		"store create", "FILE", "Make a store.",
		"On a file system mounted with -o dax it is persistent memory; "
		"any other does.\n", opts
	};
	int n = opt_parse_nr(&u, argc, argv, 1, 1, "name one file", err);
	struct store st;
	int rc;

	if (n < 0)
		return n;
	if (!shape.size)
		return xf_fail(err, OPT_MISUSE, "say how large: --size 1G");
	rc = confine(&(struct confine){ .output = { argv[0] } }, err);
	rc = rc ? rc : store_create(&st, argv[0], &shape, err);
	if (rc)
		return rc;
	if (quota)
		rc = store_set_quota(&st, quota, err);
	if (!rc)
		xf_info("%s: on %s", argv[0], medium(&st));
	store_close(&st);
	return rc;
}

static uint64_t disk_bytes(const struct store *st)
{
	struct stat s;

	return fstat(st->m.fd, &s) ? 0 : s.st_blocks * 512ULL;
}

static json_t *info(const struct store *st)
{
	uint64_t nr[4] = { 0 };

	for (uint32_t slot = 0; slot < st->nr_slots; slot++) {
		uint8_t kind = STATE_KIND(store_state(st, slot));

		if (kind < ARRAY_SIZE(nr))
			nr[kind]++;
	}
	return json_pack(
		"{s:s, s:b, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "path",
		st->m.path, "dax", st->m.durable, "bytes",
		(json_int_t)st->m.len, "disk_bytes", (json_int_t)disk_bytes(st),
		"block_bytes", (json_int_t)1 << st->block_shift, "free_bytes",
		(json_int_t)(blocks_free(st) << st->block_shift), "quota_bytes",
		(json_int_t)store_quota(st), "traces",
		(json_int_t)nr[STORE_TRACE], "shared",
		(json_int_t)nr[STORE_SHARED], "entries",
		(json_int_t)st->nr_slots);
}

static double mb(const json_t *j, const char *name)
{
	return json_integer_value(json_object_get(j, name)) / 1e6;
}

static void print_info(const struct store *st, const json_t *j)
{
	printf("store         %s\non            %s\n", st->m.path, medium(st));
	printf("size          %.1f MB, %.1f MB on disk\n", mb(j, "bytes"),
	       mb(j, "disk_bytes"));
	printf("free          %.1f MB in blocks of %u KiB\n",
	       mb(j, "free_bytes"), (1u << st->block_shift) >> 10);
	if (store_quota(st))
		printf("quota         %.1f MB\n", mb(j, "quota_bytes"));
	else
		printf("quota         none: traces stay until you remove them\n");
	printf("traces        %" JSON_INTEGER_FORMAT ", sharing %"
	       JSON_INTEGER_FORMAT " kernels' symbols; room for %u entries\n",
	       json_integer_value(json_object_get(j, "traces")),
	       json_integer_value(json_object_get(j, "shared")), st->nr_slots);
}

static int store_info(int argc, char **argv, struct xf_err *err)
{
	const char *store = NULL;
	bool json = false;
	const struct opt opts[] = {
		OPT_JSON(json),
		TRACES_STORE(store),
		{ 0 }
	};
	const struct usage u = { "store info", "", "How full the store is.",
				 NULL, opts };
	int n = opt_parse_only(&u, argc, argv, err);
	struct store st;
	json_t *j;
	int rc;

	if (n < 0)
		return n;
	rc = confine(&(struct confine){ 0 }, err);
	rc = rc ? rc : traces_open(&st, store, TRACES_READ, err);
	if (rc)
		return rc;
	j = info(&st);
	rc = media_failed(&st.m, err);
	if (json) {
		opt_print_json(j);
	} else {
		print_info(&st, j);
	}
	json_decref(j);
	store_close(&st);
	return rc;
}

struct steps {
	json_t *list;	/* or NULL: they are printed */
	bool damaged;
};

static void note_step(void *arg, const struct check_result *r)
{
	struct steps *s = arg;

	s->damaged = s->damaged || r->verdict == CHECK_DAMAGED;
	if (s->list) {
		json_array_append_new(
			s->list,
			json_pack("{s:s, s:s, s:I, s:s}", "step", r->step,
				  "verdict", check_verdict_name(r->verdict),
				  "found", (json_int_t)r->found, "first",
				  r->found ? r->first.msg : ""));
		return;
	}
	printf("%-32s %-10s", r->step, check_verdict_name(r->verdict));
	if (r->found)
		printf(" %" PRIu64 ": %s", r->found, r->first.msg);
	putchar('\n');
}

static int store_check(int argc, char **argv, struct xf_err *err)
{
	const char *store = NULL;
	_cleanup_free_ char *path = NULL;
	bool json = false, repair = false, salvage = false;
	const struct opt opts[] = {
		OPT_JSON(json),
		{ "repair", 0, OPT_FLAG, &repair, NULL,
		  "put right what can be without loss", 0, 0 },
		{ "salvage", 0, OPT_FLAG, &salvage, NULL,
		  "and give up what is damaged, to keep the rest", 0, 0 },
		TRACES_STORE(store),
		{ 0 }
	};
	const struct usage u = {
		"store check", "",
		"Is the store what its format says? Step by step.",
		"Exit status: 0 clean or repaired, 1 something is wrong, 2 it "
		"cannot be looked\nat.\n",
		opts
	};
	struct steps steps = { 0 };
	int n = opt_parse_only(&u, argc, argv, err);
	int rc;

	if (n < 0)
		return n;
	rc = traces_path(store, &path, err);
	rc = rc ? rc : confine(&(struct confine){ .store = path }, err);
	if (rc)
		return rc;
	steps.list = json ? json_array() : NULL;
	rc = check_file(path,
			salvage ? CHECK_SALVAGE :
			repair	? CHECK_REPAIR :
				  CHECK_LOOK,
			note_step, &steps, err);
	if (json && rc >= 0)
		opt_print_json(steps.list);
	json_decref(steps.list);
	if (rc < 0) {
		xf_error("%s", err->msg);
		return 2;
	}
	if (steps.damaged && !salvage)
		xf_info("'xftrace store check --salvage' gives up what is "
			"damaged and keeps the rest");
	return rc;
}

static int store_quota_verb(int argc, char **argv, struct xf_err *err)
{
	const char *store = NULL;
	uint64_t quota = 0;
	bool none = false;
	const struct opt opts[] = {
		{ "size", 0, OPT_SIZE, &quota, "SIZE",
		  "traces may take this much all together", 1, 0 },
		{ "none", 0, OPT_FLAG, &none, NULL,
		  "traces stay until they are removed", 0, 0 },
		TRACES_STORE(store),
		{ 0 }
	};
	const struct usage u = {
		"store quota", "",
		"Let old traces give way to new ones, or not.",
		"The oldest finished traces that nobody uses are removed when "
		"room is needed;\nwhat is interrupted or being recorded never "
		"is.\n", opts
	};
	int n = opt_parse_only(&u, argc, argv, err);
	struct store st;
	int rc;

	if (n < 0)
		return n;
	if (none == !!quota)
		return xf_fail(err, OPT_MISUSE, "say --size SIZE or --none");
	rc = traces_open(&st, store, TRACES_CHANGE, err);
	if (rc)
		return rc;
	rc = confine(&(struct confine){ .store = st.m.path }, err);
	rc = rc ? rc : store_set_quota(&st, quota, err);
	store_close(&st);
	return rc;
}

int cmd_store(int argc, char **argv, struct xf_err *err)
{
	static const struct sub subs[] = {
		{ "create", store_create_verb, "make one" },
		{ "info", store_info, "how full it is" },
		{ "check", store_check, "is all of it well" },
		{ "quota", store_quota_verb, "let old traces give way, or not" },
		{ 0 }
	};

	return opt_sub("store", "The file that traces are kept in.", subs, argc,
		       argv, err);
}
