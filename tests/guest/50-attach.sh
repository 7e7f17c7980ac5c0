#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# takes: 95 s
# Guests that somebody else started, in every form that RAM may have; where
# symbols come from; what may be named.
. "$(dirname "$0")/../lib.sh"
# shellcheck source-path=SCRIPTDIR source=boot.sh
. "$top/tests/guest/boot.sh"

r61=$(release 6.1)
vmlinuz=$O/demo/$r61/vmlinuz
"$xft" symbols "$vmlinuz" >System.map

on() { "$xft" -q on "$@"; }
off() { rm -f trace_graph.txt; "$xft" -q off; }
in_graph() { grep -qE "$1" trace_graph.txt; }
has_mark() { in_graph " $1-[0-9]+ "; }
not() { ! "$@"; }
is_dead() { [ ! -e "/proc/$1" ] || grep -q '^State:.[ZX]' "/proc/$1/status"; }
nothing_left() {
	[ -z "$(ls -A "$work/run/rec")" ] &&
		[ -z "$("$xft" ls --json | jq -r '.[].state' | grep -v finished)" ]
}

# The work: a traced process with a name of its own.
reads_as() { echo "printf %s $1 >/proc/\$\$/comm; read -r x </etc/passwd; true"; }
mark() { in_guest "$(reads_as "$1")"; }

# traces NAME OPTION... -- from on to off, without losing a record
traces() {
	local name=$1
	shift
	in_vm "echo 'vfs_*' >/sys/kernel/tracing/set_ftrace_filter"
	on "$@" vfs_read 2>stderr.txt
	check "$name: on" [ $? = 0 ]
	in_vm "$(reads_as work)"
	check "$name: off" off
	check "$name: the work" has_mark work
	check "$name: nothing is lost" in_graph 'totals:.* 0 lost'
	check "$name: nothing is left" nothing_left
}
quiet() { check "$1: without a word" [ ! -s stderr.txt ]; }
from() { check "$1: symbols from $2" in_graph "symbols: +from $2"; }

boot 6.1 -machine q35,memory-backend=ram -m 512 \
	-object memory-backend-memfd,id=ram,size=512M,share=on \
	-qmp "unix:$vm/qmp,server=on,wait=off"
traces "memfd" --qmp "$vm/qmp"
quiet "memfd"
# Unless this host happens to have the guest's kernel.
[ -e "/boot/vmlinuz-$r61" ] || from "memfd" "guest RAM"
traces "by pid" --pid $qemu --symbols System.map
quiet "by pid"
from "by pid" "a System.map"
"$xft" symbols --pid $qemu >running.map
check "symbols of the guest, with its modules" \
	grep -q ' port_fops_read.*\[virtio_console\]' running.map
check "by pid: watch gets at RAM without a name" eval \
	'"$xft" watch --pid $qemu --symbols "$vmlinuz" --count 1 >seen;
	! grep -q cannot-tell seen || ! cat seen'
end

qemu-img create -q -f qcow2 snapshots.qcow2 1M
boot 6.1 -machine pc,memory-backend=ram -m 512 \
	-object "memory-backend-file,id=ram,size=512M,share=on,mem-path=$vm/ram" \
	-drive if=none,format=qcow2,file=snapshots.qcow2 \
	-qmp "unix:$vm/qmp,server=on,wait=off" &&
	exec 6<"$vm/ram" && rm "$vm/ram"
traces "pc, file deleted" --qmp "$vm/qmp" --symbols "$vmlinuz"
from "pc, file deleted" "the kernel image"
quiet "pc, file deleted"

# It is set back to a snapshot while it is recorded.
monitor() { # COMMAND... -- of QEMU's
	local last=${!#} command id=
	rm -f qmp.log
	{
		printf '{"execute": "qmp_capabilities"}\n'
		for command; do
			[ "$command" != "$last" ] || id='"id": "done",'
			printf '{"execute": "human-monitor-command", %s
				"arguments": {"command-line": "%s"}}\n' "$id" "$command"
		done
		until_true 60 grep -q '"id": "done"' qmp.log
	} | socat -t 0.1 - "UNIX-CONNECT:$vm/qmp" >qmp.log
}
status() { "$xft" status --json | jq -e "$1"; }
has_records() { status ".records > $1" >/dev/null; }
recorder() { kill "-$1" "$(jq .pid "$work"/run/rec/*/recorder.json)"; }
# The word in the mailbox that has sealed rings take no more.
is_halted() {
	[ "$(od -An -tu4 -j $((block + 4096 + 196)) -N 4 /dev/fd/6)" -eq 1 ]
}
heartbeat() { od -An -tu8 -j $((block + 72)) -N 8 /dev/fd/6; }
words() { ./produced /dev/fd/6 words; }
# Of two times the same words of the stream were used, for other records.
reused() {
	awk 'NR == FNR { word[$1, $2, $3] = $4; next }
		($1, $2, $3) in word && word[$1, $2, $3] != $4 { n++ }
		END { print n + 0 }' "$1" "$2"
}
longer() { [ "$(wc -l <"$1")" -gt "$(wc -l <"$2")" ]; }

${CC:-gcc} -O2 -I"$top/abi" -I"$top/guest" -o produced \
	"$top/tests/guest/produced.c" || not_ok "produced.c compiles"
block=$(in_vm dmesg | grep -o 'guest-physical 0x[0-9a-f]*' | tail -n 1)
block=${block##* }
on --qmp "$vm/qmp" --symbols "$vmlinuz" vfs_read
in_vm "$(reads_as before)"
monitor "savevm then"
seen=$(status .records)
in_vm "$(reads_as undone)"
until_true 20 has_records "$seen"
monitor stop
words >undone
monitor "loadvm then"
check "set back: its rings are halted before it runs" until_true 20 is_halted
recorder STOP
monitor cont
in_vm "$(reads_as halted)"
words >after
check "set back: nothing is sealed with what was used before" \
	[ "$(reused undone after)" = 0 ]
check "set back: it was, to before those records" longer undone after
recorder CONT
check "set back: a new session" until_true 120 status '.session == 2'
until_true 120 status '.state == "tracing"'
in_vm "$(reads_as second)"

# By less than a beat of its heart, as who restores a snapshot time and again does:
# then a ring's position is all that tells.
ran_a_little() {
	monitor stop "savevm little"
	words >before
	beat=$(heartbeat)
	monitor cont stop
	words >undone
	[ "$(heartbeat)" = "$beat" ] && longer undone before
}
in_vm "while :; do read -r x </etc/passwd; done & echo \$! >/tmp/loop"
check "set back a little: it sealed something between two beats" \
	until_true 60 ran_a_little
monitor "loadvm little"
check "set back a little: its rings are halted before it runs" until_true 20 is_halted
recorder STOP
beat=$(heartbeat)
monitor cont
until_true 20 eval '[ "$(heartbeat)" != "$beat" ]'
words >after
check "set back a little: nothing is sealed with what was used before" \
	[ "$(reused undone after)" = 0 ]
recorder CONT
check "set back a little: a new session" until_true 120 status '.session == 3'
until_true 120 status '.state == "tracing"'
in_vm 'kill $(cat /tmp/loop)'
check "set back: off" off
check "set back: all lives are in the trace" \
	sh -c 'for m in before undone second; do
		grep -q " $m-[0-9]" trace_graph.txt || exit; done'
check "set back: it says so" in_graph '^# .*set back to an earlier state'
"$xft" check --json >found.json
check "set back: 'check' finds it" [ $? = 1 ]
check "set back: it is silence, each time, and when" [ "$(jq -c '[.findings[] |
	select(.rule == "silence" and (.text | contains("set back"))) | .evidence |
	select(.time != "0.000000 s").session]' found.json)" = '[1,2]' ]
check "set back: nothing is left" nothing_left
exec 6<&-
end

boot 6.1 -machine q35 -m 512 \
	-object "memory-backend-file,id=a,size=256M,share=on,mem-path=$vm/a" \
	-object memory-backend-memfd,id=b,size=256M,share=on \
	-numa node,memdev=a,cpus=0 -numa node,memdev=b,cpus=1 \
	-chardev "socket,id=qmp,server=on,wait=off,path=$vm/qmp" \
	-mon chardev=qmp,mode=control
traces "two NUMA nodes" --pid $qemu --symbols System.map
quiet "two NUMA nodes"
end

# RAM beyond the hole below 4 GiB; the files are sparse.
boot 6.1 -machine q35,memory-backend=ram -m 6G \
	-object memory-backend-memfd,id=ram,size=6G,share=on \
	-qmp "unix:$vm/qmp,server=on,wait=off"
traces "6 GB" --qmp "$vm/qmp" --symbols System.map
quiet "6 GB"
end
boot 6.1 -machine q35,memory-backend=ram -m 6G \
	-object memory-backend-memfd,id=ram,size=6G,share=on
"$xft" on --pid $qemu --symbols System.map vfs_read 2>warning
check "6 GB without QMP: a warning" grep -q 'warning:.*guess.*-qmp' warning
off
traces "6 GB without QMP" --pid $qemu --symbols System.map
end

# What may be named, in a guest of 'guest start'.
start_guest 6.1
few_hooks 'vfs_*' 'port_*' '*_openat' 'do_sys_open*' do_dentry_open
mark before
on virtio_console:port_fops_read
mark root
check "a module's function: off" off
from "a module's function" "the kernel image"
check "a module's function is a root" \
	in_graph '\| +port_fops_read \[virtio_console\]\(\) \{ /\* from'
check "a module's function: nothing else is" \
	not in_graph 'vfs_read\(\) \{ /\* from'
on 'vfs_*'
mark many
check "a pattern: off" off
check "a pattern: its functions" \
	in_graph 'vfs_(write|open)\(\) \{ /\* from'
on sys_openat
mark open
check "a system call: off" off
check "a system call" in_graph '__x64_sys_openat\(.*\) \{ /\* from'
"$xft" symbols --guest "$guest" >running.map
address=$(awk '$3 == "vfs_read" { print "0x" $1 }' running.map)
on "$address" vfs_read
mark twice
check "an address and its name: off" off
check "an address and its name" has_mark twice

no_hooks() {
	[ "$(in_guest 'wc -l </sys/kernel/tracing/enabled_functions')" = 0 ]
}
typo() { # NAME PATTERN
	fails "a typo: $1" 1 "$2" on "$1"
	check "a typo: $1: nothing is left" nothing_left
}
typo vfs_raed "'vfs_raed'.*vfs_read"
typo 'vsf_*' "'vsf_.*near: vfs_\*"
typo virtio_console:port_fops_raed 'port_fops_raed.*port_fops_read'
typo nosuch:port_fops_read 'nosuch'
check "typos change nothing in the guest" no_hooks

# Others may look at the guest while it is stopped.
all_hooks
on vfs_read
off &
pid=$!
until is_dead $pid; do
	"$xft" symbols --guest "$guest" >running.map ||
		not_ok "symbols while tracing stops"
done
wait $pid
check "off while others look" [ $? = 0 ]
check "off while others look: no hooks" no_hooks
"$xft" -q guest stop "$guest"

start_guest 6.12
on vfs_read
mark newer
check "6.12: off" off
check "6.12: the work" has_mark newer
check "6.12: nothing is lost" in_graph 'totals:.* 0 lost'
