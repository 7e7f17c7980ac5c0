#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# takes: 180 s
#
# The promise, kept under real KVM: on, off, and the graph, of an L2 that runs
# on the KVM of an L1, which is itself a guest with an emulated SVM.

# shellcheck disable=SC2016,SC2154 # L1's shell's variables and awk's; lib.sh's

# shellcheck disable=SC1091
. "$(dirname "$0")/../lib.sh"
# shellcheck disable=SC1091
. "$top/tests/nested/lib.sh"

guests=/run/xftrace/guests
small='--mem 256M --cpus 1'

l1_start 6.1 || { not_ok 'L1 boots'; exit 1; }
check 'L1 has KVM' in_l1 'grep -qw svm /proc/cpuinfo && [ -c /dev/kvm ]'
in_l1 '[ -c /dev/kvm ]' || exit 1

check 'L2 boots under KVM' in_l1 "xftrace -q guest start --accel kvm $small"
in_l1 'xftrace guest list --json' >list.json
if [ "$(jq -r '.[] | "\(.name) \(.accel) \(.running)"' list.json)" != \
	'demo kvm true' ]; then
	not_ok "guest list says so: $(cat list.json)"
	in_l1 "cat $guests/demo/qemu.log $guests/demo/console.log"
	exit 1
fi
ok 'guest list says so'
# Entries and exits of KVM's own, not of QEMU's word.
exits=$(in_l1 'cat /sys/kernel/debug/kvm/exits')
check 'KVM has run it' [ "$exits" -gt 1000 ]

# The demo guest's own work is what is traced. Times are L1's: before on, after
# it, before off, after it.
in_l1 'read -r t0 x </proc/uptime
	xftrace -q on sys_openat sys_read || exit
	read -r t1 x </proc/uptime
	until xftrace status >status.txt &&
		awk "/^time/ { t = \$2 } /^records/ { r = \$2 }
			END { exit t < 2 || r < 2000 }" status.txt; do
		sleep 0.1
	done
	read -r t2 x </proc/uptime
	echo "$t0 $t1 $t2" >times.txt'
rc=$?
check 'on, and records arrive' [ $rc = 0 ]
[ $rc = 0 ] || { in_l1 "cat status.txt $guests/demo/console.log"; exit 1; }
check 'off draws' in_l1 'xftrace -q off && xftrace -q export demo-1 raw.xft &&
	read -r t3 x </proc/uptime && echo "$t3" >>times.txt'
in_l1 'cat trace_graph.txt' >graph.txt || not_ok 'the graph comes out of L1'
in_l1 "cat $guests/demo/console.log" >l2.console
in_l1 'xftrace -q guest stop'

totals=$(grep '^# totals:' graph.txt)
read -r _ _ calls _ records _ lost _ <<<"${totals//,/}"
check 'the graph counts its records' [ "${records:-0}" -ge 2000 ]
check 'none is lost' [ "${lost:-1}" = 0 ]
check 'no damage, nothing unknown' eval \
	"! grep -E '^# (damaged|unknown|note):' graph.txt"
check 'it has trees of openat' grep -qE '\|  __x64_sys_openat\(.*\) \{' graph.txt
# One line for a leaf and two for any other, but for what the ends cut off.
lines=$(grep -c '^ *[0-9]' graph.txt)
check 'a line for every call' [ "$lines" -ge "${calls:-1}" ]

# What L2 thinks of its TSC is what L1 does, so the times in the graph are right.
l2_khz=$(in_l1 'grep -a -m1 -o "\"tsc_khz\":[0-9]*" raw.xft')
l2_khz=${l2_khz#*:}
l1_mhz=$(in_l1 'dmesg' | sed -nE 's/.* tsc: .* ([0-9.]+) MHz.*/\1/p' | tail -n1)
check "L2's TSC rate is L1's" awk -v l2="${l2_khz:-0}" -v l1="$l1_mhz" \
	'BEGIN { exit !(l1 > 0 && l2 / l1 > 950 && l2 / l1 < 1050) }'
# shellcheck disable=SC2046 # four numbers
set -- $(in_l1 'cat times.txt')
span=$(sed -n 's/^# begins:.* spans \([0-9.]*\) s$/\1/p' graph.txt)
echo "L1: $l1_mhz MHz, L2: $l2_khz kHz, $exits exits; uptimes $*, span $span"
check 'the time it spans is that from on to off' awk -v span="${span:-0}" \
	-v t0="$1" -v t1="$2" -v t2="$3" -v t3="$4" \
	'BEGIN { exit !(span > (t2 - t1) / 2 && span <= t3 - t0) }'
check 'times never go back, no call lasts longer than all' awk \
	-v span="${span:-0}" -F'|' '
	/^ *[0-9]/ {
		if ($1 + 0 < last)
			exit bad = 1
		last = $1 + 0
		if (sub(/ us.*/, "", $3) && sub(/^[^0-9]*/, "", $3) &&
		    $3 / 1e6 > span + 1e-6)
			exit bad = 1
	}
	END { if (bad) print FILENAME ":" FNR ": " $0; exit bad }' graph.txt

# auto ACCEL SIGN -- start a guest with --accel auto; it must run under ACCEL up
# to where the command SIGN succeeds in L1. What is interrupted then must leave
# nothing. The file auto.txt has its messages.
auto() {
	in_l1 "xftrace guest start --name auto --accel auto $small 2>auto.txt &
	until grep -q '\"accel\": \"$1\"' $guests/auto/guest.json && $2; do
		if ! kill -0 \$!; then
			xftrace guest stop auto
			cat auto.txt
			exit 1
		fi
		sleep 0.1
	done 2>/dev/null
	kill -INT \$!
	wait \$!
	! pidof qemu-system-x86_64 && ! ls -d /dev/shm/*.ram 2>/dev/null"
}
# TCG in TCG takes a minute to get as far as that, but it soon loads the kernel,
# which is the work of its firmware.
speaks="grep -q 'Linux version' $guests/auto/console.log"
loads='[ "$(du -k /dev/shm/*.ram | cut -f1)" -gt 12000 ]'
check '--accel auto chooses KVM' auto kvm "$speaks"
in_l1 'rm /dev/kvm'
check '--accel auto without /dev/kvm chooses TCG' auto tcg "$loads"
check 'which is no news' in_l1 '! grep TCG auto.txt'
# It opens, and does nothing of what KVM does.
in_l1 'mknod /dev/kvm c 1 3'
check '--accel auto falls back where KVM does not work' auto tcg "$loads"
check 'and says so' in_l1 'grep "TCG is used" auto.txt'
check 'a second start' auto tcg "$loads"
check 'does not try KVM again' in_l1 '! grep TCG auto.txt'
fails '--accel kvm says what is wrong' 1 'ended before it was up' in_l1 \
	"xftrace guest start --accel kvm $small"

check 'no oops in L1' no_oops "$work/l1.console"
check 'no oops in L2' no_oops l2.console
l1_stop
