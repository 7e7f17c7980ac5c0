#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# bare.sh COMMAND... -- run a command on a machine as fresh as they come
#
# That is a new Debian in a chroot with nothing but git and make, the last
# commit checked out in its working directory, and the host's network. It is
# Debian 12 (bookworm), or what SUITE= names. The host need not be a Debian; give
# MIRROR=uri then. Needs root. Mounts and processes are in namespaces of their own
# and end with it; the tree, in ${TMPDIR:-/var/tmp}, is removed. The status is the
# command's.

set -eu

here=$(cd "$(dirname "$0")" && pwd)
# shellcheck disable=SC1091
. "$here/mirror.sh"

say() { printf '  %-7s %s\n' "$1" "$2" >&2; }
die() { echo "bare.sh: $*" >&2; exit 1; }

[ $# -gt 0 ] || { echo 'usage: bare.sh COMMAND...' >&2; exit 2; }
[ "$(id -u)" = 0 ] || die "needs root, to make a chroot"
sh "$here/need.sh" bare
find_mirror
[ "$mirror" ] || die "apt knows no Debian mirror: give one as MIRROR="
[ -z "$(git -C "$here" status --porcelain)" ] ||
	say NOTE "what is not committed is not in the copy"

suite=${SUITE:-bookworm}
tmp=$(mktemp -d "${TMPDIR:-/var/tmp}/xftrace-bare.XXXXXX")
trap 'rm -rf --one-file-system "$tmp"' EXIT
trap 'exit 1' HUP INT TERM
root=$tmp/root

say FETCH "Debian $suite from $mirror"
debootstrap --arch=amd64 --variant=minbase --include=git,make "$suite" "$root" "$mirror" \
	>"$tmp/log" 2>&1 </dev/null || die "debootstrap: $(tail -n1 "$tmp/log")"
{
	echo "deb $mirror $suite main"
	[ -z "$security" ] || echo "deb $security $suite-security main"
} >"$root/etc/apt/sources.list"
# How this host reaches its mirrors: proxies, timeouts, what it checks.
apt-config dump 2>/dev/null | grep -Ei '^Acquire::(https?|Check-|Retries)' \
	>"$root/etc/apt/apt.conf.d/99host" || :
cp /etc/hosts "$root/etc/hosts"
cp -L /etc/resolv.conf "$root/etc/resolv.conf"
git clone -q "$here/.." "$root/root/xftrace"

say RUN "$*"
# shellcheck disable=SC2016 # the inner shell's variables
unshare --mount --pid --ipc --fork --kill-child sh -euc '
	root=$1
	shift
	mount -t proc proc "$root/proc"
	mount -t sysfs -o ro sysfs "$root/sys"
	# Of the host'\''s devices only the harmless ones; no /dev/kvm.
	mount -t tmpfs -o mode=755 tmpfs "$root/dev"
	mkdir "$root/dev/pts" "$root/dev/shm"
	mount -t devpts -o newinstance,ptmxmode=666 devpts "$root/dev/pts"
	mount -t tmpfs tmpfs "$root/dev/shm"
	for dev in null zero full random urandom tty; do
		: >"$root/dev/$dev"
		mount --bind "/dev/$dev" "$root/dev/$dev"
	done
	ln -s pts/ptmx "$root/dev/ptmx"
	ln -s /proc/self/fd "$root/dev/fd"
	ln -s /proc/self/fd/0 "$root/dev/stdin"
	ln -s /proc/self/fd/1 "$root/dev/stdout"
	ln -s /proc/self/fd/2 "$root/dev/stderr"
	cd "$root"
	exec env -i HOME=/root LC_ALL=C.UTF-8 TERM="${TERM-dumb}" \
		PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
		${http_proxy:+http_proxy="$http_proxy"} \
		${https_proxy:+https_proxy="$https_proxy"} \
		chroot . sh -c "cd /root/xftrace && $*"
' sh "$root" "$@"
