#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# build.sh KERNELDIR MODULE.ko OUT.cpio[.gz] [SRC:DEST...]
#
# Makes the demo guest's initramfs. KERNELDIR is what scripts/kernels.sh made.
# A MODULE.ko that does not exist is left out. Further files keep their mode;
# MODULES="name..." adds the kernel's own modules, loaded at boot in order.

set -eu

die() { echo "build.sh: $*" >&2; exit 1; }

[ $# -ge 3 ] || {
	echo 'usage: build.sh KERNELDIR MODULE.ko OUT.cpio[.gz] [SRC:DEST...]' >&2
	exit 2
}
kernel=$1 module=$2 out=$3
shift 3
here=$(cd "$(dirname "$0")" && pwd)
release=$(cat "$kernel/release")

# depmod and modprobe are where only root's PATH may have them.
PATH=$PATH:/usr/sbin:/sbin
busybox=$(command -v busybox) || die "needs busybox-static"
busybox=$(readlink -f "$busybox")

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
trap 'exit 1' HUP INT TERM
root=$tmp/root
mkdir -p "$root/usr/bin" "$root/lib/modules" "$root/etc" "$root/root" \
	"$root/proc" "$root/sys" "$root/dev" "$root/tmp"
ln -s usr/bin "$root/bin"
ln -s usr/bin "$root/sbin"

# busybox links its names to where it itself is.
mkdir -p "$root/${busybox%/*}"
cp "$busybox" "$root/$busybox"
"$busybox" --install -s "$root/usr/bin"

cp "$here/init" "$root/init"
chmod 755 "$root/init"
${CC:-gcc} -O2 -static -o "$root/usr/bin/agent" "$here/agent.c"
echo 'root:x:0:0:root:/root:/bin/sh' >"$root/etc/passwd"
echo 'root:x:0:' >"$root/etc/group"

# Every module after those that it depends on. Nothing of the host's modprobe
# configuration concerns the guest.
[ -e "$kernel/modules/modules.dep" ] || depmod -b "$kernel/root" "$release"
for name in virtio_pci virtio_console ${MODULES-}; do
	modprobe -C /dev/null -d "$kernel/root" -S "$release" --show-depends \
		"$name" || die "$release has no module $name"
done >"$tmp/depends"
awk '$1 == "insmod" && !seen[$2]++ { print $2 }' "$tmp/depends" |
while read -r ko; do
	name=${ko##*/}
	name=${name%.xz}
	case $ko in
	*.xz)	xz -dc "$ko" ;;
	*)	cat "$ko" ;;
	esac >"$root/lib/modules/$name"
	echo "$name"
done >"$root/lib/modules/order"

[ ! -e "$module" ] || cp "$module" "$root/lib/xftrace.ko"
for file; do
	mkdir -p "$(dirname "$root/${file#*:}")"
	cp "${file%%:*}" "$root/${file#*:}"
done

pack() { (cd "$root" && find . | cpio -o -H newc -R 0:0 --quiet); }
case $out in
*.gz)	pack | gzip -1 ;;
*)	pack ;;
esac >"$out.tmp"
mv "$out.tmp" "$out"
