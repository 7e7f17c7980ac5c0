#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# 50 clean runs of varied work, on 1, 2 and 4 processors and after several boots,
# against a baseline of 10 others, on both kernels; then runs with those who use
# what rootkits use and are none, and with hooks. Prints the tables of
# docs/detection.md.
#
# Runs are recorded first, then judged. TRACES=DIR keeps what was recorded, and
# judges what is there already without recording it again; KERNELS=6.1 is for one
# kernel, PARTS='clean users hooks' for some of it, RUNS=n makes it shorter.

# As seen from the folder that lib.sh leaves.
traces=${TRACES:+$(realpath -m "$TRACES")}
# shellcheck source-path=SCRIPTDIR source=../lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source-path=SCRIPTDIR source=../guest/put.sh
. "$top/tests/guest/put.sh"
# shellcheck source-path=SCRIPTDIR source=../check/lib.sh
. "$top/tests/check/lib.sh"

runs=${RUNS:-50}
parts=${PARTS:-clean users hooks}
traces=${traces:-$work/traces}
mkdir -p "$traces"
roots+=(sys_write sys_mmap)
# Processors, and of ten runs the last that is recorded there.
guests=('2 4' '1 7' '4 10')

kernel_module() { # KERNEL NAME -- to stdout
	local ko
	ko=$(find "$O/kernels/$1/modules/kernel" -name "$2.ko*")
	case $ko in
	*.xz) xz -dc "$ko" ;;
	*) cat "$ko" ;;
	esac
}

# What the work wants to be there.
prepare() { # KERNEL
	kernel_module "$1" dummy >dummy.ko && put dummy.ko /tmp/dummy.ko &&
		in_guest 'ip link set lo up && httpd -p 127.0.0.1:80 -h / &&
			dmesg -n 1'
}

has_trace() { "$xft" ls --json | jq -e --arg n "$1" \
	'any(.[]; .name == $n and .state == "finished")' >/dev/null; }

# missing NAME... -- those that are still to be recorded
missing() {
	local name
	for name; do has_trace "$name" || echo "$name"; done
}

# keep NAME N [BEGIN] -- record it
keep() {
	"$xft" -q rm "$1" 2>/dev/null
	record "$@" && return
	not_ok "$1: cannot be recorded"
	"$xft" -q off --guest "$guest" -o /dev/null 2>/dev/null
	"$xft" -q rm "$1" 2>/dev/null
}

# The names of runs that are made in a guest. All of the baseline is of one guest.
names_in() { # KERNEL FROM TO
	local i
	for ((i = 0; i < 10 + runs; i++)); do
		if [ $i -lt 10 ]; then
			[ "$2" != 0 ] || echo "$1-base-$i"
		elif [ $((i % 10)) -ge "$2" ] && [ $((i % 10)) -lt "$3" ]; then
			echo "$1-clean-$i"
		fi
	done
}

record_clean() { # KERNEL
	local g from=0 cpus to name names
	for g in "${guests[@]}"; do
		read -r cpus to <<<"$g"
		# shellcheck disable=SC2046 # words
		names=$(missing $(names_in "$1" "$from" "$to"))
		from=$to
		[ "$names" ] || continue
		start_guest "$1" --cpus "$cpus"
		check "$1 a guest with $cpus processors is ready" prepare "$1"
		for name in $names; do keep "$name" "${name##*-}"; done
		"$xft" -q guest stop "$guest"
	done
}

judge_clean() { # KERNEL
	local i alarms=0 cannot=0
	for ((i = 10; i < 10 + runs; i++)); do
		verdict 0 "${kernel_file[@]}" -b "$1.base" "$1-clean-$i" >said && continue
		not_ok "$1 clean run $i: $(cat said)"
		if grep -q '^alarm' report; then
			alarms=$((alarms + 1))
		else
			cannot=$((cannot + 1))
		fi
	done
	check "$1 no alarm in $runs clean runs" [ $alarms$cannot = 00 ]
	echo "# clean | $1 | $runs, a baseline of 10 | $alarms | $cannot |"
}

# ---- Who uses what rootkits use, and is none. ----

tracefs=/sys/kernel/tracing
# shellcheck disable=SC2016 # the guest's
helpers='wait_for() { n=0; until eval "$1" >/dev/null 2>&1; do
		[ $((n += 1)) -lt 600 ] || return 1; sleep 0.1; done; }
	gone() { wait_for "! pidof $1"; }'
# NAME~BEGIN~END: shell commands in the guest, in its tracefs
# shellcheck disable=SC2016 # the guest's
users=(
	'function tracer~echo "vfs_* do_*" >set_ftrace_filter && echo function >current_tracer
		~echo nop >current_tracer; echo >set_ftrace_filter'
	'kprobe events~{ echo p:a vfs_read; echo r:b vfs_read; echo p:d vfs_open; } >kprobe_events &&
		{ echo p:c vfs_read+9 >>kprobe_events || echo p:c vfs_read+5 >>kprobe_events; } &&
		echo 1 >events/kprobes/enable
		~echo 0 >events/kprobes/enable; echo >kprobe_events'
	'all events~echo 1 >events/sched/enable && echo 1 >events/syscalls/enable
		~echo 0 >events/enable'
	'live patch~insmod /lib/ok_livepatch.ko && wait_for "grep patched /proc/cmdline"
		~echo 0 >/sys/kernel/livepatch/ok_livepatch/enabled
		wait_for "rmmod ok_livepatch"'
	'modules come and go~for i in 1 2 3 4 5; do insmod /tmp/dummy.ko; ip link set dummy0 up
		ip link; cat /proc/net/dev; rmmod dummy; done~:'
	'BPF on a kprobe~bpf_kprobe vfs_read 300 >/tmp/bpf.txt 2>&1 &
		wait_for "grep attached /tmp/bpf.txt"~killall bpf_kprobe; gone bpf_kprobe'
	'perf record of events~perf record -q -e "sched:*" -a -o /tmp/perf.data &
		wait_for "[ -s /tmp/perf.data ]"~killall -INT perf; gone perf; rm /tmp/perf.data'
	'perf record of samples~perf record -q -e cpu-clock -g -a -o /tmp/perf.data &
		wait_for "[ -s /tmp/perf.data ]"~killall -INT perf; gone perf; rm /tmp/perf.data'
	'perf probe and stat~perf probe -q vfs_read &&
		{ perf stat -I 100 -o /tmp/stat.txt -e probe:vfs_read -a & } &&
		wait_for "grep probe:vfs_read /tmp/stat.txt"
		~killall -INT perf; gone perf; perf probe -q -d "*"; rm /tmp/stat.txt'
	'bpftrace~bpftrace -e "kprobe:vfs_read { @[comm] = count(); }
			kfunc:vfs_open { @o = count(); } kretfunc:vfs_write { @r = count(); }
			interval:ms:100 { printf(\"attached\\n\"); }" >/tmp/bpf.txt 2>&1 &
		wait_for "grep attached /tmp/bpf.txt"~killall -INT bpftrace; gone bpftrace'
)

# Initramfs with all that users and hooks want, of it this machine's perf and
# bpftrace.
big_initrd() { # KERNEL
	local d=$work/rk-$1 programs=(/usr/bin/perf /usr/bin/bpftrace) f
	[ ! -e "$work/$1.cpio" ] || return 0
	build_hook "$1" && build_modules "$1" "$top/tests/rootkits" "$d" &&
		build_modules "$1" "$top/tests/rootkits" "$d/quiet" NOPG=1 &&
		${CC:-gcc} -O2 -static -o "$d/bpf_kprobe" "$d/bpf_kprobe.c" || return
	# shellcheck disable=SC2046 # words
	sh "$top/guest/demo/build.sh" "$O/kernels/$1" \
		"$O/guest/$1/xftrace.ko" "$work/$1.cpio" \
		"$work/hook_open/$1/hook_open.ko:/lib/hook_open.ko" \
		"$d/bpf_kprobe:/usr/bin/bpf_kprobe" \
		$(for f in "$d"/*.ko "$d"/quiet/*.ko; do echo "$f:/lib${f#"$d"}"; done
			printf '%s:%s\n' "${programs[0]}"{,} "${programs[1]}"{,}
			ldd "${programs[@]}" | awk '$3 ~ /^\// { print $3 ":" $3 }
				$1 ~ /^\// && !/:$/ { print $1 ":" $1 }' | sort -u)
}

start_big() { # KERNEL
	check "$1 an initramfs with all that is wanted" big_initrd "$1"
	start_guest "$1" --mem 1G --initrd "$work/$1.cpio" \
		--append 'xft.quiet nosoftlockup'
	check "$1 a guest with that is ready" prepare "$1"
}

# record_in_big KERNEL KIND NR -- the missing of that many traces of a kind
record_in_big() {
	local trace names
	# shellcheck disable=SC2046 # words
	names=$(missing $(seq -f "$1-$2-%g" 0 $(($3 - 1))))
	[ "$names" ] || return
	start_big "$1"
	for trace in $names; do "record_$2" "$1" "${trace##*-}"; done
	"$xft" -q guest stop "$guest"
}

# It is begun while it is recorded, and ended afterwards.
record_user() { # KERNEL NUMBER
	local name begin end
	IFS='~' read -r -d '' name begin end <<<"${users[$2]}"
	keep "$1-user-$2" "$2" "$helpers
		cd $tracefs; { $begin
		} >/dev/null"
	check "$1 $name: nothing is found in memory" \
		verdict 0 --live --guest "$guest"
	in_guest "$helpers
		cd $tracefs; $end" >/dev/null
}

record_users() { record_in_big "$1" user "${#users[@]}"; } # KERNEL

judge_users() { # KERNEL
	local i name
	for i in "${!users[@]}"; do
		name=${users[i]%%~*}
		check "$1 $name: nothing is found" verdict 0 "$1-user-$i"
		check "$1 $name, against the baseline: nothing is found" \
			verdict 0 "${kernel_file[@]}" -b "$1.base" "$1-user-$i"
	done
}

# ---- Who bends the kernel's flow. ----

# NAME~MODULE~PARAMETERS~RULES, of a hook below a traced function: what check finds
# in the trace against the baseline. In PARAMETERS names are symbols, and "hide" is
# for one that is on no list of modules.
hooks=(
	'ftrace~hook_open~target=__x64_sys_openat~new-call'
	'ftrace, no -pg~hook_open~quiet=1 target=__x64_sys_openat~new-call'
	'ftrace, hidden~hook_open~target=__x64_sys_openat hide~unknown-call unknown-caller'
	'ftrace, no -pg, hidden~hook_open~quiet=1 target=__x64_sys_openat hide~unknown-caller'
	'call in x64_sys_call~rk_call~target=x64_sys_call callee=__x64_sys_openat~'
	'call in x64_sys_call, no -pg~quiet/rk_call~target=x64_sys_call callee=__x64_sys_openat~'
	'kprobe~rk_kprobe~target=__x64_sys_openat~new-call'
	'kretprobe~rk_kretprobe~target=__x64_sys_openat~new-call'
	'iterate_shared~rk_dir~target=proc_root_operations~new-call'
	'iterate_shared, no -pg~quiet/rk_dir~target=proc_root_operations~'
	'seq_operations~rk_seq~target=tcp4_seq_ops~new-call'
	'seq_operations, no -pg~quiet/rk_seq~target=tcp4_seq_ops~'
	'netfilter~rk_netfilter~~new-call'
)
# Passes by all of them.
# shellcheck disable=SC2016 # the guest's
pass='{ for i in $(seq 30); do ls /proc; cat /proc/net/tcp
	wget -O - http://127.0.0.1/etc/passwd; done; } >/dev/null 2>&1'

hook() { # MODULE PARAMETERS -- in the guest
	local params
	# shellcheck disable=SC2016 # the guest's
	params=$(sed -E 's/=([a-z_0-9]*[a-z_]{3}[a-z_0-9]*)/=0x$(sym \1)/g' <<<"${2% hide}")
	in_guest "sym() { grep \" \$1\\$\" /proc/kallsyms | head -n 1 |
		cut -d' ' -f1; }; insmod /lib/$1.ko $params" || return
	[ "${2% hide}" = "$2" ] || in_guest "echo 1 >/sys/module/$1/parameters/hidden"
}

record_hook() { # KERNEL NUMBER
	local name module params trace=$1-hook-$2
	IFS='~' read -r name module params _ <<<"${hooks[$2]}"
	check "$1 $name: is loaded" hook "$module" "$params"
	keep "$trace" 8 "$pass"
	"$xft" -q check --live --guest "$guest" --json >"$traces/$trace.live" 2>/dev/null
	in_guest "echo 0 >/sys/module/hook_open/parameters/hidden
		rmmod ${module#quiet/}" 2>/dev/null
}

record_hooks() { record_in_big "$1" hook "${#hooks[@]}"; } # KERNEL

alarms() { # FILE -- the rules of its alarms
	jq -r '.findings[] | select(.level == "alarm") | .rule' "$1" | sort -u |
		tr '\n' ' '
}

# TRACE [OPTION...] -- the same; adds its seconds to "costs"
found_rules() {
	local TIMEFORMAT='%U %S'
	{ time "$xft" -q check --json "$@" >found.json 2>/dev/null; } 2>>costs
	alarms found.json
}

judge_hooks() { # KERNEL
	local i name want rules live
	: >costs
	for i in "${!hooks[@]}"; do
		IFS='~' read -r name _ _ want <<<"${hooks[i]}"
		rules=$(found_rules "$1-hook-$i" "${kernel_file[@]}" -b "$1.base")
		check "$1 $name: ${want:-nothing}" [ "$rules" = "${want:+$want }" ]
		live=$(alarms "$traces/$1-hook-$i.live")
		check "$1 $name: found in memory: $live" [ "$live" ]
		echo "# hook | $1 | $name | $rules | $(found_rules "$1-hook-$i") | $live |"
	done
	# shellcheck disable=SC2016 # awk's
	check "$1 each took less than a second: $(sort -n costs | tail -n 1)" \
		awk '$1 + $2 >= 1 { exit 1 }' costs
}

for kernel in ${KERNELS:-6.1 6.12}; do
	export XFTRACE_STORE=$traces/$kernel.store
	[ -e "$XFTRACE_STORE" ] ||
		"$xft" -q store create --thin --size 8G "$XFTRACE_STORE"
	kernel_file=(--kernel "$O/kernels/$kernel/vmlinuz")
	for part in $parts; do "record_$part" "$kernel"; done
	check "$kernel a baseline" "$xft" -q baseline make -o "$kernel.base" \
		"$kernel"-base-{0..9}
	for part in $parts; do "judge_$part" "$kernel"; done
done
