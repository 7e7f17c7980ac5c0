#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# 50 clean runs of varied work against a baseline of 10 others, and hooked ones,
# on both kernels. Prints the table of docs/detection.md. RUNS=n makes it shorter.
# shellcheck source-path=SCRIPTDIR source=../lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source-path=SCRIPTDIR source=../guest/put.sh
. "$top/tests/guest/put.sh"
# shellcheck source-path=SCRIPTDIR source=../check/lib.sh
. "$top/tests/check/lib.sh"

runs=${RUNS:-50}
hidden=/sys/module/hook_open/parameters/hidden

hooked() { # NAME PARAMETERS COMMAND
	in_guest "insmod /tmp/hook_open.ko $2 \
		target=0x\$(grep ' __x64_sys_openat\$' /proc/kallsyms |
			head -n 1 | cut -d' ' -f1) && $3" &&
		record "$1" 3 &&
		in_guest "echo 0 >$hidden; rmmod hook_open"
}

for kernel in 6.1 6.12; do
	check "$kernel the module compiles" build_hook $kernel
	start_guest $kernel
	put "$work/hook_open/$kernel/hook_open.ko" /tmp/hook_open.ko
	base=() alarms=0 found=0
	for i in $(seq 10); do
		record "$kernel-base-$i" "$i" && base+=("$kernel-base-$i")
	done
	check "$kernel a baseline" "$xft" -q baseline make -o $kernel.base "${base[@]}"
	for i in $(seq "$runs"); do
		record "$kernel-clean" $((i + 10))
		if ! verdict 0 -b $kernel.base $kernel-clean >said; then
			not_ok "$kernel clean run $i: $(cat said)"
			alarms=$((alarms + 1))
		fi
		"$xft" -q rm $kernel-clean
	done
	check "$kernel no alarm in $runs clean runs" [ $alarms = 0 ]
	hooked $kernel-seen '' : && hooked $kernel-quiet quiet=1 : &&
		hooked $kernel-hidden '' "echo 1 >$hidden" &&
		hooked $kernel-hidden-quiet quiet=1 "echo 1 >$hidden"
	for name in seen quiet hidden hidden-quiet; do
		if verdict 1 -b $kernel.base $kernel-$name >said; then
			ok "$kernel $name: found"
			found=$((found + 1))
		else
			not_ok "$kernel $name: $(cat said)"
		fi
	done
	echo "# | $kernel | $runs, a baseline of 10 | $alarms | 4 | $found |"
	"$xft" -q guest stop "$guest"
done
