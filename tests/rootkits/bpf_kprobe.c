// SPDX-License-Identifier: GPL-2.0-only
/*
 * bpf_kprobe FUNCTION SECONDS -- attach a BPF program to a kernel function
 *
 * The program does nothing. It is there once "attached" is printed, and goes
 * away with this process.
 */
#include <linux/bpf.h>
#include <linux/perf_event.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

static int load(void)
{
	static const struct bpf_insn insns[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K },	/* r0 = 0 */
		{ .code = BPF_JMP | BPF_EXIT },
	};
	union bpf_attr attr = {
		.prog_type = BPF_PROG_TYPE_KPROBE,
		.insn_cnt = 2,
		.insns = (uintptr_t)insns,
		.license = (uintptr_t)"GPL",
	};

	return syscall(SYS_bpf, BPF_PROG_LOAD, &attr, sizeof(attr));
}

static int probe(const char *function)
{
	struct perf_event_attr attr = {
		.size = sizeof(attr),
		.sample_period = 1,
		.kprobe_func = (uintptr_t)function,
	};
	FILE *f = fopen("/sys/bus/event_source/devices/kprobe/type", "r");
	unsigned int type;

	if (!f || fscanf(f, "%u", &type) != 1)
		return -1;
	fclose(f);
	attr.type = type;
	return syscall(SYS_perf_event_open, &attr, -1, 0, -1, 0);
}

int main(int argc, char **argv)
{
	int prog, event;

	if (argc != 3)
		return 2;
	prog = load();
	event = probe(argv[1]);
	if (prog < 0 || event < 0 ||
	    ioctl(event, PERF_EVENT_IOC_SET_BPF, prog) ||
	    ioctl(event, PERF_EVENT_IOC_ENABLE, 0)) {
		perror("bpf_kprobe");
		return 1;
	}
	puts("attached");
	fflush(stdout);
	sleep(atoi(argv[2]));
	return 0;
}
