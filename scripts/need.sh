#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# need.sh build|guest|test... -- name the Debian packages that are missing
#
# Silent, with status 0, when there are none, and where there is no dpkg to
# ask: a compiler's complaint is then as good as ours.

# shellcheck disable=SC1091
. "$(dirname "$0")/packages.sh"

[ $# -gt 0 ] || { echo 'usage: need.sh build|guest|test...' >&2; exit 2; }
command -v dpkg-query >/dev/null || exit 0

list=$(missing "$@") || exit 2
[ "$list" ] || exit 0
echo "missing for $*: $list" >&2
echo "  $(install_command "$list")" >&2
exit 1
