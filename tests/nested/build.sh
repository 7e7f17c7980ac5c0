#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# build.sh KERNEL OUT.cpio [SRC:DEST...] -- a guest that has KVM itself
#
# Makes the initramfs of an L1: a demo guest of ${O:-build}/kernels/KERNEL
# with KVM's modules, the host's QEMU, xftrace, and the demo guest of the same
# kernel beside it, to be the L2. Does nothing when OUT is newer than its parts.
# OUT should not be compressed: unpacking takes an emulated CPU longer than
# loading does. L1_MODULES="name..." names further modules of the kernel.

set -eu

die() { echo "nested/build.sh: $*" >&2; exit 1; }

[ $# -ge 2 ] || {
	echo 'usage: build.sh KERNEL OUT.cpio [SRC:DEST...]' >&2
	exit 2
}
version=$1 out=$2
shift 2
top=$(cd "$(dirname "$0")/../.." && pwd)
O=${O:-build}
kernel=$O/kernels/$version
release=$(cat "$kernel/release")
demo=$O/demo/$release
qemu=$(command -v qemu-system-x86_64) || die "needs qemu-system-x86"

# Where its own option ROMs lie, QEMU tells.
firmware() {
	for rom in bios-256k.bin kvmvapic.bin linuxboot_dma.bin; do
		found=
		for dir in $("$qemu" -L help); do
			[ ! -e "$dir/$rom" ] || { found=$dir/$rom; break; }
		done
		[ "$found" ] || die "QEMU's $rom is not installed"
		echo "$found"
	done
}

# TCG may be a part of QEMU or a plugin.
parts=
for so in /usr/lib/*/qemu/accel-tcg-x86_64.so /usr/lib/qemu/accel-tcg-x86_64.so; do
	[ ! -e "$so" ] || parts="$parts $so"
done

files() { # SRC:DEST of everything
	echo "$O/xftrace:usr/bin/xftrace"
	echo "$O/dirty_kvm.so:usr/bin/dirty_kvm.so"
	echo "$top/tests/nested/qemu.sh:usr/bin/qemu-system-x86_64"
	echo "$qemu:usr/libexec/qemu-system-x86_64"
	echo "$demo/vmlinuz:usr/bin/demo/default/vmlinuz"
	echo "$demo/initrd:usr/bin/demo/$release/initrd"
	# shellcheck disable=SC2086 # a list
	{
		ldd "$qemu" $parts "$O/xftrace" |
			awk '$2 == "=>" { print $3 } $1 ~ "^/.*[^:]$" { print $1 }'
		printf '%s\n' $parts
		firmware
	} | awk '!seen[$0]++ { print $0 ":" substr($0, 2) }'
}

stale() { # FILE... -- is OUT missing or older than any?
	[ ! -e "$out" ] || [ "$(find -L "$@" -newer "$out")" ]
}

mkdir -p "$(dirname "$out")"
exec 9>"$out.lock"
flock 9
list=$(files)
# shellcheck disable=SC2046,SC2086 # lists
stale $(printf '%s\n' $list "$@" | sed 's/:.*//'| sed "s/:.*//") "$0" "$top"/guest/demo/* \
	"$kernel/release" || exit 0
# shellcheck disable=SC2086 # a list
set -- $list "$@"
MODULES="irqbypass kvm kvm-amd ${L1_MODULES-}" \
	sh "$top/guest/demo/build.sh" "$kernel" /nonexistent "$out" "$@"
