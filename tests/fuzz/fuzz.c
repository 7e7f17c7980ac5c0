// SPDX-License-Identifier: GPL-2.0-only
#include "fuzz.h"

#include <sanitizer/allocator_interface.h>
#include <sodium.h>
#include <sys/mman.h>

#include "clock.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);
const char *__asan_default_options(void);
int __wrap_io_open_unnamed(const char *beside, struct xf_err *err);

static struct {
	bool counting;
	int64_t bytes, most_bytes;
	uint64_t most_ns;
} spent;

/* What was freed long ago, and by whom, costs more time than it finds. */
const char *__asan_default_options(void)
{
	return "quarantine_size_mb=8:malloc_context_size=2:"
	       "allocator_release_to_os_interval_ms=-1";
}

/* No input waits for a disk. */
int __wrap_io_open_unnamed(const char *beside, struct xf_err *err)
{
	return memfd_create("unnamed", MFD_CLOEXEC);
}

/* Keys lie where ASan watches. */
void *sodium_malloc(size_t len)
{
	return malloc(len);
}

void sodium_free(void *p)
{
	free(p);
}

static void on_malloc(const volatile void *p, size_t len)
{
	if (!spent.counting)
		return;
	spent.bytes += len;
	if (spent.bytes <= spent.most_bytes)
		return;
	spent.most_bytes = spent.bytes;
	if (spent.bytes > FUZZ_MEMORY) {
		spent.counting = false;
		fprintf(stderr, "fuzz: %zu bytes make it %lld on the heap\n",
			len, (long long)spent.bytes);
		abort();
	}
}

static void on_free(const volatile void *p)
{
	if (spent.counting && p)
		spent.bytes -= __sanitizer_get_allocated_size(p);
}

static void tell(void)
{
	fprintf(stderr, "at most %.1f ms, %lld KiB\n", spent.most_ns / 1e6,
		(long long)spent.most_bytes >> 10);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	fuzz_must(
		__sanitizer_install_malloc_and_free_hooks(on_malloc, on_free));
	atexit(tell);
	return 0;
}

static int lowest_free_fd(void)
{
	int fd = dup(0);

	close(fd);
	return fd;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct cursor in = cursor_of(data, len);
	int fd = lowest_free_fd();
	uint64_t start = thread_cpu_ns(), took;

	spent.bytes = 0;
	spent.counting = true;
	fuzz_one(&in);
	spent.counting = false;
	took = thread_cpu_ns() - start;
	if (took > spent.most_ns)
		spent.most_ns = took;
	fuzz_must(took <= FUZZ_CPU_MS * 1000000ull);
	fuzz_must(lowest_free_fd() == fd);
	return 0;
}

int fuzz_file(struct cursor *in, char path[32])
{
	size_t len = cursor_left(in);
	int fd = memfd_create("fuzz", MFD_CLOEXEC);

	fuzz_must(fd >= 0 && write(fd, in->p, len) == (ssize_t)len);
	snprintf(path, 32, "/proc/self/fd/%d", fd);
	return fd;
}
