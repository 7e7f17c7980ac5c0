#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# on --host: the host's own KVM events on the guest's time line. The host is an
# L1 with an emulated SVM, the guest an L2 on its KVM; on this machine there is
# only the sentence that says what is missing.
#
# What L1 says in a second instance, read by nobody but the kernel, is the truth
# for what is recorded. For the times it is lapic_next_deadline() in L2, which
# writes one MSR: KVM must see that between the function's entry and its return.

# In tests/long as its L1 sometimes crawls: a kernel that spins leaves the emulator
# at each PAUSE.
# shellcheck disable=SC2016,SC2154 # L1's shell's variables and awk's; lib.sh's

# shellcheck disable=SC1091
. "$(dirname "$0")/../lib.sh"
# shellcheck disable=SC1091
. "$top/tests/nested/lib.sh"
# shellcheck disable=SC1091
. "$top/tests/guest/put.sh"

tracefs=/sys/kernel/tracing
instances=$tracefs/instances

# ---- a host without ----

start_guest 6.1
fails 'on --host of a TCG guest says what is missing' 1 \
	'--host: (this host has no tracefs|no right|there is no .*debug/kvm|QEMU)' \
	"$xft" on --guest "$guest" sys_read --host 'kvm:*'
fails 'nothing is recorded then' 1 'not being traced|nothing|not being recorded' \
	"$xft" status --guest "$guest"
check 'nor is the guest traced' in_guest \
	'[ "$(cat /sys/kernel/tracing/enabled_functions | wc -l)" = 0 ]'
"$xft" -q guest stop "$guest"

# ---- a host with ----

in_guest() { in_l1 "$@"; }

# shellcheck disable=SC2046 # options
${CC:-gcc} -std=gnu11 -D_GNU_SOURCE -O2 -s -I"$top/base" -I"$top/abi" \
	-I"$top/keyctl" -I"$top/nvm" -I"$top/tracemaker" -I"$top/xftrace" -o timeline \
	"$top/tests/guest/timeline.c" "$O/obj/libxf.a" \
	$(pkg-config --cflags --libs jansson libtraceevent libelf libpmem \
		libzstd zlib liblzma libsodium) || { not_ok 'timeline compiles'; exit 1; }
l1_start 6.1 || { not_ok 'L1 boots'; exit 1; }
put timeline /tmp/timeline || not_ok 'timeline gets into L1'
in_l1 'xftrace -q guest start --accel kvm --mem 256M --cpus 1 \
	--append xft.quiet' ||
	{ not_ok 'L2 boots under KVM'; exit 1; }

none_left() { in_l1 "[ ! \"\$(ls $instances | grep xftrace)\" ]"; }

# refused NAME PATTERN COMMAND... -- 'on' fails in L1, and nothing has changed
refused() {
	local name=$1 pattern=$2
	shift 2
	fails "$name" 1 "$pattern" in_l1 "$*"
	check "$name: nothing is recorded" eval \
		"! in_l1 'xftrace -q status >/dev/null 2>&1' && none_left"
}
refused 'an event that the host does not have' 'near: kvm_exit' \
	'xftrace on sys_read --host kvm:kvm_exot'
refused 'a system that the host does not have' "no event 'kwm:\\*' in the host" \
	'xftrace on sys_read --host "kwm:*"'
refused 'a QEMU without KVM' 'does not use KVM' \
	'mount -t tmpfs tmpfs /sys/kernel/debug/kvm
	xftrace on sys_read --host "kvm:*"; rc=$?
	umount /sys/kernel/debug/kvm; exit $rc'
refused 'no tracefs' 'no tracefs' \
	'umount -l /sys/kernel/tracing; umount -l /sys/kernel/debug
	xftrace on sys_read --host "kvm:*"; rc=$?
	mount -t debugfs debugfs /sys/kernel/debug
	mount -t tracefs tracefs /sys/kernel/tracing; exit $rc'

# The same time twice: all of KVM's events by xftrace, and entries and exits of
# the vCPU, which is the only one, by the kernel.
in_l1 "mkdir $instances/truth && cd $instances/truth || exit
	echo 20000 >buffer_size_kb; echo x86-tsc >trace_clock
	echo 1 >events/kvm/kvm_exit/enable
	echo 1 >events/kvm/kvm_entry/enable
	cd /tmp
	xftrace -q on --name both lapic_next_deadline --host 'kvm:*' || exit
	ls $instances | grep xftrace
	sleep 1
	xftrace -q off && xftrace -q export both raw.xft || exit
	echo 0 >$instances/truth/tracing_on" >during.txt
rc=$?
check 'on and off' [ $rc = 0 ]
[ $rc = 0 ] || { cat during.txt; exit 1; }
check 'an instance of its own is there meanwhile' \
	grep -q '^xftrace-[0-9]*$' during.txt
check 'and gone afterwards' none_left
in_l1 'head -n 20 trace_graph.txt' >header.txt
check 'the header tells of the host' \
	grep -qE '^# host: +[0-9.]+.*, [0-9]+ events, 0 lost$' header.txt
check 'no damage, no note' eval "! grep -E '^# (damaged|note):' header.txt"

said='kvm_(exit|entry): '
in_l1 "grep -E '$said' $instances/truth/trace" |
	sed -E "s/.* ($said)/\\1/" >truth.txt
in_l1 "grep -E 'host $said' trace_graph.txt" |
	sed -E "s/.*host ($said)/\\1/; s, \\*/\$,," >ours.txt
in_l1 "cat $instances/truth/per_cpu/cpu0/stats; rmdir $instances/truth" >stats.txt
check 'the truth is whole' grep -q '^overrun: 0$' stats.txt
nr=$(wc -l <ours.txt)
echo "entries and exits: $nr, $(grep -c kvm_exit ours.txt) exits;" \
	"in L1's own instance: $(wc -l <truth.txt)"
check 'there are many' [ "$nr" -gt 500 ]
# Ours began later and ended earlier: a run of the truth, without a gap.
check 'they are what the kernel says, each one in its place' awk '
	NR == FNR { truth = truth $0 "\n"; next }
	{ ours = ours $0 "\n" }
	END { exit !index("\n" truth, "\n" ours) }' truth.txt ours.txt

in_l1 './timeline raw.xft' >timeline.txt || not_ok "timeline ends with $?"
# Calls, those with an exit inside that is followed by an entry (a second exit is
# an interrupt), and the time that the least lucky one had between the two kernels'
# stamps, in TSC ticks.
awk '$1 == "g" && $4 == "entry" { open = 1; begun = $2; exits = 0; after = 0 }
	$1 == "h" && $3 == 0 && open && $4 == "kvm_exit" && !exits++ { out = $2 }
	$1 == "h" && $3 == 0 && open && $4 == "kvm_entry" && exits { after = $2 }
	$1 == "g" && $4 == "return" && open {
		open = 0
		calls++
		if (!exits || !after)
			next
		inside++
		if (!first || out - begun < first)
			first = out - begun
		if (!last || $2 - after < last)
			last = $2 - after
	}
	END { print calls + 0, inside + 0, first + 0, last + 0 }' \
	timeline.txt >inside.txt
read -r calls inside first last <inside.txt
echo "exits inside the call that causes them: $inside of $calls; from entry to" \
	"exit $first ticks at least, from re-entry to return $last: clocks disagree" \
	"by less"
check 'a call that exits has its exit inside, every time' \
	[ "$calls" -gt 50 -a "$inside" = "$calls" ]
check 'times never go back' awk '$2 < last { exit bad = 1 } { last = $2 }
	END { exit bad }' timeline.txt

# ---- nothing is left behind ----

qemu=$(in_l1 'pidof qemu-system-x86_64')
# As long as QEMU stands still the guest does not answer, and 'on' waits.
in_l1 "xftrace on sys_read --host 'kvm:*' 2>on.txt &
	until [ -e $instances/xftrace-$qemu ]; do :; done
	kill -STOP $qemu; kill -TERM \$!; sleep 0.1; kill -CONT $qemu
	! wait \$!" && none_left
check 'on that is interrupted leaves no instance' [ $? = 0 ]

in_l1 "xftrace -q on lapic_next_deadline --host 'kvm:*' || exit
	sed -n 's/.*\"pid\": *\\([0-9]*\\).*/\\1/p' /run/xftrace/rec/demo/recorder.json >pid
	kill -9 \$(cat pid); sleep 0.3
	ls $instances" >during.txt
check 'a killed recorder leaves its instance' grep -q xftrace during.txt
in_l1 'xftrace -q off; grep -c "host kvm_exit" trace_graph.txt
	sed -n "s/^# begins:.* spans \([0-9.]*\) s$/\1/p" trace_graph.txt' >salvaged.txt
check 'off takes it away' none_left
check 'with what the host recorded since' awk 'NR == 1 { nr = $1 }
	END { exit !(nr > 100 && $1 > 0.3) }' salvaged.txt

in_l1 "xftrace -q on lapic_next_deadline --host 'kvm:*' && kill -9 $qemu
	for i in 1 2 3 4 5 6 7 8 9; do
		[ ! -e $instances/xftrace-$qemu ] || sleep 0.2
	done" && none_left
check 'nor does one whose QEMU dies leave any' [ $? = 0 ]
check 'off draws what was kept' in_l1 \
	'xftrace -q off && grep -q "host kvm_exit" trace_graph.txt'

check 'no oops in L1' no_oops "$work/l1.console"
l1_stop
