#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# dirty_kvm.so on three floors: in a small VMM on this machine's KVM, in QEMU on
# the KVM of an emulated AMD processor, and in the small VMM on an emulated Intel
# processor that logs pages by itself (PML).

# shellcheck disable=SC2016,SC2154 # for other shells; lib.sh sets work and O

# shellcheck disable=SC1091
. "$(dirname "$0")/../lib.sh"

shim=$O/dirty_kvm.so
vmm=$O/stress/dirty_vmm

# ---- without KVM ----

# message FILE -- what the shim says in it
message() { dd if="$1" bs=1 skip=48 count=256 2>/dev/null | tr -d '\0'; }

check 'a QEMU without KVM works with the shim' env XFTRACE_DIRTY="$work/none" \
	LD_PRELOAD="$shim" qemu-system-x86_64 -version >version.txt
check 'and it says that it does nothing' eval \
	'[[ $(message none) == "no guest runs under KVM in this QEMU"* ]]'
check 'its file is only for the user' [ "$(stat -c %a none)" = 600 ]

# ---- the first floor: this machine's KVM ----

if [ ! -w /dev/kvm ]; then
	skip 'the shim on this machine: it has no /dev/kvm'
elif ! "$vmm" works >works.txt 2>&1; then
	skip "the shim on this machine: its KVM does not run a guest:" \
		"$(tr '\n' ' ' <works.txt)"
else
	"$vmm" "$shim" 0 || not_ok "bitmap: ends with $?"
	"$vmm" "$shim" 1024 || not_ok "ring: ends with $?"
fi
