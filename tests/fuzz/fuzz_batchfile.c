// SPDX-License-Identifier: GPL-2.0-only
/* The file of a job. */
#include "batchfile.h"
#include "fuzz.h"

void fuzz_one(struct cursor *in)
{
	_cleanup_(opt_list_deinit) struct opt_list list = { 0 };
	const char *text = NULL;
	uint64_t size = 0;
	bool flag = false;
	const struct opt opts[] = {
		{ "output", 0, OPT_STRING, &text, "FILE", "", 0, 0 },
		{ "function", 0, OPT_LIST, &list, "NAME", "", 0, 0 },
		{ "mem", 0, OPT_SIZE, &size, "SIZE", "", 1, 1 << 30 },
		{ "no-memory", 0, OPT_FLAG, &flag, NULL, "", 0, 0 },
		{ 0 }
	};
	const struct usage u = { "batch", "", "", NULL, opts };
	size_t len = cursor_left(in);
	_cleanup_free_ char *file = malloc(len + 1);
	struct xf_err err;

	fuzz_must(file);
	if (len)
		memcpy(file, cursor_bytes(in, len), len);
	file[len] = '\0';
	if (batchfile_parse(file, len, &u, &err))
		fuzz_must(strchr(err.msg, ':'));
	else
		fuzz_must(!text || strlen(text));
	for (size_t i = 0; i < list.nr; i++)
		fuzz_must(list.item[i][0]);
}
