// SPDX-License-Identifier: GPL-2.0-only
/* A core of a guest's memory. */
#include <sys/stat.h>

#include "fuzz.h"
#include "memcore.h"

void fuzz_one(struct cursor *in)
{
	_cleanup_(memslots_deinit) struct memslots ms = MEMSLOTS_INIT;
	_cleanup_close_ int fd = -1;
	size_t len = cursor_left(in);
	struct xf_err err;
	struct stat st;
	char path[32];

	fd = fuzz_file(in, path);
	if (memcore_read(&ms, fd, path, &err))
		return;
	fuzz_must(ms.nr && !fstat(ms.file[0].fd, &st));
	/* A core has each byte once. */
	fuzz_must((size_t)st.st_size <= len);
	for (size_t i = 0; i < ms.nr; i++) {
		const struct memslot *s = &ms.slot[i];

		fuzz_must(s->len && s->off + s->len <= (uint64_t)st.st_size);
		fuzz_must(s->gpa + (s->len - 1) >= s->gpa);
		fuzz_must(!i || s[-1].gpa + s[-1].len <= s->gpa);
	}
}
