#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Named traces of real guests: two at once, read while they are recorded, a full
# store; and what a guest leaves in its memory when everything was killed.
. "$(dirname "$0")/../lib.sh"

first=$guest second=${guest}b
on() { "$xft" -q on --guest "$guest" "$@"; }
off() { rm -f trace_graph.txt; "$xft" -q off --guest "$guest" "$@"; }
status() { "$xft" -q status --guest "$guest" --json | jq -r ".$1"; }
is_sound() { "$xft" store check "$@" >check.log; }
field() { "$xft" show --json "$1" | jq -r ".$2"; }
names() { "$xft" ls --json | jq -r '[.[].name] | sort | join(" ")'; }
state_is() { [ "$(status state)" = "$1" ]; }
is() { [ "$1" = "$2" ]; }
is_dead() { [ ! -e "/proc/$1" ] || grep -q '^State:.[ZX]' "/proc/$1/status"; }
kill_hard() { kill -9 "$1" && until_true 20 is_dead "$1"; }
recorder() { jq .pid "$work/run/rec/$guest/recorder.json"; }
qemu() { jq .pid "$work/run/guests/$guest/guest.json"; }
mark() {
	in_guest "printf %s $1 >/proc/\$\$/comm; read -r x </etc/passwd; true"
}
drawn_has() { "$xft" report "$1" | grep -qE " $2-[0-9]+ "; }
drawn_lacks() { ! drawn_has "$@"; }
none_lost() { [ "$(field "$1" lost)" = 0 ]; }

# Two guests, one store
start_guest 6.1
few_hooks
guest=$second
start_guest 6.12
on --name beta vfs_read
guest=$first
on vfs_read
check "a name is made up" is "$(status trace)" "$first-1"
check "two are recorded" is "$(names)" "$(printf '%s\n' beta "$first-1" | sort | paste -sd' ')"
mark mine
guest=$second
mark theirs
check "report while it is recorded" until_true 20 drawn_has beta theirs
"$xft" report beta >beta.txt
check "the report says that it is" grep -q "still being recorded" beta.txt
check "and not that it was interrupted" [ "$(grep -c "did not end" beta.txt)" = 0 ]
check "show while it is recorded" is "$(field beta state)" recording
fails "rm while it is recorded" 1 "trace 'beta' is in use" "$xft" rm beta
check "mv while it is recorded" "$xft" mv beta gamma
check "status has the new name" is "$(status trace)" gamma
check "off of the second" off
check "then it says nothing of it" [ "$(grep -c "still being" trace_graph.txt)" = 0 ]
check "off of the second draws its trace" grep -q ' theirs-' trace_graph.txt
check "the trace stays" is "$(field gamma state)" finished
guest=$first
check "off of the first" off
check "each has its own" drawn_has "$first-1" mine
check "and not the other's" drawn_lacks "$first-1" theirs
check "none lost" none_lost gamma
"$xft" -q guest stop "$second"
fails "on, name taken" 1 "there is a trace 'gamma' already" on --name gamma vfs_read

# Symbols once for each kernel
shared() { "$xft" store info --json | jq .shared; }
check "each kernel's symbols are there" is "$(shared)" 2
on vfs_read
mark again
check "off once more" off
check "the next name" is "$("$xft" show --json | jq -r .name)" "$first-2"
check "its kernel's symbols are shared" is "$(shared)" 2
check "with names" sh -c '"$1" report | grep -q "vfs_read()"' - "$xft"
"$xft" rm gamma
check "symbols go with the last trace" is "$(shared)" 1

# Out of the store, and in another
"$xft" -q export "$first-2" out.xft
check "exported, it draws the same" \
	cmp -s <("$xft" report "$first-2") <("$xft" report out.xft)
"$xft" -q store create --size 64M other.store
"$xft" -q import --store other.store --name copy out.xft
check "imported, it draws the same" \
	cmp -s <("$xft" report --store other.store copy) <("$xft" report out.xft)

# A store that is full
hooks() { in_guest 'wc -l </sys/kernel/tracing/enabled_functions'; }
hooks_are_gone() { [ "$(hooks)" = 0 ]; }
recorder_kb() {
	awk '/^Rss(Anon|File):/ { kb += $2 } END { print kb }' "/proc/$(recorder)/status"
}
"$xft" -q store create --size 32M small.store
all_hooks
on --store small.store --name small sys_execve sys_mmap sys_openat sys_read
before=$(recorder_kb)
in_guest 'while :; do dd if=/etc/passwd of=/dev/null bs=8; done 2>/dev/null &
	echo $! >/tmp/busy'
check "full: status says so" until_true 180 state_is "store full"
grown=$(($(recorder_kb) - before))
check "the recorder has not grown with it: $grown kB" [ "$grown" -lt 24000 ]
check "full: the guest's hooks are gone at once" until_true 60 hooks_are_gone
check "full: status still says so" state_is "store full"
# shellcheck disable=SC2016 # the guest's
in_guest 'kill $(cat /tmp/busy)'
check "full: off" off
check "full: the graph tells" grep -qi 'full' trace_graph.txt
check "full: what was kept is there" [ "$(wc -l <trace_graph.txt)" -gt 1000 ]
check "full: the store is sound" is_sound --store small.store

# Recorder and QEMU killed: the rest is in the guest's memory.
ram=$(echo /dev/shm/xftrace-*-"$first.ram")
has_records() { [ "$(status records)" -gt 0 ]; }
few_hooks
on --name box vfs_read
mark early
until_true 20 has_records
kill_hard "$(recorder)"
check "interrupted" is "$(field box state)" interrupted
mark late
sleep 0.1
drawn_lacks box late || not_ok "the recorder has what came after its death"

# A core of the guest as it is now. It goes on, and another trace knows nothing.
{
	echo '{"execute": "qmp_capabilities"}'
	echo '{"execute": "dump-guest-memory", "arguments":
		{"paging": false, "protocol": "file:'"$work"'/core"}}'
	until_true 60 grep -q DUMP_COMPLETED qmp.log || sleep 5
} | socat -t 1 - "UNIX-CONNECT:$work/run/guests/$first/qmp.sock" >qmp.log
cp "$XFTRACE_DATA/traces.store" copy.store
chmod 600 core
check "recover from a core" "$xft" -q recover --store copy.store --memfile core
check "core: what it had" sh -c '"$1" report --store copy.store box | grep -q " early-"' - "$xft"
check "core: what came later" sh -c '"$1" report --store copy.store box | grep -q " late-"' - "$xft"

mark latest
kill_hard "$(qemu)"
check "the memory is still there" test -e "$ram"
fails "recover, another trace" 1 "no trace here has the keys" \
	"$xft" recover --memfile "$ram" "$first-1"
check "recover" "$xft" -q recover --memfile "$ram"
check "recovered: finished" is "$(field box state)" finished
check "recovered: what it had" drawn_has box early
check "recovered: what came later" drawn_has box late
check "recovered: to the last moment" drawn_has box latest
check "recovered: nothing lost" none_lost box
records=$(field box records)
check "recover again" "$xft" -q recover --memfile "$ram"
check "recovered again: nothing twice" is "$(field box records)" "$records"
check "nothing is being recorded" is "$(ls "$work/run/rec")" ""
check "the store is sound" is_sound
rm -f "$ram"
