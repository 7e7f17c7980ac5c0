// SPDX-License-Identifier: GPL-2.0-only
/* Records of events of real kernels, and payloads of system calls. */
#include "event_texts.h"
#include "fuzz.h"
#include "syscall.h"
#include "tep.h"

static struct tep *types;

/* Before the clock runs. make runs targets in the project's folder. */
__attribute__((constructor)) static void read_types(void)
{
	struct event_texts texts;

	event_texts_open(&texts, "tests/data/formats-6.1.txt");
	types = tep_create(NULL);
	for (size_t i = 0; i < texts.nr; i++)
		tep_add(types, texts.all[i].system, texts.all[i].text,
			texts.all[i].len, NULL);
	event_texts_close(&texts);
}

void fuzz_one(struct cursor *in)
{
	_cleanup_(buf_deinit) struct buf out = BUF_INIT;
	const struct tep_type *type;
	struct syscall call;
	struct xf_err err;
	size_t len;
	_cleanup_free_ uint8_t *data = fuzz_take_all(in, &len);

	tep_print(types, data, len, &out);
	type = tep_type_of(types, data, len);
	if (type && len >= 8 && !syscall_of(type, &call, &err)) {
		syscall_print_args(&call, (uint64_t *)data, len / 8, &out);
		syscall_print_result(&call, *(uint64_t *)data, &out);
	}
	/* A description may have tabs. */
	for (size_t i = 0; i < out.len; i++)
		fuzz_must((out.data[i] >= ' ' && out.data[i] <= '~') ||
			  out.data[i] == '\t');
}
