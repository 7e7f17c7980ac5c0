// SPDX-License-Identifier: GPL-2.0-only
#include "recorder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "cage.h"
#include "catalog.h"
#include "cleanup.h"
#include "io.h"
#include "log.h"
#include "state.h"
#include "trace.h"

#define WORDS		 "words"	/* what the recorder says on stderr */
#define TICK_NS		 5000000ULL
#define CHECK_NS	 250000000ULL	/* look whether the guest is there */
#define SILENT_NS	 5000000000ULL	/* its heart stood still: say so */
#define SEARCH_NS	 1000000000ULL	/* for a module after a reboot */
#define REWIND_TIMEOUT_MS 60000	/* the guest patches its functions back */
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

void recorder_deinit(struct recorder *r)
{
	free(r->id);
	free(r->folder);
	free(r->store);
	free(r->trace);
	json_decref(r->info);
	*r = (struct recorder){ 0 };
}

static int set_paths(struct recorder *r, const char *id, struct xf_err *err)
{
	_cleanup_free_ char *runtime = NULL;
	int rc = state_runtime(&runtime, err);

	if (rc)
		return rc;
	r->id = strdup(id);
	r->folder = state_join(runtime, "rec", id, NULL);
	return 0;
}

/* Take the lock of a recording; the descriptor holds it. */
static int lock(const struct recorder *r, struct xf_err *err)
{
	_cleanup_free_ char *path = state_join(r->folder, "lock", NULL);
	_cleanup_close_ int fd = -1;

	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return xf_fail_errno(err, "%s", path);
	if (flock(fd, LOCK_EX | LOCK_NB))
		return xf_fail(err, -EBUSY,
			       "guest %s is being recorded already: 'xftrace "
			       "off' first", r->id);
	return xf_take_fd(fd);
}

/*
 * What recorder.json tells; without one it is no recording: a failed 'on' may
 * leave a folder. A trace that somebody has removed waits for nobody.
 */
static bool read_info(struct recorder *r)
{
	_cleanup_free_ char *path = state_join(r->folder, "recorder.json",
					       NULL);
	struct catalog_entry e;
	struct store st;
	const char *store;
	uint64_t id;

	if (state_read_json(path, &r->info, NULL))
		return false;
	store = json_string_value(json_object_get(r->info, "store")) ?: "";
	r->store = strdup(store);
	id = trace_u64(r->info, "trace_id");
	r->ended = true;
	if (store_open(&st, store, false, NULL))
		return true;
	for (uint32_t slot = 0; catalog_next(&st, &slot, &e);)
		if (e.id == id) {
			r->trace = strdup(e.name);
			r->ended = e.finished;
		}
	store_close(&st);
	return true;
}

char *recorder_words(const struct recorder *r)
{
	_cleanup_free_ char *path = state_join(r->folder, WORDS, NULL);
	_cleanup_(buf_deinit) struct buf text = BUF_INIT;
	static const char prefix[] = "xftrace: error: ";
	struct buf words = BUF_INIT;
	const char *said;
	size_t len;

	buf_puts(&words, "");
	if (io_read_file(path, 64 << 10, &text, NULL) || !text.len)
		return buf_take(&words);
	said = text.data;
	if (!strncmp(said, prefix, strlen(prefix)))
		said += strlen(prefix);
	len = strcspn(said, "\n");
	buf_puts(&words, " (it said: ");
	buf_add_escaped(&words, said, len < 300 ? len : 300);
	buf_puts(&words, ")");
	return buf_take(&words);
}

/* ---- the process ---- */

/* What our trace is called now: somebody may have given it another name. */
static const char *trace_name(const struct server *s, struct catalog_entry *e)
{
	return s->rec.j.path && catalog_read(&s->rec.st, s->rec.j.slot, e) ?
		       e->name : s->spec.trace;
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
				  (int)r->cpu, "kind",
				  r->kind == XFT_RING_NMI ? "nmi" : "main",
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
		"s:i, s:i, s:f, s:I, s:o, s:s, s:o, s:f}",
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
		"oldest_unread_max_seconds", s->rec.erasable_ns / 1e9);
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
	/* It was set back to when it had another module: we record it, who else? */
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
		recording_abandon(&s->rec, NULL,
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
	recording_abandon(&s->rec, NULL, "the guest rebooted");
	s->t->mb = other;
}

/*
 * A guest that was set back to an earlier state seals other records with the
 * same keys. Its writers were halted already: have it stop, and begin again with
 * others.
 */
static void begin_anew(struct server *s)
{
	recording_abandon(&s->rec, TRACE_NOTE_SILENCE,
			  "the guest's positions ran backwards: it was set back "
			  "to an earlier state, or somebody tampers with it");
	stop_it(s);
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
		recording_abandon(&s->rec, NULL,
				  "the guest rebooted or unloaded its module");
		return;
	}
	if (s->rec.reborn && !s->rec.stopped) {
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
		if (now >= s->check_ns || s->rec.reborn)
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
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof(a)) ||
	    listen(fd, 8))
		return xf_fail_errno(err, "%s", path);
	return xf_take_fd(fd);
}

/* From here on they arrive through the descriptor, in forked children too. */
static int open_signals(sigset_t *ret_old)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, ret_old);
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
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

/* What the child tells its parent: progress, then the result, and no more. */
struct report {
	int32_t rc;
	struct xf_err err;
};

/* Each signal gives up one wait: that for START, then that for its undoing. */
static bool child_wait(void *arg, unsigned int waited_ms)
{
	struct signalfd_siginfo si;

	return read(*(int *)arg, &si, sizeof(si)) != sizeof(si);
}

/* Ours are close-on-exec. The rest is the caller's, who may wait for its end. */
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
	_cleanup_free_ char *path = state_join(r->folder, WORDS, NULL);
	_cleanup_close_ int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	_cleanup_close_ int words = open(path, O_WRONLY | O_CREAT | O_TRUNC |
					 O_APPEND | O_NOFOLLOW | O_CLOEXEC,
					 0600);

	dup2(null, 0);
	dup2(null, 1);
	dup2(words < 0 ? null : words, 2);
	/* A guest that has something to say each time must not fill the disk. */
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

/* Never returns. The lock stays taken as long as this process lives. */
static void child(struct recorder *r, struct target *t,
		  const struct recording_spec *spec, int report_fd,
		  int signal_fd)
{
	struct server s = {
		.r = r, .t = t, .spec = *spec, .listen_fd = -1, .off_fd = -1,
		.signal_fd = signal_fd, .search_ns = SEARCH_NS,
	};
	struct report rep = { 0 };
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

/* Wait for the child's report; Ctrl-C makes it give up and report that. */
static int wait_for_child(const struct recorder *r, int fd, int signal_fd,
			  pid_t pid, struct xf_err *err)
{
	const char *doing = "patches its functions";
	uint64_t start = monotonic_ns();
	struct report rep = { 0 };
	ssize_t n;

	while (!is_readable(fd)) {
		struct pollfd p[2] = {
			{ .fd = fd, .events = POLLIN },
			{ .fd = signal_fd, .events = POLLIN },
		};
		struct signalfd_siginfo si;

		(void)poll(p, 2, 200);
		if (read(signal_fd, &si, sizeof(si)) == sizeof(si)) {
			kill(pid, SIGTERM);
			doing = "takes its hooks back";
		}
		xf_progress("the guest's kernel %s, %d s", doing,
			    (int)((monotonic_ns() - start) / 1000000000));
	}
	n = read(fd, &rep, sizeof(rep));
	xf_progress(NULL);
	if (n != sizeof(rep)) {
		_cleanup_free_ char *words = recorder_words(r);

		return xf_fail(err, -EPIPE, "the recorder died unexpectedly%s: "
			       "'xftrace off' clears up", words);
	}
	if (!rep.rc)
		return 0;
	/* It may not do that itself any more. */
	state_remove_folder(r->folder);
	return xf_fail(err, rep.rc, "%s", rep.err.msg);
}

int recorder_start(struct target *t, const struct recording_spec *spec,
		   struct xf_err *err)
{
	_cleanup_(recorder_deinit) struct recorder r = { 0 };
	_cleanup_close_ int lock_fd = -1, fd = -1, signal_fd = -1;
	int pipe_fd[2], rc;
	sigset_t old;
	pid_t pid;

	rc = set_paths(&r, t->id, err);
	rc = rc ? rc : io_make_folders(r.folder, 0700, err);
	if (rc)
		return rc;
	lock_fd = lock(&r, err);
	if (lock_fd < 0)
		return lock_fd;
	if (read_info(&r) && !r.ended)
		return xf_fail(err, -EEXIST,
			       "an earlier recording of guest %s was "
			       "interrupted: 'xftrace off --guest %s' draws what "
			       "was kept", r.id, r.id);
	if (pipe2(pipe_fd, O_CLOEXEC))
		return xf_fail_errno(err, "pipe");
	/* Before the fork: a signal finds either both of us or nobody. */
	signal_fd = open_signals(&old);
	fflush(NULL);
	pid = fork();
	if (pid < 0) {
		sigprocmask(SIG_SETMASK, &old, NULL);
		close(pipe_fd[0]);
		close(pipe_fd[1]);
		return xf_fail_errno(err, "fork");
	}
	if (!pid) {
		close(pipe_fd[0]);
		child(&r, t, spec, pipe_fd[1], signal_fd);
	}
	close(pipe_fd[1]);
	fd = pipe_fd[0];
	rc = wait_for_child(&r, fd, signal_fd, pid, err);
	sigprocmask(SIG_SETMASK, &old, NULL);
	return rc;
}

/* ---- its clients ---- */

static bool is_alive(const struct recorder *r)
{
	int fd = lock(r, NULL);

	if (fd < 0)
		return fd == -EBUSY;
	close(fd);
	return false;
}

static int find_only(char **ret_id, struct xf_err *err)
{
	_cleanup_(buf_deinit) struct buf names = BUF_INIT;
	json_t *list, *v;
	size_t i, nr = 0;
	int rc = state_list("rec", &list, err);

	if (rc)
		return rc;
	json_array_foreach(list, i, v) {
		_cleanup_(recorder_deinit) struct recorder r = { 0 };

		if (set_paths(&r, json_string_value(v), NULL) || !read_info(&r))
			continue;
		buf_printf(&names, "%s%s", nr++ ? ", " : "", r.id);
	}
	json_decref(list);
	if (!nr)
		return xf_fail(err, -ENOENT,
			       "nothing is being recorded: 'xftrace on "
			       "FUNCTION...' begins");
	if (nr > 1)
		return xf_fail(err, -ENOTUNIQ,
			       "several guests are recorded (%s): choose one "
			       "with --guest", names.data);
	*ret_id = buf_take(&names);
	return 0;
}

int recorder_find(struct recorder *r, const char *id, struct xf_err *err)
{
	_cleanup_(recorder_deinit) struct recorder new = { 0 };
	_cleanup_free_ char *only = NULL;
	int rc;

	if (!id) {
		rc = find_only(&only, err);
		if (rc)
			return rc;
		id = only;
	}
	if (!state_name_ok(id))
		return xf_fail(err, -EINVAL, "'%s' is no name of a guest", id);
	rc = set_paths(&new, id, err);
	if (rc)
		return rc;
	new.alive = is_alive(&new);
	if (!read_info(&new))
		return xf_fail(err, -ENOENT, "guest %s is not being recorded",
			       id);
	new.ended = new.ended && !new.alive;
	*r = new;
	new = (struct recorder){ 0 };
	return 0;
}

int recorder_find_by_trace(struct recorder *r, const char *store,
			   const char *trace)
{
	_cleanup_free_ char *path = realpath(store, NULL);
	json_t *list, *v;
	int rc = state_list("rec", &list, NULL);
	size_t i;

	if (rc)
		return rc;
	rc = -ENOENT;
	json_array_foreach(list, i, v) {
		_cleanup_(recorder_deinit) struct recorder one = { 0 };

		if (recorder_find(&one, json_string_value(v), NULL) ||
		    !one.trace || strcmp(one.trace, trace) || !path ||
		    strcmp(one.store, path))
			continue;
		*r = one;
		one = (struct recorder){ 0 };
		rc = 0;
		break;
	}
	json_decref(list);
	return rc;
}

int recorder_ask(const struct recorder *r, const char *request,
		 mailbox_wait_fn wait, void *arg, json_t **ret_reply,
		 struct xf_err *err)
{
	_cleanup_free_ char *path = state_join(r->folder, "sock", NULL);
	_cleanup_(buf_deinit) struct buf b = BUF_INIT;
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	uint64_t start = monotonic_ns();
	_cleanup_close_ int fd = -1;
	json_error_t je;

	snprintf(a.sun_path, sizeof(a.sun_path), "%s", path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || connect(fd, (struct sockaddr *)&a, sizeof(a)) ||
	    send(fd, request, strlen(request), MSG_NOSIGNAL) < 0)
		return xf_fail(err, -ECONNREFUSED,
			       "the recorder of guest %s does not answer: %s",
			       r->id, strerror(errno));
	for (;;) {
		struct pollfd p = { .fd = fd, .events = POLLIN };
		unsigned int waited = (monotonic_ns() - start) / 1000000;
		ssize_t n;

		if (poll(&p, 1, 200) > 0) {
			n = recv(fd, buf_reserve(&b, 65536), 65536, 0);
			if (n <= 0)
				break;
			b.len += n;
			if (b.len > 16 << 20)
				break;
			continue;
		}
		if (wait ? !wait(arg, waited) : waited > 10000)
			return xf_fail(err, -ETIMEDOUT,
				       "the recorder of guest %s does not "
				       "answer", r->id);
	}
	*ret_reply = json_loadb(b.data ? b.data : "", b.len, 0, &je);
	if (!*ret_reply)
		return xf_fail(err, -ECONNREFUSED,
			       "the recorder of guest %s died", r->id);
	return 0;
}

static int confine_salvage(const struct recorder *r, const struct target *t,
			   const struct confine *later, struct xf_err *err)
{
	struct confine c;

	if (!later)
		return 0;
	c = *later;
	c.target = t;
	c.store = r->store;
	c.state = c.host = true;
	return confine(&c, err);
}

int recorder_attach(const struct recorder *r, struct target *t,
		    struct xf_err *err)
{
	const char *qmp = json_string_value(json_object_get(r->info, "qmp"));
	struct target_options opt = { .allow_open_ram = true };

	opt.pid = json_integer_value(json_object_get(r->info, "qemu"));
	if (!opt.pid)
		return xf_fail(err, -ENOENT, "nothing says where it was");
	if (qmp && *qmp) {
		opt.pid = 0;
		opt.qmp = qmp;
	}
	return target_attach(t, &opt, err);
}

static int attach_again(const struct recorder *r, struct target *t,
			const struct confine *later, struct xf_err *err)
{
	int rc = recorder_attach(r, t, err);

	rc = rc ? rc : confine_salvage(r, t, later, err);
	rc = rc ? rc : target_find_module(t, 3000, err);
	/* Only to name modules that were loaded meanwhile. */
	if (!rc && !target_find_kernel(t, false, NULL))
		target_add_modules(t);
	return rc;
}

/* What a recorder that was killed has left on the host. */
static void clear_host(const struct recorder *r)
{
	int pid = json_integer_value(json_object_get(r->info, "qemu"));

	if (pid)
		hosttrace_remove(pid);
}

int recorder_salvage(const struct recorder *r, const struct confine *later,
		     struct xf_err *err)
{
	_cleanup_(target_detach) struct target t = TARGET_INIT;
	_cleanup_close_ int lock_fd = lock(r, err);
	struct recording rec = { 0 };
	struct xf_err why = { 0 };
	int rc;

	if (lock_fd < 0)
		return lock_fd;
	rc = attach_again(r, &t, later, &why);
	rc = rc ? rc : recording_resume(&rec, &t, r->store, r->trace,
					&why);
	if (rc) {
		xf_info("the guest is out of reach (%s): only what was kept "
			"is drawn", why.msg);
		rc = confine_salvage(r, &t, later, err);
		rc = rc ? rc : recording_resume(&rec, NULL, r->store, r->trace,
						err);
	}
	if (rc) {
		clear_host(r);
		return rc;
	}
	recording_note(&rec, NULL, "the recorder was killed; the rest was read from "
			     "the rings afterwards");
	rc = recording_end(&rec, "salvaged", NULL, NULL, err);
	if (rec.left.code)
		xf_warn("%s", rec.left.msg);
	recording_close(&rec);
	clear_host(r);
	return rc;
}

int recorder_stop_stray(const char *id, struct xf_err *err)
{
	_cleanup_(recorder_deinit) struct recorder r = { 0 };
	_cleanup_(target_detach) struct target t = TARGET_INIT;
	struct target_options opt = { .guest = id, .allow_open_ram = true };
	_cleanup_close_ int lock_fd = -1;
	int pid, rc;

	if (id && sscanf(id, "qemu-%d", &pid) == 1) {
		opt.guest = NULL;
		opt.pid = pid;
	}
	if (target_attach(&t, &opt, NULL) ||
	    target_find_module(&t, 3000, NULL) || t.ctl.state != XFT_TRACING)
		return -ENOENT;
	rc = set_paths(&r, t.id, err);
	rc = rc ? rc : io_make_folders(r.folder, 0700, err);
	if (rc)
		return rc;
	lock_fd = lock(&r, err);
	if (lock_fd < 0)
		return lock_fd;
	rc = mailbox_request(&t.mb, XFT_CMD_STOP, 180000, NULL, NULL, err);
	rc = rc ? rc : mailbox_request(&t.mb, XFT_CMD_RELEASE, 5000, NULL, NULL,
				       err);
	hosttrace_remove(t.pid);
	state_remove_folder(r.folder);
	return rc;
}

void recorder_remove(const struct recorder *r)
{
	clear_host(r);
	state_remove_folder(r->folder);
}
