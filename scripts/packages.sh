# SPDX-License-Identifier: GPL-2.0-only
#
# Sourced by need.sh and setup.sh: the Debian packages for each purpose.
# shellcheck shell=sh

packages() {
	for purpose; do
		case $purpose in
		build)	echo gcc make pkg-config libc6-dev libjansson-dev \
				libsodium-dev \
				libtraceevent-dev libtracefs-dev libelf-dev \
				libpmem-dev libseccomp-dev liblzma-dev \
				libzstd-dev zlib1g-dev ;;
		# gcc-12 compiled both kernels; their objtool runs with libelf.
		guest)	echo make gcc gcc-12 libc6-dev libelf-dev xz-utils \
				qemu-system-x86 busybox-static cpio kmod socat ;;
		test)	echo libcmocka-dev trace-cmd libkshark-dev libjson-c-dev \
				libtracecmd-dev jq libxml2-utils shellcheck mandoc \
				e2fsprogs spin clang libclang-rt-dev llvm \
				qemu-utils bochs \
				bochs-term bochsbios vgabios isolinux \
				syslinux-common genisoimage \
				linux-perf bpftrace ;;
		bare)	echo debootstrap git ;;
		*)	echo "unknown purpose: $purpose (build, guest, test, bare)" >&2
			return 2 ;;
		esac
	done
}

# missing PURPOSE...: one line, empty when all are installed
missing() {
	wanted=$(packages "$@") || return
	# shellcheck disable=SC2086 # words
	set -- $wanted
	# shellcheck disable=SC2016 # the variables are dpkg's
	dpkg-query -W -f '${Package} ${db:Status-Status}\n' "$@" 2>/dev/null |
	awk -v wanted="$*" '
		$2 == "installed" { have[$1] }
		END {
			n = split(wanted, w)
			for (i = 1; i <= n; i++)
				if (!(w[i] in have)) {
					have[w[i]]
					list = list sep w[i]
					sep = " "
				}
			print list
		}'
}

# How a person installs them.
install_command() {
	[ "$(id -u)" = 0 ] || printf 'sudo '
	echo "apt-get install -y --no-install-recommends $*"
}
