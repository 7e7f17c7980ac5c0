/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * event_texts -- the real descriptions of events in tests/data/formats-*.txt.
 *
 * One behind the other, each after a line "# SYSTEM".
 */
#ifndef XF_EVENT_TEXTS_H
#define XF_EVENT_TEXTS_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "io.h"

struct event_text {
	char system[64], name[128];
	const char *text;
	size_t len;
	unsigned int id;
};

struct event_texts {
	struct buf data;
	struct event_text *all;
	size_t nr;
};

static inline void event_texts_must(bool ok, const char *path, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "%s: %s\n", path, what);
	exit(1);
}

static inline void event_texts_open(struct event_texts *f, const char *path)
{
	char *at, *end;

	*f = (struct event_texts){ .data = BUF_INIT };
	event_texts_must(!io_read_file(path, 8 << 20, &f->data, NULL), path,
			 "cannot be read");
	for (at = f->data.data; at && *at == '#'; at = end ? end + 1 : NULL) {
		struct event_text *x;
		char *text = strchr(at, '\n') + 1;

		f->all = realloc(f->all, (f->nr + 1) * sizeof(*f->all));
		if (!f->all)
			abort();
		x = &f->all[f->nr++];
		end = strstr(text, "\n# ");
		x->text = text;
		x->len = end ? (size_t)(end + 1 - text) : strlen(text);
		event_texts_must(sscanf(at, "# %63s", x->system) == 1 &&
					 sscanf(text, "name: %127s\nID: %u",
						x->name, &x->id) == 2,
				 path, "is damaged");
	}
}

static inline void event_texts_close(struct event_texts *f)
{
	buf_deinit(&f->data);
	free(f->all);
}

#endif
