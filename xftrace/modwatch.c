// SPDX-License-Identifier: GPL-2.0-only
#include "modwatch.h"

#include <string.h>
#include <unistd.h>

#include "cleanup.h"

#define MAX_LOOKS  200		/* at one module that has no symbols yet */
#define END_TRIES  50
#define END_NAP_US 20000

static struct modlist_module *seen(const struct modwatch *w, size_t *ret_nr)
{
	*ret_nr = w->seen.len / sizeof(struct modlist_module);
	return (struct modlist_module *)w->seen.data;
}

static bool is_same(const struct modlist_module *a,
		    const struct modlist_module *b)
{
	return a->addr == b->addr && a->text_base == b->text_base &&
	       !strncmp(a->name, b->name, sizeof(a->name));
}

static bool was_seen(const struct modwatch *w, const struct modlist_module *m)
{
	size_t nr;
	const struct modlist_module *v = seen(w, &nr);

	for (size_t i = 0; i < nr; i++)
		if (is_same(&v[i], m))
			return true;
	return false;
}

static bool is_listed(const struct modlist *ml, const struct modlist_module *m)
{
	for (size_t i = 0; i < ml->nr; i++)
		if (is_same(&ml->mod[i], m))
			return true;
	return false;
}

static uint64_t list_head(const struct modwatch *w)
{
	struct gva space;
	uint64_t first;

	if (!w->head)
		return 0;
	space = vmcoreinfo_space(&w->t->kernel, &w->t->mf);
	return gva_read(&space, w->head, &first, sizeof(first), NULL) ? 0 :
								       first;
}

/* False: one is still being loaded, or the list cannot be read now. */
static bool look(struct modwatch *w, struct symtab *names)
{
	_cleanup_(modlist_deinit) struct modlist ml = MODLIST_INIT;
	bool all = !target_list_modules(w->t, &ml, NULL);

	for (size_t i = 0; i < ml.nr; i++) {
		if (was_seen(w, &ml.mod[i]))
			continue;
		if (!ml.mod[i].kallsyms ||
		    w->seen.len >= MODLIST_MAX_MODULES * sizeof(ml.mod[i])) {
			all = false;
			continue;
		}
		if (names)
			target_name_module(&ml, i, names);
		buf_add(&w->seen, &ml.mod[i], sizeof(ml.mod[i]));
	}
	return all;
}

void modwatch_begin(struct modwatch *w, struct target *t)
{
	modwatch_deinit(w);
	w->t = t;
	if (symtab_address(t->symbols, "modules", &w->head, NULL))
		w->head = 0;
	w->newest = list_head(w);
	(void)look(w, NULL);
}

bool modwatch_tick(struct modwatch *w, struct buf *ret)
{
	_cleanup_(symtab_destroyp) struct symtab *names = NULL;
	uint64_t newest = list_head(w);

	if (newest != w->newest)
		w->looks = MAX_LOOKS;
	w->newest = newest;
	if (!w->looks)
		return false;
	names = symtab_create();
	w->looks--;
	if (look(w, names))
		w->looks = 0;
	if (!names->nr)
		return false;
	names->slide = w->t->symbols->slide;
	symtab_seal(names);
	symtab_pack(names, SYMTAB_MODULES, ret);
	return true;
}

/* Its struct module lies in its own memory, which nobody else has yet. */
static bool is_there(const struct modwatch *w, const struct modlist_module *m)
{
	const struct gva space = vmcoreinfo_space(&w->t->kernel, &w->t->mf);
	size_t len = strlen(m->name) + 1;
	char name[MODLIST_NAME];

	return !gva_read(&space, m->addr + w->t->ctl.layout.module_name, name,
			 len, NULL) &&
	       !memcmp(name, m->name, len);
}

static void find_hidden(const struct modwatch *w, struct buf *ret)
{
	_cleanup_(modlist_deinit) struct modlist ml = MODLIST_INIT;
	size_t nr;
	const struct modlist_module *v = seen(w, &nr);

	ret->len = 0;
	if (target_list_modules(w->t, &ml, NULL))
		return;
	for (size_t i = 0; i < nr; i++) {
		if (is_listed(&ml, &v[i]) || !is_there(w, &v[i]))
			continue;
		buf_puts(ret, ret->len ? ", " : "");
		buf_add_escaped(ret, v[i].name, strlen(v[i].name));
	}
}

void modwatch_end(struct modwatch *w, struct buf *ret)
{
	for (int i = 0; w->head && i < END_TRIES; i++) {
		if (i)
			usleep(END_NAP_US);
		find_hidden(w, ret);
		if (!ret->len)
			break;
	}
}

void modwatch_deinit(struct modwatch *w)
{
	buf_deinit(&w->seen);
	*w = (struct modwatch){ 0 };
}
