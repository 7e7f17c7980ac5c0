#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# run.sh -- what xftrace costs, as a table; 'make bench' calls it
#
# The guest's cost is counted, not timed: under QEMU's -icount a nanosecond of
# the guest is an instruction, the same in every run. What the host does is
# timed by the CPU time of the process, so a busy machine does not matter much;
# only lines with "wall" in them are times of a clock. docs/performance.md says
# more. B=cost|on|decode|ring runs only that part.

# shellcheck source=tests/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

bench=$O/bench
missed=0

title() { printf '\n%s\n' "$*"; }

# row WHAT VALUE UNIT [LIMIT [HOW]] -- a line; LIMIT is <=X or >=X
row() {
	local verdict=
	if [ "${4-}" ]; then
		verdict=met
		awk -v v="$2" -v l="${4#??}" -v op="${4%"${4#??}"}" \
			'BEGIN { exit op == "<=" ? v > l : v < l }' ||
			{ verdict=MISSED; missed=$((missed + 1)); }
	fi
	printf '  %-46s %10s %-9s %-9s %s\n' "$1" "$2" "$3" "${4-}" "$verdict"
}

how() { printf '    $ %s\n' "$*"; }

calc() { awk "BEGIN { printf \"$1\", $2 }"; }

# user COMMAND... -- the seconds of user CPU time it took, in $seconds
user() {
	local TIMEFORMAT=%U
	{ time "$@" >/dev/null 2>"$work/user.err"; } 2>"$work/user.time" ||
		{ cat "$work/user.err" >&2; die "failed: $*"; }
	seconds=$(tail -n 1 "$work/user.time")
}

die() { echo "bench: $*" >&2; exit 1; }

build() {
	local f list
	mkdir -p "$bench/floor"
	${CC:-gcc} -O2 -static -o "$bench/calls" "$top/tests/bench/calls.c" ||
		die "calls.c does not compile"
	for f in Kbuild floor.c; do
		ln -sf "$top/tests/bench/floor/$f" "$bench/floor/"
	done
	make -s -C "$O/kernels/6.1/headers" M="$bench/floor" modules \
		>"$work/floor.log" 2>&1 || die "$(cat "$work/floor.log")"
	list=$(ldd /usr/bin/trace-cmd | awk '
		$3 ~ /^\// { print $3 ":" $3 }
		$1 ~ /^\// { print $1 ":" $1 }')
	# shellcheck disable=SC2086 # words
	sh "$top/guest/demo/build.sh" "$O/kernels/6.1" \
		"$O/guest/6.1/xftrace.ko" "$bench/initrd" \
		"$bench/calls:/usr/bin/calls" \
		"$bench/floor/floor.ko:/lib/floor.ko" \
		/usr/bin/trace-cmd:/usr/bin/trace-cmd $list ||
		die "no initramfs"
}

# ---- what a call costs the guest ----

icount_cmd="-accel tcg -icount shift=0,sleep=off -smp 1"

start_icount() {
	ram=/dev/shm/xftrace-bench-$$.ram
	trap 'cleanup; rm -f "$ram"' EXIT
	(
		umask 077
		# shellcheck disable=SC2086 # words
		exec qemu-system-x86_64 -nodefaults -no-user-config \
			-display none -machine q35,memory-backend=ram \
			$icount_cmd -cpu max,-cx16 -m 512M \
			-object "memory-backend-file,id=ram,share=on,size=512M,mem-path=$ram" \
			-qmp "unix:$work/qmp.sock,server=on,wait=off" \
			-chardev "file,id=console,path=$work/console.log" \
			-serial chardev:console -device virtio-serial-pci \
			-chardev "socket,id=agent,server=on,wait=off,path=$work/agent.sock" \
			-device virtserialport,chardev=agent,name=xftrace.agent \
			-kernel "$O/kernels/6.1/vmlinuz" \
			-initrd "$bench/initrd" -append "console=ttyS0 \
			panic=-1 quiet loglevel=5 xft.quiet xft.nomod" \
			>"$work/qemu.log" 2>&1 </dev/null
	) &
	qemu=$!
	until_true 20 test -S "$work/agent.sock" ||
		die "QEMU: $(cat "$work/qemu.log")"
	counted true || die "the counting guest does not come up"
}

counted() { # COMMAND... -- in the counting guest
	timeout 180 bash "$top/guest/demo/run.sh" "$work/agent.sock" "$@"
}

# 256 calls fit between two timer interrupts even when all are traced.
calls() { # read|getppid -- instructions a call, undisturbed
	counted "calls $1 40 256" | cut -d' ' -f1
}

# Calls recorded for one read: those of the most frequent tree.
calls_a_read() {
	awk '/^#/ || !/ calls-/ { next }
		/__x64_sys_read\(\) {/ { if (n) trees[n]++; n = 0 }
		/\(\)/ { n++ }
		END {
			for (n in trees)
				if (trees[n] > trees[best])
					best = n
			print best
		}' "$1"
}

cost() {
	local tracing=/sys/kernel/tracing n
	local read0 read1 ppid1 readf readx ppidx reads ppids readz records bytes

	start_icount
	title "Instructions of the guest: read() of 8 bytes from /dev/zero, Linux" \
		"$(release 6.1)"
	how "qemu-system-x86_64 $icount_cmd ...; in the guest: calls read 40 256"
	read0=$(calls read)
	counted insmod /lib/xftrace.ko
	read1=$(calls read) ppid1=$(calls getppid)

	counted "$(cat <<-'END'
		a() { sed -n "s/^\([0-9a-f]*\) . $1\$/0x\1/p" /proc/kallsyms; }
		insmod /lib/floor.ko attach=$(a register_ftrace_graph) \
			detach=$(a unregister_ftrace_graph) root=$(a __x64_sys_read)
	END
	)" || die "no floor.ko"
	readf=$(calls read)
	counted rmmod floor

	counted "cd $tracing && echo __x64_sys_read >set_graph_function &&
		echo function_graph >current_tracer" || die "no function_graph"
	reads=$(calls read) ppids=$(calls getppid)
	counted "cd $tracing && echo nop >current_tracer && echo >set_graph_function"

	"$xft" -q on --qmp "$work/qmp.sock" \
		--symbols "$O/kernels/6.1/vmlinuz" sys_read || die "no tracing"
	readx=$(calls read) ppidx=$(calls getppid)
	"$xft" -q off -o graph.txt --raw raw.xft || die "no trace"
	readz=$(calls read)
	kill -9 "$qemu"
	wait "$qemu" 2>/dev/null
	rm -f "$ram"

	n=$(calls_a_read graph.txt)
	records=$(sed -n 's/^# totals: .* \([0-9]*\) records.*/\1/p' graph.txt)
	bytes=$(sed -n 's/^# totals: *\([0-9]*\) calls.*/\1/p' graph.txt)
	# Keys, symbols and descriptions lie in the file too: take the rings'.
	bytes=$(calc %.1f "(2 * $bytes * 16 + ($records - 2 * $bytes) * 32 + \
		($records * 16 / 65536 + 1) * 64) / $bytes")

	row "untraced, xftrace.ko not loaded" "$read0" instr.
	row "loaded, tracing off, against not loaded" \
		"$(calc %.2f "100 * ($read1 - $read0) / $read0")" % "<=0.2"
	row "after 'xftrace off', against not loaded" \
		"$(calc %.2f "100 * ($readz - $read0) / $read0")" % "<=0.2"
	row "traced kernel calls in one read()" "$n" calls
	row "hooks that record nothing (floor.ko)" "$readf" instr.
	how "xftrace on --qmp SOCKET --symbols vmlinuz sys_read"
	row "recorded by xftrace" "$readx" instr.
	how "echo __x64_sys_read >set_graph_function; echo function_graph >current_tracer"
	row "recorded by the stock function_graph tracer" "$reads" instr.
	row "a traced call: ftrace's own part (floor)" \
		"$(calc %.0f "($readf - $read0) / $n")" instr.
	row "a traced call: xftrace" \
		"$(calc %.0f "($readx - $read0) / $n")" instr. "<=430"
	row "a traced call: stock function_graph" \
		"$(calc %.0f "($reads - $read0) / $n")" instr.
	row "stock / xftrace" \
		"$(calc %.1f "($reads - $read0) / ($readx - $read0)")" times
	row "ring memory of a traced call" "$bytes" bytes "<=40"
	how "while sys_read is traced, in the guest: calls getppid 40 256"
	row "getppid(), untraced" "$ppid1" instr.
	row "getppid() while xftrace traces sys_read" "$ppidx" instr.
	row "getppid() while function_graph traces it" "$ppids" instr.
}

# ---- on ----

first_record() { # milliseconds since $1 at the first record
	until "$xft" -q status --json 2>/dev/null |
		grep -q '"records": [1-9]'; do
		sleep 0.01
	done
	echo $((($(date +%s%N) - $1) / 1000000)) >first
}

on() {
	local start
	start_guest 6.1 --initrd "$bench/initrd"
	in_guest 'while :; do calls read 1 100 >/dev/null; sleep 0.01; done \
		>/dev/null 2>&1 </dev/null &'
	title "Switching on: wall time, an emulated guest (TCG) with 2 CPUs"
	how "time xftrace on sys_read; xftrace status --json in a loop"
	start=$(date +%s%N)
	first_record "$start" &
	"$xft" -q on sys_read || die "no tracing"
	row "wall time of 'xftrace on'" \
		$((($(date +%s%N) - start) / 1000000)) ms
	until_true 60 test -s first || die "no record in 60 s"
	row "wall time from 'xftrace on' to the first record" "$(cat first)" ms
	start=$(date +%s%N)
	"$xft" -q off -o graph.txt || die "no trace"
	row "wall time of 'xftrace off'" \
		$((($(date +%s%N) - start) / 1000000)) ms
	"$xft" -q guest stop "$guest"
}

# ---- decoding on the host ----

total() { sed -n "s/^# totals: .* \([0-9]*\) $1.*/\1/p" "$2"; }

decode() {
	local records calls lost xft_s dat_s events mb
	start_guest 6.1 --initrd "$bench/initrd" --mem 1G
	in_guest 'cd /tmp; trace-cmd record -q -b 100000 -p function_graph \
		-g __x64_sys_read -o /tmp/trace.dat calls read 1 20000 \
		>/dev/null 2>&1; cat /tmp/trace.dat; rm /tmp/trace.dat' >trace.dat ||
		die "no trace.dat"
	"$xft" -q on --ring-size 64M sys_read || die "no tracing"
	in_guest 'calls read 1 100000 >/dev/null & calls read 1 100000
		wait' >/dev/null
	"$xft" -q off --raw raw.xft -o graph.txt || die "no trace"
	"$xft" -q guest stop "$guest"
	records=$(total records graph.txt)
	calls=$(sed -n 's/^# totals: *\([0-9]*\) calls.*/\1/p' graph.txt)
	lost=$(total lost graph.txt)
	mb=$(calc %.0f "$(stat -c %s graph.txt) / 1000000")
	rm graph.txt

	title "Decoding on the host: $records records ($calls calls, $lost lost)" \
		"into $mb MB of text; user CPU time of one core"
	how "time xftrace report -o /dev/null raw.xft"
	user "$xft" -q report -o /dev/null raw.xft
	xft_s=$seconds
	row "raw trace to text" "$(calc %.2f "$records / $xft_s / 1e6")" \
		"M rec./s" ">=3"
	row "a call to text, xftrace report" \
		"$(calc %.0f "$xft_s / $calls * 1e9")" ns
	how "trace-cmd record -p function_graph -g __x64_sys_read calls read" \
		"1 20000; time trace-cmd report trace.dat"
	user trace-cmd report trace.dat
	dat_s=$seconds
	events=$(trace-cmd report trace.dat 2>/dev/null |
		grep -c 'funcgraph_entry')
	[ "$events" -gt 0 ] || die "trace.dat is empty"
	row "a call to text, trace-cmd report" \
		"$(calc %.0f "$dat_s / $events * 1e9")" ns
	row "trace-cmd / xftrace" \
		"$(calc %.0f "$dat_s / $events / ($xft_s / $calls)")" times ">=20"
}

ring() {
	[ -x "$O/stress/ring_stress" ] || return
	title "Reading a ring: user CPU time of one core"
	how "ring_stress --bench"
	"$O/stress/ring_stress" --bench | sed 's/^/  /'
}

[ -x "$xft" ] || die "$xft is not built: make"
build
for part in ${B:-cost on decode ring}; do
	"$part"
done
echo
[ $missed = 0 ] || die "$missed targets missed"
