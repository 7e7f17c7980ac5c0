#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# run.sh SOCKET COMMAND... -- run a shell command in the demo guest
#
# SOCKET is the host side of the agent's port. Output, error and exit status
# are the command's; 255 is also ours, for a guest that went away. Before the
# guest has booted it waits. Killing run.sh kills the command. agent.c has
# the protocol.

# Lengths are bytes.
export LC_ALL=C

die() { echo "run.sh: $*" >&2; exit 255; }

[ $# -ge 2 ] || { echo 'usage: run.sh SOCKET COMMAND...' >&2; exit 2; }
socket=$1
shift
command=$*
id=$$.$RANDOM$RANDOM

[ -S "$socket" ] || die "$socket is no socket"
coproc PORT { exec socat - "UNIX-CONNECT:$socket" 2>/dev/null; }
# shellcheck disable=SC2064 # now: bash forgets the number when it has ended
trap "kill $PORT_PID 2>/dev/null" EXIT
exec {from}<&"${PORT[0]}" {to}>&"${PORT[1]}"

printf 'run %s %d\n%s' "$id" ${#command} "$command" >&"$to"

line=
until [ "$line" = "xft $id" ]; do
	IFS= read -r line <&"$from" || die "no guest behind $socket"
done
while read -r tag arg <&"$from"; do
	case $tag in
	o) head -c "$arg" <&"$from" || exit 255 ;;
	e) head -c "$arg" <&"$from" >&2 || exit 255 ;;
	x) exit "$arg" ;;
	xft) die "the guest has rebooted" ;;
	esac
done
die "the guest went away"
