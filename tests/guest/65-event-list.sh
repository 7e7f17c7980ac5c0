#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The trace events that the host finds in guest RAM are those that the guest's
# own files tell of, all of them, with the same ids and descriptions, to the
# byte.
# shellcheck source-path=SCRIPTDIR source=../lib.sh
. "$(dirname "$0")/../lib.sh"

events() { "$xft" -q events "$@"; }

# One of each kind that is made at run time, with fields of many types.
dynamic='cd /sys/kernel/tracing &&
	echo "p:kprobes/xft_kp do_sys_openat2 dfd=%di:s32 name=+0(%si):ustring \
		words=+0(%si):x64[3] how=%dx" >>kprobe_events &&
	echo "r:own_group/xft_ret vfs_read ret=\$retval:s64" >>kprobe_events &&
	echo "p:uprobes/xft_up /bin/busybox:0x1000 %ip %ax:b4@4/32" \
		>>uprobe_events &&
	echo "xft_syn u64 lat; pid_t pid; char comm[16]; char path[]" \
		>>synthetic_events'
clear='cd /sys/kernel/tracing && echo >kprobe_events && echo >uprobe_events &&
	echo >synthetic_events'

theirs() { # FILE
	in_guest 'cd /sys/kernel/tracing/events &&
		for f in */*/format; do echo "### $f"; cat $f; done' >"$1"
}
ours() { # FILE [OPTION...]
	local file=$1
	shift
	"$xft" -v events --all --format --json "$@" >events.json 2>stderr.txt &&
		jq -j 'sort_by(.system + "/" + .name)[] |
			"### \(.system)/\(.name)/format\n\(.format)"' \
			events.json >"$file"
}
same() { # FILE FILE -- and no empty ones
	[ "$(grep -c '^### ' "$1")" -gt 1000 ] && diff "$1" "$2" | head -n 20 &&
		cmp "$1" "$2"
}
same_ids() {
	diff <(jq -r '.[] | "\(.id) \(.system):\(.name)"' events.json) \
		<(events --all | sed 's/^ *//; s/  / /')
}
has() { # EVENT
	events "$1" | grep -qE "^ *[0-9]+  $1$"
}
printed() { # the same text, for people
	events --format sched:sched_switch >text &&
		diff text <(echo "system: sched"
			in_guest cat /sys/kernel/tracing/events/sched/sched_switch/format)
}
chosen() { # NUMBER PATTERN... -- so many events, sorted, none twice
	local nr=$1
	shift
	events "$@" | awk '{ print $2 }' >list &&
		[ "$(wc -l <list)" = "$nr" ] && LC_ALL=C sort -u -t: -k1,1 -k2,2 \
		<list | cmp - list
}
in_dir() { # GLOB -- how many events the guest has there
	in_guest "ls -d /sys/kernel/tracing/events/$1/format | wc -l"
}
# While they come and go: an answer, or one line that says why there is none.
survives() {
	local good=0 i
	in_guest "(while :; do $dynamic; sleep 0.1; $clear; done) >/dev/null 2>&1 &
		echo \$! >/tmp/loop"
	for ((i = 0; i < 20; i++)); do
		events --format all 2>stderr.txt >text
		case $? in
		0) good=$((good + 1)) ;;
		1) [ "$(wc -l <stderr.txt)" = 1 ] || return ;;
		*) return 1 ;;
		esac
	done
	in_guest 'kill $(cat /tmp/loop)'
	echo "# $good of 20 lists while events came and went"
	[ $good -ge 10 ]
}

for kernel in 6.1 6.12; do
	# Not even our module is needed.
	start_guest "$kernel" --append 'xft.nomod xft.quiet'
	check "$kernel: events are made" in_guest "$dynamic"
	check "$kernel: the guest tells" theirs theirs
	check "$kernel: the host tells" ours ours
	check "$kernel: both say the same" same theirs ours
	check "$kernel: the list has the same ids" same_ids
	echo "# $kernel: $(grep -o '[0-9]* of .* events: .*' stderr.txt)"
	for event in kprobes:xft_kp own_group:xft_ret uprobes:xft_up \
		synthetic:xft_syn; do
		check "$kernel: $event is found" has "$event"
	done
	check "$kernel: as text" printed
	# With a System.map there is no file to have the types from.
	"$xft" symbols "$O/demo/$(release "$kernel")/vmlinuz" >System.map
	check "$kernel: the host tells, types from RAM" ours ours.ram \
		--symbols System.map
	check "$kernel: types were from RAM" grep -q 'types.*from guest RAM' \
		stderr.txt
	check "$kernel: types from RAM, the same" cmp ours ours.ram

	check "$kernel: a system" chosen "$(in_dir 'sched/*')" sched
	check "$kernel: a glob" chosen "$(in_dir 'syscalls/sys_enter_*')" \
		'syscalls:sys_enter_*'
	check "$kernel: globs in both halves" chosen "$(in_dir 's*/*_s*')" \
		's*:*_s*'
	check "$kernel: patterns that overlap" chosen "$(in_dir 'sched/*')" \
		'sched:*' sched sched/sched_switch sched_switch
	check "$kernel: all but the tracers' own" chosen \
		$(($(in_dir '*/*') - $(in_dir 'ftrace/*'))) all
	check "$kernel: the tracers' own, when asked" chosen \
		"$(in_dir 'ftrace/*')" --all ftrace
	check "$kernel: events come and go" survives

	in_guest "$clear"
	fails "$kernel: one that was removed" 1 "no event 'uprobes:xft_up'" \
		"$xft" events uprobes:xft_up
	fails "$kernel: misspelt" 1 \
		"no event 'sched:sched_swich' in the guest; near: sched_switch" \
		"$xft" events sched:sched_swich
	fails "$kernel: misspelt, without a system" 1 'near: sched_wakeup' \
		"$xft" events sched_wkaeup
	fails "$kernel: a system that is misspelt" 1 'nor such a system; near: sched' \
		"$xft" events shced:sched_switch
	fails "$kernel: of a module that is not loaded" 1 \
		'module that has it may not be loaded' "$xft" events 'e1000e_q:*'
	fails "$kernel: a glob of nothing" 1 "matches 'sched:zz\*'" \
		"$xft" events 'sched:zz*'
	fails "$kernel: one of several is wrong" 1 "no event 'nonesuch'" \
		"$xft" events sched:sched_switch nonesuch
	fails "$kernel: the tracers' own" 1 "'ftrace:print' cannot be switched on" \
		"$xft" events ftrace:print
	fails "$kernel: the tracers' own, by a glob" 1 'cannot be switched on' \
		"$xft" events 'ftrace:func*'
	fails "$kernel: no name" 1 'name of an event is empty' "$xft" events ''
	"$xft" -q guest stop "$guest"
done
