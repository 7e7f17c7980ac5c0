// SPDX-License-Identifier: GPL-2.0-only
/*
 * Who has asked the kernel to be called: ftrace, function graph, exports,
 * kprobes, tracepoints and netfilter.
 *
 * The kernel's own code may; a module may if that is what it is known for.
 */
#include <fnmatch.h>
#include <inttypes.h>
#include <stdlib.h>

#include "guestlist.h"
#include "look.h"

/* By one tracepoint; by one chain of netfilter the kernel has no more. */
#define MAX_CALLED 1024

/*
 * Modules that are meant to be called, by name: docs/detection.md. What
 * Debian's kernels have of them tests/long/62-module-lists.sh knows.
 */
static const char *const tracers[] = { "xftrace", "lttng_*", "stap_*", NULL };
static const char *const listeners[] = {
	"xftrace", "lttng_*", "stap_*", "drop_monitor", NULL,
};
static const char *const exporters[] = { "xftrace", "stm_ftrace", NULL };
static const char *const packets[] = {
	"nf_*", "nft_*", "ip_*", "ip6_*", "iptable_*", "ip6table_*",
	"ipt_CLUSTERIP", "arptable_*", "arp_tables", "ebtable*", "br_netfilter",
	"ipvlan", "ila", NULL,
};

/* May the function at @addr be called? */
static bool may_be_called(const struct look *l, uint64_t addr,
			  const char *const *modules)
{
	const struct code_range *r = codemap_find(&l->code, addr);
	enum code_owner owner = r ? r->owner : CODE_NOBODY;

	if (!addr || owner == CODE_KERNEL || owner == CODE_BPF)
		return true;
	if (owner != CODE_MODULE)
		return false;
	for (; *modules; modules++)
		if (!fnmatch(*modules, r->module, 0))
			return true;
	return false;
}

bool look_may_trace(const struct look *l, uint64_t addr)
{
	return may_be_called(l, addr, tracers);
}

/* @what is "ftrace calls", @where what for, or empty. */
static void say(struct look *l, enum rule_id rule, uint64_t addr,
		const char *what, const char *where)
{
	char name[LOOK_NAME];
	json_t *e;

	if (look_is_full(l, rule))
		return;
	e = look_evidence(l, addr);
	evidence_hex(e, "calls", addr);
	findings_add(l->f, rule, e, "%s %s%s", what, look_name(l, addr, name),
		     where);
}

static void judge(struct look *l, enum rule_id rule, uint64_t func,
		  const char *const *modules, const char *what,
		  const char *where)
{
	if (!may_be_called(l, func, modules))
		say(l, rule, func, what, where);
}

/* What the pointer at @addr calls. */
static void judge_at(struct look *l, enum rule_id rule, uint64_t addr,
		     const char *const *modules, const char *what,
		     const char *where)
{
	judge(l, rule, look_follow(l, rule, addr), modules, what, where);
}

/* ---- ftrace ---- */

/* Until 6.13 it is these that ftrace calls, and they the probe's own. */
static bool is_fprobe(const struct look *l, uint64_t func)
{
	return look_is(l, func, "fprobe_handler") ||
	       look_is(l, func, "fprobe_kprobe_handler");
}

static void judge_fprobe(struct look *l, uint64_t ops)
{
	uint32_t at, entry, leave;
	const struct look_member members[] = {
		{ "fprobe", "ops", &at },
		{ "fprobe", "entry_handler", &entry },
		{ "fprobe", "exit_handler", &leave },
	};

	if (!look_members(l, "ftrace's probes", members, ARRAY_SIZE(members)))
		return;
	judge_at(l, RULE_FTRACE_HOOK, ops - at + entry, tracers,
		 "a probe of ftrace calls", " at entries");
	judge_at(l, RULE_FTRACE_HOOK, ops - at + leave, tracers,
		 "a probe of ftrace calls", " at returns");
}

static bool judge_ops(struct look *l, uint64_t ops, void *arg)
{
	const uint32_t *off = arg;
	uint64_t func = look_follow(l, RULE_FTRACE_HOOK, ops + off[0]);
	uint64_t saved = look_follow(l, RULE_FTRACE_HOOK, ops + off[1]);

	judge(l, RULE_FTRACE_HOOK, func, tracers, "ftrace calls", "");
	if (saved != func)
		judge(l, RULE_FTRACE_HOOK, saved, tracers, "ftrace calls", "");
	if (is_fprobe(l, func) || is_fprobe(l, saved))
		judge_fprobe(l, ops);
	return true;
}

static void check_ftrace(struct look *l)
{
	uint32_t next, off[2];
	const struct look_member members[] = {
		{ "ftrace_ops", "next", &next },
		{ "ftrace_ops", "func", &off[0] },
		{ "ftrace_ops", "saved_func", &off[1] },
	};

	if (!look_members(l, "ftrace's users", members, ARRAY_SIZE(members)))
		return;
	if (!guestlist_chain(l, look_symbol(l, "ftrace_ops_list"),
			     look_symbol(l, "ftrace_list_end"), next, judge_ops,
			     off))
		look_cannot(l, "ftrace's users: the list has no end");
}

/* Function graph calls what is at @addr: us? */
static void note_own(struct look *l, uint64_t addr, unsigned int what)
{
	const struct code_range *r = codemap_find(&l->code, addr);

	if (addr && r && r->owner == CODE_MODULE &&
	    !strcmp(r->module, tracers[0]))
		l->own |= what;
}

static void check_own(struct look *l)
{
	static const char *const at[] = {
		[IMAGE_OWN_ENTRIES] = "entries",
		[IMAGE_OWN_RETURNS] = "returns",
	};

	for (unsigned int i = IMAGE_OWN_ENTRIES; i <= IMAGE_OWN_RETURNS; i *= 2)
		if (l->g->own & ~l->own & i)
			findings_add(l->f, RULE_SILENCE,
				     json_pack("{s:s}", "module", tracers[0]),
				     "functions are traced, but the kernel "
				     "calls %s at %s no more", tracers[0],
				     at[i]);
}

/* One pair of functions, until 6.11. */
static void check_graph_pair(struct look *l)
{
	static const char *const words[] = { "ftrace_graph_entry",
					     "__ftrace_graph_entry",
					     "ftrace_graph_return" };
	uint64_t func[ARRAY_SIZE(words)] = { 0 };

	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		uint64_t word = look_symbol(l, words[i]);

		if (!word)
			continue;
		func[i] = look_follow(l, RULE_GRAPH_HOOK, word);
		judge(l, RULE_GRAPH_HOOK, func[i], tracers,
		      "function graph calls", "");
	}
	/* Whoever wants only some functions is behind that. */
	note_own(l, func[look_is(l, func[0], "ftrace_graph_entry_test")],
		 IMAGE_OWN_ENTRIES);
	note_own(l, func[2], IMAGE_OWN_RETURNS);
	check_own(l);
}

/* An array of users, since. */
static void check_graph_users(struct look *l, uint64_t array)
{
	uint32_t entry, ret;
	const struct look_member members[] = {
		{ "fgraph_ops", "entryfunc", &entry },
		{ "fgraph_ops", "retfunc", &ret },
	};

	if (!look_members(l, "function graph's users", members,
			  ARRAY_SIZE(members)))
		return;
	for (int i = 0; i < 16; i++) {
		uint64_t ops = look_follow(l, RULE_GRAPH_HOOK, array + 8 * i);
		uint64_t func;

		if (!ops)
			continue;
		func = look_follow(l, RULE_GRAPH_HOOK, ops + entry);
		judge(l, RULE_GRAPH_HOOK, func, tracers,
		      "function graph calls", " at entries");
		note_own(l, func, IMAGE_OWN_ENTRIES);
		func = look_follow(l, RULE_GRAPH_HOOK, ops + ret);
		judge(l, RULE_GRAPH_HOOK, func, tracers,
		      "function graph calls", " at returns");
		note_own(l, func, IMAGE_OWN_RETURNS);
	}
	check_own(l);
}

static void check_graph(struct look *l)
{
	uint64_t array = look_symbol(l, "fgraph_array");

	if (array)
		check_graph_users(l, array);
	else
		check_graph_pair(l);
}

static bool judge_export(struct look *l, uint64_t export, void *arg)
{
	const uint32_t *write = arg;

	judge_at(l, RULE_EXPORT_HOOK, export + *write, exporters,
		 "all traces go to", "");
	return true;
}

static void check_exports(struct look *l)
{
	uint64_t head = look_symbol(l, "ftrace_exports_list");
	uint32_t next, write;
	const struct look_member members[] = {
		{ "trace_export", "next", &next },
		{ "trace_export", "write", &write },
	};

	if (head && look_members(l, "exports of traces", members,
				 ARRAY_SIZE(members)) &&
	    !guestlist_chain(l, head, 0, next, judge_export, &write))
		look_cannot(l, "exports of traces: the list has no end");
}

/* ---- kprobes ---- */

struct kprobes {
	uint32_t hash, list, addr, pre, post;
	uint32_t handler, entry_handler;	/* of a kretprobe */
	uint32_t tk_kprobe, tk_event, call, programs;
};

/* A BPF program behind a probe that was made in tracefs or with perf. */
static void look_for_bpf(struct look *l, const struct kprobes *k, uint64_t kp,
			 const char *where)
{
	uint64_t event = look_follow(l, RULE_BPF_PROBE,
				     kp - k->tk_kprobe + k->tk_event);

	if (event &&
	    look_follow(l, RULE_BPF_PROBE, event + k->call + k->programs) &&
	    !look_is_full(l, RULE_BPF_PROBE))
		findings_add(l->f, RULE_BPF_PROBE,
			     look_evidence(l, look_ptr(l, kp + k->addr)),
			     "a BPF program is called%s", where);
}

static void judge_kretprobe(struct look *l, const struct kprobes *k,
			    uint64_t kp, const char *where)
{
	uint64_t handler = look_follow(l, RULE_KRETPROBE, kp + k->handler);

	if (look_is(l, handler, "kretprobe_dispatcher"))
		look_for_bpf(l, k, kp, where);
	judge(l, RULE_KRETPROBE, handler, tracers, "a return probe calls",
	      where);
	judge_at(l, RULE_KRETPROBE, kp + k->entry_handler, tracers,
		 "a return probe calls", where);
}

static void judge_handlers(struct look *l, const struct kprobes *k, uint64_t kp,
			   uint64_t pre)
{
	char name[LOOK_NAME], where[LOOK_NAME + 8];

	snprintf(where, sizeof(where), " at %s",
		 look_name(l, look_follow(l, RULE_KPROBE, kp + k->addr), name));
	if (look_is(l, pre, "pre_handler_kretprobe"))
		judge_kretprobe(l, k, kp, where);
	else if (look_is(l, pre, "kprobe_dispatcher"))
		look_for_bpf(l, k, kp, where);
	judge(l, RULE_KPROBE, pre, tracers, "a probe calls", where);
	judge_at(l, RULE_KPROBE, kp + k->post, tracers, "a probe calls", where);
}

/* One of several: there is nothing below it, whatever the guest says. */
static bool judge_member(struct look *l, uint64_t kp, void *arg)
{
	const struct kprobes *k = arg;
	uint64_t pre = look_follow(l, RULE_KPROBE, kp + k->pre);

	if (look_is(l, pre, "aggr_pre_handler")) {
		look_cannot(l, "kprobes: several at one place are in one of "
			       "them");
		return false;
	}
	judge_handlers(l, k, kp, pre);
	return true;
}

static bool judge_kprobe(struct look *l, uint64_t kp, void *arg)
{
	const struct kprobes *k = arg;
	uint64_t pre = look_follow(l, RULE_KPROBE, kp + k->pre);
	uint64_t addr = look_follow(l, RULE_KPROBE, kp + k->addr);

	buf_add(&l->probed, &addr, sizeof(addr));
	judge_handlers(l, k, kp, pre);
	/* Several at one place. */
	if (look_is(l, pre, "aggr_pre_handler") &&
	    !guestlist_ring(l, kp + k->list, k->list, judge_member, arg))
		look_cannot(l, "kprobes: the list of those at one place has no "
			       "end");
	return true;
}

static void check_kprobes(struct look *l)
{
	uint64_t table = look_symbol(l, "kprobe_table");
	struct kprobes k;
	const struct look_member members[] = {
		{ "kprobe", "hlist", &k.hash },
		{ "kprobe", "list", &k.list },
		{ "kprobe", "addr", &k.addr },
		{ "kprobe", "pre_handler", &k.pre },
		{ "kprobe", "post_handler", &k.post },
		{ "kretprobe", "handler", &k.handler },
		{ "kretprobe", "entry_handler", &k.entry_handler },
		{ "trace_kprobe", "rp.kp", &k.tk_kprobe },
		{ "trace_kprobe", "tp.event", &k.tk_event },
		{ "trace_probe_event", "call", &k.call },
		{ "trace_event_call", "prog_array", &k.programs },
	};

	if (!table ||
	    !look_members(l, "kprobes", members, ARRAY_SIZE(members)))
		return;
	/* KPROBE_TABLE_SIZE */
	for (int i = 0; i < 64; i++)
		if (!guestlist_hash(l, table + 8 * i, k.hash, judge_kprobe,
				    &k)) {
			look_cannot(l, "kprobes: the list has no end");
			return;
		}
}

/* ---- Tracepoints ---- */

struct tracepoints {
	uint32_t funcs, name;
};

/* Is the function at @addr of @module, which may be NULL? */
static bool is_of(const struct look *l, uint64_t addr, const char *module)
{
	const struct code_range *r = codemap_find(&l->code, addr);

	return module && r && r->module && !strcmp(r->module, module);
}

/* " at NAME", or nothing. */
static void name_tracepoint(struct look *l, const struct tracepoints *t,
			    uint64_t tp, char *dst, size_t cap)
{
	_cleanup_(buf_deinit) struct buf safe = BUF_INIT;
	char name[64];

	if (!look_str(l, look_ptr(l, tp + t->name), name, sizeof(name)))
		return;
	buf_add_escaped(&safe, name, strlen(name));
	snprintf(dst, cap, " at %s", safe.data);
}

static void judge_tracepoint(struct look *l, const struct tracepoints *t,
			     uint64_t tp, const char *own)
{
	uint64_t funcs = look_follow(l, RULE_TRACEPOINT_PROBE, tp + t->funcs);
	char where[64 + 16] = "";

	if (!funcs)
		return;
	for (int i = 0;; i++) {
		/* struct tracepoint_func: func, data, prio */
		uint64_t func = look_follow(l, RULE_TRACEPOINT_PROBE,
					    funcs + 24 * i);

		if (!func)
			return;
		if (i == MAX_CALLED) {
			look_cannot(l, "tracepoints: one calls more than %u "
				       "functions", MAX_CALLED);
			return;
		}
		if (may_be_called(l, func, listeners) || is_of(l, func, own))
			continue;
		if (!*where)
			name_tracepoint(l, t, tp, where, sizeof(where));
		say(l, RULE_TRACEPOINT_PROBE, func, "a tracepoint calls",
		    where);
	}
}

/* Each entry says how far away from itself the tracepoint is. */
static void judge_table(struct look *l, const struct tracepoints *t,
			uint64_t table, size_t nr, const char *own)
{
	if (nr > LOOK_MAX_NODES)
		look_cannot(l, "tracepoints: more than %u in a table",
			    LOOK_MAX_NODES);
	for (size_t i = 0; i < nr && i < LOOK_MAX_NODES; i++) {
		uint64_t at = table + 4 * i;
		int32_t away;

		if (look_read(l, at, &away, sizeof(away))) {
			look_cannot(l, "tracepoints: a table cannot be read");
			return;
		}
		judge_tracepoint(l, t, at + (int64_t)away, own);
	}
}

static void check_tracepoints(struct look *l)
{
	uint64_t start = look_symbol(l, "__start___tracepoints_ptrs");
	uint64_t stop = look_symbol(l, "__stop___tracepoints_ptrs");
	uint32_t table, count, nr;
	struct tracepoints t;
	const struct look_member members[] = {
		{ "tracepoint", "funcs", &t.funcs },
		{ "tracepoint", "name", &t.name },
		{ "module", "tracepoints_ptrs", &table },
		{ "module", "num_tracepoints", &count },
	};
	const struct modlist *ml = &l->code.modules;

	if (!start || stop < start ||
	    !look_members(l, "tracepoints", members, ARRAY_SIZE(members)))
		return;
	judge_table(l, &t, start, (stop - start) / 4, NULL);
	for (size_t i = 0; i < ml->nr; i++)
		if (!look_read(l, ml->mod[i].addr + count, &nr, sizeof(nr)) &&
		    nr)
			judge_table(l, &t,
				    look_follow(l, RULE_TRACEPOINT_PROBE,
						ml->mod[i].addr + table),
				    nr, ml->mod[i].name);
}

/* ---- Netfilter ---- */

/* Pointers to chains; the kernel need not have them. */
struct chains {
	const char *type, *path, *packets;
	uint32_t off, nr;
};

struct netfilter {
	uint32_t list, devices, device;
	struct chains of_net[4], of_device[2];
};

static void find_chains(const struct look *l, struct chains *c, size_t nr)
{
	struct btf_member m;

	for (; nr; nr--, c++)
		if (!btf_member(l->g->types, c->type, c->path, &m, NULL)) {
			c->off = m.off;
			c->nr = m.size / 8;
		}
}

/* struct nf_hook_entries: the number, then pairs. */
static void judge_chain(struct look *l, uint64_t entries, const char *where)
{
	uint16_t nr;

	if (look_read(l, entries, &nr, sizeof(nr))) {
		look_cannot(l, "netfilter: a chain cannot be read");
		return;
	}
	if (nr > MAX_CALLED)
		look_cannot(l, "netfilter: one calls more than %u functions",
			    MAX_CALLED);
	for (int i = 0; i < nr && i < MAX_CALLED; i++)
		judge_at(l, RULE_NETFILTER_HOOK, entries + 8 + 16 * i, packets,
			 "netfilter calls", where);
}

static void judge_chains(struct look *l, uint64_t at, const struct chains *c,
			 size_t nr)
{
	for (; nr; nr--, c++)
		for (uint32_t i = 0; i < c->nr; i++) {
			uint64_t entries = look_follow(l, RULE_NETFILTER_HOOK,
						       at + c->off + 8 * i);

			if (entries)
				judge_chain(l, entries, c->packets);
		}
}

static bool judge_device(struct look *l, uint64_t device, void *arg)
{
	const struct netfilter *n = arg;

	judge_chains(l, device, n->of_device, ARRAY_SIZE(n->of_device));
	return true;
}

static bool judge_net(struct look *l, uint64_t net, void *arg)
{
	const struct netfilter *n = arg;

	judge_chains(l, net, n->of_net, ARRAY_SIZE(n->of_net));
	if (!guestlist_ring(l, net + n->devices, n->device, judge_device, arg))
		look_cannot(l, "netfilter: the list of devices has no end");
	return true;
}

static void check_netfilter(struct look *l)
{
	uint64_t head = look_symbol(l, "net_namespace_list");
	struct netfilter n = {
		.of_net = {
			{ "net", "nf.hooks_ipv4", " for packets of ipv4" },
			{ "net", "nf.hooks_ipv6", " for packets of ipv6" },
			{ "net", "nf.hooks_arp", " for packets of arp" },
			{ "net", "nf.hooks_bridge", " for packets of bridge" },
		},
		.of_device = {
			{ "net_device", "nf_hooks_ingress",
			  " for packets that come in by a device" },
			{ "net_device", "nf_hooks_egress",
			  " for packets that go out by a device" },
		},
	};
	const struct look_member members[] = {
		{ "net", "list", &n.list },
		{ "net", "dev_base_head", &n.devices },
		{ "net_device", "dev_list", &n.device },
	};

	if (!head ||
	    !look_members(l, "netfilter", members, ARRAY_SIZE(members)))
		return;
	find_chains(l, n.of_net, ARRAY_SIZE(n.of_net));
	find_chains(l, n.of_device, ARRAY_SIZE(n.of_device));
	if (!guestlist_ring(l, head, n.list, judge_net, &n))
		look_cannot(l, "netfilter: the list of name spaces has no end");
}

void check_hooks(struct look *l)
{
	check_ftrace(l);
	check_graph(l);
	check_exports(l);
	check_kprobes(l);
	check_tracepoints(l);
	check_netfilter(l);
}
