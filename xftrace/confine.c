// SPDX-License-Identifier: GPL-2.0-only
#include "confine.h"

#include <stdlib.h>
#include <string.h>

#include "cage.h"
#include "cleanup.h"
#include "hosttrace.h"
#include "io.h"
#include "state.h"

static void allow_ram(struct cage *cage, const struct target *t)
{
	for (size_t i = 0; i < t->mf.nr_maps; i++)
		cage_allow_fd(cage, memfile_fd(&t->mf, i));
}

static void allow_output(struct cage *cage, const char *path)
{
	if (!strcmp(path, "-"))
		return;
	cage_allow_beside(cage, path);
	/* A link to a pipe or a terminal that lies elsewhere. */
	cage_allow_path(cage, path);
}

static int allow_state(struct cage *cage, struct xf_err *err)
{
	_cleanup_free_ char *runtime = NULL;
	int rc = state_runtime(&runtime, err);

	if (!rc)
		cage_allow_path(cage, runtime);
	return rc;
}

int confine(const struct confine *c, struct xf_err *err)
{
	_cleanup_(cage_deinit) struct cage cage = CAGE_INIT;
	const char *tracefs = c->host ? hosttrace_folder() : NULL;
	int rc = 0;

	cage_open(&cage);
	if (c->target)
		for (size_t i = 0; i < (c->nr_targets ?: 1); i++)
			allow_ram(&cage, &c->target[i]);
	if (c->store)
		cage_allow_path(&cage, c->store);
	for (size_t i = 0; i < ARRAY_SIZE(c->output); i++)
		if (c->output[i])
			allow_output(&cage, c->output[i]);
	if (c->temporary)
		cage_allow_path(&cage, io_temporary());
	/* Where what nobody reads goes. */
	cage_allow_path(&cage, "/dev/null");
	if (tracefs)
		cage_allow_path(&cage, tracefs);
	if (c->state)
		rc = allow_state(&cage, err);
	return rc ? rc : cage_limit_writes(&cage, err);
}
