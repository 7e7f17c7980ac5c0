# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2154 # guest: from lib.sh
#
# Sourced after lib.sh by tests that change a word of a demo guest's kernel from
# here, in its RAM.

symbol() { in_guest "grep ' $1\$' /proc/kallsyms | cut -d' ' -f1"; }

# poke SYMBOL[+N] VALUE -- 8 bytes, both in hex; prints those of before
poke() {
	local text ram at i v=$2
	text=$(in_guest "sed -n 's/^ *\([0-9a-f]*\)-.*Kernel code/\1/p' /proc/iomem")
	ram=$(echo /dev/shm/xftrace-*-"$guest.ram")
	at=$((0x$text + 0x$(symbol "${1%+*}") - 0x$(symbol _text)))
	case $1 in *+*) at=$((at + ${1#*+})) ;; esac
	od -An -v -tx8 -j $at -N 8 "$ram"
	for i in 14 12 10 8 6 4 2 0; do printf '%b' "\\x${v:i:2}"; done |
		dd of="$ram" bs=1 seek=$at conv=notrunc status=none
}
