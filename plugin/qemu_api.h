/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * qemu_api -- what is used of QEMU's interface for plugins.
 *
 * Debian packages no header for it. QEMU compares the number in
 * qemu_plugin_version with what it can do, and refuses a plugin that it does
 * not fit. What is declared here is the same from version 1 (QEMU 4.2 to 8) to
 * 4 (10.0), but for the instruction's bytes, which were returned and are
 * copied out since version 3, and for physical addresses, which were places in
 * QEMU's RAM blocks (ram_addr) and are the guest's since QEMU 8.2.
 */
#ifndef QEMU_API_H
#define QEMU_API_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define QEMU_EXPORT __attribute__((visibility("default")))

typedef uint64_t qemu_plugin_id_t;

struct qemu_plugin_tb;		/* a block of translated code */
struct qemu_plugin_insn;
struct qemu_plugin_hwaddr;	/* good during one callback */

struct qemu_plugin_info {
	const char *target_name;	/* "x86_64" */
	struct {
		int min, cur;
	} version;
	bool system_emulation;
	struct {
		int smp_vcpus, max_vcpus;
	} system;
};

enum { QEMU_CB_NO_REGS };
enum { QEMU_MEM_R = 1, QEMU_MEM_W = 2 };

typedef void (*qemu_tb_fn)(qemu_plugin_id_t id, struct qemu_plugin_tb *tb);
typedef void (*qemu_vcpu_fn)(qemu_plugin_id_t id, unsigned int vcpu);
typedef void (*qemu_insn_fn)(unsigned int vcpu, void *data);
typedef void (*qemu_mem_fn)(unsigned int vcpu, uint32_t info, uint64_t vaddr,
			    void *data);

void qemu_plugin_register_vcpu_init_cb(qemu_plugin_id_t id, qemu_vcpu_fn fn);
void qemu_plugin_register_vcpu_tb_trans_cb(qemu_plugin_id_t id, qemu_tb_fn fn);
void qemu_plugin_register_vcpu_insn_exec_cb(struct qemu_plugin_insn *insn,
					    qemu_insn_fn fn, int flags,
					    void *data);
void qemu_plugin_register_vcpu_mem_cb(struct qemu_plugin_insn *insn,
				      qemu_mem_fn fn, int flags, int rw,
				      void *data);

size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *tb);
struct qemu_plugin_insn *
qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *tb, size_t nr);
size_t qemu_plugin_insn_size(const struct qemu_plugin_insn *insn);
uint64_t qemu_plugin_insn_vaddr(const struct qemu_plugin_insn *insn);

unsigned int qemu_plugin_mem_size_shift(uint32_t info);
bool qemu_plugin_mem_is_store(uint32_t info);
struct qemu_plugin_hwaddr *qemu_plugin_get_hwaddr(uint32_t info,
						  uint64_t vaddr);
bool qemu_plugin_hwaddr_is_io(const struct qemu_plugin_hwaddr *addr);
uint64_t qemu_plugin_hwaddr_phys_addr(const struct qemu_plugin_hwaddr *addr);

/* Up to version 2, and from version 3 on. */
typedef const void *(*qemu_insn_data1_fn)(const struct qemu_plugin_insn *insn);
typedef size_t (*qemu_insn_data3_fn)(const struct qemu_plugin_insn *insn,
				     void *dst, size_t len);

#endif
