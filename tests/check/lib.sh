# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2154 # work, top, O, xft: from lib.sh
#
# Sourced by tests that check traces of real guests, after lib.sh and put.sh.

roots=(sys_openat sys_read sys_getdents64)

# What a guest may do. Some want a server (serve) or a module (/tmp/dummy.ko).
# shellcheck disable=SC2016 # the guest's
pieces=(
	'ls -lR /sys/module'
	'find /proc/self -type f'
	'for i in 1 2 3 4; do cat /proc/meminfo; done'
	'dd if=/dev/zero of=/tmp/file bs=4k count=200; cat /tmp/file'
	'grep -r cpu /sys/devices/system/cpu'
	'for i in 1 2 3 4; do (sh -c "cat /etc/passwd" | sort | wc) & done; wait'
	'dd if=/dev/urandom bs=1k count=100 | md5sum'
	'ps; mount; df; free; netstat -a; ip address'
	'ping -c 2 -i 0.2 127.0.0.1; ping6 -c 1 ::1'
	'for i in 1 2 3; do wget -O - http://127.0.0.1/etc/passwd; done'
	'nc -l -p 900 >/tmp/got & seq 3000 | nc -w 1 127.0.0.1 900; kill $!; wait'
	'for s in STOP CONT USR1 TERM; do (trap : USR1; sleep 0.1) & kill -$s $!
		kill -CONT $!; done; wait; timeout 0.1 yes'
	'seq 20000 | sort -r | awk "{ a[NR] = \$0 \$0 } END { print NR, a[7] }"'
	'insmod /tmp/dummy.ko && ip link set dummy0 up && ip link && rmmod dummy'
	'mkdir /tmp/d; mount -t tmpfs none /tmp/d && for i in $(seq 20); do
		ln -s $i /tmp/d/s$i; echo $i >/tmp/d/$i; done; chmod 600 /tmp/d/*
		mv /tmp/d/1 /tmp/d/2; ls -l /tmp/d; umount /tmp/d'
	'dd if=/dev/zero of=/tmp/big bs=16M count=4; rm /tmp/big
		echo 3 >/proc/sys/vm/drop_caches; cat /bin/busybox'
	'tar -cf - /etc /bin/busybox | gzip -1 | gzip -d | tar -tf -'
	'unshare -n -p -f -m sh -c "mount -t proc none /proc; ps; ip link"'
	'mkfifo /tmp/p; (cat /tmp/p & echo hello >/tmp/p; wait); rm /tmp/p'
	'taskset 1 sh -c "renice 5 \$\$; seq 2000 | wc"; nice head -c 99999 /dev/urandom'
	'for c in /sys/devices/system/cpu/cpu[1-9]/online; do
		echo 0 >$c; cat $c; echo 1 >$c; done'
	'cat /proc/*/maps /proc/*/stat /proc/*/status; cat /proc/kallsyms | tail -n 99'
	'head -n 99 /sys/kernel/tracing/available_events; dmesg | tail; cat /proc/net/*'
)

# load N -- what the guest does in run N: each time something else. What comes
# first makes sure that every root is called often.
load() {
	local nr=${#pieces[@]}
	# shellcheck disable=SC2016 # the guest's
	echo '{ for i in $(seq 10); do ls / ; cat /etc/passwd; done;' \
		"${pieces[$1 % nr]}; ${pieces[$1 * 5 % nr]};" \
		"${pieces[($1 / nr + $1 * 7 + 3) % nr]}; } >/dev/null 2>&1; :"
}

# record NAME N [BEGIN [END]] -- a trace of run N, between two commands in the guest
record() {
	"$xft" -q on --guest "$guest" --name "$1" "${roots[@]}" &&
		in_guest "${3:-:}" && in_guest "$(load "$2")" &&
		in_guest "${4:-:}" &&
		"$xft" -q off --guest "$guest" -o /dev/null
}

# verdict STATUS TRACE [OPTION...] -- 'check' says so; the report is in "report"
verdict() {
	local want=$1 got
	shift
	"$xft" check "$@" >report 2>stderr.txt
	got=$?
	[ $got = "$want" ] && return
	cat report stderr.txt
	return 1
}

# is_sarif FILE -- nothing is wrong with it
is_sarif() {
	jq -rf "$top/tests/check/sarif.jq" "$1" >wrong.txt 2>&1 &&
		[ ! -s wrong.txt ] && return
	cat wrong.txt
	return 1
}

# build_modules KERNEL SOURCE DIR [OPTION...] -- compile SOURCE's modules in DIR
build_modules() {
	local kernel=$1 from=$2 d=$3
	shift 3
	mkdir -p "$d" && cp "$from"/*.[ch] "$from"/Kbuild "$d" &&
		make -s -C "$O/kernels/$kernel/headers" M="$d" "$@" modules \
			>make.log 2>&1 && strip -g "$d"/*.ko && return
	tail make.log
	return 1
}

# build_hook KERNEL -- hook_open.ko for it
build_hook() {
	build_modules "$1" "$top/tests/guest/hook_open" "$work/hook_open/$1"
}
