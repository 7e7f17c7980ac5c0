// SPDX-License-Identifier: GPL-2.0-only
#include "recorder.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "catalog.h"
#include "cleanup.h"
#include "clock.h"
#include "io.h"
#include "log.h"
#include "server.h"
#include "state.h"
#include "trace.h"

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

/* All of it, for this descriptor and those that are made of it. */
static bool lock_file(int fd, int how, struct flock *l)
{
	*l = (struct flock){ .l_type = F_WRLCK, .l_whence = SEEK_SET };
	return !fcntl(fd, how, l);
}

/* Take the lock of a recording; the descriptor holds it. */
static int lock(const struct recorder *r, struct xf_err *err)
{
	_cleanup_free_ char *path = state_join(r->folder, "lock", NULL);
	_cleanup_close_ int fd = -1;
	struct flock l;

	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return xf_fail_errno(err, "%s", path);
	if (!lock_file(fd, F_OFD_SETLK, &l))
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
	_cleanup_free_ char *path = state_join(r->folder, SERVER_WORDS, NULL);
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

/* Wait for the child's report; Ctrl-C makes it give up and report that. */
static int wait_for_child(const struct recorder *r, int fd, int signal_fd,
			  pid_t pid, struct xf_err *err)
{
	const char *doing = "patches its functions";
	uint64_t start = monotonic_ns();
	struct server_report rep = { 0 };
	struct pollfd p[2] = {
		{ .fd = fd, .events = POLLIN },
		{ .fd = signal_fd, .events = POLLIN },
	};
	ssize_t n;

	while (poll(p, 2, 200) <= 0 || !p[0].revents) {
		struct signalfd_siginfo si;

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
		server_main(&r, t, spec, pipe_fd[1], signal_fd);
	}
	close(pipe_fd[1]);
	fd = pipe_fd[0];
	rc = wait_for_child(&r, fd, signal_fd, pid, err);
	sigprocmask(SIG_SETMASK, &old, NULL);
	return rc;
}

/* ---- its clients ---- */

/* Only asks: two that do must not take each other for a recorder. */
static bool is_alive(const struct recorder *r)
{
	_cleanup_free_ char *path = state_join(r->folder, "lock", NULL);
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	struct flock l;

	return fd >= 0 && lock_file(fd, F_OFD_GETLK, &l) && l.l_type != F_UNLCK;
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

static int look_inside(const struct recorder *r, struct target *t,
		       const struct confine *later, struct xf_err *err)
{
	int rc = confine_salvage(r, t, later, err);

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

int recorder_salvage(const struct recorder *r, struct target *guest,
		     const struct confine *later, struct xf_err *err)
{
	_cleanup_(target_detach) struct target own = TARGET_INIT;
	struct target *t = guest ? guest : &own;
	_cleanup_close_ int lock_fd = lock(r, err);
	struct recording rec = { 0 };
	struct xf_err why = { 0 };
	int rc;

	if (lock_fd < 0)
		return lock_fd;
	rc = guest ? 0 : recorder_attach(r, t, &why);
	rc = rc ? rc : look_inside(r, t, later, &why);
	rc = rc ? rc : recording_resume(&rec, t, r->store, r->trace, &why);
	if (rc) {
		xf_info("the guest is out of reach (%s): only what was kept "
			"is drawn", why.msg);
		rc = confine_salvage(r, t, later, err);
		rc = rc ? rc : recording_resume(&rec, NULL, r->store, r->trace,
						err);
	}
	if (rc) {
		clear_host(r);
		return rc;
	}
	recording_note(&rec, rec.tracing ? NULL : TRACE_NOTE_PART,
		       rec.tracing ?
			       "the recorder was killed; the rest was read from "
			       "the rings afterwards" :
			       "the recorder was killed, and the guest traces no "
			       "more");
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
