#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# takes: 200 s
# The recorder outlives what may happen to its guest, to itself and to the disk.
. "$(dirname "$0")/../lib.sh"

rec=$work/run/rec/$guest

on() { "$xft" -q on --guest "$guest" "$@"; }
off() { rm -f trace_graph.txt; "$xft" -q off --guest "$guest" "$@"; }
# What 'status' says of the field; empty when nothing is recorded.
status() { "$xft" -q status --guest "$guest" --json | jq -r ".$1"; }
# shellcheck disable=SC2053 # a pattern it is
# shellcheck disable=SC2053 # a pattern
state_is() { [[ $(status state) == $1 ]]; }
traced_again() { [ "$(status session)" -ge "$1" ] && state_is tracing; }
recorder() { jq .pid "$rec/recorder.json"; }
qemu() { jq .pid "$work/run/guests/$guest/guest.json"; }
is_dead() { [ ! -e "/proc/$1" ] || grep -q '^State:.[ZX]' "/proc/$1/status"; }
kill_hard() { kill -9 "$1" && until_true 20 is_dead "$1"; }
in_graph() { grep -q "$1" trace_graph.txt; }

# One traced process with a name of its own.
mark() {
	in_guest "printf %s $1 >/proc/\$\$/comm; read -r x </etc/passwd; true"
}
has_mark() { grep -qE " $1-[0-9]+ " trace_graph.txt; }
has_marks() {
	local name
	for name; do has_mark "$name" || return; done
}
has_records() { [ "$(status records)" -gt 0 ]; }
is_empty() { [ -z "$(ls -A "$1")" ]; }
not() { ! "$@"; }
one_line() { [ "$(wc -l <"$1")" = 1 ]; }
busy() {
	in_guest 'while :; do dd if=/etc/passwd of=/dev/null bs=8; done 2>/dev/null &
		echo $! >/tmp/busy'
}
# shellcheck disable=SC2016 # the guest's
idle() { in_guest 'kill $(cat /tmp/busy)'; }

no_hooks() {
	[ "$(in_guest 'wc -l </sys/kernel/tracing/enabled_functions')" = 0 ]
}
# Bad words in its log, with what is around them. That a starved emulator makes
# it complain of slowness is not one.
healthy() {
	! in_guest dmesg | grep -v 'soft lockup' |
		grep -B 5 -A 30 -E 'Oops|WARNING:|BUG:|general protection' >&2
}
no_recorder() { ! pgrep >/dev/null -f -- "on --guest $guest"; }
# What is left are traces, all of them whole.
no_trace() {
	[ ! -e "$rec" ] &&
		[ -z "$("$xft" ls --json | jq -r '.[].state' | grep -v finished)" ]
}
judged() { # STATUS RULE TEXT -- so ends 'check' of the newest trace, if not 0 by that
	"$xft" check --json >report
	[ $? = "$1" ] && { [ "$1" = 0 ] ||
		jq -e --arg r "$2" --arg t "$3" 'any(.findings[]; .rule == $r and
			(.text | contains($t)))' report >/dev/null; } && return
	cat report
	return 1
}
clean() { # NAME -- nothing is left behind
	check "$1: no recorder is left" until_true 10 no_recorder
	check "$1: no state is left" no_trace
	check "$1: the guest is not traced" until_true 120 no_hooks
}

start_guest 6.1
few_hooks

# A second 'on' does not disturb the first.
on vfs_read
mark before2nd
fails "second on" 1 'recorded already.*xftrace off' on vfs_write
fails "second on, by pid" 1 'recorded already.*xftrace off' \
	"$xft" -q on --pid "$(qemu)" vfs_write
fails "second on, by socket" 1 'recorded already.*xftrace off' \
	"$xft" -q on --qmp "$work/run/guests/$guest/qmp.sock" vfs_write
mark after2nd
check "second on: status of the first" state_is tracing
check "second on: off" off
check "second on: the first has all" has_marks before2nd after2nd
check "second on: nothing is lost" in_graph 'totals:.* 0 lost'
clean "off"
fails "off with nothing to stop" 1 'nothing is being recorded|not being recorded' off
fails "status with nothing to tell" 1 'not being recorded' \
	"$xft" -q status --guest "$guest"

all_hooks
# Ctrl-C and others while the guest patches its functions: then its module has
# no time for its heart.
ram=$(echo /dev/shm/xftrace-*-"$guest.ram")
find_block() {
	ctl=$(in_guest dmesg | grep -o 'guest-physical 0x[0-9a-f]*' | tail -n 1)
	ctl=${ctl##* }
}
find_block
last=
is_patching() {
	local now
	now=$(od -An -tu8 -j $((ctl + 72)) -N 8 "$ram")
	[ "$now" = "$last" ] || { last=$now; return 1; }
}
for sig in INT TERM HUP; do
	env --default-signal=$sig "$xft" -q on --guest "$guest" vfs_read \
		2>stderr.txt &
	pid=$!
	until_true 60 test -e "$rec/recorder.json"
	[ $sig = INT ] || until_true 60 is_patching
	kill -$sig $pid
	wait $pid
	check "SIG$sig while it begins: status 1" [ $? = 1 ]
	check "SIG$sig while it begins: one line" one_line stderr.txt
	clean "SIG$sig while it begins"
done

few_hooks
# The recorder is killed.
on vfs_read
mark beforekill
until_true 20 has_records
kill_hard "$(recorder)"
mark afterkill
check "recorder killed: status says so" state_is '*was killed*off*'
check "recorder killed: status says no more than it knows" \
	eval '[ "$("$xft" -q status --guest "$guest" | sed "s/ .*//" | paste -sd " ")" = \
		"guest state trace functions" ]'
fails "recorder killed: on refuses" 1 "interrupted: 'xftrace off" on vfs_read
check "recorder killed: off" off
check "recorder killed: what it had" has_mark beforekill
check "recorder killed: what came later" has_mark afterkill
check "recorder killed: nothing is lost" in_graph 'totals:.* 0 lost'
check "recorder killed: so it can be judged" judged 0
clean "recorder killed"

# It is killed, and somebody removes what it left.
on vfs_read
kill_hard "$(recorder)"
rm -rf "$rec"
fails "hooks without a recorder: on refuses" 1 "traced already.*xftrace off" \
	on vfs_read
check "hooks without a recorder: off takes them back" \
	"$xft" -q off --guest "$guest"

check "hooks without a recorder: the trace was interrupted" \
	test "$("$xft" show --json | jq -r .state)" = interrupted
check "hooks without a recorder: recover" "$xft" -q recover
clean "hooks without a recorder"

# It lives, and somebody removes its folder, or the store.
on vfs_read
pid=$(recorder)
mark nofolder
rm -rf "$rec"
check "folder removed: the recorder ends" until_true 120 is_dead "$pid"
check "folder removed: the guest is not traced" until_true 60 no_hooks
check "folder removed: report draws" "$xft" -q report -o trace_graph.txt
check "folder removed: all is there" has_mark nofolder
"$xft" -q store create --thin --size 1G other.store
on --store other.store vfs_read
pid=$(recorder)
rm other.store
check "store removed: the recorder ends" until_true 120 is_dead "$pid"
check "store removed: the guest is not traced" until_true 60 no_hooks
fails "store removed: off" 1 'was removed' off
clean "store removed"

# The caller's files are not kept open.
mkfifo pipe
exec 7<>pipe
on vfs_read 8>pipe
holds_pipe() { readlink /proc/"$(recorder)"/fd/* | grep -q 'pipe$'; }
check "the caller's files are closed" not holds_pipe
exec 7>&-

# Drawing fails; what was recorded is in the store.
mark drawn
fails "off into no folder" 1 'cannot write .*nowhere' \
	"$xft" -q off --guest "$guest" -o "$work/nowhere/out"
clean "off into no folder"
mkdir full
if mount -t tmpfs -o size=4k tmpfs full 2>/dev/null; then
	fails "report into a full disk" 1 'full/out.*No space' \
		"$xft" report -o full/out
	check "report into a full disk: no half file" is_empty full
	umount full
else
	skip "report into a full disk: needs the right to mount"
fi
mkdir -m 555 locked
fails "report into a locked folder" 1 'cannot write locked' \
	unprivileged "$xft" report -o locked/out
check "report once more" "$xft" -q report -o good 2>stderr.txt
check "report once more: without a word" [ ! -s stderr.txt ]
check "report once more: all is there" grep -q ' drawn-[0-9]' good

# The recorder is asked to end.
on vfs_read
mark asked
kill "$(recorder)"
check "SIGTERM: it ends" until_true 60 state_is "ended*"
check "SIGTERM: on again" on vfs_read
check "SIGTERM: off" off
check "SIGTERM: the first is whole" \
	sh -c '"$1" report "$("$1" ls --json | jq -r ".[-2].name")" | grep -q " asked-"' - "$xft"

# The disk of the store fills up.
mkdir disk
if mount -t tmpfs -o size=8m,mode=700 tmpfs disk 2>/dev/null; then
	export XFTRACE_DATA=$work/disk
	all_hooks
	on vfs_read
	mark early
	busy
	check "disk full: status says so" until_true 120 state_is "store full"
	check "disk full: the recorder stays" not is_dead "$(recorder)"
	check "disk full: off" off
	check "disk full: what was kept" has_mark early
	check "disk full: the graph tells" in_graph '[Ff]ull'
	check "disk full: the guest is not traced" until_true 60 no_hooks
	check "disk full: no recorder is left" until_true 10 no_recorder
	umount disk
	export XFTRACE_DATA=$work/data
else
	skip "disk full: needs the right to mount"
	busy
fi

few_hooks
# The module goes and comes, again and again, while all CPUs trace.
on vfs_read
mark life1
for n in 1 2 3; do
	check "rmmod: start $n is traced" until_true 200 traced_again $n
	in_guest 'rmmod xftrace && insmod /lib/xftrace.ko'
done
# Now at once, or while its functions are being patched.
for n in 4 5 6 7 8 9 10; do
	[ $n != 7 ] || all_hooks
	[ $((n % 2)) = 0 ] || [ $n -lt 7 ] || { find_block; until_true 60 is_patching; }
	session=$(status session)
	in_guest 'rmmod xftrace && insmod /lib/xftrace.ko'
done
check "rmmod 10 times: traced again" until_true 200 traced_again $((session + 1))
check "rmmod 10 times: the guest is unharmed" healthy
mark life11
check "rmmod 10 times: off" off
check "rmmod 10 times: first and last" has_marks life1 life11
check "rmmod 10 times: nobody had asked for it" judged 1 silence 'was taken out'
clean "rmmod 10 times"

idle

few_hooks
# Panic and reboot.
has_damage() { [ "$(status bad)" != 0 ] || [ "$(status gaps)" != 0 ]; }
n=1
on vfs_read
for how in 'echo c >/proc/sysrq-trigger' 'reboot -f'; do
	mark "session$n"
	in_guest "$how" >/dev/null 2>&1
	n=$((n + 1))
	check "$how: traced again" until_true 300 traced_again $n
done
mark "session$n"
check "reboots: no false alarm" not has_damage
check "reboots: off" off
check "reboots: modules of each life have names" not in_graph '^# unknown'
check "reboots: every part is there" \
	has_marks session1 session2 session3
check "reboots: who knows what was in between" judged 2 cannot-tell rebooted
check "reboots: the guest is unharmed" healthy
clean "reboots"

# QEMU is killed.
on vfs_read
mark lastwords
kill_hard "$(qemu)"
check "QEMU killed: status says so" until_true 10 state_is 'guest is gone'
check "QEMU killed: off" off
check "QEMU killed: what was recorded" has_mark lastwords
check "QEMU killed: it is not clean" judged 2 cannot-tell 'QEMU ended'
check "QEMU killed: no recorder is left" until_true 10 no_recorder
check "QEMU killed: no state is left" no_trace

# And 'off' does not wait for a guest that has just died.
start_guest 6.1
few_hooks
on vfs_read
mark lastwords
kill -9 "$(qemu)"
check "QEMU just killed: off at once" timeout 20 "$xft" -q off
check "QEMU just killed: what was recorded" has_mark lastwords

# Everything is killed; names and folders are still good.
start_guest 6.1
few_hooks
on vfs_read
mark lastwords
until_true 20 has_records
kill_hard "$(recorder)"
kill_hard "$(qemu)"
check "all killed: status says so" state_is '*was killed*off*'
start_guest 6.1
few_hooks
fails "all killed: on refuses" 1 "interrupted: 'xftrace off" on vfs_read
check "all killed: off" off
check "all killed: what was kept" has_mark lastwords
check "all killed: it is not clean" judged 2 cannot-tell 'was killed'
check "all killed: on again" on vfs_read
mark newlife
check "all killed: off again" off
check "all killed: the new guest" has_mark newlife
clean "all killed"
