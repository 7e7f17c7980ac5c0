#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# takes: 80 s
#
# The pages that a program is known to write are those that are reported, none
# is missed, and each is put down to the call that wrote it. And a comparison of
# all RAM, before and after, finds no page that was not reported.
# shellcheck source-path=SCRIPTDIR source=../lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source-path=SCRIPTDIR source=put.sh
. "$top/tests/guest/put.sh"
# shellcheck source-path=SCRIPTDIR source=writes.sh
. "$top/tests/guest/writes.sh"

${CC:-gcc} -O2 -o ramdiff "$top/tests/guest/ramdiff.c" ||
	not_ok "ramdiff.c compiles"

# ask COMMAND [ARGUMENTS] -- what QEMU answers
ask() {
	printf '{"execute":"qmp_capabilities"}{"execute":"%s","arguments":{%s}}\n' \
		"$1" "${2-}" |
		timeout 10 socat -t 1 - \
			"UNIX-CONNECT:$work/run/guests/$guest/qmp.sock"
}

qmp() { ask "$1" | grep -q "\"event\": \"$2\""; }

# log_pages -- QEMU's own log of dirty pages, of a migration that gets nowhere
log_pages() {
	ask human-monitor-command \
		'"command-line":"trace-event memory_notdirty_write_access on"'
	ask migrate-set-parameters '"max-bandwidth":1000'
	ask migrate '"uri":"exec:cat >/dev/null"'
	until_true 20 eval 'ask query-migrate | grep -q "\"status\": \"active\""'
}

# logged -- what it marks as written; of page tables, also what it only looks at,
# by physical addresses
logged() {
	sed -n 's/.*memory_notdirty_write_access \(.*\) ram_addr \(.*\)... size.*/\2000 \1/p' \
		"$work/run/guests/$guest/qemu.log"
}

ram() {
	tr "\0" "\n" <"/proc/$(jq .pid "$work/run/guests/$guest/guest.json")/cmdline" |
		sed -n "s/.*mem-path=//p"
}

is_done() {
	[ "$(dd if="$(ram)" bs=1 skip="$last" count=8 status=none)" = DIRTYEND ]
}

harvests() { "$xft" status --guest "$guest" --json | jq .dirty.harvests; }
harvested() { [ "$(harvests)" -gt "$1" ]; }

# at_rest FILE -- the guest stands still; what was told before is told anew after
at_rest() {
	qmp stop STOP || return
	"$work/ramdiff" clock
	until_true 20 harvested "$(($(harvests) + 1))" &&
		cp --sparse=always "$(ram)" "$1"
}

start_guest "${XFTRACE_KERNEL:-6.1}" --dirty --mem 256M || exit
put_writes || not_ok "the program gets into the guest"

# 1. First writes, and the whole of RAM, in which the host writes nothing.
begin_writes || not_ok "the program starts: $(cat pages.txt)"
check "on --dirty=first" "$xft" -q on --name t --guest "$guest" --dirty=first \
	sys_read
go
since=$(at_rest before)
log_pages >log.txt || not_ok "QEMU's own log: $(cat log.txt)"
qmp cont RESUME
until_true 60 is_done || not_ok "the program does not end"
until=$(at_rest after)
ask migrate_cancel >log.txt
logged >all.txt
qmp cont RESUME
check "off" "$xft" -q off
"$xft" dirty --by write --json t | jq -e '.lost == 0' >lost.txt ||
	not_ok "records were lost"
reported ".time_ns >= $since and .time_ns <= $until" >told.txt
pages mine child read end >known.txt
missing=$(comm -13 told.txt known.txt | wc -l)
check "none of $(wc -l <known.txt) known pages is missed, in two address spaces" \
	[ "$missing" = 0 ]
check "none of them is told that was not written" \
	[ -z "$(comm -12 told.txt <(pages left))" ]
./ramdiff before after >changed.txt
check "all of RAM compared: every page that changed was told" \
	[ -z "$(awk '$2 == "bytes" { print $1 }' changed.txt | sort |
		comm -13 told.txt - | tee untold.txt)" ]
check "the comparison has found something" \
	[ "$(grep -c bytes changed.txt)" -gt 80 ]
awk '{ print $1 }' all.txt | sort -u >logged.txt
awk 'substr($1, 1, length($1) - 3) != substr($2, 1, length($2) - 3) {
	print $1 }' all.txt | sort -u >stored.txt
comm -23 told.txt <(awk '{ print $1 }' changed.txt | sort) >same.txt
check "the $(wc -l <same.txt) that did not change are in QEMU's own log" \
	[ -s same.txt -a -z "$(comm -23 same.txt logged.txt)" ]
check "as are all that were told" [ -z "$(comm -23 told.txt logged.txt)" ]
check "each of $(wc -l <stored.txt) that QEMU has logged of a store was told" \
	[ -z "$(comm -13 told.txt stored.txt)" ]
in_guest "kill $pid"
"$xft" rm t

# 2. Each call has its own.
begin_writes
check "on --dirty" "$xft" -q on --name t --guest "$guest" --dirty sys_read
go
until_true 100 is_done || not_ok "the program does not end"
check "off" "$xft" -q off
check "read() into 16 pages dirties these 16 pages below sys_read" reads_exactly
check "in the graph, too" \
	grep -qE "writes-$pid .*/\* dirtied [0-9]+: .*anonymous.* \*/" \
	trace_graph.txt
reported '.root == "-"' >told.txt
check "what the program stores itself is nobody's call" \
	[ "$(comm -12 told.txt <(pages mine) | wc -l)" = 32 ]
"$xft" dirty --by type t >type.txt
for what in 'slab task_struct' 'per-CPU' 'anonymous'; do
	check "there is $what" grep -q "$what" type.txt
done
check "nobody wrote what nobody should" \
	[ -z "$("$xft" dirty t --by type | grep '^!')" ]
# The tables, and the same counted from the list of writes.
slurp=()
for by in write page call type time; do
	"$xft" dirty --json --tracer --by $by t >$by.json
	slurp+=(--slurpfile "$by" "$by.json")
done
"$xft" dirty --json --tracer --once t >once.json
jq -rn "${slurp[@]}" --slurpfile once once.json -f "$top/tests/guest/dirty.jq" ||
	not_ok "the tables of dirty"
in_guest "kill $pid"
"$xft" rm t

# 3. A module has the kernel's memcpy() write to constants and, as who sets probes
# does, to code, in a thread that stops all CPUs; in no call that is traced.
rk=$work/rk kernel=${XFTRACE_KERNEL:-6.1}
mkdir "$rk" && cp "$top"/tests/rootkits/rk{.h,_stub.h,_table.c,_call.c} "$rk"
echo 'obj-m := rk_table.o rk_call.o' >"$rk/Kbuild"
make -s -C "$O/kernels/$kernel/headers" M="$rk" modules >make.log 2>&1 ||
	{ tail make.log; not_ok "modules that write compile"; }
strip -g "$rk"/*.ko
put "$rk/rk_table.ko" /tmp/rk_table.ko
put "$rk/rk_call.ko" /tmp/rk_call.ko
at() { echo "0x\$(grep ' $1\$' /proc/kallsyms | head -n 1 | cut -d' ' -f1)"; }
"$xft" -q on --name wrote --guest "$guest" --dirty sys_finit_module
in_guest "insmod /tmp/rk_table.ko target=$(at sys_call_table) && rmmod rk_table &&
	insmod /tmp/rk_call.ko target=$(at x64_sys_call) \
		callee=$(at __x64_sys_sysinfo) && rmmod rk_call" ||
	not_ok "modules that write load"
"$xft" -q off -o /dev/null
"$xft" check --json wrote >found.json
check "who writes where nobody may: an alarm" [ $? = 1 ]
wrote() { # RULE WHERE
	jq -e --arg r "$1" --arg w "$2" 'any(.findings[]; .rule == $r and
		(.text | contains("wrote to " + $w)) and
		(.text | startswith("memcpy")) and
		(.evidence | .page and .time and .address))' found.json >/dev/null ||
		{ cat found.json; return 1; }
}
check "who wrote to constants" wrote code-written 'system call table'
check "who wrote to code" wrote code-patched 'kernel text x64_sys_call+'
check "loading modules is nothing wrong" [ "$(jq '[.findings[] |
	select(.level == "alarm") | .rule] | unique == ["code-written"]' found.json)" = true ]

# 4. QEMU ends while its pages are recorded.
check "on --dirty" "$xft" -q on --name t --guest "$guest" --dirty sys_read
kill -9 "$(jq .pid "$work/run/guests/$guest/guest.json")"
check "off after QEMU died" "$xft" -q off
check "what was told until then is there" \
	[ "$("$xft" dirty t --json | jq .records)" -gt 0 ]
"$xft" -q guest stop "$guest"

# 5. A plugin that was not told enough is refused, and so is --dirty without it.
so=$O/dirty_tcg.so
refused() { # PATTERN [OPTION] -- QEMU does not start, and the plugin says why
	! timeout 20 qemu-system-x86_64 -accel tcg -display none \
		-plugin "$so${2:+,$2}" 2>stderr.txt && grep -q "$1" stderr.txt
}
check "plugin without a path" refused 'dirty=PATH: is missing'
check "plugin with another option" refused 'colour=red: no such option' colour=red
check "plugin whose file cannot be made" refused 'nowhere/dirty: No such file' \
	dirty=/nowhere/dirty
start_guest "${XFTRACE_KERNEL:-6.1}" --mem 256M || exit
# Where the host's kernel notes what is written, that is taken.
not_started='on --dirty of a guest that was not started so'
if "$xft" on --guest "$guest" --dirty sys_read 2>stderr.txt; then
	check "$not_started" grep -q 'dirty pages: host page tables' stderr.txt
	check 'off of that' "$xft" -q off --guest "$guest"
else
	check "$not_started: the way out" \
		grep -q -- '--dirty: .*guest start --dirty' stderr.txt
fi
fails "on --dirty=often" 2 "--dirty: 'often' is not first, calls or all" \
	"$xft" on --guest "$guest" --dirty=often sys_read
