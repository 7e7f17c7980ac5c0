/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * fake_kernel -- symbols and types of a made-up kernel, as checks of memory
 * want them. What lies at these addresses is the test's.
 */
#ifndef FAKE_KERNEL_H
#define FAKE_KERNEL_H

#include <stdint.h>
#include <string.h>

#include "cleanup.h"
#include "fake_btf.h"
#include "symtab.h"

#define TEXT	 0xffffffff81000000ull
#define TEXT_LEN 0x10000ull
#define DATA	 0xffffffff82000000ull	/* no code */
#define DATA_LEN 0x40000ull
#define OWN	 0xffffffffa0000000ull	/* text of the module xftrace, a page */
#define EVIL	 0xffffffffa0001000ull	/* of the module evil */
#define HIDDEN	 0xffffffffa0009000ull	/* a page of nobody */
#define GPA_DATA 0x100000ull
#define GPA_TEXT 0x300000ull
#define GPA_MOD	 0x400000ull

/* Where things are in DATA. */
enum {
	MODULES = 0, OPS_LIST = 0x10, TRAMPOLINES = 0x20, GRAPH_ENTRY = 0x30,
	GRAPH_RETURN = 0x38, EXPORTS = 0x40, SLOTS = 0x48, OPT_SLOTS = 0x58,
	NETS = 0x68, KSET_PTR = 0x78, TREE = 0x80, STATE = 0x90,
	BPF_SYMBOLS = 0xa0, PACKS = 0xb0, PATCHES = 0xc0, REAL_MODE = 0xd0,
	OPS_END = 0x100, KPROBES = 0x200, PROC = 0x400, INIT_NET = 0x500,
	TP_PTRS = 0x900, TP = 0x980, IDT = 0x1000, KSET = 0x2000,
	MOD_OWN = 0x3000, MOD_EVIL = 0x3400, MOD_HIDDEN = 0x3800,
	REAL_MODE_BLOB = 0x3c00, FREE = 0x4000, CONSTANTS = 0x3f000,
	CONSTANTS_END = 0x3f800,
};

static const struct {
	uint64_t addr;
	char type;
	const char *name;
} symbols[] = {
	{ TEXT, 'T', "_stext" },
	{ TEXT + 0x100, 't', "tracer" },
	{ TEXT + 0x200, 't', "kprobe_dispatcher" },
	{ TEXT + 0x300, 't', "pre_handler_kretprobe" },
	{ TEXT + 0x400, 't', "aggr_pre_handler" },
	{ TEXT + 0x500, 't', "victim" },
	{ TEXT + 0x600, 't', "fprobe_handler" },
	{ TEXT + 0x700, 't', "fprobe_kprobe_handler" },
	{ TEXT + TEXT_LEN, 'T', "_etext" },
	{ DATA + MODULES, 'd', "modules" },
	{ DATA + OPS_LIST, 'd', "ftrace_ops_list" },
	{ DATA + TRAMPOLINES, 'd', "ftrace_ops_trampoline_list" },
	{ DATA + GRAPH_ENTRY, 'd', "ftrace_graph_entry" },
	{ DATA + GRAPH_RETURN, 'd', "ftrace_graph_return" },
	{ DATA + EXPORTS, 'd', "ftrace_exports_list" },
	{ DATA + SLOTS, 'd', "kprobe_insn_slots" },
	{ DATA + OPT_SLOTS, 'd', "kprobe_optinsn_slots" },
	{ DATA + NETS, 'd', "net_namespace_list" },
	{ DATA + KSET_PTR, 'd', "module_kset" },
	{ DATA + TREE, 'd', "mod_tree" },
	{ DATA + STATE, 'd', "system_state" },
	{ DATA + BPF_SYMBOLS, 'd', "bpf_kallsyms" },
	{ DATA + PACKS, 'd', "pack_list" },
	{ DATA + PATCHES, 'd', "klp_patches" },
	{ DATA + REAL_MODE, 'd', "real_mode_header" },
	{ DATA + OPS_END, 'd', "ftrace_list_end" },
	{ DATA + KPROBES, 'd', "kprobe_table" },
	{ DATA + PROC, 'd', "proc_root" },
	{ DATA + INIT_NET, 'd', "init_net" },
	{ DATA + TP_PTRS, 'd', "__start___tracepoints_ptrs" },
	{ DATA + TP_PTRS + 4, 'd', "__stop___tracepoints_ptrs" },
	{ DATA + IDT, 'd', "idt_table" },
	{ DATA + REAL_MODE_BLOB, 'd', "real_mode_blob" },
	{ DATA + REAL_MODE_BLOB + 0x100, 'd', "real_mode_blob_end" },
	{ DATA + CONSTANTS, 'd', "__start_rodata" },
	{ DATA + CONSTANTS_END, 'd', "__start_ro_after_init" },
	{ DATA + DATA_LEN, 'd', "_end" },
};

#define MEM 0x200 /* where struct module has its stretches, if in an array */

/*
 * Members are pointers, P, unless they have a type: one of above, or an array.
 */
#define P(n, at) { .name = (n), .off = (at) }

static const struct {
	const char *name;
	uint32_t size;
	struct {
		const char *name;
		uint32_t off;
		const char *type;
	} m[10];
} types[] = {
	{ "module_memory", 16, { P("base", 0), P("size", 8) } },
	{ "module_layout", 16, { P("base", 0), P("text_size", 8) } },
	{ "mod_kallsyms", 32, { P("symtab", 0), P("num_symtab", 8),
				P("strtab", 16), P("typetab", 24) } },
	{ "module", 0x400, { P("list", 8), { "name", 24, "char[56]" },
			     { "core_layout", 0x140, "module_layout" },
			     { "init_layout", 0x160, "module_layout" },
			     P("kallsyms", 0x180),
			     P("tracepoints_ptrs", 0x188),
			     P("num_tracepoints", 0x190),
			     P("target_list", 0x198),
			     { "mem", MEM, "mem[]" } } },
	{ "ftrace_ops", 64, { P("next", 0), P("func", 8),
			      P("saved_func", 16), P("trampoline", 24),
			      P("trampoline_size", 32), P("list", 40) } },
	/* What else is in ftrace_ops does not matter. */
	{ "fprobe", 88, { { "ops", 8, "ftrace_ops" }, P("entry_handler", 72),
			  P("exit_handler", 80) } },
	{ "fgraph_ops", 16, { P("entryfunc", 0), P("retfunc", 8) } },
	{ "trace_export", 16, { P("next", 0), P("write", 8) } },
	{ "kprobe", 64, { P("hlist", 0), P("list", 16), P("addr", 32),
			  P("pre_handler", 40), P("post_handler", 48) } },
	{ "kretprobe", 80, { { "kp", 0, "kprobe" }, P("handler", 64),
			     P("entry_handler", 72) } },
	{ "trace_probe", 8, { P("event", 0) } },
	{ "trace_kprobe", 88, { { "rp", 0, "kretprobe" },
				{ "tp", 80, "trace_probe" } } },
	{ "trace_event_call", 16, { P("prog_array", 8) } },
	{ "trace_probe_event", 16, { { "call", 0, "trace_event_call" } } },
	{ "kprobe_insn_cache", 16, { P("pages", 0) } },
	{ "kprobe_insn_page", 24, { P("list", 0), P("insns", 16) } },
	{ "tracepoint", 16, { P("name", 0), P("funcs", 8) } },
	{ "netns_nf", 40, { { "hooks_ipv4", 0, "ptr[5]" } } },
	{ "net", 0x100, { P("list", 0), { "nf", 0x40, "netns_nf" },
			  P("proc_net", 0x80), P("dev_base_head", 0x90) } },
	{ "net_device", 0x30, { P("dev_list", 0), P("nf_hooks_ingress", 0x10),
				P("nf_hooks_egress", 0x18) } },
	{ "proc_dir_entry", 72, { P("proc_iops", 0), P("proc_ops", 8),
				  P("seq_ops", 16), P("subdir", 24),
				  P("subdir_node", 32), P("name", 56),
				  P("namelen", 64) } },
	{ "kset", 16, { P("list", 0) } },
	{ "kobject", 16, { P("entry", 0) } },
	{ "module_kobject", 24, { { "kobj", 0, "kobject" }, P("mod", 16) } },
	{ "latch_tree_root", 16, { P("tree", 0) } },
	{ "mod_tree_root", 16, { { "root", 0, "latch_tree_root" } } },
	{ "mod_tree_node", 32, { P("mod", 0), P("node", 8) } },
	{ "bpf_ksym", 32, { P("start", 0), P("end", 8), P("lnode", 16) } },
	/* The bitmap follows. */
	{ "bpf_prog_pack", 24, { P("list", 0), P("ptr", 16) } },
	{ "module_use", 48, { P("target_list", 16), P("target", 40) } },
	{ "klp_patch", 24, { P("mod", 0), P("list", 8) } },
};

/* @mem: so many has that array; 0: a kernel before 6.4, without one. */
static inline void make_types(struct buf *out, uint32_t mem)
{
	struct fake_btf b = { 0 };
	uint32_t id[ARRAY_SIZE(types)], u64, chars, ptrs, mems;

	u64 = fake_btf_type(&b, "u64", INT, 0, 8);
	chars = fake_btf_array(&b, fake_btf_type(&b, "char", INT, 0, 1), 56);
	ptrs = fake_btf_array(&b, u64, 5);
	fake_btf_type(&b, "", ENUM, 1, 4);
	fake_btf_put(&b.types, fake_btf_str(&b, "SYSTEM_RUNNING"));
	fake_btf_put(&b.types, 3);
	/* Of the first of @types, which comes next. */
	mems = fake_btf_array(&b, b.nr + 2, mem);
	for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
		uint32_t nr = 0;

		while (types[i].m[nr].name)
			nr++;
		id[i] = fake_btf_type(&b, types[i].name, STRUCT, nr,
				      types[i].size);
		for (uint32_t m = 0; m < nr; m++) {
			const char *type = types[i].m[m].type;
			const char *name = types[i].m[m].name;
			uint32_t of = u64;

			if (type && !strcmp(type, "char[56]"))
				of = chars;
			else if (type && !strcmp(type, "ptr[5]"))
				of = ptrs;
			else if (type && !strcmp(type, "mem[]"))
				of = mems;
			if (of == mems && !mem)
				name = "";
			for (size_t n = 0; type && n < i; n++)
				if (!strcmp(types[n].name, type))
					of = id[n];
			fake_btf_add(&b, name, of, types[i].m[m].off * 8);
		}
	}
	fake_btf_finish(&b, out);
}

static inline struct symtab *make_symbols(void)
{
	struct symtab *st = symtab_create();

	for (size_t i = 0; i < ARRAY_SIZE(symbols); i++)
		symtab_add(st, symbols[i].addr, 0, symbols[i].type,
			   symbols[i].name, strlen(symbols[i].name), NULL);
	symtab_seal(st);
	return st;
}

#endif
