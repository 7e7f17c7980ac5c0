#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Somebody in the guest's kernel tampers with records before the host has read
# them. With --mask=sealed that is found and called by its name; with xor it is
# not, and this shows that the tampering is real.
# shellcheck source-path=SCRIPTDIR source=../lib.sh
. "$(dirname "$0")/../lib.sh"

act() { in_guest "echo $1 >/sys/module/intruder/parameters/act"; }
status() { "$xft" status --guest "$guest" --json | jq -e "$1" >/dev/null; }
bad() { "$xft" status --guest "$guest" --json | jq .bad; }

build() { # KERNEL -- a guest's files with intruder.ko
	local d=$work/intruder-$1
	mkdir -p "$d"
	cp "$top"/tests/guest/intruder/* "$top"/guest/xft*.h \
		"$top"/abi/xft_abi.h "$top"/abi/xft_mac.h "$d"
	make -s -C "$O/kernels/$1/headers" M="$d" modules >make.log 2>&1 ||
		{ cat make.log; return 1; }
	strip -g "$d/intruder.ko"
	sh "$top/guest/demo/build.sh" "$O/kernels/$1" \
		"$O/guest/$1/xftrace.ko" "$work/initrd-$1" \
		"$d/intruder.ko:/lib/intruder.ko"
}

# The host may have been faster with some of it, but not every time.
tamper() { # HOW
	local before
	before=$(bad)
	for _ in 1 2 3 4 5; do
		act "$1"
		act nothing
	done
	until_true 20 status ".records > 0"
	until_true 5 eval "[ \$(bad) -gt $before ]"
}

on() { "$xft" -q on --guest "$guest" "$@" in_group_p; }
off() { rm -f trace_graph.txt; "$xft" -q off --guest "$guest"; }
in_header() { grep -qE -- "^# mask: .*$1" trace_graph.txt; }
# Seconds up to which all records are verified; those of the header's span.
verified() { sed -n 's/^# mask: .*, all up to \([0-9.]*\) s.*/\1/p' trace_graph.txt; }
verified_to_the_end() {
	[ "$(verified)" = "$(sed -n 's/^# begins: .* spans \([0-9.]*\) s$/\1/p' trace_graph.txt)" ]
}
# A record of status may lie a moment before the first that is drawn.
verified_before() { # SECONDS
	awk "BEGIN { exit !($1 > 0 && $1 < $(verified) + 0.001) }"
}
nothing_found() { status '.bad == 0 and .gaps == 0'; }

for kernel in 6.1 6.12; do
	build "$kernel" || { not_ok "$kernel: intruder.ko"; continue; }
	start_guest "$kernel" --initrd "$work/initrd-$kernel"
	# shellcheck disable=SC2016 # the guest's
	in_guest 'insmod /lib/intruder.ko block=$(dmesg |
		sed -n "s/.*control block at guest-physical //p")' ||
		not_ok "$kernel: the intruder is in"
	few_hooks in_group_p

	on
	act nothing
	until_true 20 status '.records > 60'
	check "$kernel: sealed: nothing is found where nobody tampers" \
		nothing_found
	"$xft" status --guest "$guest" --json | jq .verified_seconds >status.txt
	off
	check "$kernel: sealed: all is verified, and the header says so" \
		in_header 'sealed, [0-9]+ records verified, all up to [0-9.]+ s; none forgeable, erasable'
	check "$kernel: sealed: that is to its last record" verified_to_the_end
	check "$kernel: sealed: status said nearly as much" verified_before "$(cat status.txt)"
	check "$kernel: sealed: so does 'check'" \
		eval '$xft check | grep -q ", sealed, [0-9]* records verified, all up to .* s; none forgeable.*: "'

	on --mask=sealed --name "lie-$kernel"
	check "$kernel: sealed: a rewritten record is found" tamper lie
	check "$kernel: sealed: it is called edited" status '.faults.edited > 0'
	check "$kernel: sealed: and where the first was" \
		status '.first_fault | .what == "edited" and .offset > 64'
	"$xft" status --guest "$guest" | sed -n 's/^first  *//p' >first.txt
	off
	check "$kernel: sealed: the trace tells of it" in_header 'times edited'
	check "$kernel: sealed: its first is the same as that of status" \
		in_header "; first on $(cat first.txt); "
	check "$kernel: sealed: 'check' has a finding" \
		eval "! \$xft check lie-$kernel >found.txt && grep -q seal-broken found.txt"
	check "$kernel: sealed: the lie is not shown" \
		eval '! grep -q "kfree()" trace_graph.txt'

	on --mask=sealed
	check "$kernel: sealed: erased records are found" tamper erase
	off
	check "$kernel: sealed: the trace tells of that" \
		in_header 'times (edited|dropped|replayed|truncated)'

	on --mask=xor
	tamper lie
	check "$kernel: xor: a rewritten record is not found" nothing_found
	tamper erase
	check "$kernel: xor: erased records are not found" nothing_found
	off
	check "$kernel: xor: the header says that it is" in_header 'xor; forgeable'
	check "$kernel: xor: so does 'check'" \
		eval '$xft check | grep -q ", xor; forgeable.*: "'
	check "$kernel: xor: the lie is shown" grep -q "kfree()" trace_graph.txt
	"$xft" -q guest stop "$guest"
done
