# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2154 # lib.sh sets work, top and O
#
# Sourced after tests/lib.sh by tests that want real KVM: L1 is a guest of an
# emulated AMD CPU with SVM, in which xftrace starts its guests (L2) under KVM.
# No virtualization is needed on the host.
#
# The clocks of L1 and L2 count L1's instructions, one a nanosecond: however busy
# this machine is, nothing in there finds it slow, and no time limit expires.

# The CPU of L1. cmpxchg16b as in vm.c; with XSAVE the size that TCG reports for
# it is wrong in L2, whose kernel warns with a long backtrace; and without XSAVE no
# AVX, which libpmem uses wherever CPUID has it.
L1_CPU=${L1_CPU:-EPYC,+svm,-cx16,-xsave,-avx}

# L1's KVM waits for a vCPU that halts by spinning, up to 200 us each time. To TCG
# each turn of that is a way out of its loop and back, 1.5 us for an instruction:
# commands that wait in L1 took ten minutes for what takes seconds.
no_spinning='echo 0 >/sys/module/kvm/parameters/halt_poll_ns'

# l1_start KERNEL [QEMU-OPTION...] -- build it if needed, boot it, wait for it. In
# L1_IMAGE may be one that was built with more in it.
l1_start() {
	local kernel=$1 image=${L1_IMAGE:-$O/nested/$1.cpio}
	shift
	O=$O sh "$top/tests/nested/build.sh" "$kernel" "$image" || return
	(exec qemu-system-x86_64 -nodefaults -no-user-config -display none \
		-no-reboot -machine q35 \
		-accel tcg,thread=single -icount shift=0,sleep=off \
		-cpu "$L1_CPU" -smp 1 -m 3G \
		-chardev "file,id=console,path=$work/l1.console" \
		-serial chardev:console \
		-device virtio-serial-pci \
		-chardev "socket,id=agent,server=on,wait=off,path=$work/l1.agent" \
		-device virtserialport,chardev=agent,name=xftrace.agent \
		-kernel "$O/kernels/$kernel/vmlinuz" -initrd "$image" \
		-append 'console=ttyS0 panic=-1 quiet loglevel=5 xft.quiet' \
		"$@" >"$work/l1.log" 2>&1 </dev/null) &
	l1=$!
	until_true 30 [ -S "$work/l1.agent" ] &&
		in_l1 "mkdir /dev/shm && mount -t tmpfs tmpfs /dev/shm && $no_spinning" &&
		return
	cat "$work/l1.log" "$work/l1.console"
	return 1
}

# in_l1 COMMAND... -- run it in L1's /tmp, with its output and status
in_l1() {
	timeout 600 bash "$top/guest/demo/run.sh" "$work/l1.agent" "cd /tmp; $*"
}

# no_oops LOG... -- a kernel's console tells of no accident
no_oops() {
	! grep -nE 'Oops|BUG:|WARNING: CPU|Kernel panic|general protection' "$@"
}

# L2s end with it.
l1_stop() {
	kill "$l1" && wait "$l1" 2>/dev/null
}
