#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# What can be wrong with a guest, its RAM and its symbols: one line that names
# it and the way out, and nothing stays behind.
. "$(dirname "$0")/../lib.sh"

# A second guest's name; cleanup() finds it.
other=${guest}b
qmp=$work/run/guests/$guest/qmp.sock


on() { "$xft" -q on "$@"; }
status() { "$xft" -q status --guest "$guest" --json | jq -r ".$1"; }
# shellcheck disable=SC2053 # a pattern
state_is() { [[ $(status state) == $1 ]]; }
has_records() { [ "$(status records)" -gt 0 ]; }
finds_damage() { [ "$(status bad)" -gt 0 ]; }
mark() {
	in_guest "printf %s $1 >/proc/\$\$/comm; read -r x </etc/passwd; true"
}
has_mark() { grep -qE " $1-[0-9]+ " trace_graph.txt; }
not() { ! "$@"; }

no_hooks() {
	[ "$(in_guest 'wc -l </sys/kernel/tracing/enabled_functions')" = 0 ]
}
# Bad words in its log, with what is around them. That a starved emulator makes
# it complain of slowness is not one.
healthy() {
	! in_guest dmesg | grep -v 'soft lockup' |
		grep -B 5 -A 30 -E 'Oops|WARNING:|BUG:|general protection' >&2
}
nothing_left() {
	! pgrep -f -- "on .*$guest" && [ -z "$(ls -A "$work/run/rec")" ] &&
		[ -z "$("$xft" ls --json | jq -r '.[].state' | grep -v finished)" ]
}

# refuses NAME PATTERN OPERAND... -- 'on' does, and leaves nothing behind
refuses() {
	local name=$1 pattern=$2
	shift 2
	fails "$name" 1 "$pattern" on "$@"
	mkdir -p "$work/run/rec"
	nothing_left || not_ok "$name: leaves something behind"
}

ask_qemu() { # SOCKET COMMAND
	printf '{"execute":"qmp_capabilities"}{"execute":"%s"}\n' "$2" |
		socat -t 10 - "UNIX-CONNECT:$1" | grep return >/dev/null
}
# A machine that does not run, for what is decided before the guest matters.
still_qemu() { # SOCKET OPTION...
	local sock=$1
	shift
	(umask 077; exec qemu-system-x86_64 -S -nodefaults -display none \
		-accel tcg -qmp "unix:$sock,server=on,wait=off" "$@") &
	qemu=$!
	# Its socket is there before its RAM.
	until_true 30 ask_qemu "$sock" query-status
}
end_qemu() { kill -9 $qemu; wait $qemu; } 2>/dev/null

peek() { # GPA TYPE -- one number of guest RAM; all of it lies below the hole
	od -An "-t$2" -j "$(($1))" -N "${2#u}" "$ram" | tr -d ' '
}
poke() { # GPA -- standard input becomes guest RAM
	dd of="$ram" bs=4096 seek="$(($1))" oflag=seek_bytes conv=notrunc \
		status=none
}

# Before there is a guest.
refuses "no guest" 'no guest is running.*guest start.*--qmp' vfs_read
fails "off without a guest" 1 'nothing is being recorded' "$xft" -q off
fails "status without a guest" 1 'nothing is being recorded' "$xft" -q status
refuses "a guest that is none" "no guest 'nobody'.*guest list" \
	--guest nobody vfs_read
refuses "a name that is none" "cannot be a guest's name" --guest ../up vfs_read
refuses "a socket that is none" 'nowhere.*cannot connect.*guest args' \
	--qmp "$work/nowhere" vfs_read
: >file
refuses "a file as socket" 'file.*cannot connect' --qmp "$work/file" vfs_read
socat "UNIX-LISTEN:$work/talk,fork" 'SYSTEM:echo hello' &
talk=$!
until_true 10 test -S talk
refuses "a socket of something else" 'talk: this is not QMP' \
	--qmp "$work/talk" vfs_read
kill $talk
refuses "a process that is none" 'no process 2147483646' --pid 2147483646 \
	vfs_read
refuses "a process that is no QEMU" 'no QMP socket.*shared RAM.*guest args' \
	--pid $$ vfs_read
fails "two guests at once" 2 'exclude each other' on --pid $$ --qmp file vfs_read
fails "no function" 2 'name at least one function' on
fails "a ring of no size" 2 'ring-size' on --ring-size 1 vfs_read
fails "an option that is none" 2 'no-such' on --no-such vfs_read

# Guest RAM that cannot be shared.
still_qemu "$work/private" -m 64
refuses "private RAM" 'private to QEMU.*share=on.*guest args' \
	--qmp "$work/private" vfs_read
end_qemu
still_qemu "$work/short" -m 64 -machine memory-backend=m \
	-object "memory-backend-file,id=m,size=64M,share=on,mem-path=$work/m"
truncate -s 1M m
refuses "a RAM file cut short" 'work|/m: has 1048576 bytes.* reaches to' \
	--qmp "$work/short" vfs_read
end_qemu
still_qemu "$work/foreign" -m 64 -machine memory-backend=m \
	-object "memory-backend-file,id=m,size=64M,share=on,mem-path=$work/f"
chmod 0 f
fails "RAM of somebody else" 1 'work|/f: .* cannot be opened.*be root' \
	unprivileged "$xft" -q on --qmp "$work/foreign" vfs_read
chmod 0 foreign
fails "a socket of somebody else" 1 'foreign: .*Permission denied: be its user' \
	unprivileged "$xft" -q on --qmp "$work/foreign" vfs_read
end_qemu
# Nothing in it: a guest that has not booted yet.
still_qemu "$work/empty" -m 64 -machine memory-backend=m \
	-object "memory-backend-memfd,id=m,size=64M,share=on"
refuses "a guest without a kernel" 'no xftrace module.*insmod' \
	--qmp "$work/empty" vfs_read
fails "its symbols" 1 'no Linux found' "$xft" -q symbols --qmp "$work/empty"
end_qemu

# A guest that has no module, beside another one.
start_guest 6.1 --append 'xft.nomod xft.quiet'
ram=$(echo /dev/shm/xftrace-*-"$guest.ram")
"$xft" -q guest start --name "$other" --accel tcg --append xft.quiet
refuses "several guests" "several guests.*$other.*--guest" vfs_read
"$xft" -q guest stop "$other"
refuses "no module" 'no xftrace module.*insmod.*guest args' vfs_read

# Its RAM, too, may be open; ours is not, but somebody may change that.
chmod 644 "$ram"
refuses "open RAM" '0644 is open to other users.*chmod 600' \
	--qmp "$qmp" vfs_read
fails "open RAM, allowed" 1 'no xftrace module' \
	on --qmp "$qmp" --allow-open-ram vfs_read
"$xft" on --qmp "$qmp" --allow-open-ram vfs_read 2>stderr.txt
check "open RAM, allowed: a warning" grep -q 'warning:.*read by other' stderr.txt
chmod 600 "$ram"

# From here on it has one.
in_guest insmod /lib/xftrace.ko
few_hooks
ctl=$(in_guest dmesg | grep -o 'control block at guest-physical 0x[0-9a-f]*')
ctl=${ctl##* }

# QMP serves one client at a time.
coproc HOLD { exec socat - "UNIX-CONNECT:$qmp"; }
# shellcheck disable=SC2154 # coproc sets it; gone once the process is
hold=$HOLD_PID
read -r _ <&"${HOLD[0]}"
refuses "QMP in use" 'another one.*holds.*second.*-qmp' vfs_read
kill "$hold" 2>/dev/null
wait "$hold" 2>/dev/null

# Symbols of something else.
vmlinuz=$O/demo/$(release 6.1)/vmlinuz
vmlinuz12=$O/demo/$(release 6.12)/vmlinuz
refuses "another kernel's vmlinuz" 'another kernel.*6\.1\..*build ids differ' \
	--symbols "$vmlinuz12" vfs_read
"$xft" symbols "$vmlinuz12" >map12
refuses "another kernel's System.map" 'map12.*another kernel.*lies elsewhere' \
	--symbols map12 vfs_read
echo 'ffffffffffffffff B The real System.map is in the -dbg package' >stub
refuses "Debian's stub of a System.map" 'stub' --symbols stub vfs_read
: >nothing
refuses "an empty file as symbols" 'nothing' --symbols nothing vfs_read
head -c 1000000 "$vmlinuz" >half
refuses "a vmlinuz cut short" 'half' --symbols half vfs_read
head -c 100000 /dev/urandom >noise
refuses "noise as symbols" 'noise' --symbols noise vfs_read
refuses "a folder as symbols" 'rec: ' --symbols "$work/run/rec" vfs_read
refuses "symbols that are not there" 'nowhere: No such file' \
	--symbols nowhere vfs_read

# A module of another time.
printf '\143\0\0\0' | poke "$ctl + 16"
refuses "another abi" 'abi 99.*speaks 1.*load the module that came' vfs_read
printf '\001\0\0\0' | poke "$ctl + 16"

# Functions.
refuses "a function that is notrace" \
	"'do_syscall_64' cannot be traced.*trace one of its callers" \
	do_syscall_64
refuses "one of two is notrace" "'do_syscall_64' cannot be traced" \
	vfs_read do_syscall_64
refuses "an address of nothing" '0x1234' 0x1234
refuses "too much memory" 'no memory for rings.*smaller --ring-size' \
	--ring-size 1G vfs_read
check "too much memory: nobody had to die" \
	not eval 'in_guest dmesg | grep "Out of memory"'

# A stopped guest.
ask_qemu "$qmp" stop
start=$SECONDS
refuses "a paused guest" 'no sign of life.*paused' vfs_read
check "a paused guest: soon" [ $((SECONDS - start)) -le 6 ]
ask_qemu "$qmp" cont

# The stock tracer holds the hooks.
in_guest 'cd /sys/kernel/tracing && echo vfs_statfs >set_ftrace_filter &&
	echo function_graph >current_tracer'
refuses "the stock tracer is active" 'another user.*current_tracer to nop' \
	vfs_read
in_guest 'echo nop >/sys/kernel/tracing/current_tracer'
few_hooks

check "after all that the guest is not traced" no_hooks
check "after all that the guest is unharmed" healthy
check "after all that it can be traced" on vfs_read
mark alive
check "after all that: off" "$xft" -q off
check "after all that: a graph" has_mark alive

# A guest that is paused while it is traced.
on vfs_read
mark awake
ask_qemu "$qmp" stop
check "paused while traced: status says so" until_true 20 state_is '*silent*'
start=$SECONDS
check "paused while traced: off" "$xft" off 2>stderr.txt
check "paused while traced: soon" [ $((SECONDS - start)) -le 30 ]
check "paused while traced: a warning" \
	grep -q 'warning:.*paused.*hooks may still be in place' stderr.txt
check "paused while traced: what was recorded" has_mark awake
ask_qemu "$qmp" cont
refuses "hooks were left" "traced already.*'xftrace off --guest" vfs_read
check "hooks were left: off takes them back" "$xft" -q off
check "hooks were left: they are gone" no_hooks

# Garbage in the rings. (The guest's own words in a ring's header are left
# alone: it believes them.)
garble() { # RING -- the headers of all its sub-buffers
	local i nr
	nr=$(peek "$1 + 16" u4)
	for ((i = 0; i < nr; i++)); do
		head -c 64 /dev/urandom |
			poke "$(peek "$1 + 192 + $i * 8" u8)"
	done
}
on vfs_read
mark before
in_guest 'while :; do dd if=/etc/passwd of=/dev/null bs=8; done 2>/dev/null &'
rings=$(peek "$ctl + 48" u8)
garble "$(peek "$rings" u8)"
garble "$(peek "$rings + 16" u8)"
check "garbage in the rings: status says so" until_true 60 finds_damage
check "garbage in the rings: the guest is unharmed" healthy
# What is added to a sub-buffer that is damaged already is gone, too.
came_later() {
	mark after
	"$xft" -q report -o trace_graph.txt && has_mark after
}
check "garbage in the rings: what came later" until_true 60 came_later
check "garbage in the rings: off" "$xft" -q off
check "garbage in the rings: what came before" has_mark before
check "garbage in the rings: no hooks" no_hooks

# The RAM file is cut off while a command reads it, at moments spread over the
# time that it takes: an error, or the answer if that was ready. The guest stands
# still, so that it can have its RAM back.
check "RAM cut off while it is read: the guest stops" ask_qemu "$qmp" stop
cp --sparse=always "$ram" whole
now_ms() { echo $(($(date +%s%N) / 1000000)); }
cut_under() { # COMMAND...
	local took i status cut=0
	took=$(now_ms)
	"$@" >/dev/null 2>stderr.txt || not_ok "$*: $(cat stderr.txt)"
	took=$(($(now_ms) - took))
	for i in 1 2 3 4; do
		"$@" >stdout.txt 2>stderr.txt &
		sleep "$(printf '0.%03d' $((took * i / 5)))"
		truncate -s 0 "$ram"
		wait $!
		status=$?
		cp --sparse=always whole "$ram"
		[ $status -le 1 ] && [ "$(wc -l <stderr.txt)" -le 2 ] || {
			not_ok "RAM cut off under $*: status $status: $(cat stderr.txt)"
			return
		}
		cut=$((cut + status))
	done
	ok "RAM cut off under ${*:1:2}: $cut of 4 times it could not go on"
}
cut_under "$xft" symbols --guest "$guest"
cut_under "$xft" events --format --guest "$guest"

# It is gone when 'off' comes to take what a killed recorder left.
check "RAM cut off while it is read: the guest goes on" ask_qemu "$qmp" cont
on vfs_read
mark before
until_true 20 has_records
kill -9 "$(jq .pid "$work/run/rec/$guest/recorder.json")"
ask_qemu "$qmp" stop
cp --sparse=always "$ram" whole
cp --sparse=always "$XFTRACE_DATA/traces.store" copy.store
cut_under "$xft" recover --store copy.store --memfile "$ram"
truncate -s 1M "$ram"
check "RAM cut off, recorder killed: status" state_is '*was killed*off*'
check "RAM cut off, recorder killed: off" "$xft" -q off --guest "$guest"
check "RAM cut off, recorder killed: what came before" has_mark before
cp --sparse=always whole "$ram"
ask_qemu "$qmp" cont
check "RAM is there again: off" "$xft" -q off --guest "$guest"
check "RAM is there again: no hooks" no_hooks
check "RAM is there again: the guest is unharmed" healthy

# The RAM file is cut off under the recorder; QEMU may or may not live on.
on vfs_read
mark before
pid=$(jq .pid "$work/run/rec/$guest/recorder.json")
truncate -s 0 "$ram"
check "RAM cut off: the recorder tells" until_true 30 not state_is tracing
check "RAM cut off: the recorder lives" [ -e "/proc/$pid" ]
check "RAM cut off: off" "$xft" -q off
check "RAM cut off: what came before" has_mark before
check "RAM cut off: nothing is left" until_true 10 nothing_left
