#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# takes: 90 s
#
# What a program is known to have done is what the trace holds, call by call;
# and where a ring was too small, what is missing is counted to the record.
#
# XFTRACE_READS is the greatest number of reads (100000).
# shellcheck source-path=SCRIPTDIR source=../lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source-path=SCRIPTDIR source=put.sh
. "$top/tests/guest/put.sh"

# The guest's memory file, as QEMU was told.
ram() {
	tr "\0" "\n" <"/proc/$(jq .pid "$work/run/guests/$guest/guest.json")/cmdline" |
		sed -n "s/.*mem-path=//p"
}

${CC:-gcc} -O2 -I"$top/abi" -I"$top/guest" -o produced \
	"$top/tests/guest/produced.c" || not_ok "produced.c compiles"

# Per ring: what the guest says that it wrote; what the recorder says that it
# has and that it lost. The guest is at rest, so they come to agree.
agree() {
	"$xft" status --guest "$guest" --json >status.json &&
		jq -r '.rings[] | "\(.cpu) \(.kind) \(.records + .lost)"' \
			status.json >accounted &&
		./produced "$(ram)" "$(jq -r .mask status.json)" >produced.txt && cmp accounted produced.txt
}

accounted() {
	until_true 60 agree && return
	diff accounted produced.txt
	return 1
}

produced() { awk '{ n += $3 } END { print n + 0 }' produced.txt; }

total() { # FILE records|lost -- the number before that word in the header
	sed -n "s/^# totals:.* \([0-9]*\) $2.*/\1/p;/^[^#]/q" "$1"
}

# Switching to another task when the scheduler asks for it is no part of it.
trees() { # FILE -- the program's distinct trees with their numbers
	awk -v comm=work -v below=__cond_resched -v trees=1 \
		-f "$top/tests/guest/tree.awk" "$1"
}

lost_by_cpu() { # FILE -- what its lines say
	awk '/^# CPU .*: LOST/ { lost[$3 + 0] += $5 }
		END { for (c in lost) print c, lost[c] }' "$1" | sort
}

# The header, the guest, and the lines where records are missing.
header_sums_up() { # FILE
	lost_by_cpu "$1" >lost.lines
	[ $(($(total "$1" records) + $(total "$1" lost))) = "$(produced)" ] &&
		[ "$(awk '{ n += $2 } END { print n + 0 }' lost.lines)" = \
			"$(total "$1" lost)" ]
}

# Were there two records for each call of so many reads, or more? Interrupts and
# names of tasks may add to that.
at_least() { [ "$(produced)" -ge $((2 * $1 * $(tr ';' '\n' <one | wc -l))) ]; }

# One tree and no other, N times; the same as when it was but one.
n_trees() { # FILE N
	trees "$1" >distinct
	[ "$2" != 1 ] || cut -d' ' -f2- distinct >one
	[ "$(cat distinct)" = "$2 $(cat one)" ] || { cut -c1-500 distinct; return 1; }
}

reads() { # NAME N
	check "$1 on" "$xft" -q on sys_read
	check "$1 the program runs" in_guest "/tmp/work read $2"
	check "$1 had + lost = written, ring by ring" accounted
	check "$1 off" "$xft" -q off -o graph
	check "$1 header and LOST lines say so, too" header_sums_up graph
	# A ring holds more than 1000 reads: those cannot overrun it. Where a
	# busy host was too slow for more, the loss makes up for what is missing.
	if [ "$2" -le 1000 ] || [ "$(total graph lost)" = 0 ]; then
		check "$1 so many calls of __x64_sys_read, all alike" \
			n_trees graph "$2"
	else
		check "$1 two records of each call, had or lost" at_least "$2"
		echo "# $(grep '^# totals' graph)"
	fi
	rm graph
}

# Each CPU lost what the recorder counted, and it was something.
lost_where() {
	jq -r '.rings[] | select(.kind == "main" and .lost > 0) |
		"\(.cpu) \(.lost)"' status.json | sort >lost.status
	[ -s lost.status ] && diff lost.status lost.lines
}

# Two programs at once, rings of a thousand records.
overrun() { # NAME
	check "$1 on, small rings" "$xft" -q on --ring-size 16K sys_read
	check "$1 two programs run" in_guest "/tmp/work read 10000 &
		/tmp/work read 10000 & wait"
	check "$1 had + lost = written, ring by ring" accounted
	check "$1 off" "$xft" -q off -o graph
	check "$1 header and LOST lines say so, too" header_sums_up graph
	check "$1 LOST lines say where" lost_where
	check "$1 two records of each call were written" at_least 20000
	echo "# $(produced) written, $(total graph lost) lost"
}

# Tasks that end in a call that is traced, and others that get their pids.
pids_again() { # NAME
	local nr=300
	few_hooks '*exit_group' do_exit '*getppid'
	in_guest 'echo 330 >/proc/sys/kernel/pid_max'
	check "$1 on" "$xft" -q on sys_exit_group sys_getppid
	check "$1 the programs run" in_guest "i=0; while [ \$i -lt $nr ]; do
		/tmp/work getppid 1; i=\$((i + 1)); done"
	check "$1 off" "$xft" -q off -o graph
	check "$1 their calls are nobody else's" \
		[ "$(grep -c ' work-.*|  __do_sys_getppid()' graph)" = $nr ]
	check "$1 the others have ended" grep -q 'do_exit: the task ended in it' graph
}

for kernel in 6.1 6.12; do
	start_guest "$kernel" --cpus 2
	check "$kernel the program is in the guest" put_work
	for n in 1 1000 "${XFTRACE_READS:-100000}"; do
		reads "$kernel, $n reads:" "$n"
	done
	overrun "$kernel, overrun:"
	[ "$kernel" = 6.12 ] || pids_again "$kernel, pids again:"
	echo "# $SECONDS s"
	"$xft" -q guest stop "$guest"
done
