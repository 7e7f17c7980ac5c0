// SPDX-License-Identifier: GPL-2.0-only
/*
 * What files in /proc do, and in /proc/net of every network name space: their
 * operations are the kernel's constants or, where nobody would want to lie, a
 * module's.
 */
#include <inttypes.h>
#include <string.h>

#include "guestlist.h"
#include "look.h"

struct proc {
	uint32_t iops, ops, seq, subdir, node, name, namelen;
	uint32_t list, net;		/* in struct net */
	uint64_t constants, constants_end, image_end;
};

/* As the kernel compares it: no string. Not escaped. */
struct proc_name {
	char text[UINT8_MAX];
	uint8_t len;
};

/* What a rootkit would want to lie about, and the kernel itself answers. */
static bool is_chosen(const struct proc_name *name)
{
	static const char *const names[] = {
		"/proc", "tcp", "udp", "tcp6", "udp6", "raw", "raw6", "unix",
		"modules", "kallsyms", "kmsg", "mounts", "stat", "version",
	};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (strlen(names[i]) == name->len &&
		    !memcmp(names[i], name->text, name->len))
			return true;
	return false;
}

static void read_name(struct look *l, const struct proc *p, uint64_t file,
		      struct proc_name *name)
{
	name->len = 0;
	if (look_read(l, file + p->namelen, &name->len, sizeof(name->len)) ||
	    (name->len && look_read(l, look_ptr(l, file + p->name), name->text,
				    name->len))) {
		look_cannot(l, "/proc: names cannot be read");
		name->len = 0;
	}
}

static void judge_file(struct look *l, const struct proc *p, uint64_t file,
		       const struct proc_name *name)
{
	const uint32_t off[] = { p->iops, p->ops, p->seq };

	for (size_t i = 0; i < ARRAY_SIZE(off); i++) {
		uint64_t to = look_follow(l, RULE_OPERATIONS, file + off[i]);
		_cleanup_(buf_deinit) struct buf safe = BUF_INIT;
		json_t *e;

		/* What check_tables() compares with the image. */
		if (!to || to - p->constants < p->constants_end - p->constants)
			continue;
		/* The same word is a function, single_show(), of some. */
		if (off[i] == p->seq &&
		    codemap_owner(&l->code, to) == CODE_KERNEL)
			continue;
		/* Modules have theirs; nobody has them in allocated memory. */
		if ((to >= p->image_end && !is_chosen(name)) ||
		    look_is_full(l, RULE_OPERATIONS))
			continue;
		e = look_evidence(l, file + off[i]);
		evidence_hex(e, "calls", to);
		buf_add_escaped(&safe, name->text, name->len);
		findings_add(l->f, RULE_OPERATIONS, e,
			     "what %s in /proc does is at 0x%" PRIx64
			     ", outside of the kernel's constants",
			     safe.data ?: "a file", to);
	}
}

static void judge_dir(struct look *l, const struct proc *p, uint64_t dir)
{
	uint64_t stack[64];
	size_t depth = 0, nodes = 0;

	stack[depth++] = look_follow(l, RULE_OPERATIONS, dir + p->subdir);
	while (depth) {
		uint64_t node = stack[--depth];
		struct proc_name name;

		if (!node)
			continue;
		/* A balanced tree of this many nodes is less deep than that. */
		if (nodes++ == LOOK_MAX_NODES ||
		    depth + 2 > ARRAY_SIZE(stack)) {
			look_cannot(l, "/proc: the tree of files has no end");
			return;
		}
		read_name(l, p, node - p->node, &name);
		judge_file(l, p, node - p->node, &name);
		/* struct rb_node: parent, right, left */
		stack[depth++] = look_follow(l, RULE_OPERATIONS, node + 8);
		stack[depth++] = look_follow(l, RULE_OPERATIONS, node + 16);
	}
}

/* What is /proc/net for processes of this name space. */
static bool judge_proc_net(struct look *l, uint64_t net, void *arg)
{
	const struct proc *p = arg;
	uint64_t dir = look_follow(l, RULE_OPERATIONS, net + p->net);

	if (dir)
		judge_dir(l, p, dir);
	return true;
}

void check_proc(struct look *l)
{
	uint64_t root = look_symbol(l, "proc_root");
	uint64_t nets = look_symbol(l, "net_namespace_list");
	struct proc p = {
		.constants = look_symbol(l, "__start_rodata"),
		.constants_end = look_symbol(l, "__start_ro_after_init"),
		.image_end = look_symbol(l, "_end"),
	};
	const struct look_member members[] = {
		{ "proc_dir_entry", "proc_iops", &p.iops },
		{ "proc_dir_entry", "proc_ops", &p.ops },
		{ "proc_dir_entry", "seq_ops", &p.seq },
		{ "proc_dir_entry", "subdir", &p.subdir },
		{ "proc_dir_entry", "subdir_node", &p.node },
		{ "proc_dir_entry", "name", &p.name },
		{ "proc_dir_entry", "namelen", &p.namelen },
		{ "net", "list", &p.list },
		{ "net", "proc_net", &p.net },
	};

	if (!root || !look_members(l, "/proc", members, ARRAY_SIZE(members)))
		return;
	if (!p.constants || p.constants_end < p.constants ||
	    p.image_end < p.constants_end) {
		look_cannot(l, "/proc: where the kernel's constants are is not "
			       "known");
		return;
	}
	judge_file(l, &p, root, &(struct proc_name){ "/proc", 5 });
	judge_dir(l, &p, root);
	if (nets && !guestlist_ring(l, nets, p.list, judge_proc_net, &p))
		look_cannot(l, "/proc: the list of name spaces has no end");
}
