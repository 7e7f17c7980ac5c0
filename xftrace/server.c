// SPDX-License-Identifier: GPL-2.0-only
#include "server.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "cage.h"
#include "catalog.h"
#include "cleanup.h"
#include "clock.h"
#include "log.h"
#include "state.h"
#include "trace.h"

#define TICK_NS		 5000000ULL
#define CHECK_NS	 250000000ULL	/* look whether the guest is there */
#define SILENT_NS	 5000000000ULL	/* its heart stood still: say so */
#define SEARCH_NS	 1000000000ULL	/* for a module after a reboot */
#define REWIND_TIMEOUT_MS 60000	/* the guest patches its functions back */
#define GONE_TRIES	 200	/* ticks, in which its clock moves if it runs */
#define SEARCH_MAX_NS	 64000000000ULL	/* if it refuses time and again */

/* The process's own state. */
struct server {
	struct recording rec;
	struct target *t;
	struct recording_spec spec;
	const struct recorder *r;
	ino_t sock_ino;		/* of the socket that is ours */
	int listen_fd;
	int signal_fd;
	int off_fd;		/* who said 'off', or -1 */
	bool dead;		/* QEMU is gone */
	bool silent;		/* the heart stands still */
	bool done;		/* 'off' or a signal */
	uint64_t check_ns;	/* when to look again */
	uint64_t halt_ns;	/* when to try to take the hooks out again */
	uint64_t search_ns;	/* between two searches for a module */
	uint64_t started_ns;
	uint64_t rate_ns;
	uint64_t rate_records;
	double rate;		/* records a second */
	struct xf_err trouble;	/* the last one, for status */
};

static const char *kind_name(uint32_t kind)
{
	return kind == XFT_RING_NMI ? "nmi" : "main";
}

/* What our trace is called now: somebody may have given it another name. */
static const char *trace_name(const struct server *s, struct catalog_entry *e)
{
	return s->rec.j.path && catalog_read(&s->rec.st, s->rec.j.slot, e) ?
		       e->name : s->spec.trace;
}

/* NULL if there was none. */
static json_t *first_fault(const struct recording *r)
{
	const struct trace_span *f = &r->first_fault;

	return f->session ? json_pack("{s:s, s:i, s:i, s:s, s:I, s:i}", "what",
				      unseal_fault_name(f->fault), "session",
				      (int)f->session, "cpu", (int)f->cpu,
				      "kind", kind_name(f->kind), "sub_buffer",
				      (json_int_t)f->nr, "offset",
				      (int)f->offset) : NULL;
}

static json_t *status_json(struct server *s)
{
	struct catalog_entry e;
	struct recording_counts c = recording_counts(&s->rec);
	uint64_t now = monotonic_ns();
	json_t *names = json_array(), *rings = json_array(), *reply;
	json_t *faults = json_object();
	uint64_t age = c.unread > sizeof(struct xft_sub) * s->rec.nr_rings ?
			       now - s->rec.caught_up_ns : 0;

	for (size_t i = 0; i < s->spec.nr_names; i++)
		json_array_append_new(names, json_string(s->spec.names[i]));
	for (size_t i = 0; i < s->rec.nr_rings; i++) {
		const struct ring *r = &s->rec.rings[i];

		json_array_append_new(
			rings,
			json_pack("{s:i, s:s, s:I, s:I, s:I, s:I}", "cpu",
				  (int)r->cpu, "kind", kind_name(r->kind),
				  "size", (json_int_t)ring_size(r), "unread",
				  (json_int_t)ring_unread(r), "records",
				  (json_int_t)r->accepted, "lost",
				  (json_int_t)r->lost));
	}
	for (int i = 1; i < UNSEAL_FAULTS; i++)
		if (c.faults[i])
			json_object_set_new(faults, unseal_fault_name(i),
					    json_integer(c.faults[i]));
	reply = json_pack(
		"{s:s, s:s, s:s, s:s, s:o, s:f, s:I, s:I, s:I, s:I, s:f, s:f, "
		"s:i, s:i, s:f, s:I, s:o, s:s, s:o, s:o*, s:f, s:f, s:I}",
		"guest", s->t->id, "trace", trace_name(s, &e), "store",
		s->spec.store, "state",
		s->dead ? "guest is gone" :
		s->rec.starting ? "starting" :
		s->rec.full ? "store full" :
		!s->rec.tracing ? "waiting for the guest's module" :
		s->silent ? "guest is silent" : "tracing",
		"functions", names, "seconds",
		(now - s->started_ns) / 1e9, "records", (json_int_t)c.records,
		"lost", (json_int_t)c.lost, "gaps", (json_int_t)c.gaps, "bad",
		(json_int_t)c.bad, "records_per_second", s->rate,
		"ring_fill", c.size ? (double)c.unread / c.size : 0.0,
		"key_epoch", (int)s->rec.key.epoch, "session",
		(int)s->rec.key.session, "oldest_unread_seconds", age / 1e9,
		"trace_bytes", (json_int_t)s->rec.j.end, "rings", rings, "mask",
		s->spec.sealed ? "sealed" : "xor", "faults", faults,
		"first_fault", first_fault(&s->rec),
		"verified_seconds", recording_verified_ns(&s->rec) / 1e9,
		"oldest_unread_max_seconds", s->rec.erasable_ns / 1e9,
		"heartbeat", (json_int_t)s->rec.heartbeat);
	if (reply && dirtytrace_is_on(&s->rec.dirty))
		json_object_set_new(reply, "dirty",
				    dirtytrace_status(&s->rec.dirty));
	if (reply && s->trouble.code)
		json_object_set_new(reply, "trouble",
				    json_string(s->trouble.msg));
	return reply;
}

static void reply(int fd, json_t *value)
{
	_cleanup_free_ char *text = value ? json_dumps(value, 0) : NULL;

	json_decref(value);
	if (text)
		(void)send(fd, text, strlen(text), MSG_NOSIGNAL);
}

static void trouble(struct server *s, const char *what,
		    const struct xf_err *why)
{
	if (s->trouble.code != why->code)
		recording_note(&s->rec, what, why->msg);
	s->trouble = *why;
}

static void update_rate(struct server *s, uint64_t now)
{
	uint64_t records;

	if (now - s->rate_ns < 1000000000ULL)
		return;
	records = recording_counts(&s->rec).records;
	s->rate = (records - s->rate_records) * 1e9 / (now - s->rate_ns);
	s->rate_records = records;
	s->rate_ns = now;
}

/* One line from a client: status is answered at once, off a little later. */
static void serve(struct server *s)
{
	_cleanup_close_ int fd = accept4(s->listen_fd, NULL, NULL, SOCK_CLOEXEC);
	struct timeval patience = { .tv_sec = 1 };
	char line[32];
	ssize_t n;

	if (fd < 0)
		return;
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	n = recv(fd, line, sizeof(line) - 1, 0);
	if (n <= 0)
		return;
	line[n] = '\0';
	line[strcspn(line, "\n")] = '\0';
	if (!strcmp(line, "status"))
		reply(fd, status_json(s));
	else if (!strcmp(line, "off") && s->off_fd < 0)
		s->off_fd = xf_take_fd(fd);
}

static bool is_readable(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	return poll(&p, 1, 0) > 0;
}

/* While the guest patches its functions, which may take a minute. */
static bool serve_and_wait(void *arg, unsigned int waited_ms)
{
	struct server *s = arg;

	if (is_readable(s->listen_fd))
		serve(s);
	return s->off_fd < 0 && !is_readable(s->signal_fd) &&
	       !is_readable(s->t->pidfd);
}

static void stop_it(struct server *s)
{
	(void)mailbox_request(&s->t->mb, XFT_CMD_STOP, REWIND_TIMEOUT_MS,
			      serve_and_wait, s, NULL);
}

/* The guest has rebooted or loaded its module again: trace it once more. */
static void search_again(struct server *s, uint64_t now)
{
	struct xf_err why;
	int rc;

	s->check_ns = now + s->search_ns;
	rc = target_find_module(s->t, 300, &why);
	if (rc)
		return;
	/*
	 * It was set back to when it had another module: we record it, who
	 * else?
	 */
	if (s->t->ctl.state == XFT_TRACING) {
		mailbox_halt(&s->t->mb);
		stop_it(s);
	}
	rc = target_find_kernel(s->t, true, &why);
	rc = rc ? rc : recording_begin(&s->rec, &s->spec, serve_and_wait, s,
				       &why);
	if (rc) {
		trouble(s, NULL, &why);
		/* Each attempt costs room in the trace. */
		if (s->search_ns < SEARCH_MAX_NS)
			s->search_ns *= 2;
		return;
	}
	s->search_ns = SEARCH_NS;
	s->trouble.code = 0;
	s->silent = false;
}

static bool check_qemu(struct server *s)
{
	if (!s->dead && is_readable(s->t->pidfd)) {
		recording_abandon(&s->rec, TRACE_NOTE_PART,
				  "QEMU ended while it was recorded");
		s->dead = true;
	}
	return !s->dead;
}

/*
 * A guest that is silent may be paused, or be another one by now: then what is
 * left of our control block looks as it did, and the new module lies elsewhere.
 */
static void look_for_successor(struct server *s)
{
	struct mailbox other = s->t->mb;

	if (mailbox_find(&other, &s->t->mf, 300, NULL) ||
	    other.instance == s->t->mb.instance)
		return;
	recording_abandon(&s->rec, TRACE_NOTE_PART, "the guest rebooted");
	s->t->mb = other;
}

/*
 * A guest that was set back to an earlier state seals other records with the
 * same keys. Its writers were halted already: have it stop, and begin again
 * with others.
 */
static void begin_anew(struct server *s)
{
	recording_abandon(&s->rec, TRACE_NOTE_SILENCE,
			  "the guest's positions ran backwards: it was set back "
			  "to an earlier state, or somebody tampers with it");
	stop_it(s);
}

/*
 * The module is gone; with its kernel? That of a guest that is reset has a
 * clock that stands still, and the next one's begins anew.
 */
static bool kernel_runs_on(const struct server *s)
{
	uint64_t first, now;

	if (target_jiffies(s->t, &first))
		return false;
	for (int i = 0; i < GONE_TRIES; i++) {
		usleep(TICK_NS / 1000);
		if (target_jiffies(s->t, &now) || now < first)
			return false;
		if (now > first)
			return !vmcoreinfo_verify(&s->t->kernel, &s->t->mf, NULL);
	}
	return false;
}

/* Is the guest there, alive, and the one that we know? */
static void check_guest(struct server *s, uint64_t now)
{
	struct xft_ctl ctl;
	struct xf_err why;

	if (!check_qemu(s))
		return;
	if (!s->rec.tracing) {
		/* A full store has no room for another session. */
		if (!s->rec.full)
			search_again(s, now);
		return;
	}
	if (mailbox_ctl(&s->t->mb, &ctl, &why)) {
		if (kernel_runs_on(s))
			recording_abandon(&s->rec, TRACE_NOTE_SILENCE,
					  "the guest runs on, but its module "
					  "xftrace was taken out");
		else
			recording_abandon(&s->rec, TRACE_NOTE_PART,
					  "the guest rebooted or unloaded its "
					  "module");
		return;
	}
	if (recording_is_reborn(&s->rec) && !s->rec.stopped) {
		begin_anew(s);
		return;
	}
	/* Before its heart beats a snapshot may be half restored. */
	if (ctl.state != XFT_TRACING && !s->rec.stopped && !s->rec.rewound) {
		recording_abandon(&s->rec, TRACE_NOTE_SILENCE,
				  "the guest's module stopped tracing without "
				  "being asked");
		return;
	}
	s->check_ns = now + CHECK_NS;
	if (s->rec.beat_ns + SILENT_NS > now) {
		s->silent = false;
		return;
	}
	if (!s->silent) {
		s->silent = true;
		xf_fail(&why, -ETIMEDOUT,
			"the guest stood still for more than %d s",
			(int)(SILENT_NS / 1000000000));
		trouble(s, TRACE_NOTE_STILL, &why);
	}
	look_for_successor(s);
	s->check_ns = now + SILENT_NS;
}

static bool qemu_lives(void *arg, unsigned int waited_ms)
{
	struct server *s = arg;

	return !is_readable(s->t->pidfd);
}

/* 'off' comes later; until then whoever asks is answered. */
static bool serve_meanwhile(void *arg, unsigned int waited_ms)
{
	struct server *s = arg;

	if (is_readable(s->listen_fd))
		serve(s);
	return !is_readable(s->t->pidfd);
}

/* Nothing more is kept: the guest need not pay for it any longer. */
static void halt(struct server *s, uint64_t now)
{
	struct xf_err why;

	if (!s->rec.tracing || s->rec.stopped || now < s->halt_ns)
		return;
	if (recording_halt(&s->rec, serve_meanwhile, s, &why))
		s->halt_ns = monotonic_ns() + SILENT_NS;
}

/* The trace is whole and closed before the client hears of it. */
static void finish(struct server *s, const char *reason, int client)
{
	json_t *status;
	struct xf_err why;

	s->done = true;
	check_qemu(s);
	if (recording_end(&s->rec, reason, qemu_lives, s, &why))
		trouble(s, NULL, &why);
	else if (s->rec.left.code)
		trouble(s, NULL, &s->rec.left);
	status = status_json(s);
	recording_close(&s->rec);
	if (client >= 0)
		reply(client, status);
	else
		json_decref(status);
}

static ino_t sock_inode(const struct recorder *r)
{
	_cleanup_free_ char *path = state_join(r->folder, "sock", NULL);
	struct stat st;

	return stat(path, &st) ? 0 : st.st_ino;
}

/* Somebody has cleared us or the store away: nobody could ever say "off". */
static bool is_forgotten(const struct server *s)
{
	struct stat st;

	return sock_inode(s->r) != s->sock_ino ||
	       fstat(s->rec.st.m.fd, &st) || !st.st_nlink;
}

static void run(struct server *s)
{
	int tick_ms = (s->spec.commit_ns < TICK_NS ? s->spec.commit_ns :
						     TICK_NS) / 1000000;
	uint64_t forgotten_ns = 0;

	while (!s->done) {
		struct pollfd p[2] = {
			{ .fd = s->listen_fd, .events = POLLIN },
			{ .fd = s->signal_fd, .events = POLLIN },
		};
		uint64_t now;
		struct xf_err why;

		(void)poll(p, 2, tick_ms);
		if (recording_tick(&s->rec, &why))
			trouble(s, NULL, &why);
		now = monotonic_ns();
		update_rate(s, now);
		if (s->rec.full)
			halt(s, now);
		if (now >= s->check_ns || recording_is_reborn(&s->rec))
			check_guest(s, now);
		if (p[0].revents)
			serve(s);
		if (s->off_fd >= 0)
			finish(s, "off", s->off_fd);
		else if (p[1].revents)
			finish(s, "the recorder was told to end", -1);
		else if (now >= forgotten_ns) {
			if (is_forgotten(s))
				finish(s, "its files were removed", -1);
			forgotten_ns = now + SEARCH_NS;
		}
	}
}

static int open_socket(const struct recorder *r, struct xf_err *err)
{
	_cleanup_free_ char *path = state_join(r->folder, "sock", NULL);
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	_cleanup_close_ int fd = -1;

	if (strlen(path) >= sizeof(a.sun_path))
		return xf_fail(err, -ENAMETOOLONG,
			       "%s: too long for a socket: set XFTRACE_RUNTIME",
			       path);
	strcpy(a.sun_path, path);
	unlink(path);
	/* It may be served before whoever asked poll() comes to it. */
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof(a)) ||
	    listen(fd, 8))
		return xf_fail_errno(err, "%s", path);
	return xf_take_fd(fd);
}

static int write_info(const struct recorder *r, const struct recording *rec,
		      const struct recording_spec *spec, struct xf_err *err)
{
	_cleanup_free_ char *path = state_join(r->folder, "recorder.json",
					       NULL);
	const struct target *t = rec->t;
	json_t *names = json_array();
	char id[20];
	json_t *info;
	int rc;

	for (size_t i = 0; i < spec->nr_names; i++)
		json_array_append_new(names, json_string(spec->names[i]));
	/* The trace may be given another name while it is recorded. */
	snprintf(id, sizeof(id), "0x%" PRIx64, rec->j.id);
	info = json_pack("{s:s, s:i, s:i, s:s, s:s, s:s, s:o}", "guest", r->id,
			 "pid", getpid(), "qemu", t->pid, "qmp",
			 t->qmp_path ? t->qmp_path : "", "store", spec->store,
			 "trace_id", id, "functions", names);
	rc = state_write_json(path, info, err);
	json_decref(info);
	return rc;
}

/* Each signal gives up one wait: that for START, then that for its undoing. */
static bool child_wait(void *arg, unsigned int waited_ms)
{
	struct signalfd_siginfo si;

	return read(*(int *)arg, &si, sizeof(si)) != sizeof(si);
}

/*
 * Ours are close-on-exec. The rest is the caller's, who may wait for its end.
 */
static void close_inherited(void)
{
	DIR *dir = opendir("/proc/self/fd");
	struct dirent *d;

	while (dir && (d = readdir(dir))) {
		int fd = atoi(d->d_name);

		if (fd > 2 && !(fcntl(fd, F_GETFD) & FD_CLOEXEC))
			close(fd);
	}
	if (dir)
		closedir(dir);
}

/* Nothing to read, and nobody to write to but a file for last words. */
static void leave_terminal(const struct recorder *r)
{
	_cleanup_free_ char *path = state_join(r->folder, SERVER_WORDS, NULL);
	_cleanup_close_ int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	_cleanup_close_ int words = open(path, O_WRONLY | O_CREAT | O_TRUNC |
					 O_APPEND | O_NOFOLLOW | O_CLOEXEC,
					 0600);

	dup2(null, 0);
	dup2(null, 1);
	dup2(words < 0 ? null : words, 2);
	/*
	 * A guest that has something to say each time must not fill the disk.
	 */
	xf_log_level = XF_LOG_ERROR;
	setsid();
	umask(077);
}

/*
 * All files are open that will be. It writes to its store and to the guest's
 * mailbox, and after a reboot it may have to ask QEMU.
 */
static int enter_cage(const struct server *s, struct xf_err *err)
{
	int rc = confine(&(struct confine){
				 .target = s->t,
				 .store = s->spec.store,
				 .host = s->spec.nr_host_events,
			 }, err);

	return rc ? rc : cage_limit_calls(CAGE_WRITE |
					  (s->t->qmp_path ? CAGE_ASK : 0), err);
}

void server_main(const struct recorder *r, struct target *t,
		 const struct recording_spec *spec, int report_fd,
		 int signal_fd)
{
	struct server s = {
		.r = r, .t = t, .spec = *spec, .listen_fd = -1, .off_fd = -1,
		.signal_fd = signal_fd, .search_ns = SEARCH_NS,
	};
	struct server_report rep = { 0 };
	int rc;

	leave_terminal(r);
	close_inherited();
	signal(SIGPIPE, SIG_IGN);
	s.listen_fd = rc = open_socket(r, &rep.err);
	s.sock_ino = sock_inode(r);
	if (rc >= 0)
		rc = recording_create(&s.rec, t, spec->store, spec->trace,
				      &rep.err);
	if (rc >= 0) {
		rc = write_info(r, &s.rec, spec, &rep.err);
		rc = rc ? rc : enter_cage(&s, &rep.err);
		rc = rc ? rc : recording_begin(&s.rec, spec, child_wait,
					       &s.signal_fd,
					       &rep.err);
		if (rc)
			recording_discard(&s.rec);
	}
	if (rc < 0) {
		rep.rc = rc;
		(void)write(report_fd, &rep, sizeof(rep));
		_exit(1);
	}
	(void)write(report_fd, &rep, sizeof(rep));
	close(report_fd);
	s.started_ns = s.rate_ns = monotonic_ns();
	run(&s);
	recording_close(&s.rec);
	_exit(0);
}
