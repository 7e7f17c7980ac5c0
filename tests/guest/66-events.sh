#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# takes: 140 s
#
# The guest's trace events, as xftrace records them and as trace-cmd does in the
# same guest at the same time: the same events with the same contents; and the
# guest is as before when it is over.
# shellcheck source-path=SCRIPTDIR source=../lib.sh
. "$(dirname "$0")/../lib.sh"

tracing=/sys/kernel/tracing
module=/sys/module/evmod/parameters

on() { "$xft" -q on --guest "$guest" "$@"; }
off() { rm -f trace_graph.txt; "$xft" -q off --guest "$guest"; }
total() { sed -n "s/^# totals: .* \([0-9]*\) $1.*/\1/p" trace_graph.txt; }
in_graph() { grep -qE -- "$1" trace_graph.txt; }

build() { # KERNEL -- evmod.ko and work, and a guest's files with trace-cmd
	local d=$work/evmod-$1
	mkdir -p "$d" && cp "$top"/tests/guest/evmod/* "$d" &&
		make -s -C "$O/kernels/$1/headers" M="$d" modules \
			>make.log 2>&1 && strip -g "$d/evmod.ko" &&
		${CC:-gcc} -O2 -ffreestanding -fno-stack-protector -nostdlib \
			-static -o "$work/work" "$top/tests/guest/work.c" ||
		{ cat make.log; return 1; }
	# shellcheck disable=SC2046 # words
	sh "$top/guest/demo/build.sh" "$O/kernels/$1" \
		"$O/guest/$1/xftrace.ko" "$work/initrd-$1" \
		"$d/evmod.ko:/lib/evmod.ko" "$work/work:/usr/bin/work" \
		/usr/bin/trace-cmd:/usr/bin/trace-cmd \
		$(ldd /usr/bin/trace-cmd | awk '
			$3 ~ /^\// { print $3 ":" $3 }
			$1 ~ /^\// { print $1 ":" $1 }')
}

settings() { # -- of ftrace, all that a user can set
	in_guest "cd $tracing && cat set_event kprobe_events uprobe_events \
		current_tracer tracing_on trace_clock buffer_size_kb; \
		ls instances; find events -name filter -o -name enable |
			xargs cat | sort | uniq -c"
}

# What the last program of that name did, from its exec on, as "event: text".
ours() {
	sed -n 's/.*) *work-\([0-9]*\) .*|  *\/\* \([a-z_0-9]*: .*\) \*\/$/\1 \2/p' \
		trace_graph.txt | last_program
}
theirs() {
	sed -n 's/^truth: *work-\([0-9]*\) *\[[0-9]*\] *[^ ]* *[0-9.]*: *\([a-z_0-9]*\): *\(.*\)$/\1 \2: \3/p' \
		report.txt | last_program
}
last_program() {
	awk '/ sys_exit_execve: / { n = 0; pid = $1 }
		$1 == pid { sub(/^[0-9]+ /, ""); sub(/ *$/, ""); line[n++] = $0 }
		END { for (i = 0; i < n; i++) print line[i] }'
}
# What an interrupt does while an event is being put together stands before that
# one here, and after it in ftrace's ring.
without_wakeups() { grep -v '^sched_wak' "$1"; }
same_events() {
	ours >ours.txt
	theirs >theirs.txt
	[ "$(wc -l <theirs.txt)" -gt 100 ] &&
		diff <(sort ours.txt) <(sort theirs.txt) >diff.txt &&
		diff <(without_wakeups ours.txt) <(without_wakeups theirs.txt) \
			>diff.txt && return
	wc -l ours.txt theirs.txt
	head -n 20 diff.txt
	return 1
}
kinds() { cut -d: -f1 theirs.txt | sort | uniq -c | sort -rn; }
has_kinds() {
	local kind
	for kind; do
		kinds | grep -q " $kind\$" || { echo "no $kind"; return 1; }
	done
}

truth() { # KERNEL
	local offset
	start_guest "$1" --initrd "$work/initrd-$1"
	offset=$(nm "$work/work" | awk '$3 == "go_to" { print $1 }')
	[ "$offset" ] || offset=$(nm "$work/work" | awk '$2 ~ /[tT]/ { print $1; exit }')
	offset=$(printf '0x%x' $((0x$offset - 0x400000)))
	in_guest "cd $tracing &&
		echo 'p:kread vfs_read count=%dx name=+0(+0x60(%di)):x64' >kprobe_events &&
		echo 'r:kret vfs_read ret=\$retval:s64' >>kprobe_events &&
		echo 'p:uwork /usr/bin/work:$offset sp=%sp' >uprobe_events" ||
		{ not_ok "$1: probes"; return; }
	settings >before.txt
	on sys_read -e 'syscalls:*' -e kprobes && off
	settings >after.txt
	check "$1: the guest's settings are as before" diff before.txt after.txt
	check "$1: on" on sys_read -e 'syscalls:*' -e sched:sched_switch \
		-e 'sched:sched_wak*' -e sched:sched_process_exec \
		-e 'kprobes:*' -e uprobes
	# shellcheck disable=SC2016 # the guest's
	in_guest 'cd /tmp && trace-cmd record -q -B truth -b 20000 -e syscalls \
		-e sched:sched_switch -e "sched:sched_wak*" \
		-e sched:sched_process_exec -e kprobes -e uprobes \
		work round 20 >/dev/null 2>&1 && cat trace.dat' >trace.dat
	check "$1: nothing of it is in the guest's rings" \
		[ "$(in_guest "cat $tracing/trace $tracing/instances/xftrace/trace |
			grep -vc '^#'")" = 0 ]
	check "$1: off" off
	check "$1: nothing is lost" in_graph '^# totals:.* 0 lost'
	trace-cmd report -N trace.dat >report.txt 2>report.err
	check "$1: the same events with the same text as trace-cmd" same_events
	check "$1: of all kinds" has_kinds sys_enter_openat sys_exit_openat \
		sys_enter_read sys_exit_close kread kret uwork sched_wakeup
	check "$1: $(wc -l <theirs.txt) events of $(kinds | wc -l) kinds" true
	check "$1: and the calls among them" in_graph '__x64_sys_read\(fd: [0-9]+, buf: 0x[0-9a-f]+, count: [0-9]+\) {'
	"$xft" -q guest stop "$guest"
}

counts() { # every event of a full speed run, or the loss, exactly
	local all lost
	on --ring-size 8M -e 'syscalls:sys_*_getppid'
	in_guest 'work getppid 500000'
	check "10^6 events: off" off
	all=$(grep -c 'work-[0-9]* .*sys_\(enter\|exit\)_getppid: ' trace_graph.txt)
	lost=$(total lost)
	check "10^6 events: $all seen, $lost lost" [ $((all + lost)) -ge 1000000 ]
	check "10^6 events: each exactly once" \
		[ "$lost" -gt 0 -o "$all" = 1000000 ]
	# With rings that are too small: what was written is known exactly.
	on --ring-size 16K -e 'syscalls:sys_*_getppid'
	in_guest 'work getppid 500000'
	off
	all=$(grep -c 'sys_\(enter\|exit\)_getppid: ' trace_graph.txt)
	lost=$(total lost)
	check "small ring: $all seen, $lost lost, none twice" \
		[ "$all" -le 1000000 -a $((all + lost)) -ge 1000000 ]
}

keep() { # --keep-stock
	on --keep-stock -e sched:sched_process_exec
	in_guest 'true; ls >/dev/null'
	check "--keep-stock: readable in the guest" \
		in_guest "grep -q sched_process_exec: $tracing/instances/xftrace/trace"
	off
	check "--keep-stock: and here" in_graph 'sched_process_exec: filename='
	check "--keep-stock: gone afterwards" \
		in_guest "! test -e $tracing/instances/xftrace"
}

modules() { # an event whose module goes and comes with another id
	fails "event of a module that is not loaded" 1 'evmod' on -e 'evmod:*'
	in_guest 'insmod /lib/evmod.ko'
	on -e 'evmod:*'
	in_guest "echo 1 >$module/tick && rmmod evmod &&
		echo 'p:takes_the_id vfs_write' >>$tracing/kprobe_events &&
		insmod /lib/evmod.ko && echo 2 >$module/tick &&
		echo 3 >$module/large && rmmod evmod"
	check "module loaded again: off" off
	check "module loaded again: before" in_graph 'evmod_tick: n=1 text=tick'
	check "module loaded again: after" in_graph 'evmod_tick: n=2 text=tick'
	check "an event that is too long" in_graph 'evmod_large: n=3 .too long, cut'
	in_guest "echo >$tracing/kprobe_events; dmesg | tail -n 40" >dmesg.txt
	check "module loaded again: no complaint" \
		not grep -E 'WARNING|BUG:|Oops' dmesg.txt
}
not() { ! "$@"; }

unload() { # our own module, while events come
	on -e 'sched:*' -e 'syscalls:*'
	in_guest "ls -lR / >/dev/null 2>&1 & rmmod xftrace; wait
		ls $tracing/instances; insmod /lib/xftrace.ko
		ls -lR /usr/bin >/dev/null" >left.txt
	check "unloaded while events come: nothing is left" [ ! -s left.txt ]
	check "unloaded while events come: recorded again" \
		until_true 60 tracing_session 2
	check "unloaded while events come: off" off
	in_guest "dmesg | tail -n 60" >dmesg.txt
	check "unloaded while events come: no complaint" \
		not grep -E 'WARNING|BUG:|Oops' dmesg.txt
}

reboot() { # kprobes are gone then; what is there is recorded
	in_guest "echo 'p:probed vfs_read' >$tracing/kprobe_events"
	on -e 'kprobes:*' -e sched:sched_process_exec
	in_guest 'ls >/dev/null'
	in_guest 'reboot -f' >/dev/null 2>&1
	check "reboot: recorded again" until_true 200 tracing_session 2
	in_guest 'ls >/dev/null'
	check "reboot: off" off
	check "reboot: with a note" in_graph 'note: .*without events: kprobes'
	check "reboot: before and after" \
		[ "$(awk '/^# xftrace/ { n++ } /sched_process_exec: / { seen[n] = 1 }
			END { print n, length(seen) }' trace_graph.txt)" = "2 2" ]
	check "reboot: the probe, before" in_graph '/\* probed: '
}
tracing_session() {
	[ "$("$xft" -q status --json | jq -r '"\(.session) \(.state)"')" = \
		"$1 tracing" ]
}

strings() { # of system calls, as they are
	on sys_openat 'sys_mkdir*' sys_getppid --string-size 16
	# shellcheck disable=SC2016 # the guest's
	in_guest 'cat /no/such/file 2>/dev/null; cat "/tmp/q\"\\	x" 2>/dev/null;
		cat /a/long/name/that/goes/on/and/on 2>/dev/null
		mkdir /tmp/dir; mkdir /tmp/dir 2>/dev/null; work getppid 1'
	off
	check "a call that fails" in_graph \
		'sys_openat\(dfd: AT_FDCWD, filename: "/no/such/file", flags: O_RDONLY[^)]*\) = -ENOENT'
	check "a name that is odd" in_graph 'filename: "/tmp/q\\"\\\\\\tx"'
	check "a name that is long" in_graph 'filename: "/a/long/name/tha"\.\.\.'
	check "a mode" in_graph 'sys_mkdir(at)?\(.*mode: 0777\) = 0'
	check "a call that fails later" in_graph 'mkdir.*mode: 0[0-7]+\) = -EEXIST'
	check "what looks at them is not seen" not in_graph copy_from_user_nofault
	check "a call without arguments" in_graph '__do_sys_getppid\(\) = [0-9]+;|sys_getppid\(\) = [0-9]+ '
}

for kernel in 6.1 6.12; do
	build $kernel || { not_ok "$kernel: build"; exit 1; }
	truth $kernel
	start_guest $kernel --initrd "$work/initrd-$kernel"
	modules
	strings
	unload
	[ $kernel = 6.12 ] || { counts; keep; reboot; }
	"$xft" -q guest stop "$guest"
done
