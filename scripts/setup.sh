#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# setup.sh build|guest|test... -- install the Debian packages that are missing
#
# Needs root to install. Otherwise it names them, and what installs them.

# shellcheck disable=SC1091
. "$(dirname "$0")/packages.sh"

[ $# -gt 0 ] || { echo 'usage: setup.sh build|guest|test...' >&2; exit 2; }

if ! command -v apt-get >/dev/null || ! command -v dpkg-query >/dev/null; then
	echo "setup.sh: this is not Debian, whose packages it needs:" >&2
	packages "$@" >&2
	echo "With debootstrap there is a Debian to try it in, from any mirror:" >&2
	echo "  sudo MIRROR=URI sh scripts/bare.sh make demo" >&2
	exit 1
fi

list=$(missing "$@") || exit 2
[ "$list" ] || exit 0
if [ "$(id -u)" != 0 ]; then
	echo "missing for $*: $list" >&2
	echo "  $(install_command "$list")" >&2
	exit 1
fi

log=$(mktemp)
trap 'rm -f "$log"' EXIT
trap 'exit 1' HUP INT TERM

quiet() {
	DEBIAN_FRONTEND=noninteractive apt-get -qq -y \
		-o DPkg::Lock::Timeout=300 "$@" >"$log" 2>&1 </dev/null
}

# Package lists may be absent, or older than the mirror: then once more.
printf '  %-7s %s\n' SETUP "$list" >&2
# shellcheck disable=SC2086 # a list of words
quiet install --no-install-recommends $list ||
	{ quiet update && quiet install --no-install-recommends $list; } || {
		grep -e '^[EW]:' "$log" || tail -n 3 "$log"
		echo "setup.sh: could not install $list"
		exit 1
	} >&2
