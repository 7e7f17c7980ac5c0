#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Pages that are written in a guest whose memory is not simply there: above the
# hole below 4 GiB, plugged in, taken away by a balloon and given back, and
# another guest's since it was reset.
# shellcheck source-path=SCRIPTDIR source=../lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source-path=SCRIPTDIR source=put.sh
. "$top/tests/guest/put.sh"
# shellcheck source-path=SCRIPTDIR source=writes.sh
. "$top/tests/guest/writes.sh"
# shellcheck source-path=SCRIPTDIR source=boot.sh
. "$top/tests/guest/boot.sh"

in_guest() { in_vm "$@"; }

MIB=$((1 << 20))
LOW=0x80000000		# where q35 has its hole
FOUR_GIB=0x100000000
PLUGGED=0x140000000	# behind 2 GiB below and 1 GiB above
NEXT=0x148000000		# and 128 MiB of those

# qmp COMMAND... -- one after the other; the answers
qmp() {
	printf '%s\n' '{"execute":"qmp_capabilities"}' "$@" >commands
	timeout 10 socat -t 2 - "UNIX-CONNECT:$vm/qmp" <commands
}

# dimm N -- the commands that plug in 128 MiB
dimm() {
	printf '%s\n' "{\"execute\":\"object-add\",\"arguments\":{\"qom-type\":
		\"memory-backend-memfd\",\"id\":\"m$1\",\"share\":true,
		\"size\":$((128 * MIB))}}" |
		tr -d '\n\t'
	printf '%s\n' "{\"execute\":\"device_add\",\"arguments\":{\"driver\":
		\"pc-dimm\",\"id\":\"d$1\",\"memdev\":\"m$1\"}}" | tr -d '\n\t'
}

balloon_is() { qmp '{"execute":"query-balloon"}' | grep -q "\"actual\": $1}"; }

is_done() { # what lies above 4 GiB lies behind 2 GiB in the file
	[ "$(dd if="$vm/ram" bs=1 skip=$((last - FOUR_GIB + LOW)) count=8 \
		status=none)" = DIRTYEND ]
}

# fill MIB -- memory for a file, and away with it
fill() { in_guest "dd if=/dev/zero of=/tmp/fill bs=1M count=$1 2>&1; rm /tmp/fill"; }

# online ADDRESS -- does the guest have memory there?
online() {
	in_guest 'cat /proc/iomem' | grep -q "^${1#0x}-.* : System RAM"
}

# nr_pages FROM TO -- pages of dirty.json with addresses in between
nr_pages() {
	jq --argjson from $(($1)) --argjson to $(($2)) '
		def hex: ltrimstr("0x") | explode | reduce .[] as $c (0;
			. * 16 + $c - (if $c > 96 then 87 else 48 end));
		[.rows[] | select(.plugged_in | not) | .page | hex |
			select(. >= $from and . < $to)] | length' dirty.json
}

qemu_major() { qemu-system-x86_64 -version | sed -n '1s/[^0-9]*\([0-9]*\).*/\1/p'; }

# nobody_bad TRACE -- nobody wrote what nobody should
nobody_bad() { [ -z "$("$xft" dirty --by type -a "$1" | grep '^!')" ]; }

boot 6.12 -machine q35,memory-backend=ram -m 3G,slots=2,maxmem=5G \
	-object "memory-backend-file,id=ram,size=3G,share=on,mem-path=$vm/ram" \
	-device virtio-balloon-pci \
	-plugin "$O/dirty_tcg.so,dirty=$vm/dirty" \
	-qmp "unix:$vm/qmp,server=on,wait=off"
ko=$O/kernels/6.12/root/lib/modules/$(release 6.12)/kernel/drivers/virtio
xz -dc "$ko/virtio_balloon.ko.xz" >balloon.ko
# What is plugged in shall be taken first.
put balloon.ko /tmp/balloon.ko && put_writes && in_guest 'insmod /tmp/balloon.ko &&
	echo online_movable >/sys/devices/system/memory/auto_online_blocks' ||
	not_ok "the guest is made ready"

# on TRACE MODE
on() {
	check "on --dirty=$2" "$xft" -q on --name "$1" --qmp "$vm/qmp" \
		--mask=sealed --dirty="$2" sys_read
}

balloon() {
	qmp "{\"execute\":\"balloon\",\"arguments\":{\"value\":$1}}" >qmp.txt
	until_true 30 balloon_is "$1"
}

on t calls
begin_writes || not_ok "the program starts: $(cat pages.txt)"
in_guest 'echo >/tmp/go'
until_true 30 is_done || not_ok "the program does not end"
check "off" "$xft" -q off
check "the program's pages lie above 4 GiB" \
	[ $(($(pages mine child read left end | head -n 1))) -ge $((FOUR_GIB)) ]
check "read() into 16 of them dirties these 16" reads_exactly
check "no record is lost" jq -e '.lost == 0' dirty.json
"$xft" rm t

on t first
qmp "$(dimm 0)" >qmp.txt
check "memory is plugged in" until_true 30 online $PLUGGED
fill 32
check "a balloon takes 32 MiB" balloon $((3168 * MIB))
check "and gives them back" balloon $((3200 * MIB))
fill 32
check "off" "$xft" -q off
"$xft" dirty --json t >dirty.json
check "no record is lost" jq -e '.lost == 0' dirty.json
check "pages are told of the memory that was plugged in" \
	[ "$(nr_pages $PLUGGED $NEXT)" -gt 1000 ]
check "and none where there is no memory" \
	[ "$(nr_pages $LOW $FOUR_GIB) $(nr_pages $NEXT \
		$((1 << 52)))" = "0 0" ]
check "all have a place" jq -e '[.rows[].plugged_in] | any | not' dirty.json
check "nobody wrote what nobody should" nobody_bad t

# QEMU talks to one client at a time.
on busy first
mkfifo hold
{
	printf '%s\n' '{"execute":"qmp_capabilities"}' "$(dimm 1)"
	cat hold
} | socat - "UNIX-CONNECT:$vm/qmp" >qmp.txt &
check "memory is plugged in, and QEMU does not say where" \
	until_true 30 online $NEXT
fill 140
check "off" "$xft" -q off
: >hold
"$xft" dirty --json busy >dirty.json
if [ "$(qemu_major)" -ge 9 ]; then # its plugins see the guest's addresses
	check "its pages have their addresses" \
		[ "$(nr_pages $NEXT $((NEXT + 128 * MIB)))" -gt 1000 ]
	check "none is marked" jq -e '[.rows[].plugged_in] | any | not' dirty.json
else
	check "its pages are counted, in a line" \
		grep -q '^# note: .* dirty pages lie in memory that was plugged in' \
		trace_graph.txt
	check "and marked" jq -e '[.rows[].plugged_in] | any' dirty.json
fi

# The guest begins anew, and writes its kernel, where the old one had its own.
on again first
qmp '{"execute":"system_reset"}' >qmp.txt
both_traced() {
	in_guest true && [ "$("$xft" status --json | jq '.session // 0')" -ge 2 ]
}
until_true 90 both_traced || not_ok "it is not traced again: $("$xft" status)"
check "off" "$xft" -q off
check "two sessions" [ "$("$xft" dirty --json again | jq -s length)" = 2 ]
check "what was written in between is left out, and counted" \
	grep -q '^# note: .* dirty pages of the time after the guest was reset' \
	trace_graph.txt
check "nobody wrote what nobody should" nobody_bad again
end
