// SPDX-License-Identifier: GPL-2.0-only
#include "values.h"

#include <fcntl.h>
#include <fnmatch.h>
#include <inttypes.h>
#include <linux/fs.h>
#include <linux/futex.h>
#include <linux/kcmp.h>
#include <linux/keyctl.h>
#include <linux/membarrier.h>
#include <linux/random.h>
#include <linux/seccomp.h>
#include <linux/close_range.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/reboot.h>
#include <sys/resource.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <time.h>

#include "cleanup.h"

struct name_of {
	uint64_t value;
	const char *name;
};

/*
 * @mask is the part of a value that is a number in itself, as the access mode
 * of open(): one of the names within it stands first, even for 0. What is
 * outside are bits. A table of bits alone has a mask of 0, one of numbers
 * alone ~0.
 */
struct values {
	uint64_t mask;
	uint32_t nr;
	const struct name_of *names;
	uint32_t base; /* 8 or 16: no names, but this is how to write it */
};

#define N(x)                                                                   \
	{                                                                      \
		(uint32_t)(x), #x                                              \
	}
#define TABLE(table, bits, ...)                                                \
	static const struct name_of names_##table[] = { __VA_ARGS__ };         \
	static const struct values table = { bits, ARRAY_SIZE(names_##table),  \
					     names_##table, 0 }
#define NUMBERS UINT64_MAX
#define BITS	0

TABLE(dirfd, NUMBERS, N(AT_FDCWD));

/* O_LARGEFILE is 0 for a 64-bit libc, not for the kernel. */
TABLE(open_flags, O_ACCMODE, N(O_RDONLY), N(O_WRONLY), N(O_RDWR), N(O_CREAT),
      N(O_EXCL), N(O_NOCTTY), N(O_TRUNC), N(O_APPEND), N(O_NONBLOCK), N(O_SYNC),
      N(O_DSYNC), N(O_ASYNC), N(O_DIRECT), { 0100000, "O_LARGEFILE" },
      N(O_TMPFILE), N(O_DIRECTORY), N(O_NOFOLLOW), N(O_NOATIME), N(O_CLOEXEC),
      N(O_PATH));

TABLE(at_flags, BITS, N(AT_SYMLINK_NOFOLLOW), N(AT_SYMLINK_FOLLOW),
      N(AT_NO_AUTOMOUNT), N(AT_EMPTY_PATH));
TABLE(unlink_flags, BITS, N(AT_REMOVEDIR));
TABLE(access_flags, BITS, N(AT_EACCESS), N(AT_SYMLINK_NOFOLLOW),
      N(AT_EMPTY_PATH));
TABLE(statx_flags, BITS, N(AT_SYMLINK_NOFOLLOW), N(AT_NO_AUTOMOUNT),
      N(AT_EMPTY_PATH), N(AT_STATX_FORCE_SYNC), N(AT_STATX_DONT_SYNC));
TABLE(rename_flags, BITS, N(RENAME_NOREPLACE), N(RENAME_EXCHANGE),
      N(RENAME_WHITEOUT));
TABLE(access_mode, NUMBERS, N(F_OK), N(R_OK), N(W_OK), N(X_OK),
      { R_OK | W_OK, "R_OK|W_OK" }, { R_OK | X_OK, "R_OK|X_OK" },
      { W_OK | X_OK, "W_OK|X_OK" }, { R_OK | W_OK | X_OK, "R_OK|W_OK|X_OK" });

TABLE(prot, 0xf, N(PROT_NONE), N(PROT_READ), N(PROT_WRITE),
      { PROT_READ | PROT_WRITE, "PROT_READ|PROT_WRITE" }, N(PROT_EXEC),
      { PROT_READ | PROT_EXEC, "PROT_READ|PROT_EXEC" },
      { PROT_WRITE | PROT_EXEC, "PROT_WRITE|PROT_EXEC" },
      { PROT_READ | PROT_WRITE | PROT_EXEC, "PROT_READ|PROT_WRITE|PROT_EXEC" },
      N(PROT_GROWSDOWN), N(PROT_GROWSUP));
TABLE(map_flags, MAP_TYPE, N(MAP_SHARED), N(MAP_PRIVATE),
      N(MAP_SHARED_VALIDATE), N(MAP_FIXED), N(MAP_ANONYMOUS), N(MAP_32BIT),
      N(MAP_GROWSDOWN), N(MAP_DENYWRITE), N(MAP_EXECUTABLE), N(MAP_LOCKED),
      N(MAP_NORESERVE), N(MAP_POPULATE), N(MAP_NONBLOCK), N(MAP_STACK),
      N(MAP_HUGETLB), N(MAP_SYNC), N(MAP_FIXED_NOREPLACE));
TABLE(mremap_flags, BITS, N(MREMAP_MAYMOVE), N(MREMAP_FIXED),
      N(MREMAP_DONTUNMAP));
TABLE(msync_flags, BITS, N(MS_ASYNC), N(MS_INVALIDATE), N(MS_SYNC));
TABLE(mlockall_flags, BITS, N(MCL_CURRENT), N(MCL_FUTURE), N(MCL_ONFAULT));
TABLE(advice, NUMBERS, N(MADV_NORMAL), N(MADV_RANDOM), N(MADV_SEQUENTIAL),
      N(MADV_WILLNEED), N(MADV_DONTNEED), N(MADV_FREE), N(MADV_REMOVE),
      N(MADV_DONTFORK), N(MADV_DOFORK), N(MADV_MERGEABLE), N(MADV_UNMERGEABLE),
      N(MADV_HUGEPAGE), N(MADV_NOHUGEPAGE), N(MADV_DONTDUMP), N(MADV_DODUMP),
      N(MADV_WIPEONFORK), N(MADV_KEEPONFORK), N(MADV_COLD), N(MADV_PAGEOUT),
      N(MADV_POPULATE_READ), N(MADV_POPULATE_WRITE), N(MADV_HWPOISON));
TABLE(fadvice, NUMBERS, N(POSIX_FADV_NORMAL), N(POSIX_FADV_RANDOM),
      N(POSIX_FADV_SEQUENTIAL), N(POSIX_FADV_WILLNEED), N(POSIX_FADV_DONTNEED),
      N(POSIX_FADV_NOREUSE));
TABLE(memfd_flags, BITS, N(MFD_CLOEXEC), N(MFD_ALLOW_SEALING), N(MFD_HUGETLB));
TABLE(fallocate_mode, BITS, N(FALLOC_FL_KEEP_SIZE), N(FALLOC_FL_PUNCH_HOLE),
      N(FALLOC_FL_COLLAPSE_RANGE), N(FALLOC_FL_ZERO_RANGE),
      N(FALLOC_FL_INSERT_RANGE), N(FALLOC_FL_UNSHARE_RANGE));

TABLE(signals, NUMBERS, N(SIGHUP), N(SIGINT), N(SIGQUIT), N(SIGILL), N(SIGTRAP),
      N(SIGABRT), N(SIGBUS), N(SIGFPE), N(SIGKILL), N(SIGUSR1), N(SIGSEGV),
      N(SIGUSR2), N(SIGPIPE), N(SIGALRM), N(SIGTERM), N(SIGSTKFLT), N(SIGCHLD),
      N(SIGCONT), N(SIGSTOP), N(SIGTSTP), N(SIGTTIN), N(SIGTTOU), N(SIGURG),
      N(SIGXCPU), N(SIGXFSZ), N(SIGVTALRM), N(SIGPROF), N(SIGWINCH), N(SIGIO),
      N(SIGPWR), N(SIGSYS));
TABLE(sigmask_how, NUMBERS, N(SIG_BLOCK), N(SIG_UNBLOCK), N(SIG_SETMASK));

TABLE(family, NUMBERS, N(AF_UNSPEC), N(AF_UNIX), N(AF_INET), N(AF_INET6),
      N(AF_NETLINK), N(AF_PACKET), N(AF_BLUETOOTH), N(AF_ALG), N(AF_VSOCK),
      N(AF_XDP), N(AF_KEY), N(AF_CAN), N(AF_TIPC));
TABLE(socket_type, 0xf, N(SOCK_STREAM), N(SOCK_DGRAM), N(SOCK_RAW), N(SOCK_RDM),
      N(SOCK_SEQPACKET), N(SOCK_DCCP), N(SOCK_PACKET), N(SOCK_NONBLOCK),
      N(SOCK_CLOEXEC));
TABLE(accept_flags, BITS, N(SOCK_NONBLOCK), N(SOCK_CLOEXEC));
TABLE(message_flags, BITS, N(MSG_OOB), N(MSG_PEEK), N(MSG_DONTROUTE),
      N(MSG_CTRUNC), N(MSG_TRUNC), N(MSG_DONTWAIT), N(MSG_EOR), N(MSG_WAITALL),
      N(MSG_CONFIRM), N(MSG_ERRQUEUE), N(MSG_NOSIGNAL), N(MSG_MORE),
      N(MSG_WAITFORONE), N(MSG_FASTOPEN), N(MSG_CMSG_CLOEXEC));
TABLE(socket_level, NUMBERS, N(SOL_SOCKET), { 0, "SOL_IP" }, { 6, "SOL_TCP" },
      { 17, "SOL_UDP" }, { 41, "SOL_IPV6" }, N(SOL_NETLINK), N(SOL_PACKET));
TABLE(shutdown_how, NUMBERS, N(SHUT_RD), N(SHUT_WR), N(SHUT_RDWR));

TABLE(clone_flags, 0xff, N(SIGCHLD), N(CLONE_VM), N(CLONE_FS), N(CLONE_FILES),
      N(CLONE_SIGHAND), N(CLONE_PIDFD), N(CLONE_PTRACE), N(CLONE_VFORK),
      N(CLONE_PARENT), N(CLONE_THREAD), N(CLONE_NEWNS), N(CLONE_SYSVSEM),
      N(CLONE_SETTLS), N(CLONE_PARENT_SETTID), N(CLONE_CHILD_CLEARTID),
      N(CLONE_UNTRACED), N(CLONE_CHILD_SETTID), N(CLONE_NEWCGROUP),
      N(CLONE_NEWUTS), N(CLONE_NEWIPC), N(CLONE_NEWUSER), N(CLONE_NEWPID),
      N(CLONE_NEWNET), N(CLONE_IO));
TABLE(wait_options, BITS, N(WNOHANG), N(WUNTRACED), N(WCONTINUED), N(WEXITED),
      N(WNOWAIT), { 0x20000000, "__WNOTHREAD" }, { 0x40000000, "__WALL" },
      { 0x80000000, "__WCLONE" });
TABLE(wait_which, NUMBERS, N(P_ALL), N(P_PID), N(P_PGID), N(P_PIDFD));

TABLE(fcntl_cmd, NUMBERS, N(F_DUPFD), N(F_GETFD), N(F_SETFD), N(F_GETFL),
      N(F_SETFL), N(F_GETLK), N(F_SETLK), N(F_SETLKW), N(F_SETOWN), N(F_GETOWN),
      N(F_SETSIG), N(F_GETSIG), N(F_SETOWN_EX), N(F_GETOWN_EX), N(F_OFD_GETLK),
      N(F_OFD_SETLK), N(F_OFD_SETLKW), N(F_SETLEASE), N(F_GETLEASE),
      N(F_NOTIFY), N(F_DUPFD_CLOEXEC), N(F_SETPIPE_SZ), N(F_GETPIPE_SZ),
      N(F_ADD_SEALS), N(F_GET_SEALS));
TABLE(whence, NUMBERS, N(SEEK_SET), N(SEEK_CUR), N(SEEK_END), N(SEEK_DATA),
      N(SEEK_HOLE));
TABLE(lock_cmd, LOCK_SH | LOCK_EX | LOCK_UN, N(LOCK_SH), N(LOCK_EX), N(LOCK_UN),
      N(LOCK_NB));
TABLE(futex_op, FUTEX_CMD_MASK &UINT32_MAX, N(FUTEX_WAIT), N(FUTEX_WAKE),
      N(FUTEX_REQUEUE), N(FUTEX_CMP_REQUEUE), N(FUTEX_WAKE_OP),
      N(FUTEX_LOCK_PI), N(FUTEX_UNLOCK_PI), N(FUTEX_TRYLOCK_PI),
      N(FUTEX_WAIT_BITSET), N(FUTEX_WAKE_BITSET), N(FUTEX_WAIT_REQUEUE_PI),
      N(FUTEX_CMP_REQUEUE_PI), N(FUTEX_LOCK_PI2), N(FUTEX_PRIVATE_FLAG),
      N(FUTEX_CLOCK_REALTIME));
TABLE(epoll_op, NUMBERS, N(EPOLL_CTL_ADD), N(EPOLL_CTL_DEL), N(EPOLL_CTL_MOD));
TABLE(epoll_flags, BITS, N(EPOLL_CLOEXEC));
TABLE(eventfd_flags, BITS, N(EFD_SEMAPHORE), N(EFD_CLOEXEC), N(EFD_NONBLOCK));
TABLE(signalfd_flags, BITS, N(SFD_CLOEXEC), N(SFD_NONBLOCK));
TABLE(timerfd_flags, BITS, N(TFD_CLOEXEC), N(TFD_NONBLOCK));
TABLE(timerfd_set, BITS, N(TFD_TIMER_ABSTIME), N(TFD_TIMER_CANCEL_ON_SET));
TABLE(inotify_flags, BITS, N(IN_CLOEXEC), N(IN_NONBLOCK));
TABLE(pipe_flags, BITS, N(O_CLOEXEC), N(O_NONBLOCK), N(O_DIRECT));
TABLE(dup_flags, BITS, N(O_CLOEXEC));
TABLE(splice_flags, BITS, N(SPLICE_F_MOVE), N(SPLICE_F_NONBLOCK),
      N(SPLICE_F_MORE), N(SPLICE_F_GIFT));
TABLE(rwf_flags, BITS, N(RWF_HIPRI), N(RWF_DSYNC), N(RWF_SYNC), N(RWF_NOWAIT),
      N(RWF_APPEND));
TABLE(random_flags, BITS, N(GRND_NONBLOCK), N(GRND_RANDOM), N(GRND_INSECURE));
TABLE(close_range_flags, BITS, N(CLOSE_RANGE_UNSHARE), N(CLOSE_RANGE_CLOEXEC));
TABLE(mount_flags, BITS, N(MS_RDONLY), N(MS_NOSUID), N(MS_NODEV), N(MS_NOEXEC),
      N(MS_SYNCHRONOUS), N(MS_REMOUNT), N(MS_MANDLOCK), N(MS_DIRSYNC),
      N(MS_NOATIME), N(MS_NODIRATIME), N(MS_BIND), N(MS_MOVE), N(MS_REC),
      N(MS_SILENT), N(MS_UNBINDABLE), N(MS_PRIVATE), N(MS_SLAVE), N(MS_SHARED),
      N(MS_RELATIME), N(MS_STRICTATIME), N(MS_LAZYTIME));
TABLE(umount_flags, BITS, { 1, "MNT_FORCE" }, { 2, "MNT_DETACH" },
      { 4, "MNT_EXPIRE" }, { 8, "UMOUNT_NOFOLLOW" });
TABLE(clocks, NUMBERS, N(CLOCK_REALTIME), N(CLOCK_MONOTONIC),
      N(CLOCK_PROCESS_CPUTIME_ID), N(CLOCK_THREAD_CPUTIME_ID),
      N(CLOCK_MONOTONIC_RAW), N(CLOCK_REALTIME_COARSE),
      N(CLOCK_MONOTONIC_COARSE), N(CLOCK_BOOTTIME), N(CLOCK_REALTIME_ALARM),
      N(CLOCK_BOOTTIME_ALARM), N(CLOCK_TAI));
TABLE(timer_flags, BITS, N(TIMER_ABSTIME));
TABLE(itimer, NUMBERS, N(ITIMER_REAL), N(ITIMER_VIRTUAL), N(ITIMER_PROF));
TABLE(resource, NUMBERS, N(RLIMIT_CPU), N(RLIMIT_FSIZE), N(RLIMIT_DATA),
      N(RLIMIT_STACK), N(RLIMIT_CORE), N(RLIMIT_RSS), N(RLIMIT_NPROC),
      N(RLIMIT_NOFILE), N(RLIMIT_MEMLOCK), N(RLIMIT_AS), N(RLIMIT_LOCKS),
      N(RLIMIT_SIGPENDING), N(RLIMIT_MSGQUEUE), N(RLIMIT_NICE),
      N(RLIMIT_RTPRIO), N(RLIMIT_RTTIME));
TABLE(rusage_who, NUMBERS, N(RUSAGE_SELF), N(RUSAGE_CHILDREN),
      N(RUSAGE_THREAD));
TABLE(priority_which, NUMBERS, N(PRIO_PROCESS), N(PRIO_PGRP), N(PRIO_USER));
TABLE(sched_policy, NUMBERS, N(SCHED_OTHER), N(SCHED_FIFO), N(SCHED_RR),
      N(SCHED_BATCH), N(SCHED_IDLE), N(SCHED_DEADLINE));
TABLE(prctl_option, NUMBERS, N(PR_SET_PDEATHSIG), N(PR_GET_PDEATHSIG),
      N(PR_GET_DUMPABLE), N(PR_SET_DUMPABLE), N(PR_GET_KEEPCAPS),
      N(PR_SET_KEEPCAPS), N(PR_SET_NAME), N(PR_GET_NAME), N(PR_GET_SECCOMP),
      N(PR_SET_SECCOMP), N(PR_CAPBSET_READ), N(PR_CAPBSET_DROP),
      N(PR_GET_SECUREBITS), N(PR_SET_SECUREBITS), N(PR_SET_TIMERSLACK),
      N(PR_GET_TIMERSLACK), N(PR_MCE_KILL), N(PR_SET_MM), N(PR_SET_PTRACER),
      N(PR_SET_CHILD_SUBREAPER), N(PR_GET_CHILD_SUBREAPER),
      N(PR_SET_NO_NEW_PRIVS), N(PR_GET_NO_NEW_PRIVS), N(PR_SET_THP_DISABLE),
      N(PR_GET_THP_DISABLE), N(PR_CAP_AMBIENT), N(PR_SET_SPECULATION_CTRL),
      N(PR_GET_SPECULATION_CTRL), N(PR_SET_VMA));
TABLE(arch_prctl_option, NUMBERS, { 0x1001, "ARCH_SET_GS" },
      { 0x1002, "ARCH_SET_FS" }, { 0x1003, "ARCH_GET_FS" },
      { 0x1004, "ARCH_GET_GS" });
TABLE(ptrace_request, NUMBERS, N(PTRACE_TRACEME), N(PTRACE_PEEKTEXT),
      N(PTRACE_PEEKDATA), N(PTRACE_PEEKUSER), N(PTRACE_POKETEXT),
      N(PTRACE_POKEDATA), N(PTRACE_POKEUSER), N(PTRACE_CONT), N(PTRACE_KILL),
      N(PTRACE_SINGLESTEP), N(PTRACE_GETREGS), N(PTRACE_SETREGS),
      N(PTRACE_ATTACH), N(PTRACE_DETACH), N(PTRACE_SYSCALL),
      N(PTRACE_SETOPTIONS), N(PTRACE_GETEVENTMSG), N(PTRACE_GETSIGINFO),
      N(PTRACE_GETREGSET), N(PTRACE_SETREGSET), N(PTRACE_SEIZE),
      N(PTRACE_INTERRUPT), N(PTRACE_LISTEN));
TABLE(seccomp_op, NUMBERS, N(SECCOMP_SET_MODE_STRICT),
      N(SECCOMP_SET_MODE_FILTER), N(SECCOMP_GET_ACTION_AVAIL),
      N(SECCOMP_GET_NOTIF_SIZES));
TABLE(bpf_cmd, NUMBERS, { 0, "BPF_MAP_CREATE" }, { 1, "BPF_MAP_LOOKUP_ELEM" },
      { 2, "BPF_MAP_UPDATE_ELEM" }, { 3, "BPF_MAP_DELETE_ELEM" },
      { 4, "BPF_MAP_GET_NEXT_KEY" }, { 5, "BPF_PROG_LOAD" },
      { 6, "BPF_OBJ_PIN" }, { 7, "BPF_OBJ_GET" }, { 8, "BPF_PROG_ATTACH" },
      { 9, "BPF_PROG_DETACH" }, { 18, "BPF_BTF_LOAD" },
      { 28, "BPF_LINK_CREATE" });
TABLE(ipc_flags, 0777, N(IPC_CREAT), N(IPC_EXCL), N(IPC_NOWAIT));
TABLE(ipc_cmd, NUMBERS, N(IPC_RMID), N(IPC_SET), N(IPC_STAT), N(IPC_INFO));
TABLE(xattr_flags, BITS, N(XATTR_CREATE), N(XATTR_REPLACE));
TABLE(membarrier_cmd, NUMBERS, N(MEMBARRIER_CMD_QUERY),
      N(MEMBARRIER_CMD_GLOBAL), N(MEMBARRIER_CMD_GLOBAL_EXPEDITED),
      N(MEMBARRIER_CMD_PRIVATE_EXPEDITED),
      N(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED));
TABLE(keyctl_option, NUMBERS, N(KEYCTL_GET_KEYRING_ID),
      N(KEYCTL_JOIN_SESSION_KEYRING), N(KEYCTL_UPDATE), N(KEYCTL_REVOKE),
      N(KEYCTL_CHOWN), N(KEYCTL_SETPERM), N(KEYCTL_DESCRIBE), N(KEYCTL_CLEAR),
      N(KEYCTL_LINK), N(KEYCTL_UNLINK), N(KEYCTL_SEARCH), N(KEYCTL_READ));
TABLE(reboot_cmd, NUMBERS, N(RB_AUTOBOOT), N(RB_HALT_SYSTEM), N(RB_ENABLE_CAD),
      N(RB_DISABLE_CAD), N(RB_POWER_OFF), N(RB_KEXEC));

static const struct values mode = { .base = 8 };
static const struct values hex = { .base = 16 };

/*
 * Which table for what, the first that fits. Calls are globs, of what follows
 * "sys_"; arguments are matched by their whole names.
 */
static const struct {
	const char *call, *arg;
	const struct values *table;
} uses[] = {
	{ "*", "dfd", &dirfd },
	{ "*", "olddfd", &dirfd },
	{ "*", "newdfd", &dirfd },
	{ "*", "from_dfd", &dirfd },
	{ "*", "to_dfd", &dirfd },
	{ "open*", "flags", &open_flags },
	{ "mq_open", "oflag", &open_flags },
	{ "*access*", "mode", &access_mode },
	{ "fallocate", "mode", &fallocate_mode },
	{ "*chmod*", "mode", &mode },
	{ "mk*", "mode", &mode },
	{ "mq_open", "mode", &mode },
	{ "open*", "mode", &mode },
	{ "creat", "mode", &mode },
	{ "umask", "mask", &mode },
	{ "unlinkat", "flag", &unlink_flags },
	{ "faccessat2", "flags", &access_flags },
	{ "statx", "flags", &statx_flags },
	{ "renameat2", "flags", &rename_flags },
	{ "newfstatat", "flag", &at_flags },
	{ "fchownat", "flag", &at_flags },
	{ "execveat", "flags", &at_flags },
	{ "linkat", "flags", &at_flags },
	{ "utimensat", "flags", &at_flags },
	{ "name_to_handle_at", "flag", &at_flags },
	{ "*", "prot", &prot },
	{ "mmap", "flags", &map_flags },
	{ "mremap", "flags", &mremap_flags },
	{ "msync", "flags", &msync_flags },
	{ "mlockall", "flags", &mlockall_flags },
	{ "*madvise", "behavior", &advice },
	{ "fadvise64", "advice", &fadvice },
	{ "memfd_create", "flags", &memfd_flags },
	{ "*", "sig", &signals },
	{ "rt_sigprocmask", "how", &sigmask_how },
	{ "socket*", "family", &family },
	{ "socket*", "type", &socket_type },
	{ "accept4", "flags", &accept_flags },
	{ "send*", "flags", &message_flags },
	{ "recv*", "flags", &message_flags },
	{ "?etsockopt", "level", &socket_level },
	{ "shutdown", "how", &shutdown_how },
	{ "clone", "clone_flags", &clone_flags },
	{ "unshare", "unshare_flags", &clone_flags },
	{ "setns", "flags", &clone_flags },
	{ "wait*", "options", &wait_options },
	{ "waitid", "which", &wait_which },
	{ "fcntl", "cmd", &fcntl_cmd },
	{ "ioctl", "cmd", &hex },
	{ "lseek", "whence", &whence },
	{ "flock", "cmd", &lock_cmd },
	{ "futex", "op", &futex_op },
	{ "epoll_ctl", "op", &epoll_op },
	{ "epoll_create1", "flags", &epoll_flags },
	{ "eventfd2", "flags", &eventfd_flags },
	{ "signalfd4", "flags", &signalfd_flags },
	{ "timerfd_create", "flags", &timerfd_flags },
	{ "timerfd_settime", "flags", &timerfd_set },
	{ "inotify_init1", "flags", &inotify_flags },
	{ "pipe2", "flags", &pipe_flags },
	{ "dup3", "flags", &dup_flags },
	{ "*splice", "flags", &splice_flags },
	{ "tee", "flags", &splice_flags },
	{ "p*v2", "flags", &rwf_flags },
	{ "getrandom", "flags", &random_flags },
	{ "close_range", "flags", &close_range_flags },
	{ "mount", "flags", &mount_flags },
	{ "umount", "flags", &umount_flags },
	{ "*", "which_clock", &clocks },
	{ "timerfd_create", "clockid", &clocks },
	{ "clock_nanosleep", "flags", &timer_flags },
	{ "timer_settime", "flags", &timer_flags },
	{ "?etitimer", "which", &itimer },
	{ "*rlimit*", "resource", &resource },
	{ "getrusage", "who", &rusage_who },
	{ "?etpriority", "which", &priority_which },
	{ "sched_*", "policy", &sched_policy },
	{ "prctl", "option", &prctl_option },
	{ "arch_prctl", "option", &arch_prctl_option },
	{ "ptrace", "request", &ptrace_request },
	{ "seccomp", "op", &seccomp_op },
	{ "bpf", "cmd", &bpf_cmd },
	{ "semget", "semflg", &ipc_flags },
	{ "shmget", "shmflg", &ipc_flags },
	{ "msgget", "msgflg", &ipc_flags },
	{ "???ctl", "cmd", &ipc_cmd },
	{ "*setxattr", "flags", &xattr_flags },
	{ "membarrier", "cmd", &membarrier_cmd },
	{ "keyctl", "option", &keyctl_option },
	{ "reboot", "cmd", &reboot_cmd },
	{ "*", "flags", &hex },
	{ "*", "mask", &hex },
};

const struct values *values_find(const char *call, const char *arg)
{
	if (!strncmp(call, "sys_", 4))
		call += 4;
	for (size_t i = 0; i < ARRAY_SIZE(uses); i++)
		if (!strcmp(uses[i].arg, arg) &&
		    !fnmatch(uses[i].call, call, 0))
			return uses[i].table;
	return NULL;
}

static const char *name_of(const struct values *t, uint64_t v)
{
	for (uint32_t i = 0; i < t->nr; i++)
		if (t->names[i].value == v)
			return t->names[i].name;
	return NULL;
}

static void add_bar(struct buf *out, size_t from)
{
	if (out->len > from)
		buf_putc(out, '|');
}

/* Names of several bits (O_SYNC, O_TMPFILE) come before those of one. */
static uint64_t print_bits(const struct values *t, uint64_t v, size_t from,
			   struct buf *out)
{
	for (int single = 0; single < 2; single++)
		for (uint32_t i = 0; i < t->nr; i++) {
			uint64_t bits = t->names[i].value;

			if (!bits || bits & t->mask || (v & bits) != bits ||
			    ((bits & (bits - 1)) == 0) != single)
				continue;
			add_bar(out, from);
			buf_puts(out, t->names[i].name);
			v &= ~bits;
		}
	return v;
}

static void print_plain(uint64_t v, uint32_t base, struct buf *out)
{
	buf_printf(out,
		   !v	       ? "%" PRIu64
		   : base == 8 ? "0%" PRIo64
			       : "0x%" PRIx64,
		   v);
}

bool values_print(const struct values *t, uint64_t v, struct buf *out)
{
	size_t from = out->len;
	const char *name = name_of(t, v & t->mask);

	if (t->base) {
		print_plain(v, t->base, out);
		return true;
	}
	if (name && t->mask) {
		buf_puts(out, name);
		v &= ~t->mask;
	}
	if (t->mask == NUMBERS)
		return name;
	v = print_bits(t, v, from, out);
	if (v || out->len == from) {
		add_bar(out, from);
		print_plain(v, 16, out);
	}
	return true;
}
