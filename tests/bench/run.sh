#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# run.sh -- what xftrace costs, as a table; 'make bench' calls it
#
# The guest's cost is counted, not timed: under QEMU's -icount a nanosecond of
# the guest is an instruction, the same in every run. What the host does is
# timed by the CPU time of the process, so that a busy machine matters less;
# only lines with "wall" in them are times of a clock. docs/performance.md says
# more. B='cost_6.1 cost_6.12 events on decode decode_events ring store
# dirty watch dirty_kvm' chooses parts.

# shellcheck source=tests/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
# shellcheck source=tests/guest/put.sh
. "$top/tests/guest/put.sh"
# shellcheck source=tests/guest/poke.sh
. "$top/tests/guest/poke.sh"

bench=$O/bench
missed=0

die() { echo "bench: $*" >&2; exit 1; }

title() { printf '\n%s\n' "$*"; }
how() { printf '    $ %s\n' "$*"; }

# row WHAT VALUE UNIT [LIMIT] -- a line of the table; LIMIT is <=X or >=X
row() {
	local verdict=
	if [ "${4-}" ]; then
		verdict=met
		if ! awk -v value="$2" -v op="${4%%[0-9]*}" -v limit="${4##*=}" \
			'BEGIN { exit op == "<=" ? value > limit : value < limit }'; then
			verdict=MISSED
			missed=$((missed + 1))
		fi
	fi
	printf '  %-46s %9s %-9s %-7s %s\n' "$1" "$2" "$3" "${4-}" "$verdict"
}

calc() { awk "BEGIN { printf \"$1\", $2 }"; } # FORMAT EXPRESSION

# user COMMAND... -- $seconds is the user CPU time it took, the least of three
user() {
	local TIMEFORMAT=%U
	rm -f took.txt
	for _ in 1 2 3; do
		{ time "$@" >/dev/null 2>error.txt; } 2>>took.txt ||
			die "$*: $(cat error.txt)"
	done
	seconds=$(sort -n took.txt | head -n 1)
}

status() { "$xft" -q status --json | jq "$1"; }
calls_of() { sed -n 's/^# totals: *\([0-9]*\) calls.*/\1/p' "$1"; }
records_of() { sed -n 's/^# totals: .* \([0-9]*\) records.*/\1/p' "$1"; }
lost_of() { sed -n 's/^# totals: .* \([0-9]*\) lost.*/\1/p' "$1"; }

# ---- what the guests need ----

initrd() { # KERNEL SRC:DEST...
	local kernel=$1
	shift
	sh "$top/guest/demo/build.sh" "$O/kernels/$kernel" \
		"$O/guest/$kernel/xftrace.ko" "$bench/initrd-$kernel" \
		"$bench/calls:/usr/bin/calls" "$@" || die "no initramfs"
}

build() {
	local f
	mkdir -p "$bench/floor"
	${CC:-gcc} -O2 -static -o "$bench/calls" "$top/tests/bench/calls.c" ||
		die "calls.c does not compile"
	for f in Kbuild floor.c; do
		ln -sf "$top/tests/bench/floor/$f" "$bench/floor/"
	done
	make -s -C "$O/kernels/6.1/headers" M="$bench/floor" modules \
		>floor.log 2>&1 || die "floor.ko: $(cat floor.log)"
	# shellcheck disable=SC2046 # words
	initrd 6.1 "$bench/floor/floor.ko:/lib/floor.ko" \
		/usr/bin/trace-cmd:/usr/bin/trace-cmd \
		$(ldd /usr/bin/trace-cmd | awk '
			$3 ~ /^\// { print $3 ":" $3 }
			$1 ~ /^\// { print $1 ":" $1 }')
	initrd 6.12
}

# ---- what a call costs the guest ----

icount="-accel tcg -icount shift=0,sleep=off -smp 1"

start_icount() { # KERNEL
	ram=/dev/shm/xftrace-bench-$$.ram
	trap 'cleanup; rm -f "$ram"' EXIT
	(
		umask 077
		# shellcheck disable=SC2086 # words
		exec qemu-system-x86_64 -nodefaults -no-user-config \
			-display none -machine q35,memory-backend=ram \
			$icount -cpu max,-cx16 -m 512M \
			-object "memory-backend-file,id=ram,share=on,size=512M,mem-path=$ram" \
			-qmp "unix:$work/qmp.sock,server=on,wait=off" \
			-chardev "file,id=console,path=$work/console.log" \
			-serial chardev:console -device virtio-serial-pci \
			-chardev "socket,id=agent,server=on,wait=off,path=$work/agent.sock" \
			-device virtserialport,chardev=agent,name=xftrace.agent \
			-kernel "$O/kernels/$1/vmlinuz" \
			-initrd "$bench/initrd-$1" -append "console=ttyS0 \
			panic=-1 quiet loglevel=5 xft.quiet xft.nomod" \
			>"$work/qemu.log" 2>&1 </dev/null
	) &
	qemu=$!
	until_true 20 test -S agent.sock || die "QEMU: $(cat qemu.log)"
	counted true || die "the guest does not come up: $(cat console.log)"
}

stop_icount() {
	kill -9 "$qemu"
	wait "$qemu" 2>/dev/null
	rm -f "$ram" agent.sock qmp.sock
}

counted() { # COMMAND... -- in the guest whose instructions are counted
	timeout 180 bash "$top/guest/demo/run.sh" agent.sock "$@"
}

# 128 calls fit between two timer interrupts even when all are traced.
calls() { # read|getppid -- instructions a call, undisturbed
	counted "calls $1 80 128" | cut -d' ' -f1
}

# The least of the rounds is one without an interrupt, in which streams that the
# poll thread has made are enough; the mean has its part in it, as it has to
# share the only processor.
calls_pooled() { counted "calls $1 320 32"; } # read|getppid -- LEAST MEAN

# How many calls one read is: those of the most frequent tree.
calls_a_read() { # GRAPH
	awk '/^#/ || !/ calls-/ { next }
		/__x64_sys_read\(.*\) {/ { if (n) trees[n]++; n = 0 }
		/\(.*\)(;| {)/ { n++ }
		END {
			for (n in trees)
				if (trees[n] > trees[best])
					best = n
			print best
		}' "$1"
}

tracing=/sys/kernel/tracing
stock_on="echo __x64_sys_read >set_graph_function; echo function_graph >current_tracer"
stock_off="echo nop >current_tracer; echo >set_graph_function"
# shellcheck disable=SC2016 # for the guest's shell
floor_on='
	a() { sed -n "s/^\([0-9a-f]*\) . $1\$/0x\1/p" /proc/kallsyms; }
	insmod /lib/floor.ko attach=$(a register_ftrace_graph) \
		detach=$(a unregister_ftrace_graph) root=$(a __x64_sys_read)'

cost() { # KERNEL [LIMIT]
	local kernel=$1 limit=${2-} n bytes
	local read0 read1 ppid1 readf readx reada ppidx reads ppids readz
	local mean0 means sealed

	start_icount "$kernel"
	title "Instructions in the guest: read() of 8 bytes from /dev/zero," \
		"Linux $(release "$kernel")"
	how "qemu-system-x86_64 $icount ...; in the guest: calls read 80 128"
	read0=$(calls read) mean0=$(calls_pooled read)
	counted insmod /lib/xftrace.ko || die "no xftrace.ko"
	read1=$(calls read) ppid1=$(calls getppid)

	if counted test -e /lib/floor.ko; then
		counted "$floor_on" || die "no floor.ko"
		readf=$(calls read)
		counted rmmod floor
	fi

	counted "cd $tracing && { $stock_on; }" || die "no function_graph"
	reads=$(calls read) ppids=$(calls getppid) means=$(calls_pooled read)
	counted "cd $tracing && { $stock_off; }"

	"$xft" -q on --qmp qmp.sock --symbols "$O/kernels/$kernel/vmlinuz" \
		--mask=xor --no-args sys_read || die "no tracing"
	status '.trace_bytes, .records' >bytes
	readx=$(calls read)
	sleep 0.5
	status '.trace_bytes, .records' >>bytes
	bytes=$(paste -s bytes | awk '{ printf "%.1f", ($3 - $1) / ($4 - $2) * 2 }')
	ppidx=$(calls getppid)
	"$xft" -q off -o graph.txt || die "no trace"
	"$xft" -q on --qmp qmp.sock --symbols "$O/kernels/$kernel/vmlinuz" \
		--mask=xor sys_read || die "no tracing"
	reada=$(calls read)
	"$xft" -q off -o graph.txt || die "no trace"
	readz=$(calls read)
	"$xft" -q on --qmp qmp.sock --symbols "$O/kernels/$kernel/vmlinuz" \
		--no-args sys_read || die "no tracing"
	sealed=$(calls_pooled read)
	"$xft" -q off -o graph.txt || die "no trace"
	stop_icount
	n=$(calls_a_read graph.txt)

	row "untraced, xftrace.ko not loaded" "$read0" instr.
	row "loaded, tracing off, against not loaded" \
		"$(calc %.2f "100 * ($read1 - $read0) / $read0")" % "<=0.2"
	row "after 'xftrace off', against not loaded" \
		"$(calc %.2f "100 * ($readz - $read0) / $read0")" % "<=0.2"
	row "traced kernel calls in one read()" "$n" calls
	how "xftrace on --qmp SOCKET --symbols vmlinuz --mask=xor --no-args sys_read"
	row "recorded by xftrace" "$readx" instr.
	how "$stock_on"
	row "recorded by the stock function_graph tracer" "$reads" instr.
	[ -z "${readf-}" ] ||
		row "hooks that record nothing (floor.ko)" "$readf" instr.
	row "a traced call: xftrace" \
		"$(calc %.0f "($readx - $read0) / $n")" instr. "$limit"
	how "xftrace on ... --no-args sys_read, that is sealed; in the guest:" \
		"calls read 320 32"
	row "a traced call: xftrace, sealed, in the hook" \
		"$(calc %.0f "(${sealed% *} - $read0) / $n")" instr. \
		"<=$(calc %.0f "($reads - $read0) / $n")"
	row "sealed / xor" \
		"$(calc %.2f "(${sealed% *} - $read0) / ($readx - $read0)")" \
		times "<=2.0"
	row "the same, poll thread and interrupts included" \
		"$(calc %.0f "(${sealed#* } - ${mean0#* }) / $n")" instr. \
		"<=$(calc %.0f "(${means#* } - ${mean0#* }) / $n")"
	how "xftrace on ... --mask=xor sys_read, without --no-args"
	row "a system call's arguments and result" \
		"$(calc %.0f "$reada - $readx")" instr.
	row "a traced call: stock function_graph" \
		"$(calc %.0f "($reads - $read0) / $n")" instr.
	[ -z "${readf-}" ] ||
		row "a traced call: ftrace's own part of both" \
			"$(calc %.0f "($readf - $read0) / $n")" instr.
	row "stock / xftrace" \
		"$(calc %.1f "($reads - $read0) / ($readx - $read0)")" times
	how "while sys_read is traced, in the guest: calls getppid 80 128"
	row "getppid(), untraced" "$ppid1" instr.
	row "getppid() while xftrace traces sys_read" "$ppidx" instr.
	row "getppid() while function_graph traces it" "$ppids" instr.
	how "xftrace status --json, before and after: trace_bytes, records"
	row "stored for a traced call, headers and all" "$bytes" bytes "<=40"
}

cost_6.1() { cost 6.1 "<=430"; }
cost_6.12() { cost 6.12; }

# ---- what an event costs the guest ----

stock_events() { # VALUE
	counted "cd $tracing/events/syscalls && for e in sys_enter_read \
		sys_exit_read sys_enter_getppid sys_exit_getppid; do
			echo $1 >\$e/enable
		done"
}

events() {
	local read0 reads readx ppid0 ppids ppidx
	start_icount 6.1
	title "Instructions in the guest: system calls with their two events," \
		"Linux $(release 6.1)"
	read0=$(calls read) ppid0=$(calls getppid)
	stock_events 1
	reads=$(calls read) ppids=$(calls getppid)
	stock_events 0
	counted insmod /lib/xftrace.ko || die "no xftrace.ko"
	"$xft" -q on --qmp qmp.sock --symbols "$O/kernels/6.1/vmlinuz" \
		--mask=xor -e 'syscalls:sys_*_read' \
		-e 'syscalls:sys_*_getppid' || die "no tracing"
	readx=$(calls read) ppidx=$(calls getppid)
	"$xft" -q off -o graph.txt || die "no trace"
	stop_icount

	row "getppid(), untraced" "$ppid0" instr.
	how "echo 1 >events/syscalls/sys_{enter,exit}_getppid/enable"
	row "a stock event of getppid()" \
		"$(calc %.0f "($ppids - $ppid0) / 2")" instr.
	row "a stock event of read()" \
		"$(calc %.0f "($reads - $read0) / 2")" instr.
	how "xftrace on --mask=xor -e 'syscalls:sys_*_getppid', and of read"
	row "an event of getppid() through xftrace" \
		"$(calc %.0f "($ppidx - $ppid0) / 2")" instr.
	row "an event of read() through xftrace" \
		"$(calc %.0f "($readx - $read0) / 2")" instr.
	row "xftrace / stock" \
		"$(calc %.2f "($readx + $ppidx - $read0 - $ppid0) / \
			($reads + $ppids - $read0 - $ppid0)")" times "<=1.15"
}

# ---- switching on ----

ms_since() { echo $((($(date +%s%N) - $1) / 1000000)); }

first_record() { # START
	until [ "$(status .records 2>/dev/null || echo 0)" -gt 0 ]; do
		sleep 0.01
	done 2>/dev/null
	ms_since "$1" >first
}

on() {
	local start
	start_guest 6.1 --initrd "$bench/initrd-6.1"
	in_guest 'while :; do calls read 1 100; sleep 0.01; done \
		>/dev/null 2>&1 </dev/null &'
	title "Switching on: a guest under TCG with 2 CPUs that reads now and then"
	how "time xftrace on sys_read; xftrace status --json in a loop"
	start=$(date +%s%N)
	first_record "$start" &
	"$xft" -q on sys_read || die "no tracing"
	row "'xftrace on', wall time" "$(ms_since "$start")" ms
	until_true 60 test -s first || die "no record in 60 s"
	row "until the first record, wall time" "$(cat first)" ms
	start=$(date +%s%N)
	"$xft" -q off -o graph.txt || die "no trace"
	row "'xftrace off', wall time" "$(ms_since "$start")" ms
	"$xft" -q guest stop "$guest"
}

# ---- recording and decoding on the host ----

# What the recorder has beside the guest's RAM: its own, and of files.
recorder_mb() {
	local pid
	pid=$(jq .pid "$XFTRACE_RUNTIME/rec/$guest/recorder.json")
	awk '/^Rss(Anon|File):/ { kb += $2 } END { printf "%.1f", kb / 1024 }' \
		"/proc/$pid/status"
}

decode() {
	local before after mb records calls events xft_s dat_s ns dat_ns
	start_guest 6.1 --initrd "$bench/initrd-6.1" --mem 1G
	in_guest 'cd /tmp && trace-cmd record -q -b 100000 -p function_graph \
		-g __x64_sys_read calls read 1 20000 >/dev/null 2>&1 &&
		cat trace.dat && rm trace.dat' >trace.dat || die "no trace.dat"
	# What trace-cmd has no word for would not be compared with anything.
	"$xft" -q on --mask=xor --ring-size 64M --no-args sys_read || die "no tracing"
	before=$(recorder_mb)
	in_guest 'calls read 1 100000 & calls read 1 100000; wait' >/dev/null
	after=$(recorder_mb) mb=$(calc %.0f "$(status .trace_bytes) / 1e6")
	"$xft" -q off -o graph.txt || die "no trace"
	"$xft" -q guest stop "$guest"

	title "The recorder's memory, without the guest's rings"
	how "grep Rss /proc/PID/status"
	row "before the first record" "$before" MiB
	row "after $mb MB of trace" "$after" MiB
	row "more than before" "$(calc %.1f "$after - $before")" MiB "<=32"
	records=$(records_of graph.txt) calls=$(calls_of graph.txt)

	title "Decoding on the host, user CPU time, least of 3:" \
		"$records records, $(lost_of graph.txt) lost;" \
		"$(calc %.0f "$(stat -c %s graph.txt) / 1e6") MB of text"
	rm graph.txt
	how "time xftrace report -o /dev/null"
	user "$xft" -q report -o /dev/null
	xft_s=$seconds
	ns=$(calc %.0f "$xft_s / $calls * 1e9")
	row "raw trace to text" "$(calc %.1f "$records / $xft_s / 1e6")" \
		"M rec./s" ">=3"
	how "trace-cmd record -p function_graph -g __x64_sys_read calls read" \
		"1 20000; time trace-cmd report"
	user trace-cmd report trace.dat
	dat_s=$seconds
	events=$(trace-cmd report trace.dat 2>/dev/null | grep -c funcgraph_entry)
	[ "$events" -gt 0 ] || die "trace.dat is empty"
	dat_ns=$(calc %.0f "$dat_s / $events * 1e9")
	row "a call to text, xftrace report" "$ns" ns
	row "a call to text, trace-cmd report" "$dat_ns" ns
	row "trace-cmd / xftrace" "$(calc %.1f "$dat_ns / $ns")" times ">=20"
}

# The very same events, as both tools read them.
decode_events() {
	local events xft_s dat_s
	start_guest 6.1 --initrd "$bench/initrd-6.1" --mem 1G
	"$xft" -q on --mask=xor --name events --ring-size 64M -e 'syscalls:*' \
		-e 'sched:*' -e 'kmem:*' -e 'timer:*' || die "no tracing"
	# shellcheck disable=SC2016 # the guest's
	in_guest 'for i in $(seq 160); do ls -lR /usr/bin; done >/dev/null
		calls read 1 20000' >/dev/null
	"$xft" -q off -o graph.txt || die "no trace"
	"$xft" -q export events raw.xft || die "no trace"
	"$xft" -q guest stop "$guest"
	"$xft" -q report --format dat -o events.dat raw.xft || die "no dat"
	events=$(sed -n 's/^# totals: .* \([0-9]*\) events.*/\1/p' graph.txt)

	title "Decoding trace events on the host, user CPU time, least of 3:" \
		"$events events of $(sed -n 's/.*|  *\/\* \([a-z_0-9]*\): .*/\1/p' \
			graph.txt | sort -u | wc -l) kinds, $(lost_of graph.txt) lost"
	how "time xftrace report -o /dev/null raw.xft"
	user "$xft" -q report -o /dev/null raw.xft
	xft_s=$seconds
	how "xftrace report --format dat -o events.dat raw.xft;" \
		"time trace-cmd report events.dat"
	user trace-cmd report events.dat
	dat_s=$seconds
	row "an event to text, xftrace report" \
		"$(calc %.0f "$xft_s / $events * 1e9")" ns
	row "an event to text, trace-cmd report" \
		"$(calc %.0f "$dat_s / $events * 1e9")" ns
	row "trace-cmd / xftrace" "$(calc %.1f "$dat_s / $xft_s")" times ">=10"
	rm graph.txt raw.xft events.dat
}

ring() {
	[ -x "$O/stress/ring_stress" ] || return 0
	title "Reading rings on the host"
	how "ring_stress --bench"
	"$O/stress/ring_stress" --bench | sed 's/^/  /'
	how "ring_stress --seal"
	"$O/stress/ring_stress" --seal >seal || die "ring_stress"
	row "a record, written and sealed in plain C, CPU time" \
		"$(sed -n 's/^sealed_ns //p' seal)" ns "<=35"
	row "... with its words of the stream made before" \
		"$(sed -n 's/^pooled_ns //p' seal)" ns
	row "a record, written with xor" "$(sed -n 's/^xor_ns //p' seal)" ns
	row "sealed records copied and verified" \
		"$(sed -n 's/^verified_millions //p' seal)" "M rec./s" ">=10"
}

# ---- the store ----

store() {
	local b=$O/stress/store_bench at=$work/store
	[ -x "$b" ] || return 0
	value() { sed -n "s/^$1 //p" figures; }
	title "The store, processor time of one thread, best of 7"
	how "store_bench append FILE"
	"$b" append "$at" >figures || die "store_bench"
	row "append and commit 64 KiB" "$(value append_gbs)" GB/s
	row "memcpy() of 64 KiB to the same places" "$(value memcpy_gbs)" GB/s
	row "append / memcpy()" "$(value ratio_percent)" % ">=70"
	how "store_bench transfer FILE"
	"$b" transfer "$at" >figures || die "store_bench"
	row "1 GiB from rings into the store" "$(value transfer_s)" s "<=0.327"
	row "the same, into a file's pages for the first time" \
		"$(value fresh_s)" s
	row "the LVisor paper, from guest to host" 0.327 s
	how "store_bench open FILE"
	"$b" open "/dev/shm/xftrace-bench-$$.store" >figures || die "store_bench"
	row "open a store with 10,000 traces, list them" "$(value open_ms)" ms "<=50"
	sweep "$b" "$at"
}

# As a table, and as a picture in the folder of the benchmarks.
sweep() { # STORE_BENCH FILE
	local at=$bench/store-sweep block read write append
	how "store_bench sweep FILE: 16 MiB in blocks; GB/s; a picture of it is" \
		"in $at.svg"
	"$1" sweep "$2" >"$at.txt" || die "store_bench"
	printf '  %10s %12s %16s %16s\n' "block" "read" "into the store" appended
	while read -r block read write append; do
		printf '  %8s B %12s %16s %16s\n' "$block" "$read" "$write" "$append"
	done <"$at.txt"
	awk -f "$top/tests/bench/sweep.awk" "$at.txt" >"$at.svg" ||
		die "no picture"
}

# Processor time of QEMU for the loop, in ticks; the least of three.
stores() {
	local i stat before
	stat=/proc/$(jq .pid "$work/run/guests/$guest/guest.json")/stat
	for ((i = 0; i < 3; i++)); do
		before=$(awk '{ print $14 + $15 }' "$stat")
		in_guest /tmp/stores || die "stores"
		awk -v before="$before" '{ print $14 + $15 - before }' "$stat"
	done | sort -n | head -n 1
}

dirty() {
	local plain idle first calls
	${CC:-gcc} -O1 -static -s -o "$bench/stores" \
		"$top/tests/bench/stores.c" || die "stores.c does not compile"
	title "Writing memory under QEMU's emulator: CPU time of QEMU, least of 3"
	how "/tmp/stores, in the guest: 320 M stores to 4 MiB"
	start_guest 6.1
	put "$bench/stores" /tmp/stores
	plain=$(stores)
	"$xft" -q guest stop "$guest"
	start_guest 6.1 --dirty
	put "$bench/stores" /tmp/stores
	idle=$(stores)
	"$xft" -q on --dirty=first sys_getppid || die "no tracing"
	first=$(stores)
	"$xft" -q off -o /dev/null
	"$xft" -q on --dirty=calls sys_getppid || die "no tracing"
	calls=$(stores)
	"$xft" -q off -o /dev/null
	"$xft" -q guest stop "$guest"
	row "without the plugin" "$(calc %.2f "$plain / 33.5544320")" "ns/store"
	row "with it, not recording / without" \
		"$(calc %.2f "$idle / $plain")" times
	row "--dirty=first / without" "$(calc %.2f "$first / $plain")" times "<=2.5"
	row "--dirty=calls / without" "$(calc %.2f "$calls / $plain")" times "<=2.5"

	title "10 million pages joined with 10 million calls, user CPU time"
	how "dirty_bench 10000000"
	"$O/stress/dirty_bench" 10000000 >figures || die "dirty_bench"
	value() { sed -n "s/^$1 //p" figures; }
	row "drawn as text" "$(value text_s)" s "<=10"
	row "counted by call" "$(value table_s)" s "<=10"
	row "memory that drawing took more" "$(value text_mb)" MiB "<=32"
}

# ---- looking at a guest ----

# watched SECONDS -- $share: % of a processor that watch takes; $memory: MiB, its own
watched() {
	local TIMEFORMAT='%U %S' watcher
	{
		time timeout -s INT "$1" "$xft" -q watch --guest "$guest" >changes
	} 2>took.txt &
	sleep $(($1 - 1))
	watcher=$(pgrep -f "^$xft -q watch --guest $guest\$")
	memory=$(awk '/^RssAnon/ { print int($2 / 1024) }' "/proc/$watcher/status")
	wait $!
	share=$(awk -v s="$1" '{ printf "%.1f", 100 * ($1 + $2) / s }' took.txt)
}

watch() {
	local once circle resets
	title "Looking at a guest of 512 MiB, CPU time"
	start_guest 6.1
	how "xftrace check --live"
	user "$xft" check --live --guest "$guest"
	row "a check" "$seconds" s "<=1"
	how "xftrace watch --count 1; xftrace watch -i 100ms --count 21"
	user "$xft" watch --guest "$guest" --count 1
	once=$seconds
	user "$xft" watch --guest "$guest" -i 100ms --count 21
	row "a look of watch" "$(calc %.1f "($seconds - $once) * 50")" ms "<=50"
	how "xftrace watch, for 20 s"
	watched 20
	row "one look a second" "$share" % "<=10"
	row "memory" "$memory" MiB "<=128"

	# The guest's own list of modules leads from its head into its head.
	circle=$(printf %016x $((0x$(symbol modules) + 8)))
	poke modules "$circle" >/dev/null
	poke modules+8 "$circle" >/dev/null
	watched 20
	grep -q cannot-tell changes || die "a list in a circle: $(cat changes)"
	row "a list in a circle" "$share" % "<=20"
	row "memory" "$memory" MiB "<=128"
	while sleep 0.5; do
		echo '{"execute":"qmp_capabilities"}{"execute":"system_reset"}' |
			socat -t 1 STDIO "UNIX-CONNECT:run/guests/$guest/qmp.sock" \
			>/dev/null 2>&1
	done &
	resets=$!
	watched 20
	kill $resets
	row "reset again and again" "$share" % "<=20"
	row "memory" "$memory" MiB "<=128"
	"$xft" -q guest stop "$guest"
}

# ---- dirty pages from KVM ----

dirty_kvm() {
	local b=$O/stress/dirty_vmm
	title "Dirty pages from this machine's KVM, wall time of the harvest"
	if ! "$b" works >works.txt 2>&1; then
		echo "  skipped: no KVM here that runs a guest: $(head -n 1 works.txt)"
		return
	fi
	value() { "$b" "$O/dirty_kvm.so" "$1" bench | sed -n 's/^pages_per_s //p'; }
	how "dirty_vmm dirty_kvm.so 4096 bench; dirty_vmm dirty_kvm.so 0 bench"
	row "dirty rings" "$(value 4096)" pages/s
	row "dirty bitmap" "$(value 0)" pages/s
}

[ -x "$xft" ] || die "$xft is not built: make"
build
for part in ${B:-cost_6.1 cost_6.12 events on decode decode_events ring store \
	dirty watch dirty_kvm}; do
	"$part"
done
echo
[ $missed = 0 ] || die "$missed targets missed"
