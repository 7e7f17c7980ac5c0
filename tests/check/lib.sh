# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2154 # work, top, O, xft: from lib.sh
#
# Sourced by tests that check traces of real guests, after lib.sh and put.sh.

roots=(sys_openat sys_read sys_getdents64)

# load N -- what the guest does in run N: each time something else. The program
# makes sure that every root is called often.
load() {
	local some=(
		'ls -lR /sys/module >/dev/null'
		'find /proc/self -type f >/dev/null 2>&1'
		'for i in 1 2 3 4; do cat /proc/meminfo; done >/dev/null'
		'dd if=/dev/zero of=/tmp/file bs=4k count=200 2>/dev/null; cat /tmp/file >/dev/null'
		'grep -r cpu /sys/devices/system/cpu >/dev/null 2>&1'
		'for i in 1 2 3 4; do (sh -c "cat /etc/passwd" | sort | wc) & done >/dev/null; wait'
		'dd if=/dev/urandom bs=1k count=100 2>/dev/null | md5sum >/dev/null'
		'ps >/dev/null; mount >/dev/null; df >/dev/null 2>&1'
	)
	# shellcheck disable=SC2016 # the guest's
	echo 'for i in $(seq 10); do ls / >/dev/null; cat /etc/passwd >/dev/null; done;' \
		"${some[$1 % 8]}; ${some[$1 * 3 % 8]}; ${some[$1 / 8 % 8]}"
}

# record NAME N -- a trace of run N
record() {
	"$xft" -q on --guest "$guest" --name "$1" "${roots[@]}" &&
		in_guest "$(load "$2")" &&
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

# build_hook KERNEL -- hook_open.ko for it
build_hook() {
	local d=$work/hook_open/$1
	mkdir -p "$d" && cp "$top"/tests/guest/hook_open/* "$d" &&
		make -s -C "$O/kernels/$1/headers" M="$d" modules >make.log 2>&1 &&
		strip -g "$d/hook_open.ko" && return
	tail make.log
	return 1
}
