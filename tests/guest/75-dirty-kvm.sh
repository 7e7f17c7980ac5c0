#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# takes: 250 s
#
# dirty_kvm.so on three floors: in a small VMM on this machine's KVM, in QEMU on
# the KVM of an emulated AMD processor, and in the small VMM on an emulated Intel
# processor that logs pages by itself (PML).

# shellcheck disable=SC2016,SC2154 # for other shells; lib.sh sets work and O

# shellcheck disable=SC1091
. "$(dirname "$0")/../lib.sh"
# shellcheck disable=SC1091
. "$top/tests/guest/put.sh"
# shellcheck disable=SC1091
. "$top/tests/nested/lib.sh"
# shellcheck disable=SC1091
. "$top/tests/nested/dirty.sh"
# shellcheck disable=SC1091
. "$top/tests/bochs/lib.sh"

shim=$O/dirty_kvm.so
vmm=$O/stress/dirty_vmm

# ---- without KVM ----

# message FILE -- what the shim says in it
message() { dd if="$1" bs=1 skip=48 count=256 2>/dev/null | tr -d '\0'; }

check 'a QEMU without KVM works with the shim' grep -q '^QEMU' \
	<(XFTRACE_DIRTY="$work/none" LD_PRELOAD="$shim" qemu-system-x86_64 -version)
check 'and it says that it does nothing' eval \
	'[[ $(message none) == "no guest runs under KVM in this QEMU"* ]]'
check 'its file is only for the user' [ "$(stat -c %a none)" = 600 ]

# ---- the first floor: this machine's KVM ----

if [ ! -w /dev/kvm ]; then
	skip 'the shim on this machine: it has no /dev/kvm'
elif ! "$vmm" works >works.txt 2>&1; then
	skip "the shim on this machine: its KVM does not run a guest:" \
		"$(tr '\n' ' ' <works.txt)"
else
	"$vmm" "$shim" 0 || not_ok "bitmap: ends with $?"
	"$vmm" "$shim" 1024 || not_ok "ring: ends with $?"
fi

# ---- the third floor: PML, of an emulated Intel processor, beside the second ----

value() { bochs_step "$1" | sed -n "s/^$2 //p"; }

third() {
	local missing with without full
	missing=$(bochs_missing | tr '\n' ' ')
	if [ "$missing" ]; then
		skip "PML in Bochs: not installed: $missing"
		return
	fi
	# shellcheck disable=SC2046 # a list
	bochs_cd 6.1 "$vmm:usr/bin/dirty_vmm" "$shim:lib/dirty_kvm.so" \
		$(ldd "$vmm" "$shim" | awk '$2 == "=>" { print $3 ":" $3 }
			$1 ~ "^/.*[^:]$" { print $1 ":" $1 }' | sort -u) ||
		{ not_ok "a CD for Bochs: $(cat mkiso.log)"; return; }
	bochs_run 600
	if ! grep -q '^begin' bochs.text; then
		skip "PML in Bochs: it does not boot: $(tail -n 1 bochs.log)"
		return
	fi
	check 'the processor has VMX' grep -qx vmx <(bochs_step has)
	bochs_step ring
	check 'the ring, with PML' [ "$(value ring status)" = 0 ]
	with=$(value pml violations) full=$(value pml full)
	without=$(value nopml violations)
	echo "EPT violations: $with with PML, which was full $full times;" \
		"$without without, full $(value nopml full) times"
	check 'PML is on, and off' [ "$(bochs_step pml | head -n 1) \
$(bochs_step nopml | head -n 1)" = "Y \
N" ]
	check 'the same pages with it' grep '^ok' <(bochs_step pml)
	check 'as without' grep '^ok' <(bochs_step nopml)
	check 'PML was full' [ "${full:-0}" -ge 1 ]
	check 'and is never, when it is off' [ "$(value nopml full)" = 0 ]
	check 'far fewer exits' [ $((${with:-9999} * 3)) -lt $((${without:-0} * 2)) ]
}

trap 'kill "$(cat bochs.pid 2>/dev/null)" 2>/dev/null; cleanup' EXIT
third >third.txt 2>&1 &
third=$!

# ---- the second floor: QEMU and Linux on the KVM of an emulated AMD processor ----

if l1_start 6.1 && nested_dirty_put && put "$vmm" /tmp/dirty_vmm; then
	ok 'L1 boots'
	nested_dirty 4096 || not_ok "L2, ring: ends with $?"
	nested_dirty 0 || not_ok "L2, bitmap: ends with $?"
	in_l1 './dirty_vmm /usr/bin/dirty_kvm.so 1024 pages qemu_logs resets' ||
		not_ok "in L1, ring: ends with $?"
	nested_on 4096 'KVM dirty ring'
	nested_on 0 'KVM dirty bitmap'
	nested_scan
	check 'no oops in L1' no_oops l1.console
	l1_stop
else
	not_ok 'L1 boots'
fi

wait $third
cat third.txt
