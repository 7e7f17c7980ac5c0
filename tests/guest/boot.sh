# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2154 # work, top, O: from lib.sh
#
# Sourced after lib.sh by tests that start QEMU in their own way.

vm=$work/vm

# boot KERNEL OPTION... -- a guest of our own making, in the folder vm
boot() {
	local demo
	demo=$O/demo/$(release "$1")
	shift
	mkdir -m 700 "$vm"
	(umask 077; exec qemu-system-x86_64 -nodefaults -no-user-config \
		-display none -accel tcg,thread=single -cpu max,-cx16 -smp 2 \
		-chardev "file,id=console,path=$vm/console" \
		-serial chardev:console -device virtio-serial-pci \
		-chardev "socket,id=agent,server=on,wait=off,path=$vm/agent" \
		-device virtserialport,chardev=agent,name=xftrace.agent \
		-kernel "$demo/vmlinuz" -initrd "$demo/initrd" \
		-append 'console=ttyS0 panic=-1 quiet xft.quiet' "$@") &
	qemu=$!
	until_true 300 grep -q 'xftrace-demo: ready' "$vm/console" ||
		not_ok "a guest with $* boots"
}

# in_vm COMMAND... -- run it in that guest
in_vm() { timeout 300 bash "$top/guest/demo/run.sh" "$vm/agent" "$@"; }

end() {
	kill -9 "$qemu"
	wait "$qemu" 2>/dev/null
	rm -rf "$vm"
}
