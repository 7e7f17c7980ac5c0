// SPDX-License-Identifier: GPL-2.0-only
#include "sigbus.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/stat.h>

/*
 * A handler can neither lock nor follow a list that another thread changes, so
 * the table has a fixed place and its words are atomic.
 */
#define MAX_MAPS 256

#define PAGE 4096ULL

static _Atomic(struct sigbus_map *) all_maps[MAX_MAPS];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct sigaction before;

/*
 * Put zeros where the file has nothing any more. If it was truncated that is
 * all the rest, done at once: a fault for each page would take too long.
 * fstat() and mmap() are plain system calls, fit for a signal handler.
 */
static bool patch(struct sigbus_map *m, size_t pos)
{
	size_t start = pos & ~(m->page_size - 1), len = m->page_size;
	struct stat st;

	if (!fstat(m->fd, &st) && m->off + start >= (uint64_t)st.st_size)
		len = m->len - start;
	if (mmap(m->addr + start, len, m->prot,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE, -1,
		 0) == MAP_FAILED)
		return false;
	__atomic_fetch_add(&m->faults, 1, __ATOMIC_RELEASE);
	return true;
}

static void on_sigbus(int sig, siginfo_t *info, void *context)
{
	int saved = errno;

	for (size_t i = 0; i < MAX_MAPS && info->si_code > 0; i++) {
		struct sigbus_map *m = atomic_load(&all_maps[i]);
		size_t pos;

		if (!m)
			continue;
		pos = (uintptr_t)info->si_addr - (uintptr_t)m->addr;
		if (pos < m->len && patch(m, pos)) {
			errno = saved;
			return;
		}
	}
	/* Not ours: let it happen again to who was there before us. */
	sigaction(SIGBUS, &before, NULL);
	if (info->si_code <= 0)
		raise(sig);
	errno = saved;
}

/* Again with each mapping, as others may have set theirs in between. */
static void install_handler(void)
{
	struct sigaction sa = { .sa_sigaction = on_sigbus,
				.sa_flags = SA_SIGINFO | SA_ONSTACK };
	struct sigaction now;

	sigaction(SIGBUS, NULL, &now);
	if ((now.sa_flags & SA_SIGINFO) && now.sa_sigaction == on_sigbus)
		return;
	before = now;
	sigaction(SIGBUS, &sa, NULL);
}

bool sigbus_watch(struct sigbus_map *m)
{
	size_t i = 0;

	m->faults = 0;
	pthread_mutex_lock(&lock);
	install_handler();
	while (i < MAX_MAPS && atomic_load(&all_maps[i]))
		i++;
	if (i < MAX_MAPS)
		atomic_store(&all_maps[i], m);
	pthread_mutex_unlock(&lock);
	return i < MAX_MAPS;
}

void sigbus_forget(struct sigbus_map *m)
{
	pthread_mutex_lock(&lock);
	for (size_t i = 0; i < MAX_MAPS; i++)
		if (atomic_load(&all_maps[i]) == m)
			atomic_store(&all_maps[i], NULL);
	pthread_mutex_unlock(&lock);
}

int sigbus_map_file(struct sigbus_map *m, int fd, uint64_t len)
{
	void *p = mmap(NULL, len, PROT_READ, MAP_PRIVATE, fd, 0);

	if (p == MAP_FAILED)
		return -errno;
	*m = (struct sigbus_map){
		.addr = p,
		.len = (len + PAGE - 1) & ~(PAGE - 1),
		.page_size = PAGE,
		.prot = PROT_READ,
		.fd = fd,
	};
	if (sigbus_watch(m))
		return 0;
	sigbus_unmap_file(m);
	return -EMFILE;
}

void sigbus_unmap_file(struct sigbus_map *m)
{
	if (!m->addr)
		return;
	sigbus_forget(m);
	munmap(m->addr, m->len);
	*m = (struct sigbus_map){ 0 };
}
