#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# kernels.sh [6.1] [6.12] -- fetch Debian's cloud kernels for the demo guest
#
# Makes ${O:-build}/kernels/<version>/ with
#	release		the kernel release, one line
#	vmlinuz		boots with QEMU's -kernel
#	config		its configuration
#	modules		lib/modules/<release>
#	headers		a KDIR for make -C headers M=...
#	btf		an ELF file with the kernel's BTF, where Debian ships one
#
# A directory that is there is complete; remove it to fetch a newer kernel.
# MIRROR=uri and SECURITY=uri replace the mirrors that apt is configured with.

set -eu

# shellcheck disable=SC1091
. "$(dirname "$0")/mirror.sh"

say() { printf '  %-7s %s\n' "$1" "$2" >&2; }
die() { printf 'kernels.sh: %s\n' "$*" >&2; exit 1; }

[ $# -gt 0 ] || set -- 6.1 6.12
out=${O:-build}/kernels
todo=
for v; do
	case $v in
	6.1|6.12) [ -e "$out/$v/release" ] || todo="$todo $v" ;;
	*) printf 'usage: kernels.sh [6.1] [6.12]\n' >&2; exit 2 ;;
	esac
done
[ "$todo" ] || exit 0

for tool in apt-get apt-cache dpkg-deb flock; do
	command -v $tool >/dev/null || die "needs $tool: is this Debian?"
done
mkdir -p "$out"
out=$(cd "$out" && pwd)
exec 9>"$out/.lock"
flock -n 9 || { say WAIT "for another kernels.sh"; flock 9; }
# The one that held it may have done our work, or died.
left=
for v in $todo; do
	[ -e "$out/$v/release" ] || left="$left $v"
done
[ "$left" ] || exit 0
rm -rf "$out"/.tmp.*

tmp=$(mktemp -d "$out/.tmp.XXXXXX")
trap 'rm -rf "$tmp"' EXIT
trap 'exit 1' HUP INT TERM

# apt's complaint in one line; the rest of its output seldom helps.
apt() {
	"$@" >"$tmp/log" 2>&1 && return
	die "$1 failed: $(grep -m1 "^[EW]:" "$tmp/log" || tail -n1 "$tmp/log")"
}

# Everything of apt's is private, so that the host's state neither matters
# nor changes. Proxies and the like still come from the host's configuration.
configure() {
	find_mirror
	[ "$mirror" ] || die "apt knows no Debian mirror: give one as MIRROR="

	by=
	for key in /usr/share/keyrings/debian-archive-keyring.gpg \
		   /usr/share/keyrings/debian-archive-keyring.pgp; do
		[ -e $key ] && by="[signed-by=$key]" && break
	done
	{
		echo "deb $by $mirror bookworm main"
		echo "deb $by $mirror bookworm-backports main"
		[ -z "$security" ] || echo "deb $by $security bookworm-security main"
	} >"$tmp/sources.list"

	mkdir -p "$tmp/lists/partial" "$tmp/cache/archives/partial"
	: >"$tmp/status"
	cat >"$tmp/apt.conf" <<-EOF
	Dir::State "$tmp";
	Dir::State::lists "$tmp/lists";
	Dir::State::status "$tmp/status";
	Dir::Cache "$tmp/cache";
	Dir::Etc::sourcelist "$tmp/sources.list";
	Dir::Etc::sourceparts "/dev/null";
	Dir::Etc::preferences "/dev/null";
	Dir::Etc::preferencesparts "/dev/null";
	#clear APT::Update;
	#clear APT::Default-Release;
	#clear APT::Architectures;
	APT::Architecture "amd64";
	APT::Architectures "amd64";
	APT::Sandbox::User "root";
	Acquire::Languages "none";
	Acquire::Retries "3";
	EOF
	say APT "$mirror"
	apt apt-get -c "$tmp/apt.conf" -qq -o APT::Update::Error-Mode=any update
}

# depends PACKAGE REGEX: the first dependency that matches, of the version that
# apt would install from $suite
depends() {
	apt-cache -c "$tmp/apt.conf" -o "APT::Default-Release=$suite" \
		show --no-all-versions "$1" 2>/dev/null | sed -n 's/^Depends: //p' |
		tr ',' '\n' | sed 's/^ *//; s/[ (|].*//' |
		grep -m1 -x -e "$2" || die "no $2 among what $1 depends on"
}

fetch() {
	v=$1 suite=
	# Backports are never a default candidate; bookworm and its security
	# archive must compete, so neither may be the default release.
	[ "$v" = 6.1 ] || suite=bookworm-backports

	image=$(depends linux-image-cloud-amd64 'linux-image-.*-cloud-amd64')
	release=${image#linux-image-}
	case $release in
	"$v".*) ;;
	*) die "the mirror has $release where $v was expected" ;;
	esac
	headers=linux-headers-$release
	common=$(depends "$headers" 'linux-headers-.*-common')
	kbuild=$(depends "$headers" 'linux-kbuild-.*')

	say FETCH "$release"
	mkdir "$tmp/deb" "$tmp/$v"
	cd "$tmp/deb"
	apt apt-get -c "$tmp/apt.conf" -o "APT::Default-Release=$suite" -qq \
		download "$image" "$headers" "$common" "$kbuild"

	say UNPACK "$out/$v"
	cd "$tmp/$v"
	for deb in "$tmp"/deb/*.deb; do
		dpkg-deb -x "$deb" root || die "cannot unpack $deb"
	done
	rm -rf root/usr/share root/lib/modules/*/build root/lib/modules/*/source
	src=root/usr/src
	# The one absolute path in Debian's headers; their links are relative.
	sed -i "s|/usr/src/$common/|../$common/|" "$src/$headers/Makefile"
	# A BTF in the module would want pahole, and nobody here reads it. Only
	# kbuild may forget the option: C must see it, struct module has it.
	sed -i /CONFIG_DEBUG_INFO_BTF_MODULES=/d "$src/$headers/include/config/auto.conf"
	[ ! -e "$src/$headers/vmlinux" ] || mv "$src/$headers/vmlinux" btf
	mv "root/boot/vmlinuz-$release" vmlinuz
	mv "root/boot/config-$release" config
	rm -rf root/boot
	ln -s "root/lib/modules/$release" modules
	ln -s "$src/$headers" headers
	for f in vmlinuz modules/kernel headers/scripts/mod/modpost; do
		[ -e $f ] || die "$release: its packages hold no $f"
	done
	echo "$release" >release

	rm -rf "${out:?}/$v" "$tmp/deb"
	mv "$tmp/$v" "$out/$v"
}

configure
for v in $left; do
	fetch "$v"
done
