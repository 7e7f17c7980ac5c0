// SPDX-License-Identifier: GPL-2.0-only
#include "vm.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <libgen.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "buf.h"
#include "cleanup.h"
#include "clock.h"
#include "io.h"
#include "log.h"
#include "state.h"

#define QEMU		"qemu-system-x86_64"
#define READY_LINE	"xftrace-demo: ready"
#define ALIVE_LINE	"Linux version"
#define BOOT_TIMEOUT_MS 180000
/*
 * A /dev/kvm that opens is no proof: a kernel must say its first words, or TCG
 * is tried. Where KVM is nested in an emulator on an idle host it takes 5 s.
 */
#define KVM_TIMEOUT_MS	30000

struct vm {
	char *folder;
	char *qmp, *agent, *console, *log, *info, *ram;
	char *dirty;		/* shared with our code in QEMU */
};

static void vm_deinit(struct vm *v)
{
	free(v->folder);
	free(v->qmp);
	free(v->agent);
	free(v->console);
	free(v->log);
	free(v->info);
	free(v->ram);
	free(v->dirty);
}

static int vm_init(struct vm *v, const char *name, struct xf_err *err)
{
	_cleanup_free_ char *runtime = NULL;
	uint32_t hash = 2166136261;	/* FNV-1a */
	int rc;

	*v = (struct vm){ 0 };
	if (!state_name_ok(name))
		return xf_fail(err, -EINVAL,
			       "'%s' cannot be a guest's name: use letters, "
			       "digits and ._-", name);
	rc = state_runtime(&runtime, err);
	if (rc)
		return rc;
	v->folder = state_join(runtime, "guests", name, NULL);
	v->qmp = state_join(v->folder, "qmp.sock", NULL);
	v->agent = state_join(v->folder, "agent.sock", NULL);
	v->console = state_join(v->folder, "console.log", NULL);
	v->log = state_join(v->folder, "qemu.log", NULL);
	v->info = state_join(v->folder, "guest.json", NULL);
	v->dirty = state_join(v->folder, "dirty", NULL);
	/*
	 * Not in <runtime>, whose file system may be far smaller than RAM; but
	 * guests of the same name in two such folders are not the same.
	 */
	for (const char *p = runtime; *p; p++)
		hash = (hash ^ (unsigned char)*p) * 16777619;
	if (asprintf(&v->ram, "/dev/shm/xftrace-%u-%08x-%s.ram", geteuid(),
		     hash, name) < 0)
		abort();
	return 0;
}

/* Is it still the QEMU that we started, and not a later process? */
static bool is_running(const json_t *info)
{
	pid_t pid = json_integer_value(json_object_get(info, "pid"));
	_cleanup_(buf_deinit) struct buf b = BUF_INIT;
	const char *qmp = json_string_value(json_object_get(info, "qmp"));
	char path[32];

	if (pid <= 0 || !qmp)
		return false;
	snprintf(path, sizeof(path), "/proc/%d/cmdline", pid);
	if (io_read_file(path, 1 << 20, &b, NULL) || !b.len)
		return false;
	return memmem(b.data, b.len, qmp, strlen(qmp));
}

int vm_list(json_t **ret, struct xf_err *err)
{
	json_t *names, *list, *v;
	size_t i;
	int rc = state_list("guests", &names, err);

	if (rc)
		return rc;
	list = json_array();
	json_array_foreach(names, i, v) {
		json_t *info = NULL;
		struct vm vm;

		if (!vm_init(&vm, json_string_value(v), NULL)) {
			/* Damaged or not written yet: still there to stop. */
			if (state_read_json(vm.info, &info, NULL) ||
			    !json_is_object(info)) {
				json_decref(info);
				info = json_object();
			}
			json_object_set(info, "name", v);
			json_object_set_new(info, "running",
					    json_boolean(is_running(info)));
			json_array_append_new(list, info);
		}
		vm_deinit(&vm);
	}
	json_decref(names);
	*ret = list;
	return 0;
}

int vm_paths(const char *name, char **ret_qmp, char **ret_kernel,
	     struct xf_err *err)
{
	_cleanup_(vm_deinit) struct vm v;
	json_t *info = NULL;
	int rc = vm_init(&v, name, err);

	if (rc)
		return rc;
	if (state_read_json(v.info, &info, NULL))
		return xf_fail(err, -ENOENT,
			       "there is no guest '%s' ('xftrace guest list' "
			       "shows those that were started here)", name);
	if (!is_running(info))
		rc = xf_fail(err, -ESRCH,
			     "guest '%s' has ended; 'xftrace guest stop %s' "
			     "clears it away", name, name);
	if (!rc) {
		const char *kernel =
			json_string_value(json_object_get(info, "kernel"));

		*ret_qmp = xf_take(v.qmp);
		*ret_kernel = kernel ? strdup(kernel) : NULL;
	}
	json_decref(info);
	return rc;
}

/* The release in a bzImage's header (Documentation/arch/x86/boot.rst). */
static int kernel_release(const char *path, char *ret, size_t cap,
			  struct xf_err *err)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	uint16_t where = 0;
	char magic[4] = "";
	ssize_t n;

	if (fd < 0)
		return xf_fail_errno(err, "kernel %s", path);
	if (pread(fd, magic, 4, 0x202) != 4 || memcmp(magic, "HdrS", 4) ||
	    pread(fd, &where, 2, 0x20e) != 2)
		return xf_fail(err, -EBADMSG,
			       "%s is no Linux kernel image (bzImage)", path);
	n = pread(fd, ret, cap - 1, where + 0x200);
	if (n <= 0)
		return xf_fail(err, -EBADMSG, "%s is cut short", path);
	ret[n] = '\0';
	ret[strcspn(ret, " ")] = '\0';
	if (!*ret || strchr(ret, '/'))
		return xf_fail(err, -EBADMSG, "%s names no release", path);
	return 0;
}

char *vm_find_part(const char *name)
{
	char exe[PATH_MAX];
	ssize_t n;
	char *path;

	n = readlink("/proc/self/exe", exe, sizeof(exe) - 1);
	if (n > 0) {
		exe[n] = '\0';
		path = state_join(dirname(exe), name, NULL);
		if (access(path, F_OK) == 0)
			return path;
		free(path);
	}
	return state_join(XF_LIBDIR, name, NULL);
}

/* Where kernels and initramfs of the demo are: $XFTRACE_DEMO or beside us. */
static char *demo_folder(void)
{
	const char *env = getenv("XFTRACE_DEMO");

	return env && *env ? strdup(env) : vm_find_part("demo");
}

char *vm_demo_kernel(const char *release)
{
	_cleanup_free_ char *demo = demo_folder();

	return state_join(demo, release, "vmlinuz", NULL);
}

static int find_images(const struct vm_options *opt, char **ret_kernel,
		       char **ret_initrd, struct xf_err *err)
{
	_cleanup_free_ char *demo = demo_folder(), *kernel = NULL;
	_cleanup_free_ char *initrd = NULL;
	char release[128];
	int rc;

	kernel = opt->kernel ? realpath(opt->kernel, NULL) :
			       state_join(demo, "default", "vmlinuz", NULL);
	if (!kernel)
		return xf_fail_errno(err, "kernel %s", opt->kernel);
	if (!opt->kernel && access(kernel, R_OK))
		return xf_fail(err, -ENOENT,
			       "the demo guest is not built: 'make demo' in "
			       "xftrace's source folder does it, or give "
			       "--kernel and --initrd");
	rc = kernel_release(kernel, release, sizeof(release), err);
	if (rc)
		return rc;
	initrd = opt->initrd ? realpath(opt->initrd, NULL) :
			       state_join(demo, release, "initrd", NULL);
	if (!initrd || access(initrd, R_OK))
		return xf_fail(err, -ENOENT,
			       "no demo initramfs for kernel %s (looked for "
			       "%s): 'make demo-images' builds those of 6.1 "
			       "and 6.12; give another with --initrd", release,
			       initrd ? initrd : opt->initrd);
	*ret_kernel = xf_take(kernel);
	*ret_initrd = xf_take(initrd);
	return 0;
}

/* Everything as one argument vector; strings are owned by @b. */
static void add_arg(struct buf *b, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
static void add_arg(struct buf *b, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	buf_vprintf(b, fmt, ap);
	va_end(ap);
	buf_putc(b, '\0');
}

static void qemu_args(struct buf *b, const struct vm *v,
		      const struct vm_options *opt, const char *kernel,
		      const char *initrd, bool kvm)
{
	add_arg(b, QEMU);
	add_arg(b, "-name");
	add_arg(b, "%s", opt->name);
	add_arg(b, "-nodefaults");
	add_arg(b, "-no-user-config");
	add_arg(b, "-display");
	add_arg(b, "none");
	add_arg(b, "-machine");
	add_arg(b, "q35,memory-backend=ram");
	add_arg(b, "-accel");
	/*
	 * With a thread for each CPU, QEMU 7.2 may go on running an int3 that
	 * the guest has patched away; in a function that runs with interrupts
	 * off that is the end of the guest (1 of 5 starts of ftrace).
	 */
	add_arg(b, "%s", kvm ? "kvm" : "tcg,thread=single");
	add_arg(b, "-cpu");
	/* QEMU 7.2's cmpxchg16b under TCG makes 6.12 kernels panic. */
	add_arg(b, "%s", kvm ? "host" : "max,-cx16");
	add_arg(b, "-smp");
	add_arg(b, "%" PRIu64, opt->cpus);
	add_arg(b, "-m");
	add_arg(b, "%" PRIu64 "M", opt->mem >> 20);
	add_arg(b, "-object");
	add_arg(b,
		"memory-backend-file,id=ram,share=on,size=%" PRIu64
		"M,mem-path=%s", opt->mem >> 20, v->ram);
	add_arg(b, "-qmp");
	add_arg(b, "unix:%s,server=on,wait=off", v->qmp);
	add_arg(b, "-chardev");
	add_arg(b, "file,id=console,path=%s", v->console);
	add_arg(b, "-serial");
	add_arg(b, "chardev:console");
	add_arg(b, "-device");
	add_arg(b, "virtio-serial-pci");
	add_arg(b, "-chardev");
	add_arg(b, "socket,id=agent,server=on,wait=off,path=%s", v->agent);
	add_arg(b, "-device");
	add_arg(b, "virtserialport,chardev=agent,name=xftrace.agent");
	add_arg(b, "-kernel");
	add_arg(b, "%s", kernel);
	add_arg(b, "-initrd");
	add_arg(b, "%s", initrd);
	add_arg(b, "-append");
	/* ALIVE_LINE is a notice: level 5 would not show it. */
	add_arg(b, "console=ttyS0 panic=-1 quiet loglevel=6 %s",
		opt->append ? opt->append : "");
}

/*
 * Our code for QEMU, which tells what the guest writes: a plugin of its
 * emulator, or, *@ret_shim, a library to be loaded before all others.
 */
static int find_dirty(struct buf *args, const struct vm *v, bool kvm,
		      char **ret_shim, struct xf_err *err)
{
	_cleanup_free_ char *part =
		vm_find_part(kvm ? "dirty_kvm.so" : "dirty_tcg.so");

	if (access(part, R_OK))
		return xf_fail_errno(err, "--dirty: %s", part);
	if (kvm) {
		*ret_shim = xf_take(part);
		return 0;
	}
	add_arg(args, "-plugin");
	add_arg(args, "%s,dirty=%s", part, v->dirty);
	return 0;
}

static int spawn(const struct vm *v, const struct buf *args, const char *shim,
		 pid_t *ret_pid, struct xf_err *err)
{
	char *argv[128];
	int n = 0, log_fd;
	pid_t pid;

	for (char *p = args->data; p < args->data + args->len && n < 127;
	     p += strlen(p) + 1)
		argv[n++] = p;
	argv[n] = NULL;
	log_fd = open(v->log, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (log_fd < 0)
		return xf_fail_errno(err, "%s", v->log);
	pid = fork();
	if (!pid) {
		int null = open("/dev/null", O_RDONLY);

		/* The RAM file and the sockets are for us alone. */
		umask(077);
		setsid();
		dup2(null, 0);
		dup2(log_fd, 1);
		dup2(log_fd, 2);
		if (shim) {
			setenv("LD_PRELOAD", shim, true);
			setenv("XFTRACE_DIRTY", v->dirty, true);
		}
		execvp(argv[0], argv);
		fprintf(stderr, "%s: %s\n", argv[0], strerror(errno));
		_exit(127);
	}
	close(log_fd);
	if (pid < 0)
		return xf_fail_errno(err, "fork");
	*ret_pid = pid;
	return 0;
}

static bool file_has(const char *path, const char *text)
{
	_cleanup_(buf_deinit) struct buf b = BUF_INIT;

	return !io_read_file(path, 16 << 20, &b, NULL) && b.len &&
	       memmem(b.data, b.len, text, strlen(text));
}

static unsigned int since_ms(uint64_t start_ns)
{
	return (monotonic_ns() - start_ns) / 1000000;
}

static volatile sig_atomic_t interrupted;

static void on_interrupt(int sig)
{
	(void)sig;
	interrupted = 1;
}

/* The last words of QEMU, for a message. */
static void last_line(const char *path, char *ret, size_t cap)
{
	_cleanup_(buf_deinit) struct buf b = BUF_INIT;
	_cleanup_(buf_deinit) struct buf safe = BUF_INIT;
	char *line;

	*ret = '\0';
	if (io_read_file(path, 1 << 20, &b, NULL) || !b.len)
		return;
	while (b.len && b.data[b.len - 1] == '\n')
		b.data[--b.len] = '\0';
	line = strrchr(b.data, '\n');
	line = line ? line + 1 : b.data;
	buf_add_escaped(&safe, line, strlen(line));
	snprintf(ret, cap, "%s", safe.data ? safe.data : "");
}

/*
 * Until the guest says on its console that it is up. -ENODEV: it did not say
 * a word in the @kvm_ms that KVM is given.
 */
static int wait_ready(const struct vm *v, pid_t pid, bool kvm,
		      unsigned int kvm_ms, struct xf_err *err)
{
	struct timespec nap = { .tv_nsec = 20000000 };
	uint64_t start_ns = monotonic_ns();
	bool alive = !kvm;
	char last[200];

	while (!file_has(v->console, READY_LINE)) {
		unsigned int ms = since_ms(start_ns);

		if (waitpid(pid, NULL, WNOHANG) == pid) {
			last_line(v->log, last, sizeof(last));
			return xf_fail(err, kvm ? -ENODEV : -EIO,
				       "the guest ended before it was up%s%s",
				       *last ? ": " : "", last);
		}
		if (interrupted)
			return xf_fail(err, -EINTR, "interrupted");
		alive = alive || file_has(v->console, ALIVE_LINE);
		if (!alive && ms > kvm_ms)
			return xf_fail(err, -ENODEV,
				       "no sign of life under KVM");
		if (ms > BOOT_TIMEOUT_MS) {
			last_line(v->console, last, sizeof(last));
			return xf_fail(err, -ETIMEDOUT,
				       "the guest did not come up; its last "
				       "line: %s", last);
		}
		xf_progress("guest boots under %s, %u s", kvm ? "KVM" : "TCG",
			    ms / 1000);
		nanosleep(&nap, NULL);
	}
	xf_progress(NULL);
	return 0;
}

static void remove_files(const struct vm *v)
{
	state_remove_folder(v->folder);
	unlink(v->ram);
}

static void kill_and_wait(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

/* What QEMU writes stays where the user wants it when all else is removed. */
static int lead_console(const struct vm *v, const char *path,
			struct xf_err *err)
{
	_cleanup_close_ int fd = -1;
	_cleanup_free_ char *real = NULL;

	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	if (fd >= 0)
		real = realpath(path, NULL);
	if (!real || symlink(real, v->console))
		return xf_fail_errno(err, "%s", path);
	return 0;
}

static int boot(const struct vm *v, const struct vm_options *opt,
		const char *kernel, const char *initrd, bool kvm,
		struct xf_err *err)
{
	_cleanup_(buf_deinit) struct buf args = BUF_INIT;
	_cleanup_free_ char *shim = NULL;
	json_t *info;
	pid_t pid;
	int rc;

	remove_files(v);
	rc = io_make_folders(v->folder, 0700, err);
	if (rc)
		return rc;
	qemu_args(&args, v, opt, kernel, initrd, kvm);
	rc = opt->console ? lead_console(v, opt->console, err) : 0;
	if (!rc && opt->dirty)
		rc = find_dirty(&args, v, kvm, &shim, err);
	rc = rc ? rc : spawn(v, &args, shim, &pid, err);
	if (rc)
		goto fail;
	info = json_pack("{s:s, s:i, s:s, s:s, s:s, s:s, s:I, s:I}", "name",
			 opt->name, "pid", (int)pid, "qmp", v->qmp, "kernel",
			 kernel, "accel", kvm ? "kvm" : "tcg", "agent",
			 v->agent, "mem", (json_int_t)opt->mem, "cpus",
			 (json_int_t)opt->cpus);
	rc = state_write_json(v->info, info, err);
	json_decref(info);
	/* Where there is no choice a busy host may take its time. */
	rc = rc ? rc : wait_ready(v, pid, kvm, opt->accel == VM_AUTO ?
				  KVM_TIMEOUT_MS : BOOT_TIMEOUT_MS, err);
	if (!rc)
		return 0;
	kill_and_wait(pid);
fail:
	xf_progress(NULL);
	remove_files(v);
	return rc;
}

/* KVM that failed once is not tried again until the host reboots. */
static char *no_kvm_path(void)
{
	_cleanup_free_ char *cache = NULL;

	return state_cache(&cache, NULL) ? NULL :
					   state_join(cache, "no-kvm", NULL);
}

static bool boot_id(struct buf *b)
{
	return !io_read_file("/proc/sys/kernel/random/boot_id", 64, b, NULL);
}

static bool kvm_failed_before(void)
{
	_cleanup_(buf_deinit) struct buf now = BUF_INIT, then = BUF_INIT;
	_cleanup_free_ char *path = no_kvm_path();

	return path && boot_id(&now) &&
	       !io_read_file(path, 64, &then, NULL) && now.len == then.len &&
	       !memcmp(now.data, then.data, now.len);
}

static void remember_kvm(bool works)
{
	_cleanup_(buf_deinit) struct buf now = BUF_INIT;
	_cleanup_free_ char *path = no_kvm_path();

	if (path && works)
		unlink(path);
	else if (path && boot_id(&now))
		(void)io_replace_file(path, now.data, now.len, 0600, NULL);
}

static int boot_best(const struct vm *v, const struct vm_options *opt,
		     const char *kernel, const char *initrd, struct xf_err *err)
{
	int rc;

	if (opt->accel == VM_TCG)
		return boot(v, opt, kernel, initrd, false, err);
	if (opt->accel == VM_KVM) {
		rc = boot(v, opt, kernel, initrd, true, err);
		if (!rc)
			remember_kvm(true);
		return rc;
	}
	if (access("/dev/kvm", R_OK | W_OK) == 0 && !kvm_failed_before()) {
		rc = boot(v, opt, kernel, initrd, true, err);
		if (rc != -ENODEV)
			return rc;
		xf_info("KVM does not run this guest here: TCG is used, now "
			"and until the host reboots (--accel kvm tries again)");
		remember_kvm(false);
	}
	return boot(v, opt, kernel, initrd, false, err);
}

int vm_start(const struct vm_options *opt, struct xf_err *err)
{
	struct sigaction sa = { .sa_handler = on_interrupt }, old;
	_cleanup_free_ char *kernel = NULL, *initrd = NULL;
	_cleanup_(vm_deinit) struct vm v;
	json_t *info = NULL;
	int rc;

	rc = vm_init(&v, opt->name, err);
	rc = rc ? rc : find_images(opt, &kernel, &initrd, err);
	if (rc)
		return rc;
	if (!state_read_json(v.info, &info, NULL)) {
		bool running = is_running(info);

		json_decref(info);
		if (running)
			return xf_fail(err, -EEXIST,
				       "guest '%s' is running already: choose "
				       "another --name", opt->name);
	}
	interrupted = 0;
	sigaction(SIGINT, &sa, &old);
	rc = boot_best(&v, opt, kernel, initrd, err);
	sigaction(SIGINT, &old, NULL);
	return rc;
}

int vm_stop(const char *name, struct xf_err *err)
{
	struct timespec nap = { .tv_nsec = 10000000 };
	_cleanup_(vm_deinit) struct vm v;
	json_t *info = NULL;
	uint64_t start_ns;
	int rc = vm_init(&v, name, err);
	pid_t pid;

	if (rc)
		return rc;
	if (access(v.folder, F_OK))
		return xf_fail(err, -ENOENT, "there is no guest '%s'", name);
	(void)state_read_json(v.info, &info, NULL);
	pid = json_integer_value(json_object_get(info, "pid"));
	/* A demo guest keeps nothing: there is no need to shut it down. */
	if (is_running(info))
		kill(pid, SIGTERM);
	start_ns = monotonic_ns();
	while (is_running(info)) {
		if (since_ms(start_ns) > 3000)
			kill(pid, SIGKILL);
		nanosleep(&nap, NULL);
	}
	json_decref(info);
	remove_files(&v);
	return 0;
}
