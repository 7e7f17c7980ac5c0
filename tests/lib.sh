# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# Sourced by shell tests. Each test has a folder of its own for what xftrace
# keeps, so tests do not see each other's guests, and everything is gone at the
# end, however it ends.

set -u
top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
O=$(cd "$top" && mkdir -p "${O:-build}" && cd "${O:-build}" && pwd)
xft=$O/xftrace
work=$(mktemp -d)
export XFTRACE_RUNTIME=$work/run XFTRACE_DATA=$work/data XFTRACE_CACHE=$work/cache
export XFTRACE_DEMO=$O/demo
# Guests' names, and so their RAM files, differ between tests that run at once.
guest=t$$

cleanup() {
	local name pid
	for pid in "$work"/run/rec/*/recorder.json; do
		[ ! -e "$pid" ] || kill -9 "$(jq .pid "$pid")" 2>/dev/null
	done
	for name in "$work"/run/guests/*; do
		[ ! -e "$name" ] || "$xft" -q guest stop "${name##*/}"
	done
	jobs -p | xargs -r kill -9 2>/dev/null
	rm -rf "$work"
}
trap cleanup EXIT
trap 'exit 1' HUP INT TERM
cd "$work" || exit 1

ok() { echo "ok $*"; }
not_ok() { echo "not ok $*"; }
skip() { echo "skip $*"; }

# check NAME COMMAND... -- ok if the command succeeds
check() {
	local name=$1
	shift
	if "$@"; then ok "$name"; else not_ok "$name: $*"; fi
}

# fails NAME STATUS PATTERN COMMAND... -- the command must exit with STATUS and
# say exactly one line on stderr (two for misuse) that matches PATTERN
fails() {
	local name=$1 status=$2 pattern=$3 rc
	shift 3
	"$@" >stdout.txt 2>stderr.txt </dev/null
	rc=$?
	if [ $rc != "$status" ]; then
		not_ok "$name: exit status $rc, not $status: $(cat stderr.txt)"
	elif ! grep -qE -- "$pattern" stderr.txt; then
		not_ok "$name: says: $(cat stderr.txt)"
	elif [ "$(grep -c . stderr.txt)" -gt "$status" ]; then
		not_ok "$name: says more than it should: $(cat stderr.txt)"
	else
		ok "$name"
	fi
}

# unprivileged COMMAND... -- without root's right to every file
unprivileged() {
	[ "$(id -u)" != 0 ] ||
		set -- setpriv --bounding-set=-dac_override,-dac_read_search "$@"
	"$@"
}

# until_true SECONDS COMMAND... -- wait for a condition
until_true() {
	local end=$((SECONDS + $1))
	shift
	until "$@" >/dev/null 2>&1; do
		[ $SECONDS -lt $end ] || return 1
		sleep 0.05
	done
}

release() { cat "$O/kernels/$1/release"; }

# start_guest KERNEL [OPTION...] -- a quiet demo guest of 6.1 or 6.12
start_guest() {
	local kernel=$1
	shift
	"$xft" -q guest start --name "$guest" --accel tcg --append xft.quiet \
		--kernel "$O/demo/$(release "$kernel")/vmlinuz" "$@" ||
		{ not_ok "guest $kernel starts"; exit 1; }
}

# few_hooks [FUNCTION...] -- a 6.1 guest hooks no others than these, or vfs_*:
# there ftrace's own filter is also that of function graph. With few functions to
# patch, 'on' and 'off' take no time. For tests of something else than that.
few_hooks() {
	in_guest "echo '${*-vfs_*}' >/sys/kernel/tracing/set_ftrace_filter" ||
		not_ok "the guest hooks only: ${*-vfs_*}"
}
all_hooks() { in_guest 'echo >/sys/kernel/tracing/set_ftrace_filter'; }

# in_guest COMMAND... -- run it in the guest, with its output and status
in_guest() {
	timeout 300 bash "$top/guest/demo/run.sh" \
		"$work/run/guests/$guest/agent.sock" "$@"
}
