#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# takes: 400 s
#
# Those who use what rootkits use, and are none: nothing is found. Then harmless
# rootkits, one after the other, those that are functions compiled with and without
# calls of ftrace: each is really in the way (it counts), and check finds it in the
# guest's memory by the right name, says whose it is and what it bent; after it has
# gone, nothing is found. Beside it stands what a checklist finds in the guest.
# shellcheck source-path=SCRIPTDIR source=../lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source-path=SCRIPTDIR source=put.sh
. "$top/tests/guest/put.sh"

# calls_ftrace YES MODULE... -- so it was compiled
calls_ftrace() {
	local want=$1 got ko
	shift
	for ko; do
		got=no
		if nm "$ko" | grep -q ' U __fentry__$'; then got=yes; fi
		[ $got = "$want" ] || { echo "$ko calls ftrace: $got"; return 1; }
	done
}

build() { # KERNEL -- all modules, with calls of ftrace and without, as one file
	local d=$work/rk/$1
	mkdir -p "$d/quiet" && cp "$top"/tests/rootkits/*.[ch] \
		"$top/tests/rootkits/Kbuild" "$d" && cp "$d"/* "$d/quiet" 2>/dev/null
	if ! { make -s -j2 -C "$O/kernels/$1/headers" M="$d" modules &&
		make -s -j2 -C "$O/kernels/$1/headers" M="$d/quiet" NOPG=1 \
			modules; } >make.log 2>&1; then
		tail make.log
		return 1
	fi
	${CC:-gcc} -O2 -static -o "$d/bpf_kprobe" "$d/bpf_kprobe.c" &&
		${CC:-gcc} -O2 -static -no-pie -o "$d/int80" "$d/int80.c" &&
		strip "$d/bpf_kprobe" "$d/int80" &&
		strip -g "$d"/*.ko "$d"/quiet/*.ko &&
		calls_ftrace yes "$d"/*.ko && calls_ftrace no "$d"/quiet/*.ko &&
		kvm_modules "$1" "$d" &&
		(cd "$d" && tar -cf "$work/rk.tar" bpf_kprobe int80 ./*.ko quiet/*.ko)
}

kvm_modules() { # KERNEL FOLDER -- the kernel's own
	local name file
	for name in irqbypass kvm kvm-amd; do
		file=$(find "$O/kernels/$1/modules/" -name "$name.ko*") &&
			cp "$file" "$2" || return
		[ ! -e "$2/$name.ko.xz" ] || xz -d "$2/$name.ko.xz" || return
	done
}

put_all() {
	put "$work/rk.tar" /tmp/rk.tar && in_guest 'cd /tmp && tar xf rk.tar &&
		rm rk.tar && dmesg -n 1'
	in_guest 'grep -E " (sys_call_table|x64_sys_call|ia32_sys_call|idt_table|__x64_sys_sysinfo|__ia32_compat_sys_sysinfo|proc_root_operations|tcp4_seq_ops)\$" /proc/kallsyms' >symbols.txt
}

# The rules that find something. Its work is to take less than a second.
check_now() { # STATUS RULE...
	local want=$1 rc TIMEFORMAT='%U %S'
	shift
	rm -f rules.txt
	{ time "$xft" -q check --live --json >found.json 2>err.txt; } 2>cost.txt
	rc=$?
	jq -r '.findings[] | "\(.rule): \(.text)"' found.json >found.txt
	sed 's/^/# /' found.txt err.txt | grep -v '^# not-checked'
	[ $rc = "$want" ] || { echo "# exit status $rc"; return 1; }
	awk '{ exit !($1 + $2 < 1) }' cost.txt ||
		{ echo "# took $(cat cost.txt) s"; return 1; }
	jq -r '.findings[].rule' found.json | sort -u >rules.txt
	printf '%s\n' not-checked "$@" | sort -u | cmp -s - rules.txt
}

addr() { # SYMBOL -- its address
	sed -n "s/^\([0-9a-f]*\) . $1\$/0x\1/p" symbols.txt | head -n 1
}

# Names in modules, of which /proc/kallsyms is slow to tell.
names='grep -F [ /proc/kallsyms >/tmp/names'

# The guest's own word for it: where the module's functions are, and the page where
# its code begins, as one that is in no list has no names.
code_of() { # MODULE
	in_guest "sed -n 's/^\\(.*\\) [tT] .*\\[$1\\]\$/0x\\1/p' /tmp/names
		sed 's/...\$/000/' /sys/module/$1/sections/.text" | paste -sd '|'
}

# says PATTERN MODULE -- each alarm's sentence is so; @ is in the module's code
says() {
	local code
	code=$(code_of "$2")
	jq -r '.findings[] | select(.level == "alarm").text' found.json |
		grep -vE "^(${1//@/($code)})\$" | sed 's/^/# not as it is: /' >unlike.txt
	[ ! -s unlike.txt ] || { cat unlike.txt; return 1; }
}

# What people are told to look at: lsmod, /sys/module, the kernel's taint, and
# names of functions whose module is in no list. In the words of docs/detection.md.
checklist() { # MODULE
	local seen
	seen=$(in_guest "grep -q '^$1 ' /proc/modules && echo lsmod
		[ -e /sys/module/$1 ] && echo /sys/module
		[ \$(cat /proc/sys/kernel/tainted) != $taint ] && echo taint
		sed 's/.*\[\(.*\)\]\$/\1/' /tmp/names | sort -u |
			while read -r m; do case \$m in
			bpf | __builtin__*) ;;
			*) grep -q \"^\$m \" /proc/modules || echo kallsyms;;
			esac; done; :" | paste -sd ' ')
	case $seen in
	'lsmod /sys/module') echo 'a module' ;;
	/sys/module) echo '/sys/module only' ;;
	*) echo "${seen:-nothing}" ;;
	esac
}

# Where the function begins that is hooked, on 6.12 behind its ENDBR.
entry='__x64_sys_sysinfo(\+0x4)?'

# hook NAME MODULE STATUS RULES PATTERN ARGUMENT... -- load, pass by, check, unload
hook() {
	local name=$1 module=$2 status=$3 rules=$4 words=$5 base=${2#quiet/}
	local inside='a module' seen
	shift 5
	if ! in_guest "insmod /tmp/$module.ko $*"; then
		not_ok "$kernel $name: does not load"
		return
	fi
	in_guest "/tmp/pass >/dev/null 2>&1; cat /sys/module/$base/parameters/hits
		$names" >hits.txt
	# shellcheck disable=SC2086 # words
	check "$kernel $name: ${rules:-open}" check_now "$status" $rules
	check "$kernel $name: whose it is, and where" says "$words" "$base"
	case $base in
	rk_table | rk_idt) ;; # nobody passes by
	rk_hidden) inside='/sys/module only' ;;
	*) check "$kernel $name: it is in the way" grep -qv '^0$' hits.txt ;;
	esac
	seen=$(checklist "$base")
	echo "# table | $kernel | $name | $rules | $seen |"
	check "$kernel $name: inside the guest: $inside" [ "$seen" = "$inside" ]
	[ "$base" != rk_hidden ] ||
		in_guest "echo 1 >/sys/module/$base/parameters/appear"
	check "$kernel $name: it leaves" in_guest "rmmod $base"
}

# found NAME MODULE ... -- as hook, with calls of ftrace in it and, where that
# matters, without
found() {
	hook "$@"
	[ ! -e "$work/rk/$kernel/quiet/$2.ko" ] ||
		hook "$1, no -pg" "quiet/$2" "${@:3}"
}

bpf_found() {
	in_guest '/tmp/bpf_kprobe __x64_sys_sysinfo 300 >/tmp/bpf.txt 2>&1 &
		until grep . /tmp/bpf.txt; do :; done; grep -q attached /tmp/bpf.txt' &&
		check_now 0 bpf-probe &&
		grep -qxE "bpf-probe: a BPF program is called at $entry" found.txt
}

# ---- Nothing wrong with these. ----

tracefs=/sys/kernel/tracing

fine() { # NAME BEGIN END [HINT] -- shell commands in the guest
	if ! in_guest "cd $tracefs && $2"; then
		not_ok "$kernel $1: cannot be begun"
		return
	fi
	check "$kernel $1: nothing is found" check_now 0 "${@:4}"
	in_guest "cd $tracefs && $3" || not_ok "$kernel $1: does not end"
}

# While modules come and go.
modules_move() {
	local i
	in_guest 'while [ ! -e /tmp/enough ]; do insmod /tmp/ok_livepatch.ko
		echo 0 >/sys/kernel/livepatch/ok_livepatch/enabled
		until rmmod ok_livepatch 2>/dev/null; do :; done
		done >/dev/null 2>&1 & :' || return
	for i in 1 2 3; do
		check_now 0 || [ "$(paste -s rules.txt)" = $'live-patch\tnot-checked' ] ||
			break
	done
	in_guest 'touch /tmp/enough; while grep -q ok_livepatch /proc/modules; do :; done'
	[ "$i" = 3 ]
}

no_false_alarm() {
	fine "function tracer" 'echo function >current_tracer' \
		'echo nop >current_tracer'
	# All functions are patched for the one above: some are enough here.
	fine "function_graph" "echo '*_read*' >set_ftrace_filter &&
		echo function_graph >current_tracer" \
		'echo nop >current_tracer; echo >set_ftrace_filter'
	fine "kprobe events" \
		'{ echo p:a vfs_read; echo r:b vfs_read; } >kprobe_events &&
		{ echo p:c vfs_read+9 >>kprobe_events ||
			echo p:c vfs_read+5 >>kprobe_events; } 2>/dev/null &&
		echo 1 >events/kprobes/enable' \
		'echo 0 >events/kprobes/enable; echo >kprobe_events'
	fine "events" 'echo 1 >events/sched/enable; echo 1 >events/syscalls/enable' \
		'echo 0 >events/enable'
	fine "live patch" 'insmod /tmp/ok_livepatch.ko &&
		until grep -q patched /proc/cmdline; do :; done' \
		'echo 0 >/sys/kernel/livepatch/ok_livepatch/enabled
		until rmmod ok_livepatch 2>/dev/null; do :; done' live-patch
	check "$kernel live patch: the hint names it" \
		grep -q '^live-patch: .* by ok_livepatch$' found.txt
	# Modules that call each other as no others do; the guest's CPU has SVM.
	fine "KVM" 'cd /tmp && insmod irqbypass.ko && insmod kvm.ko &&
		insmod kvm-amd.ko' 'rmmod kvm_amd kvm irqbypass'
	check "$kernel modules come and go: nothing is found" modules_move
	"$xft" -q on sys_openat -e sched:sched_switch
	# What it has recorded is checked as well, and is not to be empty.
	in_guest 'ls /proc >/dev/null'
	check "$kernel our own tracing: nothing is found" check_now 0
	"$xft" -q off
}

for kernel in 6.1 6.12; do
	check "$kernel the modules compile" build "$kernel"
	# On a busy host what patches all of the kernel takes longer than that.
	start_guest "$kernel" --append 'xft.quiet nosoftlockup'
	check "$kernel the modules are in the guest" put_all
	# shellcheck disable=SC2016 # the guest's
	in_guest 'cat >/tmp/pass <<"END"
#!/bin/sh
event=/sys/kernel/tracing/events/sched/sched_process_fork/enable
echo 1 >$event
ls /proc; cat /proc/net/tcp; free; ping -c 1 127.0.0.1; /tmp/int80
echo 0 >$event
END
		chmod 755 /tmp/pass; ip link set lo up; mkdir -p /sys/kernel/tracing
		[ -e /sys/kernel/tracing/trace ] || mount -t tracefs none /sys/kernel/tracing'
	check "$kernel clean" check_now 0

	no_false_alarm
	taint=$(in_guest 'cat /proc/sys/kernel/tainted')
	sysinfo=$(addr __x64_sys_sysinfo)
	found "system call table" rk_table 1 syscall-table-inactive \
		"sys_call_table\[99\], __x64_sys_sysinfo, is @ in module rk_table now" \
		"target=$(addr sys_call_table)"
	found "call in x64_sys_call" rk_call 1 syscall-dispatch \
		"the call of __x64_sys_sysinfo in x64_sys_call leads to @ in module rk_call now" \
		"target=$(addr x64_sys_call)" "callee=$sysinfo"
	found "call in ia32_sys_call" rk_call 1 syscall-dispatch \
		"the call of __ia32_compat_sys_sysinfo in ia32_sys_call leads to @ in module rk_call now" \
		"target=$(addr ia32_sys_call)" \
		"callee=$(addr __ia32_compat_sys_sysinfo)"
	found "ftrace" rk_ftrace 1 ftrace-hook "ftrace calls @ in module rk_ftrace" \
		"target=$sysinfo"
	[ "$kernel" = 6.1 ] || # built without
		found "fprobe" rk_fprobe 1 ftrace-hook \
			"a probe of ftrace calls @ in module rk_fprobe( at returns)?" "target=$sysinfo"
	found "kprobe" rk_kprobe 1 kprobe \
		"a probe calls @ in module rk_kprobe at $entry" "target=$sysinfo"
	found "kretprobe" rk_kretprobe 1 kretprobe \
		"a return probe calls @ in module rk_kretprobe at $entry" \
		"target=$sysinfo"
	found "jump at the entry" rk_jmp 1 text-changed \
		"5 bytes at $entry are not the kernel's" "target=$sysinfo"
	found "iterate_shared" rk_dir 1 operations \
		"proc_root_operations\+0x[0-9a-f]+, proc_root_readdir, is @ in module rk_dir now" \
		"target=$(addr proc_root_operations)"
	found "seq_operations" rk_seq 1 operations \
		"tcp4_seq_ops\+0x[0-9a-f]+, tcp4_seq_show, is @ in module rk_seq now" \
		"target=$(addr tcp4_seq_ops)"
	found "netfilter" rk_netfilter 1 netfilter-hook \
		"netfilter calls @ in module rk_netfilter for packets of ipv4"
	found "netfilter, device" rk_netfilter 1 netfilter-hook \
		"netfilter calls @ in module rk_netfilter for packets that come in by a device" device=1
	found "IDT" rk_idt 1 idt-gate \
		"interrupt 4 leads to @ in module rk_idt, which is none of the kernel's entries" \
		"target=$(addr idt_table)"
	found "LSTAR" rk_lstar 0 "" "" "target=0"
	found "hidden module" rk_hidden 1 "hidden-module hidden-code" \
		"module rk_hidden is in .*|[0-9]+ KiB at @ can be executed and belong to nobody"
	found "tracepoint" rk_tracepoint 1 tracepoint-probe \
		"a tracepoint calls @ in module rk_tracepoint at sched_process_fork"
	found "export of traces" rk_export 1 export-hook \
		"all traces go to @ in module rk_export"
	check "$kernel BPF: bpf-probe" bpf_found
	in_guest "$names"
	check "$kernel BPF: inside the guest: nothing" \
		[ "$(checklist bpf_kprobe)" = nothing ]
	in_guest 'killall bpf_kprobe'
	check "$kernel clean afterwards" check_now 0
	check "$kernel the guest's kernel has no complaints" \
		in_guest '! dmesg | grep -E "BUG:|WARNING:|Oops|[Cc]all Trace"'
	echo "# $SECONDS s"
	"$xft" -q guest stop "$guest"
done
