// SPDX-License-Identifier: GPL-2.0-only
#include "cage.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <termios.h>
#include <ucontext.h>
#include <unistd.h>

#include "cleanup.h"
#include "log.h"

void cage_keep_secrets(void)
{
	/* The limit does not keep a core from a program that takes it ... */
	setrlimit(RLIMIT_CORE, &(struct rlimit){ 0 });
	/* ... but this does, and keeps debuggers out, too. */
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
}

/* ---- calls ---- */

/* Newer than the headers of Debian 12. */
#ifndef __NR_map_shadow_stack
#define __NR_map_shadow_stack 453
#endif
#ifndef __NR_futex_wake
#define __NR_futex_wake	   454
#define __NR_futex_wait	   455
#define __NR_futex_requeue 456
#endif
#ifndef __NR_mseal
#define __NR_mseal 462
#endif
#ifndef PR_SET_VMA
#define PR_SET_VMA 0x53564d41
#endif
#define IOCTL_TCGETS2 0x802c542aU

/* Which may be called whatever the arguments are. */
struct calls {
	unsigned int may;	/* one of enum cage_calls, or 0: always */
	const int *nr;		/* ends with -1 */
};

/* What the C libraries of Debian 12 and 13, and those after them, call. */
static const int ordinary[] = {
	/* files, that are open or are opened for reading */
	__NR_read, __NR_write, __NR_readv, __NR_writev, __NR_pread64,
	__NR_pwrite64, __NR_preadv, __NR_pwritev, __NR_lseek, __NR_close,
	__NR_close_range, __NR_stat, __NR_fstat, __NR_lstat, __NR_newfstatat,
	__NR_statx, __NR_statfs, __NR_fstatfs, __NR_access, __NR_faccessat,
	__NR_faccessat2, __NR_readlink, __NR_readlinkat, __NR_getcwd,
	__NR_getdents, __NR_getdents64, __NR_fcntl, __NR_flock, __NR_dup,
	__NR_dup2, __NR_dup3, __NR_poll, __NR_ppoll, __NR_select,
	__NR_pselect6, __NR_fadvise64, __NR_fsync, __NR_fdatasync,
	__NR_sync_file_range, __NR_ftruncate, __NR_fallocate, __NR_umask,
	/* A folder that is there already is made again to see that. */
	__NR_mkdir,
	/* messages */
	__NR_accept, __NR_accept4, __NR_sendto, __NR_sendmsg, __NR_recvfrom,
	__NR_recvmsg, __NR_shutdown, __NR_getsockopt, __NR_setsockopt,
	__NR_getsockname, __NR_getpeername,
	/* memory */
	__NR_brk, __NR_munmap, __NR_mremap, __NR_madvise, __NR_msync,
	__NR_mlock, __NR_mlock2, __NR_munlock, __NR_mincore, __NR_membarrier,
	__NR_mseal,
	/* threads */
	__NR_futex, __NR_futex_waitv, __NR_futex_wake, __NR_futex_wait,
	__NR_futex_requeue, __NR_set_robust_list, __NR_get_robust_list,
	__NR_set_tid_address, __NR_rseq, __NR_arch_prctl,
	__NR_map_shadow_stack, __NR_sched_yield, __NR_sched_getaffinity,
	__NR_sched_getparam, __NR_sched_getscheduler, __NR_getcpu, __NR_exit,
	__NR_exit_group,
	/* signals */
	__NR_rt_sigaction, __NR_rt_sigprocmask, __NR_rt_sigreturn,
	__NR_rt_sigpending, __NR_rt_sigtimedwait, __NR_rt_sigsuspend,
	__NR_sigaltstack, __NR_signalfd4, __NR_restart_syscall, __NR_pause,
	/* time, and who we are */
	__NR_clock_gettime, __NR_clock_getres, __NR_clock_nanosleep,
	__NR_nanosleep, __NR_gettimeofday, __NR_time, __NR_times,
	__NR_getrusage, __NR_getpid, __NR_gettid, __NR_getppid, __NR_getpgrp,
	__NR_getpgid, __NR_getsid, __NR_getuid, __NR_geteuid, __NR_getgid,
	__NR_getegid, __NR_getresuid, __NR_getresgid, __NR_getgroups,
	__NR_uname, __NR_sysinfo, __NR_getrandom, __NR_getrlimit,
	/* what makes the cage narrower */
	__NR_seccomp, __NR_landlock_create_ruleset, __NR_landlock_add_rule,
	__NR_landlock_restrict_self, -1
};

static const int writing[] = {
	__NR_open, __NR_openat, __NR_creat, __NR_mkdirat, __NR_rmdir,
	__NR_unlink, __NR_unlinkat, __NR_link, __NR_linkat, __NR_rename,
	__NR_renameat, __NR_renameat2, __NR_truncate, __NR_fchmod, -1
};

static const int asking[] = { __NR_connect, __NR_pidfd_open, -1 };

static const int forking[] = {
	__NR_clone, __NR_fork, __NR_wait4, __NR_waitid, __NR_kill, __NR_tgkill,
	__NR_setsid, __NR_pipe, __NR_pipe2,
	/* A child is somebody to talk to. */
	__NR_bind, __NR_listen, -1
};

#ifdef __SANITIZE_ADDRESS__
/* At the end it looks for leaks, from a process that stops this one. */
static const int sanitizing[] = {
	__NR_clone, __NR_ptrace, __NR_wait4, __NR_prctl, __NR_pipe, __NR_pipe2,
	__NR_tgkill, __NR_prlimit64, -1
};
#endif

static const struct calls allowed[] = {
	{ 0, ordinary },
	{ CAGE_WRITE, writing },
	{ CAGE_ASK, asking },
	{ CAGE_FORK, forking },
#ifdef __SANITIZE_ADDRESS__
	{ 0, sanitizing },
#endif
};

/* Which may be called if an argument, of 32 bits, is right in some bits. */
struct narrow_call {
	unsigned int may;	/* as in struct calls */
	int nr;
	unsigned int arg;
	uint32_t mask;
	uint32_t value;
};

#define ANY_BIT UINT32_MAX
#define WRITES	(O_ACCMODE | O_CREAT | O_TRUNC)

static const struct narrow_call narrow[] = {
	{ 0, __NR_open, 1, WRITES, O_RDONLY },
	{ 0, __NR_openat, 2, WRITES, O_RDONLY },
	{ 0, __NR_mmap, 2, PROT_EXEC, 0 },
	{ 0, __NR_mprotect, 2, PROT_EXEC, 0 },
	{ 0, __NR_clone, 0, CLONE_THREAD, CLONE_THREAD },
	/* Of this process. */
	{ 0, __NR_prlimit64, 0, ANY_BIT, 0 },
	{ 0, __NR_ioctl, 1, ANY_BIT, TCGETS },
	{ 0, __NR_ioctl, 1, ANY_BIT, IOCTL_TCGETS2 },
	{ 0, __NR_ioctl, 1, ANY_BIT, TIOCGWINSZ },
	{ 0, __NR_prctl, 0, ANY_BIT, PR_SET_NAME },
	{ 0, __NR_prctl, 0, ANY_BIT, PR_GET_NAME },
	{ 0, __NR_prctl, 0, ANY_BIT, PR_GET_DUMPABLE },
	{ 0, __NR_prctl, 0, ANY_BIT, PR_SET_VMA },
	{ 0, __NR_prctl, 0, ANY_BIT, PR_SET_NO_NEW_PRIVS },
	{ 0, __NR_prctl, 0, ANY_BIT, PR_GET_NO_NEW_PRIVS },
	{ 0, __NR_prctl, 0, ANY_BIT, PR_SET_SECCOMP },
	{ 0, __NR_prctl, 0, ANY_BIT, PR_GET_SECCOMP },
	{ CAGE_ASK, __NR_socket, 0, ANY_BIT, AF_UNIX },
	/* Signal 0: is there such a process? */
	{ CAGE_ASK, __NR_kill, 1, ANY_BIT, 0 },
};

/* Their arguments lie in memory; who gets no answer uses an older call. */
static const int too_new[] = { __NR_clone3, __NR_openat2, -1 };

static bool is_wanted(unsigned int may, unsigned int needed)
{
	return !needed || may & needed;
}

/* An allowed call that another rule narrows is allowed as it is: -EEXIST. */
static int allow(scmp_filter_ctx f, int nr)
{
	int rc = seccomp_rule_add(f, SCMP_ACT_ALLOW, nr, 0);

	return rc == -EEXIST ? 0 : rc;
}

static int allow_if(scmp_filter_ctx f, const struct narrow_call *n)
{
	int rc = seccomp_rule_add(f, SCMP_ACT_ALLOW, n->nr, 1,
				  SCMP_CMP(n->arg, SCMP_CMP_MASKED_EQ, n->mask,
					   n->value));

	return rc == -EEXIST ? 0 : rc;
}

/* To ourselves, which is what abort() and raise() do. */
static int allow_own_signals(scmp_filter_ctx f)
{
	const struct narrow_call own[] = {
		{ 0, __NR_kill, 0, ANY_BIT, getpid() },
		{ 0, __NR_tgkill, 0, ANY_BIT, getpid() },
	};
	int rc = allow_if(f, &own[0]);

	return rc ? rc : allow_if(f, &own[1]);
}

static int fill(scmp_filter_ctx f, unsigned int may)
{
	int rc = seccomp_attr_set(f, SCMP_FLTATR_CTL_TSYNC, 1);

	/* A tree: some hundred comparisons for each call would be felt. */
	rc = rc ? rc : seccomp_attr_set(f, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	for (size_t i = 0; i < ARRAY_SIZE(allowed); i++)
		for (const int *nr = allowed[i].nr; !rc && *nr >= 0; nr++)
			if (is_wanted(may, allowed[i].may))
				rc = allow(f, *nr);
	for (size_t i = 0; !rc && i < ARRAY_SIZE(narrow); i++)
		if (is_wanted(may, narrow[i].may))
			rc = allow_if(f, &narrow[i]);
	for (const int *nr = too_new; !rc && *nr >= 0; nr++)
		rc = seccomp_rule_add(f, SCMP_ACT_ERRNO(ENOSYS), *nr, 0);
	return rc ? rc : allow_own_signals(f);
}

/*
 * The name is malloc()ed, in a handler; but malloc() makes no call that is
 * forbidden, so none that could have brought us here holds its lock.
 */
static void on_sigsys(int sig, siginfo_t *info, void *context)
{
	const ucontext_t *u = context;
	char *name = seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE,
						      info->si_syscall);
	char line[256];
	int len;

	len = snprintf(line, sizeof(line),
		       "xftrace: error: process %d may not call %s (number %d, "
		       "first argument 0x%llx) and ends: please report it\n",
		       (int)getpid(), name ? name : "?", info->si_syscall,
		       (unsigned long long)u->uc_mcontext.gregs[REG_RDI]);
	(void)write(STDERR_FILENO, line, len);
	/* SA_RESETHAND: now it ends us. */
	raise(sig);
}

int cage_limit_calls(unsigned int may, struct xf_err *err)
{
	struct sigaction sa = { .sa_sigaction = on_sigsys,
				.sa_flags = SA_SIGINFO | SA_NODEFER |
					    SA_RESETHAND };
	scmp_filter_ctx f = seccomp_init(SCMP_ACT_TRAP);
	int rc = f ? fill(f, may) : -ENOMEM;

	if (!rc) {
		sigaction(SIGSYS, &sa, NULL);
		rc = seccomp_load(f);
		if (rc)
			xf_warn("this kernel cannot limit what xftrace may "
				"call (seccomp: %s)", strerror(-rc));
		rc = 0;
	}
	seccomp_release(f);
	return rc ? xf_fail(err, rc, "cannot limit system calls: %s",
			    strerror(-rc)) : 0;
}

/* ---- writes ---- */

/* Newer than the headers of Debian 12. */
#define RIGHT_REFER	(1ULL << 13)
#define RIGHT_TRUNCATE	(1ULL << 14)
#define RIGHT_IOCTL_DEV (1ULL << 15)
#define SCOPE_ABSTRACT	(1ULL << 0)
#define SCOPE_SIGNAL	(1ULL << 1)

struct ruleset {
	uint64_t handled_fs;
	uint64_t handled_net;
	uint64_t scoped;
};

#define OF_FILES   (LANDLOCK_ACCESS_FS_WRITE_FILE | RIGHT_TRUNCATE)
#define OF_FOLDERS (OF_FILES | LANDLOCK_ACCESS_FS_MAKE_REG |                   \
		    LANDLOCK_ACCESS_FS_MAKE_DIR |                              \
		    LANDLOCK_ACCESS_FS_MAKE_SOCK |                             \
		    LANDLOCK_ACCESS_FS_REMOVE_FILE |                           \
		    LANDLOCK_ACCESS_FS_REMOVE_DIR)
/* Never allowed: there is no need. */
#define OF_NOTHING (LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_MAKE_CHAR |\
		    LANDLOCK_ACCESS_FS_MAKE_FIFO |                             \
		    LANDLOCK_ACCESS_FS_MAKE_BLOCK |                            \
		    LANDLOCK_ACCESS_FS_MAKE_SYM | RIGHT_REFER |                \
		    RIGHT_IOCTL_DEV)

void cage_open(struct cage *c)
{
	int abi = syscall(__NR_landlock_create_ruleset, NULL, 0,
			  LANDLOCK_CREATE_RULESET_VERSION);
	struct ruleset r = { .handled_fs = OF_FOLDERS | OF_NOTHING };

	if (abi < 2)
		r.handled_fs &= ~RIGHT_REFER;
	if (abi < 3)
		r.handled_fs &= ~RIGHT_TRUNCATE;
	if (abi < 5)
		r.handled_fs &= ~RIGHT_IOCTL_DEV;
	if (abi >= 6)
		r.scoped = SCOPE_ABSTRACT | SCOPE_SIGNAL;
	c->handled = r.handled_fs;
	/* What an old kernel does not know is zero, which it takes. */
	c->fd = abi < 1 ? -1 : syscall(__NR_landlock_create_ruleset, &r,
				       sizeof(r), 0);
	if (c->fd < 0)
		xf_debug("no Landlock: %s", strerror(errno));
}

void cage_deinit(struct cage *c)
{
	xf_closep(&c->fd);
	c->fd = -1;
}

void cage_allow_fd(struct cage *c, int fd)
{
	struct landlock_path_beneath_attr a = { .parent_fd = fd };
	struct stat st;

	if (c->fd < 0 || fstat(fd, &st))
		return;
	a.allowed_access = c->handled & (S_ISDIR(st.st_mode) ? OF_FOLDERS :
							       OF_FILES);
	/*
	 * Refused for what has no place to be found at, like a memfd: Landlock
	 * lets these through anyway.
	 */
	(void)syscall(__NR_landlock_add_rule, c->fd,
		      LANDLOCK_RULE_PATH_BENEATH, &a, 0);
}

void cage_allow_path(struct cage *c, const char *path)
{
	_cleanup_close_ int fd = open(path, O_PATH | O_CLOEXEC);

	if (fd >= 0)
		cage_allow_fd(c, fd);
}

void cage_allow_beside(struct cage *c, const char *path)
{
	const char *slash = strrchr(path, '/');
	_cleanup_free_ char *folder =
		slash ? strndup(path, slash - path + 1) : strdup(".");

	if (folder)
		cage_allow_path(c, folder);
}

int cage_limit_writes(struct cage *c, struct xf_err *err)
{
	if (c->fd < 0)
		return 0;
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	if (syscall(__NR_landlock_restrict_self, c->fd, 0))
		return xf_fail_errno(err, "cannot limit what is written");
	return 0;
}
