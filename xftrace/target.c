// SPDX-License-Identifier: GPL-2.0-only
#include "target.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "cleanup.h"
#include "guestsyms.h"
#include "livepatch.h"
#include "log.h"
#include "madecode.h"
#include "memslot.h"
#include "modlist.h"
#include "opt.h"
#include "qmp.h"
#include "state.h"
#include "target_btf.h"
#include "vm.h"
#include "vmlinuz.h"

#define QMP_TIMEOUT_MS 5000

/* The one guest of ours that runs. */
static int choose_guest(char **ret_name, struct xf_err *err)
{
	_cleanup_(buf_deinit) struct buf names = BUF_INIT;
	json_t *list, *vm;
	size_t i, nr = 0;
	int rc = vm_list(&list, err);

	if (rc)
		return rc;
	json_array_foreach(list, i, vm) {
		const char *name =
			json_string_value(json_object_get(vm, "name"));

		if (!json_is_true(json_object_get(vm, "running")))
			continue;
		buf_printf(&names, "%s%s", nr++ ? ", " : "", name);
	}
	json_decref(list);
	if (!nr)
		return xf_fail(err, -ENOENT,
			       "no guest is running: start one with 'xftrace "
			       "guest start', or name yours with --qmp or "
			       "--pid");
	if (nr > 1)
		return xf_fail(err, -ENOTUNIQ,
			       "several guests are running (%s): choose one "
			       "with --guest", names.data);
	*ret_name = buf_take(&names);
	return 0;
}

static int attach_slots(struct target *t, const struct memslots *ms,
			bool allow_open, struct xf_err *err)
{
	int rc;

	rc = memfile_open(&t->mf, ms, allow_open ? MEMFILE_ALLOW_OPEN : 0, err);
	if (rc)
		return rc;
	if (t->mf.open_ram)
		xf_warn("the guest's RAM file can be read by other users of "
			"this host");
	if (ms->guessed)
		xf_warn("QEMU has no QMP socket: its memory layout is a guess "
			"(add -qmp unix:PATH,server=on,wait=off)");
	t->pid = ms->pid;
	t->pidfd = syscall(SYS_pidfd_open, ms->pid, 0);
	if (t->pidfd < 0)
		return xf_fail_errno(err, "QEMU process %d", t->pid);
	return 0;
}

static int attach_qmp(struct target *t, const char *path, bool allow_open,
		      struct xf_err *err)
{
	_cleanup_(memslots_deinit) struct memslots ms = MEMSLOTS_INIT;
	_cleanup_(qmp_close) struct qmp q = QMP_INIT;
	int rc;

	rc = qmp_open(&q, path, QMP_TIMEOUT_MS, err);
	rc = rc ? rc : memslots_from_qmp(&ms, &q, err);
	rc = rc ? rc : attach_slots(t, &ms, allow_open, err);
	if (!rc)
		t->qmp_path = strdup(path);
	return rc;
}

static int attach_pid(struct target *t, uint64_t pid, bool allow_open,
		      struct xf_err *err)
{
	_cleanup_(memslots_deinit) struct memslots ms = MEMSLOTS_INIT;
	int rc;

	if (pid > INT32_MAX || (kill(pid, 0) && errno == ESRCH))
		return xf_fail(err, -ESRCH, "there is no process %" PRIu64,
			       pid);
	rc = memslots_from_pid(&ms, pid, QMP_TIMEOUT_MS, err);
	rc = rc ? rc : attach_slots(t, &ms, allow_open, err);
	if (!rc && !ms.guessed && qemu_find_qmp(pid, 0, &t->qmp_path, NULL))
		t->qmp_path = NULL;
	return rc;
}

/*
 * One guest has one name, however it was found: two would not see each other.
 */
static char *name_of(int pid)
{
	json_t *list = NULL, *vm;
	char *name = NULL;
	size_t i;

	(void)vm_list(&list, NULL);
	json_array_foreach(list, i, vm) {
		const char *own =
			json_string_value(json_object_get(vm, "name"));

		if (own && !name && json_is_true(json_object_get(vm, "running")) &&
		    json_integer_value(json_object_get(vm, "pid")) == pid)
			name = strdup(own);
	}
	json_decref(list);
	if (!name && asprintf(&name, "qemu-%d", pid) < 0)
		abort();
	return name;
}

int target_attach(struct target *t, const struct target_options *opt,
		  struct xf_err *err)
{
	int given = !!opt->guest + !!opt->qmp + !!opt->pid;
	struct target new = TARGET_INIT;
	int rc = 0;

	if (given > 1)
		return xf_fail(err, OPT_MISUSE,
			       "--guest, --qmp and --pid exclude each other");
	if (opt->qmp) {
		rc = attach_qmp(&new, opt->qmp, opt->allow_open_ram, err);
	} else if (opt->pid) {
		rc = attach_pid(&new, opt->pid, opt->allow_open_ram, err);
	} else {
		_cleanup_free_ char *qmp = NULL;

		if (opt->guest)
			new.id = strdup(opt->guest);
		else
			rc = choose_guest(&new.id, err);
		if (!new.id)
			goto fail;
		rc = vm_paths(new.id, &qmp, &new.kernel_path, err);
		rc = rc ? rc : attach_qmp(&new, qmp, true, err);
	}
	if (rc)
		goto fail;
	if (!new.id)
		new.id = name_of(new.pid);
	if (opt->symbols)
		new.symbols_path = strdup(opt->symbols);
	new.wants_image = opt->image;
	*t = new;
	return 0;
fail:
	target_detach(&new);
	return rc;
}

void target_detach(struct target *t)
{
	symtab_destroy(t->symbols);
	buf_deinit(&t->image);
	memfile_close(&t->mf);
	if (t->pidfd >= 0)
		close(t->pidfd);
	free(t->id);
	free(t->qmp_path);
	free(t->kernel_path);
	free(t->symbols_path);
	*t = (struct target)TARGET_INIT;
}

int target_find_module(struct target *t, unsigned int patience_ms,
		       struct xf_err *err)
{
	int rc = mailbox_find(&t->mb, &t->mf, patience_ms, err);

	return rc ? rc : mailbox_ctl(&t->mb, &t->ctl, err);
}

/* Symbols that VMCOREINFO and @st both have must agree. */
static int check_addresses(const struct vmcoreinfo *vi, struct symtab *st,
			   const char *path, struct xf_err *err)
{
	static const char *const names[] = {
		"init_uts_ns", "swapper_pg_dir", "_stext", "kallsyms_names",
		"kallsyms_num_syms", "kallsyms_token_table", "vmap_area_list",
		"node_data", "phys_base", "init_top_pgt",
	};
	unsigned int checked = 0;

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		uint64_t guest, file;

		if (!vmcoreinfo_symbol(vi, names[i], &guest) ||
		    symtab_address(st, names[i], &file, NULL))
			continue;
		if (guest != file)
			return xf_fail(err, -ENOEXEC,
				       "%s is of another kernel than the guest "
				       "runs (%s): %s lies elsewhere",
				       path, vi->osrelease, names[i]);
		checked++;
	}
	if (!checked)
		return xf_fail(err, -ENOEXEC,
			       "%s: nothing in it can be compared with the "
			       "guest's kernel", path);
	return 0;
}

/* An image that is wanted is unpacked once. */
static int open_file(const struct target *t, const char *path,
		     struct symtab **ret, struct buf *ret_image,
		     struct xf_err *err)
{
	_cleanup_(symtab_destroyp) struct symtab *st = NULL;
	int rc;

	if (!t->wants_image || vmlinuz_read(path, ret_image, NULL))
		return symtab_open(path, ret, err);
	st = symtab_create();
	rc = symtab_load_elf(st, ret_image->data, ret_image->len, err);
	if (rc)
		return xf_prefix(err, rc, "%s", path);
	*ret = xf_take(st);
	return 0;
}

static int load_file(struct target *t, const char *path, struct symtab **ret,
		     struct xf_err *err)
{
	_cleanup_(symtab_destroyp) struct symtab *st = NULL;
	_cleanup_(buf_deinit) struct buf image = BUF_INIT;
	const struct vmcoreinfo *vi = &t->kernel;
	int rc = open_file(t, path, &st, &image, err);

	if (rc)
		return rc;
	if (st->build_id_len && vi->build_id_len &&
	    (st->build_id_len != vi->build_id_len ||
	     memcmp(st->build_id, vi->build_id, vi->build_id_len)))
		return xf_fail(err, -ENOEXEC,
			       "%s is of another kernel than the guest runs "
			       "(%s): the build ids differ",
			       path, vi->osrelease);
	symtab_slide(st, vi->kerneloffset);
	rc = check_addresses(vi, st, path, err);
	if (rc)
		return rc;
	*ret = xf_take(st);
	buf_deinit(&t->image);
	t->image = image;
	image = (struct buf)BUF_INIT;
	return 0;
}

/*
 * In order of trust: what the user gave, then the kernel image that the guest
 * was started with or that the host has, then the guest's own tables.
 */
static int load_symbols(struct target *t, struct symtab **ret,
			struct xf_err *err)
{
	_cleanup_free_ char *boot = NULL;
	struct xf_err why;

	if (t->symbols_path)
		return load_file(t, t->symbols_path, ret, err);
	if (t->kernel_path) {
		if (!load_file(t, t->kernel_path, ret, &why))
			return 0;
		xf_debug("%s", why.msg);
	}
	if (asprintf(&boot, "/boot/vmlinuz-%s", t->kernel.osrelease) < 0)
		abort();
	if (!strchr(t->kernel.osrelease, '/') && access(boot, R_OK) == 0) {
		if (!load_file(t, boot, ret, &why))
			return 0;
		xf_debug("%s", why.msg);
	}
	xf_debug("symbols are read from guest RAM");
	return guestsyms_load(&t->kernel, &t->mf, ret, err);
}

static int read_cr3(const char *path, uint64_t *cr3, size_t cap, size_t *ret_nr)
{
	_cleanup_(qmp_close) struct qmp q = QMP_INIT;
	int rc = qmp_open(&q, path, QMP_TIMEOUT_MS, NULL);

	return rc ? rc : qmp_cr3(&q, cr3, cap, ret_nr, NULL);
}

static int find_running(const struct target *t, struct vmcoreinfo *vi,
			struct xf_err *err)
{
	int rc = vmcoreinfo_find(vi, &t->mf, NULL, 0, err);
	uint64_t cr3[64];
	size_t nr = 0;

	/*
	 * What a reboot left behind looks right too; the module tells which
	 * kernel it runs in, but not where. Ask QEMU for CR3.
	 */
	if (rc != -ENOTUNIQ || !t->qmp_path ||
	    read_cr3(t->qmp_path, cr3, 64, &nr))
		return rc;
	return vmcoreinfo_find(vi, &t->mf, cr3, nr, err);
}

static bool is_running(const struct target *t, const struct vmcoreinfo *vi)
{
	uint64_t cr3[64];
	size_t nr = 0;

	return !t->qmp_path || read_cr3(t->qmp_path, cr3, 64, &nr) ||
	       vmcoreinfo_runs(vi, &t->mf, cr3, nr);
}

bool target_runs_kernel(const struct target *t)
{
	return is_running(t, &t->kernel);
}

int target_jiffies(const struct target *t, uint64_t *ret)
{
	struct gva space = vmcoreinfo_space(&t->kernel, &t->mf);
	uint64_t addr;
	int rc;

	if (!t->symbols)
		return -ENOENT;
	rc = symtab_address(t->symbols, "jiffies_64", &addr, NULL);
	return rc ? rc : gva_read_u64(&space, addr, ret, NULL);
}

static bool is_same_build(const struct vmcoreinfo *a,
			  const struct vmcoreinfo *b)
{
	return a->build_id_len == b->build_id_len &&
	       !memcmp(a->build_id, b->build_id, a->build_id_len);
}

static int take_kernel(struct target *t, const struct vmcoreinfo *vi, bool same,
		       struct xf_err *err)
{
	struct symtab *st = NULL;
	int rc;

	if (same && t->symbols && !is_same_build(vi, &t->kernel))
		return xf_fail(err, -ESTALE,
			       "the guest has booted another kernel (%s)",
			       vi->osrelease);
	t->kernel = *vi;
	/* Anew, as modules lie elsewhere by now, too. */
	rc = load_symbols(t, &st, err);
	if (rc && same && t->symbols && t->symbols->source != SYMTAB_GUEST) {
		/* The file is gone: all but modules are found without it. */
		symtab_slide(t->symbols, vi->kerneloffset);
		return check_addresses(vi, t->symbols, "symbol table", err);
	}
	if (rc)
		return rc;
	symtab_destroy(t->symbols);
	t->symbols = st;
	return 0;
}

int target_find_again(struct target *t, struct xf_err *err)
{
	struct vmcoreinfo vi;
	int rc = find_running(t, &vi, err);

	if (rc)
		return rc;
	if (t->symbols && is_same_build(&vi, &t->kernel) &&
	    vi.kerneloffset == t->kernel.kerneloffset &&
	    vi.phys_base == t->kernel.phys_base &&
	    !strcmp(vi.osrelease, t->kernel.osrelease))
		return 0;
	/* What is left of an earlier boot may be all that is there by now. */
	if (!is_running(t, &vi))
		return xf_fail(err, -EAGAIN, "the guest is being reset");
	rc = take_kernel(t, &vi, false, err);
	if (!rc)
		return 1;
	symtab_destroy(t->symbols);
	t->symbols = NULL;
	return rc;
}

int target_find_kernel(struct target *t, bool same, struct xf_err *err)
{
	struct vmcoreinfo vi;
	int rc = find_running(t, &vi, err);

	return rc ? rc : take_kernel(t, &vi, same, err);
}

struct module_symbols {
	struct symtab *st;
	const char *module;
	uint64_t base, end;
};

static int add_module_symbol(void *arg, const struct modlist_symbol *sym)
{
	struct module_symbols *m = arg;

	/* The guest's word: nothing in it may hide the kernel's own names. */
	if (sym->addr >= m->base && sym->addr < m->end)
		symtab_add(m->st, sym->addr, sym->size, sym->type, sym->name,
			   strlen(sym->name), m->module);
	return 0;
}

int target_list_modules(const struct target *t, struct modlist *ret,
			struct xf_err *err)
{
	const struct xft_layout *l = &t->ctl.layout;
	const struct modlist_layout layout = {
		.list = l->module_list,
		.name = l->module_name,
		.name_len = l->module_name_len,
		.text_base = l->module_text_base,
		.text_size = l->module_text_size,
		.kallsyms = l->module_kallsyms,
		.symtab = l->kallsyms_symtab,
		.num_symtab = l->kallsyms_num,
		.strtab = l->kallsyms_strtab,
		.typetab = l->kallsyms_typetab,
	};
	struct gva space = vmcoreinfo_space(&t->kernel, &t->mf);
	uint64_t head;
	int rc = symtab_address(t->symbols, "modules", &head, err);

	return rc ? rc : modlist_read(ret, &space, head, &layout, err);
}

void target_name_module(struct modlist *ml, size_t i, struct symtab *st)
{
	const struct modlist_module *mod = &ml->mod[i];
	struct module_symbols m = {
		.st = st,
		.module = mod->name,
		.base = mod->text_base,
		.end = mod->text_base + mod->text_size,
	};
	struct xf_err err;

	/* Under such a name a module would be the kernel's own code. */
	if (mod->kallsyms && !madecode_is_module(mod->name) &&
	    modlist_symbols(ml, i, add_module_symbol, &m, &err))
		xf_debug("module symbols: %s", err.msg);
}

static void add_listed(struct target *t)
{
	_cleanup_(modlist_deinit) struct modlist ml = MODLIST_INIT;
	struct xf_err err;

	if (target_list_modules(t, &ml, &err))
		xf_debug("modules are not named: %s", err.msg);
	for (size_t i = 0; i < ml.nr; i++)
		if (!symtab_has_module(t->symbols, ml.mod[i].name))
			target_name_module(&ml, i, t->symbols);
	symtab_seal(t->symbols);
}

static struct image_guest image_of(const struct target *t,
				   const struct btf *types)
{
	return (struct image_guest){
		.space = vmcoreinfo_space(&t->kernel, &t->mf),
		.symbols = t->symbols,
		.types = types,
	};
}

/* To read the types takes long; in most guests there is nothing to look for. */
static void add_made(struct target *t)
{
	_cleanup_(target_btf_close) struct target_btf types = TARGET_BTF_INIT;
	const struct image_guest g = image_of(t, &types.btf);
	struct xf_err err;

	if (!madecode_exists(&g))
		return;
	if (target_btf_open(&types, t, &err))
		xf_debug("code made by the kernel is not named: %s", err.msg);
	else
		madecode_add(&g, t->symbols);
	symtab_seal(t->symbols);
}

void target_each_livepatch(const struct target *t,
			   void (*fn)(const char *module, void *arg), void *arg)
{
	_cleanup_(target_btf_close) struct target_btf types = TARGET_BTF_INIT;
	const struct image_guest g = image_of(t, &types.btf);
	struct xf_err err;

	if (!livepatch_exists(&g))
		return;
	if (target_btf_open(&types, t, &err))
		xf_debug("live patches are not known: %s", err.msg);
	else
		livepatch_each(&g, fn, arg);
}

void target_add_modules(struct target *t)
{
	add_listed(t);
	add_made(t);
}

void target_sites_deinit(struct target_sites *s)
{
	free(s->site);
	functions_deinit(&s->functions);
	*s = (struct target_sites){ 0 };
}

/*
 * Where ftrace hooks the function at @addr: its first instruction, or the one
 * behind ENDBR, is a 5-byte NOP, or a CALL where a tracer is at work already.
 * 0: it cannot be traced.
 */
static uint64_t find_site(const struct gva *space, uint64_t addr)
{
	static const uint8_t nop5[5] = { 0x0f, 0x1f, 0x44, 0x00, 0x00 };
	static const uint8_t endbr[4] = { 0xf3, 0x0f, 0x1e, 0xfa };
	/* What the kernel puts where an ENDBR is not needed (ibt sealing). */
	static const uint8_t sealed[4] = { 0x66, 0x0f, 0x1f, 0x00 };
	static const uint8_t sealed2[4] = { 0x0f, 0x1f, 0x40, 0xd6 };
	uint8_t code[9];
	int skip = 0;

	if (gva_read(space, addr, code, sizeof(code), NULL))
		return 0;
	if (!memcmp(code, endbr, 4) || !memcmp(code, sealed, 4) ||
	    !memcmp(code, sealed2, 4))
		skip = 4;
	if (code[skip] == 0xe8 || !memcmp(code + skip, nop5, sizeof(nop5)))
		return addr + skip;
	return 0;
}

int target_find_sites(struct target *t, char *const *names, size_t nr,
		      struct target_sites *ret, struct xf_err *err)
{
	struct gva space = vmcoreinfo_space(&t->kernel, &t->mf);
	struct target_sites s = { 0 };
	int rc = 0;

	for (size_t i = 0; i < nr; i++) {
		_cleanup_(functions_deinit) struct functions f = { 0 };
		size_t traceable = 0;

		rc = functions_resolve(&f, t->symbols, names[i], err);
		if (rc < 0)
			goto fail;
		for (size_t n = 0; n < f.nr; n++)
			traceable += !!find_site(&space, f.syms[n].addr);
		if (!traceable) {
			rc = xf_fail(err, -ENOTSUP,
				     "'%s' cannot be traced: ftrace has no hook "
				     "in it (it is notrace or not compiled for "
				     "tracing); trace one of its callers",
				     names[i]);
			goto fail;
		}
		functions_resolve(&s.functions, t->symbols, names[i], NULL);
	}
	s.site = calloc(s.functions.nr + 1, sizeof(*s.site));
	if (!s.site)
		abort();
	for (size_t n = 0; n < s.functions.nr; n++) {
		uint64_t site = find_site(&space, s.functions.syms[n].addr);

		if (!site) {
			s.nr_untraceable++;
			continue;
		}
		s.functions.syms[s.nr] = s.functions.syms[n];
		s.site[s.nr++] = site;
	}
	s.functions.nr = s.nr;
	if (s.nr > XFT_MAX_ROOTS) {
		rc = xf_fail(err, -E2BIG,
			     "these names mean %zu functions, at most %d can "
			     "be traced at once", s.nr, XFT_MAX_ROOTS);
		goto fail;
	}
	*ret = s;
	return 0;
fail:
	target_sites_deinit(&s);
	return rc;
}

void target_find_kfuncs(const struct target *t,
			uint64_t ret_kfunc[XFT_NR_KFUNCS])
{
	static const struct {
		int index;
		const char *name;
	} kfuncs[] = {
		{ XFT_KFUNC_REGISTER, "register_ftrace_graph" },
		{ XFT_KFUNC_UNREGISTER, "unregister_ftrace_graph" },
		{ XFT_KFUNC_TASK_VAR, "fgraph_get_task_var" },
		{ XFT_KFUNC_RET_STACK, "ftrace_graph_get_ret_stack" },
		{ XFT_KFUNC_BUFFERED_ON, "trace_buffered_event_enable" },
		{ XFT_KFUNC_BUFFERED_OFF, "trace_buffered_event_disable" },
		{ XFT_KFUNC_TRACING_OFF, "tracer_tracing_off" },
		{ XFT_KFUNC_EVENT_MUTEX, "event_mutex" },
		{ XFT_KFUNC_TEMP_BUFFER, "temp_buffer" },
		{ XFT_KFUNC_EXPANDED, "ring_buffer_expanded" },
	};

	memset(ret_kfunc, 0, XFT_NR_KFUNCS * sizeof(*ret_kfunc));
	for (size_t i = 0; i < ARRAY_SIZE(kfuncs); i++)
		(void)symtab_address(t->symbols, kfuncs[i].name,
				     &ret_kfunc[kfuncs[i].index], NULL);
}
