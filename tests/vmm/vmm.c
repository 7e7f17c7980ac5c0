// SPDX-License-Identifier: GPL-2.0-only
#include "vmm.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

/* Guest-physical pages: tables and code, which the guest only reads. */
#define PML4	     1
#define PDPT	     2
#define PD	     3
#define CODE	     4
#define BITMAP_LEN   (VMM_RAM / VMM_PAGE / 8)
/* A store to where no RAM is: the guest is done. */
#define DONE_GPA     0x30000000u

/*
 * r8 pages written so far, r9 where that is kept; rdi the first page, rdx from
 * one to the next, rbp how many, rsi how often all that. It runs in user mode:
 * a KVM without hardware emulates what is above, and so loses entries when a
 * ring is full.
 */
extern const char guest_code[], guest_code_end[];
asm(".pushsection .rodata\n"
    "guest_code:\n"
    "1:	mov %rdi, %rbx\n"
    "	mov %rbp, %rcx\n"
    "2:	inc %r8\n"
    "	mov %r8, (%r9)\n"
    "	mov %r8, (%rbx)\n"
    "	add %rdx, %rbx\n"
    "	dec %rcx\n"
    "	jnz 2b\n"
    "	dec %rsi\n"
    "	jnz 1b\n"
    "3:	mov %eax, (%r10)\n"
    "	jmp 1b\n"
    "guest_code_end:\n"
    ".popsection\n");

static struct cpu {
	int fd;
	struct kvm_run *run;
	pthread_t thread;
	struct vmm_order order;
	struct vmm_answer answer;
} cpus[VMM_MAX_CPUS];

static char *ram;
static int vm;

static void die(const char *what)
{
	fprintf(stderr, "vmm: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void ask(int fd, unsigned long request, void *arg, const char *what)
{
	if (ioctl(fd, request, arg) < 0)
		die(what);
}

/* All of the first GiB, where it is, in pages of 2 MiB that are "dirty". */
static void tables(void)
{
	enum { P = 1, W = 2, U = 4, A = 32, D = 64, LARGE = 128 };
	uint64_t *pml4 = (void *)(ram + PML4 * VMM_PAGE);
	uint64_t *pdpt = (void *)(ram + PDPT * VMM_PAGE);
	uint64_t *pd = (void *)(ram + PD * VMM_PAGE);

	pml4[0] = PDPT * VMM_PAGE | P | W | U | A;
	pdpt[0] = PD * VMM_PAGE | P | W | U | A;
	for (uint64_t i = 0; i < 512; i++)
		pd[i] = i << 21 | P | W | U | A | D | LARGE;
	memcpy(ram + CODE * VMM_PAGE, guest_code, guest_code_end - guest_code);
}

static int region(uint64_t len, uint32_t flags)
{
	struct kvm_userspace_memory_region r = {
		.flags = flags,
		.memory_size = len,
		.userspace_addr = (uintptr_t)ram,
	};

	return ioctl(vm, KVM_SET_USER_MEMORY_REGION, &r) ? -errno : 0;
}

static struct kvm_segment segment(uint16_t selector, uint8_t type, int is_code)
{
	return (struct kvm_segment){ .limit = 0xffffffff, .selector = selector,
				     .type = type, .present = 1, .dpl = 3,
				     .db = !is_code, .s = 1, .l = is_code,
				     .g = 1 };
}

static void cpu_init(struct cpu *c, int size)
{
	struct kvm_sregs s;

	c->fd = ioctl(vm, KVM_CREATE_VCPU, c - cpus);
	if (c->fd < 0)
		die("KVM_CREATE_VCPU");
	c->run = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, c->fd, 0);
	if (c->run == MAP_FAILED)
		die("vCPU");
	ask(c->fd, KVM_GET_SREGS, &s, "KVM_GET_SREGS");
	s.cr0 = 0x80000031;	/* PG, NE, ET, PE */
	s.cr4 = 0x20;		/* PAE */
	s.cr3 = PML4 * VMM_PAGE;
	s.efer = 0x500;		/* LMA, LME */
	s.cs = segment(0x33, 11, 1);
	s.ds = s.es = s.fs = s.gs = s.ss = segment(0x2b, 3, 0);
	ask(c->fd, KVM_SET_SREGS, &s, "KVM_SET_SREGS");
}

static uint64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000ull + t.tv_nsec;
}

static int run_to_end(struct cpu *c)
{
	do {
		if (ioctl(c->fd, KVM_RUN, 0) && errno != EINTR)
			return -errno;
	} while (c->run->exit_reason == KVM_EXIT_INTR);
	if (c->run->exit_reason != KVM_EXIT_MMIO ||
	    c->run->mmio.phys_addr != DONE_GPA) {
		fprintf(stderr, "vmm: vCPU %d left with reason %u\n",
			(int)(c - cpus), c->run->exit_reason);
		return -EIO;
	}
	/* Once more, so that the store is done with. */
	c->run->immediate_exit = 1;
	ioctl(c->fd, KVM_RUN, 0);
	c->run->immediate_exit = 0;
	return 0;
}

static void *cpu_write(void *arg)
{
	struct cpu *c = arg;
	uint64_t head = (VMM_HEADS + (c - cpus)) * VMM_PAGE;
	uint64_t *head_word = (void *)(ram + head), begun = now();
	struct kvm_regs r = {
		.rdi = c->order.first * VMM_PAGE, .rdx = c->order.step * VMM_PAGE,
		.rbp = c->order.count, .rsi = c->order.rounds,
		.r8 = *head_word, .r9 = head, .r10 = DONE_GPA,
		.rip = CODE * VMM_PAGE, .rflags = 2,
	};

	c->answer.status = ioctl(c->fd, KVM_SET_REGS, &r) ? -errno :
							  run_to_end(c);
	c->answer.heads = *head_word;
	c->answer.ns = now() - begun;
	return NULL;
}

static void start(const struct vmm_order *o)
{
	struct cpu *c = &cpus[o->cpu];

	c->order = *o;
	errno = pthread_create(&c->thread, NULL, cpu_write, c);
	if (errno)
		die("thread");
}

/* The registers that a processor begins with; a write brings its own. */
static int reset(struct cpu *c)
{
	struct kvm_regs r = { .rip = 0xfff0, .rflags = 2 };

	return ioctl(c->fd, KVM_SET_REGS, &r) ? -errno : 0;
}

static void carry_out(const struct vmm_order *o, struct vmm_answer *a, void *bits)
{
	struct kvm_dirty_log get = { .dirty_bitmap = bits };
	struct cpu *c = &cpus[o->cpu];

	switch (o->what) {
	case VMM_WRITE:
	case VMM_START:
		start(o);
		if (o->what == VMM_START)
			break;
		/* fall through */
	case VMM_WAIT:
		pthread_join(c->thread, NULL);
		*a = c->answer;
		break;
	case VMM_LOG_ON:
		a->status = region(VMM_RAM, KVM_MEM_LOG_DIRTY_PAGES);
		break;
	case VMM_LOG_OFF:
		a->status = region(VMM_RAM, 0);
		break;
	case VMM_LOG_GET:
		a->status = ioctl(vm, KVM_GET_DIRTY_LOG, &get) ? -errno : 0;
		break;
	case VMM_MOVE:
		a->status = region(0, 0);
		a->status = a->status ? a->status : region(VMM_RAM, 0);
		break;
	case VMM_RESET:
		a->status = reset(&cpus[o->cpu]);
		break;
	case VMM_EXTENSION:
		a->status = ioctl(vm, KVM_CHECK_EXTENSION, o->first);
		break;
	}
}

static void put(const void *data, size_t len)
{
	if (write(STDOUT_FILENO, data, len) != (ssize_t)len)
		die("answer");
}

int vmm_main(unsigned int nr_cpus)
{
	static char bits[BITMAP_LEN];
	int kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC), size;
	int fd = memfd_create("vmm", MFD_CLOEXEC);
	struct vmm_order o;

	if (kvm < 0 || fd < 0 || ftruncate(fd, VMM_RAM))
		die("/dev/kvm");
	ram = mmap(NULL, VMM_RAM, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (ram == MAP_FAILED)
		die("RAM");
	vm = ioctl(kvm, KVM_CREATE_VM, 0);
	size = ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0);
	if (vm < 0 || size < 0)
		die("KVM_CREATE_VM");
	ioctl(vm, KVM_SET_TSS_ADDR, 0xfffbd000);
	tables();
	errno = -region(VMM_RAM, 0);
	if (errno)
		die("KVM_SET_USER_MEMORY_REGION");
	for (unsigned int i = 0; i < nr_cpus; i++)
		cpu_init(&cpus[i], size);
	while (read(STDIN_FILENO, &o, sizeof(o)) == sizeof(o)) {
		struct vmm_answer a = {
			.heads = (uintptr_t)ram + VMM_HEADS * VMM_PAGE,
		};

		carry_out(&o, &a, bits);
		put(&a, sizeof(a));
		if (o.what == VMM_LOG_GET)
			put(bits, sizeof(bits));
	}
	return 0;
}
