#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# takes: 130 s
#
# One raw trace, drawn as text and as trace.dat: trace-cmd and KernelShark's
# library find in the latter what the former says, record by record.
# shellcheck source-path=SCRIPTDIR source=../lib.sh
. "$(dirname "$0")/../lib.sh"

# What each CPU did, a line a record: "CPU PID E function", "CPU PID X",
# "CPU PID event: text", "CPU LOST number".
from_text() { # FILE
	sed -nE 's/^# CPU ([0-9]+): LOST ([0-9]+) RECORDS$/\1 LOST \2/p
		s/^ *[0-9.]+ \| *([0-9]+)\)  .*-([0-9]+) +\|[^|]*\| +(.*)$/\1 \2 \3/p' \
		"$1" | awk '
		$2 == "LOST" { print; next }
		{
			cpu = $1; pid = $2
			sub(/^[0-9]+ [0-9]+ /, "")
		}
		/^\/\* / {
			gsub(/^\/\* | *\*\/$/, "")
			print cpu, pid, $0
			next
		}
		/^(=+>|<=+) \|/ { next }
		# Nobody recorded these returns.
		/^} \/\* .*(still open at the end|among lost records)/ { next }
		/^}/ { print cpu, pid, "X"; next }
		{
			sub(/ \/\* (from|\?) .*\*\/$/, "")
			leaf = /;$/
			sub(/[ (].*/, "")
			print cpu, pid, "E", $0
			if (leaf)
				print cpu, pid, "X"
		}' | by_cpu
}

from_dat() { # FILE
	# Without plugins, which print events otherwise than their formats say.
	# From 3.3 on there are flags between the CPU and the time.
	local head='^ *.*-([0-9]+) +\[0*([0-9]+)\] +([^ ]+ +)?[0-9.]+:'
	trace-cmd report -N -i "$1" 2>>complaints | sed -nE "
		s/^CPU:([0-9]+) \[([0-9]+) EVENTS DROPPED\]\$/\1 LOST \2/p
		s/$head funcgraph_entry: +--> ([^ ]+) .*/\2 \1 E \4/p
		t
		s/$head funcgraph_exit: .*/\2 \1 X/p
		t
		s/$head ([a-z0-9_]+): *(.*)\$/\2 \1 \4: \5/p" | by_cpu
}

by_cpu() { sed -E 's/ +$//' | sort -s -n -k1,1; }

same() { # TEXT DAT LEAST -- and at least so many records
	local nr
	: >complaints
	from_text "$1" >text.records
	from_dat "$2" >dat.records
	nr=$(wc -l <dat.records)
	[ ! -s complaints ] || { cat complaints; return 1; }
	cmp -s text.records dat.records && [ "$nr" -ge "$3" ] && return
	diff text.records dat.records | head -n 20
	echo "$nr records"
	return 1
}

count() { sort | uniq -c | awk '{ print $2, $3, $1 }' | LC_ALL=C sort; }

# Entries of each event and calls of each function, in KernelShark.
kshark_counts() { # DAT
	./load "$1" >kshark 2>kshark.err || { cat kshark.err; return 1; }
	[ ! -s kshark.err ] || { cat kshark.err; return 1; }
	{
		awk '$2 == "LOST" { print "event missed_events" }
			$3 == "E" { print "event funcgraph_entry"; print "call", $4 }
			$3 == "X" { print "event funcgraph_exit" }
			$3 ~ /:$/ { sub(/:/, "", $3); print "event", $3 }' \
			text.records
	} | count >want
	grep -E '^(event|call)' kshark | sed 's, [a-z_]*/, ,' |
		LC_ALL=C sort >have
	diff want have | head -n 20
	cmp -s want have
}
kshark_tasks() { # TEXT -- the last name of each
	sed -nE 's/^ *[0-9.]+ \| *[0-9]+\)  (.*)-([0-9]+) +\|.*/\2 \1/p' "$1" |
		awk '$1 { name[$1] = $0 }
			END { for (pid in name) print "task", name[pid] }' |
		sed 's/ *$//' | LC_ALL=C sort >want
	grep '^task [1-9]' kshark | sed 's/ *$//' | LC_ALL=C sort >have
	diff want have
}
has_kshark() { pkg-config --exists libkshark; }
compile() {
	# shellcheck disable=SC2046 # words
	${CC:-gcc} -D_GNU_SOURCE -o load "$top/tests/kshark/load.c" \
		$(pkg-config --cflags --libs libkshark)
}

quiet_report() { # FILE OPTION... -- trace-cmd has nothing to say against it
	local file=$1
	shift
	trace-cmd report "$@" -i "$file" >report 2>complaints &&
		[ ! -s complaints ] && [ "$(wc -l <report)" -gt 1 ]
}
draws() { # RAW NAME
	"$xft" -q report "$1" -o "$2.txt" &&
		"$xft" -q report "$1" --format dat -o "$2.dat"
}
# A comparison that nothing fails proves nothing.
notices() { # TEXT DAT
	awk '/\(\);$/ && !n++ { next } { print }' "$1" >wrong
	! same wrong "$2" 1 >/dev/null
}
# What the guest itself says of its graph tracer's records is in the file.
guests_own() {
	local name format
	for name in funcgraph_entry funcgraph_exit; do
		format=$(in_guest "cat /sys/kernel/tracing/events/ftrace/$name/format")
		[ "$(grep -a -A 1 "name: $name\$" one.dat | sed -n 's/^ID: //p')" = \
			"$(sed -n 's/^ID: //p' <<<"$format")" ] &&
			grep -qaF "$(grep rettime: <<<"$format")" one.dat || return
	done
}
recorder_pid() { jq .pid run/rec/*/recorder.json; }
counts_agree() { # TEXT DAT... -- the header's totals are what is in the files
	local text=$1 dat
	shift
	for dat; do trace-cmd report -R -i "$dat"; done 2>complaints >report
	[ ! -s complaints ] &&
		[ "$(grep -c funcgraph_entry: report)" = \
			"$(sed -n 's/^# totals: *\([0-9]*\) calls.*/\1/p' "$text" |
				awk '{ n += $1 } END { print n }')" ]
}
nothing_left() { [ "$(ls)" = "$(cat before)" ]; }

if has_kshark; then
	check "a program with KernelShark's library" compile
else
	skip "KernelShark's library: libkshark-dev is not installed"
fi

for kernel in 6.1 6.12; do
	start_guest "$kernel" --cpus 2
	"$xft" -q on --name "first-$kernel" sys_openat sys_read -e 'sched:*' \
		-e 'syscalls:*'
	in_guest 'cat /proc/self/status >/dev/null; ls -l /sys/kernel | wc -l;
		sleep 0.3 & (cat /etc/passwd | wc); wait' >/dev/null
	check "$kernel: off" "$xft" -q off -o first.txt
	rm -f raw && "$xft" -q export "first-$kernel" raw
	check "$kernel: text and trace.dat" draws raw one
	check "$kernel: the text is the same" cmp first.txt one.txt
	check "$kernel: trace-cmd finds the same" same one.txt one.dat 2000
	check "$kernel: a missing call is noticed" notices one.txt one.dat
	check "$kernel: trace-cmd, as people call it" quiet_report one.dat
	check "$kernel: trace-cmd, raw" quiet_report one.dat -R
	check "$kernel: trace-cmd, latency format" quiet_report one.dat -l
	check "$kernel: trace-cmd, statistics" quiet_report one.dat --stat
	check "$kernel: by a pipe" cmp one.dat \
		<("$xft" -q report raw --format dat)
	check "$kernel: the kernel's own description of calls" guests_own
	if has_kshark; then
		same one.txt one.dat 1 >/dev/null
		check "$kernel: KernelShark finds as many" kshark_counts one.dat
		check "$kernel: KernelShark names the tasks" kshark_tasks one.txt
	fi

	# The recorder sleeps while the guest overwrites its small rings.
	"$xft" -q on --name "lost-$kernel" --ring-size 64K 'vfs_*' -e 'sched:*'
	in_guest 'cat /etc/passwd >/dev/null'
	pid=$(recorder_pid)
	kill -STOP "$pid"
	in_guest 'i=0; while [ $i -lt 200 ]; do cat /proc/self/maps; i=$((i+1));
		done >/dev/null & dd if=/dev/zero of=/dev/null bs=1 count=2000 2>&1;
		wait' >/dev/null
	kill -CONT "$pid"
	in_guest 'cat /etc/passwd >/dev/null'
	check "$kernel: losses: off" "$xft" -q off --format dat
	rm -f raw && "$xft" -q export "lost-$kernel" raw
	check "$kernel: losses: text and trace.dat" draws raw lost
	check "$kernel: losses: off wrote trace.dat" cmp trace.dat lost.dat
	check "$kernel: losses: there are some" grep -q '^# CPU.*LOST' lost.txt
	check "$kernel: losses: trace-cmd finds the same" same lost.txt lost.dat 500
	if has_kshark; then
		check "$kernel: losses: KernelShark finds as many" \
			kshark_counts lost.dat
	fi

	[ "$kernel" = 6.1 ] || { "$xft" -q guest stop "$guest"; continue; }
	# A module that is loaded again has other addresses: a file of its own.
	few_hooks '*open*'
	"$xft" -q on --name two sys_openat
	in_guest 'cat /etc/passwd >/dev/null; rmmod xftrace;
		insmod /lib/xftrace.ko'
	until_true 60 eval \
		'[ "$("$xft" status --json | jq ".[0].session")" -ge 2 ]'
	in_guest 'cat /etc/passwd >/dev/null'
	check "$kernel: two starts: off" "$xft" -q off --format dat -o two.dat
	rm -f raw && "$xft" -q export two raw
	check "$kernel: two starts: text" "$xft" -q report raw -o two.txt
	check "$kernel: two starts: two files" counts_agree two.txt two.dat \
		two.2.dat
	fails "$kernel: two starts: one pipe" 1 'a file of its own: say -o' \
		"$xft" report raw --format dat
	"$xft" -q guest stop "$guest"
done

rm -f stdout.txt stderr.txt
ls >before
fails "no such format" 2 "there is no 'nonsense', but text, dat" \
	"$xft" report raw --format nonsense
fails "no such format, off" 2 "there is no 'nonsense', but text, dat" \
	"$xft" off --format nonsense
fails "the disk is full" 1 'No space left' \
	"$xft" -q report raw --format dat -o /dev/full
fails "no such folder" 1 'nonesuch/x.dat' \
	"$xft" -q report raw --format dat -o nonesuch/x.dat
rm -f stdout.txt stderr.txt
check "failures leave nothing behind" nothing_left
