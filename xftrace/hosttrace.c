// SPDX-License-Identifier: GPL-2.0-only
#include "hosttrace.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <tracefs.h>

#include "buf.h"
#include "cleanup.h"
#include "eventquery.h"
#include "io.h"
#include "log.h"
#include "trace.h"

#define KVM_DIR	     "/sys/kernel/debug/kvm"
#define PAGE_MAX     (1u << 20)
#define PAGES_A_READ 1024	/* of one CPU; others must have their turn */

/* ---- vCPUs and their clocks ---- */

/* A number in a file of KVM's for a vCPU; text, as it may have 64 bits. */
static int read_word(int vm_fd, const char *vcpu, const char *file,
		     char ret[32], struct xf_err *err)
{
	_cleanup_(buf_deinit) struct buf path = BUF_INIT;
	_cleanup_close_ int fd = -1;
	ssize_t n;

	buf_printf(&path, "%s/%s", vcpu, file);
	fd = openat(vm_fd, path.data, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : read(fd, ret, 31);
	if (n <= 0)
		return xf_fail_errno(err, "--host: " KVM_DIR ": the guest's %s",
				     path.data);
	ret[n] = '\0';
	ret[strcspn(ret, "\n")] = '\0';
	return 0;
}

/* guest's TSC = (host's TSC * ratio >> shift) + offset */
static int describe_vcpu(int vm_fd, const char *vcpu, json_t *list,
			 struct xf_err *err)
{
	char tid[32], offset[32], ratio[32] = "1", shift[32] = "0";
	int rc = read_word(vm_fd, vcpu, "pid", tid, err);

	rc = rc ? rc : read_word(vm_fd, vcpu, "tsc-offset", offset, err);
	if (rc)
		return rc;
	/* Where the CPU cannot scale, KVM has neither. */
	if (!read_word(vm_fd, vcpu, "tsc-scaling-ratio", ratio, NULL)) {
		rc = read_word(vm_fd, vcpu, "tsc-scaling-ratio-frac-bits",
			       shift, err);
		if (rc)
			return rc;
	}
	json_array_append_new(list, json_pack("{s:i, s:i, s:s, s:s, s:i}",
					      "vcpu", atoi(vcpu + 4), "tid",
					      atoi(tid), "offset", offset,
					      "ratio", ratio, "shift",
					      atoi(shift)));
	return 0;
}

/* KVM has a folder for each machine, PID-FD, and in it one for each vCPU. */
static int open_vm(int pid, DIR **ret, struct xf_err *err)
{
	DIR *dir = opendir(KVM_DIR);
	struct dirent *d;
	int fd = -1;

	if (!dir && errno == ENOENT)
		return xf_fail(err, -ENXIO, "--host: there is no " KVM_DIR
			       ": nobody uses KVM here, or debugfs is not "
			       "mounted");
	if (!dir)
		return xf_fail_errno(err, "--host: the guest's TSC offset is "
				     "in " KVM_DIR);
	while (fd < 0 && (d = readdir(dir))) {
		int owner, vm;

		if (sscanf(d->d_name, "%d-%d", &owner, &vm) == 2 && owner == pid)
			fd = openat(dirfd(dir), d->d_name,
				    O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	}
	closedir(dir);
	if (fd < 0)
		return xf_fail(err, -ENXIO, "--host: QEMU, process %d, does not "
			       "use KVM: the host has no events of this guest",
			       pid);
	*ret = fdopendir(fd);
	if (!*ret)
		abort();
	return 0;
}

static int describe_vcpus(int pid, json_t *list, struct xf_err *err)
{
	struct dirent *d;
	DIR *dir = NULL;
	int rc = open_vm(pid, &dir, err);

	if (rc)
		return rc;
	while (!rc && (d = readdir(dir)))
		if (!strncmp(d->d_name, "vcpu", 4))
			rc = describe_vcpu(dirfd(dir), d->d_name, list, err);
	closedir(dir);
	if (!rc && !json_array_size(list))
		return xf_fail(err, -ENXIO, "KVM knows no vCPU of the guest");
	return rc;
}

/* ---- events ---- */

struct names {
	struct eventname *name;	/* both strings owned */
	size_t nr;
};

static void names_deinit(struct names *n)
{
	for (size_t i = 0; i < n->nr; i++) {
		free((char *)n->name[i].system);
		free((char *)n->name[i].name);
	}
	free(n->name);
}

static void names_add(struct names *n, const char *system, const char *name)
{
	n->name = realloc(n->name, (n->nr + 1) * sizeof(*n->name));
	if (!n->name)
		abort();
	n->name[n->nr++] = (struct eventname){ strdup(system), strdup(name) };
}

/* All events of the host that can be switched on. */
static void list_events(struct names *ret)
{
	char **systems = tracefs_event_systems(NULL);

	for (char **s = systems; s && *s; s++) {
		char **events = tracefs_system_events(NULL, *s);

		for (char **e = events; e && *e; e++)
			if (tracefs_event_file_exists(NULL, *s, *e, "enable"))
				names_add(ret, *s, *e);
		tracefs_list_free(events);
	}
	tracefs_list_free(systems);
}

/* Mark in @wanted what a pattern means. */
static int choose(const struct names *all, const char *pattern, bool *wanted,
		  struct xf_err *err)
{
	_cleanup_(eventquery_deinit) struct eventquery q = { 0 };
	int rc = eventquery_init(&q, pattern, err);
	size_t nr = 0;

	if (rc)
		return rc;
	for (size_t i = 0; i < all->nr; i++)
		if (eventquery_matches(&q, all->name[i].system,
				       all->name[i].name)) {
			wanted[i] = true;
			nr++;
		}
	return nr ? 0 : eventquery_failed(&q, all->name, all->nr, "the host",
					  err);
}

/* [{"system", "name", "format"}] of what the patterns mean. */
static int describe_events(char *const *patterns, size_t nr, json_t *list,
			   struct xf_err *err)
{
	_cleanup_(names_deinit) struct names all = { 0 };
	_cleanup_free_ bool *wanted = NULL;
	int rc = 0;

	list_events(&all);
	wanted = calloc(all.nr + 1, sizeof(*wanted));
	if (!wanted)
		abort();
	for (size_t i = 0; i < nr && !rc; i++)
		rc = choose(&all, patterns[i], wanted, err);
	for (size_t i = 0; i < all.nr && !rc; i++) {
		const struct eventname *n = &all.name[i];
		_cleanup_free_ char *format = NULL;

		if (!wanted[i])
			continue;
		format = tracefs_event_file_read(NULL, n->system, n->name,
						 "format", NULL);
		if (!format)
			return xf_fail_errno(err, "format of the host's %s:%s",
					     n->system, n->name);
		json_array_append_new(list, json_pack("{s:s, s:s, s:s}",
						      "system", n->system,
						      "name", n->name, "format",
						      format));
	}
	return rc;
}

/* ---- the instance ---- */

static char *instance_name(int pid)
{
	char *name;

	if (asprintf(&name, "xftrace-%d", pid) < 0)
		abort();
	return name;
}

/* libtracefs would mount it by itself; that is not ours to do. */
const char *hosttrace_folder(void)
{
	const char *dir = NULL;

	return tracefs_tracing_dir_is_mounted(false, &dir) > 0 ? dir : NULL;
}

static int find_tracefs(struct xf_err *err)
{
	_cleanup_free_ char *instances = NULL;
	const char *dir = hosttrace_folder();

	if (!dir)
		return xf_fail(err, -ENODEV, "--host: this host has no tracefs "
			       "mounted on /sys/kernel/tracing");
	if (asprintf(&instances, "%s/instances", dir) < 0)
		abort();
	if (access(instances, W_OK | X_OK))
		return xf_fail_errno(err, "--host: no right to trace on this "
				     "host: %s", instances);
	return 0;
}

/* "field: char data; offset:16; size:4080; signed:1;" */
static int find_page_size(size_t *ret, struct xf_err *err)
{
	_cleanup_free_ char *text =
		tracefs_instance_file_read(NULL, "events/header_page", NULL);
	const char *data = text ? strstr(text, "char data;") : NULL;
	unsigned int off, size;

	if (!data ||
	    sscanf(data, "char data; offset:%u; size:%u;", &off, &size) != 2 ||
	    off != TRACE_HOST_PAGE_HEAD || size > PAGE_MAX)
		return xf_fail(err, -ENOTSUP, "--host: this kernel's ring "
			       "buffer looks different: %s",
			       data ? "events/header_page" : "no header_page");
	*ret = off + size;
	return 0;
}

static int write_file(const struct hosttrace *h, const char *file,
		      const char *text, struct xf_err *err)
{
	if (tracefs_instance_file_write(h->instance, file, text) >= 0)
		return 0;
	return xf_fail_errno(err, "--host: '%s' into %s of tracefs", text,
			     file);
}

/* The threads whose events are wanted. */
static int choose_threads(const struct hosttrace *h, struct xf_err *err)
{
	_cleanup_(buf_deinit) struct buf tids = BUF_INIT;
	json_t *v;
	size_t i;

	json_array_foreach(json_object_get(h->description, "vcpus"), i, v)
		buf_printf(&tids, "%d ",
			   (int)json_integer_value(json_object_get(v, "tid")));
	return write_file(h, "set_event_pid", tids.data, err);
}

static int enable_events(const struct hosttrace *h, struct xf_err *err)
{
	json_t *v;
	size_t i;

	json_array_foreach(json_object_get(h->description, "events"), i, v) {
		const char *system =
			json_string_value(json_object_get(v, "system"));
		const char *name =
			json_string_value(json_object_get(v, "name"));

		if (tracefs_event_enable(h->instance, system, name))
			return xf_fail_errno(err, "--host: %s:%s", system,
					     name);
	}
	return 0;
}

static int open_cpus(struct hosttrace *h, struct xf_err *err)
{
	long nr = sysconf(_SC_NPROCESSORS_CONF);

	h->cpus = calloc(nr, sizeof(*h->cpus));
	if (!h->cpus)
		abort();
	for (long i = 0; i < nr; i++) {
		char file[64];
		int fd;

		snprintf(file, sizeof(file), "per_cpu/cpu%ld/trace_pipe_raw",
			 i);
		fd = tracefs_instance_file_open(h->instance, file,
						O_RDONLY | O_NONBLOCK |
							O_CLOEXEC);
		/* Not all that are configured need to be there. */
		if (fd < 0 && errno == ENOENT)
			continue;
		if (fd < 0)
			return xf_fail_errno(err, "--host: %s of tracefs",
					     file);
		h->cpus[h->nr_cpus++] = (struct hosttrace_cpu){ fd, i };
	}
	return 0;
}

static int create_instance(struct hosttrace *h, struct xf_err *err)
{
	_cleanup_free_ char *name = instance_name(h->pid);

	hosttrace_remove(h->pid);
	h->instance = tracefs_instance_create(name);
	if (!h->instance)
		return xf_fail_errno(err, "--host: instance %s of tracefs",
				     name);
	return 0;
}

static int describe(struct hosttrace *h, char *const *patterns, size_t nr,
		    struct xf_err *err)
{
	json_t *vcpus = json_array(), *events = json_array();
	struct utsname host;
	int rc;

	uname(&host);
	h->description = json_pack("{s:i, s:s, s:o, s:o}", "qemu", h->pid,
				   "release", host.release, "vcpus", vcpus,
				   "events", events);
	rc = describe_vcpus(h->pid, vcpus, err);
	return rc ? rc : describe_events(patterns, nr, events, err);
}

int hosttrace_start(struct hosttrace *h, int pid, char *const *patterns,
		    size_t nr, struct xf_err *err)
{
	struct hosttrace new = { .pid = pid };
	int rc;

	rc = find_tracefs(err);
	rc = rc ? rc : describe(&new, patterns, nr, err);
	rc = rc ? rc : find_page_size(&new.page_size, err);
	rc = rc ? rc : create_instance(&new, err);
	/* Stamps of any other clock say nothing about the guest's. */
	rc = rc ? rc : write_file(&new, "trace_clock", "x86-tsc", err);
	rc = rc ? rc : choose_threads(&new, err);
	rc = rc ? rc : open_cpus(&new, err);
	/* All events begin at one moment. */
	rc = rc ? rc : write_file(&new, "tracing_on", "0", err);
	rc = rc ? rc : enable_events(&new, err);
	rc = rc ? rc : write_file(&new, "tracing_on", "1", err);
	if (rc)
		hosttrace_stop(&new);
	else
		*h = new;
	return rc;
}

int hosttrace_resume(struct hosttrace *h, json_t *description,
		     struct xf_err *err)
{
	struct hosttrace new = {
		.pid = json_integer_value(json_object_get(description, "qemu")),
		.description = json_incref(description),
	};
	_cleanup_free_ char *name = instance_name(new.pid);
	int rc;

	rc = find_tracefs(err);
	rc = rc ? rc : find_page_size(&new.page_size, err);
	if (!rc && !tracefs_instance_exists(name))
		rc = xf_fail(err, -ENOENT, "the host's instance %s is gone",
			     name);
	if (!rc) {
		new.instance = tracefs_instance_alloc(NULL, name);
		rc = open_cpus(&new, err);
	}
	if (rc)
		hosttrace_stop(&new);
	else
		*h = new;
	return rc;
}

/* Bytes of a page that mean something: it is seldom full. */
static size_t used(const void *page, size_t len)
{
	uint64_t commit;
	size_t n;

	memcpy(&commit, (const char *)page + 8, sizeof(commit));
	n = TRACE_HOST_PAGE_HEAD + (commit & TRACE_HOST_PAGE_LEN);
	if (commit & TRACE_HOST_PAGE_COUNTED)
		n += sizeof(uint64_t);
	return n < len ? n : len;
}

static int put_page(uint32_t cpu, const void *page, size_t len,
		    struct journal *j, uint32_t session, struct xf_err *err)
{
	struct trace_host_page head = {
		.session = session,
		.cpu = cpu,
		.len = len,
	};

	if (!journal_reserve(j, sizeof(head) + len, err))
		return -ENOSPC;
	journal_write(j, 0, &head, sizeof(head));
	journal_write(j, sizeof(head), page, len);
	journal_add(j, TRACE_HOST_PAGE, sizeof(head) + len);
	return 0;
}

static int read_cpu(const struct hosttrace *h, const struct hosttrace_cpu *c,
		    void *page, struct journal *j, uint32_t session,
		    struct xf_err *err)
{
	int rc = 0;

	for (int i = 0; !rc && i < PAGES_A_READ; i++) {
		ssize_t n = read(c->fd, page, h->page_size);

		if (n < TRACE_HOST_PAGE_HEAD)
			break;
		rc = put_page(c->cpu, page, used(page, n), j, session, err);
	}
	return rc;
}

int hosttrace_read(struct hosttrace *h, struct journal *j, uint32_t session,
		   struct xf_err *err)
{
	_cleanup_free_ void *page = NULL;
	int rc = 0;

	if (!h->nr_cpus)
		return 0;
	page = malloc(h->page_size);
	if (!page)
		abort();
	for (size_t i = 0; i < h->nr_cpus && !rc; i++)
		rc = read_cpu(h, &h->cpus[i], page, j, session, err);
	return rc;
}

bool hosttrace_clock_moved(const struct hosttrace *h)
{
	const json_t *then = json_object_get(h->description, "vcpus");
	json_t *now = json_array();
	bool moved;

	/* A machine that has ended has no clocks any more. */
	moved = h->instance && !describe_vcpus(h->pid, now, NULL) &&
		!json_equal(now, then);
	json_decref(now);
	return moved;
}

static void destroy_instance(struct tracefs_instance *instance)
{
	/* Somebody may be looking into it; then at least it is quiet. */
	if (tracefs_instance_destroy(instance)) {
		xf_warn("the instance %s cannot be removed from tracefs: %s",
			tracefs_instance_get_name(instance), strerror(errno));
		tracefs_trace_off(instance);
	}
	tracefs_instance_free(instance);
}

void hosttrace_stop(struct hosttrace *h)
{
	/* As long as one is open the instance stays. */
	for (size_t i = 0; i < h->nr_cpus; i++)
		close(h->cpus[i].fd);
	free(h->cpus);
	if (h->instance)
		destroy_instance(h->instance);
	json_decref(h->description);
	*h = (struct hosttrace){ 0 };
}

void hosttrace_remove(int pid)
{
	_cleanup_free_ char *name = instance_name(pid);

	if (!find_tracefs(NULL) && tracefs_instance_exists(name))
		destroy_instance(tracefs_instance_alloc(NULL, name));
}
